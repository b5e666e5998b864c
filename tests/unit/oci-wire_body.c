/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What control frames carry. The two ends may be of different ages, for an
 * init is as old as its environment: so the texts stand here as literals.
 */
#include "src/oci/wire_body.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/json_out.h"
#include "base/str.h"
#include "tests/unit/nomem.h"
#include "tests/unit/tap.h"

#define S(text) ((char[]){ text })

/* No two members of a struct have the same value. */
static const struct wire_hello hello = {
	.version = 4294967295U,
	.release = S("6.1.0"),
	.trouble = S("no \"module\"\n\xc3\xa4"),
};
#define HELLO                                                                  \
	"{\"version\":4294967295,\"release\":\"6.1.0\","                       \
	"\"trouble\":\"no \\\"module\\\"\\n\xc3\xa4\"}"

static struct net_address address = {
	.local = S("10.0.0.2"),
	.peer = S("10.0.0.3"),
	.broadcast = S("10.0.0.255"),
	.prefix = 24,
	.scope = 253,
	.no_route = true,
};
static struct net_neighbour neighbour = { S("10.0.0.9"), S("02::9") };
static struct net_link link_ = {
	.name = S("eth0"),
	.mac = S("02::1"),
	.mtu = 1400,
	.addresses = { &address, 1 },
	.neighbours = { &neighbour, 1 },
};
static struct net_route route = {
	.to = S("0.0.0.0"),
	.prefix = 1,
	.type = 2,
	.link = S("eth1"),
	.via = S("10.0.0.1"),
	.source = S("10.0.0.4"),
	.scope = 3,
	.metric = 4,
	.mtu = 5,
	.onlink = true,
};
static struct net_config network = { { &link_, 1 }, { &route, 1 } };
#define NETWORK                                                                \
	"{\"links\":[{\"name\":\"eth0\",\"mac\":\"02::1\",\"mtu\":1400,"       \
	"\"addresses\":[{\"local\":\"10.0.0.2\",\"peer\":\"10.0.0.3\","        \
	"\"broadcast\":\"10.0.0.255\",\"prefix\":24,\"scope\":253,"            \
	"\"noRoute\":true}],"                                                  \
	"\"neighbours\":[{\"address\":\"10.0.0.9\",\"mac\":\"02::9\"}]}],"     \
	"\"routes\":[{\"to\":\"0.0.0.0\",\"prefix\":1,\"type\":2,"             \
	"\"link\":\"eth1\",\"via\":\"10.0.0.1\",\"source\":\"10.0.0.4\","      \
	"\"scope\":3,\"metric\":4,\"mtu\":5,\"onlink\":true}]}"

static struct wire_mount mounts[] = {
	{ S("root"), S("/share"), true },
	{ S("volumes"), S("/v"), false },
};
static const struct wire_setup setup = {
	.clock_secs = INT64_MIN,
	.clock_nanosecs = 999999999,
	.entropy = { (uint8_t[]){ 0, 255, 1, 254 }, 4 },
	.state = S("{\"pid\":1}"),
	.debug = true,
	.mounts = { mounts, ARRAY_SIZE(mounts) },
	.network = &network,
	.hostname = S("host"),
	.domainname = S("domain"),
};
#define SETUP                                                                  \
	"{\"clockSecs\":-9223372036854775808,\"clockNanosecs\":999999999,"     \
	"\"entropy\":\"AP8B/g==\",\"state\":\"{\\\"pid\\\":1}\","              \
	"\"debug\":true,\"mounts\":[{\"tag\":\"root\","                        \
	"\"target\":\"/share\",\"readonly\":true},"                            \
	"{\"tag\":\"volumes\",\"target\":\"/v\"}],\"network\":" NETWORK        \
	",\"hostname\":\"host\",\"domainname\":\"domain\"}"

