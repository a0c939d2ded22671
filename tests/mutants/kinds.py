"""The kinds of mutants: each takes a sound file's parts, does something to them, and knows what must come of it."""

from __future__ import annotations

import json
import math
import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from fromlogits.spec import LATER_FIELDS

from .forge import Parts, dumped, encoded, signed
from .models import DIGEST_BYTES, Sound, sound_models

MEBIBYTE = 2**20
HEADER_LIMIT = 16 * MEBIBYTE  # of the format
FREE = (("versions",), ("record", "split"), ("record", "validation"))
"""Where the manifest holds what is for information and of any shape."""
MAY_LACK = (
    ("decision",), ("record", "calibrated"), ("record", "calibration"), ("record", "decision"),
    *(("spec", "plan", name) for name in LATER_FIELDS),
)  # fmt: skip
MAY_HOLD_LESS = (("record", "calibration", "log_loss"), ("record", "decision", "figures"))

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Mutant:
    """A file, and what must come of loading it: "refused", "accepted" or "either"."""

    content: bytes
    expected: str
    about: str
    row: list[float]


@dataclass
class Draw:
    """What a kind works on: random numbers, the file, its parts."""

    random: random.Random
    sound: Sound
    parts: Parts

    def one(self, *choices: Any) -> Any:
        return self.random.choice(choices)

    def entry(self) -> tuple[str, Any]:
        """A tensor's name and entry; not the digest's."""
        return self.random.choice(self.parts.entries[:-1])


Kind = Callable[[Draw], str | tuple[str, bytes]]
"""Changes draw.parts and gives what is expected; or gives that and the body, whole."""


def mutant(seed: int, index: int) -> Mutant:
    """The index-th mutant of a seed: every second one is forged, its digest made right again."""
    draw_from = random.Random(f"{seed}/{index}")
    sound = draw_from.choice(sound_models())
    names, weights = zip(*((kind, weight) for kind, weight in KINDS.items()), strict=True)
    kind = draw_from.choices(names, weights)[0]
    made = kind(Draw(draw_from, sound, parts := Parts.of(sound)))
    expected, body = made if isinstance(made, tuple) else (made, parts.body())
    is_forged = index % 2 == 0
    content = signed(body) if is_forged else body + sound.content[-DIGEST_BYTES:]
    if content == sound.content:
        expected = "accepted"
    elif not is_forged:
        expected = "refused"
    return Mutant(content, expected, f"{kind.__name__} of {sound.name}{', forged' * is_forged}", sound.row)


# --- the header ---

NASTY_SIZES: tuple[Any, ...] = (0, -1, 2**31, 2**32 - 1, 2**63, 2**64 - 1, 2**64, 10**60, 1.0, 0.5, -0.0, True, None, "4", [4], {})  # fmt: skip


def size_of_a_dimension(draw: Draw) -> str:
    _, entry = draw.entry()
    place = draw.random.randrange(len(entry["shape"]))
    entry["shape"][place] = draw.one(*(s for s in NASTY_SIZES if s is True or s != entry["shape"][place]))
    return "refused"


def number_of_dimensions(draw: Draw) -> str:
    _, entry = draw.entry()
    shape = entry["shape"]
    entry["shape"] = draw.one([*shape, 1], [1, *shape], shape[:-1], [], [math.prod(shape), 1, 1], [1] * 1000 + shape)
    return "refused" if entry["shape"] != shape else "accepted"


def dtype(draw: Draw) -> str:
    _, entry = draw.entry()
    known: tuple[Any, ...] = ("F64", "F32", "I64", "I32", "U8", "F16", "BF16", "BOOL", "F8_E4M3", "F4", "U64", "C64")
    entry["dtype"] = draw.one(
        *(other for other in (*known, "f32", "", "X" * 10_000, None, 3, []) if other != entry["dtype"])
    )
    return "refused"


