/* SPDX-License-Identifier: Apache-2.0 */
/* stepcopy - COPY and ADD of files that are at hand, and WORKDIR: see step.h. */
#ifndef BUILD_STEPCOPY_H
#define BUILD_STEPCOPY_H

#include "build/step.h"

int stepcopy_do(struct step_env *env, struct step_state *st, const struct dockerfile_instr *in,
		struct step_result *out, struct err *e);
int stepcopy_workdir(struct step_env *env, struct step_state *st, const struct dockerfile_instr *in,
		     struct step_result *out, struct err *e);

#endif
