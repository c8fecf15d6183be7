/* SPDX-License-Identifier: Apache-2.0 */
/* timestamp - RFC 3339 with nanoseconds, as Go prints and docker expects it: always UTC, no zeros
 * at the end of the fraction. */
#ifndef FMT_TIMESTAMP_H
#define FMT_TIMESTAMP_H

#include <stdbool.h>
#include <stdint.h>

struct buf;

/* ns since the epoch. */
void timestamp_print(int64_t ns, struct buf *out);
/* RFC 3339, with any number of digits in the fraction, offset "Z" or "+01:00". */
bool timestamp_parse(const char *s, int64_t *ns);

#endif
