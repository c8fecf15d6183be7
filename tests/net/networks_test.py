# SPDX-License-Identifier: Apache-2.0
# timeout: 240
"""`network create|ls|inspect|rm|prune` and what `run` can ask of a network; who reaches whom is in matrix_test.py."""
import re, subprocess, urllib.request

from caisson_test import check, main, same, test, wait_for

T = "caisson/tiny"


def refused(env, codes, args, words):
    r = env.run(*args)
    check(r.code in codes, f"{args}: {r.code} {r.err}")
    r.error(r.code, *words)


def names(env, *filters):
    return env.run("network", "ls", "--format", "{{.Name}}", *(a for f in filters for a in ("--filter", f))).ok().out.split()


def inspect(env, name):
    return env.run("network", "inspect", name).ok().json()[0]


def attached(env, name):
    """network: (address, aliases) as inspect tells."""
    doc = env.run("inspect", name).ok().json()[0]["NetworkSettings"]["Networks"]
    return {n: (e["IPAddress"], e["Aliases"]) for n, e in doc.items()}


@test(needs="root,netns")
def a_network_is_what_was_asked_for(env):
    ident = env.run("network", "create", "--driver", "bridge", "--subnet", "172.28.0.0/24", "--ip-range=172.28.0.16/30", "--gateway", "172.28.0.254",
                    "--aux-address", "printer=172.28.0.17", "--label", "tier=web", "--label", "x", "--attachable", "-o", "mtu=1400",
                    "--opt", "com.docker.network.bridge.name=red0", "red").ok().out.strip()
    n = inspect(env, "red")
    same((n["Id"], n["Name"], n["Driver"], n["Internal"], n["Labels"], n["Bridge"]), (ident, "red", "bridge", False, {"tier": "web", "x": ""}, "red0"))
    same(n["IPAM"]["Config"], [{"Subnet": "172.28.0.0/24", "IPRange": "172.28.0.16/30", "Gateway": "172.28.0.254", "AuxiliaryAddresses": {"printer": "172.28.0.17"}}])
    same((n["Options"]["mtu"], n["Containers"]), ("1400", {}))
    same(env.run("network", "inspect", "-f", "{{.Name}} {{.Scope}}", ident[:6], "host").ok().out, "red local\nhost local\n", "by id, and a template")
    # Addresses of the range, without what was set aside, then none.
    a = [env.run("run", "-d", "--name", f"r{i}", "--network", "red" if i else ident, T, "sleep", "1000").ok() and
         env.run("inspect", f"r{i}").ok().json()[0]["NetworkSettings"]["Networks"]["red"] for i in range(3)]
    same([e["IPAddress"] for e in a], ["172.28.0.16", "172.28.0.18", "172.28.0.19"], "addresses")
    same((a[0]["Gateway"], a[0]["IPPrefixLen"], a[0]["NetworkID"], a[0]["MacAddress"]), ("172.28.0.254", 24, ident, "02:42:ac:1c:00:10"))
    env.run("run", "--rm", "--network", "red", T, "true").error(125, "172.28.0.16/30", "in use")
    env.run("run", "--rm", "--network", "red", "--ip", "172.28.0.99", "--mac-address", "0A:00:00:00:00:01", T, "ip", "addr", "show", "eth0").ok(
        out=re.compile(r"(?s).*mtu 1400.*0a:00:00:00:00:01.*172\.28\.0\.99/24.*"))
    for flags, words in ((("--ip", "172.28.0.16"), ["172.28.0.16", "another instance"]), (("--ip", "172.28.0.17"), ["set aside"]), (("--ip", "172.28.0.254"), ["set aside"]),
                         (("--ip", "172.28.1.1"), ["no address of network 'red'"]), (("--ip", "172.28.0.255"), ["no address"]),
                         (("--ip", "172.28.0.98", "--mac-address", "02:42:ac:1c:00:10"), ["--mac-address"]), (("--ip", "172.28.0.98", "--mac-address", "02:42:ac:1c:00:77"), ["another address"]),
                         (("--ip", "172.28.0.98", "--mac-address", "01:00:00:00:00:01"), ["one device"]), (("--ip", "172.28.0.98", "--mac-address", "x"), ["'x'"])):
        refused(env, (2, 125), ["run", "--rm", "--network", "red", *flags, T, "true"], words)
    same(sorted(env.run("ps", "--filter", "network=red", "--format", "{{.Names}}").ok().out.split()), ["r0", "r1", "r2"], "ps --filter network")
    same(sorted(c["Name"] for c in inspect(env, "red")["Containers"].values()), ["r0", "r1", "r2"], "Containers")
    env.run("network", "rm", "red").error(1, "red", "in use")
    env.run("rm", "-f", "r0", "r1", "r2").ok()
    env.run("network", "create", "--opt", "com.docker.network.bridge.name=red0", "again").error(1, "red0", "'red'")
    env.run("network", "rm", ident[:8]).ok(out=ident[:8] + "\n")
    check("red0" not in subprocess.run(["ip", "-o", "link"], capture_output=True, text=True).stdout, "the bridge is left")
    check("red" not in names(env), "the network is left")
    seen = env.run("events", "--since", "1h", "--until", "0s", "--filter", "type=network", "--format", "{{.Action}} {{.Actor.Attributes.name}}").ok().out
    same(seen, "create red\ndestroy red\n", "events")


