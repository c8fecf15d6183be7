# SPDX-License-Identifier: Apache-2.0
# timeout: 240
"""serve: Docker's Engine API, asked by docker's own client, by python's and by hand; and lied to."""
import io, json, os, re, signal, socket, stat, subprocess, tarfile, threading, time

from caisson_api import Serve, Unix, frames, routes_were_called
from docker_shapes import SHAPES
from caisson_test import TOP, Failed, Tty, check, main, same, test, wait_for, watches

@test(needs="root")
def system(env):
    with Serve(env) as s:
        r = s.ask("GET", "/_ping")
        same((r.status, r.data, r.headers["Api-Version"], r.headers["Ostype"]), (200, b"OK", "1.47", "linux"), "ping")
        same(s.ask("HEAD", "/v1.24/_ping").data, b"", "body of HEAD")
        v = s.json("GET", "/v1.47/version")
        same((v["ApiVersion"], v["MinAPIVersion"]), ("1.47", "1.24"), "versions")
        i = s.json("GET", "/info")
        same((i["Containers"], i["Isolations"]["container"]), (0, "usable"), "info")
        check("caisson" in i["Runtimes"], "runtimes")
        same(stat.S_IMODE(s.path.stat().st_mode), 0o600, "mode of the socket")
        env.run("serve", "--listen", f"unix://{s.path}").error(1, "listens", "already")
        s.made(Cmd=["true"], Labels={"a": "b"})
        same([c["SizeRw"] > 0 for c in s.json("GET", "/system/df")["Containers"]], [True], "disk usage")
        now = time.time()
        ev = s.ask("GET", f"/events?since={now - 100:.9f}&until={now:.9f}&filters=" + '{"event":["create"]}').data
        same([json.loads(x)["Action"] for x in ev.splitlines()], ["create"], "events")
        same(len(s.json("POST", "/containers/prune", want=200)["ContainersDeleted"]), 1, "pruned")


@test(needs="root")
def where_it_listens(env):
    env.run("serve", "--listen", "tcp://127.0.0.1:2375").error(1, "tcp://127.0.0.1:2375", "TLS")
    env.run("serve", "--listen", "/tmp/x").error(2, "unix:///PATH")
    env.run("serve", "--listen", f"unix://{env.tmp}/none/x").error(1, "none/x")
    (env.tmp / "file").write_text("mine")
    env.run("serve", "--listen", f"unix://{env.tmp}/file").error(1, "no socket")
    env.run("serve", "--listen", f"unix://{env.tmp}/g", "--group", "nosuchgroup").error(2, "nosuchgroup")
    s = socket.socket(socket.AF_UNIX)      # one that nobody listens on is replaced
    s.bind(str(env.tmp / "api.sock"))
    s.close()
    with Serve(env, "--group", "daemon") as s:
        same(stat.S_IMODE(s.path.stat().st_mode), 0o660, "mode of the socket")
        s.p.signal(0)
    p = env.start("serve", "--idle-exit", "--listen", f"unix://{env.tmp}/idle")
    p.until("idle")
    same(p.finish(timeout=300).code, 0, "exit code of --idle-exit")
    same(env.run("serve", "--routes").ok().out, (TOP / "docs/api/routes.md").read_text().split("<!-- caisson serve --routes -->\n")[1], "docs/api/routes.md")


@test(needs="root")
def hostile_requests(env):
    with Serve(env) as s:
        for path in ("/v1.43/../info", "/v1.43/containers/../info", "//info", "/v1.43//info", "/containers/a%2fb/json", "/./info", "/containers/a%0ab/json"):
            same(s.ask("GET", path).status, 400, path)
        s.error("GET", "/v1.23/info", 400, "too old", "1.24")
        s.error("GET", "/v1.48/info", 400, "too new", "1.47")
        s.error("GET", "/v99999999999999999999.1/info", 400, "too new")
        s.error("GET", "/v1.43/nothing", 404, "page not found")
        s.error("PATCH", "/info", 405, "method")
        s.error("POST", "/containers/x/archive", 405)
        s.error("GET", "/containers/json?nosuch=1", 501, "nosuch")
        for h in ({"Host": "evil.example"}, {"Origin": "http://localhost"}, {"Host": "127.0.0.1.evil.example"}):
            same(s.ask("GET", "/info", **h).status, 403, f"status with {h}")
        for body in (b"{", b"[]", b"null", b"{}", b'{"Image":1}', b'{"Image":"a","Image":"b"}', b'{"Image":"caisson/tiny","HostConfig":[]}', b"[" * 100000, b'{"Image":"caisson/tiny","Env":[1]}'):
            r = s.ask("POST", "/containers/create", body, **{"Content-Type": "application/json"})
            same(r.status, 400, f"status of {body[:40]}: {r.data[:100]}")
        same(s.ask("POST", "/containers/create", b'{"Image":"caisson/tiny"}', **{"Content-Type": "text/plain"}).status, 400, "text/plain")
        same(s.ask("POST", "/containers/create", b'"' + b"x" * (2 << 20) + b'"', **{"Content-Type": "application/json"}).status, 413, "a long body")
        for f in ("[]", "{", '{"status":1}', '{"status":[1]}', '{"nosuch":["x"]}'):
            same(s.ask("GET", "/containers/json?filters=" + f).status, 400, f)
        s.json("GET", "/info")


