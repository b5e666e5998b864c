/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "tests/unit/tap.h"

TEST(a_failed_call_gives_its_errno_and_its_words)
{
	struct err e = { 0 };
	int r;

	errno = ENOENT;
	r = err_errno(&e, "open '%s'", "/x");
	CHECK_INT(r, -ENOENT);
	CHECK_INT(e.code, -ENOENT);
	CHECK_STR(e.text, "open '/x': No such file or directory");
}

TEST(a_failure_without_errno_is_a_failure_all_the_same)
{
	struct err e = { 0 };

	errno = 0;
	CHECK_INT(err_errno(&e, "call"), -EIO);
	CHECK_INT(e.code, -EIO);
}

TEST(a_refusal_keeps_its_code_and_sentence)
{
	struct err e = { 0 };

	CHECK_INT(err_set(&e, -EINVAL, "name longer than %d", 64), -EINVAL);
	CHECK_INT(e.code, -EINVAL);
	CHECK_STR(err_text(&e), "name longer than 64");
}

TEST(a_code_is_put_into_words)
{
	struct err e = { 0 };

	CHECK_INT(err_code(&e, -EBUSY, "mount '%s'", "/a"), -EBUSY);
	CHECK_STR(e.text, "mount '/a': Device or resource busy");
	CHECK_INT(err_code(&e, -EBUSY, "%s", ""), -EBUSY);
	CHECK_STR(e.text, "Device or resource busy");
	CHECK_INT(err_code(&e, -99999, "odd"), -99999);
	CHECK_STR(e.text, "odd: unknown error");
}

TEST(wrapping_puts_the_outer_words_in_front)
{
	struct err e = { 0 };
	int r = err_set(&e, -EPERM, "chdir '/x'");

	r = err_wrap(&e, r, "cwd");
	r = err_wrap(&e, r, "start '%s'", "/bin/true");
	CHECK_INT(r, -EPERM);
	CHECK_STR(e.text, "start '/bin/true': cwd: chdir '/x'");
}

TEST(wrapping_may_change_the_code_and_name_a_silent_failure)
{
	struct err e = { 0 };

	CHECK_INT(err_wrap(&e, -ENOSPC, "write"), -ENOSPC);
	CHECK_STR(e.text, "write: No space left on device");
	CHECK_INT(err_wrap(&e, -EIO, "save"), -EIO);
	CHECK_INT(e.code, -EIO);
}

TEST(an_error_may_be_made_of_its_own_text)
{
	struct err e = { 0 };

	(void)err_set(&e, -EIO, "inner");
	(void)err_set(&e, -EIO, "outer (%s)", e.text);
	CHECK_STR(e.text, "outer (inner)");
	(void)err_wrap(&e, -EIO, "%s again", e.text);
	CHECK_STR(e.text, "outer (inner) again: outer (inner)");
}

TEST(long_sentences_are_cut_not_overrun)
{
	struct {
		struct err e;
		char guard[8];
	} s = { .guard = "guarded" };
	char name[2 * ERR_TEXT];

	(void)memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	CHECK_INT(err_set(&s.e, -EINVAL, "%s", name), -EINVAL);
	CHECK_INT(strlen(s.e.text), ERR_TEXT - 1);
	CHECK_INT(err_wrap(&s.e, -EINVAL, "wrapped"), -EINVAL);
	CHECK_INT(strlen(s.e.text), ERR_TEXT - 1);
	CHECK_INT(strncmp(s.e.text, "wrapped: xxx", 12), 0);
	CHECK_INT(err_code(&s.e, -EINVAL, "%s", name), -EINVAL);
	CHECK_STR(s.guard, "guarded");
}

TEST(nobody_has_to_want_the_sentence)
{
	errno = EACCES;
	CHECK_INT(err_errno(NULL, "open"), -EACCES);
	CHECK_INT(err_set(NULL, -EINVAL, "x"), -EINVAL);
	CHECK_INT(err_code(NULL, -EINVAL, "x"), -EINVAL);
	CHECK_INT(err_wrap(NULL, -EINVAL, "x"), -EINVAL);
	CHECK(err_text(NULL)[0]);
}

TEST(the_text_of_a_bare_code_is_its_words)
{
	struct err e = { .code = -ENOMEM };

	CHECK_STR(err_text(&e), "Cannot allocate memory");
	e.code = 0;
	CHECK_STR(err_text(&e), "no error");
}

static const struct tap_test tests[] = {
	TAP(a_failed_call_gives_its_errno_and_its_words),
	TAP(a_failure_without_errno_is_a_failure_all_the_same),
	TAP(a_refusal_keeps_its_code_and_sentence),
	TAP(a_code_is_put_into_words),
	TAP(wrapping_puts_the_outer_words_in_front),
	TAP(wrapping_may_change_the_code_and_name_a_silent_failure),
	TAP(an_error_may_be_made_of_its_own_text),
	TAP(long_sentences_are_cut_not_overrun),
	TAP(nobody_has_to_want_the_sentence),
	TAP(the_text_of_a_bare_code_is_its_words),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}
