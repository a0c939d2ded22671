"""Writes saving.md from what benchmarks/failing_writes.py measured.

python docs/reference/make_saving_md.py JSON
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_name("saving.md")
HEAD = """<!-- Made by make_saving_md.py from the figures of benchmarks/failing_writes.py. -->

# When a save fails

A model, a file of predictions (`-o`) and a picture (`--plot`) appear whole or not at all.
If a save fails (a full disk, an I/O error, a quota, Ctrl-C), the file that was there is unchanged, nothing is left beside it, and `fromlogits` says so in one line and exits 1.
How it is written is in [the file format](../file-format.md#writing-it).

- A file is replaced only with `--overwrite` (in Python `overwrite=True`), and a read-only one is not replaced at all. A symbolic link stays, and what it points to is replaced.
- `train` looks at the folder, the room on the disk and the limit on file sizes before it trains; `predict -o` before it predicts.
- If the new file is in place but its folder could not be synced, that is said too: after a power cut the old file may be back.
- A full standard output (`> /dev/full`) is one line and exit code 1; a reader that has seen enough (`| head`) hears nothing more, exit code 1 without a line. What standard error can't take is left unsaid, and the training goes on.

## Each system call made to fail

`{command}`, {date}, {processor}, {system}, Python {python}.
{versions}.

Each library writes a small model over another one, in a process of its own, and the n-th call of the C library on that folder (write, fsync, link, rename, close, ftruncate) fails, for every n until a save passes untouched.
It fails once with ENOSPC, once with EIO, from then on with ENOSPC or EDQUOT, as a disk that stays full, or a write is short once.
*Kept*: the file is the old one or the new one, whole. *Destroyed*: it is neither.
*Silent*: no error was raised, and the new file is not there whole.
A failed close after a good fsync loses nothing and is no error of ours.
Calls that a library makes past the C library are not seen: of safetensors that is its rename.

"""
KILLS = """
## Killed at random moments

In the same run, a process saved two models in turn over one name and was killed (`SIGKILL`) {rounds:,} times at random moments (seed {seed}):
the one model was there {old} times, the other {new}, neither {destroyed}; a temporary file was left in {left_a_file}.
Only between the two calls that name the new file and rename it, some microseconds, a kill can leave a file `.fromlogits-….tmp`: a whole model, which may be deleted.
"""


def table(saves: dict[str, dict[str, int]]) -> Iterator[str]:
    yield "| | failing points | kept | destroyed | left a temporary file | raised | silent |"
    yield "|---|---|---|---|---|---|---|"
    for library, found in saves.items():
        counts = (found[key] for key in ("points", "kept", "destroyed", "left_a_file", "raised", "silent"))
        yield f"| {library} | " + " | ".join(map(str, counts)) + " |"


def page(report: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in report["versions"].items() if number)
    facts = {name: report[name] for name in ("date", "processor", "system", "python")}
    command = report["command"].partition(" --json")[0]  # not where the figures went
    head = HEAD.format(versions=versions, command=command, **facts)
    return head + "\n".join(table(report["saves"])) + "\n" + KILLS.format(**report["kills"])


if __name__ == "__main__":
    PAGE.write_text(page(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))), encoding="utf-8")
