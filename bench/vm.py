#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""VMs: a boot, a start from a template, and plain QEMU, in one run.

In rounds that run each once in random order: `run --isolation=vm --rm IMAGE true` with --vm-template=off, the same from a template,
and the floor: plain QEMU with the same kernel and parameters, whose process 1 ends the machine at once (bench/vm_floor.c). Then
`exec` in a running one, what --clones idle ones take from the host's available memory, and how long it takes to start them all at
once. CPU time is that of the command's children, QEMU's included only where the command waits for it: walls are what is compared,
as ratios of medians and of minima of one run. Phases come from our trace.
"""
import json, os, pathlib, random, re, statistics, subprocess, time

from common import parser, save, settle

CMDLINE = ("console=ttyS0 quiet reboot=t panic=-1 audit=0 random.trust_cpu=on cryptomgr.notests lsm= no_timer_check init_on_free=0 "
           "tsc_early_khz={khz} tsc=reliable noreplace-smp")


def good(argv, **kw):
    p = subprocess.run([str(x) for x in argv], stdin=subprocess.DEVNULL, capture_output=True, text=True, **kw)
    if p.returncode:
        raise RuntimeError(f"{' '.join(map(str, argv))[:160]}: exit {p.returncode}: {p.stderr.strip()[-300:]}")
    return p.stdout


def timed(argv, **kw):
    t0 = time.perf_counter()
    good(argv, **kw)
    return (time.perf_counter() - t0) * 1e3


def cpio(out, init):
    """An initramfs of one file (newc: Documentation/driver-api/early-userspace/buffer-format.rst)."""
    def entry(name, mode, data):
        head = "070701" + "".join(f"{v:08x}" for v in (1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0))
        b = head.encode() + name.encode() + b"\0"
        b += b"\0" * (-len(b) % 4) + data
        return b + b"\0" * (-len(b) % 4)
    out.write_bytes(entry("init", 0o100755, init.read_bytes()) + entry("TRAILER!!!", 0, b""))


def floor(a, base, kernel, khz):
    exe, initrd = base / "vm-floor", base / "floor.cpio"
    good(["cc", "-static", "-O2", "-o", exe, pathlib.Path(__file__).with_name("vm_floor.c")])
    cpio(initrd, exe)
    return ["qemu-system-x86_64", "-M", f"microvm,acpi={'on' if kernel['Acpi'] else 'off'}", "-accel", "tcg,tb-size=32", "-cpu", "max", "-smp", "1", "-m", "256M",
            "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", f"file:{base}/floor.log", "-kernel", f"{kernel['Directory']}/vmlinux",
            "-initrd", initrd, "-append", CMDLINE.format(khz=khz)]


def available():
    return int(re.search(r"MemAvailable:\s+(\d+)", open("/proc/meminfo").read()).group(1)) / 1024


def phases(path):
    begun, out = {}, {}
    for line in path.read_text().splitlines():
        ns, _, what, name = line.split()
        if what == "begin":
            begun[name] = int(ns)
        elif what == "end" and name in begun:
            out[name] = (int(ns) - begun.pop(name)) / 1e6
    return out


def settled(read, limit=15):
    """What read() says when it stands still."""
    last, end = read(), time.monotonic() + limit
    while time.monotonic() < end:
        time.sleep(1)
        now = read()
        if abs(now - last) < 2:
            return now
        last = now
    return last


def clones(run, caisson, n):
    before, t0 = settled(available), time.perf_counter()
    ps = [subprocess.Popen([str(x) for x in (*caisson, *run, "-d", "caisson/tiny", "sleep", "100000")], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True) for _ in range(n)]
    ids = []
    for p in ps:
        out, err = p.communicate()
        if p.returncode:
            raise RuntimeError(f"one of {n} at once: {err.strip()[-200:]}")
        ids.append(out.strip())
    ms = (time.perf_counter() - t0) * 1e3
    each = (before - settled(available)) / n
    good([*caisson, "rm", "-f", *ids])
    return ms, each


def main():
    ap = parser(__doc__, 10)
    ap.add_argument("--clones", default=50, type=int, help="how many at once, and to measure memory of")
    ap.add_argument("--kernel", help="directory of a kernel to measure instead of the installation's newest")
    a, inside = settle(ap)
    base = pathlib.Path(inside) / "bench"
    base.mkdir()
    caisson = [a.build / "caisson", "--root", base / "root", "--run-root", base / "run"]
    if a.kernel:
        good([*caisson, "kernel", "add", "--name", "bench", a.kernel])
        good([*caisson, "kernel", "default", "bench"])
    rows = [json.loads(x) for x in good([*caisson, "kernel", "ls", "--json"]).splitlines()]
    kernel = next((k for k in rows if k["Default"]), rows[0])
    run = ["run", "--isolation=vm", "--network=none"]
    traces = {"cold": base / "cold", "template": base / "template"}
    commands = {"cold": [*caisson, *run, "--rm", "--vm-template=off", "caisson/tiny", "true"], "template": [*caisson, *run, "--rm", "caisson/tiny", "true"]}
    for argv in commands.values():
        good(argv)
    probe = json.loads((base / "root/cache/vm/probe.json").read_text())
    commands["floor"] = floor(a, base, kernel, probe["tscKhz"])
    wall, phase = {k: [] for k in commands}, {k: {} for k in traces}
    for _ in range(a.rounds):
        for name in random.sample(sorted(commands), len(commands)):
            env = dict(os.environ)
            if name in traces:
                traces[name].unlink(missing_ok=True)
                env["CAISSON_TRACE"] = str(traces[name])
            wall[name].append(timed(commands[name], env=env))
            for k, v in phases(traces[name]).items() if name in traces else ():
                phase[name].setdefault(k, []).append(v)
    one = good([*caisson, *run, "-d", "caisson/tiny", "sleep", "100000"]).strip()
    wall["exec"] = [timed([*caisson, "exec", one, "true"]) for _ in range(a.rounds)]
    good([*caisson, "rm", "-f", one])
    all_ms, each = clones(run, caisson, a.clones)
    print(f"\nkernel {kernel['Name']}, {a.rounds} interleaved rounds, load {os.getloadavg()[0]:.1f}, milliseconds\n\n{'':12} {'median':>9} {'min':>9}")
    for name, v in wall.items():
        print(f"{name:12} {statistics.median(v):9.1f} {min(v):9.1f}")
    for what, x, y in (("cold / floor", "cold", "floor"), ("template / cold", "template", "cold")):
        print(f"{what}: {statistics.median(wall[x]) / statistics.median(wall[y]):.2f} of medians, {min(wall[x]) / min(wall[y]):.2f} of minima")
    print(f"{a.clones} at once: {all_ms:.0f} ms; {each:.1f} MiB of available memory each, idle")
    for name, p in phase.items():
        print(f"phases of {name}, medians, ms: " + ", ".join(f"{k} {statistics.median(v):.1f}" for k, v in p.items()))
    save("vm", a, {"kernel": kernel, "wall_ms": wall, "phases_ms": phase, "at_once_ms": all_ms, "mib_each": each})


main()
