# SPDX-License-Identifier: Apache-2.0
# timeout: 300
"""What goes wrong before or while something runs: one clear line, the right exit code, nothing left behind."""
import os, pathlib, re, shutil, signal, socket, subprocess

from caisson_test import BUILD, check, main, same, test, wait_for
from oci_image import Layout, busybox_layer, free_port, tar

T = "caisson/tiny"
VM = "--isolation=vm"


# ---- what the user typed ----

@test(needs="root")
def wrong_flags_exit_2_and_name_what_was_typed(env):
    for flags, words in (
            (["--no-such-flag"], ["--no-such-flag"]),
            (["--memory", "1x"], ["--memory", "1x"]),
            (["--memory", "-5"], ["--memory", "-5"]),
            (["--cpus", "many"], ["--cpus", "many"]),
            (["--pids-limit", "x"], ["--pids-limit", "x"]),
            (["--isolation", "jail"], ["--isolation", "jail"]),
            (["-p", "99999:80"], ["99999"]),
            (["-p", "80:x"], ["80:x"]),
            (["-v", "relative:/x:what"], ["what"]),
            (["--name", "-bad-"], ["-bad-"]),
            (["--name", "a/b"], ["a/b"]),
            (["-e", "=x"], ["=x"])):
        env.run("run", "--rm", *flags, T, "true").error(2, *words)


@test(needs="root")
def no_operand_no_command_no_instance(env):
    env.run("run").error(2)
    env.run("nonsense").error(2, "nonsense")
    for verb in ("stop", "kill", "rm", "wait", "logs", "inspect", "start", "pause"):
        env.run(verb, "not-here").error(1, "not-here")
        env.run(verb).error(2)
    env.run("exec", "not-here", "true").error(125, "not-here")


@test(needs="root")
def forced_removal_names_what_is_not_there_and_goes_on(env):
    # As docker's `rm -f` does: a line on stderr, and no failure.
    env.run("create", "--name", "here", T, "true").ok()
    r = env.run("rm", "-f", "not-here", "here", "f" * 64)
    same((r.code, r.out), (0, "here\n"), "exit code and output")
    same(r.err, f"caisson: no such instance: not-here\ncaisson: no such instance: {'f' * 64}\n", "stderr")
    env.run("rm", "--force", "not-here").ok(out="")
    env.run("rm", "not-here").error(1, "not-here")
    # What is there and cannot be named clearly stays an error.
    ids = [env.run("create", T, "true").ok().out.strip() for _ in range(17)]
    first = [i[0] for i in ids]
    twice = next(c for c in first if first.count(c) > 1)
    env.run("rm", "-f", twice).error(1, "begins the ids of")
    env.run("rm", "-f", *ids).ok()


@test(needs="root", timeout=240)
def removed_by_many_at_once(env):
    """An instance's own --rm, and everybody who saw it in a list: each finds it, or finds that it is gone."""
    for _ in range(4):
        ids = [env.run("run", "-d", "--rm", T, "sleep", f"0.{n}").ok().out.strip() for n in range(4)]
        ids += [env.run("run", "-d", T, "sleep", "1000").ok().out.strip() for _ in range(2)]
        both = [env.start("rm", "-f", *o) for o in (ids, ids[::-1], ids)]
        for r in [p.finish(120) for p in both]:
            check(r.code == 0, f"{r.code} {r.err!r}")
            same(re.sub(r"caisson: no such instance: [0-9a-f]{64}\n", "", r.err), "", "other words than that it is gone")
        same(env.run("ps", "-aq").ok().out, "", "what is left")


@test(needs="root")
def an_unknown_image_is_named(env):
    # No registry is reachable from here, so a name of one ends in the same way as a name that is not there.
    env.run("run", "--rm", "UPPER", "true").error(2, "UPPER")
    port = free_port()
    env.run("run", "--rm", f"localhost:{port}/x:1", "true", timeout=60).error(125, f"localhost:{port}/x:1")


@test(needs="root")
def networks_and_ports(env):
    env.run("run", "--rm", "--network", "nope", T, "true").error(125, "nope")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = s.getsockname()[1]
        env.run("run", "--rm", "-p", f"127.0.0.1:{port}:80", T, "true").error(125, str(port))


@test(needs="root")
def an_image_without_a_command(env):
    lay = Layout(env.tmp / "nocmd")
    lay.image([(busybox_layer(), "gzip")])
    env.run("pull", "-q", f"oci:{lay.path}").ok()
    image = next(i for i in env.run("images", "-q", "--no-trunc").ok().out.split() if i not in env.run("images", "-q", "--no-trunc", T).out)
    r = env.run("run", "--rm", image)
    check(r.code in (2, 125) and "command" in r.err, f"{r.code} {r.err}")
    env.run("rmi", image).ok()


# ---- what the machine lacks ----

@test(needs="root,qemu,kernel")
def missing_qemu(env):
    # Everything of PATH but QEMU.
    d = env.tmp / "bin"
    d.mkdir(exist_ok=True)
    for src in ("/usr/sbin", "/sbin", "/usr/bin", "/bin"):
        for f in os.listdir(src):
            if not f.startswith("qemu") and not (d / f).exists():
                os.symlink(f"{src}/{f}", d / f)
    # QEMU is looked for in fixed places too: take it away in this mount namespace.
    qemu = shutil.which("qemu-system-x86_64")
    subprocess.run(["mount", "--bind", "/dev/null", qemu], check=True)
    try:
        env.run("run", "--rm", VM, T, "true", env={"PATH": str(d)}).error(125, "qemu")
        env.run("run", "--rm", T, "echo", "container").ok(out="container\n")
    finally:
        subprocess.run(["umount", qemu], check=True)


