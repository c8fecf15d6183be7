#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 600
"""caisson build: instructions, the cache, what must not get into an image, errors."""
import io, json, os, pathlib, signal, subprocess, tarfile, time

from build_context import context
from caisson_test import BUILD, Failed, check, main, same, test, wait_for

TINY = "FROM caisson/tiny\n"


def build(env, dockerfile, *opts, files=None, tag="t", **kw):
    return env.run("build", "-t", tag, *opts, context(env, dockerfile, files), **kw)


def refused(r, code, *words):
    """The last line is the error; the steps and the lines of the Dockerfile stand before it."""
    check(r.code == code and r.err.splitlines()[-1].startswith("caisson: "), f"exit {r.code}: {r.err}")
    for w in words:
        check(w in r.err, f"no {w!r} in {r.err!r}")


def config(env, name="t"):
    return env.run("image", "inspect", name).ok().json()[0]["Config"]


def show(env, *cmd, name="t"):
    return env.run("run", "--rm", "--network=none", name, *cmd).ok().out


def layer_names(env, name="t"):
    """Names in each layer, bottom first, as another tool sees the saved image."""
    out = env.tmp / "saved.tar"
    env.run("save", "-o", out, name).ok()
    with tarfile.open(out) as t:
        manifest = json.load(t.extractfile("manifest.json"))[0]
        layers = []
        for l in manifest["Layers"]:
            with tarfile.open(fileobj=io.BytesIO(t.extractfile(l).read())) as inner:
                layers.append(sorted(inner.getnames()))
    os.unlink(out)
    return layers


