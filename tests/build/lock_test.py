#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
"""caisson build --lock: names mean what they meant when they were first built."""
import hashlib, json, os

from build_context import context
from build_sources import git, git_daemon, web
from caisson_test import check, main, same, test
from oci_image import registry

SECTIONS = ("images", "urls", "git")


def build(env, lock, *opts):
    return env.run("build", "--network=none", "--lock", lock, "-t", "t", *opts, env.tmp / "ctx")


def show(env, *cmd):
    return env.run("run", "--rm", "--network=none", "t", *cmd).ok().out


def publish(env, name, word):
    env.run("build", "--network=none", "-t", name, context(env, f"FROM caisson/tiny\nRUN echo {word} > /word\n", name="published")).ok()
    env.run("push", "-q", name).ok()


@test(needs="root,registry")
def images_stay_what_they_were(env):
    lock = env.tmp / "build.lock"
    with registry(env) as where:
        base, other = f"{where}/base:1", f"{where}/other"
        publish(env, base, "one")
        publish(env, other, "other")
        # Stages at the same time, an image that files are taken from, and a stage, which is no image.
        context(env, f"ARG B={base}\nFROM $B AS a\nRUN cat /word > /a\nFROM {other} AS b\nRUN cat /word > /b\nFROM a\nCOPY --from=b /b /b\nCOPY --from={other} /word /c\n")
        build(env, lock).ok()
        doc = json.loads(lock.read_text())
        same((doc["version"], sorted(doc["images"]), doc["urls"], doc["git"]), (1, sorted([base, f"{other}:latest"]), {}, {}), "what is pinned")
        pins = doc["images"]
        first = lock.read_bytes()
        # The name moves: here, and in the registry.
        publish(env, base, "two")
        r = build(env, lock, "--no-cache").ok()
        same(show(env, "cat", "/a", "/b", "/c"), "one\nother\nother\n", "what was built")
        check(f"warning: drift: {base} is sha256:" in r.err and pins[base] in r.err and other not in r.err.split("drift:", 1)[1].splitlines()[0], r.err)
        same(lock.read_bytes(), first, "the lock of a build that pinned nothing new")
        # Elsewhere: neither image is in the store, and only the registry knows the new meaning.
        env.run("rmi", "-f", "t", base, other).ok()
        env.run("system", "prune", "-af").ok()
        r = build(env, lock, "--no-cache", "--pull").ok()
        same(show(env, "cat", "/a"), "one\n", "what was built from the registry")
        check(f"drift: {base} is sha256:" in r.err, r.err)
        # Without its line the name is what it is now, and the other line stays.
        doc["images"] = {f"{other}:latest": pins[f"{other}:latest"]}
        lock.write_text(json.dumps(doc))
        build(env, lock, "--no-cache", "--pull").ok()
        same(show(env, "cat", "/a"), "two\n", "without the pin")
        check(json.loads(lock.read_text())["images"][base] != pins[base], "the new pin")
        same(json.loads(lock.read_text())["images"][f"{other}:latest"], pins[f"{other}:latest"], "the other pin")
        # A digest that nobody has.
        doc["images"][base] = "sha256:" + "0" * 64
        lock.write_text(json.dumps(doc))
        r = build(env, lock)
        check(r.code == 1 and "--lock" in r.err and "Dockerfile:2" in r.err, r.err)


@test(needs="root")
def addresses_and_repositories_stay_what_they_were(env):
    lock, repo = env.tmp / "build.lock", env.tmp / "srv/r.git"
    lock.unlink(missing_ok=True)
    repo.mkdir(parents=True)
    git(repo, "init", "-q")
    (repo / "d").mkdir()
    (repo / "d/f").write_text("one")
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "x")
    git(repo, "config", "uploadpack.allowReachableSHA1InWant", "true")
    first = git(repo, "rev-parse", "HEAD")
    files = {"/f": b"one"}
    with web(files) as (url, _), git_daemon(repo.parent) as origin:
        context(env, f"FROM caisson/tiny\nADD {url}/f /f\nADD {origin}/r.git#main:d /g/\n")
        build(env, lock).ok()
        doc = json.loads(lock.read_text())
        same(doc, {"version": 1, "images": doc["images"], "urls": {f"{url}/f": "sha256:" + hashlib.sha256(b"one").hexdigest()}, "git": {f"{origin}/r.git#main:d": first}}, "what is pinned")
        same(list(doc["images"]), ["docker.io/caisson/tiny:latest"], "the built-in image")
        (repo / "d/f").write_text("two")
        git(repo, "commit", "-qam", "y")
        build(env, lock, "--no-cache").ok()
        same(show(env, "cat", "/f", "/g/f"), "oneone", "what was built")
        files["/f"] = b"two"
        r = build(env, lock)
        check(r.code == 1 and "drift: '" in r.err and "Dockerfile:2" in r.err and doc["urls"][f"{url}/f"] in r.err and hashlib.sha256(b"two").hexdigest() in r.err, r.err)
        same(json.loads(lock.read_text()), doc, "the lock after a build that failed")
        os.unlink(lock)
        build(env, lock).ok()
        same(show(env, "cat", "/f", "/g/f"), "twotwo", "without a lock")


@test(needs="root")
def a_lock_that_is_none(env):
    lock = env.tmp / "build.lock"
    context(env, "FROM caisson/tiny\n")
    for text, word in (("", "lock"), ("[]", "lock"), ("{", "lock"), ('{"version":2}', "version 2"), ("{}", "version"), ('{"version":1,"images":{"a":"sha256:1"}}', "no digest"),
                       ('{"version":1,"git":{"a":"main"}}', "no commit"), ('{"version":1,"urls":{"a":1}}', "urls")):
        lock.write_text(text)
        r = build(env, lock)
        check(r.code == 1 and "--lock" in r.err and word in r.err, f"{text}: {r.code} {r.err}")
        same(lock.read_text(), text, "the file")
    r = build(env, env.tmp / "no/such/dir")
    check(r.code == 1 and "--lock" in r.err, r.err)


if __name__ == "__main__":
    main()
