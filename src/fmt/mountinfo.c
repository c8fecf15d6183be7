/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/mountinfo.h"

#include <stdlib.h>
#include <string.h>

/* Undo the kernel's \ooo (space, tab, newline, backslash, '#').  What is not three octal digits
 * stays as it is; \000 cannot be in a name and stays, too. */
static void unescape(char *s)
{
	char *to = s;

	while (*s) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
		    s[3] >= '0' && s[3] <= '7') {
			int c = (s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0');

			if (c) {
				*to++ = (char)c;
				s += 4;
				continue;
			}
		}
		*to++ = *s++;
	}
	*to = '\0';
}

/* Cut the next word off *line, or NULL. */
static char *word(char **line)
{
	char *start = *line, *end;

	if (!start || !*start)
		return NULL;
	end = strchr(start, ' ');
	if (end)
		*end++ = '\0';
	*line = end;
	return start;
}

static bool number(const char *s, int64_t *out)
{
	char *end;

	if (!s || *s < '0' || *s > '9')
		return false;
	*out = strtoll(s, &end, 10);
	return *end == '\0';
}

static bool device(char *s, struct mountinfo_entry *out)
{
	char *colon = s ? strchr(s, ':') : NULL;
	int64_t major, minor;

	if (!colon)
		return false;
	*colon = '\0';
	if (!number(s, &major) || !number(colon + 1, &minor))
		return false;
	out->major = (uint32_t)major;
	out->minor = (uint32_t)minor;
	return true;
}

/* Optional fields end at a lone "-"; they are left as one string. */
static char *tags(char **line)
{
	char *start = *line, *p = start, *w;

	while ((w = p) && *w) {
		char *space = strchr(w, ' ');

		if (w[0] == '-' && w[1] == ' ') {
			*(w > start ? w - 1 : w) = '\0';
			*line = w + 2;
			return start;
		}
		p = space ? space + 1 : NULL;
	}
	return NULL;
}

static bool entry(char *line, struct mountinfo_entry *out)
{
	char *root, *target, *options, *tag, *type, *source, *super;

	if (!number(word(&line), &out->id) || !number(word(&line), &out->parent) ||
	    !device(word(&line), out))
		return false;
	root = word(&line);
	target = word(&line);
	options = word(&line);
	tag = line ? tags(&line) : NULL;
	if (!root || !target || !options || !tag)
		return false;
	type = word(&line);
	source = word(&line);
	super = word(&line);
	if (!type || !source)
		return false;
	unescape(root);
	unescape(target);
	unescape(source);
	out->root = root;
	out->target = target;
	out->options = options;
	out->tags = tag;
	out->type = type;
	out->source = source;
	out->super = super ? super : "";
	return true;
}

bool mountinfo_next(char **text, struct mountinfo_entry *out)
{
	while (*text && **text) {
		char *line = *text, *end = strchr(line, '\n');
		struct mountinfo_entry m = {0};

		if (end)
			*end++ = '\0';
		*text = end;
		if (entry(line, &m)) {
			*out = m;
			return true;
		}
	}
	return false;
}

bool mountinfo_has(const char *list, const char *want)
{
	size_t n = strlen(want);

	while (*list) {
		size_t len = strcspn(list, ",");

		if (len == n && memcmp(list, want, n) == 0)
			return true;
		list += len;
		list += *list == ',';
	}
	return false;
}
