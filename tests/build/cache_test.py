#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
"""--cache-to and --cache-from: what one store has built is found by another, and what is no cache does no harm."""
import json, os, pathlib, re, shutil

from build_context import context
from caisson_test import Env, check, main, same, test
from oci_image import Layout, busybox_layer, registry

TEXT = """FROM caisson/tiny AS other
RUN date +%s%N > /other; echo > /more
FROM caisson/tiny
RUN date +%s%N > /made
RUN --mount=type=cache,target=/c,id=words echo kept >> /c/f
COPY a /a
COPY --from=other /other /other
RUN true
"""


def another(env, name):
    """A store that has built nothing."""
    base = env.base / name
    base.mkdir()
    other = Env(base)
    other.run_root = env.run_root     # namespaces are kept there, and looked for
    return other


def build(env, d, *opts, **kw):
    r = env.run("build", "--network=none", "-t", "t", *opts, d, **kw)
    return r, r.err.count("CACHED\n"), r.err.count("DONE ")


def id_of(env):
    return env.run("image", "inspect", "-f", "{{.Id}}", "t").ok().out


def clean(env):
    """Nothing of the way remains: no passing name, no stage."""
    check("build-cache" not in env.run("images", "-a").ok().out, "a passing name is left")
    same(os.listdir(env.root / "tmp"), [], "stages")


@test(needs="root,registry")
def another_store_finds_every_step(env):
    d = context(env, TEXT, {"a": "A"})
    with registry(env) as host:
        for n, (to, source) in enumerate(((f"type=registry,ref={host}/c/all:1,mode=max", f"type=registry,ref={host}/c/all:1"),
                                     (f"type=local,dest={env.tmp}/cache,mode=max,mount=words", f"type=local,src={env.tmp}/cache"))):
            build(env, d, "--cache-to", to)[0].ok()
            clean(env)
            b = another(env, f"second{n}")
            r, cached, done = build(b, d, "--cache-from", source)
            r.ok()
            same((cached, done, id_of(b)), (6, 0, id_of(env)), "steps found, steps made, the image")
            clean(b)
            same(b.run("run", "--rm", "--network=none", "t", "cat", "/a").ok().out, "A", "the image")
            b.run("system", "check").ok()
            b.run("system", "prune", "-f").ok()
            same(build(b, d)[1:], (6, 0), "after a prune that keeps the build cache")
        # docker's short form, and a mount that came along: the step below it goes on where the other store's left off.
        b = another(env, "short")
        build(b, d, f"--cache-from={host}/c/all:1")[0].ok()
        more = context(env, "FROM caisson/tiny\nRUN --mount=type=cache,target=/c,id=words cat /c/f\n", name="more")
        r = b.run("build", "--network=none", more)
        check(r.code == 1 and "/c/f" in r.err, f"no mount was asked for: {r.err}")
        r = build(b := another(env, "mounts"), more, "--cache-from", f"type=local,src={env.tmp}/cache")[0].ok()
        check("kept" in r.err, r.err)


@test(needs="root,registry")
def min_and_inline(env):
    d = context(env, TEXT, {"a": "A"})
    with registry(env) as host:
        build(env, d, "--cache-to", f"type=registry,ref={host}/c/min:1")[0].ok()
        r, cached, done = build(another(env, "min"), d, "--cache-from", f"type=registry,ref={host}/c/min:1")
        r.ok()
        # The other stage's RUN is made again, gives another file, and so its COPY is another, and what stands on it.
        same((cached, done), (3, 3), "of the image's own steps")
        build(env, d, "--cache-to=type=inline", "-t", f"{host}/c/app:1")[0].ok()
        env.run("push", "-q", f"{host}/c/app:1").ok()
        r, cached, done = build(another(env, "inline"), d, "--cache-from", f"type=registry,ref={host}/c/app:1")
        r.ok()
        same((cached, done), (3, 3), "of an image that carries its cache")


@test(needs="root,registry")
def what_is_no_cache(env):
    d = context(env, "FROM caisson/tiny\nRUN true > /x\n")
    key = "0" * 64
    layer = busybox_layer()

    def layout(name, doc, layer=layer):
        lay = Layout(env.tmp / name)
        lay.image([(layer, "gzip")], {"Labels": {"io.caisson.build-cache": doc if isinstance(doc, str) else json.dumps(doc)}} if doc is not None else {}, tag="build-cache")
        return env.tmp / name

    cases = {"plain": (None, "no build cache in it"), "text": ("{", "build cache"), "later": ({"version": 9}, "version 9"),
             "foreign": ({"version": 1, "steps": [{"key": key, "diffId": "sha256:" + "1" * 64}]}, "is not in it"),
             "path": ({"version": 1, "steps": [{"key": "../../x"}]}, "steps[0]"),
             "mount": ({"version": 1, "mounts": [{"name": "../../../etc-0", "diffId": "sha256:" + "1" * 64, "mode": 493}]}, "mounts[0]")}
    opts = ["--cache-from=localhost:1/none:1", f"--cache-from=type=local,src={env.tmp}/nowhere"]
    for n, (doc, _) in cases.items():
        opts.append(f"--cache-from=type=local,src={layout(n, doc)}")
    # A layer that is not what its digest says.
    bad = layout("damaged", {"version": 1}, busybox_layer([("odd", b"odd")]))
    m = json.loads((bad / "blobs/sha256" / json.loads((bad / "index.json").read_text())["manifests"][0]["digest"][7:]).read_text())
    blob = bad / "blobs/sha256" / m["layers"][0]["digest"][7:]
    blob.write_bytes(blob.read_bytes()[:-9] + b"123456789")
    r, cached, done = build(env, d, *opts, f"--cache-from=type=local,src={bad}")
    r.ok()
    same((cached, done), (0, 1), "steps")
    warnings = [line for line in r.err.splitlines() if line.startswith("warning: --cache-from")]
    same(len(warnings), len(cases) + 3, "warnings")
    for n, (_, words) in cases.items():
        check(any(words in w and f"/{n}'" in w for w in warnings), f"{n}: {warnings}")
    clean(env)
    env.run("system", "check").ok()
    same([p.name for p in (env.root / "cache/build").glob(f"{key}*")], [], "an entry of a cache that was refused")


@test(needs="root")
def words_and_errors(env):
    d = context(env, "FROM caisson/tiny\nRUN true > /x\n")
    for opt in ("--cache-to=type=registry", "--cache-to=type=local,src=x", "--cache-to=type=s3,ref=x", "--cache-to=type=inline,mode=max", "--cache-from=type=inline", "--cache-from=type=local,dest=x",
                "--cache-to=type=local,dest=a:b", "--cache-to=type=registry,ref=x,mode=some"):
        r = env.run("build", opt, d)
        check(r.code == 2 and opt.split("=")[0] in r.err, f"{opt}: {r.code} {r.err}")
    r = build(env, d, "--cache-to=localhost:1/none:1")[0]
    check(r.code == 1 and "--cache-to" in r.err, r.err)
    r = build(env, d, "--cache-to=type=registry,ref=localhost:1/none:1,ignore-error=true")[0].ok()
    check("warning: --cache-to" in r.err, r.err)
    clean(env)


main()
