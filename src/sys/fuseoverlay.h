/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuseoverlay - an overlay made by the program fuse-overlayfs, for where the kernel's own takes no
 * writable layer, or shifts no ids.
 *
 * The mount is made here and attached nowhere; the program only serves it, through the descriptor
 * of /dev/fuse that it inherits (libfuse: a mount point called /dev/fd/N).  It ends by itself when
 * nobody has the mount any more, and is killed when its parent dies; then whatever is done in the
 * mount fails with ENOTCONN.  Nothing is kept back from the upper directory (writeback=0): that
 * holds what was written.
 *
 * What the upper directory says in other words than the kernel's overlay: "user.fuseoverlayfs."
 * attributes; ".wh.NAME" files where no device 0:0 can be made; ".wh..wh..opq" and ".wh..opq" in an
 * opaque directory.  Names of that form are refused in the mount itself.
 */
#ifndef SYS_FUSEOVERLAY_H
#define SYS_FUSEOVERLAY_H

#include <stddef.h>
#include <sys/types.h>

struct err;
struct overlay_spec;

#define FUSEOVERLAY_NAME "fuse-overlayfs"

struct fuseoverlay_opts {
	const char *program;		 /* absolute */
	const char *mount_ns;		 /* where the directories are seen; NULL: here */
	const struct overlay_spec *dirs; /* absolute paths; .options are the kernel's, not used */
	const char *uids, *gids;	 /* "ON-DISK:SHOWN:COUNT[:...]", or NULL: as they are */
};

struct fuseoverlay {
	int root;  /* the mount */
	int pidfd; /* of the program, a child of ours; readable when it has ended */
	int words; /* what it says, to be read when it has ended */
	pid_t pid;
};
#define FUSEOVERLAY_INIT ((struct fuseoverlay){.root = -1, .pidfd = -1, .words = -1})

/* ERR_UNSUPPORTED: no /dev/fuse for us, or a path that its options cannot hold. */
int fuseoverlay_start(const struct fuseoverlay_opts *o, struct fuseoverlay *out, struct err *e);

/* Its last words, as an error (for after it has ended). */
int fuseoverlay_gone(struct fuseoverlay *f, struct err *e);

/* Kill and reap it, and close all.  The empty value is fine. */
void fuseoverlay_stop(struct fuseoverlay *f);
#define auto_fuseoverlay __attribute__((cleanup(fuseoverlay_stop)))

#endif
