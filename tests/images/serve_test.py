# SPDX-License-Identifier: Apache-2.0
# timeout: 200
"""image serve: the store as a registry, asked by skopeo, by another store of ours and by hand; pushed to; and lied to."""
import hashlib, http.client, json, os, re, shutil, signal, subprocess

from caisson_test import Env, Failed, check, main, same, test, wait_for
from oci_image import Layout, busybox_layer, digest, tar


class Serve:
    def __init__(self, env, *more):
        self.p = env.start("image", "serve", "--listen", "127.0.0.1:0", *more)
        self.address = self.p.until(r"(\S+)\n")[1].decode()

    def __enter__(self):
        return self

    def __exit__(self, *a):
        self.p.signal(signal.SIGTERM)
        same(self.p.finish().code, 0, "exit code of image serve")

    def ask(self, method, path, body=None, headers={}):
        c = http.client.HTTPConnection(self.address, timeout=20)
        c.request(method, path, body=body, headers=headers)
        r = c.getresponse()
        data = r.read()
        c.close()
        return r, data


def skopeo(*args, ok=True):
    r = subprocess.run(["skopeo", "--insecure-policy", *args], capture_output=True, text=True)
    if ok and r.returncode:
        raise Failed(f"skopeo {args}: {r.stderr[-2000:]}")
    return r.stdout if ok else r


def image(env, name="app", how=("gzip", "zstd")):
    """An image in the store under NAME:1; returns its layout."""
    shutil.rmtree(env.tmp / name, ignore_errors=True)
    lay = Layout(env.tmp / name)
    layers = [(tar([(f"f{i}", name.encode() + os.urandom(3000))]), h) for i, h in enumerate(how)]
    lay.image([(busybox_layer(), "gzip"), *layers], {"Cmd": ["sh"]})
    env.run("pull", "-q", f"oci:{lay.path}:latest").ok()
    env.run("tag", f"{name}:latest", f"{name}:1").ok()
    return lay


def other(env):
    return Env(env.tmp / "other")


def clean(env):
    for i in env.run("images", "-q", "--no-trunc").out.split():
        env.run("rmi", "-f", i).ok()
    for d in ("blobs/sha256", "layers", "images", "metas", "tmp"):
        same(os.listdir(env.root / d), [], d)


@test(needs="root")
def another_store_pulls_from_it(env):
    lay = image(env)
    want = lay.manifests[0]["digest"]
    with Serve(env) as s:
        o = other(env)
        o.run("pull", "-q", f"{s.address}/app:1").ok()
        i = o.run("image", "inspect", f"{s.address}/app:1").ok().json()[0]
        same(i["RepoDigests"], [f"{s.address}/app@{want}"], "digest")
        o.run("pull", "-q", f"{s.address}/docker.io/library/app@{want}").ok()
        skopeo("copy", "-q", "--preserve-digests", "--src-tls-verify=false", f"docker://{s.address}/library/app:1", f"oci:{env.tmp}/back:x")
        same(json.loads((env.tmp / "back/index.json").read_text())["manifests"][0]["digest"], want, "digest of skopeo's copy")
        same(json.loads(skopeo("list-tags", "--tls-verify=false", f"docker://{s.address}/app"))["Tags"], ["1", "latest"], "tags")
        o.run("pull", "-q", f"{s.address}/app:2").error(1, "has no image")
        o.run("push", "-q", f"{s.address}/app:1").error(1, "push", "405")
        clean(o)
    clean(env)


