# SPDX-License-Identifier: Apache-2.0
# timeout: 300
"""Named volumes: in two VMs and a container at the same time, and what an image that lays traps puts into one."""
import os, stat
from concurrent.futures import ThreadPoolExecutor

from caisson_test import BUILD, check, main, same, test
from oci_image import Layout, busybox_layer

T = "caisson/tiny"
TURNS = 60


WHO = ("vm1", "vm2", "box")


def count(env, lock, kept):
    """Everybody adds TURNS to one number, under one lock."""
    env.run("exec", "box", "sh", "-c", "cd /v && rm -f c c.log c.lock && echo 000000000000000 >c && : >c.log").ok()
    with ThreadPoolExecutor(3) as pool:
        for r in list(pool.map(lambda n: env.run("exec", n, "/v/tool", lock, kept, "/v/c", str(TURNS), n), WHO)):
            r.ok(out="done\n")
    lines = env.run("exec", "box", "cat", "/v/c.log").ok().out.splitlines()
    same([int(s.split()[1]) for s in lines], list(range(1, 3 * TURNS + 1)), f"{lock} {kept}: the numbers that were drawn, in order")
    same({n: sum(s.startswith(n + " ") for s in lines) for n in WHO}, dict.fromkeys(WHO, TURNS), "lines")
    env.run("exec", "box", "cat", "/v/c").ok(out=f"{3 * TURNS:015d}\n")


@test(needs="root,netns,qemu,kernel", timeout=280)
def two_vms_and_a_container_write_to_one_volume(env):
    env.run("run", "-d", "--name", "box", "-v", "common:/v:consistent", T, "sleep", "1000").ok()
    env.run("cp", BUILD / "lock_tool", "box:/v/tool").ok()
    with ThreadPoolExecutor(2) as pool:
        for r in list(pool.map(lambda n: env.run("run", "-d", "--isolation", "vm", "--name", n, "-v", "common:/v:consistent", "-v", "/own", T, "sleep", "1000"), WHO[:2])):
            r.ok()
    for lock in ("flock", "posix"):
        for kept in ("open", "anew"):
            count(env, lock, kept)
    # virtiofsd waits for no lock: who waits is told so, and does not write unlocked.
    for lock in ("flockw", "posixw"):
        r = env.run("exec", "vm1", "/v/tool", lock, "anew", "/v/c", "1", "vm1")
        check(r.out == "done\n" or "not supported" in r.err, f"{lock}: {r.code} {r.err}")
    # Programs of one VM that do not share with others wait as they always do.
    env.run("exec", "vm1", "/v/tool", "flockw", "anew", "/own/c", "1", "vm1").ok(out="done\n")
    env.run("exec", "vm1", "/v/tool", "posixw", "anew", "/own/c", "1", "vm1").ok(out="done\n")
    env.run("rm", "-fv", *WHO).ok()
    env.run("volume", "rm", "common").ok()


def trap(env, top):
    """An image whose /d holds every kind of file, links to the host's among them, and of which two places are links."""
    (top / "secret").mkdir(parents=True)
    (top / "secret/f").write_text("the host's")
    lay = Layout(top / "trap")
    dev = lambda kind, major, minor: {"type": kind, "devmajor": major, "devminor": minor, "mode": 0o666}
    lay.image([(busybox_layer([
        ("d", None, {"mode": 0o1770, "uid": 7, "gid": 8}), ("d/file", b"x" * 5000, {"mode": 0o4755, "uid": 1000, "gid": 2000}), ("d/abs", "-> /etc/passwd"),
        ("d/host", f"-> {top}/secret"), ("d/up", "-> ../../../../../../../.." + str(top / "secret/f")), ("d/sub", None, {"mode": 0o700}), ("d/sub/loop", "-> loop"),
        ("d/sub/hard", "=> d/file"), ("d/fifo", b"", {"type": b"6", "mode": 0o640, "uid": 5}), ("d/null", b"", dev(b"3", 1, 3)), ("d/disk", b"", dev(b"4", 7, 200)),
        ("out", "-> ../../.." + str(top / "secret")), ("way", "-> d"),
    ]), None)], tag="t")
    ids = lambda: set(env.run("images", "-q", "--no-trunc").ok().out.split())
    before = ids()
    env.run("pull", f"oci:{lay.path}:t").ok()
    [image] = ids() - before
    return image


def described(top):
    out = {}
    for p in sorted(top.rglob("*")):
        st = p.lstat()
        what = os.readlink(p) if p.is_symlink() else p.read_bytes() if stat.S_ISREG(st.st_mode) else st.st_rdev
        out[str(p.relative_to(top))] = (oct(st.st_mode) if not p.is_symlink() else "link", st.st_uid, st.st_gid, what if not p.is_dir() or p.is_symlink() else None)
    return out


def copied_up(env, *flags):
    own = env.tmp / "-".join(["up", *flags])
    image = trap(env, own)
    env.run("run", "--rm", *flags, "-v", "filled:/d", image, "true").ok()
    top = env.root / "volumes/filled/_data"
    same((oct(top.stat().st_mode), top.stat().st_uid, top.stat().st_gid), ("0o41770", 7, 8), "the volume's root")
    file = ("0o104755", 1000, 2000, b"x" * 5000)
    same(described(top), {
        "abs": ("link", 0, 0, "/etc/passwd"), "disk": ("0o60666", 0, 0, os.makedev(7, 200)), "fifo": ("0o10640", 5, 0, 0), "file": file,
        "host": ("link", 0, 0, f"{own}/secret"), "null": ("0o20666", 0, 0, os.makedev(1, 3)), "sub": ("0o40700", 0, 0, None), "sub/hard": file,
        "sub/loop": ("link", 0, 0, "loop"), "up": ("link", 0, 0, "../../../../../../../.." + str(own / "secret/f"))}, "what was copied")
    # A second one finds it filled; nothing comes with nocopy; a place that is a link is looked up in the image's own root.
    (top / "file").write_text("mine")
    env.run("run", "--rm", *flags, "-v", "filled:/d", "-v", "bare:/d2", "--mount", "type=volume,src=none,dst=/d/sub,volume-nocopy", "-v", "linked:/way/sub", image, "cat", "/d/file").ok(out="mine")
    same((os.listdir(env.root / "volumes/none/_data"), os.listdir(env.root / "volumes/bare/_data")), ([], []), "left empty")
    env.run("run", "--rm", *flags, "-v", "outside:/out", image, "sh", "-c", "echo written >/out/g").ok()
    same(({p.name: p.read_text() for p in (own / "secret").iterdir()}, (env.root / "volumes/outside/_data/g").read_text()), ({"f": "the host's"}, "written\n"), "the host's directory")
    env.run("volume", "rm", *env.run("volume", "ls", "-q").ok().out.split()).ok()
    env.run("rmi", image).ok()


@test(needs="root,netns")
def a_container_copies_up_what_an_image_holds_and_nothing_of_the_host(env):
    copied_up(env)


@test(needs="root,netns,qemu,kernel", timeout=200)
def a_vm_copies_up_what_an_image_holds_and_nothing_of_the_host(env):
    copied_up(env, "--isolation", "vm")


main()
