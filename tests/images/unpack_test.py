#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 600
"""caisson-unpack: hostile and odd layers, both outputs, what is promised about them (docs/protocols/unpack.md)."""
import bz2, ctypes, gzip, hashlib, io, json, os, pathlib, shutil, stat, struct, subprocess, sys, tarfile, threading, time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from caisson_test import BUILD, Failed, check, main, same, skip, test, wait_for

UNPACK = BUILD / "caisson-unpack"
DIR, LNK, SYM, CHR, BLK, FIFO = tarfile.DIRTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE
PAX, GNU, USTAR = tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT


def entry(name, data=None, type=tarfile.REGTYPE, **kw):
    t = tarfile.TarInfo(name)
    t.type, t.mtime = type, 1000000
    t.mode = 0o755 if type == DIR else 0o644
    for k, v in kw.items():
        setattr(t, k, v)
    if isinstance(data, str):
        data = data.encode()
    if data is not None:
        t.size = len(data)
    return t, data


def tar(*entries, format=PAX):
    b = io.BytesIO()
    with tarfile.open(fileobj=b, mode="w", format=format, errors="surrogateescape") as t:
        for e, data in entries:
            t.addfile(e, io.BytesIO(data) if data is not None else None)
    return b.getvalue()


class Out:
    def __init__(self, code, out, err, path):
        self.code, self.text, self.path = code, out, path
        self.kind, self.error = 0, ""
        if len(err) == 512:
            self.kind, n, _ = struct.unpack("=HHi", err[:8])
            self.error = err[8:8 + n].decode(errors="replace")

    def ok(self):
        if self.code:
            raise Failed(f"refused: {self.error!r}")
        return json.loads(self.text)

    def refused(self, *words):
        check(self.code == 1 and self.error, f"exit {self.code}, error {self.error!r}")
        check(self.text == b"", "a result was printed")
        for w in words:
            check(w in self.error, f"the error does not say {w!r}: {self.error!r}")


def unpack(env, blob, *opts, to="image", as_user=None):
    """Run the program on bytes (or a file) with descriptors only."""
    path = env.tmp / f"out{time.monotonic_ns()}"
    if to == "dir":
        path.mkdir()
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY if to == "dir" else os.O_RDWR | os.O_CREAT | os.O_EXCL)
    er, ew = os.pipe()
    argv = [str(UNPACK), "--out-dir" if to == "dir" else "--out", str(fd), "--err-fd", str(ew), *map(str, opts)]
    kw = {"stdin": open(blob, "rb")} if isinstance(blob, pathlib.Path) else {"input": blob}
    p = subprocess.run([*(as_user or []), *argv], pass_fds=[fd, ew], capture_output=True, timeout=300, **kw)
    os.close(fd)
    os.close(ew)
    err = os.read(er, 1024)
    os.close(er)
    return Out(p.returncode, p.stdout, err, path)


class Mounted:
    def __init__(self, source, fstype="erofs", opts="ro"):
        self.at = pathlib.Path(f"{source if fstype == 'erofs' else opts.split('=')[1].split(':')[0]}.{time.monotonic_ns()}.mnt")
        self.at.mkdir()
        subprocess.run(["mount", "-t", fstype, "-o", opts, str(source), str(self.at)], check=True)

    def __enter__(self):
        return self.at

    def __exit__(self, *a):
        subprocess.run(["umount", str(self.at)], check=True)


def can_mount():
    return "erofs" in pathlib.Path("/proc/filesystems").read_text() or subprocess.run(["modprobe", "erofs"], capture_output=True).returncode == 0


def fsck(path):
    if shutil.which("fsck.erofs"):
        p = subprocess.run(["fsck.erofs", str(path)], capture_output=True, text=True)
        same(p.returncode, 0, f"fsck.erofs ({p.stdout} {p.stderr})")


def describe(top, links=True):
    """Everything that stat, readlink, read and listxattr say, by path."""
    top = os.fsencode(top)
    out, inodes = {}, {}
    for d, dirs, files in os.walk(top):
        for n in [b"."] * (d == top) + dirs + files:
            p = os.path.join(d, n)
            s = os.lstat(p)
            x = {a: os.getxattr(p, a, follow_symlinks=False) for a in os.listxattr(p, follow_symlinks=False)}
            if stat.S_ISLNK(s.st_mode):
                what = os.readlink(p)
            elif stat.S_ISREG(s.st_mode):
                h = hashlib.sha256()
                with open(p, "rb") as f:
                    while b := f.read(1 << 20):
                        h.update(b)
                what = (s.st_size, h.hexdigest())
            else:
                what = s.st_rdev if stat.S_ISCHR(s.st_mode) or stat.S_ISBLK(s.st_mode) else None
            first = inodes.setdefault((s.st_dev, s.st_ino), os.path.relpath(p, top)) if not stat.S_ISDIR(s.st_mode) else None
            out[os.path.relpath(p, top)] = (oct(s.st_mode), s.st_uid, s.st_gid, s.st_mtime_ns, what, tuple(sorted(x.items())),
                                            s.st_nlink if links and first else 0)
    return out


def same_tree(a, b, what):
    for p in sorted(set(a) | set(b)):
        if a.get(p) != b.get(p):
            raise Failed(f"{what}: {p!r} is {b.get(p)}, want {a.get(p)}")


