# SPDX-License-Identifier: Apache-2.0
# timeout: 120
"""serve: attach by WebSocket, spoken by hand."""
import base64, hashlib, os, socket, struct

from caisson_api import Serve, routes_were_called
from caisson_test import check, main, same, test

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
PATH = "/attach/ws?stream=1&stdin=1&stdout=1&stderr=1"


class Web:
    def __init__(self, s, path, status=101, together=b"", **more):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.settimeout(60)
        self.s.connect(str(s.path))
        key = base64.b64encode(os.urandom(16)).decode()
        fields = {"Host": "docker", "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": key, "Sec-WebSocket-Version": "13", **{k.replace("_", "-"): v for k, v in more.items()}}
        self.s.sendall(f"GET {path} HTTP/1.1\r\n".encode() + "".join(f"{k}: {v}\r\n" for k, v in fields.items() if v is not None).encode() + b"\r\n" + together)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            piece = self.s.recv(1)
            check(piece, f"the head ended: {head!r}")
            head += piece
        self.head = head.decode()
        if status != 101:
            self.s.close()
        same(int(self.head.split()[1]), status, f"status of {path} {more}")
        if status == 101:
            want = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
            check(f"Sec-WebSocket-Accept: {want}\r\n" in self.head, self.head)

    def bytes(self, n):
        data = b""
        while len(data) < n:
            piece = self.s.recv(n - len(data))
            check(piece, f"the connection ended: {data!r}")
            data += piece
        return data

    def frame(self):
        """(op, payload) of the next; what a server sends is whole and not masked."""
        op, n = self.bytes(2)
        check(op & 0xf0 == 0x80 and n < 128, f"head {op:x} {n:x}")
        if n > 125:
            n = int.from_bytes(self.bytes(2 if n == 126 else 8), "big")
        return op & 15, self.bytes(n)

    def until(self, what):
        """What comes as data up to what; its frames end where they may."""
        data = b""
        while what not in data:
            op, piece = self.frame()
            same(op, BINARY, f"kind of {piece!r} after {data!r}")
            data += piece
        return data

    def closed(self, code):
        """What came before the close frame, which is answered."""
        data = b""
        while (got := self.frame())[0] == BINARY:
            data += got[1]
        same(got, (CLOSE, struct.pack(">H", code)), f"the end after {data!r}")
        self.s.sendall(frame(CLOSE, got[1]))
        same(self.s.recv(1), b"", "after the close frame")
        self.s.close()
        return data

    def send(self, op, data, **more):
        self.s.sendall(frame(op, data, **more))


def frame(op, data, fin=True, masked=True, length=None):
    n = len(data) if length is None else length
    mask = os.urandom(4) if masked else b""
    size = bytes([n]) if n < 126 else b"\x7e" + struct.pack(">H", n) if n < 65536 else b"\x7f" + struct.pack(">Q", n)
    body = bytes(b ^ mask[i % 4] for i, b in enumerate(data)) if masked else data
    return bytes([op | (0x80 if fin else 0), size[0] | (0x80 if masked else 0)]) + size[1:] + mask + body


@test(needs="root")
def handshakes(env):
    with Serve(env) as s:
        i = s.made(Cmd=["cat"], OpenStdin=True)
        path = f"/containers/{i}{PATH}"
        Web(s, path, 403, Origin="http://localhost")
        Web(s, path, 403, Host="evil.example")
        check("Sec-WebSocket-Version: 13\r\n" in Web(s, path, 426, Sec_WebSocket_Version="8").head, "which version")
        Web(s, path, 400, Sec_WebSocket_Key="short")
        Web(s, path, 400, Sec_WebSocket_Key=None)
        Web(s, path, 400, Upgrade="tcp")
        Web(s, f"/containers/none{PATH}", 404)
        Web(s, path + "&detachKeys=ab", 400)
        s.error("GET", path, 400, "WebSocket")
        s.json("DELETE", f"/containers/{i}?force=1", want=204)


@test(needs="root")
def echo_through_stdin(env):
    """Attached before the start, with the first frame in one piece with the handshake."""
    with Serve(env) as s:
        i = s.made(Cmd=["cat"], OpenStdin=True, StdinOnce=True)
        w = Web(s, f"/containers/{i}{PATH}", together=frame(TEXT, b"first\n"))
        s.json("POST", f"/containers/{i}/start", want=204)
        same(w.until(b"\n"), b"first\n", "without docker's headers")
        w.send(TEXT, "grü".encode()[:3], fin=False)
        w.send(PING, b"are you there")
        same(sorted([w.frame(), w.frame()]), [(BINARY, b"gr\xc3"), (PONG, b"are you there")], "between the pieces of a message")
        w.send(0, "grü".encode()[3:], fin=False)
        w.send(PONG, b"nobody asked")
        w.send(0, b"n\n")
        same(w.until(b"\n"), b"\xbcn\n", "the rest of a message in pieces")
        big = os.urandom(150000).replace(b"\0", b"x") + b"\0"
        w.s.sendall(frame(BINARY, big))
        same(w.until(b"\0") == big, True, "150 kB there and back")
        w.send(CLOSE, struct.pack(">H", 1001) + b"going")
        same(w.frame(), (CLOSE, struct.pack(">H", 1001)), "the same code")
        same(w.s.recv(1), b"", "the end")
        same(s.json("POST", f"/containers/{i}/wait")["StatusCode"], 0, "stdin ended with the close frame")
        s.json("DELETE", f"/containers/{i}?force=1", want=204)


