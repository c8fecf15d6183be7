#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the network costs: a published port beside the host's network, the 500th instance beside the first, an answer to a name.

HTTP: nginx serves 1 KiB to wrk, which runs on a machine of its own (a network namespace behind a veth pair), and on the host.  Every
server is up all the time; rounds ask each once in random order, and what counts is the median of the ratio to `--network host` of the
same round and client.  On a machine that does other work the CPU time for one request says more (it is exact, softirqs included).
All nginx of ours run behind the same wall, so that what differs is the network:

  host        a container on the host's network
  published   a container on the bridge with a published port
  hooked      the same, while net.bridge.bridge-nf-call-iptables is on: Docker and Kubernetes turn it on, and this kernel begins with it
  floor       a container in a namespace behind a bare veth pair, routed: no bridge, no port translated.  What the kernel asks for the
              second hop, and what no rules of ours could go below
  rootless    an ordinary user's container with a published port (pasta beside, caisson-forward between); --user
  vm          a VM (--vm)
  podman, podman-user    podman's own, as root on its bridge and as a user (slirp4netns before podman 4.4), where it is installed

Instances: net_tool attaches --many, each with a published port, to the network layer alone; the first and the last 20 are compared, and
how many elements each added to our tables.  The system calls of the 500th are those of the first; what grows is inside the kernel: a bridge
walks its ports when one is added (br_add_if), and /proc/sys/net finds a name among those of all namespaces.  Names: --asks questions from inside a container, and after the server was killed with -9.

Everything happens in namespaces of its own.  Results go to a file per machine below .cache/bench, which is not in git.
"""
import ctypes, json, os, pathlib, random, re, resource, shutil, signal, socket, statistics, struct, subprocess, time

from common import parser, save, settle
from caisson_test import USER, can_rootless, settle_user
from oci_image import Layout, busybox_layer

HOST, OUT = "198.51.100.1", "198.51.100.2"     # 192.0.2.0/24 is settle_user()'s
HOOKS = pathlib.Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
WANT_PUBLISHED, WANT_ANSWER_MS, WANT_LAST = 0.95, 1.0, 1.5
LIBC = ctypes.CDLL(None, use_errno=True)


def good(argv, **kw):
    p = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, capture_output=True, text=True, **kw)
    if p.returncode:
        raise RuntimeError(f"{' '.join(map(str, argv))[:160]}: exit {p.returncode}: {p.stderr.strip()[-300:]}")
    return p.stdout


def outside():
    """A machine beside the host: a process that holds its namespace."""
    holder = subprocess.Popen(["unshare", "-n", "sh", "-c", "echo; exec sleep 100000"], stdout=subprocess.PIPE)
    holder.stdout.readline()
    good(["ip", "link", "add", "up0", "type", "veth", "peer", "name", "up0", "netns", str(holder.pid)])
    good(["ip", "addr", "add", f"{HOST}/24", "dev", "up0"])
    good(["ip", "link", "set", "up0", "up"])
    for words in (["addr", "add", f"{OUT}/24", "dev", "up0"], ["link", "set", "up0", "up"], ["link", "set", "lo", "up"]):
        good(["nsenter", "-t", holder.pid, "-n", "ip", *words])
    return holder


def nginx_files(base, port):
    """Configuration and page of one server, below a directory that is mounted as /srv."""
    d = base / f"nginx-{port}"
    d.mkdir()
    (d / "page").write_text("x" * 1023 + "\n")
    (d / "nginx.conf").write_text(f"daemon off; master_process off; pid /tmp/pid; error_log /dev/null crit;\nevents {{ worker_connections 512; }}\n"
                                  "http { access_log off; client_body_temp_path /tmp/b; proxy_temp_path /tmp/p; fastcgi_temp_path /tmp/f; uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s;\n"
                                  f"server {{ listen {port}; location / {{ root /tmp; }} }} }}\n")
    return d


def mounts(d):
    """The host's programs and libraries, read-only, under an image that has none."""
    return [x for p in ("/usr", "/lib", "/lib64", "/etc/passwd", "/etc/group") for x in ("-v", f"{p}:{p}:ro")] + ["-v", f"{d}:/srv:ro", "--tmpfs", "/tmp"]


# From memory: a VM has /srv by a file system of its host, which is not what is measured.
SERVE = ["sh", "-c", "cp /srv/page /tmp/page && exec /usr/sbin/nginx -c /srv/nginx.conf"]


