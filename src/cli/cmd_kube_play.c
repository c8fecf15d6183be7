/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "cli/kubefile.h"
#include "kube/kubedoc.h"
#include "kube/kubeplay.h"
#include "spec/plan.h"

#include <stdio.h>

struct kube_play_args {
	bool replace, start;
	const char *network;
	int isolation;
	struct opt_list configmap;
};

static const char *const isolations[] = {"container", "vm", NULL};

static const struct opt kube_play_opts[] = {
    OPT(struct kube_play_args, configmap, .name = "configmap", .type = OPT_LIST, .arg = "FILE",
	.complete = "file", .help = "ConfigMaps and Secrets from one more file"),
    OPT(struct kube_play_args, isolation, .name = "isolation", .type = OPT_ENUM, .arg = "KIND",
	.values = isolations, .preset = "container",
	.help = "of pods that do not say: container or vm"),
    OPT(struct kube_play_args, network, .name = "network", .type = OPT_STR, .arg = "NET",
	.complete = "network", .help = "of the pods: bridge (default), none, or a network's name"),
    OPT(struct kube_play_args, replace, .name = "replace", .type = OPT_BOOL,
	.help = "remove what the same objects made before"),
    OPT(struct kube_play_args, start, .name = "start", .type = OPT_BOOL, .preset = "true",
	.help = "start the pods; --start=false only makes them"),
    OPT_END,
};

static void made(const char *what, const char *id, void *arg)
{
	const char **last = arg;

	if (!*last || *last != what)
		printf("%s:\n", what);
	*last = what;
	puts(id);
	fflush(stdout);
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct kube_play_args *k = args;
	auto_arena struct arena a = ARENA_INIT;
	const char *last = NULL;
	struct kubeplay_opts o = {.replace = k->replace,
				  .create = !k->start,
				  .network = k->network,
				  .isolation = k->isolation == 1 ? PLAN_VM : PLAN_CONTAINER,
				  .made = made,
				  .arg = &last};
	struct kubedoc doc = {0};
	int r = 0;

	for (size_t i = 0; r == 0 && i < k->configmap.n; i++)
		r = kubefile_read(k->configmap.v[i], &a, &doc, e);
	if (r == 0)
		r = kubefile_read(argv[0], &a, &doc, e);
	if (r == 0)
		r = kubeplay_up(s, &doc, &o, &a, e);
	/* Also when it failed: they may say why. */
	kubefile_warnings(&doc);
	return r;
}

extern const struct cmd cmd_kube_play;
const struct cmd cmd_kube_play = {
    .name = "kube play",
    .group = "pods",
    .operands = "FILE|-",
    .summary = "run the Pods and Deployments of a Kubernetes file on this machine",
    .opts = kube_play_opts,
    .args_size = sizeof(struct kube_play_args),
    .operands_min = 1,
    .operands_max = 1,
    .aliases = (const char *const[]){"play kube", NULL},
    .run = run,
};
