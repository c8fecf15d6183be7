# SPDX-License-Identifier: Apache-2.0
# timeout: 300
"""serve: docker-compose with a project of several services, and Ansible's docker connection."""
import json, os, subprocess, urllib.request

from caisson_api import Serve
from caisson_test import check, main, same, test, wait_for

PROJECT = """
version: "2.4"
services:
  db:
    image: caisson/tiny
    command: ["sh", "-c", "[ -e /data/row ] || echo first > /data/row; echo db is ready; exec httpd -f -p 5432 -h /data"]
    volumes: ["rows:/data"]
    networks: {back: {aliases: [database]}}
    ports: ["127.0.0.1:8081:5432"]
    healthcheck: {test: ["CMD", "wget", "-qO-", "http://127.0.0.1:5432/row"], interval: 1s, retries: 30}
  web:
    image: caisson/tiny
    command:
      - sh
      - -c
      - |
        mkdir -p /www/cgi-bin
        printf '#!/bin/sh\\necho Content-type: text/plain\\necho\\nwget -qO- http://database:5432/row\\n' > /www/cgi-bin/page
        chmod 755 /www/cgi-bin/page
        exec httpd -f -p 80 -h /www
    depends_on: {db: {condition: service_healthy}}
    networks: [front, back]
    ports: ["127.0.0.1:8080:80"]
    environment: {A: b}
    restart: unless-stopped
  worker:
    image: caisson/tiny
    command: ["sh", "-c", "echo worker $$(hostname) is up; exec sleep 1000"]
    networks: [back]
    stop_grace_period: 1s
networks:
  front: {}
  back: {internal: true}
volumes:
  rows: {}
"""


