# SPDX-License-Identifier: Apache-2.0
"""What an integration test needs: a world of its own, the command line, and a check that nothing is left.

A test file is tests/AREA/NAME_test.py:

    from caisson_test import main, test

    @test(needs="root")
    def echo_through_cat(env):
        env.run("run", "--rm", "-i", "caisson/tiny", "cat", stdin="hi\\n").ok(out="hi\\n")

    main()

Every file runs in network, mount, PID and cgroup namespaces of its own below a cgroup of its own, with a state
root of its own on disk, so files run side by side and whatever they leave dies with them.  After each test the
leak check compares instances, staging files, processes, mounts, links and cgroups with what was there before.

`needs` are names from NEEDS.  A need that is missing skips the test, and fails it when CAISSON_MUST_RUN (comma
separated) says that this machine has it.  Output is TAP.
"""
import atexit, fcntl, importlib.util, json, os, pathlib, pty, re, select, shutil, signal, stat, struct, subprocess, sys, tempfile, termios, time, traceback
import encodings.idna  # noqa: F401, now: an ordinary user may not be able to read the library

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("CAISSON_BUILD", TOP / "build")).resolve()
INSIDE = "CAISSON_TEST_INSIDE"      # set in the inner process: the directory for its files
HOSTNET = "CAISSON_TEST_HOSTNET"    # descriptor of the network namespace outside
USER = 4242                         # whom main(user=True) becomes
SUBIDS = 400000                     # his subordinate ids begin here
TESTS = []
# A time-out finds what hangs and nothing else: a machine may be ten times slower than the one a test was written on.
# What must happen is given this long at least, whatever the test says, and a test as a whole this much longer.
LEAST = 90.0
LONGER = 4


class Skip(Exception):
    pass


class Failed(AssertionError):
    pass


def which(*names):
    return all(shutil.which(n, path=os.environ["PATH"] + ":/usr/sbin:/sbin") for n in names)


def have_kernel():
    d = BUILD / "share/caisson/kernels"
    return d.is_dir() and any(d.iterdir())


def can_rootless():
    """The two programs that map ids, one that connects the network, and a build tree that others may read."""
    if os.geteuid() == USER:
        return True
    outer = BUILD / "caisson"
    return (os.environ.get(INSIDE) is not None and which("newuidmap", "newgidmap", "setpriv") and (which("pasta") or which("slirp4netns")) and
            os.path.exists("/dev/net/tun") and
            subprocess.run(["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", outer, "--version"], capture_output=True).returncode == 0)


NEEDS = {
    "root": lambda: os.geteuid() in (0, USER),
    "rootless": can_rootless,
    "fuse": lambda: which("fuse-overlayfs") and os.path.exists("/dev/fuse"),
    "netns": lambda: os.environ.get(INSIDE) is not None,
    "userns": lambda: subprocess.run(["unshare", "--user", "true"], capture_output=True).returncode == 0,
    "qemu": lambda: which("qemu-system-x86_64"),
    "kernel": have_kernel,
    "compiler": lambda: which("make", "gcc", "flex", "bison", "bc", "xz", "strip", "tar"),
    # Minutes of compiling, so no test makes it: `caisson kernel build`, then a copy of its directory here.
    "smallkernel": lambda: (BUILD / "small-kernel/kernel.json").exists(),
    "registry": lambda: which("docker-registry", "skopeo", "umoci"),
    "mirror": lambda: which("mmdebstrap"),
    "cni": lambda: os.path.exists("/usr/lib/cni/bridge") and which("iptables"),
    "strace": lambda: which("strace"),
    "docker": lambda: which("docker"),
    "python-docker": lambda: importlib.util.find_spec("docker") is not None,
    "compose": lambda: which("docker-compose"),
    "ansible": lambda: which("ansible-playbook"),
    "podman": lambda: which("podman"),
    "systemd": lambda: os.path.exists("/lib/systemd/systemd") and which("systemctl"),
    "buildah": lambda: which("buildah"),
    "web": lambda: (BUILD / "share/caisson/web/app.js").exists(),
    "chromium": lambda: which("chromium"),
    "sqlite": lambda: (BUILD / "sqlite_tool").exists(),
    "criu": lambda: which("criu", "tar", "ip", "xtables-nft-multi"),
}


