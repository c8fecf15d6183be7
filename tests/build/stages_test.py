#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 600
"""Stages at the same time, builds killed at random points, and what of a machine must not show in an image."""
import os, pathlib, random, re, signal, subprocess, time

from build_context import context
from caisson_test import check, main, same, test, wait_for

# A hundred take a minute; a release is tried with so many.
KILLS = int(os.environ.get("CAISSON_BUILD_KILLS", 30))

# Each waits for the other, through a cache directory that both have.
MEET = "RUN --mount=type=cache,target=/c,id={id} touch /c/{me}; n=0; until test -e /c/{other}; do n=$((n+1)); test $n -lt 600 || exit 9; sleep 0.1; done; echo {me} > /{me}\n"


def branches(id="k"):
    return ("FROM caisson/tiny AS base\nRUN echo base > /b\nFROM base AS one\n" + MEET.format(me="one", other="two", id=id) + "FROM base AS two\n" + MEET.format(me="two", other="one", id=id) +
            "WORKDIR /w\nFROM two\nCOPY --from=one /one /one\nRUN cat /b /one /two > all\n")


@test(needs="root")
def independent_stages_are_built_at_the_same_time(env):
    if os.sysconf("SC_NPROCESSORS_ONLN") < 2:
        return  # one after the other, then
    d = context(env, branches())
    r = env.run("build", "--network=none", "-t", "t", d).ok()
    same(env.run("run", "--rm", "--network=none", "t", "cat", "/w/all").ok().out, "base\none\ntwo\n", "files of all stages")
    # Numbers are those of the file, whoever was first, and each line stands alone.
    steps = {int(n): text for n, text in re.findall(r"^#(\d+) \[\S+ \d+/\d+\] (.*)$", r.err, re.M)}
    same([steps[n].split()[0] for n in sorted(steps)], ["FROM", "RUN", "FROM", "RUN", "FROM", "RUN", "WORKDIR", "FROM", "COPY", "RUN"], "the steps")
    again = env.run("build", "--network=none", "-t", "t", d).ok()
    same((again.out, again.err.count("CACHED")), (r.out, 6), "from the cache")
    cold = env.run("build", "--network=none", "--no-cache", "-t", "t", context(env, branches("other"))).ok()
    check("CACHED" not in cold.err, "--no-cache")
    same(os.listdir(env.root / "tmp"), [], "stages")


@test(needs="root")
def one_that_fails_ends_the_others(env):
    d = context(env, "FROM caisson/tiny AS long\nRUN --mount=type=cache,target=/c touch /c/here; sleep 1000\nFROM caisson/tiny AS bad\n"
                "RUN --mount=type=cache,target=/c until test -e /c/here; do sleep 0.1; done; echo last words; exit 3\nFROM caisson/tiny\nCOPY --from=long / /\nCOPY --from=bad / /\n")
    if os.sysconf("SC_NPROCESSORS_ONLN") < 2:
        return
    r = env.run("build", "--network=none", "-t", "t", d)
    check(r.code == 1 and "Dockerfile:4" in r.err and "ended with code 3" in r.err and "last words" in r.err, f"{r.code} {r.err}")
    wait_for(lambda: not env.run("ps", "-aq").ok().out, what="the end of the other stage's step")
    env.run("build", "--network=none", "-t", "t", context(env, "FROM caisson/tiny\nRUN true\n")).ok()
    same(os.listdir(env.root / "tmp"), [], "stages")


