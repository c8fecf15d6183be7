# SPDX-License-Identifier: Apache-2.0
# timeout: 400
# slow
"""What each option does, as VMs, and what a VM refuses by name."""
import os

os.environ["CAISSON_TEST_MORE_NEEDS"] = ",qemu,kernel"
import flags_cases  # noqa: E402, F401, its cases register themselves
from caisson_test import main, same, test  # noqa: E402
from flags_cases import T  # noqa: E402


@test(needs="root")
def what_a_vm_cannot_have_is_refused_before_anything_is_made(env):
    for flags in (["--memory", "128m", "--memory-swap", "256m"], ["--memory-reservation", "64m"], ["--memory-swappiness", "3"], ["--oom-kill-disable"],
                  ["--uts", "host"], ["--cgroupns", "host"], ["--network", "host"], ["--device", "/dev/loop-control"],
                  ["-v", "/tmp:/x:rshared"], ["-v", "/tmp:/x:slave"], ["--mount", "type=bind,src=/tmp,dst=/x,bind-recursive=disabled"], ["--pid", "host"], ["--ipc", "host"], ["--ipc", "shareable"], ["--pid", "container:x"], ["--security-opt", "apparmor=x"]):
        env.run("create", *flags, T, "true").error(125, "not possible" if flags[0] in ("-v", "--mount") else flags[-2] if flags[-1][0] != "-" else flags[-1])
    env.run("create", "--memory", "32m", T, "true").error(2, "--memory")
    d = env.root / "instances"
    same(os.listdir(d) if d.is_dir() else [], [], "instances")


@test(needs="root,qemu,kernel")
def the_writable_disk_has_the_size_asked_for_and_devices_can_be_made(env):
    env.run("run", "--rm", "--privileged", "--storage-opt", "size=200m", T, "sh", "-c", "s=$(df -k / | tail -1 | tr -s ' ' | cut -d' ' -f2); test $s -gt 100000 && test $s -lt 204800 && echo ok; mknod /tmp/kmsg c 1 11 && head -c 0 /tmp/kmsg && echo made").ok(out="ok\nmade\n")
    env.run("create", "--storage-opt", "size=1m", T).error(2, "--storage-opt")


main(isolation="vm")
