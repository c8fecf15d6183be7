# SPDX-License-Identifier: Apache-2.0
# timeout: 400
"""Snapshots of virtual machines that run: memory and disk of one moment, and whoever goes on from them."""
import hashlib, json, os, re, signal, subprocess, time

from caisson_test import check, main, same, test, wait_for

NEEDS = "root,qemu,kernel"
TINY = "caisson/tiny"
COUNT = "i=0; while :; do i=$((i+1)); echo $i >/count.new; mv /count.new /count; sleep 0.02; done"


def vm(env, name, script, *args):
    env.run("run", "-d", "--isolation=vm", "--name", name, *args, TINY, "sh", "-c", script, timeout=300).ok()


def count(env, name):
    text = wait_for(lambda: env.run("exec", name, "cat", "/count").out.strip(), what=f"{name} counts")
    return int(text)


def left(env):
    return sorted(os.listdir(env.root / "tmp"))


@test(needs=NEEDS)
def it_goes_on_where_it_was(env):
    """In place, and made again when it is gone: memory, disk, processes, output; other random numbers each time."""
    vm(env, "a", "echo began; cat /proc/sys/kernel/random/boot_id >/boot; " + COUNT)
    n = count(env, "a")
    pauses = []
    for i in range(3):
        r = env.run("snapshot", "create", "--name", f"s{i}", "a").ok(out=f"s{i}\n")
        pauses.append(float(re.search(r"stood still for ([0-9.]+) ms", r.err)[1]))
    print(f"# a guest of 256 MiB stood still for {pauses} ms")
    later = count(env, "a")
    check(later >= n, f"it went back: {n}, {later}")
    d = env.run("snapshot", "inspect", "s0").ok().json()[0]
    same((d["kind"], d["running"], [f["name"] for f in d["files"]]), ("machine", True, ["disk", "machine.json", "memory", "state"]), "manifest")
    same({k for k in d["machine"]}, {"vmm", "version", "accel", "cpu", "devices", "kernel", "memoryBytes", "tscKhz", "cpus", "acpi"}, "tags")
    env.run("exec", "a", "touch", "/after").ok()
    env.run("snapshot", "restore", "s0").error(1, "running", "--force")
    env.run("snapshot", "restore", "-f", "s0", timeout=300).ok(out="a\n")
    env.run("exec", "a", "test", "-e", "/after").expect(1)
    again = count(env, "a")
    check(n <= again, f"it was {n} then and is {again}")
    wait_for(lambda: count(env, "a") > again)
    seen = set()
    for _ in range(2):
        env.run("rm", "-f", "a").ok()
        env.run("snapshot", "restore", "s0", timeout=300).ok(out="a\n")
        env.run("exec", "a", "test", "-e", "/after").expect(1)
        check(n <= count(env, "a"), "another count")
        # The kernel did not boot, its clock is right, its random numbers are others.
        began = time.time()
        out = env.run("exec", "a", "sh", "-c", "cat /boot /proc/sys/kernel/random/boot_id /proc/sys/kernel/random/uuid; date +%s; hostname").ok().out.split()
        same(out[0], out[1], "boot id")
        check(began - 5 <= int(out[3]) <= time.time() + 5, f"its clock says {out[3]}")
        seen.add(out[2])
    same(len(seen), 2, "different random numbers")
    # From one that was gone on from, too.
    n = count(env, "a")
    env.run("snapshot", "create", "--name", "t", "a").ok()
    env.run("exec", "a", "touch", "/after").ok()
    env.run("snapshot", "restore", "-f", "t", timeout=300).ok()
    env.run("exec", "a", "test", "-e", "/after").expect(1)
    check(count(env, "a") >= n, "count")
    env.run("rm", "-f", "a").ok()
    env.run("snapshot", "rm", "s0", "s1", "s2", "t").ok()
    same((left(env), os.listdir(env.root / "snapshots")), ([], []), "left")


