# SPDX-License-Identifier: Apache-2.0
# timeout: 200
"""Where a registry really is: mirrors and other locations of registries.conf, certs.d with client certificates, registries without TLS,
proxies, and tokens got by POST.  Registries are image serve, docker-registry and a small one of ours; connections are counted on the way."""
import base64, http.client, http.server, json, os, re, shutil, signal, socket, ssl, subprocess, threading, urllib.parse

from caisson_test import Env, Failed, check, main, same, skip, test, which
from oci_image import Layout, free_port, registry, tar


class Serve:
    """image serve of a store of its own with app:1 in it."""
    def __init__(self, env, name, *layouts):
        self.env = Env(env.tmp / name)
        for lay in layouts:
            self.env.run("pull", "-q", f"oci:{lay.path}:latest").ok()
        self.p = self.env.start("image", "serve", "--listen", "127.0.0.1:0")
        self.address = self.p.until(r"(\S+)\n")[1].decode()
        self.port = int(self.address.split(":")[1])

    def __enter__(self):
        return self

    def __exit__(self, *a):
        self.p.signal(signal.SIGTERM)
        self.p.finish()
        shutil.rmtree(self.env.base, ignore_errors=True)


class Way:
    """Passes connections on, and counts them.  proxy: the client says where to (CONNECT), by names that only this knows."""
    def __init__(self, to, at="127.0.0.1", proxy=None):
        self.to, self.count, self.asked, self.proxy = to, 0, [], proxy
        self.s = socket.create_server((at, 0))
        self.address = f"{at}:{self.s.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                c, _ = self.s.accept()
            except OSError:
                return
            self.count += 1
            threading.Thread(target=self.one, args=(c,), daemon=True).start()

    def one(self, c):
        to = self.to
        if self.proxy is not None:
            head = b""
            while b"\r\n\r\n" not in head:
                head += c.recv(4096)
            self.asked.append(head.split(b"\r\n")[0].decode())
            to = self.proxy.get(self.asked[-1].split()[1])
            if not to:
                c.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")
                return c.close()
            c.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        d = socket.create_connection(("127.0.0.1", to))
        for a, b in ((c, d), (d, c)):
            threading.Thread(target=self.pump, args=(a, b), daemon=True).start()

    def pump(self, a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def layout(env, name="app", big=0):
    shutil.rmtree(env.tmp / name, ignore_errors=True)
    lay = Layout(env.tmp / name)
    lay.image([(tar([("f", name.encode())]), "gzip"), (tar([("g", os.urandom(big or 10))]), None)])
    return lay


def conf(env, text):
    f = env.base / ".config/containers/registries.conf"
    f.parent.mkdir(parents=True, exist_ok=True)
    f.write_text(text)


def clean(env):
    shutil.rmtree(env.base / ".config", ignore_errors=True)
    shutil.rmtree(env.base / ".docker", ignore_errors=True)
    for i in env.run("images", "-q", "--no-trunc").out.split():
        env.run("rmi", "-f", i).ok()


def mirrored(*places, more=""):
    return '[[registry]]\nlocation = "reg.invalid"\n' + more + "".join(f'[[registry.mirror]]\nlocation = "{p}"\n' for p in places)


@test
def mirrors_and_locations(env):
    lay = layout(env, "app", 3 << 20)
    want = lay.manifests[0]["digest"]
    with Serve(env, "near", lay) as near, Serve(env, "home", lay) as home:
        a, b = Way(near.port), Way(home.port)
        # The registry's own host does not exist; its mirror has everything.
        conf(env, mirrored(a.address))
        env.run("pull", "-q", "reg.invalid/app:latest").ok(out="reg.invalid/app:latest\n")
        same(env.run("image", "inspect", "reg.invalid/app").ok().json()[0]["RepoDigests"], [f"reg.invalid/app@{want}"], "digest")
        check(a.count > 0, "the mirror was not asked")
        env.run("rmi", "reg.invalid/app").ok()
        # The first that answers counts; one that is not there is passed over.
        conf(env, mirrored(f"127.0.0.1:{free_port()}", b.address, a.address))
        a.count = 0
        env.run("pull", "-q", "reg.invalid/app@" + want).ok()
        same((a.count, b.count > 0), (0, True), "who was asked")
        clean(env)
        # For digests only: a tag is the registry's to say, and it is not there.
        conf(env, mirrored(b.address, more="mirror-by-digest-only = true\n"))
        env.run("pull", "-q", "reg.invalid/app:latest").error(1, "reg.invalid")
        env.run("pull", "-q", "reg.invalid/app@" + want).ok()
        clean(env)
        # Another location, under the old name; nothing else of that registry.
        conf(env, f'[[registry]]\nprefix = "reg.invalid/team"\nlocation = "{b.address}/docker.io/library"\n')
        env.run("pull", "-q", "reg.invalid/team/app").ok(out="reg.invalid/team/app:latest\n")
        env.run("pull", "-q", "reg.invalid/other/app").error(1, "reg.invalid")
        conf(env, '[[registry]]\nlocation = "reg.invalid"\nblocked = true\n')
        env.run("pull", "-q", "reg.invalid/team/app:2").error(1, "reg.invalid", "blocked")
        env.run("push", "-q", "reg.invalid/team/app").error(1, "blocked")
        # A file that cannot be understood may forbid something: it is not passed over.
        conf(env, '[[registry]]\nlocation = \n')
        env.run("pull", "-q", f"{home.address}/app:latest").error(1, "registries.conf", "line 2")
        env.run("pull", "-q", f"{home.address}/app:latest", env={"CAISSON_REGISTRIES_CONF": "/dev/null"}).ok()
        clean(env)


@test
def a_mirror_without_some_of_it(env):
    lay = layout(env, "app", 1 << 20)
    with Serve(env, "near", lay) as near, Serve(env, "home", lay) as home:
        for d in json.loads(lay.blob_path(lay.manifests[0]).read_bytes())["layers"]:
            (near.env.root / "blobs/sha256" / d["digest"][7:]).unlink()
        conf(env, f'[[registry]]\nprefix = "reg.invalid"\nlocation = "{home.address}"\n[[registry.mirror]]\nlocation = "{near.address}"\n')
        env.run("pull", "-q", "reg.invalid/app:latest").ok()
        clean(env)


@test(needs="root")
def without_tls(env):
    subprocess.run(["ip", "addr", "add", "192.0.2.1/32", "dev", "lo"], check=True)
    with Serve(env, "home", layout(env)) as home:
        w = Way(home.port, "192.0.2.1")
        env.run("pull", "-q", f"{w.address}/app:latest").error(1, w.address, "does not speak TLS", "insecure")
        conf(env, f'[[registry]]\nlocation = "{w.address}"\ninsecure = true\n')
        env.run("pull", "-q", f"{w.address}/app:latest").ok()
        clean(env)


def certificates(env):
    """An authority, a server's certificate for localhost and reg.test, and a client's; all in env.tmp/tls."""
    if not which("openssl"):
        skip("needs openssl")
    d = env.tmp / "tls"
    d.mkdir(exist_ok=True)
    run = lambda *a: subprocess.run(["openssl", *a], check=True, capture_output=True, cwd=d)
    run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test authority", "-keyout", "ca.key", "-out", "ca.crt")
    for name, alt in (("server", "DNS:localhost,DNS:reg.test"), ("client", "DNS:client")):
        (d / "ext").write_text(f"subjectAltName={alt}\n")
        run("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        run("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "ext", "-out", f"{name}.crt")
    return d


@test(needs="registry")
def certificates_of_a_host(env):
    d = certificates(env)
    lay = layout(env)
    env.run("pull", "-q", f"oci:{lay.path}:latest").ok()
    tls = f", tls: {{certificate: {d}/server.crt, key: {d}/server.key, clientcas: [{d}/ca.crt]}}"
    with registry(env, tls=tls) as host:
        env.run("tag", "app:latest", f"{host}/app:1").ok()
        env.run("push", "-q", f"{host}/app:1").error(1, "certificate")
        certs = env.base / ".config/containers/certs.d" / host
        certs.mkdir(parents=True)
        shutil.copy(d / "ca.crt", certs / "ca.crt")
        env.run("push", "-q", f"{host}/app:1").error(1, host, "wants one (certs.d)")         # who are you?
        shutil.copy(d / "client.crt", certs / "client.cert")
        env.run("push", "-q", f"{host}/app:1").error(1, "client.key", "No such file")
        shutil.copy(d / "client.key", certs / "client.key")
        (certs / "client.key").chmod(0o600)
        env.run("push", "-q", f"{host}/app:1").ok()
        env.run("rmi", f"{host}/app:1").ok()
        env.run("pull", "-q", f"{host}/app:1").ok()
        shutil.rmtree(certs)
        env.run("pull", "-q", f"{host}/app:2").error(1, "certificate")
        conf(env, f'[[registry]]\nlocation = "{host}"\ninsecure = true\n')    # not asked who it is; it still asks who we are
        env.run("pull", "-q", f"{host}/app:1").error(1, host, "wants one (certs.d)")
    clean(env)


@test(needs="registry")
def through_a_proxy(env):
    d = certificates(env)
    lay = layout(env)
    env.run("pull", "-q", f"oci:{lay.path}:latest").ok()
    with registry(env, tls=f", tls: {{certificate: {d}/server.crt, key: {d}/server.key}}") as host:
        port = int(host.split(":")[1])
        p = Way(None, proxy={f"reg.test:{port}": port})
        by = {"HTTPS_PROXY": f"http://{p.address}", "SSL_CERT_FILE": str(d / "ca.crt")}
        env.run("tag", "app:latest", f"reg.test:{port}/app:1").ok()
        env.run("push", "-q", f"reg.test:{port}/app:1", env=by).ok()
        env.run("pull", "-q", f"reg.test:{port}/app:1", env=by).ok()
        check(p.asked and set(p.asked) == {f"CONNECT reg.test:{port} HTTP/1.1"}, p.asked)
        n = p.count
        env.run("pull", "-q", f"reg.test:{port}/app:1", env={**by, "NO_PROXY": "other,.test"}).error(1, "reg.test")
        env.run("pull", "-q", f"{host}/app:1", env=by).ok()         # this machine's own
        same(p.count, n, "connections of the proxy")
        env.run("pull", "-q", f"other.test:{port}/app:1", env=by).error(1, "other.test", "proxy refuses with status 403")
    clean(env)


class Front(http.server.BaseHTTPRequestHandler):
    """In front of .to: notes who asks (client certificate); .answer(path) may say something else."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *a):
        pass

    def do_GET(self):
        s = self.server
        cert = self.connection.getpeercert() if isinstance(self.connection, ssl.SSLSocket) else None
        s.seen.append((self.path, bool(cert)))
        status, headers, body = s.answer(self.path) or (None, None, None)
        if not status:
            c = http.client.HTTPConnection("127.0.0.1", s.to)
            c.request("GET", self.path)
            r = c.getresponse()
            status, body = r.status, r.read()
            headers = {k: r.headers[k] for k in ("Content-Type", "Docker-Content-Digest") if r.headers[k]}
        self.send_response(status)
        for k, v in headers.items():
            self.send_header(k, v)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def front(to, answer=lambda path: None, tls=None):
    s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Front)
    s.daemon_threads, s.seen, s.to, s.answer, s.handle_error = True, [], to, answer, lambda *a: None
    if tls:
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        c.load_cert_chain(tls / "server.crt", tls / "server.key")
        c.load_verify_locations(tls / "ca.crt")
        c.verify_mode = ssl.CERT_OPTIONAL
        s.socket = c.wrap_socket(s.socket, server_side=True)
    threading.Thread(target=s.serve_forever, daemon=True).start()
    return s, s.server_address[1]


@test
def mirrors_that_lie(env):
    lay = layout(env)
    want = lay.manifests[0]["digest"]
    other = layout(env, "other")
    text = other.blob_path(other.manifests[0]).read_bytes()
    with Serve(env, "home", lay) as home:
        def wrong_manifest(path):
            return (200, {"Content-Type": lay.manifests[0]["mediaType"]}, text) if "/manifests/" in path else None

        def wrong_blobs(path):
            return (200, {}, b"x" * 100) if "/blobs/" in path else None

        def endless(path):
            return 200, {"Content-Type": lay.manifests[0]["mediaType"]}, b"{" + b" " * (6 << 20)
        for answer, ok in ((wrong_manifest, True), (wrong_blobs, False), (endless, True), (lambda path: (500, {}, b""), True)):
            s, port = front(home.port, answer)
            conf(env, f'[[registry]]\nprefix = "reg.invalid"\nlocation = "{home.address}"\n[[registry.mirror]]\nlocation = "127.0.0.1:{port}"\n')
            p = env.run("pull", "-q", f"reg.invalid/app@{want}")
            p.ok() if ok else p.error(1, "blob")
            check(s.seen, "the mirror was not asked")
            clean(env)
            s.shutdown()


@test
def a_certificate_stays_with_its_host(env):
    d = certificates(env)
    lay = layout(env)
    with Serve(env, "home", lay) as home:
        far, far_port = front(home.port, tls=d)
        near, near_port = front(home.port, lambda path: (307, {"Location": f"https://localhost:{far_port}{path}"}, b"") if "/blobs/" in path else None, d)
        certs = env.base / f".config/containers/certs.d/localhost:{near_port}"
        certs.mkdir(parents=True)
        for a, b in (("ca.crt", "ca.crt"), ("client.crt", "client.cert"), ("client.key", "client.key")):
            shutil.copy(d / a, certs / b)
        env.run("pull", "-q", f"localhost:{near_port}/app:latest").ok()
        check(near.seen and all(known for _, known in near.seen), near.seen)
        check(far.seen and not any(known for _, known in far.seen), far.seen)
        near.shutdown()
        far.shutdown()
    clean(env)


class Tokens(http.server.BaseHTTPRequestHandler):
    """A registry's front: everything goes to .to with a token from /token, which wants a POST."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *a):
        pass

    def reply(self, status, headers=(), body=b""):
        self.send_response(status)
        for k, v in headers:
            self.send_header(k, v)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        q = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        self.server.seen.append((q, self.headers["Content-Type"], self.headers.get("Authorization")))
        good = (q.get("refresh_token") == "ident+ity/=" if q["grant_type"] == "refresh_token" else (q["username"], q["password"]) == ("anna", "s&cret"))
        self.reply(200 if good else 401, body=json.dumps({"access_token": "tok"}).encode())

    def do_GET(self):
        if self.path.startswith("/token"):
            return self.reply(404)
        if self.headers.get("Authorization") != "Bearer tok":
            realm = self.server.realm or f"http://127.0.0.1:{self.server.server_address[1]}/token"
            return self.reply(401, [("WWW-Authenticate", f'Bearer realm="{realm}",service="a b",scope="repository:app:pull"')])
        c = http.client.HTTPConnection("127.0.0.1", self.server.to)
        c.request("GET", self.path)
        r = c.getresponse()
        self.reply(r.status, [(k, r.headers[k]) for k in ("Content-Type", "Docker-Content-Digest") if r.headers[k]], r.read())


@test
def tokens_by_post(env):
    with Serve(env, "home", layout(env)) as home:
        s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Tokens)
        s.daemon_threads, s.seen, s.to, s.realm = True, [], home.port, None
        threading.Thread(target=s.serve_forever, daemon=True).start()
        host = f"127.0.0.1:{s.server_address[1]}"
        config = env.base / ".docker/config.json"
        config.parent.mkdir(exist_ok=True)

        def pull(entry):
            s.seen.clear()
            config.write_text(json.dumps({"auths": {host: entry}}))
            return env.run("pull", "-q", f"{host}/app:latest")
        form = {"service": "a b", "scope": "repository:app:pull", "client_id": "caisson"}
        pull({"identitytoken": "ident+ity/="}).ok()
        same(s.seen, [({**form, "grant_type": "refresh_token", "refresh_token": "ident+ity/="}, "application/x-www-form-urlencoded", None)], "what was sent")
        pull({"identitytoken": "old"}).error(1, "wrong user or password")
        pull({"auth": base64.b64encode(b"anna:s&cret").decode()}).ok()
        same(s.seen, [({**form, "grant_type": "password", "username": "anna", "password": "s&cret"}, "application/x-www-form-urlencoded", None)], "what was sent")
        # From a helper; and never to another host.
        bin = env.base / "bin"
        bin.mkdir(exist_ok=True)
        (bin / "docker-credential-tok").write_text('#!/bin/sh\ncat >/dev/null\necho \'{"Username":"<token>","Secret":"ident+ity/="}\'\n')
        (bin / "docker-credential-tok").chmod(0o755)
        config.write_text(json.dumps({"credsStore": "tok"}))
        path = {"PATH": f"{bin}:{os.environ['PATH']}"}
        env.run("pull", "-q", f"{host}/app:latest", env=path).ok()
        s.seen.clear()
        s.realm = f"http://localhost:{s.server_address[1]}/token"
        env.run("pull", "-q", f"{host}/app:latest", env=path).error(1, host, "404")
        same(s.seen, [], "tokens shown to another host")
        s.shutdown()
    clean(env)


main()
