/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp_cache - compiled filters on disk, one file per profile, named by the key's hex digits.
 *
 * A cached filter decides what a workload may do, so a file is taken only when it belongs to us,
 * nobody else may write it, and it carries the whole key, its exact size and its own sum
 * (docs/formats/seccomp-cache.md).  Anything else counts as absent and is replaced.
 */
#ifndef RUNTIME_SECCOMP_CACHE_H
#define RUNTIME_SECCOMP_CACHE_H

#include "base/sha256.h"

#include <stdbool.h>
#include <stddef.h>

struct seccomp_program;

struct seccomp_cache_key {
	unsigned char sum[32];
};

/* The name of the key's file. */
void seccomp_cache_name(const struct seccomp_cache_key *key, char out[80]);

/* Whether *out (insns, len, notify, cached) was filled.  dir NULL: never. */
bool seccomp_cache_load(const char *dir, const struct seccomp_cache_key *key,
			struct seccomp_program *out);

/* The same from the bytes of a file. */
bool seccomp_cache_parse(const char *text, size_t n, const struct seccomp_cache_key *key,
			 struct seccomp_program *out);

/* Keep a program; the directory is made (0700) when missing.  A cache is a help, so that it cannot
 * be written is no error. */
void seccomp_cache_save(const char *dir, const struct seccomp_cache_key *key,
			const struct seccomp_program *sp);

#endif
