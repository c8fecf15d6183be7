/* SPDX-License-Identifier: Apache-2.0 */
/*
 * logconf - where the output of an instance goes: docker's --log-driver and --log-opt.
 *
 * json-file and local write the same file (docs/formats/instance.md), which is always bounded;
 * local has docker's larger defaults for it.  journald sends each line to systemd's journal.  Other
 * drivers and options are refused by name.
 */
#ifndef SPEC_LOGCONF_H
#define SPEC_LOGCONF_H

#include "base/arena.h"
#include "fmt/jbind.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

enum logconf_driver {
	LOGCONF_JSON_FILE,
	LOGCONF_LOCAL,
	LOGCONF_JOURNALD,
	LOGCONF_NONE,
	LOGCONF_DRIVER_MAX_
};
extern const char *const logconf_driver_names[]; /* NULL-terminated */

struct logconf {
	int driver; /* enum logconf_driver */
	int64_t max_bytes, max_files;
	const char *attrs; /* JSON object that every line carries, or NULL */
	const char *tag;   /* journald: of every line, or NULL for the short id */
	bool non_blocking; /* the workload never waits: what does not fit in the buffer is lost */
	int64_t buffer_bytes;
};
extern const struct jbind logconf_table;

/* What labels=, env= and tag= are taken from. */
struct logconf_facts {
	const char *id, *name, *image, *image_id;
	const struct strs *labels, *env; /* KEY=VALUE */
};

/* driver: NULL is json-file.  facts: NULL to check only.  Errors: ERR_USAGE a bad option or value;
 * ERR_UNSUPPORTED a driver or option of docker that is not here. */
int logconf_parse(const char *driver, const struct strs *opts, const struct logconf_facts *facts,
		  struct arena *a, struct logconf *out, struct err *e);

#endif
