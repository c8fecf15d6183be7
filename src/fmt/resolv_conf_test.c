/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/test.h"
#include "fmt/resolv_conf.h"

TEST(what_counts_is_read)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf b = BUF_INIT(4096);
	struct resolv_conf c;

	resolv_conf_parse("# made by hand\n"
			  "domain old.example\n"
			  "nameserver 192.0.2.53 # first\n"
			  "nameserver\t127.0.0.53\r\n"
			  "nameserver fe80::1%eth0\n"
			  "nameserver\n"
			  "nameservers 1.1.1.1\n"
			  "search a.example  b.example ; no more\n"
			  "options ndots:2\n"
			  "options edns0",
			  &a, &c);
	resolv_conf_write(&c, &b);
	CHECK_STR(b.p, "search a.example b.example\n"
		       "nameserver 192.0.2.53\nnameserver 127.0.0.53\nnameserver fe80::1%eth0\n"
		       "options ndots:2 edns0\n");
	resolv_conf_parse("", &a, &c);
	CHECK_INT(c.servers.n, 0);
	resolv_conf_parse("nameserver 1.1.1.1", &a, &c);
	CHECK_INT(c.servers.n, 1);
}

TEST(servers_that_stay_behind)
{
	CHECK(resolv_conf_local("127.0.0.53"));
	CHECK(resolv_conf_local("0.0.0.0"));
	CHECK(resolv_conf_local("::1"));
	CHECK(resolv_conf_local("fe80::1%eth0"));
	CHECK(resolv_conf_local("nonsense"));
	CHECK(!resolv_conf_local("192.0.2.53"));
}

TEST(many_lines_are_bounded)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf b = BUF_INIT(1 << 20);
	struct resolv_conf c;

	for (int i = 0; i < 5000; i++)
		buf_puts(&b, "nameserver 192.0.2.1\noptions a b c d\n");
	resolv_conf_parse(b.p, &a, &c);
	CHECK_INT(c.servers.n, RESOLV_CONF_WORDS_MAX);
	CHECK_INT(c.options.n, RESOLV_CONF_WORDS_MAX);
}

TEST_MAIN(T(what_counts_is_read), T(servers_that_stay_behind), T(many_lines_are_bounded))
