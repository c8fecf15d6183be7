# SPDX-License-Identifier: Apache-2.0
# timeout: 300
"""copy between every pair of places, judged by skopeo; round trips through umoci, buildah and podman: the same digests, the same trees."""
import gzip, hashlib, io, json, os, re, shutil, signal, stat, subprocess, tarfile

from caisson_test import Failed, check, main, same, skip, test, which
from oci_image import Layout, busybox_layer, digest, registry, tar

INDEX = "application/vnd.oci.image.index.v1+json"


def run(*args, env=None):
    r = subprocess.run([str(a) for a in args], capture_output=True, text=True, env=env)
    if r.returncode:
        raise Failed(f"{args}: {r.stderr[-2000:]}")
    return r.stdout


def skopeo(*args):
    return run("skopeo", "--insecure-policy", *args)


def raw(place):
    """Digest of what skopeo finds there."""
    tls = ["--tls-verify=false"] if place.startswith("docker:") else []
    return digest(subprocess.run(["skopeo", "inspect", "--raw", *tls, place], capture_output=True, check=True).stdout)


def layout(env, name="app", arches=("amd64",), tag="v1"):
    shutil.rmtree(env.tmp / name, ignore_errors=True)
    lay = Layout(env.tmp / name)
    for i, arch in enumerate(arches):
        lay.image([(tar([("f", arch.encode())]), "gzip"), (tar([("g", os.urandom(2000))]), "gzip"), (tar([("h", name.encode())]), None)],
                  {"Cmd": ["sh"]}, tag=tag, arch=arch)
    return lay


def clean(env):
    for i in env.run("images", "-q", "--no-trunc").out.split():
        env.run("rmi", "-f", i).ok()
    for d in ("blobs/sha256", "layers", "images", "tmp"):
        same(os.listdir(env.root / d), [], d)


@test(needs="root,registry", timeout=120)
def between_every_pair(env):
    lay = layout(env)
    want = lay.manifests[0]["digest"]
    t = env.tmp / "places"
    shutil.rmtree(t, ignore_errors=True)
    t.mkdir()
    with registry(env) as host:
        first = {"docker": f"docker://{host}/a/app:1", "oci": f"oci:{t}/lay:v1", "oci-archive": f"oci-archive:{t}/a.tar:v1",
                 "docker-archive": f"docker-archive:{t}/d.tar:team/app:v1", "dir": f"dir:{t}/dir", "store": "team/app:v1"}
        for place in first.values():
            env.run("copy", "-q", f"oci:{lay.path}:v1", place).ok(out=want + "\n")
        for a, source in first.items():
            for b, place in first.items():
                to = {"docker": f"docker://{host}/b/{a}:1", "oci": f"oci:{t}/2:{a}", "oci-archive": f"oci-archive:{t}/{a}2.tar",
                      "docker-archive": f"docker-archive:{t}/{a}2d.tar:x/{a}:1", "dir": f"dir:{t}/{a}2dir", "store": f"x/{a}:1"}[b]
                # Docker's own form knows no manifest; ours keeps it beside.
                env.run("copy", "-q", source, to).ok(out=want + "\n")
                if b in ("docker", "oci", "oci-archive", "dir"):
                    same(raw(to), want, f"{source} to {to}")
        same(sorted(m["annotations"]["org.opencontainers.image.ref.name"] for m in json.loads((t / "2/index.json").read_text())["manifests"]),
             sorted(first), "tags of a layout that was copied to again and again")
        run("umoci", "unpack", "--image", f"{t}/2:dir", t / "bundle")
        same((t / "bundle/rootfs/h").read_bytes(), b"app", "umoci's view")
        # What others write, we read; the same digest where they keep it.
        for i, place in enumerate((f"oci:{t}/sk:x", f"oci-archive:{t}/sk.tar:x", f"dir:{t}/skdir")):
            skopeo("copy", "-q", "--preserve-digests", f"oci:{lay.path}:v1", place)
            env.run("copy", "-q", place, f"docker://{host}/sk/app:{i}").ok(out=want + "\n")
        skopeo("copy", "-q", f"oci:{lay.path}:v1", f"docker-archive:{t}/skd.tar:sk/app:1")
        env.run("copy", "-q", f"docker-archive:{t}/skd.tar:sk/app:1", f"oci:{t}/skd:1").ok()
        skopeo("copy", "-q", f"docker-archive:{t}/d.tar:team/app:v1", f"oci:{t}/back:1")
        env.run("pull", "-q", f"dir:{t}/skdir").ok(out="skdir:latest\n")
        # The second time nothing moves.
        again = env.run("copy", first["oci"], f"docker://{host}/b/oci:1").ok()
        same((again.err.count("exists"), "fetch" in again.err), (4, False), "blobs")
        # Another repository of the same registry mounts.
        env.run("copy", "-q", first["docker"], f"docker://{host}/c/app:1").ok(out=want + "\n")
    shutil.rmtree(t)
    clean(env)


