/* SPDX-License-Identifier: Apache-2.0 */
#include "dashboard/dashpage.h"
#include "api/apianswer.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/session.h"
#include "httpd/exchange.h"
#include "sys/fd.h"
#include "sys/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#define PAGE_MAX (64u << 10)
#define NONCE	 "@NONCE@" /* in index.html: what a style element must say to count */

/* The comparison is a document with styles and a script of its own; it is shown in a frame that may
 * run them and reach nothing, not even this page. */
#define REPORT_POLICY                                                                              \
	"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src "      \
	"data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox "             \
	"allow-scripts"

static const struct {
	const char *path, *type;
} files[] = {
    {"/app.js", "text/javascript; charset=utf-8"},
    {"/app.css", "text/css; charset=utf-8"},
};

int dashpage_open(struct session *s, struct err *e)
{
	auto_free char *path = NULL;
	int fd;

	if (asprintf(&path, "%s/web", s->data) < 0)
		return err_sys(e, "dashboard");
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || faccessat(fd, "app.js", R_OK, 0) < 0) {
		fd_close(fd);
		return err_set(e, ERR_UNSUPPORTED,
			       "the dashboard's page was not built (%.200s): 'make web' does it, "
			       "with npm",
			       path);
	}
	return fd;
}

static void fields(struct exchange *x, const char *policy)
{
	exchange_field(x, "Content-Security-Policy", "%s", policy);
	exchange_field(x, "X-Content-Type-Options", "nosniff");
	/* The address is the secret. */
	exchange_field(x, "Referrer-Policy", "no-referrer");
	exchange_field(x, "Cross-Origin-Opener-Policy", "same-origin");
	exchange_field(x, "Cross-Origin-Resource-Policy", "same-origin");
	exchange_field(x, "Cache-Control", "no-store");
}

/* index.html with a nonce for this answer: the terminal makes style elements as it goes, and
 * nothing else may. */
static int index_page(int assets, struct exchange *x, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(2 * PAGE_MAX);
	auto_free char *text = NULL;
	unsigned char random[16];
	char nonce[33], policy[400];
	const char *p, *at;
	int r;

	if (file_read(assets, "index.html", PAGE_MAX, &text) < 0)
		return err_sys(e, "index.html");
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return err_sys(e, "getrandom");
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(nonce + 2 * i, 3, "%02x", random[i]);
	for (p = text; (at = strstr(p, NONCE)); p = at + strlen(NONCE)) {
		buf_add(&b, p, (size_t)(at - p));
		buf_puts(&b, nonce);
	}
	buf_puts(&b, p);
	snprintf(policy, sizeof(policy),
		 "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-%s'; connect-src "
		 "'self'; img-src 'self' data:; frame-src 'self'; base-uri 'none'; form-action "
		 "'none'; frame-ancestors 'none'",
		 nonce);
	fields(x, policy);
	r = buf_fail(&b, "index.html", e);
	return r < 0 ? r : exchange_send(x, 200, "text/html; charset=utf-8", b.p, b.len, e);
}

static int send_file(int dir, const char *name, const char *type, const char *policy,
		     struct exchange *x, struct err *e)
{
	auto_fd int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return apianswer_refuse(x, 404, "it is not there", e);
	fields(x, policy);
	return exchange_send_file(x, 200, type, fd, 0, (uint64_t)st.st_size, e);
}

static int report(struct session *s, struct exchange *x, struct err *e)
{
	auto_free char *path = NULL;
	auto_fd int dir = -1;

	if (asprintf(&path, "%s/compare", s->root) < 0)
		return err_sys(e, "report");
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return send_file(dir, "last.html", "text/html; charset=utf-8", REPORT_POLICY, x, e);
}

int dashpage(struct session *s, int assets, struct exchange *x, const char *path, struct err *e)
{
	if (!streq(x->request.method, "GET") && !streq(x->request.method, "HEAD"))
		return apianswer_refuse(x, 405, "method not allowed", e);
	if (streq(path, "/"))
		return index_page(assets, x, e);
	if (streq(path, "/report"))
		return report(s, x, e);
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		if (streq(path, files[i].path))
			return send_file(assets, path + 1, files[i].type, "default-src 'none'", x,
					 e);
	return apianswer_refuse(x, 404, "page not found", e);
}
