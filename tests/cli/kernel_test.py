# SPDX-License-Identifier: Apache-2.0
# timeout: 300
"""caisson kernel: which kernels are taken, which one a VM runs, and how one is built."""
import hashlib, json, os, pathlib, shutil, struct, subprocess

from caisson_test import BUILD, check, main, same, test

NEEDS = "root"


def elf(machine=62, kind=2, note=18, cut=0):
    """The smallest file that passes for a kernel: a header, one part, the PVH note."""
    n = struct.pack("<III", 4, 4, note) + b"Xen\0\0\0\0\0"
    h = bytearray(64)
    h[:7] = b"\x7fELF\x02\x01\x01"
    struct.pack_into("<HH", h, 16, kind, machine)
    struct.pack_into("<Q", h, 32, 64)
    struct.pack_into("<HH", h, 54, 56, 1)
    data = bytes(h) + struct.pack("<IIQQQQQQ", 4, 0, 120, 0, 0, len(n), len(n), 4) + n
    return data[:len(data) - cut]


def names(env):
    """Of ours; the installation may have some, too."""
    return [k["Name"] for k in map(json.loads, env.run("kernel", "ls", "--json").ok().out.splitlines()) if k["Ours"]]


def write(env, name, data):
    path = env.tmp / name
    path.write_bytes(data)
    return path


@test
def add_ls_default_rm(env):
    f = write(env, "vmlinux", elf())
    env.run("kernel", "add", "--name", "one", f).ok(out="")
    env.run("kernel", "add", "--name", "two", "--no-acpi", f).ok()
    same(names(env), ["one", "two"], "kernels")
    rows = {k["Name"]: k for k in map(json.loads, env.run("kernel", "ls", "--json").ok().out.splitlines())}
    check(rows["one"]["Acpi"] and not rows["two"]["Acpi"], f"{rows}")
    same(rows["one"]["Bytes"], len(elf()), "size")
    info = json.loads((env.root / "kernels/one/kernel.json").read_text())
    same(info["sha256"], hashlib.sha256(elf()).hexdigest(), "digest")
    check("one" in env.run("kernel", "list", "-q").ok().out.split(), "quiet")
    check("NAME" in env.run("kernel", "ls").ok().out, "table")
    env.run("kernel", "add", "--name", "one", f).error(1, "one", "already")
    env.run("kernel", "default", "two").ok()
    check(json.loads([x for x in env.run("kernel", "ls", "--json").out.splitlines() if '"two"' in x][0])["Default"], "not the default")
    env.run("kernel", "rm", "two").error(1, "two", "default")
    env.run("kernel", "default", "three").error(1, "three")
    env.run("kernel", "default").error(2, "--reset")
    env.run("kernel", "default", "--reset", "one").error(2, "--reset")
    env.run("kernel", "default", "--reset").ok()
    env.run("kernel", "rm", "one", "two").ok(out="one\ntwo\n")
    same(names(env), [], "kernels")
    env.run("kernel", "remove", "one").error(1, "one")


@test
def what_is_no_kernel_is_refused(env):
    for what, data, *words in (("text", b"hello\n", "ELF"), ("bzImage", b"MZ" + bytes(600), "kernel-fetch"), ("empty", b"", "file"),
                               ("arm64", elf(machine=183), "another machine"), ("object", elf(kind=1), "type 1"), ("no-entry", elf(note=1), "PVH"),
                               ("cut", elf(cut=4), "part 0"), ("head", elf()[:80], "whole")):
        env.run("kernel", "add", "--name", "x", write(env, what, data)).error(1, what, *words)
    for name in ("../x", ".x", "default", "a/b", "x" * 65):
        env.run("kernel", "add", "--name", name, write(env, "vmlinux", elf())).error(2, "name of a kernel")
    env.run("kernel", "add", env.tmp / "vmlinux").error(2, "--name")
    env.run("kernel", "add", env.tmp / "nothing").error(1, "nothing")
    same(names(env), [], "kernels")
    same(os.listdir(env.root / "tmp") if (env.root / "tmp").is_dir() else [], [], "left in tmp")


def directory(env, name, **more):
    d = env.tmp / name
    (d / "modules").mkdir(parents=True)
    (d / "vmlinux").write_bytes(elf())
    (d / "modules/a.ko").write_bytes(b"module")
    info = {"format": 1, "version": name, "package": "p", "sha256": hashlib.sha256(elf()).hexdigest(), "acpi": True, "modules": {"boot": ["a.ko"]}}
    (d / "kernel.json").write_text(json.dumps({**info, **more}))
    return d


