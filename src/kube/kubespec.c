/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/kubespec.h"

/* One table: its name is the struct's. */
#define TABLE(name, ...)                                                                           \
	static const struct jbind_field name##_fields[] = {__VA_ARGS__, JB_END};                   \
	static const struct jbind name##_table = {.size = sizeof(struct kubespec_##name),          \
						  .fields = name##_fields};
#define STR(s, m, key)	     JB(struct kubespec_##s, m, key, JBIND_STR)
#define RAW(s, m, key)	     JB(struct kubespec_##s, m, key, JBIND_RAW)
#define YES(s, m, key)	     JB(struct kubespec_##s, m, key, JBIND_BOOL)
#define NUM(s, m, key)	     JB(struct kubespec_##s, m, key, JBIND_INT)
#define OPTIONAL(s, m, key)  JB(struct kubespec_##s, m, key, JBIND_OPTINT)
#define STRS(s, m, key)	     JB(struct kubespec_##s, m, key, JBIND_STRS)
#define MAP(s, m, key)	     JB(struct kubespec_##s, m, key, JBIND_MAP)
#define PTR(s, m, key, sub_) JB(struct kubespec_##s, m, key, JBIND_PTR, .sub = &sub_##_table)
#define OBJ(s, m, key, sub_) JB(struct kubespec_##s, m, key, JBIND_OBJ, .sub = &sub_##_table)
#define LST(s, m, key, sub_) JB(struct kubespec_##s, m, key, JBIND_LIST, .sub = &sub_##_table)

TABLE(meta, STR(meta, name, "name"), STR(meta, ns, "namespace"), STR(meta, uid, "uid"),
      MAP(meta, labels, "labels"), MAP(meta, annotations, "annotations"))

TABLE(key_ref, STR(key_ref, name, "name"), STR(key_ref, key, "key"),
      YES(key_ref, optional, "optional"))
static const struct jbind_field field_ref_fields[] = {STR(field_ref, path, "fieldPath"), JB_END};
static const struct jbind field_ref_table = {.size = sizeof(struct kubespec_field_ref),
					     .fields = field_ref_fields};
TABLE(value_from, PTR(value_from, config_map, "configMapKeyRef", key_ref),
      PTR(value_from, secret, "secretKeyRef", key_ref),
      PTR(value_from, field, "fieldRef", field_ref),
      RAW(value_from, resource_json, "resourceFieldRef"), RAW(value_from, file_json, "fileKeyRef"))
TABLE(env, STR(env, name, "name"), STR(env, value, "value"),
      PTR(env, from, "valueFrom", value_from))
TABLE(env_from, STR(env_from, prefix, "prefix"), PTR(env_from, config_map, "configMapRef", key_ref),
      PTR(env_from, secret, "secretRef", key_ref))
TABLE(port, STR(port, name, "name"), NUM(port, container_port, "containerPort"),
      NUM(port, host_port, "hostPort"), STR(port, host_ip, "hostIP"),
      STR(port, protocol, "protocol"))
TABLE(mount, STR(mount, name, "name"), STR(mount, path, "mountPath"),
      STR(mount, sub_path, "subPath"), STR(mount, sub_path_expr, "subPathExpr"),
      YES(mount, read_only, "readOnly"), RAW(mount, recursive_json, "recursiveReadOnly"),
      STR(mount, propagation, "mountPropagation"))
TABLE(resources, RAW(resources, limits_json, "limits"), RAW(resources, requests_json, "requests"),
      RAW(resources, claims_json, "claims"))

TABLE(exec, STRS(exec, command, "command"))
TABLE(http, STR(http, path, "path"), RAW(http, port_json, "port"), STR(http, host, "host"),
      STR(http, scheme, "scheme"), RAW(http, headers_json, "httpHeaders"))
TABLE(tcp, RAW(tcp, port_json, "port"), STR(tcp, host, "host"))
TABLE(probe, PTR(probe, exec, "exec", exec), PTR(probe, http, "httpGet", http),
      PTR(probe, tcp, "tcpSocket", tcp), RAW(probe, grpc_json, "grpc"),
      NUM(probe, initial_delay_s, "initialDelaySeconds"), NUM(probe, period_s, "periodSeconds"),
      NUM(probe, timeout_s, "timeoutSeconds"), NUM(probe, failures, "failureThreshold"),
      NUM(probe, successes, "successThreshold"),
      OPTIONAL(probe, grace_s, "terminationGracePeriodSeconds"))

TABLE(caps, STRS(caps, add, "add"), STRS(caps, drop, "drop"))
TABLE(profile, STR(profile, type, "type"), STR(profile, localhost, "localhostProfile"))
TABLE(selinux, STR(selinux, user, "user"), STR(selinux, role, "role"), STR(selinux, type, "type"),
      STR(selinux, level, "level"))
TABLE(sysctl, STR(sysctl, name, "name"), STR(sysctl, value, "value"))

#define SECURITY                                                                                   \
	OPTIONAL(security, uid, "runAsUser"), OPTIONAL(security, gid, "runAsGroup"),               \
	    RAW(security, non_root_json, "runAsNonRoot"),                                          \
	    PTR(security, seccomp, "seccompProfile", profile),                                     \
	    PTR(security, apparmor, "appArmorProfile", profile),                                   \
	    PTR(security, selinux, "seLinuxOptions", selinux)
static const struct jbind_field own_security_fields[] = {
    SECURITY,
    RAW(security, escalation_json, "allowPrivilegeEscalation"),
    YES(security, privileged, "privileged"),
    YES(security, read_only_root, "readOnlyRootFilesystem"),
    PTR(security, caps, "capabilities", caps),
    STR(security, proc_mount, "procMount"),
    JB_END,
};
static const struct jbind own_security_table = {.size = sizeof(struct kubespec_security),
						.fields = own_security_fields};
