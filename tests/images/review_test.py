# SPDX-License-Identifier: Apache-2.0
# timeout: 300
"""What `image review` finds in an image that has one of everything, as table, JSON and bills of materials, and by policy."""
import json, pathlib, re, sqlite3, struct, subprocess

from caisson_test import check, main, same, test
from oci_image import Layout, busybox_layer, debian_tree, tar

# Made up for this test; no account anywhere has them.
GITHUB = "ghp_" + "a1B2" * 9
KEY = "-----BEGIN OPENSSH PRIVATE " + "KEY-----\n" + ("QUJD" * 16 + "\n") * 4 + "-----END OPENSSH PRIVATE " + "KEY-----\n"
CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0).decode()  # cap_net_raw, effective
DPKG = """Package: libssl3
Status: install ok installed
Architecture: amd64
Source: openssl
Version: 3.0.11-1~deb12u2

Package: gone
Status: deinstall ok config-files
Version: 1

Package: base-files
Status: install ok installed
Version: 12.4
Description: several
 lines: of text
"""
APK = "C:Q1x\nP:musl\nV:1.2.4-r2\nA:x86_64\nL:MIT\no:musl\n\nP:busybox\nV:1.36\nL:GPL-2.0-only\n\n"
WHEEL = "Metadata-Version: 2.1\nName: Flask_Thing\nVersion: 2.0\nClassifier: License :: OSI Approved :: BSD License\n\nName: not this\n"


def rpm_header(tags):
    index, data = b"", b""
    for tag, value in tags:
        if isinstance(value, int):
            data += b"\0" * (-len(data) % 4)
            index += struct.pack(">IIII", tag, 4, len(data), 1)
            data += struct.pack(">I", value)
        else:
            index += struct.pack(">IIII", tag, 6, len(data), 1)
            data += value.encode() + b"\0"
    return struct.pack(">II", len(tags), len(data)) + index + data


def rpm_database(path, packages):
    path.unlink(missing_ok=True)
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT,blob BLOB NOT NULL)")
    db.execute("CREATE TABLE 'Name' (key TEXT, hnum INTEGER)")
    for p in packages:
        db.execute("INSERT INTO Packages(blob) VALUES (?)", (rpm_header(p),))
    db.commit()
    db.close()
    return path.read_bytes()


def everything(env):
    """Three layers; the last hides and replaces things of the first."""
    # 300 packages with long descriptions: several levels of pages, rows that go on in other pages.
    many = [[(1000, f"p{i}"), (1001, "1"), (1002, "2"), (1014, "MIT"), (1022, "noarch"), (1004, "x" * (i * 40))] for i in range(300)]
    rpms = rpm_database(env.tmp / "rpmdb", [[(1000, "bash"), (1001, "5.2"), (1002, "1.fc40"), (1003, 1), (1014, "GPLv3+"), (1022, "x86_64")],
                                            [(1000, "gpg-pubkey"), (1001, "aa"), (1002, "bb")], *many])
    first = tar([
        ("etc", None), ("etc/os-release", b'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12"\n'),
        ("etc/passwd", b"root:x:0:0::/:\napp:x:1000:1000::/:\ntoor:x:0:0::/:\n"),
        ("usr", None), ("usr/bin", None), ("usr/bin/su", b"su" * 100, {"mode": 0o4755}), ("usr/bin/wall", b"w", {"mode": 0o2755}),
        ("usr/bin/locked", b"x", {"mode": 0o2644}), ("usr/bin/ping", b"p", {"mode": 0o755, "pax_headers": {"SCHILY.xattr.security.capability": CAPABILITY}}),
        ("root", None), ("root/.netrc", b"machine x login y password z\n"), ("root/key", KEY.encode()), ("root/empty", b""),
        ("srv", None, {"mode": 0o777}), ("tmp", None, {"mode": 0o1777}), ("srv/open", b"1", {"mode": 0o666}),
        ("dev", None), ("dev/sda", b"", {"type": b"4", "devmajor": 8, "devminor": 0}),
        ("var/lib/dpkg", None), ("var/lib/dpkg/status", DPKG.encode()), ("var/lib/dpkg/status.d/tzdata", b"Package: tzdata\nVersion: 2024a\n"),
        ("var/lib/dpkg/status.d/tzdata.md5sums", b"Package: no\n"),
        ("lib/apk/db/installed", APK.encode()), ("usr/lib/sysimage/rpm/rpmdb.sqlite", rpms), ("var/lib/rpm/Packages.db", b"x"),
        ("usr/lib/python3/site-packages/flask.dist-info/METADATA", WHEEL.encode()),
        ("app/node_modules/@a/b/package.json", json.dumps({"name": "@a/b", "version": "1.0.0", "license": {"type": "MIT"}}).encode()),
        ("app/node_modules/c/package.json", b"{ not json"), ("app/node_modules/c/test/package.json", b'{"name":"no"}'),
    ])
    second = tar([("opt/tool", b"t" * 5000), ("opt/token", f"x={GITHUB}\n".encode()), ("opt/library", b"\0-----BEGIN PRIVATE " + b"KEY-----\0no key"),
                  ("opt/word", f"zz{GITHUB}".encode())])
    third = tar([("opt/.wh.token", b""), ("opt/tool", b"u" * 10), ("root/.wh..wh..opq", b"")])
    lay = Layout(env.tmp / "all")
    lay.image([(busybox_layer(), "gzip"), (first, "gzip"), (second, "zstd"), (third, None)],
              {"User": "app", "Env": ["PATH=/bin", "DB_PASSWORD=hunter2", "KEY_FILE=/run/x", "URL=https://u:p@example.org/"], "ExposedPorts": {"80/tcp": {}},
               "Volumes": {"/data": {}}, "Entrypoint": ["/x"], "Cmd": ["y"], "Labels": {"a": "b"}})
    env.run("pull", "-q", f"oci:{lay.path}:latest").ok(out="all:latest\n")


