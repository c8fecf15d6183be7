# SPDX-License-Identifier: Apache-2.0
# timeout: 600
# slow
"""Every step at which the store can fail, fails once: with an error, a full disk, half of a write, a kill -9.  And kill -9
at random times, and disks of every size.  Afterwards the store is whole, the same command succeeds, and after the last
rmi no byte is left.  Points and actions: src/base/fault.h, compiled in in a build of our own."""
import collections, os, random, shutil, signal, subprocess, time

from caisson_test import BUILD, TOP, Failed, check, main, same, test
from oci_image import Layout, busybox_layer, push, registry, tar

FAULTS = TOP / "build-faults"
NAME = "localhost/fault:latest"


def use_fault_build(env):
    if env.binary.parent == FAULTS:
        return
    for cmd in (["tools/setup", FAULTS, "-Dfaults=true"], ["ninja", "-C", FAULTS, "caisson", "caisson-unpack", "caisson-fetch", "caisson-monitor"]):
        p = subprocess.run(cmd, cwd=TOP, capture_output=True, text=True)
        check(p.returncode == 0, f"the build with faults failed: {(p.stdout + p.stderr)[-1000:]}")
    env.binary = FAULTS / "caisson"


def archive_of(env, layout, name):
    """The image as `save` writes it."""
    archive = env.tmp / f"{name}.tar"
    ref = env.run("pull", "-q", f"oci:{layout.path}").ok().out.strip()
    env.run("tag", ref, NAME).ok()
    env.run("save", "-o", archive, NAME).ok()
    drop_all(env)
    return archive


def image(env):
    """One of two layers as a layout and as an archive; made once."""
    if not hasattr(env, "faulty"):
        layout = Layout(env.tmp / "layout")
        layout.image([(busybox_layer(), "gzip"), (tar([("etc/motd", b"hello\n" * 1000), ("etc/.wh.group", b"")]), "zstd")])
        env.faulty = layout, archive_of(env, layout, "small")
    return env.faulty


def verbs(env):
    """name: (what must have been done before, the command)."""
    layout, archive = image(env)
    pull = ["pull", "-q", f"oci:{layout.path}"]
    load = ["load", "-q", "-i", archive]
    fetch = {"fetch": ([], ["pull", "-q", env.fetch])} if getattr(env, "fetch", None) else {}
    return {**fetch, "pull": ([], pull), "load": ([], load), "rmi": ([load], ["rmi", NAME]),
            "prune": ([load, ["tag", NAME, "other"], pull], ["image", "prune", "-a", "-f"])}


def left(env):
    return [os.path.join(d, f) for top in ("blobs", "layers", "images", "metas", "parts", "tmp") for d, _, files in os.walk(env.root / top) for f in files]


def drop_all(env):
    env.run("system", "prune", "-a", "-f").ok()


def prepare(env, before):
    for cmd in before:
        env.run(*cmd).ok()


def judge(env, where, cmd):
    """What must hold after anything."""
    check("0 wrong" in env.run("system", "check").ok().out, f"{where}: the store is damaged")
    r = env.run(*cmd)
    # Its work may have been done, before it was hit.
    check(r.code == 0 or (cmd[0] == "rmi" and "no image" in r.err.lower()), f"{where}: the second try: {r.err}")
    drop_all(env)
    check(not left(env), f"{where}: left behind: {left(env)}")


def points(env, before, cmd):
    log = env.tmp / "points"
    log.unlink(missing_ok=True)
    prepare(env, before)
    env.run(*cmd).ok()         # the store itself and what the first command finds out about the host
    drop_all(env)
    prepare(env, before)
    env.run(*cmd, env={"CAISSON_FAULT_LOG": str(log)}).ok()
    drop_all(env)
    return collections.Counter(log.read_text().split())


