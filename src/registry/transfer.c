/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/transfer.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/www_authenticate.h"
#include "spec/trace.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <strings.h>

#define HEADERS_MAX (256 << 10) /* bytes of all headers of one answer */
#define ERROR_MAX   (1 << 20)	/* bytes of the body of an answer that is not wanted */
#define BILLION	    1000000000ll

/* Handles are kept because each holds its connection. */
#define POOL 16
static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;
static CURL *pool[POOL]; /* file scope: connections outlive the transfers that opened them */

struct state {
	struct transfer *t;
	struct arena *a;
	CURL *curl;
	struct err *e;
	int failed; /* of the body callback */
	uint64_t header_bytes, error_bytes, window_bytes;
	int64_t window_ns;
};

static CURL *take(void)
{
	CURL *c = NULL;

	pthread_mutex_lock(&pool_lock);
	for (int i = 0; i < POOL && !c; i++) {
		c = pool[i];
		pool[i] = NULL;
	}
	pthread_mutex_unlock(&pool_lock);
	if (!c)
		c = curl_easy_init();
	if (!c)
		abort();
	curl_easy_reset(c);
	return c;
}

static void give(CURL *c)
{
	pthread_mutex_lock(&pool_lock);
	for (int i = 0; i < POOL && c; i++)
		if (!pool[i]) {
			pool[i] = c;
			c = NULL;
		}
	pthread_mutex_unlock(&pool_lock);
	if (c)
		curl_easy_cleanup(c);
}

static long status_of(struct state *s)
{
	long status = 0;

	curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

static size_t on_body(char *data, size_t one, size_t n, void *arg)
{
	struct state *s = arg;
	long status = status_of(s);
	int64_t before = trace_now_ns();

	s->error_bytes += n;
	if (status != 200 && status != 206)
		return s->error_bytes > ERROR_MAX ? 0 : n;
	s->failed = s->t->body(s->t->arg, data, n, s->e);
	/* A window ends when enough has come; the time spent in there was ours and moves it on. */
	s->window_bytes += n;
	if (s->window_bytes >= TRANSFER_STALL_BYTES) {
		s->window_bytes = 0;
		s->window_ns = trace_now_ns();
	} else {
		s->window_ns += trace_now_ns() - before;
	}
	return s->failed < 0 ? 0 : n;
}

static const char *header_value(struct state *s, const char *line, size_t len, const char *name)
{
	size_t n = strlen(name);
	const char *end = line + len;

	if (len <= n || strncasecmp(line, name, n) != 0 || line[n] != ':')
		return NULL;
	line += n + 1;
	while (line < end && (*line == ' ' || *line == '\t'))
		line++;
	while (end > line && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' '))
		end--;
	return arena_dupn(s->a, line, (size_t)(end - line));
}

static void content_range(struct state *s, const char *v)
{
	const char *from = str_after(v, "bytes ");

	s->t->offset = from ? strtoull(from, NULL, 10) : UINT64_MAX;
}

static size_t on_header(char *line, size_t one, size_t len, void *arg)
{
	struct state *s = arg;
	struct transfer *t = s->t;
	const char *v;

	s->header_bytes += len;
	if (s->header_bytes > HEADERS_MAX)
		return 0;
	if (len > 5 && strncasecmp(line, "HTTP/", 5) == 0) {
		t->challenge = t->media_type = NULL;
		t->offset = 0;
	}
	v = header_value(s, line, len, "WWW-Authenticate");
	/* Several header lines mean the same as one with commas (RFC 9110, 5.2). */
	if (v && strlen(v) <= WWW_AUTHENTICATE_MAX)
		t->challenge = t->challenge && strlen(t->challenge) < WWW_AUTHENTICATE_MAX
				   ? arena_printf(s->a, "%s, %s", t->challenge, v)
				   : v;
	v = header_value(s, line, len, "Content-Type");
	if (v)
		t->media_type = arena_dupn(s->a, v, strcspn(v, "; "));
	v = header_value(s, line, len, "Content-Range");
	if (v)
		content_range(s, v);
	return len;
}

