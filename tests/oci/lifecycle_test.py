# SPDX-License-Identifier: Apache-2.0
"""caisson-oci: create, start, state, kill, delete, run, exec, list, ps and their exit codes, as runc's.

What a bundle asks for is elsewhere: wall_test (what is inside), mounts_test, linux_test (the rest); so are options_test, rootless_test,
attack_test, bad_input_test, engines_test (under others' engines) and vm_test (in a machine).
"""
import json, os, pathlib, re, select, signal, subprocess, sys, time

from caisson_test import check, main, same, skip, test, wait_for
from oci_bundle import ConsoleSocket, Runtime, spec


def plain(log):
    """logrus's text format quotes messages."""
    return log.replace('\\"', '"')


@test(needs="root")
def created_waits_until_started(env):
    oci = Runtime(env)
    b = oci.bundle(None, "/bin/echo", "hello")
    oci.create(b).ok()
    s = oci.state()
    same((s["status"], s["id"], s["bundle"]), ("created", "c1", str(b)), "state")
    check(s["pid"] > 0 and os.path.exists(f"/proc/{s['pid']}"), "no process")
    same(oci.output(), "", "output before start")
    oci("start", "c1").ok()
    wait_for(lambda: oci.state()["status"] == "stopped", what="stopped")
    same(oci.output(), "hello\n", "output")
    same(oci.state()["pid"], 0, "pid of a stopped container")
    r = oci("start", "c1")
    check(r.code == 1 and "cannot start a container that has stopped" in r.err, r.err)
    oci("delete", "c1").ok()
    r = oci("state", "c1")
    check(r.code == 1 and "does not exist" in r.err, r.err)


@test(needs="root")
def run_passes_the_exit_code_and_leaves_nothing(env):
    oci = Runtime(env)
    for script, code in (("exit 0", 0), ("exit 3", 3), ("exit 255", 255)):
        same(oci.sh(script).code, code, script)
    same([n for n in os.listdir(oci.root) if not n.startswith(".")], [], "state left")


@test(needs="root")
def a_missing_command_is_named(env):
    oci = Runtime(env)
    for cmd, text in (("nope", 'exec: "nope": executable file not found in $PATH'), ("/nope", "no such file or directory"),
                      ("/etc", "is a directory"), ("/etc/passwd", "permission denied")):
        r = oci.run(spec(cmd))
        check(r.code == 1 and text in plain(r.err), f"{cmd}: {r.code} {r.err}")
        r = oci.create(oci.bundle(None, cmd))
        check(r.code == 1 and text in plain(r.err), f"create {cmd}: {r.code} {r.err}")
    b = oci.bundle(None, "/bin/script")
    (b / "rootfs/bin/script").write_text("#!/no/such/interpreter\n")
    (b / "rootfs/bin/script").chmod(0o755)
    r = oci("run", "-b", b, "c1")
    check(r.code == 1 and "no such file or directory" in r.err, r.err)
    (b / "rootfs/bin/script").write_bytes(b"\x7fELFnonsense")
    r = oci("run", "-b", b, "c1")
    check(r.code == 1 and "exec format error" in r.err, r.err)
    same([n for n in os.listdir(oci.root) if not n.startswith(".")], [], "state left")


@test(needs="root")
def kill_delete_and_their_errors(env):
    oci = Runtime(env)
    b = oci.bundle(None, "/bin/sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.1; done")
    oci("run", "-d", "-b", b, "c1", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).ok()
    r = oci("delete", "c1")
    check(r.code == 1 and "is not stopped: running" in r.err, r.err)
    r = oci("run", "-b", b, "c1")
    check(r.code == 1 and "already exists" in r.err, r.err)
    r = oci("start", "c1")
    check(r.code == 1 and "already running" in r.err, r.err)
    for bad in ("NOSUCH", "99", "9x", "-"):
        check(oci("kill", "c1", bad).code == 1, f"signal {bad} was taken")
    oci("kill", "c1", "SIGTERM").ok()
    wait_for(lambda: oci.state()["status"] == "stopped", what="stopped")
    r = oci("kill", "c1", "9")
    check(r.code == 1 and "container not running" in r.err, r.err)
    oci("delete", "c1").ok()
    for cmd in (("kill", "c1"), ("delete", "c1"), ("start", "c1"), ("state", "c1"), ("exec", "c1", "true"), ("pause", "c1")):
        r = oci(*cmd)
        check(r.code in (1, 255) and "does not exist" in r.err, f"{cmd}: {r.err}")
    oci("delete", "--force", "c1").ok()


