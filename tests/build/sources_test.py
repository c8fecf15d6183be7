#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
"""Where the files of a build come from: contexts on stdin, behind addresses and in git; ADD of archives, addresses and repositories."""
import bz2, gzip, hashlib, io, lzma, os, shutil, subprocess, tarfile

from build_sources import git, git_daemon, web
from caisson_test import check, main, same, test

TINY = "FROM caisson/tiny\n"


def archive(files, mode="w"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as t:
        for name, content in files.items():
            m = tarfile.TarInfo(name)
            m.uid, m.gid, m.mtime = 12, 34, 1000000
            data = content.encode()
            m.size = len(data)
            t.addfile(m, io.BytesIO(data))
    return out.getvalue()


def put(d, files):
    for n, content in files.items():
        p = d / n
        p.parent.mkdir(parents=True, exist_ok=True)
        p.write_bytes(content if isinstance(content, bytes) else content.encode())
    return d


def context(env, files, name="ctx"):
    d = env.tmp / name
    shutil.rmtree(d, ignore_errors=True)
    d.mkdir()
    return put(d, files)


def build(env, context, *opts, **kw):
    return env.run("build", "-t", "t", *opts, context, **kw)


def show(env, *cmd):
    return env.run("run", "--rm", "--network=none", "t", *cmd).ok().out


@test(needs="root")
def add_unpacks_archives(env):
    plain = archive({"a": "A", "d/b": "B"})
    forms = {"p.tar": plain, "g.tgz": gzip.compress(plain), "b.tbz2": bz2.compress(plain[:10240]) + bz2.compress(plain[10240:]), "x.txz": lzma.compress(plain),
             "s.tzst": subprocess.run(["zstd", "-qc"], input=plain, capture_output=True, check=True).stdout}
    text = TINY + "RUN mkdir -m 1700 /old\n" + "".join(f"ADD {n} /{n[0]}/\n" for n in forms) + "ADD p.tar g.tgz one text.gz /all/\nCOPY g.tgz /g.tgz\nADD p.tar /old\n"
    build(env, context(env, {"Dockerfile": text, "one": "1", "text.gz": gzip.compress(b"no archive"), **forms})).ok()
    same(show(env, "sh", "-c", "cat /[pgbxs]/a /[pgbxs]/d/b /all/a /all/one"), "AAAAABBBBBA1", "contents")
    same(show(env, "stat", "-c", "%u %g %Y", "/x/a"), "12 34 1000000\n", "owner and time")
    same(show(env, "sh", "-c", "zcat /all/text.gz; tar tzf /g.tgz; stat -c %a /old; ls /old"), "no archivea\nd/b\n1700\na\nd\n", "what is no archive, what is copied, what was there")
    env.run("system", "check").ok()


@test(needs="root")
def bad_archives(env):
    plain = archive({"a": "A" * 5000})
    for name, data, words in (("cut.txz", lzma.compress(plain)[:-20], "xz"), ("cut.tbz2", bz2.compress(plain)[:-4], "bzip2"), ("odd.txz", lzma.compress(plain)[:60] + b"\0" * 40, "xz"),
                              ("cut.tar", plain[:3000], "truncated"), ("up.tar", archive({"../../x": "x"}), "a name with '..'")):
        r = build(env, context(env, {"Dockerfile": TINY + f"ADD {name} /x/\n", name: data}))
        check(r.code == 1 and words in r.err and "Dockerfile:2" in r.err, f"{name}: {r.code} {r.err}")
    same(os.listdir(env.root / "tmp"), [], "stages")


@test(needs="root")
def add_fetches(env):
    tgz = gzip.compress(archive({"a": "A"}))
    with web({"/f.txt": b"text", "/t.tgz": tgz, "/moved": "/f.txt", "/away": "http://127.0.0.2:1/x", "/loop": "/loop", "/": b"root"}) as (url, asked):
        sum = hashlib.sha256(b"text").hexdigest()
        text = TINY + f"ARG U={url}\nADD $U/f.txt?x=1 /d/\nADD --checksum=sha256:{sum} --chmod=0644 $U/moved /e\nADD $U/t.tgz /kept\nADD --unpack=true $U/t.tgz /open/\nADD $U/ /r\n"
        d = context(env, {"Dockerfile": text})
        build(env, d).ok()
        same(show(env, "sh", "-c", "cat /d/f.txt /e /open/a /r; stat -c '%a %Y' /d/f.txt /e"), "texttextAroot600 1000000\n644 1000000\n", "what was fetched")
        same(show(env, "tar", "tzf", "/kept"), "a\n", "an archive stays one")
        check(build(env, d).ok().err.count("CACHED") == 5, "not found again")
        checked = context(env, {"Dockerfile": TINY + f"ADD --checksum=sha256:{sum} {url}/f.txt /e\n"}, name="checked")
        build(env, checked).ok()
        before = len(asked)
        check(build(env, checked).ok().err.count("CACHED") == 1 and len(asked) == before, "what a checksum names was asked for again")
        for line, words in ((f"ADD --checksum=sha256:{'0' * 64} {url}/f.txt /x", "has the digest"), (f"ADD {url}/none /x", "404"), (f"ADD {url}/loop /x", "redirects"),
                            (f"ADD {url}/ /x/", "names no file"), ("ADD --checksum=sha256:12 http://x/y /x", "want sha256"), (f"ADD --checksum=sha256:{sum} Dockerfile /x", "--checksum"),
                            (f"ADD http://me:secret@127.0.0.1:1/x /x", "not an http"), ("ADD http://127.0.0.1:1/x /x", "127.0.0.1")):
            r = build(env, context(env, {"Dockerfile": TINY + line + "\n"}))
            check(r.code == 1 and words in r.err and "Dockerfile:2" in r.err, f"{line}: {r.code} {r.err}")
        same(os.listdir(env.root / "tmp"), [], "stages")


@test(needs="root")
def contexts_on_stdin_and_behind_addresses(env):
    files = {"Dockerfile": TINY + "COPY a /a\nRUN cat /a\n", "a": "A", "sub/Other": TINY + "COPY a /o\n", ".dockerignore": "b\n", "b": "B", "All": TINY + "COPY . /all\n"}
    tar = archive(files)
    tgz = env.tmp / "c.tgz"
    tgz.write_bytes(gzip.compress(tar))
    build(env, "-", stdin=tgz.read_bytes()).ok()
    same(show(env, "cat", "/a"), "A", "a context on stdin")
    with web({"/c.tgz": tgz.read_bytes(), "/Dockerfile": (TINY + "RUN echo remote > /r\n").encode()}) as (url, _):
        build(env, f"{url}/c.tgz", "-f", "sub/Other").ok()
        same(show(env, "cat", "/o"), "A", "a file of a context behind an address")
        build(env, f"{url}/c.tgz", "-f", "All").ok()
        same(show(env, "sh", "-c", "ls -A /all; stat -c %u /all/a"), ".dockerignore\nAll\nDockerfile\na\nsub\n0\n", "all of it")
        build(env, f"{url}/Dockerfile").ok()
        same(show(env, "cat", "/r"), "remote\n", "a Dockerfile behind an address")
        r = build(env, f"{url}/none")
        check(r.code == 1 and "404" in r.err, r.err)
    build(env, "-", stdin=TINY + "RUN echo alone > /r\n").ok()
    same(show(env, "cat", "/r"), "alone\n", "a Dockerfile on stdin")
    build(env, context(env, {"x": "X"}), "-f", "-", stdin=TINY + "COPY x /x\n").ok()
    same(show(env, "cat", "/x"), "X", "a Dockerfile on stdin, files from a directory")
    r = build(env, "-", "-f", "-", stdin=TINY)
    check(r.code == 2 and "cannot both be stdin" in r.err, r.err)
    r = build(env, "-", "-f", "/etc/hostname", stdin=tgz.read_bytes())
    check(r.code == 1 and "/etc/hostname" in r.err, r.err)


@test(needs="root")
def git_repositories(env):
    base = env.tmp / "git"
    base.mkdir()
    sub = put(base / "sub.git", {"s": "S"})
    git(sub, "init", "-q")
    git(sub, "add", ".")
    git(sub, "commit", "-qm", "x")
    repo = base / "repo.git"
    repo.mkdir()
    git(repo, "init", "-q")
    put(repo, {"Dockerfile": TINY + "COPY . /src\n", "a": "one", "dir/Dockerfile": TINY + "COPY b /b\n", "dir/b": "B", "-odd": "odd"})
    os.symlink("/etc/passwd", repo / "link")
    with git_daemon(base) as url:
        git(repo, "submodule", "add", "-q", f"{url}/sub.git", "mod")
        git(repo, "add", ".")
        git(repo, "commit", "-qm", "x")
        first = git(repo, "rev-parse", "HEAD")
        git(repo, "branch", "old")
        (repo / "a").write_text("two")
        git(repo, "commit", "-qam", "y")
        build(env, f"{url}/repo.git").ok()
        same(show(env, "sh", "-c", "cd /src; cat a mod/s ./-odd; readlink link; ls -A; stat -c '%a %Y' a"),
             "twoSodd/etc/passwd\n-odd\n.gitmodules\nDockerfile\na\ndir\nlink\nmod\n644 1000000\n", "a repository")
        for ref in ("old", first):
            build(env, f"{url}/repo.git#{ref}").ok()
            same(show(env, "cat", "/src/a"), "one", ref)
        build(env, f"{url}/repo.git#:dir").ok()
        same(show(env, "cat", "/b"), "B", "a directory of it")
        text = TINY + f"ADD {url}/repo.git#old /r\nADD --keep-git-dir=true {url}/sub.git /s\n"
        build(env, context(env, {"Dockerfile": text}), "--reproducible").ok()
        out = env.run("run", "--rm", "--network=none", "t", "sh", "-c", "cat /r/a /r/mod/s /s/s; ls -d /s/.git; test -e /r/.git || echo without").ok().out
        same(out, "oneSS/s/.git\nwithout\n", "ADD of a repository")
        for bad, words in (("#none", "none"), ("#--upload-pack=x", "no branch"), ("#a:../../x", "leads out"), ("#:none", "no directory"), ("#+a", "no branch")):
            r = build(env, f"{url}/repo.git{bad}")
            check(r.code in (1, 2) and words in r.err, f"{bad}: {r.code} {r.err}")
    r = build(env, f"{url}/repo.git")
    check(r.code == 1 and "git:" in r.err, r.err)
    same(os.listdir(env.root / "tmp"), [], "stages")


@test(needs="root")
def named_contexts(env):
    d = context(env, {"Dockerfile": "FROM base\nCOPY --from=files a /a\nCOPY --from=img /x /x\nRUN --mount=from=files,target=/m cat /m/a > /b\n"})
    files = context(env, {"a": "A", "b": "B", ".dockerignore": "b"}, "files")
    build(env, context(env, {"Dockerfile": TINY + "RUN echo layout > /x\n"}, "i")).ok()
    layout = env.tmp / "layout"
    env.run("copy", "t", f"oci:{layout}").ok()
    named = ["--build-context", "base=docker-image://caisson/tiny", "--build-context", f"files={files}", "--build-context", f"img=oci-layout://{layout}"]
    build(env, d, *named).ok()
    same(show(env, "cat", "/a", "/x", "/b"), "Alayout\nA", "files of the contexts")
    (d / "Dockerfile").write_text(TINY + "COPY --from=files b /b\n")
    r = build(env, d, *named)
    check(r.code == 1 and "context 'files'" in r.err and ".dockerignore" in r.err, r.err)
    (d / "Dockerfile").write_text("FROM files\nRUN x\n")
    r = build(env, d, *named)
    check(r.code == 1 and "no image to build on" in r.err, r.err)
    (d / "Dockerfile").write_text("FROM caisson/tiny AS files\nCOPY . /\n")
    r = build(env, d, *named)
    check(r.code == 1 and "a stage of that name" in r.err, r.err)
    r = build(env, d, "--build-context", "x")
    check(r.code == 2 and "NAME=VALUE" in r.err, r.err)


if __name__ == "__main__":
    main()
