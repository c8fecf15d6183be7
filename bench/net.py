#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the network costs: a published port beside the host's network, the 500th instance beside the first, an answer to a name.

HTTP: nginx serves 1 KiB to wrk, which runs on a machine of its own (a network namespace behind a veth pair).  Every server is
up all the time; rounds ask each once in random order, and what counts is the median of the ratio to `--network host` of the same round.
The servers are a container on the bridge with a published port, one on the host's network, a VM (--vm), and podman's bridge
where podman is installed.  Instances: net_tool attaches --many, each with a published port, to the network layer alone; the first and
the last 20 are compared, and how many elements each added to our tables.  Names: --asks questions from inside a container.

Everything happens in namespaces of its own.  Results go to a file per machine below .cache/bench, which is not in git.
"""
import ctypes, json, os, pathlib, random, re, shutil, socket, statistics, struct, subprocess, time

from common import parser, save, settle
from oci_image import Layout, busybox_layer

HOST, OUT = "192.0.2.1", "192.0.2.2"
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
                                  f"server {{ listen {port}; location / {{ root /srv; }} }} }}\n")
    return d


def mounts(d):
    """The host's programs and libraries, read-only, under an image that has none."""
    return [x for p in ("/usr", "/lib", "/lib64", "/etc/passwd", "/etc/group") for x in ("-v", f"{p}:{p}:ro")] + ["-v", f"{d}:/srv:ro", "--tmpfs", "/tmp"]


SERVE = ["/usr/sbin/nginx", "-c", "/srv/nginx.conf"]


def servers(a, base, layout):
    """name: port on the host."""
    args = [a.build / "caisson", "--root", base / "root", "--run-root", base / "run"]
    good([*args, "pull", "-q", f"oci:{layout.path}"])
    image = good([*args, "images", "-q"]).split()[0]
    run = [*args, "run", "-d", "--user", "0"]
    good([*run, "--network", "host", *mounts(nginx_files(base, 8000)), image, *SERVE])
    good([*run, "-p", "8001:80", *mounts(nginx_files(base, 80)), image, *SERVE])
    out = {"host": 8000, "published": 8001}
    if a.vm:
        d = nginx_files(base, 81)
        good([*run, "--isolation", "vm", "-m", "512m", "-p", "8002:81", *mounts(d), image, *SERVE])
        out["vm"] = 8002
    if shutil.which("podman"):
        podman = ["podman", "--root", base / "podman", "--runroot", base / "podman-run", "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--events-backend", "none"]
        try:
            ref = good([*podman, "pull", "-q", f"oci:{layout.path}"]).strip()
            good([*podman, "run", "-d", "-p", "8003:82", *mounts(nginx_files(base, 82)), ref, *SERVE])
            out["podman"] = 8003
        except RuntimeError as e:
            print(f"podman is left out: {e}")
    return args, image, out


def wrk(holder, port, seconds):
    out = good(["nsenter", "-t", holder.pid, "-n", "wrk", "-t", "1", "-c", "16", "-d", f"{seconds}s", f"http://{HOST}:{port}/page"])
    if "Non-2xx" in out:
        raise RuntimeError(out)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])


def http(a, holder, ports):
    for port in ports.values():
        for attempt in range(300):
            try:
                socket.create_connection((HOST, port), 5).close()
                break
            except OSError:
                time.sleep(0.2)
        wrk(holder, port, 1)
    rates = {name: [] for name in ports}
    for _ in range(a.rounds):
        for name in random.sample(list(ports), len(ports)):
            rates[name].append(wrk(holder, ports[name], a.seconds))
    ratios = {name: statistics.median(x / h for x, h in zip(rates[name], rates["host"])) for name in ports}
    print(f"\nHTTP, 1 KiB, {a.rounds} rounds of {a.seconds} s: requests per second (median), and beside --network host")
    for name in ports:
        print(f"  {name:10} {statistics.median(rates[name]):9.0f}  {ratios[name]:5.2f}")
    print(f"  published: {'reached' if ratios['published'] >= WANT_PUBLISHED else 'MISSED'} (want {WANT_PUBLISHED})")
    return {"rates": rates, "ratios": ratios}


def elements():
    rules = json.loads(good(["nft", "-j", "list", "ruleset"]))["nftables"]
    return sum(len(x[kind].get("elem", [])) for x in rules for kind in ("set", "map") if kind in x and x[kind]["table"].startswith("caisson"))


def instances(a, base):
    tool = [a.build / "net_tool", "bench", base / "many", base / "many-run"]
    good([*tool, "1", "container", "0:80"])  # the network and its rules are there
    took = [[int(x) / 1e6 for x in line.split()] for line in good([*tool, str(a.many), "container", "0:80"]).splitlines()]
    first, last = (statistics.median(t[0] for t in part) for part in (took[:20], took[-20:]))
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
          f"{'reached' if last / first <= WANT_LAST else 'MISSED'} (want {WANT_LAST}); elements for one: {counts[1] - counts[0]}, for the next: {counts[2] - counts[1]}")
    return {"first_ms": first, "last_ms": last, "elements": counts, "took": took}


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
        s.send(struct.pack("!HHHHHH", i & 0xffff, 0x100, 1, 0, 0, 0) + b"\3one\0\0\1\0\1")
        if s.recv(512)[6:8] != b"\0\1":
            raise RuntimeError("a name without an address")
        took.append((time.perf_counter() - begin) * 1e3)
    took.sort()
    p50, p99 = took[len(took) // 2], took[len(took) * 99 // 100]
    print(f"\nnames: an answer takes {p50 * 1e3:.0f} us (median), {p99 * 1e3:.0f} us (99 %): {'reached' if p50 < WANT_ANSWER_MS else 'MISSED'} (want under {WANT_ANSWER_MS:.0f} ms)")
    return {"p50_ms": p50, "p99_ms": p99}


def main():
    ap = parser(__doc__, 5)
    ap.add_argument("--seconds", default=2, type=int, help="of each HTTP measurement")
    ap.add_argument("--many", default=500, type=int)
    ap.add_argument("--asks", default=2000, type=int)
    ap.add_argument("--vm", action="store_true", help="a VM, too")
    a, inside = settle(ap)
    base = pathlib.Path(inside) / "bench"
    base.mkdir()
    if not all(shutil.which(x) for x in ("nginx", "wrk", "nft", "nsenter")):
        raise SystemExit("bench: needs nginx-light, wrk, nftables and util-linux")
    layout = Layout(base / "layout")
    layout.image([(busybox_layer([(d, None) for d in ("proc", "dev", "sys")]), "gzip")], {"Cmd": ["sh"]})
    holder = outside()
    args, image, ports = servers(a, base, layout)
    result = {"http": http(a, holder, ports), "names": names(a, args, image)}
    result["instances"] = instances(a, base)
    save("net", a, result)


main()
