#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 300
"""Kubernetes files: kube play, kube down, generate kube; --health-on-failure, which probes need."""
import os

from caisson_test import check, main, same, test, wait_for

TINY = "caisson/tiny"


def pod(name="web", containers=None, spec="", meta=""):
    """A Pod with one container unless others are given; all as flow style, which is JSON with fewer quotes."""
    return f"""
apiVersion: v1
kind: Pod
metadata: {{name: {name}{meta}}}
spec:
  terminationGracePeriodSeconds: 0
  containers: {containers or f'[{{name: c, image: {TINY}, args: [sleep, "1000"]}}]'}
{spec}
"""


def play(env, text, *flags):
    return env.run("kube", "play", *flags, "-", stdin=text)


def nothing_left(env):
    same((env.run("ps", "-aq").ok().out, env.run("volume", "ls", "-q").ok().out), ("", ""), "what is left")


WHOLE = f"""
apiVersion: v1
kind: ConfigMap
metadata: {{name: conf}}
data: {{greeting: hello, file.txt: "a line\\n"}}
binaryData: {{bin: AAEC}}
---
apiVersion: v1
kind: Secret
metadata: {{name: sec}}
data: {{pw: c2VjcmV0}}
stringData: {{plain: text}}
---
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: PersistentVolumeClaim
  metadata: {{name: keep, labels: {{of: claim}}}}
  spec: {{accessModes: [ReadWriteOnce]}}
---
apiVersion: v1
kind: Service
metadata: {{name: svc}}
---
apiVersion: v1
kind: Pod
metadata:
  name: web
  labels: {{app: web}}
  annotations: {{note: x}}
spec:
  nodeSelector: {{disk: ssd}}
  hostname: front
  dnsConfig: {{nameservers: [192.0.2.7], searches: [example.test], options: [{{name: ndots, value: "3"}}]}}
  hostAliases: [{{ip: 192.0.2.9, hostnames: [db, cache]}}]
  terminationGracePeriodSeconds: 1
  securityContext: {{supplementalGroups: [4242], sysctls: [{{name: net.ipv4.ip_unprivileged_port_start, value: "0"}}]}}
  initContainers:
  - {{name: prep, image: {TINY}, command: [sh, -c, "echo made > /data/f; echo kept > /keep/k"], volumeMounts: [{{name: data, mountPath: /data}}, {{name: keep, mountPath: /keep}}]}}
  containers:
  - name: one
    image: {TINY}
    command: [sh, -c]
    args: ["echo '$(GREET) $(P_pw) $$HOME $(NOPE) $(WHO)'; exec sleep 1000"]
    workingDir: /data
    env:
    - {{name: GREET, valueFrom: {{configMapKeyRef: {{name: conf, key: greeting}}}}}}
    - {{name: GONE, valueFrom: {{secretKeyRef: {{name: none, key: x, optional: true}}}}}}
    - {{name: WHO, value: "<$(POD)>"}}
    - {{name: POD, valueFrom: {{fieldRef: {{fieldPath: metadata.name}}}}}}
    - {{name: LABEL, valueFrom: {{fieldRef: {{fieldPath: "metadata.labels['app']"}}}}}}
    envFrom: [{{secretRef: {{name: sec}}, prefix: P_}}]
    ports: [{{containerPort: 80, hostPort: 8081}}, {{containerPort: 9}}]
    volumeMounts:
    - {{name: data, mountPath: /data}}
    - {{name: conf, mountPath: /conf}}
    - {{name: conf, mountPath: /etc/one.txt, subPath: file.txt}}
    - {{name: sec, mountPath: /sec}}
    - {{name: mem, mountPath: /mem}}
    - {{name: keep, mountPath: /keep, readOnly: true}}
    - {{name: host, mountPath: /host}}
    resources: {{limits: {{memory: 64Mi, cpu: 500m, ephemeral-storage: 1Gi}}, requests: {{memory: 32Mi, cpu: 100m}}}}
    securityContext: {{runAsUser: 7, runAsGroup: 8, readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}, runAsNonRoot: true}}
  - {{name: two, image: {TINY}, args: [sleep, "1000"]}}
  volumes:
  - {{name: data, emptyDir: {{}}}}
  - {{name: mem, emptyDir: {{medium: Memory, sizeLimit: 1Mi}}}}
  - {{name: conf, configMap: {{name: conf}}}}
  - {{name: sec, secret: {{secretName: sec, defaultMode: 0440, items: [{{key: pw, path: deep/pw, mode: 0444}}, {{key: plain, path: plain}}]}}}}
  - {{name: keep, persistentVolumeClaim: {{claimName: keep}}}}
  - {{name: host, hostPath: {{path: HOSTDIR, type: DirectoryOrCreate}}}}
"""


