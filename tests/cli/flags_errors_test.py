# SPDX-License-Identifier: Apache-2.0
"""Values that are wrong, options that exclude each other, options that are known and not possible: each is one line that
names what was typed, and nothing was made."""
import os

from caisson_test import check, main, same, test

T = "caisson/tiny"
LONG = "x" * 5000


def nothing_made(env):
    d = env.root / "instances"
    same(os.listdir(d) if d.is_dir() else [], [], "instances")


def refuse(env, code, table):
    for flags, words in table:
        env.run("create", *flags, T, "true").error(code, *words)
    nothing_made(env)


@test(needs="root")
def values_that_are_wrong(env):
    f = env.tmp / "bad-env"
    f.write_text("A=1\nB C=2\n")
    empty = env.tmp / "bad-label"
    empty.write_text("=x\n")
    refuse(env, 2, (
        (["--attach", "stdlog"], ["--attach", "stdlog"]),
        (["--annotation", "x"], ["--annotation", "x"]),
        (["--blkio-weight", "5"], ["--blkio-weight"]),
        (["--blkio-weight", "1001"], ["--blkio-weight"]),
        (["--blkio-weight-device", "/dev/null:100"], ["--blkio-weight-device", "/dev/null"]),
        (["--cap-add", "CAP_NONSENSE"], ["CAP_NONSENSE"]),
        (["--cgroup-parent", "../x"], ["--cgroup-parent", "../x"]),
        (["--cgroup-parent", "/a/../b"], ["--cgroup-parent"]),
        (["--cgroup-parent", "a\nb"], ["--cgroup-parent"]),
        (["--cgroup-parent", LONG], ["--cgroup-parent"]),
        (["--cgroupns", "shared"], ["--cgroupns", "shared"]),
        (["--cpu-period", "5"], ["--cpu-period"]),
        (["--cpu-quota", "5"], ["--cpu-quota"]),
        (["--cpu-rt-period", "10", "--cpu-rt-runtime", "20"], ["--cpu-rt-runtime"]),
        (["--cpu-shares", "1"], ["--cpu-shares"]),
        (["--cpuset-cpus", "0-"], ["--cpuset-cpus", "0-"]),
        (["--cpuset-cpus", "5000"], ["--cpuset-cpus", "5000"]),
        (["--cpuset-mems", "77"], ["--cpuset-mems", "77"]),
        (["--device", "/etc/passwd"], ["--device", "/etc/passwd"]),
        (["--device", "dev/null"], ["--device", "dev/null"]),
        (["--device", "/dev/null:/x:rwz"], ["--device", "rwz"]),
        (["--device", "/dev/null:/a/../b"], ["--device"]),
        (["--device-cgroup-rule", "c 1:3"], ["--device-cgroup-rule", "c 1:3"]),
        (["--device-cgroup-rule", "x 1:3 rwm"], ["x 1:3 rwm"]),
        (["--device-read-bps", "/dev/null:1m"], ["--device-read-bps", "/dev/null"]),
        (["--device-write-bps", "/dev/loop0:x"], ["--device-write-bps"]),
        (["--device-read-iops", "loop0:1"], ["--device-read-iops", "loop0"]),
        (["--device-write-iops", "/dev/loop0:1m"], ["--device-write-iops"]),
        (["--domainname", "a b"], ["--domainname", "a b"]),
        (["--group-add", "a\nb"], ["--group-add", "control character"]),
        (["--user", "a\x1b[31m"], ["--user", "control character"]),
        (["--user", "a\x7f"], ["--user", "control character"]),
        (["--env-file", f], ["--env-file", "line 2"]),
        (["--label-file", empty], ["--label-file", "line 1"]),
        (["--expose", "1:2"], ["--expose", "1:2"]),
        (["--expose", "99999"], ["--expose", "99999"]),
        (["--hostname", "a\nb"], ["--hostname"]),
        (["--hostname", "x" * 65], ["--hostname"]),
        (["--isolation", "jail"], ["--isolation", "jail"]),
        (["--label", "=x"], ["--label", "=x"]),
        (["--memory", "5m"], ["--memory"]),
        (["--memory-reservation", "1m"], ["--memory-reservation"]),
        (["--memory-swappiness", "101"], ["--memory-swappiness"]),
        (["-v", "/a:/b:ro,rw"], ["rw"]),
        (["-v", "/a:/b:rshared,private"], ["private"]),
        (["-v", "/a:/b:z,Z"], ["Z"]),
        (["-v", "/a:/b:nocopy"], ["nocopy"]),
        (["-v", "vol:/b:rshared"], ["rshared"]),
        (["-v", "/a:/b:sideways"], ["sideways"]),
        (["-v", "../a:b"], ["absolute"]),
        (["-v", "/a:/b", "-v", "/c:/b/"], ["duplicate", "/b"]),
        (["-v", "/a:/"], ["/a:/"]),
        (["--mount", "type=bind,source=/tmp"], ["no target"]),
        (["--mount", "type=nfs,target=/x"], ["nfs"]),
        (["--mount", "type=bind,target=/x"], ["source"]),
        (["--mount", "type=tmpfs,source=/tmp,target=/x"], ["source"]),
        (["--mount", "type=volume,target=/x,tmpfs-size=1m"], ["tmpfs-size"]),
        (["--mount", "type=bind,source=/tmp,target=/x,volume-nocopy"], ["volume-nocopy"]),
        (["--mount", "type=tmpfs,target=/x,tmpfs-mode=9"], ["tmpfs-mode"]),
        (["--mount", "type=bind,source=/tmp,target=/x,bind-propagation=up"], ["bind-propagation"]),
        (["--mount", "type=bind,source=/tmp,target=/x,bind-recursive=readonly"], ["readonly"]),
        (["--mount", "type=bind,source=/tmp,target=/x,readonly,bind-recursive=readonly"], ["bind-propagation=rprivate"]),
        (["--mount", "type=bind,source=/tmp,target=/x,bind-nonrecursive,bind-recursive=writable"], ["bind-nonrecursive"]),
        (["--mount", "type=bind,source=/tmp,target=/x,what=ever"], ["what"]),
        (["--tmpfs", "/t:sizee=1m"], ["sizee"]),
        (["--tmpfs", "t"], ["absolute"]),
        (["--name", "../x"], ["../x"]),
        (["--name", "a/b"], ["a/b"]),
        (["--name", "a\nb"], []),
        (["--name", LONG], []),
        (["--name", "\x1b[31mred"], []),
        (["--oom-score-adj", "2000"], ["--oom-score-adj"]),
        (["--stop-signal", "SIGNONSENSE"], ["SIGNONSENSE"]),
        (["--sysctl", "kernel.shm_rmid_forced"], ["--sysctl"]),
        (["--sysctl", "kernel.panic=1"], ["--sysctl", "kernel.panic"]),
        (["--sysctl", "net/../../kernel/panic=1"], ["--sysctl"]),
        (["--sysctl", LONG + "=1"], ["--sysctl"]),
        (["--ulimit", "nofile=2:1"], ["--ulimit"]),
        (["--ulimit", "nonsense=2"], ["--ulimit", "nonsense"]),
        (["--uts", "private"], ["--uts", "private"]),
        (["--volume-driver", "nfs"], ["--volume-driver", "nfs"]),
        (["--workdir", "relative"], ["--workdir", "relative"])))
    for code, text in ((2, ""), (2, "[]"), (125, "{}"), (125, "{]"), (2, '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"action": "SCMP_ACT_ALLOW"}]}')):
        f = env.tmp / "bad-profile"
        f.write_text(text)
        env.run("create", "--security-opt", f"seccomp={f}", T).error(code, "--security-opt", "seccomp")
    refuse(env, 2, (
        (["--ipc", "shared"], ["--ipc", "shared"]),
        (["--ipc", "container:"], ["--ipc", "container:"]),
        (["--pid", "private"], ["--pid", "private"]),
        (["--security-opt", "nonsense"], ["--security-opt", "nonsense"]),
        (["--security-opt", "mask=etc"], ["--security-opt", "etc"]),
        (["--security-opt", "unmask=/proc/../sys"], ["--security-opt", "/proc/../sys"]),
        (["--security-opt", "no-new-privileges:maybe"], ["--security-opt", "maybe"]),
        (["--security-opt", "writable-cgroups=x"], ["--security-opt", "writable-cgroups"])))
    refuse(env, 125, (
        (["--security-opt", "apparmor=none-such"], ["apparmor"]),
        (["--security-opt", "label=type:x"], ["--security-opt", "label"]),
        (["--security-opt", "seccomp=/no/such"], ["--security-opt", "/no/such"])))
    env.run("create", "--mount", "type=bind,source=/no/such,target=/x", T).error(125, "/no/such")
    env.run("create", "--device", "/dev/no-such", T).error(125, "--device", "/dev/no-such")
    env.run("create", "--env-file", "/no/such/file", T).error(125, "--env-file", "/no/such/file")
    nothing_made(env)