def missing_tensor(draw: Draw) -> str:
    name, entry = draw.entry()
    parts = draw.parts
    parts.entries = [(other, found) for other, found in parts.entries if other != name]
    if draw.one(True, False):  # with its bytes
        begin, end = entry["data_offsets"]
        parts.data = parts.data[:begin] + parts.data[end:]
        for _, other in parts.entries:
            if other["data_offsets"][0] >= end:
                other["data_offsets"] = [offset - (end - begin) for offset in other["data_offsets"]]
    return "refused"


def extra_tensor(draw: Draw) -> str:
    names = (
        "layer.9.weights",
        "layer.00.biases",
        "x",
        "encoder.more",
        "~a",
        "W",
        "../w",
        "w" * 101,
        "",
        "é",
        "w\0",
        "\n",
    )
    draw.parts.place(**{draw.one(*names): bytes(draw.one(0, 1, 4, 1000))})
    return "refused"


def name_of_a_tensor(draw: Draw) -> str:
    place = draw.random.randrange(len(draw.parts.entries))
    name, entry = draw.parts.entries[place]
    other = draw.one(
        name.upper(), name + "\0", " " + name, name[:-1], "/etc/passwd", "🧀", "~~", name * 100_000, "\ud800"
    )
    draw.parts.entries[place] = other, entry
    return "refused"


def tensor_twice(draw: Draw) -> str:
    name, entry = draw.one(*draw.parts.entries)
    draw.parts.entries.insert(draw.random.randrange(len(draw.parts.entries) + 1), (name, dict(entry)))
    return "refused"


def offsets(draw: Draw) -> str:
    _, entry = draw.one(*draw.parts.entries)
    begin, end = entry["data_offsets"]
    far = draw.one(1, 4, 8, 2**31, 2**63, 2**64 - 1, 2**64)
    entry["data_offsets"] = draw.one(
        [end, begin], [begin - far, end - far], [begin + far, end + far], [begin, end + far], [begin + 1, end], [begin],
        [begin, end, end], [float(begin), float(end)], [str(begin), end], [-1, -1], [2**64 - 4, 4], None, {}, begin,
    )  # fmt: skip
    return "refused"


def overlap(draw: Draw) -> str:
    (_, one), (_, other) = draw.random.sample(draw.parts.entries, 2)
    one["data_offsets"] = list(other["data_offsets"])
    return "refused"


def hole(draw: Draw) -> str:
    parts, size = draw.parts, draw.one(1, 4, 8, 1000)
    at = draw.one(*(entry["data_offsets"][0] for _, entry in parts.entries))
    parts.data = parts.data[:at] + bytes(size) + parts.data[at:]
    for _, entry in parts.entries:
        if entry["data_offsets"][0] >= at:
            entry["data_offsets"] = [offset + size for offset in entry["data_offsets"]]
    return "refused"


def entry_of_another_kind(draw: Draw) -> str:
    place = draw.random.randrange(len(draw.parts.entries))
    name, entry = draw.parts.entries[place]
    less = {key: value for key, value in entry.items() if key != draw.one(*entry)}
    odd = draw.one(less, None, [], [entry], 1, "x", {"a": entry}, {key.upper(): value for key, value in entry.items()})
    draw.parts.entries[place] = name, odd
    return "refused"


def more_in_an_entry(draw: Draw) -> str:
    _, entry = draw.entry()
    entry[draw.one("more", "", "dtype ", "\0", "🧀")] = draw.one(None, 1, [[]], {"a": {}}, "x" * 10_000)
    return "either"  # the library looks past it, and nothing reads it


def order_of_entries(draw: Draw) -> str:
    draw.random.shuffle(draw.parts.entries)
    return "accepted"


def order_of_the_data(draw: Draw) -> str:
    """The digest not last, or two tensors that have changed places."""
    (name, one), (other_name, other) = draw.random.sample(draw.parts.entries, 2)
    sizes = {end - begin for begin, end in (one["data_offsets"], other["data_offsets"])}
    one["data_offsets"], other["data_offsets"] = other["data_offsets"], one["data_offsets"]
    return "either" if len(sizes) == 1 and "~sha256" not in (name, other_name) else "refused"


