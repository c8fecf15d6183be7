#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 600
"""caisson build --verify: a second build with other settings, and where its image parts from the first."""
import os

from build_context import context
from caisson_test import check, main, same, test

# Which of the two a step runs in shows by the host name alone: what it does with that is up to each case.
FIRST = 'test "$(hostname)" = buildstep'
CASES = {
    "hostname": ("RUN hostname > /h", "/h: size 10, 11; content from byte 0 on"),
    "uptime": ("RUN cut -d. -f1 /proc/uptime > /u", "/u: "),
    "time zone": ("RUN date +%z > /z", "/z: content from byte 1 on"),
    "locale": ("RUN echo x${LANG}x > /l", "/l: size 3, 14; content from byte 1 on"),
    "random": ("RUN mkdir -p /d/e && head -c 64 /dev/urandom > /d/e/r", "/d/e/r: content from byte "),
    "late in a file": (f"RUN head -c 100000 /dev/zero > /f; {FIRST} && echo a >> /f || echo b >> /f", "/f: content from byte 100000 on"),
    "mode": (f"RUN {FIRST} || umask 077; touch /m", "/m: mode 0644, 0600"),
    "owner": (f"RUN touch /o; {FIRST} && chown 1:2 /o || true", "/o: owner 1:2, 0:0"),
    "old time": (f"RUN touch -d @1000 /t; {FIRST} || touch -d @2000 /t", "/t: time 1000, 2000"),
    "target": (f"RUN {FIRST} && ln -s a /s || ln -s b /s", "/s: target 'a', 'b'"),
    "kind": (f"RUN {FIRST} && mkdir /k || touch /k", "/k: a directory, a file"),
    "one alone": (f"RUN touch /x; {FIRST} && touch /a || true", "/a: only in the first build"),
    "the other alone": (f"RUN touch /x; {FIRST} || touch /a", "/a: only in the second build"),
    "removed in one": (f"RUN touch /x; {FIRST} && rm /old || true", "/old: only in the second build"),
    "no layer": (f"RUN {FIRST} && touch /x || true", "only the first build has this layer"),
}


@test(needs="root")
def each_way_to_differ(env):
    for name, (line, want) in CASES.items():
        d = context(env, f"FROM caisson/tiny\nRUN touch /old\n{line}\nRUN echo more > /more\n")
        r = env.run("build", "--verify", "--network=none", "-t", "t", d)
        check(r.code == 1 and f"verify: layer 3, of '{line}'" in r.err and f"verify: {want}" in r.err and r.err.splitlines()[-1].startswith("caisson: verify: the second build is another image: sha256:"),
              f"{name}: {r.code} {r.err}")
        same(r.out, "", "the id of what is not what it should be")
    # The other images are not kept; what a second build saw is in nobody's cache.
    same(len(env.run("images", "-aq").ok().out.split()), len(CASES) + 1, "images")
    r = env.run("build", "--network=none", "-t", "t", context(env, "FROM caisson/tiny\nRUN touch /old\nRUN hostname > /h\n")).ok()
    same(env.run("run", "--rm", "--network=none", "t", "cat", "/h").ok().out, "buildstep\n", "a step of the first build")


@test(needs="root")
def what_is_the_same(env):
    text = ("FROM caisson/tiny AS one\nCOPY . /src\nRUN mkdir /made; touch /made/b /made/a; ls -l /src > /dev/null; echo $TZ > /zone\nENV TZ=UTC LANG=C\nRUN echo $TZ$LANG > /settled\n"
            "FROM caisson/tiny AS two\nRUN echo 2 > /two\nFROM scratch\nCOPY --from=one /src /made /settled /\nCOPY --from=two /two /two\nWORKDIR /w\n")
    d = context(env, text, {f"d{i}/f": str(i) for i in range(5)})
    r = env.run("build", "--verify", "--network=none", "-t", "t", d).ok()
    check("verify: the same image, sha256:" in r.err and r.out.startswith("sha256:"), r.err)
    check("CACHED" not in r.err.split("verify:")[1], "the second build used the cache")
    same(env.run("build", "--reproducible", "--network=none", d).ok().out, r.out, "--verify is --reproducible")
    r = env.run("build", "--verify", "-q", "--network=none", "-t", "t", d).ok()
    same(r.err, "", "--quiet")
    # A failure of the second build alone is told as one.
    r = env.run("build", "--verify", "--network=none", context(env, f"FROM caisson/tiny\nRUN {FIRST}\n"))
    check(r.code == 1 and "verify: " in r.err and "Dockerfile:2" in r.err and "ended with code 1" in r.err, r.err)
    same(os.listdir(env.root / "tmp"), [], "stages")


@test(needs="root,qemu,kernel")
def a_machines_date_is_another_one(env):
    r = env.run("build", "--verify", "--isolation=vm", "--network=none", context(env, "FROM caisson/tiny\nRUN date +%Y-%m-%d > /date\n"))
    check(r.code == 1 and "verify: /date: content from byte " in r.err, r.err)
    env.run("build", "--verify", "--isolation=vm", "--network=none", context(env, "FROM caisson/tiny\nRUN touch /x\n")).ok()


if __name__ == "__main__":
    main()
