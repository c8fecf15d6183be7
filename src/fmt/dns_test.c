/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "fmt/dns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static const uint8_t web[] = "\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03wEb\x03Net\0\0\x01\0\x01";
#define WEB (sizeof(web) - 1)

TEST(a_question_is_read)
{
	struct dns_question q;

	CHECK_INT(dns_question_read(web, WEB, &q), 0);
	CHECK_STR(q.name, "web.net");
	CHECK(q.plain);
	CHECK_INT(q.id, 0x1234);
	CHECK_INT(q.type, DNS_A);
	CHECK_INT(q.end, WEB);
}

TEST(what_is_no_question_is_refused)
{
	uint8_t b[DNS_QUESTION_MAX + 1] = {0};
	struct dns_question q;

	/* Every shorter piece. */
	for (size_t n = 0; n < WEB; n++)
		CHECK(dns_question_read(web, n, &q) != 0);
	memcpy(b, web, WEB);
	CHECK_INT(dns_question_read(b, sizeof(b), &q), -EBADMSG);
	b[2] |= 0x80; /* an answer, else two servers could answer one another for ever */
	CHECK_INT(dns_question_read(b, WEB, &q), -EBADMSG);
	b[2] = 0x28;
	CHECK_INT(dns_question_read(b, WEB, &q), DNS_NOT_DONE);
	b[2] = 1;
	b[5] = 2;
	CHECK_INT(dns_question_read(b, WEB, &q), DNS_BAD_FORMAT);
	b[5] = 1;
	b[12] = 0xc0; /* a pointer, to itself */
	b[13] = 12;
	CHECK_INT(dns_question_read(b, WEB, &q), DNS_BAD_FORMAT);
	memcpy(b, web, WEB);
	b[13] = '.'; /* a dot within a label is no dot between two */
	CHECK_INT(dns_question_read(b, WEB, &q), 0);
	CHECK(!q.plain);
}

TEST(a_name_as_long_as_it_may_be)
{
	uint8_t b[512] = {0, 1, 1, 0, 0, 1};
	uint8_t out[DNS_ANSWER_MAX];
	struct dns_record v[DNS_ANSWERS_MAX + 4];
	struct dns_question q;
	size_t at = 12;

	for (int i = 0; i < 4; i++, at += 64) {
		b[at] = i < 3 ? 63 : 61;
		memset(b + at + 1, 'a', 63);
	}
	at = 12 + 3 * 64 + 62;
	b[at] = 0;
	CHECK_INT(dns_question_read(b, at + 5, &q), 0);
	CHECK_INT(strlen(q.name), 253);
	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++)
		v[i] = (struct dns_record){.type = DNS_PTR, .name = q.name};
	CHECK(dns_answer_write(b, &q, 0, v, sizeof(v) / sizeof(*v), 1, out) <= DNS_ANSWER_MAX);
	b[12 + 3 * 64] = 62;
	memset(b + at, 'a', 8);
	b[at + 1] = 0;
	CHECK_INT(dns_question_read(b, at + 6, &q), DNS_BAD_FORMAT);
}

TEST(answers)
{
	uint8_t out[DNS_ANSWER_MAX];
	struct dns_question q;
	struct dns_record v[2] = {{.type = DNS_A, .addr = {172, 28, 0, 2}},
				  {.type = DNS_AAAA, .addr = {0xfd, [15] = 9}}};
	size_t n;

	CHECK_INT(dns_question_read(web, WEB, &q), 0);
	n = dns_answer_write(web, &q, DNS_OK, v, 2, 5, out);
	CHECK_INT(n, WEB + 16 + 28);
	CHECK(memcmp(out, "\x12\x34\x85\x80\0\x01\0\x02\0\0\0\0", 12) == 0);
	CHECK(memcmp(out + WEB, "\xc0\x0c\0\x01\0\x01\0\0\0\x05\0\x04\xac\x1c\0\x02", 16) == 0);
	CHECK(dns_answers(out, n, 0x1234, web, &q));
	CHECK(!dns_answers(out, n, 0x1235, web, &q));
	CHECK(!dns_answers(web, WEB, 0x1234, web, &q));
	out[14] = 'x'; /* another question's */
	CHECK(!dns_answers(out, n, 0x1234, web, &q));
	v[0] = (struct dns_record){.type = DNS_PTR, .name = "web.red"};
	n = dns_answer_write(web, &q, DNS_OK, v, 1, 5, out);
	CHECK(memcmp(out + WEB + 10, "\0\x09\x03web\x03red\0", 11) == 0);
	CHECK_INT(dns_answer_write(web, NULL, DNS_BAD_FORMAT, NULL, 0, 0, out), DNS_HEADER);
	CHECK_INT(out[3] & 15, DNS_BAD_FORMAT);
}

TEST(reverse_names)
{
	uint8_t a[16];

	CHECK_INT(dns_reverse_name("2.0.28.172.in-addr.arpa", a), AF_INET);
	CHECK(memcmp(a, "\xac\x1c\0\x02", 4) == 0);
	CHECK_INT(dns_reverse_name("2.0.28.272.in-addr.arpa", a), 0);
	CHECK_INT(dns_reverse_name("2.0.28.in-addr.arpa", a), 0);
	CHECK_INT(dns_reverse_name("2.0.28.172.in-addr.arpa.evil", a), 0);
	CHECK_INT(dns_reverse_name("9.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
				   "d.f.ip6.arpa",
				   a),
		  AF_INET6);
	CHECK(a[0] == 0xfd && a[15] == 9);
	CHECK_INT(dns_reverse_name("x.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
				   "d.f.ip6.arpa",
				   a),
		  0);
}

TEST_MAIN(T(a_question_is_read), T(what_is_no_question_is_refused), T(a_name_as_long_as_it_may_be),
	  T(answers), T(reverse_names))
