# SPDX-License-Identifier: Apache-2.0
# timeout: 300
"""What each option does, as containers, and what only a container can have."""
import os, pathlib, re, subprocess

import flags_cases  # noqa: F401, its cases register themselves
from caisson_test import check, main, same, test, wait_for
from flags_cases import T, cgroup_file, inspect

NEEDS = "root,netns"


@test(needs=NEEDS)
def memory_in_all_its_kinds(env):
    env.run("run", "--rm", "--memory-swap", "-1", T, "true").ok()
    env.run("run", "-d", "--name", "mem", "--memory", "64m", "--memory-reservation", "32m", "--memory-swap", "128m", T, "sleep", "1000").ok()
    path = "/caisson/" + inspect(env, "mem")["Id"]
    same(cgroup_file("memory", path, "memory.limit_in_bytes", "memory.max"), str(64 << 20), "limit")
    same(cgroup_file("memory", path, "memory.soft_limit_in_bytes", "memory.low"), str(32 << 20), "reservation")
    check(cgroup_file("memory", path, "memory.memsw.limit_in_bytes", "memory.swap.max") in (str(128 << 20), str(64 << 20)), "swap")
    env.run("rm", "-f", "mem").ok()
    if pathlib.Path("/sys/fs/cgroup/memory").is_dir():
        env.run("run", "--rm", "--memory", "64m", "--memory-swap", "-1", "--memory-swappiness", "10", "--oom-kill-disable", T, "sh", "-c",
                "cd /sys/fs/cgroup/memory; cat memory.swappiness; head -1 memory.oom_control").ok(out="10\noom_kill_disable 1\n")
    else:
        env.run("run", "--rm", "--memory", "64m", "--memory-swappiness", "10", T, "true").error(125, "swappiness")
        env.run("run", "--rm", "--memory", "64m", "--oom-kill-disable", T, "true").error(125)


@test(needs=NEEDS)
def weights_and_real_time_where_the_kernel_has_them(env):
    v1 = pathlib.Path("/sys/fs/cgroup/blkio")
    weight = any((v1 / "caisson-test-leaf" / f).exists() for f in ("blkio.weight", "blkio.bfq.weight"))
    r = env.run("run", "--rm", "--blkio-weight", "300", T, "true")
    check(r.code == 0 if weight else r.code == 125 and "weight" in r.err, f"{r.code} {r.err}")
    real = pathlib.Path("/sys/fs/cgroup/cpu/cpu.rt_runtime_us").exists()
    r = env.run("run", "--rm", "--cpu-rt-runtime", "1000", "--cpu-rt-period", "1000000", T, "true")
    check(r.code in (0, 125) if real else r.code == 125 and "rt" in r.err, f"{r.code} {r.err}")


@test(needs=NEEDS)
def namespaces_of_the_host(env):
    same(env.run("run", "--rm", "--uts", "host", T, "hostname").ok().out.strip(), os.uname().nodename, "host name")
    own = os.readlink("/proc/self/ns/cgroup")
    same(env.run("run", "--rm", "--cgroupns", "host", T, "readlink", "/proc/self/ns/cgroup").ok().out.strip(), own, "cgroup namespace")
    check(env.run("run", "--rm", "--cgroupns", "private", T, "readlink", "/proc/self/ns/cgroup").ok().out.strip() != own, "one of its own")


@test(needs=NEEDS)
def a_slice_is_where_systemd_keeps_it(env):
    env.run("run", "-d", "--name", "slice", "--cgroup-parent", "ctest-a.slice", T, "sleep", "1000").ok()
    check(cgroup_file("pids", "/ctest.slice/ctest-a.slice/" + inspect(env, "slice")["Id"], "pids.max", "pids.max"), "no such cgroup")
    env.run("rm", "-f", "slice").ok()
    for d in list(pathlib.Path("/sys/fs/cgroup").glob("**/ctest-a.slice")):
        d.rmdir()
        d.parent.rmdir()


@test(needs=NEEDS)
def devices_of_the_host_and_their_directories(env):
    env.run("run", "--rm", "--device", "/dev/loop-control", T, "sh", "-c", "test -c /dev/loop-control && echo ok").ok(out="ok\n")
    env.run("run", "--rm", "--device", "/dev/net", T, "sh", "-c", "test -c /dev/net/tun && echo ok").ok(out="ok\n")
    env.run("run", "--rm", "--device", "/dev/fuse:/dev/mine:r", T, "sh", "-c", "(: >/dev/mine) 2>/dev/null || echo read-only").ok(out="read-only\n")
    env.run("run", "--rm", "--device-cgroup-rule", "c 10:229 rw", T, "sh", "-c", "grep -c '10:229 rw' /sys/fs/cgroup/devices/devices.list || true").ok()
    env.run("run", "--rm", "--device", "/dev/zero:/dev/z:w", T, "sh", "-c", "head -c1 /dev/zero | wc -c; stat -c %t:%T /dev/z").ok(out="1\n1:5\n")