@test(needs="registry")
def all_platforms(env):
    lay = layout(env, "multi", ("amd64", "arm64", "riscv64"))
    amd, arm = (m["digest"] for m in lay.manifests[:2])
    want = lay.index("v1")["digest"]
    t = env.tmp
    with registry(env) as host:
        env.run("copy", "-q", "--all", f"oci:{lay.path}:v1", f"docker://{host}/m:1").ok(out=want + "\n")
        same(raw(f"docker://{host}/m:1"), want, "index at the registry")
        env.run("copy", "-q", "--all", f"docker://{host}/m:1", f"dir:{t}/mdir").ok(out=want + "\n")
        env.run("copy", "-q", "-a", f"dir:{t}/mdir", f"oci-archive:{t}/m.tar:x").ok(out=want + "\n")
        skopeo("copy", "-q", "--all", "--preserve-digests", f"oci-archive:{t}/m.tar:x", f"oci:{t}/mback:x")
        skopeo("copy", "-q", "--all", "--preserve-digests", f"dir:{t}/mdir", f"oci:{t}/mback:y")
        same({m["digest"] for m in json.loads((t / "mback/index.json").read_text())["manifests"]}, {want}, "what skopeo reads")
        env.run("copy", "-q", f"docker://{host}/m:1", f"oci:{t}/one").ok(out=amd + "\n")
        env.run("copy", "-q", "--platform", "linux/arm64", f"docker://{host}/m:1", f"docker-archive:{t}/one.tar").ok(out=arm + "\n")
        env.run("copy", "-q", "--platform", "linux/s390x", f"docker://{host}/m:1", f"oci:{t}/none").error(1, "s390x")
        env.run("copy", "-q", "--all", f"docker://{host}/m:1", f"docker-archive:{t}/x.tar").error(1, "one platform")
        # The store keeps the others as they came; they go on from there, and away with the image.
        env.run("pull", "-q", f"{host}/m:1").ok()
        env.run("copy", "-q", "--all", f"{host}/m:1", f"oci:{t}/x:1").error(1, "--all-platforms")
        env.run("push", "-q", "--all-platforms", f"{host}/m:1").error(1, "--all-platforms")
        env.run("copy", "-q", "--all", f"docker://{host}/m:1", "m:1").ok(out=want + "\n")
        same(env.run("image", "inspect", "m:1").ok().json()[0]["Architecture"], "amd64", "platform that runs")
        env.run("image", "prune", "-f").ok()
        env.run("system", "check").ok()
        env.run("copy", "-q", "--all", "m:1", f"oci:{t}/x:1").ok(out=want + "\n")
        skopeo("copy", "-q", "--all", "--preserve-digests", f"oci:{t}/x:1", f"dir:{t}/xdir")
        env.run("tag", "m:1", f"{host}/again:1").ok()
        env.run("push", "-q", "--all-platforms", f"{host}/again:1").ok(out=f"{host}/again:1\n")
        same(raw(f"docker://{host}/again:1"), want, "index pushed from the store")
        env.run("push", "--all-platforms", "-a", f"{host}/again").error(2, "--all-platforms")
        clean(env)
        env.run("pull", "-q", "--all-platforms", f"{host}/m:1").ok()
        check(env.run("image", "inspect", f"{host}/m:1").ok().json()[0]["RepoDigests"] == [f"{host}/m@{want}"], "digest")
        check(not (t / "x.tar").exists(), "an archive that is not whole")
    # An index that leads to itself cannot be made; one that is deep can.
    deep = Layout(t / "deep")
    d = {k: lay.manifests[0][k] for k in ("mediaType", "digest", "size")}
    for f in (lay.path / "blobs/sha256").iterdir():
        shutil.copy(f, deep.path / "blobs/sha256")
    for _ in range(6):
        d = deep.blob(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [d]}).encode(), INDEX)
    (deep.path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [d]}))
    env.run("copy", "-q", "--all", f"oci:{deep.path}", f"dir:{t}/deepdir").error(1, "indexes inside each other")
    clean(env)


