# SPDX-License-Identifier: Apache-2.0
# timeout: 300
"""diff, export and commit: what an instance has become, told, as an archive and as an image that others read too."""
import io, json, os, pathlib, subprocess, tarfile, time

from caisson_test import Failed, check, main, same, test

TINY = "caisson/tiny"
CHANGE = """set -e
echo new >/new; mkdir -p /dir/sub; echo x >/dir/sub/f; ln /new /hard; ln -s new /soft; mkfifo /pipe
chmod 4711 /dir/sub/f; rm /bin/rpm; mkdir /tmp/t; echo change >>/etc/passwd
rm -r /srv; mkdir /srv; echo s >/srv/s; truncate -s 20M /sparse; echo end >>/sparse
touch /up; sleep 1000"""


def start(env, name, script=CHANGE, *args):
    env.run("run", "-d", "--name", name, *args, TINY, "sh", "-c", script).ok()
    deadline = time.monotonic() + 120
    while env.run("exec", name, "test", "-e", "/up").code:
        check(time.monotonic() < deadline and env.run("inspect", name).json()[0]["State"]["Running"], env.run("logs", name).err)
        time.sleep(0.02)


@test(needs="root")
def diff_tells_what_changed_and_nothing_else(env):
    h = env.tmp / "vol"
    h.mkdir(exist_ok=True)
    start(env, "d0", "touch /up; sleep 1000", "-v", f"{h}:/deep/er/vol", "-v", "/anon")
    same(env.run("diff", "d0").ok().out, "A /up\n", "places of mounts are not told")
    env.run("rm", "-f", "d0").ok()
    start(env, "d1")
    want = {"A /new", "A /dir", "A /dir/sub", "A /dir/sub/f", "A /hard", "A /soft", "A /pipe", "A /sparse", "A /up", "C /etc/passwd"}
    for state in ("running", "stopped"):
        out = env.run("diff", "d1").ok().out.splitlines()
        same(out, sorted(out, key=lambda x: x[2:]), "order")
        check(want <= set(out), f"{state}: {sorted(want - set(out))} is not told")
        more = set(out) - want
        check(more <= {"A /tmp/t", "C /tmp", "D /bin/rpm", "C /bin", "C /etc", "C /srv", "A /srv/s"}, f"{state}: {sorted(more)}")
        check({"D /bin/rpm", "C /bin", "A /srv/s"} <= set(out), out)
        if state == "running":
            env.run("kill", "d1").ok()
            env.run("wait", "d1")
    env.run("rm", "d1").ok()
    env.run("diff", "d1").error(1, "d1")


@test(needs="root")
def export_is_the_whole_tree_without_what_is_mounted(env):
    h = env.tmp / "vol2"
    h.mkdir(exist_ok=True)
    (h / "host").write_text("no")
    start(env, "e1", CHANGE, "-v", f"{h}:/vol")
    archives = []
    for state in ("running", "stopped"):
        f = env.tmp / "e.tar"
        env.run("export", "-o", f, "e1").ok()
        t = tarfile.open(f)
        m = {x.name: x for x in t.getmembers()}
        same((t.extractfile("new").read(), m["hard"].islnk() or m["new"].islnk(), m["soft"].linkname, m["pipe"].isfifo()), (b"new\n", True, "new", True), state)
        same((m["dir/sub/f"].mode, m["sparse"].size, "vol/host" in m, "proc/1" in m, "sys/kernel" in m), (0o4711, (20 << 20) + 4, False, False, False), state)
        check("bin/busybox" in m or "bin/sh" in m, "the image's files")
        archives.append(f.read_bytes())
        p = subprocess.run(env.argv(["export", "e1"]), capture_output=True, env=env.os_env)
        same(p.stdout, archives[-1], "to stdout, the second time")
        if state == "running":
            env.run("kill", "e1").ok()
            env.run("wait", "e1")
    same(archives[0], archives[1], "running and stopped")
    env.run("import", f, "again").ok()
    same(env.run("run", "--rm", "again", "/bin/cat", "/new").ok().out, "new\n", "imported again")
    env.run("rm", "e1").ok()
    env.run("rmi", "again").ok()
    env.run("export", "-o", env.tmp / "none.tar", "e1").error(1, "e1")
    check(not (env.tmp / "none.tar").exists(), "nothing is left")


def layers(env, name):
    return env.run("image", "inspect", name).ok().json()[0]["RootFS"]["Layers"]


