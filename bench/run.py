#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`run --rm IMAGE true` against the peers that are installed, in one run.

Every round runs each subject once, in random order, on the same machine in the same minute; what is compared is the
ratio of medians, not a number from somebody's laptop.  The floor program (bench/floor.c) does the kernel's share
alone.  Everything happens in network, mount, PID and cgroup namespaces of its own; peers get a storage of their own
and see nothing of the host's.  Results go to a file per machine below .cache/bench, which is not in git.
"""
import json, os, pathlib, random, resource, shutil, statistics, subprocess, time

from common import TOP, parser, save, settle
from oci_image import Layout, busybox_layer


class Subject:
    def __init__(self, name, argv, env=None):
        self.name, self.argv, self.env = name, argv, env or os.environ
        self.wall, self.cpu, self.why = [], [], None

    def once(self, count=True):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        t0 = time.perf_counter()
        p = subprocess.run(self.argv, env=self.env, stdin=subprocess.DEVNULL, capture_output=True)
        wall = time.perf_counter() - t0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if p.returncode:
            self.why = f"exit {p.returncode}: {p.stderr.decode(errors='replace').strip()[-200:]}"
        elif count:
            self.wall.append(wall * 1e3)
            self.cpu.append((after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e3)


def bundle_for(base, rootfs, name, runtime):
    """An OCI bundle of the same tree, for the bare runtimes."""
    d = base / f"bundle-{name}"
    d.mkdir()
    subprocess.run([runtime, "spec"], cwd=d, check=True)
    conf = json.loads((d / "config.json").read_text())
    conf["process"]["args"], conf["process"]["terminal"] = ["/bin/true"], False
    conf["root"] = {"path": str(rootfs), "readonly": True}
    (d / "config.json").write_text(json.dumps(conf))
    return d


def podman(base, layout, network):
    """podman on a storage of its own; None with the reason when it does not work here."""
    args = ["podman", "--root", str(base / "podman/root"), "--runroot", str(base / "podman/run"), "--cgroup-manager=cgroupfs",
            "--events-backend=none", "--tmpdir", str(base / "podman/tmp")]
    p = subprocess.run([*args, "pull", "-q", f"oci:{layout.path}:latest"], capture_output=True, text=True)
    if p.returncode:
        return None, p.stderr.strip()[-200:]
    image = p.stdout.split()[-1]
    return Subject(f"podman, --network {network}", [*args, "run", "--rm", f"--network={network}", image, "/bin/true"]), None


def subjects(a, base):
    rootfs, layout = base / "rootfs", Layout(base / "layout")
    layer = busybox_layer([("proc", None), ("dev", None), ("sys", None)])
    layout.image([(layer, "gzip")], {"Cmd": ["sh"]})
    rootfs.mkdir()
    subprocess.run(["tar", "-x", "-C", str(rootfs)], input=layer, check=True)
    floor = base / "floor"
    subprocess.run(["cc", "-O2", "-static", "-o", str(floor), str(TOP / "bench/floor.c")], check=True)
    out = [Subject("floor", [str(floor), str(rootfs), "/bin/true"])]
    caisson = [str(a.build / "caisson"), "--root", str(base / "root"), "--run-root", str(base / "run")]
    subprocess.run([*caisson, "pull", "-q", f"oci:{layout.path}"], check=True, stdout=subprocess.DEVNULL)
    image = subprocess.run([*caisson, "images", "-q"], check=True, capture_output=True, text=True).stdout.split()[0]
    for n in a.networks:
        out.append(Subject(f"caisson, --network {n}", [*caisson, "run", "--rm", f"--network={n}", image, "/bin/true"]))
    if a.vm:
        out.append(Subject("caisson, vm", [*caisson, "run", "--rm", "--isolation=vm", "--network=none", image, "/bin/true"]))
    for runtime in ("crun", "runc"):
        if shutil.which(runtime):
            d = bundle_for(base, rootfs, runtime, runtime)
            out.append(Subject(f"{runtime} run", [runtime, "--root", str(base / runtime), "run", "-b", str(d), f"bench-{runtime}"]))
    if shutil.which("podman"):
        for n in a.networks:
            s, why = podman(base, layout, n)
            if s:
                out.append(s)
            else:
                print(f"podman: left out: {why}")
                break
    return out


def phases(subject, base):
    """Median time of each phase of our own trace, from ten more runs."""
    seen = {}
    for _ in range(10):
        trace = base / "trace"
        trace.write_text("")
        subprocess.run(subject.argv, env={**os.environ, "CAISSON_TRACE": str(trace)}, stdin=subprocess.DEVNULL, capture_output=True)
        begin, end = {}, {}
        for line in trace.read_text().splitlines():
            ns, _, what, name = line.split()
            if what == "begin":
                begin[name] = min(int(ns), begin.get(name, int(ns)))
            elif what == "end":
                end[name] = max(int(ns), end.get(name, 0))
        for name in begin.keys() & end.keys():
            seen.setdefault(name, []).append((end[name] - begin[name]) / 1e6)
    return {k: statistics.median(v) for k, v in seen.items()}


def interval(v):
    """Order statistics that hold the median with about 95 % (normal approximation of the binomial)."""
    s, n = sorted(v), len(v)
    k = max(0, int((n - 1.96 * n ** 0.5) / 2))
    return s[k], s[n - 1 - k]


def report(a, all_subjects, phase):
    ours = next((s for s in all_subjects if s.name.startswith("caisson") and s.wall), None)
    print(f"\nrun --rm IMAGE /bin/true, {a.rounds} interleaved rounds, milliseconds\n")
    print(f"{'':28} {'median':>8} {'95 % interval':>17} {'min':>8} {'cpu':>8} {'ratio':>7}")
    for s in all_subjects:
        if not s.wall:
            print(f"{s.name:28} not measured: {s.why}")
            continue
        med = statistics.median(s.wall)
        low, high = interval(s.wall)
        ratio = f"{med / statistics.median(ours.wall):7.2f}" if ours else ""
        print(f"{s.name:28} {med:8.2f} {low:8.2f}-{high:<8.2f} {min(s.wall):8.2f} {statistics.median(s.cpu):8.2f} {ratio}")
    for name, p in phase.items():
        print(f"\nphases of {name}, median of 10, ms: " + ", ".join(f"{k} {v:.2f}" for k, v in sorted(p.items(), key=lambda x: -x[1])))


def main():
    ap = parser(__doc__, 30)
    ap.add_argument("--networks", default=["none"], nargs="+", help="none, host, bridge")
    ap.add_argument("--vm", action="store_true", help="also as a VM")
    a, inside = settle(ap)
    base = pathlib.Path(inside) / "bench"
    base.mkdir()
    every = subjects(a, base)
    for s in every:
        s.once(count=False)
    live = [s for s in every if not s.why]
    for n in range(a.rounds):
        for s in random.sample(live, len(live)):
            s.once()
    phase = {s.name: phases(s, base) for s in live if s.name.startswith("caisson")}
    report(a, every, phase)
    save("run", a, {"subjects": [{"name": s.name, "wall_ms": s.wall, "cpu_ms": s.cpu, "not_measured": s.why} for s in every], "phases_ms": phase})


main()
