/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/erofs.h"
#include "base/str.h"

#include <sys/stat.h>

/* Index in the table is the number on disk; 5 is Lustre's and never ours. */
static const char *const prefixes[] = {
    NULL, "user.",     "system.posix_acl_access", "system.posix_acl_default", "trusted.",
    NULL, "security.",
};

unsigned int erofs_xattr_index(const char *name, const char **suffix)
{
	for (unsigned int i = 1; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		const char *rest = prefixes[i] ? str_after(name, prefixes[i]) : NULL;

		/* The two ACL names are complete, the others want something behind the dot. */
		if (rest && (i == 2 || i == 3) == (*rest == '\0')) {
			*suffix = rest;
			return i;
		}
	}
	return 0;
}

const char *erofs_xattr_prefix(unsigned int index)
{
	return index < sizeof(prefixes) / sizeof(prefixes[0]) ? prefixes[index] : NULL;
}

unsigned int erofs_type(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return 1;
	case S_IFDIR:
		return 2;
	case S_IFCHR:
		return 3;
	case S_IFBLK:
		return 4;
	case S_IFIFO:
		return 5;
	case S_IFSOCK:
		return 6;
	case S_IFLNK:
		return 7;
	default:
		return 0;
	}
}

/* CRC-32C (Castagnoli), bit by bit: 3 KiB per image are not worth a table.  No final inversion, as
 * the kernel's crc32c() has none. */
static uint32_t crc32c(uint32_t crc, const uint8_t *p, size_t len)
{
	while (len--) {
		crc ^= *p++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (0x82F63B78u & -(crc & 1));
	}
	return crc;
}

uint32_t erofs_checksum(const uint8_t *block)
{
	static const uint8_t zero[4];
	const uint8_t *super = block + EROFS_SUPER_AT;
	uint32_t crc = crc32c(~0u, super, 4);

	crc = crc32c(crc, zero, 4);
	return crc32c(crc, super + 8, EROFS_BLOCK - EROFS_SUPER_AT - 8);
}
