/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/test.h"
#include "registry/blob_sink.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#define ABC "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static int feed(const char *text, uint64_t size, const char *digest, int pipe, struct err *e)
{
	int fd = memfd_create("blob", MFD_CLOEXEC), r;
	struct blob_sink *s = blob_sink_new(fd, pipe, digest, size, NULL, NULL);

	r = blob_sink_write(s, text, strlen(text), e);
	if (r >= 0)
		r = blob_sink_finish(s, e);
	blob_sink_free(s);
	close(fd);
	return r;
}

TEST(right_bytes)
{
	CHECK_INT(feed("abc", 3, ABC, -1, NULL), 0);
}

TEST(too_many_too_few_and_others)
{
	struct err e = ERR_INIT;

	CHECK(feed("abcd", 3, ABC, -1, &e) < 0);
	CHECK_STR(e.msg, "blob sha256:ba7816bf8f01: more than the 3 bytes it should have");
	CHECK(feed("ab", 3, ABC, -1, &e) < 0);
	CHECK_STR(e.msg, "blob sha256:ba7816bf8f01: ended after 2 of 3 bytes");
	CHECK(feed("abd", 3, ABC, -1, &e) < 0);
	CHECK_INT(e.kind, ERR_CORRUPT);
}

TEST(a_reader_that_goes_away_does_not_stop_it)
{
	int p[2];

	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	CHECK_INT(pipe2(p, O_CLOEXEC), 0);
	close(p[0]);
	CHECK_INT(feed("abc", 3, ABC, p[1], NULL), 0);
	close(p[1]);
}

TEST_MAIN(T(right_bytes), T(too_many_too_few_and_others),
	  T(a_reader_that_goes_away_does_not_stop_it))
