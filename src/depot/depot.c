/* SPDX-License-Identifier: Apache-2.0 */
#include "depot/depot.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "depot/depot_int.h"
#include "fmt/digest.h"
#include "fmt/json.h"
#include "fmt/oci_image.h"
#include "fmt/reference.h"
#include "httpd/httpd.h"
#include "store/blob.h"
#include "store/image.h"
#include "store/stage.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define JSON	    "application/json"
#define BINARY	    "application/octet-stream"
#define LIST_MAX    (8u << 20)
#define REFERRERS_N 1000

int depot_refuse(struct depot_call *c, int status, const char *code, const char *message,
		 struct err *e)
{
	auto_buf struct buf b = BUF_INIT(4096);

	buf_printf(&b, "{\"errors\":[{\"code\":\"%s\",\"message\":", code);
	json_quote(&b, message);
	buf_puts(&b, "}]}\n");
	return exchange_send(c->x, status, JSON, b.p, b.len, e);
}

bool depot_reads(const struct depot_call *c)
{
	return streq(c->method, "GET") || streq(c->method, "HEAD");
}

static int not_allowed(struct depot_call *c, struct err *e)
{
	return depot_refuse(c, 405, "UNSUPPORTED",
			    c->d->stage ? "this method is not known here"
					: "this registry is read-only; see image serve --push",
			    e);
}

/* ---- blobs ---- */

static int blob(struct depot_call *c, struct err *e)
{
	auto_fd int fd = -1;
	uint64_t first = 0, last, size;
	enum http_range range;
	struct stat st;

	if (!depot_reads(c))
		return not_allowed(c, e);
	if (!digest_valid(c->ref))
		return depot_refuse(c, 400, "DIGEST_INVALID", "only sha256 digests are known", e);
	fd = blob_open(c->d->s, c->ref, NULL);
	if (fd < 0 || fstat(fd, &st) < 0)
		return depot_refuse(c, 404, "BLOB_UNKNOWN", "no such blob", e);
	size = (uint64_t)st.st_size;
	last = size - 1;
	exchange_field(c->x, "Docker-Content-Digest", "%s", c->ref);
	exchange_field(c->x, "Accept-Ranges", "bytes");
	exchange_field(c->x, "ETag", "\"%s\"", c->ref);
	range = http_request_range(&c->x->request, size, &first, &last);
	if (range == HTTP_RANGE_NONE)
		return exchange_send_file(c->x, 200, BINARY, fd, 0, size, e);
	if (range == HTTP_RANGE_BEYOND) {
		exchange_field(c->x, "Content-Range", "bytes */%" PRIu64, size);
		return depot_refuse(c, 416, "RANGE_INVALID", "the blob ends before", e);
	}
	exchange_field(c->x, "Content-Range", "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, first, last,
		       size);
	return exchange_send_file(c->x, 206, BINARY, fd, first, last - first + 1, e);
}

/* ---- lists ---- */

static void sort_unique(struct strs *l)
{
	size_t n = 0;

	arena_strs_sort(l);
	for (size_t i = 0; i < l->n; i++)
		if (!n || !streq(l->v[n - 1], l->v[i]))
			l->v[n++] = l->v[i];
	l->n = n;
}

/* What "n" and "last" leave of a sorted list, with a Link where more follows. */
static void page(struct depot_call *c, const char *path, struct strs *l)
{
	const char *last = http_request_query(&c->x->request, "last", c->a);
	const char *n = http_request_query(&c->x->request, "n", c->a);
	size_t max = n && *n >= '0' && *n <= '9' ? strtoul(n, NULL, 10) : l->n;

	while (last && l->n && strcmp(l->v[0], last) <= 0) {
		l->v++;
		l->n--;
	}
	if (l->n <= max)
		return;
	l->n = max;
	if (max)
		exchange_field(c->x, "Link", "<%s?n=%zu&last=%s>; rel=\"next\"", path, max,
			       l->v[max - 1]);
}

static int send_list(struct depot_call *c, const char *key, const struct strs *l, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(LIST_MAX);
	int r;

	buf_puts(&b, "{");
	if (c->name) {
		buf_puts(&b, "\"name\":");
		json_quote(&b, c->name);
		buf_puts(&b, ",");
	}
	buf_printf(&b, "\"%s\":[", key);
	for (size_t i = 0; i < l->n; i++) {
		buf_puts(&b, i ? "," : "");
		json_quote(&b, l->v[i]);
	}
	buf_puts(&b, "]}\n");
	r = buf_fail(&b, "list", e);
	return r < 0 ? r : exchange_send(c->x, 200, JSON, b.p, b.len, e);
}

