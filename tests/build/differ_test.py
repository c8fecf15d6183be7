#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 600
"""Every Dockerfile of tests/build/corpus, built by caisson and by the builders of others: the same files, the same
configuration.

A builder is buildah, docker's own of old ("classic") and BuildKit, as the distribution has them.  NAME.peer says the same as
NAME.Dockerfile in words that a builder knows which does not know those yet.  Lines of a corpus file that begin with "#:":

    #: args --build-arg A=1             options of the build
    #: ignore *.txt                     a line of .dockerignore
    #: not buildah: why                 it gets NAME.peer, or nothing
    #: differs buildah file /x*: why    a difference that is there, and must be; "config.Env" instead of "file /x*"
"""
import collections, concurrent.futures, fnmatch, gzip, hashlib, io, json, os, pathlib, re, shutil, stat, subprocess, sys, tarfile, time, zlib

from caisson_test import NEEDS, TOP, Failed, check, main, same, skip, test, wait_for, which

NEEDS["dockerd"] = lambda: which("dockerd", "docker", "containerd")
CORPUS = TOP / "tests/build/corpus"
BASE, ONBUILD = "localhost/corpus/base:1", "localhost/corpus/onbuild:1"
OLD = 1577934245                         # of everything in the context and the base
CONFIG = "Env Cmd Entrypoint User WorkingDir Labels ExposedPorts Volumes StopSignal Healthcheck OnBuild Shell".split()
WORKERS = 3


def call(argv, **kw):
    p = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, **kw)
    return p.returncode, p.stdout.decode(errors="replace")


def good(argv, **kw):
    code, out = call(argv, **kw)
    if code:
        raise Failed(f"{' '.join(map(str, argv))}: {out[-1500:]}")
    return out


# ---- the corpus ----

class Case:
    def __init__(self, path):
        self.path, self.name = path, path.stem
        self.peer = path.with_suffix(".peer")
        self.args, self.ignore, self.lacks, self.differs = [], [], {}, []
        for f in (path, self.peer):
            for line in f.read_text().splitlines() if f.exists() else ():
                if line.startswith("#: "):
                    self.word(line[3:])

    def word(self, line):
        kind, rest = line.split(" ", 1)
        if kind == "args":
            self.args = rest.split()
        elif kind == "ignore":
            self.ignore.append(rest)
        elif kind == "not":
            who, why = rest.split(": ", 1)
            self.lacks.update({w: why for w in who.split(",")})
        elif kind == "differs":
            m = re.fullmatch(r"(\S+) (file \S+|config\.\S+): (.+)", rest)
            check(m, f"{self.name}: what is {line!r}?")
            self.differs += [(who, m[2]) for who in m[1].split(",")]
        else:
            raise Failed(f"{self.name}: what is {line!r}?")

    def file_for(self, who):
        # Each RUN of the old builder is a container of its own, and slow: it gets those that are about something else.
        if who == "classic" and re.search(r"^\s*run ", self.path.read_text(), re.M | re.I) and not any(w == who for w, _ in self.differs):
            return None
        return self.path if who not in self.lacks else self.peer if self.peer.exists() else None


def corpus():
    return [Case(p) for p in sorted(CORPUS.glob("*.Dockerfile"))]


