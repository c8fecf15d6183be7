# SPDX-License-Identifier: Apache-2.0
# timeout: 400
"""A registry that lies, stalls and wanders: the right image or one clear error, in bounded time and memory, and
credentials that stay with the host they were given for.  The repository's name says how the server behaves."""
import base64, gzip, hashlib, http.server, json, os, pathlib, re, subprocess, threading, time

from caisson_test import Failed, check, main, same, test
from oci_image import LAYER, busybox_layer, compress, digest, free_port, tar

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
BASIC = "Basic " + base64.b64encode(b"anna:secret").decode()


def image(content=b"hello", big=0):
    body = tar([("f", content), ("big", os.urandom(big) if big else b"")])
    blob, kind = compress(body, "gzip")
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {},
                         "rootfs": {"type": "layers", "diff_ids": [digest(body)]}}).encode()
    doc = {"schemaVersion": 2, "mediaType": MANIFEST,
           "config": {"mediaType": CONFIG, "digest": digest(config), "size": len(config)},
           "layers": [{"mediaType": kind, "digest": digest(blob), "size": len(blob)}]}
    return json.dumps(doc).encode(), config, blob


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *a):
        pass

    def reply(self, status, body=b"", headers=(), length=None):
        self.send_response(status)
        for k, v in headers:
            self.send_header(k, v)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            self.close_connection = True

    def do_GET(self):
        s = self.server
        with s.lock:
            s.seen.append((self.path, self.headers.get("Authorization"), self.headers.get("Range")))
            s.count[self.path] = n = s.count.get(self.path, 0) + 1
        if self.path.startswith("/token"):
            return s.token(self)
        m = re.fullmatch(r"/v2/([^/]+)/(manifests|blobs)/(.+)", self.path)
        if not m:
            return self.reply(404)
        mode, kind, ref = m.groups()
        fn = getattr(s, f"{mode.replace('-', '_')}_{kind}", None)
        if fn and fn(self, ref, n) is not False:
            return None
        return self.good(kind, ref)

    def good(self, kind, ref):
        manifest, config, blob = self.server.image
        if kind == "manifests":
            return self.reply(200, manifest, [("Content-Type", MANIFEST)])
        data = {digest(config): config, digest(blob): blob}.get(ref)
        if data is None:
            return self.reply(404)
        r = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if r:
            at = int(r[1])
            return self.reply(206, data[at:], [("Content-Range", f"bytes {at}-{len(data) - 1}/{len(data)}")])
        return self.reply(200, data)


