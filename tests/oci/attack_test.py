# SPDX-License-Identifier: Apache-2.0
"""Attacks that worked on other runtimes, tried on ours: images with planted links, swaps while we mount, the
runtime's own program, leaked descriptors.  Everything happens inside bundles that the test makes."""
import fcntl, os, pathlib, re, subprocess, threading, time

from caisson_test import BUILD, check, main, same, test, wait_for
from oci_bundle import Runtime, spec

QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


@test(needs="root")
def a_link_for_proc_or_sys_is_refused(env):
    """CVE-2019-16884, CVE-2019-19921, CVE-2023-27561."""
    oci = Runtime(env)
    for name in ("proc", "sys"):
        for target in ("/tmp", "tmp", "../../../../proc"):
            b = oci.bundle(None, "/bin/true")
            os.rmdir(b / "rootfs" / name)
            os.symlink(target, b / "rootfs" / name)
            r = oci("run", "-b", b, "c1")
            check(r.code == 1 and "must be mounted on ordinary directory" in r.err, f"{name} -> {target}: {r.code} {r.err}")


@test(needs="root")
def nothing_is_mounted_on_or_below_proc(env):
    oci = Runtime(env)
    src = oci.base / "f"
    src.write_text("fake\n")
    for m in ({"destination": "/proc/sys/kernel/hostname", "type": "bind", "source": str(src), "options": ["bind"]},
              {"destination": "/proc/self/attr", "type": "tmpfs", "source": "t"},
              {"destination": "/proc", "type": "tmpfs", "source": "t"},
              {"destination": "/link/sys", "type": "tmpfs", "source": "t"},
              {"destination": "/dot/../proc/./sys", "type": "tmpfs", "source": "t"},
              {"destination": "/proc", "type": "bind", "source": str(oci.base), "options": ["bind"]}):
        c = spec("/bin/true")
        c["mounts"].append(m)
        b = oci.bundle(c)
        os.symlink("proc", b / "rootfs/link")
        (b / "rootfs/dot").mkdir()
        r = oci("run", "-b", b, "c1")
        check(r.code == 1 and "cannot be mounted because it is" in r.err, f"{m}: {r.code} {r.err}")
    c = spec("/bin/cat", "/proc/uptime")
    c["mounts"].append({"destination": "/proc/uptime", "type": "bind", "source": str(src), "options": ["bind"]})
    oci.run(c).ok(out="fake\n")


@test(needs="root")
def a_link_for_dev_stays_inside(env):
    """CVE-2026-41579: /dev of the image is a link out of the root and the plan mounts nothing on it."""
    oci = Runtime(env)
    outside = oci.base / "outside"
    outside.mkdir()
    c = spec("/bin/true")
    c["mounts"] = [m for m in c["mounts"] if not m["destination"].startswith("/dev")]
    b = oci.bundle(c)
    os.rmdir(b / "rootfs/dev")
    os.symlink(str(outside), b / "rootfs/dev")
    oci("run", "-b", b, "c1")
    same(os.listdir(outside), [], "made outside")
    os.unlink(b / "rootfs/dev")
    os.symlink("../../outside", b / "rootfs/dev")
    oci("run", "-b", b, "c1")
    same(os.listdir(outside), [], "made outside")


@test(needs="root")
def planted_device_files_are_not_trusted(env):
    """CVE-2025-31133: /dev/null of the image is something else; masking must not bind it."""
    oci = Runtime(env)
    c = spec("/bin/sh", "-c", "cat /proc/keys /etc/secret; stat -c %F /dev/null; echo x > /proc/sys/kernel/core_pattern")
    c["mounts"] = [m for m in c["mounts"] if not m["destination"].startswith("/dev")]
    c["linux"]["maskedPaths"].append("/etc/secret")
    b = oci.bundle(c)
    (b / "rootfs/etc/secret").write_text("secret\n")
    os.symlink("/proc/sys/kernel/core_pattern", b / "rootfs/dev/null")
    before = pathlib.Path("/proc/sys/kernel/core_pattern").read_text()
    r = oci("run", "-b", b, "c1")
    same(pathlib.Path("/proc/sys/kernel/core_pattern").read_text(), before, "core_pattern")
    check("secret" not in r.out and "character special file" in r.out, r.out + r.err)


