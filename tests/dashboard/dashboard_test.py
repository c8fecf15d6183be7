# SPDX-License-Identifier: Apache-2.0
# timeout: 300
"""dashboard: who may come in, what it says, and the page itself in a browser, used by keys alone."""
import http.client, json, os, re, shutil, signal, subprocess

from caisson_test import BUILD, check, main, same, test
from chromium import Chromium

WIDTHS = (375, 768, 1280)


class Dashboard:
    def __init__(self, env):
        self.env = env

    def __enter__(self):
        self.p = self.env.start("dashboard")
        self.url = self.p.until(r"(http://\S+)\n")[1].decode()
        m = re.fullmatch(r"http://(127\.0\.0\.1:(\d+))(/[0-9a-f]{64}/)", self.url)
        check(m, f"address {self.url}")
        self.host, self.port, self.base = m[1], int(m[2]), m[3]
        return self

    def __exit__(self, *unused):
        self.p.signal(signal.SIGTERM)
        same(self.p.finish().code, 0, "exit code of dashboard")

    def ask(self, path, method="GET", body=None, base=None, **fields):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        c.request(method, (self.base if base is None else base) + path, body=body, headers={"Host": self.host, **{k.replace("_", "-"): v for k, v in fields.items()}})
        r = c.getresponse()
        r.data = r.read()
        c.close()
        return r

    def feed(self, enough):
        """Lines of the feed up to the first that is enough."""
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        c.request("GET", self.base + "feed", headers={"Host": self.host})
        r = c.getresponse()
        lines = []
        while not lines or not enough(lines):
            lines.append(json.loads(r.readline()))
        c.close()
        return lines


@test(needs="root,web")
def only_who_has_the_address_and_is_our_page(env):
    with Dashboard(env) as d:
        same(d.ask("").status, 200, "the page")
        for base in ("/", "/" + "0" * 64 + "/", d.base[:-1], d.base[:-2] + "/", d.base.upper()):
            r = d.ask("api/info", base=base)
            same((r.status, b"caisson dashboard" in r.data), (404, True), f"with {base}")
        for fields in ({"Host": "evil.example"}, {"Host": f"evil.example:{d.port}"}, {"Host": "127.0.0.1"}, {"Origin": "http://evil.example"},
                       {"Origin": f"http://127.0.0.1:{d.port + 1}"}, {"Origin": "null"}, {"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Site": "same-site"}):
            for path in ("", "api/info", "feed", "report"):
                same(d.ask(path, **fields).status, 403, f"{path} with {fields}")
        same(d.ask("api/containers/create", "POST", b"{}", Sec_Fetch_Site="none").status, 403, "a form that was opened by an address")
        same(d.ask("", Host=f"localhost:{d.port}", Origin=f"http://localhost:{d.port}", Sec_Fetch_Site="same-origin").status, 200, "by its other name")
        same([d.ask(p).status for p in ("nothing", "../app.js", "api", "index.html", "report")], [404] * 5, "what is not there")
        same(d.ask("", "POST", b"").status, 405, "the page is not written to")
        same(d.ask("feed", "POST", b"").status, 405, "nor is the feed")
        same([d.ask(f"instances/{p}", "POST", b"").status for p in ("none/clone", "none/snapshot", "none/other", "none", "/clone", "%2e%2e/clone")],
             [404] * 6, "clones of what is not there")
        same(d.ask("instances/none/clone").status, 405, "a clone is not read")


