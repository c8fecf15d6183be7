# SPDX-License-Identifier: Apache-2.0
# timeout: 300
"""Images from every place they come from, made and judged by other tools: same digests, same ids."""
import gzip, hashlib, json, os, pathlib, re, shutil, signal, subprocess, tarfile, time

from caisson_test import Failed, check, main, same, test, wait_for
from oci_image import Layout, busybox_layer, push, registry, tar


def skopeo(*args):
    r = subprocess.run(["skopeo", "--insecure-policy", *args], capture_output=True, text=True)
    if r.returncode:
        raise Failed(f"skopeo {args}: {r.stderr[-2000:]}")
    return r.stdout


def layout(env, name="layout", how=("gzip", "zstd", None), big=0):
    lay = Layout(env.tmp / name)
    shutil.rmtree(lay.path / "blobs")
    lay = Layout(env.tmp / name)
    layers = [(tar([(f"d{i}", None), (f"d{i}/file", f"{name} {i}\n".encode() + os.urandom(big))]), h) for i, h in enumerate(how)]
    lay.image([(busybox_layer(), "gzip"), *layers], {"Cmd": ["sh"], "Env": ["A=b"], "User": "1:2"})
    return lay


def ids(lay):
    """(manifest digest, config digest) of a layout's only image."""
    m = lay.manifests[0]
    return m["digest"], json.loads(lay.blob_path(m).read_bytes())["config"]["digest"]


def inspect(env, name):
    return env.run("image", "inspect", name).ok().json()[0]


def empty_again(env):
    for i in env.run("images", "-q", "--no-trunc").out.split():
        env.run("rmi", "-f", i).ok()
    for d in ("blobs/sha256", "layers", "images", "metas", "tmp"):
        same(os.listdir(env.root / d), [], d)


@test(needs="root,registry")
def registry_round_trip(env):
    lay = layout(env, how=("gzip", "zstd", "gzip"))
    with registry(env) as host:
        push(lay, f"{host}/a/b:1", "latest", "--preserve-digests")
        env.run("pull", f"{host}/a/b:1").ok(out=f"{host}/a/b:1\n")
        i = inspect(env, f"{host}/a/b:1")
        same((i["RepoDigests"], i["Id"]), ([f"{host}/a/b@{ids(lay)[0]}"], ids(lay)[1]), "digests")
        same((i["Config"]["User"], i["Os"], len(i["RootFS"]["Layers"])), ("1:2", "linux", 4), "configuration")
        again = env.run("pull", f"{host}/a/b@{ids(lay)[0]}").ok()
        check("fetch" not in again.err and again.err.count("exists") == 4, again.err)
        # Docker's own form of the same image: other digests of manifest and configuration, same layers.
        plain = layout(env, "plain", how=("gzip", "gzip"))
        push(plain, f"{host}/a/v2s2:1", "latest", "--format", "v2s2")
        env.run("pull", "-q", f"{host}/a/v2s2:1").ok()
        env.run("pull", "-q", f"oci:{plain.path}").ok(out="plain:latest\n")
        same(inspect(env, f"{host}/a/v2s2:1")["RootFS"], inspect(env, "plain")["RootFS"], "layers")
        env.run("pull", f"{host}/a/b:2").error(1, f"{host}/a/b:2", "has no image 'a/b:2'")
    empty_again(env)


