/* SPDX-License-Identifier: Apache-2.0 */
/* What is written for criu, byte for byte, and what is read of its answers. */
#include "src/runtime/criu_msg.h"

#include "tests/unit/tap.h"

static bool is(struct criu_msg *m, const char *want, size_t n)
{
	bool same = CHECK(!m->failed) && CHECK_INT(m->n, n) &&
		    CHECK(memcmp(m->v, want, n) == 0);

	criu_msg_done(m);
	return same;
}

#define IS(m, text) is(m, text, sizeof(text) - 1)

TEST(numbers_are_varints)
{
	struct criu_msg m = { 0 };

	criu_put_num(&m, 1, 0);
	criu_put_num(&m, 2, 150);
	criu_put_num(&m, 64, 1);
	(void)IS(&m, "\x08\x00\x10\x96\x01\x80\x04\x01");
	criu_put_num(&m, 1, -1);
	(void)IS(&m, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
}

TEST(texts_and_messages_have_their_length)
{
	struct criu_msg m = { 0 }, inner = { 0 };

	criu_put_str(&m, 10, "log");
	criu_put_str(&m, 11, NULL);
	criu_put_flag(&m, 12, false);
	criu_put_flag(&m, 12, true);
	(void)IS(&m, "\x52\x03log\x60\x01");
	criu_put_pair(&m, 23, "/a", "b");
	(void)IS(&m, "\xba\x01\x07\x0a\x02/a\x12\x01"
		     "b");
	criu_put_fd(&m, 27, "k", 5);
	(void)IS(&m, "\xda\x01\x05\x0a\x01k\x10\x05");
	criu_put_msg(&m, 2, &inner);
	(void)IS(&m, "\x12\x00");
}

#define READ(text, a, e) criu_read_answer(text, sizeof(text) - 1, a, e)

TEST(answers_are_read)
{
	struct criu_answer a;
	struct err e = { 0 };

	REQUIRE_OK(READ("\x08\x02\x10\x01\x22\x03\x08\xb9\x24", &a, &e), &e);
	(void)CHECK_INT(a.type, CRIU_RESTORE);
	(void)CHECK(a.success);
	(void)CHECK_INT(a.restored_pid, 4665);
	REQUIRE_OK(
		READ("\x08\x06\x10\x01\x2a\x0a\x0a\x06script\x10\x07", &a, &e),
		&e);
	(void)CHECK_INT(a.type, CRIU_NOTIFY);
	(void)CHECK_STR(a.script, "script");
	(void)CHECK_INT(a.script_pid, 7);
	REQUIRE_OK(READ("\x08\x01\x10\x00\x38\x16\x4a\x03why", &a, &e), &e);
	(void)CHECK(!a.success);
	(void)CHECK_INT(a.error, 22);
	(void)CHECK_STR(a.message, "why");
}

TEST(what_a_newer_criu_adds_is_skipped)
{
	struct criu_answer a;
	struct err e = { 0 };

	REQUIRE_OK(READ("\x08\x01\xf8\x07\x05\xf2\x07\x01x\x85\x08"
			"1234\x89\x08"
			"12345678\x10\x01",
			&a, &e),
		   &e);
	(void)CHECK_INT(a.type, CRIU_DUMP);
	(void)CHECK(a.success);
}

TEST(texts_that_are_too_long_are_cut)
{
	char text[300] = "\x08\x06\x2a\xa0\x02\x0a\x9d\x02";
	struct criu_answer a;
	struct err e = { 0 };

	(void)memset(text + 8, 'x', sizeof(text) - 8);
	(void)CHECK_INT(criu_read_answer(text, 5 + 288, &a, &e), 0);
	(void)CHECK_INT(strlen(a.script), CRIU_SCRIPT_MAX - 1);
}

TEST(what_makes_no_sense_is_refused)
{
	static const struct {
		const char *text;
		size_t n;
	} bad[] = {
		{ "\x08", 1 }, /* a key alone */
		{ "\x80", 1 }, /* half a key */
		{ "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12 },
		{ "\x2a\x05\x0a", 3 },	    /* longer than there is */
		{ "\x2a\x03\x0a\x05x", 5 }, /* the same within */
		{ "\x2a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01x", 12 },
		{ "\x0b", 1 },	   /* a group: long gone */
		{ "\x0f\x01", 2 }, /* no such type */
		{ "\x20\x01", 2 }, /* a number for a message */
		{ "\x09\x01", 2 }, /* less than eight bytes */
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct criu_answer a;
		struct err e = { 0 };

		if (!CHECK_INT(criu_read_answer(bad[i].text, bad[i].n, &a, &e),
			       -EPROTO))
			(void)CHECK_INT(i, -1);
	}
}

static const struct tap_test tests[] = {
	TAP(numbers_are_varints),
	TAP(texts_and_messages_have_their_length),
	TAP(answers_are_read),
	TAP(what_a_newer_criu_adds_is_skipped),
	TAP(texts_that_are_too_long_are_cut),
	TAP(what_makes_no_sense_is_refused),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}
