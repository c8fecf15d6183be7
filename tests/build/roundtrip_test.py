#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
"""Images built here, pushed to a registry and saved to archives, run by docker, podman and buildah as the distribution has them: the same
output, the same configuration."""
import json, os, pathlib, shutil, subprocess

from build_context import context
from caisson_test import NEEDS, Failed, check, main, same, test, wait_for, which
from oci_image import registry

NEEDS["dockerd"] = lambda: which("dockerd", "docker", "containerd")
SHOW = "echo \"$0 $*\"; id -u; id -g; pwd; echo \"$A|$B\"; cat /data/f 2>&1; ls -ln /data | tail -n +2 | cut -c1-10"
# name: (Dockerfile behind FROM, arguments of the run)
IMAGES = {
    "shell": ("RUN mkdir /data && echo file > /data/f\nENV A=1 B=\"two words\"\nCMD " + SHOW, []),
    "exec": (f"COPY f /data/f\nENV A=x B=\nWORKDIR /work/dir\nUSER 12:34\nENTRYPOINT [\"/bin/sh\", \"-c\", {json.dumps(SHOW)}]\nCMD [\"zero\", \"default\"]", []),
    "given": (f"ADD --chown=3:4 --chmod=0600 f /data/f\nRUN ln /data/f /data/hard; ln -s f /data/link; mkfifo /data/pipe; chmod 4711 /data/hard\nENTRYPOINT [\"/bin/sh\", \"-c\", {json.dumps(SHOW)}, \"zero\"]\nCMD [\"not\", \"used\"]",
              ["these", "two words"]),
    "all": ("COPY f /data/f\nLABEL a=b \"c d\"=\"e f\"\nEXPOSE 80 53/udp\nVOLUME /vol\nSTOPSIGNAL SIGINT\nHEALTHCHECK --interval=7s --retries=2 CMD true\nSHELL [\"/bin/sh\", \"-ec\"]\nONBUILD RUN true\n"
            "USER nobody\nWORKDIR /tmp\nENV PATH=/bin:/usr/bin A=1\nCMD [\"sh\", \"-c\", \"touch /vol/x 2>/dev/null; id -un; pwd; cat /data/f\"]", []),
    "scratch": ("#scratch\nCOPY --from=base /bin/busybox /busybox\nCOPY f /data/f\nENTRYPOINT [\"/busybox\", \"cat\"]\nCMD [\"/data/f\"]", []),
}
KEYS = "Env Cmd Entrypoint User WorkingDir Labels ExposedPorts Volumes StopSignal Healthcheck".split()


def call(argv, env):
    p = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300, env=env)
    if p.returncode:
        raise Failed(f"{' '.join(map(str, argv))}: {p.stderr.decode()[-1500:]}")
    return p.stdout.decode()


def config(c):
    return {k: c.get(k) or None for k in KEYS}


class Podman:
    name = "podman"

    def __init__(self, env, dir):
        self.env = {**env.os_env, "TMPDIR": str(dir), "XDG_CONFIG_HOME": str(dir)}
        # Its run root may have 50 characters; /run is the test's own.
        self.argv = ["podman", "--root", dir / "root", "--runroot", "/run/rt", "--tmpdir", dir / "tmp", "--cgroup-manager=cgroupfs", "--events-backend=none", "--storage-driver=overlay"]
        self.dir = dir

    def call(self, *args):
        return call([*self.argv, *args], self.env)

    def pull(self, ref):
        self.call("pull", "-q", "--tls-verify=false", ref)

    def load(self, file):
        self.call("load", "-q", "-i", file)

    def run(self, ref, args):
        return self.call("run", "--rm", "--network=none", "--log-driver=none", ref, *args)

    def config(self, ref):
        i = json.loads(self.call("image", "inspect", ref))[0]
        return {**i["Config"], "Healthcheck": i.get("Healthcheck")}

    def remove(self, ref):
        self.call("rmi", "-f", ref)

    def stop(self):
        subprocess.run(["umount", "-l", self.dir / "root/overlay"], capture_output=True)


