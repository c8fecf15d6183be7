# SPDX-License-Identifier: Apache-2.0
# timeout: 400
"""caisson-oci checkpoint and restore: every option as criu sees it (a program of the test in its place), and CRIU itself in the
guest of a machine of ours, because CRIU is particular about kernels."""
import json, os, pathlib, subprocess, sys

from caisson_test import check, main, same, test
from oci_bundle import Runtime, spec
from oci_guest import NEEDS, Guest, with_libraries

QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
FAKE = '''#!%s
import json, os, socket, sys, time
s = socket.socket(fileno=int(sys.argv[2]))
def varint(b, i):
    v = shift = 0
    while True:
        c = b[i]; i += 1; v |= (c & 127) << shift; shift += 7
        if c < 128:
            return v, i
def fields(b):
    i = 0
    while i < len(b):
        tag, i = varint(b, i)
        v, i = varint(b, i)
        if tag & 7 == 2:
            v, i = b[i:i + v], i + v
        yield tag >> 3, v
request = list(fields(s.recv(1 << 20)))
kind, opts = dict(request)[1], list(fields(dict(request)[2]))
out = {"type": kind, "opts": {}, "fds": sorted(int(n) for n in os.listdir("/proc/self/fd"))}
for k, v in opts:
    out["opts"].setdefault(k, []).append(v if isinstance(v, int) else v.decode("latin1"))
here = os.path.dirname(os.path.abspath(__file__))
json.dump(out, open(here + "/request-%%d" %% kind, "w"))
answer = os.environ.get("FAKE_ANSWER", "")
if answer == "none":
    sys.exit(1)
if answer == "ready":
    s.send(bytes([8, 6, 16, 1, 42, 14, 10, 12]) + b"status-ready")
    s.recv(4096)
if answer == "fail" and kind != 3:
    log = "/proc/%%d/fd/%%d/" %% (os.getppid(), dict(opts)[17]) + dict(opts)[10].decode()
    open(log, "w").write("(0.1) Error (criu/a.c:1): not this\\n(0.2) Error (criu/b.c:2): cause\\x1b[1m\\n(0.3) Error (criu/c.c:3): effect\\n"
                         "(0.4) Error (criu/d.c:4): Dumping FAILED.\\n")
if answer == "kernel":
    sys.stderr.write("Error (criu/x.c:1): a thing that this kernel lacks\\n")
s.send(bytes([8, kind, 16, 0 if answer == "kernel" or (answer == "fail" and kind != 3) else 1]))
'''


class Faked(Runtime):
    """criu's part is played by FAKE."""
    def __init__(self, env):
        super().__init__(env)
        self.bin = self.base / "bin"
        self.bin.mkdir()
        (self.bin / "criu").write_text(FAKE % sys.executable)
        (self.bin / "criu").chmod(0o755)

    def call(self, *args, answer="", path=None, **kw):
        e = {**os.environ, "PATH": f"{path or self.bin}", "FAKE_ANSWER": answer}
        p = subprocess.run(self.argv(args), env=e, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=self.base, timeout=300, **kw)
        return p.returncode, p.stderr

    def request(self, kind):
        r = json.loads((self.bin / f"request-{kind}").read_text())
        return {int(k): v for k, v in r["opts"].items()}, r["fds"]