@test(needs="root")
def what_the_specification_asks(env):
    lay = image(env)
    m = lay.manifests[0]
    text = lay.blob_path(m).read_bytes()
    layer = json.loads(text)["layers"][0]
    data = lay.blob_path(layer).read_bytes()
    with Serve(env) as s:
        same(s.ask("GET", "/v2/")[0].status, 200, "base")
        status = open(f"/proc/{s.p.pid}/status").read()
        same(re.findall(r"^(?:CapEff|CapPrm|NoNewPrivs):\s+(\d+)", status, re.M), ["0" * 16, "0" * 16, "1"], "what a reader has given up")
        r, got = s.ask("GET", "/v2/app/manifests/1")
        same((r.status, got, r.headers["Docker-Content-Digest"], r.headers["Content-Type"]),
             (200, text, m["digest"], m["mediaType"]), "manifest")
        r, got = s.ask("HEAD", f"/v2/app/manifests/{m['digest']}")
        same((r.status, got, int(r.headers["Content-Length"])), (200, b"", len(text)), "head of a manifest")
        blob = f"/v2/app/blobs/{layer['digest']}"
        same(s.ask("GET", blob)[1], data, "blob")
        r, got = s.ask("HEAD", blob)
        same((got, int(r.headers["Content-Length"])), (b"", len(data)), "head of a blob")
        r, got = s.ask("GET", blob, headers={"Range": "bytes=100-"})
        same((r.status, got, r.headers["Content-Range"]), (206, data[100:], f"bytes 100-{len(data) - 1}/{len(data)}"), "rest of a blob")
        same(s.ask("GET", blob, headers={"Range": "bytes=5-9"})[1], data[5:10], "part of a blob")
        same(s.ask("GET", blob, headers={"Range": f"bytes={len(data)}-"})[0].status, 416, "beyond")
        same(json.loads(s.ask("GET", "/v2/app/tags/list")[1]), {"name": "app", "tags": ["1", "latest"]}, "tags")
        r, got = s.ask("GET", "/v2/app/tags/list?n=1")
        same((json.loads(got)["tags"], r.headers["Link"]), (["1"], '</v2/app/tags/list?n=1&last=1>; rel="next"'), "a page")
        same(json.loads(s.ask("GET", "/v2/app/tags/list?n=1&last=1")[1])["tags"], ["latest"], "the next")
        same(json.loads(s.ask("GET", "/v2/_catalog")[1]), {"repositories": ["app"]}, "catalog")
        same(json.loads(s.ask("GET", f"/v2/app/referrers/{m['digest']}")[1])["manifests"], [], "referrers")
        for path, status, code in (("/v2/app/manifests/none", 404, "MANIFEST_UNKNOWN"), ("/v2/none/tags/list", 404, "NAME_UNKNOWN"),
                                   (f"/v2/app/blobs/sha256:{'0' * 64}", 404, "BLOB_UNKNOWN"), ("/v2/app/blobs/md5:00", 400, "DIGEST_INVALID"),
                                   ("/v2/app/manifests/..%2f..%2fx", 404, "MANIFEST_UNKNOWN"), ("/", 404, "UNSUPPORTED"),
                                   (f"/v2/app/manifests/{layer['digest']}", 404, "MANIFEST_UNKNOWN"), ("/v2/%00", 400, "NAME_INVALID")):
            r, got = s.ask("GET", path)
            same((r.status, json.loads(got)["errors"][0]["code"]), (status, code), path)
        for method, path in (("POST", "/v2/app/blobs/uploads/"), ("PUT", "/v2/app/manifests/2"), ("DELETE", "/v2/app/manifests/1")):
            same(s.ask(method, path, b"")[0].status, 405, method)
        # What a browser would be talked into.
        same(s.ask("GET", "/v2/_catalog", headers={"Host": "evil.example"})[0].status, 403, "another host's name")
        same(s.ask("GET", "/v2/_catalog", headers={"Origin": "http://evil.example"})[0].status, 403, "another page")
    clean(env)


