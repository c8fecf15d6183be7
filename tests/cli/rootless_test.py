# SPDX-License-Identifier: Apache-2.0
# timeout: 300
"""What only an ordinary user's engine has: its namespaces and who holds them, its way out, its ids."""
import contextlib, os, pathlib, re, select, signal, socket, subprocess, time

from caisson_test import LEAST, SUBIDS, USER, as_root, check, main, same, test, wait_for
from oci_image import free_port

T = "caisson/tiny"


def holder(env):
    pid, user, net = (env.run_root / "ns/holder").read_text().split()
    return int(pid), int(user), int(net)


@contextlib.contextmanager
def hidden(*paths):
    """Something of the host that this machine does not have for a while: an empty file is in its place."""
    with as_root():
        for p in paths:
            subprocess.run(["mount", "--bind", "/dev/null", p], check=True)
    try:
        yield
    finally:
        with as_root():
            for p in paths:
                subprocess.run(["umount", p], check=True)


def kill_wait(pid):
    """As root, for the process may be of another user; gone when this returns."""
    fd = os.pidfd_open(pid)
    with as_root():
        os.kill(pid, signal.SIGKILL)
    check(select.select([fd], [], [], LEAST)[0], "a killed process goes on")
    os.close(fd)


@test(needs="rootless")
def files_belong_to_the_users_own_ids(env):
    d = env.tmp / "ids"
    d.mkdir(mode=0o777)
    d.chmod(0o777)
    env.run("run", "--rm", "-v", f"{d}:/d", T, "sh", "-c", "touch /d/root; touch /d/nobody; chown 65534:65534 /d/nobody").ok()
    same([d.joinpath(n).stat().st_uid for n in ("root", "nobody")], [USER, SUBIDS + 65533], "owners")
    env.run("run", "--rm", "-v", f"{d}:/d", "-u", "65534", T, "touch", "/d/root").expect(1)


@test(needs="rootless")
def the_process_has_no_power_over_the_host(env):
    out = env.run("run", "--rm", T, "sh", "-c", "cat /proc/self/uid_map; cat /proc/self/status; ls /proc/1/root/").ok().out
    same(out.split()[:6], ["0", str(USER), "1", "1", str(SUBIDS), "65536"], "id map")
    check(re.search(r"^Groups:\s*$", out, re.M), "supplementary groups came along")


@test(needs="rootless")
def commands_share_one_pair_of_namespaces(env):
    env.run("run", "--rm", T, "true").ok()
    before = holder(env)
    env.run("run", "--rm", T, "true").ok()
    same(holder(env), before, "holder")
    cmd = pathlib.Path(f"/proc/{before[0]}/cmdline").read_bytes().split(b"\0")
    check(b"__hold" in cmd, f"the holder is {cmd}")


