/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "src/oci/hooks.h"
#include "tests/unit/tap.h"

/* Hooks that are shell scripts and write into a folder of the test's. */

/* Literals where the owner of a list would have memory of its own. */
#define S(text) ((char *)(text))

static char *nothing[] = { NULL };

struct place {
	char dir[64];
	struct plan plan;
	struct plan_hook hook[3];
	char *args[3][4];
};

static void place_done(struct place *p)
{
	for (size_t i = 0; i < ARRAY_SIZE(p->args); i++)
		free(p->args[i][2]);
	(void)!path_remove_tree(AT_FDCWD, p->dir, NULL);
}

#define PLACE(p)                                                               \
	_cleanup_(place_done) struct place p = {                               \
		.dir = "/tmp/moat-hooks-XXXXXX",                               \
	};                                                                     \
	struct err e = { 0 };                                                  \
	REQUIRE(mkdtemp(p.dir))

static void add(struct place *p, enum plan_hook_kind kind, const char *script)
{
	struct plan_hooks *hooks = &p->plan.hooks[kind];
	struct plan_hook *h = &p->hook[hooks->n];
	char **args = p->args[hooks->n];

	args[0] = S("name");
	args[1] = S("-c");
	args[2] = str_printf("cd %s; %s", p->dir, script);
	*h = (struct plan_hook){ .path = S("/bin/sh"), .args = args };
	h->env = nothing;
	hooks->v = p->hook;
	hooks->n++;
}

static char *read_file(const struct place *p, const char *name)
{
	autofree char *path = str_printf("%s/%s", p->dir, name);
	char *text = NULL;

	(void)CHECK_INT(
		fd_read_file_at(AT_FDCWD, path, 4096, &text, NULL, NULL), 0);
	return text;
}

static int run(const struct place *p, enum plan_hook_kind kind,
	       const char *state, struct err *e)
{
	return hooks_run(&p->plan, kind, &(struct hooks_call){ .state = state },
			 e);
}

TEST(each_gets_the_state_and_its_own_environment)
{
	static char *env[] = { S("A=b"), NULL };
	autofree char *out = NULL;
	PLACE(p);

	add(&p, PLAN_HOOK_PRESTART, "cat >out; echo $0 $A $HOME >>out");
	add(&p, PLAN_HOOK_PRESTART, "echo two >>out");
	p.hook[0].env = env;
	REQUIRE_OK(run(&p, PLAN_HOOK_PRESTART, "state\n", &e), &e);
	out = read_file(&p, "out");
	(void)CHECK_STR(out, "state\nname b\ntwo\n");
}

TEST(the_first_failure_ends_it_and_is_told)
{
	autofree char *file = NULL;
	PLACE(p);

	add(&p, PLAN_HOOK_CREATE_RUNTIME, "exit 0");
	add(&p, PLAN_HOOK_CREATE_RUNTIME, "echo no disk >&2; exit 3");
	add(&p, PLAN_HOOK_CREATE_RUNTIME, "echo >third");
	(void)CHECK(run(&p, PLAN_HOOK_CREATE_RUNTIME, "", &e) < 0);
	(void)CHECK_STR(
		e.text,
		"createRuntime hook [1]: '/bin/sh' ended with status 3: no disk");
	file = str_printf("%s/third", p.dir);
	(void)CHECK(access(file, F_OK) < 0);
}

TEST(after_the_end_nothing_stops_the_others)
{
	autofree char *out = NULL;
	PLACE(p);

	add(&p, PLAN_HOOK_POSTSTOP, "exit 1");
	add(&p, PLAN_HOOK_POSTSTOP, "echo ran >out");
	p.hook[0].path = S("/nowhere/at/all");
	(void)CHECK_OK(run(&p, PLAN_HOOK_POSTSTOP, "", &e), &e);
	out = read_file(&p, "out");
	(void)CHECK_STR(out, "ran\n");
}

TEST(without_arguments_it_is_named_by_its_path)
{
	PLACE(p);

	add(&p, PLAN_HOOK_PRESTART, "");
	p.hook[0].path = S("/bin/false");
	p.hook[0].args = NULL;
	(void)CHECK(run(&p, PLAN_HOOK_PRESTART, "", &e) < 0);
	(void)CHECK_STR(e.text,
			"prestart hook [0]: '/bin/false' ended with status 1");
	p.hook[0].args = nothing;
	(void)CHECK(run(&p, PLAN_HOOK_PRESTART, "", &e) < 0);
}

TEST(one_that_is_not_there_is_named)
{
	PLACE(p);

	add(&p, PLAN_HOOK_START_CONTAINER, "");
	p.hook[0].path = S("/nowhere/at/all");
	(void)CHECK_INT(run(&p, PLAN_HOOK_START_CONTAINER, "", &e), -ENOENT);
	(void)CHECK_HAS(e.text, "startContainer hook [0]: ");
	(void)CHECK_HAS(e.text, "'/nowhere/at/all'");
}

TEST(one_that_takes_too_long_is_ended)
{
	PLACE(p);

	/* Reading from a FIFO that nobody writes to takes for ever. */
	add(&p, PLAN_HOOK_POSTSTART, "mkfifo f; read x <f");
	p.hook[0].env = (char *[]){ S("PATH=/usr/bin:/bin"), NULL };
	p.hook[0].timeout = (struct opt_i64)OPT_OF(1);
	(void)CHECK_INT(run(&p, PLAN_HOOK_POSTSTART, "", &e), -ETIMEDOUT);
	(void)CHECK_STR(
		e.text,
		"poststart hook [0]: '/bin/sh' took longer than 1000 ms");
}

static const struct tap_test tests[] = {
	TAP(each_gets_the_state_and_its_own_environment),
	TAP(the_first_failure_ends_it_and_is_told),
	TAP(after_the_end_nothing_stops_the_others),
	TAP(without_arguments_it_is_named_by_its_path),
	TAP(one_that_is_not_there_is_named),
	TAP(one_that_takes_too_long_is_ended),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}
