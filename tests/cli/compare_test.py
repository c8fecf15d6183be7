# SPDX-License-Identifier: Apache-2.0
# timeout: 600
"""caisson compare: real figures, in every format, and nothing that was not measured."""
import csv, io, json, re, subprocess, time

from caisson_test import check, main, same, test

T = "caisson/tiny"
MIB = 1 << 20
# Nothing that takes long: what a test needs beyond this it says.
SHORT = ("compare", "-n", "1", "--only", "host,container", "--density", "0", "--max-time", "30s")


def rows(doc):
    return {r["key"]: r for r in doc["rows"]}


def samples(doc, key, who):
    return rows(doc)[key][who]["samples"]


@test(needs="root", timeout=120)
def a_container_beside_the_host(env):
    doc = env.run("compare", "-n", "3", "--only", "host,container", "--density", "64m", "--density-most", "5", "--format", "json", T, timeout=110).ok().json()
    same((doc["rounds"], doc["partial"]), (3, False), "rounds")
    r = rows(doc)
    for key in ("first_instruction", "first_output", "to_exit", "cpu", "memory_copy", "syscalls", "fork_exec", "file_names", "file_write", "file_read",
                "file_random_read", "file_random_write", "memory_pss", "memory_loaded_pss"):
        for who in ("host", "container"):
            cell = r[key][who]
            same((cell["n"], len(cell["samples"])), (3, 3), f"samples of {key}, {who}")
            check(0 < cell["min"] <= cell["low"] <= cell["median"] <= cell["high"] <= cell["max"], f"order in {key}, {who}: {cell}")
    for key in ("http_request", "http_rate"):
        for who in ("host", "container"):
            check(r[key][who]["n"] >= 3 and r[key][who]["min"] > 0, f"{key} of {who}: {r[key][who]}")
    same([r["first_output"][w]["not_measured"] for w in ("vm", "pod", "qemu")], ["left out"] * 3, "left out")
    same(r["kernel"]["host"]["text"], r["kernel"]["container"]["text"], "kernel")
    same([r["kernel_is"][w]["text"] for w in ("host", "container")], ["the host's"] * 2, "whose kernel")
    check("amd64" in r["machines"]["container"]["text"], r["machines"])
    check(r["first_output"]["host"]["median"] < r["to_exit"]["container"]["median"], "a container is faster than a process")
    allowed, known = map(int, re.findall(r"\d+", r["host_syscalls"]["container"]["text"]))
    check(200 < allowed < known, f"{allowed} of {known} system calls")
    check(r["disk_shared"]["container"]["median"] > 500000, "the image has no size")
    check("phase_rootfs" in r and "begin_monitor" in r, f"phases: {sorted(r)}")
    # The wall: what root of the host may do, and what stopped root inside.
    check(r["capabilities"]["container"]["median"] < r["capabilities"]["host"]["median"], "capabilities")
    check(r["devices"]["container"]["median"] < 20, "devices")
    tries = {a["key"]: a for a in doc["attempts"]}
    check(len(tries) > 25 and all(a["host"] and a["container"] for a in tries.values()), f"attempts: {tries}")
    same((tries["host-file"]["host"], tries["host-file"]["container"]), ("got through", "not there"), "a file of the host")
    same((tries["mount"]["host"], tries["mount"]["container"]), ("got through", "seccomp"), "mount")
    same(r["attempts_stopped"]["container"]["median"], float(len(tries)), "what the container stopped")
    # Density: five were started, and held more each time.
    curve = doc["density"]["curves"]["container"]["samples"]
    # Not each more than the last: what a new process shares is a smaller part of those before it.
    check(len(curve) == 5 and curve[-1] > curve[0], f"density: {doc['density']}")
    same((r["density"]["container"]["text"], doc["density"]["curves"]["container"]["ended"]), ("5 or more", "no more were to be tried"), "density")
    same(r["build_twice"]["container"]["text"], "same digest", "two builds")
    same(r["clone"]["container"]["text"], "its own identity", "a clone")
    same(r["transfer"]["container"]["n"], 3, "transfers")
    check(doc["noise"]["loop"]["n"] >= 8 and 0 <= doc["noise"]["busy"] <= 1, f"noise: {doc['noise']}")
    check(f"run --rm --name" in next(s for s in doc["subjects"] if s["name"] == "container")["command"], "no command line")
    same((env.run("ps", "-aq").out, env.run("images", "-q", "caisson-compare/*").out, list(env.root.glob("compare-*"))), ("", "", []), "left behind")
    same(json.loads((env.root / "compare/last.json").read_text()), doc, "what is kept for later")
    check((env.root / "compare/last.html").read_text().startswith("<!doctype html>"), "no page is kept")