# name: (Dockerfile, files of the context, command, what it prints)
CASES = {
    "copy_a_file": ("COPY a /x", {"a": "A"}, ["cat", "/x"], "A"),
    "copy_into_a_directory": ("COPY a b /d/", {"a": "A", "b": "B"}, ["sh", "-c", "cat /d/a /d/b"], "AB"),
    "copy_what_is_in_a_directory": ("COPY d /t", {"d/a": "A", "d/e/b": "B"}, ["sh", "-c", "cat /t/a /t/e/b"], "AB"),
    "copy_patterns": ("COPY *.c d/[xy] /s/", {"a.c": "a", "b.c": "b", "c.h": "c", "d/x": "x", "d/z": "z"}, ["ls", "/s"], "a.c\nb.c\nx\n"),
    "copy_to_workdir": ("WORKDIR /w/x\nCOPY a .", {"a": "A"}, ["cat", "a"], "A"),
    "copy_through_a_link": ("RUN ln -s usr /link\nCOPY a /link/a", {"a": "A"}, ["cat", "/usr/a"], "A"),
    "copy_keeps_directories_that_are_there": ("RUN mkdir -m 1700 /d && chown 3:4 /d && touch -d @1000000 /d\nCOPY a /d/a", {"a": "A"}, ["stat", "-c", "%a %u %g %Y", "/d"], "1700 3 4 1000000\n"),
    "copy_owns_what_it_makes": ("COPY --chown=7:8 a /n/m/a", {"a": "A"}, ["stat", "-c", "%u %g %a", "/n", "/n/m", "/n/m/a"], "7 8 755\n7 8 755\n7 8 644\n"),
    "copy_last_source_wins": ("RUN echo old > /f; ln -s /bin/busybox /g\nCOPY one/f two/f two/g /", {"one/f": "1", "two/f": "2", "two/g": "G"}, ["cat", "/f", "/g"], "2G"),
    "copy_json_form": ('COPY ["a b", "/x y"]', {"a b": "A"}, ["cat", "/x y"], "A"),
    "copy_chown_chmod": ("COPY --chown=7:8 --chmod=0640 a /x", {"a": "A"}, ["stat", "-c", "%u %g %a", "/x"], "7 8 640\n"),
    "copy_chown_by_name": ("RUN mkdir -p /etc && echo me:x:41:42::/: >/etc/passwd && echo g:x:43: >/etc/group\nCOPY --chown=me:g a /x\nCOPY --chown=me a /y", {"a": "A"},
                           ["stat", "-c", "%u %g", "/x", "/y"], "41 43\n41 42\n"),
    "copy_exclude": ("COPY --exclude=*.o --exclude=d/y s /t", {"s/a.c": "", "s/a.o": "", "s/d/x": "", "s/d/y": ""}, ["sh", "-c", "cd /t; find . -type f | sort"], "./a.c\n./d/x\n"),
    "copy_parents": ("COPY --parents x/a y/b /t/", {"x/a": "A", "y/b": "B"}, ["sh", "-c", "cat /t/x/a /t/y/b"], "AB"),
    "copy_link": ("COPY --link a /l/x", {"a": "A"}, ["cat", "/l/x"], "A"),
    "copy_heredoc": ("ARG V=1\nCOPY <<EOF <<'RAW' /t/\n$V\nEOF\n$V\nRAW", {}, ["sh", "-c", "cat /t/EOF /t/RAW"], "1\n$V\n"),
    "add_a_file": ("ADD a /x", {"a": "A"}, ["cat", "/x"], "A"),
    "dockerignore": ("COPY . /t", {"a": "", "b.md": "", "README.md": "", "d/x": "", ".dockerignore": "*.md\n!README.md\nd\nDockerfile\n.dockerignore"},
                     ["sh", "-c", "cd /t; find . -type f | sort"], "./README.md\n./a\n"),
    "own_dockerignore": ("COPY . /t", {"a": "", "b": "", ".dockerignore": "b", "Dockerfile.dockerignore": "a\n*ocker*"}, ["ls", "/t"], "b\n"),
    "run_shell_form": ("RUN echo a > /x && echo b >> /x", {}, ["cat", "/x"], "a\nb\n"),
    "run_json_form": ('RUN ["/bin/sh", "-c", "echo $0 > /x", "zero"]', {}, ["cat", "/x"], "zero\n"),
    "run_heredoc_script": ("RUN <<EOF\nset -e\necho one > /x\necho two >> /x\nEOF", {}, ["cat", "/x"], "one\ntwo\n"),
    "run_heredoc_program": ("RUN <<EOF\n#!/bin/sh -e\necho $0 > /x\nEOF", {}, ["cat", "/x"], "/dev/build-script\n"),
    "run_heredoc_as_input": ("RUN cat <<A > /x && cat <<-B >> /x\nx\nA\n\ty\nB", {}, ["cat", "/x"], "x\ny\n"),
    "shell_is_used": ('SHELL ["/bin/sh", "-ec"]\nRUN false; echo no > /x || true', {}, None, None),
    "env_and_arg": ("ARG V=arg\nENV E=env-$V\nRUN echo $V $E > /x\nENV V=env\nRUN echo $V >> /x", {}, ["cat", "/x"], "arg env-arg\nenv\n"),
    "global_arg": None,
    "user_and_workdir": ("RUN mkdir /w && chown 5:6 /w\nUSER 5:6\nWORKDIR /w\nRUN id -u > x; pwd >> x", {}, ["cat", "/w/x"], "5\n/w\n"),
    "removals_become_whiteouts": ("RUN mkdir /d && echo x > /d/a && echo y > /d/b\nRUN rm /d/a && rm -r /usr/share/nothing 2>/dev/null; true", {}, ["ls", "/d"], "b\n"),
    "mount_cache": ("RUN --mount=type=cache,target=/c,id=k echo 1 > /c/n\nRUN --mount=type=cache,target=/other,id=k cp /other/n /x", {}, ["cat", "/x"], "1\n"),
    "mount_tmpfs": ("RUN --mount=type=tmpfs,target=/m,size=1m echo x > /m/a && ls /m > /x\nRUN ls /m 2>/dev/null | wc -l >> /x", {}, ["cat", "/x"], "a\n0\n"),
    "mount_bind": ("RUN --mount=target=/src cat /src/a > /x; echo b > /src/new 2>/dev/null || echo readonly >> /x", {"a": "A\n"}, ["cat", "/x"], "A\nreadonly\n"),
    "mount_bind_writable": ("RUN --mount=target=/src,rw echo b > /src/a && cat /src/a > /x", {"a": "A\n"}, ["cat", "/x"], "b\n"),
    "network_none": ("RUN --network=none ls /sys/class/net > /x", {}, ["cat", "/x"], "lo\n"),
}
CASES = {k: v for k, v in CASES.items() if v and v[2]}


