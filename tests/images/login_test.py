# SPDX-License-Identifier: Apache-2.0
# timeout: 200
"""login and logout: tried at docker-registry with htpasswd and TLS, kept in docker's file or with a credential
helper, used by push and pull."""
import base64, contextlib, hashlib, json, os, pathlib, stat, subprocess

from caisson_test import Failed, check, main, same, skip, test, which
from oci_image import Layout, free_port, registry, tar

PASSWORD = "s3cret:pa$$"
HTPASSWD = "anna:$2y$05$abcdefghijklmnopqrstuukvq.iL7tFByYcTVfmE3XghxpfZlRJm2\n"     # bcrypt of it
AUTH = base64.b64encode(f"anna:{PASSWORD}".encode()).decode()


@contextlib.contextmanager
def private(env, tls=""):
    (env.tmp / "htpasswd").write_text(HTPASSWD)
    with registry(env, f"auth: {{htpasswd: {{realm: test, path: {env.tmp / 'htpasswd'}}}}}\n", tls) as host:
        yield host


def config(env):
    return env.base / ".docker/config.json"


def image(env):
    lay = Layout(env.tmp / "small")
    lay.image([(tar([("f", b"hello")]), "gzip")])
    env.run("pull", "-q", f"oci:{lay.path}:latest").ok()
    return lay.manifests[0]["digest"]


def clean(env):
    for i in env.run("images", "-q").out.split():
        env.run("rmi", "-f", i).ok()
    config(env).unlink(missing_ok=True)


def login(env, host, password=PASSWORD, user="anna", more=None):
    return env.run("login", "-u", user, "--password-stdin", host, stdin=password + "\n", env=more)


def helper(env, name, script):
    d = env.tmp / "bin"
    d.mkdir(exist_ok=True)
    p = d / f"docker-credential-{name}"
    p.write_text("#!/bin/sh\n" + script)
    p.chmod(0o755)
    return {"PATH": f"{d}:{os.environ['PATH']}"}


@test(needs="registry")
def kept_in_dockers_file_and_used(env):
    want = image(env)
    config(env).parent.mkdir(exist_ok=True)
    config(env).write_text('{"detachKeys":"ctrl-e","auths":{"other.example":{"auth":"dTpw"}},"x":{"y":[1,null]}}')
    with private(env) as host:
        env.run("tag", "small:latest", f"{host}/a/small:1").ok()
        env.run("push", "-q", f"{host}/a/small:1").error(1, "login")
        before = config(env).read_text()
        login(env, host, "wrong").error(1, host, "wrong user or password")
        login(env, host, user="otto").error(1, host, "wrong user or password")
        same(config(env).read_text(), before, "config.json after a refusal")
        r = login(env, host).ok(out="Login Succeeded\n")
        check("unencrypted" in r.err and PASSWORD not in r.err + r.out, "what it says of where the password is")
        doc = json.loads(config(env).read_text())
        same(doc, {"detachKeys": "ctrl-e", "x": {"y": [1, None]}, "auths": {"other.example": {"auth": "dTpw"}, host: {"auth": AUTH}}}, "config.json")
        same(stat.S_IMODE(config(env).stat().st_mode), 0o600, "its mode")
        same(os.listdir(config(env).parent), ["config.json"], "files beside it")
        env.run("push", "-q", f"{host}/a/small:1").ok()
        raw = subprocess.run(["skopeo", "inspect", "--raw", "--tls-verify=false", f"--creds=anna:{PASSWORD}", f"docker://{host}/a/small:1"], capture_output=True)
        same("sha256:" + hashlib.sha256(raw.stdout).hexdigest(), want, "digest at the registry")
        # What we write, others read.
        r = subprocess.run(["skopeo", "inspect", "--raw", "--tls-verify=false", f"--authfile={config(env)}", f"docker://{host}/a/small:1"], capture_output=True)
        same(r.returncode, 0, "skopeo with our file")
        env.run("rmi", f"{host}/a/small:1").ok()
        env.run("pull", "-q", f"{host}/a/small:1").ok()
        env.run("logout", f"http://{host}/v2/").ok(out=f"Removing login credentials for {host}\n")
        same(list(json.loads(config(env).read_text())["auths"]), ["other.example"], "entries after logout")
        env.run("pull", "-q", f"{host}/a/small:1").error(1, "login")
        env.run("logout", host).ok(out=f"Not logged in to {host}\n")
    clean(env)


@test(needs="registry")
def over_tls(env):
    if not which("openssl"):
        skip("needs openssl")
    key, cert = env.tmp / "key.pem", env.tmp / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                    "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    want, trust = image(env), {"SSL_CERT_FILE": str(cert)}
    with private(env, f", tls: {{certificate: {cert}, key: {key}}}") as host:
        login(env, host).error(1, host, "certificate")
        login(env, host, more=trust).ok(out="Login Succeeded\n")
        env.run("tag", "small:latest", f"{host}/small:1").ok()
        env.run("push", f"{host}/small:1", env=trust).ok(out=f"1: digest: {want} size: {len(json_of(env))}\n")
    clean(env)


