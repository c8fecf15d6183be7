# SPDX-License-Identifier: Apache-2.0
"""Where builds get their files from: a web server and git repositories on loopback."""
import contextlib, http.server, os, socket, subprocess, threading

from caisson_test import wait_for


@contextlib.contextmanager
def web(files):
    """path: bytes, or the address a redirect goes to."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            what = files.get(self.path.split("?")[0])
            self.send_response(404 if what is None else 302 if isinstance(what, str) else 200)
            if isinstance(what, str):
                self.send_header("Location", what)
            body = what if isinstance(what, bytes) else b""
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Last-Modified", "Mon, 12 Jan 1970 13:46:40 GMT")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *a):
            pass

    s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=s.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{s.server_port}", asked
    finally:
        s.shutdown()
        s.server_close()


def git(d, *words):
    env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_AUTHOR_DATE": "@1000000 +0000", "GIT_COMMITTER_DATE": "@1000000 +0000"}
    return subprocess.run(["git", "-C", d, "-c", "user.name=n", "-c", "user.email=e", "-c", "protocol.file.allow=always", "-c", "init.defaultBranch=main", *words],
                          check=True, capture_output=True, text=True, env=env).stdout.strip()


@contextlib.contextmanager
def git_daemon(base):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    p = subprocess.Popen(["git", "daemon", "--export-all", "--listen=127.0.0.1", f"--port={port}", f"--base-path={base}", "--reuseaddr", base],
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

    def up():
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0
    try:
        wait_for(up, what="git daemon")
        yield f"git://127.0.0.1:{port}"
    finally:
        os.killpg(p.pid, 9)
        p.wait()
