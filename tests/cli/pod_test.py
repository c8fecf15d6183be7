# SPDX-License-Identifier: Apache-2.0
# timeout: 300
"""`caisson pod`: podman's words; who shares what; lives and ends together, also by kill -9; nothing is left."""
import json, os, re, signal, subprocess

from caisson_test import check, main, same, test, wait_for

T = "caisson/tiny"
NEEDS = "root,netns"


def ns(env, name, *kinds):
    return env.run("exec", name, "sh", "-c", "for n in " + " ".join(kinds) + "; do readlink /proc/self/ns/$n; done").ok().out.split()


def status(env, pod):
    return env.run("pod", "inspect", "-f", "{{.State}}", pod).ok().out.strip()


def running(env):
    return sorted(env.run("ps", "--format", "{{.Names}}").ok().out.split())


@test(needs=NEEDS)
def containers_of_a_pod_share_net_ipc_and_uts(env):
    pod = env.run("pod", "create", "--name", "p", "--label", "a=b", "--add-host", "x:192.0.2.7").ok().out.strip()
    check(re.fullmatch("[0-9a-f]{64}", pod), pod)
    same(status(env, "p"), "Created", "state")
    env.run("run", "-d", "--name", "web", "--pod", "p", T, "httpd", "-f", "-p", "127.0.0.1:80", "-h", "/etc").ok()
    wait_for(lambda: env.run("run", "--rm", "--pod", "p", T, "wget", "-qO-", "http://127.0.0.1/hostname").out == "p\n", what="the neighbour's server")
    env.run("run", "-d", "--name", "two", "--pod", pod[:12], T, "sleep", "1000").ok()
    same(ns(env, "web", "net", "ipc", "uts"), ns(env, "two", "net", "ipc", "uts"), "shared")
    check(not set(ns(env, "web", "pid", "mnt", "cgroup")) & set(ns(env, "two", "pid", "mnt", "cgroup")), "not shared")
    env.run("exec", "web", "sh", "-c", "echo there >/dev/shm/f").ok()
    env.run("exec", "two", "sh", "-c", "cat /dev/shm/f; hostname; grep -c 192.0.2.7 /etc/hosts").ok(out="there\np\n1\n")
    doc = env.run("pod", "inspect", "p").ok().json()[0]
    same((doc["Id"], doc["Name"], doc["State"], doc["Labels"], doc["NumContainers"], doc["SharedNamespaces"], doc["Hostname"], doc["CreateInfra"], [c["Name"] for c in doc["Containers"]]),
         (pod, "p", "Running", {"a": "b"}, 3, ["ipc", "net", "uts"], "p", True, ["p", "web", "two"]), "inspect")
    same(doc["InfraConfig"]["Networks"], ["bridge"], "network")
    same(env.run("ps", "--pod", "--format", "{{.Names}} {{.PodName}} {{.Pod}}").ok().out.splitlines()[-1], f"p p {pod[:12]}", "ps --pod")
    check("POD ID" in env.run("ps", "-p").ok().out, "heading")
    same(env.run("ps", "-q", "--no-trunc", "--filter", "pod=p").ok().out.count("\n"), 3, "filter")
    env.run("pod", "rm", "p").error(1, "web", "--force")
    env.run("rm", "p").error(1, "pod rm")
    env.run("rm", "-f", "p").error(1, "pod rm")
    env.run("pod", "rm", "-f", "-t", "0", "p").ok(out="p\n")
    same(env.run("ps", "-aq").ok().out, "", "instances")
    env.run("pod", "exists", "p").expect(1, out="")


