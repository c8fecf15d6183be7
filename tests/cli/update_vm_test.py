#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 120
"""What of a running machine can change, and what is refused by name."""
from caisson_test import check, main, same, test, wait_for

TINY = "caisson/tiny"


@test(needs="root,qemu,kernel", timeout=100)
def a_machine_has_what_it_booted_with(env):
    env.run("run", "-d", "--isolation", "vm", "--name", "v", "--network", "none", "--cpus", "2", "--memory", "192m", TINY, "sleep", "1000").ok()
    online = lambda: env.run("exec", "v", "cat", "/sys/devices/system/cpu/online").ok().out.strip()
    same(online(), "0-1")
    record = env.run("inspect", "-f", "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}}", "v").ok().out
    for args, word in ((["--cpus", "3"], "2 it booted with"), (["--memory", "256m"], "192 MiB it booted with"), (["--memory-swap", "1g"], "--memory-swap"),
                       (["--memory", "64m"], "96m"), (["--cpus", "1", "--memory", "256m"], "192 MiB")):
        r = env.run("update", *args, "v").expect(1)
        check(word in r.err, f"{args}: {r.err}")
    same(env.run("inspect", "-f", "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}}", "v").ok().out, record, "the record after refusals")
    same(online(), "0-1", "CPUs after refusals")
    env.run("update", "--cpus", "1", "v").ok()
    same(online(), "0", "CPUs")
    env.run("update", "--cpus", "2", "v").ok()
    wait_for(lambda: online() == "0-1", what="the CPU comes back")
    env.run("pause", "v").ok()
    check("paused" in env.run("update", "--pids-limit", "9", "v").expect(1).err, "an update of a frozen guest")
    env.run("rm", "-f", "v").ok()


main()