@test(needs="root,netns")
def lists_filters_and_prune(env):
    env.run("network", "create", "--label", "keep=no", "one").ok()
    env.run("network", "create", "--internal", "--label", "keep=yes", "two").ok()
    same(names(env), ["bridge", "host", "none", "one", "two"])
    same(names(env, "type=custom"), ["one", "two"])
    same(names(env, "label=keep=yes"), ["two"])
    same(names(env, "driver=bridge", "name=o"), ["one", "two"])
    same(names(env, "driver=null"), ["none"])
    same(names(env, "scope=local", "type=builtin"), ["bridge", "host", "none"])
    ids = env.run("network", "ls", "-q", "--no-trunc").ok().out.split()
    same((len(ids), len(set(ids))), (5, 5), "ids")
    same(names(env, f"id={inspect(env, 'two')['Id'][:8]}"), ["two"])
    check(env.run("network", "list").ok().out.startswith("NETWORK ID "), "the table has a heading")
    same([line for line in env.run("network", "ls", "--format", "json", "--filter", "name=two").ok().json().items() if line[0] in ("Name", "Internal")],
         [("Name", "two"), ("Internal", "true")])
    env.run("network", "ls", "--filter", "size=1").error(2, "size=1")
    env.run("network", "ls", "--filter", "dangling=x").error(2, "dangling")
    env.run("run", "-d", "--name", "on", "--network", "two", T, "sleep", "1000").ok()
    same(names(env, "dangling=true"), ["one"])
    same(names(env, "dangling=false"), ["bridge", "host", "none", "two"])
    env.run("network", "prune").error(2, "--force")
    env.run("network", "prune", "-f", "--filter", "label!=keep=no").ok(out="")
    env.run("network", "prune", "-f", "--filter", "until=1h").ok(out="")
    env.run("network", "prune", "--force").ok(out="Deleted Networks:\none\n")
    env.run("run", "--rm", "-p", "80", "--network", "two", T, "true").ok()      # and nothing is published
    env.run("run", "--rm", "--network", "two", T, "ip", "route").ok(out=re.compile(r"172\.\d+\.0\.0/16 dev eth0[^\n]*\n"))
    env.run("rm", "-f", "on").ok()
    same(env.run("network", "rm", "two", "nothing").error(1, "nothing").out, "two\n", "removed all the same")
    env.run("network", "rm", "--force", "nothing").ok(out="")


