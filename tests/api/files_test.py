# SPDX-License-Identifier: Apache-2.0
# timeout: 240
"""serve: files of an instance, its processes and numbers, its limits, and an image of it."""
import base64, io, json, os, subprocess, tarfile

from caisson_api import Serve, Unix, routes_were_called
from caisson_test import check, main, same, test


def tar(*files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        for name, data, mode in files:
            i = tarfile.TarInfo(name)
            i.size, i.mode, i.uid, i.gid, i.mtime = len(data), mode, 12, 34, 1700000000
            t.addfile(i, io.BytesIO(data))
    return out.getvalue()


def path_stat(reply):
    return json.loads(base64.b64decode(reply.headers["X-Docker-Container-Path-Stat"]))


def archives(s, i):
    """What archive/ does, for an instance that runs."""
    a = f"/containers/{i}/archive"
    st = path_stat(s.ask("HEAD", a + "?path=/etc"))
    same((st["name"], st["mode"] >> 31, st["linkTarget"]), ("etc", 1, ""), "stat of a directory")
    r = s.ask("PUT", a + "?path=/tmp", tar(("a", b"first", 0o640), ("d/b", b"second", 0o4755)))
    same((r.status, r.data), (200, b""), "put")
    st = path_stat(s.ask("HEAD", a + "?path=/tmp/a"))
    same((st["name"], st["size"], st["mode"], st["mtime"]), ("a", 5, 0o640, "2023-11-14T22:13:20Z"), "stat of a file")
    same(path_stat(s.ask("HEAD", a + "?path=/tmp/d/b"))["mode"], 0o755 | 1 << 23, "mode of a setuid file")
    r = s.ask("GET", a + "?path=/tmp/d")
    same((r.status, r.headers["Content-Type"], path_stat(r)["name"]), (200, "application/x-tar", "d"), "get")
    with tarfile.open(fileobj=io.BytesIO(r.data)) as t:
        same(sorted(t.getnames()), ["d", "d/b"], "names of the archive")
        same((t.extractfile("d/b").read(), t.getmember("d/b").uid), (b"second", 12), "a file of it")
    for path in ("/tmp/d/.", "/tmp/d/"):
        with tarfile.open(fileobj=io.BytesIO(s.ask("GET", a + "?path=" + path).data)) as t:
            check("b" in {os.path.basename(n) for n in t.getnames()}, f"{path}: {t.getnames()}")
    for method in ("HEAD", "GET", "PUT"):
        same(s.ask(method, a + "?path=/tmp/nosuch", tar() if method == "PUT" else None).status, 404, f"{method} of what is not there")
        same(s.ask(method, a).status, 400, f"{method} without a path")
    s.error("GET", a + "?path=/tmp/nosuch", 404, "Could not find the file /tmp/nosuch")
    same(s.ask("PUT", a + "?path=/tmp/a", tar()).status, 400, "put into a file")
    same(s.ask("GET", a + "?path=/../../etc/hostname").status, 200, "a path that climbs stays inside")


def links(s, i):
    a = f"/containers/{i}/archive"
    x = s.json("POST", f"/containers/{i}/exec", {"Cmd": ["sh", "-c", "cd /tmp; ln -s d l; ln -s /tmp/l ll; ln -s nowhere dangling; ln -s ../../../etc up; ln -s loop loop"], "AttachStdout": True}, want=201)["Id"]
    s.ask("POST", f"/exec/{x}/start", {})
    for name, target in (("l", "/tmp/d"), ("ll", "/tmp/d"), ("dangling", "/tmp/nowhere")):
        st = path_stat(s.ask("HEAD", f"{a}?path=/tmp/{name}"))
        same((st["mode"] >> 27 & 1, st["linkTarget"]), (1, target), f"stat of the link {name}")
    same(s.ask("HEAD", f"{a}?path=/tmp/loop").status, 500, "a link to itself")
    same(path_stat(s.ask("HEAD", f"{a}?path=/tmp/l/"))["mode"] >> 31, 1, "a link with a slash is what it leads to")
    same(s.ask("PUT", f"{a}?path=/tmp/l", tar(("through", b"x", 0o600))).status, 200, "put through a link")
    same(path_stat(s.ask("HEAD", f"{a}?path=/tmp/d/through"))["size"], 1, "what was put through a link")


@test(needs="root")
def archive(env):
    with Serve(env) as s:
        i = s.made(Cmd=["sleep", "100"])
        same(s.ask("PUT", f"/containers/{i}/archive?path=/", tar(("before", b"it ran", 0o600))).status, 200, "put before the start")
        same(path_stat(s.ask("HEAD", f"/containers/{i}/archive?path=/before"))["size"], 6, "before the start")
        s.json("POST", f"/containers/{i}/start", want=204)
        archives(s, i)
        links(s, i)
        # bad archives, and what is none
        a = f"/containers/{i}/archive?path=/tmp"
        check(s.ask("PUT", a, b"\0no tar at all" * 100).status >= 400, "no archive")
        check(s.ask("PUT", a, tar(("big", b"x" * 4096, 0o600))[:2000]).status >= 400, "half an archive")
        for kind in ("application/json", "application/x-www-form-urlencoded", "multipart/form-data"):
            same(s.ask("PUT", a, tar(), **{"Content-Type": kind}).status, 400, kind)
        same(s.ask("PUT", a, tar(("../../up", b"x", 0o600), ("/abs", b"y", 0o600))).status in (200, 400, 500), True, "names that climb")
        check(not os.path.exists("/up") and not os.path.exists("/abs"), "a name of the archive left the instance")
        # a client that leaves in the middle of a body
        c = Unix(s.path)
        c.putrequest("PUT", a)
        c.putheader("Content-Length", "100000")
        c.endheaders(tar(("cut", b"x" * 4096, 0o600))[:3000])
        c.close()
        s.error("GET", "/containers/nosuch/archive?path=/", 404, "nosuch")
        s.json("DELETE", f"/containers/{i}?force=1", want=204)
        u = s.made(Cmd=["true"], User="7")
        s.error("PUT", f"/containers/{u}/archive?path=/&copyUIDGID=1", 501, "copyUIDGID")
        s.json("DELETE", f"/containers/{u}", want=204)


@test(needs="root,qemu,kernel", timeout=180)
def archive_and_numbers_of_a_vm(env):
    with Serve(env) as s:
        i = s.made(Cmd=["sleep", "100"], HostConfig={"Isolation": "vm"})
        s.json("POST", f"/containers/{i}/start", want=204)
        archives(s, i)
        links(s, i)
        check(any(p[-1] == "sleep 100" for p in s.json("GET", f"/containers/{i}/top")["Processes"]), "top")
        check(s.json("GET", f"/containers/{i}/stats?stream=0&one-shot=1")["cpu_stats"]["cpu_usage"]["total_usage"] > 0, "stats")
        s.json("DELETE", f"/containers/{i}?force=1", want=204)


@test(needs="root")
def top(env):
    with Serve(env) as s:
        i = s.made(Cmd=["sleep", "123"])
        s.error("GET", f"/containers/{i}/top", 409, "not running")
        s.json("POST", f"/containers/{i}/start", want=204)
        d = s.json("GET", f"/containers/{i}/top")
        same(d["Titles"], ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"], "titles")
        check("sleep 123" in [p[-1] for p in d["Processes"]] and {len(p) for p in d["Processes"]} == {8}, f"processes {d['Processes']}")
        same(s.json("GET", f"/containers/{i}/top?ps_args=-o+pid,comm")["Titles"], ["PID", "COMMAND"], "columns that were asked for")
        same(s.json("GET", f"/containers/{i}/top?ps_args=aux")["Titles"][0], "USER", "aux")
        s.error("GET", f"/containers/{i}/top?ps_args=--evil", 400, "--evil")
        s.json("DELETE", f"/containers/{i}?force=1", want=204)


@test(needs="root")
def stats(env):
    with Serve(env) as s:
        i = s.made(Cmd=["sleep", "100"], HostConfig={"Memory": 64 << 20, "PidsLimit": 50})
        d = s.json("GET", f"/containers/{i}/stats?stream=false")
        same((d["id"], d["read"], d["memory_stats"]), (i, "0001-01-01T00:00:00Z", {}), "numbers of what does not run")
        s.json("POST", f"/containers/{i}/start", want=204)
        d = s.json("GET", f"/containers/{i}/stats?stream=false&one-shot=true")
        same((d["memory_stats"]["limit"], d["pids_stats"], d["precpu_stats"]["cpu_usage"]["total_usage"]), (64 << 20, {"current": 1, "limit": 50}, 0), "one sample")
        check(d["cpu_stats"]["system_cpu_usage"] > d["cpu_stats"]["cpu_usage"]["total_usage"] > 0 and d["cpu_stats"]["online_cpus"] >= 1, f"cpu {d['cpu_stats']}")
        d = s.json("GET", f"/containers/{i}/stats?stream=0")
        check(d["cpu_stats"]["system_cpu_usage"] > d["precpu_stats"]["system_cpu_usage"] > 0, "two samples")
        c = Unix(s.path)
        c.request("GET", f"/containers/{i}/stats")
        r = c.getresponse()
        rows = [json.loads(r.readline()) for _ in range(2)]
        same(rows[1]["preread"], rows[0]["read"], "the second of a stream begins where the first ended")
        s.json("DELETE", f"/containers/{i}?force=1", want=204)
        while r.readline():     # the stream ends when it is gone
            pass
        c.close()
        s.error("GET", f"/containers/{i}/stats", 404)


@test(needs="root")
def update(env):
    with Serve(env) as s:
        i = s.made(Cmd=["sleep", "100"], HostConfig={"Memory": 64 << 20, "PidsLimit": 50})
        s.json("POST", f"/containers/{i}/start", want=204)
        u = f"/containers/{i}/update"
        same(s.json("POST", u, {"Memory": 96 << 20, "PidsLimit": 60, "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}, "CpuShares": 0, "Devices": [], "Ulimits": None})["Warnings"], [], "warnings")
        h = s.json("GET", f"/containers/{i}/json")["HostConfig"]
        same((h["Memory"], h["PidsLimit"], h["RestartPolicy"]["Name"], h["RestartPolicy"]["MaximumRetryCount"]), (96 << 20, 60, "on-failure", 3), "HostConfig")
        for member, value in (("Devices", [{"PathOnHost": "/dev/null"}]), ("Binds", ["/a:/b"]), ("KernelMemory", 5), ("Privileged", True), ("OomKillDisable", True)):
            s.error("POST", u, 501, member, body={member: value})
        s.error("POST", u, 400, body={})
        s.error("POST", u, 400, body={"Memory": "x"})
        s.error("POST", "/containers/nosuch/update", 404, "nosuch", body={"Memory": 96 << 20})
        s.json("DELETE", f"/containers/{i}?force=1", want=204)


@test(needs="root")
def commit(env):
    with Serve(env) as s:
        i = s.made(Cmd=["sh", "-c", "echo kept > /made"], Labels={"a": "b"})
        s.json("POST", f"/containers/{i}/start", want=204)
        s.json("POST", f"/containers/{i}/wait")
        r = s.json("POST", f"/commit?container={i}&repo=made&tag=1&author=me&comment=why&changes=ENV+A=b&changes=EXPOSE+80%0AUSER+7", {"Cmd": ["cat", "/made"], "Labels": {"c": "d"}, "Env": ["B=c"]}, want=201)
        d = s.json("GET", "/images/made:1/json")
        same(d["Id"], r["Id"], "id")
        c = d["Config"]
        same((c["Cmd"], c["User"], "80/tcp" in c["ExposedPorts"], {"A=b", "B=c"} <= set(c["Env"]), c["Labels"]["c"]), (["cat", "/made"], "7", True, True, "d"), "configuration")
        same((d["Author"], s.json("GET", "/images/made:1/history")[0]["Comment"]), ("me", "why"), "author and comment")
        got = tarfile.open(fileobj=io.BytesIO(s.ask("GET", f"/containers/{s.made(Image='made:1')}/export").data))
        same(got.extractfile("made").read(), b"kept\n", "what it holds")
        s.error("POST", "/commit", 400, "container")
        s.error("POST", "/commit?container=nosuch", 404, "nosuch")
        s.error("POST", f"/commit?container={i}&changes=RUN+x", 400, "RUN")
        s.error("POST", f"/commit?container={i}", 501, "Healthcheck", body={"Healthcheck": {"Test": ["CMD", "x"]}})
        same(len(s.json("POST", f"/commit?container={i}", want=201)["Id"]), 71, "id of one without a name")
        s.json("POST", "/containers/prune")
        s.json("DELETE", "/images/made:1")
        s.json("POST", "/images/prune")


@test(needs="root,docker", timeout=120)
def docker_client(env):
    with Serve(env) as s:
        s.docker("run", "-d", "--name", "d", "caisson/tiny", "sleep", "100")
        (env.tmp / "dir").mkdir()
        (env.tmp / "dir/f").write_text("sent")
        s.docker("cp", str(env.tmp / "dir"), "d:/tmp/")
        s.docker("cp", str(env.tmp / "dir/f"), "d:/tmp/renamed")
        same(s.docker("exec", "d", "cat", "/tmp/dir/f", "/tmp/renamed")[0], "sentsent", "cp into it")
        s.docker("cp", "d:/tmp/dir", str(env.tmp / "back"))
        same((env.tmp / "back/f").read_text(), "sent", "cp out of it")
        p = subprocess.run(["docker", "cp", "d:/tmp/dir/.", "-"], capture_output=True, env=s.dockerenv())
        check("f" in {os.path.basename(n) for n in tarfile.open(fileobj=io.BytesIO(p.stdout)).getnames()}, "cp to stdout")
        s.docker("cp", "-", "d:/tmp", stdin=tar(("piped", b"in", 0o644)))
        same(s.docker("exec", "d", "cat", "/tmp/piped")[0], "in", "cp of stdin")
        check("nosuch" in s.docker("cp", "d:/nosuch", "-", code=1)[1], "cp of what is not there")
        check("sleep 100" in s.docker("top", "d")[0] and "COMMAND" in s.docker("top", "d", "-o", "pid,args")[0], "top")
        row = json.loads(s.docker("stats", "--no-stream", "--format", "{{json .}}", "d")[0])
        check(row["Name"] == "d" and row["PIDs"] == "1" and row["MemUsage"] != "0B / 0B", f"stats {row}")
        s.docker("update", "--pids-limit", "70", "--restart", "unless-stopped", "d")
        same(s.docker("inspect", "-f", "{{.HostConfig.PidsLimit}} {{.HostConfig.RestartPolicy.Name}}", "d")[0], "70 unless-stopped\n", "update")
        s.docker("commit", "-m", "why", "-c", "CMD cat /tmp/renamed", "d", "made:2")
        same(s.docker("run", "--rm", "made:2")[0], "sent", "commit")
        s.docker("rm", "-f", "d")
        s.docker("rmi", "made:2")


@test(needs="root,python-docker")
def python_client(env):
    import docker
    with Serve(env) as s:
        c = docker.DockerClient(base_url=f"unix://{s.path}", timeout=30)
        i = c.containers.run("caisson/tiny", ["sleep", "100"], detach=True)
        check(i.put_archive("/tmp", tar(("f", b"python", 0o644))), "put_archive")
        data, st = i.get_archive("/tmp/f")
        same((tarfile.open(fileobj=io.BytesIO(b"".join(data))).extractfile("f").read(), st["size"]), (b"python", 6), "get_archive")
        check(i.stats(stream=False)["pids_stats"]["current"] == 1 and i.top()["Processes"], "stats and top")
        i.update(mem_limit="80m", memswap_limit="80m")
        i.reload()
        same(i.attrs["HostConfig"]["Memory"], 80 << 20, "update")
        image = i.commit("made", "3")
        same(image.tags, ["made:3"], "commit")
        i.remove(force=True)
        c.images.remove("made:3")
        c.close()


routes_were_called("api/files_test")
main()