def many_tensors(draw: Draw) -> str:
    count = draw.one(1, 100, 9_990, 9_999, 10_001, 100_000)
    empty = {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}
    draw.parts.entries[:0] = [(f"w{number}", empty) for number in range(count)]
    return "refused"


def header_length(draw: Draw) -> str:
    body = draw.parts.body()
    length = int.from_bytes(body[:8], "little")
    lie = draw.one(
        0, 1, length - 8, length - 1, length + 1, length + 8, len(body), len(body) - 8, 2**31, 2**63, 2**64 - 1
    )
    draw.parts.header_bytes = lie
    return "refused" if lie != length + 8 else "either"


def metadata(draw: Draw) -> str:
    draw.parts.metadata = draw.one(
        {"format": "pt"}, {"fromlogits": None}, {"fromlogits": 1}, {"fromlogits": {}}, {"": ""}
    )
    return "refused"


def no_metadata(draw: Draw) -> str:
    odd = draw.one(None, [], "x", 1, {})
    draw.parts.header = encoded(dumped({"__metadata__": odd, **dict(draw.parts.entries)}))
    return "refused"


def header_of_other_text(draw: Draw) -> str:
    header = draw.parts.body()[8 : -len(draw.parts.data)].strip()
    draw.parts.header = draw.one(
        b" " + header, b"\xef\xbb\xbf" + header, header + b"\0", header + b"x", header[:-1], header + header, b"[" + header + b"]",
        header.replace(b'"', b"'"), header.replace(b":", b"=", 1), header.decode().encode("utf-16"), b"", b"{", b"{}",
    )  # fmt: skip
    return "refused"


def escaped_header(draw: Draw) -> str:
    """The same header, its text escaped as other programs do."""
    fields = {"__metadata__": {"fromlogits": dumped(draw.parts.manifest)}, **dict(draw.parts.entries)}
    draw.parts.header = json.dumps(fields).encode()
    return "either"


# --- the tensors ---


