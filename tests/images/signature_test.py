# SPDX-License-Identifier: Apache-2.0
# timeout: 300
"""Signatures on pull, as policy.json demands them: made by openssl, kept in the distribution's docker-registry."""
import base64, json, os, subprocess, urllib.request

from caisson_test import check, main, same, test
from oci_image import Layout, busybox_layer, digest, push, registry, tar

KINDS = {"ecdsa": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "ed25519": ["-algorithm", "ED25519"],
         "other": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "p384": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"]}


def openssl(*args, **kw):
    return subprocess.run(["openssl", *args], check=True, capture_output=True, **kw).stdout


def key(env, kind):
    private, public = env.tmp / f"{kind}.key", env.tmp / f"{kind}.pub"
    if not private.exists():
        openssl("genpkey", *KINDS[kind], "-out", str(private))
        openssl("pkey", "-in", str(private), "-pubout", "-out", str(public))
    return private, public


def sign(env, kind, payload):
    f = env.tmp / "payload"
    f.write_bytes(payload)
    private, _ = key(env, kind)
    if kind == "ed25519":
        return openssl("pkeyutl", "-sign", "-rawin", "-inkey", str(private), "-in", str(f))
    return openssl("dgst", "-sha256", "-sign", str(private), str(f))


def http(method, url, data=None, kind="application/octet-stream"):
    q = urllib.request.Request(url, data=data, method=method, headers={"Content-Type": kind})
    with urllib.request.urlopen(q) as r:
        return r.headers, r.read()


def blob(host, repo, data):
    where = http("POST", f"http://{host}/v2/{repo}/blobs/uploads/", b"")[0]["Location"]
    http("PUT", f"{where}{'&' if '?' in where else '?'}digest={digest(data)}", data)
    return {"digest": digest(data), "size": len(data)}


def payload(name, of, kind="cosign container image signature"):
    return json.dumps({"critical": {"identity": {"docker-reference": name}, "image": {"docker-manifest-digest": of}, "type": kind}, "optional": None}).encode()


def attach(host, repo, of, signatures):
    """The image of signatures that cosign would push.  signatures: (payload, signature bytes or text)."""
    layers = [{**blob(host, repo, p), "mediaType": "application/vnd.dev.cosign.simplesigning.v1+json",
               "annotations": {"dev.cosignproject.cosign/signature": s if isinstance(s, str) else base64.b64encode(s).decode()}} for p, s in signatures]
    config = {**blob(host, repo, b"{}"), "mediaType": "application/vnd.oci.image.config.v1+json"}
    m = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": layers}
    http("PUT", f"http://{host}/v2/{repo}/manifests/sha256-{of[7:]}.sig", json.dumps(m).encode(), m["mediaType"])


def policy(env, docker=None, default="reject", **more):
    f = env.tmp / "policy.json"
    f.write_text(json.dumps({"default": [{"type": default}], "transports": {"docker": docker or {}, **more}}))
    return f"--signature-policy={f}"


def rule(env, kind="ecdsa", identity={"type": "matchRepository"}, **more):
    r = {"type": "sigstoreSigned", "keyPath": str(key(env, kind)[1]), **more}
    return [{**r, "signedIdentity": identity} if identity else r]


def image(env, host, name="a/b", seed=b"1"):
    lay = Layout(env.tmp / f"layout-{seed.decode()}")
    lay.image([(busybox_layer(), "gzip"), (tar([("seed", seed)]), "gzip")])
    push(lay, f"{host}/{name}:1", "latest", "--preserve-digests")
    return lay.manifests[-1]["digest"]


def nothing_came(env):
    same(env.run("images", "-q").ok().out, "", "images")
    for d in ("blobs/sha256", "layers", "images"):
        same(os.listdir(env.root / d), [], d)


@test(needs="root,registry")
def each_kind_of_key(env):
    with registry(env) as host:
        of = image(env, host)
        ref, p = f"{host}/a/b:1", policy(env, {f"{host}/a": rule(env)})
        env.run("pull", p, ref).error(1, "it has no signature")
        nothing_came(env)
        for kind in ("ecdsa", "rsa", "ed25519"):
            body = payload(f"{host}/a/b", of)
            attach(host, "a/b", of, [(body, sign(env, "other", body)), (body, sign(env, kind, body))])
            env.run("pull", "-q", policy(env, {f"{host}/a": rule(env, kind)}), ref).ok()
            env.run("rmi", ref).ok()
        # Keys inside of the policy, several of them; all requirements must hold.
        data = [base64.b64encode(key(env, k)[1].read_bytes()).decode() for k in ("other", "ed25519")]
        several = [{"type": "sigstoreSigned", "keyDatas": data, "signedIdentity": {"type": "matchRepository"}}]
        env.run("pull", "-q", policy(env, {host: several}), ref).ok()
        env.run("rmi", ref).ok()
        env.run("pull", policy(env, {host: several + rule(env, "ecdsa")}), ref).error(1, "not by a key of the policy")
        env.run("pull", policy(env, {host: rule(env, "p384")}), ref).error(1, "not of ECDSA P-256")
        nothing_came(env)


@test(needs="root,registry")
def what_does_not_count(env):
    with registry(env) as host:
        of, other = image(env, host), image(env, host, "a/c", b"2")
        ref, p = f"{host}/a/b:1", policy(env, {host: rule(env)})
        good = payload(f"{host}/a/b", of)
        right = sign(env, "ecdsa", good)
        for what, signatures, words in (
                ("another key", [(good, sign(env, "other", good))], "not by a key of the policy"),
                ("a changed payload", [(good.replace(b"null", b"{ } "), right)], "not by a key of the policy"),
                ("a changed signature", [(good, right[:-1] + bytes([right[-1] ^ 1]))], "not by a key of the policy"),
                ("no base64", [(good, "!!!!")], "not by a key of the policy"),
                ("an empty signature", [(good, "")], "not by a key of the policy"),
                ("another image's", [(payload(f"{host}/a/b", other), sign(env, "ecdsa", payload(f"{host}/a/b", other)))], f"for another image, {other[:19]}"),
                ("another name", [(payload(f"{host}/a/c", of), sign(env, "ecdsa", payload(f"{host}/a/c", of)))], f"for the name '{host}/a/c'"),
                ("another kind of payload", [(payload(f"{host}/a/b", of, "x"), sign(env, "ecdsa", payload(f"{host}/a/b", of, "x")))], "it is no cosign"),
                ("no JSON", [(b"{", sign(env, "ecdsa", b"{"))], "signature"),
                ("a member twice", [(good[:-1] + b',"optional":1}', sign(env, "ecdsa", good[:-1] + b',"optional":1}'))], "signature")):
            attach(host, "a/b", of, signatures)
            r = env.run("pull", p, ref).error(1, words)
            check("permission" not in r.err.lower() or words in r.err, what)
            nothing_came(env)
        attach(host, "a/b", of, [(good, right)])
        env.run("pull", "-q", p, ref).ok()
        env.run("rmi", ref).ok()
        # The same tag now leads to another image: the old signature is of no use.
        image(env, host, "a/b", b"3")
        env.run("pull", p, ref).error(1, "it has no signature")
        env.run("pull", "-q", p, f"{host}/a/b@{of}").ok()
        env.run("rmi", f"{host}/a/b@{of}").ok()
        nothing_came(env)


@test(needs="root,registry")
def identities_and_scopes(env):
    with registry(env) as host:
        of = image(env, host)
        ref = f"{host}/a/b:1"

        def signed(name):
            body = payload(name, of)
            attach(host, "a/b", of, [(body, sign(env, "ecdsa", body))])

        def pulls(identity, want, scope=host):
            r = env.run("pull", "-q", policy(env, {scope: rule(env, identity=identity)}), ref)
            same(r.code, 0 if want else 1, f"{identity}: {r.err}")
            if want:
                env.run("rmi", ref).ok()

        signed(f"{host}/a/b")
        for identity, want in ((None, False), ({"type": "matchExact"}, False), ({"type": "matchRepository"}, True), ({"type": "exactRepository", "dockerRepository": f"{host}/a/b"}, True),
                               ({"type": "exactRepository", "dockerRepository": f"{host}/a/c"}, False), ({"type": "exactReference", "dockerReference": ref}, False)):
            pulls(identity, want)
        signed(ref)
        for identity, want in ((None, True), ({"type": "matchExact"}, True), ({"type": "matchRepoDigestOrExact"}, True), ({"type": "exactReference", "dockerReference": ref}, True),
                               ({"type": "exactReference", "dockerReference": f"{host}/a/b:2"}, False)):
            pulls(identity, want)
        signed("example.org/up/b:1")
        pulls({"type": "remapIdentity", "prefix": f"{host}/a", "signedPrefix": "example.org/up"}, True)
        pulls({"type": "remapIdentity", "prefix": f"{host}/", "signedPrefix": "example.org/up"}, False)
        # The most particular scope decides.
        yes, no = [{"type": "insecureAcceptAnything"}], [{"type": "reject"}]
        for docker, want in (({ref: yes, host: no}, True), ({f"{host}/a/b": yes, f"{host}/a": no}, True), ({f"{host}/a": yes, "": no}, True), ({"": yes}, True), ({host: no, "": yes}, False),
                             ({f"{host}/a/bb": yes}, False), ({}, False)):
            r = env.run("pull", "-q", policy(env, docker), ref)
            same(r.code, 0 if want else 1, f"{docker}: {r.err}")
            if want:
                env.run("rmi", ref).ok()
            else:
                r.error(1, "rejected by")
        nothing_came(env)


@test(needs="root,registry")
def policies_that_are_wrong_or_not_ours(env):
    f = env.tmp / "bad.json"
    ask = ("pull", f"--signature-policy={f}", "localhost:1/x")
    for text, words in (("{", "policy"), ('{"transports":{}}', "'default' is missing"), ('{"default":[]}', "expected a list"), ('{"default":[{"type":"x"}]}', "'x' is not known"),
                        ('{"default":[{"type":"reject"}],"more":1}', "'more' is not known"), ('{"default":[{"type":"reject","more":1}]}', "default"),
                        ('{"default":[{"type":"sigstoreSigned"}]}', "exactly one of"), ('{"default":[{"type":"sigstoreSigned","keyData":"!"}]}', "not base64"),
                        ('{"default":[{"type":"sigstoreSigned","keyPath":"/x","signedIdentity":{"type":"exactReference"}}]}', "wrong members"),
                        ('{"default":[{"type":"sigstoreSigned","keyPath":"/x","rekorPublicKeyPath":"/y"}]}', "rekor"),
                        ('{"default":[{"type":"signedBy","keyType":"GPGKeys","keyPath":"/x"}]}', "signedBy, which is not checked")):
        f.write_text(text)
        r = env.run(*ask)
        check(r.code in (1, 2) and words in r.err, f"{text}: {r.err}")
    env.run("pull", f"--signature-policy={env.tmp}/none", "localhost:1/x").error(1, "none")
    # The user's own file is found without being named, for `run` too; files have transports of their own.
    home = env.tmp / "home"
    (home / ".config/containers").mkdir(parents=True, exist_ok=True)
    lay = Layout(env.tmp / "lay")
    lay.image([(tar([("x", b"y")]), None)])
    (home / ".config/containers/policy.json").write_text(json.dumps(
        {"default": [{"type": "reject"}], "transports": {"oci": {str(env.tmp / "lay"): [{"type": "insecureAcceptAnything"}], str(env.tmp): [{"type": "reject"}]}}}))
    env.run("run", "localhost:1/x", env={"HOME": str(home)}).error(125, "rejected by", "policy.json")
    env.run("pull", "-q", f"oci:{lay.path}:latest", env={"HOME": str(home)}).ok()
    env.run("save", "-o", env.tmp / "lay.tar", "lay").ok()
    env.run("rmi", "lay").ok()
    env.run("load", "-i", env.tmp / "lay.tar", env={"HOME": str(home)}).error(1, "rejected by")
    env.run("load", "-q", "-i", env.tmp / "lay.tar", policy(env, default="insecureAcceptAnything")).ok()
    env.run("rmi", "-f", "lay").ok()
    env.run("pull", policy(env, oci={"": rule(env)}), f"oci:{lay.path}:latest").error(1, "only a registry can show")
    nothing_came(env)


main()