class Registry(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, img=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.image, self.seen, self.count, self.lock = img or image(), [], {}, threading.Lock()
        self.realm = None
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *a):
        pass

    def layer(self, ref):
        return ref == digest(self.image[2])

    # ---- behaviours: NAME_manifests and NAME_blobs; returning False means the good answer ----
    def wrong_digest_blobs(self, h, ref, n):
        blob = self.image[2]
        return h.reply(200, blob[:-1] + bytes([blob[-1] ^ 1])) if self.layer(ref) else False

    def rubbish_blobs(self, h, ref, n):
        return h.reply(200, b"x" * len(self.image[2])) if self.layer(ref) else False

    def bad_config_blobs(self, h, ref, n):
        return False if self.layer(ref) else h.reply(200, b"x" * len(self.image[1]))

    def short_blobs(self, h, ref, n):
        return h.reply(200, self.image[2][:100]) if self.layer(ref) else False

    def broken_blobs(self, h, ref, n):
        """Every connection breaks after 100,000 bytes, so only the resumption of Range gets there."""
        if not self.layer(ref):
            return False
        r = re.fullmatch(r"bytes=(\d+)-", h.headers.get("Range", ""))
        at, blob = int(r[1]) if r else 0, self.image[2]
        h.send_response(206 if r else 200)
        if r:
            h.send_header("Content-Range", f"bytes {at}-{len(blob) - 1}/{len(blob)}")
        h.send_header("Content-Length", str(len(blob) - at))
        h.end_headers()
        h.wfile.write(blob[at:at + 100000])
        h.close_connection = True

    def norange_blobs(self, h, ref, n):
        """Breaks once, then ignores the range and sends everything."""
        if not self.layer(ref):
            return False
        blob = self.image[2]
        h.send_response(200)
        h.send_header("Content-Length", str(len(blob)))
        h.end_headers()
        h.wfile.write(blob if n > 1 else blob[:100000])
        h.close_connection = True

    def lying_range_blobs(self, h, ref, n):
        if not self.layer(ref):
            return False
        if n == 1:
            return self.norange_blobs(h, ref, 1)
        return h.reply(206, b"y" * 50, [("Content-Range", "bytes 150000-150049/200000")])

    def endless_blobs(self, h, ref, n):
        if not self.layer(ref):
            return False
        return self.endless(h)

    def endless_manifest_manifests(self, h, ref, n):
        return self.endless(h)

    def endless(self, h):
        h.send_response(200)
        h.send_header("Transfer-Encoding", "chunked")
        h.end_headers()
        self.sent = 0
        try:
            while True:
                h.wfile.write(b"10000\r\n" + b"z" * 65536 + b"\r\n")
                self.sent += 65536
        except OSError:
            h.close_connection = True

    def slow_blobs(self, h, ref, n):
        if not self.layer(ref):
            return False
        h.send_response(200)
        h.send_header("Content-Length", str(len(self.image[2])))
        h.end_headers()
        try:
            for b in self.image[2]:
                h.wfile.write(bytes([b]))
                time.sleep(0.2)
        except OSError:
            h.close_connection = True

    def silent_manifests(self, h, ref, n):
        time.sleep(60)

    def loop_manifests(self, h, ref, n):
        h.reply(307, headers=[("Location", h.path + "x" if len(h.path) < 200 else "/v2/loop/manifests/l")])

    def away_blobs(self, h, ref, n):
        return h.reply(307, headers=[("Location", f"http://127.0.0.1:{self.other.port}/v2/good/blobs/{ref}")])

    def file_blobs(self, h, ref, n):
        return h.reply(307, headers=[("Location", "file:///etc/passwd")])

    def plain_blobs(self, h, ref, n):
        return h.reply(307, headers=[("Location", "http://registry.invalid/x")])

    def private_manifests(self, h, ref, n):
        return self.private(h)

    def private_blobs(self, h, ref, n):
        return self.private(h)

    def private(self, h):
        if h.headers.get("Authorization") == "Bearer t0ken":
            return False
        return h.reply(401, headers=[("WWW-Authenticate", f'Bearer realm="{self.realm}",service="test",scope="repository:x:pull"')])

    def basic_manifests(self, h, ref, n):
        if h.headers.get("Authorization") == BASIC:
            return False
        return h.reply(401, headers=[("WWW-Authenticate", 'Basic realm="x"')])

    basic_blobs = basic_manifests

    def denied_manifests(self, h, ref, n):
        return h.reply(403)

    def token(self, h):
        if getattr(self, "want_password", False) and h.headers.get("Authorization") != BASIC:
            return h.reply(401)
        return h.reply(200, json.dumps({"token": "t0ken"}).encode())

    def busy_manifests(self, h, ref, n):
        return h.reply(429, headers=[("Retry-After", "1")]) if n == 1 else False

    def busy_blobs(self, h, ref, n):
        return h.reply(503) if n <= 2 else False

    def always_busy_manifests(self, h, ref, n):
        return h.reply(503)

    def giant_manifests(self, h, ref, n):
        return h.reply(200, b'{"schemaVersion":2,' + b" " * (5 << 20) + b'"x":1}')

    def nested_manifests(self, h, ref, n):
        """Each index holds one more index, each with the right digest, twenty deep."""
        doc = json.dumps({"schemaVersion": 2, "manifests": []}).encode()
        chain = {}
        for i in range(20):
            chain[digest(doc)] = doc
            doc = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
                {"mediaType": INDEX, "digest": digest(doc), "size": len(doc), "platform": {"os": "linux", "architecture": "amd64"}}]}).encode()
        chain["latest"] = doc
        return h.reply(200, chain.get(ref, b""), [("Content-Type", INDEX)])

    def deep_json_manifests(self, h, ref, n):
        return h.reply(200, b"[" * 100000 + b"]" * 100000)

    def both_manifests(self, h, ref, n):
        doc = json.loads(self.image[0])
        doc["manifests"] = []
        return h.reply(200, json.dumps(doc).encode())

    def schema1_manifests(self, h, ref, n):
        return h.reply(200, b'{"schemaVersion":1,"fsLayers":[],"signatures":[]}')

    def lying_manifests(self, h, ref, n):
        """Asked by digest, it sends another manifest."""
        return h.reply(200, image(b"other")[0], [("Content-Type", MANIFEST)])

    def huge_layer_manifests(self, h, ref, n):
        doc = json.loads(self.image[0])
        doc["layers"][0]["size"] = 1 << 60
        return h.reply(200, json.dumps(doc).encode())

    def many_layers_manifests(self, h, ref, n):
        doc = json.loads(self.image[0])
        doc["layers"] *= 1000
        return h.reply(200, json.dumps(doc).encode())

    def html_manifests(self, h, ref, n):
        return h.reply(200, b"<html>hotel wifi</html>", [("Content-Type", "text/html")])

    def header_bomb_manifests(self, h, ref, n):
        h.send_response(200)
        try:
            for i in range(100000):
                h.send_header(f"X-{i}", "y" * 200)
            h.end_headers()
        except OSError:
            pass
        h.close_connection = True