@test(needs="rootless")
def a_killed_holder_is_replaced_in_the_same_namespaces(env):
    env.run("run", "-d", "--name", "stays", "-p", "127.0.0.1:0:80", T, "sh", "-c", "mkdir /w; echo page > /w/index.html; httpd -f -p 80 -h /w").ok()
    pid, user, net = holder(env)
    kill_wait(pid)
    env.run("exec", "stays", "echo", "here").ok(out="here\n")
    new = holder(env)
    check(new[0] != pid, "the holder is the killed one")
    same(new[1:], (user, net), "namespaces")
    ip = env.run("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "stays").ok().out.strip()
    env.run("run", "--rm", T, "sh", "-c", f"n=0; until wget -qO- http://{ip}/index.html; do n=$((n+1)); test $n -lt 200 || exit 1; sleep 0.3; done").ok(out="page\n")
    env.run("rm", "-f", "stays").ok()


@test(needs="rootless")
def with_the_holder_and_all_instances_killed_the_next_command_begins_anew(env):
    env.run("run", "-d", "--name", "lost", T, "sleep", "1000").ok()
    pid, user, _ = holder(env)
    monitor = [int(p) for p in os.listdir("/proc") if p.isdigit() and b"caisson-monitor" in cmdline(p)]
    for p in (*monitor, pid):
        kill_wait(p)
    check("Exited (unknown)" in env.run("ps", "-a").ok().out, "the lost instance is not shown as ended")
    check(holder(env)[0] != pid, "no new holder")
    env.run("rm", "lost").ok()
    env.run("run", "--rm", T, "echo", "again").ok(out="again\n")


def cmdline(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def programs():
    return {cmdline(p).split(b"\0")[0].decode() for p in os.listdir("/proc") if p.isdigit()} & {"pasta", "slirp4netns"}


def end_programs(env):
    pid = int((env.run_root / "ns/outside").read_text().split()[0])
    kill_wait(pid)
    wait_for(lambda: not programs(), 5, "end of the way out")


@test(needs="rootless")
def pasta_or_slirp4netns_connects_the_network_and_a_dead_one_is_replaced(env):
    listen = socket.socket()
    listen.bind(("192.0.2.2", 0))
    listen.listen()
    for name, other in (("pasta", "slirp4netns"), ("slirp4netns", "pasta")):
        if not os.path.exists(f"/usr/bin/{name}"):
            continue
        if programs():
            end_programs(env)
        with hidden(*[p for p in (f"/usr/bin/{other}",) if os.path.exists(p)]):
            p = env.start("run", "--rm", T, "sh", "-c", f"echo hello | nc -w 60 192.0.2.2 {listen.getsockname()[1]}")
            listen.settimeout(LEAST)
            c, _ = listen.accept()
            same(c.recv(100), b"hello\n", f"what came through {name}")
            c.close()
            p.finish().ok()
            same(programs(), {name}, "way out")


@test(needs="rootless")
def networks_of_the_users_own(env):
    env.run("network", "create", "--subnet", "172.28.0.0/24", "red").ok()
    env.run("network", "create", "--subnet", "172.28.0.0/25", "blue").error(1, "overlaps", "'red'")
    env.run("run", "-d", "--name", "on-red", "--network", "red", "--ip", "172.28.0.9", T, "sh", "-c", "echo hi >/x; while :; do nc -l -p 80 </x; done").ok()
    env.run("run", "--rm", T, "nc", "-w", "1", "172.28.0.9", "80").expect(1)
    # Names, and a network that comes while it runs.
    check("172.28.0.9" in env.run("run", "--rm", "--network", "red", T, "nslookup", "on-red").ok().out, "a name of its network")
    env.run("run", "-d", "--name", "plain", T, "sleep", "1000").ok()
    env.run("network", "connect", "red", "plain").ok()
    check("172.28.0.9" in env.run("exec", "plain", "nslookup", "on-red").ok().out, "a name after connect")
    env.run("network", "disconnect", "red", "plain").ok()
    env.run("exec", "plain", "nslookup", "on-red").expect(1)
    env.run("rm", "-f", "plain").ok()
    get = "n=0; until nc -w 5 172.28.0.9 80; do n=$((n+1)); test $n -lt 200 || exit 1; sleep 0.2; done"
    env.run("run", "--rm", "--network", "red", T, "sh", "-c", get).ok(out="hi\n")
    env.run("rm", "-f", "on-red").ok()
    env.run("network", "rm", "red").ok(out="red\n")


@test(needs="rootless")
def without_either_program_bridge_is_refused_by_name_and_none_works(env):
    if programs():
        end_programs(env)
    with hidden(*[p for p in ("/usr/bin/pasta", "/usr/bin/slirp4netns") if os.path.exists(p)]):
        env.run("run", "--rm", T, "true").error(125, "passt", "slirp4netns", "--network none")
        env.run("run", "--rm", "--network", "none", T, "true").ok()
        env.run("run", "--rm", "--network", "host", T, "true").ok()
    env.run("run", "--rm", T, "true").ok()


@test(needs="rootless")
def ports_are_forwarded_both_protocols_and_sctp_is_refused(env):
    tcp, udp = free_port(), free_port()
    env.run("run", "-d", "--name", "pub", "-p", f"{tcp}:7", "-p", f"127.0.0.1:{udp}:7/udp", T, "sh", "-c",
            "nc -ll -p 7 -e cat").ok()

    def echo_tcp(host):
        with socket.create_connection((host, tcp), 30) as s:
            s.sendall(b"x" * 300000)
            s.shutdown(socket.SHUT_WR)
            got = b""
            while more := s.recv(65536):
                got += more
            return len(got) == 300000
    for host in ("127.0.0.1", "192.0.2.2"):
        wait_for(lambda: attempt(lambda: echo_tcp(host)), 10, f"echo by {host}")

    # Nothing in the image echoes datagrams: that one comes and goes is src/forward/relay_udp_test.c's.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        check(not attempt(lambda: s.bind(("127.0.0.1", udp)) or True), "the UDP port is nobody's")
    env.run("run", "--rm", "-p", f"{tcp}:7", T, "true").error(125, str(tcp), "in use")
    env.run("restart", "-t", "0", "pub").ok()
    wait_for(lambda: attempt(lambda: echo_tcp("127.0.0.1")), 10, "echo after a restart")
    env.run("rm", "-f", "pub").ok()
    env.run("run", "--rm", "-p", f"{tcp}:7/sctp", T, "true").error(125, "SCTP")
    env.run("run", "--rm", "-p", f"{tcp}:7", T, "true").ok()


def attempt(fn):
    try:
        return fn()
    except OSError:
        return False


@test(needs="rootless")
def limits_are_refused_where_no_cgroup_is_the_users(env):
    trees = [line.split()[4] for line in open("/proc/self/mountinfo") if " - cgroup" in line]
    own = {line.split(":")[1]: line.rstrip("\n").split(":", 2)[2] for line in open("/proc/self/cgroup")}
    paths = [p for t in trees for o in {"", *own.values()} for p in (t + o, t + o + "/caisson") if os.path.isdir(p)]
    with as_root():
        for p in paths:
            os.chown(p, 0, 0)
    try:
        for flag in (["--memory", "64m"], ["--cpus", "0.5"], ["--pids-limit", "50"]):
            env.run("run", "--rm", *flag, T, "true").error(125, "controllers")
        env.run("run", "--rm", T, "true").ok(err="")
        i = env.run("info", "--format", "json").ok().json()
        same(i["rootless"]["limits"], "", "limits")
        check(any("cgroup" in w for w in i["warnings"]), i["warnings"])
        doc = env.run("doctor", "--format", "json").ok().json()
        same([f["check"] for f in doc["findings"] if f["level"] == "weak"], ["no-limits"], "what doctor calls weak")
        env.run("run", "-d", "--name", "free", T, "sleep", "1000").ok()
        env.run("rm", "-f", "free").ok()
    finally:
        with as_root():
            for p in paths:
                os.chown(p, USER, USER)


@test(needs="rootless")
def ids_of_its_own_are_refused_where_the_kernel_does_not_shift_them_for_users(env):
    for mode in ("auto", "keep-id", "keep-id:uid=200,gid=200", "nomap"):
        r = env.run("run", "--rm", "--userns", mode, "--network", "none", T, "id")
        check(r.code == 0 or r.code == 125 and "cannot shift ids" in r.err, f"{mode}: {r.code} {r.err}")
    env.run("run", "--rm", "--userns", "auto:size=70000", "--network", "none", T, "id").error(125, "70000")


@test(needs="rootless")
def without_ranges_there_is_one_id_and_info_says_so(env):
    with hidden("/etc/subuid"):
        other = ["--root", str(env.tmp / "one/root"), "--run-root", str(env.tmp / "one/run")]

        def one(*args):
            return subprocess.run([env.binary, *other, *args], capture_output=True, text=True, env=env.os_env, stdin=subprocess.DEVNULL)
        r = one("run", "--rm", "--network", "none", T, "cat", "/proc/self/uid_map")
        same((r.returncode, r.stdout.split(), r.stderr), (0, ["0", str(USER), "1"], ""), "run")
        r = one("info")
        check("1 ids" in r.stdout and "one user id only" in r.stdout, r.stdout)
        r = one("run", "--rm", "--network", "none", "-u", "7", T, "true")
        check(r.returncode == 125 and "7" in r.stderr, r.stderr)


@test(needs="rootless")
def a_file_system_that_can_hold_no_writable_layer_is_named(env):
    """Here an overlay, as in a container; the layers themselves may lie there, and a root in memory needs no more."""
    d = env.tmp / "over"
    for name in ("lower", "upper", "work", "at"):
        (d / name).mkdir(parents=True)
    with as_root():
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", f"lowerdir={d}/lower,upperdir={d}/upper,workdir={d}/work", d / "at"], check=True)

    def one(*args):
        return subprocess.run([env.binary, "--root", d / "at/root", "--run-root", d / "run", *args], capture_output=True, text=True, env=env.os_env, stdin=subprocess.DEVNULL)
    try:
        r = one("--storage-driver=overlay", "run", "--name", "no", "--network", "none", T, "true")
        same(r.returncode, 125, "exit code")
        check(f"{d}/at/root/instances/" in r.stderr and "takes no writable layer on this file system (overlay)" in r.stderr, r.stderr)
        r = one("run", "--rm", "--read-only", "--network", "none", T, "echo", "reads")
        same((r.returncode, r.stdout, r.stderr), (0, "reads\n", ""), "run --read-only")
    finally:
        with as_root():
            subprocess.run(["umount", "-l", d / "at"], check=True)


@test(needs="rootless")
def a_run_root_that_others_may_write_is_refused(env):
    d = env.tmp / "open"
    d.mkdir()
    d.chmod(0o777)
    r = subprocess.run([env.binary, "--root", env.tmp / "r", "--run-root", d, "ps"], capture_output=True, text=True, env=env.os_env)
    same(r.returncode, 1, "exit code")
    check("does not belong to this user alone" in r.stderr, r.stderr)
    with as_root():
        os.chown(d, 0, 0)
        d.chmod(0o755)
    r = subprocess.run([env.binary, "--root", env.tmp / "r", "--run-root", d, "ps"], capture_output=True, text=True, env=env.os_env)
    check(r.returncode == 1 and "owner 0" in r.stderr, r.stderr)


@test(needs="rootless")
def the_default_roots_follow_xdg(env):
    home, run = env.tmp / "home", env.tmp / "xdg-run"
    home.mkdir(exist_ok=True)
    run.mkdir(mode=0o700, exist_ok=True)
    e = {**env.os_env, "HOME": str(home), "XDG_RUNTIME_DIR": str(run)}
    r = subprocess.run([env.binary, "ps"], capture_output=True, text=True, env=e)
    same((r.returncode, r.stderr), (0, ""), "ps")
    check((home / ".local/share/caisson/version").exists() and (run / "caisson/ns/holder").exists(), "state is elsewhere")
    r = subprocess.run([env.binary, "info"], capture_output=True, text=True, env={**e, "XDG_RUNTIME_DIR": "/proc", "XDG_DATA_HOME": str(home / "data")})
    check(f"/tmp/caisson-{USER}\n" in r.stdout and f"{home}/data/caisson\n" in r.stdout, r.stdout)
    subprocess.run(["rm", "-rf", f"/tmp/caisson-{USER}"], check=True)


@test(needs="rootless")
def what_is_saved_to_a_file_outside_the_store_arrives(env):
    env.run("save", "-o", env.tmp / "tiny.tar", T).ok()
    env.run("rmi", "-f", T).ok()
    env.run("load", "-i", env.tmp / "tiny.tar").ok()
    here = subprocess.run([*env.argv(["save", "-o", "here.tar", T])], cwd=env.tmp, env=env.os_env, capture_output=True, text=True)
    same((here.returncode, here.stderr), (0, ""), "save to a relative name")
    same((env.tmp / "here.tar").stat().st_uid, USER, "owner")


@test(needs="rootless")
def the_hosts_processes_are_seen_when_asked_for(env):
    me = str(os.getpid())
    out = env.run("run", "--rm", "--pid", "host", T, "sh", "-c", f"test -d /proc/{me} && echo seen; echo x >/proc/sysrq-trigger").expect(1).out
    same(out, "seen\n", "processes of the host")


@test(needs="rootless")
def commands_killed_at_any_moment_leave_nothing(env):
    env.run("run", "--rm", T, "true").ok()
    for i in range(40):
        p = env.start("run", "--rm", *(["-p", "80"] if i % 3 == 0 else []), T, "true")
        time.sleep(i * 0.0007)
        p.p.kill()
        p.p.wait()
    # The next command takes care of what the killed ones had begun.
    env.run("system", "prune", "-f").ok()
    wait_for(lambda: not [n for n in os.listdir(env.root / "instances")], 20, "the instances' end")
    env.run("system", "prune", "-f").ok()


@test(needs="rootless", timeout=200)
def two_hundred_come_and_go(env):
    with_port = free_port()
    for i in range(20):
        ps = [env.start("run", "--rm", *(["-p", f"{with_port}:80"] if k == 0 else []), T, "true") for k in range(10)]
        for p in ps:
            p.finish().ok(err="")
    # What is left is looked for after every test.
    wait_for(lambda: not list((env.run_root / "net/attached").iterdir()), 10, "attachments gone")


@test(needs="rootless")
def what_holds_the_namespaces_goes_when_nobody_needs_them(env):
    env.run("run", "--rm", T, "true").ok()
    pid = holder(env)[0]
    wait_for(lambda: not os.path.exists(f"/proc/{pid}"), 40, "the holder's end", every=0.5)
    wait_for(lambda: not programs(), what="the way out ends with it")
    check(not (env.run_root / "ns/holder").exists(), "the holder's record stayed")


@test(needs="rootless")
def the_store_is_served_and_copied(env):
    env.run("run", "--rm", T, "true").ok()
    name = env.run("images", "--format", "{{.Repository}}:{{.Tag}}").ok().out.split()[0]
    p = env.start("image", "serve", "--listen", "127.0.0.1:0", "--push")
    address = p.until(r"(\S+)\n")[1].decode()
    digest = env.run("copy", "-q", name, f"docker://{address}/served:1").ok().out
    env.run("run", "--rm", "served:1", "true").ok()
    env.run("copy", "-q", f"docker://{address}/served:1", f"oci:{env.tmp}/served:x").ok(out=digest)
    env.run("registry", "tags", f"{address}/served").ok(out="1\n")
    env.run("pull", "-q", f"{address}/served:1").ok()
    p.signal(signal.SIGTERM)
    same(p.finish().code, 0, "exit code")
    q = env.start("image", "serve", "--listen", "127.0.0.1:0")
    address = q.until(r"(\S+)\n")[1].decode()
    env.run("copy", "-q", f"docker://{address}/served:1", f"dir:{env.tmp}/served-dir").ok(out=digest)
    q.signal(signal.SIGTERM)
    same(q.finish().code, 0, "exit code")


@test(needs="rootless")
def pods_volumes_and_image_mounts_of_a_user(env):
    env.run("pod", "create", "--name", "up", "-p", "127.0.0.1::80", "-v", "upv:/s").ok()
    env.run("run", "-d", "--name", "upa", "--pod", "up", T, "sh", "-c", "echo page >/s/index.html; exec httpd -f -h /s").ok()
    env.run("run", "-d", "--name", "upb", "--pod", "up", T, "sleep", "1000").ok()
    ns = lambda n: env.run("exec", n, "sh", "-c", "for n in net ipc uts; do readlink /proc/self/ns/$n; done; hostname").ok().out
    same(ns("upa"), ns("upb"), "shared")
    wait_for(lambda: env.run("exec", "upb", "wget", "-qO-", "http://127.0.0.1/").out == "page\n", what="the neighbour's server")
    port = env.run("port", "up", "80").ok().out.strip().rsplit(":", 1)[1]
    wait_for(lambda: subprocess.run(["busybox", "wget", "-qO-", f"http://127.0.0.1:{port}/"], capture_output=True).stdout == b"page\n", what="the published port")
    env.run("pod", "rm", "-f", "-t", "0", "up").ok()
    env.run("volume", "export", "-o", env.tmp / "upv.tar", "upv").ok()
    env.run("volume", "create", "upw").ok()
    env.run("volume", "import", "upw", env.tmp / "upv.tar").ok()
    env.run("run", "--rm", "-v", "upw:/s", "--mount", f"type=image,source={T},target=/img", T, "sh", "-c", "cat /s/index.html; ls /img/bin | grep -x sh").ok(out="page\nsh\n")
    env.run("volume", "rm", "upv", "upw").ok()


@test(needs="rootless")
def networks_of_other_kinds(env):
    env.run("network", "create", "-d", "macvlan", "--subnet", "172.28.8.0/24", "inner").ok()
    env.run("run", "-d", "--name", "a", "--network", "inner", T, "sh", "-c", "mkdir -p /www; echo hello >/www/index.html; exec httpd -f -p 80 -h /www").ok()
    env.run("run", "--rm", "--network", "inner", T, "sh", "-c", "i=0; until wget -q -O- http://172.28.8.2/; do i=$((i+1)); [ $i -lt 200 ] || exit 1; sleep 0.1; done").ok(out="hello\n")
    env.run("rm", "-f", "a").ok()
    # The host's devices are not there, and plugins need root.
    env.run("network", "create", "-d", "macvlan", "-o", "parent=wan0", "lan").error(1, "'wan0'", "ordinary user")
    env.run("run", "--rm", "--network", "cni:any", T, "true", env={"NETCONFPATH": str(env.tmp)}).error(125, "no CNI network 'any'")
    (env.tmp / "any.conf").write_text('{"name": "any", "cniVersion": "0.4.0", "type": "bridge"}')
    env.run("run", "--rm", "--network", "cni:any", T, "true", env={"NETCONFPATH": str(env.tmp)}).error(125, "CNI plugins need root")
    # Rates are kept in the user's own network.
    env.run("run", "-d", "--name", "r", "--network-rate", "in=1m,out=128k", T, "sh", "-c", "mkdir -p /www; head -c 256k /dev/zero >/www/f; exec httpd -f -p 80 -h /www").ok()
    at = env.run("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "r").ok().out.strip()
    out = env.run("run", "--rm", T, "sh", "-c",
                  f"i=0; until wget -q -O /f http://{at}/f; do i=$((i+1)); [ $i -lt 200 ] || exit 1; sleep 0.1; done; cat /proc/uptime; wget -q -O /g http://{at}/f; cat /proc/uptime; wc -c </g").ok().out.split()
    took = float(out[2]) - float(out[0])
    same(out[4], str(256 << 10), "bytes")
    check(took >= (256 - 2 * 68) / 128, f"sent too fast: {took:.2f} s")
    env.run("rm", "-f", "r").ok()
    env.run("network", "rm", "inner").ok()


main(user=True)
