/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/oci-plan.h"

#include "base/json_out.h"

/* --- as text, and back -----------------------------------------------------*/

static const char *const files[] = {
	"minimal.json", "podman.json", "containerd.json",
	"userns.json",	"limits.json", "vm.json",
};

TEST(a_plan_that_was_written_is_read_as_the_same)
{
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		autofree char *first = NULL, *second = NULL;
		struct plan p = { 0 }, q = { 0 };
		struct err e = { 0 };
		size_t len;

		if (!CHECK_OK(test_plan(files[i], &test_machine, &p, &e), &e)) {
			tap_note("%s", files[i]);
			continue;
		}
		REQUIRE_OK(json_write(&plan_table, &p, true, &first, &len, &e),
			   &e);
		plan_done(&p);
		if (CHECK_OK(json_read(first, len, &plan_table, &q, files[i],
				       &e),
			     &e))
			REQUIRE_OK(json_write(&plan_table, &q, true, &second,
					      NULL, &e),
				   &e);
		(void)CHECK_STR(second, first);
		plan_done(&q);
	}
}

static size_t size_of(const struct json_field *f)
{
	static const size_t sizes[JSON_T_N_] = {
		[JSON_T_BOOL] = sizeof(bool),
		[JSON_T_I32] = 4,
		[JSON_T_U32] = 4,
		[JSON_T_ENUM] = sizeof(int),
		[JSON_T_I64] = 8,
		[JSON_T_U64] = 8,
		[JSON_T_F64] = sizeof(double),
		[JSON_T_STR] = sizeof(char *),
		[JSON_T_RAW] = sizeof(char *),
		[JSON_T_OPT_BOOL] = sizeof(struct opt_bool),
		[JSON_T_OPT_I64] = sizeof(struct opt_i64),
		[JSON_T_OPT_U64] = sizeof(struct opt_u64),
		[JSON_T_OPT_U32] = sizeof(struct opt_u32),
		[JSON_T_STRV] = sizeof(char **),
		[JSON_T_MAP] = sizeof(struct json_map),
		[JSON_T_U32V] = sizeof(struct json_u32v),
		[JSON_T_BYTES] = sizeof(struct json_bytes),
		[JSON_T_PTR] = sizeof(void *),
		[JSON_T_VEC] = sizeof(struct json_u32v),
		[JSON_T_DICT] = sizeof(struct json_u32v),
	};

	return f->type == JSON_T_OBJ ? f->table->size : sizes[f->type];
}

static const struct json_field *first_from(const struct json_table *t,
					   size_t at)
{
	const struct json_field *first = NULL;

	for (size_t i = 0; i < t->n_fields; i++)
		if (t->fields[i].offset >= at &&
		    (!first || t->fields[i].offset < first->offset))
			first = &t->fields[i];
	return first;
}

/* Every byte of a struct from at on belongs to a field, but for what aligns the
 * next one. The key of a dictionary's entry is no field. */
static void check_no_gaps(const struct json_table *t, size_t at,
			  const char *name)
{
	const struct json_field *f;

	for (; (f = first_from(t, at)); at = f->offset + size_of(f)) {
		if (!CHECK(f->offset - at < 8))
			tap_note(
				"%s: something before '%s' is not in its table",
				name, f->name);
		if (f->table)
			check_no_gaps(f->table,
				      f->type == JSON_T_DICT ? sizeof(char *)
							     : 0,
				      f->name);
	}
	(void)CHECK(t->size - at < 8);
}

TEST(the_table_of_a_plan_leaves_nothing_out)
{
	check_no_gaps(&plan_table, 0, "plan");
}

/* --- word by word ----------------------------------------------------------*/

/*
 * The plan of a configuration, whole: tests/data/plan has it as it was read
 * over by somebody. After a change that is meant, MOAT_WRITE=1 writes it anew,
 * and the difference is to be read over again.
 */
static char *expected_path(const char *name)
{
	const char *source = getenv("MOAT_SOURCE");

	return str_printf("%s/tests/data/plan/%s", source ? source : ".", name);
}

static void check_against(const char *name, const char *text, size_t len)
{
	autofree char *path = expected_path(name), *want = NULL;
	struct err e = { 0 };

	if (getenv("MOAT_WRITE"))
		(void)CHECK_OK(fd_replace_at(AT_FDCWD, path, text, len, 0644,
					     false, &e),
			       &e);
	if (!CHECK_OK(fd_read_file_at(AT_FDCWD, path, JSON_MAX_SIZE, &want,
				      NULL, &e),
		      &e) ||
	    str_eq(want, text))
		return;
	for (size_t i = 0, line = 1;; line += text[i++] == '\n') {
		if (text[i] == want[i] && text[i])
			continue;
		(void)CHECK(!"the plan is another");
		tap_note("%s: line %zu", path, line);
		return;
	}
}

static void check_whole(const char *name, const struct plan_context *ctx)
{
	_cleanup_(plan_done) struct plan p = { 0 };
	autofree char *text = NULL, *lines = NULL;
	struct err e = { 0 };

	REQUIRE_OK(test_plan(name, ctx, &p, &e), &e);
	REQUIRE_OK(json_write(&plan_table, &p, true, &text, NULL, &e), &e);
	lines = str_printf("%s\n", text);
	check_against(name, lines, strlen(lines));
}

TEST(the_plan_of_a_container_word_by_word)
{
	check_whole("containerd.json", &test_machine);
}

TEST(the_plan_of_a_container_with_a_user_namespace_word_by_word)
{
	struct plan_context ctx = test_machine;

	ctx.no_pivot = true;
	check_whole("userns.json", &ctx);
}

TEST(the_plan_of_all_limits_word_by_word)
{
	check_whole("limits.json", &test_machine);
}

TEST(the_plan_of_a_machine_word_by_word)
{
	check_whole("vm.json", &test_machine);
}

static const struct tap_test tests[] = {
	TAP(a_plan_that_was_written_is_read_as_the_same),
	TAP(the_table_of_a_plan_leaves_nothing_out),
	TAP(the_plan_of_a_container_word_by_word),
	TAP(the_plan_of_a_container_with_a_user_namespace_word_by_word),
	TAP(the_plan_of_all_limits_word_by_word),
	TAP(the_plan_of_a_machine_word_by_word),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}
