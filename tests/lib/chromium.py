# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium, driven over its debugging pipe: pages are opened, used with keys, measured and looked at.

Chromium's DevTools protocol over descriptors 3 and 4: JSON messages, each ended by a NUL byte.
"""
import base64
import json
import os
import pathlib
import select
import shutil
import subprocess
import tempfile
import time

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser")
AXE = pathlib.Path(os.environ.get("CAISSON_BUILD", "build")) / "web/node_modules/axe-core/axe.min.js"

KEYS = {"Enter": (13, "\r"), "Tab": (9, ""), "ArrowRight": (39, ""), "ArrowLeft": (37, ""), "F6": (117, ""), " ": (32, " ")}


class Broken(Exception):
    pass


class Chromium:
    def __init__(self):
        self.home = tempfile.mkdtemp(prefix="caisson-chromium-")
        to_read, self.to = os.pipe()
        self.back, to_write = os.pipe()

        def descriptors():
            # Neither may be what the other is to become.
            a, b = os.dup2(to_read, 30), os.dup2(to_write, 31)
            os.dup2(a, 3)
            os.dup2(b, 4)

        self.p = subprocess.Popen(
            [PROGRAM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
             "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--remote-debugging-pipe",
             f"--user-data-dir={self.home}", "about:blank"],
            preexec_fn=descriptors, close_fds=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True, env={**os.environ, "HOME": self.home})
        os.close(to_read)
        os.close(to_write)
        self.n, self.rest, self.events = 0, b"", []
        self.session = None
        target = next(t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(domain + ".enable")

    def close(self):
        self.p.kill()
        self.p.wait()
        for fd in (self.to, self.back):
            os.close(fd)
        shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    # ---- the protocol ----

    def _next(self, until):
        while b"\0" not in self.rest:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.back], [], [], left)[0]:
                raise Broken("chromium does not answer")
            data = os.read(self.back, 1 << 20)
            if not data:
                raise Broken("chromium has gone")
            self.rest += data
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, timeout=60, **params):
        self.n += 1
        message = {"id": self.n, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.to, data):]
        until = time.monotonic() + timeout
        while True:
            m = self._next(until)
            if m.get("id") == self.n:
                if "error" in m:
                    raise Broken(f"{method}: {m['error']['message']}")
                return m["result"]
            if "method" in m:
                self.events.append(m)

    # ---- a page ----

    def open(self, url):
        self.events.clear()
        answer = self.call("Page.navigate", url=url)
        if answer.get("errorText"):
            raise Broken(f"{url}: {answer['errorText']}")
        self.until("document.readyState === 'complete'", "the page is there")

    def eval(self, script, timeout=60):
        """The value of an expression; a promise is waited for."""
        r = self.call("Runtime.evaluate", timeout=timeout, expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in r:
            d = r["exceptionDetails"]
            raise Broken(d.get("exception", {}).get("description") or d["text"])
        return r["result"].get("value")

    def until(self, script, what, timeout=60):
        """The expression's first true value: asked again with each frame that the page could have drawn."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            value = self.eval(f"(async () => {{ for (let i = 0; i < 20; i++) {{ const v = {script}; if (v) return v instanceof Node || v;"
                              " await new Promise((r) => setTimeout(r, 50)); } return null; })()")
            if value:
                return value
        raise Broken(f"not within {timeout} s: {what}; the page says: {self.eval('document.body.innerText')[:1500]}")

    def errors(self):
        """What the page's console complained of: exceptions, and what its policy refused."""
        self.eval("1")
        out = []
        for m in self.events:
            p = m.get("params", {})
            if m["method"] == "Runtime.exceptionThrown":
                out.append(p["exceptionDetails"].get("exception", {}).get("description", p["exceptionDetails"]["text"]))
            if m["method"] == "Log.entryAdded" and p["entry"]["level"] == "error":
                out.append(f"{p['entry']['text']} {p['entry'].get('url', '')}")
        return out

    # ---- keys: nothing here has a mouse ----

    def focus(self, selector):
        self.eval(f"document.querySelector({json.dumps(selector)}).focus()")

    def key(self, name):
        code, text = KEYS[name]
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=name, windowsVirtualKeyCode=code, **({"text": text} if text and kind == "keyDown" else {}))

    def press(self, selector, name="Enter"):
        self.focus(selector)
        self.key(name)

    def type(self, text):
        for c in text:
            if c == "\n":
                self.key("Enter")
            else:
                self.call("Input.dispatchKeyEvent", type="char", text=c)

    # ---- how it looks ----

    def look(self, width=1280, height=900, dark=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def screenshot(self, path, whole=True):
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        pathlib.Path(path).write_bytes(base64.b64decode(data))

    def overflow(self):
        """Pixels by which the page is wider than its window."""
        return self.eval("document.documentElement.scrollWidth - document.documentElement.clientWidth")

    def axe(self):
        """Serious and critical findings of axe-core, one line each."""
        self.call("Page.setBypassCSP", enabled=True)
        self.eval(AXE.read_text() + "; 1")
        found = self.eval("axe.run(document, {resultTypes: ['violations']}).then((r) => r.violations.filter((v) => ['serious', 'critical'].includes(v.impact))"
                          ".map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.target.join(' ') + ' ' + (n.any[0]?.message || '')).join('; ')}`))", timeout=120)
        return found
