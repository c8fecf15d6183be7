/* SPDX-License-Identifier: Apache-2.0 */
/* seccomp_cache - whatever a cache file holds, nothing is taken but a whole program; what is taken
 * can be run.  The first 32 bytes are the key, so that a corpus file can match it. */
#include "runtime/seccomp.h"
#include "runtime/seccomp_cache.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seccomp_program sp = SECCOMP_PROGRAM_INIT;
	const uint64_t args[6] = {1, 2, 3, 4, 5, 6};
	struct seccomp_cache_key key;

	if (size < sizeof(key.sum))
		return 0;
	memcpy(key.sum, data, sizeof(key.sum));
	if (!seccomp_cache_parse((const char *)data + sizeof(key.sum), size - sizeof(key.sum), &key,
				 &sp)) {
		if (sp.insns)
			abort();
		return 0;
	}
	if (!sp.insns || !sp.len)
		abort();
	for (uint32_t nr = 0; nr < 8; nr++)
		seccomp_answer(&sp, 0xc000003e, nr, args);
	seccomp_count_allowed(&sp, NULL);
	seccomp_done(&sp);
	return 0;
}