def missing_needs(needs):
    missing = [n for n in needs if not NEEDS[n]()]
    must = os.environ.get("CAISSON_MUST_RUN", "").split(",")
    for n in missing:
        if n in must:
            raise Failed(f"CAISSON_MUST_RUN says that this machine has {n}, and it is not usable")
    return missing


def test(fn=None, *, needs="", timeout=300, name=None):
    """Register a test.  timeout: seconds, generous, since the machine may be busy."""
    def add(f):
        TESTS.append((name or f.__name__, f, [n for n in needs.split(",") if n], timeout))
        return f
    return add(fn) if fn else add


def skip(why):
    raise Skip(why)


def check(cond, what):
    if not cond:
        raise Failed(what)


def same(got, want, what="value"):
    if got != want:
        raise Failed(f"{what} is {got!r}, want {want!r}")


def wait_for(fn, timeout=LEAST, what=None, every=0.02):
    """Poll fn until it returns something true, and return that."""
    timeout = max(timeout, LEAST)
    end = time.monotonic() + timeout
    while True:
        r = fn()
        if r:
            return r
        if time.monotonic() > end:
            raise Failed(f"not within {timeout} s: {what or fn}")
        time.sleep(every)


def matches(text, want):
    if isinstance(want, re.Pattern):
        return want.search(text) is not None
    return text == want


class Result:
    def __init__(self, args, code, out, err):
        self.args, self.code, self.out, self.err = args, code, out, err

    def fail(self, why):
        raise Failed(f"{why}\n  command: {' '.join(map(str, self.args))}\n  exit: {self.code}\n"
                     f"  stdout: {self.out[-2000:]!r}\n  stderr: {self.err[-2000:]!r}")

    def expect(self, code=0, out=None, err=None):
        if self.code != code:
            self.fail(f"exit code {self.code}, want {code}")
        if out is not None and not matches(self.out, out):
            self.fail(f"stdout is not {out!r}")
        if err is not None and not matches(self.err, err):
            self.fail(f"stderr is not {err!r}")
        return self

    def ok(self, out=None, err=None):
        return self.expect(0, out, err)

    def error(self, code, *words):
        """The form of every error: this exit code, one line on stderr that names what the user typed."""
        if self.code != code:
            self.fail(f"exit code {self.code}, want {code}")
        if not re.fullmatch(r"caisson: [^\n]+\n", self.err):
            self.fail("stderr is not one line that begins with 'caisson: '")
        for w in words:
            if w.lower() not in self.err.lower():
                self.fail(f"the error does not say {w!r}")
        return self

    def json(self):
        try:
            return json.loads(self.out)
        except ValueError as e:
            self.fail(f"stdout is not JSON: {e}")


class Process:
    """A running command with pipes."""
    def __init__(self, args, env, **kw):
        self.args = args
        self.p = subprocess.Popen(args, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw)
        self.seen = b""

    @property
    def pid(self):
        return self.p.pid

    def until(self, pattern, timeout=LEAST):
        """Read stdout until the regular expression is seen; returns the match."""
        self.seen, m = read_until(self.p.stdout.fileno(), self.seen, pattern, timeout, self.args)
        return m

    def send(self, text):
        self.p.stdin.write(text.encode())
        self.p.stdin.flush()

    def signal(self, sig):
        self.p.send_signal(sig)

    def finish(self, timeout=LEAST, stdin=None):
        timeout = max(timeout, LEAST)
        out, err = self.p.communicate(stdin.encode() if stdin else None, timeout=timeout)
        return Result(self.args, exit_code(self.p.returncode), (self.seen + out).decode(errors="replace"), err.decode(errors="replace"))


def exit_code(returncode):
    return returncode if returncode >= 0 else 128 - returncode


