#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 200
"""Where output goes: drivers, options, bounds, followers."""
import json, os, re, threading, time

from caisson_test import check, main, same, test, wait_for

TINY = "caisson/tiny"


def files(env, name):
    i = env.run("inspect", "-f", "{{.Id}}", name).ok().out.strip()
    out = {}
    for f in (env.root / "instances" / i).glob("log*"):
        try:
            out[f.name] = f.stat().st_size
        except FileNotFoundError:
            pass  # just rotated
    return out


@test(needs="root")
def size_and_number_of_files(env):
    env.run("run", "--name", "r", "--network", "none", "--log-opt", "max-size=10k", "--log-opt", "max-file=3", TINY, "seq", "1", "3000").ok()
    have = files(env, "r")
    same(sorted(have), ["log", "log.1", "log.2"])
    check(all(n <= 10240 for n in have.values()), have)
    same(env.run("logs", "--tail", "1", "r").ok().out, "3000\n")
    out = env.run("logs", "r").ok().out.split()
    same(out, [str(n) for n in range(int(out[0]), 3001)], "lines without a gap")
    same(env.run("logs", "--tail", "200", "r").ok().out.split(), [str(n) for n in range(2801, 3001)], "a tail across files")
    env.run("rm", "r").ok()
    env.run("run", "--name", "one", "--network", "none", "--log-driver", "local", "--log-opt", "max-size=4k", "--log-opt", "max-file=1", TINY, "seq", "1", "500").ok()
    same(list(files(env, "one")), ["log"])
    same(env.run("logs", "--tail", "1", "one").ok().out, "500\n")
    same(env.run("inspect", "-f", "{{json .HostConfig.LogConfig}}", "one").ok().json(), {"Type": "local", "Config": {"max-size": "4k", "max-file": "1"}})
    env.run("rm", "one").ok()


@test(needs="root")
def lines_carry_what_was_asked_for(env):
    env.run("run", "--name", "a", "--network", "none", "-l", "app=web", "-l", "other=x", "-e", "STAGE=a b", "-e", "SECRET=s", "--log-opt", "labels=app",
            "--log-opt", "env-regex=^STA", "--log-opt", "tag={{.Name}}/{{.ID}}", TINY, "echo", "hi").ok()
    i = env.run("inspect", "-f", "{{.Id}}", "a").ok().out.strip()
    line = json.loads((env.root / "instances" / i / "log").read_text())
    same(line["attrs"], {"app": "web", "STAGE": "a b", "tag": f"a/{i[:12]}"})
    env.run("logs", "--details", "a").ok(out=f"app=web,STAGE=a b,tag=a/{i[:12]} hi\n")
    env.run("logs", "a").ok(out="hi\n")
    env.run("rm", "a").ok()


@test(needs="root")
def none_keeps_nothing_and_says_so(env):
    env.run("run", "--name", "n", "--network", "none", "--log-driver", "none", TINY, "echo", "hi").ok(out="hi\n")
    same(files(env, "n"), {})
    env.run("logs", "n").error(1, "none", "n")
    env.run("rm", "n").ok()


@test(needs="root")
def what_is_not_possible_is_refused(env):
    for args, words in ((["--log-driver", "syslog"], ["syslog", "json-file"]), (["--log-driver", "frob"], ["frob"]), (["--log-opt", "max-size=x"], ["max-size"]),
                        (["--log-opt", "max-file=0"], ["max-file"]), (["--log-opt", "frob=1"], ["frob"]), (["--log-opt", "compress=true"], ["compress"]),
                        (["--log-opt", "mode=sometimes"], ["mode", "sometimes"]), (["--log-opt", "tag={{.Frob}}"], ["tag"]), (["--log-opt", "labels-regex=("], ["labels-regex"]),
                        (["--log-driver", "none", "--log-opt", "max-size=1m"], ["none"]), (["--log-driver", "local", "--log-opt", "tag=x"], ["local", "tag"])):
        r = env.run("run", "--rm", *args, TINY, "true")
        check(r.code in (2, 125), f"{args}: {r.code}")
        r.error(r.code, *words)
    same(env.run("ps", "-aq").out, "")


@test(needs="root")
def a_follower_sees_every_restart(env):
    env.run("run", "-d", "--name", "f", "--network", "none", "--restart", "on-failure:2", TINY, "sh", "-c", "echo life; exit 1").ok()
    env.run("logs", "-f", "f", timeout=30).ok(out="life\n" * 3)
    env.run("rm", "f").ok()


@test(needs="root")
def a_flood_is_bounded_in_file_and_memory(env):
    """The monitor's memory while a workload writes as fast as it can, and a client attached that does not read."""
    env.run("run", "-d", "--name", "flood", "--network", "none", "--log-opt", "max-size=1m", TINY, "yes", "x" * 200).ok()
    slow = env.start("attach", "--no-stdin", "flood")
    i = env.run("inspect", "-f", "{{.Id}}", "flood").ok().out.strip()
    pid = json.loads((env.root / "instances" / i / "start.json").read_text())["monitor_pid"]
    worst = 0
    end = time.monotonic() + 2
    while time.monotonic() < end:
        rollup = open(f"/proc/{pid}/smaps_rollup").read()
        worst = max(worst, int(re.search(r"Private_Dirty: +(\d+)", rollup)[1]))
        check(sum(files(env, "flood").values()) <= 2 << 20, files(env, "flood"))
    check(worst < 4096, f"the monitor grew to {worst} KiB")
    # The flood lasts as long as its instance, so another that had to wait for it would not end.
    env.run("run", "--rm", "--network", "none", TINY, "true").ok()
    env.run("rm", "-f", "flood").ok()
    slow.p.kill()
    slow.finish()


@test(needs="root")
def several_clients_see_the_same(env):
    env.run("run", "-d", "--name", "m", "--network", "none", TINY, "sh", "-c", "until test -e /tmp/go; do sleep 0.05; done; seq 1 1000").ok()
    clients = [env.start("attach", "--no-stdin", "m") for _ in range(5)]
    wait_for(lambda: env.run("events", "--since", "1m", "--until", "0s", "--filter", "event=attach", "--filter", "container=m", "--format", "{{.Action}}").out.count("attach") == 5, what="all attached")
    env.run("exec", "m", "touch", "/tmp/go").ok()
    want = "".join(f"{n}\n" for n in range(1, 1001))
    for c in clients:
        c.finish(30).ok(out=want)
    env.run("rm", "m").ok()


@test(needs="root")
def a_follower_ends_when_its_time_is_over(env):
    """Of an instance that runs on; a clock is what is asked for here."""
    env.run("run", "-d", "--name", "u", "--network", "none", TINY, "sh", "-c", "echo one; exec sleep 1000").ok()
    wait_for(lambda: env.run("logs", "u").out == "one\n", what="it is written")
    env.run("logs", "-f", "--until", "0s", "u", timeout=30).ok(out="one\n")
    soon = time.time() + 1.5
    env.run("logs", "-f", "--until", f"{soon:.3f}", "u", timeout=30).ok(out="one\n")
    check(time.time() >= soon, "it followed until then")
    env.run("rm", "-f", "u").ok()


main()
