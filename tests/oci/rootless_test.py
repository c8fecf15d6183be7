# SPDX-License-Identifier: Apache-2.0
"""caisson-oci without privilege: as an ordinary user, and as the root of a user namespace somebody else made."""
import json, os, pathlib, re, shutil, subprocess

from caisson_test import check, main, same, test, wait_for
from oci_bundle import Runtime, make_rootfs, spec

QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}

SILENT = {k: v for k, v in QUIET.items() if k != "stdin"}


def world(env, owner):
    oci = Runtime(env)
    for d in (env.base, env.tmp, oci.base):
        os.chmod(d, 0o755)
    binary = oci.base / "caisson-oci"
    shutil.copy(oci.binary, binary)
    (oci.base / "b").mkdir()
    make_rootfs(oci.base / "b/rootfs")
    subprocess.run(["chown", "-R", f"{owner}:{owner}", oci.base], check=True)
    return oci, binary


def behave(prefix, oci, binary):
    b = oci.base / "b"

    def call(*args, **kw):
        kw = kw or {"capture_output": True, "stdin": subprocess.DEVNULL}
        return subprocess.run([*prefix, str(binary), "--root", str(oci.base / "state"), *map(str, args)], cwd=b, timeout=300, text=True, **kw)

    def configure(*args):
        (b / "config.json").unlink(missing_ok=True)
        same(call("spec", "--rootless", "-b", b).returncode, 0, "spec")
        c = json.loads((b / "config.json").read_text())
        c["root"]["readonly"] = False
        c["process"].update(terminal=False, args=list(args))
        (b / "config.json").write_text(json.dumps(c))
        os.chmod(b / "config.json", 0o644)
    configure("/bin/sh", "-c", "id -u; cat /proc/self/setgroups; touch /dev/shm/x /tmp/x && echo wrote; exit 3")
    r = call("run", "-b", b, "c1")
    same((r.returncode, r.stdout), (3, "0\ndeny\nwrote\n"), f"run: {r.stderr}")
    configure("/bin/sleep", "100")
    same(call("run", "-d", "-b", b, "c2", **QUIET).returncode, 0, "run -d")
    r = call("exec", "c2", "sh", "-c", "id -u; readlink /proc/1/ns/user; readlink /proc/self/ns/user; exit 4")
    out = r.stdout.split()
    check(r.returncode == 4 and out[0] == "0" and out[1] == out[2], f"exec: {r.returncode} {r.stdout} {r.stderr}")
    r = call("exec", "-t", "c2", "tty")
    check(r.returncode == 0 and "/dev/pts/" in r.stdout, f"exec -t: {r.stdout} {r.stderr}")
    same(json.loads(call("state", "c2").stdout)["status"], "running", "status")
    same(call("create", "-b", b, "c3", **QUIET).returncode, 0, "create")
    r = call("exec", "c3", "echo", "early")
    same((r.returncode, r.stdout), (0, "early\n"), f"exec in a created instance: {r.stderr}")
    same(call("delete", "-f", "c3").returncode, 0, "delete of a created one")
    c = json.loads((b / "config.json").read_text())
    c["linux"]["devices"] = [{"path": "/dev/ptmx", "type": "c", "major": 5, "minor": 2}]
    c["process"]["args"] = ["/bin/readlink", "/dev/ptmx"]
    c["mounts"] = [m for m in c["mounts"] if m["type"] not in ("cgroup", "cgroup2")]
    (b / "config.json").write_text(json.dumps(c))
    r = call("run", "-b", b, "c4")
    same((r.returncode, r.stdout), (0, "pts/ptmx\n"), f"/dev/ptmx listed as a device: {r.stderr}")
    c["mounts"] = [m for m in c["mounts"] if m["destination"] not in ("/sys", "/sys/fs/cgroup")]
    c["mounts"].append({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["nosuid", "noexec", "nodev"]})
    c["process"]["args"] = ["/bin/sh", "-c", "ls /sys/fs/cgroup | wc -l; mkdir /sys/fs/cgroup/x /sys/fs/cgroup/*/x 2>/dev/null || echo refused"]
    (b / "config.json").write_text(json.dumps(c))
    r = call("run", "-b", b, "c5")
    check(r.returncode == 0 and int(r.stdout.split()[0]) > 0 and r.stdout.endswith("refused\n"), f"cgroups to read: {r.stdout} {r.stderr}")
    r = call("delete", "-f", "c2")
    same((r.returncode, r.stderr), (0, ""), "delete")
    same([n for n in os.listdir(oci.base / "state") if not n.startswith(".")], [], "state left")


