/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "engine/volume_ctl.h"

#include <stdio.h>

#define CLUSTER "volumes of a cluster: there is none"

struct volume_create_args {
	const char *driver, *name;
	struct opt_list label, opt;
};

static const struct opt volume_create_opts[] = {
    OPT_NO("availability", "WHEN", CLUSTER),
    OPT(struct volume_create_args, driver, .name = "driver", .letter = 'd', .type = OPT_STR,
	.arg = "DRIVER", .preset = "local", .help = "local; there are no others"),
    OPT_NO("group", "NAME", CLUSTER),
    OPT(struct volume_create_args, label, .name = "label", .type = OPT_LIST, .arg = "KEY[=VALUE]",
	.help = "a label"),
    OPT_NO("limit-bytes", "SIZE", CLUSTER),
    OPT(struct volume_create_args, name, .name = "name", .type = OPT_STR, .arg = "NAME",
	.help = "the name, as docker once took it"),
    OPT(struct volume_create_args, opt, .name = "opt", .letter = 'o', .type = OPT_LIST,
	.arg = "KEY=VALUE", .help = "of the driver: type=none, o=bind, device=DIR"),
    OPT_NO("required-bytes", "SIZE", CLUSTER),
    OPT_NO("scope", "SCOPE", CLUSTER),
    OPT_NO("secret", "KEY=VALUE", CLUSTER),
    OPT_NO("sharing", "HOW", CLUSTER),
    OPT_NO("topology-preferred", "KEY=VALUE", CLUSTER),
    OPT_NO("topology-required", "KEY=VALUE", CLUSTER),
    OPT_NO("type", "TYPE", CLUSTER),
    OPT_END,
};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct volume_create_args *ca = args;
	auto_arena struct arena a = ARENA_INIT;
	const struct volume v = {.name = argc ? argv[0] : ca->name,
				 .labels = {ca->label.v, ca->label.n},
				 .options = {ca->opt.v, ca->opt.n}};
	const char *name;
	int r;

	if (argc && ca->name)
		return err_set(e, ERR_USAGE, "a name behind --name and another as operand");
	if (!streq(ca->driver, "local"))
		return err_set(e, ERR_UNSUPPORTED,
			       "--driver %.60s is not possible: there are no volume plugins, only "
			       "local",
			       ca->driver);
	r = volume_ctl_create(s, &v, &a, &name, e);
	if (r < 0)
		return r;
	puts(name);
	return 0;
}

extern const struct cmd cmd_volume_create;
const struct cmd cmd_volume_create = {
    .name = "volume create",
    .group = "volumes",
    .operands = "[NAME]",
    .summary = "make a volume",
    .opts = volume_create_opts,
    .args_size = sizeof(struct volume_create_args),
    .operands_max = 1,
    .run = run,
};
