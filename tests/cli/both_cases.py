# SPDX-License-Identifier: Apache-2.0
"""One behaviour list for both walls: the two files both_container_test.py and both_vm_test.py run it.

A case may not ask which wall it is behind.  A difference is a bug, or a line in docs/differences.md and a case here
that shows it."""
import os, re, signal, tarfile, time, urllib.request

from caisson_test import Failed, check, same, test, wait_for, watches
from oci_image import free_port

T = "caisson/tiny"
NEEDS = "root,netns"


def case(fn=None, **kw):
    kw.setdefault("needs", NEEDS + os.environ.get("CAISSON_TEST_MORE_NEEDS", ""))
    kw.setdefault("timeout", 120)
    return test(fn, **kw) if fn else test(**kw)


def name_of(env, what):
    return f"t-{what}-{env.isolation}"


def detached(env, what, *cmd, flags=()):
    name = name_of(env, what)
    env.run("run", "-d", "--name", name, *flags, T, *cmd).ok()
    return name


# ---- exit codes and streams ----

@case
def stdin_reaches_the_process_and_comes_back(env):
    env.run("run", "--rm", "-i", T, "cat", stdin="hi\n").ok(out="hi\n", err="")


@case
def a_megabyte_goes_through_unchanged(env):
    text = "".join(f"{n:015d}\n" for n in range(65536))
    env.run("run", "--rm", "-i", T, "cat", stdin=text).ok(out=text)


@case
def without_i_stdin_is_empty(env):
    env.run("run", "--rm", T, "cat", stdin="not for you\n").ok(out="")


@case
def stdout_and_stderr_are_apart(env):
    env.run("run", "--rm", T, "sh", "-c", "echo out; echo err >&2").ok(out="out\n", err="err\n")


@case
def exit_code_is_the_process_own(env):
    for code in (0, 7, 125, 255):
        env.run("run", "--rm", T, "sh", "-c", f"exit {code}").expect(code)


@case
def death_by_signal_is_128_and_the_number(env):
    # Process 1 of a PID namespace ignores its own signals, so a child dies and the shell says so.
    env.run("run", "--rm", T, "sh", "-c", "sh -c 'kill -9 $$'; exit $?").expect(137)


@case
def a_command_that_is_not_there_is_127(env):
    env.run("run", "--rm", T, "/no/such/command").error(127, "/no/such/command")


@case
def a_command_that_cannot_be_executed_is_126(env):
    env.run("run", "--rm", T, "/etc/passwd").error(126, "/etc/passwd")


@case
def term_is_forwarded(env):
    p = env.start("run", "--rm", T, "sh", "-c", "trap 'echo got; exit 9' TERM; echo ready; while :; do sleep 0.1; done")
    p.until("ready\n")
    p.signal(signal.SIGTERM)
    p.finish().expect(9, out="ready\ngot\n")


@case
def hangup_and_user_signals_are_forwarded(env):
    p = env.start("run", "--rm", T, "sh", "-c",
                  "trap 'echo usr1' USR1; trap 'echo hup; exit 3' HUP; echo ready; while :; do sleep 0.1; done")
    p.until("ready\n")
    p.signal(signal.SIGUSR1)
    p.until("usr1\n")
    p.signal(signal.SIGHUP)
    p.finish().expect(3)


# ---- terminal ----

@case
def a_terminal_has_the_callers_size_and_follows_it(env):
    t = env.tty("run", "--rm", "-it", T, "sh", rows=33, cols=101)
    t.send("stty size\n")
    t.until(r"33 101\r\n")
    t.resize(40, 120)
    def again():
        t.send("stty size\n")
        try:
            return t.until(r"40 120\r?\n", timeout=1)
        except Failed:
            return None
    wait_for(again, 15, "the new size")
    t.send("exit 5\n")
    t.finish().expect(5)


@case
def a_terminal_is_a_terminal_and_interrupts(env):
    t = env.tty("run", "--rm", "-it", T, "sh")
    t.send("test -t 0 && test -t 1 && echo is-a-$((1+1))tty\n")
    t.until("is-a-2tty")
    # What prints this is the foreground process itself. A key that comes between the shell's fork and its child's
    # tcsetpgrp(3) interrupts the shell, which waits on: the line would run its hundred seconds.
    t.send("sh -c 'echo begin-$((3+3)); exec sleep 100'\n")
    t.until("begin-6")
    t.send("\x03")
    t.send("echo after-$((40+2))\n")
    t.until("after-42")
    t.send("exit 4\n")
    t.finish().expect(4)