def read_until(fd, seen, pattern, timeout, what):
    rx = re.compile(pattern.encode(), re.S)
    end = time.monotonic() + timeout
    while True:
        m = rx.search(seen)
        if m:
            return seen, m
        left = end - time.monotonic()
        if left <= 0 or not select.select([fd], [], [], left)[0]:
            raise Failed(f"{pattern!r} not within {timeout} s from {what}; seen {seen[-2000:]!r}")
        try:
            more = os.read(fd, 65536)
        except OSError:
            more = b""
        if not more:
            raise Failed(f"{pattern!r} did not come before the end from {what}; seen {seen[-2000:]!r}")
        seen += more


def watches(p=None):
    """Wait until a command that was started, or any process of this file's, has its watch (inotify) and sleeps: what
    happens from now on reaches it."""
    def asleep(pid):
        d = f"/proc/{pid}"
        try:
            watch = any("inotify" in os.readlink(f"{d}/fd/{n}") for n in os.listdir(f"{d}/fd"))
            sleeps = pathlib.Path(f"{d}/stat").read_text().rpartition(")")[2].split()[0] == "S"
            # Some kernels do not say where.
            return watch and sleeps and re.search("poll|^0?$", pathlib.Path(f"{d}/wchan").read_text())
        except OSError:
            return False

    def one():
        if p and p.p.poll() is not None:
            raise Failed(f"{p.args} ended: {p.finish().err}")
        with as_root():
            return any(asleep(pid) for pid in ([p.pid] if p else [n for n in os.listdir("/proc") if n.isdigit()]))
    wait_for(one, what="somebody watches")


class Tty:
    """A command on a terminal of its own."""
    def __init__(self, args, env, rows=24, cols=80):
        self.args, self.seen = args, b""
        self.master, slave = pty.openpty()
        self.resize(rows, cols)
        self.p = subprocess.Popen(args, env=env, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                                  preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)

    def resize(self, rows, cols):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def send(self, text):
        os.write(self.master, text.encode())

    def until(self, pattern, timeout=LEAST):
        self.seen, m = read_until(self.master, self.seen, pattern, timeout, self.args)
        self.seen = self.seen[m.end():]
        return m

    def finish(self, timeout=LEAST):
        end = time.monotonic() + max(timeout, LEAST)
        while time.monotonic() < end:      # a full terminal would stop the command from ending
            if select.select([self.master], [], [], 0.05)[0]:
                try:
                    self.seen += os.read(self.master, 65536)
                except OSError:
                    pass
            if self.p.poll() is not None:
                break
        else:
            raise Failed(f"{self.args} did not end within {timeout} s; seen {self.seen[-2000:]!r}")
        # What it wrote last: a terminal gives 4 KiB at a time.
        while select.select([self.master], [], [], 0)[0]:
            try:
                more = os.read(self.master, 65536)
            except OSError:
                break
            if not more:
                break
            self.seen += more
        os.close(self.master)
        return Result(self.args, exit_code(self.p.returncode), self.seen.decode(errors="replace"), "")


