/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attach - gives one instance its network and takes it away again.
 *
 * What is handed over are descriptors: a network namespace with a configured eth0 (container) or a
 * tap device on the bridge (VM).  Whoever holds them holds the devices: when the last copy and the
 * workload are gone the kernel removes veth, tap and namespace without us.  What does not vanish by
 * itself (the address, the elements in the packet filter, the ports) stands in files under
 * run-root/net, written before the thing it names exists, so that attach_remove() or a sweep finds
 * it after a kill -9.  Formats: docs/formats/net.md.
 *
 * The caller is single-threaded: a namespace is made by unshare() and setns() back.
 */
#ifndef NET_ATTACH_H
#define NET_ATTACH_H

#include "net/rate.h"
#include "spec/plan.h"

#include <stdbool.h>

struct err;
struct publish;

#define ATTACH_PORTS_MAX 4096 /* published ports of one instance */

#define ATTACH_NICS_MAX 16 /* networks of one instance */

/* One network that an instance is to be on. */
struct attach_endpoint {
	const char *network;	    /* its name; "none" and "host" only alone */
	const char *ip, *ip6, *mac; /* asked for; NULL: chosen */
	struct strs aliases;	    /* further names of the instance there */
};

struct attach_request {
	int root_fd;	  /* the store's root directory */
	int run_fd;	  /* the run-root directory */
	const char *id;	  /* 64 hex digits */
	const char *name; /* the instance's name */
	const char *hostname;
	int isolation;				 /* enum plan_isolation */
	const struct attach_endpoint *endpoints; /* eth0, eth1 ...; none: as "none" */
	size_t n_endpoints;
	const struct publish *publish;
	size_t n_publish;
	struct rate rate;	 /* on each network */
	struct strs extra_hosts; /* "name:address", address may be "host-gateway" */
	struct strs dns, dns_search, dns_options; /* empty: as on the host */
	const char *resolver; /* what the network answers names at; NULL: nothing */
	const char *libexec;  /* directory of caisson-names; NULL: networks answer no names */
};

/* Strings and lists live in the arena of the call; descriptors are the caller's. */
struct attach_result {
	int netns_fd; /* container on none or a bridge; else -1: the host's own namespace */
	int tap_fds[ATTACH_NICS_MAX]; /* VM: one for each of .nics */
	size_t n_taps;
	struct plan_nics nics; /* empty on none and host; the one with the ports has a gateway */
	const char *resolv_conf, *hosts, *hostname; /* contents of the files in /etc */
	struct publish *published; /* as asked for, with the host ports that were chosen */
	size_t n_published;
	/* Sockets bound to the published host ports, so that no other process can take them.  Let
	 * the monitor inherit them, or close them: publishing works without. */
	int *port_fds;
	size_t n_port_fds;
};

/* Errors: ERR_NOT_FOUND unknown network; ERR_CONFLICT a port is in use, no address is free, or the
 * instance is attached already, address or MAC address are taken; ERR_USAGE a bad extra host or
 * name server, an address outside of the network; ERR_UNSUPPORTED not
 * root, host network for a VM, IPv6 host address, no nft; ERR_SYSTEM.  After an error nothing is
 * left. */
int attach_instance(const struct attach_request *q, struct arena *a, struct attach_result *out,
		    struct err *e);

/* The files of an instance as its networks are now, without a start: only these of *out are set. */
int attach_files(const struct attach_request *q, struct arena *a, struct attach_result *out,
		 struct err *e);

/* Close the descriptors that are still the result's (set those handed over to -1 first). */
void attach_done(struct attach_result *r);

/* Undo: elements, ports, address.  The device is mute from here on and goes with its descriptor or
 * namespace.  Not attached is success.  Takes 4 to 15 ms, nearly all of it the kernel's wait for a
 * grace period: not on the way to an exit code that somebody waits for. */
int attach_remove(int run_fd, const char *id, struct err *e);

/* Remove what belongs to instances of which alive() says no.  An instance that is being started
 * must count as alive.  Returns how many were removed. */
int attach_sweep(int run_fd, bool (*alive)(const char *id, void *arg), void *arg, struct err *e);

#endif