@case
def t_without_a_terminal_still_runs(env):
    env.run("run", "--rm", "-t", T, "sh", "-c", "test -t 1 && echo yes").ok(out="yes\r\n")


# ---- what the process sees ----

@case
def environment(env):
    out = env.run("run", "--rm", "-e", "A=1 2", "-e", "FROM_HERE", "-e", "NOT_SET_ANYWHERE", T, "env", env={"FROM_HERE": "x", "SECRET": "no"}).ok().out
    lines = set(out.splitlines())
    for want in ("A=1 2", "FROM_HERE=x"):
        check(want in lines, f"{want} not in {lines}")
    check(not any(line.startswith(("SECRET", "NOT_SET", "CAISSON")) for line in lines), f"too much in {lines}")
    check(any(line.startswith("PATH=") for line in lines) and any(line.startswith("HOSTNAME=") for line in lines), f"PATH, HOSTNAME: {lines}")


@case
def working_directory(env):
    env.run("run", "--rm", "-w", "/usr", T, "pwd").ok(out="/usr\n")
    env.run("run", "--rm", "-w", "/made/on/demand", T, "pwd").ok(out="/made/on/demand\n")


@case
def user_and_groups(env):
    env.run("run", "--rm", "-u", "1234:4321", T, "sh", "-c", "id -u; id -g").ok(out="1234\n4321\n")
    env.run("run", "--rm", "-u", "nobody", T, "id", "-un").ok(out="nobody\n")
    env.run("run", "--rm", "-u", "no-such-user", T, "true").error(125, "no-such-user")


@case
def hostname(env):
    env.run("run", "--rm", "--hostname", "box.example", T, "hostname").ok(out="box.example\n")


@case
def process_1_and_a_proc_of_its_own(env):
    out = env.run("run", "--rm", T, "sh", "-c", "echo $$; ls /proc | grep -c '^[0-9]'").ok().out.split()
    same(out[0], "1", "process id")
    check(int(out[1]) <= 4, f"{out[1]} processes visible")


@case
def devices_and_their_directory(env):
    env.run("run", "--rm", T, "sh", "-c", "for d in null zero full random urandom tty; do test -c /dev/$d || echo no $d; done; "
            "echo x >/dev/null; test -d /dev/shm && test -d /dev/pts && echo ok").ok(out="ok\n")
    env.run("run", "--rm", T, "sh", "-c", "ls /dev/vda /dev/sda /dev/mem 2>/dev/null | wc -l").ok(out="0\n")


@case
def kernel_settings_are_out_of_reach(env):
    for f in ("/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern"):
        env.run("run", "--rm", T, "sh", "-c", f"echo x >{f} 2>/dev/null && echo wrote").expect(1, out="")
    env.run("run", "--rm", T, "sh", "-c", "cat /proc/kcore 2>/dev/null | head -c 1 | wc -c").ok(out="0\n")
    env.run("run", "--rm", T, "sh", "-c", "mount -t tmpfs x /tmp 2>/dev/null && echo mounted").expect(1, out="")


# ---- files ----

@case
def what_is_written_stays_in_the_instance(env):
    name = name_of(env, "write")
    env.run("run", "--name", name, T, "sh", "-c", "echo changed >/etc/motd; rm /bin/true; cat /etc/motd").ok(out="changed\n")
    env.run("rm", name).ok()
    env.run("run", "--rm", T, "sh", "-c", "cat /etc/motd 2>/dev/null; /bin/true").ok(out=re.compile(r"^(?!changed)"))


@case
def read_only_root(env):
    env.run("run", "--rm", "--read-only", T, "sh", "-c", "echo x >/file").expect(1, out="")
    env.run("run", "--rm", "--read-only", T, "sh", "-c", "echo x >/dev/shm/file && cat /dev/shm/file").ok(out="x\n")


@case
def a_host_directory_is_shared_both_ways(env):
    d = env.tmp / f"share-{env.isolation}"
    d.mkdir(exist_ok=True)
    (d / "in").write_text("from the host\n")
    env.run("run", "--rm", "-v", f"{d}:/data", T, "sh", "-c", "cat /data/in; echo from inside >/data/out").ok(out="from the host\n")
    same((d / "out").read_text(), "from inside\n", "file made inside")


@case
def a_read_only_volume_cannot_be_written(env):
    d = env.tmp / f"ro-{env.isolation}"
    d.mkdir(exist_ok=True)
    (d / "in").write_text("x\n")
    env.run("run", "--rm", "-v", f"{d}:/data:ro", T, "sh", "-c", "cat /data/in; echo y >/data/in").expect(1, out="x\n")
    same((d / "in").read_text(), "x\n", "file on the host")


