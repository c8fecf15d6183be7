# SPDX-License-Identifier: Apache-2.0
# timeout: 400
"""Virtual machines that go on from a template: alike in nothing that is somebody's, and never worse off than without one."""
import hashlib, os, shutil, signal, time

from caisson_test import check, main, same, skip, test, wait_for

NEEDS = "root,qemu,kernel"
# What one machine has that no other may have, a line each.
WHO = """hostname; cat /proc/sys/kernel/random/boot_id; cat /proc/sys/kernel/random/uuid; head -c 32 /dev/urandom | sha256sum
ip link show eth0 | grep ether | tr -s ' ' | cut -d' ' -f3; ip -4 addr show eth0 | grep inet | tr -s ' ' | cut -d' ' -f3
head -c 64 /dev/random | sha256sum; cat /dev/urandom | tr -dc a-f0-9 | head -c 32 > /etc/machine-id; cat /etc/machine-id; echo; date +%s"""
NAMES = ("hostname", "boot id", "uuid", "urandom", "MAC", "address", "random", "machine-id")


def vm(env, *args, **kw):
    env.own_templates = True
    trace = env.base / f"trace-{time.monotonic_ns()}"
    r = env.run("run", "--isolation=vm", *args, env={"CAISSON_TRACE": str(trace)}, timeout=300, **kw)
    r.phases = [line.split()[2:] for line in trace.read_text().splitlines()]
    return r


def templates(env):
    d = env.root / "cache/vm/templates"
    return sorted(n for n in os.listdir(d) if "." not in n) if d.is_dir() else []


def broken(env):
    d = env.root / "cache/vm/templates"
    return {n: (d / n).read_text() for n in os.listdir(d) if n.endswith(".broken")} if d.is_dir() else {}


def from_template(r):
    return ["mark", "template"] in r.phases and ["mark", "cold"] not in r.phases


def made(env):
    """The template of the default machine, whichever test comes first."""
    if not templates(env):
        vm(env, "--rm", "caisson/tiny", "true").ok()
        check(len(templates(env)) == 1, f"no template was made: {broken(env)}")
    return env.root / "cache/vm/templates" / templates(env)[0]


@test
def two_clones_share_nothing_of_anybodys(env):
    made(env)
    seen = []
    for _ in range(2):
        before = int(time.time())
        r = vm(env, "--rm", "caisson/tiny", "sh", "-c", WHO).ok()
        check(from_template(r), f"it booted: {r.phases}")
        *lines, now = r.out.split("\n")[:-1]
        lines = [x for x in lines if x]
        same(len(lines), len(NAMES), "lines")
        check(before - 1 <= int(now) <= time.time() + 1, f"the clock says {now}, it is {time.time()}")
        seen.append(lines)
    for name, a, b in zip(NAMES, *seen):
        check(a and (name == "address" or a != b), f"both clones have the {name} {a}")


@test
def two_clones_at_once_have_two_addresses(env):
    made(env)
    ids = [vm(env, "-d", "--cap-add", "NET_RAW", "caisson/tiny", "sleep", "1000").ok().out.strip() for _ in range(2)]
    try:
        text = [env.run("exec", i, "sh", "-c", "ip -4 addr show eth0; ip link show eth0; hostname").ok().out for i in ids]
        for words in ("inet ", "link/ether "):
            a, b = ({w for line in t.splitlines() if words in line for w in [line.split()[1]]} for t in text)
            check(a and b and not a & b, f"{words}: {a} and {b}")
        # They reach each other, so what they believe to have is what they have.
        other = text[1].split("inet ")[1].split("/")[0]
        env.run("exec", ids[0], "ping", "-c", "1", "-w", "20", other).ok()
    finally:
        env.run("rm", "-f", *ids).ok()


