# SPDX-License-Identifier: Apache-2.0
# timeout: 300
"""The table of docs/networks.md, "What reaches what", cell by cell, with instances of every kind at once: a container, a VM and
an ordinary user's container offer the same page; other instances, the host, a foreign host and they themselves ask for it.

matrix_test.py holds the same rules by hand-made packets, for the network layer alone.
"""
import contextlib, ctypes, os, socket, subprocess, threading

from caisson_test import Env, as_root, main, same, test, wait_for

T = "caisson/tiny"
LIBC = ctypes.CDLL(None, use_errno=True)
HOST, OUT = "192.0.2.2", "192.0.2.1"     # settle_user() made the first, and a route by the second
SERVE = ["sh", "-c", 'mkdir /w; echo $0 >/w/index.html; exec httpd -f -p 80 -h /w']
# A connection that is refused entry is not answered: this long is waited for it.  A slow machine makes nothing reachable.
MUTE = 1


@contextlib.contextmanager
def foreign_host():
    """A machine on the host's network, with routes to all that could be a bridge; yields its namespace."""
    with as_root():
        home = os.open("/proc/self/ns/net", os.O_RDONLY)
        LIBC.unshare(0x40000000)
        ns = os.open("/proc/self/ns/net", os.O_RDONLY)
        for cmd in ("link set lo up", f"link add up0 type veth peer name wan1 netns /proc/{os.getpid()}/fd/{home}", f"addr add {OUT}/24 dev up0", "addr add 2001:db8::1/64 dev up0 nodad", "link set up0 up",
                    f"route add 172.16.0.0/12 via {HOST}", f"route add 10.0.0.0/8 via {HOST}", "-6 route add fd00::/8 via 2001:db8::2"):
            subprocess.run(["ip", *cmd.split()], check=True)
        LIBC.setns(home, 0x40000000)
        for cmd in ("link set wan1 master wan0 up", "addr add 2001:db8::2/64 dev wan0 nodad"):
            subprocess.run(["ip", *cmd.split()], check=True)
    try:
        yield ns
    finally:
        with as_root():
            subprocess.run(["ip", "link", "del", "wan1"], check=True)
        for fd in (home, ns):
            os.close(fd)


def fetch(s, addr, port, seconds):
    """The page, or None.  The socket says where from."""
    s.settimeout(seconds)
    try:
        s.connect((addr, port))
        s.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return s.makefile("rb").read().partition(b"\r\n\r\n")[2].decode().strip() or None
    except OSError:
        return None
    finally:
        s.close()


class Place:
    """Somewhere that cells are asked from; those that shall be mute are asked all at once."""
    def __init__(self, ns=None):
        self.ns = ns

    def socket(self, addr):
        with as_root():
            home = os.open("/proc/self/ns/net", os.O_RDONLY)
            if self.ns is not None:
                LIBC.setns(self.ns, 0x40000000)
            s = socket.socket(socket.AF_INET6 if ":" in addr else socket.AF_INET)
            LIBC.setns(home, 0x40000000)
            os.close(home)
        return s

    def ask(self, cells, seconds):
        got = {}
        jobs = [threading.Thread(target=lambda s, *c: got.update({c: fetch(s, *c, seconds)}), args=(self.socket(c[0]), *c)) for c in cells]
        for j in jobs:
            j.start()
        for j in jobs:
            j.join()
        return [got[c] for c in cells]


class Instance:
    """One that can be asked to ask: several questions are one exec, each in the background.  Nobody closes his half of a
    connection before the answer."""
    ONE = r"(rm -f /w/f%d; mkfifo /w/f%d; exec 3<>/w/f%d; printf 'GET / HTTP/1.0\r\n\r\n' >&3; timeout %d nc %s %d <&3 >/w/%d 2>/dev/null) &"

    def __init__(self, run, name):
        self.run, self.name = run, name

    def ask(self, cells, seconds):
        every = " ".join(str(k) for k in range(len(cells)))
        all_ = " ".join(self.ONE % (k, k, k, seconds, a, p, k) for k, (a, p) in enumerate(cells))
        out = self.run("exec", self.name, "sh", "-c", f"{all_} wait; for k in {every}; do x=$(tail -n 1 /w/$k); echo ${{x:--}}; done").ok().out.split()
        return [None if o == "-" else o for o in out]


