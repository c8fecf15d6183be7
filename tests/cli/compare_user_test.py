# SPDX-License-Identifier: Apache-2.0
# timeout: 300
"""caisson compare as an ordinary user: his containers are the rootless ones."""
from caisson_test import check, main, same, test

T = "caisson/tiny"


@test(needs="rootless", timeout=200)
def rootless_beside_the_host(env):
    doc = env.run("compare", "-n", "1", "--only", "host,container,rootless", "--density", "16m", "--density-most", "2", "--max-time", "40s", "--format", "json", T,
                  timeout=190).ok().json()
    r = {row["key"]: row for row in doc["rows"]}
    for key in ("first_instruction", "first_output", "cpu", "file_write", "http_rate", "memory_pss", "transfer"):
        check(r[key]["rootless"].get("n", 0) >= 1, f"{key}: {r[key]['rootless']}")
    same(r["cpu"]["container"]["not_measured"], "an ordinary user's containers are rootless", "the other containers")
    # The kernel gives filters to root alone.
    check("denied" in r["host_syscalls"]["rootless"]["not_measured"], f"system calls: {r['host_syscalls']['rootless']}")
    same(r["attempts_stopped"]["rootless"]["median"], float(len(doc["attempts"])), "attempts stopped")
    # What leads out (pasta) may let go of memory meanwhile.
    more = r["memory_loaded_pss"]["rootless"]["median"] - r["memory_pss"]["rootless"]["median"]
    check(50 << 20 < more < 70 << 20, f"64 MiB are {more}")
    same((env.run("ps", "-aq").out, list(env.root.glob("compare-*"))), ("", []), "left behind")


main(user=True)