@test(needs="root")
def options_that_exclude_each_other(env):
    refuse(env, 2, (
        (["--cpus", "1", "--cpu-quota", "5000"], ["--cpus", "--cpu-quota"]),
        (["--memory-swap", "1g"], ["--memory-swap", "--memory"]),
        (["--memory", "64m", "--memory-swap", "32m"], ["--memory-swap"]),
        (["--memory", "64m", "--memory-reservation", "65m"], ["--memory-reservation"]),
        (["--hostname", "a", "--uts", "host"], ["--hostname", "--uts"]),
        (["--domainname", "a", "--uts", "host"], ["--domainname", "--uts"]),
        (["--hostname", "a", "--network", "host"], ["--hostname", "--network"]),
        (["-P", "--network", "none"], ["--publish-all", "none"]),
        (["--sysctl", "kernel.shm_rmid_forced=1", "--ipc", "host"], ["--sysctl", "ipc"]),
        (["-p", "80", "--network", "host"], ["--publish", "host"]),
        (["--sysctl", "net.ipv4.ip_forward=1", "--network", "host"], ["--sysctl", "network"]),
        (["--memory", "1.5x"], ["--memory", "1.5x"]),
        (["--runtime", "caisson-vm", "--isolation", "container"], ["--runtime", "--isolation"])))


