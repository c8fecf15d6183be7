/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/logconf.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "fmt/json.h"

#include <regex.h>
#include <stdlib.h>

#define ATTRS_MAX      (16u << 10)
#define BUFFER_DEFAULT (1 << 20) /* docker's */

const char *const logconf_driver_names[] = {"json-file", "local", "journald", "none", NULL};
_Static_assert(sizeof(logconf_driver_names) / sizeof(*logconf_driver_names) ==
		   LOGCONF_DRIVER_MAX_ + 1,
	       "a name per driver");

static const struct jbind_field fields[] = {
    JB(struct logconf, driver, "driver", JBIND_ENUM, .flags = JBIND_KEEP,
       .names = logconf_driver_names),
    JB(struct logconf, max_bytes, "maxBytes", JBIND_INT),
    JB(struct logconf, max_files, "maxFiles", JBIND_INT),
    JB(struct logconf, attrs, "attrs", JBIND_RAW),
    JB(struct logconf, tag, "tag", JBIND_STR),
    JB(struct logconf, non_blocking, "nonBlocking", JBIND_BOOL),
    JB(struct logconf, buffer_bytes, "bufferBytes", JBIND_INT),
    JB_END,
};
const struct jbind logconf_table = {.size = sizeof(struct logconf), .fields = fields};

/* ---- attributes ---- */

struct attrs {
	struct buf b;
	const struct logconf_facts *facts;
};

static void add(struct attrs *at, const char *key, size_t n, const char *value, struct arena *a)
{
	buf_puts(&at->b, at->b.len > 1 ? "," : "");
	json_quote(&at->b, arena_dupn(a, key, n));
	buf_puts(&at->b, ":");
	json_quote(&at->b, value);
}

static bool named(const char *list, const char *key, size_t n)
{
	for (const char *p = list;; p++) {
		size_t len = strcspn(p, ",");

		if (len == n && strncmp(p, key, n) == 0)
			return true;
		p += len;
		if (!*p)
			return false;
	}
}

/* Those of from whose key is in the list, or matches the expression. */
static void pick(struct attrs *at, const struct strs *from, const char *list, const regex_t *re,
		 struct arena *a)
{
	for (size_t i = 0; from && i < from->n; i++) {
		const char *eq = strchr(from->v[i], '=');
		size_t n;

		if (!eq)
			continue;
		n = (size_t)(eq - from->v[i]);
		if (list ? named(list, from->v[i], n)
			 : regexec(re, arena_dupn(a, from->v[i], n), 0, NULL, 0) == 0)
			add(at, from->v[i], n, eq + 1, a);
	}
}

static int match(struct attrs *at, const struct strs *from, const char *option, const char *text,
		 struct arena *a, struct err *e)
{
	regex_t re;

	if (regcomp(&re, text, REG_EXTENDED | REG_NOSUB))
		return err_set(e, ERR_USAGE, "--log-opt %s: '%.60s' is no regular expression",
			       option, text);
	if (at->facts)
		pick(at, from, NULL, &re, a);
	regfree(&re);
	return 0;
}

/* Docker's words; everything else is refused, so that no template is half understood. */
static int tag(struct attrs *at, const char *text, struct arena *a, const char **out, struct err *e)
{
	static const struct logconf_facts none = {"", "", "", "sha256:", NULL, NULL};
	const struct logconf_facts *f = at->facts ? at->facts : &none;
	const struct {
		const char *word, *value;
	} words[] = {
	    {"{{.ID}}", arena_dupn(a, f->id, strnlen(f->id, 12))},
	    {"{{.FullID}}", f->id},
	    {"{{.Name}}", f->name},
	    {"{{.ImageName}}", f->image},
	    {"{{.ImageFullID}}", f->image_id},
	    {"{{.ImageID}}", arena_dupn(a, f->image_id, strnlen(f->image_id, 19))},
	    {"{{.DaemonName}}", "caisson"},
	};
	auto_buf struct buf b = BUF_INIT(ATTRS_MAX);

	while (*text) {
		size_t w = 0;

		if (strncmp(text, "{{", 2) != 0) {
			buf_add(&b, text++, 1);
			continue;
		}
		while (w < sizeof(words) / sizeof(words[0]) && !str_after(text, words[w].word))
			w++;
		if (w == sizeof(words) / sizeof(words[0]))
			return err_set(e, ERR_USAGE, "--log-opt tag does not know '%.40s'", text);
		buf_puts(&b, words[w].value);
		text += strlen(words[w].word);
	}
	*out = arena_dupn(a, b.p, b.len);
	return buf_fail(&b, "--log-opt tag", e);
}

/* ---- options ---- */

static int size(const char *option, const char *text, int64_t *out, struct err *e)
{
	uint64_t v;

	if (opt_parse_bytes(text, &v) < 0 || v < 1 || v > INT64_MAX)
		return err_set(e, ERR_USAGE, "--log-opt %s wants a size such as 10m, not '%.40s'",
			       option, text);
	*out = (int64_t)v;
	return 0;
}

static int files(const char *text, struct logconf *out, struct err *e)
{
	char *end;

	out->max_files = strtol(text, &end, 10);
	if (!*text || *end || out->max_files < 1 || out->max_files > 1000)
		return err_set(e, ERR_USAGE, "--log-opt max-file is from 1 to 1000, not '%.40s'",
			       text);
	return 0;
}

