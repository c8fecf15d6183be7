#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
"""Restart policies, and who dies at which moment."""
import json, os, re, signal, subprocess, time

from caisson_test import check, main, same, test, wait_for

TINY = "caisson/tiny"


def state(env, name):
    return env.run("inspect", "-f", "{{.State.Status}}", name).out.strip()


def monitor(env, name):
    i = env.run("inspect", "-f", "{{.Id}}", name).ok().out.strip()
    return json.loads((env.root / "instances" / i / "start.json").read_text())["monitor_pid"]


def make(env, name, policy, *cmd):
    env.run("run", "-d", "--name", name, "--network", "none", "--stop-timeout", "1", "--restart", policy, TINY, *cmd).ok()


@test(needs="root")
def on_failure_counts_and_success_ends(env):
    make(env, "f", "on-failure:2", "sh", "-c", "echo x; exit 7")
    wait_for(lambda: state(env, "f") == "exited", what="the tries are used up")
    same(env.run("inspect", "-f", "{{.RestartCount}} {{.State.ExitCode}}", "f").out, "2 7\n")
    same(env.run("logs", "f").out, "x\nx\nx\n")
    make(env, "s", "on-failure", "true")
    env.run("wait", "s").ok()
    time.sleep(0.4)      # nothing comes after: that has no event
    same(env.run("inspect", "-f", "{{.RestartCount}} {{.State.Status}}", "s").out, "0 exited\n")
    env.run("start", "f").ok()
    wait_for(lambda: env.run("logs", "f").out == "x\n" * 6, what="a start by hand counts anew")
    env.run("rm", "-f", "f", "s").ok()


@test(needs="root")
def the_wait_grows_and_can_be_ended(env):
    make(env, "w", "always", "true")
    wait_for(lambda: int(env.run("inspect", "-f", "{{.RestartCount}}", "w").out) >= 4, what="four restarts")
    wait_for(lambda: state(env, "w") == "restarting", what="waiting")
    check(re.search(r"Restarting \(0\) ", env.run("ps", "-a").out), env.run("ps", "-a").out)
    check(env.run("ps", "-aq", "--filter", "status=restarting").out, "the filter does not find it")
    env.run("rm", "w").error(1, "w")
    env.run("stop", "w").ok()
    same(state(env, "w"), "exited")
    env.run("start", "w").ok()
    wait_for(lambda: state(env, "w") == "restarting", what="waiting again")
    env.run("rm", "-f", "w").ok()
    for bad in (["--restart", "frob"], ["--restart", "on-failure:x"], ["--restart", "always:1"], ["--rm", "--restart", "always"]):
        env.run("run", *bad, TINY, "true").error(2, "--restart")


@test(needs="root", timeout=240)
def between_two_lives_it_is_restarting_and_a_stop_is_its_end(env):
    names = [f"l{n}" for n in range(6)]
    for k in range(3):
        for n, name in enumerate(names):
            make(env, name, "always", "sh", "-c", f"sleep 0.0{n}; exit 3")
        # Never "exited" or "created": a monitor hands over to the next, and a list is made between any two steps of it.
        for _ in range(60):
            rows = env.run("ps", "-a", "--format", "{{.State}} {{.Status}}").ok().out.splitlines()
            check(all(re.match(r"running Up |restarting Restarting ", r) for r in rows), f"states {rows}")
        wait_for(lambda: env.run("inspect", "-f", "{{.RestartCount}}", *names).out.count("0\n") == 0, what="each was started again")
        # Also in the moment when it ends by itself, or is being started.
        for p in [env.start("stop", "-t", "0", name) for name in names]:
            p.finish().ok(err="")
        lives = env.run("inspect", "-f", "{{.State.Status}} {{.State.Restarting}} {{.RestartCount}}", *names).ok().out
        same(lives.count("exited false "), len(names), f"states {lives!r}")
        time.sleep(0.3)
        same(env.run("inspect", "-f", "{{.State.Status}} {{.State.Restarting}} {{.RestartCount}}", *names).ok().out, lives, "after a while")
        env.run("rm", *names).ok()


@test(needs="root")
def kill_counts_as_asked_for_when_it_is_the_stop_signal(env):
    make(env, "k", "always", "sh", "-c", "trap 'exit 5' USR1; while :; do sleep 0.05; done")
    before = monitor(env, "k")
    env.run("kill", "-s", "USR1", "k").ok()
    wait_for(lambda: state(env, "k") == "running" and monitor(env, "k") != before, what="started again")
    env.run("kill", "k").ok()
    wait_for(lambda: state(env, "k") != "running", what="the end")
    time.sleep(0.5)
    same(state(env, "k"), "exited")
    env.run("rm", "k").ok()


@test(needs="root")
def update_changes_the_policy(env):
    make(env, "u", "no", "sh", "-c", "until test -e /go; do sleep 0.05; done; sleep 0.1")
    env.run("update", "--restart", "always", "u").ok()
    env.run("exec", "u", "touch", "/go").ok()
    wait_for(lambda: int(env.run("inspect", "-f", "{{.RestartCount}}", "u").out) >= 1, what="a restart")
    env.run("update", "--restart", "no", "u").ok()
    wait_for(lambda: state(env, "u") == "exited", what="the end")
    env.run("rm", "-f", "u").ok()


