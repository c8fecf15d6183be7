/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON names of struct plan.  Source of the names: OCI runtime-spec v1.2.0, config.md and
 * config-linux.md, members in the order of those pages; "caisson" is ours (docs/formats/plan.md).
 */
#include "spec/plan.h"
#include "base/str.h"

#include <stddef.h>

const char *const plan_isolation_names[] = {"container", "vm", NULL};
_Static_assert(sizeof(plan_isolation_names) / sizeof(*plan_isolation_names) ==
		   PLAN_ISOLATION_MAX_ + 1,
	       "a name per isolation");

#define TABLE(name_, struct_, ...)                                                                 \
	static const struct jbind_field name_##_fields[] = {__VA_ARGS__, JB_END};                  \
	static const struct jbind name_ = {.size = sizeof(struct_), .fields = name_##_fields}
#define PUBLIC_TABLE(name_, struct_, ...)                                                          \
	static const struct jbind_field name_##_fields[] = {__VA_ARGS__, JB_END};                  \
	const struct jbind name_ = {.size = sizeof(struct_), .fields = name_##_fields}

/* ---- process ---- */

TABLE(user, struct plan_user, JB(struct plan_user, uid, "uid", JBIND_U32, .flags = JBIND_KEEP),
      JB(struct plan_user, gid, "gid", JBIND_U32, .flags = JBIND_KEEP),
      JB(struct plan_user, umask, "umask", JBIND_OPTINT),
      JB(struct plan_user, additional_gids, "additionalGids", JBIND_NUMS),
      JB(struct plan_user, username, "username", JBIND_STR),
      JB(struct plan_user, groups, "caissonGroups", JBIND_STRS));

TABLE(caps, struct plan_caps, JB(struct plan_caps, bounding, "bounding", JBIND_STRS),
      JB(struct plan_caps, effective, "effective", JBIND_STRS),
      JB(struct plan_caps, inheritable, "inheritable", JBIND_STRS),
      JB(struct plan_caps, permitted, "permitted", JBIND_STRS),
      JB(struct plan_caps, ambient, "ambient", JBIND_STRS));

TABLE(rlimit, struct plan_rlimit,
      JB(struct plan_rlimit, type, "type", JBIND_STR, .flags = JBIND_REQUIRED),
      JB(struct plan_rlimit, hard, "hard", JBIND_UINT, .flags = JBIND_REQUIRED | JBIND_KEEP),
      JB(struct plan_rlimit, soft, "soft", JBIND_UINT, .flags = JBIND_REQUIRED | JBIND_KEEP));

TABLE(scheduler, struct plan_scheduler,
      JB(struct plan_scheduler, policy, "policy", JBIND_STR, .flags = JBIND_REQUIRED),
      JB(struct plan_scheduler, nice, "nice", JBIND_I32),
      JB(struct plan_scheduler, priority, "priority", JBIND_I32),
      JB(struct plan_scheduler, flags, "flags", JBIND_STRS),
      JB(struct plan_scheduler, runtime, "runtime", JBIND_UINT),
      JB(struct plan_scheduler, deadline, "deadline", JBIND_UINT),
      JB(struct plan_scheduler, period, "period", JBIND_UINT));

TABLE(ioprio, struct plan_ioprio,
      JB(struct plan_ioprio, class_, "class", JBIND_STR, .flags = JBIND_REQUIRED),
      JB(struct plan_ioprio, priority, "priority", JBIND_I32, .flags = JBIND_KEEP));

TABLE(affinity, struct plan_affinity, JB(struct plan_affinity, initial, "initial", JBIND_STR),
      JB(struct plan_affinity, final, "final", JBIND_STR));

TABLE(console, struct plan_console,
      JB(struct plan_console, height, "height", JBIND_U32, .flags = JBIND_KEEP),
      JB(struct plan_console, width, "width", JBIND_U32, .flags = JBIND_KEEP));

PUBLIC_TABLE(plan_process_table, struct plan_process,
	     JB(struct plan_process, terminal, "terminal", JBIND_BOOL),
	     JB(struct plan_process, console_size, "consoleSize", JBIND_OBJ, .sub = &console),
	     JB(struct plan_process, user, "user", JBIND_OBJ, .sub = &user, .flags = JBIND_KEEP),
	     JB(struct plan_process, args, "args", JBIND_STRS),
	     JB(struct plan_process, command_line, "commandLine", JBIND_STR),
	     JB(struct plan_process, env, "env", JBIND_STRS),
	     JB(struct plan_process, cwd, "cwd", JBIND_STR, .flags = JBIND_REQUIRED),
	     JB(struct plan_process, capabilities, "capabilities", JBIND_PTR, .sub = &caps),
	     JB(struct plan_process, rlimits, "rlimits", JBIND_LIST, .sub = &rlimit),
	     JB(struct plan_process, no_new_privileges, "noNewPrivileges", JBIND_BOOL),
	     JB(struct plan_process, apparmor_profile, "apparmorProfile", JBIND_STR),
	     JB(struct plan_process, oom_score_adj, "oomScoreAdj", JBIND_OPTINT),
	     JB(struct plan_process, selinux_label, "selinuxLabel", JBIND_STR),
	     JB(struct plan_process, io_priority, "ioPriority", JBIND_PTR, .sub = &ioprio),
	     JB(struct plan_process, scheduler, "scheduler", JBIND_PTR, .sub = &scheduler),
	     JB(struct plan_process, exec_affinity, "execCPUAffinity", JBIND_PTR, .sub = &affinity),
	     JB(struct plan_process, files, "caissonFiles", JBIND_STRS),
	     JB(struct plan_process, box, "caissonBox", JBIND_STR),
	     JB(struct plan_process, box_plan, "caissonBoxPlan", JBIND_RAW));

/* ---- root and mounts ---- */

TABLE(root, struct plan_root, JB(struct plan_root, path, "path", JBIND_STR),
      JB(struct plan_root, readonly, "readonly", JBIND_BOOL));

TABLE(idmap, struct plan_idmap,
      JB(struct plan_idmap, container_id, "containerID", JBIND_U32, .flags = JBIND_KEEP),
      JB(struct plan_idmap, host_id, "hostID", JBIND_U32, .flags = JBIND_KEEP),
      JB(struct plan_idmap, size, "size", JBIND_U32, .flags = JBIND_KEEP));

TABLE(mount, struct plan_mount,
      JB(struct plan_mount, destination, "destination", JBIND_STR, .flags = JBIND_REQUIRED),
      JB(struct plan_mount, type, "type", JBIND_STR),
      JB(struct plan_mount, source, "source", JBIND_STR),
      JB(struct plan_mount, options, "options", JBIND_STRS),
      JB(struct plan_mount, uid_mappings, "uidMappings", JBIND_LIST, .sub = &idmap),
      JB(struct plan_mount, gid_mappings, "gidMappings", JBIND_LIST, .sub = &idmap));

/* ---- linux.resources ---- */

TABLE(device_rule, struct plan_device_rule,
      JB(struct plan_device_rule, allow, "allow", JBIND_BOOL, .flags = JBIND_KEEP),
      JB(struct plan_device_rule, type, "type", JBIND_STR),
      JB(struct plan_device_rule, major, "major", JBIND_OPTINT),
      JB(struct plan_device_rule, minor, "minor", JBIND_OPTINT),
      JB(struct plan_device_rule, access, "access", JBIND_STR));

TABLE(memory, struct plan_memory, JB(struct plan_memory, limit, "limit", JBIND_OPTINT),
      JB(struct plan_memory, reservation, "reservation", JBIND_OPTINT),
      JB(struct plan_memory, swap, "swap", JBIND_OPTINT),
      JB(struct plan_memory, kernel, "kernel", JBIND_OPTINT),
      JB(struct plan_memory, kernel_tcp, "kernelTCP", JBIND_OPTINT),
      JB(struct plan_memory, swappiness, "swappiness", JBIND_OPTINT),
      JB(struct plan_memory, disable_oom_killer, "disableOOMKiller", JBIND_BOOL),
      JB(struct plan_memory, use_hierarchy, "useHierarchy", JBIND_BOOL),
      JB(struct plan_memory, check_before_update, "checkBeforeUpdate", JBIND_BOOL));

TABLE(cpu, struct plan_cpu, JB(struct plan_cpu, shares, "shares", JBIND_OPTINT),
      JB(struct plan_cpu, quota, "quota", JBIND_OPTINT),
      JB(struct plan_cpu, burst, "burst", JBIND_OPTINT),
      JB(struct plan_cpu, period, "period", JBIND_OPTINT),
      JB(struct plan_cpu, realtime_runtime, "realtimeRuntime", JBIND_OPTINT),
      JB(struct plan_cpu, realtime_period, "realtimePeriod", JBIND_OPTINT),
      JB(struct plan_cpu, cpus, "cpus", JBIND_STR), JB(struct plan_cpu, mems, "mems", JBIND_STR),
      JB(struct plan_cpu, idle, "idle", JBIND_OPTINT));

TABLE(weight_device, struct plan_weight_device,
      JB(struct plan_weight_device, major, "major", JBIND_INT, .flags = JBIND_KEEP),
      JB(struct plan_weight_device, minor, "minor", JBIND_INT, .flags = JBIND_KEEP),
      JB(struct plan_weight_device, weight, "weight", JBIND_OPTINT),
      JB(struct plan_weight_device, leaf_weight, "leafWeight", JBIND_OPTINT));

TABLE(throttle, struct plan_throttle,
      JB(struct plan_throttle, major, "major", JBIND_INT, .flags = JBIND_KEEP),
      JB(struct plan_throttle, minor, "minor", JBIND_INT, .flags = JBIND_KEEP),
      JB(struct plan_throttle, rate, "rate", JBIND_UINT, .flags = JBIND_KEEP));

TABLE(blkio, struct plan_blkio, JB(struct plan_blkio, weight, "weight", JBIND_OPTINT),
      JB(struct plan_blkio, leaf_weight, "leafWeight", JBIND_OPTINT),
      JB(struct plan_blkio, weight_devices, "weightDevice", JBIND_LIST, .sub = &weight_device),
      JB(struct plan_blkio, read_bps, "throttleReadBpsDevice", JBIND_LIST, .sub = &throttle),
      JB(struct plan_blkio, write_bps, "throttleWriteBpsDevice", JBIND_LIST, .sub = &throttle),
      JB(struct plan_blkio, read_iops, "throttleReadIOPSDevice", JBIND_LIST, .sub = &throttle),
      JB(struct plan_blkio, write_iops, "throttleWriteIOPSDevice", JBIND_LIST, .sub = &throttle));

TABLE(hugepage, struct plan_hugepage,
      JB(struct plan_hugepage, page_size, "pageSize", JBIND_STR, .flags = JBIND_REQUIRED),
      JB(struct plan_hugepage, limit, "limit", JBIND_UINT, .flags = JBIND_KEEP));

TABLE(net_priority, struct plan_net_priority,
      JB(struct plan_net_priority, name, "name", JBIND_STR, .flags = JBIND_REQUIRED),
      JB(struct plan_net_priority, priority, "priority", JBIND_U32, .flags = JBIND_KEEP));

TABLE(network_cgroup, struct plan_network_cgroup,
      JB(struct plan_network_cgroup, class_id, "classID", JBIND_OPTINT),
      JB(struct plan_network_cgroup, priorities, "priorities", JBIND_LIST, .sub = &net_priority));

TABLE(pids, struct plan_pids, JB(struct plan_pids, limit, "limit", JBIND_OPTINT));

PUBLIC_TABLE(plan_resources_table, struct plan_resources,
	     JB(struct plan_resources, devices, "devices", JBIND_LIST, .sub = &device_rule),
	     JB(struct plan_resources, memory, "memory", JBIND_PTR, .sub = &memory),
	     JB(struct plan_resources, cpu, "cpu", JBIND_PTR, .sub = &cpu),
	     JB(struct plan_resources, pids, "pids", JBIND_PTR, .sub = &pids),
	     JB(struct plan_resources, block_io, "blockIO", JBIND_PTR, .sub = &blkio),
	     JB(struct plan_resources, hugepages, "hugepageLimits", JBIND_LIST, .sub = &hugepage),
	     JB(struct plan_resources, network, "network", JBIND_PTR, .sub = &network_cgroup),
	     JB(struct plan_resources, rdma_json, "rdma", JBIND_RAW),
	     JB(struct plan_resources, unified, "unified", JBIND_MAP));

/* ---- linux ---- */

TABLE(namespace, struct plan_namespace,
      JB(struct plan_namespace, type, "type", JBIND_STR, .flags = JBIND_REQUIRED),
      JB(struct plan_namespace, path, "path", JBIND_STR));

TABLE(device, struct plan_device,
      JB(struct plan_device, type, "type", JBIND_STR, .flags = JBIND_REQUIRED),
      JB(struct plan_device, path, "path", JBIND_STR, .flags = JBIND_REQUIRED),
      JB(struct plan_device, major, "major", JBIND_INT, .flags = JBIND_KEEP),
      JB(struct plan_device, minor, "minor", JBIND_INT, .flags = JBIND_KEEP),
      JB(struct plan_device, file_mode, "fileMode", JBIND_OPTINT),
      JB(struct plan_device, uid, "uid", JBIND_OPTINT),
      JB(struct plan_device, gid, "gid", JBIND_OPTINT),
      JB(struct plan_device, source, "caissonSource", JBIND_STR));

TABLE(seccomp_arg, struct plan_seccomp_arg,
      JB(struct plan_seccomp_arg, index, "index", JBIND_U32, .flags = JBIND_KEEP),
      JB(struct plan_seccomp_arg, value, "value", JBIND_UINT, .flags = JBIND_KEEP),
      JB(struct plan_seccomp_arg, value_two, "valueTwo", JBIND_UINT),
      JB(struct plan_seccomp_arg, op, "op", JBIND_STR, .flags = JBIND_REQUIRED));

TABLE(seccomp_rule, struct plan_seccomp_rule,
      JB(struct plan_seccomp_rule, names, "names", JBIND_STRS, .flags = JBIND_REQUIRED),
      JB(struct plan_seccomp_rule, action, "action", JBIND_STR, .flags = JBIND_REQUIRED),
      JB(struct plan_seccomp_rule, errno_ret, "errnoRet", JBIND_OPTINT),
      JB(struct plan_seccomp_rule, args, "args", JBIND_LIST, .sub = &seccomp_arg));

PUBLIC_TABLE(plan_seccomp_table, struct plan_seccomp,
	     JB(struct plan_seccomp, default_action, "defaultAction", JBIND_STR,
		.flags = JBIND_REQUIRED),
	     JB(struct plan_seccomp, default_errno_ret, "defaultErrnoRet", JBIND_OPTINT),
	     JB(struct plan_seccomp, architectures, "architectures", JBIND_STRS),
	     JB(struct plan_seccomp, flags, "flags", JBIND_STRS),
	     JB(struct plan_seccomp, listener_path, "listenerPath", JBIND_STR),
	     JB(struct plan_seccomp, listener_metadata, "listenerMetadata", JBIND_STR),
	     JB(struct plan_seccomp, syscalls, "syscalls", JBIND_LIST, .sub = &seccomp_rule));

TABLE(rdt, struct plan_rdt, JB(struct plan_rdt, clos_id, "closID", JBIND_STR),
      JB(struct plan_rdt, schemata, "schemata", JBIND_STRS),
      JB(struct plan_rdt, l3_schema, "l3CacheSchema", JBIND_STR),
      JB(struct plan_rdt, bw_schema, "memBwSchema", JBIND_STR),
      JB(struct plan_rdt, enable_monitoring, "enableMonitoring", JBIND_BOOL));

TABLE(personality, struct plan_personality,
      JB(struct plan_personality, domain, "domain", JBIND_STR, .flags = JBIND_REQUIRED),
      JB(struct plan_personality, flags, "flags", JBIND_STRS));

TABLE(memory_policy, struct plan_memory_policy,
      JB(struct plan_memory_policy, mode, "mode", JBIND_STR),
      JB(struct plan_memory_policy, nodes, "nodes", JBIND_STR),
      JB(struct plan_memory_policy, flags, "flags", JBIND_STRS));

TABLE(time_offset, struct plan_time_offset, JB(struct plan_time_offset, secs, "secs", JBIND_INT),
      JB(struct plan_time_offset, nanosecs, "nanosecs", JBIND_U32));

TABLE(time_offsets, struct plan_time_offsets,
      JB(struct plan_time_offsets, monotonic, "monotonic", JBIND_PTR, .sub = &time_offset),
      JB(struct plan_time_offsets, boottime, "boottime", JBIND_PTR, .sub = &time_offset));

TABLE(linux_table, struct plan_linux,
      JB(struct plan_linux, namespaces, "namespaces", JBIND_LIST, .sub = &namespace),
      JB(struct plan_linux, uid_mappings, "uidMappings", JBIND_LIST, .sub = &idmap),
      JB(struct plan_linux, gid_mappings, "gidMappings", JBIND_LIST, .sub = &idmap),
      JB(struct plan_linux, time_offsets, "timeOffsets", JBIND_PTR, .sub = &time_offsets),
      JB(struct plan_linux, devices, "devices", JBIND_LIST, .sub = &device),
      JB(struct plan_linux, net_devices_json, "netDevices", JBIND_RAW),
      JB(struct plan_linux, cgroups_path, "cgroupsPath", JBIND_STR),
      JB(struct plan_linux, resources, "resources", JBIND_PTR, .sub = &plan_resources_table),
      JB(struct plan_linux, intel_rdt, "intelRdt", JBIND_PTR, .sub = &rdt),
      JB(struct plan_linux, memory_policy, "memoryPolicy", JBIND_PTR, .sub = &memory_policy),
      JB(struct plan_linux, sysctl, "sysctl", JBIND_MAP),
      JB(struct plan_linux, seccomp, "seccomp", JBIND_PTR, .sub = &plan_seccomp_table),
      JB(struct plan_linux, rootfs_propagation, "rootfsPropagation", JBIND_STR),
      JB(struct plan_linux, masked_paths, "maskedPaths", JBIND_STRS),
      JB(struct plan_linux, readonly_paths, "readonlyPaths", JBIND_STRS),
      JB(struct plan_linux, mount_label, "mountLabel", JBIND_STR),
      JB(struct plan_linux, personality, "personality", JBIND_PTR, .sub = &personality));

/* ---- hooks ---- */

TABLE(hook, struct plan_hook,
      JB(struct plan_hook, path, "path", JBIND_STR, .flags = JBIND_REQUIRED),
      JB(struct plan_hook, args, "args", JBIND_STRS), JB(struct plan_hook, env, "env", JBIND_STRS),
      JB(struct plan_hook, timeout, "timeout", JBIND_OPTINT));

TABLE(hooks, struct plan_hooks,
      JB(struct plan_hooks, prestart, "prestart", JBIND_LIST, .sub = &hook),
      JB(struct plan_hooks, create_runtime, "createRuntime", JBIND_LIST, .sub = &hook),
      JB(struct plan_hooks, create_container, "createContainer", JBIND_LIST, .sub = &hook),
      JB(struct plan_hooks, start_container, "startContainer", JBIND_LIST, .sub = &hook),
      JB(struct plan_hooks, poststart, "poststart", JBIND_LIST, .sub = &hook),
      JB(struct plan_hooks, poststop, "poststop", JBIND_LIST, .sub = &hook));

/* ---- caisson ---- */

TABLE(rootfs, struct plan_rootfs, JB(struct plan_rootfs, layer_ns, "layerNs", JBIND_STR),
      JB(struct plan_rootfs, lower, "lower", JBIND_STRS),
      JB(struct plan_rootfs, upper, "upper", JBIND_STR),
      JB(struct plan_rootfs, work, "work", JBIND_STR),
      JB(struct plan_rootfs, disk, "disk", JBIND_STRS),
      JB(struct plan_rootfs, disk_rw, "diskRw", JBIND_STR),
      JB(struct plan_rootfs, userns_options, "usernsOptions", JBIND_STR),
      JB(struct plan_rootfs, fuse, "fuse", JBIND_STR));

PUBLIC_TABLE(plan_nic_table, struct plan_nic,
	     JB(struct plan_nic, name, "name", JBIND_STR, .flags = JBIND_REQUIRED),
	     JB(struct plan_nic, mac, "mac", JBIND_STR),
	     JB(struct plan_nic, address, "address", JBIND_STR),
	     JB(struct plan_nic, gateway, "gateway", JBIND_STR),
	     JB(struct plan_nic, address6, "address6", JBIND_STR),
	     JB(struct plan_nic, gateway6, "gateway6", JBIND_STR),
	     JB(struct plan_nic, subnet6, "subnet6", JBIND_STR),
	     JB(struct plan_nic, tap, "tap", JBIND_STR),
	     JB(struct plan_nic, mtu, "mtu", JBIND_I32));

TABLE(vm, struct plan_vm, JB(struct plan_vm, accel, "accel", JBIND_STR),
      JB(struct plan_vm, kernel, "kernel", JBIND_STR),
      JB(struct plan_vm, initrd, "initrd", JBIND_STR),
      JB(struct plan_vm, memory_bytes, "memoryBytes", JBIND_UINT, .flags = JBIND_REQUIRED),
      JB(struct plan_vm, cpus, "cpus", JBIND_U32, .flags = JBIND_REQUIRED),
      JB(struct plan_vm, cold, "cold", JBIND_BOOL),
      JB(struct plan_vm, hugepages, "hugepages", JBIND_BOOL),
      JB(struct plan_vm, linger, "linger", JBIND_BOOL),
      JB(struct plan_vm, clock_offset_s, "clockOffsetSeconds", JBIND_INT),
      JB(struct plan_vm, resume, "resume", JBIND_STR));

PUBLIC_TABLE(plan_identity_table, struct plan_identity,
	     JB(struct plan_identity, hostname, "hostname", JBIND_STR),
	     JB(struct plan_identity, machine_id, "machineId", JBIND_STR));

TABLE(caisson, struct plan_caisson,
      JB(struct plan_caisson, isolation, "isolation", JBIND_ENUM, .names = plan_isolation_names,
	 .flags = JBIND_KEEP),
      JB(struct plan_caisson, id, "id", JBIND_STR, .flags = JBIND_REQUIRED),
      JB(struct plan_caisson, name, "name", JBIND_STR),
      JB(struct plan_caisson, state_dir, "stateDir", JBIND_STR),
      JB(struct plan_caisson, run_dir, "runDir", JBIND_STR),
      JB(struct plan_caisson, rootfs, "rootfs", JBIND_OBJ, .sub = &rootfs),
      JB(struct plan_caisson, nics, "nics", JBIND_LIST, .sub = &plan_nic_table),
      JB(struct plan_caisson, vm, "vm", JBIND_PTR, .sub = &vm),
      JB(struct plan_caisson, net_ns, "netNs", JBIND_STR),
      JB(struct plan_caisson, machine, "machine", JBIND_STR),
      JB(struct plan_caisson, box_image, "boxImage", JBIND_STR),
      JB(struct plan_caisson, open_stdin, "openStdin", JBIND_BOOL),
      JB(struct plan_caisson, stdin_once, "stdinOnce", JBIND_BOOL),
      JB(struct plan_caisson, auto_remove, "autoRemove", JBIND_BOOL),
      JB(struct plan_caisson, init, "initProgram", JBIND_STR),
      JB(struct plan_caisson, image, "image", JBIND_STR),
      JB(struct plan_caisson, labels, "labels", JBIND_STRS),
      JB(struct plan_caisson, log, "log", JBIND_OBJ, .sub = &logconf_table),
      JB(struct plan_caisson, health, "health", JBIND_PTR, .sub = &health_table),
      JB(struct plan_caisson, unhealthy, "unhealthy", JBIND_STR),
      JB(struct plan_caisson, restart, "restart", JBIND_STR),
      JB(struct plan_caisson, restarts, "restarts", JBIND_INT),
      JB(struct plan_caisson, restart_wait_ms, "restartWait", JBIND_INT),
      JB(struct plan_caisson, stop_signal, "stopSignal", JBIND_STR),
      JB(struct plan_caisson, stop_timeout_s, "stopTimeout", JBIND_INT),
      JB(struct plan_caisson, seccomp_profile, "seccompProfile", JBIND_STR),
      JB(struct plan_caisson, machine_id, "machineId", JBIND_STR),
      JB(struct plan_caisson, default_pids, "defaultPids", JBIND_BOOL),
      JB(struct plan_caisson, seccomp_cache, "seccompCache", JBIND_STR));

PUBLIC_TABLE(plan_table, struct plan,
	     JB(struct plan, oci_version, "ociVersion", JBIND_STR, .flags = JBIND_REQUIRED),
	     JB(struct plan, process, "process", JBIND_PTR, .sub = &plan_process_table),
	     JB(struct plan, root, "root", JBIND_PTR, .sub = &root),
	     JB(struct plan, hostname, "hostname", JBIND_STR),
	     JB(struct plan, domainname, "domainname", JBIND_STR),
	     JB(struct plan, mounts, "mounts", JBIND_LIST, .sub = &mount),
	     JB(struct plan, hooks, "hooks", JBIND_PTR, .sub = &hooks),
	     JB(struct plan, annotations, "annotations", JBIND_MAP),
	     JB(struct plan, linux_, "linux", JBIND_PTR, .sub = &linux_table),
	     JB(struct plan, caisson, "caisson", JBIND_PTR, .sub = &caisson));

int plan_parse(const char *text, size_t len, const char *what, struct arena *a, struct plan **out,
	       struct err *e)
{
	struct plan *p = arena_alloc(a, sizeof(*p));
	int r = jbind_parse(&plan_table, text, len, p, a, what, e);

	if (r == 0)
		*out = p;
	return r;
}

void plan_write(const struct plan *p, struct buf *out)
{
	jbind_write(&plan_table, p, out);
}

const char *plan_namespace_path(const struct plan *p, const char *type)
{
	for (size_t i = 0; p->linux_ && i < p->linux_->namespaces.n; i++) {
		const struct plan_namespace *ns = &p->linux_->namespaces.v[i];

		if (streq(ns->type, type))
			return ns->path ? ns->path : "";
	}
	return NULL;
}