static int mode(const char *text, struct logconf *out, struct err *e)
{
	out->non_blocking = streq(text, "non-blocking");
	return out->non_blocking || streq(text, "blocking")
		   ? 0
		   : err_set(e, ERR_USAGE,
			     "--log-opt mode is blocking or non-blocking, not '%.40s'", text);
}

/* What every line carries.  1: it was none of these. */
static int carried(const char *text, struct attrs *at, struct arena *a, struct logconf *out,
		   struct err *e)
{
	const struct strs *labels = at->facts ? at->facts->labels : NULL;
	const struct strs *env = at->facts ? at->facts->env : NULL;
	const char *v;

	if ((v = str_after(text, "labels="))) {
		pick(at, labels, v, NULL, a);
		return 0;
	}
	if ((v = str_after(text, "env="))) {
		pick(at, env, v, NULL, a);
		return 0;
	}
	if ((v = str_after(text, "labels-regex=")))
		return match(at, labels, "labels-regex", v, a, e);
	if ((v = str_after(text, "env-regex=")))
		return match(at, env, "env-regex", v, a, e);
	if ((v = str_after(text, "tag=")))
		return tag(at, v, a, &out->tag, e);
	return 1;
}

/* Of the files.  1: it was none of these. */
static int bounds(const char *text, struct logconf *out, struct err *e)
{
	const char *v;

	if ((v = str_after(text, "max-size=")))
		return size("max-size", v, &out->max_bytes, e);
	if ((v = str_after(text, "max-file=")))
		return files(v, out, e);
	if ((v = str_after(text, "compress=")))
		return streq(v, "false") ? 0
					 : err_set(e, ERR_UNSUPPORTED,
						   "--log-opt compress=%.40s is not possible: "
						   "rotated logs are not compressed",
						   v);
	return 1;
}

static int one(const char *text, struct attrs *at, struct arena *a, struct logconf *out,
	       struct err *e)
{
	const char *v;
	int r = 1;

	if (out->driver == LOGCONF_NONE)
		return err_set(e, ERR_USAGE, "--log-opt has no meaning with --log-driver none");
	if ((v = str_after(text, "mode=")))
		return mode(v, out, e);
	if ((v = str_after(text, "max-buffer-size=")))
		return size("max-buffer-size", v, &out->buffer_bytes, e);
	if (out->driver != LOGCONF_JOURNALD)
		r = bounds(text, out, e);
	if (r > 0 && out->driver != LOGCONF_LOCAL)
		r = carried(text, at, a, out, e);
	return r <= 0 ? r
		      : err_set(e, ERR_USAGE, "--log-driver %s does not know --log-opt '%.60s'",
				logconf_driver_names[out->driver], text);
}

static int driver(const char *name, int *out, struct err *e)
{
	static const char *const others[] = {"syslog", "gelf",	  "fluentd", "awslogs",
					     "splunk", "etwlogs", "gcplogs", NULL};

	for (int i = 0; logconf_driver_names[i]; i++)
		if (streq(name, logconf_driver_names[i])) {
			*out = i;
			return 0;
		}
	for (const char *const *o = others; *o; o++)
		if (streq(name, *o))
			return err_set(e, ERR_UNSUPPORTED,
				       "--log-driver %s is not possible: json-file, local, "
				       "journald and none are",
				       name);
	return err_set(e, ERR_USAGE,
		       "--log-driver is json-file, local, journald or none, not '%.60s'", name);
}

int logconf_parse(const char *name, const struct strs *opts, const struct logconf_facts *facts,
		  struct arena *a, struct logconf *out, struct err *e)
{
	struct attrs at = {.b = BUF_INIT(ATTRS_MAX), .facts = facts};
	struct logconf c = {0};
	int r = driver(name && *name ? name : "json-file", &c.driver, e);

	/* Bounded also where docker has no bound: a workload must not fill the host's disk. */
	c.max_bytes = c.driver == LOGCONF_LOCAL ? 20 << 20 : 16 << 20;
	c.max_files = c.driver == LOGCONF_LOCAL ? 5 : 2;
	buf_puts(&at.b, "{");
	for (size_t i = 0; r == 0 && i < opts->n; i++)
		r = one(opts->v[i], &at, a, &c, e);
	if (r == 0 && c.buffer_bytes && !c.non_blocking)
		r = err_set(e, ERR_USAGE,
			    "--log-opt max-buffer-size is for --log-opt mode=non-blocking");
	c.buffer_bytes = c.buffer_bytes ? c.buffer_bytes : BUFFER_DEFAULT;
	/* Of a file's line the tag is one of its attributes; the journal has a field for it. */
	if (r == 0 && c.tag && c.driver != LOGCONF_JOURNALD)
		add(&at, "tag", 3, c.tag, a);
	buf_puts(&at.b, "}");
	if (r == 0)
		r = buf_fail(&at.b, "--log-opt", e);
	if (r == 0 && facts && at.b.len > 2)
		c.attrs = arena_dupn(a, at.b.p, at.b.len);
	buf_free(&at.b);
	if (r == 0)
		*out = c;
	return r;
}