def value(draw: Draw, forged: float) -> str:
    """Put a number in the place of one of a tensor's, whose name it gives."""
    name, entry = draw.entry()
    begin, end = entry["data_offsets"]
    width, code = (8, "<d") if entry["dtype"] == "F64" else (4, "<f")
    at = begin + width * draw.random.randrange((end - begin) // width)
    draw.parts.data = draw.parts.data[:at] + struct.pack(code, forged) + draw.parts.data[at + width :]
    return name


def value_that_is_not_finite(draw: Draw) -> str:
    value(draw, draw.one(math.nan, -math.nan, math.inf, -math.inf))
    return "refused"


def value_of_a_weight(draw: Draw) -> str:
    """Another number makes another model, and a valid one."""
    name = value(draw, draw.one(0.0, 1e-45, draw.random.uniform(0, 1), draw.random.uniform(0, 1e6), 2.0**100))
    has_bounds = name.startswith(("sets.", "calibration."))  # a curve rises or falls, a temperature is positive
    return "either" if has_bounds else "accepted"


def negative_value(draw: Draw) -> str:
    value(draw, draw.one(-1e-300, -1.0, -3e38))
    return "either"  # a spread is not negative, a weight may be


def bytes_of_the_data(draw: Draw) -> str:
    data = bytearray(draw.parts.data)
    for _ in range(draw.random.randint(1, 16)):
        data[draw.random.randrange(len(data))] = draw.random.randrange(256)
    draw.parts.data = bytes(data)
    return "either"


# --- the manifest ---


def paths(value: Any, here: Path = ()) -> Iterator[Path]:
    """Every place in a JSON value, the containers too."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, found in inner:
        yield (*here, key)
        yield from paths(found, (*here, key))


def at(value: Any, path: Path) -> Any:
    for key in path:
        value = value[key]
    return value


def has(value: Any, path: Path) -> bool:
    try:
        at(value, path)
    except (KeyError, IndexError, TypeError):
        return False
    return True


def any_path(draw: Draw) -> Path:
    return draw.random.choice([*paths(draw.parts.manifest)])


def is_free(path: Path) -> bool:
    return any(path[: len(free)] == free for free in FREE)


def nested(depth: int) -> Any:
    found: Any = 1
    for level in range(depth):
        found = [found] if level % 3 else {"a": found}
    return found


NASTY: tuple[Callable[[], Any], ...] = (
    lambda: None, lambda: True, lambda: 0, lambda: -1, lambda: 1, lambda: 2**31, lambda: 2**63, lambda: 2**64,
    lambda: 10**39, lambda: 10**41, lambda: 0.5, lambda: -0.0, lambda: 1e300, lambda: 5e-324, lambda: -1e308, lambda: "", lambda: "x",
    lambda: "\0", lambda: "a\nb\r\x0b\u2028c", lambda: "\x1b[2J", lambda: "🧀" * 3, lambda: "x" * 99_000, lambda: "x" * 2_000_000,
    lambda: "\x7f" * 500_000, lambda: "🧀" * 200_000, lambda: [], lambda: {}, lambda: [1, 2], lambda: ["a", "a"], lambda: [[]],
    lambda: {"a": 1}, lambda: ["x"] * 1000, lambda: [0] * 200_000, lambda: [f"c{i}" for i in range(100_000)], lambda: nested(20),
    lambda: {f"k{i}": i for i in range(20_000)}, lambda: {"x" * 100_000: 1},
)  # fmt: skip


def nasty_value(draw: Draw) -> str:
    """Something else in any place of the manifest."""
    path = any_path(draw)
    old, new = at(draw.parts.manifest, path), draw.random.choice(NASTY)()
    at(draw.parts.manifest, path[:-1])[path[-1]] = new
    numbers = (int, float)
    may_be_alike = new is None or type(old) is type(new) or (type(old) in numbers and type(new) in numbers)
    return "either" if is_free(path) or old is None or may_be_alike else "refused"


def missing_key(draw: Draw) -> str:
    path = draw.random.choice([path for path in paths(draw.parts.manifest) if isinstance(path[-1], str)])
    del at(draw.parts.manifest, path[:-1])[path[-1]]
    may_lack = path in MAY_LACK or path[:-1] in MAY_HOLD_LESS or (is_free(path) and path not in FREE)
    return "either" if may_lack else "refused"


def another_key(draw: Draw) -> str:
    path = draw.one((), *(p for p in paths(draw.parts.manifest) if isinstance(at(draw.parts.manifest, p), dict)))
    at(draw.parts.manifest, path)[draw.one("more", "", "\0", "Format", "x" * 100_000, "a\nb")] = draw.one(
        None, 1, [], {}
    )
    return "either" if is_free(path) else "refused"


def key_twice(draw: Draw) -> str:
    text = dumped(draw.parts.manifest)
    key = draw.one(*draw.parts.manifest)
    draw.parts.text = text[:-1] + f",{dumped(key)}:{dumped(draw.one(None, 1, draw.parts.manifest[key]))}}}"
    return "refused"


def numbers_of_things(draw: Draw) -> str:
    """Classes, columns, layers and networks of which there is one too many or one too few."""
    manifest = draw.parts.manifest
    network, schema = manifest["spec"]["network"], manifest["encoder"]["schema"]
    classes, layers, names = manifest["target"]["classes"], network["layers"], schema["names"]
    step = draw.one(-1, 1)
    what = draw.one("classes", "layers", "units", "n_features", "schema", "names", "twice", "ensemble", "members")
    if what == "ensemble" and "members" in manifest["spec"]:
        manifest["spec"]["members"]["ensemble"] += step
    elif what == "members" and "members" in manifest["record"]:
        members = manifest["record"]["members"]
        members.append(members[0]) if step > 0 else members.pop()
    elif what == "classes" and step > 0:
        classes.append({bool: True, int: 99, float: 9.0, str: "more"}[type(classes[0])])
    elif what == "classes":
        classes.pop()
    elif what == "layers" and step > 0:
        layers.insert(0, dict(layers[0], activation="relu"))
    elif what == "layers":
        layers.pop(draw.random.randrange(len(layers)))
    elif what == "units":
        draw.one(*layers)["units"] += step
    elif what == "n_features":
        network["n_features"] += step
    elif what == "names" and names is not None:
        names.append("more") if step > 0 else names.pop()
    elif what == "twice" and len(classes) > 1:
        classes[0] = classes[1]
    else:
        schema["n_features"] += step
    return "refused"


def other_words(draw: Draw) -> str:
    """Words of the manifest in each other's places."""
    changes = {
        ("spec", "head"): ("softmax", "sigmoid", "Softmax", ""),
        ("encoder", "kind"): ("standard", "picture", "other"),
        ("target", "task"): ("multi-class", "multi-label", "regression"),
        ("target", "kind"): ("bool", "int", "float", "str", "object"),
        ("record", "stopped_by"): ("none", "Patience", ""),
        ("record", "members", 1, "stopped_by"): ("none", "Patience", ""),
        ("sets", "method"): ("recall", "LAC", ""),
        ("decision", "rule", "kind"): ("largest", "scores", "second_class", ""),
        ("record", "calibration", "kind"): ("per label", ""),
        ("spec", "members", "separate_networks"): (True, False, "true", "", None),
        ("spec", "network", "layers", 0, "kind"): ("conv", "Dense", ""),
    }
    manifest = draw.parts.manifest
    path = draw.one(*(path for path in changes if has(manifest, path)))
    at(manifest, path[:-1])[path[-1]] = draw.one(*(word for word in changes[path] if word != at(manifest, path)))
    return "refused"


def other_numbers(draw: Draw) -> str:
    """Beyond what a number of the manifest may be."""
    changes = {
        ("calibration", "temperature"): (0, 0.0, -1.0, 1e-7, 1e300, True, "1"),
        ("encoder", "scale"): (0.0, -1.0, 1, "1"),
        ("encoder", "shift"): (0, "0", True),
        ("spec", "network", "n_features"): (0, -1, 2**31, 1.0, 10**39),
        ("spec", "network", "layers", 0, "units"): (0, -1, 2**31, 2**63, 10**7, 1.0, "1"),
        ("spec", "plan", "learning_rate"): (0.0, -1.0, 1e7, "1"),
        ("spec", "plan", "batch_size"): (0, 2**31, 1.5),
        ("spec", "plan", "dropout"): (1.0, -0.1, 10**30),
        ("encoder", "schema", "n_features"): (0, -1, 2**63, 1.0),
        ("encoder", "schema", "picture_shape"): ([1], [0, 0], [2**40, 2**40], [-1, -3], [1.0, 3], [], [1, 1, 1, 3]),
        ("encoder", "schema", "pictures"): (0, [], "file", {"column": 1, "resize": "bilinear"}, {"column": None}),
        ("record", "seed"): (-1, 2**63, 1.0),
        ("record", "best_epoch"): (-1, 2**70, "1"),
        ("record", "members", 1, "seed"): (-1, 2**63, 1.0),
        ("record", "members", 0, "best_epoch"): (-1, 2**70, "1"),
        ("sets", "coverage"): (0.0, 1.0, -0.5, 0.99, 1, "0.9", True),
        ("sets", "rows"): (0, -1, 2**53 + 1, 2**70, 10.0, True, "9", 1),
        ("record", "calibrated", "kept"): (-1, 2**63, 1.0, None),
        ("decision", "rule", "thresholds", 1): (-0.1, 1.1, 10**30, True, "0.5", None),
        ("decision", "decide_for", 0, 1): (1e31, -1, True, "1", None),
        ("record", "decision", "folds"): (-1, 1.0, True, None),
        ("record", "calibration", "folds"): (0, 1_000, 1.0, True),
        ("spec", "members", "ensemble"): (0, -1, 4096, 4097, 2**31, 2**63, True, 2.0, "2"),
    }
    path = draw.one(*(path for path in changes if has(draw.parts.manifest, path)))
    at(draw.parts.manifest, path[:-1])[path[-1]] = draw.one(*changes[path])
    return "refused"


def version(draw: Draw) -> str:
    form = draw.parts.manifest["format"]
    form["version"] = draw.one(2, 3, 10**39, 0, -1, 1.0, True, "1", None, [1], {"a": 1})
    if draw.one(True, False):
        form["needs"] = draw.one(
            "1.4.0", "2", "", "1\n2", "x" * 100_000, "1.2.3.4.5", ["1"], None, "٣.١", "1.0\n", "9" * 50
        )
    return "refused"


def format_of_another_kind(draw: Draw) -> str:
    form = draw.one({"name": "other", "version": 1}, {"version": 1}, [], None, "fromlogits-model", 1, {})
    draw.parts.manifest["format"] = form
    return "refused"


def deep(draw: Draw) -> str:
    depth = draw.one(33, 40, 1_000, 100_000)
    left, right = draw.one(("[", "]"), ('{"a":', "}"), ("[[],", "]"))
    if draw.one(True, False):
        text = dumped(draw.parts.manifest)
        draw.parts.text = f'{text[:-1]},"x":{left * depth}1{right * depth}}}'
    else:
        header = draw.parts.body()[8 : -len(draw.parts.data)].decode().rstrip()
        draw.parts.header = f'{header[:-1]},"x":{left * depth}1{right * depth}}}'.encode()
    return "refused"


def text_of_the_manifest(draw: Draw) -> str:
    """JSON that is none, or none of ours."""
    text = dumped(draw.parts.manifest)
    draw.parts.text = draw.one(
        text[:-1] + ',"x":NaN}', text[:-1] + ',"x":-Infinity}', text[:-1] + ',"x":1e999}', text[:-1] + ',"x":01}',
        text[:-1] + ',"x":' + "9" * 100_000 + "}", text[:-1] + ',"x":0.' + "1" * 100_000 + "}", text[:-1] + ',"x":"\\ud800"}',
        text[:-1] + ",}", text[:-1] + ',"x":"\\x41"}', text[:-1] + ',"x":"\n"}', text[:-1] + ',"x":"\ud800"}', text[:-1], text + "}", text + text, "\ufeff" + text,
        f"[{text}]", dumped(text), "", "null", text.replace(":", ": /* */ ", 1), text.replace("true", "True", 1) + "x", text + "\0",
    )  # fmt: skip
    return "refused"


def characters_of_the_manifest(draw: Draw) -> str:
    text = list(dumped(draw.parts.manifest))
    for _ in range(draw.random.randint(1, 4)):
        text[draw.random.randrange(len(text))] = draw.one(*'0123456789.eE-+"\\[]{},: anul\0\x7fé🧀\ud800')
    draw.parts.text = "".join(text)
    return "either"


# --- all bytes ---


def edited(draw: Draw) -> tuple[str, bytes]:
    body = bytearray(draw.parts.body())
    for _ in range(draw.random.randint(1, 16)):
        body[draw.random.randrange(len(body))] = draw.random.randrange(256)
    return "either", bytes(body)


def one_bit(draw: Draw) -> tuple[str, bytes]:
    body = bytearray(draw.parts.body())
    body[draw.random.randrange(len(body))] ^= 1 << draw.random.randrange(8)
    return "either", bytes(body)


def block_moved(draw: Draw) -> tuple[str, bytes]:
    """A run of bytes cut out, written twice or put elsewhere."""
    body = draw.parts.body()
    begin, end = sorted(draw.random.randrange(len(body) + 1) for _ in range(2))
    run, rest = body[begin:end], body[:begin] + body[end:]
    to = draw.random.randrange(len(rest) + 1)
    return "either", draw.one(rest, body[:end] + run + body[end:], rest[:to] + run + rest[to:])


def cut_short(draw: Draw) -> tuple[str, bytes]:
    body = draw.parts.body()
    return "refused", body[: draw.random.randrange(len(body))]


def appended(draw: Draw) -> tuple[str, bytes]:
    more = draw.one(b"\0", b"\n", b" " * 8, bytes(1000), draw.sound.content, draw.random.randbytes(100))
    return "refused", draw.parts.body() + more


def spliced(draw: Draw) -> tuple[str, bytes]:
    """The beginning of one model and the end of another."""
    other = draw.random.choice(sound_models()).content[:-DIGEST_BYTES]
    body = draw.parts.body()
    cut = draw.random.randrange(len(body))
    return "either", body[:cut] + other[draw.one(min(cut, len(other)), draw.random.randrange(len(other))) :]


def header_of_another(draw: Draw) -> str:
    other = draw.random.choice(sound_models())
    draw.parts = Parts.of(other)
    draw.parts.data = draw.sound.data
    return "either"


def stranger(draw: Draw) -> tuple[str, bytes]:
    start = draw.one(
        b"PK\x03\x04",
        b"\x80\x04\x95",
        b"\x1f\x8b\x08",
        b"\x89HDF\r\n\x1a\n",
        b"\x93NUMPY",
        b"<!doctype html>",
        b"\n[",
        b"",
    )
    return "refused", start + draw.random.randbytes(draw.random.randrange(200))


# --- headers as large as they may be ---

LARGE: dict[str, Callable[[int], str]] = {
    # Each takes a number of bytes and gives that much JSON: what costs most for its length.
    "one text": lambda n: f'"{"x" * (n - 2)}"',
    "one text that is wide": lambda n: f'"🧀{"x" * (n - 6)}"',
    "one wide text of wide signs": lambda n: f'"{"🧀" * (n // 4 - 1)}"',
    "one text of two bytes a sign": lambda n: f'"Ā{"x" * (n - 4)}"',
    "escapes": lambda n: '"' + "\\n" * (n // 2 - 1) + '"',
    "long escapes": lambda n: '"' + "\\u0001" * (n // 6 - 1) + '"',
    "escapes to wide signs": lambda n: '"' + "\\ud83e\\uddc0" * (n // 12 - 1) + '"',
    "signs that are not printed": lambda n: '"' + "\x7f" * (n - 2) + '"',
    "short texts": lambda n: "[" + ",".join(f'"{i:06x}"' for i in range(n // 9)) + "]",
    "short wide texts": lambda n: "[" + ",".join(f'"🧀{i:06x}"' for i in range(n // 13)) + "]",
    "texts": lambda n: "[" + ",".join(f'"column number {i:08x}"' for i in range(n // 25)) + "]",
    "empty texts": lambda n: "[" + '"",' * (n // 3 - 1) + '""]',
    "zeros": lambda n: "[" + "0," * (n // 2 - 1) + "0]",
    "whole numbers": lambda n: "[" + "1234567890123456789012345678901234567890," * (n // 41 - 1) + "0]",
    "floats": lambda n: "[" + "1e9," * (n // 4 - 1) + "0]",
    "empty lists": lambda n: "[" + "[]," * (n // 3 - 1) + "0]",
    "empty objects": lambda n: "[" + "{}," * (n // 3 - 1) + "0]",
    "lists of one": lambda n: "[" + "[0]," * (n // 4 - 1) + "0]",
    "objects of one": lambda n: "[" + '{"a":0},' * (n // 8 - 1) + "0]",
    "keys": lambda n: "{" + ",".join(f'"{i:06x}":0' for i in range(n // 11)) + "}",
    "epochs": lambda n: "[" + ",".join(f'{{"epoch":{i:07},"learning_rate":0.001,"loss":0.1234567891,"validation":0.1234567891}}'.replace(":0", ":1", 1) for i in range(n // 82)) + "]",
    "brackets": lambda n: "[" * n,
}  # fmt: skip
LARGE_PLACES: tuple[Path, ...] = (
    ("target", "classes"), ("record", "history"), ("record", "members"), ("record", "validation"), ("record", "preset"), ("versions", "numpy"),
    ("encoder", "schema", "names"), ("encoder", "schema", "ignored"), ("spec", "head"), ("spec", "plan", "metric"),
    ("spec", "plan", "optimizer"), ("spec", "network", "layers"), ("spec", "members"), ("target", "kind"), ("format", "needs"), ("more",), ("format",),
)  # fmt: skip
MARK = "where the large thing goes"


def large(draw: Draw) -> str:
    """A header of up to the largest size that is read, or just above it, in its most costly forms."""
    what = draw.one(*LARGE)
    where = draw.one(*LARGE_PLACES)
    size = draw.one(
        HEADER_LIMIT,
        HEADER_LIMIT,
        HEADER_LIMIT // 2,
        HEADER_LIMIT // 4,
        6 * MEBIBYTE,
        2 * MEBIBYTE,
        MEBIBYTE,
        HEADER_LIMIT + 8,
    )
    size -= draw.random.randrange(5_000, 9_000)
    at(draw.parts.manifest, where[:-1])[where[-1]] = MARK
    around = dumped(draw.parts.manifest)
    filling = LARGE[what](size)
    if draw.one(True, False):  # so long that the header has this size: quotes and backslashes are escaped in it
        filling = LARGE[what](int(size * size / max(size, len(dumped(filling)))))
    draw.parts.text = around.replace(dumped(MARK), filling)
    return (
        "either"
        if is_free(where) or what == "epochs" or "text" in what or "sign" in what or "escapes" in what
        else "refused"
    )


def large_header(draw: Draw) -> str:
    """The same outside the manifest."""
    what = draw.one(*LARGE)
    header = draw.parts.body()[8 : -len(draw.parts.data)].decode().rstrip()
    filling = LARGE[what](draw.one(15, 8, 4, 2, 1) * MEBIBYTE)
    draw.parts.header = encoded(f'{header[:-1]},"x":{filling}}}')
    return "refused"


KINDS: dict[Kind, float] = {
    size_of_a_dimension: 3, number_of_dimensions: 1, dtype: 2, missing_tensor: 1, extra_tensor: 1, name_of_a_tensor: 1,
    tensor_twice: 1, offsets: 3, overlap: 1, hole: 1, entry_of_another_kind: 1, more_in_an_entry: 1, order_of_entries: 0.5,
    order_of_the_data: 1, many_tensors: 0.05, header_length: 1, metadata: 0.5, no_metadata: 0.3, header_of_other_text: 0.5,
    escaped_header: 0.3, value_that_is_not_finite: 2, value_of_a_weight: 3, negative_value: 1, bytes_of_the_data: 2,
    nasty_value: 10, missing_key: 3, another_key: 2, key_twice: 0.5, numbers_of_things: 4, other_words: 2, other_numbers: 4,
    version: 1, format_of_another_kind: 0.5, deep: 0.5, text_of_the_manifest: 2, characters_of_the_manifest: 4, edited: 4,
    one_bit: 3, block_moved: 2, cut_short: 2, appended: 1, spliced: 3, header_of_another: 1, stranger: 0.5,
    large: 0.15, large_header: 0.05,
}  # fmt: skip
"""How often each kind is drawn, beside the others."""
