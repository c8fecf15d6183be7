/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker_seccomp - docker's form of a seccomp profile (--security-opt seccomp=FILE) as the
 * "linux.seccomp" object of the OCI runtime configuration.
 *
 * Docker's form names architectures as a map (archMap) and gives rules conditions (includes and
 * excludes: capabilities, architectures, a kernel version), which are decided here for one machine
 * and one set of capabilities.  The OCI form is accepted, too: it is the case without them.
 * Source: docker's documentation, "Seccomp security profiles for Docker", and the profile in use.
 */
#ifndef FMT_DOCKER_SECCOMP_H
#define FMT_DOCKER_SECCOMP_H

#include "base/arena.h"

#include <stddef.h>

struct buf;
struct err;

#define DOCKER_SECCOMP_MAX (1u << 20) /* bytes of a profile */

struct docker_seccomp_host {
	const struct strs *caps; /* what the bounding set will hold, "CAP_CHOWN" */
	const char *arch;	 /* as Go names it: "amd64" */
	unsigned int kernel_major, kernel_minor;
};

/* Append the OCI object to out.  ERR_USAGE naming what and the member; ERR_LIMIT. */
int docker_seccomp_convert(const char *text, size_t len, const char *what,
			   const struct docker_seccomp_host *host, struct buf *out, struct err *e);

#endif
