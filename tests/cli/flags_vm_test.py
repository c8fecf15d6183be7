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
                  ["--pid", "host"], ["--ipc", "host"], ["--ipc", "shareable"], ["--pid", "container:x"], ["--security-opt", "apparmor=x"]):
        env.run("create", *flags, T, "true").error(125, flags[-2] if flags[-1][0] != "-" else flags[-1])
    env.run("create", "--memory", "32m", T, "true").error(2, "--memory")
    d = env.root / "instances"
    same(os.listdir(d) if d.is_dir() else [], [], "instances")


main(isolation="vm")