def each_point(env, verb):
    use_fault_build(env)
    before, cmd = verbs(env)[verb]
    hit = 0
    for name, times in sorted(points(env, before, cmd).items()):
        actions = ["error", "kill"] + (["full", "short"] if "write" in name else [])
        for n in range(1, min(times, 4) + 1):
            for action in actions:
                where = f"{verb} with {name}:{n}:{action}"
                prepare(env, before)
                r = env.run(*cmd, env={"CAISSON_FAULT": f"{name}:{n}:{action}"})
                same(r.code == 137, action == "kill", f"{where}: killed ({r.code} {r.err})")
                check(r.code in (0, 1, 137), f"{where}: exit code {r.code} {r.err}")
                judge(env, where, cmd)
                hit += 1
    check(hit > 15, f"only {hit} faults")
    print(f"# {hit} faults")


@test(needs="root", timeout=300)
def each_point_of_pull(env):
    each_point(env, "pull")


@test(needs="root", timeout=300)
def each_point_of_load(env):
    each_point(env, "load")


@test(needs="root", timeout=300)
def each_point_of_rmi(env):
    each_point(env, "rmi")


@test(needs="root", timeout=300)
def each_point_of_prune(env):
    each_point(env, "prune")


@test(needs="root,registry", timeout=300)
def each_point_of_a_pull_from_a_registry(env):
    """The same with parts of blobs (store/part.h): what was broken off is gone on with, or thrown away."""
    with registry(env) as host:
        ref = f"{host}/fault/image:1"
        push(image(env)[0], ref)
        env.fetch = ref
        each_point(env, "fetch")


@test(needs="root", timeout=300)
def killed_at_200_random_times(env):
    env.binary = BUILD / "caisson"
    env.fetch = None
    seed = int(os.environ.get("CAISSON_TEST_SEED", time.time_ns() % 1000000))
    rng = random.Random(seed)
    killed = 0
    for verb, (before, cmd) in verbs(env).items():
        prepare(env, before)
        t0 = time.monotonic()
        env.run(*cmd).ok()
        usual = time.monotonic() - t0
        drop_all(env)
        for n in range(50):
            prepare(env, before)
            p = env.start(*cmd)
            time.sleep(rng.uniform(0, usual * 1.1))
            p.signal(signal.SIGKILL)
            hit = p.finish().code == 137
            killed += hit
            # The first may have been slow, or the machine becomes so.
            usual *= 1.05 if hit else 0.9
            judge(env, f"{verb} killed, number {n}, seed {seed}", cmd)
    print(f"# killed {killed} times, seed {seed}")
    check(killed > 60, f"only {killed} of 200 were killed")


@test(needs="root", timeout=300)
def disks_of_every_size(env):
    """A tmpfs that is full at every stage; then it grows, and the same command succeeds."""
    env.binary = BUILD / "caisson"
    big = Layout(env.tmp / "big")
    big.image([(tar([(f"d/f{i}", os.urandom(5000)) for i in range(100)]), "gzip"), (tar([("x", os.urandom(700000))]), "zstd")])
    archive = archive_of(env, big, "big")
    shutil.rmtree(env.root, ignore_errors=True)
    env.root.mkdir(parents=True)
    failed = 0
    for cmd in (["pull", "-q", f"oci:{big.path}"], ["load", "-q", "-i", archive]):
        for kib in [*range(4, 80, 8), *range(80, 3400, 160)]:
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", env.root], check=True)
            try:
                r = env.run(*cmd)
                if r.code:
                    failed += 1
                    r.error(1, "no space left")
                    same(list((env.root / "images").glob("*.json")) if (env.root / "images").exists() else [], [], "records")
                subprocess.run(["mount", "-o", "remount,size=64m", env.root], check=True)   # checking takes room too
                judge(env, f"{cmd[0]} on {kib} KiB", cmd)
            finally:
                subprocess.run(["umount", env.root], check=True)
    check(failed > 20, f"only {failed} were too small")
    print(f"# {failed} disks were too small")


main()