def case(name, dockerfile, files, cmd, want):
    def run(env):
        build(env, TINY + dockerfile + "\n", files=files).ok()
        same(show(env, *cmd), want, "the image")
    run.__name__ = name
    return test(run, needs="root")


for n, c in CASES.items():
    case(n, *c)


@test(needs="root")
def configuration(env):
    build(env, TINY + """ENV A=1 B="x y"
LABEL one=1 "two words"='2'
EXPOSE 80 90-91/udp
VOLUME /v
STOPSIGNAL SIGINT
HEALTHCHECK --interval=5s CMD ["true"]
ENTRYPOINT ["/bin/echo"]
CMD a b
USER 3
WORKDIR /w
ONBUILD ENV ON=yes
""", "--label", "cli=yes").ok()
    c = config(env)
    same([e for e in c["Env"] if not e.startswith("PATH=")], ["A=1", "B=x y"], "Env")
    same(c["Labels"], {"one": "1", "two words": "2", "cli": "yes"}, "Labels")
    same(sorted(c["ExposedPorts"]), ["80/tcp", "90/udp", "91/udp"], "ExposedPorts")
    same((list(c["Volumes"]), c["StopSignal"], c["User"], c["WorkingDir"]), (["/v"], "SIGINT", "3", "/w"), "words")
    same((c["Entrypoint"], c["Cmd"]), (["/bin/echo"], ["/bin/sh", "-c", "a b"]), "commands")
    same(c["Healthcheck"], {"Test": ["CMD", "true"], "Interval": 5000000000}, "Healthcheck")
    same(c["OnBuild"], ["ENV ON=yes"], "OnBuild")
    build(env, "FROM t\nUSER 0\n", tag="u").ok()
    check("ON=yes" in config(env, "u")["Env"], "the trigger was not done")
    check(not config(env, "u").get("OnBuild"), "triggers are handed on")


@test(needs="root")
def stages(env):
    r = build(env, """ARG BASE=caisson/tiny
FROM $BASE AS first
RUN echo one > /f
FROM caisson/tiny AS unused
RUN exit 7
FROM first AS second
RUN echo two >> /f
FROM scratch
COPY --from=second /f /f
COPY --from=0 /f /g
COPY --from=caisson/tiny /bin/busybox /bin/cat
CMD ["/bin/cat", "/f", "/g"]
""").ok()
    check("exit 7" not in r.err, "a stage that is not needed was built")
    same(show(env), "one\ntwo\none\n", "the files")
    same(layer_names(env), [["f"], ["g"], ["bin", "bin/cat"]], "the layers")
    build(env, "FROM caisson/tiny AS a\nRUN echo a > /x\nFROM a AS b\nRUN echo b > /x\n", "--target=A").ok()
    same(show(env, "cat", "/x"), "a\n", "the target")