@test(needs="root")
def cwd_through_a_descriptor_is_refused(env):
    """CVE-2024-21626."""
    oci = Runtime(env)
    fd = os.open("/sys/fs/cgroup", os.O_RDONLY)
    os.set_inheritable(fd, True)
    for n in range(3, 16):
        c = spec("/bin/sh", "-c", "pwd; ls ../../../../..")
        c["process"]["cwd"] = f"/proc/self/fd/{n}"
        r = oci.run(c, pass_fds=[fd])
        check(r.code != 0 or "bin" in r.out.split(), f"fd {n}: {r.out} {r.err}")
        check("cgroup" not in r.out and "devices" not in r.out, f"fd {n}: {r.out}")
    b = oci.bundle(None, "/bin/sleep", "100")
    os.symlink("/proc/self/fd/7", b / "rootfs/cwd")
    oci("run", "-d", "-b", b, "c1", **QUIET).ok()
    for n in range(3, 16):
        r = oci("exec", "--cwd", f"/proc/self/fd/{n}", "c1", "ls", "../../..", pass_fds=[fd])
        check(r.code != 0 or "bin" in r.out.split(), f"exec fd {n}: {r.out} {r.err}")
    check(oci("exec", "--cwd", "/cwd", "c1", "ls", "..", pass_fds=[fd]).code != 0, "through a link")
    oci("delete", "-f", "c1").ok()
    os.close(fd)


@test(needs="root")
def the_runtime_cannot_be_written_from_inside(env):
    """CVE-2019-5736: the workload makes the runtime execute itself, or catches it while it joins."""
    oci = Runtime(env)
    binary = pathlib.Path(oci.binary)
    before = (binary.stat().st_mtime_ns, binary.stat().st_size)
    caps = ["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE", "CAP_SYS_PTRACE", "CAP_CHOWN", "CAP_FOWNER", "CAP_KILL"]
    # 1. The program is /proc/self/exe, a script by it, and an ELF by it.
    for args in (["/proc/self/exe", "--version"], ["/bin/script"]):
        c = spec(*args)
        c["process"]["capabilities"] = {k: caps for k in ("bounding", "effective", "permitted")}
        b = oci.bundle(c)
        (b / "rootfs/bin/script").write_text("#!/proc/self/exe\n")
        (b / "rootfs/bin/script").chmod(0o755)
        oci("run", "-b", b, "c1")
    # 2. While exec joins again and again, and is made to execute itself, a process inside catches the file behind
    # /proc/PID/exe and writes to it when nobody runs it any more.
    c = spec("/bin/sh", "-c", """echo ready
        while [ ! -e /stop ]; do for p in /proc/[0-9]*; do
            l=$(readlink $p/exe) || continue
            case $l in /bin/busybox|"") continue;; esac
            (exec 9<$p/exe || exit; echo CAUGHT $l
             while [ ! -e /stop ]; do (echo bad >> /proc/self/fd/9) && echo WRITTEN && exit; sleep 0.05; done)
        done; done; echo end""")
    c["process"]["capabilities"] = {k: caps for k in ("bounding", "effective", "permitted")}
    b = oci.bundle(c)
    # Not by run: its own process would keep the file busy.
    oci.create(b).ok()
    oci("start", "c1").ok()
    wait_for(lambda: "ready" in oci.output(), what="ready")
    holders = []
    for i in range(15):
        # Our program inside, waiting for its stdin: easy to catch.
        holders.append(oci.start("exec", "c1", "/proc/self/exe", "run", "-f", "/proc/self/fd/0", "x"))
        oci("exec", "c1", "/bin/true")
    wait_for(lambda: "CAUGHT" in oci.output(), what="the attack comes far enough to be a test")
    for h in holders:
        h.finish()
    time.sleep(0.5)
    (b / "rootfs/stop").write_text("")
    wait_for(lambda: "end" in oci.output(), what="end")
    out = oci.output()
    oci("delete", "-f", "c1").ok()
    check("CAUGHT" in out, f"the attack did not come far enough to be a test: {out}")
    check("WRITTEN" not in out, out)
    same((binary.stat().st_mtime_ns, binary.stat().st_size), before, "the program's file")
    same(subprocess.run([oci.binary, "--version"], capture_output=True).returncode, 0, "the program")


