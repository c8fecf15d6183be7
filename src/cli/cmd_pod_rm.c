/* SPDX-License-Identifier: Apache-2.0 */
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/podverb.h"
#include "engine/remove.h"
#include "spec/control.h"

#include <stdbool.h>

struct pod_rm_args {
	bool all, force, ignore;
	const char *id_file;
	int64_t time;
};

static const struct opt pod_rm_opts[] = {
    OPT(struct pod_rm_args, all, .name = "all", .letter = 'a', .type = OPT_BOOL,
	.help = "every pod"),
    OPT(struct pod_rm_args, force, .name = "force", .letter = 'f', .type = OPT_BOOL,
	.help = "stop what runs in them first"),
    OPT(struct pod_rm_args, ignore, .name = "ignore", .letter = 'i', .type = OPT_BOOL,
	.help = "one that is not there is no error"),
    OPT(struct pod_rm_args, id_file, .name = "pod-id-file", .type = OPT_STR, .arg = "FILE",
	.complete = "file", .help = "and the pod whose id stands in it"),
    OPT(struct pod_rm_args, time, .name = "time", .letter = 't', .type = OPT_INT, .arg = "SECONDS",
	.min = -2, .max = 1 << 30, .preset = "-2",
	.help = "with --force: before it kills; -2: as each was made"),
    OPT_END,
};

static int remove_one(struct session *s, const struct lookup *pod, const struct podverb *v,
		      struct err *e)
{
	return pod_ctl_remove(s, pod, v->force, v->how, e);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct pod_rm_args *pa = args;
	const struct control_stop how = podverb_stop(pa->time);
	const struct podverb v = {.all = pa->all,
				  .ignore = pa->ignore || pa->force,
				  .id_file = pa->id_file,
				  .fn = remove_one,
				  .how = &how,
				  .force = pa->force};
	int r = podverb_run(s, &v, argc, argv, e);

	remove_leftovers(s, NULL);
	return r;
}

extern const struct cmd cmd_pod_rm;
const struct cmd cmd_pod_rm = {
    .name = "pod rm",
    .group = "pods",
    .operands = "[POD...]",
    .summary = "remove pods with all that is in them",
    .opts = pod_rm_opts,
    .args_size = sizeof(struct pod_rm_args),
    .operands_max = -1,
    .aliases = (const char *const[]){"pod remove", NULL},
    .run = run,
};
