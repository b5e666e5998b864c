/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A struct with a member of each type, its tables, and a text with all of
 * them: what the tests of base/json.h read.
 */
#include <string.h>

#include "base/json.h"
#include "base/json_out.h"

struct limit {
	char *type;
	uint64_t soft;
};

struct port {
	char *name; /* the key */
	uint32_t number;
	char *proto;
};

struct user {
	uint32_t uid;
	uint32_t umask;
};

struct all {
	bool flag;
	int32_t i32;
	uint32_t u32;
	int64_t i64;
	uint64_t u64;
	double f64;
	char *str;
	struct opt_bool ob;
	struct opt_i64 oi64;
	struct opt_u64 ou64;
	struct opt_u32 ou32;
	int color;
	char **strv;
	struct json_map map;
	struct json_u32v u32v;
	struct json_bytes bytes;
	struct user user;
	struct user *ptr;
	JSON_VEC_OF(struct limit) limits;
	JSON_VEC_OF(struct port) ports;
	char *raw;
};

static const struct json_field limit_fields[] = {
	JSON_STR(struct limit, type, "type", .required = true),
	JSON_U64(struct limit, soft, "soft", .required = true),
};
static const struct json_table limit_table =
	JSON_TABLE(struct limit, limit_fields);

static const struct json_field port_fields[] = {
	JSON_U32(struct port, number, "number"),
	JSON_STR(struct port, proto, "proto"),
};
static const struct json_table port_table =
	JSON_TABLE(struct port, port_fields);

static const struct json_field user_fields[] = {
	JSON_U32(struct user, uid, "uid"),
	JSON_U32(struct user, umask, "umask"),
};
static const struct user user_defaults = { .umask = 18 };
static const struct json_table user_table =
	JSON_TABLE(struct user, user_fields, .defaults = &user_defaults);

static const char *const colors[] = { "red", "green", "blue", NULL };

static const struct json_field all_fields[] = {
	JSON_BOOL(struct all, flag, "flag"),
	JSON_I32(struct all, i32, "i32"),
	JSON_U32(struct all, u32, "u32"),
	JSON_I64(struct all, i64, "i64"),
	JSON_U64(struct all, u64, "u64"),
	JSON_F64(struct all, f64, "f64"),
	JSON_STR(struct all, str, "str"),
	JSON_OPT_BOOL(struct all, ob, "ob"),
	JSON_OPT_I64(struct all, oi64, "oi64"),
	JSON_OPT_U64(struct all, ou64, "ou64"),
	JSON_OPT_U32(struct all, ou32, "ou32"),
	JSON_ENUM(struct all, color, "color", colors),
	JSON_STRV(struct all, strv, "strv", .max = 6),
	JSON_MAP(struct all, map, "map"),
	JSON_U32V(struct all, u32v, "u32v", .max = 6),
	JSON_BYTES(struct all, bytes, "bytes"),
	JSON_OBJ(struct all, user, "user", struct user, user_table),
	JSON_PTR(struct all, ptr, "ptr", struct user, user_table),
	JSON_VEC(struct all, limits, "limits", struct limit, limit_table),
	JSON_DICT(struct all, ports, "ports", struct port, port_table,
		  .max = 6),
	JSON_RAW(struct all, raw, "raw"),
};
static const struct json_table all_table = JSON_TABLE(struct all, all_fields);

static inline void all_done(struct all *a)
{
	json_free(&all_table, a);
}

#define ALL _cleanup_(all_done) struct all a = { 0 }

static inline int read_all(const char *text, struct all *a, struct err *e)
{
	return json_read(text, strlen(text), &all_table, a, "t.json", e);
}

static const char everything[] =
	"{\"flag\":true,\"i32\":-7,\"u32\":7,\"i64\":-8,\"u64\":8,\"f64\":1.5,"
	"\"str\":\"s\",\"ob\":false,\"oi64\":-1,\"ou64\":0,\"ou32\":3,"
	"\"color\":\"blue\",\"strv\":[\"a\",\"\"],\"map\":{\"k\":\"v\",\"\":\"\"},"
	"\"u32v\":[1,2,4294967295],\"bytes\":\"AAH/\","
	"\"user\":{\"uid\":1,\"umask\":7},\"ptr\":{\"uid\":2,\"umask\":18},"
	"\"limits\":[{\"type\":\"x\",\"soft\":18446744073709551615}],"
	"\"ports\":{\"web\":{\"number\":80},\"\":{\"proto\":\"udp\"}},"
	"\"raw\":{\"a\":[1,2.50,\"\\u0001\",null,true]}}";
