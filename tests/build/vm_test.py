#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 900
"""caisson build --isolation=vm: every kind of step and mount in VMs, and the same image as in containers."""
import os, signal, socket

from build_context import context
from caisson_test import check, main, same, test, wait_for

EPOCH = {"SOURCE_DATE_EPOCH": "1000000000"}
SECRET = "Zk9-vm-secret-7Xq"
# What a machine has of its own stays out: the same words in either must give the same files.
WHOLE = """FROM caisson/tiny AS base
ARG V=1
ENV E=env
RUN --mount=type=cache,target=/c,id=k,sharing=locked --mount=type=tmpfs,target=/m --mount=target=/src --mount=type=bind,source=d,target=/etc/d,rw \\
    --mount=type=secret,id=s --mount=type=secret,id=s,env=S <<EOF
set -e
test "$(cat /run/secrets/s)" = "$S"
echo kept >> /c/n; echo x > /m/x; cp /src/a /copied; echo w > /etc/d/w
mkdir -m 1750 /made; chown 7:8 /made; ln -s made /link; ln /copied /hard; mkfifo /pipe; touch -d @5 /old; echo $V$E$(hostname) > /names
rm -r /usr/share 2>/dev/null || true
EOF
FROM base
COPY --from=base /made /made2
WORKDIR /w/x
USER 5:6
RUN rm -f /copied 2>/dev/null; id -u > /tmp/id 2>/dev/null || true
USER 0
RUN true
RUN ["/bin/sh", "-c", "rm /copied && mkdir /etc/new && chmod 700 /made"]
"""


def build(env, d, isolation, *opts):
    (env.tmp / "secret").write_text(SECRET)
    return env.run("build", f"--isolation={isolation}", "--no-cache", "--network=none", "--secret", f"id=s,src={env.tmp / 'secret'}", "-t", isolation, *opts, d, env=EPOCH)


@test(needs="root,qemu,kernel")
def the_same_image_as_in_containers(env):
    d = context(env, WHOLE, {"a": "A", "d/f": "F"})
    vm, container = build(env, d, "vm").ok(), build(env, d, "container").ok()
    same(vm.out, container.out, "the images")
    # One id, and by one manifest: the layers' blobs are the same, too.
    digests = env.run("image", "inspect", "vm").ok().json()[0]["RepoDigests"]
    same(({d.split("@")[0] for d in digests}, len({d.split("@")[1] for d in digests})), ({"vm", "container"}, 1), "the manifests")
    same(env.run("run", "--rm", "--network=none", "vm", "sh", "-c", "cat /names; stat -c '%a %u:%g' /made /made2; readlink /link; test -p /pipe && ls -d /etc/new /etc/d /m /c /src 2>/dev/null; exit 0").ok().out,
         "1envbuildstep\n700 7:8\n755 0:0\nmade\n/etc/new\n", "the files")
    check(SECRET not in vm.out + vm.err, "the secret is in the output")
    same(os.popen(f"grep -rlF {SECRET} {env.root} {env.run_root} 2>/dev/null").read(), "", "files of ours that hold the secret")
    # What one step wrote into a cache directory another one sees, whatever it runs in.
    r = env.run("build", "--isolation=vm", "--network=none", "-t", "t", context(env, "FROM caisson/tiny\nRUN --mount=type=cache,target=/c,id=k wc -l < /c/n > /lines; grep -c processor /proc/cpuinfo; grep MemTotal /proc/meminfo\n"),
                "--memory=160m", "--cpus=2").ok()
    same(env.run("run", "--rm", "--network=none", "t", "cat", "/lines").ok().out, "2\n", "the cache directory")
    check("#2 2\n" in r.err, r.err)
    kib = int(r.err.split("MemTotal:")[1].split()[0])
    check(90 << 10 < kib < 170 << 10, f"--memory=160m gave {kib} KiB")
    same(os.listdir(env.root / "tmp"), [], "stages")
    same(env.run("ps", "-aq").ok().out, "", "instances")


@test(needs="root,qemu,kernel")
def what_fails_and_what_is_refused(env):
    r = env.run("build", "--isolation=vm", "--network=none", "-t", "t", context(env, "FROM caisson/tiny\nRUN echo last words; exit 3\n"))
    check(r.code == 1 and "Dockerfile:2" in r.err and "ended with code 3" in r.err and "last words" in r.err, f"{r.code} {r.err}")
    r = env.run("build", "--isolation=vm", "--network=none", "-t", "t", context(env, 'FROM caisson/tiny\nRUN ["/nothing"]\n'))
    check(r.code == 1 and "/nothing" in r.err, r.err)
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(env.tmp / "agent"))
        r = env.run("build", "--isolation=vm", "--ssh", f"default={env.tmp / 'agent'}", context(env, "FROM caisson/tiny\nRUN --mount=type=ssh true\n"))
        check(r.code == 1 and "does not reach into a VM" in r.err, r.err)
    r = env.run("build", "--isolation=vm", "--network=host", context(env, "FROM caisson/tiny\nRUN echo not in the cache\n"))
    check(r.code == 1 and "host" in r.err, f"{r.code} {r.err}")
    same(env.run("ps", "-aq").ok().out, "", "instances")
    # A killed build takes its machine along.
    p = env.start("build", "--isolation=vm", "--network=none", context(env, "FROM caisson/tiny\nRUN echo going; sleep 1000\n"))
    wait_for(lambda: env.run("ps", "-q").out, what="the step")
    os.kill(p.pid if hasattr(p, "pid") else p.p.pid, signal.SIGKILL)
    wait_for(lambda: not env.run("ps", "-aq").out, what="the end of the step")
    env.run("build", "--isolation=vm", "--network=none", context(env, "FROM caisson/tiny\nRUN true\n")).ok()
    same(os.listdir(env.root / "tmp"), [], "stages")


if __name__ == "__main__":
    main()