@test(needs="root,registry")
def archives(env):
    lay = layout(env, how=("gzip",))
    oci, docker = env.tmp / "a.oci.tar", env.tmp / "a.docker.tar"
    for f in (oci, docker):
        f.unlink(missing_ok=True)
    skopeo("copy", "--quiet", f"oci:{lay.path}:latest", f"oci-archive:{oci}:v1")
    skopeo("copy", "--quiet", f"oci:{lay.path}:latest", f"docker-archive:{docker}:team/app:v2")
    manifest, ident = ids(lay)
    env.run("pull", "-q", f"oci-archive:{oci}:v1").ok(out="a:v1\n")
    same(inspect(env, "a:v1")["Id"], ident, "id")
    env.run("pull", "-q", f"docker-archive:{docker}:team/app:v2").ok(out="team/app:v2\n")
    same(inspect(env, "team/app:v2")["RootFS"], inspect(env, "a:v1")["RootFS"], "layers")
    env.run("pull", f"oci-archive:{oci}:nope").error(1, "no image tagged 'nope'")
    env.run("pull", f"docker-archive:{docker}:nope").error(1, "no image 'nope'")
    env.run("pull", f"oci-archive:{env.tmp}/none").error(1, "none", "No such file")
    env.run("pull", f"oci:{oci}").error(2, "not a directory")
    empty_again(env)
    # load: a file, a pipe, compressed; the form is found out.
    packed = gzip.compress(docker.read_bytes(), 1)
    (env.tmp / "a.tar.gz").write_bytes(packed)
    env.run("load", "-q", "-i", env.tmp / "a.tar.gz").ok(out="Loaded image: team/app:v2\n")
    empty_again(env)
    p = subprocess.run(env.argv(["load", "-q"]), input=packed, capture_output=True, env=env.os_env)
    same((p.returncode, p.stdout), (0, b"Loaded image: team/app:v2\n"), p.stderr)
    # skopeo gives the layout's tag only, which is no name by itself.
    check("Loaded image" in env.run("load", "-q", "-i", oci).ok().out, "oci archive")
    empty_again(env)
    env.run("load", "-i", env.tmp / "a.oci.tar.gz").error(1, "No such file")
    (env.tmp / "no.tar").write_bytes(b"x" * 10000)
    env.run("load", "-i", env.tmp / "no.tar").error(1, "no.tar")
    (env.tmp / "no.tar").write_bytes(tar([("a", b"b")]))
    env.run("load", "-i", env.tmp / "no.tar").error(1, "neither manifest.json nor index.json")
    half = docker.read_bytes()
    (env.tmp / "no.tar").write_bytes(half[:len(half) // 2])
    env.run("load", "-i", env.tmp / "no.tar").error(1, "no.tar")
    empty_again(env)


def old_docker_archive(path, names):
    """As docker before 25 wrote it: a directory per layer, equal layers as links, several images."""
    base, top = tar([("f", b"1")]), tar([("g", b"2")])
    hexes = [hashlib.sha256(x).hexdigest() for x in (base, top)]
    entries, images = [], []
    entries += [("l0", None), ("l0/layer.tar", base), ("l1", None), ("l1/layer.tar", top),
                ("l2", None), ("l2/layer.tar", "-> ../l0/layer.tar")]
    for i, (tags, layers) in enumerate(names):
        config = json.dumps({"os": "linux", "architecture": "amd64", "config": {"Labels": {"n": str(i)}},
                             "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hexes[k % 2] for k in layers]}}).encode()
        entries.append((f"c{i}.json", config))
        images.append({"Config": f"c{i}.json", "RepoTags": tags, "Layers": [f"l{k}/layer.tar" for k in layers]})
    entries.append(("manifest.json", json.dumps(images).encode()))
    pathlib.Path(path).write_bytes(tar(entries))


@test(needs="root")
def several_images_in_one_archive(env):
    f = env.tmp / "many.tar"
    old_docker_archive(f, [(["a:1", "b:1"], [0, 1]), (None, [2]), (["c:1"], [2, 1])])
    out = env.run("load", "-q", "-i", f).ok().out.splitlines()
    same(sorted(out)[:3], ["Loaded image ID: " + out[2].split()[-1], "Loaded image: a:1", "Loaded image: b:1"], "what was loaded")
    same(len(env.run("images", "-q").ok().out.split()), 3, "images")
    same(len(list((env.root / "layers").glob("*.json"))), 2, "layers")
    same(inspect(env, "a:1")["RepoTags"], ["a:1", "b:1"], "names")
    empty_again(env)


@test(needs="root")
def hostile_archives(env):
    f = env.tmp / "evil.tar"
    good = {"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": []}}
    for name, entries, words in (
            ("a layer outside", [("c", json.dumps({**good, "rootfs": {"type": "layers", "diff_ids": ["sha256:" + "0" * 64]}}).encode()),
                                 ("manifest.json", b'[{"Config":"c","Layers":["../../../etc/passwd"]}]')], "no file '../../../etc/passwd'"),
            ("a link outside", [("c", "-> /etc/passwd"), ("manifest.json", b'[{"Config":"c","Layers":[]}]')], "no file 'c'"),
            ("a link loop", [("c", "-> d"), ("d", "-> c"), ("manifest.json", b'[{"Config":"c","Layers":[]}]')], "no file 'c'"),
            ("no list", [("manifest.json", b'{"Config":"c"}')], "expected an array"),
            ("another number of layers", [("c", json.dumps(good).encode()), ("l", tar([])), ("manifest.json", b'[{"Config":"c","Layers":["l"]}]')], "names 1 layers, configuration 0"),
            ("a wrong diff id", [("c", json.dumps({**good, "rootfs": {"type": "layers", "diff_ids": ["sha256:" + "0" * 64]}}).encode()),
                                 ("l", tar([("x", b"y")])), ("manifest.json", b'[{"Config":"c","Layers":["l"]}]')], "wrong digest")):
        f.write_bytes(tar(entries))
        env.run("load", "-q", "-i", f).error(1, words)
    env.run("images", "-q").ok(out="")
    empty_again(env)


@test(needs="root")
def platform_is_chosen_from_an_index(env):
    lay = layout(env, "amd", how=(None,))
    arm = Layout(env.tmp / "amd")
    first, second = lay.manifests[0], arm.image([(tar([("arm", b"")]), None)], {"Labels": {"is": "arm"}}, "x")
    second = arm.manifests[0]
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [
        {**{k: v for k, v in m.items() if k != "annotations"}, "platform": {"os": "linux", "architecture": a}}
        for m, a in ((second, "s390x"), (first, "amd64"))]}
    d = lay.blob(json.dumps(index).encode(), index["mediaType"])
    d["annotations"] = {"org.opencontainers.image.ref.name": "both"}
    (lay.path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [d]}))
    env.run("pull", "-q", "--platform=linux/amd64", f"oci:{lay.path}:both").ok(out="amd:both\n")
    same(inspect(env, "amd:both")["Id"], ids(lay)[1], "id")
    same(inspect(env, "amd:both")["RepoDigests"], [f"amd@{d['digest']}"], "digest")
    env.run("pull", "-q", "--platform=linux/riscv64", f"oci:{lay.path}:both").error(1, "linux/riscv64", "linux/s390x linux/amd64")
    env.run("pull", "-q", "--platform=x/y/z/w", f"oci:{lay.path}:both").error(2, "x/y/z/w")
    empty_again(env)


