/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/sysctl.h"
#include "base/str.h"

#include <stddef.h>

#define NAME_MAX_ 256

static const struct {
	const char *prefix; /* the whole name, or all that begins with it when it ends in '.' */
	const char *ns;
} owners[] = {
    {"net.", "network"},	  {"fs.mqueue.", "ipc"},
    {"kernel.msgmax", "ipc"},	  {"kernel.msgmnb", "ipc"},
    {"kernel.msgmni", "ipc"},	  {"kernel.sem", "ipc"},
    {"kernel.shmall", "ipc"},	  {"kernel.shmmax", "ipc"},
    {"kernel.shmmni", "ipc"},	  {"kernel.shm_rmid_forced", "ipc"},
    {"kernel.domainname", "uts"}, {"kernel.hostname", "uts"},
};

const char *sysctl_owner(const char *key)
{
	size_t n = strlen(key);
	char dotted[NAME_MAX_];

	if (!n || n >= sizeof(dotted) || strstr(key, "..") || strstr(key, "//"))
		return NULL;
	for (size_t i = 0; i <= n; i++)
		dotted[i] = key[i] == '/' ? '.' : key[i];
	for (size_t k = 0; k < sizeof(owners) / sizeof(owners[0]); k++) {
		const char *p = owners[k].prefix, *rest = str_after(dotted, p);

		if (rest && (!*rest || p[strlen(p) - 1] == '.'))
			return owners[k].ns;
	}
	return "";
}
