#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""caisson-pack: a tree as the tar of a layer, the same bytes each time (src/pack)."""
import gzip, io, os, pathlib, random, shutil, socket, struct, subprocess, sys, tarfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from caisson_test import BUILD, Failed, check, main, same, test

PACK = BUILD / "caisson-pack"


def pack(tree, *opts, codec="none"):
    """(exit code, archive, error)"""
    fd = os.open(tree, os.O_RDONLY | os.O_DIRECTORY)
    try:
        p = subprocess.run([PACK, f"--dir={fd}", f"--codec={codec}", *opts], pass_fds=[fd], capture_output=True)
    finally:
        os.close(fd)
    return p.returncode, p.stdout, p.stderr.decode()


def packed(tree, *opts, codec="none"):
    code, out, err = pack(tree, *opts, codec=codec)
    check(code == 0, f"refused: {err}")
    return out


def members(archive):
    with tarfile.open(fileobj=io.BytesIO(archive)) as t:
        return {m.name: m for m in t.getmembers()}


def fill(tree, names, seed):
    """The same files, made in another order and at another time."""
    names = list(names)
    random.Random(seed).shuffle(names)
    for n in names:
        p = tree / n
        p.parent.mkdir(parents=True, exist_ok=True)
        p.write_text(f"content of {n}\n" * 100)
    return tree


@test
def every_kind_of_file(env):
    t = env.tmp / "tree"
    t.mkdir()
    (t / "a").write_bytes(b"x" * 1000)
    os.chown(t / "a", 12, 3000000)
    os.chmod(t / "a", 0o4751)
    os.utime(t / "a", (5, 1234567))
    os.link(t / "a", t / "hard")
    (t / "d").mkdir()
    os.chmod(t / "d", 0o1777)
    os.symlink("../a", t / "d" / "link")
    os.mkfifo(t / "pipe")
    os.mknod(t / "dev", 0o600 | 0o020000, os.makedev(5, 1))
    os.setxattr(t / "a", "user.k", b"v\0w")
    os.setxattr(t / "a", "security.capability", bytes.fromhex("0100000200200000000000000000000000000000"))
    os.setxattr(t / "a", "trusted.k", b"host")
    (t / ("n" * 255)).write_text("long name")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(t / "sock"))
        m = members(packed(t))
    same(sorted(m), sorted(["a", "d", "d/link", "dev", "hard", "n" * 255, "pipe"]), "the names")
    a = m["a"]
    same((a.mode, a.uid, a.gid, a.size, a.mtime), (0o4751, 12, 3000000, 1000, 1234567), "the file")
    same(a.pax_headers.get("SCHILY.xattr.user.k"), "v\0w", "an attribute")
    check("SCHILY.xattr.security.capability" in a.pax_headers, "capabilities are lost")
    check("SCHILY.xattr.trusted.k" not in a.pax_headers, "an attribute of the host went in")
    same((m["hard"].islnk(), m["hard"].linkname), (True, "a"), "the hard link")
    same((m["d"].mode & 0o7777, m["d/link"].linkname), (0o1777, "../a"), "directory and symlink")
    same((m["dev"].ischr(), m["dev"].devmajor, m["dev"].devminor, m["pipe"].isfifo()), (True, 5, 1, True), "special files")


@test
def an_upper_directory_becomes_a_layer(env):
    t = env.tmp / "upper"
    (t / "etc").mkdir(parents=True)
    os.mknod(t / "etc" / "gone", 0o020000, os.makedev(0, 0))
    (t / "new").mkdir()
    os.setxattr(t / "new", "trusted.overlay.opaque", b"y")
    (t / "new" / "f").write_text("x")
    os.setxattr(t / "new" / "f", "trusted.overlay.origin", b"host")
    m = members(packed(t, "--overlay=trusted"))
    same(sorted(m), ["etc", "etc/.wh.gone", "new", "new/.wh..wh..opq", "new/f"], "the names")
    same(m["new/f"].pax_headers, {}, "marks of the overlay")
    check(members(packed(t))["etc/gone"].ischr(), "without --overlay it is a device")
    for mark in ("redirect", "metacopy"):
        os.setxattr(t / "etc", f"trusted.overlay.{mark}", b"/x")
        code, _, err = pack(t, "--overlay=trusted")
        check(code == 1 and mark in err and "'etc'" in err, f"{code} {err}")
        os.removexattr(t / "etc", f"trusted.overlay.{mark}")


@test
def the_same_tree_gives_the_same_bytes(env):
    names = [f"d{i % 7}/f{i}" for i in range(200)]
    a, b = fill(env.tmp / "a", names, 1), fill(env.tmp / "b", names, 2)
    for n in names:
        os.utime(b / n, (2000000000, 2000000000))
    os.chown(b / names[0], 5, 5)
    for codec in ("none", "gzip", "zstd"):
        x, y = (packed(t, "--epoch=1000000", "--owner-root", codec=codec) for t in (a, b))
        check(x == y, f"{codec}: two archives of the same files differ")
    m = members(packed(b, "--epoch=1000000", "--owner-root"))
    same({(i.mtime, i.uid, i.gid) for i in m.values()}, {(1000000, 0, 0)}, "times and owners")
    plain = packed(a)
    check(gzip.decompress(packed(a, codec="gzip")) == plain, "gzip holds something else")
    z = subprocess.run(["zstd", "-dcq"], input=packed(a, codec="zstd"), capture_output=True, check=True)
    check(z.stdout == plain, "zstd holds something else")


@test
def what_no_layer_can_say_is_refused(env):
    t = env.tmp / "t"
    t.mkdir()
    (t / ".wh.x").write_text("")
    code, _, err = pack(t)
    check(code == 1 and "'.wh.x'" in err, f"{code} {err}")
    os.unlink(t / ".wh.x")
    here = os.open(t, os.O_RDONLY)
    for _ in range(520):
        os.mkdir("d", dir_fd=here)
        deeper = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)
    code, _, err = pack(t)
    check(code == 1 and "512 directories deep" in err, f"{code} {err}")
    subprocess.run(["rm", "-rf", t], check=True)
    check(pack(env.tmp, "operand")[0] == 2, "an operand is accepted")


@test
def it_can_only_read_that_tree(env):
    """A tree that leads outside leads nowhere, and another descriptor is not there."""
    t = env.tmp / "t"
    t.mkdir()
    os.symlink("/etc/shadow", t / "s")
    os.symlink("/etc", t / "e")
    m = members(packed(t))
    same(sorted(m), ["e", "s"], "the names")
    check(all(i.issym() for i in m.values()), "a link was followed")


if __name__ == "__main__":
    main()
