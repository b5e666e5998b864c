/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/dbus.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define ORDER	(__BYTE_ORDER == __LITTLE_ENDIAN ? 'l' : 'B')
#define VERSION 1

/* Offsets in the fixed part: order, type, flags, version, length of the body,
 * serial, length of the fields. */
#define AT_BODY_LEN 4
#define AT_SERIAL   8
#define AT_FIELDS   12

enum field {
	FIELD_PATH = 1,
	FIELD_INTERFACE = 2,
	FIELD_MEMBER = 3,
	FIELD_ERROR = 4,
	FIELD_REPLY = 5,
	FIELD_DESTINATION = 6,
	FIELD_SIGNATURE = 8,
};

/* --- writing --------------------------------------------------------------*/

static void put(struct cg_dbus_out *m, const void *v, size_t n)
{
	if (m->error)
		return;
	if (n > CG_DBUS_MAX - m->n) {
		m->error = -EMSGSIZE;
		return;
	}
	if (m->n + n > m->room) {
		size_t room = MAX_OF(m->room * 2, m->n + n + 256);
		uint8_t *larger = realloc(m->v, room);

		if (!larger) {
			m->error = -ENOMEM;
			return;
		}
		m->v = larger;
		m->room = room;
	}
	memcpy(m->v + m->n, v, n);
	m->n += n;
}

void cg_dbus_align(struct cg_dbus_out *m, size_t to)
{
	static const uint8_t zeros[8];

	put(m, zeros, (to - m->n % to) % to);
}

void cg_dbus_byte(struct cg_dbus_out *m, uint8_t v)
{
	put(m, &v, sizeof(v));
}

void cg_dbus_u16(struct cg_dbus_out *m, uint16_t v)
{
	cg_dbus_align(m, sizeof(v));
	put(m, &v, sizeof(v));
}

void cg_dbus_u32(struct cg_dbus_out *m, uint32_t v)
{
	cg_dbus_align(m, sizeof(v));
	put(m, &v, sizeof(v));
}

void cg_dbus_u64(struct cg_dbus_out *m, uint64_t v)
{
	cg_dbus_align(m, sizeof(v));
	put(m, &v, sizeof(v));
}

void cg_dbus_str(struct cg_dbus_out *m, const char *s)
{
	size_t n = strlen(s);

	if (n > CG_DBUS_MAX) {
		m->error = -EMSGSIZE;
		return;
	}
	cg_dbus_u32(m, (uint32_t)n);
	put(m, s, n + 1);
}

void cg_dbus_sig(struct cg_dbus_out *m, const char *s)
{
	size_t n = strlen(s);

	if (n > 255) {
		m->error = -EMSGSIZE;
		return;
	}
	cg_dbus_byte(m, (uint8_t)n);
	put(m, s, n + 1);
}

struct cg_dbus_array cg_dbus_open(struct cg_dbus_out *m, size_t align)
{
	struct cg_dbus_array a;

	cg_dbus_align(m, sizeof(uint32_t));
	a.length = m->n;
	cg_dbus_u32(m, 0);
	cg_dbus_align(m, align);
	a.start = m->n;
	return a;
}

static void set_u32(struct cg_dbus_out *m, size_t at, uint32_t v)
{
	if (!m->error)
		memcpy(m->v + at, &v, sizeof(v));
}

void cg_dbus_close(struct cg_dbus_out *m, struct cg_dbus_array a)
{
	set_u32(m, a.length, (uint32_t)(m->n - a.start));
}

void cg_dbus_bytes(struct cg_dbus_out *m, const void *v, size_t n)
{
	struct cg_dbus_array a = cg_dbus_open(m, 1);

	put(m, v, n);
	cg_dbus_close(m, a);
}

static void header_field(struct cg_dbus_out *m, enum field field,
			 const char *type, const char *value)
{
	if (!value || !*value)
		return;
	cg_dbus_align(m, 8);
	cg_dbus_byte(m, (uint8_t)field);
	cg_dbus_sig(m, type);
	if (str_eq(type, "g"))
		cg_dbus_sig(m, value);
	else
		cg_dbus_str(m, value);
}

void cg_dbus_call(struct cg_dbus_out *m, const char *destination,
		  const char *path, const char *interface, const char *member,
		  const char *signature)
{
	const uint8_t fixed[AT_FIELDS] = { ORDER, CG_DBUS_CALL, 0, VERSION };
	struct cg_dbus_array fields;

	*m = (struct cg_dbus_out){ 0 };
	put(m, fixed, sizeof(fixed));
	fields = cg_dbus_open(m, 8);
	header_field(m, FIELD_PATH, "o", path);
	header_field(m, FIELD_INTERFACE, "s", interface);
	header_field(m, FIELD_MEMBER, "s", member);
	header_field(m, FIELD_DESTINATION, "s", destination);
	header_field(m, FIELD_SIGNATURE, "g", signature);
	cg_dbus_close(m, fields);
	cg_dbus_align(m, 8);
	m->body = m->n;
}

int cg_dbus_finish(struct cg_dbus_out *m, uint32_t serial, struct err *e)
{
	if (m->error)
		return err_set(e, m->error, "D-Bus message: %s",
			       strerrordesc_np(-m->error));
	set_u32(m, AT_BODY_LEN, (uint32_t)(m->n - m->body));
	set_u32(m, AT_SERIAL, serial);
	return 0;
}

void cg_dbus_out_done(struct cg_dbus_out *m)
{
	free(m->v);
	*m = (struct cg_dbus_out){ 0 };
}

/* --- reading --------------------------------------------------------------*/

/* A view of bytes: [at, end) of a message that begins at v. */
struct view {
	const uint8_t *v;
	size_t at, end;
};