static int on_progress(void *arg, curl_off_t dt, curl_off_t dn, curl_off_t ut, curl_off_t un)
{
	struct state *s = arg;
	long limit = s->t->stall_seconds ? s->t->stall_seconds : TRANSFER_STALL_SECONDS;

	if (trace_now_ns() - s->window_ns < limit * BILLION)
		return 0;
	s->t->stalled = true;
	return 1;
}

static struct curl_slist *headers(const struct transfer *t, struct arena *a)
{
	struct curl_slist *h = NULL;

	if (t->accept)
		h = curl_slist_append(h, arena_printf(a, "Accept: %s", t->accept));
	if (t->authorization)
		h = curl_slist_append(h, arena_printf(a, "Authorization: %s", t->authorization));
	/* Not CURLOPT_RESUME_FROM: with that curl fails when a server ignores it and sends all. */
	if (t->from)
		h = curl_slist_append(
		    h, arena_printf(a, "Range: bytes=%llu-", (unsigned long long)t->from));
	return h;
}

static void prepare(struct state *s, struct curl_slist *h, char *why)
{
	struct transfer *t = s->t;
	CURL *c = s->curl;

	curl_easy_setopt(c, CURLOPT_URL, t->url);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, 15L);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "caisson/" CAISSON_VERSION);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, h);
	curl_easy_setopt(c, CURLOPT_BUFFERSIZE, 256L << 10);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, s);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, s);
	curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(c, CURLOPT_XFERINFODATA, s);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, why);
	/* Credentials are ours to choose, never a .netrc's or a URL's. */
	curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	if (t->ca_file)
		curl_easy_setopt(c, CURLOPT_CAINFO, t->ca_file);
	s->window_ns = trace_now_ns();
}

static void collect(struct state *s)
{
	struct transfer *t = s->t;
	char *location = NULL;
	curl_off_t after = 0;

	t->status = status_of(s);
	curl_easy_getinfo(s->curl, CURLINFO_REDIRECT_URL, &location);
	t->location = location ? arena_dup(s->a, location) : NULL;
	curl_easy_getinfo(s->curl, CURLINFO_RETRY_AFTER, &after);
	t->retry_after = after > 0 && after < 86400 ? (long)after : after > 0 ? 86400 : 0;
}

static int failure(struct state *s, CURLcode rc, const char *why, struct err *e)
{
	struct transfer *t = s->t;
	const char *text = *why ? why : curl_easy_strerror(rc);

	if (s->failed < 0) {
		t->local = true;
		return s->failed;
	}
	t->again = true;
	if (t->stalled)
		return err_set(e, ERR_TIMEOUT, "less than %d bytes in %ld seconds",
			       TRANSFER_STALL_BYTES,
			       t->stall_seconds ? t->stall_seconds : (long)TRANSFER_STALL_SECONDS);
	if (rc == CURLE_SSL_CONNECT_ERROR) {
		t->tls_failed = true;
		return err_set(e, ERR_SYSTEM, "TLS: %.200s", text);
	}
	if (rc == CURLE_COULDNT_RESOLVE_HOST || rc == CURLE_COULDNT_CONNECT ||
	    rc == CURLE_PEER_FAILED_VERIFICATION) {
		/* A registry that is not there will not be there in a second. */
		t->again = false;
		return err_set(e, rc == CURLE_PEER_FAILED_VERIFICATION ? ERR_DENIED : ERR_NOT_FOUND,
			       "%.200s", text);
	}
	if (s->header_bytes > HEADERS_MAX || rc == CURLE_UNSUPPORTED_PROTOCOL)
		t->again = false;
	return err_set(e, ERR_SYSTEM, "%.200s", text);
}

int transfer_run(struct transfer *t, struct arena *a, struct err *e)
{
	struct state s = {.t = t, .a = a, .curl = take(), .e = e};
	char why[CURL_ERROR_SIZE] = "";
	struct curl_slist *h = headers(t, a);
	CURLcode rc;
	int r;

	prepare(&s, h, why);
	rc = curl_easy_perform(s.curl);
	collect(&s);
	curl_slist_free_all(h);
	r = rc == CURLE_OK ? 0 : failure(&s, rc, why, e);
	give(s.curl);
	return r;
}
