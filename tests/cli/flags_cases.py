# SPDX-License-Identifier: Apache-2.0
"""What each option of `run` and `create` does: flags_container_test.py and flags_vm_test.py run this list behind both walls.

As in both_cases.py a case may not ask which wall it is behind.  A VM takes seconds to start, so a case gives as many
options as can be told apart afterwards."""
import json, os, pathlib, re, resource, signal

from both_cases import NEEDS, T, detached, name_of
from caisson_test import TESTS, check, same, test, wait_for

TESTS.clear()       # those of both_cases run in files of their own


def case(fn=None, **kw):
    kw.setdefault("needs", NEEDS + os.environ.get("CAISSON_TEST_MORE_NEEDS", ""))
    kw.setdefault("timeout", 90)
    return test(fn, **kw) if fn else test(**kw)


def inspect(env, name):
    return env.run("inspect", name).ok().json()[0]


def cgroup_file(ctl, path, v1, v2):
    """The text of a limit's file as the host sees it, in the version of cgroups that the controller is in.  An ordinary user's
    instances are below the cgroup that the user has been given."""
    own = next((line.rstrip("\n").split(":", 2)[2] for line in open("/proc/self/cgroup") if ctl in line.split(":")[1].split(",")), "").rstrip("/")
    for base, name in ((f"/sys/fs/cgroup/{ctl}", v1), (f"/sys/fs/cgroup/{ctl}{own}", v1), ("/sys/fs/cgroup", v2), ("/sys/fs/cgroup/unified", v2)):
        f = pathlib.Path(base + path) / name
        if f.exists():
            return f.read_text().strip()
    return None


@case
def names_groups_settings_and_labels(env):
    f = env.tmp / f"labels-{env.isolation}"
    f.write_text("\ufeff# comment\n\nfrom.file=a b\nalone\nboth=file\n")
    env.run("run", "--rm", "--hostname", "box", "--domainname", "dom.example", "--group-add", "tty", "--group-add", "4711",
            "--sysctl", "kernel.shm_rmid_forced=1", "--sysctl", "net.ipv4.ip_forward=1", T, "sh", "-c",
            "hostname; cat /proc/sys/kernel/domainname /proc/sys/kernel/shm_rmid_forced /proc/sys/net/ipv4/ip_forward; id -G").ok(
                out="box\ndom.example\n1\n1\n0 5 4711\n")
    name = name_of(env, "labels")
    env.run("create", "--name", name, "--label-file", f, "--label", "both=line", "--annotation", "a.b/c=d e", T, "true").ok()
    labels = inspect(env, name)["Config"]["Labels"]
    for k, v in (("from.file", "a b"), ("alone", ""), ("both", "line")):
        same(labels.get(k), v, f"label {k}")
    env.run("rm", name).ok()


@case
def environment_files_follow_dockers_rules(env):
    f = env.tmp / f"env-{env.isolation}"
    f.write_bytes(b"# not me\n  \n  A=1 2  \nB=\"q\" # no comment\r\nFROM_HERE\nNOT_HERE\nC=x=y\nD=file\n")
    out = env.run("run", "--rm", "--env-file", f, "--env", "D=line", T, "env", env={"FROM_HERE": "x"}).ok().out.split("\n")
    for want in ("A=1 2  ", 'B="q" # no comment', "FROM_HERE=x", "C=x=y", "D=line"):
        check(want in out, f"{want!r} not in {out}")
    check(not any(v.startswith(("NOT_HERE", "#")) for v in out), f"too much in {out}")


@case
def processors_are_shared_out(env):
    name = detached(env, "cpu", "sleep", "1000", flags=("--cpu-shares", "512", "--cpuset-cpus", "0", "--cpuset-mems", "0", "--cpu-period", "50000",
                                                        "--cpu-quota", "20000", "--cgroup-parent", "/caisson/sub"))
    path = "/caisson/sub/" + inspect(env, name)["Id"]
    check(cgroup_file("cpu", path, "cpu.shares", "cpu.weight") in ("512", "50", "59"), "shares")
    same(cgroup_file("cpuset", path, "cpuset.cpus", "cpuset.cpus"), "0", "processors")
    same(cgroup_file("cpuset", path, "cpuset.mems", "cpuset.mems"), "0", "nodes")
    quota = cgroup_file("cpu", path, "cpu.cfs_quota_us", "cpu.max")
    check(quota in ("20000", "20000 50000"), f"quota {quota}")
    env.run("exec", name, "true").ok()
    env.run("rm", "-f", name).ok()
    for base in pathlib.Path("/sys/fs/cgroup").glob("*/caisson/sub"):
        base.rmdir()
    one = pathlib.Path("/sys/fs/cgroup/caisson/sub")
    if one.exists():
        one.rmdir()


