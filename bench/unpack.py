#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Unpack one layer: caisson-unpack beside `tar xzf`, and the limits (SHA-256 of tar and blob, gzip) in the same run.

    bench/unpack.py [--build build] [--mib 1200] [--runs 5]

The layer is made of this machine's /usr (at most --mib MiB of tar).  Prints the minimum wall and CPU seconds of each and the ratio
to tar; every run writes to a fresh output on the same file system, after a sync.
"""
import argparse, os, pathlib, resource, shutil, subprocess, sys, tempfile, time

TOP = pathlib.Path(__file__).resolve().parents[1]


def measure(fn, runs):
    best = None
    for _ in range(runs):
        os.sync()
        c0 = resource.getrusage(resource.RUSAGE_CHILDREN)
        t0 = time.monotonic()
        fn()
        wall = time.monotonic() - t0
        c1 = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = c1.ru_utime + c1.ru_stime - c0.ru_utime - c0.ru_stime
        best = min(best, (wall, cpu)) if best else (wall, cpu)
    return best


def make_layer(at, mib):
    """At most mib MiB of /usr, whole files, in sorted order."""
    names, left = at / "names", mib << 20
    with open(names, "wb") as out:
        for d, dirs, files in os.walk(b"/usr"):
            dirs.sort()
            for f in sorted(files):
                p = os.path.join(d, f)
                size = os.lstat(p).st_size if not os.path.islink(p) else 0
                if size > 64 << 20 or size > left:
                    continue
                left -= size + 512
                out.write(p[1:] + b"\0")
    subprocess.run(["tar", "-C", "/", "--null", "-T", names, "-cf", at / "layer.tar"], check=True)
    subprocess.run(["gzip", "-k", "-6", at / "layer.tar"], check=True)
    if shutil.which("zstd"):
        subprocess.run(["zstd", "-q", at / "layer.tar"], check=True)


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--build", default=TOP / "build", type=pathlib.Path)
    ap.add_argument("--mib", default=1200, type=int)
    ap.add_argument("--runs", default=5, type=int)
    ap.add_argument("--dir", default="/var/tmp")
    a = ap.parse_args()
    with tempfile.TemporaryDirectory(prefix="caisson-bench-", dir=a.dir) as tmp:
        tmp = pathlib.Path(tmp)
        make_layer(tmp, a.mib)
        out = tmp / "out"

        def clear():
            shutil.rmtree(out, ignore_errors=True)
            out.unlink(missing_ok=True)

        def image(blob):
            clear()
            fd = os.open(out, os.O_RDWR | os.O_CREAT)
            with open(blob, "rb") as f:
                subprocess.run([a.build / "caisson-unpack", "--out", str(fd)], stdin=f, stdout=subprocess.DEVNULL, pass_fds=[fd], check=True)
            os.close(fd)

        def directory(blob):
            clear()
            out.mkdir()
            fd = os.open(out, os.O_RDONLY)
            with open(blob, "rb") as f:
                subprocess.run([a.build / "caisson-unpack", "--out-dir", str(fd)], stdin=f, stdout=subprocess.DEVNULL, pass_fds=[fd], check=True)
            os.close(fd)

        def gnu_tar():
            clear()
            out.mkdir()
            subprocess.run(["tar", "-C", out, "-xzf", tmp / "layer.tar.gz"], check=True)

        def run(*args):
            return lambda: subprocess.run([*map(str, args)], stdout=subprocess.DEVNULL, check=True)

        rows = [("tar xzf", gnu_tar), ("caisson-unpack --out, gzip", lambda: image(tmp / "layer.tar.gz"))]
        if (tmp / "layer.tar.zst").exists():
            rows.append(("caisson-unpack --out, zstd", lambda: image(tmp / "layer.tar.zst")))
        rows += [("caisson-unpack --out, plain", lambda: image(tmp / "layer.tar")),
                 ("caisson-unpack --out-dir, gzip", lambda: directory(tmp / "layer.tar.gz")),
                 ("limit: sha256 of the tar", run("openssl", "dgst", "-sha256", tmp / "layer.tar")),
                 ("limit: sha256 of the blob", run("openssl", "dgst", "-sha256", tmp / "layer.tar.gz"))]
        if shutil.which("igzip"):
            rows.append(("limit: igzip -d", run("igzip", "-d", "-c", tmp / "layer.tar.gz")))
        rows.append(("gzip -dc (for comparison)", run("gzip", "-dc", tmp / "layer.tar.gz")))
        print(f"layer: {(tmp / 'layer.tar.gz').stat().st_size >> 20} MiB gzip, {(tmp / 'layer.tar').stat().st_size >> 20} MiB tar; "
              f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, minimum of {a.runs} runs")
        base = None
        for name, fn in rows:
            wall, cpu = measure(fn, a.runs)
            clear()
            base = base or wall
            print(f"{name:<32} {wall:7.2f} s wall {cpu:7.2f} s CPU   {base / wall:5.2f} x tar", flush=True)


if __name__ == "__main__":
    sys.exit(main())