class Buildah(Podman):
    """It has no run of an image by itself: a container, its configured command, in a chroot."""
    name = "buildah"

    def __init__(self, env, dir):
        super().__init__(env, dir)
        self.env["BUILDAH_ISOLATION"] = "chroot"
        self.argv = ["buildah", "--root", dir / "root", "--runroot", dir / "run", "--storage-driver=overlay"]

    def load(self, file):
        self.call("pull", "-q", f"docker-archive:{file}")

    def run(self, ref, args):
        c = self.call("from", "--pull-never", ref).strip()
        p = self.config(ref)
        try:
            return self.call("run", c, "--", *(p.get("Entrypoint") or []), *(args or p.get("Cmd") or []))
        finally:
            self.call("rm", c)

    def config(self, ref):
        return json.loads(self.call("inspect", "--type=image", ref))["Docker"]["config"]


class Docker(Podman):
    name = "docker"

    def __init__(self, env, dir):
        super().__init__(env, dir)
        self.log = open(dir / "log", "wb")
        self.p = subprocess.Popen([str(a) for a in ["dockerd", "--data-root", dir / "data", "--exec-root", dir / "exec", "-p", dir / "pid", "-H", f"unix://{dir}/sock", "--bridge=none", "--iptables=false",
                                                    "--ip-masq=false"]], stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        self.argv = [shutil.which("docker"), "-H", f"unix://{dir}/sock"]
        wait_for(lambda: self.p.poll() is not None or subprocess.run([*self.argv, "version"], capture_output=True).returncode == 0, what="dockerd answers", every=0.1)
        check(self.p.poll() is None, f"dockerd ended: {(dir / 'log').read_text()[-500:]}")

    def pull(self, ref):
        self.call("pull", "-q", ref)

    def run(self, ref, args):
        return self.call("run", "--rm", "--network=none", ref, *args)

    def config(self, ref):
        return json.loads(self.call("image", "inspect", ref))[0]["Config"]

    def stop(self):
        self.p.terminate()
        self.p.wait(60)
        for line in reversed(open("/proc/self/mountinfo").readlines()):
            if line.split()[4].startswith(str(self.dir)):
                subprocess.run(["umount", "-l", line.split()[4]])


def remove_cgroups():
    def gone(d):
        try:
            os.rmdir(d)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True
    for name in ("docker", "libpod_parent", "machine.slice"):
        for top in pathlib.Path("/sys/fs/cgroup").glob(f"**/{name}"):
            for d, _, _ in os.walk(top, topdown=False):
                wait_for(lambda: gone(d), what=f"{d} is empty")


def round_trip(env, cls):
    dir = env.tmp / cls.name
    dir.mkdir()
    e = cls(env, dir)
    try:
        with registry(env) as host:
            for n, (name, (text, args)) in enumerate(IMAGES.items()):
                ref = f"{host}/built/{name}:1"
                base = "FROM caisson/tiny AS base\nFROM scratch\n" if text.startswith("#scratch") else "FROM caisson/tiny\n"
                env.run("build", "-q", "--network=none", "-t", ref, context(env, base + text + "\n", {"f": "contents\n"})).ok()
                ours = env.run("run", "--rm", "--network=none", ref, *args).ok().out
                wants = config(env.run("image", "inspect", ref).ok().json()[0]["Config"])
                if n % 2:
                    file = env.tmp / f"{cls.name}-{name}.tar"
                    env.run("save", "-o", file, ref).ok()
                    e.load(file)
                else:
                    env.run("push", "-q", ref).ok()
                    e.pull(ref)
                same(e.run(ref, args), ours, f"{e.name} runs {name}: its output")
                got = config(e.config(ref))
                if cls is not Docker:         # OCI's configuration has no health check, and they ask for OCI's
                    got["Healthcheck"] = wants["Healthcheck"]
                same(got, wants, f"{e.name} has {name}: its configuration")
                e.remove(ref)
    finally:
        e.stop()
        remove_cgroups()


@test(needs="root,registry,dockerd")
def docker_runs_them(env):
    round_trip(env, Docker)


@test(needs="root,registry,podman")
def podman_runs_them(env):
    round_trip(env, Podman)


@test(needs="root,registry,buildah")
def buildah_runs_them(env):
    round_trip(env, Buildah)


main()
