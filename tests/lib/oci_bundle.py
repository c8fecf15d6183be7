# SPDX-License-Identifier: Apache-2.0
"""OCI bundles for tests and benchmarks, and an OCI runtime to run them with.

CAISSON_OCI names another runtime with runc's command line (crun, runc) to see whether a test asks for more than
the peers do.
"""
import copy, json, os, pathlib, shutil, socket, subprocess

from caisson_test import BUILD, LEAST, Process, Result, exit_code

CAPS = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_SETGID", "CAP_SETUID", "CAP_SETFCAP",
        "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL"]
MASKED = ["/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
          "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi"]
READONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
MOUNTS = [
    {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
    {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
     "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
    {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
    {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"]},
    {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
    {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
     "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]},
]


def spec(*args):
    """Like `runc spec`, without a terminal, writable, running args."""
    caps = list(CAPS)
    return copy.deepcopy({
        "ociVersion": "1.2.0",
        "process": {
            "terminal": False, "user": {"uid": 0, "gid": 0}, "args": list(args) or ["/bin/true"],
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"], "cwd": "/",
            "capabilities": {"bounding": caps, "effective": caps, "permitted": caps},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}], "noNewPrivileges": True,
        },
        "root": {"path": "rootfs", "readonly": False}, "hostname": "tested", "mounts": MOUNTS,
        "linux": {
            "resources": {"devices": [{"allow": False, "access": "rwm"}]},
            "namespaces": [{"type": t} for t in ("pid", "network", "ipc", "uts", "mount", "cgroup")],
            "maskedPaths": MASKED, "readonlyPaths": READONLY,
        },
    })


def make_rootfs(path):
    """A root of busybox."""
    path = pathlib.Path(path)
    for d in ("bin", "proc", "sys", "dev", "tmp", "etc", "root"):
        (path / d).mkdir(parents=True, exist_ok=True)
    busybox = shutil.which("busybox")
    shutil.copyfile(busybox, path / "bin/busybox")
    (path / "bin/busybox").chmod(0o755)
    for name in subprocess.run([busybox, "--list"], capture_output=True, text=True).stdout.split():
        if name != "busybox":
            os.symlink("busybox", path / "bin" / name)
    (path / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n")
    (path / "etc/group").write_text("root:x:0:\nuser:x:1000:\n")
    return path


QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def bind(src, dst, *options):
    return {"source": str(src), "destination": dst, "type": "bind", "options": ["bind", *options]}


def mount_line(out, where):
    """(per-mount options, optional fields, type) of the mount at `where` in mountinfo text."""
    for line in out.splitlines():
        f = line.split()
        if len(f) > 4 and f[4] == where:
            sep = f.index("-")
            return f[5].split(","), f[6:sep], f[sep + 1]
    raise AssertionError(f"no mount at {where} in {out}")


class Runtime:
    """An OCI runtime with a state root and bundles below a directory of the test."""
    count = 0

    def __init__(self, env, binary=None):
        self.env = env
        self.binary = binary or os.environ.get("CAISSON_OCI", str(BUILD / "caisson-oci"))
        Runtime.count += 1
        self.base = env.tmp / f"oci{Runtime.count}"
        self.base.mkdir()
        self.root = self.base / "state"
        self.bundles = 0

    def bundle(self, config=None, *args, rootfs=True):
        self.bundles += 1
        d = self.base / f"bundle{self.bundles}"
        d.mkdir()
        if rootfs:
            make_rootfs(d / "rootfs")
        self.write(d, spec(*args) if config is None else config)
        return d

    def bundle_like(self, bundle, *args):
        """Another bundle with the same root and configuration, but other args."""
        c = json.loads((bundle / "config.json").read_text())
        c["process"]["args"] = list(args)
        c["root"]["path"] = str(bundle / "rootfs")
        return self.bundle(c, rootfs=False)

    def write(self, bundle, config):
        text = config if isinstance(config, str) else json.dumps(config)
        (bundle / "config.json").write_text(text)

    def argv(self, args):
        return [self.binary, "--root", str(self.root), *map(str, args)]

    def __call__(self, *args, stdin="", timeout=LEAST, **kw):
        a = self.argv(args)
        timeout = max(timeout, 2 * LEAST)
        if "stdout" not in kw:
            kw.update(stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        p = subprocess.run(a, input=stdin.encode(), timeout=timeout, **kw)
        return Result(a, exit_code(p.returncode), (p.stdout or b"").decode(errors="replace"), (p.stderr or b"").decode(errors="replace"))

    def start(self, *args, **kw):
        return Process(self.argv(args), dict(os.environ), **kw)

    def run(self, config, id="c1", *opts, **kw):
        """`run` of a new bundle."""
        return self("run", *opts, "--bundle", self.bundle(config), id, **kw)

    def sh(self, script, config=None, **kw):
        config = config or spec()
        config["process"]["args"] = ["/bin/sh", "-c", script]
        return self.run(config, **kw)

    def state(self, id="c1"):
        return self("state", id).json()

    def create(self, bundle, id="c1", *opts, **kw):
        """`create` gives its stdio to the process, so no pipe of ours may wait for its end."""
        out = open(self.base / f"{id}.out", "wb")
        err = open(self.base / f"{id}.err", "wb+")
        a = self.argv(["create", *opts, "--bundle", bundle, id])
        p = subprocess.run(a, stdin=subprocess.DEVNULL, stdout=out, stderr=err, timeout=2 * LEAST, **kw)
        err.seek(0)
        return Result(a, exit_code(p.returncode), "", err.read().decode(errors="replace"))

    def output(self, id="c1"):
        return (self.base / f"{id}.out").read_text()


class ConsoleSocket:
    """What --console-socket talks to."""
    def __init__(self, path):
        self.path = str(path)
        self.s = socket.socket(socket.AF_UNIX)
        self.s.bind(self.path)
        self.s.listen(1)

    def receive(self):
        c, _ = self.s.accept()
        _, fds, _, _ = socket.recv_fds(c, 4096, 1)
        c.close()
        return fds[0]
