#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 500
# slow
"""Many instances, many commands at once, and workloads that take what they can get: what stays, and who has to wait."""
import concurrent.futures, os, re, resource, statistics, subprocess, threading, time

from caisson_test import check, main, same, test, wait_for

TINY = "caisson/tiny"
MANY = 1000


@test(needs="root", timeout=300)
def a_thousand_started_and_removed_leave_nothing(env):
    """Half in the foreground with --rm, half detached and removed by force.  The harness looks for what stays."""
    env.run("run", "--rm", TINY, "true").ok()

    def one(i):
        net = ["--network", "none"] if i % 4 else []
        if i % 2:
            return env.run("run", "--rm", *net, TINY, "sh", "-c", f"exit {i % 7}").code == i % 7
        r = env.run("run", "-d", *net, TINY, "sleep", "1000")
        return r.code == 0 and env.run("rm", "-f", r.out.strip()).code == 0
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        same([i for i, fine in enumerate(pool.map(one, range(MANY))) if not fine], [], "those that went wrong")
    same(env.run("ps", "-aq").ok().out, "")
    same(os.listdir(env.root / "names"), [], "names")
    same([f for f in (env.run_root / "net").glob("**/*") if f.is_file() and re.match(r"[0-9a-f]{64}|172", f.name)], [], "network state")


@test(needs="root", timeout=120)
def fifty_commands_at_once_on_the_same_names(env):
    """Each either works or says in one line why not; nobody waits for ever, and the store is whole afterwards."""
    verbs = (["run", "-d", "--network", "none", "--name", "N", TINY, "sleep", "1000"], ["rm", "-f", "N"], ["stop", "-t", "0", "N"], ["start", "N"],
             ["rename", "N", "M"], ["rename", "M", "N"], ["restart", "-t", "0", "N"], ["update", "--pids-limit", "50", "N"], ["kill", "N"], ["pause", "N"], ["unpause", "N"],
             ["exec", "N", "true"], ["create", "--name", "N", TINY, "true"], ["inspect", "N"], ["logs", "N"])
    res = []

    def one(i):
        r = env.run(*[w for w in verbs[i % len(verbs)]], timeout=60)
        res.append((verbs[i % len(verbs)], r))
    for _ in range(3):
        ts = [threading.Thread(target=one, args=(i,)) for i in range(50)]
        [t.start() for t in ts]
        [t.join() for t in ts]
    same(len(res), 150, "commands that came back")
    for verb, r in res:
        check(r.code in (0, 1, 2, 125, 137), f"{verb}: exit {r.code}: {r.err}")
        if r.code and verb[0] != "exec":
            check(re.fullmatch(r"(caisson: [^\n]+\n)+", r.err), f"{verb}: {r.err!r}")
    for n in env.run("ps", "-aq").ok().out.split():
        env.run("rm", "-f", n).ok()
    env.run("run", "--rm", "--name", "N", TINY, "true").ok()
    env.run("run", "--rm", "--name", "M", TINY, "true").ok()


@test(needs="root", timeout=120)
def of_fifty_that_want_one_name_one_wins(env):
    """And of fifty that remove it: one says its name, the others that there is none, or nothing with -f."""
    def at_once(*words):
        ps = [env.start(*words).p for _ in range(50)]
        return [(p.returncode, out.decode(), err.decode()) for p, (out, err) in ((p, p.communicate()) for p in ps)]
    got = at_once("create", "--name", "only", "--network", "none", TINY, "sleep", "1000")
    same(sorted(code for code, _, _ in got), [0] + [125] * 49, "exit codes")
    for code, out, err in got:
        check(code == 0 or (out == "" and "'only'" in err and err.count("\n") == 1), f"{code}: {out!r} {err!r}")
    got = at_once("start", "only")
    same({code for code, _, _ in got}, {0}, "starts: of what runs it is no error")
    same(env.run("ps", "-q").ok().out.count("\n"), 1, "instances that run")
    got = at_once("rm", "-f", "only")
    check({code for code, _, _ in got} == {0} and any(out == "only\n" for _, out, _ in got), f"rm -f: {got}")
    same(env.run("ps", "-aq").ok().out, "", "what is left")


def others_take(env, n=12):
    """Median time of a command on another instance, in seconds, and of one that starts an instance."""
    execs, runs = [], []
    for _ in range(n):
        t0 = time.monotonic()
        env.run("exec", "calm", "true").ok()
        t1 = time.monotonic()
        env.run("run", "--rm", "--network", "none", TINY, "true").ok()
        execs.append(t1 - t0)
        runs.append(time.monotonic() - t1)
    return statistics.median(execs), statistics.median(runs)


@test(needs="root", timeout=250)
def bombs_inside_leave_the_others_responsive(env):
    """Each with the limits an ordinary user sets; the bound is wide, the figures are printed."""
    env.run("run", "-d", "--name", "calm", "--network", "none", TINY, "sleep", "1000").ok()
    quiet = others_take(env)
    print(f"# quiet: exec {quiet[0] * 1e3:.0f} ms, run {quiet[1] * 1e3:.0f} ms")
    bombs = {
        "fork bomb": (["--pids-limit", "200", "--cpus", "0.5"], "b() { b | b & b; }; while :; do b 2>/dev/null; sleep 0.01; done"),
        "memory hog": (["--memory", "64m", "--cpus", "0.5"], "while :; do tail -c 200m /dev/zero >/dev/null; done"),
        "log flood": (["--cpus", "0.5"], "yes 0123456789012345678901234567890123456789"),
        "descriptors": (["--ulimit", "nofile=1024:1024", "--pids-limit", "100", "--cpus", "0.5"],
                        "while :; do (n=3; while [ $n -lt 2000 ]; do eval \"exec $n</dev/null\" || break; n=$((n+1)); done) 2>/dev/null; done"),
    }
    for name, (flags, script) in bombs.items():
        env.run("run", "-d", "--name", "bomb", "--network", "none", *flags, TINY, "sh", "-c", script).ok()
        time.sleep(0.5)
        took = others_take(env)
        print(f"# {name}: exec {took[0] * 1e3:.0f} ms, run {took[1] * 1e3:.0f} ms")
        check(took[0] < max(20 * quiet[0], 10) and took[1] < max(20 * quiet[1], 20), f"{name}: others wait: {took}, quiet {quiet}")
        env.run("rm", "-f", "bomb").ok()
    env.run("exec", "calm", "true").ok()
    env.run("rm", "-f", "calm").ok()


@test(needs="root", timeout=60)
def ps_with_many_is_quick(env):
    """A fifth of what bench/instances.py starts.  Processor time, because others may be busy."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: env.run("run", "-d", "--network", "none", TINY, "sleep", "1000").ok(), range(100)))
    took = []
    for _ in range(10):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        same(env.run("ps", "-q").ok().out.count("\n"), 100)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    print(f"# ps with 100: best {min(took) * 1e3:.1f} ms of processor time")
    check(min(took) < 0.1, f"ps took {min(took):.3f} s of processor time")
    subprocess.run(env.argv(["rm", "-f", *env.run("ps", "-q").out.split()]), env=env.os_env, capture_output=True, check=True)


main()