static int catalog(struct depot_call *c, struct err *e)
{
	struct image_records all;
	struct strs l = {0};
	int r = image_list(c->d->s, c->a, &all, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < all.n; i++) {
		struct reference ref;
		const char *name = all.v[i].name;

		/* A port has no place in a repository's name. */
		if (!name || reference_parse(name, c->a, &ref, NULL) < 0 || strchr(ref.domain, ':'))
			continue;
		name = arena_dupn(c->a, name, reference_repository(name));
		name = reference_familiar(c->a, arena_printf(c->a, "%s:x", name));
		arena_strs_add(c->a, &l, arena_dupn(c->a, name, strlen(name) - 2));
	}
	sort_unique(&l);
	page(c, "/v2/_catalog", &l);
	return send_list(c, "repositories", &l, e);
}

static int tags(struct depot_call *c, struct err *e)
{
	struct image_records all;
	struct reference ref;
	struct strs l = {0};
	bool known = false;
	int r = reference_parse(c->name, c->a, &ref, NULL);

	if (r < 0)
		return depot_refuse(c, 404, "NAME_UNKNOWN", "no such repository", e);
	r = image_list(c->d->s, c->a, &all, e);
	for (size_t i = 0; r >= 0 && i < all.n; i++) {
		struct reference have;

		if (!all.v[i].name || reference_parse(all.v[i].name, c->a, &have, NULL) < 0 ||
		    !streq(have.domain, ref.domain) || !streq(have.path, ref.path))
			continue;
		known = true;
		if (have.tag)
			arena_strs_add(c->a, &l, have.tag);
	}
	if (r < 0)
		return r;
	if (!known)
		return depot_refuse(c, 404, "NAME_UNKNOWN", "no such repository", e);
	sort_unique(&l);
	page(c, arena_printf(c->a, "/v2/%s/tags/list", c->name), &l);
	return send_list(c, "tags", &l, e);
}

/* Images that say that they are about another one. */
static int referrers(struct depot_call *c, struct err *e)
{
	const char *type = http_request_query(&c->x->request, "artifactType", c->a);
	auto_buf struct buf b = BUF_INIT(OCI_MANIFEST_MAX);
	struct image_records all;
	struct strs seen = {0};
	size_t n = 0;
	int r = image_list(c->d->s, c->a, &all, e);

	if (r < 0)
		return r;
	if (!digest_valid(c->ref))
		return depot_refuse(c, 400, "DIGEST_INVALID", "only sha256 digests are known", e);
	for (size_t i = 0; i < all.n; i++)
		arena_strs_add(c->a, &seen, all.v[i].manifest);
	sort_unique(&seen);
	buf_puts(&b, "{\"schemaVersion\":2,\"mediaType\":\"" OCI_TYPE_INDEX "\",\"manifests\":[");
	for (size_t i = 0; i < seen.n && n < REFERRERS_N; i++) {
		auto_free char *text = NULL;
		size_t len = 0;

		if (blob_read(c->d->s, seen.v[i], OCI_MANIFEST_MAX, &text, &len, NULL) >= 0)
			n += (size_t)oci_image_referrer(text, len, seen.v[i], c->ref, type, n > 0,
							&b);
	}
	buf_puts(&b, "]}");
	if (type)
		exchange_field(c->x, "OCI-Filters-Applied", "artifactType");
	r = buf_fail(&b, "list of referrers", e);
	return r < 0 ? r : exchange_send(c->x, 200, OCI_TYPE_INDEX, b.p, b.len, e);
}

/* ---- routes ---- */

static int manifest(struct depot_call *c, struct err *e)
{
	if (depot_reads(c))
		return depot_manifest_get(c, e);
	return c->d->stage && streq(c->method, "PUT") ? depot_manifest_put(c, e)
						      : not_allowed(c, e);
}

static int begin(struct depot_call *c, struct err *e)
{
	return c->d->stage && streq(c->method, "POST") ? depot_upload_begin(c, e)
						       : not_allowed(c, e);
}

static int step(struct depot_call *c, struct err *e)
{
	return c->d->stage ? depot_upload_step(c, e) : not_allowed(c, e);
}

static int reading(struct depot_call *c, int (*fn)(struct depot_call *c, struct err *e),
		   struct err *e)
{
	return depot_reads(c) ? fn(c, e) : not_allowed(c, e);
}

