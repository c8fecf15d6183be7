/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits - how much of somebody else's layer we are willing to look at.  All in one place so that a
 * bomb stops at a number with a name and a document can say which.  They are far above what real
 * images hold (the largest public ones: 20 GiB unpacked, 600,000 entries).
 */
#ifndef FMT_LIMITS_H
#define FMT_LIMITS_H

#include <stdint.h>

/* Bytes of the uncompressed tar; the caller may set another with --max-size. */
#define LIMIT_TAR_BYTES (UINT64_C(64) << 30)
/* Above this many uncompressed bytes a layer may not have grown by more than LIMIT_RATIO since its
 * compressed form: deflate reaches 1030 on zeros and zstd far more, real layers stay under 30. */
#define LIMIT_RATIO_FREE (UINT64_C(1) << 30)
#define LIMIT_RATIO	 200

#define LIMIT_ENTRIES 2000000
/* Names, link targets and extended attributes of a layer together: kept in memory until the end. */
#define LIMIT_META_BYTES (UINT64_C(1) << 30)
/* File tails kept in memory for the metadata area; beyond it, files end in a block of their own. */
#define LIMIT_TAIL_BYTES (UINT64_C(128) << 20)

#define LIMIT_NAME  255	 /* NAME_MAX of every Linux file system, and of EROFS */
#define LIMIT_PATH  4095 /* PATH_MAX without the NUL: what is longer, nobody could open */
#define LIMIT_LINK  4095
#define LIMIT_DEPTH 512

#define LIMIT_XATTR_NAME  255
#define LIMIT_XATTR_VALUE 65535	      /* e_value_size of EROFS has 16 bits; Linux allows 65536 */
#define LIMIT_XATTR_TOTAL (128 << 10) /* names and values of one inode */
#define LIMIT_XATTRS	  256	      /* of one inode */

#define LIMIT_PAX  (1 << 20) /* bytes of a pax header: room for LIMIT_XATTR_TOTAL several times */
#define LIMIT_RUNS 262144    /* pieces of data in one sparse file */

#define LIMIT_FILE_BYTES (UINT64_C(16) << 40) /* apparent size of a sparse file */
#define LIMIT_LAYERS	 512		      /* of one image */

#endif
