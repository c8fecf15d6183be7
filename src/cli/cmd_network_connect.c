/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "engine/lookup.h"
#include "engine/network_ctl.h"
#include "engine/plug.h"

struct network_connect_args {
	const char *ip, *ip6, *mac;
	struct opt_list alias;
};

static const struct opt network_connect_opts[] = {
    OPT(struct network_connect_args, alias, .name = "alias", .type = OPT_LIST, .arg = "NAME",
	.help = "a further name of the instance on the network"),
    OPT_NO("driver-opt", "KEY=VALUE", "networks have no options of single instances"),
    OPT_NO("gw-priority", "N", "the first network that is not internal has the default route"),
    OPT(struct network_connect_args, ip, .name = "ip", .type = OPT_STR, .arg = "ADDRESS",
	.help = "its IPv4 address there; one that is free by default"),
    OPT(struct network_connect_args, ip6, .name = "ip6", .type = OPT_STR, .arg = "ADDRESS",
	.help = "its IPv6 address there"),
    OPT_NO("link", "INSTANCE", "legacy; on a network instances find each other by name"),
    OPT_NO("link-local-ip", "ADDRESS", "instances have the addresses of their networks only"),
    OPT(struct network_connect_args, mac, .name = "mac-address", .type = OPT_STR, .arg = "ADDRESS",
	.help = "its hardware address there"),
    OPT_END,
};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct network_connect_args *ca = args;
	auto_arena struct arena a = ARENA_INIT;
	struct plug_want p = {
	    .ip = ca->ip, .ip6 = ca->ip6, .mac = ca->mac, .aliases = {ca->alias.v, ca->alias.n}};
	struct network n;
	struct lookup l;
	int r = network_ctl_find(s, argv[0], &a, &n, e);

	if (r == 0)
		r = lookup_find(s, argv[1], &a, &l, e);
	return r < 0 ? r : plug_connect(s, &n, &l, &p, e);
}

extern const struct cmd cmd_network_connect;
const struct cmd cmd_network_connect = {
    .name = "network connect",
    .group = "networks",
    .operands = "NETWORK INSTANCE",
    .summary = "take an instance to one more network",
    .opts = network_connect_opts,
    .args_size = sizeof(struct network_connect_args),
    .operands_min = 2,
    .operands_max = 2,
    .run = run,
};
