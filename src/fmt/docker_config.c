/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/docker_config.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/base64.h"
#include "fmt/json.h"

#include <stdbool.h>
#include <stdint.h>

/* "https://host/v2/" and "host" are one registry. */
static bool same_host(const char *key, const char *host)
{
	const char *rest = str_after(key, "https://");
	size_t n;

	if (!rest)
		rest = str_after(key, "http://");
	rest = rest ? rest : key;
	if (streq(host, "docker.io"))
		return streq(key, "https://index.docker.io/v1/") || streq(rest, "docker.io") ||
		       streq(rest, "index.docker.io");
	n = strcspn(rest, "/");
	return strlen(host) == n && memcmp(rest, host, n) == 0;
}

const char *docker_config_key(const char *host)
{
	return streq(host, "docker.io") ? "https://index.docker.io/v1/" : host;
}

struct search {
	const char *host;
	struct json *found;
};

static int match(const char *key, struct json *value, void *arg)
{
	struct search *s = arg;

	if (!s->found && same_host(key, s->host))
		s->found = value;
	return 0;
}

static const char *json_text(const struct json *j)
{
	const char *s = json_string(j);

	return s ? s : "";
}

static int open_config(const char *text, size_t len, struct json **out, struct err *e)
{
	if (len > DOCKER_CONFIG_MAX)
		return err_set(e, ERR_LIMIT, "config.json has more than %u bytes",
			       DOCKER_CONFIG_MAX);
	return json_parse(text, len, "config.json", out, e);
}

static const char *helper_for(const struct json *j, const char *host, struct arena *a)
{
	struct search s = {.host = host};
	const char *name;

	json_each(json_member(j, "credHelpers"), match, &s);
	name = json_text(s.found ? s.found : json_member(j, "credsStore"));
	return *name ? arena_dup(a, name) : NULL;
}

int docker_config_helper(const char *text, size_t len, const char *host, struct arena *a,
			 const char **out, struct err *e)
{
	auto_json struct json *j = NULL;
	int r = open_config(text, len, &j, e);

	if (r >= 0)
		*out = helper_for(j, host, a);
	return r;
}

int docker_config_lookup(const char *text, size_t len, const char *host, struct arena *a,
			 struct docker_config *out, struct err *e)
{
	auto_json struct json *j = NULL;
	struct search auth = {.host = host};
	const char *plain, *encoded;
	char *colon;
	int r = open_config(text, len, &j, e);

	if (r < 0)
		return r;
	json_each(json_member(j, "auths"), match, &auth);
	*out = (struct docker_config){.helper = helper_for(j, host, a)};
	if (*json_text(json_member(auth.found, "identitytoken")))
		out->identity = arena_dup(a, json_text(json_member(auth.found, "identitytoken")));
	encoded = json_text(json_member(auth.found, "auth"));
	if (!*encoded)
		return 0;
	plain = base64_decode(encoded, a);
	colon = plain ? strchr(plain, ':') : NULL;
	if (!colon)
		return err_set(e, ERR_CORRUPT, "config.json: auths.%s.auth is malformed", host);
	out->user = arena_dupn(a, plain, (size_t)(colon - plain));
	out->password = arena_dup(a, colon + 1);
	return 0;
}

/* ---- changing ---- */

struct edit {
	struct buf *out;
	const char *host;
	const struct docker_config *entry;
	bool first, found;
};

static void member(struct edit *ed, const char *key)
{
	buf_puts(ed->out, ed->first ? "\n\t" : ",\n\t");
	ed->first = false;
	json_quote(ed->out, key);
	buf_puts(ed->out, ": ");
}

static void inner(struct edit *ed, const char *key)
{
	buf_puts(ed->out, ed->first ? "\n\t\t" : ",\n\t\t");
	ed->first = false;
	json_quote(ed->out, key);
	buf_puts(ed->out, ": ");
}

static int copy_auth(const char *key, struct json *value, void *arg)
{
	struct edit *ed = arg;

	/* Every spelling of it, or another reader would find the old password. */
	if (same_host(key, ed->host)) {
		ed->found = true;
		return 0;
	}
	inner(ed, key);
	json_dump(value, ed->out);
	return 0;
}

static void write_auths(struct edit *ed, const struct json *auths)
{
	const struct docker_config *c = ed->entry;

	member(ed, "auths");
	buf_puts(ed->out, "{");
	ed->first = true;
	json_each(auths, copy_auth, ed);
	if (c->user) {
		inner(ed, docker_config_key(ed->host));
		buf_puts(ed->out, "{");
		if (c->password) {
			auto_buf struct buf plain = BUF_INIT(DOCKER_CONFIG_MAX);

			buf_printf(&plain, "%s:%s", c->user, c->password);
			buf_puts(ed->out, "\"auth\": \"");
			base64_print(ed->out, plain.p, plain.len);
			buf_puts(ed->out, "\"");
			ed->out->failed |= plain.failed;
		}
		buf_puts(ed->out, "}");
	}
	buf_puts(ed->out, ed->first ? "}" : "\n\t}");
	ed->first = false;
}

static int copy_member(const char *key, struct json *value, void *arg)
{
	struct edit *ed = arg;

	if (streq(key, "auths"))
		return 0;
	member(ed, key);
	json_dump(value, ed->out);
	return 0;
}

int docker_config_edit(const char *text, size_t len, const char *host,
		       const struct docker_config *entry, struct buf *out, struct err *e)
{
	auto_json struct json *j = NULL;
	struct edit ed = {.out = out, .host = host, .entry = entry, .first = true};
	struct json *auths;
	int r = text ? json_parse(text, len, "config.json", &j, e) : 0;

	if (r < 0)
		return r;
	auths = json_member(j, "auths");
	if (text && (!json_is_object(j) || (auths && !json_is_object(auths))))
		return err_set(e, ERR_CORRUPT, "config.json is not what docker writes");
	buf_puts(out, "{");
	write_auths(&ed, auths);
	json_each(j, copy_member, &ed);
	buf_puts(out, "\n}\n");
	r = buf_fail(out, "config.json", e);
	return r < 0 ? r : ed.found;
}
