/* SPDX-License-Identifier: Apache-2.0 */
/* mountinfo - every string of an entry lies inside the text, for mountinfo and proc_cgroup alike.
 */
#include "fmt/mountinfo.h"
#include "fmt/proc_cgroup.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(const char *s, const char *text, size_t size)
{
	if (*s && (s < text || s + strlen(s) > text + size))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *p;
	struct mountinfo_entry m;
	struct proc_cgroup c;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	for (p = text; mountinfo_next(&p, &m);) {
		inside(m.root, text, size);
		inside(m.target, text, size);
		inside(m.options, text, size);
		inside(m.tags, text, size);
		inside(m.type, text, size);
		inside(m.source, text, size);
		inside(m.super, text, size);
		mountinfo_has(m.super, "cpu");
	}
	memcpy(text, data, size);
	text[size] = '\0';
	for (p = text; proc_cgroup_next(&p, &c);) {
		inside(c.controllers, text, size);
		inside(c.path, text, size);
	}
	free(text);
	return 0;
}
