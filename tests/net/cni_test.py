# SPDX-License-Identifier: Apache-2.0
"""`--network cni:NAME` with the plugins of Debian's containernetworking-plugins: bridge, host-local, portmap."""
import json, os, re, signal, subprocess, urllib.request

from caisson_test import check, main, same, test, wait_for

T = "caisson/tiny"
WWW = "mkdir -p /www; hostname >/www/index.html; exec httpd -f -p 80 -h /www"
BROKEN = """#!/bin/sh
[ "$CNI_COMMAND" = ADD ] || exit 0
echo '{"cniVersion": "0.4.0", "code": 99, "msg": "no luck", "details": "today"}'
exit 1
"""


def links():
    return re.findall(r"^\d+: ([^:@]+)", subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout, re.M)


def rules():
    """What iptables holds, in both families of rules that the plugins use."""
    return subprocess.run(["iptables", "-t", "nat", "-S"], capture_output=True, text=True).stdout


class Nets:
    """A directory of configurations; addresses are kept beside it."""
    def __init__(self, env):
        self.env, self.dir = env, env.tmp / f"net.d-{len(os.listdir(env.tmp))}"
        self.dir.mkdir()
        self.leases = env.tmp / "leases"
        env.os_env["NETCONFPATH"] = str(self.dir)

    def bridge(self, name, subnet, *more, version="0.4.0"):
        plugin = {"type": "bridge", "bridge": f"{name}0", "isGateway": True, "ipMasq": True,
                  "ipam": {"type": "host-local", "dataDir": str(self.leases), "ranges": [[{"subnet": subnet}]], "routes": [{"dst": "0.0.0.0/0"}]},
                  "dns": {"nameservers": ["192.0.2.53"], "search": ["example.org"]}}
        (self.dir / f"10-{name}.conflist").write_text(json.dumps({"cniVersion": version, "name": name, "plugins": [plugin, *more]}))

    def given(self, name):
        d = self.leases / name
        return sorted(f for f in os.listdir(d) if re.fullmatch(r"[0-9.]+", f)) if d.exists() else []

    def nothing_is_left(self, name, before):
        same(self.given(name), [], "addresses")
        same([n for n in links() if n.startswith("veth")], [], "devices")
        same(rules(), before, "rules")
        cni = self.env.run_root / "net/cni"
        same(os.listdir(cni) if cni.exists() else [], [], "state")
        check(" " + str(self.env.run_root / "net") not in open("/proc/self/mountinfo").read(), "a namespace is mounted")


def address(env, name):
    return env.run("inspect", "-f", '{{(index .NetworkSettings.Networks "cni:red").IPAddress}}', name).ok().out.strip()


@test(needs="root,netns,cni")
def added_and_deleted(env):
    nets = Nets(env)
    nets.bridge("red", "10.83.0.0/24", {"type": "portmap", "capabilities": {"portMappings": True}})
    subprocess.run(["ip", "link", "add", "red0", "type", "bridge"], check=True)
    # The chains that the plugins make once and keep.
    env.run("run", "--rm", "--network", "cni:red", "-p", "18080:80", T, "true").ok()
    before = rules()
    nets.nothing_is_left("red", before)
    env.run("run", "-d", "--name", "a", "--network", "cni:red", "-p", "18080:80", "-p", "127.0.0.1::80", T, "sh", "-c", WWW).ok()
    at = address(env, "a")
    same(nets.given("red"), [at], "addresses")
    env.run("exec", "a", "sh", "-c", "ip -o -4 addr show eth0; ip route; cat /etc/resolv.conf; grep -c $(hostname) /etc/hosts").ok(
        out=re.compile(rf"(?s).*{re.escape(at)}/24.*default via 10\.83\.0\.1 dev eth0.*example\.org.*nameserver 192\.0\.2\.53.*1\n"))
    host = env.run("inspect", "-f", "{{.Config.Hostname}}", "a").ok().out

    def page():
        try:
            return urllib.request.urlopen(f"http://{at}/", timeout=20).read().decode()
        except OSError:
            return None
    same(wait_for(page, what="its server"), host, "by its address")
    ports = env.run("port", "a").ok().out
    check("18080" in ports and "127.0.0.1" in ports, f"ports {ports}")
    same(urllib.request.urlopen("http://10.83.0.1:18080/", timeout=20).read().decode(), host, "by the published port")
    env.run("run", "--rm", "--network", "cni:red", "-p", "18080:80", T, "true").error(125, "18080", "in use")
    same(nets.given("red"), [at], "addresses after a refusal")
    env.run("network", "connect", "bridge", "a").error(1, "cni:red")
    env.run("restart", "-t", "0", "a").ok()
    same(len(nets.given("red")), 1, "addresses after a restart")
    # The monitor is killed: the next command deletes what it owed, though the namespace has no process any more.
    with open(f"/proc/{env.run('inspect', '-f', '{{.State.Pid}}', 'a').ok().out.strip()}/stat") as f:
        os.kill(int(f.read().rsplit(")", 1)[1].split()[1]), signal.SIGKILL)
    wait_for(lambda: env.run("ps", "-a").ok() and not nets.given("red"), what="the address of a killed instance is free")
    wait_for(lambda: env.run("ps", "-a").ok() and rules() == before, what="its rules are gone")
    nets.nothing_is_left("red", before)
    env.run("rm", "-f", "a").ok()
    subprocess.run(["ip", "link", "del", "red0"], check=True)