@test(needs="root")
def killed_at_random_points(env):
    """Each build has other content, so that there is always something to do."""
    d = context(env, branches() + "COPY many /m\n", {f"many/f{i}": str(i) for i in range(50)})
    begun = time.monotonic()
    env.run("build", "--network=none", "-t", "t", d).ok()
    whole = time.monotonic() - begun
    killed = 0
    for i in range(KILLS):
        (d / "Dockerfile").write_text(branches(f"k{i}") + "COPY many /m\n")
        (d / "many/f0").write_text(f"round {i}")
        p = subprocess.Popen(env.argv(["build", "--network=none", "-t", "t", str(d)]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env.os_env)
        try:
            p.wait(random.random() * whole)
        except subprocess.TimeoutExpired:
            p.send_signal(signal.SIGKILL)
            killed += 1
        p.wait()
    check(killed > KILLS // 20, f"only {killed} of {KILLS} were killed")
    # The next one is done right, and clears away what the others left.
    env.run("build", "--network=none", "-t", "t", d).ok()
    same(env.run("run", "--rm", "--network=none", "t", "sh", "-c", "cat /w/all /m/f0; ls /m | wc -l").ok().out, f"base\none\ntwo\nround {KILLS - 1}50\n", "the next build")
    # The last of the killed may have been about to end while that build looked.
    wait_for(lambda: env.run("build", "--network=none", d).ok() and not env.run("ps", "-aq").ok().out, what="the end of steps of builds that were killed")
    env.run("system", "check").ok()


def at_once(env, sharing, command, n):
    """n builds at the same time, each with the cache mount and one where they all meet; number of each is $N."""
    meet = "--mount=type=cache,target=/meet,id=meet-%s" % sharing
    runs = []
    for i in range(n):
        d = context(env, f"FROM caisson/tiny\nARG N\nRUN {meet} --mount=type=cache,target=/c,id={sharing},sharing={sharing} {command}\n", name=f"{sharing}{i}")
        runs.append(env.start("build", "--network=none", "--build-arg", f"N={i}", d))
    for r in runs:
        r.finish().ok()


@test(needs="root")
def builds_share_a_cache_mount_as_it_says(env):
    together = "touch /meet/$N; until test -e /meet/0 && test -e /meet/1; do sleep 0.02; done"
    at_once(env, "shared", f"{together}; echo $N > /c/$N; until test -e /c/0 && test -e /c/1; do sleep 0.02; done", 2)
    at_once(env, "private", f"test -z \"$(ls /c)\" && touch /c/$N && {together} && test \"$(ls /c)\" = $N", 2)
    # Whoever comes while another is in there fails; all four leave a line.
    at_once(env, "locked", "mkdir /c/in && echo $N >> /c/lines && sleep 0.1 && rmdir /c/in", 4)
    d = context(env, "FROM caisson/tiny\nRUN --mount=type=cache,target=/c,id=locked test $(wc -l < /c/lines) = 4\n", name="count")
    env.run("build", "--network=none", d).ok()


@test(needs="root")
def nothing_of_the_machine_shows(env):
    """Umask, locale, time zone, user ids, the order of directories, times and the host's name."""
    text = "FROM caisson/tiny\nCOPY . /src\nCOPY --chown=3:4 a /n/a\nRUN mkdir /made; touch /made/b /made/a; hostname > /name; umask > /umask; ls -lR /src > /list\nADD x.tar /x/\nWORKDIR /w\n"
    files = {f"d{i % 5}/f{i}": str(i) for i in range(40)} | {"a": "A"}
    ids = set()
    for i, (umask, zone, lang, order, uid) in enumerate([(0o022, "UTC", "C", 1, 0), (0o077, "Asia/Kolkata", "de_DE.UTF-8", -1, 1234), (0o002, "UTC+9", "tr_TR", 1, 0)]):
        d = env.tmp / f"ctx{i}"
        d.mkdir()
        for n in sorted(files)[::order]:
            (d / n).parent.mkdir(exist_ok=True)
            (d / n).write_text(files[n])
        subprocess.run(["tar", "cf", d / "x.tar", "--mtime=@5", "--owner=7", "--group=8", "--sort=name", "-C", d, "a"], check=True)
        (d / "Dockerfile").write_text(text)
        for p in [d, *d.rglob("*")]:
            os.chmod(p, 0o755 if p.is_dir() else 0o644)
            os.chown(p, uid, uid)
            os.utime(p, (1500000000 + i, 1500000000 + i))
        old = os.umask(umask)
        try:
            argv = ["unshare", "--uts", "sh", "-c", f'hostname host-{i}; exec "$@"', "sh", *env.argv(["build", "--network=none", "--no-cache", "-t", "t", str(d)])]
            p = subprocess.run(argv, capture_output=True, text=True, env={**env.os_env, "SOURCE_DATE_EPOCH": "1000000000", "TZ": zone, "LC_ALL": lang})
        finally:
            os.umask(old)
        same(p.returncode, 0, p.stderr)
        ids.add(p.stdout)
    same(len(ids), 1, "different images")


if __name__ == "__main__":
    main()
