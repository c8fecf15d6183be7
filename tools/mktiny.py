#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pack the static busybox as the built-in image caisson/tiny: an OCI layout, the same bytes for the same busybox.

Arguments: BUSYBOX OUTPUT-DIRECTORY.  Run by the build and, with DESTDIR, by the installation.
"""
import hashlib, io, json, os, pathlib, platform, shutil, subprocess, sys, tarfile

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DIRS = {"bin": 0o755, "dev": 0o755, "etc": 0o755, "home": 0o755, "lib": 0o755, "mnt": 0o755, "opt": 0o755, "proc": 0o555, "root": 0o700,
        "run": 0o755, "sbin": 0o755, "srv": 0o755, "sys": 0o555, "tmp": 0o1777, "usr": 0o755, "usr/bin": 0o755, "usr/sbin": 0o755,
        "var": 0o755, "var/tmp": 0o1777}
FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\n"
                  "nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
    "etc/group": "root:x:0:\ndaemon:x:1:\ntty:x:5:\nusers:x:100:\nnogroup:x:65534:\n",
    "etc/os-release": 'NAME="caisson tiny"\nID=caisson-tiny\nPRETTY_NAME="caisson tiny (busybox)"\n',
}
ARCH = {"x86_64": "amd64", "aarch64": "arm64", "riscv64": "riscv64"}


def applets(busybox):
    out = subprocess.run([busybox, "--list-full"], capture_output=True, text=True, check=True).stdout
    return sorted({a for a in out.split() if a not in ("bin/busybox", "linuxrc") and a.rpartition("/")[0] in DIRS})


def entry(name, kind, mode, size=0, link=""):
    t = tarfile.TarInfo(name)
    t.type, t.mode, t.size, t.linkname = kind, mode, size, link
    return t     # owner 0, time 0: TarInfo's defaults


def layer(busybox):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, mode in sorted(DIRS.items()):
            tar.addfile(entry(name, tarfile.DIRTYPE, mode))
        data = pathlib.Path(busybox).read_bytes()
        tar.addfile(entry("bin/busybox", tarfile.REGTYPE, 0o755, len(data)), io.BytesIO(data))
        for name in applets(busybox):
            up = "../" * name.count("/")
            tar.addfile(entry(name, tarfile.SYMTYPE, 0o777, link="busybox" if name.startswith("bin/") else up + "bin/busybox"))
        for name, text in sorted(FILES.items()):
            tar.addfile(entry(name, tarfile.REGTYPE, 0o644, len(text)), io.BytesIO(text.encode()))
    return out.getvalue()


class Layout:
    def __init__(self, path):
        self.path = path
        (path / "blobs/sha256").mkdir(parents=True)

    def blob(self, data, media_type):
        digest = hashlib.sha256(data).hexdigest()
        (self.path / "blobs/sha256" / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": "sha256:" + digest, "size": len(data)}

    def document(self, doc, kind):
        media_type = f"application/vnd.oci.image.{kind}.v1+json"
        return self.blob(json.dumps(doc, sort_keys=True, separators=(",", ":")).encode(), media_type)


def main(busybox, target):
    target = pathlib.Path(os.environ.get("DESTDIR", "") + target if os.path.isabs(target) else target)
    fresh = target.with_name(target.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    out = Layout(fresh)
    tar = out.blob(layer(busybox), "application/vnd.oci.image.layer.v1.tar")
    config = out.document({"created": "1970-01-01T00:00:00Z", "architecture": ARCH[platform.machine()], "os": "linux",
                           "config": {"Env": ["PATH=" + PATH], "Cmd": ["sh"]},
                           "rootfs": {"type": "layers", "diff_ids": [tar["digest"]]},
                           "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "tools/mktiny.py"}]}, "config")
    manifest = out.document({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                             "config": config, "layers": [tar]}, "manifest")
    manifest["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
    (fresh / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [manifest]}, sort_keys=True))
    (fresh / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}\n')
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
    if len(sys.argv) > 3:
        pathlib.Path(sys.argv[3]).write_text("")
