/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/instance_args.h"
#include "engine/create.h"
#include "engine/image_pull.h"
#include "engine/request.h"
#include "engine/session.h"
#include "spec/record.h"

#include <stdio.h>

struct create_args {
	struct instance_args i;
};

static const struct opt create_opts[] = {
    INSTANCE_ARGS_OPTS(struct create_args, i),
    OPT_END,
};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct create_args *a = args;
	auto_arena struct arena arena = ARENA_INIT;
	struct image_pull_opts pull = {.platform = a->i.platform,
				       .data = s->data,
				       .policy = a->i.pull,
				       .signature_policy = s->signature_policy};
	struct request q;
	struct instance i;
	auto_fd int dir = -1;
	int r = instance_args_request(&a->i, s, argc, argv, &arena, &q, e);

	if (r == 0)
		r = instance_args_cidfile_check("cidfile", a->i.cidfile, e);
	if (r < 0)
		return r;
	dir = create_instance(s, &q, &pull, &arena, &i, e);
	if (dir < 0)
		return dir;
	instance_args_advise(s, &q);
	r = instance_args_cidfile_write("cidfile", a->i.cidfile, i.id, e);
	if (r == 0)
		printf("%s\n", i.id);
	return r;
}

extern const struct cmd cmd_create;
const struct cmd cmd_create = {
    .name = "create",
    .group = "instances",
    .operands = "IMAGE [COMMAND [ARG...]]",
    .summary = "make an instance of an image without starting it",
    .opts = create_opts,
    .args_size = sizeof(struct create_args),
    .operands_min = 1,
    .operands_max = -1,
    .flags = CMD_RUNS,
    .run = run,
};
