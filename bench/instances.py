#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Living with instances: caisson, podman and docker in one run.

What is timed, in rounds that run every engine once in random order: `run --rm IMAGE true` on the engine's bridge, `run -d`,
`exec IMAGE true`, and 50 of the first at once.  Then what each engine's own processes hold for idle containers (PSS), and for
caisson `ps` with --many instances and the time of a start from the first to the last of them.  Beside it the floor
(bench/floor.c: the kernel's share alone) and the phases of our own trace.

Everything happens in network, mount, PID and cgroup namespaces of its own; dockerd and containerd run there on a private
socket, podman on a storage of its own.  What is compared is ratios of medians of one run, not milliseconds.  Results go to a
file per machine below .cache/bench, which is not in git.
"""
import json, os, pathlib, random, re, shutil, statistics, subprocess, time

from common import TOP, parser, save, settle
from oci_image import Layout, busybox_layer

WANT = {"run --rm": 15, "run -d": 10, "exec": 10}     # how often we go into them
PSS_KIB = 0.4 * 1024
PS_MS = 20


def call(argv, **kw):
    return subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, capture_output=True, text=True, **kw)


def good(argv, **kw):
    p = call(argv, **kw)
    if p.returncode:
        raise RuntimeError(f"{' '.join(map(str, argv))[:120]}: exit {p.returncode}: {p.stderr.strip()[-300:]}")
    return p.stdout


def timed(argv):
    t0 = time.perf_counter()
    out = good(argv)
    return (time.perf_counter() - t0) * 1e3, out


class Engine:
    """args: the command line up to the command; image: how it calls the image."""
    name, daemon, flags = "caisson", None, []

    def __init__(self, a, base, layout):
        self.args = [a.build / "caisson", "--root", base / "root", "--run-root", base / "run"]
        good([*self.args, "pull", "-q", f"oci:{layout.path}"])
        self.image = good([*self.args, "images", "-q"]).split()[0]

    def argv(self, *words):
        return [*self.args, *words]

    def run_rm(self):
        return timed(self.argv("run", "--rm", *self.flags, self.image, "/bin/true"))[0]

    def run_d(self, keep=None):
        ms, out = timed(self.argv("run", "-d", *self.flags, *(["--name", keep] if keep else []), self.image, "/bin/sleep", "100000"))
        if not keep:
            good(self.argv("rm", "-f", out.strip()))
        return ms

    def exec(self):
        return timed(self.argv("exec", "bench-exec", "/bin/true"))[0]

    def parallel(self, n):
        t0 = time.perf_counter()
        ps = [subprocess.Popen([str(x) for x in self.argv("run", "--rm", *self.flags, self.image, "/bin/true")], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(n)]
        for p in ps:
            err = p.communicate()[1]
            if p.returncode:
                raise RuntimeError(f"{self.name}: one of {n}: {err.decode(errors='replace').strip()[-200:]}")
        return (time.perf_counter() - t0) * 1e3

    def stop(self):
        pass


class Podman(Engine):
    name = "podman"

    def __init__(self, a, base, layout):
        d = base / "podman"
        self.args = ["podman", "--root", d / "root", "--runroot", d / "run", "--tmpdir", d / "tmp", "--cgroup-manager=cgroupfs", "--events-backend=none"]
        self.image = good([*self.args, "pull", "-q", f"oci:{layout.path}:latest"]).split()[-1]
        self.flags = ["--network=podman", "--log-driver=k8s-file"]
        # Its default CNI network, told once in a file of its own.
        (d / "cni").mkdir()
        (d / "cni/87-podman.conflist").write_text(json.dumps({"cniVersion": "0.4.0", "name": "podman", "plugins": [
            {"type": "bridge", "bridge": "cni-podman0", "isGateway": True, "ipMasq": True, "ipam": {
                "type": "host-local", "dataDir": str(d / "ipam"), "routes": [{"dst": "0.0.0.0/0"}], "ranges": [[{"subnet": "10.88.0.0/16"}]]}},
            {"type": "portmap", "capabilities": {"portMappings": True}}, {"type": "firewall"}]}))
        self.args += ["--network-config-dir", d / "cni"]


class Docker(Engine):
    name = "docker"

    def __init__(self, a, base, layout):
        d = base / "docker"
        d.mkdir()
        self.args = [shutil.which("docker", path="/usr/bin:/bin") or "docker", "--host", f"unix://{d}/s"]
        (d / "daemon.json").write_text("{}")
        self.log = open(d / "log", "w")
        self.daemon = subprocess.Popen(["dockerd", "--config-file", str(d / "daemon.json"), "--data-root", str(d / "root"), "--exec-root", str(d / "exec"), "--pidfile",
                                        str(d / "pid"), "--host", f"unix://{d}/s"], stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while call([*self.args, "version"]).returncode:
            if self.daemon.poll() is not None or time.monotonic() > end:
                raise RuntimeError("dockerd does not come up: " + (d / "log").read_text()[-400:])
            time.sleep(0.2)
        archive = d / "image.tar"
        subprocess.run(["skopeo", "copy", "-q", f"oci:{layout.path}:latest", f"docker-archive:{archive}:bench:latest"], check=True)
        good([*self.args, "load", "-q", "-i", archive])
        self.image = "bench:latest"

    def stop(self):
        self.daemon.terminate()
        self.daemon.wait(60)


# ---- memory of idle containers ----

DAEMONS = ("dockerd", "containerd", "docker-proxy")


def engine_processes(e):
    """pid -> (name, PSS in KiB) of everything here that is neither a workload nor this program nor another engine's."""
    out = {}
    for pid in (p for p in os.listdir("/proc") if p.isdigit()):
        try:
            exe = os.path.basename(os.readlink(f"/proc/{pid}/exe"))
            if int(pid) in (1, os.getpid(), os.getppid()) or exe.startswith("busybox") or exe.startswith("python"):
                continue
            if exe.startswith(DAEMONS) != (e.daemon is not None):
                continue
            out[pid] = exe, int(re.search(r"^Pss: +(\d+)", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)[1])
        except (OSError, TypeError):
            pass
    return out


def idle(e, n):
    before = engine_processes(e)
    for i in range(n):
        e.run_d(keep=f"idle{i}")
    time.sleep(1)
    after = engine_processes(e)
    good(e.argv("rm", "-f", *(f"idle{i}" for i in range(n))))
    # A daemon serves all of them; what it already held before the first is its own.
    total = sum(kib - before.get(pid, ("", 0))[1] for pid, (_, kib) in after.items())
    with_daemon = sum(kib for _, kib in after.values())
    return total / n, with_daemon / n, sorted({name for name, _ in after.values()})


# ---- many ----

def many(e, n):
    starts, ps = [], []
    for i in range(n):
        starts.append(e.run_d(keep=f"many{i}"))
        if (i + 1) % 100 == 0:
            print(f"  {i + 1} started", flush=True)
    for _ in range(15):
        ps.append(timed(e.argv("ps"))[0])
    rows = good(e.argv("ps", "-q")).count("\n")
    if rows != n:
        raise RuntimeError(f"{rows} of {n} run")
    t0 = time.perf_counter()
    good(e.argv("rm", "-f", *(f"many{i}" for i in range(n))))
    return {"starts_ms": starts, "ps_ms": ps, "rm_s": time.perf_counter() - t0}


# ---- one run ----

def med(v):
    return statistics.median(v) if v else float("nan")


def phases(e):
    seen = {}
    for _ in range(10):
        trace = pathlib.Path(e.args[2]).parent / "trace"
        trace.write_text("")
        subprocess.run([str(x) for x in e.argv("run", "--rm", e.image, "/bin/true")], env={**os.environ, "CAISSON_TRACE": str(trace)}, stdin=subprocess.DEVNULL,
                       capture_output=True)
        begin, end = {}, {}
        for line in trace.read_text().splitlines():
            ns, _, what, name = line.split()
            (begin if what == "begin" else end if what == "end" else {}).setdefault(name, []).append(int(ns))
        for name in begin.keys() & end.keys():
            seen.setdefault(name, []).append((max(end[name]) - min(begin[name])) / 1e6)
    return {k: med(v) for k, v in seen.items()}


def make_engines(a, base):
    layout = Layout(base / "layout")
    layer = busybox_layer([("proc", None), ("dev", None), ("sys", None)])
    layout.image([(layer, "gzip")], {"Cmd": ["sh"]})
    out, left_out = [], {}
    for kind in (Engine, Podman, Docker):
        if kind.name in a.without:
            continue
        try:
            e = kind(a, base, layout)
            e.run_rm()
            e.run_d(keep="bench-exec")
            e.exec()
            out.append(e)
        except (RuntimeError, OSError, subprocess.CalledProcessError) as why:
            left_out[kind.name] = str(why)
            print(f"{kind.name}: left out: {why}", flush=True)
    rootfs = base / "rootfs"
    rootfs.mkdir()
    subprocess.run(["tar", "-x", "-C", str(rootfs)], input=layer, check=True)
    floor = base / "floor"
    subprocess.run(["cc", "-O2", "-static", "-o", str(floor), str(TOP / "bench/floor.c")], check=True)
    return out, left_out, [floor, rootfs, "/bin/true"]


def rounds(a, engines, floor):
    took = {e.name: {"run --rm": [], "run -d": [], "exec": []} for e in engines}
    took["floor"] = {"run --rm": []}
    for n in range(a.rounds):
        jobs = [(e.name, k, f) for e in engines for k, f in (("run --rm", e.run_rm), ("run -d", e.run_d), ("exec", e.exec))]
        jobs.append(("floor", "run --rm", lambda: timed(floor)[0]))
        for name, k, f in random.sample(jobs, len(jobs)):
            took[name][k].append(f())
    return took


def report(a, r):
    ours = r["took"]["caisson"]
    print(f"\n{a.rounds} interleaved rounds, medians in ms; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cpus\n")
    print(f"{'':10} {'run --rm':>10} {'run -d':>10} {'exec':>10} {f'{a.parallel} at once':>12} {'PSS/idle':>10} {'+daemon':>10}")
    for name, t in r["took"].items():
        cell = lambda k: f"{med(t[k]):10.1f}" if t.get(k) else f"{'':10}"
        mem = r["idle_kib"].get(name)
        print(f"{name:10} {cell('run --rm')} {cell('run -d')} {cell('exec')} {r['parallel_ms'].get(name, float('nan')):12.0f} "
              + (f"{mem[0]:7.0f} KiB {mem[1]:6.0f} KiB" if mem else ""))
    print()
    for name, t in r["took"].items():
        if name in ("caisson", "floor"):
            continue
        for k, want in WANT.items():
            ratio = med(t[k]) / med(ours[k])
            print(f"{k} against {name}: {ratio:.1f} times as fast, wanted {want}: {'yes' if ratio >= want else 'NO'}")
    mem = r["idle_kib"]["caisson"][1]  # no daemon: the same as [0]
    print(f"engine's memory per idle container: {mem:.0f} KiB, wanted below {PSS_KIB:.0f}: {'yes' if mem < PSS_KIB else 'NO'}")
    m = r.get("many")
    if m:
        n, tenth = len(m["starts_ms"]), max(1, len(m["starts_ms"]) // 10)
        first, last = med(m["starts_ms"][:tenth]), med(m["starts_ms"][-tenth:])
        print(f"ps with {n}: {med(m['ps_ms']):.1f} ms (best {min(m['ps_ms']):.1f}), wanted below {PS_MS}: {'yes' if med(m['ps_ms']) < PS_MS else 'NO'}")
        print(f"start of the first {tenth}: {first:.1f} ms, of the last {tenth} of {n}: {last:.1f} ms; all removed in {m['rm_s']:.1f} s")
    print("phases of run --rm, bridge, median of 10, ms: " + ", ".join(f"{k} {v:.2f}" for k, v in sorted(r["phases_ms"].items(), key=lambda x: -x[1])))


def main():
    ap = parser(__doc__, 10)
    ap.add_argument("--parallel", default=50, type=int)
    ap.add_argument("--idle", default=20, type=int, help="idle containers per engine")
    ap.add_argument("--many", default=500, type=int, help="instances of caisson for ps; 0: leave out")
    ap.add_argument("--without", default=[], nargs="+", help="engines to leave out")
    a, inside = settle(ap)
    base = pathlib.Path(inside) / "bench"
    base.mkdir()
    engines, left_out, floor = make_engines(a, base)
    r = {"left_out": left_out,
         "parallel_ms": {}, "idle_kib": {}}
    r["took"] = rounds(a, engines, floor)
    for e in engines:
        try:
            r["parallel_ms"][e.name] = e.parallel(a.parallel)
        except RuntimeError as why:
            print(f"{e.name}: {a.parallel} at once: {why}")
        good(e.argv("rm", "-f", "bench-exec"))
        r["idle_kib"][e.name] = idle(e, a.idle)
        e.stop()
    ours = engines[0]
    r["phases_ms"] = phases(ours)
    if a.many:
        r["many"] = many(ours, a.many)
    report(a, r)
    save("instances", a, r)


main()