class Env:
    """A state root, the command line on it, and what was there before each test."""
    def __init__(self, base, isolation=None):
        self.base = pathlib.Path(base)
        self.isolation = isolation
        self.root, self.run_root = self.base / "root", self.base / "run"
        self.tmp = self.base / "tmp"
        self.tmp.mkdir(parents=True, exist_ok=True)
        self.binary = BUILD / "caisson"
        self.own_templates = self.advice = False
        self.os_env = {k: v for k, v in os.environ.items() if not k.startswith("CAISSON_")}
        self.os_env["HOME"] = str(self.base)
        self.os_env.pop("XDG_RUNTIME_DIR", None)

    def share_templates(self):
        """Root's virtual machines go on from templates that all test files share: booting one takes seconds."""
        here = self.root / "cache/vm"
        if self.own_templates or os.geteuid() != 0 or os.path.lexists(here):
            return
        (BUILD / "test-vm").mkdir(mode=0o700, exist_ok=True)
        for d in (self.root, here.parent):
            d.mkdir(mode=0o700, exist_ok=True)
        here.symlink_to(BUILD / "test-vm")

    def no_advice(self):
        """That VMs are emulated here was said already in this boot (engine/emulated.h): commands' words are compared."""
        d, boot = self.root / "cache/vm", pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        if self.advice or (d / "tcg-told").is_file() and (d / "tcg-told").read_text() == boot:
            return
        d.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = d / f"tcg-told.{os.getpid()}"
        fresh.write_text(boot)
        fresh.rename(d / "tcg-told")

    def argv(self, args):
        args = [str(a) for a in args]
        if self.isolation == "vm" or any("isolation" in a and "vm" in a for a in args):
            self.share_templates()
            self.no_advice()
        # The verbs that make an instance are the only place where the two walls differ.
        if self.isolation and args[0] in ("run", "create"):
            args.insert(1, f"--isolation={self.isolation}")
        return [str(self.binary), "--root", str(self.root), "--run-root", str(self.run_root), *args]

    def run(self, *args, stdin="", timeout=LEAST, env=None, **kw):
        a = self.argv(args)
        timeout = max(timeout, 2 * LEAST)
        p = subprocess.run(a, input=stdin if isinstance(stdin, bytes) else stdin.encode(), capture_output=True, timeout=timeout, env={**self.os_env, **(env or {})}, **kw)
        return Result(a, exit_code(p.returncode), p.stdout.decode(errors="replace"), p.stderr.decode(errors="replace"))

    def start(self, *args, env=None, **kw):
        return Process(self.argv(args), {**self.os_env, **(env or {})}, **kw)

    def tty(self, *args, env=None, **kw):
        return Tty(self.argv(args), {**self.os_env, "TERM": "xterm", **(env or {})}, **kw)

    # ---- what is left ----
    def left(self):
        """Everything that an ended instance must not leave, as a set of lines."""
        out = set()
        for d in ("instances", "tmp"):
            p = self.root / d
            if p.is_dir():
                out |= {f"file {d}/{n}" for n in os.listdir(p)}
        p = self.run_root / "instances"
        if p.is_dir():
            out |= {f"run file instances/{n}" for n in os.listdir(p)}
        for p in (self.run_root / "net").glob("*/**/*"):
            if p.is_file() and not p.name.startswith("."):
                out.add(f"run file {p.relative_to(self.run_root)}")
        if os.environ.get(INSIDE):
            out |= processes() | cgroups() | links() | {f"mount {m}" for m in mounts() if not m.startswith(str(self.run_root / "ns"))}
        return out

    def check_nothing_left(self, before, timeout=LEAST):
        end = time.monotonic() + timeout
        while True:
            more = self.left() - before
            if not more:
                return
            if time.monotonic() > end:
                raise Failed("left behind:\n  " + "\n  ".join(sorted(more)))
            time.sleep(0.1)

    def clear(self):
        """After a failed test: end what runs, so that the next test is judged by itself."""
        if not os.environ.get(INSIDE):
            return
        ours = {1, os.getpid(), os.getppid()}
        with as_root():
            for pid in (int(p) for p in os.listdir("/proc") if p.isdigit()):
                if pid not in ours:
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except OSError:
                        pass
        # Else a policy starts them again in the middle of the next test, or a name is taken.
        d = self.root / "instances"
        try:
            for _ in range(3):
                left = os.listdir(d) if d.is_dir() else []
                if left:
                    self.run("rm", "-f", *left)
        except Exception as e:
            print(f"# clearing up: {e}")


def processes():
    """Everything in this PID namespace but init, the test and kernel threads; zombies are being reaped."""
    out = set()
    for pid in (p for p in os.listdir("/proc") if p.isdigit()):
        if int(pid) in (1, os.getpid()):
            continue
        try:
            stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
            if stat.rpartition(")")[2].split()[0] == "Z":
                continue
            cmd = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        # An ordinary user's engine keeps its namespaces for a while; tests/cli/rootless_test.py sees them go.
        if re.search(r"\b__hold\b|^pasta |^slirp4netns ", cmd):
            continue
        out.add(f"process {pid} {cmd[:200]}")
    return out


