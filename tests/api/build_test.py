# SPDX-License-Identifier: Apache-2.0
# timeout: 240
"""serve: docker's classic build, its context an archive in the body."""
import io, json, re, tarfile

from caisson_api import Serve, Unix, routes_were_called
from caisson_test import check, main, same, test, wait_for


def context(**files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        for name, data in files.items():
            i = tarfile.TarInfo(name)
            i.size, i.mtime = len(data), 1700000000
            t.addfile(i, io.BytesIO(data))
    return out.getvalue()


def build(s, query, body, **headers):
    r = s.ask("POST", "/build?" + query, body, **{"Content-Type": "application/x-tar", **headers})
    return r.status, [json.loads(x) for x in r.data.splitlines()]


SIMPLE = {"Dockerfile": b"FROM caisson/tiny\nARG A=1\nCOPY f /f\nRUN echo $A-$(cat /f)\nCMD cat /f\n", "f": b"from the context"}


@test(needs="root")
def a_build(env):
    with Serve(env) as s:
        status, out = build(s, 't=built:1&t=built:2&buildargs={"A":"7","B":null}&labels={"k":"v"}&rm=1&memory=0&memswap=0&cpushares=0&cachefrom=[]&networkmode=default&shmsize=0&ulimits=null&version=1', context(**SIMPLE))
        text = "".join(x.get("stream", "") for x in out)
        same(status, 200, "status")
        check(re.search(r"Step 1/\d+ : ", text) and "7-from the context\n" in text, f"steps {text}")
        image = next(x["aux"]["ID"] for x in out if "aux" in x)
        check(f"Successfully built {image[7:19]}" in text and "Successfully tagged built:1" in text, f"end {text}")
        d = s.json("GET", "/images/built:2/json")
        same((d["Id"], d["Config"]["Labels"]["k"], d["Config"]["Cmd"]), (image, "v", ["/bin/sh", "-c", "cat /f"]), "the image")
        check("Using cache" in "".join(x.get("stream", "") for x in build(s, 't=built:1&buildargs={"A":"7"}&labels={"k":"v"}', context(**SIMPLE))[1]), "the cache")
        check(s.json("GET", "/system/df")["BuildCache"], "disk usage of the cache")
        same([set(x) for x in build(s, "q=1&t=built:1", context(**SIMPLE))[1]], [{"stream"}, {"aux"}], "quiet")
        # another file, a target, no cache
        two = {"sub": b"", "Other": b"FROM caisson/tiny AS a\nRUN echo first\nFROM a AS b\nRUN echo second\n"}
        text = "".join(x.get("stream", "") for x in build(s, "dockerfile=Other&target=a&nocache=1", context(**two))[1])
        check("first" in text and "second" not in text, f"target {text}")
        freed = s.json("POST", "/build/prune?all=1")
        check(freed["CachesDeleted"], "prune")
        same(s.json("GET", "/system/df")["BuildCache"], [], "the cache after prune")
        s.error("POST", '/build/prune?filters={"until":["1h"]}', 501, "until")
        for name in ("built:1", "built:2", "caisson/tiny"):
            s.json("DELETE", f"/images/{name}?force=1")
        s.json("POST", "/images/prune")


@test(needs="root")
def what_goes_wrong(env):
    with Serve(env) as s:
        status, out = build(s, "", context(Dockerfile=b"FROM caisson/tiny\nRUN exit 3\n"))
        same((status, out[-1]["errorDetail"]["code"], "3" in out[-1]["error"]), (200, 3, True), "a step that fails")
        for query, body, want, word in (
                ("", context(f=b"x"), 404, "Dockerfile"), ("", context(Dockerfile=b"FROB x\n"), 400, "FROB"), ("dockerfile=nosuch", context(**SIMPLE), 404, "nosuch"),
                ("dockerfile=-", context(**SIMPLE), 400, "context"), ("remote=/etc", None, 400, "address"), ("remote=oci:/etc", None, 400, "address"),
                ("buildargs=[]", context(**SIMPLE), 400, "buildargs"), ('buildargs={"A":1}', context(**SIMPLE), 400, "buildargs"), ("labels=x", context(**SIMPLE), 400, "labels"),
                ("memory=x", context(**SIMPLE), 400, "memory"), ("version=2", context(**SIMPLE), 501, "BuildKit"), ("isolation=hyperv", context(**SIMPLE), 501, "containers"),
                ("networkmode=mine", context(**SIMPLE), 501, "mine"), ("squash=1", context(**SIMPLE), 501, "squash"), ("cpuquota=5", context(**SIMPLE), 501, "cpuquota"),
                ('ulimits=[{"Name":"nofile"}]', context(**SIMPLE), 501, "ulimits"), ("t=UPPER", context(**SIMPLE), 400, "UPPER")):
            status, out = build(s, query, body)
            check(status == want and word in out[0]["message"], f"{query}: {status} {out}, want {want} and {word}")
        check(build(s, "", b"no archive at all" * 100)[0] >= 400, "no archive")
        check(build(s, "", context(Dockerfile=b"FROM caisson/tiny\n" + b"#" * 9000)[:4000])[0] >= 400, "half an archive")
        same(s.ask("POST", "/build", b"{}", **{"Content-Type": "application/json"}).status, 400, "another type")
        same(build(s, "", context(**SIMPLE), **{"X-Registry-Config": "%%%"})[0], 400, "X-Registry-Config")
        up = io.BytesIO()
        with tarfile.open(fileobj=up, mode="w") as t:
            for name in ("Dockerfile", "../../../climbed"):
                i = tarfile.TarInfo(name)
                i.size = 18
                t.addfile(i, io.BytesIO(b"FROM caisson/tiny\n"))
        build(s, "", up.getvalue())
        check(not any(p.exists() for p in (env.base / "climbed", env.base.parent / "climbed", env.root / "climbed")), "a name of the context left it")
        c = Unix(s.path)       # a client that leaves in the middle
        c.putrequest("POST", "/build")
        c.putheader("Content-Length", "100000")
        c.endheaders(context(**SIMPLE)[:700])
        c.close()
        wait_for(lambda: not any((env.root / "tmp").iterdir()), what="what had come is gone")
        s.json("GET", "/version")
        s.json("POST", "/build/prune")
        s.json("POST", '/images/prune?filters={"dangling":["false"]}')


@test(needs="root,docker", timeout=120)
def docker_client(env):
    d = env.tmp / "ctx"
    d.mkdir()
    for name, data in SIMPLE.items():
        (d / name).write_bytes(data)
    with Serve(env) as s:
        out = s.docker("build", "-t", "cli:1", "--build-arg", "A=9", "--label", "a=b", str(d), DOCKER_BUILDKIT="0")[0]
        check("9-from the context" in out and "Successfully tagged cli:1" in out, f"build: {out}")
        same(s.docker("run", "--rm", "cli:1")[0], "from the context", "run of it")
        check(s.docker("build", "-q", str(d), DOCKER_BUILDKIT="0")[0].startswith("sha256:"), "build -q")
        (d / "Dockerfile").write_text("FROM caisson/tiny\nRUN exit 4\n")
        check("4" in s.docker("build", str(d), code=4, DOCKER_BUILDKIT="0")[1], "a step that fails")
        check("FROM" in s.docker("build", "-", stdin="FROM caisson/tiny\nCMD true\n", DOCKER_BUILDKIT="0")[0], "a Dockerfile on stdin")
        s.docker("builder", "prune", "-f", DOCKER_BUILDKIT="0")
        s.json("POST", '/images/prune?filters={"dangling":["false"]}')


@test(needs="root,python-docker", timeout=120)
def python_client(env):
    import docker
    d = env.tmp / "pyctx"
    d.mkdir()
    for name, data in SIMPLE.items():
        (d / name).write_bytes(data)
    with Serve(env) as s:
        c = docker.DockerClient(base_url=f"unix://{s.path}", timeout=60)
        image, log = c.images.build(path=str(d), tag="py:1", buildargs={"A": "3"}, rm=True)
        check(image.tags == ["py:1"] and any("3-from the context" in x.get("stream", "") for x in log), "build")
        try:
            c.images.build(fileobj=io.BytesIO(b"FROM caisson/tiny\nRUN exit 5\n"))
            check(False, "a failed step is no error")
        except docker.errors.BuildError as e:
            check("5" in str(e), f"{e}")
        c.close()
        s.json("POST", "/build/prune")
        s.json("POST", '/images/prune?filters={"dangling":["false"]}')


routes_were_called("api/build_test")
main()