static const struct wire_failed failed_ = { -2, S("no 50%s") };
static const struct wire_exited exited = { 0x8b, true };
static const struct wire_exited exited_well = { 0, false };
static const struct wire_signal signal_ = { 64, true };
static const struct wire_resize resize = { 25, 80 };
static const struct wire_clock clock_ = { -1, 999999999 };
static const struct wire_clock epoch = { 0, 0 };

/* A struct, its text, and what may be left out and is then zero. */
static const struct body {
	enum wire_type type;
	const struct json_table *table;
	const void *obj;
	const char *text;
	const char *least;
} bodies[] = {
	{ WIRE_HELLO, &wire_hello_table, &hello, HELLO, "{\"version\":7}" },
	{ WIRE_SETUP, &wire_setup_table, &setup, SETUP, "{}" },
	{ WIRE_FAILED, &wire_failed_table, &failed_,
	  "{\"code\":-2,\"text\":\"no 50%s\"}", NULL },
	{ WIRE_EXITED, &wire_exited_table, &exited,
	  "{\"status\":139,\"oom\":true}", "{\"status\":7}" },
	{ WIRE_EXITED, &wire_exited_table, &exited_well, "{\"status\":0}",
	  NULL },
	{ WIRE_SIGNAL, &wire_signal_table, &signal_,
	  "{\"signal\":64,\"all\":true}", "{\"signal\":7}" },
	{ WIRE_RESIZE, &wire_resize_table, &resize, "{\"rows\":25,\"cols\":80}",
	  NULL },
	{ WIRE_CLOCK, &wire_clock_table, &clock_,
	  "{\"secs\":-1,\"nanosecs\":999999999}", NULL },
	{ WIRE_CLOCK, &wire_clock_table, &epoch, "{\"secs\":0,\"nanosecs\":0}",
	  NULL },
};

/* Room for the largest of them. */
union any {
	struct wire_hello hello;
	struct wire_setup setup;
	struct wire_failed failed;
	struct wire_exited exited;
	struct wire_signal signal;
	struct wire_resize resize;
	struct wire_clock clock;
};

static struct wire_frame frame(enum wire_type type, const char *text,
			       size_t len)
{
	return (struct wire_frame){ .type = type, .body = text, .len = len };
}

static char *written(const struct json_table *table, const void *obj)
{
	struct err e = { 0 };
	char *text = NULL;
	size_t len;

	(void)CHECK_OK(json_write(table, obj, false, &text, &len, &e), &e);
	return text;
}

TEST(each_body_is_spelt_as_it_always_was_and_understood)
{
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		const struct body *b = &bodies[i];
		struct wire_frame f = frame(b->type, b->text, strlen(b->text));
		autofree char *out = written(b->table, b->obj), *again = NULL;
		union any in;
		struct err e = { 0 };

		memset(&in, 0, sizeof(in));
		CHECK_STR(out, b->text);
		if (!CHECK_OK(wire_parse(&f, b->table, &in, &e), &e))
			continue;
		again = written(b->table, &in);
		CHECK_STR(again, b->text);
		json_free(b->table, &in);
	}
}

TEST(what_is_left_out_is_zero_and_what_is_unknown_is_skipped)
{
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		const struct body *b = &bodies[i];
		struct wire_frame f;
		union any in, zero;
		autofree char *more = NULL;
		struct err e = { 0 };

		if (!b->least)
			continue;
		f = frame(b->type, b->least, strlen(b->least));
		memset(&in, 0, sizeof(in));
		memset(&zero, 0, sizeof(zero));
		REQUIRE_OK(wire_parse(&f, b->table, &in, &e), &e);
		/* Their first members are numbers. */
		CHECK_INT(in.hello.version, b->type == WIRE_SETUP ? 0 : 7);
		memset(&in, 0, sizeof(in.hello.version));
		CHECK(memcmp(&in, &zero, sizeof(in)) == 0);
		json_free(b->table, &in);

		/* Of a newer one. */
		more = str_printf("{\"new\":[{\"a\":1}],%s", b->text + 1);
		REQUIRE(more);
		f = frame(b->type, more, strlen(more));
		CHECK_OK(wire_parse(&f, b->table, &in, &e), &e);
		json_free(b->table, &in);
	}
}

