# SPDX-License-Identifier: Apache-2.0
"""OCI image layouts made by hand, honest ones and broken ones, and a Debian tree to fill one with."""
import contextlib, gzip, hashlib, io, json, os, pathlib, shutil, socket, subprocess, sys, tarfile, time

from caisson_test import TOP, Failed, host_net, wait_for

LAYER = "application/vnd.oci.image.layer.v1.tar"
CACHE = TOP / ".cache"


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def tar(entries):
    """A tar archive.  entries: (name, content) or (name, content, {TarInfo attributes}).  Content is bytes for a
    file, None for a directory, "-> X" for a symlink, "=> X" for a hard link."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as t:
        for name, content, *more in entries:
            i = tarfile.TarInfo(name)
            i.mode, i.mtime = 0o644, 1700000000
            data = None
            if content is None:
                i.type, i.mode = tarfile.DIRTYPE, 0o755
            elif isinstance(content, str):
                i.type = tarfile.SYMTYPE if content.startswith("->") else tarfile.LNKTYPE
                i.linkname, i.mode = content[3:], 0o777
            else:
                i.size, data = len(content), io.BytesIO(content)
            for k, v in (more[0] if more else {}).items():
                setattr(i, k, v)
            t.addfile(i, data)
    return out.getvalue()


def compress(data, how):
    if how == "gzip":
        return gzip.compress(data, 1, mtime=0), LAYER + "+gzip"
    if how == "zstd":
        return subprocess.run(["zstd", "-q", "-1", "-c"], input=data, capture_output=True, check=True).stdout, LAYER + "+zstd"
    return data, LAYER


class Layout:
    """An OCI image layout directory."""
    def __init__(self, path):
        self.path = pathlib.Path(path)
        (self.path / "blobs/sha256").mkdir(parents=True, exist_ok=True)
        (self.path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        self.manifests = []

    def blob(self, data, media_type):
        d = digest(data)
        (self.path / "blobs/sha256" / d[7:]).write_bytes(data)
        return {"mediaType": media_type, "digest": d, "size": len(data)}

    def blob_path(self, descriptor):
        return self.path / "blobs/sha256" / descriptor["digest"][7:]

    def image(self, layers, config=None, tag="latest", arch="amd64"):
        """layers: (tar bytes, "gzip"|"zstd"|None), bottom first.  Returns the manifest."""
        descriptors, diffs = [], []
        for data, how in layers:
            diffs.append(digest(data))
            descriptors.append(self.blob(*compress(data, how)))
        doc = {"architecture": arch, "os": "linux", "created": "2026-01-01T00:00:00Z", "config": config or {},
               "rootfs": {"type": "layers", "diff_ids": diffs}}
        manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                    "config": self.blob(json.dumps(doc).encode(), "application/vnd.oci.image.config.v1+json"), "layers": descriptors}
        m = self.blob(json.dumps(manifest).encode(), manifest["mediaType"])
        m["annotations"] = {"org.opencontainers.image.ref.name": tag}
        self.manifests.append(m)
        (self.path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": self.manifests}))
        return manifest

    def index(self, tag):
        """One image for several platforms of all that were made, in their place; returns its descriptor."""
        parts = []
        for m in self.manifests:
            config = json.loads(self.blob_path(json.loads(self.blob_path(m).read_bytes())["config"]).read_bytes())
            parts.append({**{k: m[k] for k in ("mediaType", "digest", "size")}, "platform": {k: config[k] for k in ("os", "architecture")}})
        media_type = "application/vnd.oci.image.index.v1+json"
        d = self.blob(json.dumps({"schemaVersion": 2, "mediaType": media_type, "manifests": parts}).encode(), media_type)
        self.manifests = [{**d, "annotations": {"org.opencontainers.image.ref.name": tag}}]
        (self.path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": self.manifests}))
        return d


def busybox_layer(extra=()):
    """A layer with the distribution's static busybox and the applets that tests call."""
    bb = pathlib.Path("/bin/busybox").read_bytes()
    applets = "sh cat echo true false sleep ls id env httpd uname test stat mkdir touch rm ps".split()
    return tar([("bin", None), ("bin/busybox", bb, {"mode": 0o755}), *((f"bin/{a}", "-> busybox") for a in applets),
                ("etc", None), ("etc/passwd", b"root:x:0:0:root:/:/bin/sh\n"), ("etc/group", b"root:x:0:\n"), ("tmp", None, {"mode": 0o1777}), *extra])