@test(needs="root")
def every_option_reaches_criu(env):
    oci = Faked(env)
    c = spec("/bin/sleep", "1000")
    (oci.base / "src").mkdir()
    c["mounts"].append({"destination": "/mnt/there", "type": "bind", "source": str(oci.base / "src"), "options": ["rbind"]})
    b = oci.bundle(c)
    oci("run", "-d", "-b", b, "c1", **QUIET).ok()
    pid = oci.state()["pid"]
    img = oci.base / "img"
    (img / "old").mkdir(parents=True)
    r, w = os.pipe()
    got = oci.call("checkpoint", "--image-path", img, "--work-path", oci.base / "work", "--parent-path", "old", "--leave-running", "--tcp-established",
                   "--tcp-skip-in-flight", "--ext-unix-sk", "--shell-job", "--file-locks", "--link-remap", "--lazy-pages", "--auto-dedup", "--page-server",
                   "[::1]:4711", "--status-fd", w, "--manage-cgroups-mode", "strict", "--empty-ns", "network", "c1", answer="ready", pass_fds=(w,))
    same(got, (0, ""), "checkpoint")
    os.close(w)
    same(os.read(r, 9), b"\0", "what --status-fd got")
    os.close(r)
    o, fds = oci.request(1)
    same({k: o.get(k) for k in (2, 3, 4, 5, 7, 8, 10, 12, 14, 15, 16, 18, 24, 34, 38, 46, 48, 50)},
         {2: [pid], 3: [1], 4: [1], 5: [1], 7: [1], 8: [1], 10: ["dump.log"], 12: [1], 14: ["old"], 15: [1], 16: [1], 18: [1], 24: [1], 34: [5],
          38: [0x40000000], 46: [1], 48: [1], 50: [1]}, "fields of rpc.proto")
    same(o[11], ["\n\x03::1\x10\xe7\x24"], "page server")
    check("mnt[/mnt/there]:/mnt/there" in o[37] and any(x.startswith("file[") for x in o[37]), f"external: {o[37]}")
    check(not any("/proc/acpi" in x for x in o[37]), f"a masked directory is criu's own to mount: {o[37]}")
    check(max(fds) <= 5, f"descriptors in criu: {fds}")
    same(len(json.loads((img / "descriptors.json").read_text())), 3, "descriptors.json")
    same(oci.state()["status"], "running", "after --leave-running")

    same(oci.call("checkpoint", "--pre-dump", "c1"), (0, ""), "pre-dump")
    o, _ = oci.request(13)
    same((o[15], o[3], 11 in o, 34 in o and o[34]), ([1], [1], False, [3]), "pre-dump")
    check((oci.base / "checkpoint").is_dir(), "the default of --image-path")
    # Not asked to leave it running, and nothing says that it still does once criu has killed it.
    os.kill(pid, 9)
    b2 = oci.bundle_like(b, "/bin/true")
    code, err = oci.call("restore", "--image-path", img, "--work-path", oci.base / "work", "--bundle", b2, "--detach", "--no-pivot", "--no-subreaper",
                         "--pid-file", oci.base / "pid", "--tcp-established", "--ext-unix-sk", "--shell-job", "--file-locks", "--lazy-pages",
                         "--auto-dedup", "--manage-cgroups-mode", "full", "--empty-ns", "network", "--lsm-profile", "apparmor:x",
                         "--lsm-mount-context", "ctx", "r1")
    check(code == 1 and "restored process 0" in err, f"an answer without a pid: {code} {err}")
    o, _ = oci.request(2)
    same({k: o.get(k) for k in (4, 5, 6, 7, 8, 10, 12, 16, 24, 26, 34, 38, 48, 50, 53, 63)},
         {4: [1], 5: [1], 6: [1], 7: [1], 8: [1], 10: ["restore.log"], 12: [1], 16: [1], 24: [1], 26: [1], 34: [4], 38: [0x40000000], 48: [1], 50: [1],
          53: ["apparmor:x"], 63: ["ctx"]}, "fields of rpc.proto")
    check(f"mnt[/mnt/there]:{oci.base}/src" in o[37] and "mnt[/proc/kcore]:/dev/null" in o[37], f"external: {o[37]}")
    check(o[13][0].startswith(f"{oci.root}/r1/"), f"root: {o[13]}")
    check(len(o[27]) == 3 and 25 in o, f"inherited {o[27]}")
    check(not (oci.root / "r1").exists() and not (oci.base / "pid").exists(), "a failed restore left something")
    oci("delete", "-f", "c1").ok()


