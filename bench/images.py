#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Images: pull of a Debian + python image of five layers from docker-registry on loopback into an empty store, beside
podman and docker (whichever are installed), interleaved in one run; where the time and the memory go; load and save;
and how long `images` takes with a thousand of them.

    bench/images.py [--build build] [--rounds 5] [--peers podman docker]

Every subject has a store of its own, emptied and synced before each pull, and everything runs in network, mount, PID
and cgroup namespaces of its own.  The tree comes from the Debian mirror this machine uses, once a day, and stays in
.cache.  Results go to a file per machine below .cache/bench, which is not in git.
"""
import hashlib, io, json, os, pathlib, random, shutil, statistics, subprocess, tarfile, time

from common import caisson_test, parser, save, settle
from caisson_test import Env, wait_for
from oci_image import Layout, debian_tree, push, registry

PACKAGES = ["python3", "python3-pip", "perl", "git", "ca-certificates", "curl"]
# Which layer a path belongs to: as a Dockerfile of five steps would have it.
LAYERS = [("usr/lib/python3", "usr/share/python"), ("usr/lib/gcc", "usr/include", "usr/lib/x86_64-linux-gnu/perl"),
          ("usr/share", "usr/lib/git-core"), ("var", "etc", "opt")]


def make_image(layout):
    outs = [io.BytesIO() for _ in range(len(LAYERS) + 1)]
    writers = [tarfile.open(fileobj=o, mode="w", format=tarfile.PAX_FORMAT) for o in outs]
    place = {}
    with tarfile.open(debian_tree(PACKAGES)) as t:
        for m in t:
            name = m.name.removeprefix("./")
            n = next((i + 1 for i, prefixes in enumerate(LAYERS) if any(name.startswith(p + "/") for p in prefixes)), 0)
            if m.islnk():      # beside what it links to
                n = place.get(m.linkname.removeprefix("./"), n)
            place[name] = n
            writers[n].addfile(m, t.extractfile(m) if m.isreg() else None)
    for w in writers:
        w.close()
    layout.image([(o.getvalue(), "gzip") for o in outs], {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"], "Cmd": ["python3"]})


def timed(argv, env=None):
    t0 = time.perf_counter()
    p = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, env=env)
    wall = time.perf_counter() - t0
    if p.returncode:
        raise RuntimeError(f"{argv}: {p.stderr.decode(errors='replace').strip()[-300:]}")
    return wall


class Caisson:
    name = "caisson"

    def __init__(self, a, base):
        self.root, self.a = base / "root", a
        self.argv = [str(a.build / "caisson"), "--root", str(self.root), "--run-root", str(base / "run")]

    def clear(self):
        shutil.rmtree(self.root, ignore_errors=True)

    def pull(self, ref):
        return [*self.argv, "pull", "-q", ref]

    def load(self, file):
        return [*self.argv, "load", "-q", "-i", str(file)]

    def save(self, ref, file):
        return [*self.argv, "save", "-o", str(file), ref]

    def stop(self):
        pass


class Podman:
    name = "podman"

    def __init__(self, a, base):
        self.argv = ["podman", "--root", str(base / "podman/root"), "--runroot", str(base / "podman/run"), "--cgroup-manager=cgroupfs",
                     "--events-backend=none", "--tmpdir", str(base / "podman/tmp")]

    def clear(self):
        subprocess.run([*self.argv, "rmi", "-a", "-f"], capture_output=True)

    def pull(self, ref):
        return [*self.argv, "pull", "-q", "--tls-verify=false", ref]

    def load(self, file):
        return [*self.argv, "load", "-q", "-i", str(file)]

    def save(self, ref, file):
        return [*self.argv, "save", "-q", "-o", str(file), ref]

    def stop(self):
        pass


class Docker:
    name = "docker"

    def __init__(self, a, base):
        d = base / "docker"
        d.mkdir()
        sock = f"unix://{d}/sock"
        self.log = open(d / "log", "w")
        self.p = subprocess.Popen(["dockerd", "--data-root", str(d / "data"), "--exec-root", str(d / "exec"), "-H", sock, "-p", str(d / "pid"),
                                   "--iptables=false", "--bridge=none"], stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        self.argv = ["docker", "-H", sock]
        wait_for(lambda: self.p.poll() is not None or not subprocess.run([*self.argv, "version"], capture_output=True).returncode, 40, "dockerd answers", 0.2)
        if self.p.poll() is not None:
            raise RuntimeError("dockerd ended: " + (d / "log").read_text()[-200:])

    def clear(self):
        subprocess.run(f"{' '.join(self.argv)} rmi -f $({' '.join(self.argv)} images -q)", shell=True, capture_output=True)

    def pull(self, ref):
        return [*self.argv, "pull", "-q", ref]

    def load(self, file):
        return [*self.argv, "load", "-q", "-i", str(file)]

    def save(self, ref, file):
        return [*self.argv, "save", "-o", str(file), ref]

    def stop(self):
        self.p.terminate()
        self.p.wait(20)


def subjects(a, base):
    out = []
    for cls in (Caisson, *(c for c in (Podman, Docker) if c.name in a.peers)):
        try:
            out.append(cls(a, base))
        except (OSError, RuntimeError, caisson_test.Failed) as e:
            print(f"{cls.name}: left out: {e}")
    return out


def rounds(a, every, ref, before, argv_of):
    """Wall seconds of each, interleaved."""
    times = {s.name: [] for s in every}
    for n in range(a.rounds + 1):
        for s in random.sample(every, len(every)):
            before(s)
            os.sync()
            wall = timed(argv_of(s))
            if n:              # the first round warms caches
                times[s.name].append(wall)
    return times


def show(title, times):
    print(f"\n{title}, seconds\n{'':12} {'median':>8} {'min':>8} {'ours/it':>8}")
    ours = statistics.median(times["caisson"])
    for name, v in times.items():
        print(f"{name:12} {statistics.median(v):8.2f} {min(v):8.2f} {ours / statistics.median(v):8.2f}")


# ---- memory ----

def children(pid):
    out, todo = [], [pid]
    while todo:
        p = todo.pop()
        out.append(p)
        try:
            for t in os.listdir(f"/proc/{p}/task"):
                todo += map(int, pathlib.Path(f"/proc/{p}/task/{t}/children").read_text().split())
        except OSError:
            pass
    return out


def pss(pid):
    """(name, KiB): proportional share of everything mapped."""
    try:
        rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        name = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return None
    return name, next((int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")), 0)


def peak_memory(argv):
    """The largest sum over all processes of the command at one moment, and what it was made of."""
    p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    best, parts = 0, []
    while p.poll() is None:
        now = [x for x in map(pss, children(p.pid)) if x]
        total = sum(k for _, k in now)
        if total > best:
            best, parts = total, now
        time.sleep(0.002)
    if p.returncode:
        raise RuntimeError(p.stderr.read().decode()[-300:])
    return best, parts


# ---- where the time goes ----

def stages(a, layout, manifest, host, repo):
    """CPU seconds of each stage over all layers, each layer by itself; writing and syncing by the clock."""
    total = {}

    def add(what, s):
        total[what] = total.get(what, 0) + s

    out = layout.path.parent / "stage.img"
    for d in manifest["layers"]:
        blob = layout.blob_path(d)
        t0 = time.perf_counter()
        subprocess.run(["curl", "-sSf", "-o", "/dev/null", f"http://{host}/v2/{repo}/blobs/{d['digest']}"], check=True)
        add("download", time.perf_counter() - t0)
        out.unlink(missing_ok=True)
        os.sync()
        with open(out, "w+b") as f, open(blob, "rb") as b:
            t0 = time.perf_counter()
            p = subprocess.run([str(a.build / "caisson-unpack"), f"--out={f.fileno()}"], stdin=b, pass_fds=[f.fileno()], capture_output=True, check=True)
            add("all of caisson-unpack, wall", time.perf_counter() - t0)
        cpu = json.loads(p.stdout)["cpuNs"]
        add("SHA-256 of blob and tar", (cpu["blobHash"] + cpu["tarHash"]) / 1e9)
        add("inflate", cpu["inflate"] / 1e9)
        add("untar + EROFS write", cpu["write"] / 1e9)
        t0 = time.perf_counter()
        data = out.read_bytes()
        out.unlink()
        with open(out, "wb") as f:
            t0 = time.perf_counter()
            f.write(data)
            add("limit: write of the same bytes", time.perf_counter() - t0)
            t0 = time.perf_counter()
            os.fsync(f.fileno())
            add("fsync of the same bytes", time.perf_counter() - t0)
    out.unlink()
    return total


# ---- many images ----

def many(env, caisson):
    """1,000 records that share 5,000 layers; marks and images as the store writes them."""
    shutil.rmtree(caisson.root, ignore_errors=True)
    layout = Layout(env.tmp / "one")
    layout.image([(b"\0" * 1024, None)])
    subprocess.run([*caisson.argv, "pull", "-q", f"oci:{layout.path}"], check=True, stdout=subprocess.DEVNULL)
    record = json.loads(next((caisson.root / "images").glob("*.json")).read_text())
    config = json.loads((caisson.root / "blobs/sha256" / record["id"][7:]).read_text())
    for i in range(1000):
        layers = ["sha256:" + hashlib.sha256(f"{i}/{k}".encode()).hexdigest() for k in range(5)]
        text = json.dumps({**config, "rootfs": {"type": "layers", "diff_ids": layers}}).encode()
        ident = hashlib.sha256(text).hexdigest()
        (caisson.root / "blobs/sha256" / ident).write_bytes(text)
        name = f"docker.io/library/image{i}:latest"
        file = name.replace("/", "%2F").replace(":", "%3A")
        (caisson.root / "images" / f"{file}.json").write_text(json.dumps({**record, "name": name, "id": "sha256:" + ident, "layers": layers, "blobs": layers}))
        for d in layers:
            (caisson.root / "layers" / f"{d[7:]}.json").write_text(json.dumps(
                {"diffId": d, "blobDigest": d, "blobSize": 1, "form": "erofs", "size": 4096, "tarSize": 1024, "entries": 0}))
            (caisson.root / "layers" / f"{d[7:]}.erofs").write_bytes(b"\0" * 4096)
    n = len(subprocess.run([*caisson.argv, "images", "-q"], check=True, capture_output=True).stdout.split())
    if n < 1000:
        raise RuntimeError(f"images lists {n} of 1000")
    return [timed([*caisson.argv, "images"]) for _ in range(15)]


def main():
    ap = parser(__doc__, 5)
    ap.add_argument("--peers", default=["podman", "docker"], nargs="*")
    a, inside = settle(ap)
    env = Env(inside)
    layout = Layout(env.tmp / "layout")
    make_image(layout)
    manifest = json.loads((layout.path / "blobs/sha256" / layout.manifests[0]["digest"][7:]).read_text())
    compressed = sum(d["size"] for d in manifest["layers"])
    result = {}
    every = subjects(a, env.base)
    ours = every[0]
    with registry(env) as host:
        ref = f"{host}/bench/python:1"
        push(layout, ref)
        print(f"image: {len(manifest['layers'])} layers, {compressed / 1e6:.0f} MB compressed; {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, {a.rounds} interleaved rounds")
        times = rounds(a, every, ref, lambda s: s.clear(), lambda s: s.pull(ref))
        show("pull, store empty", times)
        result["pull_s"] = times
        ours.clear()
        best, parts = peak_memory(ours.pull(ref))
        print(f"\npeak memory of a pull, all processes at one moment (PSS): {best / 1024:.1f} MiB = " + ", ".join(f"{n} {k / 1024:.1f}" for n, k in parts))
        result["peak_kib"] = best
        st = stages(a, layout, manifest, host, "bench/python")
        whole = statistics.median(times["caisson"])
        print("\nstages, seconds over all layers one after the other (CPU time, except where said)")
        for k, v in sorted(st.items(), key=lambda x: -x[1]):
            print(f"  {k:32} {v:6.2f}")
        limit = max(st["SHA-256 of blob and tar"], st["inflate"], st["limit: write of the same bytes"])
        print(f"  limit max(SHA-256, inflate, write) {limit:.2f}; a pull takes {whole / limit:.2f} times that")
        result["stages_s"] = st
        files = {s.name: env.tmp / f"{s.name}.tar" for s in every}

        def unsave(s):
            files[s.name].unlink(missing_ok=True)
        times = rounds(a, every, ref, unsave, lambda s: s.save(ref, files[s.name]))
        show("save", times)
        result["save_s"] = times
        times = rounds(a, every, ref, lambda s: s.clear(), lambda s: s.load(files[s.name]))
        show("load of what it saved, store empty", times)
        result["load_s"] = times
    v = many(env, ours)
    print(f"\n`images` with 1,000 images and 5,000 layers: median {statistics.median(v) * 1e3:.1f} ms, min {min(v) * 1e3:.1f} ms")
    result["images_ms"] = [x * 1e3 for x in v]
    for s in every:
        s.stop()
    save("images", a, result)


if __name__ == "__main__":
    main()
