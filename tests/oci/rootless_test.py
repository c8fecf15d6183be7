# SPDX-License-Identifier: Apache-2.0
"""caisson-oci without privilege: as an ordinary user, and as the root of a user namespace somebody else made."""
import json, os, shutil, subprocess, time

from caisson_test import check, main, same, test
from oci_bundle import Runtime, make_rootfs, spec

QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}


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
        return subprocess.run([*prefix, str(binary), "--root", str(oci.base / "state"), *map(str, args)], cwd=b, timeout=60, text=True, **kw)

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
        time.sleep(0.3)
        behave(["nsenter", "-t", str(hold.pid), "-U", "-m", "--preserve-credentials"], oci, binary)
    finally:
        hold.kill()
        hold.wait()


@test(needs="root,userns")
def as_root_of_a_user_namespace_in_the_hosts_mounts(env):
    oci, binary = world(env, 0)
    hold = subprocess.Popen(["unshare", "-r", "sleep", "1000"])
    try:
        time.sleep(0.3)
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


main()
