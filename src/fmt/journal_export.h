/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal_export - what `journalctl -o export` prints, one entry at a time: the part of it that a
 * log of an instance is made of.
 *
 * Fields are "NAME=value\n", or "NAME\n", 64 bits of length, the bytes, "\n"; an empty line ends an
 * entry.  Workloads choose the bytes of MESSAGE, any local program those of other fields.
 * Source: systemd, docs/JOURNAL_EXPORT_FORMATS.md.
 */
#ifndef FMT_JOURNAL_EXPORT_H
#define FMT_JOURNAL_EXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;

#define JOURNAL_EXPORT_ENTRY_MAX (4u << 20)

/* Views into the text. */
struct journal_entry {
	const char *message, *cursor; /* NULL: it has none */
	size_t message_len, cursor_len;
	int64_t ns;   /* SYSLOG_TIMESTAMP of docker's driver, else when it was received */
	bool err;     /* PRIORITY 3 or more urgent */
	bool partial; /* no line end belongs behind it */
};

/* The first entry of p: 1 and *used bytes; 0: it is not whole yet.  attrs: NULL, or where the
 * fields that journald and docker's driver do not know are appended as a JSON object.
 * Errors: ERR_CORRUPT; ERR_LIMIT an entry of more than JOURNAL_EXPORT_ENTRY_MAX. */
int journal_export_next(const char *p, size_t n, struct journal_entry *out, struct buf *attrs,
			size_t *used, struct err *e);

#endif
