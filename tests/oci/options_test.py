# SPDX-License-Identifier: Apache-2.0
"""caisson-oci: every option of every command is named in some test, and those that no other file uses do what they say."""
import json, os, pathlib, re, socket, stat, subprocess

from caisson_test import TOP, check, main, same, test, wait_for
from oci_bundle import Runtime, spec

QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def helped(oci, *command):
    p = subprocess.run([oci.binary, *command, "--help"], capture_output=True, text=True)
    same((p.returncode, p.stderr), (0, ""), f"{command} --help")
    return p.stdout


@test
def every_option_is_named_in_a_test(env):
    oci = Runtime(env)
    text = "".join(f.read_text() for d in ("oci", "vm") for f in (TOP / "tests" / d).glob("*_test.py"))
    whole = helped(oci)
    commands = re.findall(r"^  (\w+) ", whole.partition("commands:")[2], re.M)
    check({"create", "start", "run", "exec", "checkpoint", "features"} <= set(commands), f"commands in --help: {commands}")
    missing = []
    for c in [None, *commands]:
        h = helped(oci, c) if c else whole.partition("commands:")[0]
        if c:
            check(h.startswith(f"usage: caisson-oci {c} "), h)
        options = re.findall(r"^ +(?:-\w, )?--([a-z0-9-]+)", h, re.M)
        missing += [f"{c}: --{o}" for o in options if not re.search(f"--{o}\\b(?!-)", text)]
    same(missing, [], "options that no test names")


def receive_fd(path):
    s = socket.socket(socket.AF_UNIX)
    s.bind(str(path))
    s.listen(1)
    return s


@test(needs="root")
def descriptors_handed_in_and_out(env):
    oci = Runtime(env)
    r, w = os.pipe()
    os.write(w, b"through\n")
    os.close(w)
    hidden = os.open("/etc/passwd", os.O_RDONLY)
    b = oci.bundle(None, "/bin/sh", "-c", "cat <&3; ls /proc/self/fd | tr '\\n' ' '")

    def keep():  # 3 is the pipe, 9 is not for the process
        os.dup2(r, 3)
        os.dup2(hidden, 9)
    p = subprocess.run(oci.argv(["run", "--preserve-fds", "1", "--keep", "--bundle", b, "c1"]), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                       close_fds=False, preexec_fn=keep)
    os.close(hidden)
    os.close(r)
    lines = p.stdout.split("\n")
    same((p.returncode, lines[0]), (0, "through"), f"run: {p.stderr}")
    fds = set(map(int, lines[1].split()))
    check({0, 1, 2, 3} <= fds and 9 not in fds, f"descriptors inside: {fds}")
    same(oci.state()["status"], "stopped", "after run --keep")
    oci("delete", "c1").ok()
    p = oci("run", "--preserve-fds", "7", "--bundle", b, "c2")
    check(p.code == 1 and "preserved-fds" in p.err, p.err)

    s = receive_fd(oci.base / "pidfd")
    oci.create(oci.bundle(None, "/bin/sleep", "1000"), "c3", "--pidfd-socket", oci.base / "pidfd", "--pid-file", oci.base / "pid").ok()
    c, _ = s.accept()
    _, fds, _, _ = socket.recv_fds(c, 4096, 1)
    info = pathlib.Path(f"/proc/self/fdinfo/{fds[0]}").read_text()
    same(re.search(r"^Pid:\s+(\d+)", info, re.M).group(1), (oci.base / "pid").read_text(), "process of the pidfd")
    os.close(fds[0])
    oci("delete", "-f", "c3").ok()


