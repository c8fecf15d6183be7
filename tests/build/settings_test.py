#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
"""caisson build --no-cache-filter, --squash, --debug-shell."""
import io, json, os, re, tarfile

from build_context import context
from caisson_test import check, main, same, test

TINY = "FROM caisson/tiny\n"


def build(env, d, *opts):
    return env.run("build", "--network=none", "-t", "t", *opts, d)


def show(env, *cmd):
    return env.run("run", "--rm", "--network=none", "t", *cmd).ok().out


@test(needs="root")
def stages_that_are_done_again(env):
    d = context(env, "FROM caisson/tiny AS one\nRUN echo 1\nFROM caisson/tiny AS two\nRUN echo 2\nFROM caisson/tiny AS three\nCOPY --from=one /etc /1\nCOPY --from=two /etc /2\nRUN echo 3\n")

    def cached(*opts):
        r = build(env, d, *opts).ok()
        steps = dict(re.findall(r"^#(\d+) \[(\S+) \d+/\d+\] \w+", r.err, re.M))
        return [steps[n] for n in sorted(re.findall(r"^#(\d+) CACHED", r.err, re.M))]
    build(env, d).ok()
    same(cached(), ["one", "two", "three", "three", "three"], "without")
    same(cached("--no-cache-filter=one"), ["two", "three", "three", "three"], "one stage; what stands on the same files is the same")
    same(cached("--no-cache-filter=ONE,2"), ["two"], "by number, and in capitals")
    same(cached("--no-cache-filter=one", "--no-cache-filter", "two"), ["three", "three", "three"], "twice")
    r = build(env, d, "--no-cache-filter=four")
    check(r.code == 2 and "'four': there is no such stage" in r.err, f"{r.code} {r.err}")


def layers(env):
    out = env.tmp / "saved.tar"
    env.run("save", "-o", out, "t").ok()
    with tarfile.open(out) as t:
        m = json.load(t.extractfile("manifest.json"))[0]
        conf = json.load(t.extractfile(m["Config"]))
        names = []
        for l in m["Layers"]:
            with tarfile.open(fileobj=io.BytesIO(t.extractfile(l).read())) as inner:
                names.append(sorted(inner.getnames()))
    return names, conf


SQUASHED = """FROM caisson/tiny AS base
RUN mkdir -p /d/e /gone /turn && echo a > /d/a && echo old > /old && touch /gone/x /turn/y && ln /d/a /hard && ln -s d /link
RUN rm -r /gone /turn && echo now a file > /turn && rm /d/a && mkdir -m 1770 /own && chown 3:4 /own && touch -d @5 /own && rm -r /mnt && mkfifo /pipe
FROM base
COPY a /d/e/a
RUN rm -r /d/e && mkdir /d/e && echo only > /d/e/only && rm /etc/os-release && cp -a /old /d/old
ENV A=1
CMD ["cat", "/d/e/only"]
"""


@test(needs="root")
def one_layer_of_all_that_are_new(env):
    look = ["sh", "-c", "cd /; find . -xdev ! -path './dev*' ! -path './proc*' ! -path './sys*' ! -path './tmp*' ! -path './run*' ! -path './bin*' ! -path './sbin*' ! -path './usr*' -exec stat -c '%n %F %a %u:%g' {} + | grep -v '/etc' | sort; cat /d/e/only /turn /hard /d/old; readlink /link; stat -c %Y /own; ls /etc | grep -c release; ls -d /mnt /gone 2>&1; true"]
    d = context(env, SQUASHED, {"a": "A"})
    plain = build(env, d).ok()
    want, before, (names, conf) = show(env, *look), show(env, "cat", "/d/e/only"), layers(env)
    squashed = build(env, d, "--squash").ok()
    now, flat = layers(env)
    same(len(names), 5, "layers without --squash")
    same((len(now), now[0]), (2, names[0]), "with it")
    # No trace of what came and went, but of what the base had.
    for name, there in (("gone", False), ("d/e/a", False), (".wh.mnt", True), ("etc/.wh.os-release", True), ("d/e/only", True), ("turn", True), ("own", True)):
        same(name in now[1] or name + "/" in now[1], there, name)
    got = show(env, *look)
    same(got, want, "the files")
    same(show(env), before, "the command")
    same(flat["config"], conf["config"], "the configuration")
    same([h.get("empty_layer", False) for h in flat["history"]].count(False), 2, "lines of history with a layer")
    same(len(flat["history"]), len(conf["history"]) + 1, "lines of history")
    check("4 layers squashed into one" in flat["history"][-1]["created_by"], flat["history"][-1])
    same(build(env, d, "--squash").ok().err.count("CACHED"), plain.err.count("DONE"), "steps are cached all the same")
    epoch = {"SOURCE_DATE_EPOCH": "1000000000"}
    ids = {env.run("build", "--network=none", "--squash", "--no-cache", d, env=epoch).ok().out for _ in range(2)}
    same(len(ids), 1, "different images")
    # One layer, or none, and a base of nothing.
    build(env, context(env, TINY + "RUN touch /x\n"), "--squash").ok()
    same(len(layers(env)[0]), 2, "one new layer")
    build(env, context(env, "FROM scratch\nCOPY a /a\nCOPY a /b/c\n", {"a": "A"}), "--squash").ok()
    same(layers(env)[0], [["a", "b", "b/c"]], "on scratch")
    same(os.listdir(env.root / "tmp"), [], "stages")