@test(needs=NEEDS)
def the_network_and_input_go_on(env):
    """Of a machine that booted: a shell that reads, an interface whose address may be another one now."""
    vm(env, "n", "while read x; do echo got $x; done", "-i", "--vm-template=off")
    env.run("snapshot", "create", "--name", "n1", "n").ok()
    env.run("rm", "-f", "n").ok()
    # Somebody else takes the address meanwhile.
    env.run("run", "-d", "--name", "other", "--cap-add", "NET_RAW", TINY, "sleep", "1000").ok()
    env.run("snapshot", "restore", "n1", timeout=300).ok()
    addr = env.run("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "n").ok().out.strip()
    text = env.run("exec", "n", "ip", "addr", "show", "eth0").ok().out
    check(f"inet {addr}/" in text and text.count("inet ") == 1, f"{addr}: {text}")
    env.run("exec", "other", "ping", "-c", "1", "-w", "60", addr).ok()
    p = env.start("attach", "n")
    p.send("hello\n")
    p.until("got hello\n")
    p.p.stdin.close()
    p.p.stdin = None
    p.finish()
    env.run("rm", "-f", "n", "other").ok()
    env.run("snapshot", "rm", "n1").ok()


@test(needs=NEEDS)
def of_a_stopped_one_its_disk(env):
    env.run("create", "--isolation=vm", "--name", "d", TINY, "sh", "-c", "echo x >>/x; cat /x").ok()
    env.run("start", "-a", "d", timeout=300).ok(out="x\n")
    env.run("snapshot", "create", "--memory", "on", "d").error(1, "does not run")
    env.run("snapshot", "create", "--name", "ds", "d").ok(err="")
    env.run("start", "-a", "d", timeout=300).ok(out="x\nx\n")
    env.run("snapshot", "restore", "ds").ok()
    env.run("start", "-a", "d", timeout=300).ok(out="x\nx\n")
    env.run("rm", "d").ok()
    env.run("snapshot", "rm", "ds").ok()


@test(needs=NEEDS)
def with_shared_directories_its_files(env):
    h = env.tmp / "share"
    h.mkdir(exist_ok=True)
    vm(env, "v", "echo mine >/mine; touch /up; sleep 1000", "-v", f"{h}:/h")
    wait_for(lambda: env.run("exec", "v", "test", "-e", "/up").code == 0)
    env.run("snapshot", "create", "--memory", "on", "v").error(1, "-v", "--memory=off")
    env.run("snapshot", "create", "--name", "vs", "v", timeout=300).ok()
    same(env.run("snapshot", "inspect", "vs").ok().json()[0]["kind"], "files", "kind")
    env.run("exec", "v", "sh", "-c", "echo changed >/mine").ok()
    env.run("snapshot", "restore", "-f", "vs", timeout=300).ok()
    wait_for(lambda: env.run("exec", "v", "cat", "/mine").out == "mine\n")
    env.run("rm", "-f", "v").ok()
    env.run("snapshot", "rm", "vs").ok()


@test(needs=NEEDS)
def damaged_and_foreign_ones_are_refused(env):
    """And the instance is what it was: it runs on."""
    vm(env, "x", COUNT)
    env.run("snapshot", "create", "--name", "g", "x").ok()
    d = env.root / "snapshots/g"

    def refused(*words):
        before = count(env, "x")
        env.run("snapshot", "restore", "-f", "g", timeout=300).error(1, *words)
        check(count(env, "x") >= before, "it went back")

    for name in ("memory", "disk", "state"):
        f = d / name
        subprocess.run(["cp", "--sparse=always", f, env.tmp / "whole"], check=True)
        with open(f, "r+b") as h:
            h.seek(os.lseek(h.fileno(), 0, os.SEEK_DATA) + 100)
            at, old = h.tell(), h.read(1)
            h.seek(at)
            h.write(bytes([old[0] ^ 1]))
        refused("damaged", f"'{name}'", "digest")
        os.truncate(f, 4096)
        refused("damaged", f"'{name}'", "4096 bytes")
        f.unlink()
        subprocess.run(["cp", "--sparse=always", env.tmp / "whole", f], check=True)
    (d / "state").unlink()
    refused("'state' is missing")
    env.run("rm", "-f", "x").ok()
    env.run("snapshot", "rm", "g").ok()


@test(needs=NEEDS)
def of_another_machine_it_does_not_go_on(env):
    """The tags are looked at when it starts: each names what differs, and nothing is left."""
    vm(env, "y", COUNT)
    env.run("snapshot", "create", "--name", "f", "y").ok()
    env.run("rm", "-f", "y").ok()
    d = env.root / "snapshots/f"
    record, tags = (d / "record.json").read_text(), (d / "machine.json").read_text()
    m = json.loads(tags)
    for change, words in (({"version": "9.9.9"}, ("9.9.9",)), ({"vmm": "other"}, ("other",)), ({"accel": "kvm"}, ("accelerator", "kvm")),
                          ({"cpu": "x"}, ("processor",)), ({"memoryBytes": 1 << 40}, ("memory",)), ({"cpus": 9}, ("CPUs",)),
                          ({"tscKhz": m["tscKhz"] * 2}, ("kHz",)), ({"devices": "x"}, ("devices",))):
        text = json.dumps({**m, **change})
        raw = text.encode()
        digest = hashlib.sha256((0).to_bytes(8, "little") + raw + len(raw).to_bytes(8, "little")).hexdigest()
        r = json.loads(record)
        for f in r["files"]:
            if f["name"] == "machine.json":
                f.update(bytes=len(raw), digest=f"sha256:{digest}")
        (d / "machine.json").write_text(text)
        (d / "record.json").write_text(json.dumps(r))
        env.run("snapshot", "restore", "f", timeout=300).error(1, *words)
        same(env.run("ps", "-aq").ok().out, "", f"{change}: instances")
    (d / "machine.json").write_text(tags)
    (d / "record.json").write_text(record)
    env.run("snapshot", "restore", "f", timeout=300).ok()
    env.run("rm", "-f", "y").ok()
    env.run("snapshot", "rm", "f").ok()


@test(needs=NEEDS)
def a_full_disk(env):
    """The error says so, nothing half done stays, and the machine goes on."""
    vm(env, "z", COUNT)
    n = count(env, "z")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "full", env.root / "tmp"], check=True)
    try:
        env.run("snapshot", "create", "--name", "no", "z").error(1, "No space left")
        same((left(env), env.run("snapshot", "ls", "-q").ok().out), ([], ""), "left")
    finally:
        subprocess.run(["umount", env.root / "tmp"], check=True)
    wait_for(lambda: count(env, "z") > n)
    env.run("snapshot", "create", "--name", "yes", "z").ok()
    env.run("rm", "-f", "z").ok()
    env.run("snapshot", "rm", "yes").ok()


