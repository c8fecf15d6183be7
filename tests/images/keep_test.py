# SPDX-License-Identifier: Apache-2.0
# timeout: 180
"""What takes space, what goes, and that nothing goes which is used: system df, image prune, system prune."""
import hashlib, json, os, pathlib, shutil, subprocess, tarfile

from caisson_test import Failed, check, main, same, test, wait_for
from oci_image import Layout, busybox_layer, push, registry, tar


def taken(path):
    """Blocks of a tree, each inode once: what du(1) says."""
    return int(subprocess.run(["du", "-sB1", path], capture_output=True, text=True, check=True).stdout.split()[0])


def two_images(env, name="pair"):
    """one:1 and two:1 share the lower of two layers."""
    shutil.rmtree(env.tmp / name, ignore_errors=True)
    lay = Layout(env.tmp / name)
    low = (busybox_layer([("low", os.urandom(300000))]), "gzip")
    for n, size in (("one", 500000), ("two", 200000)):
        lay.image([low, (tar([(n, os.urandom(size))]), None)], {"Cmd": ["sh"], "Labels": {"which": n}}, n)
        env.run("pull", "-q", f"oci:{lay.path}:{n}").ok()
        env.run("tag", f"{name}:{n}", f"{n}:1").ok()
        env.run("rmi", f"{name}:{n}").ok()
    return lay


def df(env):
    return {r["Type"]: r for r in map(json.loads, env.run("system", "df", "--format", "json").ok().out.splitlines())}


def details(env):
    return env.run("system", "df", "-v", "--format=json").ok().json()


def empty(env):
    env.run("system", "prune", "-a", "-f", "--volumes").ok()
    left = [os.path.join(d, f) for top in ("blobs", "layers", "images", "metas", "tmp", "volumes") for d, _, files in os.walk(env.root / top) for f in files]
    same(left, [], "left behind")


@test(needs="root")
def shared_bytes_count_once(env):
    two_images(env)
    all_files = sum(f.stat().st_blocks * 512 for top in ("blobs", "layers", "metas") for f in (env.root / top).rglob("*") if f.is_file())
    d = df(env)
    same((d["Images"]["Bytes"], d["Images"]["ReclaimableBytes"], d["Images"]["TotalCount"], d["Images"]["Active"]), (all_files, all_files, 2, 0), "images")
    one, two = sorted(details(env)["Images"], key=lambda i: i["Names"])
    same((one["Shared"], one["Shared"] + one["Own"] + two["Own"]), (two["Shared"], all_files), "shared bytes and sum")
    check(one["Shared"] >= 300000 and one["Own"] >= 1000000 > two["Own"] >= 400000, (one, two))
    # What is own is what comes back; the rest stays for the other image.
    env.run("rmi", "one:1").ok()
    same(df(env)["Images"]["Bytes"], all_files - one["Own"], "after rmi")
    env.run("system", "df").ok(out=None)
    check(env.run("system", "df").out.startswith("TYPE "), "table")
    env.run("system", "df", "--format", "{{.Nope").error(2)
    env.run("system", "df", "-v", "--format", "{{.Type}}").error(2, "not a template")
    empty(env)


@test(needs="root")
def prune_asks_or_refuses(env):
    two_images(env)
    for args in (("system", "prune"), ("image", "prune"), ("image", "prune", "-a")):
        env.run(*args).error(2, " ".join(args[:2]), "--force")
        t = env.tty(*args)
        t.until(r"Go on\? \[y/N\] ")
        t.send("n\n")
        same(t.finish().code, 0, "exit code")
    same(len(env.run("images", "-q").out.split()), 2, "images")
    env.run("image", "prune", "-f").ok(out="Total reclaimed space: 0B\n")
    for bad in ("until=x", "nope=1", "label=", "until"):
        env.run("image", "prune", "-a", "-f", "--filter", bad).error(2, bad.removeprefix("until=") if bad != "until=x" else "'x'")
    t = env.tty("image", "prune", "-a")
    t.until(r"Go on\? \[y/N\] ")
    t.send("y\n")
    t.until("Deleted: sha256:")
    same(t.finish().code, 0, "exit code")
    env.run("images", "-q").ok(out="")
    empty(env)


