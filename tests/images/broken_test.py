# SPDX-License-Identifier: Apache-2.0
# timeout: 240
"""Images that lie, break off or attack: one clear line, the right exit code, and a store as it was before."""
import gzip, hashlib, json, os, pathlib, shutil, subprocess, tarfile

from caisson_test import Failed, check, main, same, test
from oci_image import Layout, busybox_layer, compress, push, registry, tar


def store_files(env):
    """Every file of the store but the pinned run state and locks."""
    out = set()
    for d, _, files in os.walk(env.root):
        out |= {os.path.relpath(os.path.join(d, f), env.root) for f in files if not f.endswith("lock")}
    return out


def refused(env, source, *words, code=1):
    """Pulling must fail with these words and leave no image, no layer and no staging behind."""
    before = store_files(env)
    env.run("pull", "-q", source).error(code, *words)
    more = {f for f in store_files(env) - before if not f.startswith("cache/")}
    # A blob that was whole and verified may stay for the next try; a layer, an image or a part of one may not.
    bad = {f for f in more if not f.startswith("blobs/sha256/")}
    check(not bad, f"left in the store: {sorted(bad)}")
    for f in more:
        data = (env.root / f).read_bytes()
        same(hashlib.sha256(data).hexdigest(), os.path.basename(f), f"digest of {f}")
    return more


def layout(env, name, entries, how="gzip"):
    lay = Layout(env.tmp / name)
    return lay, lay.image([(tar(entries), how)])


def victim(env):
    """A directory beside the store that an archive would like to reach."""
    d = env.base / "victim"
    d.mkdir(exist_ok=True)
    (d / "file").write_text("safe\n")
    return d


def untouched(d):
    same(sorted(os.listdir(d)), ["file"], "files outside")
    same((d / "file").read_text(), "safe\n", "file outside")


# ---- honest ones, so that the rest means something ----

@test(needs="root")
def an_honest_layout_is_pulled(env):
    lay, _ = layout(env, "good", [("etc", None), ("etc/os", b"x\n")])
    env.run("pull", f"oci:{lay.path}").ok()
    out = env.run("images", "-q").ok().out.split()
    same(len(out), 1, "images")
    env.run("rmi", out[0]).ok()
    same(env.run("images", "-q").ok().out, "", "images after rmi")
    left = {f for f in store_files(env) if f.startswith(("blobs/", "layers/", "metas/", "images/"))}
    check(not left, f"rmi left {sorted(left)}")


@test(needs="root,registry")
def token_and_loopback_registry(env):
    lay, m = layout(env, "reg", [("f", b"1")])
    with registry(env) as host:
        push(lay, f"{host}/a/b:1")
        env.run("pull", f"{host}/a/b:1").ok()
        env.run("pull", f"{host}/a/b:nope").error(1, f"{host}/a/b:nope")
        env.run("pull", f"{host}/no/such").error(1, f"{host}/no/such")
        env.run("pull", f"{host}/a/b@sha256:{'0' * 64}").error(1, "0000")
        check("a/b" in env.run("images").ok().out, "not listed")
    env.run("rmi", f"{host}/a/b:1").ok()
    env.run("pull", "-q", f"{host}/a/b:1").error(1, host)


# ---- bytes ----

@test(needs="root")
def a_wrong_layer_digest(env):
    lay, m = layout(env, "wrong", [("f", b"1")])
    p = lay.blob_path(m["layers"][0])
    data = bytearray(p.read_bytes())
    data[-5] ^= 1
    p.write_bytes(data)
    refused(env, f"oci:{lay.path}", m["layers"][0]["digest"][:19])


@test(needs="root")
def a_wrong_config_digest(env):
    lay, m = layout(env, "config", [("f", b"1")])
    p = lay.blob_path(m["config"])
    p.write_bytes(p.read_bytes().replace(b"amd64", b"amd65"))
    refused(env, f"oci:{lay.path}", m["config"]["digest"][:19])


@test(needs="root")
def a_truncated_layer(env):
    lay, m = layout(env, "short", [("f", b"1" * 100000)], how=None)
    p = lay.blob_path(m["layers"][0])
    p.write_bytes(p.read_bytes()[:-2000])
    refused(env, f"oci:{lay.path}", m["layers"][0]["digest"][:19])