@test(needs="root")
def import_is_deterministic(env):
    f = env.tmp / "root.tar"
    f.write_bytes(busybox_layer())
    a = env.run("import", f, "mine:1").ok().out
    same(env.run("import", f).ok().out, a, "id of the second import")
    b = subprocess.run(env.argv(["import", "-"]), input=gzip.compress(f.read_bytes(), mtime=0), capture_output=True, env=env.os_env)
    same(b.stdout.decode(), a, "id of the compressed archive")
    same(inspect(env, "mine:1")["Id"], a.strip(), "id")
    (env.tmp / "bad.tar").write_bytes(b"x" * 5000000)
    env.run("import", env.tmp / "bad.tar", "bad").error(1, "bad.tar")
    env.run("import", f, "Bad").error(2, "'Bad'")
    env.run("import", env.tmp / "none.tar").error(1, "none.tar")
    empty_again(env)


@test(needs="root")
def names_formats_and_ids(env):
    lay = layout(env, how=(None,))
    env.run("pull", "-q", f"oci:{lay.path}:latest").ok(out="layout:latest\n")
    ident = ids(lay)[1]
    env.run("tag", "layout", "reg.example:5000/x/y:z").ok()
    env.run("tag", ident[7:20], "short:1").ok()
    env.run("tag", "layout", "x@" + ident).error(2, "a tag is wanted")
    env.run("tag", "nope", "x").error(1, "no image 'nope'")
    same(sorted(env.run("images", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}").ok().out.splitlines()),
         [f"{n} {ident[7:19]}" for n in ("layout:latest", "reg.example:5000/x/y:z", "short:1")], "names")
    env.run("images", "-q").ok(out=ident[7:19] + "\n")
    env.run("images", "-q", "--no-trunc").ok(out=ident + "\n")
    env.run("images", "--format", "{{.Nope}}").error(2, "{{.Nope}}")
    rows = [json.loads(x) for x in env.run("images", "--format", "json").ok().out.splitlines()]
    same({r["Digest"] for r in rows}, {ids(lay)[0]}, "digests")
    same(len(env.run("images", "layout").ok().out.splitlines()), 2, "lines for one name")
    check(env.run("images").ok().out.startswith("REPOSITORY"), "no heading")
    env.run("rmi", ident[7:]).error(1, "3 names")
    env.run("rmi", "short:1", "nope", "reg.example:5000/x/y:z").expect(1, out="Untagged: short:1\nUntagged: reg.example:5000/x/y:z\n",
                                                                      err="caisson: no image 'nope'\n")
    env.run("rmi", "layout").ok(out=f"Untagged: layout:latest\nDeleted: {ident}\n")
    empty_again(env)


@test(needs="root,registry")
def a_moved_tag_leaves_the_old_image(env):
    with registry(env) as host:
        push(layout(env, "one", how=(None,)), f"{host}/t:1")
        env.run("pull", "-q", f"{host}/t:1").ok()
        old = inspect(env, f"{host}/t:1")["Id"]
        push(layout(env, "two", how=(None,)), f"{host}/t:1")
        env.run("pull", "-q", f"{host}/t:1").ok()
        check(inspect(env, f"{host}/t:1")["Id"] != old, "the tag did not move")
        same(inspect(env, old)["RepoTags"], [], "names of the old image")
        check("<none>" in env.run("images").out, "the old image is not listed")
    empty_again(env)


@test(needs="root", timeout=120)
def killed_pulls_leave_nothing_that_stays(env):
    lay = layout(env, "killed", how=("gzip", None, "gzip"), big=3 << 20)
    for i in range(25):
        p = subprocess.Popen(env.argv(["pull", "-q", f"oci:{lay.path}:latest"]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env.os_env)
        time.sleep(0.004 * i)
        p.kill()
        p.wait()
        # Whatever is listed is whole.
        for name in env.run("images", "--format", "{{.Repository}}:{{.Tag}}").ok().out.split():
            inspect(env, name)
    env.run("pull", "-q", f"oci:{lay.path}:latest").ok(out="killed:latest\n")
    for f in (env.root / "blobs/sha256").iterdir():
        same(hashlib.sha256(f.read_bytes()).hexdigest(), f.name, "digest of a blob")
    empty_again(env)


@test(needs="root")
def the_same_image_twice_at_once(env):
    lay = layout(env, "twice", how=("gzip", "gzip"), big=2 << 20)
    ps = [env.start("pull", "-q", f"oci:{lay.path}:latest") for _ in range(4)]
    for p in ps:
        p.finish().ok(out="twice:latest\n")
    same(len(list((env.root / "layers").glob("*.erofs"))), 3, "layers")
    empty_again(env)


@test(needs="root")
def a_full_disk(env):
    lay = layout(env, "full", how=("gzip", "gzip"), big=6 << 20)
    small = env.base / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "none", str(small)], check=True)
    try:
        argv = [str(env.binary), "--root", str(small / "root"), "--run-root", str(env.base / "small-run")]
        r = subprocess.run([*argv, "pull", "-q", f"oci:{lay.path}:latest"], capture_output=True, text=True, env=env.os_env)
        same(r.returncode, 1, "exit code")
        check(re.fullmatch(r"caisson: pull [^\n]*No space left on device\n", r.stderr), r.stderr)
        used = os.statvfs(small)
        check((used.f_blocks - used.f_bavail) * used.f_bsize < 256 << 10, "space was not given back")
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)
        shutil.rmtree(env.base / "small-run", ignore_errors=True)


@test(needs="root")
def the_built_in_image(env):
    env.run("pull", "-q", "caisson/tiny").ok(out="caisson/tiny:latest\n")
    same(inspect(env, "caisson/tiny")["Config"]["Cmd"], ["sh"], "command")
    empty_again(env)


main()