/* In a block of its own size: sanitizers see a byte that is read behind it. */
static int parse_start(const struct body *b, size_t len, void *in)
{
	autofree char *part = malloc(len + (len == 0));
	struct wire_frame f;
	struct err e = { 0 };

	if (!part)
		return -ENOMEM;
	memcpy(part, b->text, len);
	f = frame(b->type, part, len);
	return wire_parse(&f, b->table, in, &e);
}

TEST(a_body_cut_anywhere_is_refused_and_leaves_nothing)
{
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		const struct body *b = &bodies[i];
		size_t whole = strlen(b->text);
		union any in, zero;

		memset(&in, 0, sizeof(in));
		memset(&zero, 0, sizeof(zero));
		for (size_t n = 0; n < whole; n++)
			if (!CHECK_INT(parse_start(b, n, &in), -EPROTO) ||
			    !CHECK(memcmp(&in, &zero, sizeof(in)) == 0))
				tap_note("%zu bytes of %s", n, b->text);
		CHECK_INT(parse_start(b, whole, &in), 0);
		json_free(b->table, &in);
		/* The NUL behind it is no part of it. */
		CHECK_INT(parse_start(b, whole + 1, &in), -EPROTO);
	}
}

/* clang-format off */
static const struct {
	const struct json_table *table;
	const char *text, *says;
} hostile[] = {
	{ &wire_hello_table, "{\"release\":\"6.1\"}", "version: is required" },
	{ &wire_hello_table, "{\"version\":-1}", "version" },
	{ &wire_hello_table, "{\"version\":4294967296}", "version" },
	{ &wire_hello_table, "{\"version\":1,\"version\":2}", "version" },
	{ &wire_hello_table, "{\"version\":1,\"release\":6}", "release" },
	{ &wire_hello_table, "{\"version\":1,\"release\":\"a\\u0000b\"}", "NUL" },
	{ &wire_hello_table, "{\"version\":1,\"trouble\":\"\xff\"}", "UTF-8" },
	{ &wire_failed_table, "{\"code\":-2}", "text: is required" },
	{ &wire_failed_table, "{\"text\":\"x\"}", "code: is required" },
	{ &wire_failed_table, "{\"code\":-2147483649,\"text\":\"x\"}", "code" },
	{ &wire_failed_table, "{\"code\":-2.5,\"text\":\"x\"}", "code" },
	{ &wire_failed_table, "{\"code\":-2,\"text\":null,\"x\":[}", "" },
	{ &wire_exited_table, "{\"oom\":true}", "status: is required" },
	{ &wire_exited_table, "{\"status\":0,\"oom\":1}", "oom" },
	{ &wire_exited_table, "{\"status\":2147483648}", "status" },
	{ &wire_signal_table, "{\"all\":true}", "signal: is required" },
	{ &wire_signal_table, "{\"signal\":\"15\"}", "signal" },
	{ &wire_resize_table, "{\"rows\":-1,\"cols\":1}", "rows" },
	{ &wire_resize_table, "{\"rows\":1,\"cols\":1e99}", "cols" },
	{ &wire_clock_table, "{\"nanosecs\":1}", "secs: is required" },
	{ &wire_clock_table, "{\"secs\":9223372036854775808}", "secs" },
	{ &wire_clock_table, "{\"secs\":1,\"nanosecs\":-1}", "nanosecs" },
	/* The lengths of what is base64: no four, an end before the end. */
	{ &wire_setup_table, "{\"entropy\":\"AP8\"}", "entropy: expected base64" },
	{ &wire_setup_table, "{\"entropy\":\"=\"}", "entropy: expected base64" },
	{ &wire_setup_table, "{\"entropy\":\"====\"}", "entropy: expected base64" },
	{ &wire_setup_table, "{\"entropy\":\"AP==AP8B\"}", "entropy: expected base64" },
	{ &wire_setup_table, "{\"entropy\":\"AP8*\"}", "entropy: expected base64" },
	{ &wire_setup_table, "{\"entropy\":[0]}", "entropy" },
	{ &wire_setup_table, "{\"mounts\":{}}", "mounts" },
	{ &wire_setup_table, "{\"mounts\":[{\"tag\":\"t\"}]}", "[0]: target: is required" },
	{ &wire_setup_table, "{\"mounts\":[{\"target\":\"/\"}]}", "[0]: tag: is required" },
	{ &wire_setup_table, "{\"mounts\":[{\"tag\":\"t\",\"target\":\"/\"},7]}", "mounts: [1]" },
	{ &wire_setup_table, "{\"network\":{\"links\":[{\"name\":\"a\"}]}}", "network: links: [0]: mac: is required" },
	{ &wire_setup_table, "{\"network\":{\"routes\":[{}]}}", "network: routes: [0]: to: is required" },
};
/* clang-format on */

