/* SPDX-License-Identifier: Apache-2.0 */
/* A config.json from anybody: parsed, and if it parses, checked for meaning, and its mount options
 * sorted, as caisson-oci does before it makes anything. */
#include "base/arena.h"
#include "base/err.h"
#include "runtime/check.h"
#include "runtime/mountopt.h"
#include "spec/plan.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena a = ARENA_INIT;
	struct err e = ERR_INIT;
	struct plan *p = NULL;
	struct mountopt o;

	if (plan_parse((const char *)data, size, "config.json", &a, &p, &e) < 0)
		return 0;
	if (check_plan(p, &e) < 0)
		return 0;
	for (size_t i = 0; i < p->mounts.n; i++)
		mountopt_parse(&p->mounts.v[i].options, &a, &o, &e);
	return 0;
}