@test
def a_clone_cannot_change_its_template(env):
    """The guest gives pages back (balloon) and writes all over its memory; the file stays as it was, and so does the next clone."""
    t = made(env)
    digest = hashlib.sha256((t / "memory").read_bytes()).hexdigest()
    i = vm(env, "-d", "caisson/tiny", "sleep", "1000").ok().out.strip()
    try:
        env.run("exec", i, "sh", "-c", "head -c 40000000 /dev/zero | tr '\\0' x > /dev/shm/x && rm /dev/shm/x").ok()
        env.run("update", "--memory", "128m", i).ok()
        env.run("exec", i, "true").ok()
    finally:
        env.run("rm", "-f", i).ok()
    same(hashlib.sha256((t / "memory").read_bytes()).hexdigest(), digest, "memory of the template")
    check(from_template(vm(env, "--rm", "caisson/tiny", "true").ok()), "the next one booted")


@test
def the_same_machine_only(env):
    t = made(env)
    vm(env, "--rm", "--vm-template=off", "caisson/tiny", "true").ok()
    r = vm(env, "--rm", "--network", "none", "-m", "200m", "caisson/tiny", "sh", "-c", "head -1 /proc/meminfo; ls /sys/class/net").ok()
    check("eth0" not in r.out, "an interface that nobody asked for")
    check(int(r.out.split()[1]) < 200 * 1024, f"memory: {r.out}")
    check(t.name in templates(env) and len(templates(env)) == 2, f"{templates(env)}")
    for name in set(templates(env)) - {t.name}:
        shutil.rmtree(t.parent / name)


@test
def off_boots(env):
    r = vm(env, "--rm", "--vm-template=off", "caisson/tiny", "true").ok()
    check(not any("template" in p for p in r.phases), f"{r.phases}")
    env.run("run", "--rm", "--isolation=container", "--vm-template=off", "caisson/tiny", "true").error(2, "--vm-template")


@test
def a_damaged_template_is_no_failure(env):
    """Whatever is wrong with it: the instance boots, the trace says so, and the template is gone."""
    for name, harm in (("state", lambda f: os.truncate(f, 1000)), ("memory", lambda f: os.truncate(f, 1 << 20))):
        t = made(env)
        harm(t / name)
        r = vm(env, "--rm", "caisson/tiny", "echo", "alive").ok(out="alive\n")
        check(["mark", "cold"] in r.phases, f"{name}: {r.phases}")
        check(t.name not in templates(env), f"{name}: still there")
        same(list(broken(env)), [f"{t.name}.broken"], "who says why")
        r = vm(env, "--rm", "caisson/tiny", "echo", "cold").ok(out="cold\n")
        check(not any("template" in p for p in r.phases), f"tried again: {r.phases}")
        os.unlink(t.parent / f"{t.name}.broken")


@test
def of_an_earlier_boot_is_none(env):
    t = made(env)
    (t / "boot").write_text("00000000-0000-0000-0000-000000000000\n")
    vm(env, "--rm", "caisson/tiny", "true").ok()
    check((t / "boot").read_text() == open("/proc/sys/kernel/random/boot_id").read(), "not made anew")


def qemu():
    """Processes of QEMU in this file's namespace."""
    out = []
    for pid in (p for p in os.listdir("/proc") if p.isdigit()):
        try:
            if b"qemu-system" in open(f"/proc/{pid}/cmdline", "rb").read().split(b"\0")[0]:
                out.append(int(pid))
        except OSError:
            pass
    return out


@test
def killed_while_it_is_made(env):
    """The instance boots, nothing half-made stays, and another may make it."""
    t = made(env)
    shutil.rmtree(t)
    p = env.start("run", "--rm", "--isolation=vm", "caisson/tiny", "echo", "alive")
    wait_for(qemu, 60)
    os.kill(qemu()[0], signal.SIGKILL)
    p.until("alive\n")
    p.finish()
    same([n for n in os.listdir(t.parent) if n.endswith((".new", ".broken"))], [], "left of it")
    made(env)


main()