@test(needs=NEEDS)
def killed_at_any_time_it_is_there_or_not(env):
    """The command or the machine: no half snapshot, and what lives goes on."""
    vm(env, "k", COUNT)
    n = count(env, "k")
    for i in range(6):
        p = env.start("snapshot", "create", "--name", f"k{i}", "k")
        time.sleep(0.012 * i)
        p.signal(signal.SIGKILL)
        p.finish()
        wait_for(lambda: env.run("snapshot", "create", "--name", f"w{i}", "k").code == 0, what="the next one is taken")
        env.run("snapshot", "rm", f"w{i}").ok()
    check(count(env, "k") >= n, "count")
    for name in env.run("snapshot", "ls", "-q").ok().out.split():
        env.run("snapshot", "inspect", name).ok()
        env.run("snapshot", "rm", name).ok()
    pid = int(env.run("inspect", "-f", "{{.State.Pid}}", "k").ok().out)
    p = env.start("snapshot", "create", "--name", "dead", "k")
    os.kill(pid, signal.SIGKILL)
    r = p.finish()
    check(r.code == 0 or r.err.startswith("caisson: "), f"{r.code} {r.err}")
    env.run("rm", "-f", "k").ok()
    for name in env.run("snapshot", "ls", "-q").ok().out.split():
        env.run("snapshot", "rm", name).ok()
    wait_for(lambda: left(env) == [], what="staging is swept")


main()
