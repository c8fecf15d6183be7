/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/transfer.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/www_authenticate.h"
#include "registry/origin.h"
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
	uint64_t sent, window_sent;
	const char *location; /* as it came */
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
	if ((status != 200 && status != 206) || !s->t->body)
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

/* curl asks for the next bytes of the request's body. */
static size_t on_send(char *data, size_t one, size_t n, void *arg)
{
	struct state *s = arg;
	int64_t before = trace_now_ns();
	uint64_t left = s->t->send_size - s->sent;
	ssize_t r = s->t->send(s->t->send_arg, s->sent, data, n < left ? n : (size_t)left, s->e);

	s->window_ns += trace_now_ns() - before;
	if (r < 0) {
		s->failed = (int)r;
		return CURL_READFUNC_ABORT;
	}
	s->sent += (uint64_t)r;
	return (size_t)r;
}

/* And begins again, after a kept connection turned out to be dead. */
static int on_seek(void *arg, curl_off_t to, int origin)
{
	struct state *s = arg;

	if (origin != SEEK_SET || to < 0 || (uint64_t)to > s->t->send_size)
		return CURL_SEEKFUNC_FAIL;
	s->sent = (uint64_t)to;
	return CURL_SEEKFUNC_OK;
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

/* What answers to uploads have. */
static void more_headers(struct state *s, const char *line, size_t len)
{
	const char *v = header_value(s, line, len, "Location");

	if (v)
		s->location = v;
	v = header_value(s, line, len, "Range");
	if (v)
		s->t->range = v;
	v = header_value(s, line, len, "Docker-Content-Digest");
	if (v)
		s->t->digest = v;
	v = header_value(s, line, len, "Link");
	if (v)
		s->t->link = v;
	v = header_value(s, line, len, "OCI-Chunk-Min-Length");
	if (v)
		s->t->chunk_min = strtoull(v, NULL, 10);
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
		t->challenge = t->media_type = t->range = t->digest = t->link = s->location = NULL;
		t->offset = t->chunk_min = 0;
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
	more_headers(s, line, len);
	return len;
}

static int on_progress(void *arg, curl_off_t dt, curl_off_t dn, curl_off_t ut, curl_off_t un)
{
	struct state *s = arg;
	long limit = s->t->stall_seconds ? s->t->stall_seconds : TRANSFER_STALL_SECONDS;

	if ((uint64_t)un >= s->window_sent + TRANSFER_STALL_BYTES) {
		s->window_sent = (uint64_t)un;
		s->window_ns = trace_now_ns();
	}
	/* Nothing else is to be heard while the server digests a whole upload. */
	if (s->t->method && !streq(s->t->method, "GET") && s->sent == s->t->send_size)
		limit *= TRANSFER_PATIENCE;
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
	if (t->content_range)
		h = curl_slist_append(h, arena_printf(a, "Content-Range: %s", t->content_range));
	/* curl's own ideas of a type and of waiting for "100 Continue" are taken back. */
	if (!t->form)
		h = curl_slist_append(h, arena_printf(a, "Content-Type:%s%s",
						      t->content_type ? " " : "",
						      t->content_type ? t->content_type : ""));
	return curl_slist_append(h, "Expect:");
}

/* What is sent: nothing, as GET and HEAD do, or a body of known size, which may be empty. */
static void prepare_method(struct state *s)
{
	struct transfer *t = s->t;
	CURL *c = s->curl;

	if (!t->method || streq(t->method, "GET"))
		return;
	if (streq(t->method, "HEAD")) {
		curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
		return;
	}
	if (t->send) {
		curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)t->send_size);
		curl_easy_setopt(c, CURLOPT_READFUNCTION, on_send);
		curl_easy_setopt(c, CURLOPT_READDATA, s);
		curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, on_seek);
		curl_easy_setopt(c, CURLOPT_SEEKDATA, s);
		curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, 256L << 10);
	} else {
		const char *form = t->form ? t->form : "";

		curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)strlen(form));
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, form);
	}
	curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, t->method);
}

/* curl copies it, and takes it without const. */
static void *memory(const char *s)
{
	union {
		const char *in;
		void *out;
	} u = {.in = s};

	return u.out;
}

static void set_pem(CURL *c, CURLoption blob, CURLoption type, const char *text)
{
	struct curl_blob pem = {.data = memory(text), .len = strlen(text), .flags = CURL_BLOB_COPY};

	curl_easy_setopt(c, blob, &pem);
	curl_easy_setopt(c, type, "PEM");
}