def cgroups():
    """Cgroups of this file's own tree below the test's own; the engine's parent directory may stay when empty."""
    out = set()
    for d, sub, _ in os.walk("/sys/fs/cgroup"):
        for s in sub:
            p = os.path.join(d, s)
            if os.path.exists(p + "/cgroup.procs") and os.path.exists(d + "/cgroup.procs") and s not in ("caisson-test-leaf", "caisson", "caisson-monitors"):
                out.add(f"cgroup {p}")
    return out


def links():
    """Devices of instances.  /sys shows the namespace it was mounted in, so it is asked over netlink."""
    names = [line.split(": ")[1].split("@")[0] for line in
             subprocess.run(["ip", "-o", "link"], capture_output=True, text=True).stdout.splitlines()]
    return {f"link {n}" for n in names if re.match(r"c[0-9]+[nv]|veth|tap", n)}


def mounts():
    return [line.split()[4] for line in open("/proc/self/mountinfo")]


def host_net(args):
    """A command line that runs in the network outside this file's namespace (Debian's mirror is there)."""
    fd = os.environ.get(HOSTNET)
    return ["nsenter", f"--net=/proc/{os.getpid()}/fd/{fd}", *args] if fd else list(args)


# ---- the world around a test file ----

def cgroup_trees():
    """(options, mount point, our cgroup's path in it) of every hierarchy; options is None for v2."""
    ours = {}
    for line in open("/proc/self/cgroup"):
        _, ctrl, path = line.rstrip("\n").split(":", 2)
        ours[ctrl] = path
    for line in open("/proc/self/mountinfo"):
        left, _, right = line.partition(" - ")
        fstype, _, opts = right.split()[:3]
        point = left.split()[4]
        if fstype == "cgroup2" and "" in ours:
            yield None, point, ours[""]
        elif fstype == "cgroup":
            for ctrl, path in ours.items():
                if ctrl and set(ctrl.split(",")) <= set(opts.split(",")):
                    yield ctrl, point, path


class World:
    """The outer process: cgroups and a directory, made before and removed after the inner one."""
    def __init__(self):
        # Not mkdtemp(): podman takes no name in which a part begins with one of its underscores, nor a run root of over 50
        # characters.
        self.dir = os.path.join(os.environ.get("CAISSON_TEST_TMP", "/var/tmp"), f"caisson-test-{os.urandom(4).hex()}")
        os.mkdir(self.dir, 0o700)
        self.leaves, self.cgs = [], []
        try:
            self.make_cgroups()
        except OSError as e:
            print(f"# no cgroup of our own: {e}")
            self.leaves = []
        atexit.register(self.remove)

    def make_cgroups(self):
        for ctrl, point, path in cgroup_trees():
            parent = pathlib.Path(point) / path.lstrip("/")
            cg = parent / os.path.basename(self.dir)
            for d in (cg, cg / "caisson-test-leaf"):
                d.mkdir()
                if ctrl and "cpuset" in ctrl.split(","):
                    for f in ("cpuset.cpus", "cpuset.mems"):
                        (d / f).write_text((d.parent / f).read_text())
            self.cgs.append(cg)
            self.leaves.append((cg, cg / "caisson-test-leaf"))

    def enter(self, which):
        for pair in self.leaves:
            (pair[which] / "cgroup.procs").write_text(str(os.getpid()))

    def run(self):
        env = {**os.environ, INSIDE: self.dir}
        env["CAISSON_TEST_CGROUPS"] = "1" if self.leaves else ""
        # The host's /proc is gone inside, so the outer network is handed over as a descriptor.
        netfd = os.open("/proc/self/ns/net", os.O_RDONLY)
        os.set_inheritable(netfd, True)
        env[HOSTNET] = str(netfd)
        self.p = subprocess.Popen(["unshare", "--net", "--mount", "--pid", "--cgroup", "--fork", "--kill-child", "--mount-proc",
                                   "--propagation", "private", sys.executable, *sys.argv], env=env, pass_fds=[netfd],
                                  preexec_fn=lambda: self.enter(0))
        for s in (signal.SIGTERM, signal.SIGINT):
            signal.signal(s, lambda *a: self.p.kill())
        return exit_code(self.p.wait())

    def remove(self):
        for cg in self.cgs:
            for d, _, _ in sorted(os.walk(cg), reverse=True):
                for _ in range(50):
                    try:
                        os.rmdir(d)
                        break
                    except FileNotFoundError:
                        break
                    except OSError:
                        time.sleep(0.05)
        shutil.rmtree(self.dir, ignore_errors=True)


