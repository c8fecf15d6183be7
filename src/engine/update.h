/* SPDX-License-Identifier: Apache-2.0 */
/*
 * update - the limits of an instance change, while it runs and from its next start on.
 *
 * The record changes only after everything that runs took the change, so what inspect says is what
 * holds.  A VM: memory and processes are limited by the agent in the guest (with the balloon giving
 * memory back), CPUs and I/O by the cgroup of QEMU; beyond what it booted with it cannot go.
 */
#ifndef ENGINE_UPDATE_H
#define ENGINE_UPDATE_H

struct err;
struct lookup;
struct request;
struct session;

/* change: the fields of limits that are set there; all others are as they were.  Errors as
 * limits_build(); ERR_UNSUPPORTED for what a running VM cannot; ERR_USAGE nothing to change. */
int update_instance(struct session *s, const struct lookup *l, const struct request *change,
		    struct err *e);

/* Its monitor, if it has one, learns the new name, for events.  Never fails. */
void update_told(struct session *s, const char *id, const char *name);

#endif
