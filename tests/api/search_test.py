# SPDX-License-Identifier: Apache-2.0
# timeout: 120
"""search and /images/search: what an index on loopback is asked and answers, and what it may not do to us."""
import base64, contextlib, http.server, json, re, threading, urllib.parse

from caisson_api import Serve, routes_were_called
from caisson_test import check, main, same, test

LONG = "d" * 44 + "é" * 3
HITS = [
    {"name": "team/app", "description": LONG, "star_count": 3, "is_official": False, "is_automated": True, "is_trusted": True},
    {"name": "debian", "description": "Debian\nis a system", "star_count": 400, "is_official": True, "is_automated": False},
    {"name": "evil/\u001b]0;x\u0007", "description": "\u001b[31mred\u009b2J\tx\u007f", "star_count": 0, "is_official": False},
    {"name": "none/said", "description": None},
]
BAD = {
    "text": b"<html>no</html>", "list": b"[]", "empty": b"", "results": b'{"results":{}}', "without": b'{"num_results":0}', "number": b'{"results":[{"name":1}]}',
    "stars": b'{"results":[{"name":"x","star_count":"many"}]}', "unnamed": b'{"results":[{"description":"x"}]}', "deep": b'{"results":' + b"[" * 100000,
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *a):
        pass

    def do_CONNECT(self):
        self.server.asked.append(self.path)
        self.send_error(403)

    def do_GET(self):
        status, headers, body = self.server.index(self.path, self.headers)
        self.send_response(status)
        for k, v in headers.items():
            self.send_header(k, v)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Index(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.host, self.asked = f"127.0.0.1:{self.server_address[1]}", []

    def handle_error(self, *a):
        pass

    def index(self, path, headers):
        self.asked.append(path)
        url = urllib.parse.urlsplit(path)
        q = urllib.parse.parse_qs(url.query, keep_blank_values=True).get("q", [""])[0]
        if url.path != "/v1/search" or q == "gone":
            return 404, {}, b"page not found"
        if q == "private" and headers.get("Authorization") != "Basic " + base64.b64encode(b"anna:pw").decode():
            return 401, {"WWW-Authenticate": 'Basic realm="index"'}, b""
        if q == "refused":
            return 400, {}, b""
        if q == "away":
            return 302, {"Location": "http://192.0.2.1/v1/search"}, b""
        if q == "huge":
            return 200, {}, b'{"results":[{"name":"' + b"x" * (5 << 20) + b'"}]}'
        if q == "many":     # more than it was asked for
            return 200, {}, json.dumps({"results": [{"name": f"n{i}"} for i in range(500)]}).encode()
        if q in BAD:
            return 200, {"Content-Type": "application/json"}, BAD[q]
        return 200, {"Content-Type": "application/json"}, json.dumps({"num_results": len(HITS), "query": q, "results": HITS}).encode()


@contextlib.contextmanager
def index():
    s = Index()
    threading.Thread(target=s.serve_forever, daemon=True).start()
    try:
        yield s
    finally:
        s.shutdown()
        s.server_close()


@test
def command(env):
    with index() as i:
        out = env.run("search", f"{i.host}/a b&n=7/ü").ok().out
        asked = urllib.parse.parse_qs(urllib.parse.urlsplit(i.asked[-1]).query)
        same(asked, {"q": ["a b&n=7/ü"], "n": ["25"]}, "what was asked")
        lines = out.splitlines()
        same(re.split(r" {2,}", lines[0].strip()), ["NAME", "DESCRIPTION", "STARS", "OFFICIAL", "AUTOMATED"], "heads")
        same(re.split(r" {2,}", lines[2].strip()), ["debian", "Debian is a system", "400", "[OK]"], "a row")
        same(re.split(r" {2,}", lines[1].strip()), ["team/app", "d" * 44 + "…", "3", "[OK]"], "a description that is cut")
        check(not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", out) and r"\x1b[31mred" in out, f"a terminal is told {out!r}")
        same(len(lines), 5, "lines")
        env.run("search", "--no-trunc", "--format", "{{.Name}} {{.Description}}", f"{i.host}/x").ok(out=re.compile("(?s).*team/app " + LONG + "\n.*"))
        out = env.run("search", "--format", "json", "--limit", "3", f"{i.host}/x").ok().out
        check(not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", out), f"a terminal is told {out!r}")
        rows = [json.loads(x) for x in out.split("\n")[:-1]]
        same(rows[2]["Description"], HITS[2]["description"].replace("\t", " "), "hostile text in JSON")
        same(rows[1], {"Description": "Debian is a system", "IsAutomated": "false", "IsOfficial": "true", "Name": "debian", "StarCount": "400"}, "json")
        same((len(rows), i.asked[-1]), (3, "/v1/search?q=x&n=3"), "--limit")
        env.run("search", "--format", "table {{.StarCount}}", "-f", "is-official=1", f"{i.host}/x").ok(out="STARS\n400\n")
        for filters, names in ((["stars=3"], "team/app debian"), (["stars=3", "stars=400"], "debian"), (["is-official=false", "is-automated=false"], None), (["is-automated=true"], "team/app"),
                               (["stars=401"], "")):
            got = env.run("search", "--format", "{{.Name}}", *(f"--filter={f}" for f in filters), f"{i.host}/x").ok().out.split()
            check(got == names.split() if names is not None else got[-1] == "none/said" and len(got) == 2, f"{filters}: {got}")
        same(len(env.run("search", "--format", "{{.Name}}", f"{i.host}/many").ok().out.splitlines()), 25, "more than were asked for")


@test
def where_it_asks(env):
    """Docker Hub's index unless the term names a registry; registries.conf says where that is."""
    with index() as i:
        conf = env.tmp / "registries.conf"
        conf.write_text(f'[[registry]]\nprefix = "docker.io"\nlocation = "{i.host}"\n[[registry]]\nprefix = "bad.example"\nblocked = true\n')
        there = {"CAISSON_REGISTRIES_CONF": str(conf)}
        for term, asked in (("app", "app"), ("team/app", "team%2Fapp"), ("library/debian", "debian"), ("docker.io/library/debian", "debian"), ("index.docker.io/a/b", "a%2Fb")):
            env.run("search", term, env=there).ok()
            same(i.asked[-1], f"/v1/search?q={asked}&n=25", term)
        env.run("search", "bad.example/x", env=there).error(1, "blocked")
        env.run("search", "app", env={"CAISSON_REGISTRIES_CONF": "/dev/null", "HTTPS_PROXY": f"http://{i.host}", "NO_PROXY": ""}).error(1, "docker.io")
        same(i.asked[-1], "index.docker.io:443", "Docker Hub's index, through a proxy")
        n = len(i.asked)
        # Nothing is asked of anybody when the command is wrong.
        for args, words in ((("--limit", "101", "x"), "limit 101 is outside the range of [1, 100]"), (("--limit=-1", "x"), "limit -1 is outside the range of [1, 100]"),
                            (("-f", "nosuch=1", "x"), "invalid filter 'nosuch'"), (("-f", "stars=many", "x"), "invalid filter 'stars=many'"),
                            (("-f", "is-official=maybe", "x"), "invalid filter 'is-official=[maybe]'"), (("-f", "is-automated=", "x"), "invalid filter 'is-automated=[]'"),
                            (("-f", "is-official=1", "-f", "is-official=0", "x"), "invalid filter 'is-official"),
                            (("",), "1 to 255"), (("x" * 256,), "1 to 255"), (("https://h/x",), "'://'"), ((f"{i.host}/",), "only where"), (("a:b:c/x",), "a:b:c")):
            env.run("search", *args, env=there).error(2, words)
        same(len(i.asked), n, "requests for wrong commands")


@test
def hostile_indexes(env):
    with index() as i:
        env.run("search", f"{i.host}/gone").error(1, f"registry '{i.host}' has no search (status 404)")
        env.run("search", f"{i.host}/refused").error(1, "status 400")
        env.run("search", f"{i.host}/away").error(1, "plain HTTP to '192.0.2.1' is refused")
        env.run("search", f"{i.host}/huge").error(1, "4194304 bytes")
        for q in BAD:
            env.run("search", f"{i.host}/{q}").error(1, i.host)
        env.run("search", f"{i.host}/private").error(1, "wants a login")
        (env.tmp / "cfg").mkdir()
        (env.tmp / "cfg/config.json").write_text(json.dumps({"auths": {i.host: {"auth": base64.b64encode(b"anna:pw").decode()}}}))
        env.run("search", f"{i.host}/private", env={"DOCKER_CONFIG": str(env.tmp / "cfg")}).ok()


@test(needs="root")
def route(env):
    with index() as i, Serve(env) as s:
        got = s.json("GET", f"/images/search?term={i.host}/x&limit=7")
        same(i.asked[-1], "/v1/search?q=x&n=7", "what was asked")
        want = [{k: v.get(k) or d for k, d in (("name", ""), ("description", ""), ("star_count", 0), ("is_official", False), ("is_automated", False))} for v in HITS]
        same(got, want, "what the index said, in its order")
        filters = urllib.parse.quote(json.dumps({"stars": {"3": True}, "is-official": ["true"]}))
        same([v["name"] for v in s.json("GET", f"/images/search?term={i.host}/x&filters={filters}")], ["debian"], "filters")
        for query, words in (("term=x&limit=101", "limit 101 is outside the range of [1, 100]"), ("term=x&limit=y", "limit"), ("limit=1", "term"), ("term=x&filters=x", "filters"),
                             ("term=x&filters=" + urllib.parse.quote('{"is-official":["maybe"]}'), "invalid filter 'is-official=[maybe]'"),
                             ("term=x&filters=" + urllib.parse.quote('{"y":["1"]}'), "invalid filter 'y'")):
            s.error("GET", f"/images/search?{query}", 400, words)
        s.error("GET", f"/images/search?term={i.host}/gone", 501, "has no search")
        check(s.ask("GET", f"/images/search?term={i.host}/text").status >= 500, "no JSON")
        who = {"username": "anna", "password": "pw", "serveraddress": i.host}
        ask = lambda **said: s.ask("GET", f"/images/search?term={i.host}/private", **{"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(said).encode()).decode()}).status
        same((ask(**who), ask(**{**who, "serveraddress": "other.example"})), (200, 400), "credentials of a request")
        check(ask(**{**who, "password": "no"}) in (401, 403), "a wrong password")


@test(needs="root,docker")
def docker_client(env):
    with index() as i, Serve(env) as s:
        out = s.docker("search", "--limit", "5", "--filter", "stars=3", "--format", "{{.Name}} {{.StarCount}} {{.IsOfficial}}", f"{i.host}/x")[0]
        same(out.splitlines()[1].split(), ["debian", "400", "[OK]"], "docker search")
        same((len(out.splitlines()), i.asked[-1]), (2, "/v1/search?q=x&n=5"), "docker search")
        check("outside the range" in s.docker("search", "--limit", "101", "x", code=1)[1], "docker search --limit")
        check("has no search" in s.docker("search", f"{i.host}/gone", code=1)[1], "docker search of a registry without")


routes_were_called("api/search_test")
main()
