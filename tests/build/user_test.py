#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
"""caisson build by an ordinary user."""
import gzip, io, os, tarfile

from build_context import context
from caisson_test import check, main, same, test

TINY = "FROM caisson/tiny\n"


@test(needs="rootless")
def every_kind_of_step(env):
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as t:
        m = tarfile.TarInfo("in")
        m.size, m.uid, m.gid = 1, 12, 34
        t.addfile(m, io.BytesIO(b"I"))
    text = ("FROM caisson/tiny AS base\nRUN mkdir -m 1700 /d && chown 3:4 /d && rm -r /usr/share 2>/dev/null; echo $(id -u) > /id\nFROM base AS one\nRUN --mount=type=cache,target=/c echo 1 > /one\n"
            "FROM base AS two\nRUN --mount=type=secret,id=s cp /run/secrets/s /two\nFROM base\nCOPY --from=one /one /d/one\nCOPY --from=two --chown=7:8 /two /d/two\nADD x.tar /x/\nADD x.tar odd.gz /x/\n"
            "USER 5:6\nWORKDIR /w/x\nRUN cat /d/one /d/two > /tmp/all 2>/dev/null || id -u > /tmp/all\n")
    d = context(env, text, {"a": "A", "secret": "S"})
    (d / "x.tar").write_bytes(tar.getvalue())
    (d / "odd.gz").write_bytes(gzip.compress(b"no archive"))
    r = env.run("build", "--network=none", "-t", "t", "--secret", f"id=s,src={d / 'secret'}", d).ok()
    same(env.run("run", "--rm", "--network=none", "--user=0", "t", "sh", "-c", "stat -c '%a %u %g' /d /d/two /x/in; cat /id /d/one /d/two /x/in").ok().out,
         "1700 3 4\n644 7 8\n644 12 34\n0\n1\nSI", "what was built")
    again = env.run("build", "--network=none", "-t", "t", "--secret", f"id=s,src={d / 'secret'}", d).ok()
    same((again.out, "DONE" in again.err), (r.out, False), "from the cache")
    same(os.listdir(env.root / "tmp"), [], "stages")
    env.run("system", "check").ok()


@test(needs="rootless")
def the_same_image_twice(env):
    d = context(env, TINY + "COPY . /src\nRUN touch /b /a; mkdir /c; rm /b\n", {f"f{i}": str(i) for i in range(20)})
    ids = {env.run("build", "--network=none", "--no-cache", "-t", "t", d, env={"SOURCE_DATE_EPOCH": "1000000000"}).ok().out for _ in range(2)}
    same(len(ids), 1, "different images")
    r = env.run("build", context(env, TINY + "RUN exit 3\n"))
    check(r.code == 1 and "ended with code 3" in r.err, r.err)


if __name__ == "__main__":
    main(user=True)