@test(needs=NEEDS)
def runtimes_and_kinds_by_dockers_names(env):
    # env.run() says --isolation=container: the same in other words is fine, the opposite is not.
    env.run("run", "--rm", "--runtime", "caisson", T, "true").ok()
    env.run("run", "--rm", "--runtime", "caisson-vm", T, "true").error(2, "--runtime", "--isolation")
    env.run("run", "--rm", "--runtime", "runc", T, "true").error(125, "runc")
    for kind in ("default", "process"):
        env.run("run", "--rm", "--isolation", kind, T, "true").ok()
    env.run("create", "--isolation", "hyperv", "--name", "hv", T, "true").ok()
    same(inspect(env, "hv")["HostConfig"]["Isolation"], "vm", "isolation")
    env.run("rm", "hv").ok()


@test(needs=NEEDS)
def network_of_another_instance(env):
    env.run("run", "-d", "--name", "host1", "--hostname", "donorhost", "--add-host", "x:192.0.2.9", T, "httpd", "-f", "-p", "127.0.0.1:80", "-h", "/etc").ok()
    wait_for(lambda: env.run("run", "--rm", "--network", "container:host1", T, "wget", "-qO-", "http://127.0.0.1/hostname").out == "donorhost\n", what="what listens on the other's loopback")
    ns = env.run("exec", "host1", "readlink", "/proc/self/ns/net").ok().out
    env.run("run", "--rm", "--net", "container:host1", T, "sh", "-c", "readlink /proc/self/ns/net; hostname; echo $HOSTNAME; cat /etc/hostname; grep 192.0.2.9 /etc/hosts").ok(
        out=re.compile(re.escape(ns) + "donorhost\ndonorhost\ndonorhost\n192.0.2.9\\s+x\n"))
    env.run("run", "-d", "--name", "guest1", "--network", "container:host1", T, "sleep", "1000").ok()
    doc = inspect(env, "guest1")
    same((doc["HostConfig"]["NetworkMode"], doc["NetworkSettings"]["Networks"], doc["NetworkSettings"]["IPAddress"]),
         ("container:" + inspect(env, "host1")["Id"], {}, inspect(env, "host1")["NetworkSettings"]["IPAddress"]), "inspect")
    for flags in (["-p", "1:1"], ["-P"], ["--hostname", "h"], ["--dns", "192.0.2.1"], ["--add-host", "a:192.0.2.1"], ["--mac-address", "02:00:00:00:00:01"], ["--ip", "10.0.0.9"],
                  ["--expose", "80"], ["--sysctl", "net.ipv4.ip_forward=1"], ["--userns", "auto"]):
        env.run("create", *flags, "--network", "container:host1", T, "true").error(2, flags[0])
    # One who joins a joiner has the first one's files; the host's own network is joined by its own name only.
    env.run("run", "--rm", "--network", "container:guest1", T, "cat", "/etc/hostname").ok(out="donorhost\n")
    env.run("run", "-d", "--name", "open1", "--network", "host", T, "sleep", "1000").ok()
    env.run("run", "--rm", "--network", "container:open1", T, "true").error(125, "open1", "--network host")
    env.run("rm", "-f", "open1").ok()
    env.run("run", "--rm", "--network", "container:", T, "true").error(2, "--network")
    env.run("run", "--rm", "--network", "container:nobody", T, "true").error(125, "nobody")
    env.run("run", "--rm", "--isolation", "vm", "--network", "container:host1", T, "true").error(125, "--network", "vm")
    env.run("rm", "-f", "host1").ok()
    env.run("exec", "guest1", "cat", "/etc/hostname").ok(out="donorhost\n")  # it goes on with what it has
    env.run("restart", "-t", "0", "guest1").error(1, "--network", "no such instance")
    env.run("rm", "-f", "guest1").ok()


@test(needs=NEEDS)
def ipc_and_processes_of_another_instance(env):
    env.run("run", "-d", "--name", "donor", "--ipc", "shareable", T, "sh", "-c", "echo theirs >/dev/shm/f; exec sleep 1000").ok()
    env.run("run", "--rm", "--ipc", "container:donor", "--pid", "container:donor", T, "sh", "-c",
            "until test -e /dev/shm/f; do sleep 0.1; done; cat /dev/shm/f; cat /proc/1/comm; echo ours >/dev/shm/g").ok(out="theirs\nsleep\n")
    env.run("exec", "donor", "cat", "/dev/shm/g").ok(out="ours\n")
    same(env.run("run", "--rm", "--ipc", "container:donor", T, "readlink", "/proc/self/ns/ipc").ok().out,
         env.run("exec", "donor", "readlink", "/proc/self/ns/ipc").ok().out, "namespace")
    # The id stands in the record: a later bearer of the name is not meant.
    env.run("create", "--name", "joiner", "--pid", "container:donor", T, "true").ok()
    env.run("rm", "-f", "donor").ok()
    env.run("run", "-d", "--name", "donor", T, "sleep", "1000").ok()
    env.run("start", "joiner").error(1, "--pid", "no such instance")
    env.run("run", "--rm", "--ipc", "container:donor", T, "true").error(125, "donor", "shareable")
    env.run("stop", "-t", "0", "donor").ok()
    env.run("run", "--rm", "--pid", "container:donor", T, "true").error(125, "donor", "not running")
    env.run("run", "--rm", "--pid", "container:none", T, "true").error(125, "none")
    env.run("rm", "donor", "joiner").ok()


