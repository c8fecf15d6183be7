# SPDX-License-Identifier: Apache-2.0
"""What the process inside sees and may do: namespaces, mounts, devices, identity, limits, masks."""
import fcntl, json, os, re, shutil, socket, struct, subprocess

from caisson_test import check, main, same, test
from oci_bundle import CAPS, QUIET, Runtime, bind, mount_line, spec

@test(needs="root")
def new_namespaces_and_names(env):
    oci = Runtime(env)
    r = oci.sh("echo $$; hostname; for n in pid net ipc uts mnt cgroup user time; do readlink /proc/self/ns/$n; done; ls /sys/class/net").ok()
    out = r.out.split()
    same(out[:2], ["1", "tested"], "pid and hostname")
    for n in out[2:10]:
        kind = n.split(":")[0]
        own = os.readlink(f"/proc/self/ns/{kind}")
        (same if kind in ("user", "time") else lambda a, b, w: check(a != b, w))(n, own, f"{kind} namespace")
    same(out[10:], ["lo"], "interfaces")


@test(needs="root")
def no_descriptor_and_no_environment_comes_along(env):
    oci = Runtime(env)
    fds = [os.open("/", os.O_RDONLY) for _ in range(5)]
    for fd in fds:
        os.set_inheritable(fd, True)
    r = oci.sh("ls /proc/self/fd; env", pass_fds=fds, env={**os.environ, "SECRET": "x"})
    r.ok()
    # 3 is ls's own.
    same(r.out.split("\n")[:4], ["0", "1", "2", "3"], "descriptors")
    check("SECRET" not in r.out and "PATH=" in r.out, r.out)
    b = oci.bundle(None, "/bin/sleep", "100")
    oci("run", "-d", "-b", b, "c1", pass_fds=fds, **QUIET).ok()
    same(sorted(os.listdir(f"/proc/{oci.state()['pid']}/fd")), ["0", "1", "2"], "descriptors of process 1")
    r = oci("exec", "c1", "ls", "/proc/self/fd", pass_fds=fds).ok()
    same(r.out.split(), ["0", "1", "2", "3"], "descriptors of exec")
    oci("delete", "-f", "c1").ok()
    for fd in fds:
        os.close(fd)


@test(needs="root")
def preserved_descriptors_do(env):
    oci = Runtime(env)
    p = oci.base / "f"
    p.write_text("kept\n")
    fd = os.open(p, os.O_RDONLY)
    r = subprocess.run(["sh", "-c", f"exec 3<{p}; exec \"$@\"", "sh", *oci.argv(["run", "--preserve-fds", "1", "-b", oci.bundle(None, "/bin/sh", "-c", "cat <&3"), "c1"])],
                       capture_output=True, text=True)
    same((r.returncode, r.stdout), (0, "kept\n"), f"result {r.stderr}")
    os.close(fd)
    r = oci("run", "--preserve-fds", "40", "-b", oci.bundle(), "c1")
    check(r.code == 1 and "preserved-fds" in r.err, r.err)


@test(needs="root")
def devices_and_links(env):
    oci = Runtime(env)
    c = spec("/bin/sh", "-c", "stat -c '%n %t %T %a %u %g %F' /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty /dev/x /dev/sub/fifo; "
             "for l in fd stdin stdout stderr ptmx; do readlink /dev/$l; done; echo a > /dev/null && head -c1 /dev/zero | wc -c")
    c["linux"]["devices"] = [{"path": "/dev/x", "type": "c", "major": 1, "minor": 5, "fileMode": 0o640, "uid": 5, "gid": 6},
                             {"path": "/dev/sub/fifo", "type": "p"}]
    out = oci.run(c).ok().out.splitlines()
    same(out[:6], [f"/dev/{n} {a:x} {b:x} 666 0 0 character special file" for n, a, b in
                   (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0))], "nodes")
    same(out[6], "/dev/x 1 5 640 5 6 character special file", "listed node")
    check("/dev/sub/fifo" in out[7] and "fifo" in out[7], out[7])
    same(out[8:13], ["/proc/self/fd", "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2", "pts/ptmx"], "links")
    same(out[13], "1", "zero")