@test(needs="root")
def a_step_is_known_by_what_goes_into_it(env):
    text = TINY + "ARG V\nCOPY a /a\nRUN echo ran > /r\n"
    first = build(env, text, files={"a": "A"}).ok()
    d = env.tmp / "ctx"
    os.utime(d / "a", (1, 1))
    again = env.run("build", "-t", "t", d).ok()
    same((again.err.count("CACHED"), again.out), (2, first.out), "the same again")
    (d / "a").write_text("B")
    other = env.run("build", "-t", "t", d).ok()
    check("CACHED" not in other.err and other.out != first.out, "a change was not seen")
    os.chmod(d / "a", 0o600)
    check("CACHED" not in env.run("build", "-t", "t", d).ok().err, "a mode was not seen")
    check("CACHED" not in env.run("build", "--no-cache", "-t", "t", d).ok().err, "--no-cache")
    # An ARG that a step can see is part of it; one before it is declared is not.
    argued = env.run("build", "--build-arg", "V=2", "-t", "t", d).ok()
    same(argued.err.count("CACHED"), 1, "with an argument")


@test(needs="root")
def only_what_a_step_did_is_in_its_layer(env):
    build(env, TINY + "RUN --mount=type=cache,target=/c/d echo x > /c/d/f\nRUN echo x > /etc-like\nRUN true\n").ok()
    same(layer_names(env)[1:], [["etc-like"]], "layers")


@test(needs="root")
def a_secret_leaves_no_trace(env):
    secret = "Xq7-very-secret-9Zk"
    (env.tmp / "token").write_text(secret)
    text = TINY + ("RUN --mount=type=secret,id=tok test \"$(cat /run/secrets/tok)\" = \"Xq7-very\"\"-secret-9Zk\"\n"
                   "RUN --mount=type=secret,id=tok,env=TOK test ${#TOK} = 19\n"
                   "RUN --mount=type=secret,id=none ls /run/secrets 2>/dev/null | wc -l\n")
    r = build(env, text, "--secret", f"id=tok,src={env.tmp / 'token'}").ok()
    check(secret not in r.err + r.out, "it is in the output")
    found = subprocess.run(["grep", "-rlF", secret, env.root, env.run_root], capture_output=True, text=True)
    same(found.stdout, "", "files of ours that hold it")
    refused(build(env, TINY + "RUN --mount=type=secret,id=tok,required true\n"), 1, "Dockerfile:2", "no secret 'tok'")


@test(needs="root")
def the_same_context_gives_the_same_image(env):
    text = TINY + "COPY . /src\nRUN date > /dev/null; mkdir /made; touch /made/b /made/a; hostname > /name\nWORKDIR /w\n"
    files = {f"d{i % 3}/f{i}": str(i) for i in range(30)}
    ids = set()
    for i, (umask, order) in enumerate([(0o022, 1), (0o027, -1)]):
        old = os.umask(umask)
        d = env.tmp / f"ctx{i}"
        d.mkdir()
        for n in sorted(files)[::order]:
            (d / n).parent.mkdir(exist_ok=True)
            (d / n).write_text(files[n])
        (d / "Dockerfile").write_text(text)
        for p in [d, *d.rglob("*")]:
            os.chmod(p, 0o755 if p.is_dir() else 0o644)
        r = env.run("build", "--no-cache", "-t", "t", d, env={"SOURCE_DATE_EPOCH": "1000000000", "TZ": f"UTC-{i + 3}"}).ok()
        os.umask(old)
        ids.add(r.out)
        time.sleep(1.1 if i == 0 else 0)  # another second, or times would agree by chance
    same(len(ids), 1, "different images")
    check(env.run("image", "inspect", "t").ok().json()[0]["Created"].startswith("2001-09-09T01:46:40"), "the image's time")
    a = env.run("build", "--no-cache", "--reproducible", "-t", "t", env.tmp / "ctx0").ok().out
    same(env.run("build", "--no-cache", "--reproducible", "-t", "t", env.tmp / "ctx0").ok().out, a, "--reproducible")


