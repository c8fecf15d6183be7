# SPDX-License-Identifier: Apache-2.0
# timeout: 240
"""What reaches what: instances on bridges, the host, and a foreign host on the network outside.

All in namespaces of its own: "host" is where the bridge and the rules are, "outside" is a machine beside it that has a
route to the bridge's subnet (so that only our rules keep it out).  Packets are sent by sockets opened in these namespaces.
"""
import contextlib, ctypes, errno, json, os, select, socket, struct, subprocess, time

from caisson_test import BUILD, Failed, check, main, same, skip, test, wait_for

TOOL = BUILD / "net_tool"
LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
HOST, OUT = "192.0.2.1", "192.0.2.2"


@contextlib.contextmanager
def inside(ns):
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        if LIBC.setns(ns, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        yield
    finally:
        LIBC.setns(home, CLONE_NEWNET)
        os.close(home)


def sock(ns, kind=socket.SOCK_STREAM, family=socket.AF_INET, proto=0):
    with inside(ns):
        return socket.socket(family, kind, proto)


def family(addr):
    return socket.AF_INET6 if ":" in addr else socket.AF_INET


def listen(ns, port, addr="0.0.0.0"):
    s = sock(ns, family=family(addr))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((addr, port))
    s.listen(16)
    s.settimeout(60)
    return s


def connect(ns, addr, port, timeout=0.7):
    """None, or why not: 'timeout', 'refused', 'unreachable'."""
    s = sock(ns, family=family(addr))
    s.settimeout(timeout)
    try:
        s.connect((addr, port))
        return s
    except socket.timeout:
        return "timeout"
    except OSError as e:
        return {errno.ECONNREFUSED: "refused", errno.EHOSTUNREACH: "unreachable", errno.ENETUNREACH: "unreachable",
                errno.EINVAL: "invalid"}.get(e.errno, str(e))


def reaches(ns, addr, port, server, what, peer=None):
    c = connect(ns, addr, port, 60)
    check(not isinstance(c, str), f"{what}: {addr}:{port} {c}")
    s, who = server.accept()
    c.sendall(b"ping")
    same(s.recv(4), b"ping", what)
    s.sendall(b"pong")
    same(c.recv(4), b"pong", what)
    if peer:
        same(who[0], peer, f"{what}: source that the server sees")
    s.close()
    c.close()


def blocked(ns, addr, port, what):
    c = connect(ns, addr, port)
    check(isinstance(c, str), f"{what}: {addr}:{port} is reachable")


def ip(*args, ns=None):
    subprocess.run(["ip", *map(str, args)], check=True, pass_fds=[ns] if ns else [],
                   preexec_fn=(lambda: LIBC.setns(ns, CLONE_NEWNET)) if ns else None)


def sysctl(path, value, ns=None):
    def put():
        with open(f"/proc/sys/net/{path}", "w") as f:
            f.write(value)
    if ns is None:
        return put()
    with inside(ns):
        put()


def new_ns():
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    if LIBC.unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    ns = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    LIBC.setns(home, CLONE_NEWNET)
    os.close(home)
    ip("link", "set", "lo", "up", ns=ns)
    return ns


class Instance:
    """An attached instance, held by net_tool."""
    serial = 0

    def __init__(self, world, *publish, isolation="container", root="a", network="bridge", ip="", mac=""):
        Instance.serial += 1
        self.id = f"{Instance.serial:09x}{Instance.serial:055x}"
        self.world, self.run_root = world, world.dir / f"{root}-run"
        self.p = subprocess.Popen([TOOL, "hold", world.dir / root, self.run_root, self.id, isolation, network, *publish],
                                  env={**os.environ, **({"NET_TOOL_IP": ip} if ip else {}), **({"NET_TOOL_MAC": mac} if mac else {})}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.p.stdout.readline()
        if not line:
            raise Failed(f"attach: {self.p.stderr.read()}")
        self.info = json.loads(line)
        self.address = self.info["address"].split("/")[0]
        self.gateway = self.info["gateway"]
        self.address6 = self.info.get("address6", "").split("/")[0]
        self.ns = os.open(f"/proc/{self.p.pid}/fd/{self.info['netns']}", os.O_RDONLY) if self.info["netns"] >= 0 else -1
        world.instances.append(self)

    def say(self, words):
        self.p.stdin.write(words + "\n")
        self.p.stdin.flush()
        return self.p.stdout.readline().strip()

    def close(self):
        if self.ns >= 0:
            os.close(self.ns)
        self.ns = -1
        self.p.stdin.close()
        same(self.p.wait(20), 0, "net_tool hold")

    def kill(self):
        os.close(self.ns) if self.ns >= 0 else None
        self.ns = -1
        self.p.kill()
        self.p.wait()
        self.world.instances.remove(self)


class Hosts:
    """The host of this file's namespace joined to an outside machine."""
    def __init__(self, env):
        self.dir = env.tmp / f"net{Instance.serial}-{time.monotonic_ns()}"
        self.dir.mkdir()
        self.instances = []
        self.home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        # Every test has a fresh host: this thread moves there and back.
        self.host, self.out = new_ns(), new_ns()
        LIBC.setns(self.host, CLONE_NEWNET)
        ip("link", "add", "up0", "type", "veth", "peer", "name", "up0", "netns", f"/proc/{os.getpid()}/fd/{self.out}")
        ip("addr", "add", f"{HOST}/24", "dev", "up0")
        ip("link", "set", "up0", "up")
        ip("addr", "add", f"{OUT}/24", "dev", "up0", ns=self.out)
        ip("link", "set", "up0", "up", ns=self.out)
        ip("route", "add", "172.16.0.0/12", "via", HOST, ns=self.out)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        try:
            for i in self.instances:
                i.close() if kind is None else i.p.kill()
        finally:
            LIBC.setns(self.home, CLONE_NEWNET)
            for fd in (self.host, self.out, self.home):
                os.close(fd)

    def links(self):
        out = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
        return sorted(line.split(": ")[1].split("@")[0] for line in out.splitlines())

    def rules(self):
        return subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout

    def network(self, name, subnet="-", *how, root="a"):
        p = subprocess.run([TOOL, "network", self.dir / root, self.dir / f"{root}-run", name, subnet, *how], capture_output=True, text=True)
        return p.stdout.strip() if p.returncode == 0 else p.stderr

    def forget(self, name, root="a"):
        return subprocess.run([TOOL, "forget", self.dir / root, self.dir / f"{root}-run", name], capture_output=True, text=True).stderr

    def sweep(self, *alive, root="a"):
        p = subprocess.run([TOOL, "sweep", self.dir / f"{root}-run", *alive], capture_output=True, text=True)
        same((p.returncode, p.stderr), (0, ""), "sweep")
        return int(p.stdout)

    def state(self, root="a"):
        base = self.dir / f"{root}-run/net"
        return sorted(str(p.relative_to(base)) for p in base.rglob("*") if p.is_file() and p.name not in ("lock", ".next"))


# ---- frames by hand ----

def mac(text):
    return bytes(int(x, 16) for x in text.split(":"))


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    s = sum(struct.unpack(f"!{len(data) // 2}H", data))
    s = (s >> 16) + (s & 0xffff)
    return ~(s + (s >> 16)) & 0xffff


def ipv4(src, dst, proto, payload):
    src, dst = socket.inet_aton(src), socket.inet_aton(dst)
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, 64, proto, 0, src, dst)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def udp(src, dst, sport, dport, data):
    return ipv4(src, dst, 17, struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data)


def syn(src, dst, sport, dport):
    seg = struct.pack("!HHIIBBHHH", sport, dport, 1, 0, 5 << 4, 2, 1024, 0, 0)
    pseudo = socket.inet_aton(src) + socket.inet_aton(dst) + struct.pack("!BBH", 0, 6, len(seg))
    seg = seg[:16] + struct.pack("!H", checksum(pseudo + seg)) + seg[18:]
    return ipv4(src, dst, 6, seg)


def arp(sender_mac, sender, target):
    return struct.pack("!HHBBH6s4s6s4s", 1, 0x800, 6, 4, 1, sender_mac, socket.inet_aton(sender), b"\0" * 6, socket.inet_aton(target))


class Raw:
    def __init__(self, ns, dev="eth0"):
        with inside(ns):
            self.s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            self.s.bind((dev, 0))

    def send(self, dst, src, kind, payload):
        self.s.send(dst + src + struct.pack("!H", kind) + payload.ljust(46, b"\0"))

    def drain(self):
        while select.select([self.s], [], [], 0)[0]:
            self.s.recv(2000)

    def seen(self, match, timeout):
        end = time.monotonic() + timeout
        while (left := end - time.monotonic()) > 0 and select.select([self.s], [], [], left)[0]:
            frame, addr = self.s.recvfrom(2000)
            if addr[2] != socket.PACKET_OUTGOING and match(frame):
                return True
        return False

    def answers(self, dst_mac, src_mac, src, dst, port, sport):
        """Whether a TCP SYN made by hand opens a connection (a reset is no service)."""
        self.drain()
        self.send(dst_mac, src_mac, 0x800, syn(src, dst, sport, port))
        return self.seen(lambda f: f[12:14] == b"\x08\0" and f[23] == 6 and f[34:38] == struct.pack("!HH", port, sport)
                         and f[47] & 0x12 == 0x12, 0.7)


# ---- tests ----

@test(needs="root,netns", timeout=120)
def instances_reach_each_other_and_the_outside(env):
    with Hosts(env) as w:
        a, b = Instance(w), Instance(w)
        reaches(a.ns, b.address, 7000, listen(b.ns, 7000), "same bridge", peer=a.address)
        reaches(a.ns, OUT, 7000, listen(w.out, 7000), "outside, masqueraded", peer=HOST)
        reaches(a.ns, a.gateway, 7000, listen(w.host, 7000), "the host", peer=a.address)
        reaches(w.host, a.address, 7001, listen(a.ns, 7001), "from the host", peer=a.gateway)
        # Without privileges every port can be bound, and ping needs no raw socket.
        with inside(a.ns):
            same(open("/proc/sys/net/ipv4/ip_unprivileged_port_start").read().strip(), "0")
        s = sock(a.ns, socket.SOCK_DGRAM, proto=socket.IPPROTO_ICMP)
        s.settimeout(5)
        s.sendto(struct.pack("!BBHHH", 8, 0, 0, 0, 1) + b"x" * 8, (b.address, 0))
        same(s.recv(100)[0], 0, "echo reply")
        # IPv6 is for loopback only.
        with inside(a.ns):
            addrs = open("/proc/net/if_inet6").read()
        check("eth0" not in addrs, f"eth0 has IPv6: {addrs}")


def bridge_hooks(value):
    """net.bridge.bridge-nf-call-iptables of the current namespace; False where there is none."""
    if not os.path.exists("/proc/sys/net/bridge/bridge-nf-call-iptables"):
        return False
    sysctl("bridge/bridge-nf-call-iptables", value)
    return True


@test(needs="root,netns", timeout=120)
def published_on_every_address(env):
    published(env, "0")


@test(needs="root,netns", timeout=120)
def published_where_bridged_packets_pass_the_ip_hooks(env):
    published(env, "1")


def published(env, br_netfilter):
    with Hosts(env) as w:
        if not bridge_hooks(br_netfilter) and br_netfilter == "1":
            skip("br_netfilter is not loaded")
        a, b = Instance(w, "8080:80", "9000-9002:9000-9002/udp"), Instance(w)
        s = listen(a.ns, 80)
        reaches(w.out, HOST, 8080, s, "from outside", peer=OUT)
        reaches(w.host, HOST, 8080, s, "from the host")
        reaches(w.host, "127.0.0.1", 8080, s, "from localhost", peer=a.gateway)
        reaches(w.host, "127.9.9.9", 8080, s, "from another loopback address")
        reaches(b.ns, HOST, 8080, s, "from another instance")
        reaches(b.ns, b.gateway, 8080, s, "from another instance, by gateway")
        reaches(a.ns, HOST, 8080, s, "hairpin")
        blocked(w.out, HOST, 80, "the instance's own port number on the host")
        u = sock(a.ns, socket.SOCK_DGRAM)
        u.bind(("0.0.0.0", 9001))
        u.settimeout(5)
        for ns, addr in ((w.out, HOST), (w.host, "127.0.0.1"), (b.ns, HOST)):
            c = sock(ns, socket.SOCK_DGRAM)
            c.settimeout(5)
            c.sendto(b"hi", (addr, 9001))
            data, peer = u.recvfrom(10)
            u.sendto(data, peer)
            same(c.recvfrom(10), (b"hi", (addr, 9001)), "UDP answer")


@test(needs="root,netns", timeout=120)
def published_on_loopback_only(env):
    with Hosts(env) as w:
        a, b = Instance(w, "127.0.0.1:8080:80", f"{HOST}:8081:80"), Instance(w)
        s = listen(a.ns, 80)
        reaches(w.host, "127.0.0.1", 8080, s, "from localhost")
        for ns, what in ((w.out, "outside"), (b.ns, "another instance"), (w.host, "the host by its address")):
            blocked(ns, HOST, 8080, what)
        reaches(w.out, HOST, 8081, s, "the one on the host's address")
        blocked(w.host, "127.0.0.1", 8081, "not on loopback")
        # The kernel would drop a packet to 127/8 from outside, but translation comes before it looks.
        for route_localnet in "01":
            sysctl("ipv4/conf/up0/route_localnet", route_localnet)
            raw, gw, me = Raw(w.out, "up0"), link_mac("up0"), link_mac("up0", w.out)
            wait_for(lambda: raw.answers(gw, me, OUT, HOST, 8081, 4001), what="the probe itself works")
            check(not raw.answers(gw, me, OUT, "127.0.0.1", 8080, 4002), "127.0.0.1:8080 answers outside")


@test(needs="root,netns", timeout=120)
def loopback_services_of_the_host_stay_closed(env):
    """CVE-2020-8558: route_localnet is on for the bridge."""
    with Hosts(env) as w:
        a = Instance(w)
        listener = listen(w.host, 7777, "127.0.0.1")
        other = listen(w.host, 7778, "0.0.0.0")
        raw = Raw(a.ns)
        with inside(w.host):
            gw = link_mac("caisson0")
        me = mac(a.info["mac"])

        def answers(dst, port, sport):
            return raw.answers(gw, me, a.address, dst, port, sport)
        wait_for(lambda: answers(a.gateway, 7778, 4001), what="the probe itself works")
        check(not answers("127.0.0.1", 7777, 4002), "127.0.0.1 of the host answers an instance")
        check(not answers("127.0.0.1", 7778, 4003), "127.0.0.1 of the host answers an instance")
        listener.close()
        other.close()


def link_mac(dev, ns=None):
    out = subprocess.run(["ip", "-j", "link", "show", dev], capture_output=True, text=True, check=True, pass_fds=[ns] if ns else [],
                         preexec_fn=(lambda: LIBC.setns(ns, CLONE_NEWNET)) if ns else None).stdout
    return mac(json.loads(out)[0]["address"])


@test(needs="root,netns", timeout=120)
def unpublished_ports_and_the_operators_drop(env):
    with Hosts(env) as w:
        a = Instance(w, "8080:80")
        s, t = listen(a.ns, 80), listen(a.ns, 81)
        blocked(w.out, a.address, 81, "unpublished port by routing")
        blocked(w.out, a.address, 80, "published port by routing past the host's port")
        reaches(w.out, HOST, 8080, s, "before the drop")
        c = connect(w.out, HOST, 8080, 60)
        peer, _ = s.accept()
        for prio in ("-10", "10"):
            subprocess.run(["nft", "-f", "-"], input=f"table ip op {{ chain f {{ type filter hook forward priority {prio};\n"
                           "iifname up0 tcp dport 80 drop\n }\n}\n", text=True, check=True)
            blocked(w.out, HOST, 8080, f"in spite of a drop at priority {prio}")
            if prio == "-10":      # once: what is sent again could pass between the two
                c.sendall(b"x")
                check(not select.select([peer], [], [], 0.7)[0], "an open connection goes on in spite of a drop")
            subprocess.run(["nft", "delete", "table", "ip", "op"], check=True)
        reaches(w.out, HOST, 8080, s, "after the drop")
        peer.settimeout(60)
        same(peer.recv(1), b"x", "what was dropped, sent again")
        c.close(), peer.close()
        # A source address of ours does not come from outside.
        for name in ("all", "up0"):
            sysctl(f"ipv4/conf/{name}/rp_filter", "0")
        ip("addr", "add", "172.30.0.99/32", "dev", "up0", ns=w.out)
        u = sock(w.host, socket.SOCK_DGRAM)
        u.bind((HOST, 7000))
        for source, want in ((OUT, True), ("172.30.0.99", False)):
            c = sock(w.out, socket.SOCK_DGRAM)
            c.bind((source, 0))
            c.sendto(b"x", (HOST, 7000))
            same(bool(select.select([u], [], [], 0.7)[0]), want, f"a packet from outside with source {source} arrives")
            if want:
                u.recv(10)
        t.close()


@test(needs="root,netns", timeout=120)
def nobody_speaks_for_another(env):
    with Hosts(env) as w:
        a, b = Instance(w), Instance(w)
        me, his = mac(a.info["mac"]), mac(b.info["mac"])
        gw, all_ = link_mac("caisson0"), b"\xff" * 6
        raw, at_b = Raw(a.ns), Raw(b.ns)
        u = sock(w.host, socket.SOCK_DGRAM)
        u.bind(("0.0.0.0", 7000))

        def arrives(src_mac, frame, kind=0x800):
            while select.select([u], [], [], 0)[0]:
                u.recv(100)
            raw.send(gw, src_mac, kind, frame)
            return bool(select.select([u], [], [], 0.5)[0])

        def asked(src_mac, sender_mac, sender):
            raw.drain()
            raw.send(all_, src_mac, 0x806, arp(sender_mac, sender, a.gateway))
            return raw.seen(lambda f: f[12:14] == b"\x08\x06" and f[20:22] == b"\0\2", 0.5)

        def at_peer(kind, payload, dst=all_):
            at_b.drain()
            raw.send(dst, me, kind, payload)
            return at_b.seen(lambda f: f[6:12] == me and f[12:14] == struct.pack("!H", kind), 0.5)
        check(arrives(me, udp(a.address, a.gateway, 1, 7000, b"x")), "the probe itself does not work")
        check(asked(me, me, a.address), "the ARP probe itself does not work")
        check(not arrives(me, udp(b.address, a.gateway, 1, 7000, b"x")), "another instance's IP address")
        check(not arrives(his, udp(a.address, a.gateway, 1, 7000, b"x")), "another instance's MAC address")
        check(not arrives(his, udp(b.address, a.gateway, 1, 7000, b"x")), "both of another instance")
        check(not arrives(me, udp("10.1.2.3", a.gateway, 1, 7000, b"x")), "a foreign IP address")
        check(not arrives(me, udp("127.0.0.1", a.gateway, 1, 7000, b"x")), "loopback as source")
        # The answer of these would go to the neighbour, so what counts is what the host believes.
        asked(me, me, b.address), asked(me, his, b.address), asked(his, his, b.address), asked(me, me, a.gateway)
        asked(his, me, a.address)
        neigh = subprocess.run(["ip", "neigh", "show", "dev", "caisson0"], capture_output=True, text=True).stdout
        check(b.address not in neigh or a.info["mac"] not in neigh.split(b.address)[1].splitlines()[0], f"ARP poisoned: {neigh}")
        fdb = subprocess.run(["bridge", "fdb", "show", "br", "caisson0"], capture_output=True, text=True).stdout
        port_a = f"c0v{a.id[:10]}"
        check(not any(b.info["mac"] in line and port_a in line for line in fdb.splitlines()), f"the bridge learned a lie: {fdb}")
        ra = bytes.fromhex("6000000000103aff") + socket.inet_pton(socket.AF_INET6, "fe80::1") + \
            socket.inet_pton(socket.AF_INET6, "ff02::1") + bytes.fromhex("86000000400007080000000000000000")
        check(at_peer(0x806, arp(me, a.address, b.address)), "the probe at the peer does not work")
        check(not at_peer(0x86dd, ra, mac("33:33:00:00:00:01")), "a router advertisement")
        check(not at_peer(0x8100, struct.pack("!HH", 5, 0x800) + udp(a.address, b.address, 1, 1, b"x")), "a VLAN tag")
        check(not at_peer(0x88cc, b"lldp"), "another protocol")
        reaches(b.ns, a.address, 7001, listen(a.ns, 7001), "after all that", peer=b.address)


@test(needs="root,netns", timeout=120)
def networks_are_apart(env):
    with Hosts(env) as w:
        a, b = Instance(w, "8080:80", "127.0.0.1:8081:80"), Instance(w, root="b")
        check(a.address.split(".")[1] != b.address.split(".")[1], "two stores share a subnet")
        s = listen(a.ns, 80)
        listen(b.ns, 80)
        blocked(b.ns, a.address, 80, "another network's instance")
        blocked(a.ns, b.address, 80, "another network's instance")
        reaches(b.ns, HOST, 8080, s, "another network's published port")
        blocked(b.ns, HOST, 8081, "another network's port on loopback")
        reaches(b.ns, OUT, 7000, listen(w.out, 7000), "outside", peer=HOST)


@test(needs="root,netns", timeout=120)
def networks_of_one_store_are_apart(env):
    with Hosts(env) as w:
        w.network("red", "172.28.1.0/24"), w.network("blue", "172.28.2.0/24")
        r, r2 = Instance(w, "8080:80", "127.0.0.1:8081:80", network="red"), Instance(w, network="red", ip="172.28.1.77", mac="02:00:00:00:00:77")
        b, d = Instance(w, network="blue"), Instance(w)
        same((r2.address, r2.info["mac"], b.address), ("172.28.1.77", "02:00:00:00:00:77", "172.28.2.2"), "addresses")
        s = listen(r.ns, 80)
        reaches(r2.ns, r.address, 80, s, "same network, by the address asked for", peer=r2.address)
        reaches(w.host, r.address, 80, s, "from the host")
        blocked(w.out, r.address, 80, "from outside by a route to the bridge")
        for i, what in ((b, "another network"), (d, "the default network")):
            there = listen(i.ns, 80)
            reaches(w.host, i.address, 80, there, f"the host to {what}")
            blocked(i.ns, r.address, 80, what)
            blocked(r.ns, i.address, 80, f"towards {what}")
            reaches(i.ns, HOST, 8080, s, f"published, from {what}")
            reaches(i.ns, i.gateway, 8080, s, f"published, by the gateway of {what}")
            blocked(i.ns, HOST, 8081, f"on loopback, from {what}")
            reaches(i.ns, OUT, 7000 + len(what), listen(w.out, 7000 + len(what)), "outside", peer=HOST)
        # The neighbour's address is no source, though it is one of ours: nor is another network's.
        raw, me, peer = Raw(r2.ns), mac(r2.info["mac"]), mac(r.info["mac"])
        wait_for(lambda: raw.answers(peer, me, r2.address, r.address, 80, 4001), what="the probe itself works")
        check(not raw.answers(peer, me, b.address, r.address, 80, 4002), "an address of another network is believed")
        # A network that comes or goes disturbs nobody.
        c = connect(r2.ns, r.address, 80, 60)
        peer, _ = s.accept()
        w.network("green")
        same(w.forget("green"), "", "removal")
        c.sendall(b"on")
        same(peer.recv(2), b"on", "a connection while networks come and go")
        check("in use" in w.forget("red"), "a network in use was removed")
        peer.close()


def udp6(src, dst, sport, dport, data):
    src, dst = socket.inet_pton(socket.AF_INET6, src), socket.inet_pton(socket.AF_INET6, dst)
    seg = struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data
    seg = seg[:6] + struct.pack("!H", checksum(src + dst + struct.pack("!II", len(seg), 17) + seg)) + seg[8:]
    return struct.pack("!IHBB", 6 << 28, len(seg), 17, 64) + src + dst + seg


def icmp6(src, dst, kind, body, hops=255):
    src, dst = socket.inet_pton(socket.AF_INET6, src), socket.inet_pton(socket.AF_INET6, dst)
    seg = struct.pack("!BBH", kind, 0, 0) + body
    seg = seg[:2] + struct.pack("!H", checksum(src + dst + struct.pack("!II", len(seg), 58) + seg)) + seg[4:]
    return struct.pack("!IHBB", 6 << 28, len(seg), 58, hops) + src + dst + seg


OUT6, HOST6 = "2001:db8::2", "2001:db8::1"


@test(needs="root,netns", timeout=120)
def ipv6_reaches_what_ipv4_does(env):
    with Hosts(env) as w:
        ip("addr", "add", f"{HOST6}/64", "dev", "up0", "nodad")
        ip("addr", "add", f"{OUT6}/64", "dev", "up0", "nodad", ns=w.out)
        ip("route", "add", "fd00::/8", "via", HOST6, ns=w.out)
        w.network("red", "-", "v6"), w.network("blue", "-", "v6"), w.network("inner", "-", "v6", "internal"), w.network("alone", "-", "v6", "isolated"), w.network("four")
        a, b, far, i, i2, x, y, four = (Instance(w, network=n) for n in ("red", "red", "blue", "inner", "inner", "alone", "alone", "four"))
        s = listen(a.ns, 80, "::")
        # The first connections at once: nobody waits for duplicate address detection or a neighbour's answer.
        reaches(b.ns, a.address6, 80, s, "same network", peer=b.address6)
        reaches(w.host, a.address6, 80, s, "from the host", peer=a.info["gateway6"])
        reaches(a.ns, OUT6, 7000, listen(w.out, 7000, "::"), "outside, masqueraded", peer=HOST6)
        reaches(a.ns, a.info["gateway6"], 7000, listen(w.host, 7000, "::"), "the host", peer=a.address6)
        blocked(far.ns, a.address6, 80, "another network")
        blocked(w.out, a.address6, 80, "from outside by a route to the bridge")
        reaches(i2.ns, i.address6, 80, listen(i.ns, 80, "::"), "within an internal network", peer=i2.address6)
        at_out = listen(w.out, 7001, "::")
        ip("-6", "route", "add", "default", "via", i.info["gateway6"], ns=i.ns)
        blocked(i.ns, OUT6, 7001, "out of an internal network")
        blocked(i.ns, HOST6, 7000, "out of an internal network to the host's other address")
        reaches(w.host, x.address6, 80, listen(x.ns, 80, "::"), "the host to an isolated one")
        blocked(y.ns, x.address6, 80, "an isolated neighbour")
        same(four.address6, "", "IPv4 only")
        reaches(b.ns, OUT6, 7001, at_out, "at last", peer=HOST6)
        # The operator's drop is final here, too.
        subprocess.run(["nft", "-f", "-"], input="table ip6 op { chain f { type filter hook forward priority 10;\niifname \"c0n*\" tcp dport 7001 drop\n }\n}\n", text=True, check=True)
        blocked(b.ns, OUT6, 7001, "in spite of a drop")
        for inst in (a, b, far, i, i2, x, y, four):
            inst.close()
        w.instances.clear()
        same(subprocess.run(["ip", "-6", "neigh", "show", "nud", "permanent"], capture_output=True, text=True).stdout, "", "neighbours left")


@test(needs="root,netns", timeout=120)
def nobody_speaks_for_another_in_ipv6(env):
    with Hosts(env) as w:
        w.network("red", "-", "v6")
        a, b = Instance(w, network="red"), Instance(w, network="red")
        me, his, gw6 = mac(a.info["mac"]), mac(b.info["mac"]), a.info["gateway6"]
        bridge = [n for n in w.links() if n.startswith("c0n")][0]
        gw, raw, at_b = link_mac(bridge), Raw(a.ns), Raw(b.ns)
        u = sock(w.host, socket.SOCK_DGRAM, socket.AF_INET6)
        u.bind(("::", 7000))

        def arrives(src_mac, packet):
            while select.select([u], [], [], 0)[0]:
                u.recv(100)
            raw.send(gw, src_mac, 0x86dd, packet)
            return bool(select.select([u], [], [], 0.5)[0])

        def at_peer(packet, dst=his):
            at_b.drain()
            raw.send(dst, me, 0x86dd, packet)
            return at_b.seen(lambda f: f[6:12] == me and f[12:14] == b"\x86\xdd", 0.5)
        check(arrives(me, udp6(a.address6, gw6, 1, 7000, b"x")), "the probe itself does not work")
        for src_mac, src, what in ((me, b.address6, "another's address"), (his, a.address6, "another's MAC address"), (his, b.address6, "both of another"),
                                   (me, "2001:db8::9", "a foreign address"), (me, "fe80::1", "a link-local address"), (me, gw6, "the gateway's address"), (me, "::", "no address")):
            check(not arrives(src_mac, udp6(src, gw6, 1, 7000, b"x")), what)
        # Neighbour discovery: questions pass, nothing that a neighbour could believe does.
        target = lambda addr: b"\0" * 4 + socket.inet_pton(socket.AF_INET6, addr)
        check(at_peer(icmp6(a.address6, b.address6, 135, target(b.address6) + b"\1\1" + me)), "the probe at the peer does not work")
        for kind, body, what in ((136, b"\x60\0\0\0" + socket.inet_pton(socket.AF_INET6, gw6) + b"\2\1" + me, "an advertisement for the gateway"),
                                 (134, bytes.fromhex("40000708") + b"\0" * 8, "a router advertisement"), (133, b"\0" * 4, "a router solicitation"),
                                 (137, target(gw6) + socket.inet_pton(socket.AF_INET6, b.address6), "a redirect"), (130, b"\0" * 20, "a multicast query")):
            check(not at_peer(icmp6(a.address6, b.address6, kind, body)), what)
            check(not at_peer(icmp6(a.address6, "ff02::1", kind, body), mac("33:33:00:00:00:01")), f"{what}, to all")
            # The same behind a header that hides its kind.
            hidden = icmp6(a.address6, b.address6, kind, body)
            hidden = hidden[:4] + struct.pack("!HB", len(hidden) - 40 + 8, 0) + hidden[7:40] + bytes([58, 0, 1, 4, 0, 0, 0, 0]) + hidden[40:]
            check(not at_peer(hidden), f"{what}, behind a hop-by-hop header")
        neigh = subprocess.run(["ip", "-6", "neigh", "show", "dev", bridge], capture_output=True, text=True).stdout
        check(b.info["mac"] in neigh.split(b.address6)[1].splitlines()[0] and "PERMANENT" in neigh, neigh)
        s = listen(b.ns, 80, "::")
        reaches(a.ns, b.address6, 80, s, "after all that", peer=a.address6)


@test(needs="root,netns", timeout=120)
def internal_and_isolated(env):
    with Hosts(env) as w:
        bridge_hooks("0")  # else @same would keep isolated ones apart, and not the bridge
        w.network("inner", "172.28.1.0/24", "internal"), w.network("alone", "172.28.2.0/24", "isolated")
        i, i2 = Instance(w, network="inner"), Instance(w, network="inner")
        x, y = Instance(w, "8080:80", network="alone"), Instance(w, network="alone")
        s, t = listen(i.ns, 80), listen(x.ns, 80)
        reaches(i2.ns, i.address, 80, s, "within an internal network")
        reaches(w.host, i.address, 80, s, "the host into it")
        # These sockets stay open: what is blocked below is blocked by a rule.
        at_host, at_out = listen(w.host, 7000), listen(w.out, 7000)
        reaches(i.ns, "172.28.1.1", 7000, at_host, "out of it to its gateway")
        reaches(x.ns, HOST, 7000, at_host, "the host's other address from elsewhere")
        reaches(x.ns, OUT, 7000, at_out, "the outside from elsewhere", peer=HOST)
        # Also with a route that it makes itself.
        ip("route", "add", "default", "via", "172.28.1.1", ns=i.ns)
        for addr, port, what in ((OUT, 7000, "the outside"), (HOST, 7000, "the host's other address"), (x.address, 80, "another network"),
                                 ("172.28.1.1", 8080, "a published port of another network"), (HOST, 8080, "the same by the host's address")):
            blocked(i.ns, addr, port, f"out of an internal network: {what}")
        blocked(x.ns, i.address, 80, "into an internal network")
        blocked(y.ns, x.address, 80, "an isolated neighbour")
        reaches(w.host, x.address, 80, t, "the host to an isolated one")
        reaches(w.out, HOST, 8080, t, "published by an isolated one", peer=OUT)
        # Nor past the bridge: routed by way of the gateway.
        ip("route", "add", x.address, "via", y.gateway, ns=y.ns)
        blocked(y.ns, x.address, 80, "an isolated neighbour, by the gateway")


def addresses(i):
    """interface: address, of an instance."""
    out = subprocess.run(["ip", "-j", "-4", "addr"], capture_output=True, text=True, check=True, pass_fds=[i.ns], preexec_fn=lambda: LIBC.setns(i.ns, CLONE_NEWNET)).stdout
    return {x["ifname"]: x["addr_info"][0]["local"] for x in json.loads(out) if x["ifname"] != "lo"}


@test(needs="root,netns", timeout=120)
def on_several_networks_and_off_again(env):
    with Hosts(env) as w:
        w.network("red", "172.28.1.0/24"), w.network("blue", "172.28.2.0/24"), w.network("inner", "172.28.3.0/24", "internal")
        a, r, b, i = Instance(w, "8080:80", network="inner,red"), Instance(w, network="red"), Instance(w, network="blue"), Instance(w, network="inner")
        same(addresses(a), {"eth0": "172.28.3.2", "eth1": "172.28.1.2"}, "both")
        s = listen(a.ns, 80)
        for peer, at in ((r, "172.28.1.2"), (i, "172.28.3.2")):
            reaches(peer.ns, at, 80, s, "on each network by its address there", peer=peer.address)
        blocked(b.ns, "172.28.1.2", 80, "from a network it is not on")
        reaches(w.out, HOST, 8080, s, "published on the one that leads outside", peer=OUT)
        reaches(a.ns, OUT, 7000, listen(w.out, 7000), "outside", peer=HOST)
        # It does not pass packets on: nobody gets from one network to the other through it.
        sysctl("ipv4/ip_forward", "1", ns=a.ns)
        ip("route", "add", "172.28.3.0/24", "via", "172.28.1.2", ns=r.ns)
        blocked(r.ns, i.address, 80, "another network through an instance that is on both")
        # While it runs: one more, its neighbour there reaches it, and it answers with its address there.
        same(a.say("connect blue"), "ok")
        same(addresses(a)["eth2"], "172.28.2.3", "the new one")
        reaches(b.ns, "172.28.2.3", 80, s, "after connect", peer=b.address)
        check("already" in a.say("connect blue"), "connected twice")
        # The one with the route and the ports goes: the next takes over both.
        same(a.say("disconnect red"), "ok")
        blocked(r.ns, "172.28.1.2", 80, "after disconnect")
        reaches(w.out, HOST, 8080, s, "published, by the heir", peer=OUT)
        reaches(w.host, "127.0.0.1", 8080, s, "published, from the host", peer="172.28.2.1")
        reaches(a.ns, OUT, 7001, listen(w.out, 7001), "outside by the heir", peer=HOST)
        check("not connected" in a.say("disconnect red"), "disconnected twice")
        same(a.say("connect red"), "ok")
        same(addresses(a)["eth1"], "172.28.1.4", "the free slot, a fresh address")
        reaches(r.ns, "172.28.1.4", 80, s, "again", peer=r.address)
        # Rules that are lost come back with all of it.
        subprocess.run(["nft", "flush", "ruleset"], check=True)
        Instance(w)
        reaches(w.out, HOST, 8080, s, "after the rules were lost", peer=OUT)
        reaches(b.ns, "172.28.2.3", 80, s, "after the rules were lost", peer=b.address)
        v = Instance(w, network="red,blue", isolation="vm")
        same((len([n for n in w.links() if v.id[:9] in n]), v.info["address"]), (2, "172.28.1.5/24"), "two taps")


@test(needs="root,netns,strace", timeout=200)
def killed_while_it_is_connected_or_disconnected(env):
    """Whatever step: what is left goes with the instance, or with a sweep once it is dead."""
    with Hosts(env) as w:
        w.network("red", "172.28.1.0/24"), w.network("blue", "172.28.2.0/24")
        keep = Instance(w, "8000:80")
        base = (wait_links(w, w.links()), w.state(), w.rules())
        killed = 0
        for verb in ("connect", "disconnect"):
            for call in ("sendto", "renameat", "openat", "setns", "mkdirat", "unlinkat"):
                for k in range(1, 60, 4 if call == "openat" else 1):
                    a = Instance(w, "8080:80", network="red,blue" if verb == "disconnect" else "red")
                    tracer = subprocess.Popen(["strace", "-qq", "-o", "/dev/null", "-p", str(a.p.pid), "-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={k}"],
                                              stderr=subprocess.DEVNULL)
                    wait_for(lambda: "TracerPid:\t0" not in open(f"/proc/{a.p.pid}/status").read(), 10, "the tracer")
                    alive = a.say(f"{verb} {'blue' if verb == 'connect' else 'red'}") == "ok"
                    killed += not alive
                    a.kill()
                    tracer.wait()
                    w.sweep(keep.id)
                    same((w.state(), w.rules()), base[1:], f"{verb} killed at {call} {k}")
                    if alive:
                        break
        check(killed > 25, f"only {killed} kills happened")
        wait_links(w, base[0])
        reaches(w.out, HOST, 8000, listen(keep.ns, 80), "who was alive all the time", peer=OUT)


@test(needs="root,netns,strace", timeout=200)
def a_network_killed_while_it_is_made_or_removed(env):
    """Whatever step: afterwards it can be made or removed, and no bridge, lease or rule is nobody's."""
    with Hosts(env) as w:
        keep = Instance(w, "8000:80")
        base = (w.links(), w.rules())
        killed = 0
        for verb in ("network", "forget"):
            for call in ("sendto", "renameat", "openat", "unlinkat", "mkdirat", "fsync", "vfork"):
                for k in range(1, 60, 5 if call == "openat" else 1):
                    if verb == "forget":
                        w.network("red", "172.28.1.0/24")
                    p = subprocess.run(["strace", "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={k}", TOOL, verb,
                                        w.dir / "a", w.dir / "a-run", "red", *(["172.28.1.0/24"] if verb == "network" else [])], capture_output=True)
                    killed += p.returncode != 0
                    said = w.forget("red")
                    check(said == "" or "no network" in said, f"{verb} killed at {call} {k}: {said}")
                    if "no network" in said:
                        # The record was gone; what is left of the rules goes with the next change.
                        check(w.network("red", "172.28.1.0/24").startswith("c0n"), f"{verb} killed at {call} {k}: made again")
                        same(w.forget("red"), "", "removed again")
                    same((w.links(), w.rules()), base, f"{verb} killed at {call} {k}")
                    if p.returncode == 0:
                        break
        check(killed > 15, f"only {killed} kills happened")
        same([p.name for p in (w.dir / "a/networks").iterdir() if not p.name.startswith(".")], ["bridge.json"], "records")
        reaches(w.out, HOST, 8000, listen(keep.ns, 80), "who was alive all the time", peer=OUT)


@test(needs="root,netns", timeout=120)
def taken_ports_are_named(env):
    with Hosts(env) as w:
        a = Instance(w, "127.0.0.1:8080:80")
        same(a.info["ports"], [8080])
        busy = listen(w.host, 8081)
        for spec, want in (("8080:80", "port 0.0.0.0:8080/tcp is already in use"), ("8081:80", "port 0.0.0.0:8081/tcp is already in use"),
                           ("198.51.100.1:80:80", "198.51.100.1 is not an address of this host")):
            before = (w.links(), w.state(), w.rules())
            p = subprocess.run([TOOL, "hold", w.dir / "a", w.dir / "a-run", "f" * 64, "container", "bridge", spec], capture_output=True,
                               text=True, stdin=subprocess.DEVNULL)
            same(p.returncode, 1)
            check(want in p.stderr, f"{spec}: {p.stderr}")
            same((w.links(), w.state(), w.rules()), before, "what is there after a refusal")
        busy.close()
        b = Instance(w, "127.0.0.1::80")
        s = listen(b.ns, 80)
        reaches(w.host, "127.0.0.1", b.info["ports"][0], s, "a port of the kernel's choice")


@test(needs="root,netns", timeout=180)
def fifty_come_and_go(env):
    with Hosts(env) as w:
        Instance(w).close()
        w.instances.clear()
        before = (wait_links(w, ["caisson0", "lo", "up0"]), w.rules())
        for i in range(25):
            for isolation in ("container", "vm"):
                Instance(w, f"{9000 + i}:80", isolation=isolation).close()
        w.instances.clear()
        # At once: every one has an address of its own.
        ids = [f"{n:010x}{n:054x}" for n in range(1000, 1020)]
        ps = [subprocess.Popen([TOOL, "hold", w.dir / "a", w.dir / "a-run", i, "container", "bridge", "0:80"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True) for i in ids]
        infos = [json.loads(p.stdout.readline()) for p in ps]
        same(len({i["address"] for i in infos}), 20, "addresses")
        same(len({i["ports"][0] for i in infos}), 20, "ports")
        for p in ps:
            p.stdin.close()
        for p in ps:
            same(p.wait(30), 0)
        wait_links(w, before[0])
        same(w.state(), [], "files")
        same(w.rules(), before[1], "rules")


def namespaces():
    """Network namespaces that anything holds: a process, a descriptor of one, a mount."""
    out = {line.split()[3] for line in open("/proc/self/mountinfo") if " - nsfs " in line}
    for p in (p for p in os.listdir("/proc") if p.isdigit()):
        try:
            for link in (f"/proc/{p}/ns/net", *(f"/proc/{p}/fd/{n}" for n in os.listdir(f"/proc/{p}/fd"))):
                with contextlib.suppress(OSError):
                    out.add(os.readlink(link))
        except OSError:
            pass
    return {x for x in out if x.startswith("net:")}


def wait_links(w, want):
    return wait_for(lambda: w.links() == want and want, 20, f"links are {want}")


@test(needs="root,netns,strace", timeout=200)
def killed_at_every_step_then_swept(env):
    with Hosts(env) as w:
        w.network("six", "172.28.6.0/24", "v6")
        keep = Instance(w, "8000:80")
        base, spaces = (w.links(), w.state(), w.rules()), namespaces()
        # A veth and a namespace; then two cards, IPv6 and what the host knows of neighbours.
        for kind, network, want in (("container", "bridge", 30), ("vm", "six,bridge", 30)):
            killed = 0
            for call in ("sendto", "renameat", "openat", "unshare", "setns", "bind", "mkdirat", "ioctl"):
                for k in (range(1, 60) if call != "openat" else range(1, 80, 4)):
                    ident = f"{k:02x}{call.encode().hex():0<62}"[:64]
                    p = subprocess.run(["strace", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={k}", TOOL, "attach",
                                        w.dir / "a", w.dir / "a-run", ident, kind, network, "8001:80"], capture_output=True)
                    ended = p.returncode == 0
                    killed += not ended
                    w.sweep(keep.id)
                    same(w.state(), base[1], f"files and addresses after kill of a {kind} at {call} {k}")
                    same(w.rules(), base[2], f"rules after kill of a {kind} at {call} {k}")
                    if ended:
                        break
            check(killed > want, f"only {killed} kills of a {kind} happened")
        wait_links(w, base[0])
        same(subprocess.run(["ip", "-6", "neigh", "show", "nud", "permanent"], capture_output=True, text=True).stdout, "", "neighbours left")
        wait_for(lambda: namespaces() == spaces, what="no network namespace is left")
        # Killed while being removed: the next remove, or a sweep, goes on.
        for call in ("sendto", "unlinkat"):
            for k in range(1, 12):
                ident = f"{k:02x}{'ab' * 31}"
                subprocess.run([TOOL, "attach", w.dir / "a", w.dir / "a-run", ident, "vm", "bridge", "8001:80"], check=True, capture_output=True)
                p = subprocess.run(["strace", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={k}", TOOL,
                                    "remove", w.dir / "a-run", ident], capture_output=True)
                if k % 2:
                    subprocess.run([TOOL, "remove", w.dir / "a-run", ident], check=True)
                w.sweep(keep.id)
                same((w.state(), w.rules()), base[1:], f"after kill at {call} {k}")
                if p.returncode == 0:
                    break
        wait_links(w, base[0])
        reaches(w.out, HOST, 8000, listen(keep.ns, 80), "who was alive all the time", peer=OUT)


@test(needs="root,netns", timeout=60)
def what_is_detached_is_mute(env):
    """A process may keep the namespace after attach_remove(): nothing comes out of it."""
    with Hosts(env) as w:
        a, b = Instance(w), Instance(w)
        server = listen(b.ns, 7000)
        reaches(a.ns, b.address, 7000, server, "before")
        ns = os.dup(a.ns)
        a.close()
        w.instances.remove(a)
        blocked(ns, b.address, 7000, "after being detached")
        os.close(ns)


main()
