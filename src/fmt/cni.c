/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/cni.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/json.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_ 128
#define DNS_MAX	  16

static const char *text_of(const struct json *j, const char *key)
{
	return json_string(json_member(j, key));
}

static bool word(const char *s)
{
	size_t n =
	    s ? strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") : 0;

	return n && !s[n] && n <= NAME_MAX_ && !strchr("._-", s[0]);
}

static const char *dump(const struct json *j, struct arena *a)
{
	struct buf b = BUF_INIT(2 * CNI_RESULT_MAX);
	const char *text;

	json_dump(j, &b);
	text = b.failed ? NULL : arena_dup(a, b.p);
	buf_free(&b);
	return text;
}

/* ---- configuration ---- */

static int plugin(const struct json *j, const char *what, struct arena *a, struct cni_plugin *out,
		  struct err *e)
{
	const struct json *capable = json_member(json_member(j, "capabilities"), "portMappings");
	const char *type = text_of(j, "type"), *yes;

	if (!json_is_object(j) || !word(type))
		return err_set(e, ERR_CORRUPT, "%s: a plugin has no type that is a file's name",
			       what);
	out->type = arena_dup(a, type);
	out->text = dump(j, a);
	yes = capable ? dump(capable, a) : NULL;
	out->portmap = yes && streq(yes, "true");
	return out->text ? 0 : err_set(e, ERR_LIMIT, "%s: too long", what);
}

static int version(const char *v, const char *what, struct err *e)
{
	unsigned long major, minor;
	char *end;

	if (!v)
		v = "0.1.0"; /* as the specification says */
	if (strlen(v) > 16 || v[strspn(v, "0123456789.")] || *v == '.')
		return err_set(e, ERR_CORRUPT, "%s: cniVersion '%.20s'", what, v);
	major = strtoul(v, &end, 10);
	minor = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;
	if (major == 0 && minor < 3)
		return err_set(e, ERR_UNSUPPORTED, "%s: cniVersion %s: want 0.3.0 or a later one",
			       what, v);
	return 0;
}

int cni_list_parse(const char *text, size_t len, const char *what, struct arena *a,
		   struct cni_list *out, struct err *e)
{
	auto_json struct json *j = NULL;
	const struct json *plugins;
	struct cni_list l = {0};
	size_t n;
	int r = len > CNI_CONF_MAX
		    ? err_set(e, ERR_LIMIT, "%s: more than %u bytes", what, CNI_CONF_MAX)
		    : json_parse(text, len, what, &j, e);

	if (r < 0)
		return r;
	plugins = json_member(j, "plugins");
	n = plugins ? json_length(plugins) : 1;
	if (!json_is_object(j) || !word(text_of(j, "name")) ||
	    (plugins && !json_is_array(plugins)) || !n || n > CNI_PLUGINS_MAX)
		return err_set(e, ERR_CORRUPT,
			       "%s: want an object with a name, and 1 to %d plugins", what,
			       CNI_PLUGINS_MAX);
	r = version(text_of(j, "cniVersion"), what, e);
	if (r < 0)
		return r;
	l.name = arena_dup(a, text_of(j, "name"));
	l.version = arena_dup(a, text_of(j, "cniVersion"));
	l.v = arena_array(a, n, sizeof(*l.v));
	for (; r == 0 && l.n < n; l.n++)
		r = plugin(plugins ? json_at(plugins, l.n) : j, what, a, &l.v[l.n], e);
	if (r == 0)
		*out = l;
	return r;
}

/* ---- a plugin's input ---- */

struct copy {
	struct buf *out;
	const char *sep;
};

/* What the runtime says itself. */
static int member(const char *key, struct json *value, void *arg)
{
	static const char *const ours[] = {"name", "cniVersion", "prevResult", "runtimeConfig"};
	struct copy *c = arg;

	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (streq(ours[i], key))
			return 0;
	buf_puts(c->out, c->sep);
	json_quote(c->out, key);
	buf_puts(c->out, ":");
	json_dump(value, c->out);
	return 0;
}

int cni_input(const struct cni_list *l, size_t i, const char *previous, const char *ports,
	      struct buf *out, struct err *e)
{
	auto_json struct json *j = NULL;
	struct copy c = {out, ","};
	int r = json_parse(l->v[i].text, strlen(l->v[i].text), l->name, &j, e);