@case
def block_devices_are_throttled(env):
    dev = next((f"/dev/{d}" for d in os.listdir("/sys/block") if os.path.exists(f"/dev/{d}") and not d.startswith(("loop", "ram"))), "/dev/loop0")
    st = os.stat(dev).st_rdev
    number = f"{os.major(st)}:{os.minor(st)}"
    name = detached(env, "blkio", "sleep", "1000", flags=("--device-read-bps", f"{dev}:1m", "--device-write-bps", f"{dev}:2m",
                                                          "--device-read-iops", f"{dev}:300", "--device-write-iops", f"{dev}:400"))
    path = "/caisson/" + inspect(env, name)["Id"]
    for kind, want in (("read_bps", 1 << 20), ("write_bps", 2 << 20), ("read_iops", 300), ("write_iops", 400)):
        text = cgroup_file("blkio", path, f"blkio.throttle.{kind}_device", "io.max")
        check(number in text and str(want) in text, f"{kind}: {text}")
    env.run("rm", "-f", name).ok()


@case
def ulimits_oom_score_and_shm(env):
    env.run("run", "--rm", "--ulimit", "nofile=123:456", "--oom-score-adj", "77", "--shm-size", "3m", "--stop-timeout", "3", T, "sh", "-c",
            "ulimit -n; ulimit -Hn; cat /proc/self/oom_score_adj; df -k /dev/shm | tail -1 | tr -s ' ' | cut -d' ' -f2").ok(out="123\n456\n77\n3072\n")


@case
def capabilities_and_no_new_privileges(env):
    env.run("run", "--rm", "--cap-drop", "ALL", "--cap-add", "CHOWN", "--security-opt", "no-new-privileges", T, "sh", "-c",
            "grep -e CapEff -e CapBnd -e NoNewPrivs /proc/self/status").ok(
                out="CapEff:\t0000000000000001\nCapBnd:\t0000000000000001\nNoNewPrivs:\t1\n")


@case
def devices_that_every_kernel_has(env):
    env.run("run", "--rm", "--device", "/dev/zero:/dev/mine", "--device-cgroup-rule", "c 10:200 rwm", T, "sh", "-c",
            "stat -c %t:%T /dev/mine; head -c 3 /dev/mine | wc -c").ok(out="1:5\n3\n")


@case
def resolver_hosts_and_entry_point(env):
    env.run("run", "--rm", "--dns", "192.0.2.53", "--add-host", "there:192.0.2.7", "--entrypoint", "sh", T, "-c",
            "grep nameserver /etc/resolv.conf; grep there /etc/hosts | tr -s '\\t ' ' '").ok(out="nameserver 192.0.2.53\n192.0.2.7 there\n")


@case
def publish_all_takes_what_is_exposed(env):
    name = detached(env, "expose", "sleep", "1000", flags=("-P", "--expose", "8080", "--expose", "9000-9001/udp"))
    ports = inspect(env, name)["NetworkSettings"]["Ports"]
    for p in ("8080/tcp", "9000/udp", "9001/udp"):
        check(int(ports[p][0]["HostPort"]) > 0, f"{p}: {ports}")
    env.run("rm", "-f", name).ok()


@case
def an_id_file_is_written_once(env):
    f = env.tmp / f"cid-{env.isolation}"
    env.run("create", "--name", name_of(env, "cid"), "--cidfile", f, "--quiet", "--disable-content-trust", "--volume-driver", "local", T, "true").ok()
    same(f.read_text(), inspect(env, name_of(env, "cid"))["Id"], "id")
    env.run("create", "--cidfile", f, T, "true").error(125, str(f))
    env.run("rm", name_of(env, "cid")).ok()


@case
def tmpfs_options(env):
    env.run("run", "--rm", "--tmpfs", "/t:size=2m,mode=0710,exec", T, "sh", "-c",
            "stat -c %a /t; grep ' /t ' /proc/mounts | grep -c noexec; df -k /t | tail -1 | tr -s ' ' | cut -d' ' -f2").expect(0, out="710\n0\n2048\n")


