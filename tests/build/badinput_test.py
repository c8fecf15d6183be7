#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
"""caisson build of Dockerfiles and contexts that are broken, too big, or change: one clear error with its line, or the right result."""
import hashlib, os, re, socket, subprocess, threading, time

from build_context import context
from caisson_test import check, main, same, test

TINY = "FROM caisson/tiny\n"


def build(env, text, *opts, files=None):
    return env.run("build", "--network=none", "-t", "t", *opts, context(env, text, files))


def show(env, *cmd):
    return env.run("run", "--rm", "--network=none", "t", *cmd).ok().out


# name: (Dockerfile, what the one error says)
FILES = {
    "heredoc without end": (TINY + "RUN <<EOF\necho x\n", "Dockerfile:2: the heredoc 'EOF' has no end"),
    "second heredoc without end": (TINY + "COPY <<A <<B /\nx\nA\ny\n", "Dockerfile:2: the heredoc 'B' has no end"),
    "heredoc whose end is indented": (TINY + "RUN <<EOF\necho x\n  EOF\n", "Dockerfile:2: the heredoc 'EOF' has no end"),
    "continued at the end": (TINY + "RUN true \\\n", None),
    "from itself": ("FROM caisson/tiny AS a\nRUN true\nCOPY --from=a /x /y\n", "Dockerfile:3"),
    "by its number": ("FROM caisson/tiny\nCOPY --from=0 /x /y\n", "Dockerfile:2"),
    "a circle of two": ("FROM caisson/tiny AS a\nCOPY --from=b /x /y\nFROM caisson/tiny AS b\nCOPY --from=a /x /y\n", "Dockerfile:"),
    "a circle through a mount": ("FROM caisson/tiny AS a\nRUN --mount=from=b,target=/b true\nFROM a AS b\n", "Dockerfile:"),
    "NUL": (TINY + "RUN echo \0x\n", "Dockerfile:2"),
    "open quote": (TINY + "ENV A=\"x\n", "Dockerfile:2"),
    "open brace": (TINY + "COPY ${x /y\n", "Dockerfile:2"),
    "no image": ("RUN x\n", "Dockerfile:1"),
    "empty": ("", "Dockerfile"),
    "only comments": ("# x\n\n# y\n", "Dockerfile"),
    "no file for a flag": (TINY + "COPY --from= /x /y\n", "Dockerfile:2"),
    "flag nobody knows": (TINY + "COPY --frm=x /x /y\n", "Dockerfile:2"),
    "JSON that is none": (TINY + 'COPY ["a", /y]\n', "Dockerfile:2"),
    "mount nobody knows": (TINY + "RUN --mount=type=none,target=/x true\n", "Dockerfile:2"),
    "escape nobody knows": ("# escape=x\nFROM caisson/tiny\n", "Dockerfile:1"),
}


@test(needs="root")
def dockerfiles_that_are_broken(env):
    for name, (text, want) in FILES.items():
        r = build(env, text)
        if want is None:
            r.ok()
            continue
        last = r.err.splitlines()[-1]
        check(r.code == 1 and last.startswith("caisson: ") and want in last, f"{name}: {r.code} {r.err[-600:]!r}")
        same(sum(l.startswith("caisson: ") for l in r.err.splitlines()), 1, f"{name}: errors")
    same(os.listdir(env.root / "tmp"), [], "stages")


@test(needs="root")
def ten_megabytes_in_a_line(env):
    """Some part of the way has a limit, and names it; what fits is right to the last byte."""
    begun = time.monotonic()
    for text, line in ((TINY + "RUN true\nENV A=" + "x" * (10 << 20) + "\n", 3), (TINY + "RUN : " + "y" * (10 << 20) + "\n", 2), (TINY + "X" * (10 << 20) + "\n", 2)):
        r = build(env, text)
        last = r.err.splitlines()[-1]
        check(r.code == 1 and last.startswith("caisson: ") and len(last) < 2000, f"{r.code} {last[:400]!r}")
        check(re.search(rf"Dockerfile(:{line}|: )", last), last[:400])
        check(len(r.err) < 100000, f"{len(r.err)} bytes of errors")
    text = "z" * 100000
    build(env, TINY + f"COPY <<EOF /z\n{text}\nEOF\n# {'c' * 1000000}\n").ok()
    same(show(env, "sha256sum", "/z").split()[0], hashlib.sha256(text.encode() + b"\n").hexdigest(), "a long line of a heredoc")
    check(time.monotonic() - begun < 200, "it takes for ever")


@test(needs="root")
def a_hundred_thousand_instructions(env):
    many = TINY + "".join(f"LABEL l{i}=v\n" for i in range(100000))
    r = build(env, many)
    # An image has a limit for its labels or lines of history, or it has them all.
    if r.code:
        last = r.err.splitlines()[-1]
        check(last.startswith("caisson: ") and re.search(r"Dockerfile(:\d+)?: ", last), last[:400])
    else:
        same(len(env.run("image", "inspect", "t").ok().json()[0]["Config"]["Labels"]), 100000, "labels")
    r = build(env, "".join(f"FROM scratch AS s{i}\n" for i in range(100000)))
    check(r.code == 1 and "Dockerfile" in r.err.splitlines()[-1], r.err[-400:])
    same(os.listdir(env.root / "tmp"), [], "stages")


