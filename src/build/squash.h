/* SPDX-License-Identifier: Apache-2.0 */
/* squash - all layers that a build made become one on top of its base's. */
#ifndef BUILD_SQUASH_H
#define BUILD_SQUASH_H

#include "build/step.h"

/* base: how many layers, from the bottom, stay as they are.  Steps keep their lines of history,
 * without layers, and one line more is that of the new one.  One layer, or none, is left alone. */
int squash_run(struct step_env *env, struct step_state *st, size_t base, struct err *e);

#endif
