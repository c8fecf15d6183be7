#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 200
"""--provenance, --sbom, --attest: what is said about an image lies beside it in the store, and with a registry as referrers."""
import base64, hashlib, json, os, pathlib, urllib.error, urllib.request

from build_context import context
from caisson_test import check, main, same, test
from oci_image import registry

IN_TOTO = "application/vnd.in-toto+json"
SLSA, SPDX, CYCLONE = "https://slsa.dev/provenance/v1", "https://spdx.dev/Document", "https://cyclonedx.org/bom"
TEXT = """FROM caisson/tiny AS base
ARG SECRETLY
RUN mkdir -p /var/lib/dpkg && printf 'Package: hello\\nStatus: install ok installed\\nVersion: 2.10-3\\nArchitecture: amd64\\nMaintainer: Someone\\n\\n' > /var/lib/dpkg/status
"""


def get(host, path, accept="*/*"):
    with urllib.request.urlopen(urllib.request.Request(f"http://{host}/v2/{path}", headers={"Accept": accept})) as r:
        return r.read()


def statements(env, host, repo, tag):
    """{predicate type: statement} as a registry has them: read by the list of referrers, or its tag."""
    manifest = "sha256:" + hashlib.sha256(get(host, f"{repo}/manifests/{tag}", "application/vnd.oci.image.manifest.v1+json")).hexdigest()
    try:
        index = json.loads(get(host, f"{repo}/referrers/{manifest}"))
    except urllib.error.HTTPError as e:
        same(e.code, 404, "referrers")
        index = json.loads(get(host, f"{repo}/manifests/{manifest.replace(':', '-')}", "application/vnd.oci.image.index.v1+json"))
    out = {}
    for d in index["manifests"]:
        same(d.get("artifactType"), IN_TOTO, "the artifact's type")
        text = get(host, f"{repo}/manifests/{d['digest']}", d["mediaType"])
        same((d["size"], d["digest"]), (len(text), "sha256:" + hashlib.sha256(text).hexdigest()), "its descriptor")
        m = json.loads(text)
        same((m["subject"]["digest"], m["artifactType"], m["layers"][0]["mediaType"]), (manifest, IN_TOTO, IN_TOTO), "the artifact")
        s = json.loads(get(host, f"{repo}/blobs/{m['layers'][0]['digest']}"))
        same((s["_type"], s["subject"][0]["digest"]["sha256"]), ("https://in-toto.io/Statement/v1", manifest[7:]), "the statement")
        same(s["predicateType"], m["layers"][0]["annotations"]["in-toto.io/predicate-type"], "its type")
        check(s["predicateType"] not in out, "a type twice")
        out[s["predicateType"]] = s
    return out


@test(needs="root,registry")
def statements_are_referrers(env):
    d = context(env, TEXT)
    with registry(env) as host:
        ref = f"{host}/said/app:1"
        env.run("build", "-q", "--network=none", "-t", ref, "--build-arg", "SECRETLY=value-of-it", "--provenance=true", "--sbom=true", d).ok()
        env.run("system", "prune", "-f").ok()
        env.run("system", "check").ok()
        for _ in range(2):                                     # once more: nothing is listed twice
            env.run("push", "-q", ref).ok()
            got = statements(env, host, "said/app", "1")
            same(sorted(got), sorted([SLSA, SPDX]), "statements")
        p = got[SLSA]["predicate"]
        same(got[SLSA]["subject"][0]["name"], ref, "subject")
        b = p["buildDefinition"]
        check(b["buildType"] and p["runDetails"]["builder"]["id"], "SLSA wants both")
        same([x["uri"] for x in b["resolvedDependencies"]], ["docker://docker.io/caisson/tiny:latest"], "dependencies")
        check(len(b["resolvedDependencies"][0]["digest"]["sha256"]) == 64, "its digest")
        check("value-of-it" not in json.dumps(got), "mode=min tells a build argument")
        same([(x["name"], x["versionInfo"]) for x in got[SPDX]["predicate"]["packages"] if x["name"] == "hello"], [("hello", "2.10-3")], "packages")
        # Ours reads it back, too.
        r = env.run("registry", "referrers", ref).ok()
        check(r.out.count(IN_TOTO) == 2, r.out)
        # Another image, everything about it, the other form.
        env.run("build", "-q", "--network=none", "-t", f"{host}/said/app:2", "--build-arg", "SECRETLY=value-of-it", "--attest", "type=provenance,mode=max", "--attest", "type=sbom,format=cyclonedx",
                "--label", "x=y", d).ok()
        env.run("push", "-q", f"{host}/said/app:2").ok()
        got = statements(env, host, "said/app", "2")
        same(sorted(got), sorted([SLSA, CYCLONE]), "statements")
        max_ = got[SLSA]["predicate"]["buildDefinition"]["externalParameters"]
        same((max_["buildArgs"]["SECRETLY"], max_["dockerfile"]), ("value-of-it", TEXT), "mode=max")
        check(any(c["name"] == "hello" for c in got[CYCLONE]["predicate"]["components"]), "components")
        # A rebuild without a wish says nothing any more; removed, nothing of it stays.
        env.run("build", "-q", "--network=none", "-t", f"{host}/said/app:3", d).ok()
        env.run("push", "-q", f"{host}/said/app:3").ok()
        env.run("rmi", "-f", ref, f"{host}/said/app:2", f"{host}/said/app:3").ok()
        env.run("build", "prune", "-f").ok()
        env.run("system", "prune", "-af").ok()
        left = [f for f in (env.root / "blobs/sha256").iterdir() if b"in-toto" in f.read_bytes()]
        same(left, [], "statements that nobody needs")


@test(needs="root")
def a_fixed_time_gives_the_same_statement(env):
    d = context(env, TEXT)
    def said():
        return {f.name for f in (env.root / "blobs/sha256").iterdir() if b"in-toto.io/Statement" in f.read_bytes()}
    before = said() if (env.root / "blobs/sha256").is_dir() else set()
    for _ in range(2):
        env.run("build", "-q", "--network=none", "--no-cache", "--provenance=mode=max", "--sbom=spdx", d, env={"SOURCE_DATE_EPOCH": "1700000000"}).ok()
    same(len(said() - before), 2, "statements of two builds")
    for opt in ("--provenance=much", "--sbom=word", "--attest=type=other", "--attest=provenance"):
        r = env.run("build", opt, d)
        check(r.code == 2 and opt.split("=")[0] in r.err, f"{opt}: {r.code} {r.err}")


main()
