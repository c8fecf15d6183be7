# SPDX-License-Identifier: Apache-2.0
"""store info, store convert, and the check of layers in both forms and of merged metadata."""
import json, os, shutil, subprocess

from caisson_test import BUILD, check, main, same, test
from oci_image import Layout, busybox_layer, tar

NAME = "localhost/forms:1"


def image(env):
    """Two layers with a bit of everything; in the store, under NAME."""
    env.run("image", "prune", "-a", "-f").ok()
    layout = Layout(env.tmp / "forms")
    upper = tar([("etc/motd", b"hello\n" * 1000), ("etc/.wh.group", b""), ("etc/hard", "=> etc/motd"), ("opt/.wh..wh..opq", b""),
                 ("etc/x", b"x", {"pax_headers": {"SCHILY.xattr.user.a": "b"}}), ("proc", None), ("sys", None), ("dev", None)])
    layout.image([(busybox_layer([("opt/below", b"")]), "gzip"), (upper, "zstd")], {"Cmd": ["sh"]})
    env.run("tag", env.run("pull", "-q", f"oci:{layout.path}").ok().out.strip(), NAME).ok()
    return NAME


def rows(env, *args):
    return [json.loads(line) for line in env.run("store", "info", "--format", "json", *args).ok().out.splitlines()]


def forms(env):
    return [r["Form"] for r in rows(env, NAME)]


def checked(env):
    return env.run("system", "check")


@test(needs="root")
def info_says_what_is_there(env):
    image(env)
    out = env.run("store", "info").ok().out
    check("LAYER" in out and "this host mounts layers as: erofs" in out, out)
    r = rows(env, NAME)
    same([x["Form"] for x in r], ["erofs", "erofs"], "forms")
    same([x["Images"] for x in r], [1, 1], "images")
    for x in r:
        same(x["Size"], (env.root / "layers" / f"{x['Layer'][7:]}.erofs").stat().st_size, "size")
        check(x["HaveBlob"] and x["BlobSize"] and x["Entries"] and x["TarSize"], f"{x}")
    check(r[0]["Layer"][7:] in env.run("store", "info", "--no-trunc").ok().out, "whole digests")
    env.run("store", "info", "no/such").error(1, "no/such")
    env.run("store", "info", "--format", "xml").error(2, "xml")


@test(needs="root", timeout=120)
def layers_change_form_and_back(env):
    image(env)
    env.run("store", "convert", NAME).error(2, "--to")
    env.run("store", "convert", "--to", "dir").error(2, "--all")
    env.run("store", "convert", "--to", "dir", "--all", NAME).error(2, "--all")
    same(env.run("store", "convert", "--to", "dir", NAME).ok().out.count("made again as dir"), 2, "lines")
    same(forms(env), ["dir", "dir"], "forms")
    checked(env).ok()
    # The next run makes what this host mounts.
    env.run("run", "--rm", "--network=none", NAME, "cat", "/etc/motd").ok(out="hello\n" * 1000)
    same(sorted(forms(env)), ["dir", "dir", "erofs", "erofs"], "forms after a run")
    env.run("store", "convert", "--to", "erofs", "--all").ok(out="")
    same(forms(env), ["erofs", "erofs"], "forms")
    env.run("store", "convert", "--to", "dir", "--keep", NAME).ok()
    same(sorted(forms(env)), ["dir", "dir", "erofs", "erofs"], "forms with --keep")
    env.run("store", "convert", "--to", "erofs", "-a").ok()
    checked(env).ok()


@test(needs="root", timeout=120)
def a_host_without_erofs_runs_from_directories(env):
    image(env)
    form = env.run_root / "layer-form"
    before = form.read_text()
    form.write_text("dir\n")
    try:
        env.run("run", "-d", "--name", "user", "--network=none", NAME, "sleep", "1000").ok()
        check("dir" in forms(env), f"{forms(env)}")
        same(env.run("exec", "user", "sh", "-c", "cat /etc/hard; test -e /etc/group || echo gone; ls /opt").ok().out, "hello\n" * 1000 + "gone\n", "what it sees")
        # What a running instance stands on is not taken away.
        check("instance" in env.run("store", "convert", "--to", "erofs", NAME).ok().out, "nothing said of the instance")
        check("dir" in forms(env), "the directories went")
        env.run("exec", "user", "cat", "/etc/x").ok(out="x")
    finally:
        env.run("rm", "-f", "user")
        form.write_text(before)
    env.run("store", "convert", "--to", "erofs", NAME).ok()
    same(forms(env), ["erofs", "erofs"], "forms")


@test(needs="root", timeout=120)
def damaged_directories_are_found_and_repaired(env):
    image(env)
    env.run("store", "convert", "--to", "dir", NAME).ok()
    upper = env.root / "layers" / f"{rows(env, NAME)[1]['Layer'][7:]}.dir"

    def touch(path):
        s = path.lstat()
        path.write_bytes(b"HELLO\n" * 1000)
        os.utime(path, ns=(s.st_atime_ns, s.st_mtime_ns))
    for what, word in ((lambda: touch(upper / "etc/motd"), "etc/hard: contents"), (lambda: os.chmod(upper / "etc/x", 0o4755), "etc/x: mode"),
                       (lambda: os.chown(upper / "etc/x", 7, 7), "etc/x: owner"), (lambda: os.unlink(upper / "etc/x"), "etc: "),
                       (lambda: (upper / "etc/new").write_text(""), "etc: "), (lambda: os.utime(upper / "etc"), "etc: time"),
                       (lambda: os.setxattr(upper / "etc/x", "user.a", b"c"), "etc/x: extended attributes"),
                       (lambda: os.removexattr(upper / "opt", "trusted.overlay.opaque"), "opt: extended attributes"),
                       (lambda: os.mkdir(upper / "etc/y"), "etc: ")):
        what()
        r = checked(env)
        check(r.code == 1 and word in r.out, f"{word}: {r.out}")
        r = env.run("system", "check", "--repair").ok()
        check("made again" in r.out, r.out)
        checked(env).ok()
    shutil.rmtree(upper)
    check("missing" in checked(env).out, "a directory that is gone")
    env.run("store", "check", "--repair").ok()
    checked(env).ok()


@test(needs="root")
def damaged_metadata_for_vms_is_found(env):
    image(env)
    record = json.loads(next(f for f in (env.root / "images").glob("*.json") if "forms" in f.name).read_text())
    meta = env.root / "metas" / f"{record['chain']}.erofs"
    # As the first VM makes it.
    subprocess.run([BUILD / "caisson-unpack", "--merge", meta, *(env.root / "layers" / f"{d[7:]}.erofs" for d in record["layers"])],
                   check=True, stdout=subprocess.DEVNULL)
    checked(env).ok()
    data = bytearray(meta.read_bytes())
    data[len(data) // 2] ^= 1
    meta.write_bytes(data)
    r = checked(env)
    check(r.code == 1 and "metas/" in r.out, r.out)
    env.run("system", "check", "--repair").ok()
    check(not meta.exists(), "the damaged one is still there")
    checked(env).ok()


@test(needs="root")
def fs_verity_is_on_or_refused_by_name(env):
    image(env)
    r = env.run("store", "convert", "--verity", NAME)
    if r.code:
        r.error(1, "fs-verity")
        same([x["Verity"] for x in rows(env)], [None, None], "verity")
    else:
        check(all(x["Verity"].startswith("sha256:") for x in rows(env)), "no digests")
        checked(env).ok()
    env.run("store", "convert", "--to", "dir", "--verity", NAME).error(1, "fs-verity")


main()