TEST(hostile_bodies_are_refused_with_the_place_and_leave_nothing)
{
	for (size_t i = 0; i < ARRAY_SIZE(hostile); i++) {
		const char *text = hostile[i].text;
		struct wire_frame f = frame(WIRE_HELLO, text, strlen(text));
		union any in, zero;
		struct err e = { 0 };

		memset(&in, 0, sizeof(in));
		memset(&zero, 0, sizeof(zero));
		if (!CHECK_INT(wire_parse(&f, hostile[i].table, &in, &e),
			       -EPROTO) ||
		    !CHECK_HAS(e.text, hostile[i].says) ||
		    !CHECK(memcmp(&in, &zero, sizeof(in)) == 0))
			tap_note("in %s", text);
	}
}

/* So many times the middle between two ends. */
static char *repeated(const char *begin, const char *middle, size_t n,
		      const char *end)
{
	size_t len = strlen(middle), at = strlen(begin);
	char *text = malloc(at + n * len + strlen(end) + 1);

	if (!text)
		return NULL;
	memcpy(text, begin, at);
	for (size_t i = 0; i < n; i++, at += len)
		memcpy(text + at, middle, len);
	memcpy(text + at, end, strlen(end) + 1);
	return text;
}

TEST(too_many_and_too_deep_are_refused)
{
	static const char one[] = "{\"tag\":\"t\",\"target\":\"/\"},";
	const struct {
		char *text;
		const char *says;
	} rows[] = {
		{ repeated("{\"mounts\":[", one, 65536,
			   "{\"tag\":\"t\",\"target\":\"/\"}]}"),
		  "mounts" },
		{ repeated("{\"x\":", "[", 100000, ""), "" },
		{ repeated("", "{\"network\":", 100000, ""), "network" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		autofree char *text = rows[i].text;
		struct wire_setup in = { 0 };
		struct wire_frame f;
		struct err e = { 0 };

		REQUIRE(text);
		f = frame(WIRE_SETUP, text, strlen(text));
		CHECK_INT(wire_parse(&f, &wire_setup_table, &in, &e), -EPROTO);
		CHECK_HAS(e.text, rows[i].says);
		CHECK(!in.mounts.v && !in.network);
	}
}

/* --- FAILED ---------------------------------------------------------------*/

static void take_sentence(const char *text, int *got, struct err *why)
{
	struct wire_frame f;
	struct err e = { 0 };

	REQUIRE(text);
	f = frame(WIRE_FAILED, text, strlen(text));
	REQUIRE_OK(wire_failed_take(&f, got, why, &e), &e);
}

TEST(the_other_sides_error_is_an_error_here_whatever_it_says)
{
	static const struct {
		int32_t code;
		int want;
	} codes[] = {
		{ -1, -1 },
		{ -ENOENT, -ENOENT },
		{ -4095, -4095 },
		{ -4096, -EREMOTEIO },
		{ 0, -EREMOTEIO },
		{ 1, -EREMOTEIO },
		{ INT32_MIN, -EREMOTEIO },
		{ INT32_MAX, -EREMOTEIO },
	};

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		autofree char *text = str_printf(
			"{\"code\":%d,\"text\":\"no %%s%%n\"}", codes[i].code);
		struct err why = { 0 };
		int got = 1;

		take_sentence(text, &got, &why);
		CHECK_INT(got, codes[i].want);
		CHECK_INT(why.code, codes[i].want);
		CHECK_STR(why.text, "no %s%n");
	}
}