@test(needs="root,netns", timeout=120)
def a_file_with_everything(env):
    text = WHOLE.replace("HOSTDIR", str(env.tmp / "made/here"))
    r = play(env, text).ok()
    lines = r.out.split()
    same((lines[0], lines[2], len(lines)), ("Pod:", "Container:", 5), r.out)
    for words in ("Service svc is left out", "spec.nodeSelector is left out", "ephemeral-storage is left out"):
        check(words in r.err, f"no warning '{words}': {r.err}")
    wait_for(lambda: env.run("logs", "web-one").out, what="its output")
    env.run("logs", "web-one").ok(out="hello secret $HOME $(NOPE) <$(POD)>\n")
    inside = lambda c, *words: env.run("exec", c, *words).ok().out
    same(inside("web-one", "sh", "-c", "echo $P_plain $LABEL ${GONE-unset}; cat f /conf/file.txt /etc/one.txt /sec/deep/pw; od -An -tx1 /conf/bin; cat /keep/k; pwd; id -u; id -g; id -G"),
         "text web unset\nmade\na line\na line\nsecret 00 01 02\nkept\n/data\n7\n8\n8 4242\n")
    same(inside("web-one", "sh", "-c", "for d in / /conf /keep; do touch $d/x 2>/dev/null && echo $d; done; touch /data/x && echo data; stat -c %a /sec/plain /sec/deep/pw; grep -E 'CapBnd|NoNewPrivs' /proc/self/status | tr -d '\\t\\n'"),
         "data\n440\n444\nCapBnd:0000000000000000NoNewPrivs:1")
    check("1024" in inside("web-one", "df", "-k", "/mem"), "size of the memory volume")
    same(inside("web-two", "hostname"), "front\n")
    conf = inside("web-two", "cat", "/etc/resolv.conf") + inside("web-two", "cat", "/etc/hosts")
    for words in ("nameserver 192.0.2.7", "search example.test", "ndots:3", "db", "192.0.2.9"):
        check(words in conf, f"no '{words}' in {conf}")
    same(inside("web-two", "cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start"), "0\n")
    check(":8081->80/tcp" in env.run("ps", "--filter", "name=web", "--format", "{{.Ports}}").out, "port")
    same(env.run("inspect", "-f", "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.MemoryReservation}} {{.HostConfig.RestartPolicy.Name}} {{.Config.StopTimeout}}", "web-one").ok().out, "67108864 500000000 33554432 always 1\n")
    same(env.run("inspect", "-f", "{{.Config.Labels.app}}", "web-two").ok().out, "web\n")
    same(sorted(env.run("ps", "-a", "--format", "{{.Names}}").ok().out.split()), ["web", "web-one", "web-two"], "the initContainer is gone")
    taken = play(env, text).expect(1)
    check("'web' is already in use" in taken.err, taken.err)
    play(env, text, "--replace").ok()
    env.run("kube", "down", "-", stdin=text).ok()
    same(env.run("volume", "ls", "-q").ok().out, "keep\n", "claims stay")
    same(env.run("volume", "inspect", "-f", "{{.Labels.of}}", "keep").ok().out, "claim\n")
    env.run("kube", "down", "--force", "-", stdin=text).ok()
    nothing_left(env)


@test(needs="root,netns")
def a_deployment_has_replicas(env):
    def text(n, ports=""):
        return f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: api}}
