#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 600
"""caisson build --isolation=vm by an ordinary user."""
import os

from build_context import context
from caisson_test import main, same, test


@test(needs="rootless,qemu,kernel")
def steps_in_vms(env):
    (env.tmp / "secret").write_text("S")
    d = context(env, "FROM caisson/tiny\nCOPY a /a\nRUN --mount=type=cache,target=/c --mount=type=secret,id=s --mount=target=/src echo c > /c/x; cat /src/a /run/secrets/s > /all; mkdir -m 1700 /d; chown 3:4 /d; rm /a\n"
                "RUN mkdir /o; touch /o/old\nWORKDIR /w\nRUN rm -r /o; mkdir /o; touch /o/new; stat -c '%a %u:%g' /d > of\n", {"a": "A"})
    ids = {i: env.run("build", f"--isolation={i}", "--no-cache", "--network=none", "-t", "t", "--secret", f"id=s,src={env.tmp / 'secret'}", d, env={"SOURCE_DATE_EPOCH": "1000000000"}).ok().out for i in ("vm", "container")}
    same(env.run("run", "--rm", "--network=none", "t", "sh", "-c", "cat /w/of /all; ls /a 2>/dev/null; ls /o").out, "1700 3:4\nASnew\n", "what was built")
    same(ids["vm"], ids["container"], "the images")
    same(os.listdir(env.root / "tmp"), [], "stages")


if __name__ == "__main__":
    main(user=True)
