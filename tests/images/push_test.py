# SPDX-License-Identifier: Apache-2.0
# timeout: 300
"""push to the distribution's docker-registry, with skopeo as witness, and to registries that refuse, wander and lie:
the digest there is the digest here, or there is one clear error in bounded time, and credentials stay at home."""
import hashlib, http.server, itertools, json, os, re, subprocess, threading, time, urllib.parse

from caisson_test import Failed, check, main, same, test
from oci_image import Layout, busybox_layer, digest, registry, tar

BASIC = "Basic YW5uYTpzZWNyZXQ="        # anna:secret


def skopeo(*args):
    r = subprocess.run(["skopeo", "--insecure-policy", *args], capture_output=True, text=True)
    if r.returncode:
        raise Failed(f"skopeo {args}: {r.stderr[-2000:]}")
    return r.stdout


def there(ref, *args):
    return "sha256:" + hashlib.sha256(skopeo("inspect", "--raw", "--tls-verify=false", *args, f"docker://{ref}").encode()).hexdigest()


def layout(env, big=0):
    lay = Layout(env.tmp / f"app{big}")
    lay.image([(busybox_layer(), "gzip"), (tar([("big", os.urandom(big))]), None)] if big else [(tar([("f", b"hello")]), "gzip")])
    env.run("pull", "-q", f"oci:{lay.path}:latest").ok()
    return lay.manifests[0]["digest"], f"app{big}:latest"


def clean(env):
    for i in env.run("images", "-q").out.split():
        env.run("rmi", "-f", i).ok()


def push(env, ref, *more, **kw):
    return env.run("push", *more, ref, timeout=100, env={"CAISSON_FETCH_STALL_SECONDS": "2", "PATH": os.environ["PATH"]}, **kw)


@test(needs="registry")
def what_arrives_has_the_same_digest(env):
    want, name = layout(env, 40 << 20)        # more than two pieces
    with registry(env) as host:
        env.run("tag", name, f"{host}/one/app:v1").ok()
        p = push(env, f"{host}/one/app:v1").ok(out=re.compile(rf"^v1: digest: {want} size: \d+\n$"))
        same(p.err.count(": push"), 3, "lines of blobs pushed")
        same(there(f"{host}/one/app:v1"), want, "digest at the registry")
        skopeo("copy", "-q", "--src-tls-verify=false", f"docker://{host}/one/app:v1", f"oci:{env.tmp}/back:x")
        p = push(env, f"{host}/one/app:v1").ok()
        same(p.err.count(": exists"), 3, "blobs skipped")
        # Another repository of the same registry: nothing is sent.
        env.run("tag", name, f"{host}/two/app:v1").ok()
        p = push(env, f"{host}/two/app:v1").ok()
        same(p.err.count(": mounted"), 3, "blobs mounted")
        same(there(f"{host}/two/app:v1"), want, "digest at the registry")
        env.run("tag", name, f"{host}/two/app:v2").ok()
        push(env, f"{host}/two/app", "-q", "--all-tags").ok(out=re.compile(r"/two/app:v1\n.*/two/app:v2\n|/two/app:v2\n.*/two/app:v1\n"))
        same(there(f"{host}/two/app:v2"), want, "digest at the registry")
        # And back: the store finds that it has everything.
        clean(env)
        env.run("pull", "-q", f"{host}/two/app:v2").ok()
        check(want in env.run("image", "inspect", f"{host}/two/app:v2").ok().out, "another digest came back")
    clean(env)


@test
def names_that_cannot_be_pushed(env):
    d, name = layout(env)
    env.run("push", "nope:1").error(1, "nope:1", "no such image")
    env.run("push", f"app0@{d}").error(2, "digest")
    env.run("push", "-a", "app0:latest").error(2, "tag")
    env.run("push", "UPPER").error(2, "UPPER")
    env.run("tag", name, "registry.invalid/x:1").ok()
    push(env, "registry.invalid/x:1", "-q").error(1, "registry.invalid")
    clean(env)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *a):
        pass

    def reply(self, status, headers=(), body=b""):
        self.send_response(status)
        for k, v in headers:
            self.send_header(k, v)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle_any(self):
        s, body = self.server, b""
        if self.headers.get("Content-Length") and self.command in ("PUT", "PATCH", "POST"):
            body = self.rfile.read(int(self.headers["Content-Length"]))
        with s.lock:
            s.seen.append((self.command, self.path, self.headers.get("Authorization")))
            n = s.count[self.command] = s.count.get(self.command, 0) + 1
        if self.path.startswith("/token"):
            if s.want_password and self.headers.get("Authorization") != BASIC:
                return self.reply(401)
            return self.reply(200, body=json.dumps({"token": "t0ken"}).encode())
        mode = self.path.split("/")[2]
        if mode in ("private", "other") and s.realm and self.headers.get("Authorization") != "Bearer t0ken":
            return self.reply(401, [("WWW-Authenticate", f'Bearer realm="{s.realm}",service="test",scope="repository:{mode}:pull"')])
        return getattr(s, mode)(self, body, n)

    do_HEAD = do_GET = do_POST = do_PATCH = do_PUT = handle_any


