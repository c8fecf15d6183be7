#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
"""What of a running machine can change, what it is given of the host, and what is refused by name."""
import os, pathlib, re

from caisson_test import check, main, same, skip, test, wait_for

TINY = "caisson/tiny"


@test(needs="root,qemu,kernel", timeout=100)
def a_machine_has_what_it_booted_with(env):
    env.run("run", "-d", "--isolation", "vm", "--name", "v", "--network", "none", "--cpus", "2", "--memory", "192m", TINY, "sleep", "1000").ok()
    online = lambda: env.run("exec", "v", "cat", "/sys/devices/system/cpu/online").ok().out.strip()
    same(online(), "0-1")
    record = env.run("inspect", "-f", "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}}", "v").ok().out
    for args, word in ((["--cpus", "3"], "2 it booted with"), (["--memory", "256m"], "192 MiB it booted with"), (["--memory-swap", "1g"], "--memory-swap"),
                       (["--memory", "64m"], "96m"), (["--cpus", "1", "--memory", "256m"], "192 MiB")):
        r = env.run("update", *args, "v").expect(1)
        check(word in r.err, f"{args}: {r.err}")
    same(env.run("inspect", "-f", "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}}", "v").ok().out, record, "the record after refusals")
    same(online(), "0-1", "CPUs after refusals")
    env.run("update", "--cpus", "1", "v").ok()
    same(online(), "0", "CPUs")
    env.run("update", "--cpus", "2", "v").ok()
    wait_for(lambda: online() == "0-1", what="the CPU comes back")
    env.run("pause", "v").ok()
    check("paused" in env.run("update", "--pids-limit", "9", "v").expect(1).err, "an update of a frozen guest")
    env.run("rm", "-f", "v").ok()


def qemu(env, name):
    return int(env.run("inspect", "-f", "{{.State.Pid}}", name).ok().out)


def pss_mib(pid):
    return int(re.search(r"^Pss:\s+(\d+)", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M).group(1)) / 1024


def cpus_of(pid):
    """Where each virtual CPU may run, by the names QEMU gives their threads."""
    out = {}
    for t in pathlib.Path(f"/proc/{pid}/task").iterdir():
        name = (t / "comm").read_text().strip()
        if name.startswith("CPU "):
            out[name.split("/")[0]] = re.search(r"^Cpus_allowed_list:\s+(\S+)", (t / "status").read_text(), re.M).group(1)
    return out


@test(needs="root,qemu,kernel", timeout=100)
def each_virtual_cpu_has_one_of_the_set(env):
    if os.cpu_count() < 2:
        skip("one CPU")
    env.run("run", "-d", "--isolation", "vm", "--name", "p", "--network", "none", "--cpus", "2", "--cpuset-cpus", "0-1", TINY, "sleep", "1000").ok()
    pid = qemu(env, "p")
    same(cpus_of(pid), {"CPU 0": "0", "CPU 1": "1"}, "two of two")
    env.run("update", "--cpuset-cpus", "1", "p").ok()
    same(cpus_of(pid), {"CPU 0": "1", "CPU 1": "1"}, "two on one")
    env.run("exec", "p", "true").ok()
    env.run("rm", "-f", "p").ok()


@test(needs="root,qemu,kernel", timeout=100)
def what_the_guest_lets_go_of_goes_back_to_the_host_by_itself(env):
    env.run("run", "-d", "--isolation", "vm", "--name", "b", "--network", "none", TINY, "sleep", "1000").ok()
    pid = qemu(env, "b")
    env.run("exec", "b", "sh", "-c", "head -c 60000000 /dev/zero > /dev/shm/x").ok()
    full = pss_mib(pid)
    check(full > 60, f"{full} MiB with a file in memory")
    env.run("exec", "b", "rm", "/dev/shm/x").ok()
    # Nobody asks for it: the guest reports free pages, QEMU gives them back.
    wait_for(lambda: pss_mib(pid) < full - 40, 60, what="the host's memory comes back")
    env.run("rm", "-f", "b").ok()