@test(needs="root")
def referrers_are_found(env):
    lay = image(env)
    about = Layout(env.tmp / "about")
    about.image([(tar([("x", b"y")]), "gzip")])
    m = json.loads(about.blob_path(about.manifests[0]).read_bytes())
    m["subject"] = {k: lay.manifests[0][k] for k in ("mediaType", "digest", "size")}
    m["artifactType"], m["annotations"] = "application/x-note", {"a": "b"}
    with Serve(env, "--push") as s:
        for d in (m["config"], *m["layers"]):
            data = about.blob_path(d).read_bytes()
            same(s.ask("POST", f"/v2/about/blobs/uploads/?digest={d['digest']}", data)[0].status, 201, "one upload")
        text = json.dumps(m).encode()
        same(s.ask("PUT", "/v2/about/manifests/1", text, {"Content-Type": m["mediaType"]})[0].status, 201, "manifest")
        got = json.loads(s.ask("GET", f"/v2/app/referrers/{lay.manifests[0]['digest']}")[1])["manifests"]
        same(got, [{"mediaType": m["mediaType"], "digest": digest(text), "size": len(text), "artifactType": "application/x-note",
                    "annotations": {"a": "b"}}], "referrers")
        path = f"/v2/app/referrers/{lay.manifests[0]['digest']}?artifactType="
        same(len(json.loads(s.ask("GET", path + "application/x-note")[1])["manifests"]), 1, "of that type")
        same(json.loads(s.ask("GET", path + "other")[1])["manifests"], [], "of another type")
    clean(env)


@test(needs="root")
def images_are_pushed_to_it(env):
    o = other(env)
    lay = image(o, "app", ("gzip", "zstd", None))
    want = lay.manifests[0]["digest"]
    with Serve(env, "--push") as s:
        o.run("tag", "app:1", f"{s.address}/team/app:1").ok()
        o.run("push", f"{s.address}/team/app:1").ok(out=re.compile(want))
        env.run("run", "--rm", "team/app:1", "cat", "/f2").ok(out=re.compile("^app"))
        again = o.run("push", f"{s.address}/team/app:1").ok()
        same(again.err.count(": exists"), 5, "blobs skipped")
        skopeo("copy", "-q", "--preserve-digests", "--dest-tls-verify=false", f"oci:{lay.path}:latest", f"docker://{s.address}/sk:1")
        same(env.run("image", "inspect", "sk:1").ok().json()[0]["RepoDigests"], [f"sk@{want}", f"team/app@{want}"], "digests")
        # Both platforms of an index go; the one for this host is the image.
        both = Layout(env.tmp / "both")
        both.image([(tar([("arm", b"")]), "gzip")], arch="arm64")
        both.image([(tar([("amd", b"")]), "gzip")])
        both.index("multi")
        skopeo("copy", "-q", "--all", "--preserve-digests", "--dest-tls-verify=false", f"oci:{both.path}:multi", f"docker://{s.address}/multi:1")
        i = env.run("image", "inspect", "multi:1").ok().json()[0]
        same(i["Architecture"], "amd64", "platform")
        o.run("pull", "-q", "--all-platforms", f"{s.address}/multi:1").ok()
        o.run("copy", "-q", "--all", f"{s.address}/multi:1", f"docker://{s.address}/multi:2").ok(out=both.manifests[0]["digest"] + "\n")
    env.run("image", "prune", "-f").ok()
    env.run("copy", "-q", "--all", "multi:2", f"oci:{env.tmp}/whole").ok()
    same(sorted(os.listdir(env.root / "tmp")), [], "what uploads left")
    env.run("system", "check").ok()
    clean(o)
    clean(env)


