/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secret - does a file's name, its bytes, or a variable look like something that should not have
 * been shipped?  One table of patterns (secret.c); linear in the input, no expression engine that
 * hostile bytes could make slow.
 *
 * A finding is a suspicion with a name, never the secret itself.
 */
#ifndef FMT_SECRET_H
#define FMT_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#define SECRET_SCAN_MAX (4u << 20) /* bytes of one file that are worth a look */

/* By the path ("root/.netrc"): what it is, or NULL.  always: a file of this name is a finding by
 * itself, whatever is in it. */
const char *secret_path(const char *path);

/* Call found once for each kind of secret in the bytes, with its place. */
void secret_scan(const void *p, size_t len, void (*found)(void *arg, const char *what, size_t off),
		 void *arg);

/* "NAME=value" of an environment, when the name promises a secret and there is a value; what. */
const char *secret_variable(const char *assignment);

/* "https://user:password@host" anywhere in the text. */
bool secret_in_url(const char *text);

#endif