@test(needs="root")
def masked_and_readonly_paths(env):
    oci = Runtime(env)
    c = spec("/bin/sh", "-c", "cat /proc/keys; cat /etc/secret; ls -A /etc/dir; touch /etc/dir/x 2>&1; echo 1 > /proc/sys/kernel/panic; echo x > /etc/ro/f; touch /etc/ro/new; cat /etc/ro/f")
    c["linux"]["maskedPaths"] += ["/etc/secret", "/etc/dir", "/not/there"]
    c["linux"]["readonlyPaths"] += ["/etc/ro", "/not/there"]
    b = oci.bundle(c)
    for d in ("dir", "ro"):
        (b / "rootfs/etc" / d).mkdir()
        (b / "rootfs/etc" / d / "f").write_text("content\n")
    (b / "rootfs/etc/secret").write_text("secret\n")
    r = oci("run", "-b", b, "c1")
    same(r.out, "touch: /etc/dir/x: Read-only file system\ncontent\n", "output")
    check(r.err.count("Read-only file system") == 3, r.err)


@test(needs="root")
def read_only_root(env):
    oci = Runtime(env)
    c = spec("/bin/sh", "-c", "touch /x; touch /tmp/x && cat /proc/self/mountinfo")
    c["root"]["readonly"] = True
    c["mounts"] = c["mounts"] + [{"destination": "/tmp", "type": "tmpfs", "source": "t"}, {"destination": "/made/here", "type": "tmpfs", "source": "t"}]
    r = oci.run(c).ok()
    check("Read-only" in r.err, r.err)
    opts, _, _ = mount_line(r.out, "/")
    check("ro" in opts, opts)
    check(str(env.base) not in "".join(line.split(" - ")[0].split()[4] for line in r.out.splitlines()), "a host path is a mount point")


@test(needs="root")
def bind_mount_options(env):
    oci = Runtime(env)
    src = oci.base / "src"
    (src / "sub").mkdir(parents=True)
    (src / "f").write_text("data\n")
    subprocess.run(["mount", "-t", "tmpfs", "sub", src / "sub"], check=True)
    try:
        c = spec("/bin/cat", "/proc/self/mountinfo")
        c["mounts"] += [bind(src, "/m/plain"), bind(src, "/m/ro", "ro", "nosuid", "nodev", "noexec", "noatime"),
                        bind(src, "/m/rbind", "rbind", "ro"), bind(src, "/m/rro", "rbind", "rro"),
                        bind(src / "f", "/m/file", "ro"), bind(src, "/m/shared", "rshared"), bind(src, "/m/priv", "rprivate"),
                        bind(src, "/m/unb", "unbindable")]
        out = oci.run(c).ok().out
        o, _, _ = mount_line(out, "/m/plain")
        check("rw" in o, o)
        o, _, _ = mount_line(out, "/m/ro")
        check({"ro", "nosuid", "nodev", "noexec", "noatime"} <= set(o), o)
        same(("ro" in mount_line(out, "/m/rbind")[0], "ro" in mount_line(out, "/m/rbind/sub")[0]), (True, False), "rbind,ro")
        same(("ro" in mount_line(out, "/m/rro")[0], "ro" in mount_line(out, "/m/rro/sub")[0]), (True, True), "rro")
        check("ro" in mount_line(out, "/m/file")[0], out)
        check("/m/plain/sub" not in out, "bind is recursive")
        check(any(f.startswith("shared:") for f in mount_line(out, "/m/shared")[1]), out)
        same(mount_line(out, "/m/priv")[1], [], "private")
        same(mount_line(out, "/m/unb")[1], ["unbindable"], "unbindable")
    finally:
        subprocess.run(["umount", src / "sub"], check=True)
    c = spec("/bin/true")
    c["mounts"] += [bind("/no/such/source", "/m")]
    r = oci.run(c)
    check(r.code == 1 and "/no/such/source" in r.err, r.err)
    # Options of a file system say nothing to a bind mount, as in runc and crun.
    c["mounts"][-1] = bind("/tmp", "/m", "size=5")
    oci.run(c).ok()