@test(needs="root", timeout=120)
def known_workloads_are_what_is_reported(env):
    doc = env.run("compare", "-n", "6", "--precision", "0", *SHORT[3:], "--format", "json", T, "--", "sleep", "0.05", timeout=110).ok().json()
    for who in ("host", "container"):
        took = samples(doc, "to_exit", who)
        check(min(took) >= 50e6, f"{who}: a sleep of 50 ms took {took}")
    # The same by another clock, in the same minute.
    t0 = time.monotonic_ns()
    subprocess.run(["sleep", "0.05"], check=True)
    check(min(samples(doc, "to_exit", "host")) < 4 * (time.monotonic_ns() - t0), f"a sleep of 50 ms took {samples(doc, 'to_exit', 'host')}")
    same(rows(doc)["first_output"]["container"]["not_measured"], "the command writes nothing", "first output")
    for who in ("host", "container"):
        for rest, held in zip(samples(doc, "memory_pss", who), samples(doc, "memory_loaded_pss", who)):
            # What the monitor keeps, and shares, is another amount a moment later.
            check(62 * MIB <= held - rest < 66 * MIB, f"{who}: 64 MiB are {held - rest}")
    doc = env.run(*SHORT, "--format", "json", T, "--", "dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=60", timeout=110).ok().json()
    for who in ("host", "container"):
        peak = samples(doc, "memory_command_pss", who)[0]
        check(64 * MIB < peak < 80 * MIB, f"{who}: dd with a buffer of 64 MiB holds {peak}")


@test(needs="root", timeout=120)
def every_form_of_one_report(env):
    a, b, page = env.tmp / "a.json", env.tmp / "b.json", env.tmp / "page.html"
    a.write_text(env.run(*SHORT, "--format", "json", "--html", str(page), "--assert", "container.start < 60s", T, "--", "echo", "hello", timeout=110).ok().out)
    html = page.read_text()
    check("<script" not in html and "A container answers after" in html, "the page")
    check("left out" in html, "what was not measured is not said")
    form = ("compare", "--from", str(a))
    same(json.loads(env.run(*form, "--format", "json").ok().out), json.loads(a.read_text()), "read and written again")
    env.run(*form, "--html", str(page)).ok()
    same(page.read_text(), html, "the page of the same report")
    table = env.run(*form).ok().out
    check(all(len(line) <= 80 for line in table.splitlines()), "wider than 80 columns")
    for word in ("first output", "memory at rest", "disk, shared", "host syscalls", "n=1", "vm: left out", "host-file", "the machine: load"):
        check(word in table, f"{word!r} is not in the table:\n{table}")
    lines = list(csv.DictReader(io.StringIO(env.run(*form, "--format", "csv").ok().out)))
    first = {line["subject"]: line for line in lines if line["key"] == "first_output"}
    check(first["container"]["n"] == "1" and float(first["host"]["median"]) > 0 and first["vm"]["text"] == "left out", f"{first}")
    md = env.run(*form, "--format", "markdown").ok().out
    check("| first output |" in md and all(line.count("|") == 4 for line in md.splitlines() if line.startswith("|")), md)
    r = env.run(*form, "--format", "json", "--assert", "container.start < 1ns", "--assert", "vm.memory_pss < 1GiB", "--assert", "host.file_read > 1MiB/s")
    same(r.code, 1, "exit code")
    check("container.start < 1ns does not hold: it is " in r.err and "vm.memory_pss < 1GiB: not measured: left out" in r.err and "file_read" not in r.err, r.err)
    b.write_text(r.out)
    table = env.run("compare", "--diff", str(a), str(b)).ok().out
    check(all(len(line) <= 80 for line in table.splitlines()), "wider than 80 columns")
    check(re.search(r"^first_output +container +\S+ (ms|s) +\S+ (ms|s) +1.00 +not told apart", table, re.M), table)
    env.run("compare", "--assert", "pods.start < 1s", T).error(2, "pods.start < 1s", "host., container., vm.")
    env.run("compare", "--diff", str(a)).error(2, "two files")
    b.write_text("{}")
    env.run("compare", "--diff", str(a), str(b)).error(125, str(b), "no report")
    env.run("compare", "--from", str(b)).error(125, str(b), "no report")
    env.run("compare", "--from", "/no/such").error(125, "--from", "/no/such")
    env.run("compare", "--from", str(a), T).error(2, "--from")
    env.run("compare", "--diff", str(a), "/no/such").error(125, "/no/such")
    env.run(*form, "--html", "/no/such/page.html").error(125, "/no/such/page.html")


