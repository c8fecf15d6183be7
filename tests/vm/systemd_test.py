# SPDX-License-Identifier: Apache-2.0
# timeout: 600
"""caisson and a real systemd, process 1 of pid, mount and cgroup namespaces in the guest of a machine of ours, on cgroup v2: the cgroup
driver of caisson-oci, and the installed caisson with the units it has and makes, over a boot, too."""
import json, os, shlex, shutil, subprocess

from caisson_test import BUILD, check, main, same, test
from oci_guest import MIB, NEEDS, PATIENCE, Guest, with_libraries

START = """(container=caisson setsid /usr/bin/unshare -p -m -f --propagation private sh -c 'mount -t proc proc /proc; echo 0 > /sys/fs/cgroup/sd/cgroup.procs
exec /usr/bin/unshare -C sh -c "umount /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup
exec /lib/systemd/systemd --system --log-target=null --show-status=0"' >/run/sd.log 2>&1 </dev/null &)"""
OCI = "/caisson-oci --systemd-cgroup --root /run/s"
SCOPE = "/sys/fs/cgroup/system.slice/caisson-s1.scope"


# Said by each instance when it is told to end, and by the host when it is the host's turn.
SAYS = "trap 'echo $0 >>/said/ended; exit %d' TERM; echo $0 >>/said/began; sleep 100000 & wait"
HOST = """[Unit]
Before=caisson-boot.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
ExecStop=/bin/sh -c 'echo host >>/var/lib/caisson/said/ended'
"""


class Systemd:
    """systemd with the units it has built in, what it takes to go down, and caisson as `make install` lays it down."""
    def __init__(self, g):
        self.g = g
        for p in ("systemd", "systemd-shutdown"):
            with_libraries(f"/lib/systemd/{p}", g.root, "lib/systemd")
        for p in ("unshare", "nsenter", "systemctl"):
            with_libraries(shutil.which(p), g.root, "usr/bin")
        units = g.root / "etc/systemd/system"
        units.mkdir(parents=True)
        for n in ("sysinit", "basic", "shutdown", "multi-user", "local-fs", "network-online"):
            (units / f"{n}.target").write_text("[Unit]\nDefaultDependencies=no\n")
        (units / "default.target").symlink_to("multi-user.target")
        for n in ("reboot.target", "final.target", "umount.target", "systemd-reboot.service"):
            shutil.copy(f"/lib/systemd/system/{n}", units)
        (units / "host.service").write_text(HOST)
        (units / "multi-user.target.wants").mkdir()
        (units / "multi-user.target.wants/host.service").symlink_to("../host.service")
        subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet"], check=True, capture_output=True, env={**os.environ, "DESTDIR": str(g.root)})
        for p in ("caisson-fetch", "caisson-unpack"):
            with_libraries(BUILD / p, g.root, "usr/local/libexec/caisson")
        # The disk: outside of what a boot takes away.
        g.ok("mkdir -p /var/lib/caisson && mount -t tmpfs tmpfs /var/lib/caisson && mkdir /var/lib/caisson/said")
        self.boot()

    def boot(self, before="true"):
        """Waits are in the guest: to ask from outside costs more than what is asked for."""
        pids = self.g.ok(f"""{before}; mkdir -p /sys/fs/cgroup/sd && {START}
            until test -S /run/systemd/private; do sleep 0.2; done
            for p in $(pidof systemd); do grep -l '^NSpid:.*\\b1$' /proc/$p/status; done""")
        self.pid = pids.split("/")[2]

    def again(self, how):
        """The system goes down by `how`, and up; nothing but the disk stays."""
        self.boot(f"""{how}; while test -e /proc/{self.pid}; do sleep 0.2; done
            rm -rf /run/caisson /run/systemd; find /sys/fs/cgroup/sd -depth -type d -exec rmdir {{}} ';'; test ! -e /sys/fs/cgroup/sd || exit 1""")

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


