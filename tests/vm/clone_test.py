# SPDX-License-Identifier: Apache-2.0
# timeout: 400
"""Snapshot, restore and clone under load: a counter in memory and a database that is written to all the time.
CAISSON_ROUNDS says how often (1); 50 were run by hand."""
import os

from caisson_test import BUILD, check, main, same, test, wait_for

NEEDS = "root,qemu,kernel,sqlite"
ROUNDS = int(os.environ.get("CAISSON_ROUNDS", "1"))
# What one machine has that no other may have, a line each.
WHO = """hostname; cat /etc/hostname; cat /etc/machine-id; ip link show eth0 | grep ether | tr -s ' ' | cut -d' ' -f3
ip -4 addr show eth0 | grep inet | tr -s ' ' | cut -d' ' -f3; cat /proc/sys/kernel/random/uuid; head -c 32 /dev/urandom | sha256sum; head -c 32 /dev/random | sha256sum"""
NAMES = ("hostname", "/etc/hostname", "machine-id", "MAC", "address", "uuid", "urandom", "random")


def count(env, name):
    return int(wait_for(lambda: env.run("exec", name, "cat", "/count").out.strip(), what=f"{name} counts"))


def number(env, name):
    """The counter in memory, as it was last written; the database has it, and everything before."""
    text = count(env, name)
    have = int(env.run("exec", name, "/tool", "check", "/db", timeout=300).ok().out)
    check(have >= int(text), f"{name}: {text} was counted, the database has {have}")
    return have


def left(env):
    out = set()
    for d in ("tmp", "snapshots", "instances", "images", "layers"):
        p = env.root / d
        out |= {f"{d}/{n}" for n in os.listdir(p)} if p.is_dir() else set()
    return out | {f"process {n}" for n in os.listdir("/proc") if n.isdigit() and b"qemu" in command(n)}


def command(pid):
    try:
        return open(f"/proc/{pid}/cmdline", "rb").read().split(b"\0")[0]
    except OSError:
        return b""


def goes_on(env, name, n):
    wait_for(lambda: count(env, name) > n, what=f"{name} goes on from {n}")


def identities(env, names):
    seen = [env.run("exec", i, "sh", "-c", WHO).ok().out.split("\n")[:-1] for i in names]
    for lines in seen:
        same(len(lines), len(NAMES), f"lines of {lines}")
    for k, what in enumerate(NAMES):
        check(len({s[k] for s in seen}) == len(seen), f"{what} is the same: {[s[k] for s in seen]}")


@test(needs=NEEDS, timeout=300 + 60 * ROUNDS)
def nothing_is_lost_and_everything_goes_on(env):
    env.run("run", "-d", "--isolation=vm", "--name", "db", "caisson/tiny", "sh", "-c",
            "echo 0123456789abcdef0123456789abcdef >/etc/machine-id; mkdir -p /etc/ssh; echo secret >/etc/ssh/ssh_host_ed25519_key; "
            "until test -x /tool; do sleep 0.1; done; exec /tool write /db /count", timeout=300).ok()
    env.run("cp", BUILD / "sqlite_tool", "db:/tool.new").ok()
    env.run("exec", "db", "mv", "/tool.new", "/tool").ok()
    goes_on(env, "db", 3)
    before = left(env)
    for i in range(ROUNDS):
        n = number(env, "db")
        env.run("snapshot", "create", "-q", "--name", "s", "db").ok(err="")
        goes_on(env, "db", n)                   # who was saved goes on
        clones = env.run("clone", "-n", "2", "db", timeout=300).ok().out.split()
        third = env.run("clone", "--name", "third", "s", timeout=300).ok().out.split()
        same(third, ["third"], "its name")
        for name in clones + third:
            check(number(env, name) >= n, f"{name} lost something")
        identities(env, ["db", *clones, *third])
        for name in clones + third:
            goes_on(env, name, n)
            env.run("exec", name, "test", "-e", "/etc/ssh/ssh_host_ed25519_key").expect(1)
        env.run("exec", "db", "cat", "/etc/ssh/ssh_host_ed25519_key").ok(out="secret\n")
        env.run("rm", "-f", *clones, *third).ok()
        env.run("snapshot", "restore", "--force", "s", timeout=300).ok()
        check(number(env, "db") >= n, "the restored one lost something")
        goes_on(env, "db", n)
        env.run("snapshot", "rm", "s").ok()
        wait_for(lambda: left(env) <= before | {f"process {n}" for n in os.listdir("/proc")}, what="nothing is left")
    same(len([x for x in left(env) if x.startswith("process")]), len([x for x in before if x.startswith("process")]), "processes of QEMU")
    env.run("rm", "-f", "db").ok()


@test(needs=NEEDS)
def clones_of_one_that_does_not_run(env):
    """By its disk: they do not run either, and are others when they do."""
    env.run("create", "--isolation=vm", "--name", "off", "caisson/tiny", "sh", "-c",
            "test -e /etc/machine-id || echo 0123456789abcdef0123456789abcdef >/etc/machine-id; cat /etc/machine-id; hostname").ok()
    first = env.run("start", "-a", "off", timeout=300).ok().out.split()
    same(first[0], "0123456789abcdef0123456789abcdef", "machine id")
    names = env.run("clone", "-n", "2", "--name", "o", "off").ok().out.split()
    same(names, ["o-1", "o-2"], "names")
    out = [env.run("start", "-a", n, timeout=300).ok().out.split() for n in names]
    check(len({first[0], out[0][0], out[1][0]}) == 3 and len({first[1], out[0][1], out[1][1]}) == 3, f"{first} {out}")
    # Only its first start makes it another one.
    same(env.run("start", "-a", "o-1", timeout=300).ok().out.split(), out[0], "at the second start")
    env.run("rm", "off", *names).ok()


main()