def pull(env, reg, mode, *more, **kw):
    return env.run("pull", "-q", f"localhost:{reg.port}/{mode}:latest", *more, timeout=100,
                   env={"CAISSON_FETCH_STALL_SECONDS": "2", "PATH": os.environ["PATH"], **kw.pop("env", {})}, **kw)


def refused(env, reg, mode, *words):
    """One clear error, and the store as before: no name, no blob, no layer."""
    env.run("images")
    t0 = time.monotonic()
    pull(env, reg, mode).error(1, f"localhost:{reg.port}/{mode}:latest", *words)
    took = time.monotonic() - t0
    check(took < 200, f"{mode} took {took:.1f} s")
    same(env.run("images", "-q").ok().out, "", "images")
    same([p.name for p in (env.root / "layers").iterdir()], [], "layers")


def credentials(env, reg):
    d = env.base / ".docker"
    d.mkdir(exist_ok=True)
    (d / "config.json").write_text(json.dumps({"auths": {f"localhost:{reg.port}": {"auth": BASIC[6:]}}}))


def no_credentials(env):
    (env.base / ".docker/config.json").unlink(missing_ok=True)


def clean(env):
    for i in env.run("images", "-q").out.split():
        env.run("rmi", "-f", i).ok()


@test
def good_image(env):
    reg = Registry()
    pull(env, reg, "good").ok(out=f"localhost:{reg.port}/good:latest\n")
    check(env.run("images").out.count("good") == 1, "it is not listed")
    n = len(reg.seen)
    pull(env, reg, "good").ok()
    same([p for p, _, _ in reg.seen[n:] if "blobs" in p], [], "blobs fetched again")
    clean(env)
    same(sorted(p.name for p in (env.root / "blobs/sha256").iterdir()), [], "blobs after rmi")


@test
def by_digest(env):
    reg = Registry()
    d = digest(reg.image[0])
    env.run("pull", "-q", f"localhost:{reg.port}/good@{d}").ok()
    env.run("image", "inspect", f"localhost:{reg.port}/good@{d}").ok()
    env.run("pull", "-q", f"localhost:{reg.port}/lying@{d}").error(1, "digest")
    clean(env)


@test
def wrong_bytes(env):
    reg = Registry(image(big=300000))
    refused(env, reg, "wrong-digest", "wrong digest")
    refused(env, reg, "rubbish", "wrong digest")
    refused(env, reg, "bad-config", "wrong digest")
    refused(env, reg, "file", "not an http")
    refused(env, reg, "plain", "plain HTTP")


@test
def truncated_layer(env):
    reg = Registry(image(big=300000))
    refused(env, reg, "short", "ended after 100 bytes")


@test
def broken_connections_are_resumed(env):
    reg = Registry(image(big=700000))
    pull(env, reg, "broken").ok()
    ranges = [r for p, _, r in reg.seen if r]
    check(len(ranges) >= 6 and ranges[0] == "bytes=100000-", f"ranges asked: {ranges}")
    clean(env)
    pull(env, reg, "norange").ok()
    clean(env)
    refused(env, reg, "lying-range", "range")