TEST(a_sentence_too_long_is_cut)
{
	autofree char *text =
		repeated("{\"code\":-5,\"text\":\"", "word ", 1500, "\"}");
	struct err why = { 0 };
	int got = 1;

	take_sentence(text, &got, &why);
	CHECK_INT(got, -EIO);
	CHECK_HAS(why.text, "word word");
	CHECK(strlen(why.text) < sizeof(why.text));
}

TEST(a_failure_that_does_not_parse_says_nothing)
{
	static const char text[] = "{\"code\":-5,\"text\":7}";
	struct wire_frame f = frame(WIRE_FAILED, text, strlen(text));
	struct err why = { 0 }, e = { 0 };
	int got = 1;

	CHECK_INT(wire_failed_take(&f, &got, &why, &e), -EPROTO);
	CHECK_HAS(e.text, "failed: text");
	CHECK_INT(got, 1);
	CHECK_STR(why.text, "");
}

/* --- out of memory --------------------------------------------------------*/

static const struct body *body; /* the jobs' */

static int read_body(struct err *e)
{
	struct wire_frame f = frame(body->type, body->text, strlen(body->text));
	union any in;
	int r;

	memset(&in, 0, sizeof(in));
	r = wire_parse(&f, body->table, &in, e);

	json_free(body->table, &in);
	return r;
}

static int write_body(struct err *e)
{
	autofree char *text = NULL;
	size_t len;

	return json_write(body->table, body->obj, false, &text, &len, e);
}

static int take_failure(struct err *e)
{
	static const char text[] = "{\"code\":-5,\"text\":\"why\"}";
	struct wire_frame f = frame(WIRE_FAILED, text, strlen(text));
	struct err why = { 0 };
	int got = 1, r;

	r = wire_failed_take(&f, &got, &why, e);
	/* Not known is not the same as failed. */
	if (r < 0)
		CHECK(got == 1 && why.code == 0);
	return r;
}

TEST(out_of_memory_is_ours_and_not_the_other_sides_fault)
{
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		body = &bodies[i];
		if (!CHECK(until_it_works(write_body) > 0) ||
		    !CHECK(until_it_works(read_body) >= 0))
			tap_note("with %s", body->text);
	}
	body = &bodies[1];
	CHECK(until_it_works(read_body) > 20);
	CHECK(until_it_works(take_failure) > 0);
}

static const struct tap_test tests[] = {
	TAP(each_body_is_spelt_as_it_always_was_and_understood),
	TAP(what_is_left_out_is_zero_and_what_is_unknown_is_skipped),
	TAP(a_body_cut_anywhere_is_refused_and_leaves_nothing),
	TAP(hostile_bodies_are_refused_with_the_place_and_leave_nothing),
	TAP(too_many_and_too_deep_are_refused),
	TAP(the_other_sides_error_is_an_error_here_whatever_it_says),
	TAP(a_sentence_too_long_is_cut),
	TAP(a_failure_that_does_not_parse_says_nothing),
	TAP(out_of_memory_is_ours_and_not_the_other_sides_fault),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}
