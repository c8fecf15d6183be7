# SPDX-License-Identifier: Apache-2.0
"""What the "linux" and "process" parts of a bundle ask for beside namespaces, mounts and cgroups: each works or is refused by name."""
import json, os, re, subprocess

from caisson_test import check, main, same, skip, test
from oci_bundle import QUIET, Runtime, spec


def ip(*args):
    return subprocess.run(["ip", *args], check=True, capture_output=True, text=True).stdout


@test(needs="root,netns")
def net_devices_move_with_their_addresses(env):
    oci = Runtime(env)
    show = ("/bin/sh", "-c", "ip address show; cat /sys/class/net/$0/address /sys/class/net/$0/mtu")
    for into, name in (("new", "inside0"), ("new", None), ("joined", "inside0")):
        ip("link", "add", "cst0", "address", "02:00:00:00:00:07", "mtu", "1400", "type", "veth", "peer", "cst1")
        ip("link", "set", "cst1", "up")
        ip("address", "add", "192.0.2.7/24", "dev", "cst0")
        ip("address", "add", "2001:db8::7/64", "dev", "cst0", "nodad")
        ip("link", "set", "cst0", "up")
        try:
            c = spec(*show, name or "cst0")
            c["linux"]["netDevices"] = {"cst0": {"name": name} if name else {}}
            if into == "joined":
                holder = subprocess.Popen(["unshare", "--net", "sleep", "100"])
                own = os.readlink("/proc/self/ns/net")
                while os.readlink(f"/proc/{holder.pid}/ns/net") == own:
                    pass
                next(n for n in c["linux"]["namespaces"] if n["type"] == "network")["path"] = f"/proc/{holder.pid}/ns/net"
            r = oci.run(c).ok()
            for want in (f": {name or 'cst0'}@", "192.0.2.7/24", "2001:db8::7/64", "02:00:00:00:00:07", "\n1400\n", ",UP"):
                check(want in r.out, f"{into}: no {want!r} in {r.out}")
            check("cst0" not in re.findall(r"^\d+: ([^:@]*)", subprocess.run(["ip", "link"], capture_output=True, text=True).stdout, re.M), "still outside")
            if into == "joined":
                check("192.0.2.7/24" in subprocess.run(["nsenter", "-t", str(holder.pid), "--net", "ip", "address"], capture_output=True, text=True).stdout,
                      "gone from the namespace that others own")
                holder.kill()
                holder.wait()
        finally:
            subprocess.run(["ip", "link", "del", "cst1"], capture_output=True)


@test(needs="root")
def net_devices_that_cannot_be_are_refused(env):
    oci = Runtime(env)
    for devices, words in (({"nope0": {}}, "no network device 'nope0'"), ({"lo": {"name": "../x"}}, "linux.netDevices.lo"),
                           ({"lo": {"name": "a" * 16}}, "linux.netDevices.lo"), ({"lo": 7}, "linux.netDevices.lo"), ([1], "linux.netDevices")):
        c = spec()
        c["linux"]["netDevices"] = devices
        r = oci.run(c)
        check(r.code == 1 and words in r.err, f"{devices}: {r.code} {r.err}")
    c = spec()
    c["linux"]["netDevices"] = {"cst0": {}}
    c["linux"]["namespaces"] = [n for n in c["linux"]["namespaces"] if n["type"] != "network"]
    r = oci.run(c)
    check(r.code == 1 and "linux.netDevices" in r.err and "network namespace" in r.err, r.err)
    same(sorted(n for n in os.listdir(oci.root) if not n.startswith(".")), [], "state left")


