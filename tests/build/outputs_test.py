#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 200
"""What a build leaves beside the image: archives, trees, notes, the last lines of a step that failed; and agents for its steps."""
import io, json, os, socket, stat, subprocess, tarfile

from build_context import context
from caisson_test import check, main, same, test

TINY = "FROM caisson/tiny\n"


@test(needs="root")
def outputs(env):
    d = context(env, "FROM caisson/tiny AS t\nFROM scratch\nCOPY --chmod=0640 --chown=3:4 a /d/a\nCMD [\"/x\"]\n", {"a": "A"})
    docker, oci, tree, out = (env.tmp / n for n in ("docker.tar", "oci.tar", "tree.tar", "out"))
    note = env.tmp / "note"
    r = env.run("build", "-t", "t", "-o", f"type=docker,dest={docker}", "--output", f"type=oci,dest={oci}", "-o", f"type=tar,dest={tree}", "-o", f"type=local,dest={out}",
                "-o", "type=image", "--metadata-file", note, d).ok()
    m = json.loads(note.read_text())
    same((m["containerimage.config.digest"] + "\n", m["image.name"]), (r.out, "docker.io/library/t:latest"), "the note")
    with tarfile.open(oci) as t:
        names = t.getnames()
        check("index.json" in names and "blobs/sha256/" + m["containerimage.digest"][7:] in names, f"no layout: {names}")
    with tarfile.open(docker) as t:
        same(json.load(t.extractfile("manifest.json"))[0]["RepoTags"], ["t:latest"], "docker's form")
    with tarfile.open(tree) as t:
        same([(x.name, x.mode, x.uid, x.gid) for x in t if x.isfile()], [("d/a", 0o640, 3, 4)], "files as an archive")
    st = os.stat(out / "d/a")
    same((stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid, (out / "d/a").read_text()), (0o640, 3, 4, "A"), "files as they are")
    p = subprocess.run(env.argv(["build", "-q", "-o", "-", str(d)]), capture_output=True, env=env.os_env)
    same((p.returncode, p.stdout == tree.read_bytes()), (0, True), "files to stdout")
    r = env.run("build", "-o", str(out), d)
    check(r.code == 1 and "is not empty" in r.err, r.err)
    for bad in ("type=tar", "type=image,dest=x", "type=other,dest=x", "dest=x", "type=local,dest=-", "type=docker,dest=x,tar=false"):
        r = env.run("build", "-o", bad, d)
        check(r.code == 2 and "--output" in r.err, f"{bad}: {r.code} {r.err}")


@test(needs="root")
def a_step_that_fails_shows_its_last_lines(env):
    d = context(env, TINY + "RUN i=0; while test $i -lt 400; do i=$((i+1)); echo line $i; done; printf 'the end\\033[31m'; exit 4\n")
    r = env.run("build", "-q", d)
    check(r.code == 1 and "the last lines of step #2" in r.err and "    line 400\n" in r.err and "line 100\n" not in r.err, r.err)
    check("the end" in r.err and "\033" not in r.err, r.err)
    check(">>>    2 | RUN" in r.err and "ended with code 4" in r.err, r.err)


@test(needs="root")
def ssh_agents(env):
    path = env.tmp / "agent"
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(path))
        s.listen()
        d = context(env, TINY + "RUN --mount=type=ssh test -S $SSH_AUTH_SOCK && echo $SSH_AUTH_SOCK > /x\nRUN --mount=type=ssh,id=two,target=/a test -S /a; test -S /run/buildkit/ssh_agent.0 || echo no > /y\n"
                    "RUN test -z \"$SSH_AUTH_SOCK\"; ls /run/buildkit 2>/dev/null | wc -l > /z\n")
        env.run("build", "-t", "t", "--ssh", "default", "--ssh", f"two={path}", d, env={"SSH_AUTH_SOCK": str(path)}).ok()
        same(env.run("run", "--rm", "--network=none", "t", "cat", "/x", "/y", "/z").ok().out, "/run/buildkit/ssh_agent.0\nno\n0\n", "in the steps")
        r = env.run("build", context(env, TINY + "RUN --mount=type=ssh,required true\n"))
        check(r.code == 1 and "Dockerfile:2" in r.err and "no ssh agent 'default'" in r.err, r.err)
        env.run("build", context(env, TINY + "RUN --mount=type=ssh true\n")).ok()
    for bad, words in (("default", "SSH_AUTH_SOCK"), ("x=/etc/hostname", "no agent's socket"), ("x=/none", "/none")):
        r = env.run("build", "--ssh", bad, d, env={"SSH_AUTH_SOCK": ""})
        check(r.code in (1, 2) and words in r.err, f"{bad}: {r.code} {r.err}")


if __name__ == "__main__":
    main()
