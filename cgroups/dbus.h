/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * As much D-Bus as it takes to ask systemd for a scope.
 *
 * Writing: a message is filled from front to back; failures are remembered and
 * reported once, when it is sent.
 *
 *	cg_dbus_call(&m, path, interface, member, "ssa(sv)a(sa(sv))");
 *	cg_dbus_str(&m, "x.scope");
 *	cg_dbus_str(&m, "fail");
 *	a = cg_dbus_open(&m, 8);		an array of structs
 *		cg_dbus_align(&m, 8);		each struct
 *		cg_dbus_str(&m, "TasksMax");
 *		cg_dbus_sig(&m, "t");		the variant's signature
 *		cg_dbus_u64(&m, 42);
 *	cg_dbus_close(&m, a);
 *
 * Reading: a message is bytes of a peer; every read is bounded by its end, and
 * the types read must be those its signature names.
 *
 * Only our own byte order is spoken: both ends are on one machine.
 */
#include "base/err.h"

/* The specification allows 128 MiB; what we exchange has a few hundred bytes.
 */
#define CG_DBUS_MAX (1U << 20)

enum cg_dbus_type {
	CG_DBUS_CALL = 1,
	CG_DBUS_RETURN = 2,
	CG_DBUS_ERROR = 3,
	CG_DBUS_SIGNAL = 4,
};

struct cg_dbus_out {
	uint8_t *v;
	size_t n, room;
	size_t body; /* where it starts */
	int error;
};

/* signature "": no arguments. destination NULL: none (a direct connection). */
void cg_dbus_call(struct cg_dbus_out *m, const char *destination,
		  const char *path, const char *interface, const char *member,
		  const char *signature);
void cg_dbus_align(struct cg_dbus_out *m, size_t to);
void cg_dbus_byte(struct cg_dbus_out *m, uint8_t v);
void cg_dbus_u16(struct cg_dbus_out *m, uint16_t v);
void cg_dbus_u32(struct cg_dbus_out *m, uint32_t v);
void cg_dbus_u64(struct cg_dbus_out *m, uint64_t v);
void cg_dbus_str(struct cg_dbus_out *m, const char *s);
void cg_dbus_sig(struct cg_dbus_out *m, const char *s);
/* An array of elements that are aligned so; close with what it gives. */
struct cg_dbus_array {
	size_t length; /* where the length stands */
	size_t start;  /* of the first element */
};
struct cg_dbus_array cg_dbus_open(struct cg_dbus_out *m, size_t align);
void cg_dbus_close(struct cg_dbus_out *m, struct cg_dbus_array a);
void cg_dbus_bytes(struct cg_dbus_out *m, const void *v, size_t n);
/* Fills in what is known only now. */
MUST_CHECK int cg_dbus_finish(struct cg_dbus_out *m, uint32_t serial,
			      struct err *e);
void cg_dbus_out_done(struct cg_dbus_out *m);

struct cg_dbus_in {
	uint8_t *v;
	size_t n;
	size_t at;	  /* in the body */
	const char *todo; /* what of the signature is not read yet */

	enum cg_dbus_type type;
	uint32_t reply_to;
	/* They point into v; "" when absent. */
	const char *path, *interface, *member, *error, *signature;
};

/* The whole size of a message by its first 16 bytes; -EPROTO. */
#define CG_DBUS_HEADER 16
MUST_CHECK int cg_dbus_size(const uint8_t *head, size_t *ret, struct err *e);
/* Takes over v, n bytes from malloc(). */
MUST_CHECK int cg_dbus_parse(uint8_t *v, size_t n, struct cg_dbus_in *ret,
			     struct err *e);
/* The next argument: a string or object path; a u. -EPROTO when it is none. */
MUST_CHECK int cg_dbus_read_str(struct cg_dbus_in *m, const char **ret);
MUST_CHECK int cg_dbus_read_u32(struct cg_dbus_in *m, uint32_t *ret);
/* A variant that holds a string. */
MUST_CHECK int cg_dbus_read_var_str(struct cg_dbus_in *m, const char **ret);
void cg_dbus_in_done(struct cg_dbus_in *m);