/* "/v2/NAME/<what>/REF": the last of such words divides, since a name may hold them too. */
static bool divide(struct depot_call *c, const char *rest, const char *what)
{
	const char *at = NULL;

	for (const char *p = strstr(rest, what); p; p = strstr(p + 1, what))
		at = p;
	if (!at || at == rest)
		return false;
	c->name = arena_dupn(c->a, rest, (size_t)(at - rest));
	c->ref = arena_dup(c->a, at + strlen(what));
	return true;
}

static int route(struct depot_call *c, const char *path, struct err *e)
{
	const char *rest = str_after(path, "/v2/");

	if (streq(path, "/v2") || (rest && !*rest)) {
		exchange_field(c->x, "Docker-Distribution-API-Version", "registry/2.0");
		return exchange_send(c->x, 200, JSON, "{}", 2, e);
	}
	if (!rest)
		return depot_refuse(c, 404, "UNSUPPORTED", "only /v2/ is served here", e);
	if (streq(rest, "_catalog"))
		return reading(c, catalog, e);
	if (divide(c, rest, "/tags/list") && !*c->ref)
		return reading(c, tags, e);
	if (divide(c, rest, "/blobs/uploads/"))
		return *c->ref ? step(c, e) : begin(c, e);
	if (divide(c, rest, "/blobs/uploads") && !*c->ref)
		return begin(c, e);
	if (divide(c, rest, "/manifests/"))
		return manifest(c, e);
	if (divide(c, rest, "/blobs/"))
		return blob(c, e);
	if (divide(c, rest, "/referrers/"))
		return reading(c, referrers, e);
	return depot_refuse(c, 404, "NAME_INVALID", "there is nothing of that name", e);
}

/* A page in a browser may send requests here, or give a name of its own to 127.0.0.1; it cannot
 * choose what the browser says about that. */
static bool is_local(const struct exchange *x)
{
	const char *host = x->request.host;
	char name[64];
	size_t n;
	struct in6_addr any;

	if (http_request_field(&x->request, "Origin"))
		return false;
	if (!host)
		return true;
	n = *host == '[' ? strcspn(host, "]") : strcspn(host, ":");
	if (n >= sizeof(name))
		return false;
	memcpy(name, host + (*host == '['), n - (*host == '['));
	name[n - (*host == '[')] = '\0';
	return streq(name, "localhost") || inet_pton(AF_INET, name, &any) == 1 ||
	       inet_pton(AF_INET6, name, &any) == 1;
}

static int handle(struct exchange *x, void *arg, struct err *e)
{
	struct depot_call c = {.d = arg, .x = x, .a = &x->arena, .method = x->request.method};
	const char *path =
	    http_request_decode(x->request.path, strlen(x->request.path), false, &x->arena);

	if (!is_local(x))
		return depot_refuse(&c, 403, "DENIED", "requests come by address, not from a page",
				    e);
	return path ? route(&c, path, e)
		    : depot_refuse(&c, 400, "NAME_INVALID", "the path is malformed", e);
}

static void fail(struct exchange *x, const struct err *why, void *arg)
{
	struct depot_call c = {.d = arg, .x = x};

	depot_refuse(&c, err_http_status(why), "UNKNOWN", why->msg, NULL);
}

/* To read needs files of our own user and the socket that is bound: no capability, and no program
 * that would have more.  To take images does: the unpacker makes devices and owners. */
static int give_up(struct err *e)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {{0}};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
	    syscall(SYS_capset, &h, none) < 0)
		return err_sys(e, "cannot give up privileges");
	return 0;
}

static void ready(void *arg)
{
	const struct depot *d = arg;

	if (d->o->ready)
		d->o->ready(d->address, d->o->arg);
}

int depot_run(struct store *s, const struct depot_opts *o, struct err *e)
{
	char bound[HTTPD_ADDRESS_MAX];
	auto_fd int fd = httpd_listen(o->listen, true, bound, e);
	struct depot d = {.s = s, .o = o, .address = bound};
	struct httpd_opts h = {
	    .listen = &fd, .nlisten = 1, .handle = handle, .fail = fail, .ready = ready, .arg = &d};
	int r = fd;

	if (r >= 0 && o->push)
		r = stage_new(s, &d.stage, e);
	else if (r >= 0)
		r = give_up(e);
	if (r >= 0)
		r = httpd_run(&h, e);
	stage_free(d.stage);
	return r < 0 ? r : 0;
}