@test(needs="root,qemu,kernel", timeout=100)
def huge_pages_are_taken_or_refused_by_name(env):
    total = pathlib.Path("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")
    free = total.with_name("free_hugepages")
    if not total.exists():
        skip("the kernel has no huge pages of 2 MiB")
    make = ("run", "-d", "--isolation", "vm", "--vm-hugepages", "--network", "none", "-m", "128m")
    before = int(total.read_text())
    if int(free.read_text()) < 64:
        r = env.run(*make, "--rm", TINY, "sleep", "1000").expect(125)
        check("64 huge pages" in r.err and "nr_hugepages" in r.err, r.err)
    env.run("run", "--rm", "--isolation", "vm", "--vm-hugepages", "--network", "none", "-m", "129m", TINY, "true").error(2, "--vm-hugepages")
    env.run("run", "--rm", "--isolation", "container", "--vm-hugepages", TINY, "true").error(2, "--vm-hugepages")
    try:
        total.write_text(str(before + 64))
        if int(free.read_text()) < 64:
            return  # none to be had now; the refusal was seen
        env.run(*make, "--name", "h", TINY, "sleep", "1000").ok()
        text = pathlib.Path(f"/proc/{qemu(env, 'h')}/smaps").read_text()
        same(sum(int(n) for n in re.findall(r"^Private_Hugetlb:\s+(\d+)", text, re.M)) // 1024, 128, "MiB in huge pages")
        env.run("rm", "-f", "h").ok()
        wait_for(lambda: int(free.read_text()) >= 64, what="the pages are free again")
    finally:
        total.write_text(str(before))


@test(needs="root,qemu,kernel", timeout=100)
def the_accelerator_can_be_chosen(env):
    vm = env.run("info", "--format", "json").ok().json()["vm"]
    env.run("run", "--rm", "--isolation", "container", "--accel", "tcg", TINY, "true").error(2, "--accel")
    env.run("run", "--rm", "--isolation", "vm", "--accel", "xen", TINY, "true").error(2, "--accel")
    env.run("run", "-d", "--isolation", "vm", "--name", "t", "--network", "none", "--accel", "tcg", TINY, "sleep", "1000").ok(err="")
    command = pathlib.Path(f"/proc/{qemu(env, 't')}/cmdline").read_bytes().split(b"\0")
    check(command[command.index(b"-accel") + 1].startswith(b"tcg"), command)
    a = env.run("inspect", "t").ok().json()[0]["Accelerator"]
    same(a, {"Asked": "tcg", "Used": "tcg", "Because": vm["accelWhy"]}, "inspect")
    env.run("rm", "-f", "t").ok()
    if vm["accel"] == "tcg":
        r = env.run("run", "--rm", "--isolation", "vm", "--network", "none", "--accel", "kvm", TINY, "true").expect(125)
        check(vm["accelWhy"] in r.err, r.err)


@test(needs="root,qemu,kernel", timeout=100)
def emulation_is_announced_once(env):
    if env.run("info", "--format", "json").ok().json()["vm"]["accel"] != "tcg":
        skip("this host has KVM")
    env.advice = env.own_templates = True
    (env.root / "cache/vm").mkdir(parents=True, exist_ok=True)
    (env.root / "cache/vm/tcg-told").unlink(missing_ok=True)
    r = env.run("create", "--isolation", "vm", "--name", "w1", TINY).ok()
    check("emulated (tcg)" in r.err and "security boundary" in r.err, r.err)
    env.run("create", "--isolation", "vm", "--name", "w2", TINY).ok(err="")
    (env.root / "cache/vm/tcg-told").write_text("another boot")
    env.run("create", "--isolation", "container", "--name", "c", TINY).ok(err="")
    env.run("create", "--isolation", "vm", "--name", "w3", "--accel", "tcg", TINY).ok(err="")
    check("emulated" in env.run("create", "--isolation", "vm", "--name", "w4", TINY).ok().err, "after a boot of the host")
    env.run("rm", "w1", "w2", "w3", "w4", "c").ok()


main()
