/* SPDX-License-Identifier: Apache-2.0 */
/* logline - one line of an instance's log, docker's json-file format. */
#ifndef FMT_LOGLINE_H
#define FMT_LOGLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

struct logline {
	bool err;	  /* written to stderr */
	const char *time; /* as it stands there: a view with its length */
	size_t time_len;
	const char *attrs; /* JSON object as it stands there, a view, or NULL */
	size_t attrs_len;
	int64_t ns; /* since the epoch */
};

/* p: a line without its end.  Appends the decoded text to *text.  False: not such a line (a write
 * that a power cut tore). */
bool logline_parse(const char *p, size_t n, struct logline *out, struct buf *text);

#endif
