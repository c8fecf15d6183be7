/* SPDX-License-Identifier: Apache-2.0 */
/* dockerfile_instr - one instruction of a Dockerfile, its lines already joined. */
#ifndef FMT_DOCKERFILE_INSTR_H
#define FMT_DOCKERFILE_INSTR_H

#include "fmt/dockerfile.h"

/* Take text apart: name, flags, arguments.  Fills everything of *out but lines and heredocs; sets
 * *oddities' bits.  Errors: ERR_USAGE, ERR_LIMIT, without a line. */
int dockerfile_instr_parse(const char *text, char escape, struct arena *a,
			   struct dockerfile_instr *out, unsigned int *oddities, struct err *e);

/* The heredocs that the words of a parsed instruction (or of an ONBUILD's child) ask for; their
 * contents are not there yet.  Errors: ERR_LIMIT. */
int dockerfile_instr_heredocs(struct dockerfile_instr *in, char escape, struct arena *a,
			      struct err *e);

#endif
