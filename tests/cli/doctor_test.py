# SPDX-License-Identifier: Apache-2.0
"""caisson doctor names every hole that somebody made in the wall, and only those."""
import json, os, socket

from caisson_test import check, main, same, test

T = "caisson/tiny"


def findings(env, about=None):
    doc = env.run("doctor", "--format", "json").ok().json()
    same(doc["weak"] + doc["advice"], len(doc["findings"]), "counts")
    return [f for f in doc["findings"] if about is None or f["about"] == about]


def weak(env, name):
    return sorted(f["check"] for f in findings(env, name) if f["level"] == "weak")


@test(needs="root,netns")
def a_default_instance_is_not_weak(env):
    env.run("create", "--name", "plain", T, "true").ok()
    same(weak(env, "plain"), [], "weak of a default instance")
    same(sorted(f["check"] for f in findings(env, "plain")), ["ids", "memory"], "advice for a default instance")
    env.run("create", "--name", "best", "--memory", "64m", "--userns", "auto", "-p", "127.0.0.1:0:80", T, "true").ok()
    same(findings(env, "best"), [], "findings of a careful one")
    env.run("create", "--name", "machine", "--isolation", "vm", "--privileged", "--cap-add", "ALL", T, "true").ok()
    check(set(weak(env, "machine")) <= {"emulated"}, f"a VM's own machine: {weak(env, 'machine')}")
    env.run("rm", "plain", "best", "machine").ok()


@test(needs="root,netns")
def every_hole_has_a_name(env):
    sock = env.tmp / "docker.sock"
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(sock))
    cases = {
        "privileged": ["--privileged"],
        "capability": ["--cap-add", "sys_admin"],
        "seccomp": ["--security-opt", "seccomp=unconfined"],
        "system-paths": ["--security-opt", "systempaths=unconfined"],
        "cgroups": ["--security-opt", "writable-cgroups"],
        "pid-namespace": ["--pid", "host"],
        "ipc-namespace": ["--ipc", "host"],
        "network-namespace": ["--network", "host"],
        "uts-namespace": ["--uts", "host"],
        "cgroupns-namespace": ["--cgroupns", "host"],
        "device-rule": ["--device-cgroup-rule", "c 1:* rwm"],
        "device": ["--device", "/dev/kmsg"],
        "engine-socket": ["-v", f"{sock}:/s"],
        "own-state": ["-v", f"{env.base}:/state"],
        "host-path": ["-v", "/etc:/host-etc"],
        "pids": ["--pids-limit", "-1"],
    }
    for n, (name, flags) in enumerate(cases.items()):
        env.run("create", "--name", f"i{n}", *flags, T, "true").ok()
    doc = findings(env)
    for n, name in enumerate(cases):
        got = {f["check"] for f in doc if f["about"] == f"i{n}" and f["level"] == "weak"}
        same(got, {name}, f"weak of {cases[name]}")
    check(all(f["what"] and f["remedy"] for f in doc), "a finding without words")
    env.run("rm", *(f"i{n}" for n in range(len(cases)))).ok()
    env.run("create", "--name", "root", "-v", "/:/h:ro", T, "true").ok()
    check({"host-path", "own-state"} <= set(weak(env, "root")), f"the host's root: {weak(env, 'root')}")
    env.run("rm", "root").ok()


@test(needs="root,netns")
def strict_is_for_scripts(env):
    before = env.run("doctor", "--format", "json").ok().json()["weak"]
    same(before, 0, "weak on this host")
    env.run("doctor", "--strict").ok()
    d = env.tmp / "a\x1b[31mred"
    d.mkdir()
    env.run("create", "--name", "bad", "--privileged", "-v", f"/etc:{'/x'}", "--device", "/dev/null", "-v", f"{d}:/d", T, "true").ok()
    r = env.run("doctor", "--strict").expect(1, err="")
    check("bad:\n" in r.out and "privileged" in r.out and "could be stronger" in r.out, r.out)
    check("\x1b" not in r.out, "an escape sequence reached the terminal")
    env.run("doctor").ok()
    env.run("rm", "bad").ok()


@test(needs="root,netns")
def a_store_that_others_can_enter_is_weak(env):
    env.run("ps").ok()
    os.chmod(env.root, 0o755)
    try:
        same(weak(env, "host"), ["store-mode"], "weak of the host")
    finally:
        os.chmod(env.root, 0o700)
    same(weak(env, "host"), [], "weak of the host")
    json.loads(env.run("doctor", "--format", "json").ok().out)


main()