@test(needs="root,netns")
def what_cannot_be_a_network_is_refused_before_anything_exists(env):
    env.run("network", "create", "--subnet", "172.28.0.0/24", "red").ok()
    before = (names(env), subprocess.run(["ip", "-o", "link"], capture_output=True, text=True).stdout.count("\n"))
    for args, words in ((["red"], ["'red' exists"]), (["bridge"], ["always"]), (["host"], ["always"]), (["none"], ["always"]), (["a/b"], ["a/b"]),
                        (["--subnet", "172.28.0.128/25", "x"], ["172.28.0.128/25", "'red'"]), (["--subnet", "172.16.0.0/12", "x"], ["172.16.0.0/12", "overlaps that of"]),
                        (["--subnet", "172.29.0.1/24", "x"], ["the network is 172.29.0.0/24"]), (["--subnet", "172.29.0.0", "x"], ["ADDRESS/LENGTH"]),
                        (["--subnet", "127.0.0.0/24", "x"], ["not for hosts"]), (["--subnet", "224.0.0.0/24", "x"], ["not for hosts"]),
                        (["--subnet", "172.29.0.0/31", "x"], ["8 to 30"]), (["--subnet", "0.0.0.0/0", "x"], ["8 to 30"]),
                        (["--subnet", "172.29.0.0/24", "--subnet", "172.29.1.0/24", "x"], ["--subnet", "more than once"]),
                        (["--subnet", "172.29.0.0/24", "--gateway", "172.29.1.1", "x"], ["--gateway 172.29.1.1"]), (["--gateway", "172.29.0.1", "x"], ["needs --subnet"]),
                        (["--subnet", "172.29.0.0/24", "--ip-range", "172.29.1.0/28", "x"], ["--ip-range"]), (["--ip-range", "172.29.1.0/28", "x"], ["needs --subnet"]),
                        (["--subnet", "172.29.0.0/24", "--aux-address", "r=172.29.1.9", "x"], ["--aux-address"]), (["--aux-address", "r=172.29.1.9", "x"], ["needs --subnet"]),
                        (["--subnet", "172.29.0.0/24", "--aux-address", "r=172.29.0.1", "x"], ["gateway"]),
                        (["--opt", "mtu=67", "x"], ["mtu 67"]), (["--opt", "mtu=70000", "x"], ["mtu 70000"]), (["--opt", "mtu=-1", "x"], ["'-1'"]), (["--opt", "mtu", "x"], ["KEY=VALUE"]),
                        (["--opt", "icc=maybe", "x"], ["icc", "maybe"]), (["--opt", "unheard.of=1", "x"], ["unheard.of"]), (["--label", "=x", "x"], ["--label"]),
                        (["--opt", "com.docker.network.bridge.name=a/b", "x"], ["a/b"]), (["--opt", "com.docker.network.bridge.name=caisson7", "x"], ["caisson7"]),
                        (["--opt", "com.docker.network.bridge.name=lo", "x"], ["'lo'", "not ours"]), (["--driver", "overlay", "x"], ["overlay"]),
                        (["--ipam-driver", "d", "x"], ["--ipam-driver"]), (["--ipam-opt", "a=b", "x"], ["--ipam-opt"]),
                        (["--scope", "swarm", "x"], ["--scope"]), (["--ingress", "x"], ["--ingress"]), (["--config-only", "x"], ["--config-only"]), (["--config-from", "y", "x"], ["--config-from"])):
        refused(env, (1, 2), ["network", "create", *args], words)
    same((names(env), subprocess.run(["ip", "-o", "link"], capture_output=True, text=True).stdout.count("\n")), before, "what is there after all refusals")
    for what in ("bridge", "host", "none"):
        env.run("network", "rm", what).error(1, what, "cannot be removed")
    env.run("network", "inspect", "nothing").error(1, "nothing")
    env.run("create", "--name", "never", "--network", "nothing", T, "true").error(125, "no network 'nothing'")
    same(env.run("ps", "-a", "-q").ok().out, "", "instances after a refusal")
    for flags, words in ((("--ip", "10.0.0.1"), ["--ip", "bridge"]), (("--ip", "x", "--network", "red"), ["--ip", "'x'"]), (("--ip", "10.0.0.1", "--network", "none"), ["--ip", "none"]),
                         (("--mac-address", "02:00:00:00:00:01", "--network", "host"), ["--mac-address", "host"]), (("--ip6", "fd00::1"), ["--ip6", "bridge"])):
        refused(env, (2, 125), ["run", "--rm", *flags, T, "true"], words)
    env.run("network", "rm", "red").ok()