def archive(names):
    """One of odd things; its entries have owners of their own."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as t:
        for name, kind, kw in names:
            i = tarfile.TarInfo(name)
            i.mtime, i.uid, i.gid, i.type = 1500000000, 21, 22, kind
            for k, v in kw.items():
                setattr(i, k, v)
            data = b"in the archive\n" if kind == tarfile.REGTYPE else b""
            i.size = len(data)
            t.addfile(i, io.BytesIO(data))
    return out.getvalue()


def make_context(d):
    def put(name, data="", mode=0o644):
        p = d / name
        p.parent.mkdir(parents=True, exist_ok=True)
        p.write_bytes(data if isinstance(data, bytes) else data.encode())
        p.chmod(mode)

    for n in ("a.txt", "b.txt", "val.txt", "dir/x", "dir/y", "dir/.hidden", "dir/sub/z", "dir2/w", "src/a.c", "src/b.c", "src/c.h", "deep/1/2/3/f",
              "deep/4/2/g", "with space", "wild[1].txt", "wild1.txt", "umläut", "links/dir/x", "links/file", "links/hard1"):
        put(n, f"{n}\n")
    put("run.sh", "#!/bin/sh\n", 0o755)
    for mode in (0o4755, 0o2755, 0o600, 0o444, 0o777, 0o000):
        put(f"modes/{mode:04o}", "m", mode)
    for name, mode in (("modes/sticky", 0o1777), ("modes/private", 0o700), ("empty", 0o750)):
        (d / name).mkdir()
        (d / name).chmod(mode)
    for name, to in (("to-file", "file"), ("to-dir", "dir"), ("nowhere", "not/there"), ("absolute", "/etc/passwd")):
        (d / "links" / name).symlink_to(to)
    os.link(d / "links/hard1", d / "links/hard2")
    tar = archive([("./", tarfile.DIRTYPE, {"mode": 0o751}), ("in", tarfile.DIRTYPE, {"mode": 0o710}), ("in/file", tarfile.REGTYPE, {"mode": 0o640}),
                   ("in/link", tarfile.SYMTYPE, {"linkname": "file"}), ("in/hard", tarfile.LNKTYPE, {"linkname": "in/file", "mode": 0o640}),
                   ("suid", tarfile.REGTYPE, {"mode": 0o4755, "pax_headers": {"SCHILY.xattr.security.capability": "\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0"}}),
                   ("fifo", tarfile.FIFOTYPE, {"mode": 0o600}), ("implied/above", tarfile.REGTYPE, {})])
    put("arch.tar", tar)
    for name, how in (("gz", ["gzip", "-nc"]), ("bz2", ["bzip2", "-c"]), ("xz", ["xz", "-c"])):
        put(f"arch.tar.{name}", subprocess.run(how, input=tar, capture_output=True, check=True).stdout)
    put("text.gz", gzip.compress(b"only text\n", mtime=0))
    put("named.tar", "not an archive\n")
    for top, dirs, files in os.walk(d, topdown=False):
        for n in files + dirs:
            os.chown(f"{top}/{n}", 1000, 1000, follow_symlinks=False)
            os.utime(f"{top}/{n}", (OLD, OLD), follow_symlinks=False)
    # A change of owner takes these away.
    for mode in (0o4755, 0o2755):
        (d / f"modes/{mode:04o}").chmod(mode)
        os.utime(d / f"modes/{mode:04o}", (OLD, OLD))


def make_base(env):
    d = env.tmp / "base"
    d.mkdir()
    (d / "empty").write_text("")
    (d / "Dockerfile").write_text("FROM caisson/tiny\nCOPY empty /etc/hosts\nCOPY empty /etc/resolv.conf\nCOPY empty /etc/hostname\nRUN mkdir -p /dev /proc /sys /run /etc /home /srv /tmp && chmod 1777 /tmp && touch /etc/motd && "
                                  "mkdir -p /home/user && echo user:x:1000:1001::/home/user:/bin/sh >> /etc/passwd && printf 'root:x:0:\\nusers:x:1001:\\nstaff:x:50:\\n' > /etc/group && "
                                  f"find / -xdev -exec touch -hd @{OLD} {{}} + 2>/dev/null; true\nENV IN_BASE=1\nCMD [\"/bin/sh\"]\n")
    env.run("build", "-q", "--network=none", "-t", BASE, d, env={"SOURCE_DATE_EPOCH": str(OLD)}).ok()
    (d / "Dockerfile").write_text(f"FROM {BASE}\nONBUILD RUN echo triggered > /trigger\nONBUILD COPY a.txt /by-trigger/\nONBUILD LABEL triggered=yes\nONBUILD WORKDIR /triggered\n")
    env.run("build", "-q", "-t", ONBUILD, d).ok()


# ---- builders ----

def gone(cgroup):
    try:
        os.rmdir(cgroup)
    except FileNotFoundError:
        pass
    except OSError:
        return False
    return True


class Buildah:
    name = "buildah"

    def __init__(self, env, dir, archive):
        self.argv = ["buildah", "--root", dir / "root", "--runroot", dir / "run", "--storage-driver", "overlay"]
        self.out = dir / "out"
        self.out.mkdir()
        self.env = {**env.os_env, "BUILDAH_ISOLATION": "chroot", "TMPDIR": str(dir)}
        for name in (BASE, ONBUILD):
            good([*self.argv, "pull", "-q", f"docker-archive:{archive}:{name}"], env=self.env)

    def build(self, case, file, context):
        """The image as an archive."""
        tag, out = f"localhost/out/{case.name}:1", self.out / f"{case.name}.tar"
        good([*self.argv, "bud", "-q", "--format=docker", "--identity-label=false", "--network=none", "--pull-never", *case.args, "-t", tag, "-f", file, context], env=self.env)
        good([*self.argv, "push", "-q", tag, f"docker-archive:{out}:{tag}"], env=self.env)
        return out

    def stop(self):
        good([*self.argv, "rmi", "-a", "-f"], env=self.env)
        call(["umount", "-l", self.argv[2] / "overlay"])


class Classic:
    name, kit = "classic", "0"

    def __init__(self, env, dir, archive):
        self.dir, self.out = dir, dir / "out"
        self.out.mkdir()
        self.log = open(dir / "log", "wb")
        self.p = subprocess.Popen(["dockerd", "--data-root", dir / "data", "--exec-root", dir / "exec", "-p", dir / "pid", "-H", f"unix://{dir}/sock", "--bridge=none", "--iptables=false",
                                   "--ip-masq=false"], stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        # The distribution's client: it brings BuildKit's half by itself.
        self.argv = [next(p for p in ("/usr/bin/docker", shutil.which("docker")) if p and os.path.exists(p)), "-H", f"unix://{dir}/sock"]
        self.env = {**env.os_env, "DOCKER_BUILDKIT": self.kit}
        wait_for(lambda: self.p.poll() is not None or call([*self.argv, "version"])[0] == 0, what="dockerd answers", every=0.1)
        check(self.p.poll() is None, f"dockerd ended: {(dir / 'log').read_text()[-500:]}")
        good([*self.argv, "load", "-q", "-i", archive])

    def build(self, case, file, context):
        tag, out = f"localhost/out/{self.name}/{case.name}:1", self.out / f"{self.name}-{case.name}.tar"
        good([*self.argv, "build", "-q", "--network=none", *case.args, "-t", tag, "-f", file, context], env=self.env)
        good([*self.argv, "save", "-o", out, tag])
        return out

    def stop(self):
        self.p.terminate()
        self.p.wait(60)
        for line in reversed(open("/proc/self/mountinfo").readlines()):
            if line.split()[4].startswith(str(self.dir)):
                call(["umount", "-l", line.split()[4]])
        for top in pathlib.Path("/sys/fs/cgroup").glob("**/docker"):
            for d, _, _ in os.walk(top, topdown=False):
                wait_for(lambda: gone(d), what=f"{d} is empty")


class Kit(Classic):
    """The same daemon's other builder."""
    name, kit = "buildkit", "1"

    def __init__(self, classic):
        self.__dict__.update(classic.__dict__)
        self.env = {**classic.env, "DOCKER_BUILDKIT": self.kit}


