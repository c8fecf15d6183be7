# SPDX-License-Identifier: Apache-2.0
# timeout: 400
"""caisson-oci --isolation=vm: the commands an engine uses, on a bundle whose process runs in a virtual machine."""
import json, os, pathlib, select, signal, subprocess, time

from caisson_test import check, main, same, test, wait_for
from oci_bundle import ConsoleSocket, Runtime, spec

NEEDS = "root,qemu,kernel"
PATIENCE = 300
# All that can be caught, but the one that ends the workload; 32 and 33 are the C library's own.
SIGNALS = [s for s in range(1, 65) if s not in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, 32, 33)]


class Vm(Runtime):
    """Every command with the global option."""
    def argv(self, args):
        return [self.binary, "--root", str(self.root), "--isolation=vm", *map(str, args)]


def gone(pid):
    try:
        return "Z" in pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True


def below(pid):
    """pid and the processes it started."""
    try:
        kids = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        kids = []
    return [pid] + [p for k in kids for p in below(int(k))]


def script(text):
    c = spec()
    c["process"]["args"] = ["/bin/sh", "-c", text]
    return c


def read_until(fd, want, seconds=PATIENCE):
    got, end = b"", time.monotonic() + seconds
    while want not in got:
        check(select.select([fd], [], [], max(0, end - time.monotonic()))[0], f"no {want!r} in {got!r}")
        more = os.read(fd, 4096)
        check(more, f"ended before {want!r}: {got!r}")
        got += more
    return got


@test(needs=NEEDS, timeout=300)
def run_with_stdio_and_exit_codes(env):
    oci = Vm(env)
    b = oci.bundle(script("uname -r; echo err >&2; cat; echo kept > /root/file; id -u; exit 6"))
    r = oci("run", "--bundle", b, "c1", stdin="through\n", timeout=PATIENCE)
    lines = r.out.split("\n")
    same((r.code, lines[1:], r.err), (6, ["through", "0", ""], "err\n"), "status and output")
    check(lines[0] != os.uname().release, "the kernel is the host's")
    same((b / "rootfs/root/file").read_text(), "kept\n", "what was written to the root")
    same(os.listdir(oci.root / "c1") if (oci.root / "c1").exists() else [], [], "state after run")
    c = spec("/bin/nothing-of-this-name")
    c["linux"]["resources"] = {}
    c["annotations"] = {"io.caisson.isolation": "vm"}
    r = Runtime(env)("run", "--bundle", oci.bundle(c), "c2", timeout=PATIENCE)
    check(r.code == 1 and "nothing-of-this-name" in r.err, f"{r.code}: {r.err}")