@test(needs="root,netns")
def ipv6(env):
    env.run("network", "create", "--ipv6", "--subnet", "172.28.4.0/24", "six").ok()
    n = inspect(env, "six")
    prefix = n["IPAM"]["Config"][1]["Subnet"]
    check(n["EnableIPv6"] and re.fullmatch(r"fd[0-9a-f]{2}(:[0-9a-f]{1,4}){0,2}::/64", prefix), f"a prefix of its own: {prefix}")
    env.run("network", "create", "--subnet", "fd77:1::/64", "--gateway", "fd77:1::ffff", "--subnet", "172.28.5.0/24", "--aux-address", "r=fd77:1::2", "seven").ok()
    same(inspect(env, "seven")["IPAM"]["Config"][1], {"Subnet": "fd77:1::/64", "Gateway": "fd77:1::ffff"}, "as asked for")
    same(env.run("network", "ls", "--filter", "name=six", "--format", "{{.IPv6}}").ok().out, "true\n", "ls")
    env.run("run", "-d", "--name", "a", "--network", "six", T, "sleep", "1000").ok()
    at = env.run("inspect", "a").ok().json()[0]["NetworkSettings"]["Networks"]["six"]
    base = prefix.split("/")[0]
    same((at["IPAddress"], at["GlobalIPv6Address"], at["IPv6Gateway"], at["GlobalIPv6PrefixLen"]), ("172.28.4.2", base + "2", base + "1", 64), "inspect")
    same([c["IPv6Address"] for c in inspect(env, "six")["Containers"].values()], [base + "2/64"], "Containers")
    env.run("exec", "a", "sh", "-c", "ip -6 route | grep default; grep -c ^fd /etc/hosts").ok(out=re.compile(rf"default via {base}1 .*\n1\n"))
    # Connected with an address of one's own choice; the one that goes with .2 is set aside.
    env.run("network", "connect", "--ip6", "fd77:1::99", "seven", "a").ok()
    at = env.run("inspect", "a").ok().json()[0]["NetworkSettings"]["Networks"]["seven"]
    same((at["IPAddress"], at["GlobalIPv6Address"]), ("172.28.5.3", "fd77:1::99"), "asked for")
    env.run("exec", "a", "ip", "-6", "addr", "show", "eth1").ok(out=re.compile(r"(?s).*fd77:1::99/128.*"))
    for flags, words in ((["--network", "seven", "--ip6", "fd77:1::99"], ["another instance"]), (["--network", "seven", "--ip6", "fd77:2::1"], ["no address"]),
                         (["--network", "seven", "--ip6", "fd77:1::3"], ["another instance"]), (["--network", "seven", "--ip6", "fd77:1::ffff"], ["set aside"]),
                         (["--network", "seven", "--ip6", "x"], ["'x'"]), (["--ip6", "fd77:1::5"], ["--ip6", "bridge"]),
                         (["--network", "name=seven,ip6=fd77:1::7", "--ip6", "fd77:1::8"], ["conflicting"])):
        refused(env, (2, 125), ["run", "--rm", *flags, T, "true"], words)
    for flags, words in ((["--subnet", "fd77:1::/48"], ["overlaps", "seven"]), (["--subnet", "fd78::1/64"], ["bits"]), (["--subnet", "fe80::/64"], ["hosts"]), (["--subnet", "fd78::/126"], ["96"]),
                         (["--subnet", "fd78::/64", "--gateway", "fd79::1"], ["no address"]), (["--gateway", "fd79::1"], ["needs --subnet"]), (["--subnet", "fd78::/64", "--subnet", "fd79::/64"], ["more than once"]),
                         (["--ipv6", "--ip-range", "fd78::/80"], ["--ip-range"]), (["--subnet", "fd78::/64", "--gateway", "fd78:0::1"], ["fd78::1"])):
        refused(env, (1, 2), ["network", "create", *flags, "bad"], words)
    check("bad" not in names(env), "it was made all the same")
    env.run("restart", "-t", "0", "a").ok()
    same(env.run("inspect", "a").ok().json()[0]["NetworkSettings"]["Networks"]["seven"]["GlobalIPv6Address"], "fd77:1::99", "kept")
    env.run("rm", "-f", "a").ok()
    env.run("network", "rm", "six", "seven").ok()