@test(needs="root")
def filters_choose(env):
    two_images(env)
    env.run("image", "prune", "-a", "-f", "--filter", "until=2025-12-31T00:00:00Z").ok(out="Total reclaimed space: 0B\n")
    out = env.run("image", "prune", "-a", "-f", "--filter", "label!=which=two", "--filter=until=1h").ok().out
    check("Untagged: one:1\n" in out, out)
    env.run("images", "--format", "{{.Repository}}").ok(out="two\n")
    own = details(env)["Images"][0]["Bytes"]
    out = env.run("image", "prune", "-a", "-f", "--filter", "label=which").ok().out
    check("Untagged: two:1\n" in out and "reclaimed space: 0B" not in out, out)
    check(own > 0, own)
    empty(env)


@test(needs="root")
def nothing_that_is_used_goes(env):
    two_images(env)
    run = env.run("run", "-d", "--name=busy", "-v", "/data", "-v", "kept:/k", "one:1", "sleep", "1000").ok().out.strip()
    done = env.run("run", "--name=done", "-v", "/data", "--label=a=b", "one:1", "sh", "-c", "dd if=/dev/zero of=/f bs=1000 count=2000 2>/dev/null; sync").ok()
    d = df(env)
    same([d["Instances"][k] for k in ("TotalCount", "Active")], [2, 1], "instances")
    same([d["Volumes"][k] for k in ("TotalCount", "Active")], [3, 3], "volumes")
    check(2000000 <= d["Instances"]["ReclaimableBytes"] <= d["Instances"]["Bytes"], d)
    two = [i for i in details(env)["Images"] if i["Names"] == ["two:1"]][0]
    same(d["Images"]["ReclaimableBytes"], two["Own"], "reclaimable: what only the unused image takes")
    env.run("system", "prune", "-a", "-f", "--volumes", "--filter", "label=zz").ok(out="Total reclaimed space: 0B\n")
    env.run("system", "prune", "-f", "--volumes", "--filter", "until=1h").error(2, "until", "--volumes")
    before = taken(env.root)
    out = env.run("system", "prune", "-a", "-f", "--volumes").ok().out
    check("Deleted instances:\n" in out and "Untagged images:\ntwo:1\n" in out and "Deleted volumes:\n" in out, out)
    check(before - taken(env.root) >= 2000000 + two["Own"], "space came back")
    same(len(env.run("ps", "-aq").ok().out.split()), 1, "instances")
    same(sorted(env.run("exec", "busy", "ls", "/bin/busybox", "/low").ok().out.split()), ["/bin/busybox", "/low"], "its files")
    env.run("rm", "-f", "-v", "busy").ok()
    env.run("system", "prune", "-a", "-f", "--volumes").ok()
    same(os.listdir(env.root / "volumes"), ["kept"], "volumes")
    shutil.rmtree(env.root / "volumes/kept")
    empty(env)


@test(needs="root")
def prune_beside_pull_and_run(env):
    lay = two_images(env)
    for _ in range(12):
        pulls = [env.start("pull", "-q", f"oci:{lay.path}:one"), env.start("run", "--rm", "caisson/tiny", "true"), env.start("system", "prune", "-a", "-f")]
        for p in pulls:
            p.finish().ok()
    env.run("pull", "-q", f"oci:{lay.path}:one").ok()
    env.run("run", "--rm", "pair:one", "cat", "/etc/passwd").ok()
    empty(env)


@test(needs="root,strace", timeout=100)
def killed_prune(env):
    lay = two_images(env)
    killed = 0
    for call in ("unlinkat", "fsync", "flock"):
        for k in (1, 2, 4, 9):
            env.run("pull", "-q", f"oci:{lay.path}:one").ok()
            (env.root / "volumes").joinpath("ab" * 32, "_data").mkdir(parents=True, exist_ok=True)
            env.run("create", "caisson/tiny").ok()
            r = subprocess.run(["strace", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={k}",
                                *env.argv(["system", "prune", "-a", "-f", "--volumes"])], capture_output=True, env=env.os_env)
            killed += r.returncode in (-9, 137)
            for i in env.run("images", "-q").ok(err="").out.split():
                env.run("image", "inspect", i).ok()
            env.run("ps", "-a").ok(err="")
            empty(env)
            same(env.run("ps", "-aq").ok().out, "", "instances")
    check(killed >= 6, f"only {killed} times killed")



# ---- system check ----