@test(needs="root")
def what_create_refuses(env):
    with Serve(env) as s:
        def no(status, *words, **host):
            s.error("POST", "/containers/create", status, *words, body={"Image": "caisson/tiny", "HostConfig": host})
        no(404, "nosuch", VolumesFrom=["nosuch"])
        no(501, "HostConfig.Links", Links=["x"])
        no(501, "HostConfig.Frobnicate", Frobnicate=1)
        no(501, "MaskedPaths", MaskedPaths=[])
        no(501, "nfs", VolumeDriver="nfs")
        no(501, "runc", Runtime="runc")
        no(400, "contradict", Runtime="caisson-vm", Isolation="process")
        no(400, "Isolation", Isolation="moon")
        no(400, "UTSMode", UTSMode="x")
        no(400, "PortBindings", PortBindings=[])
        s.error("POST", "/containers/create", 400, "health", body={"Image": "caisson/tiny", "Healthcheck": {"Test": ["FROB", "x"]}})
        s.error("POST", "/containers/create", 501, "Healthcheck.Frob", body={"Image": "caisson/tiny", "Healthcheck": {"Frob": 1}})
        # at every depth
        no(501, "HostConfig.Mounts.Frob", Mounts=[{"Type": "tmpfs", "Target": "/t", "Frob": 1}])
        no(501, "HostConfig.Mounts.BindOptions.Frob", Mounts=[{"Type": "bind", "Source": "/", "Target": "/t", "BindOptions": {"Frob": "x"}}])
        no(501, "HostConfig.Mounts.VolumeOptions.Labels", Mounts=[{"Type": "volume", "Target": "/t", "VolumeOptions": {"Labels": {"a": "b"}}}])
        no(501, "DriverConfig.Name", Mounts=[{"Type": "volume", "Target": "/t", "VolumeOptions": {"DriverConfig": {"Name": "nfs"}}}])
        no(501, "DriverConfig.Options", Mounts=[{"Type": "volume", "Target": "/t", "VolumeOptions": {"DriverConfig": {"Options": {"a": "b"}}}}])
        no(501, "TmpfsOptions.Options", Mounts=[{"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"Options": [["noexec"]]}}])
        no(501, "comma", Mounts=[{"Type": "tmpfs", "Target": "/t,readonly"}])
        no(400, "exclude each other", Mounts=[{"Type": "bind", "Source": "/", "Target": "/t", "BindOptions": {"NonRecursive": True, "ReadOnlyForceRecursive": True}}])
        no(501, "CreateMountpoint", Mounts=[{"Type": "bind", "Source": "/a:b", "Target": "/t", "BindOptions": {"CreateMountpoint": True}}])
        no(501, "HostConfig.Ulimits.Frob", Ulimits=[{"Name": "nofile", "Soft": 1, "Hard": 1, "Frob": True}])
        no(501, "HostConfig.Devices.Frob", Devices=[{"PathOnHost": "/dev/null", "Frob": "x"}])
        no(501, "HostConfig.RestartPolicy.Frob", RestartPolicy={"Name": "no", "Frob": 1})
        no(501, "HostConfig.LogConfig.Frob", LogConfig={"Frob": 1})
        no(501, "HostConfig.PortBindings.Frob", PortBindings={"80/tcp": [{"HostPort": "1", "Frob": 1}]})
        no(501, "HostConfig.BlkioDeviceReadBps.Frob", BlkioDeviceReadBps=[{"Path": "/dev/null", "Rate": 1, "Frob": 1}])
        s.error("POST", "/containers/create", 501, "KEY=VALUE", body={"Image": "caisson/tiny", "Env": ["A"]})
        s.error("POST", "/containers/create", 404, "nosuchimage", body={"Image": "nosuchimage"})
        # What says nothing is no wish.
        i = s.made(Healthcheck=None, NetworkDisabled=False, MacAddress="", OnBuild=[], HostConfig={"VolumesFrom": None, "Links": [], "DeviceRequests": None, "PidsLimit": 0},
                   NetworkingConfig={"EndpointsConfig": {"default": {"IPAMConfig": None, "Aliases": None}}})
        s.json("DELETE", f"/containers/{i}", want=204)


@test(needs="root")
def what_create_maps(env):
    with Serve(env) as s:
        i = s.made(Cmd=["-c", "true"], Entrypoint=["sh"], Hostname="h", User="1:2", Env=["A=b"], WorkingDir="/tmp", Labels={"k": "v"}, StopSignal="SIGINT", StopTimeout=3, Tty=True,
                   HostConfig={"Memory": 128 << 20, "NanoCpus": 10 ** 9, "PidsLimit": 77, "CapAdd": ["NET_ADMIN"], "Tmpfs": {"/t": "size=1m"}, "Isolation": "vm",
                               "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2}, "NetworkMode": "none", "ReadonlyRootfs": True,
                               "Ulimits": [{"Name": "nofile", "Soft": 10, "Hard": 20}], "Mounts": [{"Type": "volume", "Source": "vol", "Target": "/v", "ReadOnly": True}]})
        d = s.json("GET", f"/containers/{i[:12]}/json?size=1")
        same(d["Isolation"], "vm", "Isolation")
        c, h = d["Config"], d["HostConfig"]
        same((d["Path"], d["Args"], c["Hostname"], c["WorkingDir"], c["StopSignal"], c["StopTimeout"], c["Tty"]), ("sh", ["-c", "true"], "h", "/tmp", "SIGINT", 3, True), "Config")
        check("A=b" in c["Env"] and c["Labels"]["k"] == "v", "Env and Labels")
        same((h["Memory"], h["NanoCpus"], h["PidsLimit"], h["NetworkMode"], h["ReadonlyRootfs"]), (128 << 20, 10 ** 9, 77, "none", True), "HostConfig")
        same((h["RestartPolicy"]["Name"], h["RestartPolicy"]["MaximumRetryCount"]), ("on-failure", 2), "RestartPolicy")
        same([(m["Type"], m["Name"], m["Destination"], m["RW"]) for m in d["Mounts"] if m["Type"] == "volume"], [("volume", "vol", "/v", False)], "Mounts")
        check(d["SizeRw"] >= 0, "SizeRw")
        same(s.json("GET", '/containers/json?all=1&filters={"label":["k=v"]}')[0]["HostConfig"]["Isolation"], "vm", "Isolation in the list")
        same(s.json("GET", '/containers/json?all=1&filters={"label":{"k=w":true}}'), [], "filtered list")
        s.json("DELETE", f"/containers/{i}?v=1", want=204)
        s.error("GET", f"/containers/{i}/json", 404)


# Every member of HostConfig in the API reference: a value, and where inspect shows it (a function of its answer) or the
# words of the refusal.
HOST = {
    "Annotations": ({"a": "b"}, None), "AutoRemove": (True, True), "Binds": (["v:/v"], ["v:/v"]), "BlkioDeviceReadBps": ([{"Path": "/dev/null", "Rate": 1 << 20}], 400),
    "BlkioDeviceReadIOps": ([{"Path": "/dev/null", "Rate": 5}], 400), "BlkioDeviceWriteBps": ([{"Path": "/dev/null", "Rate": 1 << 20}], 400),
    "BlkioDeviceWriteIOps": ([{"Path": "/dev/null", "Rate": 5}], 400), "BlkioWeight": (300, 300), "BlkioWeightDevice": ([{"Path": "/dev/null", "Weight": 200}], 400),
    "CapAdd": (["NET_ADMIN"], None), "CapDrop": (["KILL"], None), "Cgroup": ("x", 501), "CgroupParent": ("p", "p"), "CgroupnsMode": ("host", "host"),
    "ConsoleSize": ([24, 80], None), "ContainerIDFile": ("/x", None), "CpuCount": (2, 501), "CpuPercent": (50, 501), "CpuPeriod": (50000, 50000), "CpuQuota": (20000, 20000),
    "CpuRealtimePeriod": (0, 0), "CpuRealtimeRuntime": (0, 0), "CpuShares": (512, 512), "CpusetCpus": ("0", "0"), "CpusetMems": ("0", "0"), "DeviceCgroupRules": (["c 1:3 r"], None),
    "DeviceRequests": ([{"Driver": "nvidia", "Count": -1}], 501), "Devices": ([{"PathOnHost": "/dev/null", "PathInContainer": "/dev/n", "CgroupPermissions": "rw"}], None),
    "Dns": (["192.0.2.1"], ["192.0.2.1"]), "DnsOptions": (["ndots:1"], ["ndots:1"]), "DnsSearch": (["example.com"], ["example.com"]), "ExtraHosts": (["h:192.0.2.1"], ["h:192.0.2.1"]),
    "GroupAdd": (["5"], ["5"]), "IOMaximumBandwidth": (1, 501), "IOMaximumIOps": (1, 501), "Init": (True, True), "IpcMode": ("host", "host"), "Isolation": ("process", None),
    "KernelMemoryTCP": (1 << 20, 501), "Links": (["a:b"], 501), "LogConfig": ({"Type": "json-file", "Config": {"max-size": "1m"}}, {"Type": "json-file", "Config": {"max-size": "1m"}}),
    "MaskedPaths": (["/proc/x"], 501), "Memory": (128 << 20, 128 << 20), "MemoryReservation": (64 << 20, 64 << 20), "MemorySwap": (-1, -1), "MemorySwappiness": (10, None),
    "Mounts": ([{"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 1 << 20, "Mode": 0o700}}], None), "NanoCpus": (10 ** 9, 10 ** 9), "NetworkMode": ("none", "none"),
    "OomKillDisable": (True, None), "OomScoreAdj": (100, 100), "PidMode": ("host", "host"), "PidsLimit": (99, 99), "PortBindings": ({"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]}, None),
    "Privileged": (True, True), "PublishAllPorts": (True, True), "ReadonlyPaths": (["/proc/x"], 501), "ReadonlyRootfs": (True, True),
    "RestartPolicy": ({"Name": "always", "MaximumRetryCount": 0}, {"Name": "always", "MaximumRetryCount": 0}), "Runtime": ("caisson", None), "SecurityOpt": (["no-new-privileges"], ["no-new-privileges"]),
    "ShmSize": (1 << 20, 1 << 20), "StorageOpt": ({"size": "1G"}, 501), "Sysctls": ({"net.ipv4.ip_forward": "1"}, {"net.ipv4.ip_forward": "1"}), "Tmpfs": ({"/t": "size=1m"}, {"/t": "size=1m"}),
    "UTSMode": ("host", "host"), "Ulimits": ([{"Name": "nofile", "Soft": 10, "Hard": 20}], [{"Name": "nofile", "Soft": 10, "Hard": 20}]), "UsernsMode": ("host", "host"),
    "VolumeDriver": ("local", None), "VolumesFrom": (["nosuch"], 404),
}
TOGETHER = {"MemorySwap": {"Memory": 128 << 20}, "MemoryReservation": {"Memory": 128 << 20}, "OomKillDisable": {"Memory": 128 << 20}}


@test(needs="root")
def every_member_of_hostconfig(env):
    """Nothing that the reference knows is passed over: it is there in inspect, or refused."""
    reference = {k.rstrip("!") for k in SHAPES["GET /containers/{}/json"]["HostConfig"]}
    same(sorted(reference - set(HOST)), [], "members without a case")
    with Serve(env) as s:
        for member, (value, want) in HOST.items():
            body = {"Image": "caisson/tiny", "HostConfig": {member: value, **TOGETHER.get(member, {})}}
            r = s.ask("POST", "/containers/create", body)
            if isinstance(want, int) and want in (400, 404, 501) and r.status == want:
                continue
            check(r.status == 201, f"{member}: {r.status} {r.data}")
            i = json.loads(r.data)["Id"]
            got = s.json("GET", f"/containers/{i}/json")["HostConfig"].get(member)
            if want is not None:
                same(got, want, member)
            s.json("DELETE", f"/containers/{i}?force=1&v=1", want=204)
        s.json("POST", "/volumes/prune")
        # the other side: what is asked for is done
        i = s.made(Cmd=["sh", "-c", "mount | grep ' /t '; cat /src/f; ls -d /made"], Healthcheck={"Test": ["CMD", "true"], "Interval": 10 ** 9, "Retries": 2}, MacAddress="02:00:00:00:00:07",
                   HostConfig={"Mounts": [{"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 1 << 20, "Mode": 0o700}},
                                          {"Type": "volume", "Source": "v", "Target": "/src", "ReadOnly": True, "VolumeOptions": {"NoCopy": True}, "Consistency": "cached"},
                                          {"Type": "bind", "Source": str(env.tmp / "made"), "Target": "/made", "BindOptions": {"CreateMountpoint": True}}]})
        d = s.json("GET", f"/containers/{i}/json")
        same((d["Config"]["Healthcheck"]["Test"], d["Config"]["Healthcheck"]["Retries"]), (["CMD", "true"], 2), "Healthcheck")
        s.json("POST", f"/containers/{i}/start", want=204)
        s.json("POST", f"/containers/{i}/wait")
        out = frames(s.ask("GET", f"/containers/{i}/logs?stdout=1").data)[1].decode()
        check("size=1024k" in out and "mode=700" in out and "/made" in out and (env.tmp / "made").is_dir(), f"mounts {out!r}")
        s.json("DELETE", f"/containers/{i}?v=1", want=204)
        i = s.made(Cmd=["true"], Healthcheck={"Test": ["NONE"]}, NetworkDisabled=True)
        d = s.json("GET", f"/containers/{i}/json")
        same((d["HostConfig"]["NetworkMode"], d["Config"].get("Healthcheck")), ("none", None), "NetworkDisabled, and no health check")
        s.json("DELETE", f"/containers/{i}", want=204)
        s.json("DELETE", "/volumes/v", want=204)


@test(needs="root")
def a_life(env):
    with Serve(env) as s:
        i = s.made(Cmd=["sh", "-c", "trap 'exit 5' TERM; echo out; echo err >&2; while :; do sleep 0.05; done"])
        c = f"/containers/{i}"
        s.error("POST", c + "/kill", 409, "not running")
        same(s.ask("POST", c + "/stop").status, 304, "stop of one that does not run")
        s.json("POST", c + "/start", want=204)
        same(s.ask("POST", c + "/start").status, 304, "second start")
        got = wait_for(lambda: (lambda f: f if f[1] and f[2] else None)(frames(s.ask("GET", c + "/logs?stdout=1&stderr=1").data)), what="logs")
        same(got, {1: b"out\n", 2: b"err\n"}, "logs")
        same(frames(s.ask("GET", c + "/logs?stdout=1&tail=0").data)[1], b"", "tail=0")
        check(re.match(rb"2\d\d\d-\S+Z out\n", frames(s.ask("GET", c + "/logs?stdout=1&timestamps=1").data)[1]), "timestamps")
        s.error("GET", c + "/logs", 400, "at least one stream")
        s.json("POST", c + "/pause", want=204)
        same(s.json("GET", c + "/json")["State"]["Paused"], True, "paused")
        s.error("POST", c + "/attach?stream=1&stdout=1", 409, "paused")
        s.json("POST", c + "/unpause", want=204)
        s.json("POST", c + "/rename?name=renamed", want=204)
        same(s.json("GET", "/containers/renamed/json")["Name"], "/renamed", "name")
        s.error("POST", c + "/rename", 400, "name")
        s.json("POST", c + "/restart?t=5", want=204)
        s.error("DELETE", c, 409)
        codes = []
        t = threading.Thread(target=lambda: codes.append(s.json("POST", c + "/wait?condition=next-exit")["StatusCode"]))
        t.start()
        watches()
        s.json("POST", c + "/kill?signal=TERM", want=204)
        t.join(300)
        same(codes, [5], "code that was waited for")
        same(s.json("POST", c + "/wait")["StatusCode"], 5, "code of what does not run")
        s.error("POST", c + "/wait?condition=x", 400, "condition")
        s.error("POST", c + "/kill?signal=NOSUCH", 400, "NOSUCH")
        same(s.json("GET", "/containers/json"), [], "running ones")
        same(len(s.json("GET", "/containers/json?limit=1")), 1, "limit=1")
        s.json("DELETE", c + "?force=1&v=1", want=204)
        s.json("DELETE", c + "?force=1", want=404)      # the command line makes no error of it, the API says so


@test(needs="root")
def one_connection_sees_every_change(env):
    """A connection remembers what it read of instances that do not run: never longer than it is true."""
    with Serve(env) as s:
        c = Unix(s.path)
        def rows():
            c.request("GET", "/containers/json?all=1")
            return {x["Names"][0]: (x["State"], x["HostConfig"]["NetworkMode"]) for x in json.loads(c.getresponse().read())}
        ids = [s.made(Cmd=["sh", "-c", "trap 'exit 3' TERM; while :; do sleep 0.05; done"], HostConfig={"NetworkMode": "none"}) for _ in range(3)]
        for n, i in enumerate(ids):
            s.json("POST", f"/containers/{i}/rename?name=n{n}", want=204)
        same(rows(), {f"/n{n}": ("created", "none") for n in range(3)}, "three")
        for again in range(2):      # fresh, and old enough to be remembered
            if again:
                time.sleep(1.2)
                rows()
            same(rows(), {f"/n{n}": ("exited" if again and n == 1 else "created", "none") for n in range(3)}, "what it remembers")
            s.json("POST", f"/containers/{ids[0]}/rename?name=other", want=204)
            check("/other" in rows() and "/n0" not in rows(), f"a new name: {rows()}")
            s.json("POST", f"/containers/{ids[0]}/rename?name=n0", want=204)
            s.json("POST", f"/containers/{ids[1]}/start", want=204)
            same(rows()["/n1"][0], "running", "started")
            s.json("POST", f"/containers/{ids[1]}/stop", want=204)
            same(rows()["/n1"][0], "exited", "stopped")
        extra = s.made()
        same(len(rows()), 4, "one more")
        for i in (extra, ids[2]):
            s.json("DELETE", f"/containers/{i}", want=204)
        same(sorted(rows()), ["/n0", "/n1"], "two less")
        c.close()
        s.json("POST", "/containers/prune")


@test(needs="root")
def files(env):
    with Serve(env) as s:
        i = s.made(Cmd=["sh", "-c", "echo x > /made; sleep 100"])
        s.json("POST", f"/containers/{i}/start", want=204)
        wait_for(lambda: {"Path": "/made", "Kind": 1} in (s.json("GET", f"/containers/{i}/changes") or []), what="the change")
        tar = tarfile.open(fileobj=io.BytesIO(s.ask("GET", f"/containers/{i}/export").data))
        same(tar.extractfile("made").read(), b"x\n", "a file of the export")
        s.error("GET", "/containers/nosuch/export", 404, "nosuch")
        s.json("DELETE", f"/containers/{i}?force=1", want=204)


@test(needs="root")
def execs(env):
    with Serve(env) as s:
        i = s.made(Cmd=["sleep", "100"])
        s.error("POST", f"/containers/{i}/exec", 409, "not running", body={"Cmd": ["true"]})
        s.json("POST", f"/containers/{i}/start", want=204)
        s.error("POST", f"/containers/{i}/exec", 400, "No exec command", body={"AttachStdout": True})
        s.error("POST", f"/containers/{i}/exec", 501, "Privileged", body={"Cmd": ["true"], "Privileged": True})
        x = s.json("POST", f"/containers/{i}/exec", {"Cmd": ["sh", "-c", "echo $A; echo e >&2; exit 7"], "AttachStdout": True, "AttachStderr": True, "Env": ["A=b"], "WorkingDir": "/tmp"}, want=201)["Id"]
        same(s.json("GET", f"/exec/{x}/json")["ExitCode"], None, "code before")
        same(frames(s.ask("POST", f"/exec/{x}/start", {"Detach": False}).data), {1: b"b\n", 2: b"e\n"}, "output")
        same(wait_for(lambda: s.json("GET", f"/exec/{x}/json")["ExitCode"]), 7, "code")
        s.error("POST", f"/exec/{x}/start", 409, "already", body={})
        s.error("POST", f"/exec/{x}/resize?h=3&w=3", 409, "not running")
        s.error("POST", f"/exec/{x}/resize?h=3", 400, "'w'")
        s.error("GET", "/exec/" + "0" * 64 + "/json", 404, "No such exec")
        s.error("GET", "/exec/../json", 400)
        y = s.json("POST", f"/containers/{i}/exec", {"Cmd": ["true"]}, want=201)["Id"]
        same(s.ask("POST", f"/exec/{y}/start", {"Detach": True}).status, 200, "detached start")
        s.json("DELETE", f"/containers/{i}?force=1", want=204)


@test(needs="root")
def images(env):
    with Serve(env) as s:
        s.made(Cmd=["true"], HostConfig={"AutoRemove": False})
        rows = s.json("GET", "/images/json")
        same([r["RepoTags"] for r in rows], [["caisson/tiny:latest"]], "tags")
        same(s.json("GET", "/images/caisson/tiny/json")["Id"], rows[0]["Id"], "id")
        same(s.json("GET", "/images/caisson/tiny:latest/history")[0]["Id"], rows[0]["Id"], "history")
        same(s.ask("POST", "/images/caisson/tiny/tag?repo=other&tag=1").status, 201, "tag")
        same(sorted(s.json("GET", "/images/json")[0]["RepoTags"]), ["caisson/tiny:latest", "other:1"], "tags")
        same(s.json("GET", '/images/json?filters={"reference":["other"]}')[0]["RepoTags"], ["other:1"], "by reference")
        same(s.json("GET", '/images/json?filters={"dangling":["true"]}'), [], "dangling")
        s.error("GET", '/images/json?filters={"since":["x"]}', 501, "since")
        same(s.json("DELETE", "/images/other:1")[0], {"Untagged": "other:1"}, "untagged")
        s.error("GET", "/images/nosuch/json", 404, "nosuch")
        s.error("DELETE", "/images/nosuch", 404, "nosuch")
        lines = [json.loads(x) for x in s.ask("POST", "/images/create?fromImage=caisson/tiny&tag=latest").data.splitlines()]
        check(lines[-1]["status"].startswith("Status: ") and any("Digest: sha256:" in x["status"] for x in lines), f"progress {lines}")
        for name in ("oci:/etc", "dir:/etc", "docker-archive:/etc/passwd", "UPPER"):
            s.error("POST", f"/images/create?fromImage={name}", 400)
        s.error("POST", "/images/create", 400, "fromImage")
        s.error("POST", "/images/create?fromSrc=-", 400, "import")
        same(s.ask("POST", "/images/create?fromImage=caisson/tiny", **{"X-Registry-Auth": "e30="}).status, 200, "no credentials")
        same(s.json("POST", "/images/prune")["ImagesDeleted"], [], "pruned")
        s.json("POST", "/containers/prune")


@test(needs="root,docker", timeout=120)
def docker_client(env):
    with Serve(env) as s:
        check("caisson" in s.docker("version")[0], "docker version")
        check("Runtimes" in s.docker("info")[0], "docker info")
        same(s.docker("run", "--rm", "caisson/tiny", "echo", "hi")[0], "hi\n", "run")
        same(s.docker("run", "--rm", "caisson/tiny", "sh", "-c", "echo o; echo e >&2; exit 4", code=4), ("o\n", "e\n"), "run's streams and code")
        same(s.docker("run", "--rm", "-i", "caisson/tiny", "cat", stdin="typed\n" * 5000)[0], "typed\n" * 5000, "run -i")
        check("nosuch" in s.docker("run", "--rm", "caisson/tiny", "nosuch", code=127)[1], "run of what is not there")
        s.docker("run", "-d", "--name", "d", "caisson/tiny", "sh", "-c", "echo out; sleep 1; echo more; sleep 100")
        check("d" in s.docker("ps", "--format", "{{.Names}}")[0].split(), "ps")
        same(s.docker("exec", "d", "sh", "-c", "echo in; exit 3", code=3)[0], "in\n", "exec")
        same(s.docker("exec", "-i", "d", "cat", stdin="typed")[0], "typed", "exec -i")
        check("nosuch" in "".join(s.docker("exec", "d", "nosuch", code=127)), "exec of what is not there")
        p = subprocess.Popen(["docker", "logs", "-f", "d"], stdout=subprocess.PIPE, env=s.dockerenv())
        same([p.stdout.readline(), p.stdout.readline()], [b"out\n", b"more\n"], "logs -f")
        s.docker("stop", "-t", "0", "d")
        same(p.wait(20), 0, "logs -f ends with it")
        p.stdout.close()
        check("caisson/tiny" in s.docker("images")[0] and "caisson/tiny" in s.docker("pull", "caisson/tiny")[0], "images and pull")
        same(s.docker("inspect", "-f", "{{.State.Status}}", "d")[0], "exited\n", "inspect")
        same(s.docker("wait", "d")[0], "137\n", "wait")
        s.docker("rm", "d")
        check("d" in s.docker("container", "inspect", "d", code=1)[1].split(), "container inspect of what is not there")


def size_becomes(tty, want):
    def now():
        tty.send("stty size\n")
        try:
            return tty.until(want + r"\r?\n", timeout=1)
        except Failed:
            return None
    wait_for(now, 15, f"the size {want}")


@test(needs="root,docker")
def docker_terminals(env):
    with Serve(env) as s:
        t = Tty(["docker", "run", "-it", "--name", "t", "caisson/tiny", "sh"], s.dockerenv(), rows=33, cols=101)
        t.until("# ")
        size_becomes(t, "33 101")      # the client says it after the start
        t.resize(20, 70)
        os.kill(t.p.pid, signal.SIGWINCH)
        size_becomes(t, "20 70")
        x = Tty(["docker", "exec", "-it", "t", "sh"], s.dockerenv(), rows=22, cols=66)
        x.until("# ")
        size_becomes(x, "22 66")
        x.send("exit 6\n")
        same(x.finish().code, 6, "code of exec")
        t.send("exit 9\n")
        same(t.finish().code, 9, "code of run")
        s.docker("rm", "t")


def raw_stream(s, path, body=None):
    """The stdio of a process by hand: the connection behind the head, and what reads from it until it says so."""
    c = socket.socket(socket.AF_UNIX)
    c.connect(str(s.path))
    c.settimeout(60)
    data = json.dumps(body).encode() if body else b""
    c.sendall(f"POST {path} HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
    got = b""
    def until(what):
        """To the end of what; b"" is what came already."""
        nonlocal got
        if not what:
            return got
        while what not in got:
            piece = c.recv(65536)
            check(piece, f"{path} ended before {what!r}: {got!r}")
            got += piece
        before, _, got = got.partition(what)
        return before + what
    check(b" 101 " in until(b"\r\n\r\n"), "the head")
    return c, until


def rest_of(c):
    data = b""
    while piece := c.recv(65536):
        data += piece
    return data


@test(needs="root")
def detach_keys(env):
    """The stream ends, the process does not hear of it and goes on; what only begins like the keys is typed."""
    with Serve(env) as s:
        i = s.made(Cmd=["sh"], Tty=True, OpenStdin=True)
        for bad in ("ctrl-1", "ab", "a,", "ctrl-P"):
            s.error("POST", f"/containers/{i}/attach?stream=1&stdin=1&stdout=1&detachKeys={bad}", 400, "Invalid detach keys", bad)
        s.json("POST", f"/containers/{i}/start", want=204)
        attach = f"/containers/{i}/attach?stream=1&stdin=1&stdout=1&stderr=1"
        for keys, typed in (("", b"\x10\x11"), ("&detachKeys=x,DEL", b"x\x7f"), ("&detachKeys=ctrl-]", b"\x1d")):
            c, until = raw_stream(s, attach + keys)
            c.sendall(b"echo a$((1+1))\n")
            until(b"a2")
            c.sendall(typed + b"exit\n")
            rest_of(c)
            c.close()
            same(s.json("GET", f"/containers/{i}/json")["State"]["Running"], True, f"runs after {keys}")
        c, until = raw_stream(s, attach + "&detachKeys=x,y")
        c.sendall(b"echo $((1+1))x")
        c.sendall(b"xz\n")
        until(b"2xxz")
        c.close()
        s.error("POST", f"/containers/{i}/exec", 400, "Invalid detach keys", body={"Cmd": ["sh"], "DetachKeys": "ctrl-"})
        x = s.json("POST", f"/containers/{i}/exec", {"Cmd": ["sh", "-c", "echo here; read a; until [ -e /go ]; do sleep 0.1; done; exit 5"], "Tty": True, "AttachStdin": True, "AttachStdout": True, "DetachKeys": "q,w"}, want=201)["Id"]
        same(s.json("GET", f"/exec/{x}/json")["DetachKeys"], "q,w", "keys of the exec")
        c, until = raw_stream(s, f"/exec/{x}/start", {"Tty": True})
        until(b"here")
        c.sendall(b"\nq")
        c.sendall(b"w")
        rest_of(c)
        c.close()
        d = s.json("GET", f"/exec/{x}/json")
        same((d["Running"], d["ExitCode"]), (True, None), "the exec after its client detached")
        y = s.json("POST", f"/containers/{i}/exec", {"Cmd": ["touch", "/go"], "AttachStdout": True}, want=201)["Id"]
        s.ask("POST", f"/exec/{y}/start", {})
        same(wait_for(lambda: s.json("GET", f"/exec/{x}/json")["ExitCode"], 30, "the end of the exec"), 5, "its code")
        s.json("DELETE", f"/containers/{i}?force=1", want=204)


def parts(c, until):
    """stdout and stderr of a multiplexed stream, to its end."""
    return frames(until(b"") + rest_of(c))


@test(needs="root")
def several_wait_for_one_start(env):
    """Each has all output from the first byte, whoever of them stays; what one types comes through."""
    with Serve(env) as s:
        path = "/attach?stream=1&stdout=1&stderr=1"
        i = s.made(Cmd=["sh", "-c", "echo first; echo bad >&2; read a; echo got $a; seq 20000; echo last"], OpenStdin=True, StdinOnce=True)
        want = b"first\ngot typed\n" + b"".join(b"%d\n" % n for n in range(1, 20001)) + b"last\n"
        for who_goes in (0, 1, 2):      # before the start: the first, on whom the others wait; and others
            several = [raw_stream(s, f"/containers/{i}{path}{'&stdin=1' if n == 3 else ''}") for n in range(4)]
            several.pop(who_goes)[0].close()
            only_err, err_until = raw_stream(s, f"/containers/{i}/attach?stream=1&stderr=1")
            s.json("POST", f"/containers/{i}/start", want=204)
            several[-1][0].sendall(b"typed\n")
            for c, until in several:
                same(parts(c, until), {1: want, 2: b"bad\n"}, f"all of it, without {who_goes}")
                c.close()
            same(parts(only_err, err_until), {1: b"", 2: b"bad\n"}, "stderr alone")
            only_err.close()
            s.json("POST", f"/containers/{i}/wait")
        # one leaves while it runs
        gone, gone_until = raw_stream(s, f"/containers/{i}{path}")
        c, until = raw_stream(s, f"/containers/{i}{path}&stdin=1")
        s.json("POST", f"/containers/{i}/start", want=204)
        gone_until(b"first")
        gone.close()
        c.sendall(b"typed\n")
        same(parts(c, until), {1: want, 2: b"bad\n"}, "all of it, when the first left")
        c.close()
        # a start that fails ends it for all
        s.json("POST", f"/containers/{i}/wait")
        s.json("DELETE", f"/containers/{i}", want=204)
        i = s.made(Cmd=["/no/such"])
        several = [raw_stream(s, f"/containers/{i}{path}") for _ in range(3)]
        s.error("POST", f"/containers/{i}/start", 400, "/no/such")
        for c, until in several:
            rest_of(c)
            c.close()
        s.json("DELETE", f"/containers/{i}", want=204)


@test(needs="root")
def attach_to_what_was_written(env):
    with Serve(env) as s:
        i = s.made(Cmd=["sh", "-c", "echo before; echo bad >&2; until [ -e /go ]; do sleep 0.1; done; echo after"])
        s.json("POST", f"/containers/{i}/start", want=204)
        attach = f"/containers/{i}/attach?stdout=1&stderr=1"
        logs = {1: b"before\n", 2: b"bad\n"}
        wait_for(lambda: parts(*raw_stream(s, attach + "&logs=1")) == logs, 30, "logs=1 alone")
        same(parts(*raw_stream(s, attach)), {1: b"", 2: b""}, "neither")
        c, until = raw_stream(s, attach + "&logs=1&stream=1")
        got = until(b"before\n")
        x = s.json("POST", f"/containers/{i}/exec", {"Cmd": ["touch", "/go"], "AttachStdout": True}, want=201)["Id"]
        s.ask("POST", f"/exec/{x}/start", {})
        same(frames(got + until(b"after\n") + rest_of(c)), {1: b"before\nafter\n", 2: b"bad\n"}, "logs and stream")
        c.close()
        s.json("POST", f"/containers/{i}/wait")
        same(parts(*raw_stream(s, attach + "&logs=1")), {1: b"before\nafter\n", 2: b"bad\n"}, "logs of what has ended")
        s.json("DELETE", f"/containers/{i}", want=204)


@test(needs="root,docker")
def docker_detaches(env):
    with Serve(env) as s:
        t = Tty(["docker", "run", "-it", "--name", "t", "caisson/tiny", "sh"], s.dockerenv())
        t.until("# ")
        t.send("\x10\x11")
        same(t.finish().code, 0, "docker run after the keys")
        t = Tty(["docker", "attach", "--detach-keys", "ctrl-x,q", "t"], s.dockerenv())
        t.send("echo a$((1+1))\n")
        t.until("a2")
        t.send("\x18q")
        check(t.finish().code in (0, 1), "docker attach after the keys")
        t = Tty(["docker", "exec", "-it", "--detach-keys", "ctrl-y", "t", "sh", "-c", "trap '' HUP; echo here; until [ -e /go ]; do sleep 0.1; done; echo out > /said"], s.dockerenv())
        t.until("here")
        t.send("\x19")
        t.finish()
        same(s.json("GET", "/containers/t/json")["State"]["Running"], True, "the container")
        s.docker("exec", "t", "touch", "/go")
        wait_for(lambda: s.docker("exec", "t", "sh", "-c", "cat /said || true")[0] == "out\n", 30, "the exec to go on")
        s.docker("rm", "-f", "t")


@test(needs="root,python-docker")
def python_client(env):
    import docker
    with Serve(env) as s:
        c = docker.DockerClient(base_url=f"unix://{s.path}", timeout=300)
        same(c.containers.run("caisson/tiny", ["echo", "hi"], remove=True), b"hi\n", "run")
        i = c.containers.run("caisson/tiny", ["sleep", "100"], detach=True, name="p", mem_limit="64m", labels={"a": "b"})
        same([x.name for x in c.containers.list(filters={"label": "a=b"})], ["p"], "list")
        for _ in range(40):     # what comes in one piece with the head would be lost to this client
            r = i.exec_run(["sh", "-c", "echo x; exit 2"])
            same((r.exit_code, r.output), (2, b"x\n"), "exec_run")
        i.pause()
        i.reload()
        same(i.status, "paused", "status")
        i.unpause()
        i.kill()
        same(i.wait()["StatusCode"], 137, "wait")
        i.remove()
        check("caisson/tiny:latest" in c.images.get("caisson/tiny").tags, "images.get")
        try:
            c.containers.get("p")
            check(False, "it is still there")
        except docker.errors.NotFound:
            pass
        c.close()


@test(needs="root")
def the_server_is_killed(env):
    s = Serve(env)
    i = s.made(Cmd=["sh", "-c", "sleep 1; echo after; sleep 100"])
    s.json("POST", f"/containers/{i}/start", want=204)
    s.p.signal(signal.SIGKILL)
    s.p.finish()
    with Serve(env) as s:
        same(s.json("GET", f"/containers/{i}/json")["State"]["Status"], "running", "what runs")
        wait_for(lambda: b"after" in s.ask("GET", f"/containers/{i}/logs?stdout=1").data, what="its output")
        s.json("DELETE", f"/containers/{i}?force=1", want=204)


@test(needs="root")
def clients_that_leave(env):
    """Followers that go are gone; those that never speak do not keep others out."""
    with Serve(env) as s:
        i = s.made(Cmd=["sleep", "100"])
        s.json("POST", f"/containers/{i}/start", want=204)
        silent = [Unix(s.path) for _ in range(20)]
        for c in silent:
            c.connect()
        def children():
            return len(open(f"/proc/{s.p.pid}/task/{s.p.pid}/children").read().split())
        for path in (f"/containers/{i}/wait", "/events", f"/containers/{i}/logs?stdout=1&follow=1", f"/containers/{i}/attach?stream=1&stdout=1"):
            c = Unix(s.path)
            c.request("GET" if "logs" in path or "events" in path else "POST", path)
            r = c.getresponse()     # it holds the socket
            same(r.status, 200, path)
            wait_for(lambda: children() == 21, 5, what=f"the connection of {path}, there are {children()}")
            r.close()
            c.close()
            wait_for(lambda: children() == 20, what=f"the end of {path}")
        s.json("GET", "/info")
        for c in silent:
            c.close()
        s.json("DELETE", f"/containers/{i}?force=1", want=204)


routes_were_called("api/api_test")
main()