class Ours:
    name = "caisson"

    def __init__(self, env):
        self.env, self.out = env, env.tmp

    def build(self, case, file, context):
        out = self.out / f"ours-{case.name}.tar"
        r = self.env.run("build", "-q", "--network=none", *case.args, "-f", file, "-o", f"type=docker,dest={out}", context)
        check(r.code == 0, f"caisson: {r.err[-1500:]}")
        return out


# ---- what an image is ----

File = collections.namedtuple("File", "kind mode owner content device xattrs mtime")
LAYERS = {}
TOOK = collections.Counter()


def read_layer(data):
    """[(path, File or None for a whiteout)] in order."""
    out = []
    with tarfile.open(fileobj=io.BytesIO(data)) as t:
        for m in t:
            path = "/" + m.name.strip("/").removeprefix("./").removeprefix(".")
            xattrs = tuple(sorted((k[13:], v) for k, v in m.pax_headers.items() if k.startswith("SCHILY.xattr.")))
            kind = {tarfile.DIRTYPE: "directory", tarfile.SYMTYPE: "link", tarfile.LNKTYPE: "hard link", tarfile.FIFOTYPE: "fifo", tarfile.CHRTYPE: "device", tarfile.BLKTYPE: "device"}.get(m.type, "file")
            content = m.linkname if kind.endswith("link") else hashlib.sha256(t.extractfile(m).read()).hexdigest() + f" {m.size}" if kind == "file" else ""
            out.append((path, File(kind, None if kind == "link" else m.mode & 0o7777, (m.uid, m.gid), content, (m.devmajor, m.devminor) if kind == "device" else None, xattrs, int(m.mtime))))
    return out


