# SPDX-License-Identifier: Apache-2.0
# timeout: 300
# slow
"""kill -9 of pull and rmi at the k-th call of each system call that changes something: what is listed afterwards is
whole, the next command works without repair, and after the last rmi nothing is left."""
import os, shutil, subprocess

from caisson_test import Failed, check, main, test

CALLS = ("renameat", "fsync", "fdatasync", "mkdirat", "unlinkat", "flock", "openat", "write")
POINTS = (1, 2, 3, 4, 6, 9, 14)


def strike(env, verb, call, k):
    args = env.argv([verb, *(["-q"] if verb == "pull" else []), "caisson/tiny"])
    r = subprocess.run(["strace", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={k}", *args],
                       capture_output=True, env=env.os_env)
    where = f"{verb} killed at {call} number {k}"
    for i in env.run("images", "-q").ok(err="").out.split():
        env.run("image", "inspect", i).ok()
    env.run("pull", "-q", "caisson/tiny").ok(out="caisson/tiny:latest\n")
    env.run("rmi", "caisson/tiny").ok()
    left = [os.path.join(d, f) for top in ("blobs", "layers", "images", "metas", "tmp") for d, _, files in os.walk(env.root / top) for f in files]
    check(not left, f"{where}: left behind: {left}")
    return r.returncode == -9 or r.returncode == 137


def each_point(env, verb):
    killed = 0
    for call in CALLS:
        for k in POINTS:
            if verb == "rmi":
                env.run("pull", "-q", "caisson/tiny").ok()
            if not strike(env, verb, call, k):
                break
            killed += 1
    check(killed > len(CALLS), f"only {killed} times killed")
    print(f"# killed {killed} times")


@test(needs="root,strace", timeout=120)
def killed_pull(env):
    each_point(env, "pull")


@test(needs="root,strace", timeout=120)
def killed_rmi(env):
    each_point(env, "rmi")


main()