@test
def what_cannot_be_copied(env):
    lay = layout(env, "bad")
    for args, code, words in ((("nothing:1", f"oci:{env.tmp}/x"), 1, "nothing:1"), ((f"oci:{env.tmp}/none", "x:1"), 1, "none"),
                              ((f"oci:{lay.path}:no", f"dir:{env.tmp}/x"), 1, "'no'"), ((f"oci:{lay.path}", "dir:"), 2, "names no file"),
                              ((f"oci:{lay.path}", f"dir:{env.tmp}/no/such/x"), 1, "No such file"), ((f"oci:{lay.path}", "UPPER:1"), 2, "UPPER"),
                              ((f"docker-archive:{lay.path}", "x:1"), 2, "is a directory"), (("docker://UPPER", "x:1"), 2, "UPPER"),
                              ((f"oci:{lay.path}", "docker://reg.invalid/x@sha256:" + "0" * 64), 1, "reg.invalid")):
        env.run("copy", "-q", *args).error(code, words)
    # A blob that lies: nothing under the name, or the old one.
    f = env.tmp / "old.tar"
    f.write_bytes(b"old")
    m = json.loads(lay.blob_path(lay.manifests[0]).read_bytes())
    b = lay.blob_path(m["layers"][1])
    b.write_bytes(b.read_bytes()[::-1])
    env.run("copy", "-q", f"oci:{lay.path}", f"oci-archive:{f}").error(1, "wrong digest")
    env.run("copy", "-q", f"oci:{lay.path}", f"oci:{env.tmp}/new").error(1, "wrong digest")
    same(f.read_bytes(), b"old", "the old file")
    same([p.name for p in env.tmp.iterdir() if "part-" in p.name], [], "parts of archives")
    check(not (env.tmp / "new/index.json").exists(), "an index of what did not come")
    clean(env)


# ---- trees ----

