/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/test.h"
#include "fmt/criu_rpc.h"

#include <stdio.h>
#include <string.h>

/* Every field as the reference implementation (criu's rpc.proto through Google's library) writes
 * it; the order of fields is free. */
static const char *const reference[] = {
    "0803",
    "1007",
    "1801",
    "2001",
    "2801",
    "3001",
    "3801",
    "4001",
    "4804",
    "5205722e6c6f67",
    "5a080a033a3a3110ac02",
    "6001",
    "6a022f72",
    "72042e2e2f70",
    "7801",
    "800101",
    "880104",
    "900101",
    "c00101",
    "ca01090a0363707512022f61",
    "ca010412022f62",
    "d00101",
    "da010c0a08706970653a5b315d100a",
    "900203",
    "aa020a6d6e745b2f785d3a2f79",
    "b0028080808004",
    "e202022f66",
    "f00201",
    "800301",
    "900301",
    "aa0303613a62",
    "fa030163",
};

TEST(request_has_the_reference_bytes)
{
	const char *external[] = {"mnt[/x]:/y", NULL};
	struct strs ext = {external, 1};
	struct criu_rpc_pair inherit = {.key = "pipe:[1]", .fd = 10};
	struct criu_rpc_pair roots[] = {{.key = "cpu", .path = "/a"}, {.key = "", .path = "/b"}};
	struct criu_rpc_opts o = {
	    .images_fd = 3,
	    .work_fd = 4,
	    .pid = 7,
	    .log_level = 4,
	    .log_file = "r.log",
	    .page_server = "::1",
	    .page_server_port = 300,
	    .root = "/r",
	    .parent = "../p",
	    .freeze_cgroup = "/f",
	    .lsm_profile = "a:b",
	    .lsm_mount_context = "c",
	    .leave_running = true,
	    .ext_unix_sk = true,
	    .tcp_established = true,
	    .evasive_devices = true,
	    .shell_job = true,
	    .file_locks = true,
	    .notify = true,
	    .track_mem = true,
	    .auto_dedup = true,
	    .link_remap = true,
	    .sibling = true,
	    .skip_in_flight = true,
	    .lazy_pages = true,
	    .orphan_pts = true,
	    .manage_cgroups = true,
	    .cgroups = CRIU_RPC_CGROUPS_SOFT,
	    .empty_ns = 0x40000000,
	    .external = &ext,
	    .inherit = {&inherit, 1},
	    .cgroup_roots = {roots, 2},
	};
	auto_buf struct buf b = BUF_INIT(4096), hex = BUF_INIT(8192);
	size_t sum = 0;

	criu_rpc_request(&b, CRIU_RPC_RESTORE, &o);
	for (size_t i = 0; i < b.len; i++)
		buf_printf(&hex, "%02x", (unsigned char)b.p[i]);
	CHECK(strncmp(hex.p, "0802129101", 10) == 0);
	for (size_t i = 0; i < sizeof(reference) / sizeof(reference[0]); i++) {
		CHECK(strstr(hex.p + 10, reference[i]) != NULL);
		sum += strlen(reference[i]);
	}
	CHECK_INT(hex.len, 10 + sum);
}

TEST(a_negative_descriptor_is_ten_bytes)
{
	struct criu_rpc_opts o = {.images_fd = -1, .work_fd = -1};
	auto_buf struct buf b = BUF_INIT(4096);

	criu_rpc_request(&b, CRIU_RPC_VERSION, &o);
	CHECK(b.len == 17 && memcmp(b.p,
				    "\x08\x0a\x12\x0d\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff"
				    "\x01\x48\x00",
				    17) == 0);
}

TEST(notified)
{
	auto_buf struct buf b = BUF_INIT(64);

	criu_rpc_notified(&b, true);
	CHECK(b.len == 4 && memcmp(b.p, "\x08\x06\x18\x01", 4) == 0);
}

TEST(a_request_that_is_too_long_fails_its_buffer)
{
	const char *external[] = {"0123456789012345678901234567890123456789", NULL};
	struct strs ext = {external, 1};
	struct criu_rpc_opts o = {.images_fd = 3, .external = &ext};
	auto_buf struct buf b = BUF_INIT(16);

	criu_rpc_request(&b, CRIU_RPC_DUMP, &o);
	CHECK(buf_fail(&b, "request", NULL) < 0);
}

#define PARSE(text, r) criu_rpc_parse(text, sizeof(text) - 1, r, NULL)

TEST(responses)
{
	struct criu_rpc_response r;

	CHECK_INT(PARSE("\x08\x06\x10\x01\x2a\x14\x0a\x10setup-namespaces\x10\x2a", &r), 0);
	CHECK(r.type == CRIU_RPC_NOTIFY && r.success);
	CHECK_STR(r.script, "setup-namespaces");
	CHECK_INT(r.pid, 42);
	CHECK_INT(PARSE("\x08\x02\x10\x01\x22\x03\x08\xe7\x24", &r), 0);
	CHECK(r.type == CRIU_RPC_RESTORE && r.success);
	CHECK_INT(r.pid, 4711);
	CHECK_INT(PARSE("\x08\x01\x10\x00\x38\x34\x4a\x09"
			"bad\nthing",
			&r),
		  0);
	CHECK(!r.success);
	CHECK_INT(r.error, 52);
	CHECK_STR(r.message, "bad thing");
	/* Unknown fields, fixed ones too, are passed over. */
	CHECK_INT(PARSE("\x08\x01\xa1\x06"
			"12345678\xa5\x06"
			"1234\xaa\x06\x01x\x10\x01",
			&r),
		  0);
	CHECK(r.success);
}

TEST(what_is_not_a_message_is_refused)
{
	struct criu_rpc_response r = {.pid = 99};

	CHECK(PARSE("", &r) < 0);
	CHECK(PARSE("\x10\x01", &r) < 0);		  /* no type */
	CHECK(PARSE("\x08", &r) < 0);			  /* ends in a field */
	CHECK(PARSE("\x08\x01\x4a\x7f", &r) < 0);	  /* longer than the packet */
	CHECK(PARSE("\x08\x01\x2a\x02\x0a\x05", &r) < 0); /* so is the inner one */
	CHECK(PARSE("\x08\x01\x0b", &r) < 0);		  /* a group */
	CHECK(PARSE("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", &r) < 0);
	CHECK(PARSE("\x08\x02\x22\x06\x08\xff\xff\xff\xff\x0f", &r) < 0); /* pid -1 */
	CHECK_INT(r.pid, 99);
}

TEST_MAIN(T(request_has_the_reference_bytes), T(a_negative_descriptor_is_ten_bytes), T(notified),
	  T(a_request_that_is_too_long_fails_its_buffer), T(responses),
	  T(what_is_not_a_message_is_refused))