def flip(path, at=-1):
    """One other byte, with the same length and time."""
    st = path.stat()
    with open(path, "r+b") as f:
        f.seek(at if at >= 0 else st.st_size // 2)
        b = f.read(1)
        f.seek(-1, 1)
        f.write(bytes([b[0] ^ 0xff]))
    os.utime(path, ns=(st.st_atime_ns, st.st_mtime_ns))


def layer_files(env):
    return sorted(env.root.glob("layers/*.erofs"))


@test(needs="root")
def damage_is_found_and_repaired(env):
    lay = two_images(env)
    clean = env.run("system", "check").ok().out
    check(clean.startswith("checked 2 image names, 3 layers, 7 blobs") and clean.endswith(": 0 wrong, 0 repaired\n"), clean)
    for f in layer_files(env):
        good = f.read_bytes()
        for what in ("data", "end", "start", "short", "mark", "gone"):
            mark = f.with_suffix(".json")
            if what == "mark":
                mark.write_text("{")
            elif what == "gone":
                f.unlink()
            elif what == "short":
                os.truncate(f, len(good) - 4096)
            else:
                flip(f, {"data": -1, "end": len(good) - 1, "start": 1030}[what])
            out = env.run("system", "check").expect(1).out
            check("sha256:" + f.stem in out and "1 wrong" in out, f"{what}: {out}")
            out = env.run("store", "check", "--repair").ok().out
            check("made again from its blob" in out, f"{what}: {out}")
            same(f.read_bytes() == good, True, f"{what}: the layer's bytes")
            same(env.run("system", "check").ok().out, clean, what)
    same(env.run("run", "--rm", "one:1", "cat", "/etc/passwd").ok().out, "root:x:0:0:root:/:/bin/sh\n", "it runs")
    empty(env)


@test(needs="root")
def what_is_lost_is_said_and_pulled_again(env):
    lay = two_images(env)
    clean = env.run("system", "check").ok().out
    recs = {json.loads(f.read_text())["name"].split("/")[-1]: json.loads(f.read_text()) for f in (env.root / "images").iterdir()}
    blob = lambda d: env.root / "blobs/sha256" / d[7:]

    # A compressed layer: the image runs on, a pull brings the blob again.
    flip(blob(recs["one:1"]["blobs"][1]))
    out = env.run("system", "check").expect(1).out
    check("(one:1): damaged" in out and "pull 'one:1' again" in out, out)
    out = env.run("system", "check", "--repair").expect(1).out
    env.run("run", "--rm", "one:1", "true").ok()
    check("is missing" in env.run("system", "check").expect(1).out, "missing")
    env.run("pull", "-q", f"oci:{lay.path}:one").ok()
    env.run("rmi", "pair:one").ok()
    same(env.run("system", "check").ok().out, clean, "after the pull")

    # Layer and blob: the name goes, the other image stays.
    flip(blob(recs["one:1"]["blobs"][1]))
    f = env.root / "layers" / (recs["one:1"]["layers"][1][7:] + ".erofs")
    flip(f, 1030)
    out = env.run("system", "check", "--repair").expect(1).out
    check("image 'one:1': removed; pull it again" in out, out)
    env.run("images", "--format", "{{.Repository}}").ok(out="two\n")
    env.run("system", "check").ok()
    # A configuration, of an image that is used: it stays, with the word.
    env.run("create", "--name=c", "two:1", "true").ok()
    flip(blob(recs["two:1"]["id"]))
    out = env.run("system", "check", "--repair").expect(1).out
    check("kept, instance" in out, out)
    env.run("pull", "-q", f"oci:{lay.path}:two").ok()
    env.run("system", "check").ok()
    env.run("start", "c").ok()
    env.run("wait", "c").ok(out="0\n")
    env.run("rm", "c").ok()
    # A record, and what a killed command left.
    (env.root / "images" / "x.json").write_text("{}")
    (env.root / "tmp" / "0123").mkdir()
    out = env.run("system", "check").expect(1).out
    check("images/x.json:" in out and "tmp/0123: left" in out, out)
    env.run("system", "check", "--repair").ok()
    env.run("system", "check").ok()
    empty(env)



@test(needs="root,registry", timeout=100)
def what_is_lost_comes_from_the_registry(env):
    layout = Layout(env.tmp / "again")
    layout.image([(busybox_layer(), "gzip"), (tar([("more", b"more")]), "zstd")], {"Cmd": ["sh"]})
    with registry(env) as host:
        ref = f"{host}/again/image:1"
        push(layout, ref)
        env.run("pull", "-q", ref).ok()
        rec = json.loads(next((env.root / "images").iterdir()).read_text())
        blob = lambda d: env.root / "blobs/sha256" / d[7:]
        layer = lambda n: env.root / "layers" / (rec["layers"][n][7:] + ".erofs")
        for hurt in ((lambda: flip(blob(rec["blobs"][0]))), (lambda: (flip(blob(rec["blobs"][1])), flip(layer(1), 1030))), (lambda: flip(blob(rec["id"]))),
                     (lambda: flip(blob(rec["manifest"]))), (lambda: blob(rec["blobs"][1]).unlink())):
            hurt()
            env.run("system", "check").expect(1)
            out = env.run("system", "check", "--repair").ok().out
            check("pulled again by its digest" in out, out)
            check("0 wrong" in env.run("system", "check").ok().out, "it is not repaired")
            same(json.loads(next((env.root / "images").iterdir()).read_text()), rec, "the record")
            env.run("run", "--rm", "--network=none", ref, "cat", "/more").ok(out="more")
    empty(env)


# ---- save ----

def manifest_of(env, name):
    return env.run("image", "inspect", name).ok().json()[0]["RepoDigests"][0].split("@")[1]


@test(needs="root")
def saved_images_keep_their_digests(env):
    two_images(env)
    f, g = env.tmp / "a.tar", env.tmp / "b.tar"
    env.run("save", "-o", f, "one:1", "two:1").ok(out="", err="")
    p = subprocess.run(env.argv(["save", "two:1", "one:1", "one:1"]), capture_output=True, env=env.os_env)
    same((p.returncode, p.stdout == f.read_bytes()), (0, True), "same bytes in any order, to a pipe")
    with tarfile.open(f) as t:
        members = t.getmembers()
        names = [m.name for m in members]
        same(names, ["blobs", "blobs/sha256", *sorted(n for n in names if n.startswith("blobs/sha256/")), "index.json", "manifest.json", "oci-layout"], "entries")
        same({(m.mtime, m.uid, m.gid, m.mode) for m in members}, {(0, 0, 0, 0o755), (0, 0, 0, 0o644)}, "what varies elsewhere")
        for m in members[2:-3]:
            same(hashlib.sha256(t.extractfile(m).read()).hexdigest(), m.name.split("/")[-1], "digest")
        docker = json.load(t.extractfile("manifest.json"))
        same(sorted(i["RepoTags"][0] for i in docker), ["one:1", "two:1"], "manifest.json")
    ids = env.run("images", "-q", "--no-trunc").out
    digests = [manifest_of(env, n) for n in ("one:1", "two:1")]
    ident = env.run("images", "-q", "--no-trunc", "one").out.strip()
    env.run("save", "-o", g, ident[7:20]).ok()
    empty(env)
    env.run("load", "-q", "-i", g).ok(out=f"Loaded image ID: {ident}\n")
    same(sorted(env.run("load", "-q", "-i", f).ok().out.splitlines()), ["Loaded image: one:1", "Loaded image: two:1"], "loaded")
    same((env.run("images", "-q", "--no-trunc").out, [manifest_of(env, n) for n in ("one:1", "two:1")]), (ids, digests), "ids and digests")
    env.run("save", "-o", g, "one:1", "two:1").ok()
    same(g.read_bytes() == f.read_bytes(), True, "the same archive again")
    env.run("system", "check").ok()
    empty(env)


@test(needs="root,podman,registry")
def others_read_what_is_saved(env):
    two_images(env)
    env.run("tag", "one:1", "reg.example:5000/deep/er:x").ok()
    f = env.tmp / "o.tar"
    env.run("save", "-o", f, "one:1", "reg.example:5000/deep/er:x").ok()
    image = env.run("image", "inspect", "one:1").ok().json()[0]
    def skopeo(*args):
        r = subprocess.run(["skopeo", "--insecure-policy", *args], capture_output=True, text=True, env=env.os_env)
        same(r.returncode, 0, f"skopeo {args}: {r.stderr}")
        return r.stdout
    same(json.loads(skopeo("inspect", f"oci-archive:{f}:x"))["Digest"], manifest_of(env, "one:1"), "skopeo's digest")
    raw = skopeo("inspect", "--config", "--raw", f"docker-archive:{f}:one:1")
    same("sha256:" + hashlib.sha256(raw.encode()).hexdigest(), image["Id"], "skopeo's configuration")
    podman = ["podman", "--root", str(env.tmp / "p"), "--runroot", str(env.tmp / "pr"), "--storage-driver", "vfs"]
    r = subprocess.run([*podman, "load", "-q", "-i", f], capture_output=True, text=True, env=env.os_env)
    check(r.returncode == 0 and "one:1" in r.stdout, r.stdout + r.stderr)
    r = subprocess.run([*podman, "image", "inspect", "--format", "{{.Id}} {{json .RootFS.Layers}}", "one:1"], capture_output=True, text=True, env=env.os_env)
    same(r.stdout.split(None, 1), [image["Id"][7:], json.dumps(image["RootFS"]["Layers"], separators=(",", ":")) + "\n"], r.stderr)
    back = env.tmp / "back.tar"
    back.unlink(missing_ok=True)
    r = subprocess.run([*podman, "save", "-q", "--format", "oci-archive", "-o", back, "one:1"], capture_output=True, text=True, env=env.os_env)
    same(r.returncode, 0, r.stderr)
    empty(env)
    env.run("load", "-q", "-i", back).ok()
    same(env.run("image", "inspect", env.run("images", "-q").out.split()[0]).ok().json()[0]["RootFS"], image["RootFS"], "layers that came back")
    subprocess.run([*podman, "rmi", "-af"], capture_output=True, env=env.os_env)
    shutil.rmtree(env.tmp / "p", ignore_errors=True)
    empty(env)


@test(needs="root")
def save_fails_whole(env):
    two_images(env)
    t = env.tty("save", "one:1")
    r = t.finish()
    check(r.code == 2 and "terminal" in r.out, r.out)
    small = env.tmp / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "x", small], check=True)
    try:
        (small / "a.tar").write_text("old")
        env.run("save", "-o", small / "a.tar", "one:1").error(1, "a.tar", "No space left")
        same((os.listdir(small), (small / "a.tar").read_text()), (["a.tar"], "old"), "what was there")
        with open(small / "pipe", "wb") as out:
            p = subprocess.run(env.argv(["save", "one:1"]), stdout=out, stderr=subprocess.PIPE, env=env.os_env)
        check(p.returncode == 1 and b"No space left" in p.stderr, p.stderr)
    finally:
        subprocess.run(["umount", small], check=True)
    env.run("save", "-o", "/dev/full", "one:1").error(1, "No space left")
    env.run("save", "-o", env.tmp / "none" / "a.tar", "one:1").error(1, "a.tar", "No such file")
    env.run("save", "-o", env.tmp / "x.tar", "one:1", "nope").error(1, "no image 'nope'")
    rec = next(json.loads(f.read_text()) for f in (env.root / "images").iterdir() if "one" in f.name)
    flip(env.root / "blobs/sha256" / rec["blobs"][0][7:])
    env.run("save", "-o", env.tmp / "x.tar", "one:1").error(1, "damaged on disk", "--repair")
    check(not list(env.tmp.glob("x.tar*")), "left behind")
    empty(env)



