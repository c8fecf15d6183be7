/* SPDX-License-Identifier: Apache-2.0 */
/*
 * emulated - by what VMs run here, said to people: in `inspect`, and once as a warning when it is
 * an emulator.
 */
#ifndef ENGINE_EMULATED_H
#define ENGINE_EMULATED_H

struct arena;
struct request;
struct session;

struct emulated {
	const char *accel; /* "kvm" or "tcg"; NULL: nobody has asked the host in this boot yet */
	const char *why;   /* what the probe saw */
};

/* What the probe has answered for this user in this boot (<root>/cache/vm/probe.json); never runs
 * it. */
struct emulated emulated_known(const struct session *s, struct arena *a);

/* The warning that a VM made by q is emulated, or NULL: the host has KVM, emulation was asked for,
 * or it was said before in this boot.  Asks the host when nobody has. */
const char *emulated_warning(struct session *s, const struct request *q, struct arena *a);

#endif