def tree(env, blob, *opts):
    """The tree that a layer makes, seen through an image when the kernel can, and through a directory always; both the same."""
    o = unpack(env, blob, *opts, to="dir")
    o.ok()
    d = describe(o.path)
    if can_mount():
        i = unpack(env, blob, *opts)
        i.ok()
        fsck(i.path)
        with Mounted(i.path) as m:
            same_tree(d, describe(m), "image")
    return d


# ---- names ----

@test(needs="root")
def names_with_dotdot_are_refused(env):
    for n in ("../x", "a/../../x", "a/..", "..", "/../x", "a/../b", ".wh...", "a/.wh..."):
        for to in ("image", "dir"):
            unpack(env, tar(entry(n, "x"), format=USTAR), to=to).refused("..")
    check(not (env.tmp / "x").exists(), "a file outside")


@test(needs="root")
def absolute_names_land_inside(env):
    t = tree(env, tar(entry("/etc/passwd", "mine"), entry("//b///c", "c"), entry("./d/./e", "e")))
    check({b"etc/passwd", b"b/c", b"d/e"} <= set(t), f"names are {sorted(t)}")
    same(t[b"etc"][:3], (oct(stat.S_IFDIR | 0o755), 0, 0), "a missing parent")


@test(needs="root")
def a_file_as_parent_is_refused(env):
    outside = env.tmp / "outside"
    outside.mkdir()
    for first in (entry("a", "file"), entry("a", type=FIFO)):
        for to in ("image", "dir"):
            unpack(env, tar(first, entry("a/x", "x")), to=to).refused("'a/x'", "'a' on its path is")
            unpack(env, tar(first, entry("a/.wh.x", "")), to=to).refused("'a' on its path is")
    # What links lead to must be in this layer, as docker and podman have it.
    for target in (str(outside), "missing", "../..//missing", "/a/b", "a", "f", "f/x", "x" * 300):
        for to in ("image", "dir"):
            unpack(env, tar(entry("f", ""), entry("a", type=SYM, linkname=target), entry("a/x", "x")), to=to).refused("'a/x'", "on its path")
    same(list(outside.iterdir()), [], "what is outside")


# What docker 20.10 and podman 4.3 make of the same layers.
@test(needs="root")
def links_as_parents_are_followed_inside_the_layer(env):
    for target in ("real", "/real", "../../real", "./real/.", "real/sub/..", "//real//", "other", "."):
        top = b"." if target == "." else b"real"
        t = tree(env, tar(entry("real", type=DIR), entry("real/sub", type=DIR), entry("other", type=SYM, linkname="real"),
                          entry("link", type=SYM, linkname=target), entry("link/f", "1"), entry("link/new/g", "2"),
                          entry("hard", type=LNK, linkname="link/f")))
        at = lambda name: name if top == b"." else top + b"/" + name
        same(t[b"link"][4], target.encode(), "the link")
        same({p for p in t if p.startswith(b"link/")}, set(), "names below the link")
        same(t[at(b"f")][4], t[b"hard"][4], "a hard link through it")
        check({at(b"f"), at(b"new/g")} <= set(t), f"{target}: names are {sorted(t)}")
    o = unpack(env, tar(entry("real", type=DIR), entry("link", type=SYM, linkname="real"), entry("link/.wh.gone", "")), to="dir")
    o.ok()
    check(stat.S_ISCHR(os.lstat(o.path / "real/gone").st_mode), "no whiteout where the link leads")
    t = tree(env, tar(entry("real", type=DIR), entry("link", type=SYM, linkname="real"), entry("link", type=DIR), entry("link/f", "1")))
    check(b"link/f" in t and b"real/f" not in t, "a directory in place of a link")


@test(needs="root")
def hard_links_stay_in_the_layer(env):
    (env.tmp / "secret").write_text("s")
    for target in ("../secret", "/etc/passwd", "missing", "d", "", "./", str(env.tmp / "secret"), "l/x", ".wh.gone"):
        for to in ("image", "dir"):
            o = unpack(env, tar(entry("d", type=DIR), entry("l", type=SYM, linkname="/etc"), entry(".wh.gone", ""),
                                entry("h", type=LNK, linkname=target)), to=to)
            o.refused("hard link") if target != "" else check(o.code == 1, "an empty target")
    t = tree(env, tar(entry("f", "one"), entry("d/h", type=LNK, linkname="./f"), entry("s", type=SYM, linkname="nowhere"),
                      entry("s2", type=LNK, linkname="s"), entry("self", "x"), entry("self", type=LNK, linkname="self"),
                      entry("f", "two"), entry("dev", type=CHR, devmajor=1, devminor=5), entry("dev2", type=LNK, linkname="dev")))
    same(t[b"d/h"][4], (3, hashlib.sha256(b"one").hexdigest()), "the link's contents after the name was replaced")
    same(t[b"f"][4][1], hashlib.sha256(b"two").hexdigest(), "the replaced file")
    same(t[b"f"][6], 1, "its links")
    same((t[b"s2"][4], t[b"s2"][6]), (b"nowhere", 2), "a hard link to a symbolic link")
    same((t[b"dev2"][4], t[b"dev2"][6]), (os.makedev(1, 5), 2), "a hard link to a device")