class Compose:
    def __init__(self, env, serve):
        self.dir = env.tmp / "project"
        self.dir.mkdir(exist_ok=True)
        (self.dir / "docker-compose.yml").write_text(PROJECT)
        self.env = serve.dockerenv()

    def __call__(self, *args, code=0):
        r = subprocess.run(["docker-compose", "--ansi", "never", *args], cwd=self.dir, env=self.env, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
        if r.returncode != code:
            check(False, f"docker-compose {args}: {r.returncode}, want {code}: {r.stdout} {r.stderr}")
        return r.stdout + r.stderr


def published(s, service):
    d = s.json("GET", f"/containers/project_{service}_1/json")
    check(d["HostConfig"]["PortBindings"], "it does not say what it was made with")
    return [f"{b['HostIp']}:{b['HostPort']}" for v in d["NetworkSettings"]["Ports"].values() for b in v or []]


def page():
    try:
        with urllib.request.urlopen("http://127.0.0.1:8080/cgi-bin/page", timeout=5) as r:
            return r.read().decode().strip()
    except OSError:
        return None


@test(needs="root,netns,compose", timeout=240)
def a_project(env):
    with Serve(env) as s:
        c = Compose(env, s)
        s.json("DELETE", f"/containers/{s.made()}", want=204)      # the image is there
        c("up", "-d")
        def running(): return sorted(x["Names"][0] for x in s.json("GET", "/containers/json"))
        same(running(), ["/project_db_1", "/project_web_1", "/project_worker_1"], "what runs")
        wait_for(lambda: page() == "first", 30, "the page, by way of the database")
        d = s.json("GET", "/containers/project_web_1/json")
        same(sorted(d["NetworkSettings"]["Networks"]), ["project_back", "project_front"], "networks of web")
        # back is internal: web's port is published by way of front, db's is not, which is no error.
        same(published(s, "web"), ["127.0.0.1:8080"], "what is published of web")
        same(published(s, "db"), [], "what is published of db")
        c("exec", "-T", "db", "sh", "-c", "echo second > /data/row")
        same(page(), "second", "the page after a change")
        c("up", "-d", "--scale", "worker=3")
        same(len(running()), 5, "how many run when scaled")
        def said(): return {l.split("|")[0].strip() for l in c("logs", "worker").splitlines() if "is up" in l}
        wait_for(lambda: said() == {"worker_1", "worker_2", "worker_3"}, 30, "logs")
        check("db is ready" in c("logs", "db") and "project_web_1" in c("ps"), "logs and ps")
        c("restart", "-t", "1", "db")
        wait_for(lambda: page() == "second", 30, "the page after a restart: the volume kept it")
        c("up", "-d", "--scale", "worker=1")
        same(running(), ["/project_db_1", "/project_web_1", "/project_worker_1"], "what runs, scaled down")
        s.json("POST", "/networks/project_front/connect", {"Container": "project_db_1"})
        s.json("POST", "/containers/project_db_1/restart?t=1", want=204)
        same(published(s, "db"), ["127.0.0.1:8081"], "what is published of db, on a network that leads out")
        c("down", "-t", "1")
        same(s.json("GET", "/containers/json?all=1"), [], "instances after down")
        same([v["Name"] for v in s.json("GET", "/volumes")["Volumes"]], ["project_rows"], "volumes after down")
        same(s.docker("run", "--rm", "-v", "project_rows:/data", "caisson/tiny", "cat", "/data/row")[0], "second\n", "what the volume has kept")
        s.json("DELETE", "/volumes/project_rows", want=204)
        same([n["Name"] for n in s.json("GET", "/networks")], ["bridge", "host", "none"], "networks after down")


@test(needs="root,netns,compose")
def a_project_that_builds_a_vm(env):
    """build: in a project, and runtime: for a stronger wall, as far as the body goes."""
    with Serve(env) as s:
        c = Compose(env, s)
        (c.dir / "Dockerfile").write_text("FROM caisson/tiny\nRUN echo made > /made\nCMD cat /made\n")
        (c.dir / "docker-compose.yml").write_text('version: "2.4"\nservices:\n  one: {build: ., network_mode: none}\n  two: {image: caisson/tiny, runtime: caisson-vm, network_mode: none}\n')
        check("made" in c("up", "--build", "one"), "output of what was built")
        c("up", "--no-start", "two")
        same(s.json("GET", "/containers/project_two_1/json")["Isolation"], "vm", "the wall by runtime")
        c("down", "--rmi", "local")
        s.json("POST", "/build/prune")
        s.json("POST", '/images/prune?filters={"dangling":["false"]}')


PLAYBOOK = """
- hosts: all
  gather_facts: false
  tasks:
    - raw: uname -r
      register: kernel
    - raw: "echo from-ansible > /tmp/f"
    - raw: cat /tmp/f
      register: out
    - copy: {content: "sent\\n", dest: /tmp/g}
      when: python | default(false)
    - fail: {msg: "{{ out.stdout }}"}
      when: "'from-ansible' not in out.stdout"
    - debug: {msg: "kernel={{ kernel.stdout | trim }}"}
"""


def play(env, s, name, python):
    (env.tmp / "play.yml").write_text(PLAYBOOK)
    (env.tmp / "hosts").write_text(f"{name} ansible_connection=docker ansible_python_interpreter=/usr/bin/python3 {'python=true' if python else ''}\n")
    r = subprocess.run(["ansible-playbook", "-i", str(env.tmp / "hosts"), str(env.tmp / "play.yml")], capture_output=True, text=True, timeout=200, stdin=subprocess.DEVNULL,
                       env={**s.dockerenv(), "ANSIBLE_LOCAL_TEMP": str(env.tmp / "a"), "ANSIBLE_HOME": str(env.tmp / "ah"), "ANSIBLE_NOCOLOR": "1", "LC_ALL": "C.UTF-8"})
    check(r.returncode == 0 and "failed=0" in r.stdout, f"ansible-playbook: {r.returncode} {r.stdout[-1500:]} {r.stderr[-1500:]}")
    return r.stdout


@test(needs="root,docker,ansible", timeout=240)
def ansible_in_a_container(env):
    with Serve(env) as s:
        # Its modules want a python: the host's, read-only.
        mounts = [f"{d}:{d}:ro" for d in ("/usr", "/lib", "/lib64", "/etc/alternatives")]
        i = s.made(Cmd=["sleep", "1000"], HostConfig={"Binds": mounts, "NetworkMode": "none"})
        s.json("POST", f"/containers/{i}/start", want=204)
        check("kernel=" in play(env, s, i[:12], True), "the playbook")
        x = s.json("POST", f"/containers/{i}/exec", {"Cmd": ["cat", "/tmp/g"], "AttachStdout": True}, want=201)["Id"]
        same(s.ask("POST", f"/exec/{x}/start", {}).data[8:], b"sent\n", "what the copy module wrote")
        s.json("DELETE", f"/containers/{i}?force=1", want=204)


@test(needs="root,docker,ansible,qemu,kernel", timeout=290)
def ansible_in_a_machine(env):
    with Serve(env) as s:
        i = s.made(Cmd=["sleep", "1000"], HostConfig={"Isolation": "vm", "NetworkMode": "none"})
        s.json("POST", f"/containers/{i}/start", want=204)
        check(f"kernel={os.uname().release}" not in play(env, s, i[:12], False), "the machine has the host's kernel")
        s.json("DELETE", f"/containers/{i}?force=1", want=204)


@test(needs="root,docker")
def a_context(env):
    """docker context: the server has a name, and the client needs no variable."""
    with Serve(env) as s:
        more = {"DOCKER_CONFIG": str(env.tmp / "ctx-config")}
        env_without = {k: v for k, v in {**s.dockerenv(), **more}.items() if k != "DOCKER_HOST"}
        def docker(*args):
            r = subprocess.run(["docker", *args], capture_output=True, text=True, env=env_without, timeout=60)
            check(r.returncode == 0, f"docker {args}: {r.stdout} {r.stderr}")
            return r.stdout
        docker("context", "create", "caisson", "--docker", f"host=unix://{s.path}")
        same(docker("--context", "caisson", "run", "--rm", "--network", "none", "caisson/tiny", "echo", "hi"), "hi\n", "run")
        docker("context", "use", "caisson")
        check("caisson" in docker("info"), "info")
        check(json.loads(docker("context", "inspect", "caisson"))[0]["Endpoints"]["docker"]["Host"].endswith("api.sock"), "inspect")


main()