/* Who we are to the server, how it shows who it is, and which way to it. */
static void prepare_peer(struct state *s)
{
	struct transfer *t = s->t;
	CURL *c = s->curl;
	struct origin to;

	if (t->cert_pem && t->key_pem) {
		set_pem(c, CURLOPT_SSLCERT_BLOB, CURLOPT_SSLCERTTYPE, t->cert_pem);
		set_pem(c, CURLOPT_SSLKEY_BLOB, CURLOPT_SSLKEYTYPE, t->key_pem);
	}
	if (t->insecure) {
		curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	/* Proxies are the environment's ($HTTPS_PROXY, $http_proxy, $NO_PROXY: curl reads them),
	 * but what is on this machine is not asked for through another. */
	if (origin_parse(t->url, s->a, &to, NULL) == 0 && to.loopback)
		curl_easy_setopt(c, CURLOPT_PROXY, "");
}

static void prepare(struct state *s, struct curl_slist *h, char *why)
{
	struct transfer *t = s->t;
	CURL *c = s->curl;

	curl_easy_setopt(c, CURLOPT_URL, t->url);
	curl_easy_setopt(c, CURLOPT_FILETIME, 1L);
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
	if (t->ca_pem) {
		struct curl_blob pem = {
		    .data = memory(t->ca_pem), .len = strlen(t->ca_pem), .flags = CURL_BLOB_COPY};

		curl_easy_setopt(c, CURLOPT_CAINFO_BLOB, &pem);
	}
	prepare_peer(s);
	prepare_method(s);
	s->window_ns = trace_now_ns();
}

/* Relative to what was asked. */
static const char *absolute(struct state *s)
{
	CURLU *u = s->location ? curl_url() : NULL;
	const char *out = NULL;
	char *v = NULL;

	if (u && curl_url_set(u, CURLUPART_URL, s->t->url, 0) == CURLUE_OK &&
	    curl_url_set(u, CURLUPART_URL, s->location, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_URL, &v, 0) == CURLUE_OK)
		out = arena_dup(s->a, v);
	curl_free(v);
	curl_url_cleanup(u);
	return out;
}

static void collect(struct state *s)
{
	struct transfer *t = s->t;
	curl_off_t after = 0, modified = 0;

	t->status = status_of(s);
	t->location = absolute(s);
	curl_easy_getinfo(s->curl, CURLINFO_RETRY_AFTER, &after);
	curl_easy_getinfo(s->curl, CURLINFO_FILETIME_T, &modified);
	t->modified = modified > 0 ? modified : 0;
	t->retry_after = after > 0 && after < 86400 ? (long)after : after > 0 ? 86400 : 0;
}

static int failure(struct state *s, CURLcode rc, const char *why, struct err *e)
{
	struct transfer *t = s->t;
	const char *text = *why ? why : curl_easy_strerror(rc);
	long proxy = 0;

	if (s->failed < 0) {
		t->local = true;
		return s->failed;
	}
	t->again = true;
	if (t->stalled)
		return err_set(e, ERR_TIMEOUT, "less than %d bytes in %ld seconds",
			       TRANSFER_STALL_BYTES,
			       t->stall_seconds ? t->stall_seconds : (long)TRANSFER_STALL_SECONDS);
	curl_easy_getinfo(s->curl, CURLINFO_HTTP_CONNECTCODE, &proxy);
	if (proxy / 100 == 4) {
		t->again = false;
		return err_set(e, ERR_DENIED, "the proxy refuses with status %ld", proxy);
	}
	/* A TLS alert about certificates comes from the peer, and is about ours. */
	if (strstr(text, " alert ") && strstr(text, "certificate")) {
		t->again = false;
		return err_set(e, ERR_DENIED,
			       "it refuses our certificate, or wants one (certs.d): %.120s", text);
	}
	if (rc == CURLE_SSL_CONNECT_ERROR) {
		t->tls_failed = true;
		/* OpenSSL's word for an answer that is not TLS; it will not be the next time. */
		t->again = !strstr(text, "wrong version number");
		if (!t->again)
			return err_set(e, ERR_DENIED,
				       "it does not speak TLS; for plain HTTP call it insecure in "
				       "registries.conf");
		return err_set(e, ERR_SYSTEM, "TLS: %.200s", text);
	}
	if (rc == CURLE_COULDNT_RESOLVE_HOST || rc == CURLE_COULDNT_CONNECT ||
	    rc == CURLE_PEER_FAILED_VERIFICATION) {
		/* A registry that is not there will not be there in a second. */
		t->again = false;
		t->unreachable = rc == CURLE_COULDNT_CONNECT;
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

	t->status = t->retry_after = 0;
	t->location = t->challenge = t->media_type = t->range = t->digest = t->link = NULL;
	t->offset = t->chunk_min = 0;
	t->tls_failed = t->unreachable = t->stalled = t->again = t->local = false;
	prepare(&s, h, why);
	rc = curl_easy_perform(s.curl);
	collect(&s);
	curl_slist_free_all(h);
	/* A server that refuses may close before it has read everything; its answer came. */
	if (rc == CURLE_SEND_ERROR && t->status >= 400)
		rc = CURLE_OK;
	r = rc == CURLE_OK ? 0 : failure(&s, rc, why, e);
	give(s.curl);
	return r;
}