@test(needs="root")
def update_reaches_what_ends_and_starts_all_the_time(env):
    """Its monitor ends, is not yet there, does not listen yet: whatever the moment, it is told or reads the record."""
    make(env, "c", "always", "false")
    for _ in range(12):
        env.run("update", "--restart", "always", "c").ok()
        env.run("update", "--restart", "no", "c").ok()
        wait_for(lambda: state(env, "c") == "exited", what="the end")
        env.run("update", "--restart", "always", "c").ok()
        env.run("start", "c").ok()
    env.run("update", "--restart", "no", "c").ok()
    wait_for(lambda: state(env, "c") == "exited", what="the end")
    env.run("rm", "-f", "c").ok()


def is_dead(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


@test(needs="root")
def a_killed_monitor_is_told_and_it_runs_again(env):
    make(env, "m", "always", "sleep", "1000")
    make(env, "s", "unless-stopped", "sleep", "1000")
    make(env, "f", "on-failure", "sleep", "1000")
    make(env, "n", "no", "sleep", "1000")
    pids = [monitor(env, n) for n in "msfn"]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    # A zombie or gone: until then it may still hold its lock, its last descriptor.
    wait_for(lambda: all(is_dead(pid) for pid in pids), what="the monitors are dead")
    first = env.run("ps", "-a", "--format", "{{.Names}} {{.Status}}").ok().out
    same(first.count("Exited (unknown)"), 4, "the truth in the first answer")
    rows = dict(line.split(" ", 1) for line in env.run("ps", "-a", "--format", "{{.Names}} {{.State}}").ok().out.splitlines())
    same(rows, {"m": "running", "s": "running", "f": "running", "n": "exited"})
    for n in "msf":
        env.run("exec", n, "true").ok()
    env.run("rm", "-f", *"msfn").ok()


@test(needs="root")
def a_killed_wait_is_taken_over(env):
    make(env, "w", "always", "sh", "-c", "exit 1")
    for _ in range(3):
        wait_for(lambda: state(env, "w") == "restarting", what="waiting")
        n = int(env.run("inspect", "-f", "{{.RestartCount}}", "w").out)
        for pid in [int(p) for p in os.listdir("/proc") if p.isdigit()]:
            try:
                if "caisson-monitor" in os.readlink(f"/proc/{pid}/exe"):
                    os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        env.run("ps").ok()
        wait_for(lambda: int(env.run("inspect", "-f", "{{.RestartCount}}", "w").out) > n or env.run("ps").code, what="started by the next command")
    env.run("rm", "-f", "w").ok()


@test(needs="root,strace", timeout=250)
def a_restart_killed_at_any_step_still_comes(env):
    """kill -9 of the program that starts again, at the n-th call of what changes something."""
    make(env, "r", "always", "sleep", "1000")
    i = env.run("inspect", "-f", "{{.Id}}", "r").ok().out.strip()
    for call, upto in (("unlinkat", 4), ("renameat", 4), ("socketpair", 1), ("sendmsg", 3), ("clone", 1), ("flock", 1), ("vfork", 1), ("clone3", 1)):
        for n in range(1, upto + 1):
            os.kill(monitor(env, "r"), signal.SIGKILL)
            # The first ps writes the debt; its own attempt is the one that is killed.
            subprocess.run(["strace", "-qq", "-o", "/dev/null", "-e", f"inject={call}:signal=SIGKILL:when={n}", *env.argv(["ps"])],
                           env=env.os_env, stdin=subprocess.DEVNULL, capture_output=True, timeout=300)
            def runs():
                env.run("ps")
                return state(env, "r") == "running" and env.run("exec", "r", "true").code == 0
            wait_for(runs, what=f"{call} {n}: it runs again")
    env.run("rm", "-f", "r").ok()


@test(needs="root")
def stop_ends_it_wherever_it_stands_between_two_runs(env):
    """It ends and starts all the time; whatever moment stop meets, it stays stopped and was never seen as exited before."""
    for _ in range(25):
        make(env, "q", "always", "sh", "-c", "sleep 0.0$(( $$ % 7 ))")
        check(state(env, "q") in ("running", "restarting"), "seen as ended while a restart was owed")
        env.run("stop", "-t", "0", "q").ok()
        same(state(env, "q"), "exited", "after stop")
        env.run("rm", "q").ok()


@test(needs="root")
def boot_starts_what_must_run(env):
    make(env, "a", "always", "sleep", "1000")
    make(env, "u", "unless-stopped", "sleep", "1000")
    make(env, "us", "unless-stopped", "sleep", "1000")
    make(env, "n", "no", "sleep", "1000")
    make(env, "as", "always", "sleep", "1000")
    env.run("create", "--name", "c", "--restart", "always", TINY, "true").ok()
    env.run("stop", "-t", "0", "us", "as").ok()
    env.run("system", "boot", "--down").ok(out="", err="")
    same(env.run("ps", "-q").ok().out, "", "what runs when the host is down")
    env.run("system", "boot").ok(out="", err="")
    rows = dict(line.split() for line in env.run("ps", "-a", "--format", "{{.Names}} {{.State}}").ok().out.splitlines())
    same(rows, {"a": "running", "u": "running", "us": "exited", "n": "exited", "as": "running", "c": "created"})
    env.run("rm", "-f", *rows).ok()


main()
