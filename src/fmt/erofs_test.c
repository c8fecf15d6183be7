/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "fmt/erofs.h"

#include <sys/stat.h>

TEST(attribute_names_find_their_prefix)
{
	const char *rest = "";

	CHECK_INT(erofs_xattr_index("user.a.b", &rest), 1);
	CHECK_STR(rest, "a.b");
	CHECK_INT(erofs_xattr_index("system.posix_acl_access", &rest), 2);
	CHECK_STR(rest, "");
	CHECK_INT(erofs_xattr_index("system.posix_acl_default", &rest), 3);
	CHECK_INT(erofs_xattr_index("trusted.x", &rest), 4);
	CHECK_INT(erofs_xattr_index("security.capability", &rest), 6);
	CHECK_INT(erofs_xattr_index("user.", &rest), 0);
	CHECK_INT(erofs_xattr_index("system.posix_acl_accessory", &rest), 0);
	CHECK_INT(erofs_xattr_index("com.apple.x", &rest), 0);
	CHECK_STR(erofs_xattr_prefix(4), "trusted.");
	CHECK(erofs_xattr_prefix(5) == NULL);
	CHECK(erofs_xattr_prefix(200) == NULL);
}

/* crc32c with seed ~0 and without the final inversion; the number was computed with another
 * implementation, and fsck.erofs agrees with it in tests/images/unpack_test.py. */
TEST(the_checksum_covers_the_block_behind_1024)
{
	static uint8_t block[EROFS_BLOCK];
	uint32_t zero = erofs_checksum(block), one;

	CHECK_INT(zero, 0xdf52be5c);
	block[EROFS_SUPER_AT + 4] = 0xff; /* the checksum's own place */
	block[0] = 0xff;		  /* a boot sector's */
	CHECK_INT(erofs_checksum(block), zero);
	block[EROFS_BLOCK - 1] = 1;
	one = erofs_checksum(block);
	CHECK(one != zero);
	block[EROFS_BLOCK - 1] = 0;
	block[EROFS_SUPER_AT] = 1;
	CHECK(erofs_checksum(block) != zero && erofs_checksum(block) != one);
}

TEST(device_numbers_are_the_kernels)
{
	CHECK_INT(erofs_rdev(1, 3), 0x103);
	CHECK_INT(erofs_rdev(259, 70000), (70000 & 0xff) | 259 << 8 | (70000 & ~0xff) << 12);
	CHECK_INT(erofs_type(S_IFDIR | 0755), 2);
	CHECK_INT(erofs_type(S_IFLNK), 7);
	CHECK_INT(erofs_type(0), 0);
}

TEST_MAIN(T(attribute_names_find_their_prefix), T(the_checksum_covers_the_block_behind_1024),
	  T(device_numbers_are_the_kernels))
