#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Engine API of caisson, dockerd and podman's service, in one run.

With --instances made (none runs) each server is asked GET /containers/json over --clients kept connections, in rounds that
ask every server once in random order: requests per second, the 99th percentile of their times, and the CPU time of
the server for one, which a busy machine does not change.  Then create, start, wait
and remove of one instance that ends at once, without a network, one after the other.  At last what the server's own processes hold
(PSS; dockerd with its containerd; caisson with the process of every connection), idle and with the connections open.

Everything happens in network, mount, PID and cgroup namespaces of its own; every server has a store of its own.  What is
compared is ratios of one run.  Results go to a file per machine below .cache/bench, which is not in git.
"""
import http.client, json, os, pathlib, random, shutil, socket, statistics, subprocess, threading, time

from common import TOP, parser, save, settle
from oci_image import Layout, busybox_layer

SPAN = 1.5      # seconds of asking, a round
GOAL = {"podman": 5, "dockerd": 2}
RESIDENT_KIB = 15 * 1024


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)

    def ask(self, method, path, body=None, want=(200, 201, 204)):
        self.request(method, "/v1.41" + path, body=json.dumps(body) if body is not None else None, headers={"Content-Type": "application/json"})
        r = self.getresponse()
        data = r.read()
        if r.status not in want:
            raise RuntimeError(f"{method} {path}: {r.status} {data[:200]}")
        return data


class Asker:
    """The same question again and again, at little cost of its own: what is compared is servers."""
    QUESTION = b"GET /v1.41/containers/json?all=1 HTTP/1.1\r\nHost: localhost\r\n\r\n"

    def __init__(self, path):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.connect(str(path))

    def ask(self):
        self.s.sendall(self.QUESTION)
        data = self.s.recv(1 << 18)
        while b"\r\n\r\n" not in data:
            data += self.s.recv(1 << 18)
        head, rest = data.split(b"\r\n\r\n", 1)
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(str(head[:100]))
        at = head.lower().find(b"content-length:")
        if at >= 0:
            left = int(head[at + 15:].split(b"\r\n")[0]) - len(rest)
            while left > 0:
                left -= len(self.s.recv(1 << 18))
        else:
            while not rest.endswith(b"0\r\n\r\n"):     # the last chunk
                rest = rest[-8:] + self.s.recv(1 << 18)


def wait_for(fn, timeout, what):
    end = time.monotonic() + timeout
    while not fn():
        if time.monotonic() > end:
            raise RuntimeError(f"{what}: not in {timeout} s")
        time.sleep(0.05)


class Server:
    """args: how it is started; its socket is base/NAME.sock."""
    def __init__(self, name, base, args, load):
        self.name, self.path = name, base / f"{name}.sock"
        self.log = open(base / f"{name}.log", "wb")
        self.p = subprocess.Popen([str(x) for x in args(self.path)], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.rates, self.times, self.lives, self.cpu = [], [], [], []
        wait_for(self.answers, 60, name)
        self.image = load(self)

    def answers(self):
        if self.p.poll() is not None:
            raise RuntimeError(f"{self.name} ended: {pathlib.Path(self.log.name).read_text()[-300:]}")
        try:
            Unix(self.path).ask("GET", "/version")
            return True
        except OSError:
            return False

    def fill(self, n):
        c = Unix(self.path)
        for _ in range(n):
            c.ask("POST", "/containers/create", {"Image": self.image, "Cmd": ["/bin/true"], "HostConfig": {"NetworkMode": "none"}})
        rows = json.loads(c.ask("GET", "/containers/json?all=1"))
        if len(rows) != n:
            raise RuntimeError(f"{self.name}: {len(rows)} instances, not {n}")

    def cpu_ms(self):
        """Of its processes, and of those of its own that have ended."""
        total = 0
        for pid in self.family():
            try:
                total += sum(int(x) for x in pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:15])
            except OSError:
                pass
        return total * 1000 / os.sysconf("SC_CLK_TCK")

    def list_round(self, clients):
        cpu = self.cpu_ms()
        times, end = [[] for _ in range(clients)], time.perf_counter() + SPAN
        def one(out):
            c = Asker(self.path)
            while (t0 := time.perf_counter()) < end:
                c.ask()
                out.append(time.perf_counter() - t0)
            c.s.close()
        threads = [threading.Thread(target=one, args=(t,)) for t in times]
        t0 = time.perf_counter()
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        flat = [x * 1e3 for t in times for x in t]
        self.rates.append(len(flat) / (time.perf_counter() - t0))
        self.times += flat
        time.sleep(0.2)     # the processes of connections end
        self.cpu.append((self.cpu_ms() - cpu) / len(flat))

    def life(self):
        c = Unix(self.path)
        t0 = time.perf_counter()
        i = json.loads(c.ask("POST", "/containers/create", {"Image": self.image, "Cmd": ["/bin/true"], "HostConfig": {"NetworkMode": "none"}}))["Id"]
        c.ask("POST", f"/containers/{i}/start")
        c.ask("POST", f"/containers/{i}/wait")
        c.ask("DELETE", f"/containers/{i}")
        self.lives.append((time.perf_counter() - t0) * 1e3)
        c.close()

    def family(self):
        """Its process and everything that came from it but instances."""
        out, todo = [], [self.p.pid]
        while todo:
            pid = todo.pop()
            out.append(pid)
            for t in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
                todo += [int(x) for x in t.read_text().split()]
        return out

    def pss_kib(self):
        total = 0
        for pid in self.family():
            try:
                total += sum(int(l.split()[1]) for l in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines() if l.startswith("Pss:"))
            except OSError:
                pass
        return total

    def memory(self, clients):
        cs = [Unix(self.path) for _ in range(clients)]
        for c in cs:
            c.ask("GET", "/containers/json?all=1")
        busy = self.pss_kib()
        for c in cs:
            c.close()
        time.sleep(1)
        self.idle_kib, self.open_kib = self.pss_kib(), busy


def servers(a, base, layout):
    def caisson(sock):
        return [a.build / "caisson", "--root", base / "c-root", "--run-root", base / "c-run", "serve", "--listen", f"unix://{sock}"]
    def caisson_load(s):
        subprocess.run([a.build / "caisson", "--root", base / "c-root", "--run-root", base / "c-run", "pull", "-q", f"oci:{layout.path}"], check=True, capture_output=True)
        return json.loads(Unix(s.path).ask("GET", "/images/json"))[0]["Id"]
    def docker(sock):
        (base / "daemon.json").write_text("{}")
        return ["dockerd", "--config-file", base / "daemon.json", "--data-root", base / "d-root", "--exec-root", base / "d-exec", "--pidfile", base / "d-pid", "-H", f"unix://{sock}",
                "--bridge=none", "--iptables=false", "--ip6tables=false"]
    def docker_load(s):
        subprocess.run(["skopeo", "copy", "-q", f"oci:{layout.path}:latest", f"docker-archive:{base}/d.tar:bench:1"], check=True, capture_output=True)
        subprocess.run(["docker", "-H", f"unix://{s.path}", "load", "-q", "-i", base / "d.tar"], check=True, capture_output=True)
        return "bench:1"
    pod = ["podman", "--root", base / "p-root", "--runroot", base / "p-run", "--cgroup-manager=cgroupfs", "--events-backend=none", "--tmpdir", base / "p-tmp"]
    def podman(sock):
        return [*pod, "system", "service", "--time=0", f"unix://{sock}"]
    def podman_load(s):
        out = subprocess.run([str(x) for x in [*pod, "pull", "-q", f"oci:{layout.path}:latest"]], check=True, capture_output=True, text=True).stdout
        return out.split()[-1]
    found = []
    for name, args, load in (("caisson", caisson, caisson_load), ("dockerd", docker, docker_load), ("podman", podman, podman_load)):
        if name != "caisson" and not shutil.which(name, path=os.environ["PATH"]):
            print(f"{name}: not installed")
            continue
        try:
            s = Server(name, base, args, load)
            s.fill(a.instances)
            s.life()
            s.lives.clear()
            found.append(s)
        except (RuntimeError, OSError, subprocess.CalledProcessError) as e:
            print(f"{name}: left out: {getattr(e, 'stderr', None) or e}")
            if name == "caisson":
                raise
    return found


def main():
    ap = parser(__doc__, rounds=7)
    ap.add_argument("--instances", default=100, type=int)
    ap.add_argument("--clients", default=8, type=int)
    ap.add_argument("--lives", default=3, type=int, help="a round")
    a, inside = settle(ap)
    base = pathlib.Path(inside) / "bench-api"
    base.mkdir()
    layout = Layout(base / "layout")
    layout.image([(busybox_layer([("proc", None), ("dev", None), ("sys", None)]), "gzip")], {"Cmd": ["sh"]})
    all_ = servers(a, base, layout)
    for _ in range(a.rounds):
        for s in random.sample(all_, len(all_)):
            s.list_round(a.clients)
        for _ in range(a.lives):
            for s in random.sample(all_, len(all_)):
                s.life()
    result = {}
    print(f"GET /containers/json, {a.instances} instances, {a.clients} connections; {a.rounds} rounds on {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
    print(f"{'':10}{'requests/s':>12}{'p99 ms':>10}{'CPU ms':>10}{'life ms':>10}{'idle KiB':>10}{'open KiB':>10}")
    for s in all_:
        s.memory(a.clients)
        p99 = sorted(s.times)[int(len(s.times) * 0.99)]
        result[s.name] = {"rps": statistics.median(s.rates), "p99_ms": p99, "cpu_ms": statistics.median(s.cpu), "life_ms": statistics.median(s.lives), "idle_kib": s.idle_kib, "open_kib": s.open_kib,
                          "requests": len(s.times), "lives": len(s.lives), "rates": s.rates}
        r = result[s.name]
        print(f"{s.name:10}{r['rps']:12.0f}{r['p99_ms']:10.2f}{r['cpu_ms']:10.2f}{r['life_ms']:10.1f}{r['idle_kib']:10}{r['open_kib']:10}")
    us = result["caisson"]
    for name, want in GOAL.items():
        if name in result:
            r = result[name]
            print(f"against {name}: {us['rps'] / r['rps']:.1f} times the requests (goal {want}), {r['cpu_ms'] / us['cpu_ms']:.1f} times less CPU time for each, p99 {r['p99_ms'] / us['p99_ms']:.1f} times shorter, a life {r['life_ms'] / us['life_ms']:.1f} times faster")
    print(f"server: {us['idle_kib'] / 1024:.1f} MiB idle, {us['open_kib'] / 1024:.1f} MiB with {a.clients} connections (goal below {RESIDENT_KIB >> 10})")
    save("api", a, result)


main()