class Registry(http.server.ThreadingHTTPServer):
    """Takes uploads in memory; the repository's name says how it behaves."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.port, self.lock = self.server_address[1], threading.Lock()
        self.seen, self.count, self.blobs, self.sessions, self.manifests = [], {}, {}, {}, {}
        self.numbers = itertools.count()
        self.realm, self.want_password, self.other_port = None, False, None
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *a):
        pass

    # ---- an honest registry ----
    def good(self, h, body, n):
        url = urllib.parse.urlsplit(h.path)
        q = urllib.parse.parse_qs(url.query)
        _, _, repo, kind, ref, *more = url.path.split("/")
        if kind == "manifests":
            self.manifests[ref] = body
            return h.reply(201, [("Docker-Content-Digest", digest(body))])
        if h.command == "HEAD":
            return h.reply(200 if ref in self.blobs else 404)
        with self.lock:
            if h.command == "POST":
                ref = str(next(self.numbers))      # never one of a session that has ended
                self.sessions[ref] = b""
                return h.reply(202, [("Location", f"/v2/{repo}/blobs/up-{ref}?state=x")])
            sid = ref[3:]
            if sid not in self.sessions:
                return h.reply(404)
            if h.command == "GET":
                return h.reply(204, [("Location", h.path), ("Range", f"0-{max(len(self.sessions[sid]) - 1, 0)}")])
            if h.command == "PATCH" and int(h.headers["Content-Range"].split("-")[0]) != len(self.sessions[sid]):
                return h.reply(416)
            self.sessions[sid] += body
            if h.command == "PATCH":
                return h.reply(202, [("Location", h.path), ("Range", f"0-{len(self.sessions[sid]) - 1}")])
            data, want = self.sessions.pop(sid), q["digest"][0]
        if digest(data) != want:
            return h.reply(400)
        self.blobs[want] = data
        return h.reply(201, [("Docker-Content-Digest", want)])

    private = good

    # ---- the others ----
    def refuse(self, h, status, headers=()):
        return h.reply(404) if h.command == "HEAD" else h.reply(status, headers)

    def s401(self, h, body, n):
        return self.refuse(h, 401, [("WWW-Authenticate", 'Basic realm="x"')])

    def s403(self, h, body, n):
        return self.refuse(h, 403)

    def s404(self, h, body, n):
        return self.refuse(h, 404)

    def s500(self, h, body, n):
        return self.refuse(h, 500)

    def nowhere(self, h, body, n):
        return self.refuse(h, 202)

    def file(self, h, body, n):
        return self.refuse(h, 202, [("Location", "file:///tmp/x")])

    def plain(self, h, body, n):
        return self.refuse(h, 202, [("Location", "http://upload.invalid/x")])

    def other(self, h, body, n):
        """Uploads happen at another host."""
        if h.command == "POST":
            return h.reply(202, [("Location", f"http://127.0.0.1:{self.other_port}/v2/good/blobs/up-any")])
        return self.good(h, body, n)

    def busy(self, h, body, n):
        return h.reply(429, [("Retry-After", "1")]) if h.command == "POST" and n == 1 else self.good(h, body, n)

    def short(self, h, body, n):
        """Of every piece only the first five million bytes are taken."""
        if h.command == "PATCH":
            return self.good(h, body[:5000000], n)
        return self.good(h, body, n)

    def greedy(self, h, body, n):
        if h.command == "PATCH":
            return h.reply(202, [("Location", h.path), ("Range", "0-99999999999")])
        return self.good(h, body, n)

    def nothing(self, h, body, n):
        """Nothing is taken after the first piece."""
        start = int(h.headers["Content-Range"].split("-")[0]) if h.command == "PATCH" else 0
        if start:
            return h.reply(202, [("Location", h.path), ("Range", f"0-{start - 1}")])
        return self.good(h, body, n)

    def broken(self, h, body, n):
        """The first answer to a piece is lost after it was taken; the second piece is lost itself."""
        if h.command == "PATCH" and n in (1, 2):
            if n == 1:
                self.sessions[h.path.split("/up-")[1].split("?")[0]] += body
            h.close_connection = True
            return None
        return self.good(h, body, n)

    def forgets(self, h, body, n):
        """The session is gone after the first piece."""
        if h.command == "PATCH" and n == 1:
            self.sessions.pop(h.path.split("/up-")[1].split("?")[0])
            return h.reply(503)
        return self.good(h, body, n)

    def another(self, h, body, n):
        if "/manifests/" in h.path:
            return h.reply(201, [("Docker-Content-Digest", digest(b"x"))])
        return self.good(h, body, n)

    def loop(self, h, body, n):
        return h.reply(404) if h.command == "HEAD" else h.reply(307, [("Location", h.path + "x" if len(h.path) < 200 else "/v2/loop/l/l")])


def to(env, reg, mode, name):
    ref = f"localhost:{reg.port}/{mode}:t"
    env.run("tag", name, ref).ok()
    t0 = time.monotonic()
    r = push(env, ref, "-q")
    check(time.monotonic() - t0 < 200, f"{mode} took {time.monotonic() - t0:.1f} s")
    return r


def credentials(env, reg):
    d = env.base / ".docker"
    d.mkdir(exist_ok=True)
    (d / "config.json").write_text(json.dumps({"auths": {f"localhost:{reg.port}": {"auth": BASIC[6:]}}}))


@test
def refusals_are_one_clear_error(env):
    _, name = layout(env)
    for mode, words in (("s401", ["login"]), ("s403", ["denies"]), ("s404", ["no such repository"]), ("s500", ["500"]),
                        ("nowhere", ["does not say where"]), ("file", ["not an http"]), ("plain", ["plain HTTP"]),
                        ("another", ["made sha256:"]), ("loop", ["redirects"])):
        reg = Registry()
        to(env, reg, mode, name).error(1, f"/{mode}:t", *words)
        if mode != "another":
            same(reg.manifests, {}, "manifests without their blobs")
    clean(env)


@test
def busy_registries_are_asked_again(env):
    want, name = layout(env)
    reg = Registry()
    t0 = time.monotonic()
    to(env, reg, "busy", name).ok()
    check(time.monotonic() - t0 >= 1, "Retry-After was ignored")
    same(digest(reg.manifests["t"]), want, "digest of the manifest")
    clean(env)


@test(timeout=120)
def pieces_that_get_lost_are_sent_again(env):
    want, name = layout(env, 40 << 20)
    for mode in ("short", "broken", "forgets"):
        reg = Registry()
        to(env, reg, mode, name).ok()
        same(digest(reg.manifests["t"]), want, f"{mode}: digest of the manifest")
        for d in [b["digest"] for b in json.loads(reg.manifests["t"])["layers"]]:
            same(digest(reg.blobs[d]), d, f"{mode}: blob")
    to(env, Registry(), "greedy", name).error(1, "was not sent")
    to(env, Registry(), "nothing", name).error(1, "takes nothing")
    clean(env)


@test
def credentials_stay_with_the_registry(env):
    want, name = layout(env)
    reg, other = Registry(), Registry()
    reg.realm, reg.want_password, reg.other_port = f"http://localhost:{reg.port}/token", True, other.port
    to(env, reg, "private", name).error(1, "login is needed")
    credentials(env, reg)
    try:
        to(env, reg, "private", name).ok()
        same(digest(reg.manifests["t"]), want, "digest of the manifest")
        tokens = [p for c, p, a in reg.seen if p.startswith("/token") and a == BASIC]
        check(tokens and all("scope=repository%3Aprivate%3Apull%2Cpush" in p for p in tokens), f"scopes asked: {tokens}")
        check(not [p for c, p, a in reg.seen if a == BASIC and not p.startswith("/token")], "the password went to the registry itself")
        # The other host knows of no session, which ends it; what matters is what it was told.
        reg.blobs.clear()
        to(env, reg, "other", name).error(1, "localhost")
        check([c for c, _, _ in other.seen if c == "PUT"], "the other host was not asked")
        same([a for _, _, a in other.seen if a], [], "credentials seen by the other host")
    finally:
        (env.base / ".docker/config.json").unlink()
    clean(env)


main()