@case
def a_named_volume_outlives_the_instance(env):
    v = f"vol-{env.isolation}"
    env.run("run", "--rm", "-v", f"{v}:/data", T, "sh", "-c", "echo kept >/data/f; mkdir -p /data/a/b/shared").ok()
    env.run("create", "--name", f"{v}-has", "-v", f"{v}:/data", "--mount", f"type=volume,src={v},dst=/part,volume-subpath=a/b", T, "true").ok()
    env.run("run", "--rm", "--volumes-from", f"{v}-has:ro", T, "sh", "-c", "cat /data/f; ls /part; echo no >/data/f").expect(1, out="kept\nshared\n")
    env.run("volume", "rm", v).error(1, "in use by")
    env.run("rm", f"{v}-has").ok()
    env.run("volume", "rm", v).ok(out=f"{v}\n")


@case
def what_is_in_a_mount_is_given_to_the_user(env):
    v = f"own-{env.isolation}"
    env.run("run", "--rm", "-v", f"{v}:/data", T, "sh", "-c", "cd /data; mkdir -p d/e; echo x >d/e/f; ln -s /etc/passwd out; mkfifo p; touch plain; chmod 600 d/e/f; ln -s d loop; chmod 700 d").ok()
    seen = "cd /data; stat -c '%u:%g %n' . d d/e d/e/f out p plain | sort; stat -c %u:%g /etc/passwd; cat d/e/f"
    owned = "".join(f"{{0}} {n}\n" for n in (".", "d", "d/e", "d/e/f", "out", "p", "plain")) + "{1}\nx\n"
    env.run("run", "--rm", "-v", f"{v}:/data:U", "-u", "1:2", T, "sh", "-c", seen).ok(out=owned.format("1:2", "0:0"))
    env.run("volume", "rm", v).ok()
    for flags in (["-v", f"{v}:/data:U,ro"], ["--mount", "type=tmpfs,dst=/data,U"], ["-v", f"{v}:/data:U,U"], ["--mount", "type=volume,dst=/data,U=maybe"], ["--mount", "type=volume,dst=/data,U,ro"]):
        env.run("create", *flags, T).error(2, "U")


# ---- limits ----

@case
def memory_limit_is_felt(env):
    # Three times the limit is touched; what exceeds it is killed, and the engine survives.  An emulated machine without
    # memory drops its programs' pages and reads them again for a while, before its kernel gives up.
    env.run("run", "--rm", "--memory", "128m", T, "sh", "-c", "head -c 400m /dev/zero | tail >/dev/null; exit $?", timeout=280).expect(137, out="")
    env.run("run", "--rm", "--memory", "256m", T, "sh", "-c", "head -c 20m /dev/zero | tail >/dev/null; echo $?").ok(out="0\n")


@case
def process_limit_is_felt(env):
    r = env.run("run", "--rm", "--pids-limit", "8", T, "sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 100 & done; wait")
    check(r.code != 0 or "fork" in r.err, f"twelve processes with a limit of eight: {r.code} {r.err}")


@case
def cpus_are_accepted_and_wrong_ones_refused(env):
    env.run("run", "--rm", "--cpus", "0.5", T, "true").ok()
    env.run("run", "--rm", "--cpus", "-1", T, "true").error(2, "--cpus")
    env.run("run", "--rm", "--memory", "1x", T, "true").error(2, "--memory", "1x")


# ---- life cycle ----

@case
def detached_logs_and_wait(env):
    name = detached(env, "logs", "sh", "-c", "echo one; echo two >&2; exit 4")
    env.run("wait", name).ok(out="4\n")
    env.run("logs", name).ok(out="one\n", err="two\n")
    env.run("rm", name).ok()


@case
def detach_prints_the_id(env):
    name = name_of(env, "id")
    r = env.run("run", "-d", "--name", name, T, "sleep", "100").ok(out=re.compile(r"^[0-9a-f]{64}\n$"))
    env.run("inspect", r.out[:12]).ok(out=re.compile(name))
    env.run("rm", "-f", r.out[:12]).ok()


@case
def ps_shows_what_runs_and_with_a_what_ended(env):
    name = detached(env, "ps", "sleep", "100")
    check(name in env.run("ps").ok().out, "not in ps")
    env.run("kill", name).ok()
    env.run("wait", name).ok(out="137\n")
    check(name not in env.run("ps").ok().out, "still in ps")
    check(name in env.run("ps", "-a").ok().out, "not in ps -a")
    env.run("rm", name).ok()
    check(name not in env.run("ps", "-a").ok().out, "removed, and in ps -a")


