#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 120
"""The monitor stands apart: neither its workload's limits nor those of whoever started it reach it."""
import json, os, pathlib, signal

from caisson_test import cgroup_trees, check, main, same, test, wait_for

TINY = "caisson/tiny"
GROUP = "caisson-monitors"


def start_record(env, name):
    i = env.run("inspect", "-f", "{{.Id}}", name).ok().out.strip()
    return json.loads((env.root / "instances" / i / "start.json").read_text())


def cgroups_of(pid):
    """controllers -> path; "" is v2."""
    lines = pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    return {ctrl: path for _, ctrl, path in (line.split(":", 2) for line in lines)}


def stands_apart(env, name):
    r = start_record(env, name)
    monitor, work = cgroups_of(r["monitor_pid"]), cgroups_of(r["pid"])
    counted = [c for c in monitor if set(c.split(",")) & {"memory", "cpuacct"}] or [""]
    for c in counted:
        check(monitor[c].endswith("/" + GROUP), f"the monitor of {name} is in {monitor[c]} of {c or 'v2'}")
    for c in set(monitor) & set(work):
        check(GROUP not in work[c] or c.startswith("name="), f"the workload of {name} is in {work[c]} of {c or 'v2'}")
    return r


@test(needs="root")
def its_cgroup_is_neither_the_workloads_nor_the_callers(env):
    for n in "ab":       # where v2 is, the first one moves and the second is made in place
        env.run("run", "-d", "--name", n, "--network", "none", TINY, "sleep", "1000").ok()
        stands_apart(env, n)
    env.run("run", "-d", "--name", "r", "--network", "none", "--restart", "always", TINY, "sleep", "1000").ok()
    first = stands_apart(env, "r")
    os.kill(first["pid"], signal.SIGKILL)     # not by us: the policy starts it again

    def again():
        try:
            return start_record(env, "r")["monitor_pid"] != first["monitor_pid"]
        except FileNotFoundError:
            return False
    wait_for(again, what="started again by its monitor")
    stands_apart(env, "r")
    env.run("exec", "r", "true").ok()
    env.run("rm", "-f", "a", "b", "r").ok()


@test(needs="root")
def what_keeps_it_alive_is_not_passed_on(env):
    """-999 where the privilege is there; a workload and its execs have what was asked for, or the caller's."""
    mine = pathlib.Path("/proc/self/oom_score_adj").read_text()
    env.run("run", "-d", "--name", "o", "--network", "none", TINY, "sleep", "1000").ok()
    env.run("run", "-d", "--name", "p", "--network", "none", "--oom-score-adj", "300", TINY, "sleep", "1000").ok()
    for n, want in (("o", mine), ("p", "300\n")):
        env.run("exec", n, "cat", "/proc/1/oom_score_adj", "/proc/self/oom_score_adj").ok(out=want * 2)
        may = int(pathlib.Path("/proc/self/status").read_text().split("CapEff:\t")[1].split()[0], 16) >> 24 & 1
        wait_for(lambda: pathlib.Path(f"/proc/{start_record(env, n)['monitor_pid']}/oom_score_adj").read_text() == ("-999\n" if may else mine),
                 what="the monitor's own score")
    env.run("rm", "-f", "o", "p").ok()


@test(needs="root")
def a_hog_and_a_fork_bomb_end_with_a_true_record(env):
    bomb = "f() { f | f & f; }; (f) >/dev/null 2>&1 & exec tail -c 300m /dev/zero"
    env.run("run", "-d", "--name", "h", "--network", "none", "--memory", "48m", "--memory-swap", "48m", "--pids-limit", "60", TINY, "sh", "-c", bomb).ok()
    env.run("wait", "h", timeout=100).ok(out="137\n")
    same(env.run("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}} {{.State.Error}}", "h").out.strip(), "exited 137 true")
    env.run("rm", "h").ok()
    # One that stays: the monitor answers while its instance can make no process.  Coming in is not making one.
    env.run("run", "-d", "--name", "b", "--network", "none", "--pids-limit", "40", TINY, "sh", "-c", "for i in $(seq 39); do sleep 1000 & done; wait").ok()
    wait_for(lambda: int(env.run("stats", "--no-stream", "--format", "{{.PIDs}}", "b").ok().out) >= 40, what="the limit is reached")
    check(env.run("exec", "b", "sh", "-c", "true & wait").code, "a process more than the limit")
    env.run("exec", "b", "true").ok()
    # A child of the shell has the shell's words until it is the program.
    wait_for(lambda: env.run("top", "b").ok().out.count("sleep 1000") >= 39, what="top shows them")
    env.run("update", "--pids-limit", "60", "b").ok()
    env.run("exec", "b", "true").ok()
    env.run("rm", "-f", "b").ok()


@test(needs="root")
def the_callers_limits_and_end_do_not_reach_it(env):
    """As from a session or a service whose cgroup has a limit, and is killed at its end."""
    pids = next((pathlib.Path(p) for ctrl, p, _ in cgroup_trees() if ctrl and "pids" in ctrl.split(",")), None)
    base = pids or pathlib.Path("/sys/fs/cgroup")
    session = base / f"session-{os.getpid()}"
    session.mkdir()
    try:
        env.run("run", "-d", "--name", "s", "--network", "none", TINY, "sleep", "1000",
                preexec_fn=lambda: (session / "cgroup.procs").write_text("0")).ok()
        if (session / "pids.max").exists():
            (session / "pids.max").write_text("1")
        left = (session / "cgroup.procs").read_text().split()
        for pid in left:
            os.kill(int(pid), signal.SIGKILL)
        same(left, [], "processes in the caller's cgroup")
        env.run("exec", "s", "echo", "here").ok(out="here\n")
        env.run("rm", "-f", "s").ok()
    finally:
        wait_for(lambda: not (session / "cgroup.procs").read_text(), what="the session is empty")
        session.rmdir()


@test(needs="root")
def restart_sends_the_signal_that_is_asked_for(env):
    env.run("run", "-d", "--name", "g", "--network", "none", TINY, "sh", "-c", "trap 'echo usr1; exit' USR1; echo ready; while :; do sleep 0.05; done").ok()
    wait_for(lambda: env.run("logs", "g").out == "ready\n", what="its trap is set")
    env.run("restart", "-s", "USR1", "g").ok()
    wait_for(lambda: env.run("logs", "g").out == "ready\nusr1\nready\n", what="ended by that signal and started again")
    env.run("restart", "-s", "NOSUCH", "g").error(2, "NOSUCH")
    env.run("rm", "-f", "g").ok()


main()
