/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/kubefile.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/yaml.h"
#include "kube/kubedoc.h"
#include "sys/fd.h"
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

int kubefile_read(const char *path, struct arena *a, struct kubedoc *out, struct err *e)
{
	bool in = streq(path, "-");
	auto_free char *text = NULL;
	ssize_t n = in ? fd_slurp(STDIN_FILENO, YAML_TEXT_MAX, &text)
		       : file_read(AT_FDCWD, path, YAML_TEXT_MAX, &text);

	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "'%.200s'", in ? "stdin" : path);
	}
	return kubedoc_read(text, (size_t)n, in ? "stdin" : path, a, out, e);
}

void kubefile_warnings(const struct kubedoc *d)
{
	for (size_t i = 0; i < d->warnings.n; i++)
		fprintf(stderr, "caisson: warning: %s\n", d->warnings.v[i]);
}
