/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/err.h"
#include "base/opt.h"
#include "cli/cmd.h"
#include "engine/pod.h"

#include <errno.h>

static const struct opt pod_exists_opts[] = {OPT_END};

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct err why = ERR_INIT;
	struct lookup pod;
	int r = pod_find(s, argv[0], &a, &pod, &why);

	if (r < 0 && r != -ENOENT)
		return err_set(e, why.kind, "%s", why.msg);
	return r < 0;
}

extern const struct cmd cmd_pod_exists;
const struct cmd cmd_pod_exists = {
    .name = "pod exists",
    .group = "pods",
    .operands = "POD",
    .summary = "0 when there is such a pod, 1 when not",
    .opts = pod_exists_opts,
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};