@test(needs="root")
def delete_force_ends_what_runs(env):
    oci = Runtime(env)
    b = oci.bundle(None, "/bin/sh", "-c", "sleep 1000 & sleep 1000")
    oci("run", "-d", "-b", b, "c1", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).ok()
    oci("delete", "-f", "c1").ok()
    oci.create(b, "c2").ok()
    oci("delete", "c2").ok()
    check("does not exist" in oci("state", "c2").err, "c2 is still there")


@test(needs="root")
def options_after_the_id_and_relative_pid_file(env):
    oci = Runtime(env)
    b = oci.bundle(None, "/bin/sleep", "1000")
    r = subprocess.run(oci.argv(["run", "c1", "-d", "--bundle", b, "--pid-file", "the.pid"]), cwd=oci.base,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    same(r.returncode, 0, "exit code")
    same(int((oci.base / "the.pid").read_text()), oci.state()["pid"], "pid file")
    oci("delete", "c1", "--force").ok()


@test(needs="root")
def ids_are_checked(env):
    oci = Runtime(env)
    b = oci.bundle()
    for bad in ("", ".", "..", "a/b", "../x", "a b", ".x", "a" * 1025):
        r = oci("run", "-b", b, bad)
        check(r.code == 1 and ("invalid container ID" in r.err or "cannot be empty" in r.err), f"{bad!r}: {r.err}")
    oci("run", "-b", b, "A_b-c+d.9").ok()


@test(needs="root")
def exec_runs_beside(env):
    oci = Runtime(env)
    b = oci.bundle(None, "/bin/sleep", "1000")
    oci("run", "-d", "-b", b, "c1", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).ok()
    oci("exec", "c1", "echo", "hi").ok(out="hi\n")
    oci("exec", "c1", "sh", "-c", "exit 5").expect(5)
    oci("exec", "c1", "sh", "-c", "kill -9 $$").expect(137)
    oci("exec", "c1", "cat", stdin="through\n").ok(out="through\n")
    oci("exec", "--cwd", "/tmp", "-e", "A=b", "c1", "sh", "-c", "echo $(pwd) $A $HOME").ok(out="/tmp b /root\n")
    oci("exec", "-u", "1000:1000", "-g", "5", "-g", "6", "c1", "id").ok(out=re.compile(r"uid=1000\S* gid=1000\S* groups=.*5.*6"))
    r = oci("exec", "c1", "nope")
    check(r.code == 255 and "executable file not found in $PATH" in r.err, f"{r.code} {r.err}")
    r = oci("exec", "c1", "/nope")
    check(r.code == 255 and "no such file or directory" in r.err, r.err)
    r = oci("exec", "--cwd", "/nowhere-yet", "c1", "pwd")
    for bad in ("x", "-1", "1:", ":1", "1:x", "4294967295", "4294967296", "1 "):
        check(oci("exec", "-u", bad, "c1", "id").code == 255, f"user {bad!r} was taken")
    # The same namespaces as process 1, the same cgroup.
    a = oci("exec", "c1", "sh", "-c", "for n in pid net ipc uts mnt cgroup; do for p in 1 self; do readlink /proc/$p/ns/$n; done; done").ok().out.split()
    same(a[0::2], a[1::2], "namespaces")
    proc = {"args": ["sh", "-c", "echo $X; ulimit -n; id -u"], "cwd": "/", "user": {"uid": 7, "gid": 7},
            "env": ["PATH=/bin", "X=fromfile"], "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 99, "hard": 100}]}
    (oci.base / "p.json").write_text(json.dumps(proc))
    oci("exec", "-p", oci.base / "p.json", "c1").ok(out="fromfile\n99\n7\n")
    oci("exec", "-d", "--pid-file", oci.base / "x.pid", "c1", "sleep", "100", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).ok()
    check(os.path.exists(f"/proc/{(oci.base / 'x.pid').read_text()}"), "detached process is gone")
    pids = json.loads(oci("ps", "-f", "json", "c1").ok().out)
    check(oci.state()["pid"] in pids and int((oci.base / "x.pid").read_text()) in pids, f"ps shows {pids}")
    oci("delete", "-f", "c1").ok()
    r = oci("exec", "c1", "true")
    same(r.code, 255, "exit code of exec without container")


@test(needs="root")
def the_environment_has_each_variable_once(env):
    oci = Runtime(env)
    c = spec("/bin/env")
    c["process"]["env"] = ["ONE=two", "HOME=/override", "ONE=", "PATH=/bin", "ONETWO=x", "HOME="]
    oci.run(c).ok(out="ONE=\nPATH=/bin\nONETWO=x\nHOME=/root\n")
    c["process"]["env"] = ["ONE=two"]
    c["process"]["args"] = ["/bin/true"]
    c["hooks"] = {"startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "echo $ONE > /tmp/hook"]}]}
    b = oci.bundle(c)
    oci("run", "-b", b, "c2").ok()
    same((b / "rootfs/tmp/hook").read_text(), "two\n", "a startContainer hook without env has the process's")


@test(needs="root")
def the_workload_is_not_bound_to_our_cpus(env):
    if len(os.sched_getaffinity(0)) < 2:
        return
    oci = Runtime(env)
    one = {min(os.sched_getaffinity(0))}
    r = subprocess.run(oci.argv(["run", "-b", oci.bundle(None, "/bin/grep", "Cpus_allowed_list", "/proc/self/status"), "c1"]),
                       stdin=subprocess.DEVNULL, capture_output=True, text=True,
                       preexec_fn=lambda: os.sched_setaffinity(0, one))
    check(r.returncode == 0 and r.stdout.split()[1] != str(min(one)), r.stdout + r.stderr)


@test(needs="root")
def exec_in_a_sub_cgroup(env):
    oci = Runtime(env)
    c = spec("/bin/sleep", "1000")
    c["linux"]["cgroupsPath"] = f"/caisson-test-sub-{os.getpid()}"
    oci("run", "-d", "-b", oci.bundle(c), "c1", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).ok()
    for sub, text in (("..", ".. is not a sub cgroup path"), ("nope", "/nope/cgroup.procs: no such file or directory"),
                      ("pids:nope", "adding pid "), ("whaaat:/x", "unknown controller")):
        r = oci("exec", "--cgroup", sub, "c1", "true")
        check(r.code == 255 and text in r.err, f"{sub}: {r.code} {r.err}")
    pids = pathlib.Path(f"/sys/fs/cgroup/pids/caisson-test-sub-{os.getpid()}")
    if pids.exists():
        (pids / "down").mkdir()
        for top in ("/", "pids:/"):
            check("/down" not in oci("exec", "--cgroup", top, "c1", "cat", "/proc/self/cgroup").ok().out, top)
        both = oci("exec", "--cgroup", "pids:down", "--cgroup", "devices:/", "c1", "cat", "/proc/self/cgroup").ok().out.splitlines()
        same([l for l in both if "down" in l], [l for l in both if ":pids:" in l], "places by controller")
        r = oci("exec", "-d", "--pid-file", oci.base / "x.pid", "--cgroup", "pids:down", "c1", "sleep", "100",
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).ok()
        same((pids / "down/cgroup.procs").read_text(), (oci.base / "x.pid").read_text().strip() + "\n", "where it is")
    oci("delete", "-f", "c1").ok()


@test(needs="root")
def exec_in_created_and_stopped(env):
    oci = Runtime(env)
    b = oci.bundle(None, "/bin/true")
    oci.create(b).ok()
    oci("exec", "c1", "echo", "early").ok(out="early\n")
    oci("start", "c1").ok()
    wait_for(lambda: oci.state()["status"] == "stopped", what="stopped")
    r = oci("exec", "c1", "true")
    check(r.code == 255 and "container not running" in r.err, r.err)
    oci("delete", "c1").ok()


@test(needs="root")
def list_and_state_as_json(env):
    oci = Runtime(env)
    oci("list").expect(1)  # as runc: a root that was named must be there
    check(not oci.root.exists(), "list made the state root")
    oci.root.mkdir()
    same(oci("list", "-f", "json").ok().out.strip(), "[]", "no container")
    c = spec("/bin/sleep", "1000")
    c["annotations"] = {"a.b": 'quote " and \n'}
    b = oci.bundle(c)
    for i in ("c1", "c2"):
        oci("run", "-d", "-b", b, i, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).ok()
    j = oci("list", "-f", "json").json()
    same(sorted((x["id"], x["status"]) for x in j), [("c1", "running"), ("c2", "running")], "list")
    same(sorted(oci("list", "-q").ok().out.split()), ["c1", "c2"], "ids")
    same(oci.state()["annotations"], {"a.b": 'quote " and \n'}, "annotations")
    for i in ("c1", "c2"):
        oci("delete", "-f", i).ok()


@test(needs="root")
def terminal_by_console_socket(env):
    oci = Runtime(env)
    c = spec("/bin/sh", "-c", "tty; stty size; test -c /dev/console && echo console; echo end")
    c["process"]["terminal"] = True
    c["process"]["consoleSize"] = {"height": 11, "width": 33}
    b = oci.bundle(c)
    check("console socket" in oci("create", "-b", b, "c1").err, "create without console socket")
    s = ConsoleSocket(oci.base / "console.sock")
    oci.create(b, "c1", "--console-socket", s.path).ok()
    fd = s.receive()
    oci("start", "c1").ok()
    out = b""
    try:
        while b"end" not in out:
            out += os.read(fd, 4096)
    except OSError:
        pass
    check(re.search(rb"/dev/pts/0\s+11 33\s+console\s+end", out), out)
    check(b"end\r\n" in out, f"whoever receives the terminal decides about its newlines, as with runc: {out}")
    os.close(fd)
    oci("delete", "-f", "c1").ok()


@test(needs="root")
def terminal_without_a_terminal_outside(env):
    oci = Runtime(env)
    c = spec("/bin/sh", "-c", "test -t 0 && test -t 1 && echo is a tty")
    c["process"]["terminal"] = True
    r = oci.run(c)
    check(r.code == 0 and "is a tty" in r.out, f"{r.code} {r.out} {r.err}")


@test(needs="root")
def exec_with_a_terminal(env):
    oci = Runtime(env)
    b = oci.bundle(None, "/bin/sleep", "1000")
    oci("run", "-d", "-b", b, "c1", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).ok()
    r = oci("exec", "-t", "c1", "sh", "-c", "tty && echo yes")
    check(r.code == 0 and "/dev/pts/" in r.out and "yes" in r.out, f"{r.code} {r.out} {r.err}")
    oci("delete", "-f", "c1").ok()


@test(needs="root")
def signals_reach_the_process_of_run(env):
    oci = Runtime(env)
    b = oci.bundle(None, "/bin/sh", "-c", "trap 'echo got; exit 9' TERM; echo ready; while :; do sleep 0.05; done")
    p = oci.start("run", "-b", b, "c1")
    p.until("ready\n")
    p.signal(signal.SIGTERM)
    r = p.finish()
    same((r.code, r.out), (9, "ready\ngot\n"), "result")


@test(needs="root")
def pause_and_resume(env):
    oci = Runtime(env)
    b = oci.bundle(None, "/bin/sh", "-c", "while :; do echo x >>/tmp/x; sleep 0.02; done")
    oci("run", "-d", "-b", b, "c1", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).ok()
    f = b / "rootfs/tmp/x"
    wait_for(lambda: f.exists() and f.stat().st_size > 4, what="it runs")
    oci("pause", "c1").ok()
    same(oci.state()["status"], "paused", "status")
    n = f.stat().st_size
    time.sleep(0.2)
    same(f.stat().st_size, n, "size while paused")
    r = oci("exec", "c1", "true")
    check(r.code == 255 and "paused" in r.err, r.err)
    oci("resume", "c1").ok()
    wait_for(lambda: f.stat().st_size > n, what="it goes on")
    oci("pause", "c1").ok()
    oci("delete", "-f", "c1").ok()


@test(needs="root")
def hooks_in_order_with_the_state(env):
    oci = Runtime(env)
    log = oci.base / "log"
    hook = oci.base / "hook"
    hook.write_text(f'#!/bin/sh\nstate=$(cat)\nprintf "%s %s\\n" "$1" "$state" >> {log}\n')
    hook.chmod(0o755)
    c = spec("/bin/sh", "-c", "true")
    c["hooks"] = {k: [{"path": str(hook), "args": ["hook", k], "env": [f"PATH={os.environ['PATH']}"]}]
                  for k in ("prestart", "createRuntime", "createContainer", "poststart", "poststop")}
    c["hooks"]["startContainer"] = [{"path": "/bin/sh", "args": ["sh", "-c", "cat > /tmp/start-container"]}]
    b = oci.bundle(c)
    oci.create(b).ok()
    same([line.split()[0] for line in log.read_text().splitlines()], ["prestart", "createRuntime", "createContainer"], "hooks of create")
    state = json.loads(log.read_text().splitlines()[1].partition(" ")[2])
    same((state["id"], state["bundle"], state["pid"]), ("c1", str(b), oci.state()["pid"]), "state")
    check(not (b / "rootfs/tmp/start-container").exists(), "startContainer ran early")
    oci("start", "c1").ok()
    wait_for(lambda: oci.state()["status"] == "stopped", what="stopped")
    same(json.loads((b / "rootfs/tmp/start-container").read_text())["status"], "created", "startContainer's state")
    oci("delete", "c1").ok()
    same([line.split()[0] for line in log.read_text().splitlines()],
         ["prestart", "createRuntime", "createContainer", "poststart", "poststop"], "all hooks")


@test(needs="root")
def a_failing_hook_undoes_everything(env):
    oci = Runtime(env)
    for kind in ("prestart", "createRuntime", "createContainer", "startContainer"):
        c = spec("/bin/true")
        c["hooks"] = {kind: [{"path": "/bin/sh", "args": ["sh", "-c", "echo because >&2; exit 4"]}]}
        r = oci.run(c)
        check(r.code == 1 and f"error running {kind} hook #0" in r.err and "because" in r.err, f"{kind}: {r.err}")
        check("does not exist" in oci("state", "c1").err, f"{kind}: it is there")
    c = spec("/bin/true")
    c["hooks"] = {"createRuntime": [{"path": "/bin/sleep", "args": ["sleep", "100"], "timeout": 1}]}
    r = oci.run(c)
    check(r.code == 1 and "did not end within 1 s" in r.err, r.err)


@test(needs="root", timeout=120)
def thirty_at_once(env):
    oci = Runtime(env)
    b = oci.bundle(None, "/bin/sh", "-c", "exit 0")
    ps = [subprocess.Popen(oci.argv(["run", "-b", b, f"p{i}"]), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) for i in range(30)]
    for p in ps:
        err = p.communicate(timeout=300)[1]
        same((p.returncode, err), (0, b""), "result")
    same([n for n in os.listdir(oci.root) if not n.startswith(".")], [], "state left")


@test(needs="root")
def a_killed_create_leaves_what_delete_can_remove(env):
    oci = Runtime(env)
    c = spec("/bin/true")
    c["hooks"] = {"createRuntime": [{"path": "/bin/sleep", "args": ["sleep", "30"]}]}
    b = oci.bundle(c)
    p = subprocess.Popen(oci.argv(["create", "-b", b, "c1"]), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    wait_for(lambda: (oci.root / "c1/config.json").exists(), what="config kept")
    time.sleep(0.3)
    r = oci("delete", "-f", "c1")
    check(r.code == 1 and "being created" in r.err, r.err)
    p.kill()
    p.wait()
    subprocess.run(["pkill", "-P", "1", "-x", "sleep"])  # the orphaned hook, inside this file's pid namespace
    oci("delete", "-f", "c1").ok()
    same(os.listdir(oci.root), [n for n in os.listdir(oci.root) if n.startswith(".")], "state left")


@test(needs="root")
def a_cgroup_that_was_killed_once_can_be_used_again(env):
    """Linux 6.18 kills what clone3(CLONE_INTO_CGROUP) puts there, by a count that is the cgroup's alone."""
    tree = next((l.split()[1] for l in open("/proc/mounts") if l.split()[2] == "cgroup2"), None)
    if not tree or not os.path.exists(f"{tree}/caisson-test-leaf/cgroup.kill"):
        skip("no cgroup v2 with cgroup.kill")
    oci = Runtime(env)
    place = pathlib.Path(tree, f"caisson-test-killed-{os.getpid()}")
    place.mkdir()
    (place / "cgroup.kill").write_text("1")
    c = spec("/bin/sleep", "100")
    c["linux"]["cgroupsPath"] = "/" + place.name
    oci("run", "-d", "-b", oci.bundle(c), "c1", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).ok()
    oci("exec", "c1", "true").ok()
    oci("delete", "-f", "c1").ok()
    check(not place.exists(), "cgroup left")


@test(needs="root")
def a_frozen_cgroup_is_refused_and_left(env):
    oci = Runtime(env)
    name = f"caisson-test-frozen-{os.getpid()}"
    for tree, file, text in (("/sys/fs/cgroup/freezer", "freezer.state", "FROZEN"), ("/sys/fs/cgroup/unified", "cgroup.freeze", "1"),
                             ("/sys/fs/cgroup", "cgroup.freeze", "1")):
        place = pathlib.Path(tree, name)
        if not pathlib.Path(tree, "cgroup.procs").exists():
            continue
        place.mkdir()
        (place / file).write_text(text)
        c = spec()
        c["linux"]["cgroupsPath"] = "/" + name
        r = oci.run(c)
        check(r.code == 1 and "container's cgroup unexpectedly frozen" in r.err, r.err)
        place.rmdir()


@test(needs="root")
def limits_and_freezing_on_a_hybrid_host(env):
    """cgroup v1 controllers beside a v2 mount without any: limits in the former, counting, killing and freezing by the latter."""
    v2 = pathlib.Path("/sys/fs/cgroup/unified")
    if not (v2 / "cgroup.procs").exists() or (v2 / "cgroup.controllers").read_text().strip():
        skip("the host has no v2 mount without controllers beside v1")
    oci, name = Runtime(env), f"caisson-test-hybrid-{os.getpid()}"
    c = spec("/bin/sleep", "1000")
    c["linux"]["cgroupsPath"] = "/" + name
    c["linux"]["resources"].update(memory={"limit": 64 << 20}, pids={"limit": 9}, cpu={"shares": 512})
    same(oci.create(oci.bundle(c)).code, 0, "create")
    oci("start", "c1").ok()
    mine = dict(line.split(":")[1:] for line in pathlib.Path(f"/proc/{oci.state()['pid']}/cgroup").read_text().splitlines())
    for controller in ("", "memory", "pids", "cpu", "devices"):
        check(mine[controller].endswith("/" + name), f"{controller or 'v2'}: {mine[controller]}")
    for tree, file, want in (("memory", "memory.limit_in_bytes", 64 << 20), ("pids", "pids.max", 9), ("cpu", "cpu.shares", 512)):
        same(pathlib.Path("/sys/fs/cgroup", tree, name, file).read_text().strip(), str(want), file)
    oci("pause", "c1").ok()
    check("frozen 1" in (v2 / name / "cgroup.events").read_text(), "frozen by v2")
    same(oci.state()["status"], "paused", "state")
    oci("resume", "c1").ok()
    numbers = oci("events", "--stats", "c1").json()["data"]
    same((numbers["memory"]["usage"]["limit"], numbers["pids"]["limit"]), (64 << 20, 9), "numbers")
    oci("kill", "c1", "KILL").ok()
    wait_for(lambda: oci.state()["status"] == "stopped")
    oci("delete", "c1").ok()
    same([str(p) for p in pathlib.Path("/sys/fs/cgroup").glob(f"*/{name}")], [], "cgroups left")


@test(needs="root")
def a_signal_ends_what_was_only_created(env):
    oci = Runtime(env)
    for sig in ("TERM", "INT", "HUP"):
        oci.create(oci.bundle(spec("/bin/sleep", "100")), "c1").ok()
        oci("kill", "c1", sig).ok()
        wait_for(lambda: oci.state()["status"] == "stopped", what=f"the end by {sig}")
        oci("delete", "c1").ok()


@test(needs="root")
def a_created_process_holds_no_descriptor_it_does_not_need(env):
    oci = Runtime(env)
    fds = [os.open("/", os.O_RDONLY) for _ in range(3)]
    for fd in fds:
        os.set_inheritable(fd, True)
    c = spec("/bin/ls", "/proc/self/fd")
    oci.create(oci.bundle(c), "c1", pass_fds=fds).ok()
    d = f"/proc/{oci.state()['pid']}/fd"
    held = {n: os.readlink(f"{d}/{n}") for n in os.listdir(d)}
    check(all(n in "012" or t.startswith("socket:") for n, t in held.items()) and len(held) <= 5, held)
    oci("start", "c1").ok()
    wait_for(lambda: oci.output().split() == ["0", "1", "2", "3"], what=f"descriptors: {oci.output()}")
    oci("delete", "-f", "c1").ok()
    for fd in fds:
        os.close(fd)


@test(needs="root")
def pidfd_socket_gets_a_pidfd(env):
    oci = Runtime(env)
    s = ConsoleSocket(oci.base / "pidfd")
    b = oci.bundle(spec("/bin/sleep", "100"))
    oci.create(b, "c1", "--pidfd-socket", s.path).ok()
    fd = s.receive()
    oci("start", "c1").ok()
    signal.pidfd_send_signal(fd, signal.SIGKILL)
    check(select.select([fd], [], [], 20)[0], "the pidfd does not become readable")
    os.close(fd)
    oci("delete", "-f", "c1").ok()


@test(needs="root")
def what_is_lost_is_warned_of_and_debug_says_more(env):
    oci = Runtime(env)
    c = spec("/bin/grep", "CapAmb", "/proc/self/status")
    c["process"]["capabilities"].update(inheritable=["CAP_KILL"], ambient=["CAP_KILL", "CAP_CHOWN"])
    r = oci.run(c).ok(out="CapAmb:\t0000000000000020\n")
    check("level=warning" in r.err and "can't raise ambient capability CAP_CHOWN: " in r.err and "CAP_KILL" not in r.err, r.err)
    check("level=debug" not in r.err, r.err)
    b = oci.bundle(spec())
    r = oci("--debug", "run", "-b", b, "c1").ok()
    check("level=debug" in r.err and "process" in r.err, r.err)
    log = oci.base / "log"
    r = oci("--debug", "--log", log, "--log-format", "json", "run", "-b", b, "c1").ok(err="")
    check(any(json.loads(l)["level"] == "debug" for l in log.read_text().splitlines()), log.read_text())


@test
def version_and_unknown_commands(env):
    oci = Runtime(env)
    out = oci("--version").ok().out.splitlines()
    check(re.fullmatch(r"caisson-oci version \d+\.\d+\.\d+ \(runc version \d+\.\d+\.\d+ command line\)", out[0]), out)
    check(out[1].startswith("commit: ") and re.fullmatch(r"spec: \d+\.\d+\.\d+", out[2]), out)
    r = oci("foo", "-h")
    check(r.code == 1 and "No help topic for 'foo'" in r.err, r.err)


@test(needs="root")
def errors_go_to_the_log_as_json(env):
    oci = Runtime(env)
    log = oci.base / "log.json"
    r = subprocess.run([oci.binary, "--root", oci.root, "--log", log, "--log-format", "json", "state", "nope"], capture_output=True, text=True)
    same(r.returncode, 1, "exit code")
    j = json.loads(log.read_text())
    check(j["level"] == "error" and "does not exist" in j["msg"] and j["time"], j)


@test(needs="root")
def update_and_events(env):
    oci = Runtime(env)
    oci("run", "-d", "-b", oci.bundle(None, "/bin/sleep", "100"), "c1", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).ok()
    oci("update", "c1", "--pids-limit", "7", "--memory", "64m", "--cpu-quota", "-1").ok()
    j = oci("events", "--stats", "c1").json()
    same((j["type"], j["id"], j["data"]["pids"]["limit"], j["data"]["memory"]["usage"]["limit"]), ("stats", "c1", 7, 64 << 20), "stats")
    check(j["data"]["pids"]["current"] == 1 and j["data"]["cpu"]["usage"]["total"] > 0, j)
    oci("update", "-r", "-", "c1", stdin=json.dumps({"pids": {"limit": 9}})).ok()
    same(oci("events", "--stats", "c1").json()["data"]["pids"]["limit"], 9, "limit")
    r = oci("update", "c1", "--memory", "lots")
    check(r.code == 1 and "memory" in r.err, r.err)
    p = oci.start("events", "--interval", "50ms", "c1")
    p.until('"type":"stats".*"type":"stats"')
    oci("delete", "-f", "c1").ok()
    same(p.finish().code, 0, "events at the end")


@test(needs="root")
def update_twice_by_a_controller_it_was_not_in(env):
    oci = Runtime(env)
    c = spec("/bin/sleep", "1000")
    c["linux"]["cgroupsPath"] = f"/caisson-test-twice-{os.getpid()}"
    oci("run", "-d", "-b", oci.bundle(c), "c1", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).ok()
    for cpus in ("0", "0"):
        oci("update", "--cpuset-cpus", cpus, "c1").ok()
    oci("delete", "-f", "c1").ok()
    check(not list(pathlib.Path("/sys/fs/cgroup").glob(f"*/caisson-test-twice-{os.getpid()}")), "delete left a cgroup")


@test
def spec_and_features(env):
    oci = Runtime(env)
    r = subprocess.run([oci.binary, "spec"], cwd=oci.base, capture_output=True, text=True)
    same((r.returncode, r.stderr), (0, ""), "spec")
    c = json.loads((oci.base / "config.json").read_text())
    same((c["process"]["args"], c["root"]["path"]), (["sh"], "rootfs"), "spec")
    check(subprocess.run([oci.binary, "spec"], cwd=oci.base, capture_output=True).returncode == 1, "config.json was overwritten")
    f = oci("features").json()
    check("rro" in f["mountOptions"] and "time" in f["linux"]["namespaces"] and f["linux"]["seccomp"]["enabled"], f)


main()
