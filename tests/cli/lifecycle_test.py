#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 400
"""Instances from the command line: what is not the same list for both walls.  Races, killed commands, output that
nobody reads, formats."""
import json, os, pathlib, re, signal, subprocess, threading

from caisson_test import check, main, same, test, wait_for, watches

TINY = "caisson/tiny"


@test(needs="root")
def detached_and_rm_leaves_nothing(env):
    env.run("run", "-d", "--rm", "--name", "gone", TINY, "sleep", "0.2").ok()
    wait_for(lambda: "gone" not in env.run("ps", "-aq", "--format", "{{.Names}}").out, what="the monitor clears up")


@test(needs="root")
def twenty_of_one_name_one_wins(env):
    res = [None] * 20

    def one(i):
        res[i] = env.run("run", "-d", "--network", "none", "--name", "only", TINY, "sleep", "1000")
    ts = [threading.Thread(target=one, args=(i,)) for i in range(20)]
    [t.start() for t in ts]
    [t.join() for t in ts]
    same(sorted(r.code for r in res), [0] + [125] * 19, "exit codes")
    for r in res:
        if r.code:
            r.error(125, "only", "already in use")
    env.run("rm", "-f", "only").ok()


@test(needs="root")
def many_at_once_and_nothing_stays(env):
    res = [None] * 24

    def one(i):
        res[i] = env.run("run", "--rm", TINY, "sh", "-c", f"echo {i}; exit {i}")
    ts = [threading.Thread(target=one, args=(i,)) for i in range(len(res))]
    [t.start() for t in ts]
    [t.join() for t in ts]
    for i, r in enumerate(res):
        r.expect(i, out=f"{i}\n")


@test(needs="root")
def create_start_restart(env):
    env.run("create", "--name", "later", "--network", "none", TINY, "sh", "-c", "echo one; sleep 0.1; exit 4").ok(out=re.compile(r"^[0-9a-f]{64}\n$"))
    same(env.run("inspect", "-f", "{{.State.Status}}", "later").ok().out, "created\n")
    env.run("start", "-a", "later").expect(4, out="one\n")
    env.run("start", "later").ok(out="later\n")
    env.run("wait", "later").ok(out="4\n")
    env.run("logs", "later").ok(out="one\none\n")
    env.run("rm", "later").ok()


@test(needs="root")
def restart_gives_a_new_process(env):
    env.run("run", "-d", "--name", "again", TINY, "sleep", "1000").ok()
    before = env.run("inspect", "-f", "{{.State.Pid}}", "again").out
    env.run("restart", "-t", "0", "again").ok(out="again\n")
    check(env.run("inspect", "-f", "{{.State.Pid}}", "again").out != before, "the same process after restart")
    env.run("exec", "again", "ip", "addr", "show", "eth0").ok(out=re.compile("inet "))
    env.run("rm", "-f", "again").ok()


@test(needs="root")
def a_reader_that_goes_away_ends_the_instance(env):
    a = env.argv(["run", "--rm", "--network", "none", TINY, "yes"])
    p = subprocess.Popen(a, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env.os_env)
    same(p.stdout.read(2), b"y\n")
    p.stdout.close()
    same(p.wait(60), 141, "exit code")


@test(needs="root")
def a_slow_client_does_not_stop_the_instance(env):
    # The process starts to write when we are attached and do not read.
    env.run("run", "-d", "--name", "noisy", "--network", "none", TINY, "sh", "-c",
            "until test -e /tmp/go; do sleep 0.05; done; dd if=/dev/zero bs=64k count=160 2>/dev/null | tr '\\0' x; echo; echo done").ok()
    slow = env.start("attach", "--no-stdin", "noisy")
    wait_for(lambda: env.run("events", "--since", "1m", "--until", "0s", "--filter", "event=attach", "--filter", "container=noisy").ok().out, what="attached")
    env.run("exec", "noisy", "touch", "/tmp/go").ok()
    same(env.run("wait", "noisy", timeout=60).ok().out, "0\n", "exit code")
    slow.p.kill()
    slow.p.wait()
    same(env.run("logs", "--tail", "1", "noisy").ok().out, "done\n")
    env.run("rm", "noisy").ok()