@test(needs="root")
def attached_and_in_the_background(env):
    env.run("run", "-d", "-a", "stdout", T, "true").error(2, "--attach", "--detach")
    nothing_made(env)


@test(needs="root")
def what_is_known_and_not_possible(env):
    refuse(env, 125, (
        (["--cpu-count", "1"], ["--cpu-count", "Windows"]),
        (["--cpu-percent", "1"], ["--cpu-percent"]),
        (["--io-maxbandwidth", "1m"], ["--io-maxbandwidth"]),
        (["--io-maxiops", "1"], ["--io-maxiops"]),
        (["--storage-opt", "size=1g"], ["--storage-opt", "size="]),
        (["--storage-opt", "dm.fs=xfs"], ["--storage-opt", "dm.fs"]),
        (["--gpus", "all"], ["--gpus", "--device"]),
        (["--kernel-memory", "64m"], ["--kernel-memory"]),
        (["--link", "other:alias"], ["--link", "network"]),
        (["--use-api-socket"], ["--use-api-socket"]),
        (["--disable-content-trust=false"], ["--disable-content-trust"]),
        (["--device", "vendor.com/class=name"], ["--device", "CDI"]),
        (["--runtime", "runc"], ["--runtime", "runc"])))
    check("refused" in env.run("run", "--help").ok().out, "help does not say which")


@test(needs="root")
def an_environment_that_is_too_large(env):
    # Each file and each line fits, all together do not: found before anything is made.
    files = []
    for n in range(3):
        f = env.tmp / f"huge-{n}"
        f.write_text("".join(f"V{n}_{i}=" + "x" * 60000 + "\n" for i in range(17)))
        files += ["--env-file", f]
    env.run("create", *files[:2], T, "true").ok()
    env.run("rm", "-f", *env.run("ps", "-aq").ok().out.split()).ok()
    env.run("create", *files, T, "true").error(125, "request")
    too_long = env.tmp / "too-long"
    too_long.write_text("A=" + "x" * (64 << 10) + "\n")
    env.run("create", "--env-file", too_long, T, "true").error(2, "--env-file", "line 1")
    too_large = env.tmp / "too-large"
    too_large.write_text("A=1\n" * (1 << 19))
    env.run("create", "--env-file", too_large, T, "true").error(125, "--env-file")
    nothing_made(env)


@test(needs="root")
def what_was_typed_is_shown_without_its_controls(env):
    for flag, value in (("--user", "\x1b]0;title\x07x"), ("--stop-signal", "\x1b[2J"), ("--network", "\x1b[31m")):
        r = env.run("run", "--rm", flag, value, T, "true")
        check(r.code != 0 and "\x1b" not in r.err and value.lstrip("\x1b")[:4] in r.err, f"{flag}: {r.code} {r.err!r}")


main()
