/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/err.h"
#include "base/test.h"
#include "fmt/publish.h"

static void full(const char *s, struct buf *out)
{
	struct publish p;
	struct err e = ERR_INIT;

	if (publish_parse(s, &p, &e) < 0)
		buf_puts(out, e.msg);
	else
		publish_write(&p, out);
}

TEST(every_form_docker_knows)
{
	static const char *const forms[][2] = {
	    {"80", "0.0.0.0::80/tcp"},
	    {":80", "0.0.0.0::80/tcp"},
	    {"8080:80", "0.0.0.0:8080:80/tcp"},
	    {"0:80", "0.0.0.0::80/tcp"},
	    {"127.0.0.1:8080:80", "127.0.0.1:8080:80/tcp"},
	    {"127.0.0.1::80", "127.0.0.1::80/tcp"},
	    {"53:53/UDP", "0.0.0.0:53:53/udp"},
	    {"8000-8005:8000-8005/udp", "0.0.0.0:8000-8005:8000-8005/udp"},
	    {"8000-8005:80", "0.0.0.0:8000-8005:80/tcp"},
	    {"1000-1002", "0.0.0.0::1000-1002/tcp"},
	    {"[::1]:8080:80/sctp", "[::1]:8080:80/sctp"},
	    {"[::]::80", "[::]::80/tcp"},
	    {"65535:65535", "0.0.0.0:65535:65535/tcp"},
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		auto_buf struct buf b = BUF_INIT(256);

		full(forms[i][0], &b);
		CHECK_STR(b.p, forms[i][1]);
	}
}

TEST(the_rest_is_refused)
{
	static const char *const forms[] = {
	    "",
	    ":",
	    "0",
	    "65536",
	    "-1",
	    "80-79",
	    "a:80",
	    "80:",
	    "80:a",
	    "1.2.3:80:80",
	    "127.0.0.1:80:",
	    "80/",
	    "80/icmp",
	    "80/tcp/x",
	    "1-2:1-3",
	    "1-2:1-3/udp",
	    "::1:80:80",
	    "[::1]:80",
	    "[1.2.3.4]:80:80",
	    "[::1:80:80",
	    "80 ",
	    " 80",
	    "0x50",
	    "8080:80:70:60",
	    "99999999999999999999",
	    "0-5:80",
	    "80-",
	    "-80",
	    "localhost:80:80",
	};
	char longer[300];

	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		struct publish p = {.proto = 9};
		struct err e = ERR_INIT;

		if (publish_parse(forms[i], &p, &e) == 0)
			printf("# '%s' was taken\n", forms[i]);
		CHECK_INT(e.kind, ERR_USAGE);
		CHECK_INT(p.proto, 9);
	}
	memset(longer, '1', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	CHECK(publish_parse(longer, &(struct publish){0}, NULL) < 0);
}

TEST_MAIN(T(every_form_docker_knows), T(the_rest_is_refused))
