"""Puts a model file together from parts that need not fit together."""

from __future__ import annotations

import copy
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from .models import DIGEST_BYTES, Sound


@dataclass
class Parts:
    """What a file is made of; each may be changed before `body` joins them.

    Attributes:
        manifest: becomes JSON, unless `text` has taken its place.
        entries: of the header behind the metadata, as (name, entry): a name may stand there twice.
        metadata: what stands beside the manifest in `__metadata__`.
        data: the tensors' bytes.
        header: the whole header, if it is not to be made from the above.
        header_bytes: what the file says its length is, if that is not the truth.
    """

    manifest: Any
    entries: list[tuple[str, Any]]
    data: bytes
    metadata: dict[str, Any] = field(default_factory=dict)
    text: str | None = None
    header: bytes | None = None
    header_bytes: int | None = None

    @classmethod
    def of(cls, sound: Sound) -> Parts:
        return cls(copy.deepcopy(sound.manifest), copy.deepcopy(sound.entries), sound.data)

    def body(self) -> bytes:
        """All bytes before the digest."""
        header = self.header if self.header is not None else self._header()
        length = len(header) if self.header_bytes is None else self.header_bytes
        return (length % 2**64).to_bytes(8, "little") + header + self.data

    def _header(self) -> bytes:
        text = self.text if self.text is not None else dumped(self.manifest)
        metadata = {"fromlogits": text, **self.metadata}
        fields = [("__metadata__", metadata), *self.entries]
        raw = encoded("{" + ",".join(f"{dumped(name)}:{dumped(value)}" for name, value in fields) + "}")
        return raw + b" " * (-len(raw) % 8)

    def place(self, **more: bytes) -> None:
        """Put tensors of type U8 behind the others, before the digest."""
        for name, content in more.items():
            end = len(self.data)
            entry = {"dtype": "U8", "shape": [len(content)], "data_offsets": [end, end + len(content)]}
            self.entries.insert(len(self.entries) - 1, (name, entry))
            self.data += content
        self.end_in_digest()

    def end_in_digest(self) -> None:
        """Let the digest's entry say where it is, whatever became of the data."""
        end = len(self.data)
        self.entries[-1][1]["data_offsets"] = [end, end + DIGEST_BYTES]


def dumped(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # half a pair becomes bytes that are no UTF-8


def signed(body: bytes) -> bytes:
    """The body with its right digest."""
    return body + hashlib.sha256(body).digest()
