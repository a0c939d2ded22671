"""When the command began: a time limit counts from there, before Python was loaded."""

from __future__ import annotations

import os
import time
from pathlib import Path

_began = time.perf_counter()


def begin(*, is_own_process: bool) -> None:
    """A command begins now, or began with its own process."""
    global _began
    _began = time.perf_counter() - (_age_s() if is_own_process else 0.0)


def began() -> float:
    """By `time.perf_counter`."""
    return _began


def _age_s() -> float:
    """Seconds since this process began; where the system does not tell, those that it has computed for."""
    try:
        fields = Path("/proc/self/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        ticks = int(fields[19])  # field 22 of proc_pid_stat(5): since the system began
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK"))
    except (OSError, ValueError, IndexError, AttributeError):
        return time.process_time()