@test
def endless_bodies(env):
    reg = Registry()
    refused(env, reg, "endless", "more than the")
    check(reg.sent < 16 << 20, f"{reg.sent} bytes were taken")
    refused(env, reg, "endless-manifest", "4194304")
    check(reg.sent < 32 << 20, f"{reg.sent} bytes were taken")


@test(timeout=90)
def slow_bodies_and_silence(env):
    reg = Registry()
    refused(env, reg, "slow", "less than 1024 bytes in 2 seconds")
    refused(env, reg, "silent", "less than 1024 bytes in 2 seconds")


@test
def redirects(env):
    reg = Registry()
    reg.other = Registry(reg.image)
    refused(env, reg, "loop", "redirects")
    credentials(env, reg)
    pull(env, reg, "away").ok()
    check(reg.other.seen, "the other host was not asked")
    same([a for _, a, _ in reg.other.seen if a], [], "credentials seen by the other host")
    clean(env)
    no_credentials(env)


@test
def token_from_the_same_host(env):
    reg = Registry()
    reg.realm, reg.want_password = f"http://localhost:{reg.port}/token", True
    refused(env, reg, "private", "login is needed")
    credentials(env, reg)
    pull(env, reg, "private").ok()
    check([a for p, a, _ in reg.seen if p.startswith("/token") and a == BASIC], "no password at the token server")
    check(any("scope=repository%3Ax%3Apull" in p and "service=test" in p for p, _, _ in reg.seen), "scope and service were not sent")
    clean(env)
    no_credentials(env)


@test
def realm_on_another_host_gets_no_password(env):
    reg, thief = Registry(), Registry()
    credentials(env, reg)
    reg.realm, thief.want_password = f"http://127.0.0.1:{thief.port}/token", True
    refused(env, reg, "private", "does not get the password")
    same([a for _, a, _ in thief.seen if a], [], "credentials seen by the other host")
    thief.want_password = False      # a token without a password is fine
    pull(env, reg, "private").ok()
    same([a for _, a, _ in thief.seen if a], [], "credentials seen by the other host")
    clean(env)
    reg.realm = "http://evil.invalid/token"
    refused(env, reg, "private", "plain HTTP")
    reg.realm = "file:///etc/passwd"
    refused(env, reg, "private", "not an http")
    no_credentials(env)


@test
def basic_authentication(env):
    reg = Registry()
    refused(env, reg, "basic", "login")
    credentials(env, reg)
    pull(env, reg, "basic").ok()
    clean(env)
    no_credentials(env)
    refused(env, reg, "denied", "denies")


@test
def busy_registries_are_asked_again(env):
    reg = Registry()
    t0 = time.monotonic()
    pull(env, reg, "busy").ok()
    check(time.monotonic() - t0 >= 1, "Retry-After was ignored")
    clean(env)
    refused(env, reg, "always-busy", "503")


@test
def monstrous_manifests(env):
    reg = Registry()
    refused(env, reg, "giant", "4194304 bytes")
    refused(env, reg, "nested", "indexes inside each other")
    refused(env, reg, "deep-json", "not JSON")
    refused(env, reg, "both", "index and manifest at once")
    refused(env, reg, "schema1", "schema 1")
    refused(env, reg, "huge-layer", "at most")
    refused(env, reg, "many-layers", "1000 layers")
    refused(env, reg, "html", "not JSON")
    refused(env, reg, "header-bomb")


@test
def names_that_are_not_there(env):
    reg = Registry()
    pull(env, reg, "good/nothing").error(1, "good/nothing", "has no")
    env.run("pull", f"localhost:{free_port()}/x").error(1, "localhost", "connect")
    env.run("pull", "registry.invalid/x").error(1, "registry.invalid")
    env.run("pull", "UPPER").error(2, "'UPPER'", "not an image reference")
    env.run("pull", "x@sha256:12").error(2, "sha256")
    env.run("rmi", "nope").error(1, "no image 'nope'")
    env.run("image", "inspect", "nope").expect(1, out="[]\n", err="caisson: no image 'nope'\n")
    pull(env, reg, "good").ok()
    env.run("pull", "-q", "--platform=linux/s390x", f"localhost:{reg.port}/good").error(1, "linux/s390x")
    clean(env)


main()
