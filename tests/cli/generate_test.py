# SPDX-License-Identifier: Apache-2.0
# timeout: 180
"""`caisson generate systemd`: systemd finds nothing wrong with the unit; its commands do what they say; --new asks for the same again."""
import json, os, pathlib, re, shutil, signal, subprocess, tempfile

from caisson_test import check, main, same, test, wait_for

T = "caisson/tiny"
ODD = "a b\t\"q\" \\ %n $HOME ${X} 'x'\né;"


def words(line):
    """A line as systemd.syntax(7) reads it, as far as we write it."""
    out = []
    for quoted, bare in re.findall(r' *(?:"((?:[^"\\]|\\.)*)"|([^" ]+))', line):
        w = re.sub(r"\\(x..|.)", lambda m: chr(int(m[1][1:], 16)) if m[1][0] == "x" else m[1], quoted or bare)
        out.append(w.replace("%%", "%").replace("$$", "$"))
    return out


def lines(unit):
    return [l.partition("=")[::2] for l in unit.splitlines() if "=" in l]


def command(env, unit, key):
    """The command without program and roots, which are this test's own."""
    w = words(dict(lines(unit))[key].lstrip("-"))
    same(w[1:5], ["--root", str(env.root), "--run-root", str(env.run_root)], "roots")
    return w[5:]


def verified(env, unit):
    f = env.base / "caisson-x.service"
    f.write_text(unit)
    r = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(f)], capture_output=True, text=True)
    same((r.returncode, [l for l in r.stderr.splitlines() if "caisson" in l]), (0, []), "systemd-analyze verify")
    f.unlink()


def as_systemd_reads(env, unit):
    """The words of ExecStart= as systemd's own parser tells them, which makes one '$' of two only when it runs them."""
    d = pathlib.Path(tempfile.mkdtemp(prefix="caisson-unit-"))
    try:
        for n in ("basic", "sysinit", "shutdown", "default"):
            (d / f"{n}.target").write_text("[Unit]\nDefaultDependencies=no\n")
        (d / "caisson-x.service").write_text(unit)
        (d / "systemd").mkdir()
        for x in (d, d / "systemd"):
            os.chown(x, 65534, 65534)
        # It refuses its test mode to root.
        r = subprocess.run(["/lib/systemd/systemd", "--test", "--user", "--unit=caisson-x.service"], capture_output=True, text=True, user=65534, group=65534, extra_groups=[],
                           cwd="/", env={"XDG_RUNTIME_DIR": str(d), "SYSTEMD_UNIT_PATH": str(d), "HOME": str(d), "LANG": "C.UTF-8"}, timeout=300)
        line = re.search(r"-> ExecStart:\n\s*Command Line: (.*)", r.stdout)
        check(line, f"systemd read no command: {r.stdout[-300:]} {r.stderr[-300:]}")
    finally:
        shutil.rmtree(d)
    named = {"n": b"\n", "t": b"\t", "a": b"\a", "b": b"\b", "f": b"\f", "r": b"\r", "v": b"\v"}
    out = []
    for quoted, bare in re.findall(r' *(?:"((?:[^"\\]|\\.)*)"|([^" ]+))', line[1]):
        w = re.sub(rb"\\(x..|[0-7]{3}|.)", lambda m: bytes([int(m[1][1:], 16)]) if m[1][:1] == b"x" else bytes([int(m[1], 8)]) if m[1].isdigit() else named.get(m[1].decode(), m[1]),
                   (quoted or bare).encode())
        out.append(w.decode().replace("$$", "$"))
    return out


def request(env, name):
    i = env.run("inspect", "-f", "{{.Id}}", name).ok().out.strip()
    doc = json.loads((env.root / "instances" / i / "record.json").read_text())
    r = doc["request"]
    r = json.loads(r) if isinstance(r, str) else r
    r.pop("name", None)
    return r


