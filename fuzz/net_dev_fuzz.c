/* SPDX-License-Identifier: Apache-2.0 */
/* net_dev - counters are read within the buffer; a name that is found is part of the sum. */
#include "fmt/net_dev.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct net_dev all, one;

	if (net_dev_sum((const char *)data, size, "eth0", &one) &&
	    !net_dev_sum((const char *)data, size, NULL, &all))
		abort();
	return 0;
}
