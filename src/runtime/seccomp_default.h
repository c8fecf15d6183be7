/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp_default - the built-in profile of the default wall (docs/seccomp.md).
 *
 * An allow list: what Docker's documented default profile lets through, by capability, less what
 * lets a process reach rarely used kernel code without need.  What a list of names cannot say (an
 * argument compared on every entry of the machine, the 32-bit ones included) is in `denied`, which
 * is tested before the list.
 * Source of the names: Docker's published default profile (Engine 28), read 2026.
 */
#ifndef RUNTIME_SECCOMP_DEFAULT_H
#define RUNTIME_SECCOMP_DEFAULT_H

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct buf;
struct plan_seccomp;
struct strs;

/* A call refused whatever the list says. */
struct seccomp_denied {
	const char *name;
	bool by_arg;
	uint32_t arg;	/* index of the argument whose low 32 bits decide */
	uint32_t value; /* the kernel reads an int there, so the high half must not matter */
	int error;
};
extern const struct seccomp_denied seccomp_default_denied[];
extern const unsigned int seccomp_default_denied_n;

/* Changes whenever the lists do: part of the cache's key. */
#define SECCOMP_DEFAULT_VERSION "caisson-2"

/* caps: names of the capabilities in the plan's bounding set. */
const struct plan_seccomp *seccomp_default_profile(const struct strs *caps, struct arena *a);

/* The same as the JSON text of OCI's linux.seccomp, for other engines and for documents.  `denied`
 * is in it as rules that allow everything else, except for socketcall: libseccomp lets 32-bit x86
 * programs make any socket through that where a profile allows sockets at all. */
void seccomp_default_write(const struct strs *caps, struct buf *out);

#endif