@test(needs="root,web")
def the_page_may_do_little(env):
    with Dashboard(env) as d:
        page, again = d.ask(""), d.ask("")
        policy = dict(p.strip().split(" ", 1) for p in page.headers["Content-Security-Policy"].split(";"))
        nonce = re.search(r"nonce-([0-9a-f]{32})", policy["style-src"])[1]
        same(policy, {"default-src": "'none'", "script-src": "'self'", "style-src": f"'self' 'nonce-{nonce}'", "connect-src": "'self'", "img-src": "'self' data:",
                      "frame-src": "'self'", "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'"}, "policy")
        check(nonce.encode() in page.data and nonce.encode() not in again.data, "a nonce for each answer")
        for path, kind in (("app.js", "text/javascript"), ("app.css", "text/css")):
            r = d.ask(path)
            same((r.status, r.headers["Content-Type"].split(";")[0], r.headers["X-Content-Type-Options"], r.headers["Referrer-Policy"]),
                 (200, kind, "nosniff", "no-referrer"), path)
        check(not re.search(rb"(src|href)=\"(https?:)?//", page.data), "nothing of others")
        os.makedirs(env.root / "compare", exist_ok=True)
        (env.root / "compare/last.html").write_text("<p>so much</p>")
        r = d.ask("report")
        same((r.status, r.data), (200, b"<p>so much</p>"), "the last comparison")
        check("sandbox allow-scripts" in r.headers["Content-Security-Policy"] and "default-src 'none'" in r.headers["Content-Security-Policy"], "its policy")
        shutil.rmtree(env.root / "compare")


@test(needs="root,web")
def addresses(env):
    env.run("dashboard", "--listen", "0.0.0.0:0").error(2, "loopback")
    env.run("dashboard", "--listen", "nonsense").error(2, "nonsense")
    with Dashboard(env) as d:
        env.run("dashboard", "--listen", d.host).error(1, d.host)


@test(needs="root")
def a_page_that_was_not_built(env):
    there = env.tmp / "bin"
    there.mkdir()
    shutil.copy(BUILD / "caisson", there)
    r = subprocess.run([there / "caisson", "--root", env.root, "dashboard"], capture_output=True, text=True)
    check(r.returncode != 0 and "make web" in r.stderr and r.stderr.count("\n") == 1, f"{r.returncode} {r.stderr!r}")


@test(needs="root,web,qemu,kernel")
def the_feed_has_both_walls(env):
    env.run("run", "-d", "--name", "c", "caisson/tiny", "sh", "-c", "while :; do :; done").ok()
    env.run("run", "-d", "--name", "v", "--isolation=vm", "caisson/tiny", "sleep", "1000").ok()
    env.run("create", "--name", "idle", "caisson/tiny").ok()
    with Dashboard(env) as d:
        def known(lines):
            return all(len([1 for l in lines for i in l["instances"] if i["name"] == n and "at" in i]) >= 2 for n in "cv")

        lines = d.feed(known)
        first, last = ({i["name"]: i for i in next(l for l in order if all("at" in i for i in l["instances"] if i["name"] != "idle"))["instances"]}
                       for order in (lines, lines[::-1]))
        same({n: (i["isolation"], i["status"]) for n, i in last.items()},
             {"c": ("container", "running"), "v": ("vm", "running"), "idle": ("container", "created")}, "who is there")
        used = (last["c"]["cpu_ns"] - first["c"]["cpu_ns"]) / 1e6 / (last["c"]["at"] - first["c"]["at"]) if last["c"]["at"] > first["c"]["at"] else 0
        check(0.05 < used < 1.5, f"a busy loop uses {used} processors")
        check(last["v"]["memory"] > 8 << 20 and last["c"]["memory"] > 0 and "memory" not in last["idle"], "memory")
        same(lines[0]["host"]["cpus"], os.cpu_count(), "processors")
    env.run("rm", "-f", "c", "v", "idle").ok()