def states(s):
    return dict(l.split() for l in s.ok("caisson ps -a --format '{{.Names}} {{.State}}'").splitlines())


def said(s, what):
    return s.ok(f"cd /var/lib/caisson/said; cat {what}; rm {what}").split()


def one(name, policy, code):
    return f" --name {name} --restart {policy} --network none -v /var/lib/caisson/said:/said caisson/tiny sh -c {shlex.quote(SAYS % code)} {name} >/dev/null; "


def began(s, *names):
    s.g.ok(f"cd /var/lib/caisson/said; for n in {' '.join(names)}; do until grep -qx $n began; do sleep 0.2; done; done; rm began")


def after_a_boot(s, when):
    began(s, "always", "unless", "failing", "web")
    # Waits for the job that is under way.
    s.ok("systemctl start caisson-boot.service")
    same((states(s), s.show("caisson-boot.service", "Result")),
         ({"always": "running", "unless": "running", "unless-stopped": "exited", "failing": "running", "no": "exited", "made": "created", "web": "running"}, ["success"]), when)


def a_unit_of_ours_is_kept_running(s):
    s.ok("caisson create" + one("web", "no", 143) + "caisson generate systemd --name web >/etc/systemd/system/caisson-web.service; systemctl daemon-reload;" +
         "systemctl enable caisson-boot.service caisson-web.service 2>/dev/null; systemctl start caisson-boot.service caisson-web.service")
    began(s, "web")
    same(s.show("caisson-web.service", "ActiveState", "Type"), ["active", "exec"], "the unit")
    s.ok("caisson kill web >/dev/null")
    began(s, "web")
    same(s.show("caisson-web.service", "NRestarts", "ActiveState"), ["1", "active"], "after its end by SIGKILL")
    s.ok("systemctl stop caisson-web.service")
    same((s.show("caisson-web.service", "ActiveState", "Result"), states(s)["web"], said(s, "ended")), (["inactive", "success"], "exited", ["web"]), "after a stop")
    s.ok("systemctl start caisson-web.service")
    began(s, "web")


def a_reboot_ends_all_and_starts_what_policies_want(s):
    s.ok("".join("caisson run -d" + one(*x) for x in (("always", "always", 0), ("unless", "unless-stopped", 0), ("unless-stopped", "unless-stopped", 0),
                                                        ("failing", "on-failure", 7), ("no", "no", 7))) +
         "caisson create --name made --restart always --network none caisson/tiny true >/dev/null")
    began(s, "always", "unless", "unless-stopped", "failing", "no")
    s.ok("caisson stop unless-stopped >/dev/null")
    same(said(s, "ended"), ["unless-stopped"], "ended by stop")
    s.again(f"/usr/bin/nsenter -t {s.pid} -C -p -m systemctl --no-wall reboot")
    ended = said(s, "ended")
    same((sorted(set(ended[:-1])), ended[-1:]), (["always", "failing", "no", "unless", "web"], ["host"]), "all of them (web is asked by both units), and the host after them")
    after_a_boot(s, "after a reboot")


def a_power_cut_is_no_stop(s):
    s.ok("caisson stop always >/dev/null; caisson start no >/dev/null")
    began(s, "no")
    s.again(f"kill -9 {s.pid}")
    after_a_boot(s, "after a power cut")


@test(needs=NEEDS + ",systemd", timeout=550)
def caisson_and_a_real_systemd(env):
    with Guest(env) as g:
        s = Systemd(g)
        for case in (a_scope_of_its_own, an_update_outlives_a_reload, delete_takes_the_unit_away, what_ended_by_itself_does_not_block_its_name,
                     a_unit_of_ours_is_kept_running, a_reboot_ends_all_and_starts_what_policies_want, a_power_cut_is_no_stop):
            try:
                case(s)
            except AssertionError as x:
                raise type(x)(f"{case.__name__}: {x}") from x


main()