@test(needs="root")
def memory_policy_of_run_and_exec(env):
    oci = Runtime(env)
    if not os.path.exists("/proc/self/numa_maps"):
        skip("a kernel without NUMA")
    first = "head -n 1 /proc/self/numa_maps | cut -d ' ' -f 2"
    for policy, want in (({"mode": "MPOL_INTERLEAVE", "nodes": "0"}, "interleave:0"),
                         ({"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]}, "bind=static:0"),
                         ({"mode": "MPOL_PREFERRED", "nodes": "0", "flags": ["MPOL_F_RELATIVE_NODES"]}, "prefer=relative:0")):
        c = spec("/bin/sleep", "100")
        c["linux"]["memoryPolicy"] = policy
        oci("run", "-d", "-b", oci.bundle(c), "c1", **QUIET).ok()
        same(oci("exec", "c1", "/bin/sh", "-c", first).ok().out.strip(), want, "exec")
        oci("delete", "-f", "c1").ok()
        same(oci.sh(first, c).ok().out.strip(), want, "run")
    for policy, words in (({}, "linux.memoryPolicy.mode"), ({"mode": "INTERLEAVE"}, "linux.memoryPolicy.mode"),
                          ({"mode": "MPOL_BIND", "nodes": "x"}, "linux.memoryPolicy.nodes"), ({"mode": "MPOL_BIND", "nodes": "0-99999"}, "linux.memoryPolicy.nodes"),
                          ({"mode": "MPOL_BIND", "nodes": "0", "flags": ["F"]}, "linux.memoryPolicy.flags[0]"), ({"mode": "MPOL_BIND"}, "linux.memoryPolicy"),
                          ({"mode": "MPOL_DEFAULT", "nodes": "0-7"}, "mode requires 0 nodes but got 8")):
        c = spec()
        c["linux"]["memoryPolicy"] = policy
        r = oci.run(c)
        check(r.code == 1 and words in r.err, f"{policy}: {r.code} {r.err}")


@test(needs="root")
def intel_rdt_needs_resctrl(env):
    oci = Runtime(env)
    if os.path.ismount("/sys/fs/resctrl"):
        skip("resctrl is mounted here: runtime/rdt_test shows the files")
    c = spec()
    c["linux"]["intelRdt"] = {"closID": "gold", "schemata": ["L3:0=f"]}
    r = oci.run(c)
    check(r.code == 1 and "linux.intelRdt: resctrl is not mounted" in r.err, r.err)
    c["linux"]["intelRdt"] = {"closID": "../x"}
    r = oci.run(c)
    check(r.code == 1 and "linux.intelRdt.closID" in r.err, r.err)
    oci("run", "-d", "-b", oci.bundle(spec("/bin/sleep", "100")), "c1", **QUIET).ok()
    r = oci("update", "--l3-cache-schema", "L3:0=f", "c1")
    check(r.code == 1 and "linux.intelRdt" in r.err, r.err)
    oci("delete", "-f", "c1").ok()
    same(sorted(n for n in os.listdir(oci.root) if not n.startswith(".")), [], "state left")


@test(needs="root")
def limits_without_their_controller_are_refused(env):
    oci = Runtime(env)
    here = open("/proc/self/cgroup").read()
    for name, limit in (("hugetlb", {"hugepageLimits": [{"pageSize": "2MB", "limit": 4 << 20}]}), ("rdma", {"rdma": {"mlx5_0": {"hcaHandles": 3}}}),
                        ("net_cls", {"network": {"classID": 5}}), ("net_prio", {"network": {"priorities": [{"name": "lo", "priority": 3}]}})):
        if name in here or os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
            continue
        c = spec()
        c["linux"]["resources"].update(limit)
        r = oci.run(c)
        check(r.code == 1 and name in r.err and "this host does not have" in r.err, f"{name}: {r.err}")
    if ":memory:" in here:
        c = spec()
        c["linux"]["resources"]["unified"] = {"memory.high": "1"}
        r = oci.run(c)
        check(r.code == 1 and "invalid configuration: linux.resources.unified" in r.err, r.err)
    same(sorted(n for n in os.listdir(oci.root) if not n.startswith(".")), [], "state left")


@test(needs="root")
def labels_without_their_module_are_refused(env):
    oci = Runtime(env)
    for key, module, there in (("apparmorProfile", "AppArmor", os.path.exists("/sys/kernel/security/apparmor")),
                               ("selinuxLabel", "SELinux", os.path.exists("/sys/fs/selinux/enforce"))):
        if there:
            continue
        c = spec()
        c["process"][key] = "something"
        r = oci.run(c)
        check(r.code == 1 and f"process.{key}" in r.err and f"{module} is not enabled" in r.err, r.err)
        if module == "SELinux":
            c = spec()
            c["linux"]["mountLabel"] = "system_u:object_r:x:s0"
            r = oci.run(c)
            check(r.code == 1 and "linux.mountLabel" in r.err and "SELinux is not enabled" in r.err, r.err)


@test(needs="root")
def personality_flags_are_refused_and_exec_has_the_domain(env):
    oci = Runtime(env)
    c = spec("/bin/sleep", "100")
    c["linux"]["personality"] = {"domain": "LINUX32"}
    oci("run", "-d", "-b", oci.bundle(c), "c1", **QUIET).ok()
    same(oci("exec", "c1", "uname", "-m").ok().out, "i686\n", "machine")
    oci("delete", "-f", "c1").ok()
    for p, words in (({"domain": "LINUX", "flags": ["ADDR_NO_RANDOMIZE"]}, "linux.personality.flags"), ({"domain": "BSD"}, "linux.personality.domain"), ({}, "linux.personality.domain")):
        c["linux"]["personality"] = p
        r = oci.run(c)
        check(r.code == 1 and words in r.err, f"{p}: {r.err}")


@test(needs="root")
def exec_cpu_affinity_initial_and_final(env):
    oci = Runtime(env)
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        skip("one CPU")
    oci("run", "-d", "-b", oci.bundle(spec("/bin/sleep", "100")), "c1", **QUIET).ok()
    a, b = str(cpus[0]), str(cpus[1])
    for affinity, want in (({"initial": b}, b), ({"initial": a, "final": b}, b), ({"final": a}, a), ({"initial": f"{a},{b}"}, None)):
        p = {"args": ["/bin/grep", "Cpus_allowed_list", "/proc/self/status"], "cwd": "/", "execCPUAffinity": affinity}
        (oci.base / "p.json").write_text(json.dumps(p))
        out = oci("exec", "-p", oci.base / "p.json", "c1").ok().out.split()[1]
        check(out == want if want else a in out and b in out, f"{affinity}: {out}")
    # It says where the process is before it is in its cgroup; a CPU that is not there is an error.
    for affinity in ({"initial": "1000"}, {"final": "1000"}, {"initial": "x"}):
        (oci.base / "p.json").write_text(json.dumps(dict(p, execCPUAffinity=affinity)))
        r = oci("exec", "-p", oci.base / "p.json", "c1")
        check(r.code == 255 and f"process.execCPUAffinity.{list(affinity)[0]}" in r.err, f"{affinity}: {r.err}")
    oci("delete", "-f", "c1").ok()


@test(needs="root")
def scheduler_and_io_priority(env):
    oci = Runtime(env)
    c = spec()
    for sched, want in (({"policy": "SCHED_OTHER", "nice": 5}, "0 5"), ({"policy": "SCHED_BATCH", "nice": -3}, "3 -3"), ({"policy": "SCHED_IDLE"}, "5 0"),
                        ({"policy": "SCHED_OTHER", "nice": 2, "flags": ["SCHED_FLAG_RESET_ON_FORK"]}, "0 2")):
        c["process"]["scheduler"] = sched
        same(oci.sh("exec awk '{print $41, $19}' /proc/self/stat", c).ok().out.strip(), want, f"{sched}")
    for sched, words in (({"policy": "NOPE"}, "process.scheduler.policy"), ({"policy": "SCHED_OTHER", "nice": 99}, "process.scheduler.nice"),
                         ({"policy": "SCHED_OTHER", "priority": 3}, "process.scheduler.priority"), ({"policy": "SCHED_OTHER", "flags": ["X"]}, "process.scheduler.flags")):
        c["process"]["scheduler"] = sched
        r = oci.run(c)
        check(r.code == 1 and words in r.err, f"{sched}: {r.err}")
    c = spec()
    for io, want in (({"class": "IOPRIO_CLASS_BE", "priority": 4}, "best-effort: prio 4"), ({"class": "IOPRIO_CLASS_IDLE", "priority": 0}, "idle")):
        c["process"]["ioPriority"] = io
        check(want in oci.sh("ionice -p $$", c).ok().out, f"{io}")
    for io, words in (({"class": "X"}, "process.ioPriority.class"), ({"class": "IOPRIO_CLASS_BE", "priority": 8}, "process.ioPriority.priority")):
        c["process"]["ioPriority"] = io
        r = oci.run(c)
        check(r.code == 1 and words in r.err, f"{io}: {r.err}")


@test(needs="root")
def the_deadline_policy_with_a_cpuset_says_why(env):
    oci = Runtime(env)
    if len(os.sched_getaffinity(0)) < 2 or not os.path.exists("/sys/fs/cgroup/cpuset/cgroup.procs"):
        skip("one CPU, or no cpuset hierarchy of v1")
    c = spec()
    c["linux"]["resources"]["cpu"] = {"cpus": "0"}
    c["process"]["scheduler"] = {"policy": "SCHED_DEADLINE", "runtime": 42000, "deadline": 1000000, "period": 1000000}
    r = oci.run(c)
    check(r.code == 1 and "process scheduler can't be used together with AllowedCPUs '0'" in r.err, r.err)


@test(needs="root")
def update_changes_what_later_commands_know(env):
    oci = Runtime(env)
    c = spec("/bin/sleep", "100")
    c["linux"]["resources"].update(memory={"limit": 64 << 20}, cpu={"shares": 512})
    c["annotations"] = {"a.b": "kept"}
    oci("run", "-d", "-b", oci.bundle(c), "c1", **QUIET).ok()
    oci("update", "--memory", "96m", "--memory-swap", "96m", "--pids-limit", "77", "--cpu-quota", "50000", "c1").ok()
    kept = json.loads((oci.root / "c1/config.json").read_text())
    r = kept["linux"]["resources"]
    same((r["memory"]["limit"], r["pids"]["limit"], r["cpu"]["quota"], r["cpu"]["shares"]), (96 << 20, 77, 50000, 512), "limits kept")
    same(kept["process"]["args"], ["/bin/sleep", "100"], "the rest")
    same(oci.state()["annotations"], {"a.b": "kept"}, "annotations")
    stats = json.loads(oci("events", "--stats", "c1").ok().out)["data"]
    same((stats["memory"]["usage"]["limit"], stats["pids"]["limit"]), (96 << 20, 77), "limits of events")
    oci("exec", "c1", "true").ok()
    oci("delete", "-f", "c1").ok()


def sandbox(c, *rules, default="SCMP_ACT_ALLOW", **more):
    c["linux"]["seccomp"] = {"defaultAction": default, "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"], "syscalls": list(rules), **more}
    return c


@test(needs="root")
def seccomp_actions(env):
    oci = Runtime(env)
    made = "mkdir /tmp/x 2>&1; echo code $?"
    for action, more, want in (("SCMP_ACT_ERRNO", {}, "Operation not permitted\ncode 1"), ("SCMP_ACT_ERRNO", {"errnoRet": 100}, "Network is down\ncode 1"),
                               ("SCMP_ACT_KILL", {}, "code 159"), ("SCMP_ACT_KILL_PROCESS", {}, "code 159"), ("SCMP_ACT_KILL_THREAD", {}, "code 159"),
                               ("SCMP_ACT_TRAP", {}, "code 159"), ("SCMP_ACT_TRACE", {"errnoRet": 1}, "Function not implemented\ncode 1"),
                               ("SCMP_ACT_LOG", {}, "code 0"), ("SCMP_ACT_ALLOW", {}, "code 0")):
        for nnp in (True, False):
            c = sandbox(spec(), {"names": ["mkdir", "mkdirat"], "action": action, **more})
            c["process"]["noNewPrivileges"] = nnp
            out = oci.sh(made, c).ok().out
            check(want in out, f"{action} {more}: {out}")
    c = sandbox(spec(), {"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13, "args": [{"index": 1, "value": 0o700, "op": "SCMP_CMP_EQ"}]})
    out = oci.sh("mkdir -m 700 /tmp/y 2>&1; mkdir /tmp/z && echo fine", c).ok().out
    check("fine" in out, out)
    for bad, words in (({"names": ["mkdir"], "action": "SCMP_ACT_NOPE"}, "SCMP_ACT_NOPE"), ({"names": ["write"], "action": "SCMP_ACT_NOTIFY"}, "cannot be used for the write syscall")):
        r = oci.run(sandbox(spec(), bad, listenerPath="/nowhere/x"))
        check(r.code == 1 and words in r.err, r.err)


@test(needs="root")
def seccomp_flags(env):
    oci = Runtime(env)
    known = json.loads(oci("features").ok().out)["linux"]["seccomp"]["supportedFlags"]
    for flags in ([], *([f] for f in known if "WAIT_KILLABLE" not in f), known[:3]):
        c = sandbox(spec(), {"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}, flags=flags)
        check("Seccomp:\t2" in oci.sh("cat /proc/self/status", c).ok().out, f"{flags}")
    r = oci.run(sandbox(spec(), flags=["SECCOMP_FILTER_FLAG_NOPE"]))
    check(r.code == 1 and "linux.seccomp.flags: unknown 'SECCOMP_FILTER_FLAG_NOPE'" in r.err, r.err)


@test(needs="root")
def start_hooks_run_under_the_filter(env):
    oci = Runtime(env)
    for nnp in (True, False):
        c = sandbox(spec(), {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_KILL"})
        c["process"]["noNewPrivileges"] = nnp
        c["hooks"] = {"startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "exec mkdir /tmp/foo"]}]}
        r = oci.run(c)
        check(r.code == 1 and "error running startContainer hook #0: signal: bad system call" in r.err, r.err)


@test(needs="root")
def a_missing_listener_is_named(env):
    oci = Runtime(env)
    r = oci.run(sandbox(spec(), {"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}, listenerPath=str(oci.base / "none.sock")))
    check(r.code == 1 and "failed to connect with seccomp agent" in r.err and "none.sock" in r.err, r.err)
    r = oci.run(sandbox(spec(), {"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}))
    check(r.code == 1 and "listenerPath" in r.err, r.err)


@test(needs="root")
def session_keyring(env):
    oci = Runtime(env)
    if not os.path.exists("/proc/keys"):
        skip("no keyrings")
    c = spec("/bin/cat", "/proc/keys")
    c["linux"]["maskedPaths"] = []
    check("_ses.c1" in oci.run(c).ok().out, "no keyring of its own")
    check("_ses.c2" not in oci.run(c, "c2", "--no-new-keyring").ok().out, "--no-new-keyring")


@test(needs="root")
def features_say_what_is(env):
    oci = Runtime(env)
    f = json.loads(oci("features").ok().out)
    l = f["linux"]
    same((l["intelRdt"]["enabled"], l["netDevices"]["enabled"], l["mountExtensions"]["idmap"]["enabled"]), (True, True, True), "enabled")
    check("MPOL_BIND" in l["memoryPolicy"]["modes"] and "MPOL_F_STATIC_NODES" in l["memoryPolicy"]["flags"], l["memoryPolicy"])
    same(sorted(l["namespaces"]), ["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"], "namespaces")
    same(len(f["hooks"]), 6, "hooks")
    # Each of the modes it names is one it takes; each namespace is one it makes.
    for mode in l["memoryPolicy"]["modes"]:
        c = spec()
        c["linux"]["memoryPolicy"] = {"mode": mode, "nodes": "" if mode in ("MPOL_DEFAULT", "MPOL_LOCAL") else "0"}
        r = oci.run(c)
        check(r.code == 0 or "linux.memoryPolicy: " + mode in r.err, r.err)


main()
