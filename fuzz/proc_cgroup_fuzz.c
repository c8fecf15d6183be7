/* SPDX-License-Identifier: Apache-2.0 */
/* proc_cgroup - lines are cut within the buffer, and the walk ends. */
#include "fmt/proc_cgroup.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *s = malloc(size + 1);
	struct proc_cgroup line;
	char *at;

	if (!s)
		abort();
	memcpy(s, data, size);
	s[size] = '\0';
	at = s;
	while (proc_cgroup_next(&at, &line))
		if (line.hierarchy < 0 || line.path < s || line.path > s + size ||
		    line.controllers < s || line.controllers > s + size)
			abort();
	free(s);
	return 0;
}
