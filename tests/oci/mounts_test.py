# SPDX-License-Identifier: Apache-2.0
"""Mounts of a bundle: order, sources, flags, and where the root itself lies while hooks run."""
import os, subprocess

from caisson_test import check, main, same, test
from oci_bundle import Runtime, bind, mount_line, spec

MAPS = [{"containerID": 0, "hostID": 100000, "size": 65536}]


def in_user_namespace(c):
    c["linux"]["namespaces"].append({"type": "user"})
    c["linux"]["uidMappings"] = c["linux"]["gidMappings"] = MAPS
    c["mounts"] = [m for m in c["mounts"] if m["destination"] != "/dev/mqueue"]
    return c


def reachable(path):
    """Another user has to get through to the root."""
    while str(path) != "/" and os.stat(path).st_uid == 0:
        os.chmod(path, os.stat(path).st_mode | 0o111)
        path = path.parent


def own(path):
    for d, dirs, files in os.walk(path):
        for n in [d, *(os.path.join(d, f) for f in files + dirs)]:
            os.lchown(n, 100000, 100000)


@test(needs="root")
def a_source_may_be_made_by_an_earlier_mount(env):
    oci = Runtime(env)
    src = oci.base / "src"
    for d in ("a/x", "b/y"):
        (src / d).mkdir(parents=True)
        (src / d / "file").write_text(d + "\n")
    for userns in (False, True):
        b = oci.bundle(spec())
        c = spec("/bin/cat", "/final/x/y/file", "/again/y/file")
        root = b / "rootfs"
        (root / "mnt").mkdir()
        c["mounts"] += [bind(src / "a", "/mnt"), bind(src / "b", "/mnt/x"), bind(root / "mnt", "/final", "rbind"),
                        bind(root / "mnt/x", f"{root}/again", "rbind", "ro")]
        if userns:
            in_user_namespace(c)
            own(root)
            reachable(b)
            os.chmod(src, 0o700)    # for the host's root alone to open
        oci.write(b, c)
        same(oci("run", "-b", b, "c1").ok().out, "b/y\nb/y\n", f"read through the mounts, userns {userns}")


@test(needs="root")
def the_hosts_flags_hold_in_a_user_namespace(env):
    oci = Runtime(env)
    src = oci.base / "src"
    src.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,nosuid,nodev,noexec", "tmpfs", src], check=True)
    try:
        c = in_user_namespace(spec("/bin/sh", "-c", "grep ' /mnt ' /proc/self/mountinfo; mount -o remount,bind,rw /mnt && echo rw; "
                                                    "mount -o remount,bind,ro,suid /mnt && echo suid; echo end"))
        for s in c["process"]["capabilities"].values():
            s.append("CAP_SYS_ADMIN")
        for options, code in ((["rbind"], 0), (["rbind", "rslave"], 0), (["rbind", "nodev"], 0), (["rbind", "rw"], 1), (["rbind", "suid"], 1)):
            c["mounts"] = c["mounts"][:6] + [dict(bind(src, "/mnt"), options=options)]
            b = oci.bundle(c)
            own(b / "rootfs")
            reachable(b)
            r = oci("run", "-b", b, "c1")
            same(r.code, code, f"{options}: {r.err}")
            if code:
                check("'/mnt': Operation not permitted" in r.err, r.err)
                continue
            check({"ro", "nosuid", "nodev", "noexec"} <= set(mount_line(r.out, "/mnt")[0]), r.out)
            check("\nrw\n" not in r.out and "\nsuid\n" not in r.out and r.out.endswith("end\n"), r.out)
    finally:
        subprocess.run(["umount", src], check=True)


