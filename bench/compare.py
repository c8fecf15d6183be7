#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does `caisson compare` say what others say?  Its figures beside those of independent tools, in one run.

In rounds: `caisson compare` of host and container, then hyperfine (the same two commands, start to exit), sums over /proc of a container that
rests (PSS, as smem adds it up), fio (the same sizes, pieces and syncs, on the host's disk), wrk (16 connections to the same web server behind
a published port of a container) and sysbench (cpu, as host process and in a container: their ratio).  All samples of all rounds are put
together; for each figure stand both medians with their bootstrap intervals, and whether these meet.
"""
import json, os, pathlib, random, re, shutil, statistics, subprocess, sys, time

from common import parser, save, settle

TOOLS = ("hyperfine", "fio", "wrk", "sysbench")


def call(argv, **kw):
    p = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, capture_output=True, text=True, **kw)
    if p.returncode:
        raise RuntimeError(f"{' '.join(map(str, argv))[:160]}: exit {p.returncode}: {p.stderr.strip()[-300:]}")
    return p.stdout


def interval(v):
    rng = random.Random(1)
    m = sorted(statistics.median(rng.choices(v, k=len(v))) for _ in range(2000))
    return statistics.median(v), m[50], m[1949]


class Figures:
    """key -> (unit, what compare found, what the tool found)"""
    def __init__(self):
        self.all = {}

    def add(self, key, unit, ours=(), theirs=()):
        entry = self.all.setdefault(key, (unit, [], []))
        entry[1].extend(ours)
        entry[2].extend(theirs)

    def show(self):
        print(f"\n{'':34} {'compare':>30} {'the other':>30}")
        apart = 0
        for key, (unit, a, b) in self.all.items():
            x, y = interval(a), interval(b)
            meet = x[1] <= y[2] and y[1] <= x[2]
            apart += not meet
            text = [f"{m:.4g} [{lo:.4g}-{hi:.4g}]" for m, lo, hi in (x, y)]
            print(f"{key + ', ' + unit:34} {text[0]:>30} {text[1]:>30}  {'meet' if meet else f'apart: {x[0] / y[0]:.2f}'}  n={len(a)}, {len(b)}")
        return apart


def compare(f, caisson, a):
    doc = json.loads(call([*caisson, "compare", "--only", "host,container", "-n", a.samples, "--precision", "0", "--density", "0", "--max-time", "60s",
                           "--format", "json", "caisson/tiny"]))
    rows = {r["key"]: r for r in doc["rows"]}

    def get(key, who, by):
        return [s / by for s in rows[key][who]["samples"]]
    for who in ("host", "container"):
        f.add(f"hyperfine: start to exit, {who}", "ms", get("to_exit", who, 1e6))
    f.add("/proc: memory at rest, container", "KiB", get("memory_pss", "container", 1024))
    f.add("fio: file write, host", "MiB/s", get("file_write", "host", 1 << 20))
    f.add("fio: file read, host", "GiB/s", get("file_read", "host", 1 << 30))
    f.add("fio: random read, host", "us", get("file_random_read", "host", 1e3))
    f.add("fio: random write, host", "us", get("file_random_write", "host", 1e3))
    f.add("wrk: http rate, container", "/s", get("http_rate", "container", 1))
    f.add("sysbench: cpu, container to host", "", [c / h for c, h in zip(get("cpu", "container", 1), get("cpu", "host", 1))])


def hyperfine(f, caisson, base, a):
    name = "bench-compare"
    out = base / "hyperfine.json"
    commands = {"host": ["/usr/bin/uname", "-r"],
                "container": [*caisson, "run", "--rm", "--name", name, "--isolation=container", "--entrypoint", "uname", "caisson/tiny", "-r"]}
    for who, argv in commands.items():
        # --rm goes on for some milliseconds behind the command: the name is free before the next.
        gone = f"sh -c 'while [ -L {base}/root/names/{name} ]; do sleep 0.01; done'"
        call(["hyperfine", "-N", "--warmup", "1", "--runs", a.samples, "--prepare", gone, "--output=pipe", "--export-json", out, " ".join(map(str, argv))])
        f.add(f"hyperfine: start to exit, {who}", "ms", (), [t * 1e3 for t in json.loads(out.read_text())["results"][0]["times"]])


def below(top):
    """Every process below another, by /proc/PID/stat."""
    parent = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            parent[int(pid)] = int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            pass
    found = {top}
    while True:
        more = {p for p, q in parent.items() if q in found} - found
        if not more:
            return found - {top}
        found |= more


def resting(f, caisson, base):
    """What the kernel says of the processes that stay: found by the instance's cgroup and its monitor, not by descent from the command."""
    workload = base / "bin"
    ident = call([*caisson, "run", "-d", "-i", "-v", f"{workload}:/w:ro", "--entrypoint", "/w/caisson-workload", "caisson/tiny", "/"]).strip()
    time.sleep(0.3)
    pid = json.loads(call([*caisson, "inspect", ident]))[0]["State"]["Pid"]
    monitor = int(re.search(r"^PPid:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)[1])
    kib = sum(int(re.search(r"^Pss: +(\d+)", pathlib.Path(f"/proc/{p}/smaps_rollup").read_text(), re.M)[1]) for p in {monitor} | below(monitor))
    call([*caisson, "rm", "-f", ident])
    f.add("/proc: memory at rest, container", "KiB", (), [kib])


def fio_job(base, *words):
    return json.loads(call(["fio", "--name=big", f"--filename={base}/fio.big", "--size=16m", "--ioengine=psync", "--invalidate=0", "--output-format=json", *words]))["jobs"][0]


def fio(f, base, a):
    if not (base / "fio.big").exists():
        fio_job(base, "--rw=write", "--bs=64k", "--end_fsync=1")
    for _ in range(a.samples):
        j = fio_job(base, "--rw=write", "--bs=64k", "--end_fsync=1", "--fallocate=none")
        f.add("fio: file write, host", "MiB/s", (), [16e3 / max(j["job_runtime"], 1)])
        j = fio_job(base, "--rw=read", "--bs=64k", "--loops=32", "--gtod_reduce=1")
        f.add("fio: file read, host", "GiB/s", (), [j["read"]["bw_bytes"] / (1 << 30)])
        j = fio_job(base, "--rw=randread", "--bs=4k", "--loops=12", "--norandommap", "--gtod_reduce=1")
        f.add("fio: random read, host", "us", (), [1e6 / j["read"]["iops"]])
        j = fio_job(base, "--rw=randwrite", "--bs=4k", "--fdatasync=1", "--number_ios=20", "--norandommap")
        f.add("fio: random write, host", "us", (), [1e6 / j["write"]["iops"]])


def wrk(f, caisson, base, a):
    port = random.randrange(20000, 30000)
    p = subprocess.Popen([*map(str, caisson), "run", "--rm", "-i", "-p", f"127.0.0.1:{port}:8080", "-v", f"{base}/bin:/w:ro", "--entrypoint", "/w/caisson-workload",
                          "caisson/tiny", "/"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    p.stdin.write("http 8080\n")
    p.stdin.flush()
    while not p.stdout.readline().startswith("http"):
        pass
    for _ in range(a.samples):
        out = call(["wrk", "-t1", "-c16", "-d1s", f"http://127.0.0.1:{port}/"])
        f.add("wrk: http rate, container", "/s", (), [float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])])
    p.stdin.close()
    p.wait(60)


def sysbench(f, caisson, a):
    words = ["--time=1", "--threads=1", "cpu", "run"]
    inside = [*caisson, "run", "--rm", *(f"-v={d}:{d}:ro" for d in ("/usr", "/lib", "/lib64") if os.path.exists(d)), "caisson/tiny", "/usr/bin/sysbench"]
    for _ in range(a.samples):
        rate = [float(re.search(r"events per second:\s+([\d.]+)", call([*argv, *words]))[1]) for argv in (["sysbench"], inside)]
        f.add("sysbench: cpu, container to host", "", (), [rate[0] / rate[1]])


def main():
    ap = parser(__doc__, 3)
    ap.add_argument("--samples", default=4, type=int, help="of each kind in each round")
    a, inside = settle(ap)
    missing = [t for t in TOOLS if not shutil.which(t)]
    if missing:
        sys.exit(f"bench: not installed: {', '.join(missing)} (make deps-bench)")
    base = pathlib.Path(inside) / "bench"
    (base / "bin").mkdir(parents=True)
    shutil.copy(a.build / "caisson-workload", base / "bin")
    caisson = [a.build / "caisson", "--root", base / "root", "--run-root", base / "run"]
    f = Figures()
    for _ in range(a.rounds):
        steps = [lambda: compare(f, caisson, a), lambda: hyperfine(f, caisson, base, a), lambda: [resting(f, caisson, base) for _ in range(a.samples)],
                 lambda: fio(f, base, a), lambda: wrk(f, caisson, base, a), lambda: sysbench(f, caisson, a)]
        random.shuffle(steps)
        for step in steps:
            step()
    load = os.getloadavg()[0]
    apart = f.show()
    print(f"\n{len(f.all) - apart} of {len(f.all)} intervals meet; {a.rounds} rounds, load {load:.1f}")
    save("compare", a, {"figures": {k: {"unit": u, "compare": x, "other": y} for k, (u, x, y) in f.all.items()}, "apart": apart})


main()
