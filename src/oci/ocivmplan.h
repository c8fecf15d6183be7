/* SPDX-License-Identifier: Apache-2.0 */
/* ocivmplan - a bundle's configuration as the plan of a virtual machine: what is refused, how large
 * the machine is. */
#ifndef OCI_OCIVMPLAN_H
#define OCI_OCIVMPLAN_H

#include <stdint.h>

struct arena;
struct err;
struct plan;
struct plan_resources;

/* Fill p->caisson for a machine whose root is the bundle's root directory; relative bind sources
 * become absolute.  cache: directory of compiled filters.  p has passed check_plan().
 * Errors: ERR_UNSUPPORTED names what a virtual machine cannot keep; the rest of that list is
 * vmm/guestplan.h's. */
int ocivmplan_adapt(struct plan *p, const char *bundle, const char *id, const char *cache,
		    struct arena *a, struct err *e);

/* The size of the machine.  128 MiB at least, 256 without a limit; a CPU for each begun one of the
 * quota, at most max, one without a quota. */
uint64_t ocivmplan_memory(const struct plan_resources *r);
uint32_t ocivmplan_cpus(const struct plan_resources *r, uint32_t max);

#endif