def settle_user(base):
    """Be an ordinary user from here on: an account with subordinate ids that only this mount namespace knows, and the
    network device that every distribution gives to all.  The test process goes along, so that what it makes is the
    user's; what looks for leftovers becomes root for a moment."""
    etc = pathlib.Path(base) / "etc"
    etc.mkdir()
    for name, line in (("passwd", f"ann:x:{USER}:{USER}::{base}:/bin/sh\n"), ("group", f"ann:x:{USER}:\n"),
                       ("subuid", f"ann:{SUBIDS}:65536\n"), ("subgid", f"ann:{SUBIDS}:65536\n")):
        real = pathlib.Path("/etc") / name
        (etc / name).write_text((real.read_text() if real.exists() else "") + line)
        if not real.exists():
            skip(f"/etc/{name} is not there to be replaced")
        subprocess.run(["mount", "--bind", etc / name, real], check=True)
    # A way out, for pasta looks for the host's own; nobody is behind it.
    for cmd in ("link add wan0 type bridge", "addr add 192.0.2.2/24 dev wan0", "link set wan0 up", "route add default via 192.0.2.1"):
        subprocess.run(["ip", *cmd.split()], check=True)
    if os.path.exists("/dev/net/tun"):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/dev/net"], check=True)
        os.mknod("/dev/net/tun", 0o666 | stat.S_IFCHR, os.makedev(10, 200))
        os.chmod("/dev/net/tun", 0o666)
    # What systemd does for a user's service: the cgroup we are in is the user's to divide.
    for _, point, _ in cgroup_trees():
        for d in (point, f"{point}/caisson-test-leaf"):
            for name in ("", "cgroup.procs", "tasks", "cgroup.subtree_control", "cgroup.threads"):
                if os.path.exists(f"{d}/{name}"):
                    os.chown(f"{d}/{name}", USER, USER)
    os.chmod(base, 0o755)
    os.chown(base, USER, USER)
    os.setgroups([])
    os.setresgid(USER, USER, 0)
    os.setresuid(USER, USER, 0)


class as_root:
    """with as_root(): what an ordinary user may not do."""
    def __enter__(self):
        self.was = os.geteuid()
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)

    def __exit__(self, *_):
        os.setresgid(self.was, self.was, 0)
        os.setresuid(self.was, self.was, 0)