def json_of(env):
    return next(p for p in (env.tmp / "small/blobs/sha256").iterdir() if b'"layers"' in p.read_bytes()).read_bytes()


@test(needs="registry")
def kept_with_a_credential_helper(env):
    image(env)
    kept = env.tmp / "kept"
    path = helper(env, "box", f"""
[ -z "$SECRET_OF_OURS" ] || exit 9
case $1 in
store) cat >{kept} ;;
get) s=$(cat); [ -s {kept} ] && grep -q "$s" {kept} && exec cat {kept}; echo credentials not found in native keychain; exit 1 ;;
erase) cat >/dev/null; rm {kept} 2>/dev/null ;;
esac""")
    path["SECRET_OF_OURS"] = "x"
    config(env).parent.mkdir(exist_ok=True)
    with private(env) as host:
        config(env).write_text(json.dumps({"credHelpers": {host: "box"}}))
        r = login(env, host, more=path).ok(out="Login Succeeded\n", err="")
        same(json.loads(kept.read_text()), {"ServerURL": host, "Username": "anna", "Secret": PASSWORD}, "what the helper got")
        same(json.loads(config(env).read_text()), {"auths": {host: {}}, "credHelpers": {host: "box"}}, "config.json")
        env.run("tag", "small:latest", f"{host}/small:1").ok()
        env.run("push", "-q", f"{host}/small:1", env=path).ok()
        env.run("logout", host, env=path).ok(out=f"Removing login credentials for {host}\n")
        check(not kept.exists(), "the helper still has it")
        env.run("push", "-q", f"{host}/small:1", env=path).error(1, "login")
        env.run("logout", host, env=path).error(1, "box", "no reason")      # its rm failed
    clean(env)


@test(needs="registry")
def helpers_that_misbehave(env):
    image(env)
    config(env).parent.mkdir(exist_ok=True)
    with private(env) as host:
        def with_(name):
            config(env).write_text(json.dumps({"credsStore": name}))
            return config(env).read_text()
        env.run("tag", "small:latest", f"{host}/small:1").ok()
        path = helper(env, "sad", "echo 'vault is \033[31mlocked'; exit 1")
        before = with_("sad")
        login(env, host, more=path).error(1, "docker-credential-sad store", "vault is", "locked")
        same(config(env).read_text(), before, "config.json")
        env.run("push", "-q", f"{host}/small:1", env=path).error(1, "docker-credential-sad get", "locked")
        path = helper(env, "loud", "exec yes")
        with_("loud")
        env.run("push", "-q", f"{host}/small:1", env=path).error(1, "docker-credential-loud get", "too large")
        with_("../../bin/sh")
        env.run("push", "-q", f"{host}/small:1", env=path).error(2, "credential helper")
        with_("gone")
        login(env, host).error(1, "docker-credential-gone", "not installed")
        env.run("push", "-q", f"{host}/small:1").error(1, "login")
    clean(env)


@test
def what_cannot_be_meant(env):
    config(env).unlink(missing_ok=True)
    for server in ("", "UPPER CASE", "a/b@c", "user:pw@r.example", "plainword"):
        env.run("login", "-u", "x", "-p", "y", server).error(2)
        env.run("logout", server).error(2)
    env.run("login", "-u", "x", "r.example").error(2, "--password-stdin")
    env.run("login", "r.example").error(2, "--username")
    env.run("login", "--password-stdin", "r.example", stdin="x").error(2, "--username")
    env.run("login", "-u", "x", "-p", "y", "--password-stdin", "r.example").error(2, "exclude")
    env.run("login", "-u", "a:b", "-p", "y", "r.example").error(2, "':'")
    env.run("login", "-u", "x", "--password-stdin", "r.example").error(2, "password")
    env.run("login", "-u", "x", "-p", "y", f"localhost:{free_port()}").error(1, "connect")
    check(not config(env).exists(), "config.json was written")
    config(env).parent.mkdir(exist_ok=True)
    config(env).write_text("{broken")
    env.run("logout", "r.example").error(1, "config.json", "JSON")
    same(config(env).read_text(), "{broken", "config.json")
    clean(env)


@test(needs="registry")
def at_a_terminal(env):
    config(env).unlink(missing_ok=True)
    with private(env) as host:
        t = env.tty("login", host)
        t.until("Username: ")
        t.send("anna\n")
        t.until("Password: ")
        t.send("x\x15" + PASSWORD + "y\x7f\r")
        t.until("Login Succeeded")
        r = t.finish()
        check("s3cret" not in r.out, "the password was echoed")
        t = env.tty("login", "-u", "anna", host)
        t.until("Password: ")
        t.send("abc\x03")
        same(t.finish().code, 1, "exit code after Ctrl-C")
    clean(env)


main()
