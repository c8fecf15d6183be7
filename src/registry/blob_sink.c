/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/blob_sink.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/digest.h"
#include "spec/trace.h"
#include "sys/fd.h"

#include <openssl/evp.h>
#include <stdio.h>

#define REPORT_NS  100000000
#define RESUME_BUF (256u << 10)

struct blob_sink {
	int file, pipe;
	char digest[DIGEST_LEN + 1];
	uint64_t size, got;
	bool failed;
	EVP_MD_CTX *md;
	blob_sink_report *report;
	void *arg;
	int64_t reported_ns;
};

struct blob_sink *blob_sink_new(int file, int pipe, const char *digest, uint64_t size,
				blob_sink_report *report, void *arg)
{
	struct blob_sink *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	*s = (struct blob_sink){
	    .file = file, .pipe = pipe, .size = size, .report = report, .arg = arg};
	snprintf(s->digest, sizeof(s->digest), "%s", digest);
	s->md = EVP_MD_CTX_new();
	if (!s->md || !EVP_DigestInit_ex(s->md, EVP_sha256(), NULL))
		abort();
	return s;
}

static void take_in(struct blob_sink *s, const void *data, size_t len)
{
	EVP_DigestUpdate(s->md, data, len);
	if (s->pipe >= 0 && fd_write_all(s->pipe, data, len) < 0)
		s->pipe = -1;
	s->got += len;
}

int blob_sink_resume(struct blob_sink *s, uint64_t have, struct err *e)
{
	auto_free char *b = malloc(RESUME_BUF);

	if (!b)
		abort();
	if (have > s->size || lseek(s->file, 0, SEEK_SET) < 0)
		return err_set(e, ERR_CORRUPT, "blob %.19s: its part cannot be used", s->digest);
	while (s->got < have) {
		size_t want = have - s->got < RESUME_BUF ? (size_t)(have - s->got) : RESUME_BUF;
		ssize_t n = fd_read_full(s->file, b, want);

		if (n < 0 || (size_t)n != want)
			return err_set(e, ERR_CORRUPT, "blob %.19s: its part cannot be used",
				       s->digest);
		take_in(s, b, want);
	}
	return 0;
}

int blob_sink_write(struct blob_sink *s, const void *data, size_t len, struct err *e)
{
	int64_t now;

	if (len > s->size - s->got) {
		s->failed = true;
		return err_set(e, ERR_CORRUPT,
			       "blob %.19s: more than the %llu bytes it should have", s->digest,
			       (unsigned long long)s->size);
	}
	errno = -fd_write_all(s->file, data, len);
	if (errno) {
		s->failed = true;
		return err_sys(e, "cannot write blob %.19s", s->digest);
	}
	take_in(s, data, len);
	now = trace_now_ns();
	if (s->report && now - s->reported_ns > REPORT_NS) {
		s->reported_ns = now;
		s->report(s->arg, s->got);
	}
	return 0;
}

uint64_t blob_sink_got(const struct blob_sink *s)
{
	return s->got;
}

bool blob_sink_failed(const struct blob_sink *s)
{
	return s->failed;
}

uint64_t blob_sink_size(const struct blob_sink *s)
{
	return s->size;
}

int blob_sink_finish(struct blob_sink *s, struct err *e)
{
	unsigned char sum[32];
	char have[DIGEST_LEN + 1];

	if (s->got != s->size)
		return err_set(e, ERR_CORRUPT, "blob %.19s: ended after %llu of %llu bytes",
			       s->digest, (unsigned long long)s->got, (unsigned long long)s->size);
	EVP_DigestFinal_ex(s->md, sum, NULL);
	digest_print(sum, have);
	if (!streq(have, s->digest))
		return err_set(e, ERR_CORRUPT, "blob %.19s: wrong digest, the bytes have %.19s",
			       s->digest, have);
	return 0;
}

void blob_sink_free(struct blob_sink *s)
{
	if (!s)
		return;
	EVP_MD_CTX_free(s->md);
	free(s);
}