def settle_inside():
    """First thing in the new namespaces: loopback up, our own cgroup trees in place of the host's."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    trees = list(cgroup_trees()) if os.environ.get("CAISSON_TEST_CGROUPS") else []
    # sysfs shows the links of the network namespace it was mounted in.
    host_sys = tempfile.mkdtemp(dir=os.environ[INSIDE])
    subprocess.run(["mount", "--rbind", "/sys", host_sys], check=True)
    subprocess.run(["mount", "-t", "sysfs", "sysfs", "/sys"], check=True)
    subprocess.run(["mount", "--rbind", host_sys + "/fs/cgroup", "/sys/fs/cgroup"], check=True)
    subprocess.run(["umount", "-l", host_sys], check=True)
    os.rmdir(host_sys)
    private_run()
    if not trees:
        return
    single = len(trees) == 1 and trees[0][1] == "/sys/fs/cgroup"
    if not single:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/sys/fs/cgroup"], check=True)
    for ctrl, point, _ in trees:
        os.makedirs(point, exist_ok=True)
        if ctrl is None:
            cmd = ["mount", "-t", "cgroup2", "cgroup2", point]
        else:
            cmd = ["mount", "-t", "cgroup", "-o", f"none,{ctrl}" if ctrl.startswith("name=") else ctrl, "cgroup", point]
        subprocess.run(cmd, check=True)
        # cgroup v2 hands controllers down only from a cgroup without processes of its own.
        with open(f"{point}/caisson-test-leaf/cgroup.procs", "w") as f:
            f.write("0")


def private_run():
    """A /run and a /dev/shm of our own: other engines keep state at fixed places there (containerd's shim gives its runtime
    /run/containerd/runc as the root, podman its locks a name in /dev/shm), and two files, or two suites, met in it."""
    resolv = os.path.realpath("/etc/resolv.conf")
    text = open(resolv, "rb").read() if resolv.startswith("/run/") and os.path.exists(resolv) else None
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"], check=True)
    os.mkdir("/run/lock")
    os.chmod("/run/lock", 0o1777)
    if os.path.isdir("/dev/shm"):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", os.path.realpath("/dev/shm")], check=True)
    if text is not None:
        os.makedirs(os.path.dirname(resolv), exist_ok=True)
        pathlib.Path(resolv).write_bytes(text)


def inner_init():
    """Become PID 1 of the namespace: reap orphans and pass on the exit code of the child that tests."""
    child = os.fork()
    if child == 0:
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            os._exit(os.waitstatus_to_exitcode(status) & 0xff)


def on_alarm(signum, frame):
    raise Failed("time-out")


def run_one(number, entry, env):
    name, fn, needs, timeout = entry
    t0 = time.monotonic()
    try:
        missing = missing_needs(needs)
        if missing:
            raise Skip(f"needs {', '.join(missing)}")
        before = env.left()
        signal.setitimer(signal.ITIMER_REAL, LONGER * timeout)
        fn(env)
        signal.setitimer(signal.ITIMER_REAL, 0)
        env.check_nothing_left(before)
    except Skip as s:
        print(f"ok {number} - {name} # SKIP {s}", flush=True)
        return 0
    except Exception as e:
        signal.setitimer(signal.ITIMER_REAL, 0)
        text = str(e) if isinstance(e, Failed) else traceback.format_exc()
        at = [f for f in traceback.extract_tb(e.__traceback__) if "caisson_test.py" not in f.filename]
        where = f"{os.path.relpath(at[-1].filename, TOP)}:{at[-1].lineno}: " if at else ""
        for line in (where + text).splitlines():
            print(f"# {line}")
        print(f"not ok {number} - {name} ({time.monotonic() - t0:.1f} s)", flush=True)
        env.clear()
        return 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    print(f"ok {number} - {name} ({time.monotonic() - t0:.1f} s)", flush=True)
    return 0


def selected(names):
    return [t for t in TESTS if not names or any(t[0] == n or (n.endswith("*") and t[0].startswith(n[:-1])) for n in names)]


def main(isolation=None, setup=None, user=False):
    """Run the file's tests (or those named as arguments).  isolation: what `run` gets as --isolation.
    setup(env): once, before the first test.  user: as an ordinary user with subordinate ids."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    # A shell that starts us in the background has told us, and all that we start, to ignore these.
    for sig in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(sig, signal.default_int_handler if sig == signal.SIGINT else signal.SIG_DFL)
    chosen = selected(sys.argv[1:])
    if not os.environ.get(INSIDE) and os.geteuid() == 0:
        sys.exit(World().run())
    if os.environ.get(INSIDE):
        settle_inside()
        inner_init()
    base = os.environ.get(INSIDE) or tempfile.mkdtemp(prefix="caisson-test-", dir="/var/tmp")
    user = user or bool(os.environ.get("CAISSON_TEST_AS_USER"))     # any file, to look for what root alone can do
    if user and os.environ.get(INSIDE) and can_rootless():
        settle_user(base)
    signal.signal(signal.SIGALRM, on_alarm)
    env = Env(base, isolation)
    print(f"1..{len(chosen)}", flush=True)
    if not chosen:
        print("# no test of that name")
        sys.exit(1)
    if setup:
        setup(env)
    failed = sum(run_one(n, t, env) for n, t in enumerate(chosen, 1))
    sys.stdout.flush()
    # Nothing of the test outlives it: PID 1 of the namespace ends with us, and everything in it.
    os._exit(1 if failed else 0)
