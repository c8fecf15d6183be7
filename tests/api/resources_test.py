# SPDX-License-Identifier: Apache-2.0
# timeout: 120
"""serve: networks and volumes, by hand, by docker's client and by python's; and what docker has and we have not."""
import json

from caisson_api import Serve, routes_were_called
from caisson_test import check, main, same, test


@test(needs="root,netns")
def networks(env):
    with Serve(env) as s:
        same([n["Name"] for n in s.json("GET", "/networks")], ["bridge", "host", "none"], "networks of a new store")
        i = s.json("POST", "/networks/create", {"Name": "n", "CheckDuplicate": True, "Driver": "bridge", "Labels": {"a": "b"}, "Options": {"com.docker.network.driver.mtu": "1400"},
                                                "IPAM": {"Driver": "default", "Config": [{"Subnet": "10.200.3.0/24", "Gateway": "10.200.3.9", "IPRange": "10.200.3.128/25", "AuxiliaryAddresses": {"r": "10.200.3.200"}}]}}, want=201)["Id"]
        for name in ("n", i, i[:6]):
            d = s.json("GET", f"/v1.41/networks/{name}")
            same((d["Id"], d["Name"], d["Labels"], d["Internal"]), (i, "n", {"a": "b"}, False), "network")
        same(d["IPAM"]["Config"], [{"Subnet": "10.200.3.0/24", "IPRange": "10.200.3.128/25", "Gateway": "10.200.3.9", "AuxiliaryAddresses": {"r": "10.200.3.200"}}], "IPAM")
        same(d["Options"], {"com.docker.network.driver.mtu": "1400"}, "Options")
        same([n["Name"] for n in s.json("GET", '/networks?filters={"label":["a=b"],"type":["custom"]}')], ["n"], "filtered")
        same(s.json("GET", '/networks?filters={"name":["nosuch"]}'), [], "filtered by name")
        s.error("GET", '/networks?filters={"nosuch":["x"]}', 400, "nosuch")
        s.error("POST", "/networks/create", 409, "already exists", body={"Name": "n"})
        s.error("POST", "/networks/create", 400, "Name", body={"Driver": "bridge"})
        s.error("POST", "/networks/create", 501, "overlay", body={"Name": "x", "Driver": "overlay"})
        s.error("POST", "/networks/create", 501, "IPAM.Driver", body={"Name": "x", "IPAM": {"Driver": "dhcp"}})
        s.error("POST", "/networks/create", 501, "IPAM.Options", body={"Name": "x", "IPAM": {"Options": {"k": "v"}}})
        s.error("POST", "/networks/create", 501, "IPAM.Config.Pool", body={"Name": "x", "IPAM": {"Config": [{"Pool": "v"}]}})
        s.error("POST", "/networks/create", 501, "swarm", body={"Name": "x", "Scope": "swarm"})
        s.error("POST", "/networks/create", 501, "EnableIPv4", body={"Name": "x", "EnableIPv4": False})
        for member in ("Ingress", "ConfigOnly"):
            s.error("POST", "/networks/create", 501, member, body={"Name": "x", member: True})
        s.error("GET", "/networks/nosuch", 404, "network nosuch not found")
        s.error("GET", "/networks/n?scope=swarm", 404, "scope")
        s.error("DELETE", "/networks/nosuch", 404, "nosuch")
        s.error("DELETE", "/networks/host", 403, "pre-defined")
        c = s.made(Cmd=["sleep", "100"], HostConfig={"NetworkMode": "n"})
        s.json("POST", f"/containers/{c}/start", want=204)
        at = s.json("GET", "/networks/n")["Containers"][c]
        check(at["IPv4Address"].startswith("10.200.3.") and at["IPv4Address"].endswith("/24"), f"address {at}")
        s.error("DELETE", "/networks/n", 409)
        same(s.json("POST", "/networks/prune")["NetworksDeleted"], [], "pruned while it is used")
        s.json("DELETE", f"/containers/{c}?force=1", want=204)
        s.json("DELETE", "/networks/n", want=204)
        s.json("POST", "/networks/create", {"Name": "m", "Internal": True, "Labels": {"k": "v"}}, want=201)
        same(s.json("GET", "/networks/m")["Internal"], True, "Internal")
        same(s.json("POST", '/networks/prune?filters={"label":["k=w"]}')["NetworksDeleted"], [], "pruned by label")
        same(s.json("POST", "/networks/prune")["NetworksDeleted"], ["m"], "pruned")


