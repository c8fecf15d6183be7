/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmd.h"

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
	X(wait)                                                                                    \
	X(stats)                                                                                   \
	X(top)                                                                                     \
	X(port)                                                                                    \
	X(update)                                                                                  \
	X(rename)                                                                                  \
	X(inspect)                                                                                 \
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
	X(tag)                                                                                     \
	X(rmi)                                                                                     \
	X(image_inspect)                                                                           \
	X(image_review)                                                                            \
	X(image_prune)                                                                             \
	X(image_serve)                                                                             \
	X(compare)                                                                                 \
	X(system_check)                                                                            \
	X(system_df)                                                                               \
	X(system_prune)                                                                            \
	X(info)                                                                                    \
	X(version)                                                                                 \
	X(reap)

#define X(name) extern const struct cmd cmd_##name;
COMMANDS(X)
#undef X

const struct cmd *const commands_all[] = {
#define X(name) &cmd_##name,
    COMMANDS(X)
#undef X
	NULL,
};
