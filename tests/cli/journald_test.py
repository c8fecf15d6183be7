#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 200
"""--log-driver journald, with a systemd-journald of this file's own; --log-opt mode=non-blocking."""
import atexit, json, os, pathlib, re, signal, socket, subprocess

from caisson_test import INSIDE, Failed, check, main, same, test, wait_for

TINY = "caisson/tiny"
SOCKET = pathlib.Path("/run/systemd/journal/socket")


def machine_id():
    """For this file's journald, in this file's mount namespace."""
    machine = pathlib.Path(os.environ[INSIDE]) / "machine-id"
    machine.write_text("0123456789abcdef0123456789abcdef\n")
    if not os.path.exists("/etc/machine-id"):
        pathlib.Path("/etc/machine-id").touch()
        atexit.register(lambda: subprocess.run(["sh", "-c", "umount /etc/machine-id; rm -f /etc/machine-id"]))
    subprocess.run(["mount", "--bind", machine, "/etc/machine-id"], check=True)


# Before the first test, or the leak check finds them.
if os.environ.get(INSIDE):
    machine_id()


class Journald:
    """The real one, as long as the block lasts."""
    def __enter__(self):
        SOCKET.parent.mkdir(parents=True, exist_ok=True)
        # /run is this file's own, and nothing goes elsewhere.
        pathlib.Path("/run/systemd/journald.conf.d").mkdir(exist_ok=True)
        pathlib.Path("/run/systemd/journald.conf.d/test.conf").write_text("[Journal]\nStorage=volatile\nRateLimitBurst=0\n")
        self.p = subprocess.Popen(["/lib/systemd/systemd-journald"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: subprocess.run(["journalctl", "--sync"], capture_output=True).returncode == 0, what="journald answers")
        return self

    def __exit__(self, *_):
        self.p.send_signal(signal.SIGCONT)
        self.p.terminate()
        self.p.wait()
        subprocess.run(["sh", "-c", "rm -rf /run/systemd/journal /run/log/journal"], check=True)

    def entries(self, *match):
        subprocess.run(["journalctl", "--sync"], check=True)
        out = subprocess.run(["journalctl", "-q", "-o", "json", *match], capture_output=True, check=True).stdout
        return [json.loads(line) for line in out.splitlines()]


def fields(message):
    """The journal's native protocol, read by another hand than ours."""
    out, at = {}, 0
    while at < len(message):
        end = message.index(b"\n", at)
        line = message[at:end]
        at = end + 1
        if b"=" in line:
            name, value = line.split(b"=", 1)
        else:
            name, n = line, int.from_bytes(message[at:at + 8], "little")
            value = message[at + 8:at + 8 + n]
            same(message[at + 8 + n:at + 9 + n], b"\n")
            at += 9 + n
        out[name.decode()] = value
    return out


@test(needs="root")
def messages_have_dockers_fields(env):
    SOCKET.parent.mkdir(parents=True, exist_ok=True)
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind(str(SOCKET))
    try:
        env.run("run", "--name", "f", "--network", "none", "--log-driver", "journald", "-l", "app=web", "-l", "container_id_full=forged", "-e", "Stage-2=a\nb", "--log-opt", "labels=app,container_id_full",
                "--log-opt", "env=Stage-2", "--log-opt", "tag={{.Name}}!", TINY, "sh", "-c", "echo out; echo err >&2; printf 'no\\001end'").ok()
        got = []
        s.settimeout(20)
        while len(got) < 3:
            got.append(fields(s.recv(1 << 20)))
    finally:
        s.close()
        SOCKET.unlink()
    i = env.run("inspect", "-f", "{{.Id}}", "f").ok().out.strip()
    by = {m["MESSAGE"]: m for m in got}
    same(sorted(by), [b"err", b"no\x01end", b"out"])
    for m in got:
        same({k: m[k].decode() for k in ("CONTAINER_ID", "CONTAINER_ID_FULL", "CONTAINER_NAME", "CONTAINER_TAG", "SYSLOG_IDENTIFIER", "IMAGE_NAME", "APP", "STAGE_2", "X_CONTAINER_ID_FULL")},
             {"CONTAINER_ID": i[:12], "CONTAINER_ID_FULL": i, "CONTAINER_NAME": "f", "CONTAINER_TAG": "f!", "SYSLOG_IDENTIFIER": "f!", "IMAGE_NAME": TINY, "APP": "web", "STAGE_2": "a\nb", "X_CONTAINER_ID_FULL": "forged"})
        check({"SYSLOG_TIMESTAMP", "CONTAINER_LOG_EPOCH", "CONTAINER_LOG_ORDINAL"} <= set(m), m)
    same([by[k]["PRIORITY"] for k in (b"out", b"err")], [b"6", b"3"])
    same([m for m in by if "CONTAINER_PARTIAL_MESSAGE" in by[m]], [b"no\x01end"])
    env.run("rm", "f").ok()


@test(needs="root,systemd")
def logs_reads_the_journal_back(env):
    with Journald() as j:
        env.run("run", "--name", "r", "--network", "none", "--log-driver", "journald", "--log-opt", "tag=T", TINY, "sh", "-c", "seq 1 500; echo e >&2; printf 'a\\377b'").ok()
        r = env.run("logs", "r").ok()
        same((r.out, r.err), ("".join(f"{n}\n" for n in range(1, 501)) + "a\ufffdb", "e\n"))
        same(env.run("logs", "--tail", "1", "r").ok().out, "a\ufffdb")
        same(env.run("logs", "--tail", "0", "r").ok().out, "")
        same(env.run("logs", "--since", "2099-01-01T00:00:00Z", "r").ok().out, "")
        check(env.run("logs", "--details", "r").ok().out.startswith("tag=T 1\ntag=T 2\n"), "details")
        same(len(j.entries("CONTAINER_NAME=r")), 502)
        # Anybody may send any field: what another user sends is not this instance's.
        i = env.run("inspect", "-f", "{{.Id}}", "r").ok().out.strip()
        subprocess.run(["setpriv", "--reuid=4242", "--regid=4242", "--clear-groups", "logger", "--journald"], input=f"MESSAGE=forged\nCONTAINER_ID_FULL={i}\n".encode(), check=True)
        same(len(j.entries(f"CONTAINER_ID_FULL={i}")), 503)
        check("forged" not in env.run("logs", "r").ok().out, "forged")
        env.run("rm", "r").ok()


@test(needs="root,systemd")
def a_follower_of_the_journal_sees_all_and_ends(env):
    with Journald():
        env.run("run", "-d", "--name", "f", "--network", "none", "--log-driver", "journald", TINY, "sh", "-c", "echo early; until test -e /tmp/go; do sleep 0.05; done; seq 1 300").ok()
        all_, new = env.start("logs", "-f", "f"), env.start("logs", "-f", "--tail", "1", "f")
        all_.until("early\n")
        new.until("early\n")
        env.run("exec", "f", "touch", "/tmp/go").ok()
        want = "early\n" + "".join(f"{n}\n" for n in range(1, 301))
        all_.finish(30).ok(out=want)
        new.finish(30).ok(out=want)
        env.run("rm", "f").ok()


@test(needs="root,systemd,qemu,kernel")
def a_vm_writes_to_the_journal(env):
    with Journald():
        env.run("run", "--isolation", "vm", "--name", "v", "--network", "none", "--log-driver", "journald", TINY, "sh", "-c", "echo from inside").ok()
        env.run("logs", "v").ok(out="from inside\n")
        env.run("rm", "v").ok()


@test(needs="root")
def without_a_journal_it_is_refused(env):
    env.run("run", "--name", "x", "--log-driver", "journald", TINY, "true").error(125, "journald", "/run/systemd/journal/socket")
    same(env.run("ps", "-aq").out, "")
    for args, words in ((["journald", "--log-opt", "max-size=1m"], ["journald", "max-size"]), (["json-file", "--log-opt", "max-buffer-size=1m"], ["max-buffer-size", "non-blocking"]),
                        (["json-file", "--log-opt", "mode=frob"], ["mode", "frob"]), (["local", "--log-opt", "max-buffer-size=x"], ["max-buffer-size"])):
        r = env.run("run", "--log-driver", *args, TINY, "true")
        check(r.code in (2, 125), r.code)
        r.error(r.code, *words)


@test(needs="root,systemd")
def without_journalctl_reading_is_refused(env):
    with Journald():
        env.run("run", "--name", "n", "--network", "none", "--log-driver", "journald", TINY, "echo", "hi").ok()
        subprocess.run(["mount", "--bind", "/dev/null", "/usr/bin/journalctl"], check=True)
        try:
            env.run("logs", "n").error(1, "journalctl", "not installed")
        finally:
            subprocess.run(["umount", "/usr/bin/journalctl"], check=True)
        env.run("rm", "n").ok()


def writer_of(env, name):
    """The child of the monitor that writes the log."""
    i = env.run("inspect", "-f", "{{.Id}}", name).ok().out.strip()
    monitor = json.loads((env.root / "instances" / i / "start.json").read_text())["monitor_pid"]
    for p in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            stat = (p / "stat").read_text()
        except OSError:
            continue
        if "(caisson-log)" in stat and int(stat.rsplit(")", 1)[1].split()[1]) == monitor:
            return int(p.name)
    raise Failed(f"{name} has no writer")


@test(needs="root,systemd", timeout=120)
def a_journal_that_stands_still_holds_up_the_workload_only(env):
    with Journald() as j:
        env.run("run", "-d", "--name", "b", "--network", "none", "--log-driver", "journald", TINY, "sh", "-c", "until test -e /tmp/go; do sleep 0.05; done; seq 1 60000; touch /tmp/done; exec sleep 1000").ok()
        j.p.send_signal(signal.SIGSTOP)
        env.run("exec", "b", "touch", "/tmp/go").ok()
        writer = writer_of(env, "b")
        # Its queue is full when it sleeps in the send; some kernels do not say where.
        wait_for(lambda: re.search("unix|sock|^0?$", pathlib.Path(f"/proc/{writer}/wchan").read_text()), what="the writer waits for the journal")
        same(env.run("exec", "b", "test", "-e", "/tmp/done").code, 1)
        env.run("top", "b").ok()
        j.p.send_signal(signal.SIGCONT)
        wait_for(lambda: env.run("exec", "b", "test", "-e", "/tmp/done").code == 0, 90, "the workload goes on")
        env.run("rm", "-f", "b").ok()


@test(needs="root")
def non_blocking_loses_instead_of_waiting(env):
    env.run("run", "-d", "--name", "n", "--network", "none", "--log-opt", "mode=non-blocking", "--log-opt", "max-buffer-size=64k", TINY,
            "sh", "-c", "echo first; until test -e /tmp/go; do sleep 0.05; done; seq 1 100000; until test -e /tmp/end; do sleep 0.05; done; echo last").ok()
    wait_for(lambda: env.run("logs", "n").ok().out == "first\n", what="the first line")
    writer = writer_of(env, "n")
    os.kill(writer, signal.SIGSTOP)
    # 589 kB: more than the buffer and two pipes hold.  All of it is read although nobody writes it.
    attached = env.start("attach", "--no-stdin", "n")
    wait_for(lambda: env.run("events", "--since", "1m", "--until", "0s", "--filter", "event=attach", "--format", "{{.Action}}").out, what="attached")
    env.run("exec", "n", "touch", "/tmp/go").ok()
    attached.until("\n100000\n")
    os.kill(writer, signal.SIGCONT)
    env.run("exec", "n", "touch", "/tmp/end").ok()
    env.run("wait", "n").ok(out="0\n")
    attached.finish(30)
    r = env.run("logs", "n").ok()
    check(r.out.startswith("first\n1\n2\n3\n") and r.out.endswith("last\n"), r.out[-100:])
    check("bytes of log were lost]" in r.err, r.err)
    check(len(r.out) < 500000, len(r.out))
    env.run("rm", "n").ok()


main()
