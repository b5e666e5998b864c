/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * virtio-vsock, inside. virtio_vsock.c speaks with the guest (queues and
 * packets), vsock_conn.c with the host (sockets), vsock_listen.c lets the
 * host connect.
 *
 *	guest			  struct vsock_conn		  host
 *	tx queue ----------> [ what the host has not taken ] --> fd
 *	rx queue <---------- one packet at a time <------------- fd
 *
 * Towards the host a connection buffers at most VSOCK_BUF bytes, which is
 * what the guest is told it may send; one that sends more is cut off. Towards
 * the guest nothing is buffered: the descriptor is read when the guest has
 * lent us a buffer and has room itself.
 *
 * A connection waits for its turn in the ready list while it has something
 * for the guest. Refusals for connections that do not exist wait in a ring of
 * their own; when that is full, no more packets of the guest are read.
 */
#include <linux/virtio_vsock.h>

#include "microvm/virtio.h"
#include "microvm/vm_config.h"

#define VSOCK_HOST_CID	2U
#define VSOCK_BUF	(128U << 10)
#define VSOCK_MAX_CONNS 512U
#define VSOCK_BUCKETS	64U
#define VSOCK_MAX_RSTS	64U
/* Host ports of connections that the host began. */
#define VSOCK_FIRST_PORT (1U << 30)

enum vsock_queue {
	VSOCK_RX,
	VSOCK_TX,
	VSOCK_EVENT,
	VSOCK_N_QUEUES,
};

enum vsock_state {
	VSOCK_GREETING,	 /* the host has to say which port it wants */
	VSOCK_REQUESTED, /* the guest has to accept */
	VSOCK_OPEN,
	VSOCK_LINGERING, /* unknown to the guest; the host gets the rest */
};

/* What has to be told to the guest, in this order. */
enum vsock_pending {
	VSOCK_SEND_RST = 1 << 0, /* and that is the end */
	VSOCK_SEND_REQUEST = 1 << 1,
	VSOCK_SEND_RESPONSE = 1 << 2,
	VSOCK_SEND_CREDIT = 1 << 3,
	VSOCK_SEND_SHUTDOWN = 1 << 4,
};

struct vsock;

struct vsock_conn {
	struct vsock *vs;
	struct vsock_conn *next;       /* in its bucket */
	struct vsock_conn *next_ready; /* in the ready list */
	bool is_ready;
	uint32_t host_port, guest_port;
	int fd;
	bool own_fd;
	struct loop_source *source;
	enum vsock_state state;
	unsigned int pending; /* enum vsock_pending */

	/* The descriptor is edge-triggered: true until it says EAGAIN. */
	bool readable, writable;
	bool host_hung_up; /* it can neither send nor receive */
	bool host_done;	   /* it will send no more */
	bool host_deaf;	   /* it will take no more */
	bool guest_done;   /* the guest will send no more */
	bool guest_deaf;   /* the guest wants no more */

	uint32_t guest_alloc, guest_taken; /* its credit, as it says */
	uint32_t sent;			   /* to the guest */
	uint32_t taken, taken_told;	   /* by the host, of the guest's */
	uint32_t received;		   /* from the guest */

	uint8_t *buf; /* a ring, made when first needed */
	uint32_t buf_at, buf_len;
};

struct vsock_address {
	uint32_t host_port, guest_port;
};

struct vsock {
	struct virtio_dev dev;
	struct virtio_vsock_config config;
	const struct vm_vsock *setup;
	struct loop_source *listener;
	struct vsock_conn *bucket[VSOCK_BUCKETS];
	struct vsock_conn *lingering;
	struct vsock_conn *ready, **ready_end;
	uint32_t n_conns;
	uint32_t next_port;
	uint64_t taken_ports; /* of setup->ports: bit i has been used */
	struct vsock_address rst[VSOCK_MAX_RSTS];
	uint32_t rst_at, n_rsts;
	bool stalled; /* packets of the guest wait for room among the rsts */
};

/* vsock_conn.c */

struct vsock_conn *vsock_find(struct vsock *vs, uint32_t host_port,
			      uint32_t guest_port);
/* Takes over fd when own. NULL: no room, no memory; fd is closed then. */
struct vsock_conn *vsock_conn_new(struct vsock *vs, int fd, bool own,
				  enum vsock_state state);
/* Puts it where vsock_find() looks. */
void vsock_conn_name(struct vsock_conn *c, uint32_t host_port,
		     uint32_t guest_port);
void vsock_conn_free(struct vsock_conn *c);
/* What the guest may still send us, from its point of view. */
uint32_t vsock_room_told(const struct vsock_conn *c);
/* What we may still send to the guest. */
uint32_t vsock_credit(const struct vsock_conn *c);
/* The guest's bytes, on to the host. False: it sent more than it may, or
 * there is no memory: the connection cannot go on. */
bool vsock_to_host(struct vsock_conn *c, struct iovec *v, uint32_t n,
		   size_t len);
/* What the guest's end of sending means for the host's descriptor. */
void vsock_settle(struct vsock_conn *c);
/* The guest has dropped it: the host still gets what is buffered. */
void vsock_linger(struct vsock_conn *c);
/* Puts it into the ready list if it has something for the guest. */
void vsock_wake(struct vsock_conn *c);
void vsock_tell(struct vsock_conn *c, enum vsock_pending what);
/* The first of the ready list, which it leaves. */
struct vsock_conn *vsock_next_ready(struct vsock *vs);

/* vsock_listen.c */

MUST_CHECK int vsock_listen(struct vsock *vs, struct err *e);
/* The host's socket for a port the guest asks for, or -1. */
int vsock_connect_host(struct vsock *vs, uint32_t port, bool *ret_own);
/* A greeting may have come: asks the guest, or ends the connection. */
void vsock_greet(struct vsock_conn *c);
/* "OK <port>", to the host. */
void vsock_accepted(struct vsock_conn *c);

/* virtio_vsock.c */

/* Sends to the guest what waits and fits. May free connections. */
void vsock_pump(struct vsock *vs);