def stack(layers):
    tree = {}
    for layer in layers:
        for path, f in layer:
            base = os.path.basename(path)
            if not base.startswith(".wh."):
                continue
            d = os.path.dirname(path).rstrip("/") + "/"
            gone = d if base == ".wh..wh..opq" else d + base[4:]
            for p in [p for p in tree if p != "/" and (p.startswith(gone) if gone.endswith("/") else p == gone or p.startswith(gone + "/"))]:
                del tree[p]
        for path, f in layer:
            if os.path.basename(path).startswith(".wh."):
                continue
            if f.kind == "hard link":
                f = tree["/" + f.content.strip("/").removeprefix("./")]
            if path in tree and tree[path].kind == "directory" and f.kind != "directory":
                for p in [p for p in tree if p.startswith(path + "/")]:
                    del tree[p]
            tree[path] = f
    tree.pop("/", None)     # its mode and time are the engine's
    return tree


def read_image(path):
    """(tree, configuration) of a docker archive."""
    with tarfile.open(path) as t:
        manifest = json.load(t.extractfile("manifest.json"))[0]
        config = json.load(t.extractfile(manifest["Config"]))
        layers = []
        for diff, name in zip(config["rootfs"]["diff_ids"], manifest["Layers"]):
            if diff not in LAYERS:
                m = t.getmember(name)
                data = t.extractfile(os.path.normpath(os.path.join(os.path.dirname(name), m.linkname)) if m.issym() else m).read()
                LAYERS[diff] = read_layer(zlib.decompress(data, 47) if data[:2] == b"\x1f\x8b" else data)
            layers.append(LAYERS[diff])
    c = config.get("config") or {}
    return stack(layers), {**{f"config.{k}": c.get(k) or None for k in CONFIG}, "config.author": config.get("author") or None}


def brief(f, other):
    """What the other has otherwise."""
    if not f or not other:
        return f.kind if f else "nothing"
    return ", ".join(f"{k} {v:o}" if k == "mode" and v is not None else f"{k} {v!r}" for k, v in f._asdict().items() if v != getattr(other, k))