def as_user(argv):
    """argv as the ordinary user of settle_user(), with a home and a run directory."""
    home = pathlib.Path("/run/ann")
    if not home.exists():
        for d in (home, home / "run"):
            d.mkdir(mode=0o700)
            os.chown(d, USER, USER)
    return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "env", f"HOME={home}", f"XDG_RUNTIME_DIR={home}/run", *map(str, argv)]


class Floor:
    """A namespace with an address behind a bare veth pair, to which the outside and the host have a route."""
    def __init__(self, holder):
        self.address = "10.99.0.2"
        self.holder = subprocess.Popen(["unshare", "-n", "sh", "-c", "echo; exec sleep 100000"], stdout=subprocess.PIPE)
        self.holder.stdout.readline()
        good(["ip", "link", "add", "fl0", "type", "veth", "peer", "name", "eth0", "netns", self.holder.pid])
        for words in (["addr", "add", "10.99.0.1/24", "dev", "fl0"], ["link", "set", "fl0", "up"]):
            good(["ip", *words])
        for words in (["link", "set", "lo", "up"], ["addr", "add", f"{self.address}/24", "dev", "eth0"], ["link", "set", "eth0", "up"], ["route", "add", "default", "via", "10.99.0.1"]):
            good([*self.inside(), "ip", *words])
        good(["nsenter", "-t", holder.pid, "-n", "ip", "route", "add", "10.99.0.0/24", "via", HOST])

    def inside(self):
        return ["nsenter", "-t", self.holder.pid, "-n"]


def caisson(a, where, layout, before=()):
    args = [*before, a.build / "caisson", "--root", where / "root", "--run-root", where / "run"]
    good([*args, "pull", "-q", f"oci:{layout.path}"])
    return args, good([*args, "images", "-q"]).split()[0]


def podman(base, layout, port, inner, wrap):
    argv = wrap(["podman", "--root", base / "podman", "--runroot", base / "podman-run", "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--events-backend", "none"])
    try:
        ref = good([*argv, "pull", "-q", f"oci:{layout.path}"]).strip()
        good([*argv, "run", "-d", "--cgroups", "disabled", "-p", f"{port}:{inner}", *mounts(nginx_files(base, inner)), ref, *SERVE])
        return port
    except RuntimeError as e:
        print(f"podman is left out: {e}")


def users(a, base, layout):
    """The servers of an ordinary user: name: (address, port)."""
    out = {}
    settle_user(base)
    os.setresuid(0, 0, 0)
    os.setresgid(0, 0, 0)
    home = pathlib.Path(as_user([])[5].partition("=")[2])
    for d in ("c", "p"):
        (home / d).mkdir()
        os.chown(home / d, USER, USER)
    args, image = caisson(a, home / "c", layout, as_user([]))
    good([*args, "run", "-d", "--user", "0", "-p", "8004:83", *mounts(nginx_files(base, 83)), image, *SERVE])
    out["rootless"] = (HOST, 8004)
    if shutil.which("podman") and podman(home / "p", layout, 8005, 84, as_user):
        out["podman-user"] = (HOST, 8005)
    return out


def servers(a, base, layout, floor):
    """name: (address, port)."""
    args, image = caisson(a, base, layout)
    run = [*args, "run", "-d", "--user", "0"]
    good([*run, "--network", "host", *mounts(nginx_files(base, 8000)), image, *SERVE])
    good([*run, "-p", "8001:80", *mounts(nginx_files(base, 80)), image, *SERVE])
    out = {"host": (HOST, 8000), "published": (HOST, 8001)}
    if HOOKS.exists():
        out["hooked"] = (HOST, 8001)
    (base / "floor").mkdir()
    at_floor, image2 = caisson(a, base / "floor", layout, floor.inside())
    good([*at_floor, "run", "-d", "--user", "0", "--network", "host", *mounts(nginx_files(base, 8010)), image2, *SERVE])
    out["floor"] = (floor.address, 8010)
    if a.vm:
        d = nginx_files(base, 81)
        good([*run, "--isolation", "vm", "-m", "512m", "-p", "8002:81", *mounts(d), image, *SERVE])
        out["vm"] = (HOST, 8002)
    if shutil.which("podman") and podman(base, layout, 8003, 82, lambda x: x):
        out["podman"] = (HOST, 8003)
    if a.user:
        out.update(users(a, base, layout))
    return args, image, out