@case
def init_reaps_passes_signals_on_and_ends_as_the_command(env):
    # The orphans' parent is process 1: none of them stays a zombie.  Its program cannot be written.
    env.run("run", "--rm", "--init", T, "sh", "-c",
            "cat /proc/1/comm; for i in 1 2 3; do sh -c 'sleep 0.1 &'; done; sleep 0.5; n=0; while grep -q 'State:.Z' /proc/[0-9]*/status 2>/dev/null; do n=$((n+1)); test $n -lt 100 || { echo zombie; break; }; sleep 0.1; done; (echo >/proc/1/exe) 2>/dev/null || echo safe; exit 9"
            ).expect(9, out="caisson-init\nsafe\n")
    env.run("run", "--rm", "--init", T, "/no/such").error(127, "/no/such")
    p = env.start("run", "--rm", "--init", "--user", "1234", T, "sh", "-c", "trap 'echo got; exit 7' TERM; echo ready; while :; do sleep 0.1; done")
    p.until("ready\n")
    p.signal(signal.SIGTERM)
    p.finish().expect(7, out="ready\ngot\n")


@case
def init_ends_as_a_killed_command(env):
    env.run("run", "--rm", "--init", "-t", T, "sh", "-c", "test -t 0 && kill -9 $$").expect(137)


@case
def privileged_has_no_wall(env):
    out = env.run("run", "--rm", "--privileged", T, "sh", "-c",
                  "grep -e Seccomp: /proc/self/status; mount -t tmpfs x /mnt && echo mounted; mkdir /sys/fs/cgroup/sub 2>/dev/null || mkdir /sys/fs/cgroup/pids/sub && echo cgroup; "
                  "rmdir /sys/fs/cgroup/sub 2>/dev/null || rmdir /sys/fs/cgroup/pids/sub; test -w /proc/sys/kernel/core_pattern && echo writable").ok().out
    same(out, "Seccomp:\t0\nmounted\ncgroup\nwritable\n", "what is possible")