@test(needs="root")
def tmpfs_options_and_copy_up(env):
    oci = Runtime(env)
    c = spec("/bin/sh", "-c", "cat /proc/self/mountinfo; stat -c '%a %u' /t1 /t2 /t2/d/f /t3; cat /t2/d/f; readlink /t2/l; touch /t2/new || echo readonly")
    c["mounts"] += [{"destination": "/t1", "type": "tmpfs", "source": "t", "options": ["size=64k", "mode=1700", "noexec"]},
                    {"destination": "/t2", "type": "tmpfs", "source": "t", "options": ["tmpcopyup", "ro"]},
                    {"destination": "/t3", "type": "tmpfs", "source": "t"}]
    b = oci.bundle(c)
    (b / "rootfs/t2/d").mkdir(parents=True)
    (b / "rootfs/t2/d/f").write_text("copied\n")
    (b / "rootfs/t2/d/f").chmod(0o641)
    os.chown(b / "rootfs/t2/d/f", 7, 8)
    os.symlink("d/f", b / "rootfs/t2/l")
    (b / "rootfs/t3").mkdir(mode=0o711)
    r = oci("run", "-b", b, "c1").ok()
    check("size=64k" in r.out and "noexec" in mount_line(r.out, "/t1")[0], r.out)
    same(r.out.splitlines()[-7:], ["1700 0", "755 0", "641 7", "711 0", "copied", "d/f", "readonly"], "files")


@test(needs="root")
def dangling_links_in_destinations_stay_inside(env):
    oci = Runtime(env)
    src = oci.base / "src"
    src.mkdir()
    (src / "f").write_text("data\n")
    c = spec("/bin/sh", "-c", "cat /real/deep/dir/f /abs/f; ls -ld /link")
    c["mounts"] += [bind(src, "/link/dir"), bind(src, "/to-abs")]
    b = oci.bundle(c)
    os.symlink("real/deep", b / "rootfs/link")
    os.symlink("/abs", b / "rootfs/to-abs")
    r = oci("run", "-b", b, "c1").ok()
    check(r.out.startswith("data\ndata\n"), r.out)
    check(not os.path.exists("/abs") and not os.path.exists("/real"), "made on the host")


@test(needs="root")
def capabilities_are_exactly_these(env):
    oci = Runtime(env)
    c = spec("/bin/grep", "-E", "Cap|NoNewPrivs", "/proc/self/status")
    caps = c["process"]["capabilities"] = {"bounding": ["CAP_KILL", "CAP_CHOWN"], "permitted": ["CAP_KILL", "CAP_CHOWN"],
                                          "effective": ["CAP_KILL"], "inheritable": ["CAP_CHOWN"], "ambient": ["CAP_CHOWN"]}
    c["process"]["user"] = {"uid": 1000, "gid": 1000}
    v = dict(line.split() for line in oci.run(c).ok().out.replace(":", "").splitlines())
    # A non-root execve keeps the ambient set alone.
    same((int(v["CapPrm"], 16), int(v["CapEff"], 16), int(v["CapAmb"], 16), int(v["CapInh"], 16), int(v["CapBnd"], 16)), (1, 1, 1, 1, 0x21), "sets")
    same(v["NoNewPrivs"], "1", "no_new_privs")
    del c["process"]["capabilities"]
    c["process"]["user"] = {"uid": 0, "gid": 0}
    c["process"]["noNewPrivileges"] = False
    v = dict(line.split() for line in oci.run(c).ok().out.replace(":", "").splitlines())
    same({int(x, 16) for k, x in v.items() if k.startswith("Cap")}, {0}, "no capabilities")
    same(v["NoNewPrivs"], "0", "no_new_privs")
    c = spec("/bin/grep", "-E", "Cap", "/proc/self/status")
    c["process"]["capabilities"]["bounding"] = ["CAP_KILL", "CAP_NOSUCH"]
    r = oci.run(c).ok()
    check("CAP_NOSUCH" in r.err, "unknown capability is not mentioned")