static bool skip_to(struct view *w, size_t align)
{
	size_t pad = (align - w->at % align) % align;

	if (pad > w->end - w->at)
		return false;
	w->at += pad;
	return true;
}

static bool take(struct view *w, void *to, size_t n)
{
	if (n > w->end - w->at)
		return false;
	memcpy(to, w->v + w->at, n);
	w->at += n;
	return true;
}

static bool take_u32(struct view *w, uint32_t *ret)
{
	return skip_to(w, sizeof(*ret)) && take(w, ret, sizeof(*ret));
}

/* n bytes and the NUL behind them, with none among them. */
static bool take_text(struct view *w, size_t n, const char **ret)
{
	const uint8_t *s = w->v + w->at;

	if (n >= w->end - w->at || s[n] != '\0' || memchr(s, '\0', n))
		return false;
	*ret = (const char *)s;
	w->at += n + 1;
	return true;
}

static bool take_str(struct view *w, const char **ret)
{
	uint32_t n;

	return take_u32(w, &n) && take_text(w, n, ret);
}

static bool take_sig(struct view *w, const char **ret)
{
	uint8_t n;

	return take(w, &n, 1) && take_text(w, n, ret);
}

int cg_dbus_size(const uint8_t *head, size_t *ret, struct err *e)
{
	uint32_t body, fields;
	size_t size;

	if (head[0] != ORDER || head[3] != VERSION)
		return err_set(e, -EPROTO,
			       "D-Bus: the peer speaks another dialect");
	memcpy(&body, head + AT_BODY_LEN, sizeof(body));
	memcpy(&fields, head + AT_FIELDS, sizeof(fields));
	if (body > CG_DBUS_MAX || fields > CG_DBUS_MAX)
		return err_set(e, -EPROTO, "D-Bus: the message is too large");
	size = (CG_DBUS_HEADER + (size_t)fields + 7) & ~(size_t)7;
	*ret = size + body;
	return 0;
}

/* One header field: a byte and a variant. What we do not know we cannot skip
 * without reading its type; those types are the basic ones. */
static bool take_field(struct view *w, struct cg_dbus_in *m)
{
	const char *type, *text = "";
	uint32_t number = 0;
	uint8_t field;

	if (!skip_to(w, 8) || !take(w, &field, 1) || !take_sig(w, &type))
		return false;
	if (str_eq(type, "s") || str_eq(type, "o")) {
		if (!take_str(w, &text))
			return false;
	} else if (str_eq(type, "g")) {
		if (!take_sig(w, &text))
			return false;
	} else if (!str_eq(type, "u") || !take_u32(w, &number)) {
		return false;
	}
	switch (field) {
	case FIELD_PATH:
		m->path = text;
		break;
	case FIELD_INTERFACE:
		m->interface = text;
		break;
	case FIELD_MEMBER:
		m->member = text;
		break;
	case FIELD_ERROR:
		m->error = text;
		break;
	case FIELD_REPLY:
		m->reply_to = number;
		break;
	case FIELD_SIGNATURE:
		m->signature = text;
		break;
	default:
		break;
	}
	return true;
}

static bool parse(struct cg_dbus_in *m)
{
	struct view w = { .v = m->v, .at = AT_FIELDS, .end = m->n };
	uint32_t length;

	if (!take_u32(&w, &length) || length > w.end - w.at)
		return false;
	w.end = w.at + length;
	while (w.at < w.end) {
		if (!take_field(&w, m))
			return false;
	}
	w.end = m->n;
	if (!skip_to(&w, 8))
		return false;
	m->at = w.at;
	m->todo = m->signature;
	return true;
}

int cg_dbus_parse(uint8_t *v, size_t n, struct cg_dbus_in *ret, struct err *e)
{
	struct cg_dbus_in m = {
		.v = v,
		.n = n,
		.path = "",
		.interface = "",
		.member = "",
		.error = "",
		.signature = "",
	};
	size_t size = 0;

	if (n < CG_DBUS_HEADER || cg_dbus_size(v, &size, e) < 0 || size != n ||
	    v[1] < CG_DBUS_CALL || v[1] > CG_DBUS_SIGNAL || !parse(&m)) {
		free(v);
		return err_set(e, -EPROTO, "D-Bus: a message is malformed");
	}
	m.type = (enum cg_dbus_type)v[1];
	*ret = m;
	return 0;
}

int cg_dbus_read_str(struct cg_dbus_in *m, const char **ret)
{
	struct view w = { .v = m->v, .at = m->at, .end = m->n };

	if ((*m->todo != 's' && *m->todo != 'o') || !take_str(&w, ret))
		return -EPROTO;
	m->at = w.at;
	m->todo++;
	return 0;
}

int cg_dbus_read_u32(struct cg_dbus_in *m, uint32_t *ret)
{
	struct view w = { .v = m->v, .at = m->at, .end = m->n };

	if (*m->todo != 'u' || !take_u32(&w, ret))
		return -EPROTO;
	m->at = w.at;
	m->todo++;
	return 0;
}

int cg_dbus_read_var_str(struct cg_dbus_in *m, const char **ret)
{
	struct view w = { .v = m->v, .at = m->at, .end = m->n };
	const char *type;

	if (*m->todo != 'v' || !take_sig(&w, &type) ||
	    (!str_eq(type, "s") && !str_eq(type, "o")) || !take_str(&w, ret))
		return -EPROTO;
	m->at = w.at;
	m->todo++;
	return 0;
}

void cg_dbus_in_done(struct cg_dbus_in *m)
{
	free(m->v);
	*m = (struct cg_dbus_in){ 0 };
}
