/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "cli/cmd.h"

#include <stdbool.h>
#include <stddef.h>

/* In help order, one a line. */
#define COMMANDS(X)                                                                                \
	X(run)                                                                                     \
	X(create)                                                                                  \
	X(start)                                                                                   \
	X(stop)                                                                                    \
	X(restart)                                                                                 \
	X(kill)                                                                                    \
	X(pause)                                                                                   \
	X(unpause)                                                                                 \
	X(rm)                                                                                      \
	X(ps)                                                                                      \
	X(logs)                                                                                    \
	X(attach)                                                                                  \
	X(exec)                                                                                    \
	X(cp)                                                                                      \
	X(diff)                                                                                    \
	X(export)                                                                                  \
	X(wait)                                                                                    \
	X(stats)                                                                                   \
	X(top)                                                                                     \
	X(port)                                                                                    \
	X(update)                                                                                  \
	X(rename)                                                                                  \
	X(inspect)                                                                                 \
	X(generate_systemd)                                                                        \
	X(generate_kube)                                                                           \
	X(container_prune)                                                                         \
	X(images)                                                                                  \
	X(history)                                                                                 \
	X(pull)                                                                                    \
	X(push)                                                                                    \
	X(login)                                                                                   \
	X(logout)                                                                                  \
	X(load)                                                                                    \
	X(save)                                                                                    \
	X(import)                                                                                  \
	X(copy)                                                                                    \
	X(build_du)                                                                                \
	X(build_prune)                                                                             \
	X(build)                                                                                   \
	X(commit)                                                                                  \
	X(tag)                                                                                     \
	X(rmi)                                                                                     \
	X(image_inspect)                                                                           \
	X(image_diff)                                                                              \
	X(image_review)                                                                            \
	X(image_prune)                                                                             \
	X(image_serve)                                                                             \
	X(search)                                                                                  \
	X(registry_tags)                                                                           \
	X(registry_inspect)                                                                        \
	X(registry_referrers)                                                                      \
	X(registry_rm)                                                                             \
	X(volume_create)                                                                           \
	X(volume_ls)                                                                               \
	X(volume_inspect)                                                                          \
	X(volume_export)                                                                           \
	X(volume_import)                                                                           \
	X(volume_rm)                                                                               \
	X(volume_prune)                                                                            \
	X(pod_create)                                                                              \
	X(pod_ps)                                                                                  \
	X(pod_start)                                                                               \
	X(pod_stop)                                                                                \
	X(pod_restart)                                                                             \
	X(pod_kill)                                                                                \
	X(pod_pause)                                                                               \
	X(pod_unpause)                                                                             \
	X(kube_play)                                                                               \
	X(kube_down)                                                                               \
	X(pod_logs)                                                                                \
	X(pod_inspect)                                                                             \
	X(pod_exists)                                                                              \
	X(pod_rm)                                                                                  \
	X(pod_prune)                                                                               \
	X(kernel_ls)                                                                               \
	X(kernel_add)                                                                              \
	X(kernel_build)                                                                            \
	X(kernel_default)                                                                          \
	X(kernel_rm)                                                                               \
	X(clone)                                                                                   \
	X(snapshot_create)                                                                         \
	X(snapshot_ls)                                                                             \
	X(snapshot_inspect)                                                                        \
	X(snapshot_restore)                                                                        \
	X(snapshot_rm)                                                                             \
	X(store_info)                                                                              \
	X(store_convert)                                                                           \
	X(network_create)                                                                          \
	X(network_connect)                                                                         \
	X(network_disconnect)                                                                      \
	X(network_ls)                                                                              \
	X(network_inspect)                                                                         \
	X(network_rm)                                                                              \
	X(network_prune)                                                                           \
	X(compare)                                                                                 \
	X(dashboard)                                                                               \
	X(serve)                                                                                   \
	X(system_boot)                                                                             \
	X(system_check)                                                                            \
	X(system_df)                                                                               \
	X(system_prune)                                                                            \
	X(events)                                                                                  \
	X(doctor)                                                                                  \
	X(info)                                                                                    \
	X(version)                                                                                 \
	X(completion)                                                                              \
	X(complete)                                                                                \
	X(again)                                                                                   \
	X(reap)                                                                                    \
	X(hold)

#define X(name) extern const struct cmd cmd_##name;
COMMANDS(X)
#undef X

const struct cmd *const commands_all[] = {
#define X(name) &cmd_##name,
    COMMANDS(X)
#undef X
	NULL,
};

static bool matches(const char *name, int argc, char **argv, int *words)
{
	size_t n = strlen(argv[0]);
	const char *rest;

	*words = 1;
	if (streq(name, argv[0]))
		return true;
	*words = 2;
	rest = strncmp(name, argv[0], n) == 0 && name[n] == ' ' ? name + n + 1 : NULL;
	return rest && argc > 1 && streq(rest, argv[1]);
}

const struct cmd *commands_find(int argc, char **argv, int *words)
{
	for (const struct cmd *const *c = commands_all; *c; c++) {
		if (matches((*c)->name, argc, argv, words))
			return *c;
		for (const char *const *a = (*c)->aliases; a && *a; a++)
			if (matches(*a, argc, argv, words))
				return *c;
	}
	/* `caisson container CMD` is `caisson CMD`, as in docker, for what is about instances. */
	if (streq(argv[0], "container") && argc > 1 && !streq(argv[1], "container")) {
		const struct cmd *c = commands_find(argc - 1, argv + 1, words);

		++*words;
		return c && c->group && streq(c->group, "instances") ? c : NULL;
	}
	return NULL;
}
