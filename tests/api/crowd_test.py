# SPDX-License-Identifier: Apache-2.0
# timeout: 240
"""serve: many clients at once, most of them bad ones; followers that come and go; a server that is killed."""
import json, os, pathlib, resource, signal, socket, threading

from caisson_api import Serve, Unix, frames
from caisson_test import check, main, same, test, wait_for


def children(s):
    return pathlib.Path(f"/proc/{s.p.pid}/task/{s.p.pid}/children").read_text().split()


def resident_kib(pid):
    """Of the process itself: what it does not share by fork with anybody."""
    return sum(int(l.split()[1]) for l in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines() if l.startswith("Pss:"))


def dial(s):
    c = socket.socket(socket.AF_UNIX)
    c.connect(str(s.path))      # blocking: waits for room in the queue
    c.settimeout(60)
    return c


def answered(c):
    """Head and body of one answer on a connection that closes behind it."""
    data = b""
    while piece := c.recv(65536):
        data += piece
    return data


@test(needs="root", timeout=180)
def five_hundred_clients(env):
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    with Serve(env) as s:
        i = s.made(Cmd=["sleep", "1000"])
        s.json("POST", f"/containers/{i}/start", want=204)
        fds = len(os.listdir(f"/proc/{s.p.pid}/fd"))
        silent = [dial(s) for _ in range(125)]
        aborting = [dial(s) for _ in range(125)]
        head = b"POST /v1.43/containers/create HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\nContent-Length: 4000\r\n\r\n{\"Image\":"
        for n, c in enumerate(aborting):
            c.sendall(head if n % 2 else head[:60])
        asking = [dial(s) for _ in range(250)]
        for n, c in enumerate(asking):
            c.sendall(f"GET {'/v1.43/containers/json' if n % 2 else '/version'} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n".encode())
        for n, c in enumerate(asking):
            data = answered(c)
            check(data.startswith(b"HTTP/1.1 200 ") and (i.encode() in data if n % 2 else b"ApiVersion" in data), f"client {n}: {data[:300]!r}")
        for c in aborting + asking:
            c.close()
        same(s.json("GET", f"/containers/{i}/json")["State"]["Status"], "running", "the instance")
        for c in silent:
            c.close()
        wait_for(lambda: not children(s), 30, "the end of every connection")
        check(len(os.listdir(f"/proc/{s.p.pid}/fd")) <= fds, "the server holds more descriptors than before")
        check(resident_kib(s.p.pid) < 15 << 10, f"the server takes {resident_kib(s.p.pid)} KiB")
        s.json("DELETE", f"/containers/{i}?force=1", want=204)


@test(needs="root", timeout=180)
def silent_clients_keep_nobody_out(env):
    """More than there may be at once: who asks nothing gives way."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    with Serve(env) as s:
        silent = [dial(s) for _ in range(1100)]
        same(s.ask("GET", "/_ping").data, b"OK", "a client that asks")
        for c in silent:
            c.close()
        wait_for(lambda: not children(s), 60, "the end of every connection")


@test(needs="root", timeout=180)
def followers_that_come_and_go(env):
    """Each leaves in another way; none of their processes stays."""
    with Serve(env) as s:
        before = resident_kib(s.p.pid)
        def churn():
            for n in range(2500):
                c = dial(s)
                c.sendall(b"GET /events HTTP/1.1\r\nHost: docker\r\n\r\n")
                if n % 3:
                    check(c.recv(4096).startswith(b"HTTP/1.1 200 "), "a follower's head")
                if n % 2:
                    c.shutdown(socket.SHUT_WR)
                c.close()
        threads = [threading.Thread(target=churn) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        wait_for(lambda: not children(s), 30, "the end of every follower")
        # What it had not touched before is its own, too: a leak of 10,000 followers would be far more.
        check(resident_kib(s.p.pid) - before < 4096, f"from {before} to {resident_kib(s.p.pid)} KiB")
        # a follower hears what happens, and each event once
        c = Unix(s.path)
        c.request("GET", '/events?filters={"type":["container"]}')
        r = c.getresponse()
        i = s.made(Cmd=["true"])
        same(json.loads(r.readline())["Actor"]["ID"], i, "an event")
        s.json("DELETE", f"/containers/{i}", want=204)
        same(json.loads(r.readline())["Action"], "destroy", "the next")
        c.close()


@test(needs="root")
def killed_with_followers(env):
    """What ran goes on, what was written meanwhile is there, and the next server knows it all."""
    s = Serve(env)
    ids = []
    for n in range(3):
        ids.append(s.made(Cmd=["sh", "-c", f"n=0; while :; do echo {n}-$n; n=$((n+1)); sleep 0.1; done"], Labels={"n": str(n)}))
        s.json("POST", f"/containers/{ids[n]}/start", want=204)
    s.json("POST", f"/containers/{ids[2]}/pause", want=204)
    followers = []
    for path in ("/events", f"/containers/{ids[0]}/logs?follow=1&stdout=1"):
        c = Unix(s.path)
        c.request("GET", path)
        followers.append((c, c.getresponse()))
    s.p.signal(signal.SIGKILL)
    s.p.finish()
    for c, r in followers:      # their connections end with it
        try:
            while r.readline():
                pass
        except OSError:
            pass
        c.close()
    with Serve(env) as s:
        state = {c["Id"]: c["State"] for c in s.json("GET", "/containers/json?all=1")}
        same(state, {ids[0]: "running", ids[1]: "running", ids[2]: "paused"}, "what runs")
        def lines():
            return frames(s.ask("GET", f"/containers/{ids[0]}/logs?stdout=1").data)[1].decode().split()
        had = len(lines())
        wait_for(lambda: len(lines()) > had, what="more lines")
        got = lines()
        same(got, [f"0-{n}" for n in range(len(got))], "every line, once")
        for i in ids:
            s.json("DELETE", f"/containers/{i}?force=1", want=204)


main()
