# SPDX-License-Identifier: Apache-2.0
"""`inspect`: docker's names for everything that was asked for, and the templates that docker's pages show."""
import json

from caisson_test import check, main, same, test

T = "caisson/tiny"


def host_config(env, name):
    return env.run("inspect", name).ok().json()[0]["HostConfig"]


@test(needs="root,netns")
def host_config_has_dockers_names(env):
    env.run("create", "--name", "all", "--add-host", "a:192.0.2.1", "--annotation", "k=v", "--cap-add", "NET_RAW", "--cap-drop", "CHOWN", "--cgroup-parent", "/x",
            "--cgroupns", "host", "--cpu-shares", "77", "--cpu-period", "20000", "--cpu-quota", "10000", "--cpuset-cpus", "0", "--cpuset-mems", "0",
            "--device", "/dev/null:/dev/n:r", "--device-cgroup-rule", "c 1:3 r", "--dns", "192.0.2.53", "--expose", "90", "--group-add", "7",
            "--init", "--ipc", "shareable", "--pid", "host", "--uts", "host", "--memory", "64m", "--memory-reservation", "32m", "--memory-swap", "-1",
            "--memory-swappiness", "5", "--oom-kill-disable", "--oom-score-adj", "9", "--pids-limit", "99", "-p", "127.0.0.1:8080:80", "-p", "81/udp", "-P",
            "--read-only", "--security-opt", "no-new-privileges", "--shm-size", "1m", "--sysctl", "net.ipv4.ip_forward=1", "--tmpfs", "/t:size=1m",
            "--ulimit", "nofile=1:2", "--restart", "on-failure:3", "-v", "/tmp:/host:ro,rslave", T, "sleep", "1").ok()
    got = host_config(env, "all")
    for key, want in {
            "ExtraHosts": ["a:192.0.2.1"], "Annotations": {"k": "v"}, "CapAdd": ["NET_RAW"], "CapDrop": ["CHOWN"], "CgroupParent": "/x", "CgroupnsMode": "host",
            "CpuShares": 77, "CpuPeriod": 20000, "CpuQuota": 10000, "CpusetCpus": "0", "CpusetMems": "0", "NanoCpus": 0,
            "Devices": [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/n", "CgroupPermissions": "r"}], "DeviceCgroupRules": ["c 1:3 r"],
            "Dns": ["192.0.2.53"], "GroupAdd": ["7"], "Init": True, "IpcMode": "shareable", "PidMode": "host", "UTSMode": "host",
            "Memory": 64 << 20, "MemoryReservation": 32 << 20, "MemorySwap": -1, "MemorySwappiness": 5, "OomKillDisable": True, "OomScoreAdj": 9, "PidsLimit": 99,
            "Privileged": False, "PublishAllPorts": True, "ReadonlyRootfs": True, "SecurityOpt": ["no-new-privileges"], "ShmSize": 1 << 20,
            "Sysctls": {"net.ipv4.ip_forward": "1"}, "Tmpfs": {"/t": "size=1m"}, "Ulimits": [{"Name": "nofile", "Hard": 2, "Soft": 1}],
            "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}], "81/udp": [{"HostIp": "", "HostPort": ""}]},
            "Binds": ["/tmp:/host:ro,rslave"], "AutoRemove": False, "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}, "Runtime": "caisson", "Isolation": "container"}.items():
        same(got.get(key), want, key)
    check("/proc/kcore" in got["MaskedPaths"] and "/proc/sys" in got["ReadonlyPaths"], "paths of the wall")
    doc = env.run("inspect", "all").ok().json()[0]
    same(sorted(doc["Config"]["ExposedPorts"]), ["80/tcp", "81/udp", "90/tcp"], "exposed ports")
    same([(m["Destination"], m["RW"], m["Propagation"]) for m in doc["Mounts"] if m["Type"] == "bind"], [("/host", False, "rslave")], "mounts")
    env.run("rm", "all").ok()


@test(needs="root,netns")
def templates_people_know(env):
    env.run("run", "-d", "--name", "tpl", "-p", "127.0.0.1::80", "-l", "a.b=c", "-v", "tplvol:/data", T, "sleep", "1000").ok()
    doc = env.run("inspect", "tpl").ok().json()[0]
    port = doc["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"]
    for template, want in (
            ("{{.Id}}", doc["Id"]), ("{{.ID}}", doc["Id"]), ("{{.Name}}", "/tpl"), ("{{.State.Status}}", "running"), ("{{.State.Running}}", "true"),
            ("{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", doc["NetworkSettings"]["IPAddress"]),
            ("{{range $p, $conf := .NetworkSettings.Ports}}{{$p}} -> {{(index $conf 0).HostPort}}{{end}}", f"80/tcp -> {port}"),
            ('{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}', port),
            ('{{index .Config.Labels "a.b"}}', "c"), ("{{json .Config.Cmd}}", '["sleep","1000"]'), ("{{.Config.Cmd}}", "[sleep 1000]"),
            ('{{join .Config.Cmd " "}}', "sleep 1000"), ("{{len .Mounts}}", "1"), ("{{range .Mounts}}{{.Name}}:{{.Destination}}{{end}}", "tplvol:/data"),
            ("{{.HostConfig.NetworkMode}}", "bridge"), ("{{if .State.Running}}up{{else}}down{{end}}", "up"),
            ('{{with .State}}{{if eq .Status "running"}}{{.Pid}}{{end}} {{$.Name}}{{end}}', f"{doc['State']['Pid']} /tpl"),
            ("{{upper .Name}}", "/TPL"), ("{{truncate .Id 12}}", doc["Id"][:12]), ("{{.Nope}}", "<no value>")):
        env.run("inspect", "--format", template, "tpl").ok(out=want + "\n")
    same(json.loads(env.run("inspect", "--format", "{{json .}}", "tpl").ok().out)["Id"], doc["Id"], "json of all")
    env.run("inspect", "--format", "{{nonsense .}}", "tpl").error(1, "nonsense")
    env.run("rm", "-f", "tpl").ok()


@test(needs="root,netns")
def a_terminal_shows_control_characters_and_does_not_obey(env):
    env.run("create", "--name", "esc", "-l", "title=\x1b]0;owned\x07\x9b31m", T, "true").ok()
    t = env.tty("inspect", "--format", '{{index .Config.Labels "title"}}\\t{{.Name}}', "esc")
    t.until(r"\\x1b\]0;owned\\x07.*\t/esc")
    t.finish().expect(0)
    check("\x1b" in env.run("inspect", "--format", '{{index .Config.Labels "title"}}', "esc").ok().out, "a program gets the bytes")
    for words in (("ps", "-a", "--format", "{{.Labels}}"), ("inspect", "esc"), ("ps", "-a")):
        check("\x1b" not in env.run(*words).ok().out, f"{words}")
    env.run("rm", "esc").ok()


@test(needs="root")
def inspect_finds_whatever_has_the_name(env):
    env.run("create", "--name", "thing", T, "true").ok()
    env.run("volume", "create", "thing").ok()
    env.run("volume", "create", "only").ok()
    i = env.run("inspect", "-f", "{{.Id}}", "thing").ok().out
    same(len(i), 65, "the instance comes first")
    same(env.run("inspect", "--type", "volume", "-f", "{{.Name}}", "thing").ok().out, "thing\n")
    same(env.run("inspect", "-f", "{{.Name}}", "only", "bridge").ok().out, "only\nbridge\n")
    same(env.run("inspect", "-f", "{{.Id}}", T).ok().out, env.run("image", "inspect", "-f", "{{.Id}}", T).ok().out, "an image")
    env.run("inspect", "--type", "image", "thing").expect(1, out="[]\n")
    env.run("inspect", "--type", "container", T).expect(1, out="[]\n")
    env.run("inspect", "nothing-at-all").expect(1, out="[]\n")
    env.run("inspect", "--type", "task", "thing").error(2, "--type", "task")
    doc = env.run("inspect", "-s", "thing").ok().json()[0]
    check(doc["SizeRootFs"] > 0 and doc["SizeRootFs"] >= doc["SizeRw"], doc)
    check("SizeRw" not in env.run("inspect", "thing").ok().json()[0], "only with --size")
    env.run("image", "inspect", "-f", "{{nonsense .}}", T).error(2, "nonsense")
    env.run("rm", "thing").ok()
    env.run("volume", "rm", "thing", "only").ok()


# What the pages of docker's commands name below --format, and the members of `inspect` that its examples and scripts use.
KEYS = {
    "ps": "ID Image Command CreatedAt RunningFor Ports State Status Size Names Labels Mounts Networks",
    "images": "ID Repository Tag Digest CreatedSince CreatedAt Size",
    "history": "ID CreatedSince CreatedAt CreatedBy Size Comment",
    "stats": "Container Name ID CPUPerc MemUsage NetIO BlockIO MemPerc PIDs",
    "system df": "Type TotalCount Active Size Reclaimable",
    "volume ls": "Name Driver Scope Mountpoint Labels",
    "network ls": "ID Name Driver Scope IPv6 Internal Labels CreatedAt",
    "events": "Type Action Actor.ID Actor.Attributes.name Time TimeNano Scope",
    "version": "Client.Version Client.APIVersion Client.GitCommit Client.GoVersion Client.Os Client.Arch Client.BuildTime Client.Context Server.Version "
               "Server.APIVersion Server.MinAPIVersion Server.Os Server.Arch Server.KernelVersion",
    "info": "Containers ContainersRunning ContainersPaused ContainersStopped Images Driver DriverStatus Plugins MemoryLimit SwapLimit CPUShares CPUSet PidsLimit "
            "IPv4Forwarding OomKillDisable SystemTime LoggingDriver CgroupDriver CgroupVersion KernelVersion OperatingSystem OSType Architecture NCPU MemTotal "
            "DockerRootDir Name Labels ServerVersion Runtimes DefaultRuntime Swarm.LocalNodeState LiveRestoreEnabled SecurityOptions Warnings HttpProxy Debug",
    "network inspect": "Name Id Created Scope Driver EnableIPv6 IPAM.Driver IPAM.Config Internal Attachable Ingress Containers Options Labels",
    "volume inspect": "Name CreatedAt Driver Labels Mountpoint Options Scope",
    "inspect": "Id Created Path Args State.Status State.Running State.Paused State.Restarting State.OOMKilled State.Dead State.Pid State.ExitCode State.Error "
               "State.StartedAt State.FinishedAt Image ResolvConfPath HostnamePath HostsPath LogPath Name RestartCount Driver Platform MountLabel ProcessLabel "
               "AppArmorProfile ExecIDs GraphDriver.Name Mounts Config.Hostname Config.Domainname Config.User Config.ExposedPorts Config.Tty Config.OpenStdin "
               "Config.Env Config.Cmd Config.Image Config.Volumes Config.WorkingDir Config.Entrypoint Config.Labels Config.StopSignal NetworkSettings.Bridge "
               "NetworkSettings.SandboxID NetworkSettings.Ports NetworkSettings.SandboxKey NetworkSettings.Gateway NetworkSettings.IPAddress "
               "NetworkSettings.IPPrefixLen NetworkSettings.MacAddress NetworkSettings.Networks.bridge.NetworkID NetworkSettings.Networks.bridge.Gateway "
               "NetworkSettings.Networks.bridge.IPAddress NetworkSettings.Networks.bridge.MacAddress HostConfig.Binds HostConfig.LogConfig.Type "
               "HostConfig.NetworkMode HostConfig.PortBindings HostConfig.RestartPolicy.Name HostConfig.AutoRemove HostConfig.CapAdd HostConfig.CapDrop "
               "HostConfig.CgroupnsMode HostConfig.Dns HostConfig.ExtraHosts HostConfig.GroupAdd HostConfig.IpcMode HostConfig.OomScoreAdj HostConfig.PidMode "
               "HostConfig.Privileged HostConfig.ReadonlyRootfs HostConfig.SecurityOpt HostConfig.UTSMode HostConfig.UsernsMode HostConfig.ShmSize "
               "HostConfig.Runtime HostConfig.Isolation HostConfig.CpuShares HostConfig.Memory HostConfig.NanoCpus HostConfig.CgroupParent "
               "HostConfig.CpusetCpus HostConfig.Devices HostConfig.MemorySwap HostConfig.PidsLimit HostConfig.Ulimits HostConfig.MaskedPaths "
               "HostConfig.ReadonlyPaths HostConfig.Sysctls HostConfig.StorageOpt HostConfig.Init",
}
OPERANDS = {"stats": ("--no-stream", "keys"), "history": (T,), "inspect": ("keys",), "network inspect": ("bridge",), "volume inspect": ("keys",),
            "events": ("--since", "1h", "--until", "0s", "--filter", "container=keys")}


@test(needs="root,netns")
def every_key_of_dockers_pages_has_a_value(env):
    env.run("volume", "create", "--label", "com.example.kind=v,w", "keys").ok()
    env.run("network", "create", "--label", "com.example.kind=n", "keys").ok()
    env.run("run", "-d", "--name", "keys", "--label", "com.example.kind=i", "-v", "keys:/v", T, "sleep", "1000").ok()
    for command, keys in KEYS.items():
        words, keys = command.split(), keys.split()
        out = env.run(*words, "--format", "\t".join("{{.%s}}" % k for k in keys), *OPERANDS.get(command, ())).ok().out
        cells = out.splitlines()[0].split("\t")
        same([k for k, v in zip(keys, cells) if v == "<no value>"], [], f"keys of {command} without a value")
        same(len(cells), len(keys), f"cells of {command}")
    for words, want in ((("ps",), "i"), (("volume", "ls"), "v,w"), (("network", "ls"), "n")):
        lines = env.run(*words, "--format", 'table {{.Label "com.example.kind"}}').ok().out.splitlines()
        check(lines[0].strip() == "kind" and want in [x.strip() for x in lines[1:]], f"{words}: {lines}")
    env.run("ps", "--format", '{{.Label "none"}}').ok(out="\n")
    env.run("ps", "--format", '{{.Names "none"}}').error(2, "none")
    env.run("rm", "-f", "keys").ok()
    env.run("network", "rm", "keys").ok()
    env.run("volume", "rm", "keys").ok()


main()
