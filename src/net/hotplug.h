/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hotplug - takes a container that runs to one more network, or off one.
 *
 * The namespace is the container's, which the caller has found by a pidfd.  Where the network that
 * has the default route goes, the next one that is not internal takes over the route and the
 * published ports.  What a kill -9 leaves is an attachment like any other (net/attach.h): the
 * record is there before the device.
 */
#ifndef NET_HOTPLUG_H
#define NET_HOTPLUG_H

struct attach_request;
struct err;

struct hotplug {
	const struct attach_request *q; /* its one endpoint is the network in question */
	int netns_fd;
};

/* Errors: as attach_instance(); ERR_CONFLICT it is on this network already; ERR_LIMIT it is on
 * ATTACHMENT_SLOTS of them.  After an error nothing is left. */
int hotplug_connect(const struct hotplug *h, struct err *e);
/* ERR_NOT_FOUND it is not on this network. */
int hotplug_disconnect(const struct hotplug *h, struct err *e);

#endif
