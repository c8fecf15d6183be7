# SPDX-License-Identifier: Apache-2.0
# timeout: 240
"""serve: requests that lie about themselves, archives that would fill the world; each is refused soon, and the server goes on."""
import gzip, io, pathlib, re, socket, tarfile

from caisson_api import Serve
from caisson_test import check, main, same, test

POST = b"POST /v1.43/containers/create HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\n"
GET = b"GET /_ping HTTP/1.1\r\nHost: docker\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


def say(s, data):
    """What comes back until the server closes; it may close before it has heard all."""
    c = socket.socket(socket.AF_UNIX)
    c.connect(str(s.path))
    c.settimeout(60)
    got = b""
    try:
        c.sendall(data)
        c.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    try:
        while piece := c.recv(65536):
            got += piece
    except ConnectionResetError:
        pass
    c.close()
    return got


def peak_kib(s):
    return int(next(l for l in pathlib.Path(f"/proc/{s.p.pid}/status").read_text().splitlines() if l.startswith("VmHWM")).split()[1])


HEADS = {
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "one length twice": POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "a list of lengths": POST + b"Content-Length: 2, 2\r\n\r\n{}",
    "a length and chunks": POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and a length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
    "chunked twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked, chunked": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "another coding": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a coding that is none": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a negative length": POST + b"Content-Length: -1\r\n\r\n",
    "a signed length": POST + b"Content-Length: +2\r\n\r\n{}",
    "a length in hex": POST + b"Content-Length: 0x2\r\n\r\n{}",
    "a length beyond 64 bits": POST + b"Content-Length: 99999999999999999999999\r\n\r\n{}",
    "no length's value": POST + b"Content-Length: \r\n\r\n{}",
    "a space before the colon": POST + b"Content-Length : 2\r\n\r\n{}",
    "a folded field": GET + b"A: b\r\n c\r\n\r\n",
    "a field without a name": GET + b": b\r\n\r\n",
    "a NUL": GET + b"A: b\0c\r\n\r\n",
    "a bare CR": GET + b"A: b\rContent-Length: 2\r\n\r\n",
    "two hosts": GET + b"Host: docker\r\n\r\n",
    "a thousand fields": GET + b"".join(b"X-%d: y\r\n" % n for n in range(1000)) + b"\r\n",
    "one long field": GET + b"X: " + b"y" * (1 << 20) + b"\r\n\r\n",
    "fields without end": GET + b"X: y\r\n" * (1 << 17),
    "a long target": b"GET /" + b"a" * (1 << 20) + b" HTTP/1.1\r\nHost: docker\r\n\r\n",
    "no end of line": b"A" * (1 << 20),
}

CHUNKS = {
    "no number": b"zz\r\n{}\r\n0\r\n\r\n",
    "a negative size": b"-2\r\n{}\r\n0\r\n\r\n",
    "0x": b"0x2\r\n{}\r\n0\r\n\r\n",
    "beyond 64 bits": b"10000000000000002\r\n{}\r\n0\r\n\r\n",
    "no size": b"\r\n{}\r\n0\r\n\r\n",
    "a size that is too small": b"1\r\n{}\r\n0\r\n\r\n",
    "a size that is too large": b"9\r\n{}\r\n0\r\n\r\n",
    "an extension without end": b"2;" + b"x" * (1 << 20),
    "trailers without end": b"2\r\n{}\r\n0\r\n" + b"A: b\r\n" * (1 << 17),
    "zeros without end": b"0" * (1 << 20),
    "one byte each, and too many": b"1\r\n[\r\n" * (2 << 20 >> 1),
    "no end": b"2\r\n{}\r\n",
}


@test(needs="root")
def heads_and_chunks(env):
    with Serve(env) as s:
        for what, data in {**HEADS, **{k: CHUNKED + v for k, v in CHUNKS.items()}}.items():
            got = say(s, data + GET + b"\r\n")
                # A body that ends early has nobody to answer.
            check(re.match(rb"HTTP/1.1 (4..|501) ", got) or (not got and what in ("no end", "a size that is too large")), f"{what}: {got[:200]!r}")
            check(got.count(b"HTTP/1.1 ") <= 1, f"{what}: what came behind was taken for a request: {got[-200:]!r}")
        same(s.ask("GET", "/_ping").data, b"OK", "afterwards")
        same(s.json("GET", "/containers/json?all=1"), [], "what was made")
        check(peak_kib(s) < 16 << 10, f"the server took {peak_kib(s)} KiB")


def entry(name, size, kind=tarfile.REGTYPE, link=""):
    """A header alone: what it says is not there."""
    i = tarfile.TarInfo(name)
    i.size, i.type, i.linkname = size, kind, link
    return i.tobuf(tarfile.GNU_FORMAT)


def written(*names):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as t:
        for n in names:
            t.addfile(tarfile.TarInfo(n))
    return out.getvalue()


BOMBS = {
    "a file of an exabyte": entry("f", 1 << 60) + b"x" * 512,
    "a file of a terabyte that ends": entry("f", 1 << 40) + b"x" * 512,
    "the largest size": entry("f", (1 << 63) - 1) + b"x" * 512,
    "a long name without end": entry("././@LongLink", 1 << 30, tarfile.GNUTYPE_LONGNAME) + b"n" * (2 << 20),
    "a pax header without end": entry("h", 1 << 30, tarfile.XHDTYPE) + b"9 a=bcde\n" * (2 << 17),
    "a thousand directories deep": written("d/" * 1000 + "f"),
    "a name of a thousand bytes": written("n" * 1000),
    "a link to what is outside, and a file in it": entry("up", 0, tarfile.SYMTYPE, "/../../../../..") + entry("up/../../up/f", 1) + b"x" * 512 + bytes(1024),
    "nothing but headers without a checksum": bytes([1]) * (1 << 20),
}


def bomb(s, method, path, what, data):
    r = s.ask(method, path, data, **{"Content-Type": "application/x-tar"})
    check(400 <= r.status < 500, f"{method} {what}: {r.status} {r.data[:300]!r}")


@test(needs="root", timeout=120)
def archives_that_would_fill_the_world(env):
    with Serve(env) as s:
        i = s.made(Cmd=["true"])
        for what, data in BOMBS.items():
            bomb(s, "POST", "/build", what, data)
            if not what.startswith("a link"):      # there it is kept below the root: api/files
                bomb(s, "PUT", f"/containers/{i}/archive?path=/tmp", what, data)
        # a thousand bytes for each that is sent: given up at a gibibyte
        bomb(s, "POST", "/build", "zeros in gzip", gzip.compress(entry("f", 60 << 30)) + gzip.compress(bytes(8 << 20)) * 160)
        same(s.ask("GET", "/_ping").data, b"OK", "afterwards")
        same([t for g in s.json("GET", "/images/json?all=1") for t in g["RepoTags"]], ["caisson/tiny:latest"], "images")
        check(peak_kib(s) < 16 << 10, f"the server took {peak_kib(s)} KiB")
        s.json("DELETE", f"/containers/{i}", want=204)


main()
