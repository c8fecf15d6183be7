/* SPDX-License-Identifier: Apache-2.0 */
/* utf8 - bytes of a workload made fit for JSON and for a terminal. */
#ifndef FMT_UTF8_H
#define FMT_UTF8_H

#include <stddef.h>

struct buf;

/* Length of the well-formed sequence at s (1 to 4), or 0.  Source: Unicode 15, table 3-7. */
size_t utf8_sequence(const char *s, size_t len);

/* The inside of a JSON string: control characters, quote and backslash escaped, what is not UTF-8
 * replaced by U+FFFD. */
void utf8_json(struct buf *out, const char *s, size_t len);

/* For one line on a terminal: control characters (C0, DEL, C1), and bytes that are not UTF-8, as
 * \xNN. */
void utf8_visible(struct buf *out, const char *s);

#endif
