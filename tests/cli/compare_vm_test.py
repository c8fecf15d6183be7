# SPDX-License-Identifier: Apache-2.0
# timeout: 900
"""caisson compare over all that is a machine: VMs from a template and cold, a container in one, and plain QEMU."""
from caisson_test import check, main, same, test

T = "caisson/tiny"
MIB = 1 << 20


def rows(doc):
    return {r["key"]: r for r in doc["rows"]}


@test(needs="root,qemu,kernel", timeout=600)
def everything_there_is(env):
    doc = env.run("compare", "-n", "1", "--skip", "rootless", "--max-time", "60s", "--density", "0", "--format", "json", T,
                  timeout=900).ok().json()
    r = rows(doc)
    for who in ("vm", "vm-cold", "pod", "qemu"):
        check(r["first_output"][who].get("n") == 1, f"{who} did not run: {r['first_output'][who]}")
        same(r["kernel_is"][who]["text"], "its own", f"kernel of {who}")
        check(r["accelerator"][who]["text"] in ("kvm", "tcg"), f"accelerator of {who}")
        check(r["memory_believed"][who]["median"] < 300 * MIB, f"what {who} believes")
        check(r["memory_pss"][who]["median"] > 30 * MIB, f"memory of {who}")
        check(r["first_instruction"][who]["median"] > 0, f"first instruction of {who}")
    for who in ("vm", "pod"):
        check(r["cpu"][who]["median"] > 0 and r["http_rate"][who]["median"] > 0, f"work of {who}")
        check(50 * MIB < r["memory_loaded_pss"][who]["median"] - r["memory_pss"][who]["median"] < 90 * MIB, f"64 MiB of {who}")
    same(r["kernel"]["vm"]["text"], r["kernel"]["qemu"]["text"], "kernel of both machines")
    check(r["kernel"]["vm"]["text"] != r["kernel"]["host"]["text"], "the VM has the host's kernel")
    check(doc["accelerator_reason"].split(",")[0] in ("kvm", "tcg"), "why it runs as it does")
    same((r["file_write"]["qemu"]["not_measured"], r["http_rate"]["qemu"]["not_measured"]),
         ("plain QEMU has no disk: its root is in memory", "plain QEMU publishes no ports"), "what plain QEMU lacks")
    same(r["clone"]["vm"]["text"], "its own identity", "a clone")
    same(r["attempts_stopped"]["vm"]["median"], float(len(doc["attempts"])), "attempts that the VM stopped")
    same({a["key"]: a["qemu"] for a in doc["attempts"]}["module"], "its own kernel", "a kernel of one's own takes the blow")
    check("phase_boot" in r and r["phase_boot"]["vm-cold"]["n"] == 1, "phases of a boot")
    same((env.run("ps", "-aq").out, list(env.root.glob("compare-*"))), ("", []), "left behind")


main()