@test(needs="root,netns,cni")
def what_fails_leaves_nothing(env):
    nets = Nets(env)
    plugins = env.tmp / "plugins"
    plugins.mkdir()
    (plugins / "broken").write_text(BROKEN)
    (plugins / "broken").chmod(0o755)
    (plugins / "babble").write_text("#!/bin/sh\n[ $CNI_COMMAND = ADD ] && echo '{\"ips\": [{\"address\": \"x\"}]}'\nexit 0\n")
    (plugins / "babble").chmod(0o755)
    env.os_env["CNI_PATH"] = f"{plugins}:/opt/cni/bin:/usr/lib/cni"
    nets.bridge("half", "10.84.0.0/24", {"type": "broken"})
    nets.bridge("odd", "10.85.0.0/24", {"type": "babble"})
    nets.bridge("lost", "10.86.0.0/24", {"type": "nowhere-to-be-found"})
    nets.bridge("plain", "10.87.0.0/24")
    nets.bridge("old", "10.88.0.0/24", version="0.2.0")
    (nets.dir / "20-bad.conflist").write_text('{"name": "bad", "cniVersion": "0.4.0", "plugins": []}')
    (nets.dir / "21-worse.conf").write_text('{"name": "worse", "cniVersion": "0.4.0", "type": "../../bin/sh"}')
    for n in ("half", "odd", "lost", "plain"):
        subprocess.run(["ip", "link", "add", f"{n}0", "type", "bridge"], check=True)
    before = None
    for args, words in ((["cni:half"], ["ADD", "'broken'", "no luck; today"]), (["cni:odd"], ["babble", "ips[0]"]), (["cni:lost"], ["nowhere-to-be-found", "containernetworking-plugins"]),
                        (["cni:plain", "-p", "80:80"], ["portMappings", "'plain'"]), (["cni:old"], ["0.2.0"]), (["cni:bad"], ["1 to 16 plugins"]), (["cni:worse"], ["type"]),
                        (["cni:none"], ["no CNI network 'none'", str(nets.dir)]), (["cni:"], ["not a network name"]), (["cni:../x"], ["not a network name"]),
                        (["cni:plain", "--network", "bridge"], ["excludes"]), (["cni:plain", "--ip", "10.87.0.9"], ["--ip"]), (["cni:plain", "--mac-address", "02:00:00:00:00:01"], ["--mac-address"]),
                        (["cni:plain", "--network-alias", "x"], ["--network-alias"]), (["cni:plain", "--network-rate", "1m"], ["--network-rate"]), (["cni:plain", "--isolation=vm"], ["VM", "macvlan"])):
        r = env.run("run", "--rm", "--network", *args, T, "true")
        check(r.code in (2, 125), f"{args}: {r.code} {r.err}")
        r.error(r.code, *words)
        before = before or rules()
    for n in ("half", "odd", "lost", "plain"):
        nets.nothing_is_left(n, before)
        subprocess.run(["ip", "link", "del", f"{n}0"], check=True)
    same(env.run("ps", "-a", "-q").ok().out, "", "instances")


main()