def differences(ours, theirs, began):
    """{what: (ours, theirs)}.  A file's time counts where it is not that of the build; a directory's never: nobody says
    what it should be."""
    out = {}
    for p in sorted(ours[0].keys() | theirs[0].keys()):
        a, b = ours[0].get(p), theirs[0].get(p)
        if a and b and (a.mtime >= began and b.mtime >= began or a.kind == "directory"):
            b = b._replace(mtime=a.mtime)
        if a != b:
            out[f"file {p}"] = brief(a, b), brief(b, a)
    for k in ours[1]:
        if ours[1][k] != theirs[1][k]:
            out[k] = (ours[1][k], theirs[1][k])
    return out


# ---- the comparison ----

def timed(builder, case, file, context):
    t0 = time.monotonic()
    path = builder.build(case, file, context)
    TOOK[builder.name] += time.monotonic() - t0
    image = read_image(path)
    os.unlink(path)
    return image


def context_of(env, case, shared):
    if not case.ignore:
        return shared
    d = env.tmp / f"ctx-{case.name}"
    good(["cp", "-a", shared, d])
    (d / ".dockerignore").write_text("".join(line + "\n" for line in case.ignore))
    os.utime(d / ".dockerignore", (OLD, OLD))
    return d


def compare(env, peers, case, shared, began):
    context, wrong = context_of(env, case, shared), []
    case.args = [a.replace("@context@", str(context)) for a in case.args]
    ours = timed(Ours(env), case, case.path, context)
    for p in peers:
        file = case.file_for(p.name)
        if not file:
            continue
        want = [what for who, what in case.differs if who == p.name]
        theirs = timed(p, case, file, context)
        got = differences(ours, theirs, began)
        wrong += [f"{p.name}: {k}: ours {a}, theirs {b}" for k, (a, b) in got.items() if not any(fnmatch.fnmatch(k, w) for w in want)]
        wrong += [f"{p.name}: {k} is said to differ, and does not" for k in want if not fnmatch.filter(got, k)]
    return wrong


def compare_all(env, peers, only=None):
    shared = env.tmp / "context"
    shared.mkdir()
    make_context(shared)
    began = int(time.time()) - 1
    cases = [c for c in corpus() if not only or re.search(only, c.name)]
    failed = []
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        jobs = {pool.submit(compare, env, peers, c, shared, began): c for c in cases}
        for j in concurrent.futures.as_completed(jobs):
            try:
                failed += [f"{jobs[j].name}: {line}" for line in j.result()]
            except Failed as e:
                failed.append(f"{jobs[j].name}: {e}")
    print("# seconds: " + ", ".join(f"{k} {v:.0f}" for k, v in TOOK.items()))
    check(not failed, f"{len(failed)} differences:\n" + "\n".join(sorted(failed)))


def with_base(env, name):
    make_base(env)
    dir, archive = env.tmp / name, env.tmp / "base.tar"
    shutil.rmtree(dir, ignore_errors=True)
    dir.mkdir()
    env.run("save", "-o", archive, BASE, ONBUILD).ok()
    return dir, archive


@test(needs="root,buildah,dockerd", timeout=600)
def every_builder_makes_the_same(env):
    dir, archive = with_base(env, "peers")
    (dir / "b").mkdir()
    (dir / "d").mkdir()
    buildah = Buildah(env, dir / "b", archive)
    docker = Classic(env, dir / "d", archive)
    try:
        compare_all(env, [buildah, docker, Kit(docker)], os.environ.get("CORPUS"))
    finally:
        docker.stop()
        buildah.stop()


@test
def the_corpus_is_whole(env):
    cases = corpus()
    check(len(cases) >= 60, f"{len(cases)} Dockerfiles")
    text = "\n".join(c.path.read_text() for c in cases)
    for word in "ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL MAINTAINER ONBUILD RUN SHELL STOPSIGNAL USER VOLUME WORKDIR".split():
        check(re.search(rf"^{word} ", text, re.M), f"no {word}")
    known = (TOP / "docs/differences.md").read_text()
    for c in cases:
        check(not c.differs or c.name in known, f"{c.name} differs, and docs/differences.md does not say why")


main()
