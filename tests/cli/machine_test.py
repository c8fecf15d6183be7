# SPDX-License-Identifier: Apache-2.0
# timeout: 400
"""Containers in a VM: `run --in MACHINE`, and pods that are one machine."""
import json, os, re, signal

from caisson_test import check, main, same, test, wait_for

T = "caisson/tiny"
NEEDS = "root,netns,qemu,kernel"


def state(env, name):
    return env.run("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", name).ok().out.strip()


@test(needs=NEEDS, timeout=380)
def containers_in_a_running_machine(env):
    env.run("run", "-d", "--name", "mach", "--isolation", "vm", "-v", "both:/data", "--hostname", "machine", T, "sh", "-c", "echo main >/data/main; exec sleep 10000").ok()
    kernel = env.run("exec", "mach", "sh", "-c", "cat /proc/version; readlink /proc/self/ns/net").ok().out
    # Its own kernel and network are the machine's, all else is the container's own.
    env.run("run", "--rm", "--in", "mach", T, "sh", "-c", "cat /proc/version; readlink /proc/self/ns/net").ok(out=kernel)
    env.run("run", "--rm", "-i", "--in", "mach", "--hostname", "inner", "-e", "K=v", "-w", "/tmp", T, "sh", "-c", "hostname; echo $K; pwd; ps | grep -c '[s]leep 10000'; cat; echo err >&2; exit 7", stdin="in\n").expect(
        7, out="inner\nv\n/tmp\n0\nin\n", err="err\n")
    text = "".join(f"{n:015d}\n" for n in range(40000))
    env.run("run", "--rm", "-i", "--in", "mach", T, "cat", stdin=text).ok(out=text)
    env.run("run", "--rm", "--in", "mach", T, "nothere").expect(127)
    env.run("run", "--rm", "--in", "mach", "-m", "32m", "--pids-limit", "20", T, "sh", "-c", "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max").ok(out=f"{32 << 20}\n20\n")
    # The same commands.
    env.run("run", "-d", "--name", "one", "--in", "mach", "-v", "both:/d:ro", T, "sh", "-c", "trap 'exit 3' TERM; echo begin; cat /d/main; sleep 10000 & wait").ok()
    env.run("run", "-d", "--name", "two", "--in", "mach", "--init", T, "sleep", "10000").ok()
    wait_for(lambda: env.run("logs", "one").out == "begin\nmain\n", what="the log")
    env.run("exec", "-i", "one", "sh", "-c", "cat; hostname; ! echo x >/d/x && echo kept >/kept", stdin="to it\n").expect(0, out=re.compile("to it\n[0-9a-f]{12}\n"))
    same(sorted(env.run("ps", "--format", "{{.Names}} {{.Isolation}}").ok().out.split("\n")), ["", "mach vm", "one vm", "two vm"], "ps")
    same(env.run("inspect", "-f", "{{.Machine}}", "one").ok().out, env.run("inspect", "-f", "{{.Id}}", "mach").ok().out, "inspect")
    env.run("cp", "one:/kept", env.tmp / "kept").ok()
    same((env.tmp / "kept").read_text(), "kept\n", "cp")
    env.run("pause", "two").error(1, "machine")
    env.run("top", "two").error(1, "machine")
    env.run("diff", "two").error(1, "machine")
    env.run("export", "-o", env.tmp / "two.tar", "two").ok()
    env.run("stop", "-t", "60", "one").ok()
    same(state(env, "one"), "exited 3", "stopped")
    env.run("start", "one").ok()
    env.run("exec", "one", "cat", "/kept").ok(out="kept\n")  # what it changed is there
    # A killed monitor leaves no container behind, and the next command says so.
    doc = json.loads((env.root / "instances" / env.run("inspect", "-f", "{{.Id}}", "two").ok().out.strip() / "start.json").read_text())
    os.kill(int(doc["monitor_pid"]), signal.SIGKILL)
    wait_for(lambda: state(env, "two") == "exited 255", what="the end that nobody saw")
    env.run("start", "two").ok()
    env.run("rm", "-f", "two").ok()
    # Refused, by name.
    env.run("create", "--name", "plain", T, "true").ok()
    for words, code, said in ((["--in", "nosuch"], 125, "nosuch"), (["--in", "plain"], 2, "plain"), (["--in", "one"], 2, "one"), (["--in", "mach", "-p", "1:1"], 2, "--publish"), (["--in", "mach", "--network", "none"], 2, "--network"),
                              (["--in", "mach", "-v", "other:/o"], 125, "other"), (["--in", "mach", "-v", "/tmp:/o"], 125, "/o"), (["--in", "mach", "--device", "/dev/null"], 2, "--device")):
        env.run("create", *words, T, "true").error(code, said if said != "other" else "/o")
    # The machine ends, and with it what runs in it.
    env.run("stop", "-t", "0", "mach").ok()
    wait_for(lambda: state(env, "one") == "exited 137", what="the end of what ran in it")
    env.run("start", "one").error(1, "mach", "not running")
    env.run("start", "mach").ok()
    env.run("start", "one").ok()
    env.run("exec", "one", "cat", "/kept").ok(out="kept\n")
    env.run("rm", "-f", "one", "mach", "plain").ok()
    env.run("volume", "rm", "both").ok()


@test(needs=NEEDS, timeout=300)
def a_pod_that_is_one_machine(env):
    pod = env.run("pod", "create", "--name", "vp", "--isolation", "vm", "--memory", "256m", "-p", "127.0.0.1::80", "-v", "shared:/s").ok().out.strip()
    env.run("run", "-d", "--name", "web", "--pod", "vp", T, "httpd", "-f", "-h", "/s").ok()
    env.run("run", "-d", "--name", "side", "--pod", "vp", T, "sh", "-c", "echo page >/s/index.html; exec sleep 10000").ok()
    same(env.run("inspect", "-f", "{{.Isolation}} {{.Machine}}", "web").ok().out, f"vm {pod}\n", "inspect")
    where = lambda n: env.run("exec", n, "sh", "-c", "for n in net ipc uts; do readlink /proc/self/ns/$n; done; hostname; cat /proc/version").ok().out
    same(where("web"), where("side"), "shared")
    check(env.run("exec", "web", "cat", "/proc/version").ok().out != open("/proc/version").read(), "a kernel of its own")
    env.run("exec", "web", "sh", "-c", "echo there >/dev/shm/f").ok()
    env.run("exec", "side", "cat", "/dev/shm/f").ok(out="there\n")
    port = env.run("port", "vp", "80").ok().out.strip().rsplit(":", 1)[1]
    wait_for(lambda: env.run("run", "--rm", "--network", "host", T, "wget", "-qO-", f"http://127.0.0.1:{port}/").out == "page\n", what="the published port")
    same(env.run("pod", "inspect", "-f", "{{.State}} {{.Isolation}} {{.NumContainers}}", "vp").ok().out, "Running vm 3\n", "pod")
    env.run("pod", "pause", "vp").ok()
    same(env.run("pod", "inspect", "-f", "{{.State}}", "vp").ok().out, "Paused\n", "paused")
    env.run("pod", "unpause", "vp").ok()
    env.run("exec", "side", "true").ok()
    env.run("pod", "stop", "-t", "0", "vp").ok()
    same(env.run("ps", "-q").ok().out, "", "running")
    env.run("pod", "start", "vp").ok()
    same(env.run("pod", "inspect", "-f", "{{.State}}", "vp").ok().out, "Running\n", "started again")
    env.run("pod", "rm", "-f", "-t", "0", "vp").ok()
    env.run("volume", "rm", "shared").ok()


main()
