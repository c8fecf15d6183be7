/* SPDX-License-Identifier: Apache-2.0 */
/* reading - what an instance uses now, as its monitor says. */
#ifndef ENGINE_READING_H
#define ENGINE_READING_H

#include "spec/metrics.h"

#include <stdbool.h>

struct session;

/* false: it does not run, or gave no answer in timeout_ms (a guest that is busy). */
bool reading_take(struct session *s, const char *id, int timeout_ms, struct metrics *out);

#endif