@test(needs="root,systemd")
def a_unit_stands_in_front_of_an_instance(env):
    env.run("create", "--name", "web", "--network", "none", "--stop-timeout", "3", T, "sh", "-c", "trap 'exit 143' TERM; echo up; while :; do sleep 0.05; done").ok()
    unit = env.run("generate", "systemd", "--name", "web").ok(err="").out
    verified(env, unit)
    got = dict(lines(unit))
    same([got.get(k) for k in ("Restart", "RestartSec", "TimeoutStopSec", "KillMode", "WantedBy", "After")],
         ["on-failure", None, "23", "process", "multi-user.target", "network-online.target local-fs.target"], "settings")
    same(command(env, unit, "ExecStop"), ["stop", "web"], "stop")
    same(command(env, unit, "ExecStopPost"), ["stop", "web"], "after the stop")
    for _ in range(2):
        p = env.start(*command(env, unit, "ExecStart"))
        p.until("up")
        env.run(*command(env, unit, "ExecStop")).ok()
        same(p.finish().code, 143, "exit code in front")
        env.run(*command(env, unit, "ExecStopPost")).ok()
    # The command in front is killed: what systemd runs then ends the instance.
    p = env.start(*command(env, unit, "ExecStart"))
    p.until("up")
    p.signal(signal.SIGKILL)
    p.finish()
    env.run(*command(env, unit, "ExecStopPost")).ok()
    same(env.run("inspect", "-f", "{{.State.Status}}", "web").out, "exited\n")
    i = env.run("inspect", "-f", "{{.Id}}", "web").out.strip()
    unit = env.run("generate", "systemd", "--restart-policy", "always", "--restart-sec", "7", "--time", "-1", "web").ok().out
    verified(env, unit)
    got = dict(lines(unit))
    same([got[k] for k in ("Restart", "RestartSec", "TimeoutStopSec")], ["always", "7", "infinity"], "as asked")
    same(command(env, unit, "ExecStop"), ["stop", "--time", "-1", i], "by its id")
    for more, want in (([], None), (["--restart-sec", "-1"], None), (["--restart-sec", "0"], "0")):
        unit = env.run("generate", "systemd", *more, "web").ok().out
        verified(env, unit)
        same(dict(lines(unit)).get("RestartSec"), want, f"RestartSec with {more}")
    env.run("generate", "systemd", "--restart-sec", "-2", "web").error(2, "--restart-sec")
    env.run("rm", "web").ok()


@test(needs="root,systemd")
def a_new_one_is_asked_for_as_the_old(env):
    opts = ["--network", "none", "-e", "ODD=" + ODD, "-e", "EMPTY=", "-l", "a=b c", "-w", "/tmp", "-u", "5:6", "--hostname", "h", "--group-add", "7", "--read-only", "--init", "-i",
            "-v", "/usr:/host:ro", "--mount", "type=tmpfs,target=/m", "--tmpfs", "/t:size=1m", "--shm-size", "8m", "--expose", "80", "--dns", "192.0.2.1", "--dns-search", "x.test",
            "--dns-option", "ndots:2", "--add-host", "a:192.0.2.2", "--memory", "64m", "--pids-limit", "77", "--ulimit", "nofile=100:200", "--oom-score-adj", "5", "--ipc", "private",
            "--cap-add", "NET_ADMIN", "--cap-drop", "CHOWN", "--security-opt", "no-new-privileges", "--sysctl", "net.ipv4.ip_forward=1", "--cgroupns", "host",
            "--annotation", "k=v", "--log-driver", "local", "--log-opt", "max-size=1m", "--health-cmd", "test -e /x && $Y", "--health-interval", "1.5s", "--health-retries", "4",
            "--stop-signal", "INT", "--stop-timeout", "9", "--cpus", "0.5", "--device", "/dev/null:/dev/n:r", "--entrypoint", "sh"]
    env.run("create", "--name", "old", *opts, T, "-c", ODD, "").ok()
    unit = env.run("generate", "systemd", "--new", "-t", "4", "old").ok(err="").out
    verified(env, unit)
    same([command(env, unit, k) for k in ("ExecStartPre", "ExecStop", "ExecStopPost")], [["rm", "--force", "old"], ["stop", "--time", "4", "old"], ["rm", "--force", "old"]], "around it")
    run = command(env, unit, "ExecStart")
    same(run[:4], ["run", "--rm", "--name", "old"], "ExecStart")
    same(as_systemd_reads(env, unit)[5:], run, "the words as systemd reads them")
    env.run("create", "--name", "again", *run[4:]).ok()
    same(request(env, "again"), request(env, "old"), "the request")
    env.run("create", "--name", "v", "--isolation", "vm", "--uts", "", T, "true").ok()
    check("--isolation=vm" in command(env, env.run("generate", "systemd", "--new", "v").ok().out, "ExecStart"), "a vm")
    env.run("rm", "old", "again", "v").ok()


@test(needs="root,systemd")
def its_commands_replace_what_has_the_name(env):
    env.run("create", "--name", "n", "--rm", "--network", "none", T, "sh", "-c", "echo up; exit 5").ok()
    unit = env.run("generate", "systemd", "--new", "n").ok().out
    for _ in range(2):
        env.run(*command(env, unit, "ExecStartPre"))
        env.run(*command(env, unit, "ExecStart")).expect(5, out="up\n")
    same(env.run("ps", "-aq").ok().out, "", "left")


@test(needs="root")
def what_no_unit_can_keep_is_refused(env):
    for name, opts, said in (("p", ["--restart", "always"], ["restart policy always", "update --restart no p"]), ("g", ["--rm"], ["--rm", "--new"]), ("i", ["-it"], ["terminal"])):
        env.run("create", "--name", name, "--network", "none", *opts, T, "true").ok()
        env.run("generate", "systemd", name).error(1, f"'{name}'", *said)
    env.run("generate", "systemd", "nope").error(1, "nope")
    env.run("generate", "systemd").error(2, "usage")
    env.run("generate", "systemd", "--restart-policy", "sometimes", "p").error(2, "--restart-policy", "sometimes")
    env.run("generate", "systemd", "--time", "-3", "p").error(2, "--time")
    env.run("rm", "p", "g", "i").ok()


main()
