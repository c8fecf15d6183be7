/* SPDX-License-Identifier: Apache-2.0 */
/* What is converted is a profile without conditions: converting it again changes nothing. */
#include "base/buf.h"
#include "fmt/docker_seccomp.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *list[] = {"CAP_CHOWN", NULL};
	static const struct strs caps = {list, 1};
	static const struct docker_seccomp_host h = {&caps, "amd64", 6, 1};
	auto_buf struct buf once = BUF_INIT(8 << 20), twice = BUF_INIT(8 << 20);

	if (docker_seccomp_convert((const char *)data, size, "p", &h, &once, NULL) < 0)
		return 0;
	if (docker_seccomp_convert(once.p, once.len, "p", &h, &twice, NULL) < 0 ||
	    twice.len != once.len || memcmp(once.p, twice.p, once.len) != 0)
		abort();
	return 0;
}
