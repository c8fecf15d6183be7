/* SPDX-License-Identifier: Apache-2.0 */
/*
 * imageconf - the configuration of the image that a stage has made so far.
 *
 * Instructions that only describe (ENV, CMD, LABEL, ...) change it here; those that make files
 * (RUN, COPY, ADD, WORKDIR) leave a layer and are recorded with imageconf_record().  Field
 * meanings: OCI image-spec v1.1 config.md; what an instruction does to them: the Dockerfile
 * reference.
 */
#ifndef BUILD_IMAGECONF_H
#define BUILD_IMAGECONF_H

#include "build/scope.h"
#include "fmt/oci_image.h"

struct dockerfile_instr;
struct err;

struct imageconf {
	struct oci_config c;
	struct scope scope;
	bool cmd_set; /* by this stage: ENTRYPOINT clears only an inherited one */
	struct arena *a;
};

/* Begin with a base's configuration, NULL for scratch.  Whatever was the base's stays borrowed from
 * it. Errors: ERR_LIMIT. */
int imageconf_begin(struct imageconf *ic, const struct oci_config *base, const struct scope *global,
		    struct scope_args *given, char escape, struct arena *a, struct err *e);

/* Apply an instruction that makes no files, and its line of history.  -ENOTSUP without a message
 * for one that does.  Errors: ERR_USAGE, without a line. */
int imageconf_apply(struct imageconf *ic, const struct dockerfile_instr *in, struct err *e);

/* WORKDIR: the absolute path it means from here. */
int imageconf_workdir(struct imageconf *ic, const struct dockerfile_instr *in, const char **out,
		      struct err *e);

/* The command of RUN, CMD or ENTRYPOINT: JSON words as they are, text behind the stage's shell.
 * from: index of its first argument. */
struct strs imageconf_command(const struct imageconf *ic, const struct dockerfile_instr *in,
			      size_t from);

/* One label more, or another value for it.  Errors: ERR_USAGE, ERR_LIMIT. */
int imageconf_label(struct imageconf *ic, const char *key, const char *value, struct err *e);

/* Lines as of a Dockerfile that make no files, for commit: only the process's part of *c changes,
 * times and history are the commit's own. */
int imageconf_changes(struct oci_config *c, const struct strs *changes, struct arena *a,
		      struct err *e);

/* One line of history.  diff_id NULL: no layer belongs to it. */
/* The usual PATH, where the base image has none. */
int imageconf_path(struct imageconf *ic, struct err *e);

void imageconf_record(struct imageconf *ic, const char *created_by, const char *diff_id);

/* Every time in it becomes created (RFC 3339); environment and working directory are filled in. */
void imageconf_finish(struct imageconf *ic, const char *created);

#endif
