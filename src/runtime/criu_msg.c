/* SPDX-License-Identifier: Apache-2.0 */
#include "src/runtime/criu_msg.h"

#include <stdlib.h>
#include <string.h>

enum wire_type {
	WIRE_VARINT = 0,
	WIRE_64 = 1,
	WIRE_BYTES = 2,
	WIRE_32 = 5,
};

#define VARINT_MAX 10

/* --- writing ---------------------------------------------------------------*/

static void append(struct criu_msg *m, const void *data, size_t n)
{
	char *v = m->failed ? NULL : realloc(m->v, m->n + n + 1);

	if (!v) {
		m->failed = true;
		return;
	}
	m->v = v;
	(void)memcpy(v + m->n, data, n);
	m->n += n;
}

static void put_varint(struct criu_msg *m, uint64_t v)
{
	uint8_t buf[VARINT_MAX];
	size_t n = 0;

	do {
		buf[n] = (uint8_t)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
		v >>= 7;
		n++;
	} while (v > 0);
	append(m, buf, n);
}

static void put_key(struct criu_msg *m, unsigned int field, enum wire_type t)
{
	put_varint(m, (uint64_t)field << 3 | (uint64_t)t);
}

static void put_bytes(struct criu_msg *m, unsigned int field, const void *data,
		      size_t n)
{
	put_key(m, field, WIRE_BYTES);
	put_varint(m, n);
	append(m, data, n);
}

void criu_put_num(struct criu_msg *m, unsigned int field, int64_t v)
{
	put_key(m, field, WIRE_VARINT);
	put_varint(m, (uint64_t)v);
}

void criu_put_flag(struct criu_msg *m, unsigned int field, bool v)
{
	if (v)
		criu_put_num(m, field, 1);
}

void criu_put_str(struct criu_msg *m, unsigned int field, const char *s)
{
	if (s)
		put_bytes(m, field, s, strlen(s));
}

void criu_put_msg(struct criu_msg *m, unsigned int field,
		  const struct criu_msg *inner)
{
	m->failed = m->failed || inner->failed;
	put_bytes(m, field, inner->v ? inner->v : "", inner->n);
}

void criu_put_pair(struct criu_msg *m, unsigned int field, const char *key,
		   const char *value)
{
	struct criu_msg pair = { 0 };

	criu_put_str(&pair, 1, key);
	criu_put_str(&pair, 2, value);
	criu_put_msg(m, field, &pair);
	criu_msg_done(&pair);
}

void criu_put_fd(struct criu_msg *m, unsigned int field, const char *key,
		 int fd)
{
	struct criu_msg pair = { 0 };

	criu_put_str(&pair, 1, key);
	criu_put_num(&pair, 2, fd);
	criu_put_msg(m, field, &pair);
	criu_msg_done(&pair);
}

void criu_msg_done(struct criu_msg *m)
{
	free(m->v);
	*m = (struct criu_msg){ 0 };
}

/* --- reading ---------------------------------------------------------------*/

struct reader {
	const char *p;
	size_t n;
};

struct field {
	unsigned int number;
	enum wire_type type;
	uint64_t num;	     /* WIRE_VARINT */
	struct reader bytes; /* WIRE_BYTES */
};

static int take_varint(struct reader *r, uint64_t *ret)
{
	uint64_t v = 0;

	for (unsigned int i = 0; i < VARINT_MAX && r->n > 0; i++) {
		uint8_t c = (uint8_t)*r->p;

		r->p++;
		r->n--;
		v |= (uint64_t)(c & 0x7f) << (7 * i);
		if (c & 0x80)
			continue;
		*ret = v;
		return 0;
	}
	return -EPROTO;
}

static int take_bytes(struct reader *r, uint64_t n, struct reader *ret)
{
	if (n > r->n)
		return -EPROTO;
	*ret = (struct reader){ .p = r->p, .n = (size_t)n };
	r->p += n;
	r->n -= (size_t)n;
	return 0;
}

static int take_field(struct reader *r, struct field *ret)
{
	struct field f = { 0 };
	uint64_t key;

	if (take_varint(r, &key) < 0 || key >> 3 > INT32_MAX)
		return -EPROTO;
	f.number = (unsigned int)(key >> 3);
	f.type = (enum wire_type)(key & 7);
	*ret = f;
	switch (f.type) {
	case WIRE_VARINT:
		return take_varint(r, &ret->num);
	case WIRE_BYTES:
		return take_varint(r, &f.num) < 0
			       ? -EPROTO
			       : take_bytes(r, f.num, &ret->bytes);
	case WIRE_64:
		return take_bytes(r, 8, &ret->bytes);
	case WIRE_32:
		return take_bytes(r, 4, &ret->bytes);
	}
	return -EPROTO;
}

static void take_text(const struct field *f, char *ret, size_t size)
{
	size_t n = MIN_OF(f->bytes.n, size - 1);

	if (n > 0)
		(void)memcpy(ret, f->bytes.p, n);
	ret[n] = '\0';
}

/* criu_notify, or criu_restore_resp: a number, and for the former a text. */
static int read_inner(struct reader r, unsigned int number, int *ret_number,
		      char *text, size_t size)
{
	struct field f;

	while (r.n > 0) {
		if (take_field(&r, &f) < 0)
			return -EPROTO;
		if (f.number == number && f.type == WIRE_VARINT)
			*ret_number = (int)f.num;
		else if (text && f.number == 1 && f.type == WIRE_BYTES)
			take_text(&f, text, size);
	}
	return 0;
}

static int use_field(const struct field *f, struct criu_answer *a)
{
	bool bytes = f->type == WIRE_BYTES;

	switch (f->number) {
	case 1:
		a->type = (int)f->num;
		return 0;
	case 2:
		a->success = f->num != 0;
		return 0;
	case 4:
		return bytes ? read_inner(f->bytes, 1, &a->restored_pid, NULL,
					  0)
			     : -EPROTO;
	case 5:
		return bytes ? read_inner(f->bytes, 2, &a->script_pid,
					  a->script, sizeof(a->script))
			     : -EPROTO;
	case 7:
		a->error = (int)f->num;
		return 0;
	case 9:
		take_text(f, a->message, sizeof(a->message));
		return 0;
	default:
		return 0;
	}
}

int criu_read_answer(const char *buf, size_t len, struct criu_answer *ret,
		     struct err *e)
{
	struct reader r = { .p = buf, .n = len };
	struct field f;

	*ret = (struct criu_answer){ 0 };
	while (r.n > 0)
		if (take_field(&r, &f) < 0 || use_field(&f, ret) < 0)
			return err_set(e, -EPROTO,
				       "criu: an answer that makes no sense");
	return 0;
}
