/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replica - does the same build give the same image, and has a clone an identity of its own?
 *
 * The build is that of this comparison, one layer on the image, made twice without a cache, more
 * than a second apart: what holds the time of its making differs.
 */
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "compare/compare_int.h"
#include "compare/sample.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define APART_MSEC 1100

static int build(struct compare *c, enum report_subject s, char *id, struct err *e)
{
	bool ours = c->subjects[s].kind == SUBJECT_OURS;
	const char *words[] = {"build",
			       "-q",
			       "--no-cache",
			       "-t",
			       arena_printf(c->arena, "%s-again", c->image),
			       arena_printf(c->arena, "%s/again", c->dir),
			       ours ? "--reproducible" : NULL,
			       NULL};
	struct strs v = subject_up(c, s);
	struct sample m;
	int r;

	/* Options stand before the operand in some. */
	if (ours) {
		const char *last = words[5];

		words[5] = words[6];
		words[6] = last;
	}
	subject_add(c, &v, words);
	r = compare_call(c, &v, &m, e);
	if (r < 0)
		return r;
	snprintf(id, SAMPLE_TEXT, "%.*s", (int)strcspn(m.out, "\n"), m.out);
	return *id ? 0 : err_set(e, ERR_SYSTEM, "build does not say what it made");
}

/* Both: of two that differ the first has lost its name. */
static void forget(struct compare *c, enum report_subject s, const char *first, const char *second)
{
	const char *ours[] = {"rmi", arena_printf(c->arena, "%s-again", c->image), NULL};
	const char *theirs[] = {"rmi", "-f", first, *second ? second : NULL, NULL};
	struct strs v = subject_up(c, s);

	subject_add(c, &v, c->subjects[s].kind == SUBJECT_OURS ? ours : theirs);
	compare_call(c, &v, NULL, NULL);
}

static int context(struct compare *c, enum report_subject s, struct err *e)
{
	const char *sh[] = {
	    "/bin/sh",
	    "-c",
	    "rm -rf \"$1/again\" && mkdir \"$1/again\" && "
	    "cp \"$1/context/caisson-workload\" \"$1/again/program\" && "
	    "printf 'FROM %s\\nCOPY program /program\\nCMD [\"/program\"]\\n' \"$2\" "
	    "> \"$1/again/Dockerfile\"",
	    "sh",
	    c->dir,
	    c->subjects[s].image,
	    NULL};
	struct strs v = {sh, 7};

	return compare_call(c, &v, NULL, e);
}

static void twice(struct compare *c, enum report_subject s)
{
	const struct timespec apart = {.tv_sec = APART_MSEC / 1000,
				       .tv_nsec = APART_MSEC % 1000 * 1000000};
	char first[SAMPLE_TEXT] = "", second[SAMPLE_TEXT] = "";
	struct err e = ERR_INIT;
	int r = context(c, s, &e);

	if (r == 0)
		r = build(c, s, first, &e);
	if (r == 0) {
		nanosleep(&apart, NULL);
		r = build(c, s, second, &e);
	}
	if (r < 0)
		report_missing(c->report, REPORT_DIGEST, s, e.msg);
	else
		report_text(c->report, REPORT_DIGEST, s,
			    streq(first, second) ? "same digest" : "another digest");
	if (*first)
		forget(c, s, first, second);
}

/* ---- clones ---- */

/* "identity HOSTNAME RANDOM" of one that runs. */
static int identity(struct compare *c, enum report_subject s, const char *name, struct sample *m,
		    struct err *e)
{
	const char *words[] = {"exec", name, COMPARE_INSIDE, "identity", NULL};
	struct strs v = subject_up(c, s);

	subject_add(c, &v, words);
	return compare_call(c, &v, m, e);
}

static bool differ(const char *a, const char *b)
{
	char host[2][128], random[2][64];

	return sscanf(a, "identity %127s %63s", host[0], random[0]) == 2 &&
	       sscanf(b, "identity %127s %63s", host[1], random[1]) == 2 &&
	       !streq(host[0], host[1]) && !streq(random[0], random[1]);
}

static void clone_of(struct compare *c, enum report_subject s)
{
	const char *first = arena_printf(c->arena, "%s-o", c->subjects[s].name);
	const char *second = arena_printf(c->arena, "%s-c", c->subjects[s].name);
	const char *words[] = {"clone", "--name", second, first, NULL};
	struct strs names = {(const char *[]){first, second, NULL}, 2};
	struct sample a, b;
	struct err e = ERR_INIT;
	struct strs idle = subject_idle(c, s, first, &e), v = subject_up(c, s);
	int r = compare_call(c, &idle, NULL, &e);

	subject_add(c, &v, words);
	if (r == 0)
		r = compare_call(c, &v, NULL, &e);
	if (r == 0)
		r = identity(c, s, first, &a, &e);
	if (r == 0)
		r = identity(c, s, second, &b, &e);
	if (r < 0)
		report_missing(c->report, REPORT_CLONE, s, e.msg);
	else
		report_text(c->report, REPORT_CLONE, s,
			    differ(a.out, b.out) ? "its own identity" : "the same identity");
	v = subject_remove(c, s, &names);
	compare_call(c, &v, NULL, NULL);
}

static void clone_all(struct compare *c)
{
	for (unsigned int s = 0; s < REPORT_SUBJECT_MAX_ && !compare_interrupted(); s++) {
		if (c->subjects[s].off)
			continue;
		if (s == REPORT_CONTAINER || s == REPORT_ROOTLESS || s == REPORT_VM)
			clone_of(c, (enum report_subject)s);
		else
			report_missing(c->report, REPORT_CLONE, (enum report_subject)s,
				       s == REPORT_COLD	 ? "once it has booted it is as vm"
				       : s == REPORT_POD ? "instances in a machine have no clones"
							 : "it has no command that clones");
	}
}

void replica_all(struct compare *c)
{
	clone_all(c);
	compare_progress(c, "building twice");
	for (unsigned int s = 0; s < REPORT_SUBJECT_MAX_ && !compare_interrupted(); s++) {
		if (c->subjects[s].off)
			continue;
		switch ((enum report_subject)s) {
		case REPORT_CONTAINER:
		case REPORT_DOCKER:
		case REPORT_PODMAN:
			twice(c, (enum report_subject)s);
			break;
		case REPORT_VM:
		case REPORT_COLD:
		case REPORT_POD:
		case REPORT_ROOTLESS:
			report_missing(c->report, REPORT_DIGEST, (enum report_subject)s,
				       "the same images as container's");
			break;
		case REPORT_HOST:
		case REPORT_QEMU:
		case REPORT_CRUN:
		case REPORT_SUBJECT_MAX_:
			report_missing(c->report, REPORT_DIGEST, (enum report_subject)s,
				       "it has no images to build");
			break;
		}
	}
}