@test(needs="root")
def contexts_with_what_is_no_file(env):
    d = context(env, TINY + "COPY . /t\nCOPY loop up /links/\n", {"a": "A"})
    os.mkfifo(d / "pipe")
    os.symlink("loop", d / "loop")
    os.symlink("..", d / "up")
    os.symlink("two", d / "one")
    os.symlink("one", d / "two")
    (d / "new\nline").write_text("x")
    (d / "new\nline d").mkdir()
    (d / "new\nline d/\x1b[2J").write_text("y")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(d / "sock"))
        r = env.run("build", "--network=none", "-t", "t", d)
    # A link that leads nowhere or in a circle is a link when it is part of a directory, and cannot be meant by itself.
    check(r.code == 1 and "Dockerfile:3" in r.err and "'loop'" in r.err, f"{r.code} {r.err}")
    (d / "Dockerfile").write_text(TINY + "COPY . /t\n")
    r = env.run("build", "--network=none", "-t", "t", d).ok()
    same(show(env, "sh", "-c", "cd /t; for l in loop one up; do readlink $l; done; test -p pipe && echo pipe; test -e sock || echo no socket; cat 'new\nline'; cat 'new\nline d'/*"),
         "loop\ntwo\n..\npipe\nno socket\nxy", "what was copied")
    # Such a name in an error does not move the terminal's cursor.
    (d / "Dockerfile").write_text(TINY + 'COPY ["new\\nline", "new\\nline d", "/f"]\n')
    r = env.run("build", "--network=none", "-t", "t", d)
    check(r.code == 1 and "Dockerfile:2" in r.err and "\x1b" not in r.err, r.err)


@test(needs="root")
def files_that_change_while_they_are_read(env):
    """Each build ends: with an error that names a file, or with an image in which every file is whole."""
    d = context(env, TINY + "COPY big /t\n", {f"big/f{i}": "0" * 400000 for i in range(8)})
    stop = threading.Event()

    def change():
        n = 0
        while not stop.is_set():
            n += 1
            p = d / f"big/f{n % 8}"
            if n % 3 == 0:
                with open(p, "r+") as f:
                    f.truncate(n % 7 * 1000)
            elif n % 3 == 1:
                p.unlink()
                p.write_text(str(n % 10) * 400000)
            else:
                (d / "big/new").write_text("x")
                os.rename(d / "big/new", p)
    t = threading.Thread(target=change)
    t.start()
    try:
        results = [env.run("build", "--no-cache", "--network=none", "-t", "t", d) for _ in range(12)]
    finally:
        stop.set()
        t.join()
    for r in results:
        last = r.err.splitlines()[-1] if r.err else ""
        check(r.code == 0 or (r.code == 1 and "Dockerfile:2" in last and re.search(r"big|f\d|new", last)), f"{r.code} {r.err}")
    check(any(r.code for r in results), "nothing was noticed, twelve times")
    env.run("build", "--network=none", "-t", "t", d).ok()
    env.run("system", "check").ok()
    same(os.listdir(env.root / "tmp"), [], "stages")


@test(needs="root")
def secrets_are_nowhere(env):
    """In files, variables, failing steps, explanations, notes beside the cache, debug images and every form of progress."""
    secret = "Wq8-nobody-reads-this-Zx4"
    (env.tmp / "s").write_text(secret)
    opts = ["--secret", f"id=s,src={env.tmp / 's'}", "--explain"]
    text = TINY + "RUN --mount=type=secret,id=s --mount=type=secret,id=s,env=S cp /run/secrets/s /dev/shm/x && test ${#S} = 25\n"
    shown = ""
    for how in ("plain", "rawjson", "quiet"):
        r = build(env, text, *opts, f"--progress={how}", "--no-cache").ok()
        shown += r.out + r.err
    r = build(env, text, *opts, "--verify").ok()
    shown += r.out + r.err
    r = build(env, text + "RUN --mount=type=secret,id=s,env=S cat /run/secrets/s > /dev/null; exit 3\n", *opts, "--debug-shell").expect(1)
    shown += r.out + r.err
    env.run("save", "-o", env.tmp / "saved.tar", "t").ok()
    check(secret not in shown, "shown")
    found = subprocess.run(["grep", "-rlaF", secret, env.root, env.run_root, env.tmp / "saved.tar"], capture_output=True, text=True).stdout
    same(found, "", "files that hold it")
    image = re.search(r"sha256:[0-9a-f]{64}", r.err.split("stood on:")[1])[0]
    check(secret not in env.run("image", "inspect", image).ok().out, "the debug image")


if __name__ == "__main__":
    main()
