/* SPDX-License-Identifier: Apache-2.0 */
/* proc_stat - a line is read within the buffer and its name is terminated. */
#include "fmt/proc_stat.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proc_stat s;

	if (proc_stat_parse((const char *)data, size, &s) &&
	    strnlen(s.comm, sizeof(s.comm)) == sizeof(s.comm))
		abort();
	return 0;
}