spec:
  replicas: {n}
  selector: {{matchLabels: {{app: api}}}}
  template:
    metadata: {{labels: {{app: api}}}}
    spec: {{terminationGracePeriodSeconds: 0, containers: [{{name: c, image: {TINY}, args: [sleep, "1000"]{ports}}}]}}
"""
    names = lambda: sorted(env.run("pod", "ps", "--format", "{{.Name}}").ok().out.split())
    play(env, text(3)).ok()
    same(names(), ["api-pod-1", "api-pod-2", "api-pod-3"])
    play(env, text(1), "--replace").ok()
    same(names(), ["api-pod"])
    same(env.run("ps", "-q", "--filter", "label=app=api").ok().out.count("\n"), 2)
    env.run("kube", "down", "-", stdin=text(3)).ok()
    play(env, text(2, ", ports: [{containerPort: 1, hostPort: 1}]")).error(1, "hostPort", "api")
    play(env, text(0)).ok(out="")
    nothing_left(env)


@test(needs="root,netns")
def what_is_not_possible_is_refused_by_name_before_anything_is_made(env):
    c = lambda more: f"[{{name: c, image: {TINY}, {more}}}]"
    for text, words in (
            (pod(containers=c("lifecycle: {preStop: {exec: {command: [x]}}}")), ["container 'c'", "lifecycle"]),
            (pod(containers=c("livenessProbe: {grpc: {port: 1}}")), ["livenessProbe", "grpc"]),
            (pod(containers=c("livenessProbe: {tcpSocket: {port: web}}")), ["port", "web"]),
            (pod(containers=c("resources: {limits: {nvidia.com/gpu: 1}}")), ["nvidia.com/gpu"]),
            (pod(containers=c("resources: {limits: {memory: lots}}")), ["memory", "lots"]),
            (pod(containers=c("securityContext: {seLinuxOptions: {level: s0}}")), ["seLinuxOptions"]),
            (pod(containers=c("securityContext: {runAsNonRoot: true}")), ["runAsNonRoot"]),
            (pod(containers=c("securityContext: {runAsNonRoot: true, runAsUser: 0}")), ["runAsNonRoot"]),
            (pod(containers=c("env: [{name: A, valueFrom: {secretKeyRef: {name: none, key: k}}}]")), ["Secret", "none"]),
            (pod(containers=c("env: [{name: A, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]")), ["status.podIP"]),
            (pod(containers=c("envFrom: [{configMapRef: {name: gone}}]")), ["ConfigMap", "gone"]),
            (pod(containers=c("volumeMounts: [{name: v, mountPath: /v}]")), ["volumeMounts", "'v'"]),
            (pod(containers=c("volumeMounts: [{name: v, mountPath: /v, subPath: ../..}]"), spec="  volumes: [{name: v, emptyDir: {}}]"), ["subPath", "../.."]),
            (pod(spec="  volumes: [{name: v, nfs: {server: x, path: /}}]"), ["volume 'v'"]),
            (pod(spec="  volumes: [{name: v, emptyDir: {}}]\n  securityContext: {fsGroup: 5}"), ["fsGroup"]),
            (pod(spec="  activeDeadlineSeconds: 5"), ["activeDeadlineSeconds"]),
            (pod(spec="  runtimeClassName: gvisor"), ["runtimeClassName"]),
            (pod(spec="  restartPolicy: Sometimes"), ["restartPolicy", "Sometimes"]),
            (pod(meta=", annotations: {io.caisson.isolation: jail}"), ["io.caisson.isolation", "jail"]),
            (pod(name="Bad_Name"), ["metadata.name", "Bad_Name"]),
            (pod(containers="[]"), ["containers"]),
            (pod(containers=f"[{{name: c, image: {TINY}}}, {{name: c, image: {TINY}}}]"), ["'c'", "once"]),
            (pod(containers="[{name: c, image: 5}]"), ["containers[0].image", "string"]),
            (pod(containers=c("imagePullPolicy: Never").replace(TINY, "no/such")), ["no/such"]),
            (pod() + "---" + pod(), ["twice"]),
            ("apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\n", ["Job", "j"]),
            ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: only}\n", ["Pod"]),
            ("kind: Pod\n", ["apiVersion"]),
            ("a: [1\n", ["line"]), ("a: &a [*a]\n", ["alias"]), ("x: 1\nx: 2\n", ["stdin"]), ("", ["Pod"])):
        r = play(env, text)
        check(r.code in (1, 2, 125), f"{words}: exit code {r.code}")
        last = r.err.strip().split("\n")[-1]
        same([w for w in words if w.lower() not in r.err.lower()], [], f"what this does not say: {last}")
    env.run("kube", "play", "/no/such/file").error(1, "/no/such/file")
    play(env, pod(spec=f"  initContainers: [{{name: i, image: {TINY}, args: [\"true\"]}}]"), "--start=false").error(1, "initContainers")
    nothing_left(env)


@test(needs="root,netns")
def config_maps_may_come_from_another_file(env):
    more = env.tmp / "more.yaml"
    more.write_text('{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "other"}, "data": {"A": "from json"}}')
    text = pod(containers=f"[{{name: c, image: {TINY}, command: [sh, -c, 'echo \"$A\"; exec sleep 1000'], envFrom: [{{configMapRef: {{name: other}}}}]}}]")
    play(env, text, "--configmap", more, "--network", "none").ok()
    wait_for(lambda: env.run("logs", "web-c").out == "from json\n", what="its output")
    same(env.run("inspect", "-f", "{{.HostConfig.NetworkMode}}", "web").ok().out, "none\n")
    env.run("kube", "down", "-", stdin=text).ok()
    nothing_left(env)


@test(needs="root,netns,qemu,kernel", timeout=120)
def the_annotation_makes_the_pod_one_machine(env):
    text = pod(containers=f"[{{name: a, image: {TINY}, command: [sh, -c, 'uname -r > /v/kernel; exec sleep 1000'], volumeMounts: [{{name: v, mountPath: /v}}]}}, {{name: b, image: {TINY}, args: [sleep, '1000']}}]",
               meta=", annotations: {io.caisson.isolation: vm}", spec="  volumes: [{name: v, emptyDir: {}}]")
    play(env, text).ok()
    kernel = env.run("exec", "web-b", "uname", "-r").ok().out
    check(kernel != os.uname().release + "\n", kernel)
    env.run("exec", "web-a", "cat", "/v/kernel").ok(out=kernel)
    check("io.caisson.isolation: vm" in env.run("generate", "kube", "web").ok().out, "the annotation")
    env.run("kube", "down", "-", stdin=text).ok()
    play(env, pod(meta=", annotations: {io.caisson.isolation: vm}", spec="  hostNetwork: true")).error(1, "hostNetwork", "VM")
    nothing_left(env)


@test(needs="root,netns")
def bombs_are_refused_soon(env):
    bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
    play(env, bomb).error(1, "alias", "large")
    play(env, "[" * 100000).error(1, "levels")
    play(env, "a: " + "x" * (5 << 20)).error(1, "stdin")


@test(needs="root,netns")
def a_failing_init_container_undoes_the_pod(env):
    r = play(env, pod(spec=f"  initContainers: [{{name: i, image: {TINY}, command: [sh, -c, 'exit 3'], volumeMounts: [{{name: v, mountPath: /v}}]}}]\n  volumes: [{{name: v, emptyDir: {{}}}}]"))
    r.error(1, "initContainer 'i'", "code 3")
    nothing_left(env)


@test(needs="root,netns")
def a_sidecar_runs_before_the_init_container_behind_it(env):
    init = (f"  initContainers:\n  - {{name: side, image: {TINY}, restartPolicy: Always, command: [sh, -c, 'touch /v/up; exec sleep 1000'], volumeMounts: [{{name: v, mountPath: /v}}]}}\n"
            f"  - {{name: after, image: {TINY}, command: [sh, -c, 'until test -e /v/up; do sleep 0.05; done'], volumeMounts: [{{name: v, mountPath: /v}}]}}\n  volumes: [{{name: v, emptyDir: {{}}}}]")
    play(env, pod(spec=init)).ok()
    same(sorted(env.run("ps", "--format", "{{.Names}}").ok().out.split()), ["web", "web-c", "web-side"])
    env.run("kube", "down", "-", stdin=pod()).ok()
    nothing_left(env)


@test(needs="root,netns")
def what_fails_its_liveness_probe_is_killed_and_starts_again(env):
    c = f"[{{name: c, image: {TINY}, command: [sh, -c, 'rm -f /tmp/ill; echo life; exec sleep 1000'], livenessProbe: {{exec: {{command: [test, '!', -e, /tmp/ill]}}, periodSeconds: 1, failureThreshold: 1}}}}]"
    play(env, pod(containers=c)).ok()
    wait_for(lambda: env.run("logs", "web-c").out == "life\n", what="the first life")
    env.run("exec", "web-c", "touch", "/tmp/ill").ok()
    wait_for(lambda: env.run("logs", "web-c").out == "life\nlife\n", 30, "the second life")
    env.run("kube", "down", "-", stdin=pod()).ok()
    # The same as an option of run.
    for action, state in (("kill", "137"), ("stop", "137")):
        env.run("run", "-d", "--name", "h", "--network", "none", "--stop-timeout", "0", "--health-cmd", "exit 1", "--health-interval", "100ms", "--health-retries", "1", "--health-on-failure", action, TINY, "sleep", "1000").ok()
        env.run("wait", "h").ok(out=state + "\n")
        env.run("rm", "h").ok()
    env.run("run", "--health-on-failure", "restart", TINY, "true").error(125, "--health-on-failure", "--restart always")
    env.run("run", "--health-on-failure", "dance", TINY, "true").error(2, "--health-on-failure", "dance")
    nothing_left(env)


@test(needs="root,netns")
def what_generate_prints_makes_the_same_again(env):
    env.run("volume", "create", "vol").ok()
    env.run("run", "-d", "--name", "My_App", "-p", "127.0.0.1:8082:80", "-e", "A=$(x) $$", "-v", "vol:/v", "-v", f"{env.tmp}:/t:ro", "--tmpfs", "/m", "-m", "64m", "--cpus", "0.5", "--user", "5:6", "--cap-drop", "ALL",
            "--device", "/dev/null:/dev/other", "--restart", "always", "--stop-timeout", "0", "-w", "/t", "--health-cmd", "true", "-l", "app=x", "--entrypoint", "sleep", TINY, "1000").ok()
    r = env.run("generate", "kube", "My_App").ok()
    check("--device=/dev/null:/dev/other has no place" in r.err and r.err.count("\n") == 1, r.err)
    show = "{{json .Config.Entrypoint}} {{json .Config.Cmd}} {{.Config.User}} {{.Config.WorkingDir}} {{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.RestartPolicy.Name}} {{json .HostConfig.CapDrop}}"
    before = env.run("inspect", "-f", show, "My_App").ok().out
    env.run("rm", "-f", "My_App").ok()
    f = env.tmp / "app.yaml"
    f.write_text(r.out)
    env.run("kube", "play", f).ok()
    same(env.run("inspect", "-f", show, "my-app-pod-my-app").ok().out, before, "what it is")
    same(env.run("exec", "my-app-pod-my-app", "sh", "-c", "echo \"$A\"").ok().out, "$(x) $$\n")
    mounts = {m["Destination"]: (m["Type"], m["RW"]) for m in env.run("inspect", "-f", "{{json .Mounts}}", "my-app-pod-my-app").ok().json()}
    same({k: mounts[k] for k in ("/v", "/t")}, {"/v": ("volume", True), "/t": ("bind", False)})
    again = env.run("generate", "kube", "my-app-pod").ok().out
    check("hostPort: 8082" in again and "claimName: vol" in again, again)
    env.run("generate", "kube", "my-app-pod-my-app").error(2, "in a pod")
    env.run("generate", "kube", "-f", f, "my-app-pod").error(1, str(f))
    env.run("kube", "down", "--force", f).ok()
    nothing_left(env)


main()