@test(needs="root")
def long_and_odd_names(env):
    deep = "/".join(["d" * 200] * 15)
    for f in (PAX, GNU):
        t = tree(env, tar(entry("n" * 255, "1"), entry(deep + "/f", "2"), entry("l", type=SYM, linkname="t" * 4000), format=f))
        check(b"n" * 255 in t and (deep + "/f").encode() in t, "names are missing")
        same(t[b"l"][4], b"t" * 4000, "link")
        unpack(env, tar(entry("n" * 256, "1"), format=f)).refused("256 bytes")
        unpack(env, tar(entry("/".join(["d" * 200] * 21), "1"), format=f)).refused("path of more than")
        unpack(env, tar(entry("/".join(["d"] * 600), "1"), format=f)).refused("more than")
        unpack(env, tar(entry("l", type=SYM, linkname="t" * 4096), format=f)).refused("'l'")
    odd = ["ünïcödé", "new\nline", "\x01\x7f", "!", "-", "~", " ", ".a", "...", "a\\b"]
    t = tree(env, tar(*[entry(n, n) for n in odd]))
    check({n.encode() for n in odd} <= set(t), f"names are {sorted(t)}")
    # Bytes that are no UTF-8 stay what they are, whatever the header's form says about them.
    raw = b"latin-\xe4\xff".decode("utf-8", "surrogateescape")
    for f in (GNU, USTAR, PAX):
        t = tree(env, tar(entry(raw, "x"), entry("s", type=SYM, linkname=raw), format=f))
        check(b"latin-\xe4\xff" in t, f"names are {sorted(t)}")
        same(t[b"s"][4], b"latin-\xe4\xff", "link")


def pax_record(key, value):
    n = len(key) + len(value) + 3
    while n != len(str(n)) + len(key) + len(value) + 3:
        n = len(str(n)) + len(key) + len(value) + 3
    return str(n).encode() + b" " + key + b"=" + value + b"\n"