@test(needs="root,web,chromium", timeout=280)
def used_by_keys_alone(env):
    """A start, a terminal command, a stop; images; the comparison; and after each the page has no serious finding of axe and no complaint."""
    os.makedirs(env.root / "compare", exist_ok=True)
    (env.root / "compare/last.html").write_text("<!doctype html><html lang=en><title>t</title><h1>measured</h1>")
    with Dashboard(env) as d, Chromium() as c:
        def fine(what):
            # The log of one that is just being removed may be asked for once more.
            same([e for e in c.errors() if not re.search(r"404 .*/logs\?", e) or what in ("empty", "an instance", "a terminal")], [], f"complaints: {what}")
            same(c.axe(), [], f"findings: {what}")

        c.look(1280)
        c.open(d.url)
        c.until("document.body.innerText.includes('Nothing was created yet')", "an empty list")
        fine("empty")
        c.press(".create summary")
        for field, text in (("image", "caisson/tiny"), ("name", "web"), ("command", "sh -c 'echo hello from $0; sleep 1000' the-log")):
            c.focus(f".create [name={field}]")
            c.type(text)
        c.type("\n")
        c.until("document.querySelector('.instances .state.running')", "it runs")
        same(env.run("inspect", "-f", "{{.State.Status}} {{.Name}}", "web").ok().out.strip(), "running /web", "the engine's word")
        c.press(".instances tbody a")
        c.until("document.querySelector('.logs')?.textContent.includes('hello from the-log')", "its log")
        c.until("document.querySelector('.chart .curve path').getAttribute('d')", "a curve")
        fine("an instance")
        c.press("#tab-Log", "ArrowRight")
        c.until("document.querySelector('.terminal [role=status]')?.textContent.includes('connected')", "a terminal")
        c.type("echo sum-$((40+2)) >/proc/1/fd/1; echo sum-$((40+3))\n")
        c.until("document.querySelector('.xterm-rows').textContent.includes('sum-43')", "what the shell says")
        c.until("document.activeElement.closest('.terminal')", "the keyboard is the terminal's")
        c.key("F6")
        same(c.eval("document.activeElement.id"), "leave-terminal", "F6 leaves the terminal")
        fine("a terminal")
        c.press("#tab-Terminal", "ArrowLeft")
        c.until("document.querySelector('.logs')?.textContent.includes('sum-42')", "what the shell wrote is in the log")
        for width in WIDTHS:
            for dark in (False, True):
                c.look(width, dark=dark)
                same(c.overflow(), 0, f"overflow at {width}")
                fine(f"{width} wide, {'dark' if dark else 'light'}")
        c.look(1280)
        button = "[...document.querySelectorAll('.buttons button')].find((b) => b.textContent.startsWith('%s'))"
        message = "document.querySelector('.message').textContent"
        for label, there in (("Snapshot", f"{message}.includes('Snapshot web-')"), ("Clone", f"{message}.includes('Cloned as ')"), ("Stop", "document.querySelector('.state.exited')"), ("Start", "document.querySelector('.state.running')"),
                             ("Remove…", "document.querySelector('.danger')"), ("Remove web", "document.body.innerText.includes('Nothing was created yet')")):
            c.until(f"{button % label} && !({button % label}).disabled", f"{label} can be pressed")
            c.eval(f"({button % label}).focus()")
            c.key("Enter")
            c.until(there, f"after {label}")
            if label == "Clone":
                clone = re.fullmatch(r"Cloned as (\S+)\.", c.eval(message))[1]
                c.until(f"[...document.querySelectorAll('.instances tbody a')].some((a) => a.textContent === '{clone}')", "the clone in the list")
                same(env.run("exec", clone, "cat", "/etc/hostname").ok().out != env.run("exec", "web", "cat", "/etc/hostname").ok().out, True, "a name of its own")
                env.run("rm", "-f", clone).ok()
        fine("removed")
        for name in env.run("snapshot", "ls", "-q").ok().out.split():
            env.run("snapshot", "rm", name).ok()
        c.press("nav a[href='#/images']")
        c.until("document.querySelector('.images button')", "images")
        c.press(".images button")
        c.until("document.querySelector('.layers tbody tr')", "layers")
        fine("images")
        c.press("nav a[href='#/comparison']")
        c.until("document.querySelector('iframe.report')", "the comparison")
        fine("the comparison")
    shutil.rmtree(env.root / "compare")


@test(needs="root,web,chromium")
def a_server_that_goes_is_said(env):
    with Chromium() as c:
        with Dashboard(env) as d:
            c.look(768)
            c.open(d.url)
            c.until("document.body.innerText.includes('processors')", "connected")
        c.until("document.body.innerText.includes('The server does not answer')", "the server is gone")


if __name__ == "__main__":
    main()
