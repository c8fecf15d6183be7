# SPDX-License-Identifier: Apache-2.0
"""Containers whose writable root fuse-overlayfs makes: what an upper directory of the program's own form must not change, and how it
ends.  The behaviour list itself runs over it in both_container_fuse_test.py."""
import json, os, pathlib, signal, subprocess

from caisson_test import as_root, check, same, test, wait_for
from fuse_setup import DRIVER

T = "caisson/tiny"
NEEDS = "root,netns,fuse" + os.environ.get("CAISSON_TEST_MORE_NEEDS", "")
# Of everything that an upper directory tells: new, changed, removed, replaced by a directory, by a file.
CHANGE = ("echo new >/new; chown 7:8 /new; rm /etc/passwd; echo more >>/etc/group; mkdir -p /d/e; touch /d/e/f; "
          "mkdir /old; touch /old/gone; rm -r /old; mkdir /old; touch /old/here; rm -r /home; mkdir /home; touch /home/me; "
          "mv /etc/os-release /released; ln /new /same; ln -s new /link; mkfifo /fifo")


def case(fn):
    return test(fn, needs=NEEDS)


def servers():
    """The programs in this pid namespace."""
    out = set()
    for p in (p for p in os.listdir("/proc") if p.isdigit()):
        try:
            words = pathlib.Path(f"/proc/{p}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0] == b"fuse-overlayfs":
            out.add(int(p))
    return out


def changed(env, driver, name):
    env.run("run", "--name", name, "--network", "none", T, "sh", "-c", CHANGE, env={DRIVER: driver}).ok()


def told(env, name):
    return sorted(env.run("diff", name).ok().out.splitlines())


def tree(env, image):
    return env.run("run", "--rm", "--network", "none", image, "sh", "-c",
                   "cat /etc/group /new /same; cd /; for f in [!dps]* d root srv d/e/* old/* home/* etc/*; do stat -c '%n %F %u:%g %a %h' $f; done").ok().out


@case
def diff_commit_and_export_are_those_of_the_kernels_overlay(env):
    changed(env, "overlay", "kernel")
    changed(env, "fuse-overlayfs", "fuse")
    for name, driver in (("kernel", "overlayfs"), ("fuse", "fuse-overlayfs")):
        same(json.loads(env.run("inspect", name).ok().out)[0]["Driver"], driver, f"driver of {name}")
        env.run("commit", name, f"{name}-image").ok()
    same(told(env, "fuse"), told(env, "kernel"), "diff")
    check("D /etc/passwd" in told(env, "fuse") and "D /etc/os-release" in told(env, "fuse"), f"diff: {told(env, 'fuse')}")
    same(tree(env, "fuse-image"), tree(env, "kernel-image"), "files of the image")
    env.run("image", "diff", "kernel-image", "fuse-image").ok()
    one, other = (sorted(subprocess.run(["tar", "t"], input=subprocess.run([env.binary, "--root", env.root, "--run-root", env.run_root, "export", n],
                  env=env.os_env, stdout=subprocess.PIPE, check=True).stdout, stdout=subprocess.PIPE, check=True).stdout.split()) for n in ("kernel", "fuse"))
    same(other, one, "names in the export")
    env.run("rm", "kernel", "fuse").ok()
    env.run("rmi", "kernel-image", "fuse-image").ok()


@case
def what_was_written_is_there_again_after_a_restart(env):
    env.run("run", "-d", "--name", "again", "--network", "none", T, "sh", "-c", "echo $$ >>/starts; exec sleep 1000").ok()
    wait_for(lambda: env.run("exec", "again", "cat", "/starts").out == "1\n", what="the first start's line")
    # Whatever the next command wishes, a writable layer stays with whom it began.
    env.run("restart", "-t", "0", "again", env={DRIVER: "overlay"}).ok()
    wait_for(lambda: env.run("exec", "again", "cat", "/starts").out == "1\n1\n", what="the second start's line")
    env.run("exec", "again", "sh", "-c", "rm /etc/passwd; ls /etc/passwd").expect(1)
    env.run("stop", "-t", "0", "again").ok()
    same(servers(), set(), "programs of what does not run")
    env.run("start", "again").ok()
    env.run("exec", "again", "ls", "/etc/passwd").expect(1)
    env.run("rm", "-f", "again").ok()


@case
def files_go_in_and_out_of_one_that_does_not_run(env):
    env.run("create", "--name", "still", "--network", "none", T, "sh", "-c", "cat /in/file && rm -r /in").ok()
    (env.tmp / "file").write_text("from outside\n")
    env.run("cp", str(env.tmp), "still:/in").ok()
    same(servers(), set(), "programs after the copy")
    env.run("start", "-a", "still").ok(out="from outside\n")
    env.run("cp", "still:/in", "-").expect(1)
    env.run("cp", "still:/etc/group", str(env.tmp / "group")).ok()
    check("root" in (env.tmp / "group").read_text(), "the copied file")
    env.run("rm", "still").ok()


@case
def the_end_of_the_program_is_the_instances_end_and_said(env):
    env.run("run", "-d", "--name", "bereft", "--network", "none", T, "sh", "-c", "touch /kept; exec sleep 1000").ok()
    wait_for(lambda: env.run("exec", "bereft", "ls", "/kept").code == 0, what="a first file")
    pid, = servers()
    with as_root():
        os.kill(pid, signal.SIGKILL)
    env.run("wait", "bereft").ok(out="137\n")
    state = json.loads(env.run("inspect", "bereft").ok().out)[0]["State"]
    same((state["Status"], state["Error"]), ("exited", "fuse-overlayfs has ended"), "state")
    env.run("start", "bereft").ok()
    env.run("exec", "bereft", "ls", "/kept").ok()
    env.run("rm", "-f", "bereft").ok()
    same(servers(), set(), "programs of what is gone")


@case
def with_its_monitor_the_program_goes_too(env):
    env.run("run", "-d", "--name", "orphan", "--network", "none", T, "sleep", "1000").ok()
    check(len(servers()) == 1, f"programs: {servers()}")
    pid = int(env.run("inspect", "-f", "{{.State.Pid}}", "orphan").ok().out)
    monitor = int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    with as_root():
        os.kill(monitor, signal.SIGKILL)
    wait_for(lambda: not servers(), what="the end of the program")
    wait_for(lambda: "Exited" in env.run("ps", "-a").ok().out, what="the truth in ps")
    env.run("rm", "orphan").ok()


@case
def many_files_and_big_ones_come_back_as_they_were_written(env):
    env.run("run", "--name", "work", "--network", "none", T, "sh", "-c",
            "mkdir /t && cd /t && for i in $(seq 300); do echo $i >f$i; done; for i in $(seq 2 2 300); do mv f$i g$i; done; "
            "dd if=/dev/urandom of=big bs=64k count=100 2>/dev/null; md5sum big; ls | wc -l; cat f* g* | sort -n | md5sum").ok()
    first = env.run("logs", "work").ok().out.split()
    env.run("commit", "work", "worked").ok()
    r = env.run("run", "--rm", "--network", "none", "worked", "sh", "-c", "cd /t; md5sum big; ls | wc -l; cat f* g* | sort -n | md5sum").ok()
    same(r.out.split(), first, "what the image has")
    env.run("rm", "work").ok()
    env.run("rmi", "worked").ok()


@case
def a_build_does_its_steps_there(env):
    d = env.tmp / "context"
    d.mkdir()
    (d / "Dockerfile").write_text(f"FROM {T}\nRUN rm /etc/passwd && mkdir -p /made/here && echo 1 >/made/here/x\nWORKDIR /w/x\nRUN rm -r /made && mkdir /made && pwd >/made/cwd\n")
    env.run("build", "-q", "-t", "steps", str(d)).ok()
    env.run("run", "--rm", "--network", "none", "steps", "sh", "-c", "pwd; cat /made/cwd; ls /made; test -e /etc/passwd || echo gone").ok(out="/w/x\n/w/x\ncwd\ngone\n")
    env.run("rmi", "steps").ok()
    env.run("build", "prune", "-f").ok()


@case
def a_driver_nobody_knows_is_refused(env):
    env.run("ps", env={DRIVER: "zfs"}).error(2, "--storage-driver", "zfs")
    check("fuse-overlayfs" in env.run("info").ok().out, "info does not say who makes writable roots")
    same(env.run("info", "-f", "{{.Driver}}").ok().out, "fuse-overlayfs\n", "docker's name")
    same(env.run("info", "-f", "{{.Driver}}", env={DRIVER: "overlay"}).ok().out, "overlayfs\n", "the kernel's")


@case
def a_file_system_that_the_kernel_refuses_is_served_by_itself(env):
    """Here an overlay, as in a container; without a switch."""
    d = env.tmp / "over"
    for name in ("lower", "upper", "work", "at"):
        (d / name).mkdir(parents=True)
    with as_root():
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", f"lowerdir={d}/lower,upperdir={d}/upper,workdir={d}/work", d / "at"], check=True)
    if os.geteuid():
        with as_root():
            os.chown(d / "at", os.getuid() or 4242, 4242)

    def one(*args):
        clean = {k: v for k, v in env.os_env.items() if k != DRIVER}
        return subprocess.run([env.binary, "--root", d / "at/root", "--run-root", d / "run", *args], capture_output=True, text=True, env=clean, stdin=subprocess.DEVNULL)
    try:
        r = one("run", "--name", "there", "--network", "none", T, "sh", "-c", "echo x >/x; rm /etc/passwd; cat /x")
        same((r.returncode, r.stdout, r.stderr), (0, "x\n", ""), "run")
        r = one("diff", "there")
        same((r.returncode, r.stdout), (0, "C /etc\nD /etc/passwd\nA /x\n"), "diff")
        same(one("inspect", "-f", "{{.Driver}}", "there").stdout, "fuse-overlayfs\n", "driver")
        same(one("rm", "there").returncode, 0, "rm")
    finally:
        one("system", "prune", "-af")
        with as_root():
            # Root's layers are pinned there, an ordinary user's in a namespace of his own.
            for place in ("run/ns/mnt", "run/ns"):
                subprocess.run(["umount", d / place], capture_output=True)
            subprocess.run(["umount", "-l", d / "at"], check=True)
