/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attachment - what an attached instance holds on this host, as files under run-root/net:
 *
 *   lock                           flock: whoever changes anything below, for microseconds
 *   attached/<id>.json             struct attachment: the intent, written before elements exist;
 *   attached/<id>-<slot>.json      the same of its second and further networks
 *   leases/<network>/<address>     content: id; made with O_EXCL
 *   leases/<network>/.next         where the search for a free address goes on
 *   ports/<protocol>-<port>/<host address>   content: id
 *
 * The directory vanishes at boot, like everything it describes.  The record goes last when an
 * attachment is removed, so a kill -9 at any point leaves something a sweep finds: a record, or a
 * lease or port without one.  Described in docs/formats/net.md.
 */
#ifndef NET_ATTACHMENT_H
#define NET_ATTACHMENT_H

#include "base/arena.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct publish;

struct attachment_port {
	int proto;	     /* enum publish_proto */
	const char *host_ip; /* "0.0.0.0": every address */
	uint32_t host_port, port;
};
struct attachment_ports {
	struct attachment_port *v;
	size_t n;
};

/* Networks of one instance; the interface of slot n is called eth<n>. */
#define ATTACHMENT_SLOTS 16
#define ATTACHMENT_ID	 64 /* digits of an id */

struct attachment {
	const char *id;	     /* instance, 64 hex digits */
	uint32_t slot;	     /* below ATTACHMENT_SLOTS */
	bool direct;	     /* rides on a device of the host (net/direct.h): no elements */
	bool main;	     /* has the default route, and the published ports */
	const char *network; /* name */
	const char *table;   /* nftables tables that hold its elements */
	const char *device;  /* the port of the bridge */
	const char *bridge;
	const char *mac;
	const char *address; /* "172.30.0.2" */
	struct attachment_ports ports;
	const char *gateway;		 /* the host's address on the network */
	const char *address6, *gateway6; /* NULL: IPv4 only */
	struct strs names; /* that others of the network find it by; its own comes first */
	bool resolves;	   /* the gateway answers names (net/nameproc.h) */
	const char *limiter; /* device of what it sends (net/rate.h); NULL: none */
	struct strs dns;   /* servers that are asked for others */
};

/* Open run-root/net (made when absent); attachment_lock() on it waits.  The lock goes with the
 * returned descriptor, so with the process. */
int attachment_dir(int run_fd, struct err *e);
int attachment_lock(int net_fd, struct err *e);

bool attachment_id_valid(const char *id);
/* Of the name of a file in attached/: the slot, and the id; -1 for one that is no record's. */
int attachment_slot(const char *file, char id[ATTACHMENT_ID + 1]);

/* All of these: the caller holds the lock. */

/* Lease the address wanted, or with NULL the next free one of the network, which was not freed a
 * moment ago: a name cache or a connection may still mean the former owner.  Errors: ERR_CONFLICT
 * it is, or all are, taken; ERR_USAGE it is not one of the network's. */
struct network;
int attachment_lease(int net_fd, const struct network *n, const char *wanted, const char *id,
		     struct arena *a, const char **address, struct err *e);

/* The IPv6 address: the one wanted, or the one that goes with the IPv4 address; NULL on a network
 * without IPv6.  Errors as above. */
int attachment_lease6(int net_fd, const struct network *n, const char *wanted, const char *id,
		      const char *address, struct arena *a, const char **address6, struct err *e);

/* A socket bound to the port, or -errno; *port 0: any, which is filled in.  proto: enum
 * publish_proto. */
int attachment_bind(int proto, struct in_addr ip, uint16_t *port);

/* Reserve host ports as q asks, choosing where it leaves the choice; appended to *ports, whose
 * storage has room.  talk: whom to ask for sockets of the host (aside.h), -1: make them here.  fds
 * (room for as many, may be NULL) gets the sockets bound to them, *n_fds how many. Errors:
 * ERR_CONFLICT naming address and port, ERR_USAGE the address is not this host's. */
int attachment_reserve(int net_fd, int talk, const struct publish *q, const char *id,
		       struct arena *a, struct attachment_ports *ports, int *fds, size_t *n_fds,
		       struct err *e);

int attachment_write(int net_fd, const struct attachment *at, struct err *e);
/* -ENOENT without a record (ERR_NOT_FOUND). */
int attachment_read(int net_fd, const char *id, uint32_t slot, struct arena *a,
		    struct attachment *out, struct err *e);
/* The instance is called otherwise from now on. */
int attachment_rename(int net_fd, const char *id, const char *name, struct err *e);
/* Give back ports, address and record, in this order. */
int attachment_release(int net_fd, const struct attachment *at, struct err *e);

/* The same from the directory attached/ itself, for who has no more than that. */
int attachment_read_file(int attached_fd, const char *file, struct arena *a, struct attachment *out,
			 struct err *e);

struct attachment_list {
	struct attachment *v;
	size_t n;
};
/* All of one instance, by slot.  Errors: a record that cannot be read. */
int attachment_of(int net_fd, const char *id, struct arena *a, struct attachment_list *out,
		  struct err *e);
/* Every record; one that cannot be read is left out. */
int attachment_list(int net_fd, struct arena *a, struct attachment_list *out, struct err *e);

/* As attachment_list(), but only the records of which alive() says no; the others are counted in
 * *living, not opened. */
int attachment_dead(int net_fd, bool (*alive)(const char *id, void *arg), void *arg,
		    struct arena *a, struct attachment_list *out, size_t *living, struct err *e);

/* Remove leases and ports whose instance has no record and is not alive.  records: how many records
 * there are; with as many leases, these are not looked at one by one. */
int attachment_orphans(int net_fd, bool (*alive)(const char *id, void *arg), void *arg,
		       size_t records, struct err *e);

#endif
