# SPDX-License-Identifier: Apache-2.0
# timeout: 120
"""`--device-read-bps` and `--device-write-bps`, felt: what goes to a disk takes at least the time that it must, in both isolations."""
import contextlib, os, pathlib, subprocess

from caisson_test import check, main, same, skip, test

T = "caisson/tiny"
SIZE = 1 << 20
RATE = 1 << 20


@contextlib.contextmanager
def disk(env):
    """A file system on a block device of its own: the device, and where it is mounted."""
    image, at = env.tmp / "disk", env.tmp / "disk.d"
    at.mkdir(exist_ok=True)
    with open(image, "wb") as f:
        f.truncate(32 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-O", "^has_journal", image], check=True)
    if subprocess.run(["mount", "-o", "loop", image, at], capture_output=True).returncode:
        skip("no loop devices here")
    try:
        major_minor = os.stat(at).st_dev
        yield f"/dev/loop{os.minor(major_minor)}", at
    finally:
        subprocess.run(["umount", at], check=True)
        image.unlink()


def throttled():
    """Whether this process's cgroups can: version 1's blkio, or io."""
    return pathlib.Path("/sys/fs/cgroup/blkio").is_dir() or "io" in (pathlib.Path("/sys/fs/cgroup/cgroup.controllers").read_text() if pathlib.Path("/sys/fs/cgroup/cgroup.controllers").exists() else "")


def fresh(at):
    """A file that no cache holds."""
    f = at / "f"
    with open(f, "wb") as o:
        o.write(os.urandom(SIZE))
        o.flush()
        os.fsync(o.fileno())
        os.posix_fadvise(o.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def felt(env, kind):
    if not throttled():
        skip("no controller of block I/O here")
    with disk(env) as (device, at):
        fresh(at)
        # Timed inside: starting a machine takes longer than all this.  With fsync: what stands in the page cache is written back by
        # others, whom version 1 does not count.
        out = env.run("run", "--rm", "--isolation", kind, "--device-read-bps", f"{device}:{RATE}", "--device-write-bps", f"{device}:{RATE}", "-v", f"{at}:/data", T, "sh", "-c",
                      f"cat /proc/uptime; cat /data/f >/dev/null; cat /proc/uptime; dd if=/dev/zero of=/data/w bs=64k count={SIZE >> 16} conv=fsync 2>/dev/null; cat /proc/uptime").ok().out
        begin, read, written = (float(line.split()[0]) for line in out.splitlines())
        print(f"# {kind}: {SIZE / RATE:.1f} s at least; read in {read - begin:.2f}, written in {written - read:.2f}")
        check(read - begin >= SIZE / RATE * 0.9, f"read too fast: {read - begin:.2f} s")
        check(written - read >= SIZE / RATE * 0.9, f"written too fast: {written - read:.2f} s")
        same((at / "w").stat().st_size, SIZE, "bytes written")


@test(needs="root,netns")
def a_container(env):
    felt(env, "container")


@test(needs="root,netns,qemu,kernel")
def a_vm(env):
    felt(env, "vm")


main()