def pax_entry(records, name="short", data=b"", type=tarfile.REGTYPE, kind=b"x", **kw):
    """A pax header made of these records, and the entry it stands before."""
    body = b"".join(pax_record(k, v) for k, v in records)
    head = entry("x", type=kind, size=len(body))[0].tobuf(USTAR) + body.ljust(-(-len(body) // 512) * 512, b"\0")
    return head + entry(name, data, type=type, **kw)[0].tobuf(USTAR) + data.ljust(-(-len(data) // 512) * 512, b"\0")


@test(needs="root")
def names_are_bytes(env):
    raw = b"no-utf8-\xe4\xff"
    t = tree(env, pax_entry([(b"path", raw)]) + pax_entry([(b"linkpath", raw)], "sym", type=SYM, linkname="x") +
             pax_entry([(b"linkpath", raw)], "hard", type=LNK, linkname="x") + pax_entry([(b"hdrcharset", b"BINARY"), (b"path", raw + b"2")]) + bytes(1024))
    same(set(t), {b".", raw, b"sym", b"hard", raw + b"2"}, "names")
    same(t[b"sym"][4], raw, "link")
    same(t[b"hard"][6], 2, "links of the hard one")
    for records in ([(b"path", b"nul\0byte")], [(b"linkpath", b"nul\0byte")], [(b"path", b"")]):
        unpack(env, pax_entry(records, "", linkname="x", type=SYM) + bytes(1024)).refused()


@test(needs="root")
def global_headers_change_nothing(env):
    """Nor do they in docker, podman and containerd, with which people look at what they run."""
    g = pax_entry([(b"comment", b"a commit"), (b"uid", b"77"), (b"mtime", b"5"), (b"SCHILY.xattr.user.x", b"y")], kind=b"g")
    t = tree(env, g + bytes(1024))
    same(t[b"short"][1:4], (0, 0, 1000000 * 10**9), "owner and time")
    same(t[b"short"][5], (), "attributes")
    unpack(env, pax_entry([(b"uid", b"no number")], kind=b"g") + bytes(1024)).refused("uid")


@test(needs="root", timeout=120)
def every_form_of_other_programs(env):
    src = env.tmp / "forms"
    (src / "d/empty").mkdir(parents=True)
    for i, size in enumerate((0, 1, 511, 512, 513, 70000)):
        (src / f"d/f{i}").write_bytes(bytes([65 + i]) * size)
    (src / "run").write_text("#!/bin/sh\n")
    os.chmod(src / "run", 0o4755)
    os.symlink("d/f1", src / "sym")
    os.link(src / "d/f2", src / "hard")
    os.mkfifo(src / "fifo")
    os.mknod(src / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.chown(src / "d/f3", 4000, 5000)
    for n, p in enumerate(sorted(src.rglob("*"))):
        os.utime(p, ns=(n * 10**9, (1500000000 + n) * 10**9), follow_symlinks=False)
    os.utime(src, ns=(0, 1400000000 * 10**9))
    plain = describe(src)

    def archive(*cmd):
        blob = env.tmp / "forms.tar"
        blob.unlink(missing_ok=True)
        subprocess.run([str(c) for c in cmd] + [blob, "."], cwd=src, check="v7" not in " ".join(cmd), stderr=subprocess.DEVNULL)
        return blob
    programs = [("tar", f"--format={f}", "-cf") for f in ("v7", "oldgnu", "gnu", "ustar", "posix")]
    if shutil.which("bsdtar"):
        programs += [("bsdtar", "--format", f, "-cf") for f in ("v7", "ustar", "pax", "gnutar")]
    for cmd in programs:
        got = tree(env, archive(*cmd))
        # v7 has no devices and fifos to offer.
        want = {k: v for k, v in plain.items() if "v7" not in " ".join(cmd) or k not in (b"fifo", b"null")}
        same_tree({k: (*v[:5], v[6]) for k, v in want.items()}, {k: (*v[:5], v[6]) for k, v in got.items()}, " ".join(cmd))
    # What only the larger forms can say: long names, names in bytes, far times and large owners, attributes.
    long = os.fsencode(src) + b"/" + b"/".join([b"n" * 90] * 4)
    os.makedirs(long)
    with open(long + b"/odd-\xff\xfe", "wb") as f:
        f.write(b"odd")
    os.symlink(b"t" * 300, os.fsencode(src) + b"/longlink")
    os.chown(src / "d/f4", 3000000, 4000000000)
    for d, dirs, files in os.walk(os.fsencode(src), topdown=False):
        for n in dirs + files:
            os.utime(os.path.join(d, n), ns=(0, 1500000000 * 10**9), follow_symlinks=False)
    os.utime(src / "d/f5", ns=(0, -12345678 * 10**9))
    for cmd in [("tar", "--format=gnu", "-cf"), ("tar", "--format=posix", "--xattrs", "-cf")]:
        if "--xattrs" in cmd:
            os.setxattr(src / "run", "user.binary", bytes(range(256)))
            os.setxattr(src / "run", "user.empty", b"")
            os.utime(src / "run", ns=(0, 1600000000123456789))
        os.utime(src, ns=(0, 1400000000 * 10**9))
        same_tree(describe(src), tree(env, archive(*cmd)), " ".join(cmd))
    # bsdtar's own form of attributes.
    t = tree(env, pax_entry([(b"LIBARCHIVE.xattr.user.a%3Db", b"AAEC/w"), (b"SCHILY.acl.access", b"user::rw-,user:x:r--:7,group::r--,mask::r--,other::r--")]) + bytes(1024))
    same(dict(t[b"short"][5])["user.a=b"], b"\0\1\2\xff", "attribute in base64")
    check("system.posix_acl_access" in dict(t[b"short"][5]), "the ACL is missing")


@test(needs="root")
def many_names_in_one_directory(env):
    names = [f"{'x' * (i % 97)}{i}" for i in range(5000)]
    t = tree(env, tar(*[entry("d/" + n, n if i % 3 else None) for i, n in enumerate(names)]))
    same(len(t), 5002, "entries")


# ---- replacing ----

@test(needs="root")
def a_later_entry_replaces_an_earlier_one(env):
    t = tree(env, tar(entry("f", "old"), entry("f", "new"),
                      entry("d", type=DIR, mode=0o700), entry("d/keep", "k"), entry("d", type=DIR, mode=0o711, uid=5),
                      entry("a/b/c", "deep"), entry("a", "now a file"),
                      entry("g", "a file"), entry("g", type=DIR), entry("g/in", "x"),
                      entry("s", type=SYM, linkname="/etc"), entry("s", type=DIR), entry("s/x", "not through the link")))
    same(t[b"f"][4], (3, hashlib.sha256(b"new").hexdigest()), "f")
    same(t[b"d"][:2], (oct(stat.S_IFDIR | 0o711), 5), "d")
    check(b"d/keep" in t and b"a/b" not in t and b"g/in" in t and b"s/x" in t, f"names are {sorted(t)}")
    same(t[b"a"][4][0], 10, "a")


@test(needs="root")
def the_top_directory(env):
    t = tree(env, tar(entry("./", type=DIR, mode=0o1711, uid=3, gid=4, pax_headers={"SCHILY.xattr.user.top": "yes"}), entry("f", "x")))
    same(t[b"."][:3], (oct(stat.S_IFDIR | 0o1711), 3, 4), "top")
    same(t[b"."][5], (("user.top", b"yes"),), "its attributes")
    unpack(env, tar(entry(".", "x"))).refused("top of the layer")
    unpack(env, tar(entry(".", type=SYM, linkname="/"))).refused("top of the layer")


# ---- attributes ----

@test(needs="root")
def owners_modes_and_times(env):
    t = tree(env, tar(entry("a", "x", mode=0o6755, uid=4294967294, gid=70000, mtime=1.25), entry("b", "x", mtime=0, uid=65535),
                      entry("c", type=DIR, mode=0o1777, mtime=-5), entry("d", "x", mtime=5000000000), entry("e", type=SYM, linkname="x", uid=9)))
    same(t[b"a"][:4], (oct(stat.S_IFREG | 0o6755), 4294967294, 70000, 1250000000), "a")
    same((t[b"b"][1], t[b"b"][3]), (65535, 0), "b")
    same((t[b"c"][0], t[b"c"][3]), (oct(stat.S_IFDIR | 0o1777), -5 * 10**9), "c")
    same(t[b"d"][3], 5000000000 * 10**9, "d")
    same(t[b"e"][1], 9, "e")
    for uid in (4294967295, 4294967296, 2**40):
        unpack(env, tar(entry("a", "x", pax_headers={"uid": str(uid)}))).refused("out of range")


@test(needs="root")
def devices(env):
    t = tree(env, tar(entry("n", type=CHR, devmajor=1, devminor=3, mode=0o666), entry("b", type=BLK, devmajor=259, devminor=70000),
                      entry("p", type=FIFO)))
    same((t[b"n"][0], t[b"n"][4]), (oct(stat.S_IFCHR | 0o666), os.makedev(1, 3)), "n")
    same(t[b"b"][4], os.makedev(259, 70000), "b")
    check(b"p" in t, "fifo")
    unpack(env, tar(entry("n", type=CHR, devmajor=5000, devminor=3))).refused("device number")


CAPS = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)


@test(needs="root")
def attributes(env):
    x = {"SCHILY.xattr.user.a": "1", "SCHILY.xattr.trusted.b": "2", "SCHILY.xattr.security.capability": CAPS.decode("latin1")}
    bad = {"SCHILY.xattr.trusted.overlay.redirect": "/etc", "SCHILY.xattr.trusted.overlay.opaque": "y", "SCHILY.xattr.user.overlay.metacopy": "",
           "SCHILY.xattr.security.selinux": "system_u:object_r:shadow_t:s0", "SCHILY.xattr.security.ima": "x", "SCHILY.xattr.com.apple.x": "y"}
    blob = tar(entry("f", "x", pax_headers={**x, **bad}), entry("d", type=DIR, pax_headers={"SCHILY.acl.default": "user::rwx,user:7:r-x,group::r-x,mask::r-x,other::r-x"}),
               entry("g", "x", pax_headers={"SCHILY.acl.access": "user::rw-,group:9:r--,group::r--,mask::r--,other::r--"}))
    t = tree(env, blob)
    same(dict(t[b"f"][5]), {"user.a": b"1", "trusted.b": b"2", "security.capability": CAPS}, "attributes")
    same(unpack(env, blob).ok()["droppedXattrs"], len(bad), "droppedXattrs")
    same(list(dict(t[b"d"][5])), ["system.posix_acl_default"], "default ACL")
    same(dict(t[b"g"][5])["system.posix_acl_access"].hex(), "02000000" "01000600ffffffff" "04000400ffffffff" "0800040009000000" "10000400ffffffff" "20000400ffffffff", "ACL")
    # One directory entry with attributes of almost a block, a file whose tail no longer fits beside them.
    t = tree(env, tar(entry("f", "y" * 500, pax_headers={"SCHILY.xattr.trusted.big": "v" * 3700}), entry("s", type=SYM, linkname="t" * 300, pax_headers={"SCHILY.xattr.trusted.big": "w" * 3800})))
    same(len(dict(t[b"f"][5])["trusted.big"]), 3700, "large attribute")
    i = unpack(env, tar(entry("f", "y", pax_headers={"SCHILY.xattr.user.big": "v" * 60000})))
    i.ok()
    fsck(i.path)
    if can_mount():
        with Mounted(i.path) as m:
            same(len(os.getxattr(m / "f", "user.big")), 60000, "an attribute of many blocks")
    unpack(env, tar(entry("f", "y", pax_headers={"SCHILY.xattr.user.big": "v" * 65536}))).refused("65536 bytes")
    unpack(env, tar(entry("f", "y", pax_headers={f"SCHILY.xattr.user.{i}": "v" for i in range(300)}))).refused("extended attributes")
    unpack(env, tar(entry("f", "y", pax_headers={"SCHILY.xattr.system.posix_acl_access": "junk"}))).refused("malformed")


# ---- file contents ----

@test(needs="root")
def sizes_around_the_block(env):
    sizes = [0, 1, 3967, 3968, 3969, 4031, 4032, 4033, 4095, 4096, 4097, 8191, 8192, 65535, 65536, 65537, 69632, 1 << 20, (1 << 20) + 1]
    data = os.urandom(max(sizes))
    t = tree(env, tar(*[entry(f"f{n}", data[:n]) for n in sizes]))
    for n in sizes:
        same(t[b"f%d" % n][4], (n, hashlib.sha256(data[:n]).hexdigest()), f"file of {n}")


@test(needs="root", timeout=180)
def sparse_files(env):
    src = env.tmp / "sparse"
    src.mkdir()
    with open(src / "big", "wb") as f:
        for at, what in ((0, b"start"), (5 << 20, b"middle" * 1000), ((5 << 20) + 123456, b"x"), (400 << 20, b"near the end")):
            f.seek(at)
            f.write(what)
        f.truncate((401 << 20) + 17)
    with open(src / "small", "wb") as f:
        f.truncate(300000)
        f.seek(200000)
        f.write(b"data")
    with open(src / "hole", "wb") as f:
        f.truncate(40 << 20)
    want = None
    for form in (["--format=gnu"], ["--format=pax", "--sparse-version=0.0"], ["--format=pax", "--sparse-version=0.1"], ["--format=pax", "--sparse-version=1.0"]):
        blob = env.tmp / "sparse.tar"
        subprocess.run(["tar", *form, "--sparse", "-C", src, "-cf", blob, "."], check=True)
        check(blob.stat().st_size < 1 << 20, "tar did not see the holes")
        i = unpack(env, blob)
        size = i.ok()["size"]
        check(size < 2 << 20, f"the image has {size} bytes")
        fsck(i.path)
        d = unpack(env, blob, to="dir")
        d.ok()
        want = want or {n: v[4] for n, v in describe(src).items() if n != b"."}
        same({n: v[4] for n, v in describe(d.path).items() if n != b"."}, want, f"directory {form}")
        check(os.stat(d.path / "big").st_blocks < 4096, "holes were filled")
        if can_mount():
            with Mounted(i.path) as m:
                same({n: v[4] for n, v in describe(m).items() if n != b"."}, want, f"image {form}")


@test
def compressions(env):
    t = tar(*[entry(f"f{i}", os.urandom(3000) + b"z" * 5000) for i in range(300)])
    images = set()
    third = len(t) // 3
    forms = {"plain": t, "gzip": gzip.compress(t), "members": b"".join(gzip.compress(p) for p in (t[:third], t[third:third], t[third:])),
             "stored": gzip.compress(t, 0)}
    if shutil.which("zstd"):
        z = lambda b, *o: subprocess.run(["zstd", "-q", "-c", *o], input=b, capture_output=True, check=True).stdout
        forms["zstd"] = z(t)
        forms["frames"] = z(t[:third]) + b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc" + z(t[third:], "-19")
        forms["skippable first"] = b"\x5f\x2a\x4d\x18\x00\x00\x00\x00" + z(t)
    for name, blob in forms.items():
        o = unpack(env, blob, "--blob-digest", "sha256:" + hashlib.sha256(blob).hexdigest(), "--blob-size", len(blob),
                   "--diff-id", "sha256:" + hashlib.sha256(t).hexdigest())
        r = o.ok()
        same((r["blobSize"], r["tarSize"], r["entries"]), (len(blob), len(t), 300), name)
        images.add(hashlib.sha256(o.path.read_bytes()).hexdigest())
        same(o.path.stat().st_size, r["size"], "size")
        same(r["size"] % 4096, 0, "size")
    same(len(images), 1, "different images for one tar")
    unpack(env, bz2.compress(t)).refused("bzip2", "gzip, zstd or plain tar")
    unpack(env, b"\xfd7zXZ\0" + t).refused("xz")


@test
def empty_layers(env):
    for blob in (b"", gzip.compress(b""), b"\0" * 512, b"\0" * 1024, gzip.compress(b"\0" * 10240), tar()):
        r = unpack(env, blob)
        same(r.ok()["entries"], 0, "entries")
        fsck(r.path)


@test
def damaged_blobs(env):
    t = tar(entry("f", os.urandom(100000)), entry("g", os.urandom(1000)))
    z = gzip.compress(t)
    for cut in (1, 2, 9, 10, 30, len(z) // 2, len(z) - 9, len(z) - 1):
        unpack(env, z[:cut]).refused()
    unpack(env, z + b"garbage").refused("behind the gzip")
    unpack(env, z + b"\0" * 512).refused("behind the gzip")
    unpack(env, z[:1000] + bytes([z[1000] ^ 1]) + z[1001:]).refused("gzip")
    unpack(env, z[:-6] + b"\0\0" + z[-4:]).refused("gzip")
    if shutil.which("zstd"):
        s = subprocess.run(["zstd", "-q", "-c"], input=t, capture_output=True, check=True).stdout
        unpack(env, s[:-5]).refused("zstd")
        unpack(env, s + b"garbage").refused("zstd")
    for cut in (300, 512, 700, 50000, 100000):
        unpack(env, t[:cut]).refused()
    unpack(env, t + b"x").refused("behind the end of the tar")
    unpack(env, t + b"\0" * 3000000 + b"x").refused("behind the end of the tar")
    unpack(env, t + b"\0" * 3000000).ok()
    unpack(env, b"this is no tar at all" * 1000).refused()
    unpack(env, os.urandom(5000)).refused()
    bad = bytearray(t)
    bad[0] ^= 0x20
    unpack(env, bytes(bad)).refused()


@test
def promises_are_compared(env):
    t = tar(entry("f", "x" * 5000))
    z = gzip.compress(t)
    right, wrong = "sha256:" + hashlib.sha256(z).hexdigest(), "sha256:" + "0" * 64
    diff = "sha256:" + hashlib.sha256(t).hexdigest()
    unpack(env, z, "--blob-digest", wrong).refused(right, wrong)
    unpack(env, z, "--diff-id", wrong).refused(diff, wrong)
    unpack(env, z, "--blob-size", len(z) - 1).refused(f"{len(z) - 1}")
    unpack(env, z, "--blob-size", len(z) + 1).refused(f"{len(z) + 1}")
    # Damage is explained by the promise that was broken, when there is one.
    unpack(env, z[:-20] + b"x" * 20, "--blob-digest", right, "--blob-size", len(z)).refused("expected " + right)
    for opts in (["--blob-digest", "md5:1"], ["--diff-id", "sha256:XY"], ["operand"], ["--nonsense"]):
        o = unpack(env, z, *opts)
        same((o.code, o.kind), (2, 1), f"exit code of {opts}")


# ---- limits ----

@test(timeout=180)
def bombs_stop_early(env):
    big = env.tmp / "bomb.gz"
    with gzip.open(big, "wb", 9) as f:
        f.write(entry("zeros", None, size=60 << 30)[0].tobuf(GNU))
        for _ in range(3 << 10):
            f.write(bytes(1 << 20))
    t0 = time.monotonic()
    unpack(env, big).refused("decompression bomb")
    unpack(env, big, "--max-size", "1m").refused("larger than 1048576 bytes")
    check(time.monotonic() - t0 < 300, "it took too long")
    big.unlink()
    sparse = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "s", "GNU.sparse.realsize": str(1 << 60)}
    unpack(env, tar(entry("GNUSparseFile.0/s", b"1\n0\n1\n".ljust(512, b"\0") + b"x", pax_headers=sparse))).refused()
    sparse["GNU.sparse.realsize"] = str(8 << 40)
    many = [entry("GNUSparseFile.0/s", b"1\n0\n1\n".ljust(512, b"\0") + b"x", pax_headers={**sparse, "GNU.sparse.name": f"s{i}"}) for i in range(9000)]
    unpack(env, tar(*many)).refused("more than")


# ---- whiteouts ----

LOWER = (entry("a", "a"), entry("d", type=DIR), entry("d/x", "x"), entry("d/y", "y"), entry("o", type=DIR), entry("o/below", "b"),
         entry("o/sub/deep", "z"), entry("r", type=DIR), entry("r/below", "b"), entry("w", type=DIR), entry("w/below", "b"), entry("k", "k"))
UPPER = (entry(".wh.a", ""), entry("d/.wh.x", ""), entry("o/.wh..wh..opq", ""), entry("o/above", "a"),
         entry(".wh.r", ""), entry("r", type=DIR), entry("r/above", "new"),          # whiteout first, then the new directory
         entry("w", type=DIR), entry("w/above", "new"), entry(".wh.w", ""),          # the other way round
         entry(".wh..wh.plnk", type=DIR), entry(".wh..wh.plnk/1.2", "x"), entry(".wh.never", ""), entry(".wh.i", ""), entry("i/n", "n"))
WANT = {b".", b"d", b"d/y", b"o", b"o/above", b"r", b"r/above", b"w", b"w/above", b"k", b"i", b"i/n"}


@test(needs="root")
def whiteouts_hide_what_is_below(env):
    outs = []
    for blob in (tar(*LOWER), tar(*UPPER)):
        d = unpack(env, blob, to="dir")
        d.ok()
        i = unpack(env, blob)
        i.ok()
        outs.append((d.path, i.path))
    same(unpack(env, tar(*UPPER)).ok()["skipped"], 2, "skipped")
    with Mounted("overlay", "overlay", f"lowerdir={outs[1][0]}:{outs[0][0]},ro") as m:
        same(set(describe(m)), WANT, "directories under an overlay")
    if not can_mount():
        skip("no erofs here")
    with Mounted(outs[0][1]) as low, Mounted(outs[1][1]) as up, Mounted("overlay", "overlay", f"lowerdir={up}:{low},ro") as m:
        same(set(describe(m)), WANT, "images under an overlay")
    u = unpack(env, tar(*UPPER), "--marks", "user")
    u.ok()
    with Mounted(u.path) as up, Mounted(outs[0][1]) as low, Mounted("overlay", "overlay", f"lowerdir={up}:{low},ro,userxattr") as m:
        same(os.getxattr(up / "o", "user.overlay.opaque"), b"y", "mark")
        same(set(describe(m)), WANT, "images under an overlay with userxattr")


@test
def whiteouts_of_nothing_are_refused(env):
    for n in (".wh.", "a/.wh.", "a/.wh..", ".wh.x/y"):
        unpack(env, tar(entry(n, ""))).refused("whiteout")


# ---- merging ----

def merge(env, layers):
    out = env.tmp / f"meta{time.monotonic_ns()}"
    p = subprocess.run([UNPACK, "--merge", out, *layers], capture_output=True, text=True)
    return p, out


@test(needs="root", timeout=180)
def merged_images_show_what_an_overlay_shows(env):
    if not can_mount():
        skip("no erofs here")
    big = os.urandom(300000)
    third = (entry("./", type=DIR, mode=0o750, uid=7), entry("d", type=DIR, mode=0o711), entry("d/big", big), entry("d/same", type=LNK, linkname="d/big"),
             entry("k", type=DIR), entry("k/now", "a directory"), entry("n", type=CHR, devmajor=1, devminor=3), entry("l", type=SYM, linkname="d/big"),
             entry("x", "x" * 5000, pax_headers={"SCHILY.xattr.user.u": "v"}), entry("deep/" * 40 + "f", "f"),
             *[entry(f"many/{i}", str(i)) for i in range(1000)])
    fourth = (entry("d/.wh.big", ""), entry("many/.wh.5", ""), entry("x", "shorter"))
    layers = []
    for e in (LOWER, UPPER, third, fourth):
        o = unpack(env, tar(*e))
        o.ok()
        layers.append(o.path)
    p, meta = merge(env, layers)
    same(p.returncode, 0, p.stderr)
    r = json.loads(p.stdout)
    disk = env.tmp / "disk"
    with open(disk, "wb") as f:
        for part in (meta, *layers):
            f.write(part.read_bytes())
    same((meta.stat().st_size, disk.stat().st_size), (r["size"], r["blocks"] * 4096), "sizes")
    fsck(disk)
    mounts = [Mounted(p) for p in layers]
    try:
        with Mounted(disk) as m, Mounted("overlay", "overlay", "lowerdir=" + ":".join(str(x.at) for x in reversed(mounts)) + ",ro") as ov:
            want = describe(ov, links=False)
            same(len(want) - 1, r["entries"], "entries")
            same_tree(want, describe(m, links=False), "merged")
            same(os.stat(m / "d/same").st_nlink, 1, "links left after the other name was whited out")
    finally:
        for x in mounts:
            x.__exit__()
    p, again = merge(env, layers)
    same(again.read_bytes() == meta.read_bytes(), True, "the same layers give the same bytes")
    same(merge(env, [layers[0]])[0].returncode, 0, "one layer")


@test
def damaged_layers_are_not_merged(env):
    o = unpack(env, tar(*LOWER))
    o.ok()
    good = o.path.read_bytes()
    bad = env.tmp / "bad"
    for blob in (b"", good[:4096], good[:-4096], good + bytes(4096), good[:1030] + b"x" + good[1031:], bytes(len(good))):
        bad.write_bytes(blob)
        p, _ = merge(env, [o.path, bad])
        same(p.returncode, 1, f"exit code for {len(blob)} bytes")
        check(p.stderr.startswith("caisson-unpack: "), p.stderr)
    same(merge(env, [])[0].returncode, 2, "no layers")


# ---- the process ----

@test(needs="root")
def the_process_gives_everything_away(env):
    for to in ("image", "dir"):
        path = env.tmp / f"jail-{to}"
        if to == "dir":
            path.mkdir()
        fd = os.open(path, os.O_RDONLY if to == "dir" else os.O_RDWR | os.O_CREAT)
        extra = os.open("/etc/passwd", os.O_RDONLY)
        p = subprocess.Popen([UNPACK, "--out-dir" if to == "dir" else "--out", str(fd)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[fd, extra])
        blob = tar(entry("f", "x"))
        p.stdin.write(blob[:600])
        p.stdin.flush()
        wait_for(lambda: len(os.listdir(f"/proc/{p.pid}/task")) >= 3, what="its threads")
        st = dict(l.split(":\t", 1) for l in pathlib.Path(f"/proc/{p.pid}/status").read_text().splitlines() if ":\t" in l)
        fds = {os.readlink(f"/proc/{p.pid}/fd/{n}") for n in os.listdir(f"/proc/{p.pid}/fd")}
        p.stdin.write(blob[600:])
        p.communicate()
        same(p.returncode, 0, "exit code")
        same((st["Seccomp"], st["NoNewPrivs"]), ("2", "1"), "filter and no_new_privs")
        check("/etc/passwd" not in fds, f"open: {fds}")
        if to == "image":
            same(st["Uid"].split(), ["65534"] * 4, "user")
            same(st["CapPrm"], "0" * 16, "capabilities")
        else:
            # chown, dac_override, fowner, fsetid, mknod, setfcap, and sys_admin for trusted attributes
            same(int(st["CapPrm"], 16), 1 | 2 | 8 | 16 | 1 << 27 | 1 << 31 | 1 << 21, "capabilities")
        os.close(extra)


@test(needs="userns,root")
def a_user_without_privileges(env):
    as_user = ["unshare", "--user", "--map-root-user"]
    blob = tar(entry("f", "x", mode=0o000), entry("d", type=DIR, mode=0o500), entry("d/g", "y"), entry(".wh.w", ""), entry("n", type=CHR, devmajor=1, devminor=3))
    i = unpack(env, blob, as_user=as_user)
    i.ok()
    same(i.path.read_bytes(), unpack(env, blob).path.read_bytes(), "image")
    d = unpack(env, blob, "--marks", "user", to="dir", as_user=as_user)
    same(d.ok()["skipped"], 1, "the device is left out and counted")
    check((d.path / "d/g").exists() and stat.S_ISCHR(os.lstat(d.path / "w").st_mode), "tree")
    unpack(env, tar(entry("f", "x", uid=12345)), to="dir", as_user=as_user).refused("owner 12345:0", "'f'")


@test(needs="root")
def outputs_must_be_empty(env):
    full = env.tmp / "full"
    full.write_text("x")
    fd = os.open(full, os.O_RDWR)
    p = subprocess.run([UNPACK, "--out", str(fd)], input=tar(), pass_fds=[fd], capture_output=True, text=False)
    same((p.returncode, full.read_text()), (2, "x"), "a file that is not empty")
    d = env.tmp / "fulldir"
    (d / "x").mkdir(parents=True)
    fd = os.open(d, os.O_RDONLY)
    p = subprocess.run([UNPACK, "--out-dir", str(fd)], input=tar(), pass_fds=[fd], capture_output=True)
    same(p.returncode, 2, "a directory that is not empty")


@test
def progress_is_told(env):
    r, w = os.pipe()
    got = []
    reader = threading.Thread(target=lambda: got.append(b"".join(iter(lambda: os.read(r, 65536), b""))))
    reader.start()
    z = gzip.compress(tar(entry("f", os.urandom(2000000))))
    path = env.tmp / "progress"
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    p = subprocess.run([UNPACK, "--out", str(fd), "--progress-fd", str(w)], input=z, pass_fds=[fd, w], capture_output=True)
    os.close(w)
    reader.join()
    same(p.returncode, 0, p.stderr)
    lines = [tuple(map(int, l.split())) for l in got[0].decode().splitlines()]
    same(lines, sorted(lines), "numbers go up")
    same(lines[-1][0], len(z), "all of the blob")


# ---- a real tree ----

@test(needs="root", timeout=300)
def a_system_tree_comes_back(env):
    src = [p for p in ("usr/share/doc", "usr/share/zoneinfo", "usr/share/perl5", "etc", "usr/lib/python3") if pathlib.Path("/", p).is_dir()]
    blob = env.tmp / "system.tar.gz"
    subprocess.run(["tar", "--xattrs", "--format=pax", "--sort=name", "--warning=none", "-C", "/", "-czf", blob, *src])
    t = tree(env, blob)
    check(len(t) > 1000, f"{len(t)} entries")
    with tarfile.open(blob) as f:
        for m in f:
            p = t[os.fsencode(m.name)]
            same(p[1:3], (m.uid, m.gid), m.name)
            same(int(p[0], 8) & 0o7777, m.mode, m.name)
            if m.isreg():
                same(p[4][0], m.size, m.name)
            # tarfile reads times as floats
            check(abs(p[3] / 1e9 - m.mtime) < 1e-3 or m.islnk(), f"time of {m.name}")


main()