def hold(what, place, cells):
    """cells: (address, port, page or None)."""
    open_, mute = [c for c in cells if c[2]], [c for c in cells if not c[2]]
    left = open_

    def answered():
        nonlocal left
        left = [(c, g) for c, g in zip(left, place.ask([c[:2] for c in left], 10)) if c[2] != g]
        for (addr, port, _), g in left:
            same(g, None, f"{what}: {addr} port {port}")      # silence may be slowness, another's page is not
        left = [c for c, _ in left]
        return not left
    wait_for(answered, what=f"{what}: an answer from all of {open_}")
    for (addr, port, _), g in zip(mute, place.ask([c[:2] for c in mute], MUTE)):
        same(g, None, f"{what}: {addr} port {port}")


def network(run, name, *flags):
    run("network", "create", *flags, name).ok()


def at(run, name, net, key="IPAddress"):
    return run("inspect", name).ok().json()[0]["NetworkSettings"]["Networks"][net][key]


def drop(text):
    with as_root():
        subprocess.run(["nft", "-f", "-"], input=f"table inet op {{ {text}\n }}\n", text=True, check=True)


def undrop():
    with as_root():
        subprocess.run(["nft", "delete", "table", "inet", "op"], check=True)


def serve(run, name, *flags):
    run("run", "-d", "--name", name, *flags, T, *SERVE, name).ok()


@test(needs="root,netns,rootless,qemu,kernel", timeout=200)
def every_cell(env):
    with as_root():
        (env.tmp / "r").mkdir()
        root = Env(env.tmp / "r")

    def roots(*args, **kw):
        with as_root():
            return root.run(*args, **kw)
    with foreign_host() as out_ns:
        try:
            cells(env.run, roots, out_ns)
        finally:
            names = roots("ps", "-aq").out.split(), env.run("ps", "-aq").out.split()
            if names[0]:
                roots("rm", "-f", *names[0])
            if names[1]:
                env.run("rm", "-f", *names[1])
    roots("network", "rm", "red", "blue", "inner").ok()
    env.run("network", "rm", "red", "blue", "inner").ok()
    with as_root():     # where layers are mounted, which goes with the namespace
        subprocess.run(["umount", "-l", root.run_root / "ns"], check=True)


