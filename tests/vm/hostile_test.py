# SPDX-License-Identifier: Apache-2.0
# timeout: 600
"""What happens to a machine, and what a guest that was taken over can do to the host: a clear end with a clear reason, and nothing left.

The guest's agent is replaced by tests/vm/hostile_agent.c in a copy of the programs."""
import contextlib, os, pathlib, re, shutil, signal, subprocess, threading, time

from caisson_test import BUILD, check, main, same, test, wait_for

NEEDS = "root,qemu,kernel"
TINY = "caisson/tiny"
HERE = pathlib.Path(__file__).parent
RUN = ("run", "--isolation=vm", "--network=none", "--vm-template=off")


def programs(env, mode):
    """A copy of the installation whose machines are taken over."""
    d = env.tmp / mode
    d.mkdir()
    for f in BUILD.iterdir():
        if (f.name == "caisson" or f.name.startswith("caisson-")) and f.is_file() and f.name != "caisson-guest" and os.access(f, os.X_OK):
            os.link(f, d / f.name) if os.stat(f).st_dev == os.stat(d).st_dev else shutil.copy(f, d)
    (d / "share").mkdir()
    os.symlink(BUILD / "share/caisson", d / "share/caisson")
    subprocess.run(["cc", "-static", "-O1", f"-DMODE=\"{mode}\"", "-o", d / "caisson-guest", HERE / "hostile_agent.c"], check=True)
    return d / "caisson"


@contextlib.contextmanager
def as_mode(env, mode):
    whole, env.binary = env.binary, programs(env, mode)
    try:
        yield
    finally:
        env.binary = whole


