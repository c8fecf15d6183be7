# SPDX-License-Identifier: Apache-2.0
# timeout: 240
"""`caisson volume`: docker's words, options and refusals; nobody's volume goes while an instance has it; kill -9 at every step."""
import os, re, subprocess

from caisson_test import check, main, same, test
from oci_image import Layout, tar

T = "caisson/tiny"


def names(env, *words):
    return env.run("volume", "ls", "-q", *words).ok(err="").out.split()


@test(needs="root")
def a_volume_is_made_listed_described_and_removed(env):
    env.run("volume", "create", "--label", "a=b", "--label", "k", "--label", "a=c", "one").ok(out="one\n")
    env.run("volume", "create", "--name", "two", "-d", "local").ok(out="two\n")
    anonymous = env.run("volume", "create").ok().out.strip()
    check(re.fullmatch("[0-9a-f]{64}", anonymous), anonymous)
    same(names(env), sorted([anonymous, "one", "two"]), "names")
    doc = env.run("volume", "inspect", "one", "two").ok().json()
    same({k: v for k, v in doc[0].items() if k != "CreatedAt"},
         {"Driver": "local", "Labels": {"a": "c", "k": ""}, "Mountpoint": f"{env.root}/volumes/one/_data", "Name": "one", "Options": None, "Scope": "local"}, "inspect")
    check(re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", doc[0]["CreatedAt"]), doc[0]["CreatedAt"])
    same((doc[1]["Labels"], doc[1]["Options"]), (None, None), "inspect of a plain one")
    env.run("volume", "inspect", "-f", "{{.Name}} {{.Labels.a}}", "one").ok(out="one c\n")
    same(env.run("volume", "inspect", "-f", "json", "one").ok().out.count("\n"), 1, "lines")
    same(env.run("volume", "inspect", anonymous).ok().json()[0]["Labels"], {"com.docker.volume.anonymous": ""}, "an anonymous one")
    env.run("volume", "inspect", "nope", "one").error(1, "no such volume: nope")
    env.run("volume", "inspect", "../x").error(1, "no such volume: ../x")
    lines = env.run("volume", "ls").ok().out.splitlines()
    same([lines[0].split(), lines[2].split()], [["DRIVER", "VOLUME", "NAME"], ["local", "one"]], "table")
    env.run("volume", "ls", "-f", "name=on", "--format", "{{.Name}} {{.Driver}} {{.Scope}} {{.Labels}} {{.Size}} {{.Links}}").ok(out="one local local a=c,k= N/A N/A\n")
    env.run("volume", "list", "--filter", "name=two", "--format", "json").ok()
    env.run("volume", "rm", "one", "nope", "two").expect(1, out="one\ntwo\n", err=re.compile("no such volume: nope"))
    env.run("volume", "remove", "--force", "nope", anonymous).ok(out=f"nope\n{anonymous}\n")
    same(os.listdir(env.root / "volumes") + os.listdir(env.root / "tmp"), [], "files")


@test(needs="root")
def creating_twice_is_no_error_unless_it_is_another(env):
    env.run("volume", "create", "--label", "a=b", "again").ok(out="again\n")
    (env.root / "volumes/again/_data/f").write_text("kept")
    env.run("volume", "create", "again").ok(out="again\n")
    env.run("volume", "create", "--label", "a=b", "again").ok(out="again\n")
    env.run("volume", "create", "--label", "a=c", "again").error(1, "again", "other labels")
    same((env.root / "volumes/again/_data/f").read_text(), "kept", "file")
    env.run("volume", "rm", "again").ok()


@test(needs="root")
def what_cannot_be_is_refused_before_anything_is_made(env):
    for words, code, said in (
            (["../evil"], 2, ["../evil", "-v"]), (["/abs"], 2, ["/abs"]), ([""], 2, ["invalid volume name"]), (["a/b"], 2, ["a/b"]), (["-x"], 2, ["-x"]),
            (["x" * 129], 2, ["invalid volume name"]), (["--name", "a", "b"], 2, ["--name"]), (["--driver", "nfs", "x"], 1, ["nfs", "local"]), (["--label", "=v", "x"], 2, ["=v"]),
            (["-o", "size=10g", "x"], 1, ["size=10g", "device="]), (["-o", "what=x", "x"], 2, ["what=x", "device="]), (["-o", "type=tmpfs", "-o", "device=tmpfs", "x"], 1, ["type=tmpfs", "--tmpfs"]),
            (["-o", "type=nfs", "-o", "device=:/x", "-o", "o=addr=192.0.2.1", "x"], 1, ["type=nfs", "bind"]), (["-o", "type=none", "-o", "o=bind", "x"], 2, ["device="]),
            (["-o", "type=none", "-o", "o=bind", "-o", "device=rel", "x"], 2, ["device="]),
            (["-o", "type=none", "-o", "o=bind,size=1", "-o", "device=/tmp", "x"], 1, ["size=1"]), (["--scope", "multi", "x"], 1, ["--scope", "cluster"]),
            *(([o, "1", "x"], 1, [o, "cluster"]) for o in ("--availability", "--group", "--limit-bytes", "--required-bytes", "--secret", "--sharing", "--topology-preferred",
                                                           "--topology-required", "--type"))):
        env.run("volume", "create", *words).error(code, *said)
    env.run("volume", "ls", "--filter", "size=1").error(2, "size=1", "dangling")
    env.run("volume", "ls", "--filter", "dangling=maybe").error(2, "dangling=maybe")
    env.run("volume", "ls", "--cluster").error(1, "--cluster")
    env.run("volume", "prune", "-f", "--filter", "until=1h").error(2, "until")
    env.run("volume", "prune").error(2, "--force")
    env.run("volume", "rm", "../instances").error(1, "../instances")
    same(names(env), [], "volumes")


@test(needs="root")
def a_volume_in_use_stays(env):
    env.run("create", "--name", "has", "-v", "used:/v", T, "true").ok()
    env.run("volume", "create", "--label", "keep", "free").ok()
    env.run("volume", "rm", "used").error(1, "used", "in use by", env.run("inspect", "-f", "{{.Id}}", "has").ok().out[:12])
    env.run("volume", "rm", "-f", "used").error(1, "in use by")
    same((names(env, "-f", "dangling=true"), names(env, "-f", "dangling=false"), names(env, "-f", "label=keep"), names(env, "-f", "label=keep=no"), names(env, "-f", "driver=x")),
         (["free"], ["used"], ["free"], [], []), "filters")
    env.run("volume", "prune", "-f").ok(out="Total reclaimed space: 0B\n")
    env.run("volume", "prune", "-a", "-f", "--filter", "label!=keep").ok(out="Total reclaimed space: 0B\n")
    out = env.run("volume", "prune", "-a", "-f").ok().out
    check(out.startswith("Deleted Volumes:\nfree\n\nTotal reclaimed space: "), out)
    env.run("rm", "-v", "has").ok()
    same(names(env), ["used"], "a named one stays")
    env.run("volume", "rm", "used").ok()


@test(needs="root")
def anonymous_ones_go_with_the_last_that_has_them(env):
    env.run("run", "--rm", "-v", "/v", T, "true").ok()
    same(names(env), [], "after --rm")
    env.run("create", "--name", "one", "-v", "/v", T, "true").ok()
    [v] = names(env)
    env.run("create", "--name", "two", "-v", f"{v}:/w", T, "true").ok()
    env.run("rm", "-v", "one").ok()
    same(names(env), [v], "another has it")
    env.run("rm", "two").ok()
    env.run("volume", "prune", "-f").ok(out=re.compile(v))
    same(names(env), [], "pruned")


@test(needs="root")
def the_volumes_of_another(env):
    d = env.tmp / "hostdir"
    d.mkdir()
    env.run("create", "--name", "from", "-v", "/anon", "-v", "named:/named", "-v", f"{d}:/host", "-v", f"{d}:/ro:ro", "--tmpfs", "/tmpfs", T, "true").ok()
    [anon] = [v for v in names(env) if v != "named"]
    env.run("run", "--rm", "--volumes-from", "from", "-v", "/other", T, "sh", "-c", "echo x | tee /anon/a /named/n >/host/h; [ ! -e /tmpfs ] && cat /ro/h && ! echo y >/ro/h").ok(out="x\n")
    same((sorted(names(env)), (d / "h").read_text()), (sorted([anon, "named"]), "x\n"), "--rm takes nothing that another has")
    env.run("run", "--rm", "--volumes-from", "from:ro", T, "sh", "-c", "cat /anon/a /named/n /host/h; for f in /anon/a /named/n /host/h; do echo y >$f && exit 3; done; true").ok(out="x\nx\nx\n")
    # The own mount wins, then the last one; a volume that is empty stays empty.
    env.run("create", "--name", "last", "-v", "second:/named", "-v", "void:/bin2", T, "true").ok()
    env.run("create", "--name", "got", "--volumes-from", "from", "--volumes-from", "last", "-v", "mine:/host", T, "true").ok()
    same(env.run("inspect", "got").ok().json()[0]["HostConfig"]["VolumesFrom"], ["from", "last"], "inspect")
    same({m["Destination"]: m.get("Name") for m in env.run("inspect", "got").ok().json()[0]["Mounts"]},
         {"/anon": anon, "/named": "second", "/host": "mine", "/ro": None, "/bin2": "void"}, "mounts")
    env.run("create", "--name", "empty", "-v", "hollow:/usr:nocopy", T, "true").ok()
    env.run("run", "--rm", "--volumes-from", "empty", T, "ls", "/usr").ok(out="")
    env.run("rm", "-v", "from").ok()
    check(anon in names(env), "the one who took it over has it")
    env.run("rm", "-v", "got", "last", "empty").ok()
    check(anon not in names(env), "the last one who has it takes it along")
    for bad, code, words in ((["nobody"], 125, ["--volumes-from", "nobody"]), (["x:rx"], 2, ["x:rx"]), ([":ro"], 2, [":ro"])):
        env.run("run", "--rm", "--volumes-from", *bad, T, "true").error(code, *words)
    env.run("volume", "prune", "-a", "-f").ok()


@test(needs="root", timeout=120)
def what_is_given_away_is_never_behind_a_link(env):
    """`:U` while a workload puts links to /etc and to a file in the place of what is to be given away, 1,000 times."""
    env.run("run", "-d", "--name", "swapper", "-v", "gift:/v", T, "sh", "-c",
            "cd /v; mkdir d; touch d/f f; i=0; while [ $i -lt 500 ]; do mv d x; ln -s /etc d; rm d; mv x d; mv f y; ln -s /etc/passwd f; rm f; mv y f; i=$((i+1)); done").ok()
    runs = 0
    while env.run("inspect", "-f", "{{.State.Running}}", "swapper").out == "true\n" or runs < 2:
        env.run("run", "--rm", "-u", "7:8", "-v", "gift:/v:U", T, "stat", "-c", "%u:%g", "/v", "/etc", "/etc/passwd").ok(out="7:8\n0:0\n0:0\n")
        runs += 1
    same(env.run("inspect", "-f", "{{.State.ExitCode}}", "swapper").out, "0\n", "swaps")
    print(f"# given away {runs} times meanwhile")
    env.run("run", "--rm", "-u", "7:8", "-v", "gift:/v:U", T, "stat", "-c", "%u:%g", "/v/d", "/v/d/f", "/v/f").ok(out="7:8\n" * 3)
    env.run("rm", "swapper").ok()
    env.run("volume", "rm", "gift").ok()


@test(needs="root", timeout=120)
def a_part_that_is_swapped_for_a_link_never_is_the_hosts(env):
    """A workload moves the part away and puts links to the host in its place, 1,000 times, while it is mounted again and again."""
    secret = env.tmp / "secret"
    secret.mkdir()
    (secret / "f").write_text("the host's\n")
    up = "../" * 40 + str(secret)[1:]
    env.run("run", "--rm", "-v", "swap:/v", T, "sh", "-c", "mkdir -p /v/d/e; echo inside >/v/d/e/f").ok()
    # Links that stay inside are followed, others are refused, by name.
    env.run("run", "--rm", "-v", "swap:/v", T, "sh", "-c", f"ln -s d/e /v/in; ln -s {secret} /v/abs; ln -s {up} /v/up").ok()
    for part, want in (("in", "inside\n"), ("d/e", "inside\n"), ("./d//e/", "inside\n")):
        env.run("run", "--rm", "--mount", f"type=volume,src=swap,dst=/m,volume-subpath={part}", T, "cat", "/m/f").ok(out=want)
    for part in ("abs", "up"):
        env.run("run", "--rm", "--mount", f"type=volume,src=swap,dst=/m,volume-subpath={part}", T, "cat", "/m/f").error(125, "volume-subpath", part, "out of the volume")
    env.run("run", "--rm", "--mount", "type=volume,src=swap,dst=/m,volume-subpath=nope", T, "true").error(125, "volume-subpath", "nope")
    for bad in ("../x", "/abs", "", "d/../../x"):
        env.run("run", "--rm", "--mount", f"type=volume,src=swap,dst=/m,volume-subpath={bad}", T, "true").error(2, "volume-subpath")
    env.run("run", "--rm", "--mount", f"type=bind,src={secret},dst=/m,volume-subpath=f", T, "true").error(2, "volume-subpath")
    env.run("run", "-d", "--name", "swapper", "-v", "swap:/v", T, "sh", "-c",
            f"cd /v; i=0; while [ $i -lt 500 ]; do for to in {secret} {up}; do mv d x; ln -s $(dirname $to) d; rm d; mv x d; ln -s $to d/link; mv d/e d/y; mv d/link d/e; mv d/e d/link; "
            "mv d/y d/e; rm d/link; done; i=$((i+1)); done").ok()
    seen = {}
    while env.run("inspect", "-f", "{{.State.Running}}", "swapper").out == "true\n":
        for words in ([], ["--volumes-from", "swapper:ro"]):
            r = env.run("run", "--rm", *words, "--mount", "type=volume,src=swap,dst=/m,volume-subpath=d/e,readonly", T, "cat", "/m/f")
            check(r.out in ("", "inside\n"), f"the host was reached: {r.out!r}")
            seen[r.code] = seen.get(r.code, 0) + 1
    same(env.run("inspect", "-f", "{{.State.ExitCode}}", "swapper").out, "0\n", "swaps")
    check(sum(seen.values()) >= 4, seen)
    print(f"# swapped 1,000 times, mounts by exit code: {seen}")
    same((os.listdir(secret), (secret / "f").read_text()), (["f"], "the host's\n"), "the host's files")
    env.run("rm", "swapper").ok()
    env.run("volume", "rm", "swap").ok()


@test(needs="root")
def a_volume_may_be_a_directory_of_the_host(env):
    d = env.tmp / "device"
    d.mkdir()
    (d / "f").write_text("host\n")
    env.run("volume", "create", "-o", "type=none", "-o", "o=bind", "-o", f"device={d}", "dev").ok()
    env.run("volume", "create", "-o", "type=none", "-o", "o=bind,ro", "-o", f"device={d}", "devro").ok()
    same(env.run("volume", "inspect", "dev").ok().json()[0]["Options"], {"type": "none", "o": "bind", "device": str(d)}, "options")
    env.run("run", "--rm", "-v", "dev:/d", T, "sh", "-c", "cat /d/f; echo in >/d/g").ok(out="host\n")
    env.run("run", "--rm", "-v", "devro:/d", T, "sh", "-c", "cat /d/g; echo no >/d/g").expect(1, out="in\n")
    env.run("volume", "rm", "dev", "devro").ok()
    same(sorted(os.listdir(d)), ["f", "g"], "the host's files stay")
    env.run("volume", "create", "-o", "type=none", "-o", "o=bind", "-o", f"device={d}/gone", "dev").ok()
    env.run("run", "--rm", "-v", "dev:/d", T, "true").error(125, "dev", f"{d}/gone")
    env.run("volume", "rm", "dev").ok()


@test(needs="root,strace", timeout=120)
def killed_at_every_step(env):
    """kill -9 at the n-th of each call that changes something: what is listed is whole, what is not listed goes."""
    killed = 0
    for verb, call in (("create", "mkdirat"), ("create", "flock"), ("create", "fdatasync"), ("create", "renameat"), ("create", "fsync"), ("create", "renameat2"),
                       ("rm", "flock"), ("rm", "renameat"), ("rm", "unlinkat")):
        for n in (1, 2, 3):
            if verb == "rm":
                env.run("volume", "create", "--label", "a=b", "k").ok()
                (env.root / "volumes/k/_data/f").write_text("x")
            p = subprocess.run(["strace", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={n}",
                                *env.argv(["volume", verb, *(["--label", "a=b"] if verb == "create" else []), "k"])], capture_output=True, env=env.os_env)
            killed += p.returncode in (-9, 137)
            for v in names(env):
                same(env.run("volume", "inspect", v).ok().json()[0]["Labels"], {"a": "b"}, f"{verb} {call} {n}: labels")
                check((env.root / "volumes" / v / "_data").is_dir(), f"{verb} {call} {n}: _data")
                env.run("volume", "rm", v).ok()
            env.run("system", "prune", "-f").ok()
            same(os.listdir(env.root / "tmp") + os.listdir(env.root / "volumes"), [], f"{verb} {call} {n}: left")
    check(killed >= 9, f"only {killed} times killed")


@test(needs="root")
def making_removing_and_using_at_once(env):
    """Ten commands at a time fight for one name: each succeeds or says why, and no instance loses its volume."""
    for _ in range(4):
        procs = [env.start(*w) for w in (["volume", "create", "fight"], ["volume", "rm", "-f", "fight"]) * 3]
        runs = [env.start("create", "--name", f"f{i}", "-v", "fight:/v", T, "true") for i in range(3)]
        for p in runs:
            p.finish().ok()
        for p in procs:
            p.finish()
        check((env.root / "volumes/fight/_data").is_dir(), "three instances have it, and it is gone")
        env.run("volume", "rm", "fight").error(1, "in use by")
        env.run("rm", "f0", "f1", "f2").ok()
        env.run("volume", "rm", "-f", "fight").ok()
    same(os.listdir(env.root / "tmp"), [], "tmp")


@test(needs="root")
def out_and_in_again(env):
    env.run("volume", "create", "out").ok()
    top = env.root / "volumes/out/_data"
    (top / "d").mkdir(mode=0o750)
    (top / "d/f").write_bytes(b"data")
    os.chown(top / "d/f", 1000, 2000)
    os.chmod(top / "d/f", 0o4711)
    os.setxattr(top / "d/f", "user.k", b"v\0w")
    os.symlink("/etc/passwd", top / "abs")
    os.link(top / "d/f", top / "hard")
    os.mkfifo(top / "fifo", 0o600)
    os.mknod(top / "null", 0o20666, os.makedev(1, 3))
    with open(top / "holes", "wb") as f:
        f.truncate(8 << 20)
        f.seek(4 << 20)
        f.write(b"middle")
    os.utime(top / "d/f", (1, 1500000000))
    env.run("volume", "export", "-o", env.tmp / "out.tar", "out").ok(out="")
    env.run("volume", "create", "in").ok()
    back = env.root / "volumes/in/_data"
    (back / "stays").write_text("here")
    (back / "away").symlink_to(env.tmp)
    env.run("volume", "import", "in", env.tmp / "out.tar").ok(out="")
    look = lambda p: (p.lstat().st_mode, p.lstat().st_uid, p.lstat().st_gid, p.lstat().st_rdev, p.lstat().st_size if p.is_file() else 0, int(p.lstat().st_mtime) if p.name == "f" else 0)
    for n in ("d", "d/f", "abs", "hard", "fifo", "null", "holes"):
        same(look(back / n), look(top / n), n)
    same((os.readlink(back / "abs"), os.getxattr(back / "d/f", "user.k"), (back / "hard").stat().st_ino == (back / "d/f").stat().st_ino, (back / "stays").read_text()),
         ("/etc/passwd", b"v\0w", True, "here"), "link, attribute, hard link, what was there")
    same((back / "holes").read_bytes(), (top / "holes").read_bytes(), "contents")
    check((back / "holes").stat().st_blocks * 512 < 1 << 20, "holes are holes")
    # By pipes; a link of the volume that leads out of it is followed inside.
    archive = subprocess.run(env.argv(("volume", "export", "out")), env=env.os_env, capture_output=True, check=True).stdout
    same(archive, (env.tmp / "out.tar").read_bytes(), "the same bytes again")
    bad = tar([("away/x", b"trap"), ("../up", b"trap")])
    p = subprocess.run(env.argv(("volume", "import", "in", "-")), env=env.os_env, input=bad, capture_output=True)
    check(p.returncode in (0, 1) and not (env.tmp / "x").exists() and not (back.parent / "up").exists(), f"nothing outside: {p}")
    env.run("volume", "import", "in", env.tmp / "nofile").error(1, "nofile")
    (env.tmp / "junk").write_bytes(os.urandom(4096))
    env.run("volume", "import", "in", env.tmp / "junk").error(1, "import", "in")
    env.run("volume", "import", "nosuch", env.tmp / "out.tar").error(1, "no such volume: nosuch")
    env.run("volume", "export", "-o", env.tmp / "none.tar", "nosuch").error(1, "no such volume: nosuch")
    check(not (env.tmp / "none.tar").exists(), "half an archive")
    env.run("volume", "rm", "in", "out").ok()


@test(needs="root")
def the_files_of_another_image(env):
    lay = Layout(env.tmp / "tools")
    lay.image([(tar([("opt", None), ("opt/a", b"below"), ("opt/gone", b"x"), ("opt/d", None), ("opt/d/in", b"deep"), ("out", "-> /opt/d"), ("up", "-> ../../../../etc")]), None),
               (tar([("opt/a", b"above"), ("opt/.wh.gone", b"")]), None)], tag="t")
    ids = lambda: set(env.run("images", "-q", "--no-trunc").ok().out.split())
    before = ids()
    env.run("pull", "--quiet", f"oci:{lay.path}:t").ok()
    [image] = ids() - before
    m = f"type=image,source={image},target=/tools"
    env.run("run", "--rm", "--mount", m, T, "sh", "-c", "cat /tools/opt/a; ls /tools/opt; ! echo x >/tools/opt/a && ! rm /tools/opt/a && ! mount -o remount,rw /tools").expect(0, out="abovea\nd\n")
    env.run("run", "--rm", "--mount", m + ",image-subpath=out", "--mount", f"type=image,src={image[7:19]},dst=/file,image-subpath=opt/a,ro", T, "sh", "-c", "ls /tools; cat /file").ok(out="in\nabove")
    for bad, code, words in ((m + ",image-subpath=../x", 2, ["image-subpath"]), (m + ",image-subpath=/opt", 2, ["image-subpath"]), (m + ",readwrite=true", 2, ["readwrite"]), (m + ",volume-nocopy", 2, ["volume-nocopy"]),
                             ("type=image,target=/tools", 2, ["source"]), ("type=image,source=nosuch,target=/t", 125, ["nosuch", "/t"]), ("type=bind,source=/tmp,target=/t,image-subpath=a", 2, ["image-subpath"])):
        env.run("run", "--rm", "--name", "bad", "--mount", bad, T, "true").error(code, *words)
    env.run("run", "--rm", "--mount", m + ",image-subpath=up", T, "true").error(125, "/tools", "up")  # inside of the image there is none
    env.run("run", "--rm", "--isolation", "vm", "--mount", m, T, "true").error(125, "type=image", "vm")
    env.run("run", "-d", "--name", "has", "--mount", m, T, "sleep", "1000").ok()
    doc = env.run("inspect", "has").ok().json()[0]["Mounts"][0]
    same((doc["Type"], doc["Source"], doc["Destination"], doc["RW"]), ("image", image, "/tools", False), "inspect")
    env.run("rmi", image).error(1, "used by instance")
    env.run("image", "prune", "-af").ok()
    env.run("run", "--rm", "--volumes-from", "has", T, "cat", "/tools/opt/d/in").ok(out="deep")
    env.run("run", "--rm", "--isolation", "vm", "--volumes-from", "has", T, "true").error(125, "/tools", "vm")
    env.run("restart", "-t", "0", "has").ok()
    env.run("exec", "has", "cat", "/tools/opt/a").ok(out="above")
    env.run("rm", "-f", "has").ok()
    env.run("rmi", image).ok()


@test(needs="root")
def events_tell(env):
    env.run("volume", "create", "told").ok()
    env.run("volume", "rm", "told").ok()
    out = env.run("events", "--since", "1m", "--until", "0s", "--filter", "volume=told", "--format", "{{.Action}}").ok().out
    same(out.split(), ["create", "destroy"], "events")


@test(needs="rootless")
def an_ordinary_user_has_volumes(env):
    env.run("volume", "create", "--label", "a=b", "mine").ok(out="mine\n")
    env.run("run", "--rm", "-v", "mine:/v", T, "sh", "-c", "echo x >/v/f; chown 33 /v/f").ok()
    env.run("volume", "ls", "-q", "-f", "label=a=b").ok(out="mine\n")
    env.run("volume", "rm", "mine").ok(out="mine\n")
    same(os.listdir(env.root / "volumes") + os.listdir(env.root / "tmp"), [], "files")


main()