@test(needs="root")
def one_named_flag_clears_the_others(env):
    oci = Runtime(env)
    src = oci.base / "src"
    src.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,nosuid,nodev,noexec,noatime", "tmpfs", src], check=True)
    try:
        for options, has, has_not in ((["bind"], {"ro", "nosuid", "nodev", "noexec", "noatime"}, set()),
                                      (["bind", "rprivate"], {"ro", "nosuid", "nodev", "noexec", "noatime"}, set()),
                                      (["bind", "mode=755", "size=1k"], {"ro", "nosuid", "nodev", "noexec", "noatime"}, set()),
                                      (["bind", "nodev"], {"rw", "nodev", "noatime"}, {"nosuid", "noexec"}),
                                      (["bind", "ro"], {"ro", "noatime"}, {"nosuid", "nodev", "noexec"}),
                                      (["bind", "dev", "atime"], {"rw", "noatime"}, {"nosuid", "nodev"}),
                                      (["bind", "nodiratime"], {"rw", "nodiratime", "relatime"}, {"noatime"}),
                                      (["bind", "strictatime"], {"rw"}, {"noatime", "relatime", "nodiratime"})):
            c = spec("/bin/cat", "/proc/self/mountinfo")
            c["mounts"].append(dict(bind(src, "/mnt"), options=options))
            got = set(mount_line(oci.run(c).ok().out, "/mnt")[0])
            check(has <= got and not has_not & got, f"{options}: {got}")
    finally:
        subprocess.run(["umount", src], check=True)


@test(needs="root")
def ids_are_shifted_for_one_mount_or_for_all_below(env):
    oci = Runtime(env)
    src = oci.base / "src"
    (src / "sub").mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", src / "sub"], check=True)
    try:
        for p in (src / "file", src / "sub/file"):
            p.write_text("x")
            os.chown(p, 5, 6)
        maps = [{"containerID": 0, "hostID": 1000, "size": 100}]
        for word, below in (("idmap", "5:6"), ("ridmap", "1005:1006")):
            c = spec("/bin/stat", "-c", "%u:%g", "/mnt/file", "/mnt/sub/file")
            c["mounts"].append(dict(bind(src, "/mnt"), options=["rbind", word], uidMappings=maps, gidMappings=maps))
            r = oci.run(c)
            if r.code and "cannot be shifted by this kernel" in r.err:
                continue
            same(r.ok().out.split(), ["1005:1006", below], word)
    finally:
        subprocess.run(["umount", src / "sub"], check=True)


@test(needs="root")
def recursive_options_reach_what_is_below(env):
    oci = Runtime(env)
    src = oci.base / "src"
    (src / "sub").mkdir(parents=True)
    for d in (src, src / "sub"):
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", d], check=True)
        (d / "sub").mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "nosuid,nodev,noexec,noatime,nodiratime,ro", "tmpfs", src / "sub/sub"], check=True)
    try:
        for words, has, has_not in ((["rro"], {"ro"}, set()), (["rro", "rrw"], {"rw"}, set()), (["rnosuid", "rnodev", "rnoexec"], {"nosuid", "nodev", "noexec"}, set()),
                                    (["rsuid", "rdev", "rexec", "rrw"], {"rw"}, {"nosuid", "nodev", "noexec"}), (["rnoatime"], {"noatime"}, {"relatime"}),
                                    (["rrelatime"], {"relatime"}, {"noatime"}), (["rstrictatime"], set(), {"noatime", "relatime"}), (["rnodiratime"], {"nodiratime"}, set()),
                                    (["rdiratime"], set(), {"nodiratime"}), (["rnosymfollow"], {"nosymfollow"}, set()), (["rsymfollow"], set(), {"nosymfollow"})):
            c = spec("/bin/cat", "/proc/self/mountinfo")
            c["mounts"].append(dict(bind(src, "/mnt"), options=["rbind", *words]))
            out = oci.run(c).ok().out
            for where in ("/mnt", "/mnt/sub", "/mnt/sub/sub"):
                got = set(mount_line(out, where)[0])
                check(has <= got and not has_not & got, f"{words} at {where}: {got}")
    finally:
        for d in (src / "sub/sub", src / "sub", src):
            subprocess.run(["umount", d], check=True)


@test(needs="root")
def a_read_only_dev_has_its_submounts(env):
    oci = Runtime(env)
    c = spec("/bin/sh", "-c", "ls /dev; grep -E ' /dev( |/)' /proc/self/mountinfo; touch /dev/x; touch /dev/shm/x && echo fine")
    for m in c["mounts"]:
        if m["destination"] == "/dev":
            m["options"].append("ro")
    r = oci.run(c).ok()
    check("Read-only file system" in r.err and r.out.endswith("fine\n"), r.out + r.err)
    check("ro" in mount_line(r.out, "/dev")[0] and "rw" in mount_line(r.out, "/dev/shm")[0], r.out)
    check({"null", "pts", "shm", "mqueue", "stdin"} <= set(r.out.split()), r.out)