def peak_mib(pid):
    return int(re.search(r"^VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M).group(1)) / 1024


def by_name(name):
    out = []
    for pid in (p for p in os.listdir("/proc") if p.isdigit()):
        try:
            if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == name[:15]:
                out.append(int(pid))
        except OSError:
            pass
    return out


def ends(env, mode, *words):
    """It ends by itself with this reason; meanwhile its monitor holds a bounded part of what it says."""
    peaks, over = [], threading.Event()

    def watch():
        while not over.wait(0.05):
            for pid in by_name("caisson-monitor"):
                try:
                    peaks.append(peak_mib(pid))
                except (OSError, AttributeError):
                    pass
    t = threading.Thread(target=watch)
    t.start()
    try:
        with as_mode(env, mode):
            r = env.run(*RUN, "--rm", TINY, "true", timeout=300)
    finally:
        over.set()
        t.join()
    check(r.code != 0 and any(w in r.err for w in words), f"{mode}: {r.code}: {r.err[-400:]}")
    check(len(r.err) < 2000, f"{mode}: {len(r.err)} bytes of error")
    check(peaks and max(peaks) < 64, f"{mode}: the monitor grew to {max(peaks, default=0)} MiB")


@test(needs=NEEDS, timeout=200)
def garbage_instead_of_a_greeting(env):
    ends(env, "garbage", "protocol", "frame", "channel")


@test(needs=NEEDS, timeout=200)
def a_second_greeting(env):
    ends(env, "hello-twice", "HELLO twice")


@test(needs=NEEDS, timeout=200)
def a_frame_of_four_gigabytes(env):
    with as_mode(env, "huge"):
        r = env.run(*RUN, "--name", "h", TINY, "true", timeout=300)
    same(r.code, 137, "exit code")
    s = env.run("inspect", "-f", "{{.State.Status}} {{.State.Error}}", "h").ok().out
    check(s.startswith("exited") and "frame" in s, s)
    env.run("rm", "h").ok()


@test(needs=NEEDS, timeout=200)
def output_without_end_and_without_leave(env):
    """Whoever reads slowly is not buried: what is not granted ends the machine."""
    with as_mode(env, "flood"):
        p = subprocess.Popen(env.argv([*RUN, "--name", "f", TINY, "true"]), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env.os_env)
        check(p.stdout.read(1) == b"j", "no output")
        # Nobody reads on; the pipe, the socket and the window are what it may fill.
        wait_for(lambda: env.run("inspect", "-f", "{{.State.Status}}", "f").ok().out == "exited\n", 60, "its end")
        rest = p.stdout.read()
        same(p.wait(60), 137, "exit code")
    check(len(rest) < 16 << 20, f"{len(rest)} bytes were waiting")
    s = env.run("inspect", "-f", "{{.State.Error}}", "f").ok().out
    check("broke the protocol" in s, s)
    env.run("rm", "f").ok()


@test(needs=NEEDS, timeout=200)
def words_about_nothing(env):
    """Frames that are well formed and mean nothing: the machine runs on, and can be removed."""
    for mode in ("streams", "oom"):
        with as_mode(env, mode):
            env.run(*RUN, "-d", "--name", mode, TINY, "true", timeout=300).ok()
        time.sleep(1)  # of a flood
        for pid in by_name("caisson-monitor"):
            check(peak_mib(pid) < 64, f"{mode}: {peak_mib(pid)} MiB")
        events = env.run_root / "events", env.root / "events"
        size = sum(f.stat().st_size for d in events if d.is_dir() for f in d.rglob("*") if f.is_file())
        check(size < 1 << 20, f"{mode}: {size} bytes of events")
        env.run("rm", "-f", mode, timeout=60).ok()


@test(needs=NEEDS, timeout=200)
def the_agent_crashes(env):
    """Process 1 ends, the kernel panics, and the reason says so."""
    with as_mode(env, "crash"):
        env.run(*RUN, "--name", "c", TINY, "true", timeout=300)
    s = env.run("inspect", "-f", "{{.State.Status}} {{.State.Error}}", "c").ok().out
    check(s.startswith("exited") and "guest kernel panicked: Attempted to kill init! exitcode=0x00000700" in s, s)
    env.run("rm", "c").ok()


@test(needs=NEEDS, timeout=200)
def a_console_without_end_before_a_panic(env):
    ends(env, "console", "panicked")


@test(needs=NEEDS, timeout=200)
def a_guest_that_says_nothing_can_be_ended(env):
    with as_mode(env, "silent"):
        p = env.start(*RUN, "--name", "s", TINY, "true")
    wait_for(lambda: by_name("qemu-system-x86_64"), 60, "QEMU")
    t = time.monotonic()
    env.run("rm", "-f", "s", timeout=60).ok()
    check(time.monotonic() - t < 40, f"removed after {time.monotonic() - t:.0f} s")
    p.finish()


@test(needs=NEEDS, timeout=200)
def the_wall_around_qemu(env):
    """As the kernel shows it on a machine that runs, with a network and a writable disk."""
    i = env.run("run", "-d", "--isolation=vm", TINY, "sleep", "1000").ok().out.strip()
    pid = int(env.run("inspect", "-f", "{{.State.Pid}}", i).ok().out)
    proc = pathlib.Path(f"/proc/{pid}")
    status = dict(line.split(":\t", 1) for line in (proc / "status").read_text().splitlines() if ":\t" in line)
    check(min(map(int, status["Uid"].split() + status["Gid"].split())) >= 65534 and not status["Groups"].strip(), "user and groups")
    same({status[k] for k in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}, {"0" * 16}, "capabilities")
    same((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"), "no_new_privs, a filter")
    threads = [(t / "status").read_text() for t in (proc / "task").iterdir()]
    check(len(threads) > 1 and all("Seccomp:\t2" in t for t in threads), "a thread without the filter")
    same(len(status["NSpid"].split()), 2, "levels of pid namespaces")
    for ns in ("mnt", "net", "ipc", "pid", "uts", "user"):
        check(os.readlink(proc / "ns" / ns) != os.readlink(f"/proc/self/ns/{ns}"), f"the host's {ns} namespace")
    same((proc / "uid_map").read_text().strip(), "", "ids of its user namespace")
    same([line.split(":")[0].strip() for line in (proc / "net/dev").read_text().splitlines()[2:]], ["lo"], "interfaces")
    check(set(os.listdir(proc / "root")) <= {"dev", "etc", "guestmem.so", "initrd", "kernel", "lib", "lib32", "lib64", "nix", "usr"}, f"root: {os.listdir(proc / 'root')}")
    same([m for m in (proc / "mounts").read_text().splitlines() if not m.split()[3].startswith("ro")], [], "mounts that can be written to")
    for f in os.listdir(proc / "fd"):
        to = os.readlink(proc / "fd" / f)
        check(to.startswith(("socket:", "pipe:", "anon_inode:", "/memfd:", "/dev/net/tun", "/null", "/dev/null", "/dev/kvm")) or i in to or any(d in to for d in ("/layers/", "/metas/", "/templates/")) or "/share/caisson/" in to
              or "cache/vm" in to or "test-vm" in to, f"descriptor {f}: {to}")
    limits = (proc / "limits").read_text()
    check(re.search(r"^Max core file size +0 +0 ", limits, re.M) and re.search(r"^Max open files +2048 +2048 ", limits, re.M), limits)
    if os.environ.get("CAISSON_TEST_CGROUPS"):
        check(any(i[:12] in line for line in (proc / "cgroup").read_text().splitlines()), (proc / "cgroup").read_text())
    env.run("rm", "-f", i).ok()


@test(needs=NEEDS, timeout=200)
def qemu_is_killed(env):
    """kill -9 of QEMU: the instance has ended, says by what, and starts again; an exec that runs hears of it."""
    env.run("run", "-d", "--isolation=vm", "--network=none", "--name", "k", TINY, "sleep", "1000").ok()
    p = env.start("exec", "k", "sh", "-c", "echo here; sleep 1000")
    p.until("here\n")
    pid = int(env.run("inspect", "-f", "{{.State.Pid}}", "k").ok().out)
    os.kill(pid, signal.SIGKILL)
    same(p.finish().code, 137, "exec")
    wait_for(lambda: env.run("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "k").ok().out == "exited 137\n", 30, "its end")
    check("killed by signal 9" in env.run("inspect", "-f", "{{.State.Error}}", "k").ok().out, "the reason")
    env.run("start", "k").ok()
    env.run("exec", "k", "true").ok()
    env.run("rm", "-f", "k").ok()


@test(needs=NEEDS, timeout=300)
def a_boot_beside_eight_busy_processes(env):
    busy = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(8)]
    try:
        env.run(*RUN, "--rm", TINY, "echo", "up", timeout=250).ok(out="up\n")
        env.run("run", "--isolation=vm", "--network=none", "--rm", TINY, "echo", "again", timeout=250).ok(out="again\n")
    finally:
        for p in busy:
            p.kill()
            p.wait()


main()
