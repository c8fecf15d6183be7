#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 280
"""kill -9 of the monitor, and of the container's child before it is the command, at every phase.  (Of the command line:
errors_test.py and lifecycle_test.py; of what starts again: restart_test.py.)  The next command shows the truth and clears up."""
import contextlib, os, shutil, subprocess, sys

from caisson_test import BUILD, check, main, same, test, wait_for

TINY = "caisson/tiny"
# What changes something, and how often a monitor does it from its start to the end of its instance.
MONITOR = (("openat", (1, 5, 12, 20)), ("mkdirat", (1, 3, 6)), ("clone3", (1,)), ("recvmsg", (1, 2)), ("bind", (1,)), ("epoll_ctl", (1, 3, 5)),
           ("renameat", (1, 2)), ("writev", (1, 2)), ("epoll_wait", (1, 2, 3, 4)), ("wait4", (1,)), ("unlinkat", (1, 3, 5, 8, 10)), ("flock", (1, 2)))
# Only the child makes these calls.
CHILD = (("fsopen", (1, 2)), ("move_mount", (1, 4, 8)), ("mknodat", (1, 5)), ("symlinkat", (1,)), ("pivot_root", (1,)), ("sethostname", (1,)),
         ("capset", (1,)), ("seccomp", (1,)))


ATTACH = """#!{python}
import os, signal, time
if os.fork() == 0:      # not the tracer itself: it would hold our lock and keep our pipes open
    os.closerange(0, 1024)
    os.open("/dev/null", os.O_RDWR), os.dup(0), os.dup(0)
    monitor = os.getppid()
    if os.fork() == 0:
        os.execv("{strace}", ["strace", "-qq", "-f", "-o", "/dev/null", "-e", "inject={call}:signal=SIGKILL:when={n}", "-p", str(monitor)])
    while "TracerPid:\\t0\\n" in open(f"/proc/{{monitor}}/status").read() or "State:\\tR" in open(f"/proc/{{monitor}}/status").read():
        time.sleep(0.005)
    os.kill(monitor, signal.SIGCONT)
    os._exit(0)
os.kill(os.getpid(), signal.SIGSTOP)
import sys
os.execve("{monitor}", ["{monitor}", *sys.argv[1:]], {{}})
"""


@contextlib.contextmanager
def struck(env, name, call, n, follow):
    """A build tree in which the monitor, or with follow what it starts, is killed at its n-th call."""
    d = env.base / name
    d.mkdir()
    for f in os.listdir(BUILD):
        if f.startswith("caisson-") and f != "caisson-monitor" and (BUILD / f).is_file() or f == "share":
            (d / f).symlink_to(BUILD / f)
    shutil.copy2(BUILD / "caisson", d / "caisson")
    at = {"python": sys.executable, "strace": shutil.which("strace"), "monitor": BUILD / "caisson-monitor", "call": call, "n": n}
    (d / "caisson-monitor").write_text(ATTACH.format(**at) if follow else "#!/bin/sh\nexec {strace} -D -qq -o /dev/null "
                                       "-e inject={call}:signal=SIGKILL:when={n} {monitor} \"$@\"\n".format(**at))
    (d / "caisson-monitor").chmod(0o755)
    yield [str(d / "caisson"), *env.argv(["ps"])[1:-1]]


def state(env, name):
    return env.run("inspect", "-f", "{{.State.Status}}", name).out.strip()


def strike(env, cmd, args):
    """What a person would run; the answer may be an error, but it comes."""
    return subprocess.run([*cmd, *args], env=env.os_env, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, text=True)


def truth(env, what):
    """Who is said to run can be entered; who is not has no process; the name can be had again."""
    said = state(env, "hit")
    check(said in ("", "created", "running", "exited"), f"{what}: {said!r}")
    if said == "running" and env.run("exec", "hit", "true").code:
        # Between "running" and the end of a dying one both answers are true.
        said = wait_for(lambda: state(env, "hit") not in ("running", "") and state(env, "hit"), what=f"{what}: it does not run")
    if said not in ("", "running"):
        same(env.run("inspect", "-f", "{{.State.Pid}}", "hit").ok().out, "0\n", f"{what}: pid")
    env.run("run", "--rm", TINY, "echo", "fine").ok(out="fine\n")
    if said:
        env.run("rm", "-f", "hit").ok()
    env.run("create", "--name", "hit", TINY, "true").ok()
    env.run("rm", "hit").ok()
    return said


def phases(env, table, follow, *command):
    env.run("run", "--rm", TINY, "true").ok()
    seen = []
    for call, counts in table:
        for n in counts:
            with struck(env, f"{call}-{n}", call, n, follow) as cmd:
                r = strike(env, cmd, ["run", "-d", "--name", "hit", TINY, *command])
                seen.append((truth(env, f"{call} {n}: exit {r.returncode}, {r.stderr.strip()!r}"), r.returncode))
    print(f"# {len(seen)} kills: " + ", ".join(f"{k[0] or 'nothing'} after exit {k[1]}: {seen.count(k)}" for k in sorted(set(seen))))
    return seen


@test(needs="root,strace", timeout=250)
def a_monitor_killed_at_any_step_is_told_and_cleared(env):
    seen = phases(env, MONITOR, False, "sleep", "0.1")
    check(any(code for _, code in seen) and any(not code for _, code in seen), "kills before and after the start")


@test(needs="root,strace", timeout=250)
def a_child_killed_before_it_is_the_command_is_an_error(env):
    for said, code in phases(env, CHILD, True, "sleep", "1000"):
        # Just before execve it cannot be told from a command that is killed at once: an end by a signal.
        check(code or said == "exited", f"a start that killed the child: exit {code}, then {said!r}")
        check(said != "running", said)


@test(needs="root,strace", timeout=250)
def what_must_run_runs_again(env):
    """--restart=always, and its monitor killed at what it does once it runs."""
    env.run("run", "--rm", TINY, "true").ok()
    for call, n in (("writev", 1), ("epoll_wait", 1), ("epoll_wait", 2), ("wait4", 1), ("unlinkat", 6), ("renameat", 2)):
        with struck(env, f"again-{call}-{n}", call, n, False) as cmd:
            r = strike(env, cmd, ["run", "-d", "--restart", "always", "--name", "hit", TINY, "sleep", "0.5"])
        if not r.returncode or state(env, "hit") not in ("", "created"):
            # Short sleeps: each look finds it running, or waiting to.
            was = env.run("inspect", "-f", "{{.RestartCount}}", "hit").ok().out
            wait_for(lambda: env.run("ps").code == 0 and env.run("inspect", "-f", "{{.RestartCount}}", "hit").out != was, what=f"{call} {n}: it runs again")
        env.run("rm", "-f", "hit")
        wait_for(lambda: not env.run("ps", "-aq").ok().out, what="removed")


main()
