/* SPDX-License-Identifier: Apache-2.0 */
/* docker_config - user and password come together, for the host that was asked for only. */
#include "base/arena.h"
#include "base/err.h"
#include "fmt/base64.h"
#include "fmt/docker_config.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const hosts[] = {"docker.io", "localhost:5000", "r.example"};
	auto_arena struct arena a = ARENA_INIT;
	const char *text = arena_dupn(&a, (const char *)data, size);

	for (size_t i = 0; i < sizeof(hosts) / sizeof(*hosts); i++) {
		struct docker_config c;

		if (docker_config_lookup(text, size, hosts[i], &a, &c, NULL) == 0 &&
		    !c.user != !c.password)
			abort();
	}
	base64_decode(text, &a);
	return 0;
}
