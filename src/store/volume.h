/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volume - directories that outlive instances: root/volumes/NAME/_data, and volume.json beside it.
 *
 * A volume is made under tmp/ and renamed, so that it appears whole; it goes the same way back.
 * Whoever makes one or records that an instance uses it holds STORE_SHARED; whoever removes one
 * looks for users and takes it away under STORE_EXCLUSIVE.
 */
#ifndef STORE_VOLUME_H
#define STORE_VOLUME_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

struct volume {
	const char *name;
	int64_t created_ns; /* since the epoch */
	struct strs labels; /* KEY=VALUE */
	/* Of the local driver, KEY=VALUE: none, or a bind: type=none, o=bind[,...], device=DIR. */
	struct strs options;
};

#define VOLUME_ASIDE 96

/* [a-zA-Z0-9][a-zA-Z0-9_.-]*.  ERR_USAGE. */
int volume_check_name(const char *name, struct err *e);
/* Nobody gave it a name: it has that of an id. */
bool volume_anonymous(const char *name);
/* The value of an option, or NULL. */
const char *volume_option(const struct volume *v, const char *key);

/* Make it (created_ns is now) unless it is there.  Returns 1 when it was made, else 0. */
int volume_create(int root_fd, const struct volume *v, struct err *e);
/* One without labels or options. */
int volume_ensure(int root_fd, const char *name, struct err *e);

/* ERR_NOT_FOUND names it. */
int volume_load(int root_fd, const char *name, struct arena *a, struct volume *out, struct err *e);
/* Names of all, sorted. */
int volume_names(int root_fd, struct arena *a, struct strs *out, struct err *e);

/* Take its name away; its files are then at aside (relative to root_fd), for path_remove(). Returns
 * 1, or 0 when there was none. */
int volume_take(int root_fd, const char *name, char aside[VOLUME_ASIDE], struct err *e);
/* Both in one.  Absent is success. */
int volume_remove(int root_fd, const char *name, struct err *e);

#endif