@test(needs="root,qemu,kernel")
def missing_kernel(env):
    kernels = BUILD / "share/caisson/kernels"
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(kernels)], check=True)
    try:
        env.run("run", "--rm", VM, T, "true").error(125, "kernel")
        env.run("run", "--rm", T, "echo", "container").ok(out="container\n")
    finally:
        subprocess.run(["umount", str(kernels)], check=True)


@test(needs="root,qemu,kernel")
def a_kernel_that_is_none(env):
    kernels = BUILD / "share/caisson/kernels"
    copy = env.tmp / "kernels"
    shutil.copytree(kernels, copy)
    for k in copy.iterdir():
        (k / "vmlinux").write_bytes(b"\x7fELF" + bytes(4096))
    subprocess.run(["mount", "--bind", str(copy), str(kernels)], check=True)
    try:
        env.run("run", "--rm", VM, T, "true", timeout=100).error(125)
    finally:
        subprocess.run(["umount", str(kernels)], check=True)


def fill(path):
    """Take what is left of the disk."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        while True:
            os.write(fd, b"x" * 4096)
    except OSError:
        os.close(fd)


@test(needs="root", timeout=120)
def a_full_disk_while_something_is_made(env):
    small = env.base / "small-disk"
    small.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(small)], check=True)
    old = env.root, env.run_root
    try:
        env.root, env.run_root = small / "root", small / "run"
        env.run("run", "--rm", T, "true").ok()
        # What is removed behind the command would make room again.
        wait_for(lambda: not os.listdir(env.root / "instances") and not os.listdir(env.run_root / "net/attached"), what="the end of the first one")
        filler = small / "filler"
        fill(filler)
        env.run("run", "--rm", T, "true").error(125, "no space left")
        env.run("run", "-d", "--name", "full", T, "sleep", "100").error(125, "no space left")
        # A monitor clears up behind the command that has failed.
        wait_for(lambda: not os.listdir(env.root / "instances"), what="no instance is left")
        filler.unlink()
        env.run("run", "--rm", T, "echo", "again").ok(out="again\n")
        # What needs room to be removed is removed on a full disk, too.
        env.run("run", "-d", "--name", "there", T, "sleep", "100").ok()
        fill(filler)
        env.run("rm", "-f", "there").ok()
    finally:
        env.root, env.run_root = old
        subprocess.run(["umount", "-l", str(small)], check=True)


# ---- kill -9 at each step ----

STEPS = ("mount clone3 clone vfork renameat renameat2 rename mkdir mkdirat unlinkat symlinkat fsync flock fcntl socket connect sendto sendmsg "
         "setns unshare fsmount move_mount memfd_create openat write close").split()


def wait_quiet(env):
    def quiet():
        return not [p for p in os.listdir("/proc") if p.isdigit() and "caisson" in comm(p)]
    wait_for(quiet, 120, "every process of the engine has ended")


def comm(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        return ""


@test(needs="root,strace", timeout=280)
def the_command_line_killed_at_any_step_leaves_nothing(env):
    """SIGKILL at the K-th call of each kind; then the next command works and sweeps."""
    env.run("run", "--rm", T, "true").ok()
    killed = 0
    for step in STEPS:
        for k in (1, 2, 3, 5, 8, 13, 21, 34, 55):
            cmd = ["strace", "-qq", "-o", "/dev/null", "-e", f"inject={step}:signal=SIGKILL:when={k}", *env.argv(["run", "--rm", T, "true"])]
            if subprocess.run(cmd, capture_output=True, env=env.os_env).returncode == 0:
                break
            killed += 1
            env.run("run", "--rm", T, "echo", "after", timeout=60).ok(out="after\n")
    print(f"# killed {killed} times")
    check(killed >= 20, f"only {killed} steps were hit")
    # What was killed behind its start may still be removed by its monitor, between these two commands, too.
    for name in env.run("ps", "-a", "-q").ok().out.split():
        env.run("rm", "-f", name).ok()
    wait_quiet(env)
    same(env.run("ps", "-a", "-q").ok().out, "", "instances")
    env.run("run", "--rm", T, "true").ok()


@test(needs="root")
def what_a_terminal_obeys_is_escaped_in_every_error(env):
    """One line each, also where several are worked on."""
    for name in ("a\x1b[31m", "a\nb"):
        for words in (["stop"], ["start"], ["kill"], ["restart"], ["rm"], ["rmi"], ["inspect"], ["wait"], ["pause"], ["update", "--memory", "8m"], ["volume", "rm"],
                      ["volume", "inspect"], ["network", "rm"], ["network", "inspect"], ["pod", "stop"], ["pod", "inspect"], ["logs"], ["exec"], ["port"], ["top"]):
            r = env.run(*words, name, *(["true"] if words == ["exec"] else []))
            check(r.code, f"{words}: exit 0")
            check(re.fullmatch(r"caisson: [\x20-\x7e]+\n", r.err), f"{words}: {r.err!r}")
            check("\\x1b[31m" in r.err or "\\x0a" in r.err or name not in r.err, f"{words}: {r.err!r}")


main()
