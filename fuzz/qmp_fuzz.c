/* SPDX-License-Identifier: Apache-2.0 */
/* QEMU's answers: every line is one of the four kinds or an error with a text. */
#include "base/err.h"
#include "vmm/qmp.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = ERR_INIT;
	int r = qmp_classify((const char *)data, size, &e);

	if (r > QMP_EVENT || ((r < 0 || r == QMP_ERROR) && e.kind == ERR_NONE))
		abort();
	for (const char *p = e.msg; *p; p++)
		if ((unsigned char)*p < 0x20)
			abort();
	return 0;
}
