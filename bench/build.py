#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds: ten cheap RUN steps cold and cached, COPY of 20,000 small files, and two stages that do not need each other,
beside buildah and docker's builder (whichever are installed), interleaved in one run.

    bench/build.py [--build build] [--rounds 5] [--files 20000] [--peers buildah docker]

Every subject has a store of its own with the base image in it; steps have no network, because docker has none here.
Everything runs in network, mount, PID and cgroup namespaces of its own.
"""
import os, pathlib, random, subprocess

import images
from common import caisson_test, parser, save, settle
from images import timed
from caisson_test import Env

BASE = "localhost/bench/base:1"


class Caisson(images.Caisson):
    def prepare(self, layout):
        timed([*self.argv, "pull", "-q", "caisson/tiny"])
        timed([*self.argv, "tag", "caisson/tiny", BASE])

    def build(self, context, cold):
        return [*self.argv, "build", "-q", "--network=none", *(["--no-cache"] if cold else []), "-t", "built", str(context)]


class Buildah:
    name = "buildah"

    def __init__(self, a, base):
        self.argv = ["buildah", "--root", str(base / "buildah/root"), "--runroot", str(base / "buildah/run")]

    def prepare(self, layout):
        timed([*self.argv, "pull", "-q", f"oci:{layout}"])
        id = subprocess.run([*self.argv, "images", "-q"], capture_output=True, text=True).stdout.split()[0]
        timed([*self.argv, "tag", id, BASE])

    def build(self, context, cold):
        return [*self.argv, "bud", "-q", "--layers", "--network=none", *(["--no-cache"] if cold else []), "-t", "built", str(context)]

    def stop(self):
        pass


class Docker(images.Docker):
    def prepare(self, layout):
        tar = pathlib.Path(self.log.name).parent / "base.tar"
        subprocess.run(["skopeo", "--insecure-policy", "copy", "-q", f"oci:{layout}", f"docker-archive:{tar}:{BASE}"], check=True)
        timed([*self.argv, "load", "-q", "-i", str(tar)])

    def build(self, context, cold):
        return [*self.argv, "build", "-q", "--network=none", *(["--no-cache"] if cold else []), "-t", "built", str(context)]


def subjects(a, base):
    out = []
    for cls in (Caisson, *(c for c in (Buildah, Docker) if c.name in a.peers)):
        try:
            out.append(cls(a, base))
        except (OSError, RuntimeError, caisson_test.Failed) as e:
            print(f"{cls.name}: left out: {e}")
    return out


def make_contexts(base, files):
    steps = base / "steps"
    steps.mkdir()
    (steps / "Dockerfile").write_text(f"FROM {BASE}\n" + "".join(f"RUN echo {i} > /f{i}\n" for i in range(10)))
    many = base / "many"
    for i in range(files):
        d = many / "src" / f"d{i // 100}"
        if i % 100 == 0:
            d.mkdir(parents=True)
        (d / f"f{i}").write_bytes(random.randbytes(200) + b"x" * (i % 4000))
    (many / "Dockerfile").write_text(f"FROM {BASE}\nCOPY src /src\n")
    # Two branches of two seconds each: four when they follow each other, two when they overlap.
    branches = base / "branches"
    branches.mkdir()
    (branches / "Dockerfile").write_text("".join(f"FROM {BASE} AS b{i}\nRUN sleep 2; echo {i} > /f{i}\n" for i in range(2)) +
                                         f"FROM {BASE}\n" + "".join(f"COPY --from=b{i} /f{i} /f{i}\n" for i in range(2)))
    return steps, many, branches


def compare(a, every, what, context, cold):
    times = images.rounds(a, every, None, lambda s: None, lambda s: s.build(context, cold))
    images.show(what, times)
    return times


def main():
    ap = parser(__doc__, 5)
    ap.add_argument("--files", default=20000, type=int)
    ap.add_argument("--peers", default=["buildah", "docker"], nargs="*")
    a, inside = settle(ap)
    env = Env(inside)
    layout = a.build / "share/caisson/tiny"
    every = subjects(a, env.base)
    for s in every:
        s.prepare(layout)
    steps, many, branches = make_contexts(env.tmp, a.files)
    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, {a.rounds} interleaved rounds")
    result = {"files": a.files,
              "steps_cold_s": compare(a, every, "ten RUN steps, cold", steps, True),
              "steps_cached_s": compare(a, every, "ten RUN steps, cached", steps, False),
              "copy_cold_s": compare(a, every, f"COPY of {a.files} files, cold", many, True),
              "copy_cached_s": compare(a, every, f"COPY of {a.files} files, cached", many, False),
              "branches_s": compare(a, every, "two branches of two seconds each", branches, True)}
    for s in every:
        s.stop()
    save("build", a, result)


if __name__ == "__main__":
    main()
