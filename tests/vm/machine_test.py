# SPDX-License-Identifier: Apache-2.0
# timeout: 400
"""One virtual machine at a time through vm-driver: the guest protocol, disks, shares, network, the jail.

Nothing here waits for a time: every step waits for the frame that ends it, with limits for a busy TCG host.
"""
import fcntl, json, os, pathlib, re, select, shutil, signal, struct, subprocess, tempfile, time

from caisson_test import BUILD, check, main, same, skip, test, wait_for

NEEDS = "root,qemu,kernel"
PATIENCE = 300
HELLO, OK, ERR, START, EXEC, STDIN, STDOUT, STDERR, RESIZE, SIGNAL, EXIT = range(1, 12)
STATS, WINDOW, PAUSE, RESUME, POWEROFF, STARTED = 15, 16, 20, 21, 23, 24
FIRST_WINDOW = 4 * 65536
PATH = "PATH=/bin:/sbin"


def u32(n):
    return struct.pack("<I", n)


class Machine:
    """A driver and the host's side of the guest protocol."""
    def __init__(self, plan, base, fds=(), agent=None, before=()):
        self.frames, self.bytes, self.log = [], b"", b""
        path = base / f"plan-{time.monotonic_ns()}.json"
        path.write_text(json.dumps(plan))
        args = [*before, str(BUILD / "vm-driver"), str(path), str(BUILD / "share/caisson/kernels"), str(agent or BUILD / "caisson-guest"), str(base / "cache"),
                *map(str, fds)]
        self.p = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=fds)
        self.next_stream = 2
        self.ended = False

    # ---- frames ----
    def send(self, kind, stream, data=b""):
        self.p.stdin.write(struct.pack("<IHHI", len(data), kind, 0, stream) + data)
        self.p.stdin.flush()

    def read(self):
        """One read from whatever has something; False at the end of the stream."""
        out, err = self.p.stdout.fileno(), self.p.stderr.fileno()
        ready = select.select([out, err], [], [], PATIENCE)[0]
        check(ready, f"the driver is silent for {PATIENCE} s; log {self.log!r}")
        if err in ready:
            more = os.read(err, 65536)
            self.log += more
            if not more and out not in ready:
                return False
        if out in ready:
            more = os.read(out, 1 << 20)
            self.bytes += more
            if not more:
                return False
        while len(self.bytes) >= 12:
            n, kind, flags, stream = struct.unpack_from("<IHHI", self.bytes)
            if len(self.bytes) < 12 + n:
                break
            self.frames.append((kind, stream, self.bytes[12:12 + n]))
            self.bytes = self.bytes[12 + n:]
        return True

    def wait(self, stream, *kinds):
        """Take the first frame of these kinds on this stream."""
        end = time.monotonic() + PATIENCE
        while True:
            for i, (kind, s, data) in enumerate(self.frames):
                if s == stream and kind in kinds:
                    del self.frames[i]
                    return kind, data
            check(time.monotonic() < end, f"no frame {kinds} on {stream}; log {self.log!r}")
            check(self.read(), f"the stream ended before a frame {kinds} on {stream}; log {self.log!r}; frames {self.frames[-5:]!r}")

    def started(self, stream=1):
        kind, data = self.wait(stream, STARTED, ERR)
        if kind == ERR:
            check(False, f"not started: {error(data)}")
        return self

    def until_exit(self, stream, grant=True):
        """Everything the process writes and its wait status."""
        out = {STDOUT: b"", STDERR: b""}
        while True:
            kind, data = self.wait(stream, STDOUT, STDERR, EXIT)
            if kind == EXIT:
                return out[STDOUT], out[STDERR], struct.unpack("<I", data)[0]
            out[kind] += data
            if grant and data:
                self.send(WINDOW, stream, u32(len(data)))

    def until(self, stream, text):
        got = b""
        while text not in got:
            kind, data = self.wait(stream, STDOUT, EXIT)
            check(kind == STDOUT, f"ended before {text!r} came; had {got!r}")
            got += data
            if data:
                self.send(WINDOW, stream, u32(len(data)))
        return got

    # ---- verbs ----
    def spawn(self, *args, terminal=False, stdin=b"", env=(PATH,)):
        stream, self.next_stream = self.next_stream, self.next_stream + 1
        self.send(EXEC, stream, json.dumps(process(*args, terminal=terminal, env=env)).encode())
        kind, data = self.wait(stream, STARTED, ERR)
        if kind == ERR:
            return stream, error(data)
        if stdin is not None:
            if stdin:
                self.send(STDIN, stream, stdin)
            self.send(STDIN, stream)
        return stream, None

    def run(self, *args, stdin=b""):
        stream, why = self.spawn(*args, stdin=stdin)
        check(why is None, f"{args}: {why}")
        out, err, status = self.until_exit(stream)
        same(status, 0, f"status of {args} (stderr {err!r})")
        return out.decode()

    def stop(self):
        self.p.stdin.close()
        while self.read():
            pass
        code = self.p.wait(PATIENCE)
        self.ended = True
        return code

    def why(self):
        """What the driver says when the machine ends by itself."""
        while self.read():
            pass
        self.p.wait(PATIENCE)
        m = re.search(rb"why: (.*)", self.log)
        return m[1].decode() if m else self.log.decode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if not self.ended:
            self.p.kill()
            self.p.wait()
        for f in (self.p.stdin, self.p.stdout, self.p.stderr):
            try:
                f.close()
            except OSError:
                pass


