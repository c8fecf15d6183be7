# SPDX-License-Identifier: Apache-2.0
# timeout: 300
"""The systemd cgroup driver against a real systemd: process 1 of pid, mount and cgroup namespaces in the guest of a machine of ours,
on cgroup v2."""
import json, shlex, shutil

from caisson_test import check, main, same, test, wait_for
from oci_guest import MIB, NEEDS, PATIENCE, Guest, with_libraries

START = """(container=caisson setsid /usr/bin/unshare -p -m -f --propagation private sh -c 'mount -t proc proc /proc; echo 0 > /sys/fs/cgroup/sd/cgroup.procs
exec /usr/bin/unshare -C sh -c "umount /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup
exec /lib/systemd/systemd --system --log-target=null --show-status=0"' >/run/sd.log 2>&1 </dev/null &)"""
OCI = "/caisson-oci --systemd-cgroup --root /run/s"
SCOPE = "/sys/fs/cgroup/system.slice/caisson-s1.scope"


class Systemd:
    """systemd with the units it has built in, and nothing else."""
    def __init__(self, g):
        self.g = g
        with_libraries("/lib/systemd/systemd", g.root, "lib/systemd")
        for p in ("unshare", "nsenter", "systemctl"):
            with_libraries(shutil.which(p), g.root, "usr/bin")
        units = g.root / "etc/systemd/system"
        units.mkdir(parents=True)
        for n in ("default", "sysinit", "basic", "shutdown"):
            (units / f"{n}.target").write_text("[Unit]\nDefaultDependencies=no\n")
        g.ok("mkdir -p /sys/fs/cgroup/sd && " + START)
        wait_for(lambda: g.sh("test -S /run/systemd/private").code == 0, PATIENCE, every=0.3)
        self.pid = g.ok("pidof systemd").split()[0]

    def ok(self, script):
        """In systemd's namespaces."""
        return self.g.ok(f"/usr/bin/nsenter -t {self.pid} -C -p -m /bin/sh -ec {shlex.quote(script)}")

    def show(self, unit, *names):
        got = dict(x.partition("=")[::2] for x in self.ok(f"systemctl show {unit}").splitlines())
        return [got.get(n) for n in names]

    def bundle(self, name, path, **resources):
        self.g.config(name, "/bin/sleep", "1000", resources=resources)
        f = self.g.root / "bundles" / name / "config.json"
        c = json.loads(f.read_text())
        c["linux"]["cgroupsPath"] = path
        c.setdefault("annotations", {})["org.systemd.property.TimeoutStopUSec"] = "uint64 7000000"
        f.write_text(json.dumps(c))
        return f"--bundle /bundles/{name} {name} </dev/null >/dev/null"


def a_scope_of_its_own(s):
    s.ok(f"{OCI} run -d " + s.bundle("s1", "system.slice:caisson:s1", memory={"limit": 32 * MIB}, pids={"limit": 17}, cpu={"quota": 50000, "period": 100000}))
    same(s.show("caisson-s1.scope", "ActiveState", "Slice", "Delegate", "MemoryMax", "TasksMax", "CPUQuotaPerSecUSec", "CollectMode", "TimeoutStopUSec"),
         ["active", "system.slice", "yes", str(32 * MIB), "17", "500ms", "inactive-or-failed", "7s"], "the scope as systemd sees it")
    pid = json.loads(s.ok(f"{OCI} state s1"))["pid"]
    same(s.ok(f"cd {SCOPE}; cat memory.max pids.max cpu.max cgroup.procs").split(), [str(32 * MIB), "17", "50000", "100000", str(pid)], "files")
    same(s.ok(f"{OCI} exec s1 cat /proc/self/cgroup").strip(), "0::/", "cgroup of an exec")


def an_update_outlives_a_reload(s):
    s.ok(f"{OCI} update --memory 48m --memory-swap 48m --pids-limit 23 --cpu-quota 70000 s1; systemctl daemon-reload")
    same(s.show("caisson-s1.scope", "MemoryMax", "TasksMax", "CPUQuotaPerSecUSec"), [str(48 * MIB), "23", "700ms"], "systemd's")
    same(s.ok(f"cd {SCOPE}; cat memory.max pids.max cpu.max").split(), [str(48 * MIB), "23", "70000", "100000"], "the kernel's")
    s.ok(f"{OCI} pause s1; {OCI} state s1 | grep -q paused; {OCI} resume s1")


def delete_takes_the_unit_away(s):
    s.ok(f"{OCI} delete -f s1")
    same(s.show("caisson-s1.scope", "LoadState", "ActiveState"), ["not-found", "inactive"], "the scope afterwards")
    same(s.ok(f"ls -d {SCOPE} 2>/dev/null || true"), "", "its cgroup")


def what_ended_by_itself_does_not_block_its_name(s):
    tail = s.bundle("s2", "own-made.slice:caisson:s2")
    for _ in range(2):
        s.ok(f"{OCI} run -d {tail}")
        same(s.show("caisson-s2.scope", "Slice"), ["own-made.slice"], "its slice")
        s.ok(f"{OCI} kill s2 KILL; sleep 0.5; {OCI} delete s2")
    r = s.g.sh(f"{OCI} run -d " + s.bundle("s3", "nonsense"))
    check(r.code == 1 and "slice:prefix:name" in r.err, f"a path that is not systemd's: {r.err}")


@test(needs=NEEDS + ",systemd", timeout=250)
def the_driver_and_a_real_systemd(env):
    with Guest(env) as g:
        s = Systemd(g)
        for case in (a_scope_of_its_own, an_update_outlives_a_reload, delete_takes_the_unit_away, what_ended_by_itself_does_not_block_its_name):
            try:
                case(s)
            except AssertionError as x:
                raise type(x)(f"{case.__name__}: {x}") from x


main()
