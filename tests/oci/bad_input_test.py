# SPDX-License-Identifier: Apache-2.0
"""Malformed, huge and contradictory bundles, bundles that change while they are read, and roots full of links: one error that
names the place, and nothing made."""
import json, os, pathlib, shutil, threading

from caisson_test import check, main, same, test
from oci_bundle import Runtime, bind, spec


def cgroups():
    return {d for d, _, files in os.walk("/sys/fs/cgroup") if "cgroup.procs" in files}


def refused(oci, bundle, *words, code=1):
    """`run` fails, its one line names words, and no state, cgroup or mount is left."""
    before = cgroups(), pathlib.Path("/proc/self/mountinfo").read_text()
    r = oci("run", "-b", bundle, "c1")
    same(r.code, code, f"exit code ({r.err})")
    for w in words:
        check(w in r.err, f"the error does not say {w!r}: {r.err}")
    check("AddressSanitizer" not in r.err and r.err.count("\n") == 1, r.err)
    same([n for n in os.listdir(oci.root) if not n.startswith(".")] if oci.root.exists() else [], [], "state left")
    same((cgroups(), pathlib.Path("/proc/self/mountinfo").read_text()), before, "cgroups and mounts")


@test(needs="root")
def malformed_json_is_named_with_its_place(env):
    oci = Runtime(env)
    b = oci.bundle(spec())
    good = (b / "config.json").read_text()
    for text, words in (("", ("config.json",)), ("{", ("config.json",)), ("[]", ("config.json",)), ("null", ("config.json",)), ("7", ("config.json",)),
                        (good[:-2], ("config.json",)), (good + "}", ("config.json",)), (good + "{}", ("config.json",)), ("\0" * 100, ("config.json",)),
                        ("\xff\xfe{}", ("config.json",)), ('{"ociVersion": "1.2.0", "ociVersion": "1.2.0"}', ("config.json", "twice")),
                        ("[" * 100000, ("config.json",)), ('{"a":' * 100000, ("config.json",))):
        (b / "config.json").write_bytes(text.encode("latin1"))
        refused(oci, b, *words)
    os.unlink(b / "config.json")
    refused(oci, b, "config.json", "No such file")
    os.mkdir(b / "config.json")
    refused(oci, b, "config.json")
    os.rmdir(b / "config.json")
    # Nobody writes into it: reading must not wait.
    os.mkfifo(b / "config.json")
    refused(oci, b, "config.json")


@test(needs="root")
def wrong_types_are_named_by_their_path(env):
    oci = Runtime(env)
    b = oci.bundle(spec())
    for change, word in ((lambda c: c.update(ociVersion=3), "ociVersion"), (lambda c: c["process"].update(args="sh"), "process.args"),
                         (lambda c: c["process"].update(args=["sh", 7]), "process.args[1]"), (lambda c: c["process"].update(terminal="yes"), "process.terminal"),
                         (lambda c: c["process"]["rlimits"][0].update(soft="many"), "process.rlimits[0].soft"), (lambda c: c["process"]["rlimits"][0].update(soft=-1), "process.rlimits[0].soft"),
                         (lambda c: c["process"].update(user=[]), "process.user"), (lambda c: c["process"]["user"].update(uid=1.5), "process.user.uid"),
                         (lambda c: c["process"]["user"].update(uid=1 << 64), "process.user.uid"), (lambda c: c["mounts"][1].update(options={}), "mounts[1].options"),
                         (lambda c: c.update(mounts={}), "mounts"), (lambda c: c["linux"].update(namespaces=[7]), "linux.namespaces[0]"),
                         (lambda c: c["linux"]["resources"].update(memory={"limit": "1g"}), "linux.resources.memory.limit"),
                         (lambda c: c["linux"].update(uidMappings=[{"containerID": 0, "hostID": 0}]), "linux.uidMappings"),
                         (lambda c: c["linux"].update(seccomp={"syscalls": []}), "linux.seccomp.defaultAction"), (lambda c: c.update(hooks={"prestart": {}}), "hooks.prestart"),
                         (lambda c: c.update(annotations={"a": 1}), "annotations.a"), (lambda c: c["linux"].update(sysctl={"net.ipv4.ip_forward": 1}), "linux.sysctl")):
        c = spec()
        change(c)
        oci.write(b, c)
        refused(oci, b, word)


