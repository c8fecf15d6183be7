/* SPDX-License-Identifier: Apache-2.0 */
/* names - a name for an instance that was given none: "quiet_lagoon". */
#ifndef ENGINE_NAMES_H
#define ENGINE_NAMES_H

struct arena;

/* tries: how often the result was taken already; then a number is appended. */
const char *names_random(struct arena *a, int tries);

#endif