@case
def what_only_just_starts_is_removed_by_force(env):
    name = name_of(env, "starts")
    p = env.start("run", "--name", name, T, "sleep", "1000")
    wait_for(lambda: env.run("inspect", name).code == 0, what="its record")
    env.run("rm", "-f", name).ok()
    check(p.finish().code in (125, 137), "exit code of run")
    check(env.run("inspect", name).code == 1, "it is still there")


@case
def names_are_unique(env):
    name = detached(env, "name", "sleep", "100")
    env.run("run", "--rm", "--name", name, T, "true").error(125, name)
    env.run("rm", "-f", name).ok()
    env.run("run", "--rm", "--name", name, T, "true").ok()


@case
def exec_runs_beside_the_main_process(env):
    name = detached(env, "exec", "sh", "-c", "echo mark >/tmp/mark; sleep 1000")
    env.run("exec", name, "sh", "-c", "until test -e /tmp/mark; do sleep 0.1; done; cat /tmp/mark").ok(out="mark\n")
    env.run("exec", "-i", name, "cat", stdin="through\n").ok(out="through\n")
    env.run("exec", name, "sh", "-c", "exit 6").expect(6)
    env.run("exec", "-e", "E=v", "-w", "/usr", "-u", "7:8", name, "sh", "-c", "echo $E $(pwd) $(id -u) $(id -g)").ok(out="v /usr 7 8\n")
    env.run("exec", name, "/no/such").error(127, "/no/such")
    check(env.run("exec", name, "cat", "/proc/1/comm").ok().out in ("sh\n", "sleep\n"), "process 1 is not the workload")
    env.run("rm", "-f", name).ok()
    check(env.run("exec", name, "true").code != 0, "exec in what is gone")


@case
def exec_on_a_terminal(env):
    name = detached(env, "exectty", "sleep", "1000")
    t = env.tty("exec", "-it", name, "sh", rows=20, cols=70)
    t.send("stty size\n")
    t.until(r"20 70\r?\n")
    t.send("exit 2\n")
    t.finish().expect(2)
    env.run("rm", "-f", name).ok()


@case
def stop_asks_first_and_kills_then(env):
    name = detached(env, "stop", "sh", "-c", "trap 'echo asked; exit 0' TERM; echo up; while :; do sleep 0.1; done")
    wait_for(lambda: "up" in env.run("logs", name).out, 20, "the workload is up")
    env.run("stop", name).ok()
    check("asked" in env.run("logs", name).ok().out, "TERM did not come")
    env.run("wait", name).ok(out="0\n")
    env.run("rm", name).ok()
    # Its own time is long, so that it shows whose was taken.
    name = detached(env, "deaf", "sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.1; done", flags=("--stop-timeout", "1000"))
    wait_for(lambda: "up" in env.run("logs", name).out, 20, "the workload is up")
    t0 = time.monotonic()
    env.run("stop", "-t", "1", name).ok()
    check(time.monotonic() - t0 > 0.9, "a deaf process is killed after its time")
    env.run("wait", name).ok(out="137\n")
    env.run("rm", name).ok()


@case
def kill_sends_any_signal(env):
    name = detached(env, "kill", "sh", "-c", "trap 'echo usr2' USR2; echo up; while :; do sleep 0.1; done")
    wait_for(lambda: "up" in env.run("logs", name).out, 20, "the workload is up")
    env.run("kill", "-s", "USR2", name).ok()
    wait_for(lambda: "usr2" in env.run("logs", name).out, 20, "the signal arrives")
    env.run("kill", name).ok()
    env.run("wait", name).ok(out="137\n")
    env.run("rm", name).ok()


@case
def rm_refuses_what_runs_and_f_does_not(env):
    name = detached(env, "rm", "sleep", "1000")
    env.run("rm", name).error(1, name)
    env.run("rm", "-f", name).ok()
    check(env.run("inspect", name).code != 0, "inspect of what was removed")


@case
def rm_f_does_not_wait_for_a_reader_that_sleeps(env):
    name = name_of(env, "stuck")
    p = env.start("run", "--name", name, T, "yes")
    p.until("y\ny\n")
    env.run("rm", "-f", name, timeout=30).ok()
    p.p.kill()
    p.finish()