@test(needs="root")
def unknown_members_are_passed_over(env):
    oci = Runtime(env)
    c = spec()
    c.update(zone={"x": 1}, future=[1, 2])
    c["linux"]["somethingNew"] = c["process"]["somethingNew"] = {"a": None}
    oci.run(c).ok()


@test(needs="root")
def huge_configurations_are_bounded(env):
    oci = Runtime(env)
    b = oci.bundle(spec())
    c = spec()
    c["annotations"] = {"a": "x" * (20 << 20)}
    oci.write(b, c)
    refused(oci, b, "config.json")
    c = spec()
    c["process"]["env"] = ["A=" + "x" * (3 << 20)]      # more than execve takes
    oci.write(b, c)
    refused(oci, b, "Argument list too long")
    c = spec()
    c["linux"]["uidMappings"] = c["linux"]["gidMappings"] = [{"containerID": i, "hostID": 100000 + i, "size": 1} for i in range(5000)]
    c["linux"]["namespaces"].append({"type": "user"})
    oci.write(b, c)
    refused(oci, b, "linux.uidMappings")
    c = spec()
    c["mounts"].append({"destination": "/" + "a/" * 4000, "type": "tmpfs"})
    oci.write(b, c)
    refused(oci, b, "mounts[7].destination")
    # Much, but all of it possible.
    c = spec("/bin/sh", "-c", "env | wc -l; ls /m | wc -l")
    c["process"]["env"] += [f"A{i}=x" for i in range(5000)]
    c["mounts"] += [{"destination": f"/m/{i}", "type": "tmpfs", "source": "t", "options": ["size=4k"]} for i in range(200)]
    oci.write(b, c)
    out = oci("run", "-b", b, "c1").ok().out.split()
    check(int(out[0]) > 5000 and out[1] == "200", out)


@test(needs="root")
def what_contradicts_itself_is_refused(env):
    oci = Runtime(env)
    b = oci.bundle(spec())
    for change, words in ((lambda c: c["process"]["rlimits"].__setitem__(0, {"type": "RLIMIT_NOFILE", "soft": 9, "hard": 8}), ("process.rlimits[0]", "soft is above hard")),
                          (lambda c: c["linux"].update(namespaces=[n for n in c["linux"]["namespaces"] if n["type"] != "mount"]), ("linux.namespaces", "mount namespace")),
                          (lambda c: c["linux"].update(namespaces=[n for n in c["linux"]["namespaces"] if n["type"] != "uts"]), ("hostname", "uts namespace")),
                          (lambda c: (c["linux"].update(namespaces=[n for n in c["linux"]["namespaces"] if n["type"] != "network"]), c["linux"].update(sysctl={"net.ipv4.ip_forward": "1"})), ("net.ipv4.ip_forward", "network namespace")),
                          (lambda c: c["linux"]["namespaces"].append({"type": "user"}), ("linux.uidMappings",)),
                          (lambda c: c["linux"]["namespaces"][0].update(path="/nope"), ("linux.namespaces[0].path", "/nope")),
                          (lambda c: c["linux"]["namespaces"][0].update(path="/proc/self/ns/net"), ("linux.namespaces[0].path", "is not a pid namespace")),
                          (lambda c: c["linux"]["namespaces"][1].update(path="/etc/passwd"), ("linux.namespaces[1].path", "is not a network namespace")),
                          (lambda c: c["mounts"].append(dict(bind("/nope", "/x"))), ("/nope", "No such file")),
                          (lambda c: c["mounts"].append({"destination": "/x", "type": "nopefs", "source": "x"}), ("nopefs", "'/x'")),
                          (lambda c: c["mounts"].append({"destination": "/x", "type": "tmpfs", "source": "x", "options": ["size=huge"]}), ("'/x'",)),
                          (lambda c: c["mounts"].append({"destination": "/x", "type": "tmpfs", "source": "x", "options": ["idmap"]}), ("mounts[7]", "idmap")),
                          (lambda c: c["linux"]["resources"].update(memory={"limit": 2 << 20, "swap": 1 << 20}), ("swap",)),
                          (lambda c: c["linux"]["resources"].update(cpu={"cpus": "9999"}), ("cpuset",)),
                          (lambda c: c["linux"]["resources"].update(devices=[{"allow": True, "type": "x", "access": "r"}]), ("devices",)),
                          (lambda c: c["linux"].update(devices=[{"path": "/dev/x", "type": "z", "major": 1, "minor": 3}]), ("linux.devices[0].type",)),
                          (lambda c: c["linux"].update(devices=[{"path": "dev/x", "type": "c", "major": 1, "minor": 3}]), ("linux.devices[0].path",)),
                          (lambda c: c["root"].update(path="rootfs/bin/busybox"), ("root.path", "not a directory"))):
        c = spec()
        change(c)
        oci.write(b, c)
        refused(oci, b, *words)
    (b / "link").symlink_to("rootfs")
    c = spec()
    c["root"]["path"] = "link"
    oci.write(b, c)
    refused(oci, b, "root.path", "not a directory")


