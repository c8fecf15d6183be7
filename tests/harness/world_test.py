# SPDX-License-Identifier: Apache-2.0
"""The harness itself: the world it promises is there, and its checks can fail."""
import os, pathlib, signal, subprocess

from caisson_test import Failed, NEEDS, Result, check, main, missing_needs, same, test


@test(needs="root")
def network_is_loopback_alone(env):
    same([n for n in os.listdir("/sys/class/net") if n.startswith(("eth", "docker", "cni"))], [], "interfaces")
    check("UP" in subprocess.run(["ip", "link", "show", "lo"], capture_output=True, text=True).stdout, "lo is down")


@test(needs="root")
def state_at_fixed_places_is_this_files_own(env):
    check(set(os.listdir("/run")) <= {"lock", "mount"}, f"/run is {os.listdir('/run')}")      # mount(8) keeps a directory there
    same(os.listdir("/dev/shm"), [], "/dev/shm")
    for line in open("/proc/self/mountinfo"):
        if line.split()[4] in ("/run", "/dev/shm"):
            check("shared:" not in line, f"others see what is mounted here: {line}")


@test(needs="root")
def leak_check_sees_a_process_a_file_and_a_link(env):
    before = env.left()
    p = subprocess.Popen(["sleep", "60"])
    subprocess.run(["ip", "link", "add", "vethleak0", "type", "veth", "peer", "name", "vethleak1"], check=True)
    (env.root / "instances/x").mkdir(parents=True)
    more = env.left() - before
    p.kill()
    p.wait()
    subprocess.run(["ip", "link", "del", "vethleak0"], check=True)
    (env.root / "instances/x").rmdir()
    for want in ("process", "link vethleak0", "file instances/x"):
        check(any(m.startswith(want) for m in more), f"{want} not seen in {more}")


@test(needs="root")
def leak_check_sees_a_cgroup_and_a_mount(env):
    before = env.left()
    tree = next((d for d in pathlib.Path("/sys/fs/cgroup").rglob("cgroup.procs")), None)
    check(tree is not None, "no cgroup tree of our own")
    cg = tree.parent / "planted"
    cg.mkdir()
    (env.tmp / "m").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(env.tmp / "m")], check=True)
    more = env.left() - before
    subprocess.run(["umount", str(env.tmp / "m")], check=True)
    cg.rmdir()
    check(any(m.startswith("cgroup") for m in more), f"cgroup not seen in {more}")
    check(any(m.startswith("mount") for m in more), f"mount not seen in {more}")


@test
def signals_end_what_tests_start(env):
    ignored = int(next(line for line in subprocess.run(["cat", "/proc/self/status"], capture_output=True, text=True).stdout.splitlines() if line.startswith("SigIgn")).split()[1], 16)
    same(ignored & (1 << (signal.SIGINT - 1) | 1 << (signal.SIGQUIT - 1) | 1 << (signal.SIGHUP - 1)), 0, "signals that are ignored")


@test
def an_error_must_be_one_line(env):
    for err in ("caisson: a\ncaisson: b\n", "a\n", "caisson: no newline", ""):
        try:
            Result(["x"], 125, "", err).error(125)
        except Failed:
            continue
        raise Failed(f"{err!r} was accepted")
    Result(["x"], 125, "", "caisson: no image 'nope'\n").error(125, "nope")


@test
def must_run_turns_a_skip_into_a_failure(env):
    NEEDS["planted"] = lambda: False
    os.environ["CAISSON_MUST_RUN"], old = "planted", os.environ.get("CAISSON_MUST_RUN")
    try:
        missing_needs(["planted"])
    except Failed:
        return
    finally:
        os.environ.pop("CAISSON_MUST_RUN")
        if old is not None:
            os.environ["CAISSON_MUST_RUN"] = old
    raise Failed("a missing need was skipped")


main()