@test(needs="root")
def ends_and_streams(env):
    with Serve(env) as s:
        i = s.made(Cmd=["sh", "-c", "echo out; echo bad >&2; read a; echo $a; exit 3"], OpenStdin=True)
        w, other = Web(s, f"/containers/{i}{PATH}"), Web(s, f"/containers/{i}/attach/ws?stream=1&stderr=1")
        s.json("POST", f"/containers/{i}/start", want=204)
        w.send(BINARY, b"done\n")
        same(sorted(w.closed(1000).splitlines()), [b"bad", b"done", b"out"], "all of it, then a close frame")
        same(other.closed(1000), b"bad\n", "stderr alone")
        same(sorted(Web(s, f"/containers/{i}/attach/ws?logs=1&stdout=1&stderr=1").closed(1000).splitlines()), [b"bad", b"done", b"out"], "logs=1 alone")
        s.json("DELETE", f"/containers/{i}?force=1", want=204)


@test(needs="root")
def terminal(env):
    with Serve(env) as s:
        i = s.made(Cmd=["sh"], Tty=True, OpenStdin=True)
        s.json("POST", f"/containers/{i}/start", want=204)
        w = Web(s, f"/containers/{i}{PATH}&detachKeys=x,DEL")
        w.send(TEXT, b"echo a$((1+1))\n")
        w.until(b"a2\r\n")
        w.send(BINARY, b"x\x7fexit\n")
        w.closed(1000)
        same(s.json("GET", f"/containers/{i}/json")["State"]["Running"], True, "runs after the keys")
        s.json("DELETE", f"/containers/{i}?force=1", want=204)


@test(needs="root")
def frames_that_are_refused(env):
    """The word about it comes, whatever follows; the process goes on."""
    with Serve(env) as s:
        i = s.made(Cmd=["sleep", "1000"], OpenStdin=True)
        s.json("POST", f"/containers/{i}/start", want=204)
        for code, data in ((1002, frame(TEXT, b"hello", masked=False)), (1009, frame(BINARY, b"", length=(16 << 20) + 1)), (1002, frame(PING, b"", fin=False)),
                           (1002, frame(0, b"piece")), (1007, frame(TEXT, b"\xff\xfe\xfd\xfc")), (1002, b"\xff" * 1000)):
            w = Web(s, f"/containers/{i}{PATH}")
            w.s.sendall(data + b"more" * 100)
            same(w.frame(), (CLOSE, struct.pack(">H", code)), f"{data[:14]!r}")
            w.s.close()
        w = Web(s, f"/containers/{i}/attach/ws?stream=1&stdout=1")
        w.send(BINARY, b"nobody asked for stdin\n")
        w.s.close()
        same(s.json("GET", f"/containers/{i}/json")["State"]["Running"], True, "runs after all of them")
        s.json("DELETE", f"/containers/{i}?force=1", want=204)


@test(needs="root")
def an_exec(env):
    """Ours, for browsers: what POST /exec/{}/start does on a connection."""
    with Serve(env) as s:
        i = s.made(Cmd=["sleep", "1000"])
        s.json("POST", f"/containers/{i}/start", want=204)

        def prepared(*cmd, **more):
            return s.json("POST", f"/containers/{i}/exec", {"Cmd": cmd, "AttachStdin": True, "AttachStdout": True, "AttachStderr": True, **more}, want=201)["Id"]

        x = prepared("sh", "-c", "stty size; read a; echo got $a; exit 7", Tty=True, ConsoleSize=[33, 101])
        w = Web(s, f"/exec/{x}/ws")
        w.until(b"33 101")
        Web(s, f"/exec/{x}/ws", 409)
        w.send(BINARY, b"it\n")
        check(b"got it" in w.closed(1000), "the shell's answer")
        same(s.json("GET", f"/exec/{x}/json")["ExitCode"], 7, "exit code")
        w = Web(s, f"/exec/{prepared('sh', '-c', 'echo out; echo bad >&2')}/ws")
        same(sorted(w.closed(1000).split()), [b"bad", b"out"], "both streams, without heads")
        w = Web(s, f"/exec/{prepared('nonesuch')}/ws")
        check(b"nonesuch" in w.closed(1000), "a command that is not there")
        Web(s, "/exec/" + "0" * 64 + "/ws", 404)
        Web(s, f"/exec/{prepared('true')}/ws", 403, Origin="http://localhost")
        s.json("DELETE", f"/containers/{i}?force=1", want=204)


routes_were_called("api/websocket_test")
main()