@test
def directories(env):
    env.run("kernel", "add", directory(env, "good")).ok()
    same((env.root / "kernels/good/modules/a.ko").read_bytes(), b"module", "module")
    env.run("kernel", "add", directory(env, "digest", sha256="00" * 32)).error(1, "digest")
    env.run("kernel", "add", directory(env, "outside", modules={"boot": ["../vmlinux"]})).error(1, "../vmlinux")
    env.run("kernel", "add", directory(env, "gone", modules={"late": ["b.ko"]})).error(1, "b.ko")
    env.run("kernel", "add", directory(env, "format", format=2)).error(1, "format 2")
    (directory(env, "torn") / "kernel.json").write_text('{"format":1,')
    env.run("kernel", "add", env.tmp / "torn").error(1, "torn")
    same(names(env), ["good"], "kernels")
    env.run("kernel", "rm", "good").ok()


def source(env, makefile):
    """A source tree as small as one can be that is built in the same steps."""
    d = env.tmp / "linux"
    shutil.rmtree(d, ignore_errors=True)
    (d / "scripts/kconfig").mkdir(parents=True)
    (d / "Makefile").write_text(makefile)
    merge = d / "scripts/kconfig/merge_config.sh"
    merge.write_text('#!/bin/sh\nset -e\n[ "$1" = -m ]; cat "$3" >> "$2"\n')
    merge.chmod(0o755)
    out = env.tmp / "linux.tar.xz"
    subprocess.run(["tar", "-cJf", out, "-C", env.tmp, "linux"], check=True)
    return out


BUILDS = """tinyconfig:
\techo tiny > .config
olddefconfig:
\tgrep -q tiny .config && grep -q CONFIG_PVH=y .config
kernelrelease:
\t@echo 9.9-small
vmlinux: olddefconfig
\techo working
\tcp /bin/true vmlinux
"""


@test(needs="root,compiler")
def build_makes_what_the_source_makes(env):
    """The steps, on a source that makes another program: what came out is looked at like any other kernel."""
    r = env.run("kernel", "build", "-j", "2", "--source", source(env, BUILDS))
    check(r.code == 1 and "PVH" in r.err and "working" in r.err, f"{r.code} {r.err}")
    real = BUILD / "small-kernel/vmlinux"
    stock = sorted((BUILD / "share/caisson/kernels").glob("*/vmlinux"))
    kernel = real if real.exists() else stock[-1] if stock else None
    if kernel:
        made = source(env, BUILDS.replace("/bin/true", str(kernel)))
        env.run("kernel", "build", "--source", made).ok(out="9.9-small\n")
        env.run("kernel", "build", "--source", made, "--name", "again").ok(out="again\n")
        check({"9.9-small", "again"} <= set(names(env)), f"{names(env)}")
        env.run("kernel", "rm", "again", "9.9-small").ok()
    r = env.run("kernel", "build", "--source", source(env, BUILDS.replace("echo working", "false")))
    check(r.code == 1 and "not built" in r.err, r.err)
    env.run("kernel", "build", "--source", env.tmp / "none").error(1, "none")
    env.run("kernel", "build", "--source", env.tmp / "linux.tar.xz", "--config", env.tmp / "none").error(1, "none")
    same(os.listdir(env.root / "tmp"), [], "left in tmp")


@test(needs="root,qemu,kernel")
def a_vm_runs_the_default(env):
    """A copy of the installation's, under another name; and a default that is gone is said, not replaced."""
    stock = sorted((BUILD / "share/caisson/kernels").glob("*/kernel.json"))[-1].parent
    env.run("kernel", "add", "--name", "copy", stock).ok()
    env.run("kernel", "default", "copy").ok()
    check('"copy"' in env.run("info", "--format", "{{json .}}").out or "copy" in env.run("info").out, "info")
    env.run("run", "--rm", "--isolation=vm", "--vm-template=off", "caisson/tiny", "uname", "-r").ok(out=stock.name + "\n")
    shutil.rmtree(env.root / "kernels/copy")
    r = env.run("run", "--rm", "--isolation=vm", "caisson/tiny", "true")
    check(r.code == 125 and "copy" in r.err, f"{r.code} {r.err}")
    env.run("kernel", "default", "--reset").ok()


@test(needs="root,qemu,smallkernel")
def the_small_kernel_runs_an_instance(env):
    env.run("kernel", "add", BUILD / "small-kernel").ok()
    name = names(env)[-1]
    env.run("kernel", "default", name).ok()
    r = env.run("run", "--rm", "--isolation=vm", "-v", "data:/data", "caisson/tiny", "sh", "-c",
                "uname -r; echo x > /data/x && cat /data/x; ls /sys/class/net; mount -t tmpfs x /tmp 2>/dev/null; cat /proc/sys/kernel/random/boot_id").ok()
    check("caisson" in r.out and "eth0" in r.out and "\nx\n" in r.out, r.out)
    for _ in range(2):
        env.run("run", "--rm", "--isolation=vm", "caisson/tiny", "echo", "hi").ok(out="hi\n")
    env.run("volume", "rm", "data").ok()


main()
