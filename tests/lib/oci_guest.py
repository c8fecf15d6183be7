# SPDX-License-Identifier: Apache-2.0
"""A machine of ours as a host: a second caisson-oci makes containers in the guest, whose kernel has only cgroup v2.

The guest's first container has every privilege there; its root is a directory of this machine, shared.
"""
import json, os, pathlib, re, shutil, subprocess

from caisson_test import BUILD, check, same, wait_for
from oci_bundle import CAPS, Runtime, make_rootfs, spec

NEEDS = "root,qemu,kernel"
PATIENCE = 300
ALL_CAPS = sorted({*CAPS, *("CAP_" + n for n in """SYS_ADMIN SYS_CHROOT MKNOD NET_ADMIN NET_RAW SYS_PTRACE SYS_RESOURCE DAC_READ_SEARCH AUDIT_WRITE
    SETFCAP SYS_NICE BPF PERFMON SYSLOG IPC_LOCK CHECKPOINT_RESTORE SYS_MODULE SYS_TIME SYS_TTY_CONFIG SYS_PACCT SYS_BOOT IPC_OWNER LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE""".split())})
GROUP = "/sys/fs/cgroup/inner"
MIB = 1 << 20


def with_libraries(program, root, to=""):
    """A dynamic program, into the directory `to` of root, and what it is linked with at the same paths below root."""
    (root / to).mkdir(parents=True, exist_ok=True)
    shutil.copy(program, root / to)
    for path in re.findall(r"(/\S+) \(0x", subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout):
        to = root / path[1:]
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, to)


class Guest:
    """A machine and the containers in it."""
    def __init__(self, env, memory=320 * MIB):
        self.oci = Runtime(env)
        c = spec("/bin/cat")
        c["process"]["capabilities"] = {k: ALL_CAPS for k in ("bounding", "effective", "permitted")}
        c["process"]["noNewPrivileges"] = False
        c["process"]["rlimits"] = []
        # No cgroup namespace and every device: the guest's whole tree, as its first process sees it.
        c["linux"] = {"namespaces": [{"type": t} for t in ("pid", "mount", "ipc", "uts")], "resources": {"memory": {"limit": memory}}}
        c["linux"]["resources"]["devices"] = [{"allow": True, "access": "rwm"}]
        c["mounts"] = [m for m in c["mounts"] if m["destination"] != "/sys/fs/cgroup"]
        c["mounts"].append({"destination": "/run", "type": "tmpfs", "source": "tmpfs"})
        for m in c["mounts"]:
            if m["destination"] == "/sys":
                m["options"].remove("ro")
        self.bundle = self.oci.bundle(c)
        self.root = self.bundle / "rootfs"
        make_rootfs(self.root / "inner")
        shutil.copy(BUILD / "caisson-oci", self.root)
        r, w = os.pipe()
        self.stdin = w
        a = [self.oci.binary, "--root", str(self.oci.root), "--isolation=vm", "run", "--bundle", str(self.bundle), "g"]
        self.p = subprocess.Popen(a, stdin=r, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        os.close(r)
        wait_for(lambda: self.p.poll() is not None or self.oci("exec", "g", "/bin/true").code == 0, PATIENCE, every=0.2)
        check(self.p.poll() is None, self.p)
        self.ok("mount -t cgroup2 cgroup2 /sys/fs/cgroup")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.stdin)
        self.p.communicate(timeout=PATIENCE)
        self.oci("delete", "--force", "g")

    def sh(self, script):
        return self.oci("exec", "g", "/bin/sh", "-c", script, timeout=PATIENCE)

    def ok(self, script):
        r = self.sh(script)
        same(r.code, 0, f"{script}: {r.out} {r.err}: exit code")
        return r.out

    def load(self, group):
        """Modules of the guest's kernel that tools/kernel-fetch has put aside as this group."""
        kernel = sorted((BUILD / "share/caisson/kernels").iterdir())[-1]
        names = json.loads((kernel / "kernel.json").read_text())["modules"].get(group, [])
        check(names, f"{kernel} has no modules of group {group}: run tools/kernel-fetch again")
        (self.root / "modules").mkdir()
        for n in names:
            shutil.copy(kernel / "modules" / n, self.root / "modules")
        self.ok("cd /modules && for m in " + " ".join(names) + "; do insmod $m || exit 1; done")

    def read(self, name):
        return self.ok(f"cat {GROUP}/{name}").strip()

    def config(self, name, *args, resources=None, mounts=(), **linux):
        """A bundle; returns a command line with a place for the command and its options."""
        c = spec(*args)
        c["root"]["path"] = "/inner"
        c["process"]["capabilities"] = {k: [*CAPS, "CAP_MKNOD"] for k in ("bounding", "effective", "permitted")}
        c["linux"]["cgroupsPath"] = f"/inner/{name}"
        c["linux"]["resources"].update(resources or {})
        c["linux"].update(linux)
        c["mounts"] += mounts
        d = self.root / "bundles" / name
        d.mkdir(parents=True)
        (d / "config.json").write_text(json.dumps(c))
        return f"/caisson-oci --root /run/s %s --bundle /bundles/{name} {name}"

    def run(self, name, *args, **kw):
        return self.sh(self.config(name, *args, **kw) % "run --keep")
