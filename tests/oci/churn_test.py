# SPDX-License-Identifier: Apache-2.0
"""A thousand containers come and go, and the machine is as it was: nothing is left anywhere."""
import concurrent.futures, os, subprocess, tempfile, time

from caisson_test import LEAST, cgroups, main, mounts, processes, same, test, wait_for
from oci_bundle import Runtime, spec

CONTAINERS = 1000
AT_ONCE = 8


def keys():
    """Session keyrings of containers are named _ses.ID; those of others' containers are seen here, too."""
    return sum("_ses.churn" in line for line in open("/proc/keys"))


def what_is_there(oci):
    files = sorted(os.path.join(d, f) for d, sub, names in os.walk(oci.base) for f in [*sub, *names] if not d.startswith(str(oci.base / "b")))
    return {"mounts": sorted(mounts()), "processes": processes(), "cgroups": cgroups(), "files": files}


def life(oci, bundle, i):
    # A pipe would be held open by what `create` leaves running.
    with tempfile.TemporaryFile("w+") as err:
        def failed(want, *args):
            quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": err}
            code = subprocess.run([str(a) for a in oci.argv(args)], timeout=300, **quiet).returncode
            err.seek(0)
            return "" if code == want else f"{args[0]} {i}: {code} {err.read()}"
        if i % 2:
            return failed(7, "run", "-b", bundle, f"churn{i}")
        return (failed(0, "create", "-b", bundle, f"churn{i}") or failed(0, "start", f"churn{i}") or
                failed(0, "delete", "--force", f"churn{i}"))


@test(needs="root", timeout=300)
def a_thousand_containers_leave_nothing(env):
    oci = Runtime(env)
    bundle = oci.bundle(spec("/bin/sh", "-c", "exit 7"))
    same(life(oci, bundle, 0) + life(oci, bundle, 1), "", "the first two")
    before, keys_before = what_is_there(oci), keys()
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        failures = [f for f in pool.map(lambda i: life(oci, bundle, i), range(2, CONTAINERS + 2)) if f]
    same(failures[:3], [], f"{len(failures)} failures")
    end = time.monotonic() + LEAST
    while (after := what_is_there(oci)) != before and time.monotonic() < end:
        time.sleep(0.1)
    for what in before:
        same(after[what], before[what], what)
    # The kernel frees keyrings behind, after a grace period.
    wait_for(lambda: keys() <= keys_before + AT_ONCE, what=f"session keyrings go; {keys_before} before")


main()
