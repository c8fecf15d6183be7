# SPDX-License-Identifier: Apache-2.0
# timeout: 300
"""Snapshots of containers: by file system, as images that the store keeps as long as somebody needs them."""
import json, os, re, signal, time

from caisson_test import check, main, same, test, wait_for

TINY = "caisson/tiny"


def up(env, name, script, *args):
    env.run("run", "-d", "--name", name, *args, TINY, "sh", "-c", script + "; touch /up; sleep 1000").ok()
    wait_for(lambda: env.run("exec", name, "test", "-e", "/up").code == 0, what=f"{name} is up")


def snapshots(env):
    return env.run("snapshot", "ls", "-q").ok().out.split()


def images(env):
    return set(os.listdir(env.root / "images"))


@test(needs="root")
def a_container_goes_back_to_what_it_was(env):
    up(env, "a", "echo one >/f; rm -r /srv; mkdir -p /d/e; ln /f /d/e/hard")
    before = images(env)
    env.run("snapshot", "create", "--name", "s", "a").ok(out="s\n", err="")
    env.run("exec", "a", "sh", "-c", "echo two >/f; rm -r /d; mkdir /srv").ok()
    env.run("snapshot", "restore", "s").error(1, "'a' is running", "--force")
    env.run("exec", "a", "cat", "/f").ok(out="two\n")
    ident = env.run("inspect", "-f", "{{.Id}}", "a").ok().out
    env.run("snapshot", "restore", "--force", "s").ok(out="a\n")
    env.run("exec", "a", "sh", "-c", "cat /f /d/e/hard; ls -d /srv 2>/dev/null").expect(1, out="one\none\n")
    same(env.run("inspect", "-f", "{{.Id}}", "a").ok().out, ident, "id")
    # Of one that is gone it is made again.
    env.run("rm", "-f", "a").ok()
    env.run("snapshot", "restore", "s").ok(out="a\n")
    env.run("exec", "a", "cat", "/f").ok(out="one\n")
    same(env.run("inspect", "-f", "{{.Id}}", "a").ok().out, ident, "id")
    d = env.run("snapshot", "inspect", "s").ok().json()[0]
    same((d["version"], d["name"], d["kind"], d["running"], d["files"], d["instance"]["name"]), (1, "s", "files", True, [], "a"), "manifest")
    row = json.loads(env.run("snapshot", "ls", "--json").ok().out)
    same((row["Name"], row["Instance"], row["Kind"]), ("s", "a", "files"), "row")
    check("NAME" in env.run("snapshot", "ls").ok().out, "no head")
    # The image that was made for it goes with the last who needs it, and no sooner.
    env.run("image", "prune", "-af").ok()
    env.run("rmi", d["image_id"]).error(1, "snapshot 's'")
    env.run("snapshot", "rm", "s").ok(out="s\n")
    env.run("exec", "a", "cat", "/f").ok(out="one\n")
    env.run("rm", "-f", "a").ok()
    wait_for(lambda: images(env) <= before, what="the image of the snapshot is gone")
    env.run("snapshot", "rm", "s").expect(1, err="caisson: no such snapshot: s\n")


@test(needs="root")
def one_that_does_not_run_stays_so(env):
    env.run("create", "--name", "b", TINY, "sh", "-c", "echo x >>/x; cat /x").ok()
    env.run("start", "-a", "b").ok(out="x\n")
    env.run("snapshot", "create", "--name", "s2", "b").ok()
    env.run("start", "-a", "b").ok(out="x\nx\n")
    env.run("snapshot", "restore", "s2").ok(out="b\n")
    check(env.run("inspect", "-f", "{{.State.Running}}", "b").ok().out == "false\n", "it was started")
    env.run("start", "-a", "b").ok(out="x\nx\n")
    env.run("rm", "b").ok()
    # A read-only root has nothing of its own.
    env.run("create", "--name", "r", "--read-only", TINY, "echo", "ro").ok()
    env.run("snapshot", "create", "--name", "s3", "r").ok()
    env.run("rm", "r").ok()
    env.run("snapshot", "restore", "s3").ok()
    env.run("start", "-a", "r").ok(out="ro\n")
    env.run("rm", "r").ok()
    env.run("snapshot", "rm", "s2", "s3").ok()


