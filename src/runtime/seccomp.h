/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp - the system call filter of a plan: OCI linux.seccomp, or the built-in default profile.
 *
 * seccomp_prepare() in the parent gives a BPF program, compiled by libseccomp (11 to 13 ms of CPU
 * for Docker's profile) or, from the second time on, read from the cache, keyed by the whole
 * normalised profile (docs/formats/seccomp-cache.md).  seccomp_install() in the child is one system
 * call.  Two names differ from what one would expect because libseccomp exports them:
 * seccomp_load() and seccomp_release() are its own.
 *
 * The built-in profile is Docker's allow list by capability, hardened: see seccomp_default.h.
 * A profile of the caller is executed as runc executes it, including ENOSYS for system calls newer
 * than any the profile names.
 */
#ifndef RUNTIME_SECCOMP_H
#define RUNTIME_SECCOMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct plan;
struct sock_filter;

struct seccomp_program {
	struct sock_filter *insns; /* malloc'ed; NULL: the plan wants no filter */
	uint16_t len;		   /* instructions */
	uint32_t flags;		   /* SECCOMP_FILTER_FLAG_*, without NEW_LISTENER */
	bool notify;		   /* some rule notifies: installing gives a listener */
	bool cached;		   /* it came from the cache */
	char name[80];		   /* of its file in the cache, "" without a filter */
	const char *listener_path, *listener_metadata; /* the plan's, borrowed */
};
#define SECCOMP_PROGRAM_INIT ((struct seccomp_program){0})

/* From plan.linux.seccomp or, when plan.caisson.seccomp_profile is "default", the built-in profile
 * for the plan's capabilities.  cache_dir: directory made when missing, NULL: no cache.  A cache
 * that cannot be used is not an error.  Errors: ERR_USAGE the profile makes no sense. */
int seccomp_prepare(const struct plan *p, const char *cache_dir, struct seccomp_program *out,
		    struct err *e);
void seccomp_done(struct seccomp_program *sp);

/* Install it on the calling thread; the caller has set no_new_privs or holds CAP_SYS_ADMIN.
 * *listener_fd (close-on-exec): the notification descriptor, or -1.  Async-signal-safe. */
int seccomp_install(const struct seccomp_program *sp, int *listener_fd, struct err *e);

/* How many system calls of this architecture some arguments get through the program, found by
 * walking its BPF; without a program all that this build knows.  of: how many it knows, or NULL. */
unsigned int seccomp_count_allowed(const struct seccomp_program *sp, unsigned int *of);

/* What the program answers to one call: SECCOMP_RET_* with its data.  arch: AUDIT_ARCH_*. */
uint32_t seccomp_answer(const struct seccomp_program *sp, uint32_t arch, uint32_t nr,
			const uint64_t args[6]);

#endif
