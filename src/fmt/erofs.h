/* SPDX-License-Identifier: Apache-2.0 */
/*
 * erofs - the on-disk structures of the part of EROFS that our layers use; all integers are
 * little-endian.  What we write and why: docs/formats/layer.md.
 * Source: Linux, Documentation/filesystems/erofs.rst and fs/erofs/erofs_fs.h (the format's facts).
 */
#ifndef FMT_EROFS_H
#define FMT_EROFS_H

#include <stddef.h>
#include <stdint.h>

#define EROFS_MAGIC	   0xE0F5E1E2u
#define EROFS_SUPER_AT	   1024 /* byte offset of the superblock */
#define EROFS_BLOCK	   4096
#define EROFS_BLOCK_BITS   12
#define EROFS_SLOT	   32 /* inode numbers count slots of this size from meta_blkaddr */
#define EROFS_BLOCK_SLOTS  (EROFS_BLOCK / EROFS_SLOT)
#define EROFS_HOLE	   UINT32_MAX /* chunk without data */
#define EROFS_ROOT_NID_MAX UINT16_MAX

#define EROFS_COMPAT_SB_CHKSUM 1u
#define EROFS_COMPAT_MTIME     2u
#define EROFS_INCOMPAT_CHUNKED 4u /* Linux 5.15 */

enum erofs_layout {
	EROFS_FLAT_PLAIN = 0,  /* whole blocks from raw_blkaddr */
	EROFS_FLAT_INLINE = 2, /* whole blocks, the rest behind the inode and its attributes */
	EROFS_CHUNKED = 4,     /* an array of block addresses behind the inode */
};

struct erofs_super {
	uint32_t magic;
	uint32_t checksum; /* crc32c of the block's rest from here, this field as zero */
	uint32_t feature_compat;
	uint8_t block_bits;
	uint8_t ext_slots;
	uint16_t root_nid;
	uint64_t inos;
	uint64_t build_time; /* of compact inodes, seconds */
	uint32_t build_time_nsec;
	uint32_t blocks;
	uint32_t meta_blkaddr;
	uint32_t xattr_blkaddr;
	uint8_t uuid[16];
	uint8_t volume[16];
	uint32_t feature_incompat;
	uint16_t compression;
	uint16_t extra_devices;
	uint16_t devt_slotoff;
	uint8_t dirblk_bits;
	uint8_t reserved[37];
};
_Static_assert(sizeof(struct erofs_super) == 128, "on disk");

/* Both inode forms begin alike: bit 0 of format is the form (1: extended), bits 1-3 the layout. */
struct erofs_compact {
	uint16_t format;
	uint16_t xattr_count; /* 0, or 1 + (bytes of attributes - 12) / 4 */
	uint16_t mode;
	uint16_t nlink;
	uint32_t size;
	uint32_t reserved;
	uint32_t u; /* first block, device number or chunk format */
	uint32_t ino;
	uint16_t uid, gid;
	uint32_t reserved2;
};
_Static_assert(sizeof(struct erofs_compact) == 32, "on disk");

struct erofs_extended {
	uint16_t format;
	uint16_t xattr_count;
	uint16_t mode;
	uint16_t reserved;
	uint64_t size;
	uint32_t u;
	uint32_t ino;
	uint32_t uid, gid;
	uint64_t mtime;
	uint32_t mtime_nsec;
	uint32_t nlink;
	uint8_t reserved2[16];
};
_Static_assert(sizeof(struct erofs_extended) == 64, "on disk");

struct erofs_dirent {
	uint64_t nid;
	uint16_t nameoff; /* from the start of the directory block */
	uint8_t type;	  /* 1 file, 2 dir, 3 chr, 4 blk, 5 fifo, 6 socket, 7 symlink */
	uint8_t reserved;
} __attribute__((packed));
_Static_assert(sizeof(struct erofs_dirent) == 12, "on disk");

#define EROFS_XATTR_HEAD 12 /* bytes before the first attribute; byte 4 counts shared ones */
struct erofs_xattr {
	uint8_t name_len;
	uint8_t index; /* which prefix, see erofs_xattr_index() */
	uint16_t value_len;
	/* name without prefix, value, padding to 4 */
};
_Static_assert(sizeof(struct erofs_xattr) == 4, "on disk");

/* The number of the prefix of name ("user.", "trusted.", ...), or 0 when EROFS has none for it;
 * *suffix points behind the prefix. */
unsigned int erofs_xattr_index(const char *name, const char **suffix);
/* The prefix of that number, or NULL. */
const char *erofs_xattr_prefix(unsigned int index);

/* Directory entry type of a mode, 0 when it has none. */
unsigned int erofs_type(uint32_t mode);

/* The checksum of a superblock that lies at EROFS_SUPER_AT of block (a whole EROFS_BLOCK). */
uint32_t erofs_checksum(const uint8_t *block);

/* Device numbers as the kernel's new_encode_dev() lays them out: 12 bits major, 20 bits minor. */
static inline uint32_t erofs_rdev(uint32_t major, uint32_t minor)
{
	return (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12;
}

#endif
