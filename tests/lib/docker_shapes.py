# SPDX-License-Identifier: Apache-2.0
"""What Docker's Engine API reference, v1.47, says of the replies to each route: names and types of members.

"int", "num", "str", "bool", "object" (any), "any"; [T] a list; {"*": T} an object with names of its own; "name!" must
be there.  caisson_api.py compares every reply that a test gets.
"""

SHAPES = {
    "GET /containers/json":
        [{"Id": "str", "Names": ["str"], "Image": "str", "ImageID": "str", "Command": "str", "Created": "int", "Ports": [{"IP": "str", "PrivatePort!":
        "int", "PublicPort": "int", "Type!": "str"}], "SizeRw": "int", "SizeRootFs": "int", "Labels": {"*": "str"}, "State": "str", "Status": "str",
        "HostConfig": {"NetworkMode": "str", "Annotations": {"*": "str"}}, "NetworkSettings": {"Networks": {"*": {"IPAMConfig": {"IPv4Address": "str",
        "IPv6Address": "str", "LinkLocalIPs": ["str"]}, "Links": ["str"], "MacAddress": "str", "Aliases": ["str"], "DriverOpts": {"*": "str"},
        "NetworkID": "str", "EndpointID": "str", "Gateway": "str", "IPAddress": "str", "IPPrefixLen": "int", "IPv6Gateway": "str",
        "GlobalIPv6Address": "str", "GlobalIPv6PrefixLen": "int", "DNSNames": ["str"]}}}, "Mounts": [{"Type": "any", "Name": "str", "Source": "str",
        "Destination": "str", "Driver": "str", "Mode": "str", "RW": "bool", "Propagation": "str"}]}],
    "POST /containers/create":
        {"Id!": "str", "Warnings!": ["str"]},
    "GET /containers/{}/json":
        {"Id": "str", "Created": "str", "Path": "str", "Args": ["str"], "State": {"Status": "str", "Running": "bool", "Paused": "bool", "Restarting":
        "bool", "OOMKilled": "bool", "Dead": "bool", "Pid": "int", "ExitCode": "int", "Error": "str", "StartedAt": "str", "FinishedAt": "str",
        "Health": {"Status": "str", "FailingStreak": "int", "Log": [{"Start": "str", "End": "str", "ExitCode": "int", "Output": "str"}]}}, "Image":
        "str", "ResolvConfPath": "str", "HostnamePath": "str", "HostsPath": "str", "LogPath": "str", "Name": "str", "RestartCount": "int", "Driver":
        "str", "Platform": "str", "MountLabel": "str", "ProcessLabel": "str", "AppArmorProfile": "str", "ExecIDs": ["str"], "HostConfig":
        {"CpuShares": "int", "Memory": "int", "CgroupParent": "str", "BlkioWeight": "int", "BlkioWeightDevice": [{"Path": "str", "Weight": "int"}],
        "BlkioDeviceReadBps": [{"Path": "str", "Rate": "int"}], "BlkioDeviceWriteBps": [{"Path": "str", "Rate": "int"}], "BlkioDeviceReadIOps":
        [{"Path": "str", "Rate": "int"}], "BlkioDeviceWriteIOps": [{"Path": "str", "Rate": "int"}], "CpuPeriod": "int", "CpuQuota": "int",
        "CpuRealtimePeriod": "int", "CpuRealtimeRuntime": "int", "CpusetCpus": "str", "CpusetMems": "str", "Devices": [{"PathOnHost": "str",
        "PathInContainer": "str", "CgroupPermissions": "str"}], "DeviceCgroupRules": ["str"], "DeviceRequests": [{"Driver": "str", "Count": "int",
        "DeviceIDs": ["str"], "Capabilities": [["str"]], "Options": {"*": "str"}}], "KernelMemoryTCP": "int", "MemoryReservation": "int",
        "MemorySwap": "int", "MemorySwappiness": "int", "NanoCpus": "int", "OomKillDisable": "bool", "Init": "bool", "PidsLimit": "int", "Ulimits":
        [{"Name": "str", "Soft": "int", "Hard": "int"}], "CpuCount": "int", "CpuPercent": "int", "IOMaximumIOps": "int", "IOMaximumBandwidth": "int",
        "Binds": ["str"], "ContainerIDFile": "str", "LogConfig": {"Type": "str", "Config": {"*": "str"}}, "NetworkMode": "str", "PortBindings": {"*":
        [{"HostIp": "str", "HostPort": "str"}]}, "RestartPolicy": {"Name": "str", "MaximumRetryCount": "int"}, "AutoRemove": "bool", "VolumeDriver":
        "str", "VolumesFrom": ["str"], "Mounts": [{"Target": "str", "Source": "str", "Type": "any", "ReadOnly": "bool", "Consistency": "str",
        "BindOptions": {"Propagation": "str", "NonRecursive": "bool", "CreateMountpoint": "bool", "ReadOnlyNonRecursive": "bool",
        "ReadOnlyForceRecursive": "bool"}, "VolumeOptions": {"NoCopy": "bool", "Labels": {"*": "str"}, "DriverConfig": {"Name": "str", "Options":
        {"*": "str"}}, "Subpath": "str"}, "TmpfsOptions": {"SizeBytes": "int", "Mode": "int", "Options": [["str"]]}}], "ConsoleSize": ["int"],
        "Annotations": {"*": "str"}, "CapAdd": ["str"], "CapDrop": ["str"], "CgroupnsMode": "str", "Dns": ["str"], "DnsOptions": ["str"], "DnsSearch":
        ["str"], "ExtraHosts": ["str"], "GroupAdd": ["str"], "IpcMode": "str", "Cgroup": "str", "Links": ["str"], "OomScoreAdj": "int", "PidMode":
        "str", "Privileged": "bool", "PublishAllPorts": "bool", "ReadonlyRootfs": "bool", "SecurityOpt": ["str"], "StorageOpt": {"*": "str"}, "Tmpfs":
        {"*": "str"}, "UTSMode": "str", "UsernsMode": "str", "ShmSize": "int", "Sysctls": {"*": "str"}, "Runtime": "str", "Isolation": "str",
        "MaskedPaths": ["str"], "ReadonlyPaths": ["str"]}, "GraphDriver": {"Name!": "str", "Data!": {"*": "str"}}, "SizeRw": "int", "SizeRootFs":
        "int", "Mounts": [{"Type": "any", "Name": "str", "Source": "str", "Destination": "str", "Driver": "str", "Mode": "str", "RW": "bool",
        "Propagation": "str"}], "Config": {"Hostname": "str", "Domainname": "str", "User": "str", "AttachStdin": "bool", "AttachStdout": "bool",
        "AttachStderr": "bool", "ExposedPorts": {"*": "object"}, "Tty": "bool", "OpenStdin": "bool", "StdinOnce": "bool", "Env": ["str"], "Cmd":
        ["str"], "Healthcheck": {"Test": ["str"], "Interval": "int", "Timeout": "int", "Retries": "int", "StartPeriod": "int", "StartInterval":
        "int"}, "ArgsEscaped": "bool", "Image": "str", "Volumes": {"*": "object"}, "WorkingDir": "str", "Entrypoint": ["str"], "NetworkDisabled":
        "bool", "MacAddress": "str", "OnBuild": ["str"], "Labels": {"*": "str"}, "StopSignal": "str", "StopTimeout": "int", "Shell": ["str"]},
        "NetworkSettings": {"Bridge": "str", "SandboxID": "str", "HairpinMode": "bool", "LinkLocalIPv6Address": "str", "LinkLocalIPv6PrefixLen":
        "int", "Ports": {"*": [{"HostIp": "str", "HostPort": "str"}]}, "SandboxKey": "str", "SecondaryIPAddresses": [{"Addr": "str", "PrefixLen":
        "int"}], "SecondaryIPv6Addresses": [{"Addr": "str", "PrefixLen": "int"}], "EndpointID": "str", "Gateway": "str", "GlobalIPv6Address": "str",
        "GlobalIPv6PrefixLen": "int", "IPAddress": "str", "IPPrefixLen": "int", "IPv6Gateway": "str", "MacAddress": "str", "Networks": {"*":
        {"IPAMConfig": {"IPv4Address": "str", "IPv6Address": "str", "LinkLocalIPs": ["str"]}, "Links": ["str"], "MacAddress": "str", "Aliases":
        ["str"], "DriverOpts": {"*": "str"}, "NetworkID": "str", "EndpointID": "str", "Gateway": "str", "IPAddress": "str", "IPPrefixLen": "int",
        "IPv6Gateway": "str", "GlobalIPv6Address": "str", "GlobalIPv6PrefixLen": "int", "DNSNames": ["str"]}}}},
    "GET /containers/{}/top":
        {"Titles": ["str"], "Processes": [["str"]]},
    "GET /containers/{}/changes":
        [{"Path!": "str", "Kind!": "int"}],
    "GET /containers/{}/stats":
        "object",
    "POST /containers/{}/update":
        {"Warnings": ["str"]},
    "POST /containers/{}/wait":
        {"StatusCode!": "int", "Error": {"Message": "str"}},
    "POST /containers/prune":
        {"ContainersDeleted": ["str"], "SpaceReclaimed": "int"},
    "GET /images/json":
        [{"Id!": "str", "ParentId!": "str", "RepoTags!": ["str"], "RepoDigests!": ["str"], "Created!": "int", "Size!": "int", "SharedSize!": "int",
        "Labels!": {"*": "str"}, "Containers!": "int", "Manifests": [{"ID!": "str", "Descriptor!": {"mediaType": "str", "digest": "str", "size":
        "int"}, "Available!": "bool", "Size!": {"Total!": "int", "Content!": "int"}, "Kind!": "str", "ImageData": {"Platform!": {"architecture":
        "str", "os": "str", "os.version": "str", "os.features": ["str"], "variant": "str"}, "Containers!": ["str"], "Size!": {"Unpacked!": "int"}},
        "AttestationData": {"For!": "str"}}]}],
    "POST /build/prune":
        {"CachesDeleted": ["str"], "SpaceReclaimed": "int"},
    "GET /images/{*}/json":
        {"Id": "str", "RepoTags": ["str"], "RepoDigests": ["str"], "Parent": "str", "Comment": "str", "Created": "str", "DockerVersion": "str",
        "Author": "str", "Config": {"Hostname": "str", "Domainname": "str", "User": "str", "AttachStdin": "bool", "AttachStdout": "bool",
        "AttachStderr": "bool", "ExposedPorts": {"*": "object"}, "Tty": "bool", "OpenStdin": "bool", "StdinOnce": "bool", "Env": ["str"], "Cmd":
        ["str"], "Healthcheck": {"Test": ["str"], "Interval": "int", "Timeout": "int", "Retries": "int", "StartPeriod": "int", "StartInterval":
        "int"}, "ArgsEscaped": "bool", "Image": "str", "Volumes": {"*": "object"}, "WorkingDir": "str", "Entrypoint": ["str"], "NetworkDisabled":
        "bool", "MacAddress": "str", "OnBuild": ["str"], "Labels": {"*": "str"}, "StopSignal": "str", "StopTimeout": "int", "Shell": ["str"]},
        "Architecture": "str", "Variant": "str", "Os": "str", "OsVersion": "str", "Size": "int", "GraphDriver": {"Name!": "str", "Data!": {"*":
        "str"}}, "RootFS": {"Type!": "str", "Layers": ["str"]}, "Metadata": {"LastTagTime": "str"}},
    "GET /images/{*}/history":
        [{"Id!": "str", "Created!": "int", "CreatedBy!": "str", "Tags!": ["str"], "Size!": "int", "Comment!": "str"}],
    "DELETE /images/{*}":
        [{"Untagged": "str", "Deleted": "str"}],
    "GET /images/search":
        [{"description": "str", "is_official": "bool", "is_automated": "bool", "name": "str", "star_count": "int"}],
    "POST /images/prune":
        {"ImagesDeleted": [{"Untagged": "str", "Deleted": "str"}], "SpaceReclaimed": "int"},
    "POST /auth":
        {"Status!": "str", "IdentityToken": "str"},
    "GET /info":
        {"ID": "str", "Containers": "int", "ContainersRunning": "int", "ContainersPaused": "int", "ContainersStopped": "int", "Images": "int",
        "Driver": "str", "DriverStatus": [["str"]], "DockerRootDir": "str", "Plugins": {"Volume": ["str"], "Network": ["str"], "Authorization":
        ["str"], "Log": ["str"]}, "MemoryLimit": "bool", "SwapLimit": "bool", "KernelMemoryTCP": "bool", "CpuCfsPeriod": "bool", "CpuCfsQuota":
        "bool", "CPUShares": "bool", "CPUSet": "bool", "PidsLimit": "bool", "OomKillDisable": "bool", "IPv4Forwarding": "bool", "BridgeNfIptables":
        "bool", "BridgeNfIp6tables": "bool", "Debug": "bool", "NFd": "int", "NGoroutines": "int", "SystemTime": "str", "LoggingDriver": "str",
        "CgroupDriver": "str", "CgroupVersion": "str", "NEventsListener": "int", "KernelVersion": "str", "OperatingSystem": "str", "OSVersion": "str",
        "OSType": "str", "Architecture": "str", "NCPU": "int", "MemTotal": "int", "IndexServerAddress": "str", "RegistryConfig":
        {"AllowNondistributableArtifactsCIDRs": ["str"], "AllowNondistributableArtifactsHostnames": ["str"], "InsecureRegistryCIDRs": ["str"],
        "IndexConfigs": {"*": {"Name": "str", "Mirrors": ["str"], "Secure": "bool", "Official": "bool"}}, "Mirrors": ["str"]}, "GenericResources":
        [{"NamedResourceSpec": {"Kind": "str", "Value": "str"}, "DiscreteResourceSpec": {"Kind": "str", "Value": "int"}}], "HttpProxy": "str",
        "HttpsProxy": "str", "NoProxy": "str", "Name": "str", "Labels": ["str"], "ExperimentalBuild": "bool", "ServerVersion": "str", "Runtimes":
        {"*": {"path": "str", "runtimeArgs": ["str"], "status": {"*": "str"}}}, "DefaultRuntime": "str", "Swarm": "object", "LiveRestoreEnabled":
        "bool", "Isolation": "str", "InitBinary": "str", "ContainerdCommit": {"ID": "str", "Expected": "str"}, "RuncCommit": {"ID": "str", "Expected":
        "str"}, "InitCommit": {"ID": "str", "Expected": "str"}, "SecurityOptions": ["str"], "ProductLicense": "str", "DefaultAddressPools": [{"Base":
        "str", "Size": "int"}], "Warnings": ["str"], "CDISpecDirs": ["str"], "Containerd": {"Address": "str", "Namespaces": {"Containers": "str",
        "Plugins": "str"}}},
    "GET /version":
        {"Platform": {"Name!": "str"}, "Components": [{"Name!": "str", "Version!": "str", "Details": "object"}], "Version": "str", "ApiVersion":
        "str", "MinAPIVersion": "str", "GitCommit": "str", "GoVersion": "str", "Os": "str", "Arch": "str", "KernelVersion": "str", "Experimental":
        "bool", "BuildTime": "str"},
    "POST /commit":
        {"Id!": "str"},
    "GET /events":
        {"Type": "str", "Action": "str", "Actor": {"ID": "str", "Attributes": {"*": "str"}}, "scope": "str", "time": "int", "timeNano": "int"},
    "GET /system/df":
        {"LayersSize": "int", "Images": [{"Id!": "str", "ParentId!": "str", "RepoTags!": ["str"], "RepoDigests!": ["str"], "Created!": "int", "Size!":
        "int", "SharedSize!": "int", "Labels!": {"*": "str"}, "Containers!": "int", "Manifests": [{"ID!": "str", "Descriptor!": {"mediaType": "str",
        "digest": "str", "size": "int"}, "Available!": "bool", "Size!": {"Total!": "int", "Content!": "int"}, "Kind!": "str", "ImageData":
        {"Platform!": {"architecture": "str", "os": "str", "os.version": "str", "os.features": ["str"], "variant": "str"}, "Containers!": ["str"],
        "Size!": {"Unpacked!": "int"}}, "AttestationData": {"For!": "str"}}]}], "Containers": [{"Id": "str", "Names": ["str"], "Image": "str",
        "ImageID": "str", "Command": "str", "Created": "int", "Ports": [{"IP": "str", "PrivatePort!": "int", "PublicPort": "int", "Type!": "str"}],
        "SizeRw": "int", "SizeRootFs": "int", "Labels": {"*": "str"}, "State": "str", "Status": "str", "HostConfig": {"NetworkMode": "str",
        "Annotations": {"*": "str"}}, "NetworkSettings": {"Networks": {"*": {"IPAMConfig": {"IPv4Address": "str", "IPv6Address": "str",
        "LinkLocalIPs": ["str"]}, "Links": ["str"], "MacAddress": "str", "Aliases": ["str"], "DriverOpts": {"*": "str"}, "NetworkID": "str",
        "EndpointID": "str", "Gateway": "str", "IPAddress": "str", "IPPrefixLen": "int", "IPv6Gateway": "str", "GlobalIPv6Address": "str",
        "GlobalIPv6PrefixLen": "int", "DNSNames": ["str"]}}}, "Mounts": [{"Type": "any", "Name": "str", "Source": "str", "Destination": "str",
        "Driver": "str", "Mode": "str", "RW": "bool", "Propagation": "str"}]}], "Volumes": [{"Name!": "str", "Driver!": "str", "Mountpoint!": "str",
        "CreatedAt": "str", "Status": {"*": "object"}, "Labels!": {"*": "str"}, "Scope!": "str", "ClusterVolume": {"ID": "str", "Version": {"Index":
        "int"}, "CreatedAt": "str", "UpdatedAt": "str", "Spec": {"Group": "str", "AccessMode": {"Scope": "str", "Sharing": "str", "MountVolume":
        "object", "Secrets": [{"Key": "str", "Secret": "str"}], "AccessibilityRequirements": {"Requisite": [{"Segments": "any"}], "Preferred":
        [{"Segments": "any"}]}, "CapacityRange": {"RequiredBytes": "int", "LimitBytes": "int"}, "Availability": "str"}}, "Info": {"CapacityBytes":
        "int", "VolumeContext": {"*": "str"}, "VolumeID": "str", "AccessibleTopology": [{"Segments": {"*": "str"}}]}, "PublishStatus": [{"NodeID":
        "str", "State": "str", "PublishContext": {"*": "str"}}]}, "Options!": {"*": "str"}, "UsageData": {"Size!": "int", "RefCount!": "int"}}],
        "BuildCache": [{"ID": "str", "Parents": ["str"], "Type": "str", "Description": "str", "InUse": "bool", "Shared": "bool", "Size": "int",
        "CreatedAt": "str", "LastUsedAt": "str", "UsageCount": "int"}]},
    "POST /containers/{}/exec":
        {"Id!": "str"},
    "GET /exec/{}/json":
        {"CanRemove": "bool", "DetachKeys": "str", "ID": "str", "Running": "bool", "ExitCode": "int", "ProcessConfig": {"privileged": "bool", "user":
        "str", "tty": "bool", "entrypoint": "str", "arguments": ["str"]}, "OpenStdin": "bool", "OpenStderr": "bool", "OpenStdout": "bool",
        "ContainerID": "str", "Pid": "int"},
    "GET /volumes":
        {"Volumes": [{"Name!": "str", "Driver!": "str", "Mountpoint!": "str", "CreatedAt": "str", "Status": {"*": "object"}, "Labels!": {"*": "str"},
        "Scope!": "str", "ClusterVolume": {"ID": "str", "Version": {"Index": "int"}, "CreatedAt": "str", "UpdatedAt": "str", "Spec": {"Group": "str",
        "AccessMode": {"Scope": "str", "Sharing": "str", "MountVolume": "object", "Secrets": [{"Key": "str", "Secret": "str"}],
        "AccessibilityRequirements": {"Requisite": [{"Segments": "any"}], "Preferred": [{"Segments": "any"}]}, "CapacityRange": {"RequiredBytes":
        "int", "LimitBytes": "int"}, "Availability": "str"}}, "Info": {"CapacityBytes": "int", "VolumeContext": {"*": "str"}, "VolumeID": "str",
        "AccessibleTopology": [{"Segments": {"*": "str"}}]}, "PublishStatus": [{"NodeID": "str", "State": "str", "PublishContext": {"*": "str"}}]},
        "Options!": {"*": "str"}, "UsageData": {"Size!": "int", "RefCount!": "int"}}], "Warnings": ["str"]},
    "POST /volumes/create":
        {"Name!": "str", "Driver!": "str", "Mountpoint!": "str", "CreatedAt": "str", "Status": {"*": "object"}, "Labels!": {"*": "str"}, "Scope!":
        "str", "ClusterVolume": {"ID": "str", "Version": {"Index": "int"}, "CreatedAt": "str", "UpdatedAt": "str", "Spec": {"Group": "str",
        "AccessMode": {"Scope": "str", "Sharing": "str", "MountVolume": "object", "Secrets": [{"Key": "str", "Secret": "str"}],
        "AccessibilityRequirements": {"Requisite": [{"Segments": {"*": "str"}}], "Preferred": [{"Segments": {"*": "str"}}]}, "CapacityRange":
        {"RequiredBytes": "int", "LimitBytes": "int"}, "Availability": "str"}}, "Info": {"CapacityBytes": "int", "VolumeContext": {"*": "str"},
        "VolumeID": "str", "AccessibleTopology": [{"Segments": {"*": "str"}}]}, "PublishStatus": [{"NodeID": "str", "State": "str", "PublishContext":
        {"*": "str"}}]}, "Options!": {"*": "str"}, "UsageData": {"Size!": "int", "RefCount!": "int"}},
    "GET /volumes/{}":
        {"Name!": "str", "Driver!": "str", "Mountpoint!": "str", "CreatedAt": "str", "Status": {"*": "object"}, "Labels!": {"*": "str"}, "Scope!":
        "str", "ClusterVolume": {"ID": "str", "Version": {"Index": "int"}, "CreatedAt": "str", "UpdatedAt": "str", "Spec": {"Group": "str",
        "AccessMode": {"Scope": "str", "Sharing": "str", "MountVolume": "object", "Secrets": [{"Key": "str", "Secret": "str"}],
        "AccessibilityRequirements": {"Requisite": [{"Segments": {"*": "str"}}], "Preferred": [{"Segments": {"*": "str"}}]}, "CapacityRange":
        {"RequiredBytes": "int", "LimitBytes": "int"}, "Availability": "str"}}, "Info": {"CapacityBytes": "int", "VolumeContext": {"*": "str"},
        "VolumeID": "str", "AccessibleTopology": [{"Segments": {"*": "str"}}]}, "PublishStatus": [{"NodeID": "str", "State": "str", "PublishContext":
        {"*": "str"}}]}, "Options!": {"*": "str"}, "UsageData": {"Size!": "int", "RefCount!": "int"}},
    "POST /volumes/prune":
        {"VolumesDeleted": ["str"], "SpaceReclaimed": "int"},
    "GET /networks":
        [{"Name": "str", "Id": "str", "Created": "str", "Scope": "str", "Driver": "str", "EnableIPv4": "bool", "EnableIPv6": "bool", "IPAM":
        {"Driver": "str", "Config": [{"Subnet": "str", "IPRange": "str", "Gateway": "str", "AuxiliaryAddresses": {"*": "str"}}], "Options": {"*":
        "str"}}, "Internal": "bool", "Attachable": "bool", "Ingress": "bool", "ConfigFrom": {"Network": "str"}, "ConfigOnly": "bool", "Containers":
        {"*": {"Name": "str", "EndpointID": "str", "MacAddress": "str", "IPv4Address": "str", "IPv6Address": "str"}}, "Options": {"*": "str"},
        "Labels": {"*": "str"}, "Peers": [{"Name": "str", "IP": "str"}]}],
    "GET /networks/{}":
        {"Name": "str", "Id": "str", "Created": "str", "Scope": "str", "Driver": "str", "EnableIPv4": "bool", "EnableIPv6": "bool", "IPAM": {"Driver":
        "str", "Config": [{"Subnet": "str", "IPRange": "str", "Gateway": "str", "AuxiliaryAddresses": {"*": "str"}}], "Options": {"*": "str"}},
        "Internal": "bool", "Attachable": "bool", "Ingress": "bool", "ConfigFrom": {"Network": "str"}, "ConfigOnly": "bool", "Containers": {"*":
        {"Name": "str", "EndpointID": "str", "MacAddress": "str", "IPv4Address": "str", "IPv6Address": "str"}}, "Options": {"*": "str"}, "Labels":
        {"*": "str"}, "Peers": [{"Name": "str", "IP": "str"}]},
    "POST /networks/create":
        {"Id!": "str", "Warning!": "str"},
    "POST /networks/prune":
        {"NetworksDeleted": ["str"]},
    "GET /distribution/{*}/json":
        {"Descriptor!": {"mediaType": "str", "digest": "str", "size": "int"}, "Platforms!": [{"architecture": "str", "os": "str", "os.version": "str",
        "os.features": ["str"], "variant": "str"}]},
}