@test(needs="root")
def exec_options_by_their_long_names(env):
    oci = Runtime(env)
    c = spec("/bin/sleep", "1000")
    c["process"]["noNewPrivileges"] = False
    oci("run", "--detach", "--bundle", oci.bundle(c), "c1", **QUIET).ok()
    r = oci("exec", "--env", "A=1", "--env", "B=2", "--cwd", "/tmp", "--user", "1000:1000", "--additional-gids", "7", "--additional-gids", "8", "c1", "sh", "-c",
            "echo $A$B $PWD; id -G; grep NoNewPrivs /proc/self/status; grep CapInh /proc/self/status").ok().out.split("\n")
    same((r[0], set(r[1].split()), r[2].split()[1], int(r[3].split()[1], 16)), ("12 /tmp", {"1000", "7", "8"}, "0", 0), "what the process sees")
    same(oci("exec", "--no-new-privs", "c1", "grep", "NoNewPrivs", "/proc/self/status").ok().out.split()[1], "1", "--no-new-privs")
    has = int(oci("exec", "--cap", "CAP_SYS_TIME", "c1", "grep", "CapEff", "/proc/self/status").ok().out.split()[1], 16)
    check(has & 1 << 25, f"--cap CAP_SYS_TIME: {has:x}")
    # No LSM on most machines of ours: then a profile cannot be had, and silence would be a hole.
    for option, lsm in (("--apparmor", "/sys/kernel/security/apparmor"), ("--process-label", "/sys/fs/selinux")):
        if not os.path.isdir(lsm):
            r = oci("exec", option, "nothing-of-this-name", "c1", "true")
            check(r.code == 255 and re.search("apparmor|selinux", r.err, re.I), f"{option}: {r.code} {r.err}")
    oci("pause", "c1").ok()
    p = oci.start("exec", "--ignore-paused", "c1", "/bin/echo", "late")
    oci("resume", "c1").ok()
    same(p.finish().out, "late\n", "exec --ignore-paused, after resume")
    same(oci("list", "--quiet").ok().out, "c1\n", "list --quiet")
    oci("delete", "--force", "c1").ok()


@test(needs="root")
def ps_in_both_formats(env):
    oci = Runtime(env)
    oci("run", "-d", "-b", oci.bundle(None, "/bin/sh", "-c", "sleep 1234 & sleep 1000"), "c1", **QUIET).ok()
    wait_for(lambda: len(oci("ps", "--format", "json", "c1").ok().json()) == 2, what="two processes")
    pids = set(oci("ps", "--format", "json", "c1").ok().json())
    lines = oci("ps", "--format", "table", "c1").ok().out.strip().split("\n")
    check("PID" in lines[0], lines[0])
    same({int(line.split()[1]) for line in lines[1:]}, pids, "pids of the table")
    lines = oci("ps", "c1", "-o", "pid,args").ok().out.strip().split("\n")
    same((lines[0].split()[0], {int(line.split()[0]) for line in lines[1:]}), ("PID", pids), "with options for ps(1)")
    check(any("sleep 1234" in x for x in lines), lines)
    r = oci("ps", "c1", "-o", "args")
    check(r.code == 1 and "PID" in r.err, r.err)
    oci("delete", "-f", "c1").ok()


def v1_file(controller, path, name):
    f = pathlib.Path(f"/sys/fs/cgroup/{controller}/{path}/{name}")
    return f.read_text().strip() if f.exists() else None