@test(needs="root")
def errors_name_the_cause(env):
    oci = Faked(env)
    b = oci.bundle(None, "/bin/sleep", "1000")
    oci.create(b, "c0").ok()
    code, err = oci.call("checkpoint", "c0")
    check(code == 1 and "created state" in err, err)
    oci("delete", "-f", "c0").ok()
    oci("run", "-d", "-b", b, "c1", **QUIET).ok()
    for args, words in ((["--manage-cgroups-mode", "some", "c1"], ["--manage-cgroups-mode", "'some'"]), (["--empty-ns", "pid", "c1"], ["--empty-ns", "'pid'"]),
                        (["--parent-path", "/abs", "c1"], ["--parent-path", "relative"]), (["--parent-path", "nowhere", "c1"], ["--parent-path", "nowhere"]),
                        (["--page-server", "host", "c1"], ["--page-server", "ADDRESS:PORT"]), (["--page-server", "h:0", "c1"], ["ADDRESS:PORT"]),
                        (["nope"], ["does not exist"]), ([], ["requires exactly 1 argument"]), (["--no-such", "c1"], ["no-such"])):
        code, err = oci.call("checkpoint", *args)
        check(code == 1 and all(w in err for w in words) and len(err.strip().split("\n")) == 1, f"{args}: {code} {err}")
    for answer, words in (("none", ["criu"]), ("fail", ["cause", "effect", "dump.log"]), ("kernel", ["cannot work on this kernel", "this kernel lacks"])):
        code, err = oci.call("checkpoint", "c1", answer=answer)
        check(code == 1 and all(w in err for w in words) and "\x1b" not in err and len(err.strip().split("\n")) == 1, f"{answer}: {code} {err}")
        same(oci.state()["status"], "running", "after a failed checkpoint")
    code, err = oci.call("checkpoint", "c1", path="/nonexistent")
    check(code == 1 and "criu is not installed" in err, err)
    oci("delete", "-f", "c1").ok()

    code, err = oci.call("restore", "--image-path", "none", "-b", b, "r1")
    check(code == 1 and "'none'" in err, err)
    (oci.base / "empty").mkdir()
    code, err = oci.call("restore", "--image-path", "empty", "-b", b, "r1")
    check(code == 1 and "descriptors.json" in err, err)
    code, err = oci.call("--isolation=vm", "restore", "--image-path", "empty", "-b", b, "r1")
    check(code == 1 and "isolation vm" in err, err)
    check(not (oci.root / "r1").exists(), "state of a failed restore")
    c = spec("/bin/sleep", "1000")
    hold = subprocess.Popen(["unshare", "--ipc", "sleep", "1000"])
    for n in c["linux"]["namespaces"]:
        if n["type"] == "ipc":
            n["path"] = f"/proc/{hold.pid}/ns/ipc"
    try:
        oci("run", "-d", "-b", oci.bundle(c), "c2", **QUIET).ok()
        code, err = oci.call("checkpoint", "c2")
        check(code == 1 and "ipc namespace" in err, err)
        oci("delete", "-f", "c2").ok()
    finally:
        hold.kill()
        hold.wait()


# ---- CRIU itself ----

OCI = "/caisson-oci --root /run/s"
COUNT = "i=0; while :; do i=$((i+1)); echo $i >> /tmp/%s; sleep 0.1; done"


def last(g, name):
    return int(g.ok(f"tail -n 1 /inner/tmp/{name}").strip() or 0)


def went_on(g, name, before):
    g.ok("sleep 0.6")
    first_after = g.ok(f"tail -n +{before + 1} /inner/tmp/{name} | head -n 1").strip()
    same(first_after, str(before + 1), "what followed the last number before the checkpoint")


def a_counter_goes_on(g):
    g.ok("mkdir /run/bind && echo bound > /run/bind/file")
    # Without a network namespace of its own, whose contents take criu 10 s on an emulated CPU.
    ns = [{"type": t} for t in ("pid", "ipc", "uts", "mount", "cgroup")]
    cmd = g.config("k1", "/bin/sh", "-c", COUNT % "n1", namespaces=ns, mounts=[{"destination": "/mnt", "type": "bind", "source": "/run/bind", "options": ["bind", "ro"]}])
    g.ok(cmd % "run -d" + " </dev/null >/dev/null 2>&1; sleep 1")
    g.ok(f"{OCI} checkpoint --image-path /run/img --work-path /run/work k1")
    n = last(g, "n1")
    check(n > 3, f"counted to {n}")
    same(g.ok(f"ls {OCI.split()[2]}; ls -d /sys/fs/cgroup/inner/k1 2>/dev/null; ls /run/work").split(), ["dump.log", "stats-dump"], "what the checkpoint left")
    g.ok("sleep 0.5")
    same(last(g, "n1"), n, "the counter while there is no process")
    # Under another name: other state, other cgroup.
    g.ok("mkdir /bundles/k9 && sed s,/inner/k1,/inner/k9, < /bundles/k1/config.json > /bundles/k9/config.json")
    g.ok(f"{OCI} restore -d --pid-file /run/pid --image-path /run/img -b /bundles/k9 k9 </dev/null >/dev/null 2>&1")
    went_on(g, "n1", n)
    s = json.loads(g.ok(f"{OCI} state k9"))
    same((s["status"], s["pid"]), ("running", int(g.ok("cat /run/pid"))), "state")
    check(str(s["pid"]) in g.read("k9/cgroup.procs").split(), "the cgroup of the restored process")
    same(g.ok(f"{OCI} exec k9 sh -c 'hostname; cat /mnt/file; cat /proc/1/cgroup; : >/proc/kcore; ls /proc/acpi | wc -l; touch /mnt/x 2>&1'; true").split("\n")[:4],
         ["tested", "bound", "0::/", "0"], "exec in the restored instance")
    g.ok(f"{OCI} pause k9 && {OCI} resume k9 && {OCI} kill k9 KILL; sleep 0.3; {OCI} delete k9")
    same(g.ok("find /sys/fs/cgroup/inner -mindepth 1 -type d; ls /run/s; grep -c criu-root /proc/mounts; true").split(), ["0"], "left after delete")