def cpu_time():
    """Seconds of CPU of everything in this PID namespace, and of children that ended: softirqs that interrupt it among them."""
    ns = 0
    for p in (p for p in os.listdir("/proc") if p.isdigit()):
        try:
            ns += sum(int(pathlib.Path(f"/proc/{p}/task/{t}/schedstat").read_text().split()[0]) for t in os.listdir(f"/proc/{p}/task"))
        except OSError:
            pass
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ns / 1e9 + ended.ru_utime + ended.ru_stime


def wrk(client, name, at, seconds):
    """Requests per second, and microseconds of CPU that client, servers and network took for one."""
    if HOOKS.exists():
        HOOKS.write_text("1" if name == "hooked" else "0")
    before = cpu_time()
    out = good([*client, "wrk", "-t", "1", "-c", "16", "-d", f"{seconds}s", f"http://{at[0]}:{at[1]}/page"])
    if "Non-2xx" in out:
        raise RuntimeError(out)
    took = cpu_time() - before
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]), took * 1e6 / int(re.search(r"(\d+) requests in", out)[1])


def answers(at):
    try:
        with socket.create_connection(at, 5) as s:
            s.settimeout(5)
            s.sendall(b"GET /page HTTP/1.0\r\n\r\n")
            return s.recv(20).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def wait_all(at):
    for name, to in list(at.items()):
        end = time.monotonic() + 120
        while not answers(to) and time.monotonic() < end:
            time.sleep(0.2)
        if not answers(to):
            if name in ("host", "published", "floor"):
                raise RuntimeError(f"{name} does not answer")
            print(f"{name} is left out: it does not answer")
            del at[name]


def http(a, holder, at):
    clients = {"outside": ["nsenter", "-t", holder.pid, "-n"], "the host": []}
    wait_all(at)
    rates = {(c, name): [] for c in clients for name in at}
    for key in rates:
        wrk(clients[key[0]], key[1], at[key[1]], 1)
    for _ in range(a.rounds):
        for c, name in random.sample(list(rates), len(rates)):
            rates[c, name].append(wrk(clients[c], name, at[name], a.seconds))
    median = {k: statistics.median(x[0] for x in v) for k, v in rates.items()}
    cost = {k: statistics.median(x[1] for x in v) for k, v in rates.items()}
    ratio = {(c, n): statistics.median(x[0] / h[0] for x, h in zip(v, rates[c, "host"])) for (c, n), v in rates.items()}
    print(f"\nHTTP, 1 KiB, {a.rounds} rounds of {a.seconds} s: requests per second (median), beside --network host, and microseconds of CPU for one, client and all; load {os.getloadavg()[0]:.1f}")
    print(f"  {'client:':12}{''.join(f'{c:>27}' for c in clients)}")
    for name in at:
        print(f"  {name:12}" + "".join(f"{median[c, name]:12.0f} {ratio[c, name]:6.2f} {cost[c, name]:7.1f}" for c in clients))
    busy = {n: cost["outside", "host"] / cost["outside", n] for n in at}
    got, floor = ratio["outside", "published"], ratio["outside", "floor"]
    print(f"  published: {'reached' if got >= WANT_PUBLISHED else 'MISSED'} (want {WANT_PUBLISHED}); {got / floor:.2f} of the floor; by CPU time published {busy['published']:.2f}, floor {busy['floor']:.2f}")
    for ours, theirs in (("published", "podman"), ("rootless", "podman-user"), ("vm", "podman-user")):
        if ours in at and theirs in at:
            print(f"  {ours} is {statistics.median(x[0] / y[0] for x, y in zip(rates['outside', ours], rates['outside', theirs])):.2f} of {theirs}, by CPU time {cost['outside', theirs] / cost['outside', ours]:.2f}")
    return {"rates": {f"{c}, {n}": v for (c, n), v in rates.items()}, "ratios": {f"{c}, {n}": v for (c, n), v in ratio.items()},
            "cpu_us": {f"{c}, {n}": v for (c, n), v in cost.items()}}


def elements():
    rules = json.loads(good(["nft", "-j", "list", "ruleset"]))["nftables"]
    return sum(len(x[kind].get("elem", [])) for x in rules for kind in ("set", "map") if kind in x and x[kind]["table"].startswith("caisson"))