def odd_layer():
    """A tar with one of everything that a tree can hold."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as t:
        def add(name, kind=tarfile.REGTYPE, data=b"", pax=None, **kw):
            i = tarfile.TarInfo(name)
            i.type, i.size, i.mtime, i.mode = kind, len(data), 1700000000, 0o755 if kind == tarfile.DIRTYPE else 0o644
            for k, v in kw.items():
                setattr(i, k, v)
            i.pax_headers = pax or {}
            t.addfile(i, io.BytesIO(data))
        add("d", tarfile.DIRTYPE, mode=0o1777, uid=12, gid=34)
        add("d/file", data=b"hello\n", mode=0o640, uid=70000, gid=80000, pax={"mtime": "1700000001.123456789"})
        add("d/suid", data=b"x", mode=0o4755)
        add("d/sgid", tarfile.DIRTYPE, mode=0o2750)
        # podman gives a file what its last link's entry says, others do not: here all say the same.
        add("d/hard", tarfile.LNKTYPE, linkname="d/file", mode=0o640, uid=70000, gid=80000, pax={"mtime": "1700000001.123456789"})
        add("d/soft", tarfile.SYMTYPE, linkname="../etc/nowhere", mode=0o777, uid=5)
        add("d/fifo", tarfile.FIFOTYPE, mode=0o600)
        add("d/null", tarfile.CHRTYPE, mode=0o666, devmajor=1, devminor=3)
        add("d/loop", tarfile.BLKTYPE, mode=0o660, devmajor=7, devminor=3)
        add("d/xattr", data=b"y", pax={"SCHILY.xattr.user.note": "some text", "SCHILY.xattr.trusted.t": "v"})
        add("d/old", data=b"z", mtime=1)
        add("d/" + "long" * 50, data=b"long name")
        add("d/big", data=os.urandom(3 << 20))
        add("sparse-ish", data=b"a" + b"\0" * (1 << 20) + b"b")
        add("\u00fcml\u00e4ut", data=b"utf-8")
    return out.getvalue()


def tree(top, skip=()):
    """Everything that can be seen of a tree: path -> facts."""
    out, inodes = {}, {}
    for d, dirs, files in os.walk(top):
        for n in (*dirs, *files):
            p = os.path.join(d, n)
            rel = os.path.relpath(p, top)
            if rel.split("/")[0] in skip:
                continue
            s = os.lstat(p)
            kind = stat.S_IFMT(s.st_mode)
            f = {"mode": oct(s.st_mode), "owner": (s.st_uid, s.st_gid), "mtime": s.st_mtime_ns}
            f["xattrs"] = {x: os.getxattr(p, x, follow_symlinks=False) for x in os.listxattr(p, follow_symlinks=False)
                           if not x.startswith(("trusted.overlay", "user.rootlesscontainers"))}
            if kind == stat.S_IFREG:
                f["sum"] = hashlib.sha256(open(p, "rb").read()).hexdigest()
                inodes.setdefault(s.st_ino, set()).add(rel)
            if kind == stat.S_IFLNK:
                f["link"] = os.readlink(p)
            if kind in (stat.S_IFCHR, stat.S_IFBLK):
                f["device"] = s.st_rdev
            out[rel] = f
    for names in inodes.values():
        for n in names:
            out[n]["links"] = tuple(sorted(names))
    return out


def compare(got, want, who):
    diff = [f"{p}: {got.get(p)} != {want.get(p)}" for p in sorted(got.keys() | want.keys()) if got.get(p) != want.get(p)]
    if diff:
        raise Failed(f"{who} has another tree:\n  " + "\n  ".join(diff[:20]))


@test(needs="root,registry,podman,buildah", timeout=200)
def trees_stay_the_same(env):
    data = odd_layer()
    lay = Layout(env.tmp / "odd")
    lay.image([(data, "gzip")], {"Cmd": ["sh"]}, tag="v1")
    want = lay.manifests[0]["digest"]
    t = env.tmp / "trees"
    t.mkdir()
    run("umoci", "unpack", "--image", f"{lay.path}:v1", t / "umoci")
    theirs = tree(t / "umoci/rootfs")
    check(len(theirs) == 15 and theirs["d/file"]["mtime"] == 1700000001123456789 and theirs["d/xattr"]["xattrs"]["user.note"] == b"some text", theirs)
    # Ours: the layer itself.
    env.run("pull", "-q", f"oci:{lay.path}:v1").ok()
    ours = next((env.root / "layers").glob("*.erofs"))
    (t / "ours").mkdir()
    run("mount", "-t", "erofs", "-o", "ro", ours, t / "ours")
    mine = tree(t / "ours")
    run("umount", t / "ours")
    compare(mine, theirs, "the store")
    # Through podman and buildah, and back.
    pod = ["--root", str(t / "p"), "--runroot", str(t / "pr"), "--storage-driver", "vfs"]
    envp = {**env.os_env, "BUILDAH_ISOLATION": "chroot"}
    for kind, name in (("docker-archive", "localhost/odd:1"), ("oci-archive", "localhost/odd:2")):
        f = t / f"{kind}.tar"
        env.run("copy", "-q", "odd:v1", f"{kind}:{f}:{name}").ok(out=want + "\n")
        if kind == "docker-archive":
            run("podman", *pod, "load", "-q", "-i", f, env=envp)
        else:
            run("podman", *pod, "pull", "-q", f"oci-archive:{f}", env=envp)
    ident = run("podman", *pod, "image", "inspect", "--format", "{{.Id}}", "localhost/odd:1", env=envp).strip()
    same("sha256:" + ident, json.loads(lay.blob_path(lay.manifests[0]).read_bytes())["config"]["digest"], "podman's id")
    where = run("podman", *pod, "image", "mount", ident, env=envp).strip()
    compare(tree(where), theirs, "podman")
    run("podman", *pod, "image", "umount", ident, env=envp)
    c = run("buildah", *pod, "from", "--pull-never", ident, env=envp).strip()
    # Its copy of a layer (vfs) does without trusted attributes.
    bare = {p: {**f, "xattrs": {k: v for k, v in f["xattrs"].items() if not k.startswith("trusted.")}} for p, f in theirs.items()}
    compare(tree(run("buildah", *pod, "mount", c, env=envp).strip(), skip=("dev", "proc", "sys", "run", "etc")), bare, "buildah")
    run("buildah", *pod, "umount", c, env=envp)
    run("buildah", *pod, "rm", c, env=envp)
    # What buildah writes of it comes back with the same tree.
    run("buildah", *pod, "push", "-q", ident, f"oci:{t}/from-buildah:1", env=envp)
    env.run("copy", "-q", f"oci:{t}/from-buildah:1", f"dir:{t}/bdir").ok(out=raw(f"oci:{t}/from-buildah:1") + "\n")
    env.run("copy", "-q", f"dir:{t}/bdir", f"oci:{t}/umoci-again:1").ok()
    run("umoci", "unpack", "--image", f"{t}/umoci-again:1", t / "again")
    compare(tree(t / "again/rootfs"), theirs, "the way through buildah")
    # And of what umoci makes, layer upon layer.
    (t / "umoci/rootfs/d/file").unlink()
    (t / "umoci/rootfs/d/added").write_bytes(b"more")
    run("umoci", "repack", "--image", f"{lay.path}:v2", t / "umoci")
    env.run("copy", "-q", f"oci:{lay.path}:v2", f"oci-archive:{t}/v2.tar:v2").ok(out=raw(f"oci:{lay.path}:v2") + "\n")
    run("podman", *pod, "rmi", "-af", env=envp)
    shutil.rmtree(t)
    clean(env)


main()
