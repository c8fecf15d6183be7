# SPDX-License-Identifier: Apache-2.0
"""caisson info tells what is there, and names what is missing."""
import os, re

from caisson_test import check, main, same, test


@test(needs="root,qemu,kernel")
def both_walls_are_ready_and_the_accelerator_is_explained(env):
    i = env.run("info", "--format", "json").ok().json()
    same(i["kernel"], os.uname().release, "kernel")
    same(i["container"], {"usable": True}, "container")
    check(i["vm"]["usable"], f"vm is {i['vm']}")
    check(i["vm"]["accel"] in ("kvm", "tcg") and i["vm"]["accelWhy"], f"vm is {i['vm']}")
    same(i["vm"]["accel"] == "kvm", i["vm"]["kvm"] == "usable", "KVM is used when it is usable")
    text = env.run("info").ok(err="").out
    check(re.search(r"^isolation vm: +ready$", text, re.M), text)
    check(re.search(r"^  accelerator: +(kvm|tcg)$", text, re.M), text)


@test(needs="root")
def counts_follow_images_and_instances(env):
    before = env.run("info", "--format=json").ok().json()["images"]
    env.run("create", "--name", "one", "caisson/tiny", "true").ok()
    i = env.run("info", "--format=json").ok().json()
    same(i["images"], before + 1, "images")
    same(i["instances"], {"running": 0, "paused": 0, "stopped": 1}, "instances")
    env.run("rm", "one").ok()


@test
def templates_find_our_members_and_dockers(env):
    env.run("info", "--format", "{{nonsense .}}").error(2, "nonsense")
    i = env.run("system", "info", "-f", "json").ok().json()
    same((i["ServerVersion"], i["NCPU"]), (i["version"], i["cpus"]), "docker's members and ours")
    check(i["DockerRootDir"] == str(env.root) and {"MemoryLimit", "Runtimes", "SecurityOptions"} <= set(i), i)
    env.run("info", "-f", "{{.ServerVersion}} {{.kernel}} {{.NCPU}}").ok(out=f"{i['version']} {i['kernel']} {i['cpus']}\n")
    v = env.run("version", "-f", "json").ok().json()
    same((v["Client"]["Version"], v["Server"]["Version"]), (i["version"],) * 2, "versions")
    env.run("version", "--format", "{{.Client.Version}} {{.Server.ApiVersion}} {{.Server.Os}}").ok(out=f"{i['version']} {v['Server']['ApiVersion']} linux\n")
    env.run("version", "--format", "{{nonsense .}}").error(2, "nonsense")


main()