@test(needs="root")
def a_truncated_gzip_stream_with_a_right_digest(env):
    lay = Layout(env.tmp / "cutgz")
    data = tar([("f", os.urandom(300000))])
    cut = compress(data, "gzip")[0][:-1000]
    whole = lay.image([(data, "gzip")])
    layer = lay.blob(cut, whole["layers"][0]["mediaType"])
    rewrite(lay, {**whole, "layers": [layer]})
    refused(env, f"oci:{lay.path}", layer["digest"][:19])


@test(needs="root")
def a_truncated_tar_with_a_right_digest(env):
    lay = Layout(env.tmp / "cuttar")
    data = tar([("a", b"1" * 5000), ("b", b"2" * 50000)])
    lay.image([(data[:20000], "gzip")])
    refused(env, f"oci:{lay.path}")


@test(needs="root")
def a_layer_that_is_no_archive(env):
    lay = Layout(env.tmp / "noise")
    lay.image([(os.urandom(70000), "gzip")])
    refused(env, f"oci:{lay.path}")


@test(needs="root")
def a_wrong_diff_id(env):
    lay = Layout(env.tmp / "diff")
    m = lay.image([(tar([("f", b"1")]), "gzip")])
    config = json.loads(lay.blob_path(m["config"]).read_bytes())
    config["rootfs"]["diff_ids"] = ["sha256:" + "1" * 64]
    rewrite(lay, {**m, "config": lay.blob(json.dumps(config).encode(), m["config"]["mediaType"])})
    refused(env, f"oci:{lay.path}")


@test(needs="root")
def numbers_of_layers_that_differ(env):
    lay = Layout(env.tmp / "count")
    m = lay.image([(tar([("f", b"1")]), "gzip")])
    rewrite(lay, {**m, "layers": m["layers"] * 2})
    refused(env, f"oci:{lay.path}")


@test(needs="root")
def a_size_that_is_not_true(env):
    for name, size in (("big", 10 ** 9), ("small", 3), ("negative", -1), ("huge", 2 ** 63)):
        lay = Layout(env.tmp / f"size-{name}")
        m = lay.image([(tar([("f", b"1")]), "gzip")])
        rewrite(lay, {**m, "layers": [{**m["layers"][0], "size": size}]})
        refused(env, f"oci:{lay.path}")


@test(needs="root")
def documents_that_are_none(env):
    for name, text in (("empty", b""), ("noise", b"\xff\xfe"), ("list", b"[]"), ("deep", b"[" * 100000),
                       ("twice", b'{"schemaVersion":2,"schemaVersion":2,"manifests":[]}'),
                       ("nothing", b'{"schemaVersion":2,"manifests":[]}'), ("number", b"7")):
        lay = Layout(env.tmp / f"doc-{name}")
        (lay.path / "index.json").write_bytes(text)
        refused(env, f"oci:{lay.path}")


def rewrite(lay, manifest):
    lay.manifests.clear()
    m = lay.blob(json.dumps(manifest).encode(), manifest["mediaType"])
    m["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
    lay.manifests.append(m)
    (lay.path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [m]}))


# ---- archives that attack ----

ATTACKS = {
    "dotdot": [("../../../../victim/file", b"owned\n")],
    "dotdot_inside": [("a", None), ("a/../../../../../victim/file", b"owned\n")],
    "absolute": [("/etc/../../../victim/file", b"owned\n")],
    "through_link": [("out", "-> /"), ("out/victim-by-link", b"owned\n")],
    "through_relative_link": [("out", "-> ../../.."), ("out/victim/file", b"owned\n")],
    "hard_link_out": [("h", "=> ../../../victim/file"), ("h", b"owned\n")],
    "hard_link_absolute": [("h", "=> /etc/passwd")],
    "hard_link_to_nothing": [("h", "=> not/there")],
    "hard_link_to_itself": [("h", "=> h")],
    "whiteout_of_dotdot": [(".wh...", b"")],
    "whiteout_of_dot": [(".wh..", b"")],
    "whiteout_of_nothing": [(".wh.", b"")],
    "file_as_directory": [("a", b"1"), ("a/b", b"2")],
    "empty_name": [("", b"1")],
    "root_as_file": [("./", b"")],
    "long_component": [("x" * 300, b"1")],
}


