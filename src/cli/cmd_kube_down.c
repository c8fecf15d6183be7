/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/kubefile.h"
#include "kube/kubedoc.h"
#include "kube/kubeplay.h"

#include <stdio.h>

struct kube_down_args {
	bool force;
};

static const struct opt kube_down_opts[] = {
    OPT(struct kube_down_args, force, .name = "force", .letter = 'f', .type = OPT_BOOL,
	.help = "the volumes of its PersistentVolumeClaims, too"),
    OPT_END,
};

static void gone(const char *what, const char *id, void *arg)
{
	puts(id);
	fflush(stdout);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct kube_down_args *k = args;
	auto_arena struct arena a = ARENA_INIT;
	struct kubedoc doc = {0};
	int r = kubefile_read(argv[0], &a, &doc, e);

	return r < 0 ? r : kubeplay_down(s, &doc, k->force, gone, NULL, &a, e);
}

extern const struct cmd cmd_kube_down;
const struct cmd cmd_kube_down = {
    .name = "kube down",
    .group = "pods",
    .operands = "FILE|-",
    .summary = "remove the pods that `kube play` made of a file",
    .opts = kube_down_opts,
    .args_size = sizeof(struct kube_down_args),
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
