# SPDX-License-Identifier: Apache-2.0
# timeout: 300
"""fuse-overlayfs as an ordinary user."""
import os

os.environ["CAISSON_TEST_MORE_NEEDS"] = ",rootless"
import fuse_cases  # noqa: E402
import fuse_setup  # noqa: E402
from caisson_test import main, same, test  # noqa: E402

T = fuse_cases.T


@test(needs=fuse_cases.NEEDS)
def ids_are_shown_where_the_kernel_shifts_none(env):
    """Of its own accord: what an ordinary user's --userns needs, the kernel has for few file systems."""
    env.os_env.pop(fuse_setup.DRIVER)
    try:
        for mode, me in (("keep-id", "4242:4242"), ("keep-id:uid=7,gid=8", "7:8"), ("auto", "0:0"), ("nomap", "0:0")):
            out = env.run("run", "--name", "ids", "--userns", mode, "--network", "none", T, "sh", "-c",
                          "echo $(id -u):$(id -g); stat -c %u:%g /bin /etc/group; rm -rf /tmp/x; echo mine >/tmp/x && stat -c %u:%g /tmp/x").ok().out.split()
            same(out, [me, "0:0", "0:0", me], f"ids with --userns {mode}")
            same(env.run("inspect", "-f", "{{.Driver}}", "ids").ok().out, "fuse-overlayfs\n", "driver")
            env.run("cp", "ids:/tmp/x", "-").ok()
            env.run("commit", "ids", "kept").ok()
            env.run("run", "--rm", "--network", "none", "kept", "stat", "-c", "%u:%g", "/tmp/x", "/etc/group").ok(out=f"{me}\n0:0\n")
            env.run("rm", "ids").ok()
            env.run("rmi", "kept").ok()
    finally:
        env.os_env[fuse_setup.DRIVER] = "fuse-overlayfs"


@test(needs=fuse_cases.NEEDS)
def with_keep_id_the_users_files_are_the_users(env):
    d = env.tmp / "mine"
    d.mkdir()
    env.run("run", "--rm", "--userns", "keep-id", "--network", "none", "-v", f"{d}:/d", "-v", "vol:/v", T, "sh", "-c",
            "touch /d/f /v/f && stat -c %u /d/f /v/f").ok(out="4242\n4242\n")
    same((d / "f").stat().st_uid, 4242, "owner outside")
    env.run("volume", "rm", "vol").ok()
    # Here the volume's owners would have to be shifted.
    env.run("run", "--rm", "--userns", "auto", "--network", "none", "-v", "vol:/v", T, "true").error(125, "ids of this file system cannot be shifted")
    env.run("volume", "rm", "-f", "vol")


main(user=True, setup=fuse_setup.setup)
