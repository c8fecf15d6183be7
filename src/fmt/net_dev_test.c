/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "fmt/net_dev.h"

static const char text[] =
    "Inter-|   Receive                                                |  Transmit\n"
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop\n"
    "    lo: 9000       5    0    0    0     0          0         0     9000       5    0    0 0\n"
    "  eth0:  100      2    3    4    0     0          0         0     500       6    7    8 0 0\n"
    "evil|x: 1 1 1 1 1 1 1 1 1 1 1 1 0\n"
    " short: 1 2 3\n";

TEST(all_but_loopback)
{
	struct net_dev d;

	CHECK(net_dev_sum(text, sizeof(text) - 1, NULL, &d));
	CHECK_INT(d.rx_bytes, 101);
	CHECK_INT(d.tx_bytes, 501);
	CHECK_INT(d.rx_dropped, 5);
	CHECK_INT(d.tx_errors, 8);
}

TEST(one_by_name)
{
	struct net_dev d;

	CHECK(net_dev_sum(text, sizeof(text) - 1, "eth0", &d));
	CHECK_INT(d.rx_packets, 2);
	CHECK(!net_dev_sum(text, sizeof(text) - 1, "eth", &d));
	CHECK(!net_dev_sum(text, sizeof(text) - 1, "short", &d));
	CHECK_INT(d.rx_bytes, 0);
	CHECK(!net_dev_sum("", 0, NULL, &d));
}

TEST_MAIN(T(all_but_loopback), T(one_by_name))