@test(needs=NEEDS)
def ipc_and_processes_of_the_host(env):
    r = env.run("run", "--rm", "--pid", "host", "--ipc", "host", T, "sh", "-c", "readlink /proc/self/ns/pid; readlink /proc/self/ns/ipc").ok()
    same(r.out.split(), [os.readlink("/proc/self/ns/pid"), os.readlink("/proc/self/ns/ipc")], "namespaces")
    # Nobody is process 1 here: what the command leaves ends with the instance all the same.
    env.run("run", "--rm", "--pid", "host", T, "sh", "-c", "sleep 1000 & exit 3").expect(3)
    env.run("run", "--rm", "--pid", "host", "--init", T, "sh", "-c", "sleep 1000 & exit 4").expect(4)


@test(needs=NEEDS)
def privileged_sees_the_devices_of_the_host(env):
    env.run("run", "--rm", "--privileged", T, "sh", "-c", "test -c /dev/kmsg && test -c /dev/loop-control && head -c 0 /dev/kmsg && echo ok").ok(out="ok\n")
    env.run("run", "--rm", "--privileged", T, "sh", "-c", "mknod /tmp/kmsg c 1 11 && head -c 0 /tmp/kmsg && echo made").ok(out="made\n")
    env.run("run", "--rm", "--privileged", "--security-opt", "seccomp=builtin", "--cap-drop", "NET_RAW", T, "sh", "-c",
            "grep Seccomp: /proc/self/status").ok(out="Seccomp:\t2\n")


@test(needs=NEEDS)
def what_is_mounted_below_and_later(env):
    d = env.tmp / "below"
    (d / "sub").mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(d / "sub")], check=True)
    (d / "sub/f").write_text("below\n")
    probe = "cat /m/sub/f 2>/dev/null || echo none; (echo x >/m/sub/g) 2>/dev/null && echo written; true"
    try:
        for spec, want in (("", "below\nwritten\n"), (",readonly", "below\n"), (",readonly,bind-recursive=writable", "below\nwritten\n"), (",bind-recursive=disabled", "none\nwritten\n"),
                           (",bind-nonrecursive", "none\nwritten\n"), (",readonly,bind-recursive=readonly,bind-propagation=rprivate", "below\n")):
            env.run("run", "--rm", "--mount", f"type=bind,source={d},target=/m{spec}", T, "sh", "-c", probe).ok(out=want)
        env.run("run", "--rm", "-v", f"{d}:/m:ro", T, "sh", "-c", probe).ok(out="below\n")
    finally:
        subprocess.run(["umount", str(d / "sub")], check=True)
    # Mounts made later: by the host into a slave, by the instance to the host of a shared one.
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(d)], check=True)
    subprocess.run(["mount", "--make-shared", str(d)], check=True)
    for name in ("host", "own"):
        (d / name).mkdir()
    try:
        env.run("run", "-d", "--name", "slave", "-v", f"{d}:/m:rslave", T, "sleep", "1000").ok()
        env.run("run", "-d", "--name", "shared", "--cap-add", "SYS_ADMIN", "-v", f"{d}:/m:rshared", T, "sleep", "1000").ok()
        env.run("run", "-d", "--name", "private", "-v", f"{d}:/m", T, "sleep", "1000").ok()
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(d / "host")], check=True)
        (d / "host/f").write_text("later\n")
        env.run("exec", "slave", "cat", "/m/host/f").ok(out="later\n")
        env.run("exec", "shared", "cat", "/m/host/f").ok(out="later\n")
        env.run("exec", "private", "ls", "/m/host").ok(out="")
        env.run("exec", "shared", "mount", "-t", "tmpfs", "tmpfs", "/m/own").ok()
        check(os.path.ismount(d / "own"), "a mount of a shared one does not reach the host")
        env.run("exec", "shared", "umount", "/m/own").ok()
        env.run("rm", "-f", "slave", "shared", "private").ok()
    finally:
        subprocess.run(["umount", "-R", str(d)], check=True)
    # Relative sources are the caller's.
    (d / "here").write_text("here\n")
    env.run("run", "--rm", "--mount", "type=bind,src=./here,dst=/m", "-v", "./here:/n", T, "cat", "/m", "/n", cwd=d).ok(out="here\nhere\n")


main(isolation="container")