@test(needs="root")
def options(env):
    iid = env.tmp / "iid"
    r = build(env, TINY + "RUN cat /etc/hosts; cat /proc/self/limits > /dev/null; df /dev/shm\n", "-t", "also:2", "--iidfile", iid, "--add-host", "h:10.0.0.9",
              "--memory", "64m", "--cpus", "0.5", "--shm-size", "7m", "--platform", "linux/amd64" if os.uname().machine == "x86_64" else "linux/arm64",
              "--progress=plain", "--network=none", "--compression=zstd", "--pull").ok()
    same(iid.read_text() + "\n", r.out, "--iidfile")
    check("10.0.0.9" in r.err and "7168" in r.err, r.err)
    same({t for i in env.run("image", "inspect", "t").ok().json() for t in i["RepoTags"]}, {"t:latest", "also:2"}, "names")
    quiet = env.run("build", "-q", env.tmp / "ctx").ok()
    same(quiet.err, "", "--quiet")
    same(env.run("build", "--progress=quiet", env.tmp / "ctx").ok().err, "", "--progress=quiet")
    (env.tmp / "other").write_text(TINY + "RUN echo other\n")
    check("echo other" in env.run("build", "-f", env.tmp / "other", env.tmp / "ctx").ok().err, "--file")
    check("echo stdin" in env.run("build", "-f", "-", env.tmp / "ctx", stdin=TINY + "RUN echo stdin\n").ok().err, "--file -")
    check("nobody" in build(env, TINY, "--build-arg", "nobody=1").ok().err, "an argument that nobody asks for")
    c = env.run("build", "--check", context(env, "FROM caisson/tiny as X\nCMD echo\n"))
    check(c.code == 1 and "StageNameCasing" in c.err and "JSONArgsRecommended" in c.err, f"{c.code} {c.err}")
    env.run("build", "--check", context(env, TINY)).ok(out="no warnings\n")


ERRORS = {
    "unknown_instruction": (TINY + "\nRUNN x\n", 1, ["Dockerfile:3", "unknown instruction: RUNN (did you mean RUN?)", ">>>    3 | RUNN x"]),
    "failing_step": (TINY + "RUN echo before; exit 3\n", 1, ["#2 before", "Dockerfile:2", "ended with code 3"]),
    "missing_command": (TINY + 'RUN ["/nothing"]\n', 1, ["Dockerfile:2", "/nothing"]),
    "missing_file": (TINY + "COPY nothing /x\n", 1, ["Dockerfile:2", "'nothing' is not in the build context"]),
    "outside": (TINY + "COPY ../../../etc/passwd /x\n", 1, ["Dockerfile:2", "is not in the build context"]),
    "many_to_a_file": (TINY + "COPY a b /x\n", 1, ["Dockerfile:2", "must be a directory"]),
    "missing_user": (TINY + "COPY --chown=nobody-here a /x\n", 1, ["nobody-here", "/etc/passwd"]),
    "missing_image": ("FROM localhost:1/none:1\n", 1, ["Dockerfile:1", "localhost:1/none:1"]),
    "run_in_scratch": ("FROM scratch\nRUN x\n", 1, ["Dockerfile:2", "nothing to run"]),
    "circle": ("FROM caisson/tiny AS a\nCOPY --from=a x y\n", 1, ["Dockerfile:2", "from itself"]),
    "heredoc": (TINY + "RUN <<EOF\nx\n", 1, ["Dockerfile:2", "has no end"]),
    "insecure": (TINY + "RUN --security=insecure x\n", 1, ["Dockerfile:2", "default wall"]),
    "host_network": (TINY + "RUN --network=host x\n", 1, ["Dockerfile:2", "--network=host"]),
    "device": (TINY + "RUN --device=x y\n", 1, ["Dockerfile:2", "no devices"]),
    "ssh": (TINY + "RUN --mount=type=ssh,mode=0666 y\n", 1, ["Dockerfile:2", "keeps its owner and mode"]),
    "file_in_the_way": (TINY + "RUN mkdir /d\nCOPY d /d/\nCOPY a /d/s\nCOPY s /d\n", 1, ["Dockerfile:5"]),
}