@test(needs="root,userns")
def as_an_ordinary_user(env):
    oci, binary = world(env, 1000)
    behave(["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups"], oci, binary)


@test(needs="root,userns")
def as_root_of_a_user_namespace_with_own_mounts(env):
    oci, binary = world(env, 0)
    hold = subprocess.Popen(["unshare", "-r", "-m", "sleep", "1000"])
    try:
        # It has its map before it becomes the program.
        wait_for(lambda: pathlib.Path(f"/proc/{hold.pid}/comm").read_text() == "sleep\n", what="namespaces")
        behave(["nsenter", "-t", str(hold.pid), "-U", "-m", "--preserve-credentials"], oci, binary)
    finally:
        hold.kill()
        hold.wait()


@test(needs="root,userns")
def as_root_of_a_user_namespace_in_the_hosts_mounts(env):
    oci, binary = world(env, 0)
    hold = subprocess.Popen(["unshare", "-r", "sleep", "1000"])
    try:
        # It has its map before it becomes the program.
        wait_for(lambda: pathlib.Path(f"/proc/{hold.pid}/comm").read_text() == "sleep\n", what="namespaces")
        behave(["nsenter", "-t", str(hold.pid), "-U", "--preserve-credentials"], oci, binary)
    finally:
        hold.kill()
        hold.wait()