@case
def inspect_tells_state_and_isolation(env):
    name = detached(env, "inspect", "sh", "-c", "exit 3")
    env.run("wait", name).ok(out="3\n")
    doc = env.run("inspect", name).ok().json()
    doc = doc[0] if isinstance(doc, list) else doc
    same(doc["State"]["ExitCode"], 3, "exit code")
    check(env.isolation in env.run("inspect", name).out, "isolation is not told")
    env.run("rm", name).ok()


def busy(env, name):
    row = env.run("stats", "--no-stream", "--format", "json", name).ok().json()
    return row if row["PIDs"] == "2" and float(row["CPUPerc"][:-1]) > 5 else None


@case
def stats_have_the_same_columns(env):
    name = detached(env, "stats", "sh", "-c", "while :; do :; done & sleep 1000")
    row = wait_for(lambda: busy(env, name), what="two processes, one of which takes time")
    same(sorted(row), ["BlockIO", "CPUPerc", "Container", "ID", "MemPerc", "MemUsage", "Name", "NetIO", "PIDs"], "members")
    same(row["Name"], name, "name")
    check(re.match(r"[1-9][0-9.]*[KM]iB / [0-9.]+[KMG]iB$", row["MemUsage"]), row["MemUsage"])
    env.run("exec", name, "sh", "-c", "nc -w 1 $(ip route | grep default | cut -d' ' -f3) 1 || true")
    sent = env.run("stats", "--no-stream", "--format", "{{.NetIO}}", name).ok().out.split(" / ")[1]
    check(not sent.startswith("0B"), f"sent {sent}")
    head = env.run("stats", "--no-stream", name).ok().out.splitlines()[0]
    same(re.split(r" {3,}", head), ["CONTAINER ID", "NAME", "CPU %", "MEM USAGE / LIMIT", "MEM %", "NET I/O", "BLOCK I/O", "PIDS"], "columns")
    env.run("pause", name).ok()
    check(name in env.run("stats", "--no-stream").ok().out, "a paused one has numbers too")
    env.run("rm", "-f", name).ok()
    same(env.run("stats", "--no-stream", "--format", "{{.Name}}").ok().out, "", "numbers of what is gone")


