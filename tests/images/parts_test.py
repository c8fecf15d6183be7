# SPDX-License-Identifier: Apache-2.0
# timeout: 300
"""Downloads that are broken off go on where they stopped; commands that want the same blob share one download; what runs
is never collected, with fifty commands at once."""
import hashlib, http.server, json, os, re, signal, subprocess, threading, time

from caisson_test import check, main, same, test, wait_for
from oci_image import Layout, busybox_layer, tar

SIZE = 3 << 20
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *a):
        pass

    def do_GET(self):
        s, what = self.server, self.path.rpartition("/")[2]
        body = s.manifest if "/manifests/" in self.path else s.blobs.get(what)
        if body is None:
            self.send_response(404 if self.path != "/v2/" else 200)
            self.send_header("Content-Length", "0")
            return self.end_headers()
        r = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        at = int(r[1]) if r else 0
        with s.lock:
            s.asked.append((what, at))
        self.send_response(206 if r else 200)
        if r:
            self.send_header("Content-Range", f"bytes {at}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Type", MANIFEST)
        self.send_header("Content-Length", str(len(body) - at))
        self.end_headers()
        try:
            while at < len(body):
                # Large blobs stop at the gate until it is opened.
                gate = s.gate if len(body) >= SIZE else len(body)
                if at >= gate:
                    time.sleep(0.01)
                    continue
                n = min(65536, gate - at, len(body) - at)
                self.wfile.write(body[at:at + n])
                at += n
        except OSError:
            self.close_connection = True


class Registry(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, env):
        super().__init__(("127.0.0.1", 0), Handler)
        layout = Layout(env.tmp / f"layout-{time.monotonic_ns()}")
        m = layout.image([(busybox_layer(), "gzip"), (tar([("random", os.urandom(SIZE))]), "gzip")], {"Cmd": ["sh"]})
        self.manifest = (layout.path / "blobs/sha256" / layout.manifests[0]["digest"][7:]).read_bytes()
        self.blobs = {"sha256:" + p.name: p.read_bytes() for p in (layout.path / "blobs/sha256").iterdir()}
        self.big = m["layers"][1]["digest"]
        self.gate, self.asked, self.lock = 1 << 40, [], threading.Lock()
        self.ref = f"localhost:{self.server_address[1]}/a/b:1"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *a):
        pass

    def times(self):
        """From where the large blob was asked for."""
        with self.lock:
            return [at for what, at in self.asked if what == self.big]


def part(env, reg):
    return env.root / "parts" / reg.big[7:]


