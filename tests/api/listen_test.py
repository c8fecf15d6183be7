# SPDX-License-Identifier: Apache-2.0
# timeout: 300
"""serve: where it listens and whom it lets in: other users, sockets of systemd, TLS with client certificates."""
import http.client, os, re, signal, socket, ssl, stat, subprocess, sys, warnings

from caisson_api import Serve, Unix
from caisson_test import BUILD, Process, check, main, same, test, wait_for

PING = b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n"
# What systemd does: descriptors from 3 on, and whose they are.
ACTIVATE = """
import fcntl, os, sys
n = int(sys.argv[1])
fds = [fcntl.fcntl(int(f), fcntl.F_DUPFD, 100) for f in sys.argv[2:2 + n]]
for i, f in enumerate(fds):
    os.dup2(f, 3 + i)
    os.close(f)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(n), LISTEN_FDNAMES="x")
os.execv(sys.argv[2 + n], sys.argv[2 + n:])
"""


def by(env, uid, gid, groups=()):
    """The answer that another user gets, or the name of what kept him from asking."""
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        data = b""
        try:
            os.chdir(env.tmp)       # nobody else may walk to it
            os.setgroups(list(groups))
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
            with socket.socket(socket.AF_UNIX) as s:
                s.connect("api.sock")
                s.sendall(PING)
                while piece := s.recv(65536):
                    data += piece
        except OSError as e:
            data = type(e).__name__.encode()
        os.write(w, data)
        os._exit(0)
    os.close(w)
    with open(r) as f:
        said = f.read()
    os.waitpid(pid, 0)
    return said


@test(needs="root")
def other_users_are_asked_for(env):
    env.tmp.chmod(0o755)
    with Serve(env) as s:
        check("PermissionError" in by(env, 4243, 4243), "the socket's mode keeps others out")
        s.path.chmod(0o666)     # somebody who does not know what it grants
        r = by(env, 4243, 4243)
        check(" 403 " in r and "4243" in r, r)
        check(" 200 " in by(env, 0, 0), "root")
        check(" 403 " in by(env, 4243, 0, [0, 1]), "groups say nothing without --group")
        s.p.signal(signal.SIGTERM)
        said = s.p.finish()
        same((said.code, said.err.count("user 4243 ")), (0, 2), "exit code and what was logged: " + said.err)
        s.p = env.start("serve", "--listen", f"unix://{s.path}", "--group", "1")
        s.p.until(r"unix://\S+\n")
        same((stat.S_IMODE(s.path.stat().st_mode), s.path.stat().st_gid), (0o660, 1), "mode and group")
        check(" 200 " in by(env, 4243, 1), "a member by his first group")
        check(" 200 " in by(env, 4243, 4243, [7, 1]), "a member by another group")
        s.path.chmod(0o666)
        check(" 403 " in by(env, 4243, 4243, [7]), "no member")


def activate(env, socks, *args):
    fds = [s.fileno() for s in socks]
    return Process([sys.executable, "-c", ACTIVATE, str(len(fds)), *map(str, fds), *env.argv(("serve", *args))], dict(env.os_env), pass_fds=fds)


def listening(path):
    s = socket.socket(socket.AF_UNIX)
    s.bind(str(path))
    s.listen(16)
    return s


def ping(path):
    c = Unix(path)
    c.request("GET", "/_ping")
    data = c.getresponse().read()
    c.close()
    return data


@test(needs="root")
def sockets_of_systemd(env):
    a, b = listening(env.tmp / "a"), listening(env.tmp / "b")
    p = activate(env, [a, b], "--idle-exit")
    p.until(f"unix://{env.tmp}/a\nunix://{env.tmp}/b\n")
    same([ping(env.tmp / "a"), ping(env.tmp / "b")], [b"OK", b"OK"], "both")
    same(p.finish(timeout=300).code, 0, "exit code of --idle-exit")
    check((env.tmp / "a").is_socket(), "the socket is systemd's to remove")
    # Who comes meanwhile waits in the queue for the next one.
    c = socket.socket(socket.AF_UNIX)
    c.connect(str(env.tmp / "a"))
    c.sendall(PING)
    p = activate(env, [a])
    check(c.recv(4096).startswith(b"HTTP/1.1 200 "), "the client that waited")
    c.close()
    p.signal(signal.SIGTERM)
    same(p.finish().code, 0, "exit code")
    activate(env, [a], "--listen", f"unix://{env.tmp}/c").finish().error(2, "--listen", "LISTEN_FDS")
    t = socket.socket()
    t.bind(("127.0.0.1", 0))
    t.listen(1)
    activate(env, [a, t]).finish().error(1, "descriptor 4", "unix stream socket")
    # Meant for another process: not ours to take.
    p = Process(env.argv(("serve", "--listen", f"unix://{env.tmp}/c")), {**env.os_env, "LISTEN_PID": "1", "LISTEN_FDS": "1"})
    p.until(f"unix://{env.tmp}/c\n")
    p.signal(signal.SIGTERM)
    same(p.finish().code, 0, "exit code")


