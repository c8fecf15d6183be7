# SPDX-License-Identifier: Apache-2.0
"""A pull stays under 64 MiB, all its processes together with what they have in the page cache, whatever the layers hold."""
import contextlib, json, os, pathlib, subprocess, time

from caisson_test import cgroup_trees, check, main, same, skip, test
from oci_image import LAYER, Layout, digest

LIMIT = 64 << 20


@contextlib.contextmanager
def cgroup(limit):
    """A cgroup of ours that may hold that many bytes; yields what moves a process into it."""
    for ctrl, point, _ in cgroup_trees():
        v2 = ctrl is None
        name = "memory.max" if v2 else "memory.limit_in_bytes"
        if not v2 and "memory" not in ctrl.split(","):
            continue
        cg = pathlib.Path(point) / "small"
        if v2:
            (cg.parent / "cgroup.subtree_control").write_text("+memory")
        cg.mkdir()
        try:
            if not (cg / name).exists():
                continue
            (cg / name).write_text(str(limit))
            yield lambda: (cg / "cgroup.procs").write_text(str(os.getpid()))
            return
        finally:
            cg.rmdir()
    skip("no memory controller here")


def header(name, size, kind=b"0"):
    h = bytearray(512)
    h[0:len(name)] = name
    h[100:107], h[108:115], h[116:123] = b"0000644", b"0000000", b"0000000"
    h[124:135], h[136:147], h[148:156] = b"%011o" % size, b"14524662000", b" " * 8
    h[156:157], h[257:265] = kind, b"ustar\x0000"
    h[148:155] = b"%06o\0" % sum(h)
    return bytes(h)


def many_files(n):
    """Names, attributes and ends of files: all that has to be remembered until the end of a layer."""
    out = bytearray()
    for i in range(n):
        body = b"%d\n" % i * 60
        out += header(b"usr/share/some/directory-%d/a-file-with-a-name-%d" % (i // 500, i), len(body)) + body + bytes(-len(body) % 512)
    return bytes(out + bytes(1024))


@test(needs="root", timeout=180)
def layers_of_many_files_in_64_mib(env):
    layout = Layout(env.tmp / "many")
    layers = [(many_files(80000), "gzip"), (many_files(30000), "zstd"), (header(b"big", 256 << 20) + bytes((256 << 20) + 1024), None)]
    layout.image(layers)
    del layers
    with cgroup(LIMIT) as enter:
        env.run("pull", "-q", f"oci:{layout.path}", preexec_fn=enter, timeout=150).ok()
    env.run("system", "check").ok()
    same(sum(1 for _ in (env.root / "layers").glob("*.erofs")), 3, "number of layers")
    check(not list((env.root / "tmp").iterdir()), "something is left in tmp")


def pss(pid):
    """KiB of a process and all below it: the proportional share of everything that is mapped."""
    total, todo = 0, [pid]
    while todo:
        p = todo.pop()
        try:
            for t in os.listdir(f"/proc/{p}/task"):
                todo += map(int, pathlib.Path(f"/proc/{p}/task/{t}/children").read_text().split())
            rollup = pathlib.Path(f"/proc/{p}/smaps_rollup").read_text()
        except OSError:
            continue
        total += next((int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")), 0)
    return total


@test(needs="root", timeout=180)
def four_zstd_layers_at_once(env):
    """With the largest window that zstd takes without being told to; all processes at one moment."""
    layout, diffs, layers = Layout(env.tmp / "zstd"), [], []
    for i in range(4):
        data = many_files(15000) + header(b"more", 0)
        data = data[:-512 - 1024] + header(b"big%d" % i, 24 << 20) + os.urandom(1 << 20) * 24 + bytes(1024)
        blob = subprocess.run(["zstd", "-q", "-1", "--zstd=wlog=23", "-c"], input=data, capture_output=True, check=True).stdout
        diffs.append(digest(data))
        layers.append(layout.blob(blob, LAYER + "+zstd"))
    config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": diffs}}).encode()
    m = layout.blob(json.dumps({"schemaVersion": 2, "layers": layers, "config": layout.blob(config, "application/vnd.oci.image.config.v1+json")}).encode(),
                    "application/vnd.oci.image.manifest.v1+json")
    (layout.path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [m]}))
    peak = 0
    p = env.start("pull", "-q", f"oci:{layout.path}")
    while p.p.poll() is None:
        peak = max(peak, pss(p.pid))
        time.sleep(0.005)
    p.finish().ok()
    print(f"# {peak / 1024:.1f} MiB at most")
    # How much is seen of a short peak depends on how often we run.
    check(1 << 10 < peak < 64 << 10, f"{peak} KiB")


main()
