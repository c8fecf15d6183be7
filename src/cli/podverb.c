/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/podverb.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "cli/each.h"
#include "engine/pod.h"
#include "spec/control.h"
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#define ID_FILE_MAX 4096

struct control_stop podverb_stop(int64_t seconds)
{
	struct control_stop how = {0};

	if (seconds != PODVERB_OWN)
		how.timeout_ms = (struct jbind_optint){true, seconds < 0 ? -1 : seconds * 1000};
	return how;
}

static int one(struct session *s, const struct podverb *v, const char *what, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct lookup pod;
	int r = pod_find(s, what, &a, &pod, e);

	if (r == -ENOENT && v->ignore) {
		*e = ERR_INIT;
		return 0;
	}
	if (r < 0)
		return r;
	return v->fn ? v->fn(s, &pod, v, e) : pod_ctl_all(s, &pod, v->verb, v->how, e);
}

static int from_file(const char *path, struct arena *a, struct strs *out, struct err *e)
{
	auto_free char *text = NULL;
	ssize_t n = file_read(AT_FDCWD, path, ID_FILE_MAX, &text);

	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "--pod-id-file '%s'", path);
	}
	arena_strs_add(a, out, arena_dupn(a, text, strcspn(text, " \t\r\n")));
	return 0;
}

int podverb_run(struct session *s, const struct podverb *v, int argc, char **argv, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct strs names = {0}, none = {0};
	struct lookups pods = {0};
	int failed = 0, r = 0;

	if (v->all && argc)
		return err_set(e, ERR_USAGE, "--all and a pod named");
	for (int i = 0; i < argc; i++)
		arena_strs_add(&a, &names, argv[i]);
	if (v->id_file)
		r = from_file(v->id_file, &a, &names, e);
	if (r == 0 && v->all)
		r = pod_ctl_list(s, &none, &a, &pods, e);
	for (size_t i = 0; r == 0 && i < pods.n; i++)
		arena_strs_add(&a, &names, pods.v[i].i.id);
	if (r < 0)
		return r;
	if (!names.n && !v->all)
		return err_set(e, ERR_USAGE, "no pod named");
	for (size_t i = 0; i < names.n; i++) {
		struct err why = ERR_INIT;

		if (one(s, v, names.v[i], &why) < 0) {
			each_failed(&why);
			failed = 1;
		} else {
			each_print(names.v[i]);
			fflush(stdout);
		}
	}
	return failed;
}
