/* SPDX-License-Identifier: Apache-2.0 */
/* seccomp_compile - an OCI seccomp profile to a BPF program, by libseccomp and a prologue of ours.
 */
#ifndef RUNTIME_SECCOMP_COMPILE_H
#define RUNTIME_SECCOMP_COMPILE_H

#include <stddef.h>

struct err;
struct plan_seccomp;
struct seccomp_denied;
struct seccomp_program;

/* denied (n of them, may be none) is tested before the profile.  Fills insns, len and notify.
 * Unknown system call names are skipped, as runc does, because a profile is written for newer
 * kernels too.  Errors: ERR_USAGE names the member and the word that makes no sense. */
int seccomp_compile(const struct plan_seccomp *s, const struct seccomp_denied *denied, size_t n,
		    struct seccomp_program *out, struct err *e);

#endif