@test(needs="root", timeout=120)
def interrupted_it_reports_what_it_has(env):
    p = env.tty("compare", "-n", "1000", "--precision", "0", "--max-time", "1000s", "--only", "host,container", T)
    p.until("round 2 of at most 1000")
    p.send("\x03")
    r = p.finish()
    same(r.code, 130, "exit code")
    check("partial: it was interrupted" in r.out and "first output" in r.out, r.out)
    same([list(env.root.glob("compare-*")), env.run("ps", "-aq").out], [[], ""], "left behind")


@test(needs="root", timeout=200)
def workloads_that_fail_hang_or_want_a_terminal(env):
    def said(*command):
        doc = env.run(*SHORT, "--format", "json", T, "--", *command, timeout=190).ok().json()
        check(rows(doc)["cpu"]["container"]["n"] == 1, "the rest was not measured")
        return [rows(doc)["to_exit"][who]["not_measured"] for who in ("host", "container")]
    same(said("false"), ["exit code 1"] * 2, "what fails")
    same(said("tty"), ["exit code 1: not a tty"] * 2, "what wants a terminal")
    check("no command '/bin/no-such'" in said("/bin/no-such")[0] and "/bin/no-such" in said("/bin/no-such")[1], "what is not there")
    # Without end and by gigabytes: the host is waited for, and nobody else is asked.
    same(said("yes"), ["it did not end within 10 s", "not tried: as a process of the host it did not end in time"], "what does not end")


@test(needs="root", timeout=120)
def what_is_not_there_is_said(env):
    # Nothing but what the engine needs: no other engine, and no uname for the host.
    doc = env.run(*SHORT, "--with", "docker,podman,crun", "--format", "json", T, env={"PATH": "/usr/sbin:/sbin"}, timeout=110).ok().json()
    for who in ("docker", "podman", "crun"):
        same(rows(doc)["cpu"][who], {"not_measured": f"{who} is not installed"}, who)
    doc = env.run(*SHORT[:3], "--only", "container,qemu,rootless", *SHORT[5:], "--user", "nobody-at-all", "--format", "json", T, env={"PATH": "/usr/sbin:/sbin"},
                  timeout=110).ok().json()
    same([rows(doc)["cpu"][w]["not_measured"] for w in ("qemu", "rootless")],
         ["qemu-system-x86_64 is not installed", "--user: there is no user 'nobody-at-all'"], "reasons")
    env.run("compare", "--skip", "nobody", T).error(2, "nobody")
    env.run("compare", "--with", "rkt", T).error(2, "rkt", "docker, podman, crun")
    env.run("compare", "--only", "host", T).error(2, "neither container nor vm")
    env.run("compare").error(2)
    env.run("compare", "-n", "0", T).error(2, "--samples", "0")
    env.run("compare", "no/such-image-at-all", timeout=110).error(125, "no/such-image-at-all")
    env.run("compare", "--show-workload").ok(out=re.compile("work_cpu.*workdisk_write.*host_file", re.S))


@test(needs="root", timeout=120)
def one_processor_is_enough(env):
    r = subprocess.run(["taskset", "-c", "0", *map(str, env.argv((*SHORT, "--format", "json", T)))], capture_output=True, text=True, timeout=400, stdin=subprocess.DEVNULL)
    same(r.returncode, 0, f"exit code ({r.stderr})")
    doc = json.loads(r.stdout)
    check(re.match(r"1 of \d+ cpus|1 cpu,", doc["machine"]), doc["machine"])
    check(rows(doc)["http_rate"]["container"]["n"] >= 3, "the client left nothing for the server")


main()
