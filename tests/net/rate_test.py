# SPDX-License-Identifier: Apache-2.0
# timeout: 180
"""`--network-rate`: what an instance receives and sends takes at least the time that it must, and nothing is left."""
import contextlib, http.server, os, re, signal, subprocess, threading, time, urllib.request

from caisson_test import check, main, same, test, wait_for

T = "caisson/tiny"
SIZE = 512 << 10
WWW = f"mkdir -p /www; head -c {SIZE} /dev/zero >/www/f; exec httpd -f -p 80 -h /www"
BURST = 68 << 10        # goes at once (src/sys/qdisc.c)


class Zeros(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(SIZE))
        self.end_headers()
        self.wfile.write(bytes(SIZE))

    def log_message(self, *a):
        pass


@contextlib.contextmanager
def server():
    s = http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Zeros)
    threading.Thread(target=s.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        s.shutdown()
        s.server_close()


def blocks():
    """The devices through which instances send."""
    return re.findall(r"^\d+: (c\d+r[^:@]*)", subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout, re.M)


def page(address):
    """The answer, or None."""
    try:
        return urllib.request.urlopen(f"http://{address}/f", timeout=60)
    except OSError:
        return None


def sent(env, name):
    """Seconds for SIZE bytes from the instance to the host."""
    at = env.run("inspect", "-f", "{{.NetworkSettings.Networks.red.IPAddress}}", name).ok().out.strip()
    wait_for(lambda: page(at), 60, f"{name} answers").close()
    begin = time.monotonic()
    same(len(page(at).read()), SIZE, "bytes")
    return time.monotonic() - begin


def received(env, name, gateway):
    """And from the host to it."""
    begin = time.monotonic()
    env.run("exec", name, "wget", "-q", "-O", "/dev/null", f"http://{gateway}:8080/").ok()
    return time.monotonic() - begin


def least(rate):
    """No machine is fast enough to need less."""
    return (SIZE - 2 * BURST) / rate


def limited(env, kind, more):
    env.run("run", "-d", "--isolation", kind, "--name", "r", "--network", "red", "--network-rate", "512k", *more, T, "sh", "-c", WWW).ok()
    same(len(blocks()), 1, "devices for what is sent")
    check(sent(env, "r") >= least(512 << 10), "it sends too fast")
    check(received(env, "r", "172.28.7.1") >= least(512 << 10), "it receives too fast")
    same(env.run("inspect", "-f", "{{.HostConfig.NetworkRate}}", "r").ok().out, "512k\n", "inspect")
    # One way only, while it runs.
    env.run("update", "--network-rate", "in=256k", "r").ok()
    same(blocks(), [], "devices with no limit for what is sent")
    check(received(env, "r", "172.28.7.1") >= least(256 << 10), "it receives too fast after an update")
    env.run("update", "--network-rate", "out=300k,in=0", "r").ok()
    check(sent(env, "r") >= least(300 << 10), "it sends too fast after an update")
    env.run("update", "--network-rate", "0", "r").ok()
    same(blocks(), [], "devices without limits")
    env.run("update", "--network-rate", "out=1m", "r").ok()


@test(needs="root,netns")
def a_container(env):
    with server():
        env.run("network", "create", "--subnet", "172.28.7.0/24", "red").ok()
        env.run("network", "create", "--subnet", "172.28.8.0/24", "blue").ok()
        limited(env, "container", [])
        # Each network of it has a limit of its own, and the next start has them too.
        env.run("network", "connect", "blue", "r").ok()
        same(len(blocks()), 2, "devices for two networks")
        env.run("network", "disconnect", "blue", "r").ok()
        same(len(blocks()), 1, "devices for one")
        env.run("restart", "-t", "0", "r").ok()
        same(len(blocks()), 1, "devices after a restart")
        # Of a monitor that is killed the next command removes it.
        with open(f"/proc/{env.run('inspect', '-f', '{{.State.Pid}}', 'r').ok().out.strip()}/stat") as f:
            os.kill(int(f.read().rsplit(")", 1)[1].split()[1]), signal.SIGKILL)
        wait_for(lambda: env.run("ps", "-a").ok() and not blocks(), what="the device of a killed monitor is removed")
        env.run("rm", "-f", "r").ok()
        env.run("network", "rm", "red", "blue").ok()


@test(needs="root,netns,qemu,kernel", timeout=120)
def a_vm(env):
    with server():
        env.run("network", "create", "--subnet", "172.28.7.0/24", "red").ok()
        limited(env, "vm", [])
        env.run("rm", "-f", "r").ok()
        same(blocks(), [], "devices in the end")
        env.run("network", "rm", "red").ok()


@test(needs="root,netns")
def what_cannot_be_limited_is_refused(env):
    for flags, words in ((["--network-rate", "x"], ["'x'", "bytes a second"]), (["--network-rate", "1"], ["4096"]), (["--network-rate", "in=1m,up=2m"], ["up=2m"]), (["--network-rate", ""], ["''"]),
                         (["--network-rate", "9000000g"], ["--network-rate"]), (["--network-rate", "in=-1"], ["in=-1"]), (["--network-rate", "1m", "--network", "host"], ["no meaning", "host"]),
                         (["--network-rate", "1m", "--network", "none"], ["no meaning", "none"])):
        r = env.run("run", "--rm", *flags, T, "true")
        check(r.code in (2, 125), f"{flags}: {r.code} {r.err}")
        r.error(r.code, *words)
    env.run("network", "create", "-d", "macvlan", "--subnet", "172.28.9.0/24", "wire").ok()
    env.run("run", "--rm", "--network", "wire", "--network-rate", "1m", T, "true").error(125, "--network-rate", "'wire' (macvlan)")
    env.run("network", "rm", "wire").ok()
    env.run("run", "-d", "--name", "n", "--network", "none", T, "sleep", "1000").ok()
    r = env.run("update", "--network-rate", "1m", "n")
    r.error(r.code, "no meaning")
    check(r.code in (1, 2), f"exit code {r.code}")
    env.run("rm", "-f", "n").ok()
    same(blocks(), [], "devices in the end")


main()
