# SPDX-License-Identifier: Apache-2.0
# timeout: 300
"""The runtime on a kernel that has only cgroup v2: caisson-oci, run inside the guest of our own VM.

One machine (caisson-oci --isolation=vm, all privileges in its guest), in which a second caisson-oci makes containers.
"""
import json, os

from caisson_test import BUILD, check, main, same, test, wait_for
from oci_guest import GROUP, MIB, NEEDS, PATIENCE, Guest, with_libraries
def limits_are_in_the_files(g):
    res = {"memory": {"limit": 32 * MIB, "swap": 48 * MIB, "reservation": 16 * MIB}, "pids": {"limit": 20},
           "cpu": {"shares": 512, "quota": 50000, "period": 200000}, "unified": {"memory.high": str(24 * MIB)}}
    g.ok(g.config("c1", "/bin/sh", "-c", "sleep 1000 & sleep 1000", resources=res) % "create" + " </dev/null >/dev/null && /caisson-oci --root /run/s start c1")
    want = {"memory.max": 32 * MIB, "memory.low": 16 * MIB, "memory.high": 24 * MIB, "pids.max": 20, "cpu.max": "50000 200000"}
    if "memory.swap.max" in g.ok(f"ls {GROUP}/c1"):
        want["memory.swap.max"] = 16 * MIB
    names = sorted(want)
    got = dict(zip(names, g.ok("; ".join(f"cat {GROUP}/c1/{n}" for n in names)).strip().split("\n")))
    same(got, {n: str(want[n]) for n in names}, "limits")
    weight = int(g.read("c1/cpu.weight"))
    check(15 <= weight <= 60, f"cpu.weight of 512 shares is {weight}")
    pid = json.loads(g.ok("/caisson-oci --root /run/s state c1"))["pid"]
    check(str(pid) in g.read("c1/cgroup.procs").split(), "process 1 in its cgroup")
    same(g.ok(f"cat /proc/{pid}/cgroup").strip(), "0::/inner/c1", "cgroup of process 1")
    same(g.ok("/caisson-oci --root /run/s exec c1 /bin/cat /proc/self/cgroup").strip(), "0::/", "cgroup namespace of an exec")

    g.ok("/caisson-oci --root /run/s update --pids-limit 30 --memory 40m --memory-swap 40m c1")
    same((g.read("c1/pids.max"), g.read("c1/memory.max")), ("30", str(40 * MIB)), "after an update")
    stats = json.loads(g.ok("/caisson-oci --root /run/s events --stats c1"))["data"]
    check(stats["pids"]["current"] >= 2 and stats["memory"]["usage"]["limit"] == 40 * MIB, f"numbers {stats}")


def freeze_and_kill(g):
    g.ok("/caisson-oci --root /run/s pause c1")
    check("frozen 1" in g.read("c1/cgroup.events"), "cgroup.events")
    same(json.loads(g.ok("/caisson-oci --root /run/s state c1"))["status"], "paused", "state")
    g.ok("/caisson-oci --root /run/s resume c1")
    check("frozen 0" in g.read("c1/cgroup.events"), "cgroup.events")
    check(len(g.read("c1/cgroup.procs").split()) >= 2, "processes")
    # A frozen one, too: cgroup.kill does not wait for a thaw.
    g.ok("/caisson-oci --root /run/s pause c1; /caisson-oci --root /run/s kill --all c1 KILL")
    wait_for(lambda: "populated 0" in g.read("c1/cgroup.events"), PATIENCE)
    g.ok("/caisson-oci --root /run/s delete --force c1")
    same(g.sh(f"ls -d {GROUP}/c1").code, 1, "the cgroup after delete")


def the_oom_killer(g):
    r = g.run("c2", "/bin/sh", "-c", "tail -c 100000000 /dev/zero; exit $?", resources={"memory": {"limit": 16 * MIB, "swap": 16 * MIB}})
    same(r.code, 137, f"exit code (stderr {r.err})")
    events = dict(line.split() for line in g.read("c2/memory.events").split("\n"))
    check(int(events["oom_kill"]) >= 1, f"memory.events {events}")
    g.ok("/caisson-oci --root /run/s delete c2")


def pids_are_limited(g):
    r = g.run("c3", "/bin/sh", "-c", "for i in 1 2 3 4 5 6 7 8; do sleep 100 & done; echo all", resources={"pids": {"limit": 5}})
    check(r.code != 0 and "fork" in r.err and "all" not in r.out, f"{r.code} {r.out} {r.err}")
    check(int(dict(line.split() for line in g.read("c3/pids.events").split("\n"))["max"]) >= 1, "pids.events")
    g.ok("/caisson-oci --root /run/s delete --force c3")