@test(needs="root,qemu,kernel,registry", timeout=200)
def commit_runs_as_container_and_as_vm(env):
    start(env, "c1", CHANGE, "-e", "A=1", "-l", "k=v")
    ids = [env.run("commit", "-a", "me", "-m", "why", "c1", "made:1").ok().out.strip()]
    ids.append(env.run("commit", "-a", "me", "-m", "why", "c1").ok().out.strip())
    env.run("kill", "c1").ok()
    env.run("wait", "c1")
    ids.append(env.run("commit", "-a", "me", "-m", "why", "--no-pause", "c1", "made:2").ok().out.strip())
    same(len(set(ids)), 1, f"the same content, the same image: {ids}")
    i = env.run("image", "inspect", "made:1").ok().json()[0]
    same((i["Author"], i["Config"]["Labels"], "A=1" in i["Config"]["Env"], i["Config"]["Cmd"][:2], len(i["RootFS"]["Layers"])),
         ("me", {"k": "v"}, True, ["sh", "-c"], len(layers(env, TINY)) + 1), "configuration")
    check("why" in env.run("history", "made:1").ok().out, "history")
    check("container" in env.run("run", "--rm", "made:1", "sh", "-c", "test -p /pipe && cat /new /dir/sub/f && echo container").ok().out, "as a container")
    script = "cat /new; stat -c '%a %s' /dir/sub/f; test -e /bin/rpm || echo gone; test -p /pipe && readlink /soft; grep -c change /etc/passwd; stat -c %h /hard; tail -c 4 /sparse"
    outs = [env.run("run", "--rm", f"--isolation={x}", "made:1", "sh", "-c", script, timeout=100).ok().out for x in ("container", "vm")]
    same(outs[0], "new\n4711 2\ngone\nnew\n1\n2\nend\n", "as a container")
    same(outs[1], outs[0], "as a VM")
    # Changes of the configuration, as a Dockerfile says them.
    env.run("commit", "-c", "CMD [\"/bin/echo\", \"hi\"]", "-c", "ENV B=2 C=$A", "-c", "USER 5", "-c", "WORKDIR /dir", "-c", "EXPOSE 80", "--change", "LABEL l=m",
            "--compression=zstd", "c1", "made:3").ok()
    c = env.run("image", "inspect", "made:3").ok().json()[0]["Config"]
    same((c["Cmd"], c["User"], c["WorkingDir"], list(c["ExposedPorts"]), c["Labels"], "B=2" in c["Env"], "C=1" in c["Env"]),
         (["/bin/echo", "hi"], "5", "/dir", ["80/tcp"], {"k": "v", "l": "m"}, True, True), "changes")
    same(layers(env, "made:3"), layers(env, "made:1"), "the layer does not depend on how it is compressed")
    same(env.run("run", "--rm", "made:3").ok().out, "hi\n", "changed command")
    env.run("commit", "-c", "RUN x", "c1").error(2, "makes files")
    env.run("commit", "-c", "NONE x", "c1").error(2, "NONE")
    env.run("commit", "c1", "UP").error(2, "UP")
    env.run("commit", "none").error(1, "none")
    # Others read it.
    f = env.tmp / "made.tar"
    env.run("save", "-o", f, "made:1", "made:3").ok()
    d = env.tmp / "oci"
    for tag in ("1", "3"):
        env.run("save", "-o", f, f"made:{tag}").ok()
        r = subprocess.run(["skopeo", "--insecure-policy", "copy", "-q", f"oci-archive:{f}", f"oci:{d}:{tag}"], capture_output=True, text=True)
        same(r.returncode, 0, f"skopeo: {r.stderr}")
        if tag == "3":
            continue  # the distribution's umoci does not know zstd
        r = subprocess.run(["umoci", "unpack", "--image", f"{d}:{tag}", str(env.tmp / f"b{tag}")], capture_output=True, text=True)
        same(r.returncode, 0, f"umoci: {r.stderr}")
        root = env.tmp / f"b{tag}/rootfs"
        same(((root / "new").read_text(), (root / "hard").stat().st_nlink, (root / "dir/sub/f").stat().st_mode & 0o7777, (root / "bin/wget").exists(), (root / "sparse").stat().st_size),
             ("new\n", 2, 0o4711, False, (20 << 20) + 4), f"umoci's tree of made:{tag}")
    env.run("rm", "c1").ok()
    env.run("rmi", "made:1", "made:2", "made:3").ok()


@test(needs="root,podman")
def podman_reads_what_was_committed(env):
    start(env, "p1")
    ident = env.run("commit", "p1", "made:p").ok().out.strip()
    f = env.tmp / "p.tar"
    env.run("save", "-o", f, "made:p").ok()
    podman = ["podman", "--root", str(env.tmp / "pod"), "--runroot", str(env.tmp / "podrun"), "--storage-driver", "vfs"]
    r = subprocess.run([*podman, "pull", "-q", f"oci-archive:{f}"], capture_output=True, text=True)
    same(("sha256:" + r.stdout.strip(), r.returncode), (ident, 0), r.stderr)
    root = pathlib.Path(subprocess.run([*podman, "image", "mount", ident[7:]], capture_output=True, text=True, check=True).stdout.strip())
    same(((root / "new").read_text(), (root / "hard").stat().st_nlink, (root / "dir/sub/f").stat().st_mode & 0o7777, (root / "bin/rpm").is_symlink(), os.readlink(root / "soft")),
         ("new\n", 2, 0o4711, False, "new"), "podman's tree")
    subprocess.run([*podman, "image", "umount", "-a"], capture_output=True)
    subprocess.run([*podman, "rmi", "-a", "-f"], capture_output=True)
    env.run("rm", "-f", "p1").ok()
    env.run("rmi", "made:p").ok()


@test(needs="root")
def what_cannot_be_committed_is_said(env):
    env.run("create", "--isolation=vm", "--name", "v1", TINY).ok()
    for verb in ("commit", "diff", "export"):
        r = env.run(verb, *(["-o", env.tmp / "x"] if verb == "export" else []), "v1").error(1, "'v1' is a VM", "it must run")
    env.run("create", "--read-only", "--name", "r1", TINY).ok()
    env.run("commit", "r1").error(1, "read-only")
    same(env.run("diff", "r1").ok().out, "", "a read-only root has no changes")
    env.run("create", "--name", "n1", TINY).ok()
    same(env.run("diff", "n1").ok().out, "", "one that never ran")
    env.run("commit", "n1", "same:1").ok()
    same(env.run("run", "--rm", "same:1", "echo", "ok").ok().out, "ok\n", "an empty layer")
    start(env, "w1", "touch /.wh.x /up; sleep 1000")
    env.run("commit", "w1").error(1, ".wh.")
    same(env.run("inspect", "w1").json()[0]["State"]["Paused"], False, "it goes on after a failure")
    for n in ("v1", "r1", "n1", "w1"):
        env.run("rm", "-f", n).ok()
    env.run("rmi", "same:1").ok()


main()
