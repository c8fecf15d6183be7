# SPDX-License-Identifier: Apache-2.0
"""A server of the Engine API in a test's world, asked by hand or by docker's client.

Every reply is compared with the API reference (docker_shapes.py); what no reply of a file's routes was ever asked for
fails its last test, routes_were_called().  A route belongs to the file whose pattern in OWNERS comes first.
"""
import functools, http.client, json, re, signal, socket, subprocess, sys

from caisson_test import check, same, skip, test
from docker_shapes import SHAPES

CALLED = set()      # METHOD PATH of the routes that answered
OWNERS = (          # by path, which file calls it
    ("api/resources_test", r"/(networks|volumes|plugins|swarm|nodes|services|tasks|secrets|configs|session|grpc)(/.*)?$"),
    ("api/websocket_test", r".*/(attach/)?ws$"),
    ("api/build_test", r"/build(/prune)?$"),
    ("api/search_test", r"/images/search$"),
    ("api/files_test", r"/containers/\{\}/(archive|top|stats|update)$|/commit$"),
    ("api/transfer_test", r"/(auth|distribution/.*|images/(get|load)|images/\{\*\}/(get|push))$"),
    ("api/api_test", r"/"),
)
# What we say beyond the reference, by route: ours, or an older one's.
OURS = {
    "GET /info": {"Isolations"},
    "GET /containers/{}/json": {"Isolation", "Accelerator"},
    "GET /system/df": {"Images.VirtualSize"},
    "GET /containers/json": {"HostConfig.Isolation"},
    "GET /images/json": {"VirtualSize", "ParentId"},
    "GET /networks": {"Bridge"},
    "GET /networks/{}": {"Bridge"},
}


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("docker", timeout=30)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


@functools.cache
def routes(env):
    """(method, path) of each, as the program prints them."""
    out = env.run("serve", "--routes").ok().out
    return [(m[1], m[2]) for m in re.finditer(r"^\| (\S+) \| `(\S+)` \|", out, re.M)]


def route_of(env, method, path):
    path = re.sub(r"^/v\d+\.\d+(?=/)", "", path.split("?")[0])
    for m, p in routes(env):
        if m == method and re.fullmatch(re.escape(p).replace(r"\{\}", "[^/]+").replace(r"\{\*\}", ".+"), path):
            return f"{m} {p}"
    return None


TYPES = {"int": (int,), "num": (int, float), "str": (str,), "bool": (bool,), "object": (dict,)}


def fits(shape, value, where, ours):
    """Fail unless a value is what the reference says; null stands for whatever need not be there."""
    if shape == "any" or value is None:
        return
    if isinstance(shape, str):
        check(isinstance(value, TYPES[shape]) and (shape == "bool") == isinstance(value, bool), f"{where} is {value!r}, no {shape}")
    elif isinstance(shape, list):
        check(isinstance(value, list), f"{where} is {value!r}, no list")
        for v in value:
            fits(shape[0], v, where, ours)
    else:
        check(isinstance(value, dict), f"{where} is {value!r}, no object")
        for key, v in value.items():
            inner = shape.get(key, shape.get(key + "!", shape.get("*")))
            at = f"{where}.{key}" if where else key
            check(inner is not None or at in ours, f"the reference does not know {at} ({v!r})")
            fits(inner or "any", v, at, ours)
        for key in shape:
            check(not key.endswith("!") or value.get(key[:-1]) is not None or key[:-1] in value, f"{where} has no {key}")


def check_reply(env, method, path, reply):
    route = route_of(env, method, path)
    shape = SHAPES.get(route)
    if not route or not 200 <= reply.status < 300 or "json" not in (reply.headers["Content-Type"] or ""):
        return
    for line in [reply.data] if shape else []:
        fits(shape, json.loads(line), "", OURS.get(route, ()))


class Serve:
    def __init__(self, env, *more):
        self.env = env
        self.path = env.tmp / "api.sock"
        self.p = env.start("serve", "--log", "--listen", f"unix://{self.path}", *more)
        self.p.until(r"unix://\S+\n")

    def __enter__(self):
        return self

    def __exit__(self, *a):
        self.p.signal(signal.SIGTERM)
        r = self.p.finish()
        same(r.code, 0, "exit code of serve")
        check(not self.path.exists(), "the socket is left")
        for line in r.err.splitlines():
            m = re.fullmatch(r"(\S+) (/\S+) (\d+)", line)
            if m:
                CALLED.add(f"{m[1]} {m[2]}")

    def ask(self, method, path, body=None, **headers):
        c = Unix(self.path)
        if body is not None and not isinstance(body, (str, bytes)):
            body, headers = json.dumps(body), {"Content-Type": "application/json", **headers}
        c.request(method, path, body=body, headers=headers)
        r = c.getresponse()
        r.data = r.read()
        c.close()
        return r

    def json(self, method, path, body=None, want=200):
        r = self.ask(method, path, body)
        if r.status != want:
            check(False, f"{method} {path}: {r.status}, want {want}: {r.data[:300]}")
        check_reply(self.env, method, path, r)
        return json.loads(r.data) if r.data.strip() else None

    def error(self, method, path, status, *words, body=None):
        said = self.json(method, path, body, want=status)
        same(list(said), ["message"], "members of an error")
        for w in words:
            check(w.lower() in said["message"].lower(), f"{said['message']!r} does not say {w!r}")

    def docker(self, *args, stdin="", code=0, timeout=60, **more):
        data = stdin if isinstance(stdin, bytes) else stdin.encode()
        r = subprocess.run(["docker", *args], input=data, capture_output=True, timeout=timeout, env={**self.dockerenv(), **more})
        if r.returncode != code:
            check(False, f"docker {args}: {r.returncode}, want {code}: {r.stdout!r} {r.stderr!r}")
        return r.stdout.decode(errors="replace"), r.stderr.decode(errors="replace")

    def dockerenv(self):
        return {**self.env.os_env, "DOCKER_HOST": f"unix://{self.path}", "TERM": "xterm"}

    def made(self, **body):
        return self.json("POST", "/v1.41/containers/create", {"Image": "caisson/tiny", **body}, want=201)["Id"]


def frames(data):
    """docker's multiplexed stream, apart."""
    out = {1: b"", 2: b""}
    while data:
        n = int.from_bytes(data[4:8], "big")
        out[data[0]] += data[8:8 + n]
        data = data[8 + n:]
    return out


def routes_were_called(file):
    """The last test of a file: each of its routes that is served answered one of the tests before."""
    @test(needs="root,docker")
    def z_every_route_was_called(env):
        if sys.argv[1:]:
            skip("only some tests of the file run")
        mine = set()
        for m, p in routes(env):
            owner = next(f for f, pattern in OWNERS if re.match(pattern, p))
            if owner == file:
                mine.add(f"{m} {p}")
        check(mine, f"{file} owns no route")
        same(sorted(mine - CALLED), [], "routes that nobody called")