@test(needs="root")
def exec_never_fills_the_inheritable_set(env):
    oci = Runtime(env)
    oci("run", "-d", "-b", oci.bundle(None, "/bin/sleep", "100"), "c1", **QUIET).ok()
    r = oci("exec", "--cap", "CAP_NET_RAW", "c1", "grep", "Cap", "/proc/self/status").ok()
    v = dict(line.split() for line in r.out.replace(":", "").splitlines())
    same((int(v["CapInh"], 16), int(v["CapAmb"], 16)), (0, 0), "inheritable and ambient")
    check(int(v["CapEff"], 16) & 1 << 13 and int(v["CapBnd"], 16) & 1 << 13, v)
    oci("delete", "-f", "c1").ok()


@test(needs="root")
def identity_limits_and_settings(env):
    oci = Runtime(env)
    c = spec("/bin/sh", "-c", "id; ulimit -n -c; umask; grep -E 'Groups|Cpus_allowed_list' /proc/self/status; cat /proc/self/oom_score_adj; pwd; "
             "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/domainname; uname -m; echo $HOME; echo policy $(awk '{print $41}' /proc/$$/stat); ionice -p $$")
    c["process"].update(user={"uid": 1000, "gid": 1001, "additionalGids": [5, 6], "umask": 0o77}, cwd="/made/by/us", oomScoreAdj=321,
                        scheduler={"policy": "SCHED_BATCH", "nice": 3}, ioPriority={"class": "IOPRIO_CLASS_IDLE", "priority": 0})
    c["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 77, "hard": 88}, {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]
    c["linux"]["sysctl"] = {"net.ipv4.ip_forward": "1"}
    c["domainname"] = "the.domain"
    c["linux"]["personality"] = {"domain": "LINUX32"}
    out = oci.run(c).ok().out
    for want in ("uid=1000(user) gid=1001", " 77\n", "0077", "321", "/made/by/us", "the.domain", "i686", "policy 3", "idle", "/home/user"):
        check(want in out, f"{want!r} not in {out}")
    check(re.search(r"Groups:\s+5 6\s", out), out)


@test(needs="root")
def joined_namespaces_are_the_same(env):
    oci = Runtime(env)
    oci("run", "-d", "-b", oci.bundle(None, "/bin/sleep", "100"), "c1", **QUIET).ok()
    pid = oci.state()["pid"]
    c = spec("/bin/sh", "-c", "for n in pid net ipc uts cgroup mnt; do readlink /proc/self/ns/$n; done; ps")
    files = {"pid": "pid", "network": "net", "ipc": "ipc", "uts": "uts"}
    c["linux"]["namespaces"] = [{"type": t, "path": f"/proc/{pid}/ns/{f}"} for t, f in files.items()] + [{"type": "mount"}, {"type": "cgroup"}]
    del c["hostname"]
    out = oci.run(c, "c2").ok().out.split("\n")
    for i, n in enumerate(("pid", "net", "ipc", "uts")):
        same(out[i], os.readlink(f"/proc/{pid}/ns/{n}"), n)
    for i, n in ((4, "cgroup"), (5, "mnt")):
        check(out[i] != os.readlink(f"/proc/{pid}/ns/{n}"), n)
    check("sleep 100" in "\n".join(out), "the other process is not seen")
    c["linux"]["namespaces"][0]["path"] = "/proc/nope"
    r = oci.run(c, "c2")
    check(r.code == 1 and "/proc/nope" in r.err, r.err)
    c["linux"]["namespaces"][0]["path"] = f"/proc/{pid}/ns/net"
    check(oci.run(c, "c2").code == 1, "a network namespace was joined as a pid namespace")
    oci("delete", "-f", "c1").ok()


@test(needs="root")
def user_namespace(env):
    oci = Runtime(env)
    c = spec("/bin/sh", "-c", "id -u; cat /proc/self/uid_map; touch /own && stat -c %u /own; cat /vol/f; ls -l /dev/null; echo x > /dev/null && echo fine; grep Cap /proc/self/status; mount -t tmpfs t /tmp && echo mounted")
    c["linux"]["namespaces"].append({"type": "user"})
    c["linux"]["uidMappings"] = c["linux"]["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 1000}, {"containerID": 1000, "hostID": 300000, "size": 64536}]
    vol = oci.base / "vol"
    vol.mkdir(mode=0o700)
    (vol / "f").write_text("seen\n")
    os.chmod(oci.base, 0o755)
    os.chown(vol, 100000, 100000)
    c["mounts"].append(bind(vol, "/vol", "ro"))
    b = oci.bundle(c)
    subprocess.run(["chown", "-R", "100000:100000", b / "rootfs"], check=True)
    # A bundle that the container's root may not enter by path: everything comes from the parent.
    os.chmod(b, 0o700)
    r = oci("run", "-b", b, "c1")
    check(r.code == 0 or "mounted" not in r.out, r.err)
    out = r.out.split("\n")
    same(out[0], "0", f"uid {r.err}")
    check("100000" in r.out and "300000" in r.out, r.out)
    check("\nseen\n" in r.out and "\nfine\n" in r.out, r.out + r.err)
    same((b / "rootfs/own").stat().st_uid, 100000, "owner outside")
    oci("run", "-d", "-b", oci.bundle_like(b, "/bin/sleep", "100"), "c2", **QUIET).ok()
    oci("exec", "c2", "sh", "-c", "id -u; readlink /proc/self/ns/user").ok(out=re.compile("^0\n"))
    r = oci("exec", "c2", "readlink", "/proc/self/ns/user").ok()
    same(r.out.strip(), os.readlink(f"/proc/{oci.state('c2')['pid']}/ns/user"), "user namespace of exec")
    # Joining it with another container.
    c["linux"]["namespaces"][-1] = {"type": "user", "path": f"/proc/{oci.state('c2')['pid']}/ns/user"}
    oci.write(b, c)
    r = oci("run", "-b", b, "c3")
    check("\nfine\n" in r.out, r.out + r.err)
    oci("delete", "-f", "c2").ok()


@test(needs="root")
def idmapped_mounts(env):
    oci = Runtime(env)
    src = oci.base / "src"
    src.mkdir()
    (src / "f").write_text("x")
    os.chown(src / "f", 1000, 1000)
    c = spec("/bin/sh", "-c", "stat -c '%u %g' /m/f /plain/f; touch /m/new")
    m = bind(src, "/m", "idmap")
    m["uidMappings"] = m["gidMappings"] = [{"containerID": 1000, "hostID": 5000, "size": 10}, {"containerID": 0, "hostID": 0, "size": 10}]
    c["mounts"] += [m, bind(src, "/plain")]
    b = oci.bundle(c)
    # A relative source, relative to the bundle.
    r = oci("run", "-b", b, "c1")
    same(r.out, "5000 5000\n1000 1000\n", f"owners {r.err}")
    shutil.copytree(src, b / "rel")
    os.chown(b / "rel/f", 1000, 1000)
    m["source"] = "rel"
    oci.write(b, c)
    same(oci("run", "-b", b, "c1").ok().out, "5000 5000\n1000 1000\n", "owners of a relative source")


@test(needs="root")
def time_namespace_with_offsets(env):
    oci = Runtime(env)
    c = spec("/bin/sh", "-c", "cat /proc/uptime; readlink /proc/self/ns/time")
    c["linux"]["namespaces"].append({"type": "time"})
    c["linux"]["timeOffsets"] = {"boottime": {"secs": 5000000, "nanosecs": 5}, "monotonic": {"secs": 77, "nanosecs": 0}}
    out = oci.run(c).ok().out.split()
    check(float(out[0]) > 5000000, out)
    check(out[2] != os.readlink("/proc/self/ns/time"), out)
    c["process"]["args"] = ["/bin/sleep", "100"]
    oci("run", "-d", "-b", oci.bundle(c), "c1", **QUIET).ok()
    out = oci("exec", "c1", "cat", "/proc/uptime").ok().out.split()
    check(float(out[0]) > 5000000, f"exec: {out}")
    pid = oci.state()["pid"]
    c["process"]["args"] = ["/bin/cat", "/proc/uptime"]
    c["linux"]["namespaces"][-1]["path"] = f"/proc/{pid}/ns/time"
    del c["linux"]["timeOffsets"]
    out = oci.run(c, "c2").ok().out.split()
    check(float(out[0]) > 5000000, f"joined: {out}")
    # With a user namespace the offsets are its root's to set.
    del c["linux"]["namespaces"][-1]["path"]
    c["linux"]["timeOffsets"] = {"boottime": {"secs": 6000000}}
    c["linux"]["namespaces"].append({"type": "user"})
    c["linux"]["uidMappings"] = c["linux"]["gidMappings"] = [{"containerID": 0, "hostID": 0, "size": 65536}]
    out = oci.run(c, "c3").ok().out.split()
    check(float(out[0]) > 6000000, f"user namespace: {out}")
    oci("delete", "-f", "c1").ok()


@test(needs="root")
def cgroup_view_is_the_own_and_read_only(env):
    oci = Runtime(env)
    r = oci.sh("cat /proc/self/cgroup; find /sys/fs/cgroup -name cgroup.procs | while read f; do grep -qx 1 $f && echo in; echo 0 > $f; done; mkdir /sys/fs/cgroup/x /sys/fs/cgroup/*/x; grep -c cgroup /proc/self/mountinfo; true").ok()
    paths = {line.split(":", 2)[2] for line in r.out.splitlines() if line.count(":") == 2}
    check("/" in paths, r.out)
    check("in\n" in r.out, f"own cgroup is not seen: {r.out} {r.err}")
    check("Read-only file system" in r.err, r.err)


@test(needs="root")
def memory_and_pids_limits(env):
    oci = Runtime(env)
    c = spec("/bin/sh", "-c", "head -c 100m /dev/zero | tail | wc -c; echo end")
    c["linux"]["resources"]["memory"] = {"limit": 16 << 20, "swap": 16 << 20}
    r = oci.run(c)
    check("104857600" not in r.out, f"not limited: {r.out}")
    c = spec("/bin/sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do sleep 1 & done; wait")
    c["linux"]["resources"]["pids"] = {"limit": 5}
    r = oci.run(c)
    check("can't fork" in r.err, r.err)


@test(needs="root")
def no_pivot_works(env):
    oci = Runtime(env)
    b = oci.bundle(None, "/bin/sh", "-c", "ls /; cat /proc/self/mountinfo | head -1")
    r = oci("run", "--no-pivot", "-b", b, "c1").ok()
    check("bin" in r.out and "tested" not in r.out, r.out)


@test(needs="root")
def seccomp_filters_and_says_errno(env):
    oci = Runtime(env)
    c = spec("/bin/sh", "-c", "mkdir /tmp/x; chmod 700 /tmp; echo end")
    c["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
                             "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28},
                                          {"names": ["chmod", "fchmodat"], "action": "SCMP_ACT_ERRNO"}]}
    for nnp in (True, False):
        c["process"]["noNewPrivileges"] = nnp
        r = oci.run(c).ok()
        check("No space left" in r.err and "Operation not permitted" in r.err and "end" in r.out, r.err)
    b = oci.bundle(c)
    c["process"]["args"] = ["/bin/sleep", "100"]
    oci.write(b, c)
    oci("run", "-d", "-b", b, "c1", **QUIET).ok()
    r = oci("exec", "c1", "mkdir", "/tmp/y")
    check(r.code == 1 and "No space left" in r.err, r.err)
    oci("delete", "-f", "c1").ok()


@test(needs="root")
def contradictory_configs_are_refused_by_path(env):
    oci = Runtime(env)
    cases = [
        (lambda c: c["linux"]["namespaces"].append({"type": "nope"}), "linux.namespaces[6].type"),
        (lambda c: c["linux"]["namespaces"].append({"type": "pid"}), "linux.namespaces[6].type"),
        (lambda c: c["process"].update(args=[]), "process.args"),
        (lambda c: c["process"].update(cwd="rel"), "process.cwd"),
        (lambda c: c["process"].update(env=["noequals"]), "process.env[0]"),
        (lambda c: c["process"]["rlimits"].append({"type": "RLIMIT_NOFILE", "soft": 1, "hard": 1}), "process.rlimits[1].type"),
        (lambda c: c["process"]["rlimits"].append({"type": "RLIMIT_X", "soft": 1, "hard": 1}), "process.rlimits[1].type"),
        (lambda c: c["process"].update(oomScoreAdj=5000), "process.oomScoreAdj"),
        (lambda c: c["process"]["user"].update(uid=4294967295), "process.user"),
        (lambda c: c["process"]["user"].update(uid=-1), "process.user.uid"),
        (lambda c: c["root"].update(path=""), "root.path"),
        (lambda c: c["root"].update(path="nope"), "nope"),
        (lambda c: c["linux"].update(sysctl={"kernel.core_pattern": "x"}), "kernel.core_pattern"),
        (lambda c: c["linux"].update(sysctl={"net.ipv4/../../kernel": "x"}), "linux.sysctl"),
        (lambda c: c["linux"].update(uidMappings=[{"containerID": 0, "hostID": 0, "size": 1}]), "linux.uidMappings"),
        (lambda c: c["linux"].update(timeOffsets={"boottime": {"secs": 1}}), "linux.timeOffsets"),
        (lambda c: c["linux"].update(maskedPaths=["rel"]), "linux.maskedPaths[0]"),
        (lambda c: c["linux"].update(rootfsPropagation="weird"), "linux.rootfsPropagation"),
        (lambda c: c["mounts"].append({"destination": "/", "type": "tmpfs"}), "'/'"),
        (lambda c: c["mounts"].append({"destination": "", "type": "tmpfs"}), "mounts[7].destination"),
        (lambda c: c["mounts"].append({"destination": "/x"}), "mounts[7].type"),
        (lambda c: c.update(hostname="h" * 65), "hostname"),
        (lambda c: c.update(hooks={"prestart": [{"path": "rel"}]}), "hooks.prestart[0].path"),
        (lambda c: c.update(process=None), "process"),
        (lambda c: c.update(linux=None), "linux"),
    ]
    for change, word in cases:
        c = spec("/bin/true")
        change(c)
        r = oci.run(c)
        check(r.code == 1 and word in r.err, f"want {word!r}: {r.code} {r.err}")
        check("does not exist" in oci("state", "c1").err, f"{word}: something was created")
    for text in ("", "{", "[]", "null", "{}", '{"ociVersion": 5}', '{"a":1,"a":2}', "{" * 100000, '{"ociVersion":"1.0.0"} x', "\x00"):
        b = oci.bundle(text)
        r = oci("run", "-b", b, "c1")
        check(r.code == 1 and r.err, f"{text[:20]!r} was taken")


@test(needs="root")
def seccomp_listener_gets_the_descriptor_and_the_state(env):
    oci = Runtime(env)
    path = str(oci.base / "listener")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(1)
    c = spec("/bin/sh", "-c", "mkdir /tmp/x || echo refused")
    c["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": path, "listenerMetadata": "hello",
                             "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]}
    p = oci.start("run", "-b", oci.bundle(c), "c1")
    conn, _ = listener.accept()
    data, fds, _, _ = socket.recv_fds(conn, 65536, 4)
    state = json.loads(data)
    same((state["fds"], state["metadata"], state["state"]["id"]), (["seccompFd"], "hello", "c1"), "container process state")
    check(os.path.exists(f"/proc/{state['pid']}"), "pid")
    same(len(fds), 1, "descriptors")
    # struct seccomp_notif (80 bytes) and struct seccomp_notif_resp {id, val, error, flags}.
    SECCOMP_IOCTL_NOTIF_RECV, SECCOMP_IOCTL_NOTIF_SEND = 0xc0502100, 0xc0182101
    req = bytearray(80)
    fcntl.ioctl(fds[0], SECCOMP_IOCTL_NOTIF_RECV, req)
    ident, nr = struct.unpack_from("Q", req)[0], struct.unpack_from("i", req, 16)[0]
    same(nr, 83, "system call (mkdir)")
    fcntl.ioctl(fds[0], SECCOMP_IOCTL_NOTIF_SEND, bytearray(struct.pack("Qqii", ident, 0, -30, 0)))
    os.close(fds[0])
    r = p.finish()
    check(r.out == "refused\n" and "Read-only file system" in r.err, f"{r.code} {r.out} {r.err}")


main()
