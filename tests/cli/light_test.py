# SPDX-License-Identifier: Apache-2.0
"""The run path is light: no program of it maps a TLS, HTTP or database library, or a decompressor."""
import os, re, subprocess

from caisson_test import BUILD, check, main, same, test, wait_for

ALLOWED = {"libc.so.6", "libseccomp.so.2", "libcap.so.2", "libjson-c.so.5", "libmnl.so.0", "ld-linux-x86-64.so.2", "linux-vdso.so.1"}


def libraries(program):
    out = subprocess.run(["ldd", str(program)], capture_output=True, text=True).stdout
    return set(re.findall(r"([\w.+-]+\.so[.\d]*)", out))


@test
def programs_link_only_what_is_allowed(env):
    for name in ("caisson", "caisson-monitor", "caisson-oci"):
        if (BUILD / name).exists():
            more = {os.path.basename(x) for x in libraries(BUILD / name)} - ALLOWED
            check(not more, f"{name} links {sorted(more)}")
    for name in ("caisson-guest", "caisson-workload"):
        check("not a dynamic" in subprocess.run(["ldd", str(BUILD / name)], capture_output=True, text=True).stderr, f"{name} is not static")


def mapped(pid):
    return {os.path.basename(line.split()[-1]) for line in open(f"/proc/{pid}/maps") if "/" in line and ".so" in line}


@test(needs="root")
def a_running_instance_keeps_only_the_monitor_and_maps_nothing_else(env):
    """dlopen() would not show in ldd, so the living processes are looked at."""
    before = {p for p in os.listdir("/proc") if p.isdigit()}
    p = env.start("run", "--rm", "-i", "caisson/tiny", "sh", "-c", "echo up; cat")
    p.until("up\n")
    ours = {}
    for pid in (q for q in os.listdir("/proc") if q.isdigit() and q not in before):
        try:
            exe = os.readlink(f"/proc/{pid}/exe")
        except OSError:
            continue
        if "caisson" in os.path.basename(exe):
            ours[os.path.basename(exe).split(" ")[0]] = mapped(pid) - ALLOWED
    p.send("")
    p.finish()
    check("caisson-monitor" in ours, f"no monitor among {sorted(ours)}")
    check("caisson-fetch" not in ours and "caisson-unpack" not in ours, f"a helper is kept: {sorted(ours)}")
    for name, more in ours.items():
        check(not more, f"{name} maps {sorted(more)}")


main()
