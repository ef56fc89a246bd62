"""Where control groups are found, and what is written into them: files as the kernel has them, version 2 in a real tree."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from executor import cgroups
from executor.cgroups import CPU, MEMORY, MemoryKills, Tree

MOUNT = "{number} 1 0:{number} {root} {point} rw,relatime shared:7 - {kind} none rw,{options}\n"


def proc(folder: Path, groups: str, *mounts: tuple[str, str, Path, str]) -> Path:
    """Make what /proc/self has of groups; mounts are kind, root, point and options."""
    (folder / "cgroup").write_text(groups)
    lines = [
        MOUNT.format(number=number, kind=kind, root=root, point=str(point).replace(" ", r"\040"), options=options)
        for number, (kind, root, point, options) in enumerate(mounts)
    ]
    (folder / "mountinfo").write_text("1 1 0:1 / / rw - ext4 /dev/vda rw\n" + "".join(lines))
    return folder


def test_each_controller_of_version_1_has_its_tree_and_those_mounted_together_one(tmp_path: Path) -> None:
    (tmp_path / "both of them/mesos/c1").mkdir(parents=True)
    (tmp_path / "memory/mesos/c1").mkdir(parents=True)
    found = cgroups.find_trees(
        proc(
            tmp_path,
            "5:memory:/mesos/c1\n4:cpu,cpuacct:/mesos/c1\n3:pids:/\n0::/init.scope\n",
            ("cgroup", "/", tmp_path / "both of them", "cpu,cpuacct"),
            ("cgroup", "/", tmp_path / "memory", "memory"),
            ("cgroup", "/", tmp_path / "pids", "pids"),
        )
    )
    assert found == [
        Tree(tmp_path / "both of them/mesos/c1", frozenset({CPU}), is_unified=False),
        Tree(tmp_path / "memory/mesos/c1", frozenset({MEMORY}), is_unified=False),
    ]


def test_version_2_has_what_its_group_was_given(tmp_path: Path) -> None:
    own = tmp_path / "unified/system.slice/aliecs.service"
    own.mkdir(parents=True)
    (own / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    at = proc(tmp_path, "0::/system.slice/aliecs.service\n", ("cgroup2", "/", tmp_path / "unified", "nsdelegate"))
    assert cgroups.find_trees(at) == [Tree(own, frozenset({CPU, MEMORY}), is_unified=True)]
    (own / "cgroup.controllers").write_text("pids\n")
    assert cgroups.find_trees(at) == []


def test_version_2_is_divided_above_our_group_if_that_is_marked_as_left_to_us(own_group: Path) -> None:
    inner = own_group / "core"
    inner.mkdir()
    assert cgroups._to_divide(inner) == inner
    os.setxattr(own_group, "trusted.delegate", b"1")
    assert cgroups._to_divide(inner) == own_group
    # where it is divided nobody is, whoever is beside us
    script = IN_LEFT_GROUP.format(inner=inner, own=own_group)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == ["['core']", "True", "True"], done.stderr


def test_of_a_container_that_shows_only_a_part_of_the_tree_that_part_is_used(tmp_path: Path) -> None:
    (tmp_path / "memory/inner").mkdir(parents=True)
    mounts = ("cgroup", "/docker/c1", tmp_path / "memory", "memory")
    within = cgroups.find_trees(proc(tmp_path, "5:memory:/docker/c1/inner\n", mounts))
    assert [tree.own for tree in within] == [tmp_path / "memory/inner"]
    assert cgroups.find_trees(proc(tmp_path, "5:memory:/elsewhere\n", mounts)) == []


@pytest.mark.parametrize(
    ("is_unified", "files"),
    [
        (True, {"cpu.max": "150000 100000", "memory.max": "104857600", "memory.swap.max": "0"}),
        (False, {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "150000", "memory.limit_in_bytes": "104857600",
                 "memory.memsw.limit_in_bytes": "104857600"}),
    ],
)  # fmt: skip
def test_limits_are_written_as_the_version_wants_them(tmp_path: Path, is_unified: bool, files: dict[str, str]) -> None:
    for name in files:
        (tmp_path / name).touch()
    cgroups.limit_cpu(tmp_path, cores=1.5, is_unified=is_unified)
    cgroups.limit_memory(tmp_path, size_bytes=100 * 2**20, is_unified=is_unified)
    assert {name: (tmp_path / name).read_text() for name in files} == files


def test_swap_that_the_kernel_does_not_count_is_not_limited(tmp_path: Path) -> None:
    (tmp_path / "memory.max").touch()
    cgroups.limit_memory(tmp_path, size_bytes=4096, is_unified=True)
    assert [path.name for path in tmp_path.iterdir()] == ["memory.max"]


def test_the_least_that_the_kernel_takes_of_a_cpu_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").touch()
    cgroups.limit_cpu(tmp_path, cores=0.0001, is_unified=True)
    assert (tmp_path / "cpu.max").read_text() == "1000 100000"


def test_a_kill_by_the_host_is_told_from_one_at_the_own_limit(tmp_path: Path) -> None:
    events = tmp_path / "memory.events"
    events.write_text("low 0\nhigh 0\nmax 12\noom 1\noom_kill 2\n")
    assert cgroups.memory_kills(tmp_path, is_unified=True) == MemoryKills(2, is_at_limit=True)
    events.write_text("low 0\nhigh 0\nmax 0\noom 0\noom_kill 1\n")
    assert cgroups.memory_kills(tmp_path, is_unified=True) == MemoryKills(1, is_at_limit=False)
    (tmp_path / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n")
    (tmp_path / "memory.limit_in_bytes").write_text("40000000\n")
    (tmp_path / "memory.max_usage_in_bytes").write_text("39999000\n")
    assert cgroups.memory_kills(tmp_path, is_unified=False) == MemoryKills(1, is_at_limit=True)
    (tmp_path / "memory.max_usage_in_bytes").write_text("20000000\n")
    assert cgroups.memory_kills(tmp_path, is_unified=False) == MemoryKills(1, is_at_limit=False)


IN_VERSION_2 = """
import os, subprocess, sys
from pathlib import Path
from executor.cgroups import Folder, Tree, pids_in, remove_stale
from executor.limits import Confinement

