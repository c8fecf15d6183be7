/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/proc_cgroup.h"

#include <stdlib.h>
#include <string.h>

static bool entry(char *line, struct proc_cgroup *out)
{
	char *first = strchr(line, ':'), *second, *end;
	long id;

	/* A named hierarchy may have colons in its path, never in its name. */
	second = first ? strchr(first + 1, ':') : NULL;
	if (!second || second[1] != '/' || *line < '0' || *line > '9')
		return false;
	id = strtol(line, &end, 10);
	if (end != first || id < 0 || id > 1 << 20)
		return false;
	*first = *second = '\0';
	out->hierarchy = (int)id;
	out->controllers = first + 1;
	out->path = second + 1;
	return true;
}

bool proc_cgroup_next(char **text, struct proc_cgroup *out)
{
	while (*text && **text) {
		char *line = *text, *end = strchr(line, '\n');

		if (end)
			*end++ = '\0';
		*text = end;
		if (entry(line, out))
			return true;
	}
	return false;
}
