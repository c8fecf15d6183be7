# SPDX-License-Identifier: Apache-2.0
"""caisson-oci in runc's place under the distribution's own engines: containerd, podman and dockerd.

One list of behaviours for all three; an engine is a class that knows the words of its command line.
"""
import concurrent.futures, hashlib, io, json, os, pathlib, re, shutil, signal, subprocess, tarfile

from caisson_test import BUILD, NEEDS, TOP, Failed, Tty, check, main, same, test, wait_for, which

RUNTIME = BUILD / "caisson-oci"
IMAGE = "docker.io/library/tiny:latest"
APPLETS = "sh true echo cat sleep ls id dd stty kill test tail head tr".split()
PARALLEL = 50

NEEDS["containerd"] = lambda: which("containerd", "ctr")
NEEDS["dockerd"] = lambda: which("dockerd", "docker", "containerd")


def busybox():
    return next(p for p in ("/bin/busybox", "/usr/bin/busybox") if os.path.exists(p))


def add(tar, name, data=b"", **kw):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for k, v in kw.items():
        setattr(info, k, v)
    tar.addfile(info, io.BytesIO(data))


def make_image(path):
    """A docker archive with one layer: static busybox and its applets."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as t:
        for d in ("bin", "dev", "etc", "proc", "root", "sys", "tmp"):
            add(t, d, type=tarfile.DIRTYPE, mode=0o755)
        add(t, "bin/busybox", pathlib.Path(busybox()).read_bytes(), mode=0o755)
        for a in APPLETS:
            add(t, f"bin/{a}", type=tarfile.SYMTYPE, linkname="busybox")
        add(t, "etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n", mode=0o644)
        add(t, "etc/group", b"root:x:0:\n", mode=0o644)
    diff = "sha256:" + hashlib.sha256(layer.getvalue()).hexdigest()
    config = json.dumps({"architecture": os.uname().machine.replace("x86_64", "amd64"), "os": "linux",
                         "config": {"Cmd": ["sh"], "Env": ["PATH=/bin"]}, "history": [{"created_by": "test"}],
                         "rootfs": {"type": "layers", "diff_ids": [diff]}}).encode()
    name = hashlib.sha256(config).hexdigest() + ".json"
    with tarfile.open(path, "w") as t:
        add(t, name, config)
        add(t, "layer.tar", layer.getvalue())
        add(t, "manifest.json", json.dumps([{"Config": name, "RepoTags": [IMAGE], "Layers": ["layer.tar"]}]).encode())


def call(argv, stdin=b"", timeout=300, **kw):
    return subprocess.run([str(a) for a in argv], input=stdin, capture_output=True, timeout=timeout, **kw)


def good(argv, **kw):
    p = call(argv, **kw)
    if p.returncode:
        raise Failed(f"{argv} ended with {p.returncode}: {p.stderr.decode(errors='replace')[-2000:]}")
    return p.stdout.decode()


class Daemon:
    """A server process whose socket answers, ended with all that it made."""
    def __init__(self, dir, argv, probe):
        self.log = open(dir / "log", "wb")
        self.p = subprocess.Popen([str(a) for a in argv], stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        wait_for(lambda: self.p.poll() is not None or call(probe).returncode == 0, 60, f"{argv[0]} answers")
        if self.p.poll() is not None:
            raise Failed(f"{argv[0]} ended: {(dir / 'log').read_text()[-2000:]}")

    def stop(self):
        self.p.terminate()
        self.p.wait(120)
        self.log.close()


class Containerd:
    tty_prefix = []
    more = []

    def __init__(self, dir, image):
        self.dir = dir
        (dir / "config.toml").write_text(f'version = 2\nroot = "{dir}/root"\nstate = "{dir}/state"\n'
                                         f'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\naddress = "{dir}/s"\n')
        self.ctr = ["ctr", "--address", dir / "s"]
        self.daemon = Daemon(dir, ["containerd", "--config", dir / "config.toml"], [*self.ctr, "version"])
        good([*self.ctr, "images", "import", image])

    def run_argv(self, name, *cmd, tty=False, detach=False, memory=None):
        return [*self.ctr, "run", "--runc-binary", RUNTIME, "--snapshotter", "native", *(["--rm"] if not detach else ["--detach"]),
                *(["--tty"] if tty else []), *(["--memory-limit", str(memory)] if memory else []), *self.more, IMAGE, name, *cmd]

    def exec_argv(self, name, *cmd):
        return [*self.ctr, "tasks", "exec", "--exec-id", f"e{os.urandom(4).hex()}", name, *cmd]

    def kill(self, name, sig):
        good([*self.ctr, "tasks", "kill", "--signal", sig, name])

    def wait_ended(self, name):
        wait_for(lambda: re.search(rf"^{name}\s+\d+\s+STOPPED", good([*self.ctr, "tasks", "ls"]), re.M), 20, "task ended")

    def remove(self, name):
        # `tasks rm` warns of an exit status that is not 0, and has no other way to tell it.
        m = re.search(rb"exit code (\d+)", call([*self.ctr, "tasks", "rm", name]).stderr)
        good([*self.ctr, "containers", "rm", name])
        return int(m[1]) if m else 0

    def oom_reported(self, name):
        events = subprocess.Popen([*map(str, self.ctr), "events"], stdout=subprocess.PIPE)
        self.hog(name)
        out = b""
        while b"/tasks/oom" not in out and b"/tasks/exit" not in out:
            line = events.stdout.readline()
            if not line:
                break
            out += line
        # Both events come from one reader of the shim; the exit may be printed first.
        if b"/tasks/oom" not in out:
            out += events.stdout.readline()
        events.kill()
        events.wait()
        events.stdout.close()
        return b"/tasks/oom" in out

    def hog(self, name):
        call(self.run_argv(name, *HOG, memory=HOG_LIMIT))

    def stop(self):
        self.daemon.stop()


class Podman:
    more = []

    def __init__(self, dir, image):
        self.dir = dir
        self.podman = ["podman", "--root", dir / "root", "--runroot", dir / "run", "--tmpdir", dir / "tmp", "--storage-driver", "vfs",
                       "--cgroup-manager", "cgroupfs", "--events-backend", "file", "--runtime", RUNTIME]
        good([*self.podman, "load", "-i", image])

    def run_argv(self, name, *cmd, tty=False, detach=False, memory=None):
        return [*self.podman, "run", "--network", "none", "--name", name, *(["-d"] if detach else ["--rm"] if not memory else []), "-i",
                *(["-t"] if tty else []), *(["--memory", str(memory), "--memory-swap", str(memory)] if memory else []), *self.more, IMAGE, *cmd]

    def exec_argv(self, name, *cmd):
        return [*self.podman, "exec", "-i", name, *cmd]

    def kill(self, name, sig):
        good([*self.podman, "kill", "--signal", sig, name])

    def wait_ended(self, name):
        good([*self.podman, "wait", name])

    def remove(self, name):
        code = int(good([*self.podman, "inspect", "--format", "{{.State.ExitCode}}", name]))
        good([*self.podman, "rm", "-f", name])
        return code

    # What inspect must say.  podman 4.3's conmon does not notice an OOM kill on a cgroup v1 host, whichever
    # the runtime: with it the exit code alone tells.
    after_oom = "{{.State.ExitCode}}", "137"

    def oom_reported(self, name):
        call(self.run_argv(name, *HOG, memory=HOG_LIMIT))
        said = good([*self.podman, "inspect", "--format", self.after_oom[0], name]).strip()
        good([*self.podman, "rm", "-f", name])
        return said == self.after_oom[1]

    def stop(self):
        call([*self.podman, "rm", "-f", "-a"])
        call(["umount", "-R", self.dir / "root/vfs"])


class Docker(Podman):
    after_oom = "{{.State.OOMKilled}} {{.State.ExitCode}}", "true 137"

    def __init__(self, dir, image):
        self.dir = dir
        self.podman = ["docker", "--host", f"unix://{dir}/s"]
        runtime = {"path": str(RUNTIME), "runtimeArgs": ["--isolation=vm"]}
        (dir / "daemon.json").write_text(json.dumps({"runtimes": {"caisson-vm": runtime}}))
        self.daemon = Daemon(dir, ["dockerd", "--config-file", dir / "daemon.json", "--data-root", dir / "root", "--exec-root", dir / "exec",
                                   "--pidfile", dir / "pid", "--host", f"unix://{dir}/s", "--bridge=none", "--iptables=false",
                                   "--ip-masq=false", "--storage-driver=vfs", "--add-runtime", f"caisson={RUNTIME}",
                                   "--default-runtime=caisson"], [*self.podman, "version"])
        good([*self.podman, "load", "-i", image])

    def stop(self):
        self.daemon.stop()
        for m in [line.split()[4] for line in open("/proc/self/mountinfo") if line.split()[4].startswith(str(self.dir))][::-1]:
            call(["umount", "-l", m])


# The same engines with every instance in a virtual machine: by annotation, by option.
class ContainerdVm(Containerd):
    more = ["--annotation", "io.caisson.isolation=vm"]


class PodmanVm(Podman):
    more = ContainerdVm.more


class DockerVm(Docker):
    more = ["--runtime", "caisson-vm"]


# Touches memory until the limit ends it: tail keeps what it reads until a line ends.  The shell lives on
# for a moment, because conmon learns of an OOM kill only while the cgroup is there.
HOG = ["sh", "-c", "tr '\\0' x </dev/zero | tail -n 1; c=$?; sleep 0.5; exit $c"]
HOG_LIMIT = 24 << 20


class Engine:
    """with Engine(cls, env): started, and everything it made ended afterwards."""
    def __init__(self, cls, env):
        self.cls, self.env = cls, env

    def __enter__(self):
        self.dir = self.env.tmp / self.cls.__name__.lower()
        self.dir.mkdir()
        # conmon leaves a file "oom" where it was started.
        os.chdir(self.dir)
        image = self.dir / "tiny.tar"
        make_image(image)
        self.e = self.cls(self.dir, image)
        return self.e

    def __exit__(self, *exc):
        self.e.stop()
        os.chdir("/")
        shutil.rmtree(self.dir)
        # The engines keep their parent cgroups; they are empty.
        for d, sub, _ in os.walk("/sys/fs/cgroup", topdown=False):
            for s in sub:
                if s in ("default", "docker", "libpod_parent", "conmon") or s.startswith("libpod-"):
                    subprocess.run(["find", os.path.join(d, s), "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"], capture_output=True)


def output_and_exit_code(e):
    p = call(e.run_argv("ta", "sh", "-c", "echo out; echo err >&2; exit 7"))
    same(p.returncode, 7, f"exit code (stderr {p.stderr[-300:]})")
    same(p.stdout, b"out\n", "stdout")
    check(b"err\n" in p.stderr, f"stderr is {p.stderr}")


def stdin_reaches_the_process(e):
    if isinstance(e, Containerd):
        return  # ctr closes stdin of a run without a terminal
    same(call(e.run_argv("tb", "cat"), stdin=b"hello\n").stdout, b"hello\n", "stdout")


def a_terminal_has_a_size(e):
    # ctr and podman set the size right after the start, so the process asks until it has one.
    t = Tty([str(a) for a in e.run_argv("tc", "sh", "-c", "echo begin; until test \"$(stty size)\" = '31 97'; do sleep 0.05; done; stty size; read x", tty=True)], dict(os.environ), rows=31, cols=97)
    t.until("begin")
    t.until("31 97")
    t.send("\n")  # what a process says at its very end, ctr does not always read
    same(t.finish().code, 0, "exit code")


def limits_change(e):
    # ctr has no update; dockerd's goes through containerd and its shim.
    if isinstance(e, Docker):
        good([*e.podman, "update", "--pids-limit", "41", "td"])
        same(good(e.exec_argv("td", "sh", "-c", "cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max 2>/dev/null; :")), "41\n", "pids.max after an update")


def exec_kill_and_status(e):
    good(e.run_argv("td", "sh", "-c", "trap 'exit 9' TERM; echo up; while :; do sleep 0.05; done", detach=True))
    same(call(e.exec_argv("td", "sh", "-c", "echo in; exit 5")).returncode, 5, "exit code of exec")
    check("uid=0" in good(e.exec_argv("td", "id")), "id in exec")
    limits_change(e)
    e.kill("td", "SIGTERM")
    e.wait_ended("td")
    same(e.remove("td"), 9, "exit code")


def a_missing_command_is_said(e):
    p = call(e.run_argv("tm", "no-such-command"))
    check(p.returncode != 0 and b"no-such-command" in p.stderr and b"executable file not found" in p.stderr, f"stderr {p.stderr}")
    call([*getattr(e, "podman", ["true"]), "rm", "-f", "tm"])
    if isinstance(e, Containerd):
        call([*e.ctr, "containers", "rm", "tm"])


def oom_kill_is_reported(e):
    check(e.oom_reported("to"), "the engine did not learn of the OOM kill")
    if isinstance(e, Containerd):
        call([*e.ctr, "containers", "rm", "to"])


def fifty_at_once(e):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda i: call(e.run_argv(f"tp{i}", "sh", "-c", f"exit {i}")).returncode, range(PARALLEL)))
    same(codes, list(range(PARALLEL)), "exit codes")


BEHAVIOURS = [output_and_exit_code, stdin_reaches_the_process, a_terminal_has_a_size, exec_kill_and_status, a_missing_command_is_said,
              oom_kill_is_reported, fifty_at_once]


def it_is_another_kernel(e):
    release = call(e.run_argv("tk", "cat", "/proc/sys/kernel/osrelease"))
    same(release.returncode, 0, f"exit code (stderr {release.stderr[-300:]})")
    check(release.stdout.decode().strip() not in ("", os.uname().release), f"release {release.stdout}")


VM_BEHAVIOURS = [it_is_another_kernel, output_and_exit_code, stdin_reaches_the_process, a_terminal_has_a_size, exec_kill_and_status]


def all_of(cls, env, behaviours=BEHAVIOURS):
    with Engine(cls, env) as e:
        for b in behaviours:
            try:
                b(e)
            except Exception as x:
                raise Failed(f"{b.__name__}: {x}") from x


@test(needs="root,containerd", timeout=300)
def under_containerd(env):
    all_of(Containerd, env)


@test(needs="root,containerd")
def containerd_takes_the_runtime_class_of_the_documentation(env):
    text = (TOP / "docs/containerd.md").read_text()
    f = env.tmp / "config.toml"
    f.write_text(re.search(r"```toml\n(.*?)```", text, re.S)[1])
    dump = good(["containerd", "--config", f, "config", "dump"])
    section = re.search(r'runtimes\.caisson\]\n(.*?)runtimes\.caisson\.options\]\n\s*(\S[^\n]*)', dump, re.S)
    check(section, "no runtime 'caisson' in what containerd understood")
    for words in ('pod_annotations = ["io.caisson.isolation"]', 'runtime_type = "io.containerd.runc.v2"'):
        check(words in section[1], f"containerd did not take {words}")
    same(section[2], 'BinaryName = "/usr/local/bin/caisson-oci"')


@test(needs="root,podman", timeout=300)
def under_podman(env):
    all_of(Podman, env)


@test(needs="root,dockerd", timeout=300)
def under_dockerd(env):
    all_of(Docker, env)


@test(needs="root,containerd,qemu,kernel", timeout=300)
def under_containerd_in_a_vm(env):
    all_of(ContainerdVm, env, VM_BEHAVIOURS)


@test(needs="root,podman,qemu,kernel", timeout=300)
def under_podman_in_a_vm(env):
    all_of(PodmanVm, env, VM_BEHAVIOURS)


@test(needs="root,dockerd,qemu,kernel", timeout=300)
def under_dockerd_in_a_vm(env):
    all_of(DockerVm, env, VM_BEHAVIOURS)


main()