static const struct jbind_field pod_security_fields[] = {
    SECURITY,
    OPTIONAL(security, fs_group, "fsGroup"),
    JB(struct kubespec_security, groups, "supplementalGroups", JBIND_NUMS),
    LST(security, sysctls, "sysctls", sysctl),
    JB_END,
};
static const struct jbind pod_security_table = {.size = sizeof(struct kubespec_security),
						.fields = pod_security_fields};

TABLE(container, STR(container, name, "name"), STR(container, image, "image"),
      STR(container, pull_policy, "imagePullPolicy"), STRS(container, command, "command"),
      STRS(container, args, "args"), STR(container, workdir, "workingDir"),
      LST(container, ports, "ports", port), LST(container, env, "env", env),
      LST(container, env_from, "envFrom", env_from), LST(container, mounts, "volumeMounts", mount),
      OBJ(container, resources, "resources", resources),
      PTR(container, liveness, "livenessProbe", probe),
      PTR(container, readiness, "readinessProbe", probe),
      PTR(container, startup, "startupProbe", probe),
      PTR(container, security, "securityContext", own_security), YES(container, in, "stdin"),
      YES(container, in_once, "stdinOnce"), YES(container, tty, "tty"),
      STR(container, restart, "restartPolicy"), RAW(container, lifecycle_json, "lifecycle"),
      RAW(container, devices_json, "volumeDevices"))

TABLE(item, STR(item, key, "key"), STR(item, path, "path"), OPTIONAL(item, mode, "mode"))
TABLE(source, STR(source, name, "name"), STR(source, secret_name, "secretName"),
      YES(source, optional, "optional"), OPTIONAL(source, mode, "defaultMode"),
      LST(source, items, "items", item))
TABLE(host_path, STR(host_path, path, "path"), STR(host_path, type, "type"))
TABLE(empty_dir, STR(empty_dir, medium, "medium"), RAW(empty_dir, size_json, "sizeLimit"))
TABLE(claim_ref, STR(claim_ref, name, "claimName"), YES(claim_ref, read_only, "readOnly"))
TABLE(volume, STR(volume, name, "name"), PTR(volume, host_path, "hostPath", host_path),
      PTR(volume, empty_dir, "emptyDir", empty_dir), PTR(volume, config_map, "configMap", source),
      PTR(volume, secret, "secret", source), PTR(volume, claim, "persistentVolumeClaim", claim_ref))

TABLE(dns_option, STR(dns_option, name, "name"), STR(dns_option, value, "value"))
TABLE(dns, STRS(dns, servers, "nameservers"), STRS(dns, searches, "searches"),
      LST(dns, options, "options", dns_option))
TABLE(alias, STR(alias, ip, "ip"), STRS(alias, names, "hostnames"))

TABLE(pod, LST(pod, containers, "containers", container),
      LST(pod, init, "initContainers", container), LST(pod, volumes, "volumes", volume),
      STR(pod, restart, "restartPolicy"), YES(pod, host_network, "hostNetwork"),
      YES(pod, host_pid, "hostPID"), YES(pod, host_ipc, "hostIPC"),
      YES(pod, share_processes, "shareProcessNamespace"), STR(pod, hostname, "hostname"),
      STR(pod, subdomain, "subdomain"), STR(pod, dns_policy, "dnsPolicy"),
      PTR(pod, dns, "dnsConfig", dns), LST(pod, aliases, "hostAliases", alias),
      PTR(pod, security, "securityContext", pod_security),
      OPTIONAL(pod, grace_s, "terminationGracePeriodSeconds"),
      OPTIONAL(pod, deadline_s, "activeDeadlineSeconds"),
      STR(pod, runtime_class, "runtimeClassName"), RAW(pod, host_users_json, "hostUsers"),
      RAW(pod, ephemeral_json, "ephemeralContainers"), RAW(pod, claims_json, "resourceClaims"),
      RAW(pod, os_json, "os"))
TABLE(template, OBJ(template, meta, "metadata", meta), OBJ(template, spec, "spec", pod))
TABLE(deployment, OPTIONAL(deployment, replicas, "replicas"),
      OBJ(deployment, template, "template", template), RAW(deployment, selector_json, "selector"))

#define HEAD                                                                                       \
	STR(object, api, "apiVersion"), STR(object, kind, "kind"),                                 \
	    OBJ(object, meta, "metadata", meta)
static const struct jbind_field head_fields[] = {HEAD, JB_END};
const struct jbind kubespec_head_table = {.size = sizeof(struct kubespec_object),
					  .fields = head_fields};
static const struct jbind_field pod_object_fields[] = {HEAD, OBJ(object, pod, "spec", pod), JB_END};
const struct jbind kubespec_pod_table = {.size = sizeof(struct kubespec_object),
					 .fields = pod_object_fields};
static const struct jbind_field deployment_object_fields[] = {
    HEAD, OBJ(object, set, "spec", deployment), JB_END};
const struct jbind kubespec_deployment_table = {.size = sizeof(struct kubespec_object),
						.fields = deployment_object_fields};
static const struct jbind_field data_object_fields[] = {HEAD, MAP(object, data, "data"),
							MAP(object, string_data, "stringData"),
							MAP(object, binary, "binaryData"), JB_END};
const struct jbind kubespec_data_table = {.size = sizeof(struct kubespec_object),
					  .fields = data_object_fields};
static const struct jbind_field claim_object_fields[] = {HEAD, RAW(object, spec_json, "spec"),
							 JB_END};
const struct jbind kubespec_claim_table = {.size = sizeof(struct kubespec_object),
					   .fields = claim_object_fields};