@test(needs="root,netns")
def several_networks(env):
    with Serve(env) as s:
        for name, subnet in (("one", "10.203.1.0/24"), ("two", "10.203.2.0/24")):
            s.json("POST", "/networks/create", {"Name": name, "IPAM": {"Config": [{"Subnet": subnet}]}}, want=201)
        i = s.made(Cmd=["sleep", "100"], HostConfig={"NetworkMode": "one"}, MacAddress="02:00:00:00:00:09", NetworkingConfig={"EndpointsConfig": {
            "one": {"Aliases": ["db", "db2"], "IPAMConfig": {"IPv4Address": "10.203.1.77"}, "NetworkID": "told", "Gateway": "told", "DNSNames": ["told"]},
            "two": {"Aliases": ["other"], "IPAMConfig": {"IPv4Address": "10.203.2.78"}}}})
        s.json("POST", f"/containers/{i}/start", want=204)
        n = s.json("GET", f"/containers/{i}/json")["NetworkSettings"]["Networks"]
        same({k: (v["IPAddress"], v["Aliases"]) for k, v in n.items()}, {"one": ("10.203.1.77", ["db", "db2"]), "two": ("10.203.2.78", ["other"])}, "networks")
        same(n["one"]["MacAddress"], "02:00:00:00:00:09", "MacAddress")
        same(s.ask("POST", "/networks/two/disconnect", {"Container": i, "Force": True}).status, 200, "disconnect")
        same(list(s.json("GET", f"/containers/{i}/json")["NetworkSettings"]["Networks"]), ["one"], "networks after disconnect")
        same(s.ask("POST", "/networks/two/connect", {"Container": i, "EndpointConfig": {"Aliases": ["again"], "IPAMConfig": {"IPv4Address": "10.203.2.5"}, "Links": None, "DriverOpts": {}}}).status, 200, "connect")
        two = s.json("GET", f"/containers/{i}/json")["NetworkSettings"]["Networks"]["two"]
        same((two["IPAddress"], two["Aliases"]), ("10.203.2.5", ["again"]), "network after connect")
        check(i in s.json("GET", "/networks/two")["Containers"], "the network's own view")
        s.error("POST", "/networks/two/connect", 409, body={"Container": i})
        s.error("POST", "/networks/nosuch/connect", 404, "nosuch", body={"Container": i})
        s.error("POST", "/networks/two/connect", 404, "nosuch", body={"Container": "nosuch"})
        s.error("POST", "/networks/two/connect", 400, "Container", body={})
        s.error("POST", "/networks/two/connect", 501, "EndpointConfig.Links", body={"Container": i, "EndpointConfig": {"Links": ["a:b"]}})
        s.error("POST", "/networks/host/disconnect", 403, body={"Container": i})
        for endpoint, status, word in (({"one": {"Links": ["a"]}}, 501, "one.Links"), ({"one": {"IPAMConfig": {"IPv6Address": "fd00::1"}}}, 501, "IPv6Address"), ({"nosuch": {}}, 404, "nosuch"),
                                       ({"two": {"Aliases": ["a,ip=10.0.0.1"]}}, 400, "comma"), ([], 400, "EndpointsConfig")):
            s.error("POST", "/containers/create", status, word, body={"Image": "caisson/tiny", "HostConfig": {"NetworkMode": "one"}, "NetworkingConfig": {"EndpointsConfig": endpoint}})
        s.json("DELETE", f"/containers/{i}?force=1", want=204)
        for name in ("one", "two"):
            s.json("DELETE", f"/networks/{name}", want=204)


