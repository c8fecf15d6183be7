/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/instance_args.h"
#include "cli/podverb.h"
#include "engine/pod.h"
#include "engine/pod_ctl.h"
#include "engine/request.h"
#include "spec/control.h"

#include <errno.h>
#include <stdio.h>

struct pod_create_args {
	struct instance_args i; /* those of its options that a pod has */
	bool infra, replace;
	const char *share, *id_file;
};

static const char *const isolations[] = {"default", "container", "process", "vm", "hyperv", NULL};

#define CREATE_OPT(member, ...) OPT(struct pod_create_args, member, __VA_ARGS__)
#define LIST(member, name_, arg_, help_)                                                           \
	CREATE_OPT(i.member, .name = name_, .type = OPT_LIST, .arg = arg_, .help = help_)
#define STR(member, name_, arg_, help_)                                                            \
	CREATE_OPT(member, .name = name_, .type = OPT_STR, .arg = arg_, .help = help_)

static const struct opt pod_create_opts[] = {
    LIST(add_host, "add-host", "NAME:ADDRESS", "add a line to /etc/hosts"),
    CREATE_OPT(i.cpus, .name = "cpus", .type = OPT_DECIMAL, .arg = "N", .min = 10000000,
	       .max = 1024000000000, .help = "processors of its machine (--isolation vm)"),
    LIST(dns, "dns", "ADDRESS", "name server to use"),
    LIST(dns_option, "dns-opt", "OPTION", "the same as --dns-option"),
    LIST(dns_option, "dns-option", "OPTION", "an option of resolv.conf"),
    LIST(dns_search, "dns-search", "DOMAIN", "domain in which names are looked up"),
    CREATE_OPT(i.hostname, .name = "hostname", .letter = 'h', .type = OPT_STR, .arg = "NAME",
	       .help = "host name inside, the pod's name by default"),
    CREATE_OPT(infra, .name = "infra", .type = OPT_BOOL, .preset = "true",
	       .help = "a process that holds what is shared; without it nothing is"),
    STR(i.ip, "ip", "ADDRESS", "its IPv4 address on the network"),
    CREATE_OPT(i.isolation, .name = "isolation", .type = OPT_ENUM, .arg = "KIND",
	       .values = isolations, .help = "vm: one machine with a kernel of its own"),
    CREATE_OPT(i.label, .name = "label", .letter = 'l', .type = OPT_LIST, .arg = "KEY=VALUE",
	       .help = "attach a label"),
    CREATE_OPT(i.label_file, .name = "label-file", .type = OPT_LIST, .arg = "FILE",
	       .complete = "file", .help = "read labels from a file, one KEY=VALUE per line"),
    STR(i.mac_address, "mac-address", "ADDRESS", "MAC address of its card"),
    CREATE_OPT(i.memory, .name = "memory", .letter = 'm', .type = OPT_BYTES, .arg = "SIZE",
	       .help = "memory of its machine (--isolation vm)"),
    CREATE_OPT(i.name, .name = "name", .letter = 'n', .type = OPT_STR, .arg = "NAME",
	       .help = "the name, also as operand"),
    CREATE_OPT(i.network, .name = "net", .type = OPT_LIST, .arg = "NET", .complete = "network",
	       .help = "the same as --network"),
    CREATE_OPT(i.network, .name = "network", .type = OPT_LIST, .arg = "NET", .complete = "network",
	       .help = "bridge (default), none, host, container:INSTANCE, or a network's name"),
    LIST(network_alias, "network-alias", "NAME", "a further name on the first network"),
    CREATE_OPT(id_file, .name = "pod-id-file", .type = OPT_STR, .arg = "FILE", .complete = "file",
	       .help = "write the id to a file that does not exist yet"),
    CREATE_OPT(i.publish, .name = "publish", .letter = 'p', .type = OPT_LIST,
	       .arg = "[[IP:]HOST:]PORT[/PROTO]", .help = "publish a port on the host"),
    CREATE_OPT(replace, .name = "replace", .type = OPT_BOOL,
	       .help = "remove the pod that has the name, with all that is in it"),
    STR(i.restart, "restart", "POLICY", "of its containers that have none, and of the pod"),
    CREATE_OPT(share, .name = "share", .type = OPT_STR, .arg = "LIST", .preset = POD_SHARE,
	       .help = "what its containers share: ipc, net, pid, uts, or none"),
    CREATE_OPT(i.shm, .name = "shm-size", .type = OPT_BYTES, .arg = "SIZE",
	       .help = "size of the shared /dev/shm, 64m by default"),
    LIST(sysctl, "sysctl", "KEY=VALUE", "kernel setting of the shared namespaces"),
    STR(i.userns, "userns", "MODE", "host: the engine's ids (default)"),
    CREATE_OPT(i.volume, .name = "volume", .letter = 'v', .type = OPT_LIST,
	       .arg = "[SOURCE:]DIR[:ro]", .help = "a mount that every container of it has"),
    OPT_END,
};

static int clear(struct session *s, const char *name, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct control_stop how = podverb_stop(PODVERB_OWN);
	struct err why = ERR_INIT;
	struct lookup old;
	int r = pod_find(s, name, &a, &old, &why);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return err_set(e, why.kind, "%s", why.msg);
	return pod_ctl_remove(s, &old, true, &how, e);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	struct pod_create_args pa = *(const struct pod_create_args *)args;
	auto_arena struct arena a = ARENA_INIT;
	char name[] = "pod", *image[] = {name, NULL};
	struct request q;
	struct instance pod;
	int r;

	if (argc && pa.i.name)
		return err_set(e, ERR_USAGE, "a name behind --name and another as operand");
	if (argc)
		pa.i.name = argv[0];
	/* What `run` presets and a pod cannot be asked. */
	pa.i.content_trust = true;
	pa.i.pids = 2048;
	pa.i.memory_swappiness = -1;
	pa.i.stop_timeout = 10;
	r = instance_args_request(&pa.i, s, 1, image, &a, &q, e);
	if (r == 0)
		r = instance_args_cidfile_check("pod-id-file", pa.id_file, e);
	if (r == 0 && pa.replace && !q.name)
		r = err_set(e, ERR_USAGE, "--replace needs a name");
	if (r == 0 && pa.replace)
		r = clear(s, q.name, e);
	if (r == 0)
		r = pod_create(s, &q, pa.share, !pa.infra, &a, &pod, e);
	if (r == 0)
		r = instance_args_cidfile_write("pod-id-file", pa.id_file, pod.id, e);
	if (r < 0)
		return r;
	puts(pod.id);
	return 0;
}

extern const struct cmd cmd_pod_create;
const struct cmd cmd_pod_create = {
    .name = "pod create",
    .group = "pods",
    .operands = "[NAME]",
    .summary = "make a pod: containers that share namespaces, or a kernel",
    .opts = pod_create_opts,
    .args_size = sizeof(struct pod_create_args),
    .operands_max = 1,
    .run = run,
};