@test(needs="root")
def what_cannot_be_is_refused(env):
    env.run("create", "--name", "c", TINY, "true").ok()
    env.run("snapshot", "create", "nobody").error(1, "nobody")
    env.run("snapshot", "create", "--name", "../x", "c").error(2, "../x")
    env.run("snapshot", "create", "--memory", "on", "c").error(1, "CRIU")
    env.run("snapshot", "create", "--memory", "maybe", "c").error(2, "--memory")
    env.run("snapshot", "create", "--name", "t", "c").ok()
    env.run("snapshot", "create", "--name", "t", "c").error(1, "'t' already")
    same(os.listdir(env.root / "tmp"), [], "staging")
    for name in ("nobody", "../t", ".", "x/y"):
        env.run("snapshot", "restore", name).error(1, "no such snapshot")
        env.run("snapshot", "rm", name).expect(1)
    f = env.root / "snapshots/t/record.json"
    good = f.read_text()
    for text, words in ((good[:100], ("snapshot 't'",)), ("", ("snapshot 't'",)), ("[]", ("snapshot 't'",)),
                        (good.replace('"version":1', '"version":2'), ("version 2", "version 1")),
                        (good.replace('"files":[]', '"files":[{"name":"../x","bytes":1,"digest":"x"}]'), ("'../x'",)),
                        (good.replace('"files":[]', '"files":[{"name":"disk","bytes":1,"digest":"x"}]'), ("damaged", "'disk'", "missing")),
                        (good.replace('"instance":{"id":"', '"instance":{"id":"zz'), ("names no instance",)),
                        (good.replace('"image_id":"sha256:', '"image_id":"sha256:00'), ("image",))):
        f.write_text(text)
        env.run("snapshot", "restore", "t").error(1, *words)
        env.run("start", "-a", "c").ok()
    f.write_text("nonsense")
    check("'t' cannot be read" in env.run("snapshot", "ls").ok().err, "it is not told")
    env.run("snapshot", "rm", "t").ok()
    env.run("rm", "c").ok()
    # In a pod it cannot be without its others.
    env.run("pod", "create", "--name", "p").ok()
    env.run("create", "--pod", "p", "--name", "m", TINY, "true").ok()
    env.run("snapshot", "create", "m").error(1, "in a pod")
    env.run("pod", "rm", "-f", "p").ok()


@test(needs="root")
def killed_at_any_time_it_is_there_or_not(env):
    up(env, "k", "true")
    env.run("exec", "k", "sh", "-c", "head -c 3000000 /dev/urandom >/data").ok()
    before = images(env)
    for n in range(8):
        p = env.start("snapshot", "create", "--name", f"k{n}", "k")
        time.sleep(0.004 * n * n)
        p.signal(signal.SIGKILL)
        p.finish()
        # It is not left frozen.  The monitor hears of the end of who froze it a moment later.
        wait_for(lambda: env.run("exec", "k", "true").code == 0, what="it goes on")
        if f"k{n}" in snapshots(env):
            env.run("snapshot", "inspect", f"k{n}").ok()
            env.run("snapshot", "rm", f"k{n}").ok()
    env.run("snapshot", "create", "--name", "whole", "k").ok()
    same(snapshots(env), ["whole"], "snapshots")
    for n in range(6):
        p = env.start("snapshot", "restore", "--force", "whole")
        time.sleep(0.004 * n * n)
        p.signal(signal.SIGKILL)
        p.finish()
        # What runs is one or the other; else it says what is to be done.  A monitor whose starter was killed may be
        # about to undo what it did.
        wait_for(lambda: "restore of 'k'" in (r := env.run("start", "k")).err or r.code == 0, what="it starts, or says why not")
        env.run("snapshot", "restore", "--force", "whole").ok()
        env.run("exec", "k", "test", "-s", "/data").ok()
    env.run("rm", "-f", "k").ok()
    env.run("snapshot", "rm", "whole").ok()
    env.run("image", "prune", "-f").ok()       # of a command that was killed before it had a snapshot
    wait_for(lambda: images(env) <= before, what="no image is left")


@test(needs="root")
def a_restore_that_was_broken_off_is_not_started(env):
    env.run("create", "--name", "h", TINY, "echo", "hello").ok()
    env.run("snapshot", "create", "--name", "hs", "h").ok()
    ident = env.run("inspect", "-f", "{{.Id}}", "h").ok().out.strip()
    (env.root / "instances" / ident / "restoring").write_text("hs")
    env.run("start", "h").expect(1, err=re.compile("restore of 'h' did not come to its end"))
    env.run("snapshot", "restore", "hs").ok()
    env.run("start", "-a", "h").ok(out="hello\n")
    env.run("rm", "h").ok()
    env.run("snapshot", "rm", "hs").ok()


main()