def review(env, *args):
    return env.run("image", "review", *args)


def found(doc, kind):
    return {(f["path"], f.get("detail", ""), f.get("hidden", False)) for f in doc["review"]["findings"] if f["kind"] == kind}


@test(needs="root")
def everything_is_found(env):
    everything(env)
    r = review(env, "all", "--format=json", "--files").ok()
    doc = r.json()
    same(review(env, "all", "--format=json", "--files").ok().out, r.out, "the second review")
    same((doc["user"], doc["review"]["uid"], doc["exposedPorts"], doc["volumes"], doc["entrypoint"], doc["cmd"]), ("app", 1000, ["80/tcp"], ["/data"], ["/x"], ["y"]), "process")
    same((doc["review"]["osId"], doc["review"]["osVersion"]), ("debian", "12"), "system")
    same(found(doc, "setuid"), {("usr/bin/su", "4755 0:0", False)}, "setuid")
    same(found(doc, "setgid"), {("usr/bin/wall", "2755 0:0", False)}, "setgid")
    same(found(doc, "capabilities"), {("usr/bin/ping", "cap_net_raw (effective)", False)}, "capabilities")
    same(found(doc, "world-writable"), {("srv", "0777 0:0", False), ("srv/open", "0666 0:0", False)}, "world-writable")
    same(found(doc, "device"), {("dev/sda", "block 8:0", False)}, "devices")
    same(found(doc, "secret"), {("root/.netrc", "netrc file", True), ("root/key", "private key", True), ("opt/token", "GitHub token", True),
                                ("config.Env[DB_PASSWORD]", "variable that names a secret", False), ("config.Env[URL]", "password in an address", False)}, "secrets")
    got = {(p["type"], p["name"], p.get("version"), p.get("license")) for p in doc["review"]["packages"]}
    few = {p for p in got if not re.fullmatch(r"p\d+", p[1])}
    same(few, {("deb", "libssl3", "3.0.11-1~deb12u2", None), ("deb", "base-files", "12.4", None), ("deb", "tzdata", "2024a", None), ("apk", "musl", "1.2.4-r2", "MIT"),
               ("apk", "busybox", "1.36", "GPL-2.0-only"), ("rpm", "bash", "1:5.2-1.fc40", "GPLv3+"), ("pypi", "Flask_Thing", "2.0", "BSD License"), ("npm", "@a/b", "1.0.0", "MIT")}, "packages")
    same(len(got) - len(few), 300, "packages of a large rpm database")
    same(len(doc["review"]["notRead"]), 2, doc["review"]["notRead"])
    check("ndb" in str(doc["review"]["notRead"]) and "node_modules/c/package.json" in str(doc["review"]["notRead"]), doc["review"]["notRead"])
    layers = doc["review"]["layers"]
    hidden = len(KEY) + len(b"machine x login y password z\n")
    same([x["wasted"] for x in layers], [len(b"root:x:0:0:root:/:/bin/sh\n"), hidden, 5000 + len(f"x={GITHUB}\n"), 0], "wasted bytes")
    same(doc["wasted"], sum(x["wasted"] for x in layers), "wasted bytes in all")
    files = {f["path"]: (f["layer"], f["size"]) for f in doc["review"]["files"]}
    same((files["opt/tool"], files["usr/bin/su"], files["bin/busybox"][0]), ((4, 10), (2, 200), 1), "files")
    check("opt/token" not in files and "files" not in review(env, "all", "--format=json").json()["review"], "files")
    text = review(env, "all").ok().out
    for words in ("User:        app", "setuid         layer 2   usr/bin/su  4755 0:0", "hidden: root/key  private key", "deb   libssl3", "not read: ", "Ports:       80/tcp"):
        check(words in text, f"'{words}' is not in\n{text}")
    env.run("image", "review", "nothing").error(1, "no image 'nothing'")