def memory_first_and_a_joined_network(g):
    g.ok("(unshare -n sleep 1000 & echo $! > /run/nspid) >/dev/null 2>&1 </dev/null; sleep 0.3")
    path = f"/proc/{g.ok('cat /run/nspid').strip()}/ns/net"
    ns = [{"type": t} for t in ("pid", "ipc", "uts", "mount", "cgroup")] + [{"type": "network", "path": path}]
    cmd = g.config("k2", "/bin/sh", "-c", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done", namespaces=ns)
    # Its stdout is a FIFO of ours, and another one afterwards.
    g.ok("mkfifo /run/p; (cat /run/p > /run/out1 &); " + cmd % "run -d" + " </dev/null >/run/p 2>/dev/null; sleep 1")
    g.ok(f"{OCI} checkpoint --pre-dump --image-path /run/pre k2; {OCI} state k2 | grep -q running")
    g.ok(f"mkdir /run/images; cp -r /run/pre /run/images/pre; {OCI} checkpoint --parent-path ../pre --image-path /run/images/full k2")
    n = int(g.ok("tail -n 1 /run/out1"))
    g.ok("(cat /run/p > /run/out2 &); " f"{OCI} restore -d --image-path /run/images/full -b /bundles/k2 k2 </dev/null >/run/p 2>/dev/null; sleep 0.6")
    same(int(g.ok("head -n 1 /run/out2")), n + 1, "the first number on the new stdout")
    pid = json.loads(g.ok(f"{OCI} state k2"))["pid"]
    same(g.ok(f"stat -Lc %i /proc/{pid}/ns/net"), g.ok(f"stat -Lc %i {path}"), "the joined network namespace")
    g.ok(f"{OCI} delete -f k2; kill $(cat /run/nspid)")


def in_the_foreground_with_an_exit_code(g):
    cmd = g.config("k3", "/bin/sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.1; done", namespaces=[{"type": t} for t in ("pid", "ipc", "uts", "mount")])
    g.ok(cmd % "run -d" + f" </dev/null >/dev/null 2>&1; {OCI} checkpoint --image-path /run/img3 --leave-running k3; {OCI} state k3 | grep -q running")
    g.ok(f"{OCI} pause k3; {OCI} checkpoint --image-path /run/img3 k3")
    same(g.sh(f"(until {OCI} kill k3 TERM; do sleep 0.3; done; {OCI} resume k3) >/dev/null 2>&1 & {OCI} restore --manage-cgroups-mode ignore --image-path /run/img3 -b /bundles/k3 k3 </dev/null >/dev/null").code, 7, "exit code")
    same(g.ok("ls /run/s; find /sys/fs/cgroup/inner -mindepth 1 -type d").strip(), "", "left after a foreground restore")


@test(needs=NEEDS + ",criu", timeout=300)
def criu_in_a_guest(env):
    with Guest(env) as g:
        for program, to in (("criu", "usr/sbin"), ("tar", "usr/bin"), ("ip", "usr/sbin"), ("xtables-nft-multi", "usr/sbin")):
            with_libraries(subprocess.run(["sh", "-c", f"command -v {program}"], capture_output=True, text=True, check=True).stdout.strip(), g.root, to)
        extensions = pathlib.Path("usr/lib/x86_64-linux-gnu/xtables")
        (g.root / extensions).mkdir(parents=True, exist_ok=True)
        for n in ("libxt_mark.so", "libxt_standard.so"):
            (g.root / extensions / n).write_bytes((pathlib.Path("/") / extensions / n).read_bytes())
        for n in ("iptables-restore", "ip6tables-restore"):
            os.symlink("xtables-nft-multi", g.root / "usr/sbin" / n)
        g.load("checkpoint")
        for case in (a_counter_goes_on, memory_first_and_a_joined_network, in_the_foreground_with_an_exit_code):
            try:
                case(g)
            except AssertionError as x:
                raise type(x)(f"{case.__name__}: {x}") from x


main()
