"""The cores that a process may use, found in trees of files as Linux and its containers show them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fromlogits.cores import cpu_quota, n_threads, usable_cores

V2 = "35 24 0:30 {top} /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate"
V1 = "32 31 0:29 {top} /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct"
V1_MEMORY = "33 31 0:30 {top} /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory"
HYBRID = "41 31 0:38 {top} /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw"


def tree(root: Path, cgroup: str, mounts: list[str], files: dict[str, str]) -> Path:
    """A root folder with this process's groups, what is mounted, and files of the groups."""
    own = {"proc/self/cgroup": cgroup, "proc/self/mountinfo": "\n".join(mounts) + "\n"}
    for name, content in {**own, **{f"sys/fs/cgroup/{name}": content for name, content in files.items()}}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return root


@pytest.mark.parametrize(
    ("content", "cores"),
    [
        ("max 100000\n", None),
        ("200000 100000\n", 2),
        ("150000 100000\n", 2),
        ("100001 100000\n", 2),
        ("1000 100000\n", 1),
        ("50000 10000\n", 5),
        ("", None),
        ("0 100000\n", None),
        ("200000 0\n", None),
        ("200000\n", None),
        ("-1 100000\n", None),
        ("1.5 1\n", None),
        ("many few\n", None),
    ],
)
def test_a_quota_of_version_2_is_rounded_up_to_whole_cores(tmp_path: Path, content: str, cores: int | None) -> None:
    root = tree(tmp_path, "0::/job\n", [V2.format(top="/")], {"job/cpu.max": content})
    assert cpu_quota(root) == cores


@pytest.mark.parametrize(
    ("quota", "period", "cores"),
    [("-1", "100000", None), ("250000", "100000", 3), ("5000", "100000", 1), ("", "", None), ("100000", "0", None)],
)
def test_a_quota_of_version_1_is_rounded_up_to_whole_cores(
    tmp_path: Path, quota: str, period: str, cores: int | None
) -> None:
    files = {"cpu,cpuacct/job/cpu.cfs_quota_us": quota + "\n", "cpu,cpuacct/job/cpu.cfs_period_us": period + "\n"}
    root = tree(tmp_path, "4:cpu,cpuacct:/job\n2:memory:/job\n", [V1_MEMORY.format(top="/"), V1.format(top="/")], files)
    assert cpu_quota(root) == cores


@pytest.mark.parametrize("smallest", ["cpu.max", "user.slice/cpu.max", "user.slice/job/cpu.max"])
def test_the_smallest_quota_of_a_group_and_those_above_it_counts(tmp_path: Path, smallest: str) -> None:
    quotas = {"cpu.max": "900000 100000", "user.slice/cpu.max": "800000 100000", "user.slice/job/cpu.max": "max 100000"}
    root = tree(tmp_path, "0::/user.slice/job\n", [V2.format(top="/")], quotas | {smallest: "300000 100000"})
    assert cpu_quota(root) == 3


def test_a_quota_of_another_group_does_not_count(tmp_path: Path) -> None:
    files = {"other/cpu.max": "100000 100000", "job/below/cpu.max": "100000 100000", "job/cpu.max": "max 100000"}
    assert cpu_quota(tree(tmp_path, "0::/job\n", [V2.format(top="/")], files)) is None


@pytest.mark.parametrize(
    ("cgroup", "mount", "files"),
    [
        ("0::/\n", V2.format(top="/"), {"cpu.max": "200000 100000"}),  # its own namespace
        ("0::/pods/pod1/abc\n", V2.format(top="/pods/pod1/abc"), {"cpu.max": "200000 100000"}),  # its group mounted
        ("0::/pods/pod1/abc\n", V2.format(top="/"), {"cpu.max": "200000 100000"}),  # a path that is not there
        ("0::/../pod1/abc\n", V2.format(top="/"), {"cpu.max": "200000 100000"}),  # a group out of sight
        (
            "4:cpu,cpuacct:/docker/abc\n",
            V1.format(top="/docker/abc"),
            {"cpu,cpuacct/cpu.cfs_quota_us": "200000", "cpu,cpuacct/cpu.cfs_period_us": "100000"},
        ),
    ],
)
def test_a_containers_quota_is_found_however_its_groups_are_mounted(
    tmp_path: Path, cgroup: str, mount: str, files: dict[str, str]
) -> None:
    assert cpu_quota(tree(tmp_path, cgroup, [mount], files)) == 2


def test_of_both_versions_mounted_together_the_smaller_quota_counts(tmp_path: Path) -> None:
    files = {
        "unified/job/cpu.max": "500000 100000",
        "cpu,cpuacct/job/cpu.cfs_quota_us": "400000",
        "cpu,cpuacct/job/cpu.cfs_period_us": "100000",
    }
    mounts = [V1.format(top="/"), HYBRID.format(top="/")]
    assert cpu_quota(tree(tmp_path, "1:cpu,cpuacct:/job\n0::/job\n", mounts, files)) == 4


def test_a_mount_with_a_blank_in_its_name_is_found(tmp_path: Path) -> None:
    mount = r"35 24 0:30 / /sys/fs/cgroup/my\040groups rw - cgroup2 cgroup2 rw"
    assert cpu_quota(tree(tmp_path, "0::/job\n", [mount], {"my groups/job/cpu.max": "100000 100000"})) == 1


@pytest.mark.parametrize(("cgroup", "mountinfo"), [("", ""), ("nonsense", "nonsense"), ("0::\n", " - cgroup2 x y\n")])
def test_files_that_say_nothing_set_no_limit(tmp_path: Path, cgroup: str, mountinfo: str) -> None:
    assert cpu_quota(tree(tmp_path, cgroup, [mountinfo], {})) is None


def test_a_system_without_these_files_has_no_quota(tmp_path: Path) -> None:
    assert cpu_quota(tmp_path) is None


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity to set")
def test_a_process_tied_to_one_core_uses_one_thread_unless_told() -> None:
    script = (
        "import os; os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1]);"
        "from fromlogits.cores import n_threads; print(n_threads(None), n_threads(-1), n_threads(3))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "1", "3"]


def test_no_number_of_jobs_stands_for_all_usable_cores() -> None:
    assert n_threads(None) == n_threads(-1) == usable_cores() >= 1
    assert n_threads(7) == 7
