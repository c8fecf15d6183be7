/* SPDX-License-Identifier: Apache-2.0 */
#include "base/opt.h"
#include "cli/cmd.h"
#include "engine/image_ctl.h"
#include "engine/session.h"

static const struct opt tag_opts[] = {OPT_END};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	return image_ctl_tag(s, argv[0], argv[1], e);
}

extern const struct cmd cmd_tag;
const struct cmd cmd_tag = {
    .name = "tag",
    .group = "images",
    .operands = "IMAGE NAME[:TAG]",
    .summary = "give an image one more name",
    .opts = tag_opts,
    .operands_min = 2,
    .operands_max = 2,
    .aliases = (const char *const[]){"image tag", NULL},
    .run = run,
};
