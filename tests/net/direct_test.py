# SPDX-License-Identifier: Apache-2.0
# timeout: 240
"""Networks whose instances ride on a device of the host: `network create -d macvlan|ipvlan`.

The wire is a veth pair: lan0 is the host's device, its other end is in the namespace of a machine outside, which answers
HTTP with the address that asked.
"""
import contextlib, os, re, signal, subprocess, sys

from caisson_test import check, main, same, test, wait_for

T = "caisson/tiny"
OUTSIDE = """
import http.server, subprocess, sys
print("here", flush=True)
sys.stdin.readline()
subprocess.run("ip link set lo up; ip addr add 192.168.77.254/24 dev wire; ip addr add fd77:77::fe/64 dev wire nodad; ip link set wire up", shell=True, check=True)
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.client_address[0].encode() + b"\\n")
    def log_message(self, *a):
        pass
class S(http.server.ThreadingHTTPServer):
    address_family = 10
s = S(("::", 80), H)
print("ready", flush=True)
s.serve_forever()
"""
WWW = "mkdir -p /www; hostname >/www/index.html; exec httpd -f -p 80 -h /www"


def ip(*args):
    subprocess.run(["ip", *args], check=True)


def links():
    """Without the default network's bridge, which the first network makes and which stays."""
    return sorted(n for n in re.findall(r"^\d+: ([^:@]+)", subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout, re.M) if n != "caisson0")


