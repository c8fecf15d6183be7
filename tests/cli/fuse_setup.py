# SPDX-License-Identifier: Apache-2.0
"""Writable roots by fuse-overlayfs, for all that a file runs."""
import os, subprocess

from caisson_test import as_root

DRIVER = "CAISSON_STORAGE_DRIVER"


def setup(env):
    """An ordinary user may not open the machine's /dev/fuse where no desktop has made it everybody's."""
    env.os_env[DRIVER] = "fuse-overlayfs"
    if os.access("/dev/fuse", os.R_OK | os.W_OK, effective_ids=True):
        return
    with as_root():
        node = env.base / "fuse"
        os.mknod(node, 0o666 | 0o020000, os.makedev(10, 229))
        node.chmod(0o666)
        subprocess.run(["mount", "--bind", node, "/dev/fuse"], check=True)
