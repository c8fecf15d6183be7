/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/docker_config.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/json.h"

#include <stdint.h>

static int digit(char c)
{
	static const char table[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *p = c ? strchr(table, c) : NULL;

	return p ? (int)(p - table) : -1;
}

const char *docker_config_base64(const char *s, struct arena *a)
{
	size_t len = strlen(s), n = 0, pad = 0;
	char *out = arena_alloc(a, len / 4 * 3 + 1);

	if (len % 4)
		return NULL;
	while (pad < 2 && pad < len && s[len - 1 - pad] == '=')
		pad++;
	for (size_t i = 0; i < len; i += 4) {
		uint32_t v = 0;

		for (size_t k = 0; k < 4; k++) {
			int d = i + k >= len - pad ? 0 : digit(s[i + k]);

			if (d < 0)
				return NULL;
			v = v << 6 | (uint32_t)d;
		}
		for (int k = 16; k >= 0; k -= 8)
			out[n++] = (char)(v >> k & 0xff);
	}
	n -= pad;
	out[n] = '\0';
	return strlen(out) == n ? out : NULL;
}

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

int docker_config_lookup(const char *text, size_t len, const char *host, struct arena *a,
			 struct docker_config *out, struct err *e)
{
	auto_json struct json *j = NULL;
	struct search auth = {.host = host}, helper = {.host = host};
	const char *plain, *encoded;
	char *colon;
	int r;

	if (len > DOCKER_CONFIG_MAX)
		return err_set(e, ERR_LIMIT, "config.json has more than %u bytes",
			       DOCKER_CONFIG_MAX);
	r = json_parse(text, len, "config.json", &j, e);
	if (r < 0)
		return r;
	json_each(json_member(j, "auths"), match, &auth);
	json_each(json_member(j, "credHelpers"), match, &helper);
	*out = (struct docker_config){.helper = helper.found || json_member(j, "credsStore")};
	encoded = json_string(json_member(auth.found, "auth"));
	if (!encoded || !*encoded)
		return 0;
	plain = docker_config_base64(encoded, a);
	colon = plain ? strchr(plain, ':') : NULL;
	if (!colon)
		return err_set(e, ERR_CORRUPT, "config.json: auths.%s.auth is malformed", host);
	out->user = arena_dupn(a, plain, (size_t)(colon - plain));
	out->password = arena_dup(a, colon + 1);
	return 0;
}
