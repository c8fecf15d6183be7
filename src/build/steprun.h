/* SPDX-License-Identifier: Apache-2.0 */
/* steprun - RUN: see step.h. */
#ifndef BUILD_STEPRUN_H
#define BUILD_STEPRUN_H

#include "build/step.h"

int steprun_do(struct step_env *env, struct step_state *st, const struct dockerfile_instr *in,
	       struct step_result *out, struct err *e);

#endif