@test(needs="root")
def the_foreground_loses_no_byte(env):
    r = env.run("run", "--rm", "--network", "none", TINY, "sh", "-c", "dd if=/dev/zero bs=64k count=256 2>/dev/null | tr '\\0' x")
    same(len(r.ok().out), 256 * 65536, "bytes")


@test(needs="root")
def a_log_is_bounded(env):
    env.run("run", "-d", "--name", "log", "--network", "none", TINY, "sh", "-c", "yes 0123456789012345678901234567890123456789 | head -n 600000; echo end").ok()
    env.run("wait", "log", timeout=120).ok(out="0\n")
    d = next((env.root / "instances").iterdir())
    check(sum(f.stat().st_size for f in d.glob("log*")) < 34 << 20, "the log is larger than its bound")
    check((d / "log.1").exists(), "the log was not rotated")
    env.run("logs", "--tail", "2", "log").ok(out="0123456789012345678901234567890123456789\nend\n")
    same(env.run("logs", "--tail", "200000", "log").ok().out.count("\n"), 200000, "lines across both files")
    env.run("rm", "log").ok()


@test(needs="root")
def logs_follow_ends_with_the_instance(env):
    env.run("run", "-d", "--name", "f", "--network", "none", TINY, "sh", "-c", "echo a; sleep 0.5; echo b >&2; printf c").ok()
    env.run("logs", "-f", "f", timeout=30).ok(out="a\nc", err="b\n")
    lines = env.run("logs", "-t", "f").ok().out.splitlines()
    check(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z a$", lines[0]), f"no time in {lines[0]!r}")
    same(env.run("logs", "--since", "1h", "f").ok().out, "a\nc")
    same(env.run("logs", "--until", "1h", "f").ok().out, "")
    env.run("rm", "f").ok()


@test(needs="root")
def detach_keys_leave_it_running(env):
    t = env.tty("run", "-it", "--rm", "--name", "det", TINY, "sh")
    t.until(r"# ")
    t.send("echo $((40+2))\n")
    t.until(r"\b42\b")
    t.send("\x10\x11")
    t.finish(30).expect(0)
    same(env.run("ps", "--format", "{{.Names}} {{.State}}").out, "det running\n")
    t = env.tty("attach", "det")
    t.send("exit 3\n")
    t.finish(30).expect(3)
    wait_for(lambda: not env.run("ps", "-aq").out, what="--rm after detaching")


@test(needs="root")
def pause_and_unpause(env):
    env.run("run", "-d", "--name", "p", "--network", "none", TINY, "sleep", "1000").ok()
    env.run("pause", "p").ok(out="p\n")
    same(env.run("inspect", "-f", "{{.State.Status}} {{.State.Paused}}", "p").out, "paused true\n")
    env.run("exec", "p", "true").error(125, "paused")
    env.run("pause", "p").error(1, "already paused")
    env.run("unpause", "p").ok()
    env.run("exec", "p", "true").ok()
    env.run("pause", "p").ok()
    env.run("stop", "-t", "1", "p").ok(out="p\n")
    env.run("rm", "p").ok()


@test(needs="root")
def filters_and_formats(env):
    env.run("create", "--name", "fa", "-l", "k=v", TINY, "true").ok()
    env.run("create", "--name", "fb", "-l", "k=w", TINY, "true").ok()
    names = lambda *f: sorted(env.run("ps", "-a", "--format", "{{.Names}}", *f).ok().out.split())
    same(names(), ["fa", "fb"])
    same(names("--filter", "label=k"), ["fa", "fb"])
    same(names("--filter", "label=k=w"), ["fb"])
    same(names("--filter", "name=fa"), ["fa"])
    same(names("--filter", "status=running"), [])
    same(names("--filter", "status=created", "--filter", "name=fb"), ["fb"])
    env.run("ps", "--filter", "frob=1").error(2, "frob")
    row = json.loads(env.run("ps", "-a", "--filter", "name=fa", "--format", "json").ok().out)
    same(row["Labels"], "k=v")
    head = env.run("ps", "-a", "--format", "table {{.ID}}\t{{.Names}}").ok().out.splitlines()
    check(re.match(r"CONTAINER ID +NAMES$", head[0]), head[0])
    doc = env.run("inspect", "fa", "fb").ok().json()
    same([d["Name"] for d in doc], ["/fa", "/fb"])
    env.run("inspect", "nope").error(1, "nope")
    env.run("inspect", "-f", "{{frob}}", "fa").error(1, "frob")
    env.run("rm", "fa", "fb").ok(out="fa\nfb\n")


@test(needs="root")
def more_filters(env):
    env.run("create", "--name", "f1", "--network", "none", "-v", "data:/srv", TINY, "true").ok()
    env.run("create", "--name", "f2", "-v", f"{env.tmp}:/host", TINY, "true").ok()
    env.run("run", "--name", "f3", TINY, "sh", "-c", "exit 3").expect(3)
    names = lambda *f: sorted(env.run("ps", "-a", "--format", "{{.Names}}", *sum((["--filter", x] for x in f), [])).ok().out.split())
    same(names("volume=data"), ["f1"])
    same(names("volume=/host"), ["f2"])
    same(names(f"volume={env.tmp}", "volume=data"), ["f1", "f2"])
    same(names("network=none"), ["f1"])
    same(names("network=bridge"), ["f2", "f3"])
    same(names("before=f2"), ["f1"])
    same(names("since=f1", "before=f3"), ["f2"])
    same(names("exited=3"), ["f3"])
    same(names("ancestor=" + TINY, "isolation=vm"), [])
    same(env.run("ps", "--filter", "exited=3", "--format", "{{.Names}}").ok().out, "f3\n")
    same(env.run("ps", "-l", "--format", "{{.Names}}").ok().out, "f3\n")
    same(env.run("ps", "-n", "2", "--format", "{{.Names}}").ok().out, "f3\nf2\n")
    same(len(env.run("ps", "-lq", "--no-trunc").ok().out), 65)
    for bad, word in (("status=frob", "frob"), ("exited=x", "x"), ("publish=0", "0"), ("since=nope", "nope"), ("volume", "volume")):
        r = env.run("ps", "--filter", bad)
        check(r.code in (1, 2) and word in r.err, f"{bad}: {r.code} {r.err}")
    row = json.loads(env.run("ps", "-as", "--filter", "name=f1", "--format", "json").ok().out)
    same((row["Mounts"], row["Networks"], row["LocalVolumes"]), ("data", "none", "1"))
    check(re.match(r"[0-9.]+[kM]?B \(virtual [0-9.]+[kM]B\)$", row["Size"]), row["Size"])
    check("SIZE" in env.run("ps", "-as").ok().out.splitlines()[0], "no column for --size")
    env.run("container", "prune").error(2, "--force")
    out = env.run("container", "prune", "-f", "--filter", "until=1h").ok().out
    same(out, "Total reclaimed space: 0B\n")
    out = env.run("container", "prune", "-f").ok().out
    check(out.startswith("Deleted Containers:\n") and out.count("\n") == 6, out)
    same(env.run("ps", "-aq").out, "")
    subprocess.run(env.argv(["run", "--rm", "-v", "data:/d", TINY, "true"]), env=env.os_env)


@test(needs="root")
def wait_for_what_is_asked(env):
    env.run("run", "-d", "--name", "w", "--network", "none", TINY, "sh", "-c", "exit 4").ok()
    env.run("wait", "w").ok(out="4\n")
    nxt, gone = env.start("wait", "--condition", "next-exit", "w"), env.start("wait", "--condition=removed", "w")
    watches(nxt)
    watches(gone)
    env.run("start", "w").ok()
    nxt.finish(20).ok(out="4\n")
    check(gone.p.poll() is None, "it is not removed yet")
    env.run("rm", "w").ok()
    gone.finish(20).ok(out="4\n")
    env.run("wait", "w").expect(1)
    env.run("wait", "--condition=frob", "w").error(2, "frob")


@test(needs="root,strace")
def a_rename_killed_half_way_loses_no_name(env):
    for call, n in (("symlinkat", 1), ("renameat", 1), ("unlinkat", 1), ("unlinkat", 2)):
        env.run("create", "--name", "old", TINY, "true").ok()
        subprocess.run(["strace", "-qq", "-o", "/dev/null", "-e", f"inject={call}:signal=SIGKILL:when={n}", *env.argv(["rename", "old", "new"])],
                       env=env.os_env, stdin=subprocess.DEVNULL, capture_output=True, timeout=300)
        name = env.run("ps", "-a", "--format", "{{.Names}}").ok().out.strip()
        check(name in ("old", "new"), f"{call} {n}: {name!r}")
        env.run("create", "--name", "new" if name == "old" else "old", TINY, "true").ok()
        env.run("container", "prune", "-f").ok()


@test(needs="root")
def events_of_what_is_done_to_an_instance(env):
    env.run("run", "-d", "--name", "ev", "--network", "none", TINY, "sleep", "1000").ok()
    env.run("exec", "ev", "true").ok()
    env.run("rename", "ev", "ev2").ok()
    for cmd in (["update", "--memory", "100m"], ["pause"], ["unpause"], ["kill", "-s", "USR1"], ["stop", "-t", "0"], ["start"]):
        env.run(*cmd, "ev2").ok()
    env.run("rm", "-f", "ev2").ok()
    env.run("tag", TINY, "other:tag").ok()
    env.run("rmi", "other:tag").ok()
    past = lambda *f: env.run("events", "--since", "5m", "--until", "0s", *f).ok().out
    got = past("--format", "{{.Action}}", "--filter", "type=container").splitlines()
    same(got[-18:], ["create", "start", "exec_create: true", "exec_start: true", "exec_die", "rename", "update", "pause", "unpause", "kill",
                     "kill", "die", "stop", "start", "kill", "die", "stop", "destroy"], "actions")
    same(past("--format", "{{.Actor.Attributes.oldName}} {{.Actor.Attributes.name}}", "--filter", "event=rename").splitlines()[-1], "ev ev2")
    same(past("--format", "{{.Actor.Attributes.name}}", "--filter", "event=stop").splitlines()[-1], "ev2", "the monitor knows the new name")
    same(past("--format", "{{.Action}}", "--filter", "type=image").split()[-2:], ["tag", "untag"])
    check(re.search(r"^\d{4}-\d\d-\d\dT[0-9:.]+Z container exec_die [0-9a-f]{64} \(image=caisson/tiny, name=ev, exitCode=0\)$", past(), re.M), past())


@test(needs="root")
def the_journal_is_bounded_and_followed_across_files(env):
    """Large events by many commands at once, and a reader that follows loses none of them."""
    label = "l=" + "x" * 20000
    live = env.start("events", "--filter", "event=create", "--format", "{{.Actor.Attributes.name}}")
    watches(live)
    for i in range(4):
        ts = [threading.Thread(target=env.run, args=("create", "--name", f"n{i}-{k}", "-l", label, TINY, "true")) for k in range(25)]
        [t.start() for t in ts]
        [t.join() for t in ts]
        env.run("container", "prune", "-f").ok()
    live.until("(n\\d-\\d+\n){100}")
    live.p.kill()
    d = env.run_root / "events"
    check(sum(f.stat().st_size for f in d.iterdir()) <= 4 << 20 and (d / "journal.1").exists(), "the journal is not bounded")


@test(needs="root")
def ids_and_prefixes(env):
    i = env.run("create", "--name", "pre", TINY, "true").ok().out.strip()
    for what in (i, i[:12], i[:4], "pre"):
        same(env.run("inspect", "-f", "{{.Id}}", what).ok().out, i + "\n")
    for bad in ("../" + i, i + "0", "", "a b", "x" * 5000, "pre\n"):
        check(env.run("inspect", bad).code == 1, f"{bad[:20]!r} was found")
    env.run("rm", i[:10]).ok()


@test(needs="root")
def bad_requests_leave_nothing(env):
    for args, words in (
        (["--name", "../x"], ["../x"]), (["--name", "x" * 5000], ["invalid name"]), (["--memory", "1k"], ["6m"]),
        (["-w", "rel"], ["rel"]), (["-v", "/a:b"], ["/a:b"]), (["-v", "a/b:/x"], ["a/b"]), (["--cap-add", "FROB"], ["FROB"]),
        (["-p", "99999:1"], ["99999"]), (["--ulimit", "nofile=9:1"], ["nofile=9:1"]), (["--network", "host", "-p", "1:1"], ["--publish"]),
        (["-e", "=x"], ["=x"]), (["--hostname", "a b"], ["a b"]), (["--stop-signal", "FROB"], ["FROB"]), (["--mount", "type=frob,target=/x"], ["frob"]),
    ):
        r = env.run("run", *args, TINY, "true")
        check(r.code in (2, 125), f"{args}: exit code {r.code}")
        r.error(r.code, *words)
    env.run("run", "--network", "nosuch", TINY, "true").error(125, "nosuch")
    env.run("run", "--pull", "never", "no-such-image", "true").error(125, "no-such-image")
    for n in env.run("ps", "-aq").out.split():
        env.run("rm", n)


@test(needs="root,strace", timeout=300)
def a_command_killed_at_any_step_leaves_no_mess(env):
    """kill -9 of the command at the n-th call of what changes something; the next commands clear up."""
    env.run("run", "--rm", TINY, "true").ok()
    for call, upto in (("mkdirat", 6), ("renameat", 8), ("symlinkat", 2), ("socketpair", 2), ("sendmsg", 4), ("unlinkat", 6)):
        for n in range(1, upto + 1):
            subprocess.run(["strace", "-qq", "-o", "/dev/null", "-e", f"inject={call}:signal=SIGKILL:when={n}",
                            *env.argv(["run", "--rm", "--name", "hit", TINY, "sleep", "0.05"])],
                           env=env.os_env, stdin=subprocess.DEVNULL, capture_output=True, timeout=300)
            wait_for(lambda: env.run("run", "--rm", "--name", "hit2", TINY, "echo", "fine").out == "fine\n", what=f"{call} {n}: the next command")
            wait_for(lambda: env.run("ps", "-aq").out == "" or env.run("rm", "-f", "hit").code == 0, what=f"{call} {n}: nothing listed")
    env.run("ps").ok()


@test(needs="root")
def an_empty_volume_gets_what_the_image_has(env):
    env.run("run", "--rm", "-v", "fresh:/usr", TINY, "ls", "/usr").ok(out="bin\nsbin\n")
    env.run("run", "--rm", "-v", "fresh:/usr", TINY, "rm", "-r", "/usr/bin").ok()
    env.run("run", "--rm", "-v", "fresh:/usr", TINY, "ls", "/usr").ok(out="sbin\n")
    env.run("run", "--rm", "-v", "bare:/usr:nocopy", TINY, "ls", "/usr").ok(out="")
    env.run("run", "--rm", "-v", "/usr", TINY, "ls", "/usr").ok(out="bin\nsbin\n")
    same(sorted(set(os.listdir(env.root / "volumes")) - {"data"}), ["bare", "fresh"], "volumes; the anonymous one goes with --rm")


@test(needs="root")
def a_killed_monitor_is_told_and_cleared(env):
    env.run("run", "-d", "--name", "k", TINY, "sleep", "1000").ok()
    start = next((env.root / "instances").glob("*/start.json"))
    os.kill(json.loads(start.read_text())["monitor_pid"], signal.SIGKILL)
    wait_for(lambda: env.run("inspect", "-f", "{{.State.Status}}", "k").out == "exited\n", what="exited")
    code = int(env.run("inspect", "-f", "{{.State.ExitCode}}", "k").out)
    check(code == 255, f"exit code {code}")
    check("Exited (unknown)" in env.run("ps", "-a").out, "ps does not say that it does not know")
    env.run("start", "k").ok()
    env.run("exec", "k", "true").ok()
    env.run("rm", "-f", "k").ok()
    # With --rm the next command removes it.
    env.run("run", "-d", "--rm", "--name", "k", TINY, "sleep", "1000").ok()
    start = next((env.root / "instances").glob("*/start.json"))
    os.kill(json.loads(start.read_text())["monitor_pid"], signal.SIGKILL)
    wait_for(lambda: env.run("ps", "-aq").out == "", what="removed by a command")


main()