@test(needs=NEEDS)
def what_is_shared_is_said_at_its_making(env):
    env.run("pod", "create", "--share", "pid,uts", "--hostname", "hh", "sp").ok()
    env.run("run", "-d", "--name", "sa", "--pod", "sp", T, "sleep", "1000").ok()
    env.run("run", "-d", "--name", "sb", "--pod", "sp", "--network", "none", T, "sleep", "1001").ok()
    same(ns(env, "sa", "pid", "uts"), ns(env, "sb", "pid", "uts"), "shared")
    check(not set(ns(env, "sa", "net", "ipc")) & set(ns(env, "sb", "net", "ipc")), "not shared")
    env.run("exec", "sa", "sh", "-c", "hostname; ps | grep -c '[s]leep 100[01]'").ok(out="hh\n2\n")
    env.run("pod", "create", "--share", "none", "none").ok()
    env.run("pod", "create", "--network", "host", "hp").ok()
    env.run("run", "--rm", "--pod", "hp", T, "readlink", "/proc/self/ns/net").ok(out=os.readlink("/proc/self/ns/net") + "\n")
    env.run("pod", "create", "--infra=false", "bare").ok()
    env.run("run", "-d", "--name", "alone", "--pod", "bare", T, "sleep", "1000").ok()
    env.run("start", "bare").error(1, "without a process")
    same((status(env, "bare"), env.run("pod", "inspect", "-f", "{{.InfraContainerID}}{{.NumContainers}}", "bare").ok().out), ("Running", "1\n"), "bare")
    env.run("pod", "stop", "-t", "0", "bare").ok()
    same(status(env, "bare"), "Exited", "bare")
    env.run("pod", "start", "bare").ok()
    same(status(env, "bare"), "Running", "bare")
    env.run("pod", "rm", "-fa", "-t", "0").ok()


@test(needs=NEEDS)
def refused_before_anything_exists(env):
    env.run("pod", "create", "--name", "r", "-v", "vol:/v").ok()
    env.run("create", "--name", "inst", T, "true").ok()
    for words, code, said in (
            (["--share", "mnt"], 2, "mnt"), (["--share", "cgroup"], 1, "cgroup"), (["--name", "r"], 1, "r"), (["--name", "inst"], 1, "inst"), (["--name", "a/b"], 2, "a/b"),
            (["a", "--name", "b"], 2, "--name"), (["--infra=false", "-p", "80:80"], 2, "--publish"), (["--infra=false", "--isolation", "vm"], 2, "--isolation"), (["--memory", "64m"], 1, "--memory"),
            (["--network", "nosuch"], 1, "nosuch"), (["-p", "99999:1"], 2, "99999"), (["--label", "=x"], 2, "=x"), (["--restart", "perhaps"], 2, "perhaps"), (["--replace"], 2, "--replace")):
        env.run("pod", "create", *words).error(code, said)
    for words, said in ((["--network", "none"], "--network"), (["-p", "80:80"], "--publish"), (["--hostname", "h"], "--hostname"), (["--ipc", "host"], "--ipc"),
                        (["--userns", "auto"], "--userns"), (["--uts", "host"], "--uts"), (["--dns", "192.0.2.1"], "--dns"), (["--isolation", "vm"], "--isolation"), (["-P"], "--publish-all")):
        env.run("create", "--pod", "r", *words, T, "true").error(2, said, "--pod")
    env.run("create", "--pod", "nosuch", T, "true").error(125, "no such pod: nosuch")
    env.run("create", "--pod", "inst", T, "true").error(125, "no such pod: inst")
    env.run("create", "--pod", "new:", T, "true").error(2, "new:")
    env.run("run", "--pod", "new:fresh", "--pull", "never", "no/such/image", "true").error(125, "no/such/image")
    env.run("pod", "exists", "fresh").expect(1)
    for verb in ("start", "stop", "restart", "kill", "pause", "unpause", "rm", "inspect", "logs"):
        env.run("pod", verb, "inst").error(1, "no such pod: inst")
    env.run("pod", "rm", "-i", "nosuch").ok(out="nosuch\n")
    env.run("pod", "stop", "--ignore", "nosuch").ok()
    env.run("pod", "start").error(2, "no pod named")
    env.run("pod", "rm", "-a", "r").error(2, "--all")
    env.run("pod", "kill", "-s", "NOSUCH", "r").error(2, "NOSUCH")
    env.run("pod", "ps", "--filter", "size=1").error(2, "size=1")
    same(env.run("ps", "-a", "--format", "{{.Names}}").ok().out.split(), ["inst", "r"], "instances")
    env.run("pod", "rm", "r").ok()
    env.run("rm", "inst").ok()
    env.run("volume", "rm", "vol").ok()