@test(needs="root,netns")
def an_instance_is_connected_and_disconnected(env):
    for n, subnet in (("red", "172.28.1.0/24"), ("blue", "172.28.2.0/24"), ("green", "172.28.3.0/24")):
        env.run("network", "create", "--subnet", subnet, n).ok()
    env.run("run", "-d", "--name", "a", "--network", "name=red,ip=172.28.1.9,alias=x,alias=y", "--network", "blue", "--hostname", "host-a", T, "sleep", "1000").ok()
    same(attached(env, "a"), {"red": ("172.28.1.9", ["x", "y"]), "blue": ("172.28.2.2", None)}, "two from the start")
    env.run("network", "connect", "--ip", "172.28.3.77", "--alias", "z", "--mac-address", "02:00:00:00:00:77", "green", "a").ok(out="", err="")
    same(attached(env, "a")["green"], ("172.28.3.77", ["z"]), "the third")
    env.run("exec", "a", "ip", "addr", "show", "eth2").ok(out=re.compile(r"(?s).*02:00:00:00:00:77.*172\.28\.3\.77/24.*"))
    env.run("exec", "a", "grep", "-c", "host-a", "/etc/hosts").ok(out="3\n")
    same([c["Name"] for c in inspect(env, "green")["Containers"].values()], ["a"], "Containers")
    same(env.run("ps", "--filter", "network=green", "--format", "{{.Names}} {{.Networks}}").ok().out, "a red,blue,green\n", "ps")
    env.run("network", "connect", "green", "a").error(1, "green", "already")
    env.run("network", "rm", "green").error(1, "in use")
    env.run("network", "disconnect", "red", "a").ok()
    env.run("exec", "a", "sh", "-c", "ip -o -4 addr | grep -c eth; ip route | grep default; grep -c host-a /etc/hosts").ok(out=re.compile(r"2\ndefault via 172\.28\.2\.1 dev eth1.*\n2\n"))
    env.run("network", "disconnect", "red", "a").error(1, "red", "not connected")
    env.run("network", "disconnect", "-f", "red", "a").ok()
    # The same after a restart, and changed while it does not run.
    env.run("restart", "-t", "0", "a").ok()
    same(set(attached(env, "a")), {"blue", "green"}, "after a restart")
    same(attached(env, "a")["green"][0], "172.28.3.77", "its address is kept")
    env.run("stop", "-t", "0", "a").ok()
    env.run("network", "connect", "bridge", "a").ok()
    env.run("network", "disconnect", "blue", "a").ok()
    env.run("start", "a").ok()
    same(set(attached(env, "a")), {"green", "bridge"}, "changed while stopped")
    for n in ("green", "bridge"):
        env.run("network", "disconnect", n, "a").ok()
    env.run("exec", "a", "sh", "-c", "ip -o link | grep -c eth || true").ok(out="0\n")
    env.run("restart", "-t", "0", "a").ok()
    same(attached(env, "a"), {}, "on none")
    env.run("network", "connect", "--alias", "late", "red", "a").ok()
    env.run("exec", "a", "ip", "route").ok(out=re.compile(r"(?s)default via 172\.28\.1\.1 .*"))
    same(env.run("events", "--since", "1h", "--until", "0s", "--filter", "type=network", "--filter", "network=green", "--format", "{{.Action}}").ok().out,
         "create\nconnect\ndisconnect\n", "events")
    for flags, words in ((["--network", "red", "--network", "host"], ["host", "excludes"]), (["--network", "red", "--network", "red"], ["said twice"]),
                         (["--network", "name=red,ip=172.28.1.5", "--ip", "172.28.1.6"], ["conflicting"]), (["--network", "name=red,what=1"], ["what=1"]),
                         (["--network", "ip=172.28.1.5"], ["name="]), (["--network", "name=red,gw-priority=1"], ["gw-priority"]), (["--network", "name=nowhere"], ["nowhere"]),
                         (["--network", "red", "--network-alias", "-x"], ["--network-alias"]), (["--network", "host", "--network-alias", "x"], ["--network-alias"]),
                         (["--network", "red", "--network", "name=blue,ip=172.28.9.9"], ["172.28.9.9"])):
        refused(env, (2, 125), ["run", "--rm", *flags, T, "true"], words)
    for flags in (["--driver-opt", "a=b"], ["--gw-priority", "1"], ["--link-local-ip", "169.254.1.1"], ["--link", "x"]):
        refused(env, (1, 2, 125), ["network", "connect", *flags, "blue", "a"], [flags[0]])
    env.run("network", "connect", "nowhere", "a").error(1, "nowhere")
    env.run("network", "connect", "red", "nobody").error(1, "nobody")
    env.run("network", "connect", "host", "a").error(1, "host")
    env.run("run", "-d", "--name", "h", "--network", "host", T, "sleep", "1000").ok()
    env.run("network", "connect", "red", "h").error(1, "--network host")
    env.run("network", "connect", "--ip", "172.28.2.300", "blue", "a").error(2, "172.28.2.300")
    env.run("network", "connect", "--ip", "172.28.9.1", "blue", "a").error(2, "172.28.9.1")
    same(set(attached(env, "a")), {"red"}, "after refusals")
    env.run("rm", "-f", "a", "h").ok()
    env.run("network", "rm", "red", "blue", "green").ok()


