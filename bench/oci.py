#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""caisson-oci beside crun and runc, in one run and interleaved: each round runs every runtime once, so that load on
the machine hits all alike.  Prints of wall time the median, the 10th percentile and the least, of CPU time (user and system, of all
children that were waited for) the median, and the ratio of caisson-oci to each of medians, of least and of CPU.  On a
machine that others use too, CPU time and the least are what can be believed: medians measure the queue.

    bench/oci.py [-n ROUNDS] [--runtime NAME=PATH]...

`run`: run /bin/true of the default bundle.  `life`: create, start, wait until stopped, delete.  `exec`: exec /bin/true.
`seccomp`: with an allow list of 300 system calls.  `at once`: 20 runs started together, milliseconds for all.
The floor (bench/oci_floor.c) makes the namespaces, mounts and cgroups of `run` and execve, and nothing else.

crun before 1.20 refuses hosts that have v1 controllers beside a cgroup v2 tree; so all runtimes run in a mount
namespace in which that v2 tree is hidden.
"""
import argparse, json, os, pathlib, select, shutil, statistics, subprocess, sys, tempfile, time

TOP = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TOP / "tests/lib"))
from oci_bundle import make_rootfs, spec

BUILD = pathlib.Path(os.environ.get("CAISSON_BUILD", TOP / "build"))
NULL = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in (0, 1, 2)]


def spawn(argv):
    return os.posix_spawn(argv[0], argv, os.environ, file_actions=NULL)


cpu_ms = 0.0  # of what was reaped since a measurement began


def reap(pid):
    global cpu_ms
    _, status, used = os.wait4(pid, 0)
    cpu_ms += (used.ru_utime + used.ru_stime) * 1e3
    return status


def call(argv):
    pid = spawn(argv)
    if reap(pid):
        sys.exit(f"{' '.join(argv)}: failed\n" + subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL).stderr)


class Runtime:
    def __init__(self, name, path, base, bundles):
        self.name, self.path, self.bundles = name, path, bundles
        self.root = str(base / f"state-{name}")
        self.n = 0

    def argv(self, *args):
        return [self.path, "--root", self.root, *args]

    def id(self):
        self.n += 1
        return f"bench-{self.name}-{os.getpid()}-{self.n}"

    def run(self, bundle="plain"):
        return call(self.argv("run", "--bundle", self.bundles[bundle], self.id()))

    def life(self, bundle="plain"):
        i = self.id()
        call(self.argv("create", "--bundle", self.bundles[bundle], "--pid-file", f"{self.root}.pid", i))
        pidfd = os.pidfd_open(int(open(f"{self.root}.pid").read()))
        call(self.argv("start", i))
        select.select([pidfd], [], [])
        os.close(pidfd)
        call(self.argv("delete", i))

    def at_once(self, bundle="plain", n=20):
        pids = [spawn(self.argv("run", "--bundle", self.bundles[bundle], self.id())) for _ in range(n)]
        for p in pids:
            if reap(p):
                sys.exit(f"{self.name}: one of {n} failed")

    def hold(self):
        self.held = self.id()
        call(self.argv("run", "--detach", "--bundle", self.bundles["sleep"], self.held))

    def exec(self):
        return call(self.argv("exec", self.held, "/bin/true"))

    def release(self):
        call(self.argv("delete", "--force", self.held))


class Floor:
    name = "floor"

    def __init__(self, base, rootfs):
        self.exe = str(base / "floor")
        subprocess.run(["cc", "-O2", "-static", "-D_GNU_SOURCE", "-o", self.exe, TOP / "bench/oci_floor.c"], check=True)
        self.rootfs = str(rootfs)
        self.trees = []
        for line in open("/proc/self/mountinfo"):
            f = line.split()
            if f[f.index("-") + 1] in ("cgroup", "cgroup2") and "cpuset" not in f[4]:
                self.trees.append(f[4])

    def run(self):
        return call([self.exe, self.rootfs, *(f"{t}/bench-floor-{os.getpid()}" for t in self.trees)])


def profile():
    names = subprocess.run(["sh", "-c", "command -v ausyscall >/dev/null && ausyscall --dump | awk '{print $2}'"], capture_output=True, text=True).stdout.split()
    if not names:
        text = pathlib.Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h").read_text()
        names = [w.split()[1][5:] for w in text.splitlines() if w.startswith("#define __NR_")]
    return {"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
            "syscalls": [{"names": names[:330], "action": "SCMP_ACT_ALLOW"},
                         {"names": ["personality"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 0, "op": "SCMP_CMP_EQ"}]}]}


def make_bundles(base):
    rootfs = make_rootfs(base / "rootfs")
    out = {}
    for name, args, more in (("plain", ["/bin/true"], {}), ("sleep", ["/bin/sleep", "1000"], {}), ("seccomp", ["/bin/true"], {"seccomp": profile()})):
        c = spec(*args)
        c["ociVersion"] = "1.0.0"
        c["root"]["path"] = str(rootfs)
        c["linux"].update(more)
        (base / name).mkdir()
        (base / name / "config.json").write_text(json.dumps(c))
        out[name] = str(base / name)
    return rootfs, out


def interleaved(what, entries, rounds):
    """entries: (name, function).  One round warms up."""
    global cpu_ms
    times = {n: [] for n, _ in entries}
    cpus = {n: [] for n, _ in entries}
    for i in range(rounds + 1):
        for name, fn in entries:
            cpu_ms, t = 0.0, time.perf_counter_ns()
            fn()
            if i:
                cpus[name].append(cpu_ms)
                times[name].append((time.perf_counter_ns() - t) / 1e6)
    ours, least, cpu = (f(v["caisson-oci"]) for f, v in ((statistics.median, times), (min, times), (statistics.median, cpus)))
    print(f"\n{what}, n={rounds}, ms")
    for name, _ in entries:
        t = sorted(times[name])
        m, c = statistics.median(t), statistics.median(cpus[name])
        print(f"  {name:<12} median {m:8.2f}  p10 {t[len(t) // 10]:8.2f}  min {t[0]:8.2f}  cpu {c:8.2f}"
              f"  caisson-oci/this {ours / m:6.2f}  of min {least / t[0]:6.2f}  of cpu {cpu / c if c else 0:6.2f}")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("-n", type=int, default=50)
    p.add_argument("--runtime", action="append", default=[])
    a = p.parse_args()
    if os.geteuid():
        sys.exit("needs root")
    if "CAISSON_BENCH_INSIDE" not in os.environ:
        os.environ["CAISSON_BENCH_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", "sh", "-c",
                              'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$@"', "sh", sys.executable, *sys.argv])
    base = pathlib.Path(tempfile.mkdtemp(prefix="caisson-bench-oci-", dir="/dev/shm"))
    try:
        rootfs, bundles = make_bundles(base)
        found = {"caisson-oci": str(BUILD / "caisson-oci"), "crun": shutil.which("crun"), "runc": shutil.which("runc", path=os.environ["PATH"] + ":/usr/sbin")}
        found.update(r.split("=", 1) for r in a.runtime)
        rts = [Runtime(n, path, base, bundles) for n, path in found.items() if path]
        print(f"machine: {os.cpu_count()} CPUs, Linux {os.uname().release}, load {os.getloadavg()[0]:.1f}")
        floor = Floor(base, rootfs)
        interleaved("run /bin/true", [(floor.name, floor.run)] + [(r.name, r.run) for r in rts], a.n)
        print("\npeak resident size of run, KiB (GNU time)")
        for r in rts:
            t = subprocess.run(["time", "-f", "%M", *r.argv("run", "--bundle", bundles["plain"], r.id())], capture_output=True, text=True, stdin=subprocess.DEVNULL)
            print(f"  {r.name:<12} {t.stderr.strip().splitlines()[-1]}")
        interleaved("create, start, wait, delete", [(r.name, r.life) for r in rts], a.n)
        interleaved("run with a seccomp profile", [(r.name, lambda r=r: r.run("seccomp")) for r in rts], max(a.n // 2, 1))
        interleaved("create, start, wait, delete with a seccomp profile", [(r.name, lambda r=r: r.life("seccomp")) for r in rts], max(a.n // 2, 1))
        for r in rts:
            r.hold()
        interleaved("exec /bin/true", [(r.name, r.exec) for r in rts], a.n)
        for r in rts:
            r.release()
        interleaved("20 runs at once", [(r.name, r.at_once) for r in rts], max(a.n // 10, 1))
        interleaved("20 runs at once with a seccomp profile", [(r.name, lambda r=r: r.at_once("seccomp")) for r in rts], max(a.n // 10, 1))
    finally:
        shutil.rmtree(base, ignore_errors=True)


main()