@test(needs="systemd")
def units(env):
    """What `make install` brings is what systemd understands."""
    for name in ("caisson.socket", "caisson.service"):
        text = (BUILD / name).read_text()
        check("@" not in text, f"{name}: {text}")
        (env.tmp / name).write_text(re.sub(r"ExecStart=\S+/caisson ", f"ExecStart={BUILD}/caisson ", text))
    r = subprocess.run(["systemd-analyze", "verify", "--man=no", str(env.tmp / "caisson.socket"), str(env.tmp / "caisson.service")], capture_output=True, text=True, timeout=90)
    bad = [l for l in r.stderr.splitlines() if "caisson." in l]
    same((r.returncode, bad), (0, []), "systemd-analyze verify: " + r.stderr)


# ---- TLS ----

def openssl(d, *args):
    subprocess.run(["openssl", *args], cwd=d, check=True, capture_output=True, timeout=90)


def authority(d, name):
    openssl(d, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN={name}", "-days", "30")


def certificate(d, name, ca, usage, days="30"):
    (d / f"{name}.ext").write_text(f"subjectAltName=IP:127.0.0.1\nextendedKeyUsage={usage}\n")
    openssl(d, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
    openssl(d, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-CAcreateserial", "-extfile", f"{name}.ext", "-days", days, "-out", f"{name}.pem")


def files(d, ca="ca", name="server"):
    return "--tlscacert", str(d / f"{ca}.pem"), "--tlscert", str(d / f"{name}.pem"), "--tlskey", str(d / f"{name}.key")


class Tls:
    def __init__(self, env):
        self.env, self.d = env, env.tmp
        authority(self.d, "ca")
        authority(self.d, "other")
        certificate(self.d, "server", "ca", "serverAuth")
        certificate(self.d, "client", "ca", "clientAuth")
        certificate(self.d, "stranger", "other", "clientAuth")
        certificate(self.d, "expired", "ca", "clientAuth", "-1")
        self.p = env.start("serve", "--listen", "tcp://127.0.0.1:0", "--tlsverify", *files(self.d))
        self.port = int(self.p.until(r"tcp://127\.0\.0\.1:(\d+)\n")[1])

    def context(self, name="client"):
        c = ssl.create_default_context(cafile=self.d / "ca.pem")
        if name:
            c.load_cert_chain(self.d / f"{name}.pem", self.d / f"{name}.key")
        return c

    def ping(self, context):
        c = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=90, context=context)
        c.request("GET", "/_ping")
        data = c.getresponse().read()
        c.close()
        return data

    def refused(self, context):
        try:
            data = self.ping(context)
        except (OSError, http.client.HTTPException) as e:
            return str(e)
        check(False, f"let in: {data!r}")

    def argv(self, *args):
        return ["docker", "--tlsverify", "--tlscacert", str(self.d / "ca.pem"), "--tlscert", str(self.d / "client.pem"), "--tlskey", str(self.d / "client.key"),
                "-H", f"tcp://127.0.0.1:{self.port}", *args]

    def docker(self, *args, stdin=b"", code=0):
        r = subprocess.run(self.argv(*args), input=stdin, capture_output=True, timeout=240, env=self.env.os_env)
        same(r.returncode, code, f"docker {args}: {r.stdout!r} {r.stderr!r}")
        return r.stdout


@test(needs="root,docker", timeout=180)
def tls_for_those_with_a_certificate(env):
    t = Tls(env)
    same(t.ping(t.context()), b"OK", "ping")
    # Whoever has none that counts is told, and nobody else notices.
    check("certificate required" in t.refused(t.context(None)), "no certificate")
    check("unknown ca" in t.refused(t.context("stranger")), "another authority's")
    check("expired" in t.refused(t.context("expired")), "an old one")
    check("unsupported certificate" in t.refused(t.context("server")), "one that is not for clients")
    old = t.context()
    old.set_ciphers("ALL:@SECLEVEL=0")      # or it would not even ask
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_1
    check("alert protocol version" in t.refused(old), "TLS 1.1")
    c = http.client.HTTPConnection("127.0.0.1", t.port, timeout=90)
    c.request("GET", "/_ping")
    same(c.getresponse().status, 400, "plain HTTP")
    c.close()
    for hello in (b"\x16\x03\x01\xff\xff" + b"\0" * 70000, b"\0" * 100, b""):
        with socket.create_connection(("127.0.0.1", t.port)) as s:
            try:
                s.sendall(hello)
                s.shutdown(socket.SHUT_WR)
                while s.recv(4096):
                    pass
            except OSError:
                pass
    silent = [socket.create_connection(("127.0.0.1", t.port)) for _ in range(30)]
    web = http.client.HTTPSConnection("127.0.0.1", t.port, timeout=90, context=t.context())
    web.request("GET", "/info", headers={"Origin": "https://example.org"})
    same(web.getresponse().status, 403, "Origin")
    web.close()
    # docker's own client, its streams and their half-closing
    same(t.docker("run", "--rm", "caisson/tiny", "sh", "-c", "echo o; exit 4", code=4), b"o\n", "run")
    data = os.urandom(3 << 20).hex().encode()
    same(t.docker("run", "--rm", "-i", "caisson/tiny", "cat", stdin=data) == data, True, "run -i of 6 MiB")
    t.docker("run", "-d", "--name", "d", "caisson/tiny", "sh", "-c", "echo out; until [ -e /go ]; do sleep 0.1; done; echo more; sleep 1000")
    same(t.docker("exec", "-i", "d", "cat", stdin=b"typed"), b"typed", "exec -i")
    p = subprocess.Popen(t.argv("logs", "-f", "d"), stdout=subprocess.PIPE, env=env.os_env)
    same(p.stdout.readline(), b"out\n", "logs -f")
    t.docker("exec", "d", "touch", "/go")
    same(p.stdout.readline(), b"more\n", "logs -f goes on")
    t.docker("rm", "-f", "d")
    same(p.wait(90), 0, "logs -f ends with it")
    p.stdout.close()
    for s in silent:
        s.settimeout(90)
        same(s.recv(1), b"", "who says nothing is cut off")
        s.close()
    t.p.signal(signal.SIGTERM)
    r = t.p.finish()
    same(r.code, 0, "exit code of serve")
    check("whatever root may" in r.err, "what it grants is said")
    for why in ("did not return a certificate", "expired", "http request", "no handshake in 10 seconds"):
        check(why in r.err, f"{why!r} is not in {r.err}")


def helpers():
    """(process, its status) of every caisson-tls that lives."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/status") as f:
                status = f.read()
        except OSError:
            continue        # gone meanwhile
        if status.startswith("Name:\tcaisson-tls\n") and "State:\tZ" not in status:
            found.append((pid, status))
    return found


@test(needs="root")
def tls_strangers_keep_nobody_out(env):
    t = Tls(env)
    silent = [socket.create_connection(("127.0.0.1", t.port)) for _ in range(230)]
    same(t.ping(t.context()), b"OK", "ping")
    with open(f"/proc/{t.p.pid}/task/{t.p.pid}/children") as f:
        check(len(f.read().split()) <= 200, "more connections than the limit")
    for s in silent:
        s.close()
    wait_for(lambda: not helpers(), 90, "the end of every connection")
    t.p.signal(signal.SIGTERM)
    same(t.p.finish().code, 0, "exit code of serve")


@test(needs="root")
def tls_processes_can_do_nothing_else(env):
    t = Tls(env)
    with socket.create_connection(("127.0.0.1", t.port)) as raw, t.context().wrap_socket(raw, server_hostname="127.0.0.1") as s:
        s.sendall(PING.replace(b"Connection: close\r\n", b""))
        check(s.recv(4096).startswith(b"HTTP/1.1 200 "), "ping")
        found = helpers()
        same(len(found), 1, "processes for one connection")
        pid, status = found[0]
        for want in (r"Uid:\t65534\t65534\t65534\t65534", r"Gid:\t65534\t65534", r"Groups:\t *\n", r"CapEff:\t0+\n", r"CapPrm:\t0+\n", r"NoNewPrivs:\t1", r"Seccomp:\t2"):
            check(re.search(want, status), f"{want} is not in {status}")
        same(sorted(os.listdir(f"/proc/{pid}/fd"), key=int), ["0", "1", "2", "3", "4"], "descriptors")
    wait_for(lambda: not os.path.exists(f"/proc/{pid}"), 90, "its end")
    t.p.signal(signal.SIGTERM)
    same(t.p.finish().code, 0, "exit code of serve")


@test(needs="root")
def tls_options(env):
    d = env.tmp
    authority(d, "ca")
    certificate(d, "server", "ca", "serverAuth")
    certificate(d, "client", "ca", "clientAuth")
    tcp = ("serve", "--listen", "tcp://127.0.0.1:0")
    env.run(*tcp).error(1, "certificates", "root")
    env.run(*tcp, "--tlsverify").error(1, "--tlscacert")
    env.run(*tcp, *files(d)[:4]).error(1, "--tlskey")
    env.run(*tcp, *files(d), "--group", "1").error(2, "--group")
    env.run(*tcp, *files(d, ca="nosuch")).error(2, "--tlscacert", "nosuch.pem")
    env.run(*tcp, *files(d, name="nosuch")).error(2, "--tlscert", "nosuch.pem")
    (d / "server.key").write_bytes((d / "client.key").read_bytes())
    env.run(*tcp, *files(d)).error(2, "--tlskey", "server.key")
    openssl(d, "ec", "-in", "client.key", "-aes128", "-passout", "pass:secret", "-out", "server.key")
    env.run(*tcp, *files(d)).error(2, "--tlskey", "server.key")
    env.run("serve", "--listen", "tcp://localhost:1", *files(d, name="client")).error(2, "ADDRESS:PORT")
    env.run("serve", "--listen", f"unix://{d}/x", "--tlsverify").error(2, "tcp://")
    env.run("serve", "--listen", f"unix://{d}/x", *files(d)).error(2, "tcp://")


main()