@case
def top_lists_processes_as_ps_does(env):
    name = detached(env, "top", "sh", "-c", "sleep 1001 & exec sleep 1002")
    wait_for(lambda: len(re.findall(r"  sleep 100[12]$", env.run("top", name).out, re.M)) == 2, 20, "both programs")
    lines = env.run("top", name).ok().out.splitlines()
    same(lines[0].split(), ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"], "columns")
    same(len(lines), 3, "lines")
    # busybox is "exe" for a moment, until it has taken its applet's name.
    wait_for(lambda: re.search(r"\bsleep +sleep 1001$", env.run("top", name, "-o", "pid,ppid,comm,args").ok().out, re.M), 20, "the name of the command")
    same(env.run("top", name, "aux").ok().out.split()[:4], ["USER", "PID", "%CPU", "%MEM"], "columns of aux")
    env.run("top", name, "-o", "frob").error(2, "frob")
    env.run("top", name, "-Z").error(2, "-Z")
    # What a process calls itself cannot move the cursor of who looks.
    env.run("exec", name, "sh", "-c", "cp /bin/busybox /tmp/sleep; ln -s busybox '/tmp/b'; exit 0")
    env.run("exec", "-d", name, "sh", "-c", "sleep 1003; : '\033[2J'").ok()
    wait_for(lambda: "1003" in env.run("top", name).out, 20, "one more")
    check("\033" not in env.run("top", name).out, "an escape sequence came through")
    env.run("rm", "-f", name).ok()
    env.run("top", name).error(1, name)


@case
def update_changes_what_runs_and_what_starts_again(env):
    name = detached(env, "update", "sleep", "1000", flags=("--memory", "256m", "--cpus", "1"))
    hog = ("exec", name, "sh", "-c", "head -c 120m /dev/zero | tail -c 120m >/dev/null; exit $?")
    env.run(*hog).ok()
    env.run("update", "--memory", "128m", "--pids-limit", "12", "--cpus", "0.5", "--cpu-shares", "512", name).ok(out=name + "\n")
    same(env.run("inspect", "-f", "{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}} {{.HostConfig.NanoCpus}}", name).ok().out, f"{128 << 20} 12 500000000\n")
    if env.run("exec", name, "sh", "-c", "head -c 300m /dev/zero | tail -c 300m >/dev/null; exit $?").code == 0:
        raise Failed("300 MiB with a limit of 128")
    r = env.run("exec", name, "sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do sleep 100 >/dev/null 2>&1 & done; wait")
    check(r.code != 0 or "fork" in r.err, "fourteen processes with a limit of twelve")
    same(env.run("stats", "--no-stream", "--format", "{{.MemUsage}}", name).ok().out.split(" / ")[1], "128MiB\n")
    check("nothing to update" in env.run("update", name).expect(1).err, "an update of nothing")
    check("--memory" in env.run("update", "--memory", "1m", name).expect(1).err, "a limit that is too small")
    env.run("restart", "-t", "0", name).ok()
    r = env.run("exec", name, "sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do sleep 100 >/dev/null 2>&1 & done; wait")
    check(r.code != 0 or "fork" in r.err, "the limit is gone after a restart")
    env.run("rm", "-f", name).ok()


@case
def events_tell_a_life(env):
    name = name_of(env, "life")
    live = env.start("events", "--filter", f"container={name}", "--filter", "event=die", "--format", "{{.Action}} {{.Actor.Attributes.exitCode}}")
    watches(live)
    env.run("run", "--name", name, "-l", "k=v w", T, "sh", "-c", "exit 3").expect(3)
    live.until("die 3\n")
    live.p.kill()
    env.run("start", name).ok()
    env.run("wait", name).ok()
    env.run("rm", name).ok()
    out = env.run("events", "--since", "10m", "--until", "0s", "--filter", f"container={name}", "--format", "{{.Action}}").ok().out
    same(re.sub(r"exec.*\n", "", out).split(), ["create", "attach", "start", "die", "start", "die", "destroy"], "actions")
    doc = env.run("events", "--since", "10m", "--until", "0s", "--filter", f"container={name}", "--filter", "event=create", "--format", "json").ok().json()
    same((doc["Type"], doc["status"], doc["from"], doc["Actor"]["Attributes"]), ("container", "create", T, {"k": "v w", "image": T, "name": name}), "event")
    env.run("events", "--filter", "frob=1").error(2, "frob")
    env.run("events", "--since", "frob").error(2, "frob")


@case
def a_policy_starts_it_again_and_stop_does_not(env):
    name = detached(env, "again", "sh", "-c", "echo up; sleep 0.2; exit 3", flags=("--restart", "always"))
    wait_for(lambda: int(env.run("inspect", "-f", "{{.RestartCount}}", name).out) >= 1, 60, "a restart")
    wait_for(lambda: env.run("logs", name).out.count("up") >= 2, 60, "a second life")
    env.run("stop", "-t", "0", name).ok()
    n = env.run("logs", name).ok().out
    time.sleep(1)
    same(env.run("logs", name).ok().out, n, "log after stop")
    same(env.run("inspect", "-f", "{{.State.Status}} {{.State.Restarting}} {{.HostConfig.RestartPolicy.Name}}", name).out, "exited false always\n")
    env.run("rm", name).ok()


@case
def want_of_memory_is_told(env):
    name = name_of(env, "oom")
    env.run("run", "-d", "--name", name, "--memory", "128m", T, "sh", "-c",
            "for i in 1 2 3 4; do tail -c 60m /dev/zero >/dev/null & done; until test -e /tmp/end; do sleep 0.1; done").ok()
    past = lambda: env.run("events", "--since", "10m", "--until", "0s", "--filter", f"container={name}", "--filter", "event=oom", "--format", "{{.Action}}").out
    wait_for(lambda: "oom" in past(), 60, "an event while it runs")
    env.run("exec", name, "touch", "/tmp/end").ok()
    env.run("wait", name).ok(out="0\n")
    same(env.run("inspect", "-f", "{{.State.OOMKilled}}", name).ok().out, "true\n")
    env.run("rm", name).ok()


@case
def health_is_asked_in_intervals(env):
    # The first look takes until it may: how long a start takes is no matter.
    name = detached(env, "health", "sleep", "1000", flags=("--health-cmd", "until test -e /tmp/go; do sleep 0.1; done; echo looked; test -e /tmp/well",
                                                           "--health-interval", "400ms", "--health-retries", "2", "--health-timeout", "600s"))
    same(env.run("inspect", "-f", "{{.State.Health.Status}}", name).ok().out, "starting\n")
    check("(health: starting)" in env.run("ps").out, env.run("ps").out)
    env.run("exec", name, "touch", "/tmp/go").ok()
    wait_for(lambda: "(unhealthy)" in env.run("ps").out, 30, "unhealthy")
    env.run("exec", name, "touch", "/tmp/well").ok()
    wait_for(lambda: "(healthy)" in env.run("ps").out, 30, "healthy")
    same(env.run("ps", "-q", "--filter", "health=healthy", "--filter", f"name={name}").ok().out.count("\n"), 1, "ps --filter health")
    doc = env.run("inspect", "-f", "{{json .State.Health}}", name).ok().json()
    same((doc["FailingStreak"], doc["Log"][-1]["ExitCode"], doc["Log"][-1]["Output"]), (0, 0, "looked\n"), "health")
    check(len(doc["Log"]) <= 5, "more results than are kept")
    out = env.run("events", "--since", "10m", "--until", "0s", "--filter", f"container={name}", "--filter", "event=health_status", "--format", "{{.Action}}").ok().out
    same(out, "health_status: unhealthy\nhealth_status: healthy\n", "events")
    env.run("rm", "-f", name).ok()


@case
def rename_moves_the_name(env):
    name = detached(env, "rename", "sleep", "1000")
    env.run("rename", name, name + "-2").ok(out="")
    env.run("exec", name + "-2", "true").ok()
    env.run("inspect", name).error(1, name)
    env.run("run", "--rm", "--name", name, T, "true").ok()
    env.run("rename", name + "-2", name + "-2").error(2, name)
    env.run("rename", name + "-2", "../x").error(2, "../x")
    env.run("create", "--name", name, T, "true").ok()
    env.run("rename", name + "-2", name).error(1, "in use")
    env.run("rm", "-f", name, name + "-2").ok()


@case
def a_killed_monitor_does_not_lie(env):
    name = detached(env, "monitor", "sleep", "1000")
    monitors = [int(p) for p in os.listdir("/proc") if p.isdigit() and is_monitor(p)]
    same(len(monitors), 1, "monitors")
    os.kill(monitors[0], signal.SIGKILL)
    wait_for(lambda: name not in env.run("ps").out, 20, "ps tells that it ended")
    check(env.run("wait", name).out != "0\n", "an unknown end is not success")
    env.run("rm", "-f", name).ok()


def is_monitor(pid):
    try:
        return "caisson-monitor" in os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return False


# ---- network ----

@case
def network_none_has_loopback_alone(env):
    env.run("run", "--rm", "--network", "none", T, "sh", "-c", "ls /sys/class/net 2>/dev/null || ip -o link | cut -d: -f2 | tr -d ' '").ok(out="lo\n")


@case
def a_published_port_answers(env):
    port = free_port()
    name = detached(env, "http", "sh", "-c", "mkdir -p /www; echo page >/www/index.html; exec httpd -f -p 80 -h /www",
                    flags=("-p", f"127.0.0.1:{port}:80"))
    def get():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as r:
                return r.read()
        except OSError:
            return None
    same(wait_for(get, 30, "httpd answers"), b"page\n", "page")
    env.run("port", name).ok(out=f"80/tcp -> 127.0.0.1:{port}\n")
    env.run("port", name, "80").ok(out=f"127.0.0.1:{port}\n")
    env.run("port", name, "81/udp").error(1, "81/udp")
    same(env.run("ps", "-q", "--filter", f"publish={port}", "--filter", "expose=80/tcp").ok().out.count("\n"), 1, "ps --filter publish")
    env.run("run", "--rm", "-p", f"127.0.0.1:{port}:80", T, "true").error(125, str(port))
    env.run("rm", "-f", name).ok()
    check(get() is None, "the port is still open")


@case
def instances_on_the_bridge_reach_each_other(env):
    name = detached(env, "peer", "sh", "-c", "mkdir -p /www; echo hello >/www/index.html; exec httpd -f -p 80 -h /www")
    doc = env.run("inspect", name).ok().json()
    doc = doc[0] if isinstance(doc, list) else doc
    ip = doc["NetworkSettings"]["IPAddress"]
    env.run("run", "--rm", T, "sh", "-c", f"n=0; until wget -q -O- http://{ip}/; do n=$((n+1)); test $n -lt 200 || exit 1; sleep 0.3; done").ok(out="hello\n")
    env.run("rm", "-f", name).ok()


@case
def files_go_in_and_out(env):
    """cp both ways, diff, export and commit of an instance that runs."""
    name = detached(env, "files", "sh", "-c", "mkdir -p /d/sub; echo one >/d/a; ln /d/a /d/hard; ln -s a /d/soft; echo two >/d/sub/b; rm /bin/rpm; touch /up; sleep 1000", flags=("-v", f"{env.tmp}:/vol"))
    wait_for(lambda: env.run("exec", name, "test", "-e", "/up").code == 0, 30, "the files are there")
    same(env.run("diff", name).ok().out, "C /bin\nD /bin/rpm\nA /d\nA /d/a\nA /d/hard\nA /d/soft\nA /d/sub\nA /d/sub/b\nA /up\n", "diff")
    h = env.tmp / f"files-{env.isolation}"
    h.mkdir()
    env.run("cp", f"{name}:/d", h / "out").ok()
    same(((h / "out/sub/b").read_text(), os.readlink(h / "out/soft"), (h / "out/a").stat().st_nlink), ("two\n", "a", 2), "copied out")
    (h / "big").write_bytes(os.urandom(1 << 20) * 3)
    os.chmod(h / "big", 0o640)
    env.run("cp", "-q", h / "big", f"{name}:/d/big").ok(err="")
    env.run("cp", "-q", f"{name}:/d/big", h / "back").ok()
    same((h / "back").read_bytes() == (h / "big").read_bytes(), True, "there and back")
    env.run("cp", "-q", str(h / "out") + "/.", f"{name}:/d/new").ok()
    env.run("cp", "-q", h / "big", f"{name}:/vol/{h.name}/through").ok()
    same((h / "through").stat().st_size, 3 << 20, "into a volume")
    same(env.run("exec", name, "sh", "-c", "cat /d/new/sub/b; stat -c '%a %u:%g' /d/big").ok().out, "two\n640 0:0\n", "copied in")
    env.run("cp", f"{name}:/none", h).error(1, "/none")
    env.run("cp", h / "big", f"{name}:/none/x").error(1, "/none")
    env.run("cp", h / "out", f"{name}:/d/a").error(1, "a directory is to be copied")
    env.run("cp", f"{name}:/d", h / "big").error(1, "a directory is to be copied")
    env.run("export", "-o", h / "all.tar", name).ok()
    with tarfile.open(h / "all.tar") as t:
        names = set(t.getnames())
    check({"d/sub/b", "bin/busybox", "up"} <= names and "bin/rpm" not in names and not any(n.startswith(("vol/", "proc/", "sys/")) for n in names), sorted(names)[:40])
    image = name_of(env, "made")
    first = env.run("commit", "-m", "why", name, image).ok().out
    same(env.run("commit", "-m", "why", name).ok().out, first, "the same content, the same image")
    out = env.run("run", "--rm", image, "sh", "-c", "cat /d/sub/b; stat -c %h /d/a; test -e /bin/rpm || echo gone; test ! -e /vol").ok().out
    same(out, "two\n2\ngone\n", "an instance of it")
    env.run("rm", "-f", name).ok()
    env.run("rmi", image).ok()


@case
def clones_are_others(env):
    """They begin with the files of the one that runs, and share none of what says who somebody is."""
    name = detached(env, "cl", "sh", "-c", "test -e /etc/machine-id || { head -c 100 /dev/urandom >/data; echo 0123456789abcdef0123456789abcdef >/etc/machine-id; "
                    "mkdir -p /etc/ssh; echo k >/etc/ssh/ssh_host_rsa_key; touch /up; }; sleep 1000", flags=("-p", f"{free_port()}:80"))
    wait_for(lambda: env.run("exec", name, "test", "-e", "/up").code == 0, 30, "the files are there")
    names = env.run("clone", "-n", "2", "--name", f"{name}-x", name, timeout=120).ok().out.split()
    same(names, [f"{name}-x-1", f"{name}-x-2"], "names")
    who = "hostname; cat /etc/machine-id; cat /proc/sys/kernel/random/uuid; head -c 32 /dev/urandom | sha256sum; ip link show eth0 | grep -o 'ether [0-9a-f:]*'; ip -4 addr show eth0 | grep -o 'inet [0-9.]*'"
    seen = [env.run("exec", n, "sh", "-c", who).ok().out.split("\n") for n in (name, *names)]
    for k, what in enumerate(("hostname", "machine-id", "uuid", "random", "MAC", "address")):
        check(len({s[k] for s in seen}) == 3 and all(s[k] for s in seen), f"{what}: {[s[k] for s in seen]}")
    data = {env.run("exec", n, "sha256sum", "/data").ok().out for n in (name, *names)}
    same(len(data), 1, "different files")
    for n in names:
        env.run("exec", n, "test", "-e", "/etc/ssh/ssh_host_rsa_key").expect(1)
    ports = {env.run("port", n, "80").ok().out for n in (name, *names)}
    same(len(ports), 3, f"published ports {ports}")
    env.run("clone", "--name", name, name).error(1, name)
    env.run("clone", "-n", "0", name).error(2, "--number")
    env.run("clone", "no-such-thing").error(1, "no such instance or snapshot", "no-such-thing")
    env.run("rm", "-f", name, *names).ok()
