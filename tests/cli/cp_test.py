# SPDX-License-Identifier: Apache-2.0
# timeout: 240
"""cp: what goes where, with which owner, and what a workload that lies cannot make of it."""
import io, os, pathlib, subprocess, tarfile, time

from caisson_test import Failed, check, main, same, test

TINY = "caisson/tiny"


def start(env, name, *args):
    env.run("run", "-d", "--name", name, *args, TINY, "sh", "-c", "mkdir -p /d/sub; echo one >/d/a; echo two >/d/sub/b; ln -s a /d/link; ln -s /d/sub /d/dirlink; chmod 4755 /d/a; touch /up; sleep 1000").ok()
    deadline = time.monotonic() + 120
    while env.run("exec", name, "test", "-e", "/up").code:
        check(time.monotonic() < deadline, "the instance is ready")


def sh(env, name, script):
    return env.run("exec", name, "sh", "-c", script).ok().out


def fresh(env, name="here"):
    d = env.tmp / name
    subprocess.run(["rm", "-rf", str(d)], check=True)
    d.mkdir()
    return d


def archive(entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as t:
        for name, content, kw in entries:
            i = tarfile.TarInfo(name)
            i.mode = 0o644
            for k, v in kw.items():
                setattr(i, k, v)
            if content is not None:
                i.size = len(content)
            t.addfile(i, io.BytesIO(content) if content is not None else None)
    return out.getvalue()


def put(env, data, *args):
    return subprocess.run(env.argv(["cp", *args]), input=data, capture_output=True, env=env.os_env)


def tree(d):
    return {str(p.relative_to(d)): (os.readlink(p) if p.is_symlink() else p.read_text() if p.is_file() else None) for p in sorted(d.rglob("*"))}


WHOLE = {"a": "one\n", "link": "a", "dirlink": "/d/sub", "sub": None, "sub/b": "two\n"}


@test(needs="root")
def out_of_an_instance_that_runs_or_does_not(env):
    start(env, "c1")
    for state in ("running", "stopped"):
        h = fresh(env)
        r = env.run("cp", "c1:/d/a", h / "x").ok()
        check("Copied 4B to" in r.err, r.err)
        same(((h / "x").read_text(), (h / "x").stat().st_mode & 0o7777, (h / "x").stat().st_uid), ("one\n", 0o755, 0), f"{state}: a file, without its setuid bit")
        env.run("cp", "-q", "c1:d/a", h).ok(err="")
        same((h / "a").read_text(), "one\n", "into a directory, from a path without a slash")
        env.run("cp", "-q", "-a", "c1:/d/a", h / "s").ok()
        same((h / "s").stat().st_mode & 0o7777, 0o4755, "with --archive")
        env.run("cp", "-q", "c1:/d", h / "new").ok()
        same(tree(h / "new"), WHOLE, f"{state}: a directory under another name")
        env.run("cp", "-q", "c1:/d", h).ok()
        same(tree(h / "d"), WHOLE, "a directory into a directory")
        fresh(env)
        env.run("cp", "-q", "c1:/d/.", h).ok()
        same(tree(h), WHOLE, "what is in a directory")
        env.run("cp", "-q", "c1:/d/link", h / "l1").ok()
        env.run("cp", "-q", "-L", "c1:/d/link", h / "l2").ok()
        env.run("cp", "-q", "-L", "c1:/d/dirlink", h / "l3").ok()
        same((os.readlink(h / "l1"), (h / "l2").read_text(), tree(h / "l3")), ("a", "one\n", {"b": "two\n"}), "links")
        p = subprocess.run(env.argv(["cp", "c1:/d/sub", "-"]), capture_output=True, env=env.os_env)
        same(tarfile.open(fileobj=io.BytesIO(p.stdout)).getnames(), ["sub", "sub/b"], "as an archive")
        env.run("cp", "c1:/none", h).error(1, "/none")
        env.run("cp", "c1:/d/a/", h).error(1, "'/d/a/'")
        env.run("cp", "c1:/d", h / "a").error(1, "a directory is to be copied")
        env.run("cp", "c1:/d/a", h / "no/where").error(1, "no")
        env.run("cp", "c1:/d/a", str(h / "no") + "/").error(1, "no such directory")
        if state == "running":
            env.run("kill", "c1").ok()
            env.run("wait", "c1")
    env.run("rm", "c1").ok()


@test(needs="root")
def into_an_instance_that_runs_or_does_not(env):
    start(env, "c2")
    h = fresh(env)
    (h / "f").write_text("file\n")
    os.chown(h / "f", 12, 34)
    os.chmod(h / "f", 0o4750)
    (h / "dir/deep").mkdir(parents=True)
    (h / "dir/deep/g").write_text("deep\n")
    os.symlink("/etc/passwd", h / "dir/out")
    os.utime(h / "dir/deep", (1000000000, 1000000000))
    with open(h / "sparse", "wb") as f:
        f.truncate(50 << 20)

    def copies(*args):
        env.run("cp", "-q", *args).ok(err="")

    copies(h / "f", "c2:/d")
    copies(h / "f", "c2:/d/named")
    copies("-a", h / "f", "c2:/d/owned")
    copies(h / "dir", "c2:/new")
    copies(h / "dir", "c2:/newslash/")
    copies(h / "dir", "c2:/d")
    copies(str(h / "dir") + "/.", "c2:/contents")
    copies(h / "dir/deep/g", "c2:/d/dirlink")  # a link to a directory, inside of the instance
    copies(h / "sparse", "c2:/d/sparse")
    copies(h / "f", "c2:/d/link")  # takes the link's place, never goes through it
    env.run("cp", h / "dir", "c2:/d/a").error(1, "a directory is to be copied")
    env.run("cp", h / "f", "c2:/nowhere/f").error(1, "nowhere")
    env.run("cp", h / "f", "c2:/nowhere/").error(1, "no such directory")
    env.run("cp", h / "none", "c2:/").error(1, "none")
    env.run("cp", str(h / "f") + "/.", "c2:/").error(1, "f/.")
    env.run("cp", h / "f", "nobody:/").error(1, "nobody")
    env.run("cp", h / "f", h / "g").error(2, "one end must be of an instance")
    env.run("cp", "-", "-").error(2, "one end must be a path")
    env.run("cp", "c2:", "x").error(2, "c2:")
    r = put(env, archive([("r/x", b"raw", {"uid": 5, "gid": 6, "mode": 0o4711}), ("r/y", None, {"type": tarfile.LNKTYPE, "linkname": "r/x"})]), "-", "c2:/d")
    same(r.returncode, 0, r.stderr)
    same(put(env, b"", "-", "c2:/none").returncode, 1, "an archive wants a directory")
    same(put(env, b"no archive" * 100, "-", "c2:/d").returncode, 1, "what is no archive")
    show = 'for f in "$@"; do stat -c "%n %a %u:%g %s %Y" $f; done'
    want = sh(env, "c2", "set -- /d/f /d/named /d/owned /d/r/x /d/sparse; " + 'for f; do stat -c "%n %a %u:%g %s" $f; done')
    same(want, "/d/f 750 0:0 5\n/d/named 750 0:0 5\n/d/owned 4750 12:34 5\n/d/r/x 711 0:0 3\n/d/sparse 644 0:0 52428800\n", "modes and owners")
    same(sh(env, "c2", "cat /new/deep/g /newslash/deep/g /d/dir/deep/g /contents/deep/g /d/sub/g; stat -c %Y /new/deep; readlink /new/out; stat -c %h /d/r/y; cat /d/a; du -k /d/sparse | cut -f1; test ! -L /d/link && cat /d/link"),
         "deep\n" * 5 + "1000000000\n/etc/passwd\n2\none\n0\nfile\n", "contents")
    env.run("kill", "c2").ok()
    env.run("wait", "c2")
    copies(h / "f", "c2:/stopped")
    copies("c2:/stopped", h / "back")
    same((h / "back").read_text(), "file\n", "there and back")
    # Between two instances.
    env.run("create", "--name", "c3", TINY).ok()
    copies("c2:/new", "c3:/")
    copies("c3:/new/deep", h / "third")
    same(tree(h / "third"), {"g": "deep\n"}, "from one to another")
    env.run("create", "--read-only", "--name", "c4", TINY).ok()
    env.run("cp", h / "f", "c4:/f").error(1, "Read-only")
    for n in ("c2", "c3", "c4"):
        env.run("rm", n).ok()


@test(needs="root")
def a_volume_is_seen_while_it_runs(env):
    h = fresh(env)
    (h / "vol").mkdir()
    (h / "f").write_text("x")
    env.run("run", "-d", "--name", "c5", "-v", f"{h}/vol:/vol", TINY, "sleep", "1000").ok()
    env.run("cp", "-q", h / "f", "c5:/vol/f").ok()
    same((h / "vol/f").read_text(), "x", "file in the volume")
    env.run("rm", "-f", "c5").ok()


@test(needs="root")
def a_workload_that_lies(env):
    """Links that lead out, and links that are swapped while we walk, end inside of the instance."""
    secret = env.tmp / "secret"
    secret.mkdir(exist_ok=True)
    (secret / "host").write_text("host\n")
    start(env, "c6")
    sh(env, "c6", f"mkdir -p {secret} /e; echo inside >{secret}/host; ln -s {secret} /e/abs; ln -s ../../../../..{secret} /e/rel; ln -s /proc/1/root /e/proc; ln -s /e/loop /e/loop")
    h = fresh(env)
    for link in ("abs", "rel"):
        env.run("cp", "-q", f"c6:/e/{link}/host", h / link).ok()
        same((h / link).read_text(), "inside\n", link)
    (h / "f").write_text("mine")
    env.run("cp", "-q", h / "f", "c6:/e/abs/f").ok()
    env.run("cp", "-q", h / "f", "c6:/e/rel").ok()
    same(sorted(os.listdir(secret)), ["host"], "the host's directory")
    env.run("cp", "c6:/e/proc/etc/passwd", h).error(1, "Too many levels of symbolic links")
    env.run("cp", "-L", "c6:/e/loop", h).error(1, "Too many levels of symbolic links")
    # A fifo is copied as one and does not hang anybody.
    sh(env, "c6", "mkfifo /e/fifo")
    env.run("cp", "-q", "c6:/e/fifo", h, timeout=20).ok()
    # /swap is a directory and a link to the host's directory in turns.
    p = env.start("exec", "c6", "sh", "-c", f"mkdir -p /real; echo go; while :; do rm -rf /swap; ln -s {secret} /swap; rm /swap; mkdir /swap; echo inside >/swap/host; done")
    p.until("go")
    done = 0
    for i in range(60):
        done += env.run("cp", "-q", h / "f", "c6:/swap/written").code == 0
        r = env.run("cp", "-q", "c6:/swap/host", h / f"got{i}")
        got = h / f"got{i}"
        check(not got.exists() or got.read_text() in ("inside\n", ""), f"{i}: the host's file came out")
    same(sorted(os.listdir(secret)), ["host"], "the host's directory after the races")
    same((secret / "host").read_text(), "host\n", "the host's file")
    env.run("rm", "-f", "c6").ok()
    p.finish()


@test(needs="root")
def an_archive_that_lies(env):
    """What comes out of an instance is written beneath the place that was named, and nowhere else."""
    h = fresh(env)
    start(env, "c7")
    outside = env.tmp / "outside"
    outside.mkdir(exist_ok=True)
    # In: names that climb, links that lead out and are then written through.
    for name, entries in (("..", [("x/../../etc/evil", b"1", {})]), ("nul", [("a\0b", b"1", {})])):
        r = put(env, archive(entries), "-", "c7:/d")
        check(name == "nul" or r.returncode == 1, f"{name}: {r.stderr}")
    # Out: the same archive is extracted on the user's side by the same code; there links are not followed.
    sh(env, "c7", f"mkdir -p /t/d; ln -s {outside} /t/d/link; echo x >/t/d/f")
    (h / "t").mkdir()
    os.symlink(outside, h / "t/d")
    env.run("cp", "c7:/t/.", h / "t").error(1, "d", "not replaced by one")
    same(os.listdir(outside), [], "the directory behind the user's link")
    # Devices and setuid programs of a workload do not become the user's.
    sh(env, "c7", "mkdir /dv; mknod /dv/null c 1 3 || true; echo x >/dv/s; chmod 6755 /dv/s")
    env.run("cp", "-q", "c7:/dv", h / "dv").ok()
    check(not (h / "dv/null").exists() and (h / "dv/s").stat().st_mode & 0o7000 == 0, "devices and setuid bits")
    env.run("rm", "-f", "c7").ok()


@test(needs="root")
def a_vm_that_does_not_run_is_refused(env):
    env.run("create", "--isolation=vm", "--name", "v1", TINY).ok()
    env.run("cp", "v1:/etc/passwd", env.tmp / "x").error(1, "'v1' is a VM", "it must run")
    env.run("rm", "v1").ok()


main()