@test(needs="root,userns")
def what_needs_privilege_is_refused_by_name(env):
    oci, binary = world(env, 1000)
    b = oci.base / "b"
    c = spec("/bin/true")
    (b / "config.json").write_text(json.dumps(c))
    r = subprocess.run(["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", str(binary), "--root", str(oci.base / "state"), "run", "c1"],
                       cwd=b, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    check(r.returncode == 1 and "user namespace" in r.stderr, f"{r.returncode} {r.stderr}")


@test(needs="root,userns")
def limits_and_commands_without_delegation(env):
    oci, binary = world(env, 1000)
    b = oci.base / "b"
    prefix = ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", str(binary), "--root", str(oci.base / "state")]

    def call(*args, **kw):
        return subprocess.run([*prefix, *map(str, args)], cwd=b, text=True, timeout=300, stdin=subprocess.DEVNULL, **(kw or {"capture_output": True}))
    same(call("spec", "--rootless", "-b", b).returncode, 0, "spec")
    c = json.loads((b / "config.json").read_text())
    c["process"].update(terminal=False, args=["/bin/sleep", "1000"])
    c["linux"]["resources"] = {"memory": {"limit": 64 << 20}, "pids": {"limit": 10}}
    (b / "config.json").write_text(json.dumps(c))
    r = call("run", "-d", "c1")
    check(r.returncode == 1 and "memory" in r.stderr and re.search("delegated|give it to the user", r.stderr) and len(r.stderr.strip().split("\n")) == 1, f"{r.returncode} {r.stderr}")
    check(not (oci.base / "state/c1").exists(), "state of a refused instance")
    del c["linux"]["resources"]
    # A path that was asked for is used or refused; without one the instance goes without a cgroup.
    for path in ("/asked-for", "asked/for"):
        c["linux"]["cgroupsPath"] = path
        (b / "config.json").write_text(json.dumps(c))
        r = call("run", "-d", "c1")
        check(r.returncode == 1 and "cgroupsPath" in r.stderr and "ermission denied" in r.stderr and len(r.stderr.strip().split("\n")) == 1, f"{path}: {r.returncode} {r.stderr}")
        check(not (oci.base / "state/c1").exists(), f"{path}: state of a refused instance")
    del c["linux"]["cgroupsPath"]
    (b / "config.json").write_text(json.dumps(c))
    same(call("run", "-d", "c1", **SILENT).returncode, 0, "run -d")
    for args, word in ((["update", "--pids-limit", "5", "c1"], "pids"), (["pause", "c1"], "cgroup|freez"), (["events", "--stats", "c1"], "cgroup"),
                       (["checkpoint", "c1"], "root")):
        r = call(*args)
        check(r.returncode == 1 and re.search(word, r.stderr) and len(r.stderr.strip().split("\n")) == 1, f"{args}: {r.returncode} {r.stderr}")
    same(call("kill", "c1", "KILL").returncode, 0, "kill")
    wait_for(lambda: json.loads(call("state", "c1").stdout)["status"] == "stopped", what="stopped")
    same(call("delete", "c1").returncode, 0, "delete")


@test(needs="root,userns", timeout=120)
def inside_another_container_of_ours(env):
    oci = Runtime(env)
    c = spec("/bin/sleep", "1000")
    caps = ["CAP_" + n for n in """CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP NET_ADMIN SYS_CHROOT SYS_ADMIN SYS_PTRACE MKNOD
                                   SETFCAP SYS_RESOURCE AUDIT_WRITE NET_BIND_SERVICE""".split()]
    c["process"].update(noNewPrivileges=False, capabilities={k: caps for k in ("bounding", "effective", "permitted")}, rlimits=[])
    c["linux"].update(maskedPaths=[], readonlyPaths=[], resources={"devices": [{"allow": True, "access": "rwm"}]})
    for m in c["mounts"]:
        if m["type"] == "cgroup":
            m["options"].remove("ro")
    c["mounts"].append({"destination": "/run", "type": "tmpfs", "source": "tmpfs"})
    b = oci.bundle(c)
    root = b / "rootfs"
    shutil.copy(oci.binary, root / "caisson-oci")
    oci("run", "-d", "-b", b, "outer", **SILENT).ok()
    for name, make in (("plain", ["/caisson-oci", "spec"]), ("rootless", ["/caisson-oci", "spec", "--rootless"])):
        d = root / name
        make_rootfs(d / "rootfs")
        oci("exec", "--cwd", f"/{name}", "outer", *make).ok()
        inner = json.loads((d / "config.json").read_text())
        inner["root"]["readonly"] = False

        def configure(*args):
            inner["process"].update(terminal=False, args=list(args))
            (d / "config.json").write_text(json.dumps(inner))

        def call(*args, **kw):
            return oci("exec", "--cwd", f"/{name}", "outer", "/caisson-oci", "--root", "/run/s", *args, **kw)
        configure("/bin/sh", "-c", "echo $$; id -u; hostname; exit 3")
        r = call("run", "a")
        same((r.code, r.out.split()[:2]), (3, ["1", "0"]), f"{name}: run: {r.err}")
        configure("/bin/sleep", "1000")
        same(call("run", "-d", "a", **SILENT).code, 0, f"{name}: run -d")
        r = call("exec", "a", "/bin/sh", "-c", "readlink /proc/self/ns/pid; readlink /proc/1/ns/pid; exit 4")
        check(r.code == 4 and len(set(r.out.split())) == 1, f"{name}: exec: {r.code} {r.out} {r.err}")
        r = call("exec", "-t", "a", "tty")
        check(r.code == 0 and "/dev/pts/" in r.out, f"{name}: exec -t: {r.out} {r.err}")
        call("kill", "a", "KILL").ok()
        wait_for(lambda: call("state", "a").json()["status"] == "stopped", what=f"{name}: stopped")
        call("delete", "a").ok()
        same(oci("exec", "outer", "ls", "/run/s").ok().out, "", f"{name}: state left")
    oci("delete", "-f", "outer").ok()


main()