@test(needs="root")
def the_running_program_is_on_a_read_only_mount(env):
    """What stands behind the test above.  (Opening it for writing says ETXTBSY first, which ends with the process.)"""
    oci = Runtime(env)
    oci.create(oci.bundle(None, "/bin/true")).ok()
    exe = f"/proc/{oci.state()['pid']}/exe"
    sealed = False
    with open(exe, "rb") as f:
        try:
            sealed = fcntl.fcntl(f, fcntl.F_GET_SEALS) & fcntl.F_SEAL_WRITE
        except OSError:
            pass
    check(sealed or os.statvfs(exe).f_flag & os.ST_RDONLY, "it is writable")
    oci("delete", "-f", "c1").ok()


@test(needs="root", timeout=120)
def mount_targets_swapped_while_we_mount_stay_inside(env):
    """CVE-2021-30465, CVE-2025-52565: components of targets are renamed to links during many creates."""
    oci = Runtime(env)
    outside = oci.base / "outside"
    outside.mkdir()
    src = oci.base / "src"
    src.mkdir()
    (src / "f").write_text("x")
    c = spec("/bin/true")
    for i in range(12):
        c["mounts"].append({"destination": f"/a/b{i}/c", "type": "bind", "source": str(src), "options": ["bind"]})
        c["mounts"].append({"destination": f"/a/t{i}", "type": "tmpfs", "source": "t"})
    c["linux"]["maskedPaths"].append("/a/b0/c/f")
    b = oci.bundle(c)
    root = b / "rootfs"
    (root / "a").mkdir()
    up = os.path.relpath("/", root) + str(outside)
    stop = threading.Event()

    def swap():
        os.symlink(str(outside), root / "link-abs")
        os.symlink(up, root / "link-rel")
        n = 0
        while not stop.is_set():
            link = root / ("link-abs", "link-rel")[n % 2]
            n += 1
            try:
                os.rename(root / "a", root / "a.dir")
                os.rename(link, root / "a")
                os.rename(root / "a", link)
                os.rename(root / "a.dir", root / "a")
            except OSError:
                pass
    t = threading.Thread(target=swap)
    t.start()
    try:
        for i in range(60):
            oci("run", "-b", b, "c1")
            same(os.listdir(outside), [], "made outside")
    finally:
        stop.set()
        t.join()
    same([m for m in open("/proc/self/mountinfo") if "outside" in m], [], "mounted outside")


@test(needs="root")
def account_files_that_block_or_lie(env):
    oci = Runtime(env)
    b = oci.bundle(None, "/bin/sh", "-c", "echo $HOME")
    for name in ("passwd", "group"):
        os.unlink(b / "rootfs/etc" / name)
        os.mkfifo(b / "rootfs/etc" / name)
    oci("run", "-b", b, "c1", timeout=300).ok(out="/\n")


@test(needs="root")
def cgroup_paths_cannot_escape(env):
    oci = Runtime(env)
    for path in ("../../escape", "/../../escape", "/a/../../escape"):
        c = spec("/bin/true")
        c["linux"]["cgroupsPath"] = path
        r = oci.run(c)
        if r.code == 0:
            continue        # read as if it were beneath the root, which is fine; the leak check sees the rest
        check("cgroup" in r.err, r.err)


@test(needs="root")
def the_process_is_not_traceable_while_it_is_made(env):
    """CVE-2016-9962: between clone and execve /proc/PID of ours is closed to the instance's root."""
    oci = Runtime(env)
    b = oci.bundle(None, "/bin/sleep", "100")
    oci.create(b).ok()
    pid = oci.state()["pid"]
    same(os.stat(f"/proc/{pid}/environ").st_uid, 0, "owner")
    # Not dumpable: the kernel hides the map of a process's memory even where ids agree.
    r = subprocess.run(["setpriv", "--reuid=0", "--bounding-set=-all", "--inh-caps=-all", "readlink", "-v", f"/proc/{pid}/fd/0"], capture_output=True, text=True)
    check(r.returncode != 0 and "Permission denied" in r.stderr, f"{r.stdout} {r.stderr}")
    oci("delete", "-f", "c1").ok()


main()