@test(needs="root")
def errors(env):
    files = {"a": "A", "b": "B", "d/x": "x", "s/s/y": "y"}
    for name, (text, code, words) in ERRORS.items():
        refused(build(env, text, files=files, tag="never"), code, *words)
    same(env.run("images", "-q", "never").ok().out, "", "an image was made")
    same(os.listdir(env.root / "tmp"), [], "stages")
    for bad, words in ((["--platform=linux/s390x", "."], "s390x"),
                       (["--network=other", "."], "other"), (["--secret", "x", "."], "id=ID"), (["/nonexistent"], "/nonexistent"),
                       (["-t", "UPPER", "."], "UPPER"), (["--build-arg", "=x", "."], "NAME=VALUE")):
        r = env.run("build", *[str(env.tmp / "ctx") if b == "." else b for b in bad])
        check(r.code in (1, 2) and words in r.err, f"{bad}: {r.code} {r.err!r}")


@test(needs="root")
def odd_contexts(env):
    d = context(env, TINY + "COPY . /t\nRUN ls -A /t > /names\n", {"a": "A"})
    os.mkfifo(d / "pipe")
    os.symlink("loop", d / "loop")
    os.symlink("/etc/shadow", d / "out")
    (d / "new\nline").write_text("x")
    os.link(d / "a", d / "hard")
    env.run("build", "-t", "t", d).ok()
    same(show(env, "sh", "-c", "cd /t; readlink loop; readlink out; stat -c %h a hard; test -p pipe && echo pipe; cat 'new\nline'"), "loop\n/etc/shadow\n2\n2\npipe\nx", "what was copied")
    # A link of the context means what it means in the context, never the host's file.
    refused(env.run("build", context(env, TINY + "COPY out /x\n")), 1, "is not in the build context")
    os.symlink("/etc/hostname", env.tmp / "ctx" / "out")
    refused(env.run("build", env.tmp / "ctx"), 1, "is not in the build context")


@test(needs="root")
def a_killed_build_takes_its_step_along(env):
    d = context(env, TINY + "RUN echo going; sleep 1000\n")
    for sig in (signal.SIGKILL, signal.SIGINT):
        p = env.start("build", "-t", "t", d)
        wait_for(lambda: env.run("ps", "-q").out, what="the step")
        os.kill(p.pid if hasattr(p, "pid") else p.p.pid, sig)
        wait_for(lambda: not env.run("ps", "-aq").out, what="the end of the step")
    (d / "Dockerfile").write_text(TINY + "RUN echo x > /x\n")
    env.run("build", "-t", "t", d).ok()
    same(show(env, "cat", "/x"), "x\n", "the next build")
    same(os.listdir(env.root / "tmp"), [], "stages")


@test(needs="root")
def du_and_prune(env):
    build(env, TINY + "RUN echo x > /x\nRUN --mount=type=cache,target=/c echo y > /c/y; echo z > /z\n").ok()
    du = env.run("build", "du").ok().out
    check("RUN echo x" in du and "true" in du and "cache directories" in du, du)
    env.run("rmi", "t").ok()
    check("CACHED" in env.run("build", "-t", "t", env.tmp / "ctx").ok().err, "rmi took the cache along")
    env.run("rmi", "t").ok()
    env.run("build", "prune", "-f", "--keep-storage", "1g").ok()
    check("CACHED" in env.run("build", "-t", "t", env.tmp / "ctx").ok().err, "--keep-storage kept nothing")
    env.run("rmi", "t").ok()
    check("reclaimed" in env.run("build", "prune", "--force").ok().out, "prune")
    check("RUN" not in env.run("build", "du").ok().out, "something is left")
    same(os.listdir(env.root / "cache" / "mounts"), [], "cache directories")
    check("CACHED" not in env.run("build", "-t", "t", env.tmp / "ctx").ok().err, "a pruned step is still there")
    env.run("system", "check").ok()