@test(needs="root")
def update_by_every_option(env):
    oci = Runtime(env)
    c = spec("/bin/sleep", "1000")
    path = f"caisson-options-{os.getpid()}"
    c["linux"]["cgroupsPath"] = f"/{path}"
    oci("run", "-d", "-b", oci.bundle(c), "c1", **QUIET).ok()
    if not os.path.isdir("/sys/fs/cgroup/memory"):  # v2: tests/vm/cgroup2_test.py
        oci("delete", "-f", "c1").ok()
        return
    known = [(["--cpu-period", "200000", "--cpu-quota", "40000"], "cpu", "cpu.cfs_quota_us", "40000"), (["--cpu-share", "300"], "cpu", "cpu.shares", "300"),
             (["--cpu-burst", "10000"], "cpu", "cpu.cfs_burst_us", "10000"), (["--cpu-idle", "1"], "cpu", "cpu.idle", "1"), (["--cpu-idle", "0"], "cpu", "cpu.idle", "0"),
             (["--cpu-rt-period", "900000", "--cpu-rt-runtime", "0"], "cpu", "cpu.rt_period_us", "900000"),
             (["--cpuset-cpus", "0"], "cpuset", "cpuset.cpus", "0"), (["--cpuset-mems", "0"], "cpuset", "cpuset.mems", "0"),
             (["--memory", "64m"], "memory", "memory.limit_in_bytes", str(64 << 20)),
             (["--memory-reservation", "32m"], "memory", "memory.soft_limit_in_bytes", str(32 << 20)),
             (["--memory-swap", "96m"], "memory", "memory.memsw.limit_in_bytes", str(96 << 20)),
             (["--pids-limit", "33"], "pids", "pids.max", "33"), (["--blkio-weight", "200"], "blkio", "blkio.bfq.weight", "200")]
    for options, controller, name, want in known:
        r = oci("update", *options, "c1")
        if v1_file(controller, path, name) is None:
            check(r.code == 1 and len(r.err.strip().split("\n")) == 1, f"{options}, though {name} is not there: {r.code} {r.err}")
            continue
        same((r.code, r.err, v1_file(controller, path, name)), (0, "", want), f"{options}: {name}")
    same(v1_file("cpu", path, "cpu.cfs_period_us"), "200000", "period")
    (oci.base / "r.json").write_text(json.dumps({"pids": {"limit": 44}, "cpu": {"shares": 500}}))
    oci("update", "--resources", oci.base / "r.json", "c1").ok()
    same((v1_file("pids", path, "pids.max"), v1_file("cpu", path, "cpu.shares")), ("44", "500"), "--resources FILE")
    for options, word in ((["--resources", "/nonexistent"], "/nonexistent"), (["--pids-limit", "x"], "pids"), (["--l3-cache-schema", "L3:0=f"], "R[Dd][Tt]|resctrl|l3"),
                          (["--mem-bw-schema", "MB:0=10"], "R[Dd][Tt]|resctrl|mem-bw")):
        r = oci("update", *options, "c1")
        check(r.code == 1 and re.search(word, r.err), f"{options}: {r.code} {r.err}")
    oci("delete", "-f", "c1").ok()


@test(needs="root")
def an_oom_kill_is_an_event(env):
    oci = Runtime(env)
    c = spec("/bin/sh", "-c", "read x; tail -c 100000000 /dev/zero; sleep 1000")
    c["linux"]["resources"]["memory"] = {"limit": 16 << 20, "swap": 16 << 20}
    b = oci.bundle(c)
    os.mkfifo(oci.base / "go")
    go = os.open(oci.base / "go", os.O_RDWR)
    same(subprocess.run(oci.argv(["run", "-d", "-b", b, "c1"]), stdin=go, **QUIET).returncode, 0, "run")
    p = oci.start("events", "--interval", "24h", "c1")
    wait_for(lambda: any("eventfd" in os.readlink(f"/proc/{p.pid}/fd/{n}") or "inotify" in os.readlink(f"/proc/{p.pid}/fd/{n}")
                         for n in os.listdir(f"/proc/{p.pid}/fd")), what="events listens")
    os.write(go, b"\n")
    same(json.loads(p.until("{[^\n]*\n").group(0)), {"type": "oom", "id": "c1"}, "the event")
    # Readers find the event by this word.
    check("oom" not in oci("events", "--stats", "c1").ok().out, "a word of the event in the statistics")
    oci("delete", "-f", "c1").ok()
    same(p.finish().code, 0, "events at the end")
    os.close(go)
    r = oci("events", "--interval", "0s", "c1")
    check(r.code == 1 and "--interval" in r.err, r.err)


@test(needs="root")
def logs_in_both_formats(env):
    oci = Runtime(env)
    oci.root.mkdir()
    for fmt, rx in (("json", None), ("text", r'^time="[^"]+" level=error msg=".*does not exist.*"$')):
        log = oci.base / f"log-{fmt}"
        for _ in range(2):  # appended
            r = subprocess.run([oci.binary, "--root", oci.root, "--log", log, "--log-format", fmt, "--debug", "start", "nope"], capture_output=True, text=True)
            same(r.returncode, 1, "exit code")
        lines = log.read_text().splitlines()
        check(len(lines) >= 2 and stat.S_IMODE(log.stat().st_mode) & 0o22 == 0, f"{lines} {log.stat().st_mode:o}")
        for line in lines:
            if rx:
                check(re.match(rx, line) or "level=debug" in line, line)
            else:
                j = json.loads(line)
                check({"level", "msg", "time"} <= set(j), j)
    r = subprocess.run([oci.binary, "--log-format", "xml", "list"], capture_output=True, text=True)
    check(r.returncode == 1 and "log-format" in r.stderr, r.stderr)


main()