def cells(users, roots, out_ns):
    for run, n in ((roots, 28), (users, 27)):      # apart, for an address of one is to mean nothing to the other
        network(run, "red", "--ipv6", "--subnet", f"172.{n}.1.0/24"), network(run, "blue", "--ipv6", "--subnet", f"172.{n}.2.0/24"), network(run, "inner", "--internal", "--subnet", f"172.{n}.3.0/24")
    # The VM, the container and the user's: a page on every address, the same on loopback only, and nothing.
    vm = ("--isolation", "vm", "-m", "192m")
    serve(roots, "v", *vm, "--network", "red", "--network", "inner", "-p", "8200:80", "-p", "127.0.0.1:8201:80")
    serve(roots, "c", "--network", "red", "-p", "8100:80", "-p", "127.0.0.1:8101:80")
    serve(roots, "n", "--network", "red"), serve(roots, "b", "--network", "blue"), serve(roots, "i", "--network", "inner")
    serve(users, "u", "--network", "red", "-p", "8300:80", "-p", "127.0.0.1:8301:80")
    serve(users, "un", "--network", "red"), serve(users, "ub", "--network", "blue"), serve(users, "ui", "--network", "inner")
    host, out = Place(), Place(out_ns)
    c, v, b, i = (at(roots, *x) for x in (("c", "red"), ("v", "red"), ("b", "blue"), ("i", "inner")))
    vi, c6, v6, b6 = (at(roots, *x) for x in (("v", "inner"), ("c", "red", "GlobalIPv6Address"), ("v", "red", "GlobalIPv6Address"), ("b", "blue", "GlobalIPv6Address")))
    u, ub, ui, u6 = (at(users, *x) for x in (("u", "red"), ("ub", "blue"), ("ui", "inner"), ("u", "red", "GlobalIPv6Address")))
    for name, port in (("c", 8100), ("v", 8200), ("u", 8300)):
        wait_for(lambda: host.ask([(HOST, port)], 10) == [name], what=f"{name} serves")
    for name, addr in (("b", b), ("i", i)):
        wait_for(lambda: host.ask([(addr, 80)], 5) == [name], what=f"{name} serves")
    for asker, addr, name in (("ub", ub, "ub"), ("ui", ui, "ui")):
        wait_for(lambda: Instance(users, asker).ask([(addr, 80)], 5) == [name], what=f"{name} serves")
    public = [(HOST, 8100, "c"), (HOST, 8200, "v"), (HOST, 8300, "u")]
    loopback = [(HOST, 8101, None), (HOST, 8201, None), (HOST, 8301, None)]
    hold("the host", host, [*public, *loopback, *(("127.0.0.1", p, n) for p, n in ((8100, "c"), (8200, "v"), (8300, "u"), (8101, "c"), (8201, "v"), (8301, "u"))),
                            *((a, 80, n) for a, n in ((c, "c"), (v, "v"), (b, "b"), (i, "i"), (c6, "c"), (v6, "v"))), (HOST, 80, None), (u, 80, None), (ui, 80, None)])
    inside = [(a, 80, None) for a in (c, v, b, i, vi, c6, v6, b6, u, ub, ui)]
    hold("a foreign host", out, [*public, *loopback, *inside, (HOST, 80, None)])
    same_bridge = [(c, 80, "c"), (v, 80, "v"), (c6, 80, "c"), (v6, 80, "v")]
    others = [(b, 80, None), (b6, 80, None), (i, 80, None)]
    users_inside = [(u, 80, None), (ui, 80, None)]
    n, nb, ni, vm = (Instance(roots, x) for x in ("n", "b", "i", "v"))
    hold("a container of the same network", n, [*public, *loopback, *same_bridge, *others, *users_inside])
    hold("a VM of the same network, and of the internal one", vm, [*public, *loopback, *same_bridge, (b, 80, None), (b6, 80, None), (i, 80, "i"), *users_inside])
    hold("itself", Instance(roots, "c"), [(HOST, 8100, "c"), (HOST, 8101, None)])
    hold("a container of another network", nb, [*public, *loopback, *((a, 80, None) for a in (c, v, i, vi, c6, v6)), *users_inside])
    hold("an internal network", ni, [(vi, 80, "v"), *((*p[:2], None) for p in public), *loopback, *((a, 80, None) for a in (c, v, b))])
    # A user's instances reach what that user's programs on the host do: bridges of root's are open to these, by address.
    # (The VM's own address is left out: pasta of 2023 ends its connections before the answer, whoever the client is.)
    hosts = [*public, *loopback, (c, 80, "c"), (b, 80, "b"), (i, 80, "i")]
    hold("a user's container of the same network", Instance(users, "un"), [*hosts, (u, 80, "u"), (u6, 80, "u"), (ub, 80, None), (ui, 80, None)])
    hold("a user's container of another network", Instance(users, "ub"), [*hosts, (u, 80, None), (u6, 80, None), (ui, 80, None)])
    hold("a user's container itself", Instance(users, "u"), [(HOST, 8300, "u"), (HOST, 8301, None)])
    hold("a user's internal network", Instance(users, "ui"), [(a, p, None) for a, p, _ in (*hosts, (u, 80, "u"), (ub, 80, "ub"))])
    # The operator's drop is final: what is forwarded meets it on FORWARD, what a program of the user's takes on INPUT.
    for hook, to, text in (("forward", {"c": 8100, "v": 8200}, "iifname wan0 tcp dport 80 drop"), ("input", {"u": 8300}, "iifname wan0 tcp dport 8300 drop")):
        drop(f"chain f {{ type filter hook {hook} priority 10; {text}\n }}")
        hold(f"in spite of a drop on {hook}", out, [(HOST, p, None if name in to else name) for _, p, name in public])
        hold("but the host", host, public)
        undrop()
    hold("after the drop", out, public)


main(user=True)