	if (r < 0)
		return r;
	buf_puts(out, "{\"cniVersion\":");
	json_quote(out, l->version);
	buf_puts(out, ",\"name\":");
	json_quote(out, l->name);
	(void)json_each(j, member, &c);
	if (ports && l->v[i].portmap)
		buf_printf(out, ",\"runtimeConfig\":{\"portMappings\":%s}", ports);
	if (previous)
		buf_printf(out, ",\"prevResult\":%s", previous);
	buf_puts(out, "}");
	return buf_fail(out, "a CNI plugin's input", e);
}

/* ---- results ---- */

/* An address, with a length behind it or without. */
static bool address(const char *s, bool length)
{
	char text[INET6_ADDRSTRLEN], *end;
	unsigned char raw[16];
	const char *slash = s ? strchr(s, '/') : NULL;
	size_t n = slash ? (size_t)(slash - s) : s ? strlen(s) : 0;
	bool six = s && strchr(s, ':');
	unsigned long bits;

	if (!n || n >= sizeof(text) || !slash != !length)
		return false;
	memcpy(text, s, n);
	text[n] = '\0';
	if (inet_pton(six ? AF_INET6 : AF_INET, text, raw) != 1)
		return false;
	if (!length)
		return true;
	bits = slash[1] >= '0' && slash[1] <= '9' ? strtoul(slash + 1, &end, 10) : 1000;
	return bits <= (six ? 128 : 32) && !*end;
}

static bool mac(const char *s)
{
	return s && strlen(s) == 17 && !s[strspn(s, "0123456789abcdefABCDEF:")];
}

static void words(const struct json *l, struct arena *a, struct strs *out)
{
	for (size_t i = 0; i < json_length(l) && i < DNS_MAX; i++) {
		const char *s = json_string(json_at(l, i));

		if (s && *s && strlen(s) <= 255 && !strpbrk(s, " \t\r\n"))
			arena_strs_add(a, out, arena_dup(a, s));
	}
}

int cni_result_parse(const char *text, size_t len, const char *what, struct arena *a,
		     struct cni_result *out, struct err *e)
{
	auto_json struct json *j = NULL;
	const struct json *ips, *faces, *dns;
	struct cni_result res = {0};
	int r = len > CNI_RESULT_MAX
		    ? err_set(e, ERR_LIMIT, "%s: more than %u bytes", what, CNI_RESULT_MAX)
		    : json_parse(text, len, what, &j, e);

	if (r < 0)
		return r;
	ips = json_member(j, "ips");
	faces = json_member(j, "interfaces");
	dns = json_member(j, "dns");
	if (!json_is_object(j) || json_length(ips) > CNI_IPS_MAX)
		return err_set(e, ERR_CORRUPT, "%s: want an object with at most %d ips", what,
			       CNI_IPS_MAX);
	for (; res.n < json_length(ips); res.n++) {
		const struct json *one = json_at(ips, res.n);
		const char *ip = text_of(one, "address"), *gateway = text_of(one, "gateway");

		if (!address(ip, true) || (gateway && !address(gateway, false)))
			return err_set(e, ERR_CORRUPT, "%s: ips[%zu] is no address", what, res.n);
		res.v[res.n].address = arena_dup(a, ip);
		res.v[res.n].gateway = gateway ? arena_dup(a, gateway) : NULL;
	}
	/* One with a sandbox is inside. */
	for (size_t i = 0; i < json_length(faces) && i < CNI_IPS_MAX; i++) {
		const char *at = text_of(json_at(faces, i), "mac");

		if (text_of(json_at(faces, i), "sandbox") && mac(at))
			res.mac = arena_dup(a, at);
	}
	words(json_member(dns, "nameservers"), a, &res.servers);
	words(json_member(dns, "search"), a, &res.search);
	*out = res;
	return 0;
}

const char *cni_failure(const char *text, size_t len, struct arena *a)
{
	auto_json struct json *j = NULL;
	const char *msg, *details;

	if (len > CNI_RESULT_MAX || json_parse(text, len, "error", &j, NULL) < 0)
		return NULL;
	msg = text_of(j, "msg");
	details = text_of(j, "details");
	if (!msg)
		return NULL;
	return details && *details ? arena_printf(a, "%.160s; %.160s", msg, details)
				   : arena_printf(a, "%.300s", msg);
}