@test(needs=NEEDS, timeout=300)
def life_of_an_instance(env):
    oci = Vm(env)
    plain = Runtime(env)  # an engine gives the option to create only, or the annotation says it
    plain.root = oci.root
    # No child of it ends while it waits, so that a trap of SIGCHLD tells of ours only.
    c = script("mkfifo /tmp/f; exec 3<>/tmp/f; for s in " + " ".join(map(str, SIGNALS)) + "; do trap \"echo got $s.\" $s; done; "
               "trap 'echo got term; exit 3' TERM; echo ready; while :; do read x <&3; done")
    c["annotations"] = {"a": "b"}
    c["linux"]["resources"] = {"memory": {"limit": 200 << 20}, "cpu": {"quota": 150000, "period": 100000}, "pids": {"limit": 77}}
    pid_file = env.tmp / "pid"
    r = oci.create(oci.bundle(c), "c1", "--pid-file", pid_file)
    same((r.code, r.err), (0, ""), "create")
    s = plain.state()
    pid = int(pid_file.read_text())
    same((s["status"], s["pid"], s["annotations"]), ("created", pid, {"a": "b"}), "state")
    check(pid > 1 and not gone(pid), "the process of the state")
    check(os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/self/ns/net"), "its network namespace is the host's")
    r = plain("exec", "c1", "/bin/true")
    check(r.code == 255 and "start it" in r.err, f"exec before start: {r.code} {r.err}")
    same(plain("start", "c1", timeout=PATIENCE).code, 0, "start")
    same(plain.state()["status"], "running", "state")
    check(plain("start", "c1").code == 1, "a second start")
    wait_for(lambda: "ready" in oci.output(), PATIENCE)

    r = plain("exec", "-e", "X=y", "--cwd", "/tmp", "--user", "1000:1000", "c1", "/bin/sh", "-c",
              "echo $X; pwd; id -u; cat; echo err >&2; exit 9", stdin="input\n", timeout=PATIENCE)
    same((r.code, r.out, r.err), (9, "y\n/tmp\n1000\ninput\n", "err\n"), "exec")
    r = plain("exec", "c1", "/bin/sh", "-c", "grep MemTotal /proc/meminfo; grep -c ^processor /proc/cpuinfo; cat /sys/fs/cgroup/pids.max", timeout=PATIENCE)
    total, cpus, pids = r.out.strip().split("\n")
    check(120 << 10 < int(total.split()[1]) <= 200 << 10, f"memory of the machine: {total}")
    same((cpus, pids), (str(min(2, os.cpu_count())), "77"), "CPUs and pids.max")
    r = plain("exec", "c1", "/bin/nothing-of-this-name", timeout=PATIENCE)
    check(r.code == 255 and "nothing-of-this-name" in r.err, f"a missing command: {r.code} {r.err}")

    # An engine's exec: detached, its process waited for by the engine. Killing it kills the one in the guest.
    p = subprocess.run([*plain.argv(["exec", "--detach", "--pid-file", env.tmp / "epid", "c1", "/bin/sleep", "4321"])], stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=PATIENCE)
    same(p.returncode, 0, "exec --detach")
    listing = lambda: plain("exec", "c1", "/bin/ps", timeout=PATIENCE).out
    wait_for(lambda: "sleep 4321" in listing(), what="the detached process")
    epid = int((env.tmp / "epid").read_text())
    os.kill(epid, signal.SIGKILL)
    wait_for(lambda: "sleep 4321" not in listing(), PATIENCE)

    for s in SIGNALS:
        same((plain("kill", "c1", s).code, s), (0, s), "kill")
        if s == signal.SIGCONT:  # the kernel drops one that is pending when a stop signal comes
            wait_for(lambda: f"got {s}." in oci.output(), 20)
    missing = lambda: [s for s in SIGNALS if f"got {s}." not in oci.output()]

    def all_told():
        # The last may come just before the shell's read(2) blocks, and is told when another one ends that.
        return not missing() or plain("kill", "c1", signal.SIGCONT).code

    try:
        wait_for(all_told, 20, every=0.5)
    finally:
        same(missing(), [], "signals that did not arrive")
    # Stopped it answers nothing, and goes on where it was.
    stat = lambda: plain("exec", "c1", "/bin/sh", "-c", "cut -d' ' -f3 /proc/1/stat", timeout=PATIENCE).out.strip()
    same(plain("kill", "c1", "STOP").code, 0, "kill STOP")
    wait_for(lambda: stat() == "T", PATIENCE)
    same(plain("kill", "c1", "CONT").code, 0, "kill CONT")
    wait_for(lambda: stat() == "S", PATIENCE)
    r = plain("kill", "--all", "c1", "TERM")
    check(r.code == 1 and "only KILL" in r.err, f"kill --all: {r.code} {r.err}")

    r = plain("ps", "c1")
    check(r.code == 1 and "exec" in r.err, f"ps: {r.code} {r.err}")
    # What the machine costs the host.
    numbers = json.loads(plain("events", "--stats", "c1").out)
    data = numbers["data"]
    same((numbers["type"], numbers["id"]), ("stats", "c1"), "events")
    check(data["cpu"]["usage"]["total"] > 10**8 and data["memory"]["usage"]["usage"] > 10 << 20 and data["pids"]["current"] >= 2, f"numbers of the machine: {data}")
    events = plain.start("events", "--interval", "50ms", "c1")
    for options, word in ((["--memory", "64m"], "memory"), (["--cpuset-mems", "0"], "memory nodes")):
        r = plain("update", *options, "c1")
        check(r.code == 1 and "virtual machine" in r.err and word in r.err, f"update {options}: {r.code} {r.err}")
    same((plain("update", "--pids-limit", "55", "--cpu-quota", "140000", "c1", timeout=PATIENCE).err, plain("update", "--pids-limit", "56", "c1", timeout=PATIENCE).code),
         ("", 0), "two updates")
    same(plain("exec", "c1", "/bin/cat", "/sys/fs/cgroup/pids.max", timeout=PATIENCE).out, "56\n", "pids.max in the guest")
    quotas = [f.read_text().split()[0] for f in pathlib.Path("/sys/fs/cgroup").glob("**/cpu.*") if f.name in ("cpu.cfs_quota_us", "cpu.max")]
    check("140000" in quotas, f"the quota of the machine's threads: {quotas}")
    same(plain("pause", "c1").code, 0, "pause")
    same(plain.state()["status"], "paused", "state")
    qemu = [p for p in below(pid) if "qemu" in pathlib.Path(f"/proc/{p}/comm").read_text()]
    same(len(qemu), 1, "QEMU below the process of the state")
    ticks = lambda: sum(map(int, pathlib.Path(f"/proc/{qemu[0]}/stat").read_text().rpartition(")")[2].split()[11:13]))

    def still():
        t = ticks()
        time.sleep(0.3)
        return ticks() == t
    wait_for(still, what="a paused machine takes no CPU time")
    same(plain("resume", "c1").code, 0, "resume")
    check("c1" in plain("list", "-q").out, "list")
    check(plain("delete", "c1").code == 1, "delete of a running instance")
    all_of_it = below(pid)
    same(plain("kill", "c1", "TERM").code, 0, "kill")
    wait_for(lambda: gone(pid), PATIENCE)
    check("got term" in oci.output(), oci.output())
    r = events.finish()  # by itself, with the machine
    check(r.code == 0 and len(r.out.strip().split("\n")) >= 2 and all(json.loads(x)["type"] == "stats" for x in r.out.strip().split("\n")), f"events: {r.code} {r.err}")
    same(plain.state()["status"], "stopped", "state")
    same(plain("delete", "c1").code, 0, "delete")
    wait_for(lambda: all(gone(p) for p in all_of_it), 10, f"end of {all_of_it}")
    check(not (oci.root / "c1").exists(), "state is left")


@test(needs=NEEDS, timeout=300)
def terminals_and_the_wait_status(env):
    import ctypes
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER, as a shim
    oci = Vm(env)
    c = script("tty; stty size; read x; stty size; echo \"<$x>\"; read y; exit 5")
    c["process"]["terminal"] = True
    c["process"]["consoleSize"] = {"height": 20, "width": 50}
    sock = ConsoleSocket(env.tmp / "console")
    p = subprocess.run(oci.argv(["create", "--console-socket", sock.path, "--pid-file", env.tmp / "tpid", "--bundle", oci.bundle(c), "t1"]),
                       stdin=subprocess.DEVNULL, timeout=300)
    same(p.returncode, 0, "create")
    master = sock.receive()
    pid = int((env.tmp / "tpid").read_text())
    same(oci("start", "t1", timeout=PATIENCE).code, 0, "start")
    check(b"/dev/pts/" in read_until(master, b"20 50"), "name of the terminal")
    import fcntl, struct, termios
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
    os.write(master, b"typed\n")
    got = read_until(master, b"<typed>")
    check(b"33 77" in got, f"size after a resize: {got!r}")

    # exec with a console socket; ^C is the guest terminal's.
    esock = ConsoleSocket(env.tmp / "econsole")
    process = {"terminal": True, "cwd": "/", "args": ["/bin/sh", "-c", "echo here; sleep 1000; echo not"], "env": c["process"]["env"], "user": {"uid": 0, "gid": 0}}
    (env.tmp / "process.json").write_text(json.dumps(process))
    p = subprocess.run(oci.argv(["exec", "--process", env.tmp / "process.json", "--console-socket", esock.path, "--detach", "--pid-file", env.tmp / "tepid", "t1"]),
                       stdin=subprocess.DEVNULL, timeout=PATIENCE)
    same(p.returncode, 0, "exec")
    emaster = esock.receive()
    read_until(emaster, b"here")
    os.write(emaster, b"\x03")
    epid = int((env.tmp / "tepid").read_text())
    status = os.waitpid(epid, 0)[1]
    check(os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGINT or os.waitstatus_to_exitcode(status) == 130, f"status {status:#x}")
    os.close(emaster)

    os.write(master, b"end\n")
    same(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 5, "exit code of the process of the state")
    os.close(master)
    same(oci("delete", "t1").code, 0, "delete")

    # KILL in the created state, and a machine that dies under its workload.
    b = oci.bundle(script("echo ready; sleep 1000"))
    same(oci.create(b, "t2").code, 0, "create")
    pid = oci.state("t2")["pid"]
    all_of_it = below(pid)
    same(oci("kill", "t2", "KILL").code, 0, "kill")
    status = os.waitpid(pid, 0)[1]
    check(os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, f"status {status:#x}")
    same(oci("delete", "t2").code, 0, "delete")
    wait_for(lambda: all(gone(p) for p in all_of_it), 10)
    same(oci.create(b, "t3").code, 0, "create")
    pid = oci.state("t3")["pid"]
    same(oci("start", "t3", timeout=PATIENCE).code, 0, "start")
    qemu = [p for p in below(pid) if "qemu" in pathlib.Path(f"/proc/{p}/comm").read_text()]
    os.kill(qemu[0], signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    check(os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, f"status {status:#x}")
    check("signal 9" in (oci.base / "t3.err").read_text(), "the reason on its stderr")
    same(oci("delete", "--force", "t3").code, 0, "delete --force")


@test(needs=NEEDS, timeout=300)
def the_network_of_the_namespace(env):
    """What a CNI plugin leaves: a veth with an address and a default route in a namespace that is joined by path."""
    sleepers = [subprocess.Popen(["unshare", "-n", "sleep", "1000"]) for _ in range(2)]
    here, there = (p.pid for p in sleepers)
    wait_for(lambda: all(os.readlink(f"/proc/{p.pid}/ns/net") != os.readlink("/proc/self/ns/net") for p in sleepers))

    def ip(pid, *args):
        subprocess.run(["nsenter", "-t", str(pid), "-n", "ip", *args], check=True)

    try:
        ip(here, "link", "add", "name", "veth0", "type", "veth", "peer", "name", "eth0", "netns", str(there))
        ip(here, "addr", "add", "10.92.0.1/24", "dev", "veth0")
        ip(here, "link", "set", "veth0", "up")
        ip(there, "link", "set", "eth0", "mtu", "1400", "up")
        ip(there, "addr", "add", "10.92.0.2/24", "dev", "eth0")
        ip(there, "route", "add", "default", "via", "10.92.0.1")
        c = script("ip addr show eth0; ip route; ping -c1 -W20 10.92.0.1; mkfifo /tmp/f; nc -l -p 99 <>/tmp/f >/root/got; wc -c < /root/got")
        for n in c["linux"]["namespaces"]:
            if n["type"] == "network":
                n["path"] = f"/proc/{there}/ns/net"
        for k in c["process"]["capabilities"].values():
            k.append("CAP_NET_RAW")
        oci = Vm(env)
        b = oci.bundle(c)
        r = oci.create(b, "n1")
        same((r.code, r.err), (0, ""), "create")
        same(oci("start", "n1", timeout=PATIENCE).code, 0, "start")
        wait_for(lambda: "round-trip" in oci.output("n1"), PATIENCE)
        out = oci.output("n1")
        check("10.92.0.2/24" in out and "mtu 1400" in out and "default via 10.92.0.1 dev eth0" in out, out)
        busybox = next(p for p in ("/bin/busybox", "/usr/bin/busybox") if os.path.exists(p))
        data = b"x" * 3000000  # many segments, the large ones that a veth makes of them
        send = lambda: subprocess.run(["nsenter", "-t", str(here), "-n", busybox, "nc", "10.92.0.2", "99"], input=data, capture_output=True, timeout=300)
        wait_for(lambda: send().returncode == 0, PATIENCE, every=0.2)
        wait_for(lambda: "3000000" in oci.output("n1"), 20, "all of it in the guest")
        same(oci("delete", "--force", "n1").code, 0, "delete")
    finally:
        for p in sleepers:
            p.kill()
            p.wait()


@test(needs="root", timeout=60)
def what_a_machine_cannot_keep_is_refused_by_name(env):
    oci = Vm(env)

    def refused(word, change, *opts):
        c = spec()
        change(c)
        r = oci.create(oci.bundle(c, rootfs=False) if word == "root.path" else oci.bundle(c), f"r{oci.bundles}", *opts)
        check(r.code == 1 and word in r.err, f"{word}: {r.code} {r.err}")
        check(not (oci.root / f"r{oci.bundles}").exists(), f"{word}: state is left")

    def user(c):
        c["linux"]["namespaces"].append({"type": "user"})
        c["linux"]["uidMappings"] = c["linux"]["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]

    hook = [{"path": "/bin/true"}]
    refused("user", user)
    refused("hooks.createContainer", lambda c: c.update(hooks={"createContainer": hook}))
    refused("hooks.startContainer", lambda c: c.update(hooks={"startContainer": hook}))
    ipc = [{"type": t} for t in ("mount", "pid", "uts", "network")] + [{"type": "ipc", "path": "/proc/1/ns/ipc"}]
    refused("/proc/1/ns/ipc", lambda c: c["linux"].update(namespaces=ipc))
    refused("/dev/sda", lambda c: c["linux"].update(devices=[{"path": "/dev/sda", "type": "b", "major": 8, "minor": 0}]))
    refused("root.path", lambda c: None)
    fd = os.open("/dev/null", os.O_RDONLY)
    os.dup2(fd, 3)
    c = oci.bundle(spec())
    p = subprocess.run(oci.argv(["create", "--preserve-fds", "1", "--bundle", c, "fds"]), capture_output=True, text=True, pass_fds=(3,))
    check(p.returncode == 1 and "--preserve-fds" in p.stderr, p.stderr)
    p = subprocess.run([oci.binary, "--root", oci.root, "--isolation=jail", "create", "--bundle", c, "u"], capture_output=True, text=True)
    check(p.returncode == 1 and "'jail'" in p.stderr, p.stderr)
    bad = spec()
    bad["annotations"] = {"io.caisson.isolation": "cell"}
    r = Runtime(env).run(bad)
    check(r.code == 1 and "'cell'" in r.err, r.err)


main()
