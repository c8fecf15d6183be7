#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
"""caisson build --explain: why a step was not in the cache."""
import os, re

from build_context import context
from caisson_test import check, main, same, test

TEXT = """FROM caisson/tiny AS one
ARG V=1
COPY a d /src/
RUN --mount=target=/b,source=d echo $V
FROM caisson/tiny
COPY --from=one /src /src
"""


def misses(env, *opts):
    """{instruction's first word and its number: why}"""
    r = env.run("build", "--explain", "--network=none", "-t", "t", *opts, env.tmp / "ctx").ok()
    steps = {n: text.split()[0] for n, text in re.findall(r"^#(\d+) \[\S+ \d+/\d+\] (.*)$", r.err, re.M)}
    return [f"{steps[n]}: {why}" for n, why in re.findall(r"^#(\d+) not in the cache: (.*)$", r.err, re.M)]


@test(needs="root")
def each_input_that_changes(env):
    d = context(env, TEXT, {"a": "A", "d/x": "x", "d/y": "y"})
    same(misses(env), ["COPY: it was not built before", "RUN: it was not built before", "COPY: it was not built before"], "the first build")
    same(misses(env), [], "the same again")
    os.utime(d / "a", (1, 1))
    same(misses(env), [], "another time is no change")
    (d / "a").write_text("B")
    m = misses(env)
    same(m[0], "COPY: 'a' in the build context changed", "a file")
    check(m[1].startswith("RUN: layer 2 below it changed") and m[2].startswith("COPY: '/src/a' in stage 'one' changed") or "src/a" in m[2], m)
    (d / "d/z").write_text("z")
    os.unlink(d / "d/x")
    m = misses(env)
    same(m[0], "COPY: 'd/x' in the build context is gone, 'd/z' in the build context is new", "files come and go")
    check("'d/x' in the build context is gone" in m[1] and "'d/z' in the build context is new" in m[1], m[1])
    os.chmod(d / "d/y", 0o600)
    check("'d/y' in the build context changed" in misses(env)[0], "a mode")
    same(misses(env, "--build-arg", "V=2"), ["RUN: ARG V changed"], "an argument")
    (d / "Dockerfile").write_text(TEXT.replace("/b,source=d", "/c,source=d"))
    same(misses(env, "--build-arg", "V=2"), ["RUN: the instruction was 'RUN --mount=target=/b,source=d echo $V'; --mount 1, a bind, changed"], "a mount")
    (d / "Dockerfile").write_text(TEXT.replace("ARG V=1\n", "ARG V=1\nENV E=1\n"))
    misses(env)
    (d / "Dockerfile").write_text(TEXT.replace("ARG V=1\n", "ARG V=1\nENV E=2\n"))
    same(misses(env), ["RUN: ENV E changed"], "a variable")
    (d / "Dockerfile").write_text(TEXT.replace("COPY a d", "USER 1\nCOPY a d"))
    misses(env, "--build-arg", "V=3")
    (d / "Dockerfile").write_text(TEXT.replace("COPY a d", "USER 2\nCOPY a d"))
    same(misses(env, "--build-arg", "V=3"), ["RUN: USER changed"], "the user")
    same(misses(env, "--no-cache"), [f"{w}: the cache is not to be used" for w in ("COPY", "RUN", "COPY")], "--no-cache")
    secrets = os.popen(f"grep -rlF 'V=2' {env.root}/cache/build 2>/dev/null").read()
    same(secrets, "", "values of arguments in notes")
    env.run("rmi", "t").ok()
    env.run("build", "prune", "--force").ok()
    same(os.listdir(env.root / "cache/build"), [], "notes that outlive their entries")


@test(needs="root")
def many_differences_are_counted(env):
    d = context(env, "FROM scratch\nCOPY . /\n", {f"f{i:02}": "x" for i in range(30)})
    misses(env)
    for i in range(30):
        (d / f"f{i:02}").write_text("y")
    m = misses(env)[0]
    check(m.startswith("COPY: 'f00' in the build context changed, 'f01'") and m.endswith("and 24 more"), m)


@test(needs="root")
def stages_at_the_same_time_explain_too(env):
    text = "FROM caisson/tiny AS a\nRUN echo {0}\nFROM caisson/tiny AS b\nRUN echo {0} b\nFROM caisson/tiny\nCOPY --from=a /etc /a\nCOPY --from=b /etc /b\n"
    d = context(env, text.format("one"))
    misses(env)
    (d / "Dockerfile").write_text(text.format("two"))
    same(sorted(misses(env)), ["RUN: the instruction was 'RUN echo one b'; word 3 of the command changed", "RUN: the instruction was 'RUN echo one'; word 3 of the command changed"], "why")


if __name__ == "__main__":
    main()
