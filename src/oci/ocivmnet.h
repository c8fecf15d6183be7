/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ocivmnet - the interfaces that an engine put into the instance's network namespace, for the
 * machine.
 *
 * Each interface with an address gets a tap device beside it; what arrives at one leaves by the
 * other (tc: ingress, u32, mirred).  The guest takes over name, MAC, addresses, MTU and default
 * route, so for the engine's network nothing differs.  The namespace's own stack does not see these
 * packets any more: engines that give a namespace several processes get the machine as the only
 * one that talks.
 */
#ifndef OCI_OCIVMNET_H
#define OCI_OCIVMNET_H

#include <stddef.h>

#define OCIVMNET_MAX 8

struct arena;
struct err;
struct plan;

/* In the instance's network namespace, as root: fills p->caisson->nics and taps (descriptors, in
 * the same order).  None is success.
 * Errors: ERR_UNSUPPORTED the kernel has no tap or tc, more than OCIVMNET_MAX; ERR_SYSTEM. */
int ocivmnet_connect(struct plan *p, int taps[OCIVMNET_MAX], size_t *count, struct arena *a,
		     struct err *e);

#endif
