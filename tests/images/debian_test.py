# SPDX-License-Identifier: Apache-2.0
# timeout: 420
# slow
"""A real Debian image of several layers, made from the mirror, pushed to a real registry by a peer, pulled by us,
and nginx in it answers HTTP through -p behind both walls."""
import re, urllib.error, urllib.request

from caisson_test import check, main, same, test, wait_for
from oci_image import Layout, debian_tree, free_port, push, registry, split_tar, tar

PAGE = b"<p>behind a wall\n"
TINY_CHANGES = [
    ("var/www/html/index.html", PAGE),
    # nginx-common ships this page in a lower layer: it must be gone.
    ("var/www/html/.wh.index.nginx-debian.html", b""),
    ("var/www/html/second.html", "=> var/www/html/index.html"),
    ("var/www/html/" + "long-" * 30 + ".html", b"long\n"),
]


def build(env):
    base, nginx = split_tar(debian_tree(["nginx-light"]), lambda name: "nginx" in name)
    layout = Layout(env.tmp / "layout")
    layout.image([(base, "zstd"), (nginx, "gzip"), (tar(TINY_CHANGES), None)], {
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        "Cmd": ["nginx", "-g", "daemon off;"], "ExposedPorts": {"80/tcp": {}}, "StopSignal": "SIGQUIT"})
    return layout


def pulled(env):
    """Once: the image comes through the registry into the store."""
    if getattr(env, "debian", None):
        return env.debian
    with registry(env) as host:
        ref = f"{host}/debian/nginx:1"
        push(build(env), ref)
        env.run("pull", ref, timeout=240).ok()
        env.debian = ref
    return env.debian


def get(port, path="/"):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as r:
            return r.status, r.read()
    except urllib.error.HTTPError as e:
        return e.code, b""
    except OSError:
        return None


@test(needs="root,registry,mirror", timeout=300)
def pull_from_a_real_registry(env):
    ref = pulled(env)
    check(ref.rpartition(":")[0] in env.run("images").ok().out, "the image is not listed")
    doc = env.run("image", "inspect", ref).ok().json()
    doc = doc[0] if isinstance(doc, list) else doc
    same(len(doc["RootFS"]["Layers"]), 3, "number of layers")


def serve(env, isolation):
    ref, port = pulled(env), free_port()
    env.isolation = isolation
    name = f"web-{isolation}"
    env.run("run", "-d", "--name", name, "-p", f"127.0.0.1:{port}:80", ref, timeout=120).ok()
    try:
        wait_for(lambda: get(port), 60, "nginx answers")
        same(get(port), (200, PAGE), "page")
        same(get(port, "/second.html"), (200, PAGE), "page through a hard link")
        same(get(port, "/" + "long-" * 30 + ".html"), (200, b"long\n"), "page with a long name")
        same(get(port, "/index.nginx-debian.html")[0], 404, "status of a page that a higher layer removed")
        env.run("exec", name, "sh", "-c", "cat /etc/debian_version").ok(out=re.compile(r"^12\."))
        env.run("stop", name).ok()
        check(get(port) is None, "the port answers after stop")
    finally:
        env.run("rm", "-f", name)


@test(needs="root,registry,mirror,netns", timeout=200)
def nginx_answers_from_a_container(env):
    serve(env, "container")


@test(needs="root,registry,mirror,netns,qemu,kernel", timeout=300)
def nginx_answers_from_a_vm(env):
    serve(env, "vm")


main()