def instances(a, base):
    tool = [a.build / "net_tool", "bench", base / "many", base / "many-run"]
    good([*tool, "1", "container", "0:80"])  # the network and its rules are there
    took = [[int(x) / 1e6 for x in line.split()] for line in good([*tool, str(a.many), "container", "0:80"]).splitlines()]
    (first, cpu_first), (last, cpu_last) = ((statistics.median(t[0] for t in part), statistics.median(t[2] for t in part)) for part in (took[:20], took[-20:]))
    counts = [elements()]
    held = []
    for i in range(2):
        p = subprocess.Popen([a.build / "net_tool", "hold", base / "many", base / "many-run", f"{i + 1:064x}"[::-1], "container", "bridge", "0:80"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        p.stdout.readline()
        held.append(p)
        counts.append(elements())
    for p in held:
        p.stdin.close()
        p.wait()
    print(f"\n{a.many} instances with a published port each: attach {first:.2f} ms (first 20) to {last:.2f} ms (last 20), ratio {last / first:.2f}: "
          f"{'reached' if last / first <= WANT_LAST else 'MISSED'} (want {WANT_LAST}); "
          f"of CPU {cpu_first:.2f} to {cpu_last:.2f} ms, ratio {cpu_last / cpu_first:.2f}; elements for one: {counts[1] - counts[0]}, for the next: {counts[2] - counts[1]}")
    return {"first_ms": first, "last_ms": last, "first_cpu_ms": cpu_first, "last_cpu_ms": cpu_last, "elements": counts, "took": took}


def ask(s, i):
    s.send(struct.pack("!HHHHHH", i & 0xffff, 0x100, 1, 0, 0, 0) + b"\3one\0\0\1\0\1")
    if s.recv(512)[6:8] != b"\0\1":
        raise RuntimeError("a name without an address")


def name_server():
    out = []
    for p in (p for p in os.listdir("/proc") if p.isdigit()):
        try:
            if pathlib.Path(f"/proc/{p}/comm").read_text().strip() == "caisson-names":
                out.append(int(p))
        except OSError:     # it ended meanwhile
            pass
    return out


def names(a, args, image):
    good([*args, "network", "create", "--subnet", "172.28.0.0/24", "named"])
    good([*args, "run", "-d", "--name", "one", "--network", "named", image, "sleep", "100000"])
    pid = good([*args, "inspect", "-f", "{{.State.Pid}}", "one"]).strip()
    home, ns = os.open("/proc/self/ns/net", os.O_RDONLY), os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    LIBC.setns(ns, 0x40000000)
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    LIBC.setns(home, 0x40000000)
    s.connect(("172.28.0.1", 53))
    s.settimeout(5)
    took = []
    for i in range(a.asks):
        begin = time.perf_counter()
        ask(s, i)
        took.append((time.perf_counter() - begin) * 1e3)
    took.sort()
    p50, p99 = took[len(took) // 2], took[len(took) * 99 // 100]
    for p in name_server():
        os.kill(p, signal.SIGKILL)
    begin = time.perf_counter()
    good([*args, "run", "--rm", "--network", "named", image, "true"])
    ask(s, 0)
    back = (time.perf_counter() - begin) * 1e3
    print(f"\nnames: an answer takes {p50 * 1e3:.0f} us (median), {p99 * 1e3:.0f} us (99 %): {'reached' if p99 < WANT_ANSWER_MS else 'MISSED'} (want under {WANT_ANSWER_MS:.0f} ms); "
          f"killed with -9 it answers again with the next instance that starts: {back:.0f} ms, that instance's whole life among them")
    return {"p50_ms": p50, "p99_ms": p99, "back_ms": back}


def main():
    ap = parser(__doc__, 5)
    ap.add_argument("--seconds", default=2, type=int, help="of each HTTP measurement")
    ap.add_argument("--many", default=500, type=int)
    ap.add_argument("--asks", default=2000, type=int)
    ap.add_argument("--vm", action="store_true", help="a VM, too")
    ap.add_argument("--user", action="store_true", help="an ordinary user's, too")
    a, inside = settle(ap)
    base = pathlib.Path(inside) / "bench"
    base.mkdir()
    if not all(shutil.which(x) for x in ("nginx", "wrk", "nft", "nsenter")):
        raise SystemExit("bench: needs nginx-light, wrk, nftables and util-linux")
    layout = Layout(base / "layout")
    layout.image([(busybox_layer([(d, None) for d in ("proc", "dev", "sys")]), "gzip")], {"Cmd": ["sh"]})
    holder = outside()
    for d in (inside, base, layout.path):
        os.chmod(d, 0o755)
    if a.user and not can_rootless():
        raise SystemExit("bench: --user needs uidmap, pasta or slirp4netns, and a build tree that others can read")
    args, image, at = servers(a, base, layout, Floor(holder))
    result = {"http": http(a, holder, at), "names": names(a, args, image)}
    result["instances"] = instances(a, base)
    save("net", a, result)


main()