def error(data):
    same(len(data), 512, "size of an error")
    return data[8:].split(b"\0")[0].decode()


def process(*args, terminal=False, env=(PATH,)):
    caps = ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID", "CAP_SETGID", "CAP_NET_RAW", "CAP_DAC_OVERRIDE"]
    return {"args": list(args), "cwd": "/", "env": list(env), "user": {"uid": 0, "gid": 0}, "terminal": terminal,
            "capabilities": {k: caps for k in ("bounding", "effective", "permitted")}}


def plan(disks, *args, mounts=(), nics=(), disk_rw=None, readonly=False, state="/nonexistent", **kw):
    rootfs = {"disk": [str(d) for d in disks]}
    if disk_rw:
        rootfs["diskRw"] = str(disk_rw)
    return {
        "ociVersion": "1.2.0", "process": process(*args, **kw), "root": {"path": "rootfs", "readonly": readonly}, "hostname": "vmtest",
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
                   {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
                   {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["newinstance", "ptmxmode=0666"]},
                   {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"}, *mounts],
        "linux": {"namespaces": [{"type": t} for t in ("pid", "mount", "ipc", "uts", "cgroup", "network")], "resources": {"pids": {"limit": 99}}},
        "caisson": {"isolation": "vm", "id": "5f" * 32, "seccompProfile": "default", "openStdin": True, "stateDir": str(state),
                    "vm": {"memoryBytes": 256 << 20, "cpus": 1}, "rootfs": rootfs, "nics": list(nics)}}


def image(env):
    """An EROFS image of busybox, in two files cut at a block, as an image of two layers is."""
    a, b = env.tmp / "image-a", env.tmp / "image-b"
    if not b.exists():
        root = env.tmp / "root"
        for d in ("bin", "proc", "dev", "tmp", "etc", "data", "ro"):
            (root / d).mkdir(parents=True, exist_ok=True)
        shutil.copy(shutil.which("busybox"), root / "bin/busybox")
        for name in "sh echo cat ls id uname sleep head dd wc ip ping stty tty touch kill hostname mount grep od true sync ps md5sum".split():
            (root / "bin" / name).symlink_to("busybox")
        (root / "etc/hosts").write_text("image\n")
        (root / "etc/one").write_text("image\n")
        whole = env.tmp / "whole.erofs"
        subprocess.run(["mkfs.erofs", "-T0", str(whole), str(root)], check=True, stdout=subprocess.DEVNULL)
        data = whole.read_bytes()
        half = len(data) // 8192 * 4096
        a.write_bytes(data[:half])
        b.write_bytes(data[half:])
    return [a, b]


def boot(env, *args, fds=(), **kw):
    return Machine(plan(image(env), *(args or ("/bin/sh", "-c", "read x")), **kw), env.tmp, fds)


def qemu_of(m):
    """The QEMU that is a child of the driver."""
    for pid in pathlib.Path(f"/proc/{m.p.pid}/task/{m.p.pid}/children").read_text().split():
        if "qemu" in pathlib.Path(f"/proc/{pid}/comm").read_text():
            return int(pid)
    raise AssertionError("no QEMU below the driver")


@test(needs=NEEDS, timeout=300)
def a_process_its_output_and_its_status(env):
    with boot(env, "/bin/sh", "-c", "echo out; echo err >&2; hostname; exit 7") as m:
        out, err, status = m.started().until_exit(1)
        same((out, err, status), (b"out\nvmtest\n", b"err\n", 7 << 8), "output and status")
        same(m.stop(), 0, "driver")


@test(needs=NEEDS, timeout=300)
def a_command_that_is_not_there(env):
    with boot(env, "/bin/nothing-of-this-name") as m:
        kind, data = m.wait(1, STARTED, ERR)
        same(kind, ERR, "answer")
        same(struct.unpack_from("<H", data)[0], 12, "kind (no-command)")
        check("nothing-of-this-name" in error(data), error(data))


@test(needs=NEEDS, timeout=300)
def streams_exec_terminal_signals(env):
    with boot(env, "/bin/sh", "-c", "trap 'echo got term; exit 3' TERM; echo ready; while :; do read x || sleep 1; echo \"<$x>\"; done") as m:
        m.started()
        m.until(1, b"ready\n")
        m.send(STDIN, 1, b"hello\n")
        m.until(1, b"<hello>\n")

        same(m.run("/bin/cat", stdin=b"through\n"), "through\n", "cat")
        check("resources" not in m.run("/bin/cat", "/proc/self/cgroup"), "cgroup")
        same(m.run("/bin/grep", "-c", "Seccomp:.2", "/proc/self/status"), "1\n", "seccomp in the guest")
        why = m.spawn("/bin/no-such-program")[1]
        check(why and "no-such-program" in why, f"answer to a missing command: {why}")

        # A reader that never grants stops its own process at the window and nobody else's.
        slow, _ = m.spawn("/bin/dd", "if=/dev/zero", "bs=4096", "count=1000", stdin=None)
        got = 0
        while got < FIRST_WINDOW:
            got += len(m.wait(slow, STDOUT)[1])
        same(got, FIRST_WINDOW, "bytes before the first grant")
        same(m.run("/bin/echo", "others go on"), "others go on\n", "echo")
        check(not any(s == slow and k == STDOUT for k, s, _ in m.frames), "output beyond the window")
        m.send(WINDOW, slow, u32(FIRST_WINDOW))
        out, _, status = m.until_exit(slow)
        same((got + len(out), status), (4096000, 0), "all of it after the grants")

        # Input larger than the window, granted back by the guest.
        count, _ = m.spawn("/bin/md5sum", stdin=None)
        room = FIRST_WINDOW
        for _ in range(24):
            while room < 65536:
                room += struct.unpack("<I", m.wait(count, WINDOW)[1])[0]
            m.send(STDIN, count, b"x" * 65536)
            room -= 65536
        m.send(STDIN, count)
        import hashlib
        same(m.until_exit(count)[0].split()[0].decode(), hashlib.md5(b"x" * 65536 * 24).hexdigest(), "checksum")

        tty, why = m.spawn("/bin/sh", "-c", "tty; read x; stty size; exit 5", terminal=True, stdin=None)
        check(why is None, f"terminal: {why}")
        check(b"/dev/pts/" in m.until(tty, b"\n"), "a terminal's name")
        m.send(RESIZE, tty, struct.pack("<HH", 33, 77))
        m.send(STDIN, tty, b"go\n")
        out, _, status = m.until_exit(tty)
        check(b"33 77" in out, f"size of the terminal in {out!r}")
        same(status, 5 << 8, "status")

        # A background process that keeps the pipes does not hold up the end of an exec.
        back, _ = m.spawn("/bin/sh", "-c", "sleep 1000 & echo done")
        same(m.until_exit(back)[0], b"done\n", "output")
        check("sleep 1000" in m.run("/bin/ps"), "the background process goes on")

        m.send(STATS, 900)
        numbers = json.loads(m.wait(900, OK)[1])
        check(numbers["pids"] >= 2 and numbers["pids_limit"] == 99, f"numbers {numbers}")
        m.send(PAUSE, 901)
        m.wait(901, OK)
        m.send(RESUME, 902)
        m.wait(902, OK)

        m.send(SIGNAL, 1, u32(signal.SIGTERM))
        out, _, status = m.until_exit(1)
        check(b"got term" in out, f"output {out!r}")
        same(status, 3 << 8, "status")
        same(m.stop(), 0, "driver")


@test(needs=NEEDS, timeout=300)
def a_frozen_machine_and_the_jail(env):
    with boot(env) as m:
        m.started()
        qemu = qemu_of(m)
        status = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{qemu}/status").read_text().splitlines() if ":\t" in line)
        uid = int(status["Uid"].split()[0])
        check(uid >= 65534, f"QEMU's user is {uid}")
        same(status["Groups"].strip(), "", "groups")
        same({status[k] for k in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}, {"0" * 16}, "capabilities")
        same((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"), "no_new_privs and seccomp")
        for ns in ("mnt", "net", "ipc", "pid", "uts", "user"):
            check(os.readlink(f"/proc/{qemu}/ns/{ns}") != os.readlink(f"/proc/self/ns/{ns}"), f"{ns} namespace")
        seen = set(os.listdir(f"/proc/{qemu}/root"))
        check(seen <= {"dev", "etc", "initrd", "kernel", "lib", "lib32", "lib64", "nix", "usr"}, f"files in the jail: {seen}")
        same(set(os.listdir(f"/proc/{qemu}/root/dev")) - {"kvm"}, {"null", "urandom"}, "devices")
        check(not [p for p in pathlib.Path(f"/proc/{qemu}/mounts").read_text().splitlines() if " ro," not in p and " ro " not in p],
              "a mount that can be written to")
        fds = [os.readlink(f"/proc/{qemu}/fd/{f}") for f in os.listdir(f"/proc/{qemu}/fd")]
        files = [f for f in fds if f.startswith("/") and not f.startswith(("/dev/", "/memfd:", "/null"))]
        check(all("image-" in f for f in files), f"files QEMU holds: {files}")

        m.p.send_signal(signal.SIGUSR1)
        wait_for(lambda: (m.read(), b"paused" in m.log)[1], PATIENCE)
        stat = lambda: int(pathlib.Path(f"/proc/{qemu}/stat").read_text().rpartition(")")[2].split()[11])
        t = stat()
        m.send(STATS, 7)
        time.sleep(0.3)
        check(stat() - t <= 5, "a paused machine computes")
        m.p.send_signal(signal.SIGUSR2)
        m.wait(7, OK)

        # QEMU does not outlive its parent.
        m.p.kill()
        m.p.wait()
        wait_for(lambda: not os.path.exists(f"/proc/{qemu}") or "Z" in pathlib.Path(f"/proc/{qemu}/stat").read_text().rpartition(")")[2].split()[0],
                 what="QEMU's end")


@test(needs=NEEDS, timeout=300)
def a_writable_disk_is_kept(env):
    disk = env.tmp / "rw.ext4"
    with open(disk, "wb") as f:
        f.truncate(64 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(disk)], check=True)
    with boot(env, "/bin/sh", "-c", "echo kept > /etc/one; echo new > /fresh", disk_rw=disk) as m:
        same(m.started().until_exit(1)[2], 0, "status")
        same(m.stop(), 0, "driver")
    with boot(env, "/bin/cat", "/etc/one", "/fresh", disk_rw=disk) as m:
        same(m.started().until_exit(1)[0], b"kept\nnew\n", "what the first machine wrote")
        same(m.stop(), 0, "driver")
    same(subprocess.run(["e2fsck", "-fn", str(disk)], capture_output=True).returncode, 0, "e2fsck")


@test(needs=NEEDS, timeout=300)
def files_and_directories_of_the_host(env):
    state, data, ro, one = env.tmp / "state", env.tmp / "data", env.tmp / "ro", env.tmp / "dir-of-one"
    for d in (state, data, ro, one):
        d.mkdir()
    (state / "hosts").write_text("127.0.0.1 sent\n")
    (data / "from-host").write_text("shared\n")
    (ro / "fixed").write_text("fixed\n")
    (one / "file").write_text("alone\n")
    (one / "neighbour").write_text("secret\n")
    bind = lambda source, target, *options: {"destination": target, "type": "bind", "source": str(source), "options": ["rbind", *options]}
    mounts = [bind(state / "hosts", "/etc/hosts"), bind(data, "/data"), bind(ro, "/ro", "ro"), bind(one / "file", "/etc/one")]
    with boot(env, mounts=mounts, state=state) as m:
        m.started()
        same(m.run("/bin/cat", "/etc/hosts", "/data/from-host", "/ro/fixed", "/etc/one"), "127.0.0.1 sent\nshared\nfixed\nalone\n", "contents")
        m.run("/bin/sh", "-c", "echo guest > /data/from-guest; echo more >> /etc/one")
        same((data / "from-guest").read_text(), "guest\n", "what the guest wrote")
        same((one / "file").read_text(), "alone\nmore\n", "the single file")
        stream, _ = m.spawn("/bin/touch", "/ro/x")
        check(m.until_exit(stream)[2] != 0 and not (ro / "x").exists(), "a read-only share was written to")
        same(m.stop(), 0, "driver")
    for d in (state, data, ro, one):
        shutil.rmtree(d)


@test(needs=NEEDS + ",netns", timeout=300)
def an_interface(env):
    tap = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tap, 0x400454ca, struct.pack("16sH22x", b"cvmtest0", 0x0002 | 0x1000 | 0x4000))
    subprocess.run(["ip", "addr", "add", "10.91.0.1/24", "dev", "cvmtest0"], check=True)
    subprocess.run(["ip", "link", "set", "cvmtest0", "up"], check=True)
    nic = {"name": "eth0", "mac": "02:42:0a:5b:00:02", "address": "10.91.0.2/24", "gateway": "10.91.0.1", "mtu": 1400}
    try:
        with boot(env, nics=[nic], fds=(tap,)) as m:
            m.started()
            text = m.run("/bin/ip", "addr", "show", "eth0")
            check("10.91.0.2/24" in text and "mtu 1400" in text and "02:42:0a:5b:00:02" in text, text)
            check("default via 10.91.0.1" in m.run("/bin/ip", "route"), "route")
            check("1 packets received" in m.run("/bin/ping", "-c1", "-W20", "10.91.0.1"), "ping")
            same(m.stop(), 0, "driver")
    finally:
        os.close(tap)


@test(needs=NEEDS, timeout=300)
def a_broken_image_is_named(env):
    image(env)
    bad = env.tmp / "bad.erofs"
    bad.write_bytes(b"\0" * 65536)
    with Machine(plan([bad], "/bin/true"), env.tmp) as m:
        kind, data = m.wait(1, STARTED, ERR)
        same(kind, ERR, "answer")
        check("image" in error(data) and "erofs" in error(data), error(data))
    with Machine(plan([env.tmp / "missing"], "/bin/true"), env.tmp) as m:
        check("missing" in m.why(), m.log)


@test(needs=NEEDS, timeout=300)
def the_last_words_of_the_guest_kernel(env):
    # Any static program that ends by itself: process 1 may not.
    agent = env.tmp / "no-agent"
    with Machine(plan(image(env), "/bin/true"), env.tmp, agent="/nonexistent-agent") as m:
        check("/nonexistent-agent" in m.why(), m.log)
    subprocess.run(["cc", "-static", "-x", "c", "-o", str(agent), "-"], input=b"int main(void) { return 7; }", check=True)
    with Machine(plan(image(env), "/bin/true"), env.tmp, agent=agent) as m:
        check(m.why().startswith("guest kernel panicked: Attempted to kill init! exitcode=0x00000700"), m.log)


@test(needs=NEEDS + ",userns", timeout=300)
def without_root(env):
    base = pathlib.Path(tempfile.mkdtemp(prefix="caisson-test-", dir="/tmp"))
    try:
        base.chmod(0o777)
        disks = [shutil.copy(f, base) for f in image(env)]
        (base / "shared").mkdir()
        (base / "shared").chmod(0o777)
        user = ("setpriv", "--reuid=1000", "--regid=1000", "--clear-groups")
        if subprocess.run([*user, "test", "-x", str(BUILD / "vm-driver")]).returncode:
            skip("the build directory is not readable for other users")
        p = plan(disks, "/bin/sh", "-c", "id -u; echo rootless > /data/made",
                 mounts=[{"destination": "/data", "type": "bind", "source": str(base / "shared"), "options": ["rbind"]}])
        with Machine(p, base, before=user) as m:
            same(m.started().until_exit(1), (b"0\n", b"", 0), "output")
            same(os.stat(base / "shared/made").st_uid, 1000, "owner of what the guest wrote")
            same(m.stop(), 0, "driver")
    finally:
        shutil.rmtree(base)


@test(needs=NEEDS, timeout=300)
def memory_and_processors(env):
    p = plan(image(env), "/bin/sh", "-c", "grep -c ^processor /proc/cpuinfo; grep MemTotal /proc/meminfo", readonly=True)
    p["caisson"]["vm"] = {"memoryBytes": 128 << 20, "cpus": 2}
    with Machine(p, env.tmp) as m:
        out = m.started().until_exit(1)[0].split()
        same(out[0], b"2", "processors")
        check(80000 < int(out[2]) < 128 << 10, f"memory {out}")
    p["caisson"]["vm"]["memoryBytes"] = 64 << 20
    with Machine(p, env.tmp) as m:
        check("at least 96 MiB" in m.why(), m.log)


@test(needs=NEEDS, timeout=300)
def a_host_that_breaks_the_protocol_ends_the_machine_with_a_reason(env):
    with boot(env) as m:
        m.started()
        m.send(WINDOW, 1, u32(1))
        check("granted that were not sent" in m.why(), m.log)


main()
