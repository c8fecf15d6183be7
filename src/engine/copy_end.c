/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/copy_end.h"
#include "base/err.h"
#include "base/str.h"

static const char *const kinds[] = {[COPY_OCI] = "oci",
				    [COPY_OCI_ARCHIVE] = "oci-archive",
				    [COPY_DOCKER_ARCHIVE] = "docker-archive",
				    [COPY_DIR] = "dir"};

const char *copy_end_transport(const struct copy_end *end)
{
	return end->kind == COPY_REGISTRY ? "registry" : kinds[end->kind];
}

const char *copy_end_tag(const struct copy_end *end)
{
	return end->name.digest ? end->name.digest : end->name.tag;
}

/* PATH[:REF]: a path may hold colons only where the part behind is no reference. */
static int files(const char *rest, struct arena *a, struct copy_end *out, struct err *e)
{
	char *path = arena_dup(a, rest), *colon = strchr(path, ':');

	if (colon && out->kind != COPY_DIR) {
		*colon = '\0';
		out->ref = colon[1] ? colon + 1 : NULL;
	}
	out->path = path;
	return *path ? 0 : err_set(e, ERR_USAGE, "'%.100s' names no file", out->text);
}

int copy_end_parse(const char *text, struct arena *a, struct copy_end *out, struct err *e)
{
	const char *rest = str_after(text, "docker://");

	*out = (struct copy_end){.text = text, .kind = COPY_REGISTRY};
	if (rest)
		return reference_parse(rest, a, &out->name, e);
	for (int k = COPY_OCI; k <= COPY_DIR; k++) {
		rest = str_after(text, kinds[k]);
		out->kind = k;
		if (rest && *rest == ':')
			return files(rest + 1, a, out, e);
	}
	out->kind = COPY_STORE;
	out->ref = text;
	return *text ? 0 : err_set(e, ERR_USAGE, "an empty name");
}