@case
def a_seccomp_profile_is_applied(env):
    f = env.tmp / f"profile-{env.isolation}.json"
    f.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}], "syscalls": [
        {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
        {"names": ["rmdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38, "includes": {"caps": ["CAP_BPF"]}}]}))
    env.run("run", "--rm", "--security-opt", f"seccomp={f}", T, "sh", "-c", "mkdir /x; rmdir /tmp && echo removed").expect(0, out="removed\n", err=re.compile("not implemented"))


@case
def parts_of_the_wall_have_switches(env):
    env.run("run", "--rm", "--security-opt", "mask=/etc:/proc/version", "--security-opt", "unmask=/proc/sys", "--security-opt", "writable-cgroups",
            "--security-opt", "label=disable", "--security-opt", "apparmor=unconfined", "--ipc", "none", T, "sh", "-c",
            "ls /etc | wc -l; wc -c </proc/version; test -w /proc/sys/kernel/core_pattern && echo sys; "
            "mkdir /sys/fs/cgroup/sub 2>/dev/null || mkdir /sys/fs/cgroup/pids/sub && echo cgroup; rmdir /sys/fs/cgroup/sub 2>/dev/null || rmdir /sys/fs/cgroup/pids/sub; "
            "grep -c /dev/shm /proc/mounts").expect(1, out="0\n0\nsys\ncgroup\n0\n")


@case
def the_default_wall(env):
    # docs/wall.md: capabilities, no core dumps, bounded descriptors, and what makes CAP_NET_RAW unnecessary.
    r = env.run("run", "--rm", T, "sh", "-c", "grep -e CapBnd -e CapInh -e CapAmb -e Seccomp: /proc/self/status; grep core /proc/self/limits | tr -s ' '; ulimit -n; "
                "cat /proc/sys/net/ipv4/ping_group_range /proc/sys/net/ipv4/ip_unprivileged_port_start; ulimit -Hn").ok()
    want = ("CapInh:\t0000000000000000\nCapBnd:\t00000000800405fb\nCapAmb:\t0000000000000000\nSeccomp:\t2\n"
            "Max core file size 1 1 bytes \n1024\n0\t65535\n0\n")
    same(r.out[:len(want)], want, "the wall")
    # No more than this test has, where it may not raise its own.
    check(int(r.out[len(want):]) in (524288, min(524288, resource.getrlimit(resource.RLIMIT_NOFILE)[1])), f"open files {r.out}")


@case
def detach_keys_of_one_s_own(env):
    name = name_of(env, "keys")
    t = env.tty("run", "-it", "--detach-keys", "ctrl-x,q", "--name", name, T, "sh")
    t.send("echo up-$((1+1))\n")
    t.until("up-2")
    t.send("\x18q")
    t.finish().expect(0)
    t = env.tty("attach", "--detach-keys=ctrl-t", "--sig-proxy=false", name)
    t.send("echo again-$((1+1))\n")
    t.until("again-2")
    t.send("\x14")
    t.finish().expect(0)
    t = env.tty("exec", "-it", "--detach-keys", "ctrl-y", name, "sh")
    t.send("echo exec-$((1+1))\n")
    t.until("exec-2")
    t.send("\x19")
    t.finish().expect(0)
    env.run("exec", name, "true").ok()
    env.run("rm", "-f", name).ok()


@case
def mounts_in_the_long_form(env):
    d = env.tmp / f"mount-{env.isolation}"
    d.mkdir(exist_ok=True)
    (d / "f").write_text("host\n")
    env.run("run", "--rm", "--mount", f"type=bind,source={d},target=/b,readonly,bind-propagation=rprivate,consistency=cached", "--mount", "type=tmpfs,dst=/t,tmpfs-size=2m,tmpfs-mode=1770",
            "--mount", f"type=volume,src=long-{env.isolation},destination=/etc,volume-nocopy", "-v", f"{d}:/rw:rw,z,nosuid", T, "sh", "-c",
            "cat /b/f; (echo x >/b/f) 2>/dev/null || echo read-only; stat -c %a /t; df -k /t | tail -1 | tr -s ' ' | cut -d' ' -f2; ls /etc | grep -c passwd; echo inside >/rw/g; "
            "grep -c ' /rw .*nosuid' /proc/mounts").ok(out="host\nread-only\n1770\n2048\n0\n1\n")
    same((d / "g").read_text(), "inside\n", "written through -v")


@case
def resolver_options(env):
    env.run("run", "--rm", "--dns", "192.0.2.53", "--dns-search", "a.example", "--dns-search", "b.example", "--dns-option", "ndots:3", "--dns-opt", "timeout:1", "--net", "bridge", T,
            "sh", "-c", "grep -e search -e options /etc/resolv.conf").ok(out="search a.example b.example\noptions ndots:3 timeout:1\n")


@case
def only_what_is_attached_is_shown(env):
    both = ("sh", "-c", "echo out; echo err >&2; cat")
    name = name_of(env, "attach")
    env.run("run", "--name", name, "-a", "stdout", T, *both).ok(out="out\n", err="")
    env.run("logs", name).ok(out="out\n", err="err\n")
    env.run("rm", name).ok()
    env.run("run", "--rm", "-i", "--attach", "STDIN", "--attach=stderr", T, *both, stdin="in\n").ok(out="", err="err\n")


@case
def the_stop_signal_is_the_one_asked_for(env):
    name = detached(env, "stopsig", "sh", "-c", "trap 'echo usr1; exit 3' USR1; echo up; while :; do sleep 0.1; done", flags=("--stop-signal", "SIGUSR1", "--stop-timeout", "20"))
    wait_for(lambda: "up" in env.run("logs", name).out, 20, "the workload is up")
    env.run("stop", name).ok()
    env.run("wait", name).ok(out="3\n")
    env.run("rm", name).ok()


@case
def which_platform(env):
    env.run("run", "--rm", "--platform", "linux/s390x", T, "true").error(125, "s390x")


@case
def a_signal_that_is_not_passed_on_ends_the_command_alone(env):
    name = name_of(env, "proxy")
    p = env.start("run", "--rm", "--name", name, "--sig-proxy=false", T, "sh", "-c", "trap 'echo got' TERM; echo ready; while :; do sleep 0.1; done")
    p.until("ready\n")
    p.signal(signal.SIGTERM)
    r = p.finish(timeout=300)
    check(r.code == 143 and "got" not in r.out, f"{r.code} {r.out}")
    env.run("exec", name, "true").ok()
    env.run("kill", name).ok()
    wait_for(lambda: name not in env.run("ps", "-a").out, 30, "--rm removes it at its end")
