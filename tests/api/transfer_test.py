# SPDX-License-Identifier: Apache-2.0
# timeout: 240
"""serve: images in and out: archives, registries, and credentials that come with a request."""
import base64, contextlib, io, json, tarfile

from caisson_api import Serve, Unix, routes_were_called
from caisson_test import check, main, same, test
from oci_image import registry

PASSWORD = "s3cret:pa$$"
HTPASSWD = "anna:$2y$05$abcdefghijklmnopqrstuukvq.iL7tFByYcTVfmE3XghxpfZlRJm2\n"     # bcrypt of it


@contextlib.contextmanager
def private(env):
    (env.tmp / "htpasswd").write_text(HTPASSWD)
    with registry(env, f"auth: {{htpasswd: {{realm: test, path: {env.tmp / 'htpasswd'}}}}}\n") as host:
        yield host


def auth(**said):
    return base64.urlsafe_b64encode(json.dumps(said).encode()).decode()


def lines(reply):
    return [json.loads(x) for x in reply.data.splitlines()]


def denied(reply):
    """By its status, or when it had begun by its last line, as docker's."""
    return reply.status in (401, 403) or (reply.status == 200 and "error" in lines(reply)[-1])


@test(needs="root")
def archives(env):
    with Serve(env) as s:
        s.json("DELETE", f"/containers/{s.made()}", want=204)
        s.ask("POST", "/images/caisson/tiny/tag?repo=one&tag=1")
        s.ask("POST", "/images/caisson/tiny/tag?repo=two&tag=2")
        one = s.ask("GET", "/images/one:1/get")
        same((one.status, one.headers["Content-Type"]), (200, "application/x-tar"), "one image")
        both = s.ask("GET", "/images/get?names=one:1&names=two:2")
        with tarfile.open(fileobj=io.BytesIO(both.data)) as t:
            tags = [x for m in json.load(t.extractfile("manifest.json")) for x in m["RepoTags"]]
        same(sorted(tags), ["one:1", "two:2"], "names in the archive")
        s.error("GET", "/images/get", 400, "names")
        s.error("GET", "/images/get?names=nosuch", 404, "nosuch")
        s.error("GET", "/images/nosuch/get", 404, "nosuch")
        for name in ("one:1", "two:2", "caisson/tiny"):
            s.json("DELETE", f"/images/{name}")
        r = s.ask("POST", "/images/load?quiet=1", both.data, **{"Content-Type": "application/x-tar"})
        same((r.status, sorted(x["stream"] for x in lines(r))), (200, ["Loaded image: one:1\n", "Loaded image: two:2\n"]), "loaded")
        check(s.ask("POST", "/images/load", both.data[:len(both.data) // 2]).status >= 400, "half an archive")
        check(s.ask("POST", "/images/load", b"no archive").status >= 400, "no archive")
        same(s.ask("POST", "/images/load", b"{}", **{"Content-Type": "application/json"}).status, 400, "another type")
        # import
        root = io.BytesIO()
        with tarfile.open(fileobj=root, mode="w") as t:
            i = tarfile.TarInfo("hello")
            i.size = 2
            t.addfile(i, io.BytesIO(b"hi"))
        r = s.ask("POST", "/images/create?fromSrc=-&repo=imported&tag=1", root.getvalue(), **{"Content-Type": "text/plain"})
        same((r.status, lines(r)[0]["status"]), (200, s.json("GET", "/images/imported:1/json")["Id"]), "import")
        for more in ("fromSrc=http://example.com/x.tar", "fromSrc=-&message=x", "fromSrc=-&changes=CMD+x"):
            same(s.ask("POST", "/images/create?" + more, root.getvalue()).status, 501, more)
        for name in ("one:1", "two:2", "imported:1"):
            s.json("DELETE", f"/images/{name}")


@test(needs="root,registry")
def registries(env):
    good = {"username": "anna", "password": PASSWORD}
    with private(env) as host, Serve(env) as s:
        body = {**good, "serveraddress": host}
        same(s.json("POST", "/auth", body)["Status"], "Login Succeeded", "auth")
        s.error("POST", "/auth", 401, body={**body, "password": "wrong"})
        s.error("POST", "/auth", 400, "username", body={"serveraddress": host})
        s.error("POST", "/auth", 400, "registry", body={**body, "serveraddress": "../x"})
        s.error("POST", "/auth", 501, "tokens", body={"identitytoken": "x", "serveraddress": host})
        check(not (env.base / ".docker/config.json").exists(), "/auth kept a password")
        s.json("DELETE", f"/containers/{s.made()}", want=204)
        name = f"{host}/a/tiny"
        s.ask("POST", f"/images/caisson/tiny/tag?repo={name}&tag=1")
        check(denied(s.ask("POST", f"/images/{name}/push?tag=1")), "push without a password")
        r = s.ask("POST", f"/images/{name}/push?tag=1", **{"X-Registry-Auth": auth(**good)})
        out = lines(r)
        same((r.status, out[0]["status"]), (200, f"The push refers to repository [{name}]"), "push")
        check(out[-1]["aux"]["Tag"] == "1" and out[-1]["aux"]["Digest"] in out[-2]["status"], f"last lines of push {out[-2:]}")
        s.ask("POST", f"/images/caisson/tiny/tag?repo={name}&tag=2")
        out = lines(s.ask("POST", f"/images/{name}/push", **{"X-Registry-Auth": auth(auth=base64.b64encode(f"anna:{PASSWORD}".encode()).decode())}))
        same(sorted(x["aux"]["Tag"] for x in out if "aux" in x), ["1", "2"], "push of all tags")
        d = s.ask("GET", f"/distribution/{name}:1/json", **{"X-Registry-Auth": auth(**good)})
        d = json.loads(d.data)
        same((d["Descriptor"]["digest"], d["Platforms"][0]["os"]), (out[-1]["aux"]["Digest"], "linux"), "distribution")
        check(denied(s.ask("GET", f"/distribution/{name}:1/json")), "distribution without a password")
        same(s.ask("GET", f"/distribution/{name}:nosuch/json", **{"X-Registry-Auth": auth(**good)}).status, 404, "distribution of what is not there")
        for tag in ("1", "2"):
            s.json("DELETE", f"/images/{name}:{tag}")
        pull = f"/images/create?fromImage={name}&tag=1"
        check(denied(s.ask("POST", pull)), "pull without a password")
        check(denied(s.ask("POST", pull, **{"X-Registry-Auth": auth(username="anna", password="wrong")})), "pull with a wrong one")
        for bad in ("%%%", base64.urlsafe_b64encode(b"[]").decode(), auth(**good, serveraddress="other.example")):
            same(s.ask("POST", pull, **{"X-Registry-Auth": bad}).status, 400, f"X-Registry-Auth {bad}")
        same(s.ask("POST", pull, **{"X-Registry-Auth": auth(identitytoken="x")}).status, 501, "a token")
        r = s.ask("POST", pull, **{"X-Registry-Auth": auth(**good, serveraddress=host)})
        check(r.status == 200 and lines(r)[-1]["status"].startswith("Status: "), f"pull {r.data}")
        c = Unix(s.path)
        for header, want in (({"X-Registry-Auth": auth(**good)}, False), ({}, True)):     # on one connection
            c.request("GET", f"/distribution/{name}:1/json", headers=header)
            r = c.getresponse()
            r.data = r.read()
            same(denied(r), want, f"with {list(header)}")
        c.close()
        s.json("DELETE", f"/images/{name}:1")
        s.json("DELETE", "/images/caisson/tiny")


@test(needs="root,docker,registry", timeout=120)
def docker_client(env):
    with private(env) as host, Serve(env) as s:
        s.docker("run", "--rm", "caisson/tiny", "true")
        s.docker("tag", "caisson/tiny", f"{host}/a/tiny")
        config = env.tmp / "docker-config"
        home = {"DOCKER_CONFIG": str(config)}
        s.docker("login", "-u", "anna", "--password-stdin", host, stdin="wrong", code=1, **home)
        check("Succeeded" in s.docker("login", "-u", "anna", "--password-stdin", host, stdin=PASSWORD, **home)[0], "login")
        check("digest: sha256:" in s.docker("push", f"{host}/a/tiny", **home)[0], "push")
        s.docker("rmi", f"{host}/a/tiny")
        s.docker("pull", f"{host}/a/tiny", code=1, DOCKER_CONFIG=str(env.tmp / "none"))
        check("sha256:" in s.docker("pull", f"{host}/a/tiny", **home)[0], "pull")
        s.docker("save", "-o", str(env.tmp / "x.tar"), f"{host}/a/tiny", "caisson/tiny")
        s.docker("rmi", f"{host}/a/tiny", "caisson/tiny")
        same(sorted(s.docker("load", "-i", str(env.tmp / "x.tar"))[0].split("\n"))[1:], [f"Loaded image: caisson/tiny:latest", f"Loaded image: {host}/a/tiny:latest"], "load")
        out = s.docker("import", "-", "rooted:1", stdin=s.ask("GET", f"/containers/{s.made()}/export").data)[0]
        check(out.startswith("sha256:"), f"import: {out}")
        check("has no search" in s.docker("search", f"{host}/x", code=1, **home)[1], "search")
        s.json("POST", "/containers/prune")
        s.docker("rmi", f"{host}/a/tiny", "caisson/tiny", "rooted:1")


@test(needs="root,python-docker,registry")
def python_client(env):
    import docker
    with private(env) as host, Serve(env) as s:
        s.json("DELETE", f"/containers/{s.made()}", want=204)
        c = docker.DockerClient(base_url=f"unix://{s.path}", timeout=30)
        c.login("anna", PASSWORD, registry=host, dockercfg_path=str(env.tmp / "cfg.json"))
        image = c.images.get("caisson/tiny")
        image.tag(f"{host}/p/tiny", "1")
        check("digest" in c.images.push(f"{host}/p/tiny", "1"), "push")
        data = b"".join(image.save(named=True))
        c.images.remove(f"{host}/p/tiny:1")
        check(f"{host}/p/tiny:1" in c.images.pull(f"{host}/p/tiny", "1").tags, "pull")
        c.images.remove(f"{host}/p/tiny:1")
        c.images.remove("caisson/tiny")
        same([t for i in c.images.load(data) for t in i.tags], ["caisson/tiny:latest"], "load")
        c.images.remove("caisson/tiny")
        c.close()


routes_were_called("api/transfer_test")
main()