def devices_are_denied_by_a_program(g):
    # /dev/fuse: not among the devices every container has, and there in every guest that shares its root.
    script = "mknod /tmp/$0 c 10 229 && (: </tmp/$0) && echo through; head -c 1 /dev/zero | wc -c"
    r = g.run("c4", "/bin/sh", "-c", script, "denied", resources={"devices": [{"allow": False, "access": "rwm"}]})
    check("through" not in r.out and "1" in r.out and "not permitted" in r.err, f"{r.out} {r.err}")
    rules = [{"allow": False, "access": "rwm"}, {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rwm"}]
    r = g.run("c5", "/bin/sh", "-c", script, "allowed", resources={"devices": rules})
    check("through" in r.out, f"{r.out} {r.err}")
    # Node there, reading denied: it is the program on open(2), not only on mknod(2).
    rules[1]["access"] = "wm"
    r = g.run("c6", "/bin/sh", "-c", "(: </tmp/allowed) && echo through", resources={"devices": rules})
    check("through" not in r.out and "not permitted" in r.err, f"{r.out} {r.err}")
    g.ok("for c in c4 c5 c6; do /caisson-oci --root /run/s delete $c || exit 1; done")


def the_other_controllers(g):
    res = {"cpu": {"cpus": "0", "mems": "0", "quota": 50000, "period": 100000, "burst": 20000}, "blockIO": {"weight": 505},
           "hugepageLimits": [{"pageSize": "2MB", "limit": 4 * MIB}], "unified": {"memory.low": str(MIB), "cpu.weight.nice": "5"}}
    g.ok(g.config("c7", "/bin/sleep", "1000", resources=res) % "run -d" + " </dev/null >/dev/null 2>&1")
    want = {"cpuset.cpus": "0", "cpuset.mems": "0", "cpu.max": "50000 100000", "cpu.max.burst": "20000", "hugetlb.2MB.max": str(4 * MIB), "memory.low": str(MIB),
            "cpu.weight.nice": "5", "io.weight": "default 5000"}
    got = dict(zip(want, g.ok("; ".join(f"cat {GROUP}/c7/{n}" for n in want)).strip().split("\n")))
    same(got, want, "limits")
    check({"cpu", "cpuset", "io", "memory", "hugetlb"} <= set(g.read("cgroup.subtree_control").split()), "controllers handed down")
    g.ok("/caisson-oci --root /run/s update --cpu-burst 10000 --blkio-weight 10 --memory-reservation 2m c7; /caisson-oci --root /run/s update --cpu-idle 1 c7")
    names = ["cpu.max.burst", "io.weight", "memory.low", "cpu.idle"]
    same(g.ok("; ".join(f"cat {GROUP}/c7/{n}" for n in names)).strip().split("\n"), ["10000", "default 1", str(2 * MIB), "1"], "after updates")
    r = g.sh("/caisson-oci --root /run/s update --cpuset-cpus 99 c7")
    check(r.code == 1 and "cpuset.cpus" in r.err and g.read("c7/cpuset.cpus") == "0", f"a CPU that is not there: {r.code} {r.err}")
    r = g.run("c8", "/bin/true", resources={"unified": {"../cgroup.procs": "1"}})
    check(r.code == 1 and "unified" in r.err, f"a path among the keys: {r.code} {r.err}")
    r = g.run("c9", "/bin/true", resources={"unified": {"nosuch.limit": "1"}})
    check(r.code == 1 and "nosuch" in r.err, f"a controller that is not there: {r.code} {r.err}")
    g.ok("/caisson-oci --root /run/s kill --all c7 KILL; /caisson-oci --root /run/s delete -f c7")


def an_ordinary_user_with_a_delegated_subtree(g):
    """What systemd leaves with Delegate=yes: three files and a directory that are the user's, and the user's shell below."""
    own, d = "/sys/fs/cgroup/user/mine", g.root / "bundles/u1"
    g.ok(f"mkdir -p {own}/shell /bundles/u1 /run/u; cd /sys/fs/cgroup; for c in . user; do echo +memory +pids +cpu > $c/cgroup.subtree_control || exit 1; done; "
         f"chown 1000:1000 /run/u {own} {own}/shell {own}/cgroup.procs {own}/cgroup.threads {own}/cgroup.subtree_control {own}/shell/cgroup.procs; "
         "cd /bundles/u1; /caisson-oci spec --rootless -b . || exit 1; sed -i 's/\"hostID\": 0/\"hostID\": 1000/' config.json")
    c = json.loads((d / "config.json").read_text())
    c["root"] = {"path": "/inner", "readonly": False}
    c["process"].update(terminal=False, args=["/bin/sleep", "1000"])

    def user(args, **linux):
        c["linux"].update(linux)
        # A bundle of its own each time: the guest would see the old length of a file that the host writes again.
        at = g.root / f"bundles/u1-{len(os.listdir(g.root / 'bundles'))}"
        at.mkdir()
        (at / "config.json").write_text(json.dumps(c))
        return g.sh(f"echo $$ > {own}/shell/cgroup.procs && su user -c 'cd /bundles/{at.name}; /caisson-oci --root /run/u {args}'")

    def good(args, **linux):
        r = user(args, **linux)
        same((r.code, r.err), (0, ""), args)
        return r.out

    res = {"memory": {"limit": 32 * MIB}, "pids": {"limit": 20}, "cpu": {"quota": 50000, "period": 100000}}
    good("create u1 </dev/null >/dev/null 2>&1", resources=res)
    good("start u1")
    same(g.ok(f"cd {own}/u1; cat memory.max pids.max cpu.max; stat -c %u .").split("\n")[:4], [str(32 * MIB), "20", "50000 100000", "1000"], "limits and owner")
    pid = json.loads(good("state u1"))["pid"]
    same(g.ok(f"cat /proc/{pid}/cgroup").strip(), "0::/user/mine/u1", "cgroup of process 1")
    r = user('exec u1 /bin/sh -c "i=0; while [ \\$i -lt 30 ]; do sleep 5 & i=\\$((i+1)); done"')
    check("fork" in r.err, f"thirty processes where twenty may be: {r.code} {r.out} {r.err}")
    good("update --pids-limit 31 u1")
    same(g.ok(f"cat {own}/u1/pids.max").strip(), "31", "after an update")
    check(json.loads(good("events --stats u1"))["data"]["memory"]["usage"]["limit"] == 32 * MIB, "numbers")
    good("pause u1")
    check("frozen 1" in g.ok(f"cat {own}/u1/cgroup.events"), "cgroup.events")
    good("resume u1")
    good("delete -f u1")
    same(g.sh(f"ls -d {own}/u1").code, 1, "the cgroup after delete")
    r = user("run u2", cgroupsPath="/inner/not-mine")
    check(r.code == 1 and ("cgroupsPath" in r.err or "delegated" in r.err), f"a path outside: {r.code} {r.err}")
    c["process"]["args"] = ["/bin/cat", "/proc/self/cgroup"]
    same(good("run u3", cgroupsPath="/user/mine/asked/for"), "0::/\n", "an own path inside")
    r = user("run u4", cgroupsPath="/inner/not-mine", resources={})
    check(r.code == 1 and "cgroupsPath" in r.err, f"a path outside without limits: {r.code} {r.err}")
    same(sorted(g.ok(f"ls /run/u; find {own} {GROUP} -mindepth 1 -type d").split()), [own + "/asked", own + "/shell"], "left")


def an_oom_kill_is_an_event(g):
    res = {"memory": {"limit": 16 * MIB, "swap": 16 * MIB}}
    g.ok("mkfifo /run/go; (sleep 100 > /run/go &) >/dev/null 2>&1; " + g.config("c10", "/bin/sh", "-c", "read x; tail -c 100000000 /dev/zero; sleep 1000", resources=res)
         % "run -d" + " </run/go >/dev/null 2>&1")
    got = g.ok("(/caisson-oci --root /run/s events --interval 24h c10 > /run/events &) 2>/dev/null; sleep 1; echo > /run/go; for i in 1 2 3 4 5 6 7 8 9 10; do "
               "sleep 1; [ -s /run/events ] && break; done; cat /run/events; /caisson-oci --root /run/s delete -f c10")
    same(json.loads(got), {"type": "oom", "id": "c10"}, "the event")


def the_unit_tests(g):
    g.ok("mknod /dev/kmsg c 1 11")  # a device to be refused
    r = g.sh("/runtime-cgroup_test")
    lines = r.out.split("\n")
    bad = [x for x in lines if x.startswith("not ok")]
    check(r.code == 0 and not bad, f"{r.code}: {bad} {r.out[-1500:]} {r.err[-500:]}")
    skipped = [x for x in lines if "# SKIP" in x and "no v1" not in x]
    same(skipped, [], "tests that did not run though there is v2")
    check(len([x for x in lines if x.startswith("ok")]) >= 15, r.out)


def nothing_is_left(g):
    same(g.ok(f"find {GROUP} -mindepth 1 -type d; ls /run/s").strip(), "", "cgroups and state")


@test(needs=NEEDS, timeout=250)
def containers_on_cgroup_v2(env):
    with Guest(env) as g:
        with_libraries(BUILD / "runtime-cgroup_test", g.root)
        controllers = g.ok("cat /sys/fs/cgroup/cgroup.controllers").split()
        check({"cpu", "memory", "pids"} <= set(controllers), f"controllers of the guest: {controllers}")
        for case in (limits_are_in_the_files, freeze_and_kill, the_oom_killer, pids_are_limited, devices_are_denied_by_a_program, the_other_controllers, an_ordinary_user_with_a_delegated_subtree,
                     an_oom_kill_is_an_event, the_unit_tests,
                     nothing_is_left):
            try:
                case(g)
            except AssertionError as x:
                raise type(x)(f"{case.__name__}: {x}") from x


main()
