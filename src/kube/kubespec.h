/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kubespec - Kubernetes' objects as plain data: Pod (v1), Deployment (apps/v1), ConfigMap, Secret
 * and PersistentVolumeClaim (v1), as far as one machine can mean them.
 *
 * A member that stands as JSON (.._json) is kept to be refused by name, or has a type that depends.
 * Members that are not here are told by jbind_unknown().  Source: Kubernetes API reference 1.31.
 */
#ifndef KUBE_KUBESPEC_H
#define KUBE_KUBESPEC_H

#include "base/arena.h"
#include "fmt/jbind.h"

#include <stdbool.h>
#include <stdint.h>

struct kubespec_meta {
	const char *name, *ns, *uid;
	struct jbind_map labels, annotations;
};

struct kubespec_key_ref { /* of a ConfigMap or Secret */
	const char *name, *key;
	bool optional;
};
struct kubespec_field_ref {
	const char *path;
};
struct kubespec_value_from {
	struct kubespec_key_ref *config_map, *secret;
	struct kubespec_field_ref *field;
	const char *resource_json, *file_json;
};
struct kubespec_env {
	const char *name, *value;
	struct kubespec_value_from *from;
};
struct kubespec_env_from {
	const char *prefix;
	struct kubespec_key_ref *config_map, *secret; /* without .key */
};
struct kubespec_port {
	const char *name, *protocol, *host_ip;
	int64_t container_port, host_port;
};
struct kubespec_mount {
	const char *name, *path, *sub_path, *propagation, *recursive_json, *sub_path_expr;
	bool read_only;
};
struct kubespec_resources {
	const char *limits_json, *requests_json; /* objects of quantities: strings or numbers */
	const char *claims_json;
};

struct kubespec_exec {
	struct strs command;
};
struct kubespec_http {
	const char *path, *host, *scheme;
	const char *port_json; /* a number or a port's name */
	const char *headers_json;
};
struct kubespec_tcp {
	const char *host;
	const char *port_json;
};
struct kubespec_probe {
	struct kubespec_exec *exec;
	struct kubespec_http *http;
	struct kubespec_tcp *tcp;
	const char *grpc_json;
	int64_t initial_delay_s, period_s, timeout_s, failures, successes; /* 0: not said */
	struct jbind_optint grace_s;
};

struct kubespec_caps {
	struct strs add, drop;
};
struct kubespec_profile { /* of seccomp and AppArmor */
	const char *type, *localhost;
};
struct kubespec_selinux {
	const char *user, *role, *type, *level;
};
struct kubespec_sysctl {
	const char *name, *value;
};
/* Of a pod and of a container: the latter's wins. */
struct kubespec_security {
	struct jbind_optint uid, gid;
	const char *non_root_json, *escalation_json; /* false, true or absent */
	bool privileged, read_only_root;
	struct kubespec_caps *caps;
	struct kubespec_profile *seccomp, *apparmor;
	struct kubespec_selinux *selinux;
	const char *proc_mount;
	/* of a pod only */
	struct jbind_optint fs_group;
	struct jbind_nums groups;
	struct {
		struct kubespec_sysctl *v;
		size_t n;
	} sysctls;
};

struct kubespec_container {
	const char *name, *image, *pull_policy, *workdir, *restart;
	struct strs command, args;
	struct {
		struct kubespec_port *v;
		size_t n;
	} ports;
	struct {
		struct kubespec_env *v;
		size_t n;
	} env;
	struct {
		struct kubespec_env_from *v;
		size_t n;
	} env_from;
	struct {
		struct kubespec_mount *v;
		size_t n;
	} mounts;
	struct kubespec_resources resources;
	struct kubespec_probe *liveness, *readiness, *startup;
	struct kubespec_security *security;
	bool in, in_once, tty;
	const char *lifecycle_json, *devices_json;
};
struct kubespec_containers {
	struct kubespec_container *v;
	size_t n;
};

struct kubespec_item {
	const char *key, *path;
	struct jbind_optint mode;
};
struct kubespec_source { /* configMap and secret volumes */
	const char *name, *secret_name;
	bool optional;
	struct jbind_optint mode;
	struct {
		struct kubespec_item *v;
		size_t n;
	} items;
};
struct kubespec_host_path {
	const char *path, *type;
};
struct kubespec_empty_dir {
	const char *medium, *size_json;
};
struct kubespec_claim_ref {
	const char *name;
	bool read_only;
};
struct kubespec_volume {
	const char *name;
	struct kubespec_host_path *host_path;
	struct kubespec_empty_dir *empty_dir;
	struct kubespec_source *config_map, *secret;
	struct kubespec_claim_ref *claim;
};

struct kubespec_dns_option {
	const char *name, *value;
};
struct kubespec_dns {
	struct strs servers, searches;
	struct {
		struct kubespec_dns_option *v;
		size_t n;
	} options;
};
struct kubespec_alias {
	const char *ip;
	struct strs names;
};

struct kubespec_pod {
	struct kubespec_containers containers, init;
	struct {
		struct kubespec_volume *v;
		size_t n;
	} volumes;
	const char *restart, *hostname, *subdomain, *dns_policy, *runtime_class;
	bool host_network, host_pid, host_ipc, share_processes;
	const char *host_users_json, *ephemeral_json, *claims_json, *os_json;
	struct kubespec_dns *dns;
	struct {
		struct kubespec_alias *v;
		size_t n;
	} aliases;
	struct kubespec_security *security;
	struct jbind_optint grace_s, deadline_s;
};

struct kubespec_template {
	struct kubespec_meta meta;
	struct kubespec_pod spec;
};
struct kubespec_deployment {
	struct jbind_optint replicas;
	struct kubespec_template template;
	const char *selector_json;
};

/* Any object: which members count follows from .kind. */
struct kubespec_object {
	const char *api, *kind;
	struct kubespec_meta meta;
	const char *spec_json;		/* of PersistentVolumeClaim */
	struct kubespec_pod pod;	/* Pod */
	struct kubespec_deployment set; /* Deployment */
	struct jbind_map data, string_data;
	struct jbind_map binary; /* base64 */
};

extern const struct jbind kubespec_head_table, kubespec_pod_table, kubespec_deployment_table,
    kubespec_data_table, kubespec_claim_table;

#endif
