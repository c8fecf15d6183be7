# SPDX-License-Identifier: Apache-2.0
"""--userns as root: each instance its own range of ids, which nobody else has."""
import pathlib

from caisson_test import check, main, same, skip, test, wait_for

T = "caisson/tiny"


def ranges(env):
    out = {}
    for p in (env.root / "ids").iterdir():
        try:
            out[p.name] = tuple(map(int, p.read_text().split()))
        except FileNotFoundError:
            pass  # just freed
    return out


def setup_auto(env):
    r = env.run("run", "--rm", "--userns", "auto", "--network", "none", T, "true")
    if "cannot shift ids" in r.err:
        skip("this kernel shifts no ids of this file system")
    r.ok()


@test(needs="root,netns")
def auto_gives_a_range_of_its_own_and_files_with_the_images_owners(env):
    setup_auto(env)
    out = env.run("run", "--rm", "--userns", "auto", T, "sh", "-c",
                  "cat /proc/self/uid_map; id -u; stat -c %u /bin /etc/passwd; touch /x; chown 33 /x; stat -c %u /x; ls /sys/class/net").ok().out.split()
    inside, first, count = map(int, out[:3])
    check(inside == 0 and count == 65536 and first >= 0x70000000, f"map {out[:3]}")
    same(out[3:], ["0", "0", "0", "33", "eth0", "lo"], "what it sees")


@test(needs="root,netns")
def ranges_are_unique_kept_over_a_restart_and_freed(env):
    setup_auto(env)
    names = ["one", "two", "small"]
    for n in names:
        env.run("run", "-d", "--name", n, "--userns", "auto:size=1000" if n == "small" else "auto", T, "sh", "-c", "touch /mine; sleep 1000").ok()
    have = ranges(env)
    same(sorted(c for _, c in have.values()), [1000, 65536, 65536], "sizes")
    taken = sorted((f, f + c) for f, c in have.values())
    check(all(a[1] <= b[0] for a, b in zip(taken, taken[1:])), f"ranges overlap: {taken}")
    ids = {int(env.run("inspect", "-f", "{{.State.Pid}}", n).ok().out): n for n in names}
    for pid in ids:
        uid = int(pathlib.Path(f"/proc/{pid}/status").read_text().split("Uid:")[1].split()[0])
        check(uid in [f for f, _ in have.values()], f"process of {ids[pid]} is uid {uid}")
    env.run("restart", "-t", "0", "one").ok()
    same(ranges(env), have, "ranges after a restart")
    env.run("exec", "one", "stat", "-c", "%u", "/mine").ok(out="0\n")
    env.run("rm", "-f", *names).ok()
    same(ranges(env), {}, "ranges that stayed")


@test(needs="root,netns")
def volumes_have_the_same_owners_for_all(env):
    setup_auto(env)
    env.run("run", "--rm", "--userns", "auto", "-v", "shared:/v", T, "sh", "-c", "echo kept >/v/f; chown 33 /v/f").ok()
    env.run("run", "--rm", "--userns", "auto", "-v", "shared:/v", T, "sh", "-c", "cat /v/f; stat -c %u /v/f").ok(out="kept\n33\n")
    env.run("run", "--rm", "-v", "shared:/v", T, "stat", "-c", "%u", "/v/f").ok(out="33\n")
    d = env.tmp / "host"
    d.mkdir(mode=0o755)
    (d / "f").write_text("host's\n")
    env.run("run", "--rm", "--userns", "auto", "-v", f"{d}:/d", T, "sh", "-c", "cat /d/f; echo no >/d/g").expect(1, out="host's\n")


@test(needs="root,netns")
def the_range_of_an_instance_that_is_gone_is_free(env):
    setup_auto(env)
    (env.root / "ids").mkdir(exist_ok=True)
    (env.root / "ids" / ("a" * 64)).write_text("1879048192 268369920\n")
    env.run("run", "--rm", "--userns", "auto", T, "true").ok()
    # `run --rm` does not wait until its files, and then its ids, are free.
    wait_for(lambda: not ranges(env), what="the ranges are free")
    env.run("run", "--rm", "--userns", "auto:size=300000000", T, "true").error(125, "300000000", "--userns")


@test(needs="root,netns")
def what_is_not_possible_is_refused_by_name(env):
    for flags, code, words in (
            (["--userns", "keep-id"], 125, ["keep-id", "ordinary users"]),
            (["--userns", "nomap"], 125, ["nomap", "ordinary users"]),
            (["--userns", "container:x"], 125, ["container:x"]),
            (["--userns", "auto:size=x"], 2, ["'x'"]),
            (["--userns", "mine"], 2, ["mine", "keep-id"]),
            (["--userns", "auto", "--pid", "host"], 2, ["--userns", "--pid"]),
            (["--userns", "auto", "--privileged"], 2, ["--userns", "--privileged"]),
            (["--userns", "auto", "--isolation", "vm"], 125, ["--userns", "vm"])):
        env.run("create", *flags, T, "true").error(code, *words)
    env.run("run", "--rm", "--userns", "host", T, "true").ok()


main()