@test(needs="root")
def volumes(env):
    with Serve(env) as s:
        same(s.json("GET", "/volumes"), {"Volumes": [], "Warnings": None}, "volumes of a new store")
        v = s.json("POST", "/volumes/create", {"Name": "v", "Driver": "local", "Labels": {"a": "b"}}, want=201)
        same((v["Name"], v["Driver"], v["Labels"], v["Scope"]), ("v", "local", {"a": "b"}, "local"), "volume")
        same(s.json("GET", "/volumes/v"), v, "inspect")
        same(s.json("POST", "/volumes/create", {"Name": "v"}, want=201), v, "one that is there")
        s.error("POST", "/volumes/create", 409, "v", body={"Name": "v", "Labels": {"x": "y"}})
        anonymous = s.json("POST", "/volumes/create", {}, want=201)["Name"]
        same(len(anonymous), 64, "length of a name that nobody gave")
        for bad, status, word in (({"Name": "../x"}, 400, "../x"), ({"Name": "x", "Driver": "nfs"}, 501, "nfs"), ({"Name": "x", "DriverOpts": {"type": "tmpfs"}}, 501, "tmpfs"),
                                  ({"Name": "x", "ClusterVolumeSpec": {"Group": "g"}}, 501, "ClusterVolumeSpec")):
            s.error("POST", "/volumes/create", status, word, body=bad)
        same([x["Name"] for x in s.json("GET", '/volumes?filters={"label":["a=b"]}')["Volumes"]], ["v"], "filtered")
        s.error("GET", '/volumes?filters={"nosuch":["x"]}', 400, "nosuch")
        s.error("GET", "/volumes/nosuch", 404, "no such volume")
        s.error("GET", "/volumes/a,b", 404, "no such volume")
        s.error("DELETE", "/volumes/nosuch", 404, "no such volume")
        s.json("DELETE", "/volumes/nosuch?force=1", want=204)
        s.error("PUT", "/volumes/v?version=1", 503, "swarm", body={})
        c = s.made(Cmd=["true"], HostConfig={"Binds": ["v:/data"]})
        s.error("DELETE", "/volumes/v", 409, "in use")
        same(s.json("POST", "/volumes/prune")["VolumesDeleted"], [anonymous], "pruned")
        s.json("DELETE", f"/containers/{c}?v=1", want=204)
        # From 1.42 on all of them go only when all=true says so; before, they always do.
        same(s.json("POST", "/v1.42/volumes/prune")["VolumesDeleted"], [], "pruned by 1.42")
        same(s.json("POST", '/v1.42/volumes/prune?filters={"all":["true"]}')["VolumesDeleted"], ["v"], "all pruned by 1.42")
        s.json("POST", "/volumes/create", {"Name": "w"}, want=201)
        same(s.json("POST", "/v1.41/volumes/prune")["VolumesDeleted"], ["w"], "pruned by 1.41")


@test(needs="root")
def what_is_not_there(env):
    with Serve(env) as s:
        same(s.json("GET", "/plugins"), [], "plugins")
        for method, path, status, word in (
                ("GET", "/plugins/x/json", 404, 'plugin "x" not found'), ("DELETE", "/plugins/x", 404, "not found"), ("GET", "/plugins/privileges?remote=x", 501, "plugins"),
                ("POST", "/plugins/pull?remote=x", 501, "plugins"), ("POST", "/plugins/create?name=x", 501, "plugins"),
                *(("POST", f"/plugins/a/b/{v}", 404, "a/b") for v in ("enable", "disable", "upgrade", "push", "set")),
                ("POST", "/swarm/init", 501, "one host"), ("POST", "/swarm/join", 501, "Kubernetes"), ("POST", "/swarm/leave", 503, "not part of a swarm"),
                ("POST", "/swarm/update?version=1", 503, "swarm manager"), ("GET", "/swarm/unlockkey", 503, "swarm manager"), ("POST", "/swarm/unlock", 503, "swarm manager"),
                *(("GET", f"/{x}", 503, "This node is not a swarm manager.") for x in ("swarm", "nodes", "services", "tasks", "secrets", "configs", "nodes/a", "services/a", "tasks/a", "secrets/a", "configs/a", "services/a/logs", "tasks/a/logs")),
                *(("POST", f"/{x}/create", 503, "swarm manager") for x in ("services", "secrets", "configs")),
                *(("DELETE", f"/{x}/a", 503, "swarm manager") for x in ("nodes", "services", "secrets", "configs")),
                *(("POST", f"/{x}/a/update?version=1", 503, "swarm manager") for x in ("nodes", "services", "secrets", "configs")),
                ("POST", "/session", 404, "BuildKit"), ("POST", "/grpc", 404, "BuildKit")):
            s.error(method, path, status, word)
        r = s.ask("POST", "/grpc", Connection="Upgrade", Upgrade="h2c")
        same(r.status, 404, "an upgrade to HTTP/2")