def debian_tree(include):
    """A tar of a small Debian system with these packages, from the mirror this machine uses; made once a day."""
    CACHE.mkdir(exist_ok=True)
    name = CACHE / f"debian-{'-'.join(include)}-{time.strftime('%Y%m%d')}.tar"
    if name.exists():
        return name
    part = name.with_suffix(f".{os.getpid()}.part")
    cmd = ["mmdebstrap", "--quiet", "--format=tar", "--mode=root", "--variant=minbase", f"--include={','.join(include)}",
           "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/locale/*", "--dpkgopt=path-exclude=/usr/share/man/*",
           "--aptopt=Acquire::Retries \"3\"", "bookworm", str(part), *apt_sources()]
    r = subprocess.run(host_net(cmd), capture_output=True, text=True)
    if r.returncode:
        part.unlink(missing_ok=True)
        raise Failed(f"mmdebstrap ended with {r.returncode}:\n{(r.stdout + r.stderr)[-3000:]}")
    part.rename(name)
    for old in CACHE.glob(f"debian-{'-'.join(include)}-*.tar"):
        if old != name:
            old.unlink()
    return name


def apt_sources():
    """This machine's own sources of bookworm: the project names no mirror."""
    files = [pathlib.Path("/etc/apt/sources.list"), *pathlib.Path("/etc/apt/sources.list.d").glob("*.sources"), *pathlib.Path("/etc/apt/sources.list.d").glob("*.list")]
    return [str(f) for f in files if f.exists() and "bookworm" in f.read_text()]


def split_tar(path, belongs):
    """The archive as two: entries for which belongs(name) is false, and those for which it is true."""
    outs = io.BytesIO(), io.BytesIO()
    writers = [tarfile.open(fileobj=o, mode="w", format=tarfile.PAX_FORMAT) for o in outs]
    with tarfile.open(path) as t:
        for m in t:
            w = writers[bool(belongs(m.name))]
            w.addfile(m, t.extractfile(m) if m.isreg() else None)
    for w in writers:
        w.close()
    return [o.getvalue() for o in outs]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextlib.contextmanager
def registry(env, more="", tls=""):
    """docker-registry on a loopback port with a storage of its own; yields "localhost:PORT".  more: YAML members of
    its configuration, tls: of its "http"."""
    port, store = free_port(), env.tmp / "registry"
    conf = env.tmp / "registry.yml"
    conf.write_text(f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {store}}}, delete: {{enabled: true}}}}\n"
                    f"http: {{addr: '127.0.0.1:{port}'{tls}}}\n{more}")
    log = open(env.tmp / "registry.log", "w")
    p = subprocess.Popen(["docker-registry", "serve", str(conf)], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        def up():
            if p.poll() is not None:
                raise Failed("docker-registry ended: " + (env.tmp / "registry.log").read_text()[-1000:])
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", port)) == 0
        wait_for(up, 30, "docker-registry listens")
        yield f"localhost:{port}"
    finally:
        p.kill()
        p.wait()
        shutil.rmtree(store, ignore_errors=True)


def push(layout, ref, tag="latest", *args):
    cmd = ["skopeo", "--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false", *args, f"oci:{layout.path}:{tag}", f"docker://{ref}"]
    r = subprocess.run(cmd, capture_output=True, text=True)
    if r.returncode:
        raise Failed(f"skopeo: {r.stderr[-2000:]}")