@test(needs="root")
def a_bundle_that_changes_is_read_once(env):
    """What was checked is what runs: the file alternates between a good configuration and one that would reach the host."""
    oci = Runtime(env)
    b = oci.bundle(spec())
    secret = oci.base / "secret"
    secret.mkdir()
    (secret / "file").write_text("secret\n")
    harmless = spec("/bin/sh", "-c", "echo harmless; cat /mnt/file; echo end")
    other = spec("/bin/sh", "-c", "echo other; cat /mnt/file; echo end")
    other["mounts"].append(bind(secret, "/mnt"))
    stop = threading.Event()

    def swap():
        while not stop.is_set():
            for c in (harmless, other, "{"):
                (b / "config.tmp").write_text(c if isinstance(c, str) else json.dumps(c))
                os.rename(b / "config.tmp", b / "config.json")
    t = threading.Thread(target=swap)
    t.start()
    try:
        seen = set()
        for _ in range(60):
            r = oci("run", "-b", b, "c1")
            seen.add(r.out)
            if r.code:
                check("config.json" in r.err, r.err)
    finally:
        stop.set()
        t.join()
    check(seen <= {"harmless\nend\n", "other\nsecret\nend\n", ""} and len(seen) > 1, seen)
    # And later commands do not look at it again.
    oci.write(b, spec("/bin/sleep", "100"))
    oci.create(b, "c1").ok()
    shutil.rmtree(b / "rootfs/bin")
    (b / "config.json").write_text("{")
    same(oci.state()["status"], "created", "status")
    oci("kill", "c1", "KILL").ok()
    oci("delete", "-f", "c1").ok()


@test(needs="root")
def links_anywhere_in_the_root_stay_inside(env):
    """Every directory that something is mounted on or made in is a link to the host, in every form."""
    oci = Runtime(env)
    outside = oci.base / "outside"
    names = ("dev", "dev/pts", "dev/shm", "dev/mqueue", "etc", "tmp", "made", "mnt")
    for form in ("absolute", "relative", "chain", "loop"):
        shutil.rmtree(outside, ignore_errors=True)
        for n in names:
            (outside / n).mkdir(parents=True, exist_ok=True)
        (outside / "file").write_text("host\n")
        b = oci.bundle(spec())
        root = b / "rootfs"
        for n in ("dev", "tmp", "etc", "made", "mnt"):
            p = root / n
            shutil.rmtree(p, ignore_errors=True)
            target = {"absolute": str(outside / n), "relative": "../" * 12 + str(outside / n).lstrip("/"), "chain": "hop-" + n, "loop": n}[form]
            p.symlink_to(target)
            if form == "chain":
                (root / ("hop-" + n)).symlink_to("/proc/1/root" + str(outside / n))
        c = spec("/bin/sh", "-c", "echo ran")
        c["process"]["cwd"] = "/made/deep/er"
        c["mounts"] += [bind(outside / "file", "/mnt/file"), {"destination": "/tmp/t", "type": "tmpfs", "source": "t"}]
        c["linux"]["devices"] = [{"path": "/made/null", "type": "c", "major": 1, "minor": 3}]
        c["linux"]["maskedPaths"] += ["/etc/secret", "/made"]
        c["linux"]["readonlyPaths"] += ["/etc"]
        oci.write(b, c)
        r = oci("run", "-b", b, "c1")
        check(r.out == "ran\n" or r.code == 1, f"{form}: {r.out} {r.err}")
        same(sorted(str(p.relative_to(outside)) for p in outside.rglob("*")), sorted([*names, "file"]), f"{form}: on the host")
        same((outside / "file").read_text(), "host\n", "the file of the host")
        check(str(outside) not in pathlib.Path("/proc/self/mountinfo").read_text(), "mounted on the host")


main()
