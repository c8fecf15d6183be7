/* SPDX-License-Identifier: Apache-2.0 */
/* sigpolicy - a policy that is taken has rules that make sense, whatever a payload says of itself.
 */
#include "fmt/digest.h"
#include "fmt/reference.h"
#include "fmt/sigpolicy.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena a = ARENA_INIT;
	struct sigpolicy_rules rules = {0};
	struct sigpolicy_payload said;
	struct strs scopes = {0};
	struct reference ref;

	if (reference_parse("example.org/a/b:1", &a, &ref, NULL) < 0)
		abort();
	sigpolicy_scopes(&ref, &a, &scopes);
	if (sigpolicy_find((const char *)data, size, "docker", &scopes, &a, &rules, NULL) == 0 &&
	    rules.n == 0)
		abort();
	for (size_t i = 0; i < rules.n; i++)
		if (rules.v[i].type == SIGPOLICY_SIGSTORE) {
			if (!rules.v[i].key_paths.n && !rules.v[i].key_datas.n)
				abort();
			sigpolicy_matches(&rules.v[i].identity, &ref, "example.org/a/b", &a);
		}
	if (sigpolicy_payload((const char *)data, size, &a, &said, NULL) == 0) {
		struct sigpolicy_identity exact = {.match = SIGPOLICY_MATCH_EXACT};

		if (!digest_valid(said.digest))
			abort();
		sigpolicy_matches(&exact, &ref, said.reference, &a);
	}
	return 0;
}
