/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * How json.c reads. yajl gives events; each goes to the frame on top of a
 * stack of fixed size, one frame per open bracket. What a frame does with a
 * key, a value and its end stands in a table of kinds (json_frame.c); how a
 * value gets into a member stands in a table of types (json_set.c).
 *
 *	json.c		text -> yajl -> events; what yajl lets pass
 *	json_frame.c	where we are: frames, keys, the path in messages
 *	json_set.c	a value -> a member
 *	json_list.c	the members that values go into: objects and lists
 *	json_free.c	members -> nothing; defaults
 */
#include <setjmp.h>

#include "base/json.h"
#include "base/json_out.h"

enum json_event {
	JSON_E_NULL,
	JSON_E_BOOL,
	JSON_E_NUMBER,
	JSON_E_STRING,
	JSON_E_MAP, /* begins; from here on more events follow */
	JSON_E_ARRAY,
};

struct json_value {
	enum json_event event;
	bool truth;	  /* BOOL */
	const char *text; /* NUMBER as written, STRING decoded; no NUL */
	size_t len;
};

enum json_frame_kind {
	JSON_F_STRUCT, /* an object by its table */
	JSON_F_VEC,
	JSON_F_DICT,
	JSON_F_STRV,
	JSON_F_MAP,
	JSON_F_U32V,
	JSON_F_SKIP, /* an unknown key's value: checked, not kept */
	JSON_F_RAW,
	JSON_F_N_,
};

/* Where a key's text is: in the input or, when it had escapes, behind it in
 * json_keys.decoded. */
struct json_key {
	uint32_t at, len;
};

/* Keys of the open maps, innermost last; what cannot be told by a table's
 * bits. Sorted and compared when the map ends. */
struct json_keys {
	struct json_key *v;
	size_t n, size;
	char *decoded;
	size_t decoded_len, decoded_size;
};

#define JSON_MAX_FIELDS 128

struct json_frame {
	enum json_frame_kind kind;
	bool is_map, has_key;
	struct json_key key;		/* whose value comes, when has_key */
	const struct json_table *table; /* STRUCT */
	const struct json_field *field; /* STRUCT: the last key's, or NULL;
					   lists: their own */
	void *at;     /* the struct; the member; RAW: the outermost's char ** */
	size_t n;     /* entries begun */
	size_t first; /* of its keys in json_keys */
	size_t first_decoded;
	uint64_t seen[JSON_MAX_FIELDS / 64]; /* STRUCT: these keys came */
	uint64_t have[JSON_MAX_FIELDS / 64]; /* and were not null */
};

struct json_reader {
	const char *text, *name;
	size_t len;
	struct json_field root; /* what the whole text is */
	void *obj;
	struct json_frame frame[JSON_MAX_DEPTH];
	unsigned int depth;
	struct json_keys keys;
	struct json_out raw;
	jmp_buf no_memory; /* for yajl, which does not know how to fail */
	_Alignas(max_align_t) char pool[1024]; /* what yajl's structs need */
	size_t pool_used;
	struct err *e;
	int error;
};

/* All return 0 or the negative errno that is in r->error then. */
MUST_CHECK int json_refuse_(struct json_reader *r, int code, const char *fmt,
			    ...) PRINTF_LIKE(3, 4);
#define json_refuse(r, code, ...) err_known(json_refuse_(r, code, __VA_ARGS__))
#define json_nomem(r)		  json_refuse(r, -ENOMEM, "out of memory")
/* The value, or key, that would come next is at fault. */
MUST_CHECK int json_refuse_next(struct json_reader *r, const char *what);
MUST_CHECK int json_on_value(struct json_reader *r, const struct json_value *v);
MUST_CHECK int json_on_key(struct json_reader *r, const char *key, size_t len);
MUST_CHECK int json_on_end(struct json_reader *r);

MUST_CHECK int json_push(struct json_reader *r, enum json_frame_kind kind,
			 const struct json_value *v,
			 const struct json_field *field, void *at);
const char *json_key_text(const struct json_reader *r, struct json_key k);
void json_reader_done(struct json_reader *r);

/* A value into the member at, whose field's .type decides. */
MUST_CHECK int json_set(struct json_reader *r, const struct json_field *f,
			void *at, const struct json_value *v);
#define JSON_SETTER(name)                                                      \
	MUST_CHECK int name(struct json_reader *r, const struct json_field *f, \
			    void *at, const struct json_value *v)
JSON_SETTER(json_set_u32);
JSON_SETTER(json_set_obj);
JSON_SETTER(json_set_ptr);
JSON_SETTER(json_set_list);
JSON_SETTER(json_set_strv);
JSON_SETTER(json_set_raw);
MUST_CHECK int json_copy_str(struct json_reader *r, const struct json_value *v,
			     char **ret);

/* An entry of a STRV, MAP or U32V. */
MUST_CHECK int json_add_str(struct json_reader *r, struct json_frame *f,
			    const struct json_value *v);
MUST_CHECK int json_add_pair(struct json_reader *r, struct json_frame *f,
			     const struct json_value *v);
MUST_CHECK int json_add_u32(struct json_reader *r, struct json_frame *f,
			    const struct json_value *v);
/* A new, empty entry of a VEC or DICT, entered. */
MUST_CHECK int json_add_struct(struct json_reader *r, struct json_frame *f,
			       const struct json_value *v);
/* A value, a key or an end, as it was, into r->raw. */
MUST_CHECK int json_add_raw(struct json_reader *r, const struct json_value *v);
MUST_CHECK int json_end_raw(struct json_reader *r, struct json_frame *f);

/* Members whose pointers have other types: the layout of every JSON_T_VEC and
 * JSON_T_DICT, and of a JSON_T_PTR. */
struct json_any_vec {
	char *v;
	size_t n;
} __attribute__((may_alias));

struct json_any_ptr {
	void *p;
} __attribute__((may_alias));

/* Zero, then the defaults of the table and of those embedded in it. */
void json_init(const struct json_table *table, void *obj);