def left_by_builds(env):
    """(steps, cache directories)"""
    return (sorted(line.split(None, 3)[3] for line in env.run("build", "du").ok().out.splitlines() if " RUN " in line), len(os.listdir(env.root / "cache/mounts")))


@test(needs="root")
def a_limit_is_kept(env):
    mega = "dd if=/dev/urandom bs=1M count=2 2>/dev/null"
    ctx = {n: context(env, TINY + line + "\n", name=n) for n, line in (("one", f"RUN : one; {mega} > /f"), ("two", f"RUN --mount=type=cache,target=/c : two; {mega} > /c/f"),
                                                                       ("three", f"RUN : three; {mega} > /f"), ("small", "RUN : small; echo > /s"))}

    def built(*names):
        for n in names:
            env.run("build", "-q", ctx[n]).ok()
            env.run("system", "prune", "-af").ok()     # an image's layers are not the cache's to free

    def left():
        names = [n for n in ctx if f" : {n};" in env.run("build", "du").ok().out]
        return names, len(os.listdir(env.root / "cache/mounts"))

    env.run("build", "prune", "--force").ok()
    env.run("build", "prune", "--limit", "9m").ok()
    check("limit 9.4" in env.run("build", "du").ok().out, env.run("build", "du").out)
    built("one", "two")                                # 4 MiB of a layer and its blob, 2 MiB of a directory
    same(left(), (["one", "two"], 1), "below the limit")
    built("one")                                       # found, so it is the directory that was not used for longest
    built("three", "small")
    same(left(), (["one", "three", "small"], 0), "above it")
    env.run("build", "prune", "-f", "--filter", "until=1h").ok()
    same(left(), (["one", "three", "small"], 0), "nothing is that old")
    env.run("build", "prune", "--limit", "5m").ok()
    same(left(), (["three", "small"], 0), "a lower limit, at once")
    env.run("build", "prune", "--limit", "0").ok()
    built("one", "two")
    same(left()[1], 1, "without a limit")
    env.run("build", "prune", "--limit", "much").error(2, "--limit")
    env.run("build", "prune", "-f", "--filter", "label=x").error(2, "--filter")


@test(needs="root,registry")
def another_tool_reads_it(env):
    build(env, TINY + "COPY a /a\nENV A=1\nCMD [\"cat\", \"/a\"]\n", files={"a": "A"}).ok()
    out = env.tmp / "image.tar"
    env.run("save", "-o", out, "t").ok()
    r = subprocess.run(["skopeo", "--insecure-policy", "inspect", "--config", f"docker-archive:{out}"], capture_output=True, text=True)
    c = json.loads(r.stdout)
    same((c["config"]["Cmd"], "A=1" in c["config"]["Env"], len(c["rootfs"]["diff_ids"])), (["cat", "/a"], True, 2), "what skopeo sees")
    same([h["empty_layer"] if "empty_layer" in h else False for h in c["history"]][-3:], [False, True, True], "history and layers agree")


@test(needs="root,registry")
def a_base_in_dockers_form_becomes_an_image_in_ocis(env):
    d = env.tmp / "v2s2"
    subprocess.run(["skopeo", "--insecure-policy", "copy", "-q", "--format", "v2s2", f"oci:{BUILD / 'share/caisson/tiny'}", f"dir:{d}"], check=True)
    check("docker" in json.loads((d / "manifest.json").read_text())["layers"][0]["mediaType"], "the base is not in docker's form")
    base = env.run("pull", "-q", f"dir:{d}").ok().out.strip()
    build(env, f"FROM {base}\nRUN echo x > /x\n").ok()
    env.run("copy", "t", f"oci:{env.tmp / 'out'}").ok()
    index = json.loads((env.tmp / "out/index.json").read_text())
    m = json.loads((env.tmp / "out/blobs/sha256" / index["manifests"][0]["digest"][7:]).read_text())
    same([x["mediaType"] for x in m["layers"]], ["application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.layer.v1.tar+gzip"], "types of the layers")


if __name__ == "__main__":
    main()