@test(needs="root", timeout=120)
def no_archive_reaches_out(env):
    d = victim(env)
    for name, entries in ATTACKS.items():
        lay, _ = layout(env, f"attack-{name}", [("ok", b"1"), *entries])
        r = env.run("pull", "-q", f"oci:{lay.path}")
        # Refused, or read as if the layer's root were "/": both are fine, reaching out is not.
        if r.code == 0:
            image = env.run("images", "-q").ok().out.split()[0]
            env.run("rmi", image).ok()
        else:
            r.error(1)
        untouched(d)
        check(not os.path.exists("/victim-by-link"), f"{name}: written to the host's root")


@test(needs="root", timeout=120)
def a_bomb_is_stopped(env):
    """A few megabytes that unpack to many gigabytes end at a limit, or at the disk's end, with one line."""
    lay = Layout(env.tmp / "bomb")
    head = tarfile.TarInfo("zeros")
    head.size = 8 << 40
    raw = head.tobuf(format=tarfile.GNU_FORMAT)
    # One member of 64 MiB of zeros, given 256 times: gzip members may follow each other.
    chunk = gzip.compress(bytes(64 << 20), 9, mtime=0)
    data = gzip.compress(raw, mtime=0) + chunk * 256
    m = lay.image([(tar([("f", b"1")]), "gzip")])
    layer = lay.blob(data, m["layers"][0]["mediaType"])
    rewrite(lay, {**m, "layers": [layer]})
    small = env.base / "small"
    small.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(small)], check=True)
    old = env.root
    try:
        env.root = small / "root"
        env.run("pull", "-q", f"oci:{lay.path}", timeout=100).error(1)
        check(not env.run("images", "-q").ok().out, "an image is listed")
    finally:
        env.root = old
        subprocess.run(["umount", "-l", str(small)], check=True)


# ---- disk ----

@test(needs="root", timeout=120)
def a_full_disk(env):
    lay = Layout(env.tmp / "full")
    lay.image([(tar([("f", os.urandom(8 << 20))]), "gzip")])
    small = env.base / "tiny-disk"
    small.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(small)], check=True)
    old = env.root
    try:
        env.root = small / "root"
        env.run("pull", "-q", f"oci:{lay.path}").error(1, "no space left")
        used = sum(f.stat().st_blocks * 512 for f in (small / "root").rglob("*") if f.is_file())
        check(used < 1 << 20, f"{used} bytes are still used after the failure")
        check(not env.run("images", "-q").ok().out, "an image is listed")
        # The store still works for what fits, and gives the room back.
        good = Layout(env.tmp / "fits")
        good.image([(tar([("f", b"1")]), "gzip")])
        env.run("pull", f"oci:{good.path}").ok()
        env.run("rmi", env.run("images", "-q").ok().out.split()[0]).ok()
    finally:
        env.root = old
        subprocess.run(["umount", "-l", str(small)], check=True)


# ---- what the user typed ----

@test(needs="root")
def names_and_files_that_are_wrong(env):
    env.run("pull", "oci:/no/such/layout").error(1, "/no/such/layout")
    env.run("pull", "oci-archive:/no/such.tar").error(1, "/no/such.tar")
    env.run("pull", "docker-archive:/no/such.tar").error(1, "/no/such.tar")
    env.run("pull", "UPPER/Case").error(2, "UPPER/Case")
    env.run("pull", "").expect(2)
    env.run("pull").error(2)
    env.run("pull", "--no-such-flag", "x").error(2, "--no-such-flag")
    env.run("rmi", "not-here").error(1, "not-here")
    env.run("tag", "not-here", "x").error(1, "not-here")
    env.run("image", "inspect", "not-here").error(1, "not-here")
    env.run("load", "-i", "/no/such.tar").error(1, "/no/such.tar")
    env.run("load", stdin="this is no archive\n" * 1000).error(1)
    env.run("no-such-command").error(2, "no-such-command")


@test(needs="root")
def plain_http_is_for_loopback_alone(env):
    # 192.0.2.0/24 is nobody's (RFC 5737), and this namespace has no way out at all.
    env.run("pull", "192.0.2.1:5000/x:1", timeout=60).error(1, "192.0.2.1:5000")


main()