@test(needs="root,netns,qemu,kernel", timeout=120)
def a_vm_and_a_container_share_a_network(env):
    env.run("network", "create", "--ipv6", "--subnet", "172.28.0.0/24", "-o", "mtu=1400", "red").ok()
    env.run("run", "-d", "--name", "web", "--network", "red", "--ip", "172.28.0.80", T, "sh", "-c", "mkdir -p /www; echo hello >/www/index.html; exec httpd -f -p 80 -h /www").ok()
    env.run("network", "create", "--subnet", "172.28.1.0/24", "--internal", "blue").ok()
    env.run("run", "-d", "--name", "db", "--network", "blue", T, "sh", "-c", "mkdir -p /www; echo rows >/www/index.html; exec httpd -f -p 80 -h /www").ok()
    r = env.run("run", "--rm", "--isolation", "vm", "--name", "v", "--network", "name=blue,alias=v1", "--network", "name=red,ip=172.28.0.81,mac-address=02:00:00:00:00:81", T, "sh", "-c",
                "ip addr show eth1; ip route; for i in 1 2 3 4 5 6 7 8 9; do wget -q -O- http://172.28.1.2/ && break; sleep 0.5; done; grep -c 172.28 /etc/hosts; for i in 1 2 3 4 5 6 7 8 9; do wget -q -O- http://172.28.0.80/ && exit 0; sleep 0.5; done; exit 1").ok()
    for want in ("172.28.0.81/24", "02:00:00:00:00:81", "mtu 1400", "hello", "default via 172.28.0.1 dev eth1", "rows", "\n2\n"):
        check(want in r.out, f"{want} is not in {r.out}")
    # A card cannot come to a VM that runs; to one that does not, it can.
    env.run("run", "-d", "--isolation", "vm", "--name", "v", "--network", "red", T, "sh", "-c", "mkdir -p /www; echo six >/www/index.html; exec httpd -f -p [::]:80 -h /www").ok()
    at = env.run("inspect", "-f", "{{.NetworkSettings.Networks.red.GlobalIPv6Address}}", "v").ok().out.strip()
    check(at.startswith("fd"), f"address {at}")

    def page():
        try:
            return urllib.request.urlopen(f"http://[{at}]/", timeout=5).read()
        except OSError:
            return None
    same(wait_for(page, 30, "the VM answers by IPv6"), b"six\n", "page")
    refused(env, (1, 2), ["network", "connect", "blue", "v"], ["'v'", "vm that runs", "microvm"])
    refused(env, (1, 2), ["network", "disconnect", "red", "v"], ["'v'", "vm that runs"])
    env.run("stop", "-t", "0", "v").ok()
    env.run("network", "disconnect", "red", "v").ok()
    env.run("network", "connect", "blue", "v").ok()
    same(set(attached(env, "v")), {"blue"}, "changed while stopped")
    env.run("rm", "-f", "web", "db", "v").ok()
    env.run("network", "prune", "-f").ok(out="Deleted Networks:\nblue\nred\n")


main()