@test(needs="root")
def bills_of_materials(env):
    everything(env)
    text = review(env, "all", "--sbom=spdx").ok().out
    same(review(env, "all", "--sbom=spdx").ok().out, text, "the second one")
    d = json.loads(text)
    same((d["spdxVersion"], d["dataLicense"], d["SPDXID"], d["creationInfo"]["created"]), ("SPDX-2.3", "CC0-1.0", "SPDXRef-DOCUMENT", "2026-01-01T00:00:00Z"), "head")
    check(re.fullmatch(r"https://[^#\s]+-[0-9a-f]{64}", d["documentNamespace"]) and all(re.match(r"(Tool|Person|Organization): ", c) for c in d["creationInfo"]["creators"]), d)
    ids = [p["SPDXID"] for p in d["packages"]]
    check(len(set(ids)) == len(ids) == 309 and all(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", i) for i in ids), ids[:5])
    refs = {x["licenseId"] for x in d["hasExtractedLicensingInfos"]}
    same({x["extractedText"] for x in d["hasExtractedLicensingInfos"]}, {"GPLv3+", "BSD License"}, "licences without an identifier")
    for p in d["packages"]:
        check({"name", "downloadLocation", "filesAnalyzed", "licenseDeclared", "licenseConcluded", "copyrightText"} <= set(p), p)
        check(not p["licenseDeclared"].startswith("LicenseRef-") or p["licenseDeclared"] in refs, p)
    check(all({r["spdxElementId"], r["relatedSpdxElement"]} <= set(ids) | {"SPDXRef-DOCUMENT"} for r in d["relationships"]), "relationships name what is there")
    same(sum(r["relationshipType"] == "DESCRIBES" for r in d["relationships"]), 1, "what the document is about")
    purls = {p["name"]: p["externalRefs"][0]["referenceLocator"] for p in d["packages"] if "externalRefs" in p}
    same([purls[k] for k in ("libssl3", "musl", "bash", "Flask_Thing", "@a/b")],
         ["pkg:deb/debian/libssl3@3.0.11-1~deb12u2?arch=amd64", "pkg:apk/debian/musl@1.2.4-r2?arch=x86_64", "pkg:rpm/debian/bash@5.2-1.fc40?arch=x86_64&epoch=1",
          "pkg:pypi/flask-thing@2.0", "pkg:npm/%40a/b@1.0.0"], "package URLs")
    text = review(env, "all", "--sbom=cyclonedx").ok().out
    same(review(env, "all", "--sbom=cyclonedx").ok().out, text, "the second one")
    d = json.loads(text)
    same((d["bomFormat"], d["specVersion"], d["version"], d["metadata"]["component"]["type"]), ("CycloneDX", "1.5", 1, "container"), "head")
    check(re.fullmatch(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", d["serialNumber"]), d["serialNumber"])
    refs = [c["bom-ref"] for c in d["components"]]
    same((len(refs), d["dependencies"][0]["dependsOn"]), (308, refs), "components")
    check(all(c["type"] == "library" and c["name"] and c["purl"].startswith("pkg:") for c in d["components"]), "components")


@test(needs="root")
def policies(env):
    everything(env)
    f = env.tmp / "policy.json"

    def policy(doc):
        f.write_text(json.dumps(doc))
        return review(env, "all", f"--policy={f}")

    policy({}).ok(out="")
    policy({"forbid": ["root"], "maxBytes": 1 << 30, "maxLayers": 4}).ok(out="")
    r = policy({"forbid": ["setuid", "device", "secret", "unread-packages"], "allowPaths": ["root/*", "opt/token", "config.Env*"], "maxWasted": 10, "maxLayers": 3,
                "packages": [{"type": "deb", "name": "libssl*", "below": "3.0.11-1~deb12u3", "reason": "CVE-2024-0727"}, {"name": "musl", "below": "1.2.4-r1"}],
                "forbidLicenses": ["GPL*"]})
    lines = r.out.splitlines()
    wasted = next(x for x in lines if x.startswith("maxWasted: 5"))
    same(r.code, 1, "exit code")
    same([x for x in lines if not x.startswith("unread")],
         ["device: dev/sda (block 8:0)", "setuid: usr/bin/su (4755 0:0)", wasted, "maxLayers: 4, allowed are 3",
          "license: apk busybox 1.36 has GPL-2.0-only", "license: rpm bash 1:5.2-1.fc40 has GPLv3+",
          "package: deb libssl3 3.0.11-1~deb12u2 is below 3.0.11-1~deb12u3: CVE-2024-0727"], "broken rules")
    check(sum(x.startswith("unread-packages: ") for x in lines) == 2, lines)
    check(policy({"allowLicenses": ["MIT"]}).out.count("which is not allowed") == 3, "allowed licences")
    policy({"forbid": ["sudo"]}).error(2, "'sudo' is not known")
    policy({"forbids": []}).error(1, "unknown member")
    review(env, "all", f"--policy={env.tmp}/none").error(1, "none")


@test(needs="root")
def two_images_compared(env):
    old = tar([("same", b"s" * 9000), ("gone/x/y", b"1"), ("grown", b"a" * 5000), ("flipped", b"a" * 300000), ("tail", b"b" * 5000), ("mode", b"m"), ("owner", b"o"), ("link", "-> a"),
               ("kind", b"k"), ("cap", b"c"), ("time", b"t"), ("dir", None), ("dir/in", b"1")])
    new = tar([("same", b"s" * 9000), ("grown", b"a" * 5001), ("flipped", b"a" * 299999 + b"b"), ("tail", b"b" * 4999 + b"c"), ("mode", b"m", {"mode": 0o4755}), ("owner", b"o", {"uid": 7}), ("link", "-> b"),
               ("kind", None), ("cap", b"c", {"pax_headers": {"SCHILY.xattr.user.k": "v"}}), ("time", b"t", {"mtime": 5}), ("dir", None), ("dir/in", b"1"), ("dir/added\x1b", b"")])
    for name, layers in (("old", [(old, "gzip")]), ("new", [(old, "gzip"), (tar([(f".wh.{n}", b"") for n in ("gone", "kind")]), None), (new, None)])):
        lay = Layout(env.tmp / name)
        lay.image(layers)
        env.run("pull", "-q", f"oci:{lay.path}:latest").ok()
    want = ["C /cap  attributes", "A /dir/added?", "C /flipped  content", "D /gone", "D /gone/x", "D /gone/x/y", "C /grown  size 5000 to 5001", "C /kind  type", "C /link  target",
            "C /mode  mode 0644 to 4755", "C /owner  owner 0:0 to 7:0", "C /tail  content"]
    same(env.run("image", "diff", "old", "new").ok().out.splitlines(), want, "differences")
    check("C /time  time" in env.run("image", "diff", "--times", "old", "new").ok().out, "--times")
    same(env.run("image", "diff", "old", "old").ok().out, "", "the same image")
    back = env.run("image", "diff", "--format=json", "new", "old").ok().json()["changes"]
    same([{"A": "D", "D": "A", "C": "C"}[x["kind"]] + " " + x["path"] for x in back], [x.split("  ")[0] for x in want], "the other way")
    env.run("image", "diff", "old", "none").error(1, "none")


@test(needs="root", timeout=240)
def a_debian_system(env):
    """Every package that dpkg knows is in the review, and nothing else."""
    tree = debian_tree(["nginx-light"])
    env.run("import", tree, "debian").ok()
    doc = review(env, "debian", "--format=json").ok().json()
    status = subprocess.run(["tar", "-xOf", str(tree), "./var/lib/dpkg/status"], capture_output=True, text=True, check=True).stdout
    want = {(re.search(r"^Package: (.*)", p, re.M)[1], re.search(r"^Version: (.*)", p, re.M)[1]) for p in status.split("\n\n") if "ok installed" in p}
    same({(p["name"], p["version"]) for p in doc["review"]["packages"] if p["type"] == "deb"}, want, "packages")
    check(("usr/bin/passwd", "4755 0:0", False) in found(doc, "setuid"), found(doc, "setuid"))
    check(all(d.endswith("inside a program") for _, d, _ in found(doc, "secret")), found(doc, "secret"))


main()
