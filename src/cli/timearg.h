/* SPDX-License-Identifier: Apache-2.0 */
/* timearg - a moment, as users write it behind --since and --until. */
#ifndef CLI_TIMEARG_H
#define CLI_TIMEARG_H

#include <stdint.h>

struct err;

/* RFC 3339, seconds since the epoch (with a fraction), or a duration before now; *ns since the
 * epoch.  s NULL: *ns stays.  ERR_USAGE names the option. */
int timearg_parse(const char *option, const char *s, int64_t *ns, struct err *e);

#endif
