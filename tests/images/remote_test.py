# SPDX-License-Identifier: Apache-2.0
# timeout: 120
"""What is asked of registries without bringing images: tags page by page, manifests, referrers by the list and by the tag in its place, removal."""
import http.client, http.server, json, os, re, shutil, signal, subprocess, threading

from caisson_test import check, main, same, test
from oci_image import Layout, digest, push, registry, tar

INDEX = "application/vnd.oci.image.index.v1+json"


def layout(env, name="app"):
    shutil.rmtree(env.tmp / name, ignore_errors=True)
    lay = Layout(env.tmp / name)
    lay.image([(tar([("f", name.encode())]), "gzip")])
    return lay


def put(host, path, body, media_type):
    c = http.client.HTTPConnection(host, timeout=20)
    c.request("PUT", path, body=body, headers={"Content-Type": media_type})
    r = c.getresponse()
    r.read()
    same(r.status, 201, path)


@test(needs="registry")
def at_the_distributions_registry(env):
    lay = layout(env)
    m = lay.manifests[0]
    text = lay.blob_path(m).read_bytes()
    with registry(env) as host:
        for tag in ("2", "10", "latest"):
            push(lay, f"{host}/a/app:{tag}", "latest", "--preserve-digests")
        env.run("registry", "tags", f"{host}/a/app").ok(out="10\n2\nlatest\n")
        env.run("image", "tags", f"{host}/a/none").error(1, "a/none", "has no such repository")
        env.run("registry", "tags", f"{host}/a/app:2").error(2, "no tag")
        same(env.run("registry", "inspect", f"{host}/a/app:2").ok().out.encode(), text, "manifest")
        env.run("registry", "inspect", "--digest", f"{host}/a/app").ok(out=m["digest"] + "\n")
        env.run("registry", "inspect", f"{host}/a/app:3").error(1, "app:3")
        # No list of referrers here: the tag in its place, which does not exist at first.
        same(json.loads(env.run("registry", "referrers", f"{host}/a/app:2").ok().out)["manifests"], [], "referrers")
        entries = [{**{k: m[k] for k in ("mediaType", "digest", "size")}, "artifactType": f"application/x-{i}"} for i in range(2)]
        put(host, f"/v2/a/app/manifests/sha256-{m['digest'][7:]}", json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}), INDEX)
        same(json.loads(env.run("registry", "referrers", f"{host}/a/app@{m['digest']}").ok().out)["manifests"], entries, "referrers")
        got = env.run("registry", "referrers", "--artifact-type", "application/x-1", f"{host}/a/app:2").ok()
        same(json.loads(got.out)["manifests"], entries[1:], "referrers of one type")
        # It removes manifests only, and with them their tags.
        env.run("registry", "rm", f"{host}/a/app").error(2, "a tag or a digest")
        env.run("registry", "rm", f"{host}/a/app:none").error(1, "app:none")
        env.run("registry", "rm", f"{host}/a/app:2").ok(out=f"{host}/a/app@{m['digest']}\n")
        env.run("registry", "inspect", f"{host}/a/app:10").error(1, "app:10")
        env.run("registry", "rm", f"{host}/a/app@{m['digest']}").error(1, "no manifest")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *a):
        pass

    def do_GET(self):
        status, headers, body = self.server.answer(self.command, self.path)
        self.send_response(status)
        for k, v in headers.items():
            self.send_header(k, v)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_DELETE = do_GET


def server(answer):
    s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    s.daemon_threads, s.answer, s.handle_error = True, answer, lambda *a: None
    threading.Thread(target=s.serve_forever, daemon=True).start()
    return f"127.0.0.1:{s.server_address[1]}"


@test
def tags_in_pages(env):
    def answer(method, path):
        repo, _, query = path.partition("/tags/list")
        page = int(re.search(r"last=(\d+)|$", query)[1] or 0)
        if repo == "/v2/good" and page < 3:
            # What a Link says of another host or path is not followed, only where to go on.
            return 200, {"Link": f'<https://evil.invalid/elsewhere?last={page + 1}&n=2>; rel="next"'}, json.dumps({"tags": [f"t{page}"]}).encode()
        if repo == "/v2/endless":
            return 200, {"Link": f'</v2/endless/tags/list?last={page + 1}>; rel="next"'}, b'{"tags":["x"]}'
        if repo == "/v2/circle":
            return 200, {"Link": '</v2/circle/tags/list?last=1>; rel="next"'}, b'{"tags":["x"]}'
        if repo == "/v2/null":
            return 200, {}, b'{"name":"null","tags":null}'
        if repo == "/v2/numbers":
            return 200, {}, b'{"tags":[1]}'
        if repo == "/v2/huge":
            return 200, {}, b'{"tags":["' + b"x" * (5 << 20) + b'"]}'
        return 200, {}, b'{"tags":["t3"]}'
    host = server(answer)
    env.run("registry", "tags", f"{host}/good").ok(out="t0\nt1\nt2\nt3\n")
    env.run("registry", "tags", f"{host}/circle").ok(out="x\nx\n")
    env.run("registry", "tags", f"{host}/null").ok(out="")
    env.run("registry", "tags", f"{host}/endless").error(1, "250 pages")
    env.run("registry", "tags", f"{host}/numbers").error(1, "list of tags")
    env.run("registry", "tags", f"{host}/huge").error(1, "4194304 bytes")


@test
def registries_that_remove_tags_or_nothing(env):
    gone = []

    def answer(method, path):
        if method == "DELETE" and path.startswith("/v2/tags/"):
            gone.append(path)
            return 202, {}, b""
        if method == "DELETE":
            return 405, {}, b""
        return 200, {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}, b"{}"
    host = server(answer)
    env.run("registry", "rm", f"{host}/tags:1", f"{host}/tags:2").ok(out=f"{host}/tags:1\n{host}/tags:2\n")
    same(gone, ["/v2/tags/manifests/1", "/v2/tags/manifests/2"], "what was asked for")
    env.run("registry", "rm", f"{host}/never:1").error(1, "does not remove anything")


main()
