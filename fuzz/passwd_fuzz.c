/* SPDX-License-Identifier: Apache-2.0 */
/* passwd - no text makes an id of 2^32 - 1, and views lie inside it. */
#include "fmt/passwd.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = calloc(1, size + 1);
	struct passwd_user u = {0};
	uint32_t gids[4], gid = 0;

	if (!text)
		abort();
	memcpy(text, data, size);
	for (int by_name = 0; by_name < 2; by_name++)
		if (passwd_find_user(text, by_name ? "www" : NULL, 0, &u) &&
		    (u.uid == UINT32_MAX || u.gid == UINT32_MAX || u.home_len > size))
			abort();
	if (passwd_find_group(text, "www", &gid) && gid == UINT32_MAX)
		abort();
	passwd_member_of(text, "www", 3, gids, 4);
	free(text);
	return 0;
}