@test(needs="root,docker,netns")
def docker_client(env):
    with Serve(env) as s:
        s.docker("network", "create", "--label", "a=b", "--subnet", "10.201.0.0/24", "n")
        check("n" in s.docker("network", "ls", "--format", "{{.Name}}")[0].split(), "network ls")
        same(s.docker("network", "inspect", "-f", "{{(index .IPAM.Config 0).Subnet}}", "n")[0], "10.201.0.0/24\n", "network inspect")
        check("already exists" in s.docker("network", "create", "n", code=1)[1], "a name that is taken")
        check("10.201.0." in s.docker("run", "--rm", "--network", "n", "caisson/tiny", "ip", "-4", "addr")[0], "run --network")
        s.docker("volume", "create", "--label", "c=d", "v")
        same(s.docker("volume", "ls", "-q")[0], "v\n", "volume ls")
        s.docker("run", "--rm", "-v", "v:/d", "caisson/tiny", "sh", "-c", "echo kept > /d/f")
        same(s.docker("run", "--rm", "--mount", "type=volume,source=v,target=/d,readonly", "caisson/tiny", "cat", "/d/f")[0], "kept\n", "what a volume keeps")
        check(json.loads(s.docker("volume", "inspect", "v")[0])[0]["Labels"] == {"c": "d"}, "volume inspect")
        # inspect asks for every kind of thing in turn
        same(json.loads(s.docker("inspect", "n")[0])[0]["Name"], "n", "inspect of a network")
        out, err = s.docker("inspect", "nosuch", code=1)
        check("no such object: nosuch" in err.lower(), f"inspect of what is not there: {err}")
        same(s.docker("plugin", "ls", "-q")[0], "", "plugin ls")
        check("swarm" in s.docker("node", "ls", code=1)[1], "node ls")
        s.docker("volume", "rm", "v")
        s.docker("network", "rm", "n")
        gone = s.docker("volume", "rm", "v", code=1)[1].lower(), s.docker("network", "rm", "n", code=1)[1].lower()
        # Docker 20.10's client has words of its own for it.
        check("no such volume" in gone[0] and ("not found" in gone[1] or "no such network" in gone[1]), f"what is gone: {gone}")


@test(needs="root,python-docker,netns")
def python_client(env):
    import docker
    with Serve(env) as s:
        c = docker.DockerClient(base_url=f"unix://{s.path}", timeout=300)
        n = c.networks.create("net1", driver="bridge", ipam=docker.types.IPAMConfig(pool_configs=[docker.types.IPAMPool(subnet="10.202.0.0/24")]))
        same([x.name for x in c.networks.list(names=["net1"])], ["net1"], "networks.list")
        v = c.volumes.create("v", labels={"a": "b"})
        same([x.name for x in c.volumes.list(filters={"label": "a"})], ["v"], "volumes.list")
        same(c.containers.run("caisson/tiny", ["sh", "-c", "echo x > /v/f; cat /v/f"], network="net1", volumes={"v": {"bind": "/v", "mode": "rw"}}, remove=True), b"x\n", "run")
        v.remove()
        n.remove()
        try:
            c.swarm.reload()
            check(False, "a swarm is there")
        except docker.errors.APIError as e:
            same(e.response.status_code, 503, "status of a swarm")
        c.close()


routes_were_called("api/resources_test")
main()
