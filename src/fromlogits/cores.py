"""How many threads to compute with: what was asked for, or the cores that this process may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath

import numpy as np

from .errors import InputError

MOST_THREADS = 1024


def n_threads(n_jobs: int | None) -> int:
    """How many threads `n_jobs` stands for: None and -1 are the cores this process may use.

    The core uses at most 64 of them.
    """
    check_n_jobs(n_jobs)
    return usable_cores() if n_jobs in (None, -1) else int(n_jobs)


def check_n_jobs(n_jobs: int | None) -> None:
    """Raise InputError for what `n_threads` can't read."""
    if n_jobs is not None and (
        isinstance(n_jobs, bool)
        or not isinstance(n_jobs, (int, np.integer))
        or not (n_jobs == -1 or 1 <= n_jobs <= MOST_THREADS)
    ):
        raise InputError(f"n_jobs must be a number of threads from 1 to {MOST_THREADS}, -1 or None; got {n_jobs!r}.")


def usable_cores() -> int:
    """The cores that the affinity of this process and the CPU quotas of its control groups leave it, at least one.

    The quotas are read once: a container keeps what it was given. The affinity is asked for each time.
    """
    has_affinity = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    return min(cores, _own_quota() or cores)


@cache
def _own_quota() -> int | None:
    return cpu_quota(Path("/"))


def cpu_quota(root: Path) -> int | None:
    """Cores that the quotas of this process's control groups come to, rounded up, or None where there are none.

    Of its group and of every group above it the smallest counts: cgroup v2's `cpu.max`, v1's `cpu.cfs_quota_us` over
    `cpu.cfs_period_us`. A file that is missing or says something else sets no limit.

    Args:
        root: the folder that holds `proc` and what is mounted.
    """
    quotas = [
        quota for folder in _groups(root) for quota in (_quota_v2(folder), _quota_v1(folder)) if quota is not None
    ]
    return min(quotas, default=None)


def _groups(root: Path) -> Iterator[Path]:
    """The folders of the groups that hold this process and can limit its time, each followed by those above it."""
    own: dict[str, str] = {}  # path of this process's group, by controllers; "" is the one of version 2
    for line in _lines(root / "proc/self/cgroup"):
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        own[controllers] = group
    for line in _lines(root / "proc/self/mountinfo"):
        left, _, right = line.partition(" - ")
        fields, kind = left.split(" "), right.split(" ")
        if len(fields) < 5 or len(kind) < 3:
            continue
        wanted = {"cgroup2": "", "cgroup": "cpu"}.get(kind[0])
        is_limiting = kind[0] == "cgroup2" or "cpu" in kind[2].split(",")
        path = next((path for controllers, path in own.items() if wanted in controllers.split(",")), None)
        if path is None or not is_limiting:
            continue
        # A container often sees its own group mounted, and not the folders that its path names: then the path leads
        # nowhere and only the mount itself is left.
        mounted, top = root / _unescaped(fields[4]).lstrip("/"), _unescaped(fields[3])
        below = PurePosixPath(path)
        below = below.relative_to(top if below.is_relative_to(top) else below.anchor)
        if ".." in below.parts:  # a group outside what this container may see
            below = PurePosixPath()
        for part in (below, *below.parents) if below.parts else (below,):
            yield mounted / part


def _quota_v2(folder: Path) -> int | None:
    """`max 100000`, or microseconds of each period: `150000 100000`."""
    quota, _, period = next(_lines(folder / "cpu.max"), "").partition(" ")
    return _cores(quota, period)


def _quota_v1(folder: Path) -> int | None:
    """Two files; a quota of -1 is none."""
    quota, period = (next(_lines(folder / f"cpu.cfs_{what}_us"), "") for what in ("quota", "period"))
    return _cores(quota, period)


def _cores(quota: str, period: str) -> int | None:
    if not (quota.isdecimal() and period.isdecimal() and int(quota) > 0 and int(period) > 0):
        return None
    return -(-int(quota) // int(period))


def _lines(path: Path) -> Iterator[str]:
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except (OSError, ValueError):  # ValueError: a name with a zero byte
        return
    yield from text.splitlines()


def _unescaped(path: str) -> str:
    r"""A path of mountinfo, where a blank is `\040`."""
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        path = path.replace(code, character)
    return path