@test(needs="root")
def a_way_into_what_a_failed_step_stood_on(env):
    text = "FROM caisson/tiny AS other\nRUN echo o > /o\nFROM caisson/tiny AS bad\nARG WHO=me\nENV E=env\nWORKDIR /w\nRUN echo before > f\nRUN echo half > f; echo last words; exit 7\nFROM scratch\nCOPY --from=other /o /\nCOPY --from=bad /w /\n"
    r = build(env, context(env, text), "--debug-shell")
    check(r.code == 1 and "ended with code 7" in r.err and "    last words" in r.err, f"{r.code} {r.err}")
    image = re.search(r"what it stood on: caisson run --rm -it --network none --isolation container (sha256:[0-9a-f]{64})", r.err)
    check(image, r.err)
    same(env.run("run", "--rm", "-i", "--network=none", image[1], stdin="pwd; cat f; echo $WHO $E\n").ok().out, "/w\nbefore\nme env\n", "inside")
    env.run("rmi", image[1]).ok()
    # On a terminal it begins by itself, and leaves nothing.
    images = env.run("images", "-aq").ok().out
    t = env.tty("build", "--network=none", "--debug-shell", "-t", "t", env.tmp / "ctx")
    t.until("a shell in what it stood on")
    t.send("cat /w/f; echo in-$((1+1))\n")
    t.until(r"before\r\nin-2\r\n")
    t.send("exit 0\n")
    t.finish().expect(1)
    same(env.run("images", "-aq").ok().out, images, "images that are left")
    check("stood on" not in build(env, env.tmp / "ctx").err, "nobody asked")
    check("stood on" not in build(env, context(env, TINY + "COPY none /\n"), "--debug-shell").err, "a COPY has nothing to enter for")
    same(env.run("ps", "-aq").ok().out, "", "instances")


@test(needs="root")
def checks_know_what_an_image_at_hand_sets(env):
    build(env, context(env, TINY + "ENV KNOWN=1\n")).ok()
    d = context(env, "FROM t AS a\nENV MORE=$KNOWN$MISSING\nFROM a\nCOPY $MORE $OTHER /x/\n")
    r = env.run("build", "--check", d).expect(1)
    same(re.findall(r"warning: (Dockerfile:\d+: \w+: .*)", r.err), ["Dockerfile:2: UndefinedVar: '$MISSING' is not set here", "Dockerfile:4: UndefinedVar: '$OTHER' is not set here"], "warnings")
    # The directive: rules that are left out, an experiment that is asked for, and all as errors.
    text = (d / "Dockerfile").read_text()
    (d / "Dockerfile").write_text("# check=skip=UndefinedVar\n" + text)
    env.run("build", "--check", d).ok(out="no warnings\n")
    (d / "Dockerfile").write_text("# check=skip=UndefinedVar;experimental=all;error=true\n# odd\n" + text)
    r = env.run("build", "--network=none", "-t", "t2", d).expect(1)
    check("InvalidDefinitionDescription" in r.err and "wants that to be an error" in r.err, r.err)
    same(env.run("images", "-q", "t2").ok().out, "", "an image was made")
    (d / "Dockerfile").write_text("# check=skip=None\n" + text)
    check("no rule of that name" in env.run("build", "--check", d).expect(1).err, "an unknown rule")


if __name__ == "__main__":
    main()