@test(needs=NEEDS)
def verbs_reach_every_one_of_it(env):
    (env.tmp / "labels").write_text("from=file\n")
    pod = env.run("pod", "create", "--pod-id-file", env.tmp / "id", "--label-file", env.tmp / "labels", "-v", "shared:/s", "--name", "v").ok().out.strip()
    same((env.tmp / "id").read_text(), pod, "id file")
    env.run("pod", "create", "--pod-id-file", env.tmp / "id").error(1, "--pod-id-file")
    for n in "ab":
        env.run("create", "--name", n, "--pod", "v", T, "sh", "-c", f"echo out-{n}; echo {n} >/s/{n}; exec sleep 1000").ok()
    env.run("pod", "start", "--pod-id-file", env.tmp / "id").ok(out=pod + "\n")
    same((status(env, "v"), running(env)), ("Running", ["a", "b", "v"]), "started")
    wait_for(lambda: env.run("exec", "a", "cat", "/s/b").out == "b\n", what="the volume of the pod")
    wait_for(lambda: sorted(env.run("pod", "logs", "-n", "v").ok().out.split("\n")) == ["", "a out-a", "b out-b"], what="logs")
    env.run("pod", "logs", "-c", "a", "--tail", "1", "-t", "--since", "1h", "--until", "0s", "v").ok(out=re.compile(r"[0-9a-f]{12} 20\S+Z out-a\n"))
    env.run("pod", "logs", "-c", "nobody", "v").error(1, "nobody")
    env.run("pod", "pause", "v").ok()
    same((status(env, "v"), env.run("ps", "-q", "--filter", "status=paused").ok().out.count("\n")), ("Paused", 3), "paused")
    env.run("pod", "unpause", "v").ok()
    same(status(env, "v"), "Running", "unpaused")
    env.run("kill", "a").ok()
    env.run("wait", "a").ok()
    same((status(env, "v"), env.run("pod", "ps", "-q", "--filter", "status=degraded").ok().out), ("Degraded", pod[:12] + "\n"), "one of them ended")
    same(env.run("pod", "prune", "-f").ok().out, "", "pruned")
    env.run("pod", "restart", "-t", "0", "v").ok(out="v\n")
    same((status(env, "v"), running(env)), ("Running", ["a", "b", "v"]), "restarted")
    same(ns(env, "a", "net"), ns(env, "b", "net"), "again one network")
    env.run("pod", "kill", "-s", "TERM", "v").ok()
    env.run("wait", "v").ok(out="0\n")
    env.run("pod", "kill", "v").ok()
    env.run("wait", "a", "b").ok()
    same(status(env, "v"), "Exited", "killed")
    env.run("start", "a").ok()  # starts its pod
    same(running(env), ["a", "v"], "a and its pod")
    env.run("pod", "stop", "-t", "0", "-a").ok(out=pod + "\n")
    env.run("container", "prune", "-f").ok()
    lines = env.run("pod", "ps").ok().out.splitlines()
    same((lines[0].split()[:5], lines[1].split()[:3], len(lines)), (["POD", "ID", "NAME", "STATUS", "CREATED"], [pod[:12], "v", "Exited"], 2), "table")
    same(env.run("pod", "ls", "--format", "{{.Name}} {{.Labels}} {{.InfraId}} {{.NumberOfContainers}}", "-l", "--no-trunc", "-f", "label=from=file", "-f", "name=v", "-f", "id=" + pod[:5], "-f", "network=bridge").ok().out,
         f"v from=file {pod} 1\n", "row")
    same([p["Name"] for p in json.loads(env.run("pod", "ps", "--format", "json", "-f", "ctr-number=1").ok().out)], ["v"], "json")
    same(env.run("pod", "ps", "-q", "-f", "ctr-names=a").ok().out + env.run("pod", "ps", "-q", "-f", "ctr-ids=a").ok().out, "", "no member")
    env.run("pod", "create", "--replace", "--name", "v").ok()
    env.run("pod", "prune", "-f").ok(out=re.compile("[0-9a-f]{64}\n"))
    env.run("pod", "ps", "-q").ok(out="")
    env.run("volume", "rm", "shared").ok()


@test(needs=NEEDS)
def a_new_pod_takes_the_network_of_its_first_container(env):
    env.run("run", "-d", "--name", "first", "--pod", "new:np", "-p", "127.0.0.1::80", "--hostname", "nph", T, "httpd", "-f", "-h", "/etc").ok()
    port = env.run("port", "np", "80").ok().out.strip().rsplit(":", 1)[1]
    same(env.run("port", "first").ok().out, "", "ports are the pod's")
    wait_for(lambda: env.run("run", "--rm", "--network", "host", T, "wget", "-qO-", f"http://127.0.0.1:{port}/hostname").out == "nph\n", what="the published port")
    env.run("pod", "rm", "-f", "-t", "0", "np").ok()