own = Path(sys.argv[1])
(own / "cgroup.procs").write_text("0")
tree = Tree(own, frozenset(), is_unified=True)
with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as other:
    try:
        Folder(tree, "x1")
    except OSError as error:
        print(error.strerror, os.path.relpath(error.filename, own))
    other.communicate()
print([path.name for path in own.iterdir() if path.is_dir()])
folder = Folder(tree, "x1")
print(pids_in(own), [path.name for path in own.glob("aliecs.*/*") if path.is_dir()])
group = folder.make("t1")
shown = subprocess.run(Confinement(groups={tree: group}).entered(["cat", "/proc/self/cgroup"], {}), capture_output=True)
print(f"/{group.relative_to(own)}\\n" in shown.stdout.decode())
print(remove_stale(tree))
folder.close()
print(group.exists())
"""


IN_LEFT_GROUP = """
import subprocess
from pathlib import Path
from executor.cgroups import Folder, Tree
from executor.limits import Confinement

Path("{inner}/cgroup.procs").write_text("0")
tree = Tree(Path("{own}"), frozenset(), is_unified=True)
with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as other:
    folder = Folder(tree, "x1")
    group = folder.make("t1")
    print([Path(line).name for line in Path("/proc/self/cgroup").read_text().split() if line.startswith("0:")])
    shown = subprocess.run(Confinement(groups={{tree: group}}).entered(["cat", "/proc/self/cgroup"], {{}}), capture_output=True)
    print(f"/{{group.relative_to(tree.own)}}\\n" in shown.stdout.decode())
    other.communicate()
folder.close()
print(not group.exists())
"""


@pytest.fixture
def own_group() -> Iterator[Path]:
    """A group of version 2 of our own."""
    mounts = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines() if " - cgroup2 " in line]
    if not mounts:
        pytest.skip("no control groups of version 2 are mounted on this machine")
    own = Path(mounts[0][4]) / f"aliecs-test-{os.getpid()}"
    try:
        own.mkdir()
    except OSError as error:
        pytest.skip(f"no control groups of version 2 may be made on this machine: {error.strerror}")
    yield own
    for path in (*own.glob("*/*/"), *own.glob("*/"), own):
        path.rmdir()


def test_in_version_2_an_executor_leaves_its_group_for_one_below_unless_others_are_in_it(own_group: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IN_VERSION_2, str(own_group)], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.splitlines() == [
        "the executor shares it with 1 other processes .", "[]", "[] ['executor']", "True", "0", "False",
    ], done.stderr  # fmt: skip