@test(needs="root,podman")
def podman_pulls_and_pushes(env):
    lay = image(env)
    ident = json.loads(lay.blob_path(lay.manifests[0]).read_bytes())["config"]["digest"]
    pod = ["podman", "--root", str(env.tmp / "p"), "--runroot", str(env.tmp / "pr"), "--storage-driver", "vfs"]

    def podman(*args):
        r = subprocess.run([*pod, *args], capture_output=True, text=True, env=env.os_env)
        same(r.returncode, 0, f"podman {args}: {r.stderr[-1000:]}")
        return r.stdout.strip()
    with Serve(env, "--push") as s:
        same("sha256:" + podman("pull", "-q", "--tls-verify=false", f"{s.address}/app:1"), ident, "podman's id")
        podman("tag", f"{s.address}/app:1", f"{s.address}/from/podman:1")
        podman("push", "-q", "--tls-verify=false", f"{s.address}/from/podman:1")
        same(env.run("run", "--rm", "from/podman:1", "cat", "/f0").ok().out[:3], "app", "what podman pushed runs")
    podman("rmi", "-af")
    shutil.rmtree(env.tmp / "p", ignore_errors=True)
    clean(env)


@test(needs="root")
def uploads_step_by_step(env):
    data = os.urandom(100_000)
    d = digest(data)
    with Serve(env, "--push") as s:
        def begin():
            r, _ = s.ask("POST", "/v2/x/blobs/uploads/", b"")
            same(r.status, 202, "begun")
            return r.headers["Location"]
        at = begin()
        r, _ = s.ask("PATCH", at, data[:60_000], {"Content-Range": "0-59999"})
        same((r.status, r.headers["Range"]), (202, "0-59999"), "first piece")
        r, _ = s.ask("PATCH", at, data[:10], {"Content-Range": "0-9"})
        same((r.status, r.headers["Range"]), (416, "0-59999"), "a piece out of order")
        r, _ = s.ask("GET", at)
        same((r.status, r.headers["Range"]), (204, "0-59999"), "how far it is")
        r, _ = s.ask("PUT", f"{at}?digest={d}", iter([data[60_000:80_000], data[80_000:]]))
        same((r.status, r.headers["Docker-Content-Digest"]), (201, d), "the end, in chunks")
        same(s.ask("GET", f"/v2/x/blobs/{d}")[1], data, "blob")
        same(s.ask("GET", at)[0].status, 404, "the upload is over")
        same(s.ask("POST", f"/v2/y/blobs/uploads/?mount={d}&from=x", b"")[0].status, 201, "mounted")
        at = begin()
        same(s.ask("DELETE", at)[0].status, 204, "given up")
        same(s.ask("PATCH", at, b"x")[0].status, 404, "gone")
        at = begin()
        same(s.ask("PUT", f"{at}?digest={d}", b"other bytes")[0].status, 400, "a wrong digest")
        same(s.ask("PUT", f"{begin()}?digest=x", b"")[0].status, 400, "no digest")
        same(s.ask("GET", "/v2/x/blobs/uploads/../../lock")[0].status, 404, "no upload")
        big = b'{"schemaVersion":2,"x":"' + b"a" * (5 << 20) + b'"}'
        for body, words in ((b"{}", "manifest"), (b"[", "manifest"), (big, None),
                            (json.dumps({"schemaVersion": 2, "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": d, "size": 1},
                                         "layers": []}).encode(), d)):
            r, got = s.ask("PUT", "/v2/x/manifests/1", body)
            check(400 <= r.status < 500, f"{r.status} for {body[:50]}")
            check(not words or words in json.loads(got)["errors"][0]["message"], got)
    same((os.listdir(env.root / "tmp"), env.run("images", "-q").out), ([], ""), "what is left")
    env.run("system", "prune", "-f").ok()
    clean(env)


@test(needs="root")
def where_it_may_listen(env):
    env.run("image", "serve", "--listen", "0.0.0.0:5000").error(2, "loopback")
    env.run("image", "serve", "--listen", "nonsense").error(2, "ADDRESS:PORT")
    with Serve(env) as s:
        env.run("image", "serve", "--listen", s.address).error(1, "cannot listen", s.address)
    s = Serve(env, "--push")            # killed: the next command sweeps what it staged
    s.p.signal(signal.SIGKILL)
    same(s.p.finish().code, 137, "killed")
    env.run("system", "prune", "-f").ok()


main()