def begin(env, reg, gate=SIZE // 2):
    """A pull that stands in the middle of the large layer."""
    reg.gate = gate
    p = env.start("pull", "-q", reg.ref)
    wait_for(lambda: part(env, reg).exists() and part(env, reg).stat().st_size >= gate - 65536, 20, "half of the blob")
    return p


def runs(env, reg):
    same(env.run("run", "--rm", "--network=none", reg.ref, "sha256sum", "/random").code in (0, 127), True, "it runs")
    check("0 wrong" in env.run("system", "check").ok().out, "the store is damaged")


def drop_all(env):
    env.run("system", "prune", "-a", "-f").ok()
    left = [os.path.join(d, f) for top in ("blobs", "layers", "images", "parts", "tmp") for d, _, files in os.walk(env.root / top) for f in files]
    same(left, [], "what is left")


@test(needs="root")
def a_broken_off_pull_goes_on(env):
    for sig in (signal.SIGINT, signal.SIGKILL):
        reg = Registry(env)
        p = begin(env, reg)
        p.signal(sig)
        check(p.finish().code != 0, "it ended well")
        size = part(env, reg).stat().st_size
        df = json.loads(env.run("system", "df", "-v", "--format", "json").ok().out)
        check(df["Cache"]["Reclaimable"] >= size, f"not accounted for: {df['Cache']}")
        env.run("image", "prune", "-f").ok()            # young ones stay
        reg.gate = 1 << 40
        env.run("pull", "-q", reg.ref).ok()
        same(reg.times(), [0, size], "where it was asked from")
        check(not part(env, reg).exists(), "the part is still there")
        runs(env, reg)
        drop_all(env)


@test(needs="root")
def commands_share_a_download(env):
    reg = Registry(env)
    first = begin(env, reg)
    others = [env.start("pull", "-q", reg.ref) for _ in range(4)]
    time.sleep(0.3)
    same([p.p.poll() for p in [first, *others]], [None] * 5, "all of them wait")
    reg.gate = 1 << 40
    for p in [first, *others]:
        p.finish().ok(out=reg.ref + "\n")
    same(reg.times(), [0], "downloads of the large blob")
    runs(env, reg)
    drop_all(env)


@test(needs="root")
def another_takes_over(env):
    reg = Registry(env)
    first = begin(env, reg)
    second = env.start("pull", "-q", reg.ref)
    time.sleep(0.2)
    first.signal(signal.SIGKILL)
    first.finish()
    wait_for(lambda: len(reg.times()) == 2, 20, "the other asks")
    size = reg.times()[1]
    check(size > 0, "it began anew")
    reg.gate = 1 << 40
    second.finish().ok()
    runs(env, reg)
    drop_all(env)


@test(needs="root")
def wrong_parts_are_thrown_away(env):
    reg = Registry(env)
    for what in ("wrong", "long", "whole"):
        n = len(reg.times())
        p = begin(env, reg)
        p.signal(signal.SIGKILL)
        p.finish()
        blob = reg.blobs[reg.big]
        part(env, reg).write_bytes({"wrong": b"x" * 1000, "long": bytes(len(blob) + 1), "whole": blob}[what])
        reg.gate = 1 << 40
        r = env.run("pull", "-q", reg.ref)
        check(r.code == 0, f"{what}: {r.err} {reg.times()[n:]}")
        same(reg.times()[n:], {"wrong": [0, 1000, 0], "long": [0, 0], "whole": [0]}[what], f"{what}: where it was asked from")
        runs(env, reg)
        drop_all(env)


@test(needs="root")
def old_parts_are_swept(env):
    reg = Registry(env)
    p = begin(env, reg)
    p.signal(signal.SIGKILL)
    p.finish()
    env.run("image", "prune", "-f").ok()
    check(part(env, reg).exists(), "a young part went")
    os.utime(part(env, reg), (time.time() - 90000,) * 2)
    check("B" in env.run("image", "prune", "-f").ok().out, "nothing said")
    check(not part(env, reg).exists(), "an old part stayed")
    p = begin(env, reg)
    env.run("system", "prune", "-f").ok()
    check(part(env, reg).exists(), "the part of a running pull went")
    p.signal(signal.SIGKILL)
    p.finish()
    env.run("system", "prune", "-f").ok()
    check(not part(env, reg).exists(), "system prune left a part")


@test(needs="root")
def a_killed_save_leaves_nothing(env):
    layout = Layout(env.tmp / "save")
    layout.image([(tar([("random", os.urandom(20 << 20))]), None)])
    ref = env.run("pull", "-q", f"oci:{layout.path}").ok().out.strip()
    out = env.tmp / "out"
    out.mkdir()
    for delay in (0, 0.005, 0.01, 0.02, 0.03):
        p = env.start("save", "-o", out / "image.tar", ref)
        time.sleep(delay)
        p.signal(signal.SIGKILL)
        killed = p.finish().code == 137
        same([f.name for f in out.iterdir() if not killed or f.name != "image.tar"], [] if killed else ["image.tar"], "files")
    env.run("save", "-o", out / "image.tar", ref).ok()
    same(oct((out / "image.tar").stat().st_mode & 0o777), oct(0o644), "mode")
    drop_all(env)


@test(needs="root", timeout=150)
def nothing_that_runs_is_collected(env):
    """Fifty commands at once: pulls, runs, tags, removals, collections.  Every run of what was pulled in time sees its whole root."""
    layout = Layout(env.tmp / "many")
    for i in range(3):
        layout.image([(busybox_layer([("which", b"%d\n" % i)]), "gzip"), (tar([(f"more{i}", os.urandom(50000))]), "zstd")], {"Cmd": ["sh"]}, tag=f"t{i}")
    wrong, done = [], []

    def one(n):
        i = n % 3
        if n % 5 == 0:
            r = env.run("image", "prune", "-a", "-f")
        elif n % 5 == 1:
            r = env.run("system", "prune", "-a", "-f")
        elif n % 5 == 2:
            r = env.run("pull", "-q", f"oci:{layout.path}:t{i}")
        else:
            env.run("pull", "-q", f"oci:{layout.path}:t{i}")
            r = env.run("run", "--rm", "--network=none", f"many:t{i}", "cat", "/which", f"/more{i}")
            # Between pull and run it may be collected; nothing else may go wrong.
            if r.code == 125 and "no image" in r.err.lower() or "pull" in r.err:
                r.code = 0
            elif r.code == 0 and not r.out.startswith(f"{i}\n"):
                wrong.append(f"{n}: another root")
            else:
                done.append(n)
        if r.code:
            wrong.append(f"{n}: {r.args[5:8]}: {r.code} {r.err}")
    for _ in range(2):
        threads = [threading.Thread(target=one, args=(n,)) for n in range(50)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    same(wrong, [], "failures")
    check(len(done) > 10, f"only {len(done)} ran")
    check("0 wrong" in env.run("system", "check").ok().out, "the store is damaged")
    drop_all(env)


main()
