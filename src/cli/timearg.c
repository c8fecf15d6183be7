/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/timearg.h"
#include "base/err.h"
#include "base/opt.h"
#include "fmt/timestamp.h"

#include <time.h>

int timearg_parse(const char *option, const char *s, int64_t *ns, struct err *e)
{
	struct timespec now;
	int64_t v;

	if (!s)
		return 0;
	if (timestamp_parse(s, ns))
		return 0;
	if (opt_parse_decimal(s, ns) == 0)
		return 0;
	if (opt_parse_duration(s, &v) < 0)
		return err_set(e, ERR_USAGE,
			       "--%s wants a time such as 2026-11-21T12:00:00Z or 10m, not '%s'",
			       option, s);
	clock_gettime(CLOCK_REALTIME, &now);
	*ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - v;
	return 0;
}