@test(needs="root")
def hooks_find_the_root_where_it_lies(env):
    """As NVIDIA's does: into the mount namespace, and the root by its path of the host."""
    oci = Runtime(env)
    b = oci.bundle(spec())
    root = b / "rootfs"
    for n in ("one", "two"):
        (root / n).write_text("image\n")
        (oci.base / n).write_text("host " + n + "\n")
    c = spec("/bin/cat", "/one", "/two")
    enter = f"pid=$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/'); nsenter -m -t $pid mount --bind {oci.base}/one {root}/one"
    c["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", enter], "env": ["PATH=" + os.environ["PATH"]]}],
                  "createContainer": [{"path": "/bin/sh", "args": ["sh", "-c", f"mount --bind {oci.base}/two ./two"],
                                       "env": ["PATH=" + os.environ["PATH"]]}]}
    oci.write(b, c)
    same(oci("run", "-b", b, "c1").ok().out, "host one\nhost two\n", "files that hooks have put there")
    same((root / "one").read_text(), "image\n", "the host's own")


@test(needs="root")
def without_pivot_no_procfs_of_the_host_is_left(env):
    oci = Runtime(env)
    # Would be allowed, and show /proc/sysrq-trigger, were a whole procfs left anywhere.
    c = spec("/bin/unshare", "-mrpf", "/bin/sh", "-c", "mount -t proc none /proc && ls -l /proc/sysrq-trigger")
    for s in c["process"]["capabilities"].values():
        s.append("CAP_SETFCAP")
    more = oci.base / "more"
    more.mkdir()
    subprocess.run(["mount", "-t", "proc", "proc", more], check=True)
    try:
        b = oci.bundle(c)
        r = oci("run", "--no-pivot", "-b", b, "c1")
        check(r.code == 1 and "ermission denied" in r.err and "sysrq" not in r.out, r.out + r.err)
        r = oci("run", "--no-pivot", "-b", oci.bundle_like(b, "/bin/cat", "/proc/self/mountinfo"), "c1").ok()
        same([l.split()[4] for l in r.out.splitlines() if " - proc " in l and l.split()[3] == "/"], ["/proc"], "procfs inside")
        for script in ("ls ..; ls /proc/1/root/..", "cd /proc/self/root/../../; ls"):
            r = oci("run", "--no-pivot", "-b", oci.bundle_like(b, "/bin/sh", "-c", script), "c1").ok()
            check("var" not in r.out.split(), r.out)
    finally:
        subprocess.run(["umount", more], check=True)


@test(needs="root")
def propagation_of_the_root_and_of_mounts(env):
    oci = Runtime(env)
    for word, tag in (("private", None), ("slave", "master"), ("shared", "shared"), ("unbindable", "unbindable")):
        c = spec("/bin/cat", "/proc/self/mountinfo")
        c["linux"]["rootfsPropagation"] = word
        tags = mount_line(oci.run(c).ok().out, "/")[1]
        check(all(not t.startswith(("shared", "unbindable")) for t in tags) if word in ("private", "slave") else any(t.startswith(tag) for t in tags),
              f"{word}: {tags}")
    src = oci.base / "src"
    src.mkdir()
    subprocess.run(["mount", "--bind", src, src], check=True)
    subprocess.run(["mount", "--make-shared", src], check=True)
    try:
        for word, tag in (("rshared", "shared:"), ("rslave", "master:"), ("rprivate", None), ("runbindable", "unbindable")):
            c = spec("/bin/cat", "/proc/self/mountinfo")
            c["mounts"].append(dict(bind(src, "/mnt"), options=["rbind", word]))
            tags = mount_line(oci.run(c).ok().out, "/mnt")[1]
            check(any(t.startswith(tag) for t in tags) if tag else not tags, f"{word}: {tags}")
    finally:
        subprocess.run(["umount", src], check=True)


main()
