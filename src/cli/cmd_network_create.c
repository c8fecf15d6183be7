/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "engine/network_ctl.h"

#include <stdio.h>

struct network_create_args {
	const char *driver;
	struct opt_list subnet, gateway, ip_range, aux, label, opt;
	bool internal, attachable, ipv6;
};

#define O(member, ...) OPT(struct network_create_args, member, __VA_ARGS__)

static const struct opt network_create_opts[] = {
    O(attachable, .name = "attachable", .type = OPT_BOOL,
      .help = "instances may be attached: they always may"),
    O(aux, .name = "aux-address", .type = OPT_LIST, .arg = "NAME=ADDRESS",
      .help = "an address that no instance gets"),
    OPT_NO("config-from", "NETWORK", "it is for swarms"),
    OPT_NO("config-only", NULL, "it is for swarms"),
    O(driver, .name = "driver", .letter = 'd', .type = OPT_STR, .arg = "DRIVER", .preset = "bridge",
      .help = "bridge, macvlan or ipvlan"),
    O(gateway, .name = "gateway", .type = OPT_LIST, .arg = "ADDRESS",
      .help = "the host's address on it, the first of the subnet by default"),
    OPT_NO("ingress", NULL, "it is for swarms"),
    O(internal, .name = "internal", .type = OPT_BOOL,
      .help = "nothing leaves it, and no port of it is published"),
    O(ip_range, .name = "ip-range", .type = OPT_LIST, .arg = "SUBNET",
      .help = "part of the subnet that instances get addresses of"),
    OPT_NO("ipam-driver", "DRIVER", "addresses are given out by the engine itself"),
    OPT_NO("ipam-opt", "KEY=VALUE", "addresses are given out by the engine itself"),
    O(ipv6, .name = "ipv6", .type = OPT_BOOL,
      .help = "IPv6, too; a prefix is made unless --subnet says one"),
    O(label, .name = "label", .type = OPT_LIST, .arg = "KEY=VALUE", .help = "attach a label"),
    O(opt, .name = "opt", .letter = 'o', .type = OPT_LIST, .arg = "KEY=VALUE",
      .help = "mtu, icc, parent, macvlan_mode ...: see the manual"),
    OPT_NO("scope", "SCOPE", "networks are this host's"),
    O(subnet, .name = "subnet", .type = OPT_LIST, .arg = "SUBNET",
      .help = "such as 172.28.0.0/16; one that is free by default"),
    OPT_END,
};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct network_create_args *ca = args;
	auto_arena struct arena a = ARENA_INIT;
	struct network_ctl_want w = {
	    .name = argv[0],
	    .driver = ca->driver,
	    .subnets = {ca->subnet.v, ca->subnet.n},
	    .gateways = {ca->gateway.v, ca->gateway.n},
	    .ranges = {ca->ip_range.v, ca->ip_range.n},
	    .aux = {ca->aux.v, ca->aux.n},
	    .labels = {ca->label.v, ca->label.n},
	    .options = {ca->opt.v, ca->opt.n},
	    .internal = ca->internal,
	    .ipv6 = ca->ipv6,
	};
	const char *id;
	int r = network_ctl_create(s, &w, &a, &id, e);

	if (r < 0)
		return r;
	printf("%s\n", id);
	return 0;
}

extern const struct cmd cmd_network_create;
const struct cmd cmd_network_create = {
    .name = "network create",
    .group = "networks",
    .operands = "NETWORK",
    .summary = "make a network of one's own",
    .opts = network_create_opts,
    .args_size = sizeof(struct network_create_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