@contextlib.contextmanager
def wire():
    """A machine on the other end of lan0; yields its pid, for nsenter."""
    p = subprocess.Popen(["unshare", "-n", sys.executable, "-c", OUTSIDE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        same(p.stdout.readline(), "here\n", "the machine outside")
        ip("link", "add", "lan0", "type", "veth", "peer", "name", "wire", "netns", str(p.pid))
        ip("addr", "add", "192.168.77.1/24", "dev", "lan0")
        ip("link", "set", "lan0", "up")
        p.stdin.write("go\n")
        p.stdin.flush()
        same(p.stdout.readline(), "ready\n", "its server")
        yield p.pid
    finally:
        p.kill()
        p.wait()
        subprocess.run(["ip", "link", "del", "lan0"], stderr=subprocess.DEVNULL)


def fetch(pid, url):
    """From the machine outside."""
    code = f"import urllib.request as u; print(u.urlopen({url!r}, timeout=20).read().decode(), end='')"
    return subprocess.run(["nsenter", "-t", str(pid), "-n", sys.executable, "-c", code], capture_output=True, text=True).stdout


def kernel_has(kind):
    made = subprocess.run(["ip", "link", "add", "link", "lan0", "name", "probe0", "type", kind], capture_output=True).returncode == 0
    if made:
        ip("link", "del", "probe0")
    return made


def get(env, name, url, seconds="20"):
    """From an instance; what it answers, or None."""
    r = env.run("exec", name, "timeout", seconds, "wget", "-q", "-O-", url)
    return r.out if r.code == 0 else None


@test(needs="root,netns")
def containers_on_a_macvlan_are_on_the_wire(env):
    with wire() as outside:
        before = links()
        env.run("network", "create", "-d", "macvlan", "-o", "parent=lan0", "--subnet", "192.168.77.0/24", "--gateway", "192.168.77.254", "--ip-range", "192.168.77.64/27",
                "--subnet", "fd77:77::/64", "--gateway", "fd77:77::fe", "--aux-address", "printer=192.168.77.65", "lan").ok()
        n = env.run("network", "inspect", "lan").ok().json()[0]
        same((n["Driver"], n["Parent"], n["Internal"], n["Options"], "Bridge" in n), ("macvlan", "lan0", False, {"parent": "lan0"}, False))
        same(env.run("network", "ls", "--filter", "driver=macvlan", "--format", "{{.Name}}").ok().out, "lan\n")
        same(links(), before, "devices of a network that nobody is on")
        env.run("run", "-d", "--name", "a", "--network", "lan", "-p", "8080:80", T, "sh", "-c", WWW).ok()
        env.run("run", "-d", "--name", "b", "--network", "lan", "--ip", "192.168.77.9", "--mac-address", "02:00:00:00:00:77", "--hostname", "bee", T, "sh", "-c", WWW).ok()
        e = env.run("inspect", "a").ok().json()[0]["NetworkSettings"]["Networks"]["lan"]
        same((e["IPAddress"], e["Gateway"], e["GlobalIPv6Address"], e["IPv6Gateway"]), ("192.168.77.64", "192.168.77.254", "fd77:77::40", "fd77:77::fe"), "inspect")
        same(env.run("port", "a").out, "", "nothing is published, as with docker")
        same(get(env, "a", "http://192.168.77.254/"), "::ffff:192.168.77.64\n", "the machine outside sees its own address")
        same(get(env, "a", "http://[fd77:77::fe]/"), "fd77:77::40\n", "by IPv6")
        same(get(env, "a", "http://192.168.77.9/"), "bee\n", "another of the network")
        same(fetch(outside, "http://192.168.77.9/"), "bee\n", "from outside, without publishing")
        same(fetch(outside, "http://[fd77:77::9]/"), "bee\n", "by IPv6")
        same(get(env, "a", "http://192.168.77.1/", "1"), None, "the host")
        env.run("exec", "b", "sh", "-c", "cat /sys/class/net/eth0/address /proc/sys/net/ipv6/conf/eth0/accept_ra; ip route").ok(
            out=re.compile(r"02:00:00:00:00:77\n0\ndefault via 192\.168\.77\.254 dev eth0[^\n]*\n192\.168\.77\.0/24 dev eth0[^\n]*\n"))
        env.run("network", "rm", "lan").error(1, "lan", "in use")
        # A bridge beside it, and off the wire while it runs: the route goes on to the bridge.
        env.run("network", "create", "--subnet", "172.28.7.0/24", "red").ok()
        env.run("network", "connect", "red", "a").ok()
        env.run("network", "disconnect", "lan", "a").ok()
        env.run("exec", "a", "sh", "-c", "ip -o link | grep -c eth; ip route").ok(out=re.compile(r"1\ndefault via 172\.28\.7\.1 dev eth1[^\n]*\n.*"))
        env.run("network", "connect", "--ip", "192.168.77.70", "lan", "a").ok()
        same(get(env, "a", "http://192.168.77.254/"), "::ffff:192.168.77.70\n", "on the wire again")
        env.run("network", "disconnect", "red", "a").ok()
        env.run("exec", "a", "ip", "route").ok(out=re.compile(r"default via 192\.168\.77\.254 dev eth0.*", re.S))
        env.run("restart", "-t", "0", "a").ok()
        same(get(env, "a", "http://192.168.77.254/"), "::ffff:192.168.77.70\n", "after a restart")
        same(env.run("events", "--since", "1h", "--until", "0s", "--filter", "network=lan", "--filter", "event=connect", "--format", "{{.Actor.Attributes.type}}").ok().out, "macvlan\n", "event")
        env.run("rm", "-f", "a", "b").ok()
        # private: cards of one network do not reach each other.
        env.run("network", "create", "-d", "macvlan", "-o", "parent=lan0", "-o", "macvlan_mode=private", "-o", "mtu=1400", "--subnet", "192.168.78.0/24", "mine").ok()
        env.run("run", "-d", "--name", "c", "--network", "mine", T, "sh", "-c", WWW).ok()
        r = env.run("run", "--rm", "--network", "mine", T, "sh", "-c", "cat /sys/class/net/eth0/mtu; timeout 1 wget -q -O- http://192.168.78.2/")
        same((r.code != 0, r.out), (True, "1400\n"), "a neighbour of a private network")
        env.run("rm", "-f", "c").ok()
        for n in ("lan", "mine", "red"):  # --rm goes on for a moment behind the command
            wait_for(lambda: env.run("network", "rm", n).code == 0, what=f"network {n} is left")
        # It has the device for itself, once the kernel has ended the namespaces of those before, cards and all.
        wait_for(lambda: env.run("network", "create", "-d", "macvlan", "-o", "parent=lan0", "-o", "macvlan_mode=passthru", "--subnet", "192.168.77.0/24",
                                 "--gateway", "192.168.77.254", "whole").code == 0, what="a device without other cards", every=0.2)
        env.run("run", "-d", "--name", "p", "--network", "whole", T, "sleep", "1000").ok()
        same(get(env, "p", "http://192.168.77.254/"), "::ffff:192.168.77.2\n", "passthru")
        env.run("run", "--rm", "--network", "whole", T, "true").error(125, "lan0", "takes no (more)")
        env.run("run", "--rm", "--network", "whole", "--mac-address", "02:00:00:00:00:01", T, "true").error(125, "--mac-address", "lan0")
        env.run("run", "--rm", "--network", "whole", "--ip", "192.168.77.1", T, "true").error(125, "192.168.77.1", "set aside")
        env.run("rm", "-f", "p").ok()
        env.run("network", "rm", "whole").ok()
        same(links(), before, "devices in the end")


@test(needs="root,netns")
def without_a_parent_nothing_leaves(env):
    before = links()
    env.run("network", "create", "-d", "macvlan", "--subnet", "172.28.8.0/24", "inner").ok()
    same(env.run("network", "inspect", "-f", "{{.Internal}}", "inner").ok().out, "true\n", "internal")
    env.run("run", "-d", "--name", "a", "--network", "inner", T, "sh", "-c", WWW).ok()
    env.run("run", "--rm", "--network", "inner", T, "sh", "-c", "ip route; wget -q -O- http://172.28.8.2/ | wc -c").ok(out=re.compile(r"172\.28\.8\.0/24 dev eth0[^\n]*\n13\n"))
    env.run("rm", "-f", "a").ok()
    env.run("network", "rm", "inner").ok()
    same(links(), before, "devices in the end")


@test(needs="root,netns,qemu,kernel", timeout=120)
def a_vm_on_a_macvlan(env):
    with wire() as outside:
        env.run("network", "create", "-d", "macvlan", "-o", "parent=lan0", "--subnet", "192.168.77.0/24", "--gateway", "192.168.77.254", "--subnet", "fd77:77::/64", "--gateway", "fd77:77::fe", "lan").ok()
        env.run("run", "-d", "--name", "a", "--network", "lan", "--hostname", "bee", T, "sh", "-c", WWW).ok()
        env.run("run", "-d", "--isolation", "vm", "--name", "v", "--hostname", "vee", "--network", "lan", "--ip", "192.168.77.81", T, "sh", "-c", WWW).ok()
        same(get(env, "v", "http://192.168.77.254/"), "::ffff:192.168.77.81\n", "from a VM to the outside")
        same(get(env, "v", "http://[fd77:77::fe]/"), "fd77:77::51\n", "by IPv6")
        same(get(env, "v", "http://192.168.77.2/"), "bee\n", "from a VM to a container")
        same(get(env, "a", "http://192.168.77.81/"), "vee\n", "and back")
        same(fetch(outside, "http://192.168.77.81/"), "vee\n", "from outside to a VM")
        taps = [n for n in links() if re.fullmatch(r"c\d+v.*", n)]
        same(len(taps), 1, f"one macvtap: {taps}")
        env.run("rm", "-f", "v").ok()
        same([n for n in links() if n in taps], [], "the macvtap goes with the VM")
        # With the monitor killed nobody is there to remove it but the next command.
        env.run("run", "-d", "--isolation", "vm", "--name", "k", "--network", "lan", T, "sleep", "1000").ok()
        vm = env.run("inspect", "-f", "{{.State.Pid}}", "k").ok().out.strip()
        with open(f"/proc/{vm}/stat") as f:
            os.kill(int(f.read().rsplit(")", 1)[1].split()[1]), signal.SIGKILL)
        wait_for(lambda: env.run("ps", "-a").ok() and not [n for n in links() if re.fullmatch(r"c\d+v.*", n)], what="the macvtap of a killed monitor is removed")
        env.run("rm", "-f", "k").ok()
        env.run("rm", "-f", "a").ok()
        env.run("network", "rm", "lan").ok()


@test(needs="root,netns")
def what_cannot_be_is_refused_before_anything_exists(env):
    with wire():
        env.run("network", "create", "--subnet", "172.28.9.0/24", "-o", "com.docker.network.bridge.name=red0", "red").ok()
        env.run("network", "create", "-d", "macvlan", "-o", "parent=lan0", "--subnet", "192.168.77.0/24", "lan").ok()
        ip("link", "add", "down0", "type", "veth", "peer", "name", "down1")
        ip("link", "set", "down1", "master", "red0", "up")
        before = (links(), env.run("network", "ls", "-q").ok().out)
        for code, args, words in ((1, ["-o", "parent=nowhere0"], ["no device 'nowhere0'"]), (1, ["-o", "parent=down0"], ["'down0' is down", "ip link set"]),
                                  (2, ["-o", "parent=a/b"], ["'a/b'"]), (2, ["-o", "parent="], ["parent"]), (2, ["-o", "parent=caisson0"], ["caisson0", "made here"]),
                                  (1, ["-o", "parent=red0"], ["the bridge of 'red'"]), (1, ["-o", "parent=down1"], ["down1"]), (1, ["-o", "parent=lo"], ["'lo'"]),
                                  (2, ["-o", "macvlan_mode=x"], ["macvlan_mode=x"]), (1, ["-o", "ipvlan_mode=l2"], ["ipvlan_mode", "parent, macvlan_mode"]),
                                  (1, ["-o", "icc=false"], ["macvlan_mode=private"]), (1, ["-o", "com.docker.network.bridge.name=x"], ["bridge.name"]),
                                  (2, ["--internal", "-o", "parent=lan0"], ["--internal"]), (1, ["-o", "parent=lan0", "-o", "macvlan_mode=passthru"], ["'lan'", "share"]),
                                  (1, ["--subnet", "192.168.77.128/25", "-o", "parent=lan0"], ["overlaps that of 'lan'"]), (2, ["-o", "parent=lan0", "-o", "mtu=9000"], ["mtu 9000"]),
                                  (2, ["-o", "mtu=67"], ["mtu 67"]), (1, ["--subnet", "192.168.77.0/25"], ["overlaps"])):
            r = env.run("network", "create", "-d", "macvlan", *args, "x")
            check(r.code in (1, 2), f"{args}: {r.code} {r.err}")
            r.error(r.code, *words)
        for args, words in ((["-o", "ipvlan_mode=l9"], ["l9"]), (["-o", "ipvlan_flag=x"], ["ipvlan_flag"]), (["-o", "parent=lan0"], ["lan0", "share"])):
            r = env.run("network", "create", "-d", "ipvlan", *args, "x")
            check(r.code in (1, 2), f"{args}: {r.code} {r.err}")
            r.error(r.code, *words)
        same((links(), env.run("network", "ls", "-q").ok().out), before, "what is there after all refusals")
        ip("link", "del", "down0")
        # A parent that goes later is an error by name, and nothing is left of the instance.
        ip("link", "set", "lan0", "down")
        env.run("run", "--rm", "--network", "lan", T, "true").error(125, "'lan0' is down")
        env.run("network", "rm", "lan", "red").ok()


@test(needs="root,netns")
def ipvlan(env):
    with wire() as outside:
        if not kernel_has("ipvlan"):
            env.run("network", "create", "-d", "ipvlan", "-o", "parent=lan0", "--subnet", "192.168.77.0/24", "x").error(1, "no ipvlan devices")
            same(env.run("network", "ls", "--filter", "type=custom", "-q").ok().out, "", "networks after it")
            return
        env.run("network", "create", "-d", "ipvlan", "-o", "parent=lan0", "--subnet", "192.168.77.0/24", "--gateway", "192.168.77.254", "lan").ok()
        env.run("run", "-d", "--name", "a", "--network", "lan", "--hostname", "bee", T, "sh", "-c", WWW).ok()
        same(get(env, "a", "http://192.168.77.254/"), "::ffff:192.168.77.2\n", "the machine outside")
        same(fetch(outside, "http://192.168.77.2/"), "bee\n", "from outside")
        env.run("run", "--rm", "--network", "lan", "--mac-address", "02:00:00:00:00:01", T, "true").error(125, "--mac-address", "lan0")
        env.run("run", "--rm", "--isolation", "vm", "--network", "lan", T, "true").error(125, "macvlan")
        env.run("rm", "-f", "a").ok()
        env.run("network", "rm", "lan").ok()
        env.run("network", "create", "-d", "ipvlan", "-o", "parent=lan0", "-o", "ipvlan_mode=l3", "--subnet", "172.28.6.0/24", "far").ok()
        env.run("run", "--rm", "--network", "far", T, "ip", "route").ok(out=re.compile(r"default dev eth0.*", re.S))
        env.run("network", "rm", "far").ok()


main()
