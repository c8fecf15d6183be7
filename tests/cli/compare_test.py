# SPDX-License-Identifier: Apache-2.0
# timeout: 300
"""caisson compare: real figures, in every format, and nothing that was not measured."""
import csv, io, re

from caisson_test import check, main, same, test

T = "caisson/tiny"


def rows(doc):
    return {r["key"]: r for r in doc["rows"]}


@test(needs="root", timeout=120)
def a_container_beside_the_host(env):
    doc = env.run("compare", "-n", "3", "--skip", "vm", "--format", "json", T, timeout=110).ok().json()
    same(doc["rounds"], 3, "rounds")
    r = rows(doc)
    for key in ("first_output", "to_exit", "cpu", "syscalls", "files", "memory_pss"):
        for who in ("host", "container"):
            cell = r[key][who]
            same((cell["n"], len(cell["samples"])), (3, 3), f"samples of {key}, {who}")
            check(0 < cell["min"] <= cell["low"] <= cell["median"] <= cell["high"] <= cell["max"], f"order in {key}, {who}: {cell}")
        same(r[key]["vm"]["not_measured"], "left out with --skip", f"vm in {key}")
    same(r["kernel"]["host"]["text"], r["kernel"]["container"]["text"], "kernel")
    check(r["first_output"]["host"]["median"] < r["to_exit"]["container"]["median"], "a container is faster than a process")
    allowed, known = map(int, re.findall(r"\d+", r["host_syscalls"]["container"]["text"]))
    check(200 < allowed < known, f"{allowed} of {known} system calls")
    check(r["disk_shared"]["container"]["median"] > 500000, "the image has no size")
    check("phase_rootfs" in r and "phase_monitor" in r, f"phases: {sorted(r)}")


@test(needs="root,qemu,kernel", timeout=200)
def all_three(env):
    table = env.run("compare", "-n", "1", T, timeout=190).ok().out
    check(all(len(line) <= 80 for line in table.splitlines()), "wider than 80 columns")
    for word in ("first output", "memory at rest", "disk, shared", "host syscalls", "n=1", "vm: "):
        check(word in table, f"{word!r} is not in the table:\n{table}")
    check("n/a" not in table, f"something was not measured:\n{table}")
    kernels = re.search(r"^kernel +(\S+) +(\S+) +(\S+)$", table, re.M)
    same(kernels[1], kernels[2], "kernel of host and container")
    check(kernels[3] != kernels[1], "the VM has the host's kernel")


@test(needs="root", timeout=120)
def a_command_of_ones_own_in_csv(env):
    out = env.run("compare", "-n", "1", "--skip", "vm", "--format", "csv", T, "--", "echo", "hello", timeout=110).ok().out
    lines = list(csv.DictReader(io.StringIO(out)))
    first = {line["subject"]: line for line in lines if line["key"] == "first_output"}
    same(first["container"]["n"], "1", "samples")
    check(float(first["host"]["median"]) > 0, "no figure of the host")


@test(needs="root", timeout=120)
def a_page_claims_and_a_difference(env):
    a, b, page = env.tmp / "a.json", env.tmp / "b.json", env.tmp / "page.html"
    short = ("compare", "-n", "1", "--skip", "vm", "--format")
    a.write_text(env.run(*short, "json", "--html", str(page), "--assert", "container.start < 60s", T, timeout=110).ok().out)
    html = page.read_text()
    check("<script" not in html and "A container answers after" in html and "fork/exec" not in html, "the page")
    check("left out with --skip" in html, "what was not measured is not said")
    r = env.run(*short, "json", "--assert", "container.start < 1ns", "--assert", "vm.memory_pss < 1GiB", T, timeout=110)
    same(r.code, 1, "exit code")
    check("container.start < 1ns does not hold: it is " in r.err and "vm.memory_pss < 1GiB: not measured: left out with --skip" in r.err, r.err)
    b.write_text(r.out)
    table = env.run("compare", "--diff", str(a), str(b)).ok().out
    check(all(len(line) <= 80 for line in table.splitlines()), "wider than 80 columns")
    check(re.search(r"^first_output +container +\S+ (ms|s) +\S+ (ms|s) +\d", table, re.M), table)
    md = env.run(*short, "markdown", T, timeout=110).ok().out
    check("| first output |" in md and all(line.count("|") == 5 for line in md.splitlines() if line.startswith("|")), md)
    env.run("compare", "--assert", "pod.start < 1s", T).error(2, "pod.start < 1s", "host., container. or vm.")
    env.run("compare", "--diff", str(a)).error(2, "two files")
    b.write_text("{}")
    env.run("compare", "--diff", str(a), str(b)).error(125, str(b), "no report")
    env.run("compare", "--diff", str(a), "/no/such").error(125, "/no/such")
    env.run(*short, "json", "--html", "/no/such/page.html", T, timeout=110).error(125, "/no/such/page.html")


@test(needs="root", timeout=120)
def interrupted_it_reports_what_it_has(env):
    p = env.tty("compare", "-n", "1000", "--max-time", "100s", "--skip", "vm", T)
    p.until("round 2 of 1000")
    p.send("\x03")
    r = p.finish()
    same(r.code, 130, "exit code")
    check("partial: it was interrupted" in r.out and "first output" in r.out, r.out)
    same([list(env.root.glob("compare-*")), env.run("ps", "-aq").out], [[], ""], "left behind")


@test(needs="root", timeout=120)
def what_does_not_run_is_said(env):
    out = env.run("compare", "-n", "1", "--skip", "vm", T, "--", "/bin/no-such", timeout=110)
    check("/bin/no-such" in out.out + out.err, f"not named: {out.out} {out.err}")
    env.run("compare", "--skip", "nobody", T).error(2, "nobody")
    env.run("compare").error(2)
    env.run("compare", "-n", "0", T).error(2, "--samples", "0")
    env.run("compare", "--show-workload").ok(out=re.compile("work_cpu"))


main()