@test(needs=NEEDS)
def a_killed_holder_is_seen_and_comes_back(env):
    env.run("pod", "create", "--name", "k").ok()
    env.run("run", "-d", "--name", "km", "--pod", "k", "--init", T, "sleep", "1000").ok()
    monitor = int(json.loads((env.root / "instances" / env.run("inspect", "-f", "{{.Id}}", "k").ok().out.strip() / "start.json").read_text())["monitor_pid"])
    os.kill(monitor, signal.SIGKILL)
    wait_for(lambda: status(env, "k") == "Degraded", what="the end of the holder")
    env.run("exec", "km", "true").ok()
    env.run("pod", "start", "k").ok()  # who lived in the old namespaces is started again in the new ones
    same((status(env, "k"), ns(env, "km", "net")), ("Running", ns(env, "k", "net")), "together again")
    env.run("pod", "stop", "-t", "0", "k").ok()
    env.run("pod", "rm", "k").ok()


@test(needs=NEEDS)
def its_restart_policy_is_for_those_that_have_none(env):
    env.run("pod", "create", "--restart", "on-failure:1", "rp").ok()
    env.run("create", "--name", "has", "--pod", "rp", "--restart", "no", T, "false").ok()
    env.run("create", "--name", "hasnot", "--pod", "rp", T, "false").ok()
    same([env.run("inspect", "-f", "{{.HostConfig.RestartPolicy.Name}}", n).ok().out for n in ("has", "hasnot")], ["no\n", "on-failure\n"], "policies")
    env.run("pod", "start", "rp").ok()
    wait_for(lambda: env.run("inspect", "-f", "{{.RestartCount}} {{.State.Status}}", "hasnot").out == "1 exited\n", what="one restart")
    env.run("pod", "rm", "-f", "-t", "0", "rp").ok()


@test(needs=NEEDS, timeout=120)
def many_at_once_make_one_holder(env):
    env.run("pod", "create", "m").ok()
    made = [subprocess.Popen(env.argv(("run", "-d", "--name", f"m{n}", "--pod", "m", T, "sleep", "1000")), env=env.os_env, stdout=subprocess.DEVNULL) for n in range(6)]
    same([p.wait() for p in made], [0] * 6, "exit codes")
    same((status(env, "m"), len({ns(env, f"m{n}", "net")[0] for n in range(6)})), ("Running", 1), "state, networks")
    env.run("pod", "rm", "-f", "-t", "0", "m").ok()


@test(needs=NEEDS + ",strace", timeout=200)
def killed_at_every_step(env):
    """kill -9 at the n-th of each call that changes something: the next command works, and in the end nothing is left."""
    env.run("run", "--rm", T, "true").ok()
    killed = {}
    for words, calls in ((["pod", "create", "-v", "pv:/v", "kp"], ("mkdirat", "symlinkat", "renameat", "flock")), (["run", "-d", "--pod", "kp", "--name", "km", "-v", "pv:/w", T, "sleep", "1000"], (
            "mkdirat", "symlinkat", "renameat", "flock", "memfd_create", "socketpair", "openat2", "setns")), (["pod", "rm", "-f", "-t", "0", "kp"], ("flock", "unlinkat", "renameat", "connect"))):
        for call in calls:
            for n in (1, 2, 4):
                if words[1] != "create":
                    env.run("pod", "create", "-v", "pv:/v", "kp").ok()
                if words[1] == "rm":
                    env.run("run", "-d", "--pod", "kp", "--name", "km", T, "sleep", "1000").ok()
                p = subprocess.run(["strace", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={n}", *env.argv(words)], capture_output=True, env=env.os_env)
                killed[words[1]] = killed.get(words[1], 0) + (p.returncode in (-9, 137))
                said = f"{words} {call} {n}"
                env.run("ps", "-a").ok()
                check(env.run("pod", "ps", "--format", "{{.Name}}").ok().out in ("kp\n", ""), said)
                env.run("pod", "rm", "-fi", "-t", "0", "kp").ok()
                same(env.run("ps", "-aq").ok().out, "", said)
    check(min(killed.values()) >= 5, f"killed: {killed}")
    env.run("system", "prune", "-f").ok()
    env.run("volume", "rm", "-f", "pv").ok()


main()