@test(needs="root")
def history_is_shown(env):
    lay = Layout(env.tmp / "hist")
    layers = [(tar([("a", b"x" * 9000)]), None), (tar([("b", b"y")]), None)]
    real = json.dumps
    history = [{"created": "2026-01-01T00:00:00Z", "created_by": "ADD a /\twith \x1b[31m" + "z" * 60}, {"created_by": "ENV A=b", "empty_layer": True, "comment": "why"}]
    # The helper writes no history: it goes in on the way to the blob.
    lay.blob, put = lambda data, kind: put(real({**json.loads(data), "history": history}).encode() if "config" in kind else data, kind), lay.blob
    lay.image(layers, {"Cmd": ["x"]}, "h")
    env.run("pull", "-q", f"oci:{lay.path}:h").ok()
    ident = env.run("images", "-q", "--no-trunc").out.strip()
    rows = [json.loads(x) for x in env.run("history", "--no-trunc", "--format=json", "hist:h").ok().out.splitlines()]
    same([r["ID"] for r in rows], [ident, "<missing>", "<missing>"], "ids")
    same([(r["CreatedBy"][:7], r["Comment"]) for r in rows], [("", ""), ("ENV A=b", "why"), ("ADD a /", "")], "steps")
    check(rows[1]["Size"] == "0B" and rows[0]["Size"] != "0B" and rows[2]["CreatedAt"] == "2026-01-01T00:00:00Z", rows)
    env.run("history", "-q", "hist:h").ok(out=f"{ident[7:19]}\n<missing>\n<missing>\n")
    out = env.run("image", "history", "hist:h").ok().out
    check(out.startswith("IMAGE ") and "ADD a / with \\x1b[31m" in out and "z" * 50 not in out and "\x1b" not in out, out)
    env.run("history", "nope").error(1, "no image 'nope'")
    env.run("history", "--format", "{{.ID", "hist:h").error(2)
    empty(env)


main()
