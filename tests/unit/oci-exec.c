/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/oci-plan.h"

#include "base/json.h"
#include "namespaces/caps.h"

/* Literals where the owner of a list would have memory of its own. */
#define S(text) ((char *)(text))

/* What exec runs: a process.json, the container's own program, the command
 * line, one on top of the other. */

static int parse_process(const char *text, const struct plan *base,
			 struct plan_process *p, struct err *e)
{
	struct spec_process s = { 0 };
	int r;

	r = json_read(text, strlen(text), &spec_process_table, &s,
		      "process.json", e);
	if (r < 0)
		return r;
	r = plan_make_process(&s, base, p, e);
	spec_process_done(&s);
	return r;
}

static uint64_t cap(const char *name)
{
	unsigned int n = 0;

	(void)CHECK_INT(ns_cap_parse(name, &n), 0);
	return (uint64_t)1 << n;
}

#define BASE(p, name)                                                          \
	_cleanup_(plan_done) struct plan p = { 0 };                            \
	_cleanup_(plan_process_done) struct plan_process x = { 0 };            \
	struct err e = { 0 };                                                  \
	REQUIRE_OK(test_plan(name, &test_machine, &p, &e), &e)

TEST(what_a_process_file_leaves_out_is_the_containers)
{
	BASE(p, "userns.json");

	REQUIRE_OK(parse_process("{\"args\":[\"id\"],\"cwd\":\"/\","
				 "\"env\":[\"E=1\"]}",
				 &p, &x, &e),
		   &e);
	(void)CHECK_STR(x.args[0], "id");
	(void)CHECK_STR(x.env[0], "E=1");
	(void)CHECK_INT(x.user.uid, 0);
	(void)CHECK_INT(x.caps.bounding, cap("CAP_CHOWN"));
	REQUIRE(x.sched && x.io_priority);
	(void)CHECK_STR(x.sched->policy, "SCHED_BATCH");
	(void)CHECK_STR(x.cpus_initial, "0");
	(void)CHECK(x.sched != p.process.sched);
}

TEST(what_a_process_file_says_counts)
{
	BASE(p, "podman.json");

	REQUIRE_OK(parse_process("{\"args\":[\"id\"],\"cwd\":\"/\","
				 "\"capabilities\":{},"
				 "\"noNewPrivileges\":true,"
				 "\"apparmorProfile\":\"own\","
				 "\"rlimits\":[{\"type\":\"RLIMIT_CORE\","
				 "\"soft\":0,\"hard\":0}],"
				 "\"execCPUAffinity\":{\"final\":\"1\"}}",
				 &p, &x, &e),
		   &e);
	(void)CHECK(x.caps.set && x.caps.bounding == 0);
	(void)CHECK(x.no_new_privs && !x.terminal);
	(void)CHECK_INT(x.rlimits.n, 1);
	(void)CHECK_STR(x.apparmor, "own");
	(void)CHECK_STR(x.cpus_final, "1");
	(void)CHECK_STR(x.cpus_initial, NULL);
}

TEST(a_process_file_may_be_wrong)
{
	/* clang-format off */
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "{\"cwd\":\"/\"}", "args: empty" },
		{ "{\"args\":[\"a\"],\"cwd\":\".\"}", "cwd: '.' is not an absolute path" },
		{ "{\"args\":[\"a\"],\"cwd\":\"/\",\"user\":{\"uid\":65536}}", "user: uid: 65536 has no mapping" },
	};
	/* clang-format on */
	BASE(p, "userns.json");

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		(void)CHECK_INT(parse_process(rows[i].text, &p, &x, &e),
				-EINVAL);
		(void)CHECK_STR(e.text, rows[i].want);
		(void)CHECK(!x.args && !x.cwd);
	}
}

TEST(the_command_line_goes_on_top_of_the_containers_program)
{
	static char *const args[] = { S("ls"), S("-l"), NULL };
	static char *const env[] = { S("TERM=dumb"), S("NEW=1"), NULL };
	static char *const caps[] = { S("CAP_SYS_PTRACE"), NULL };
	static uint32_t groups[] = { 7, 8 };
	const struct plan_exec on_top = {
		.args = args,
		.env = env,
		.caps = caps,
		.cwd = "/tmp/../x",
		.groups = { groups, ARRAY_SIZE(groups) },
		.uid = OPT_OF(5),
		.gid = OPT_OF(6),
		.terminal = OPT_OF(false),
		.no_new_privs = true,
		.apparmor = "profile",
		.selinux = "label",
	};
	BASE(p, "podman.json");

	REQUIRE_OK(plan_make_process(NULL, &p, &x, &e), &e);
	(void)CHECK_STR(x.args[0], "sh");
	REQUIRE_OK(plan_apply_exec(&x, &p, &on_top, &e), &e);
	(void)CHECK_STR(x.args[1], "-l");
	(void)CHECK_STR(x.cwd, "/x");
	(void)CHECK_STR(strv_env_get(x.env, "TERM"), "dumb");
	(void)CHECK_STR(strv_env_get(x.env, "NEW"), "1");
	(void)CHECK_STR(strv_env_get(x.env, "HOME"), "/root");
	(void)CHECK(x.user.uid == 5 && x.user.gid == 6);
	(void)CHECK_INT(x.user.groups.n, 3);
	(void)CHECK_INT(x.user.groups.v[2], 8);
	(void)CHECK(x.no_new_privs && !x.terminal);
	(void)CHECK(x.caps.effective & cap("CAP_SYS_PTRACE"));
	(void)CHECK(x.caps.bounding & cap("CAP_SYS_PTRACE"));
	(void)CHECK(x.caps.permitted & cap("CAP_SYS_PTRACE"));
	(void)CHECK(!(x.caps.inheritable & cap("CAP_SYS_PTRACE")));
	(void)CHECK(!(x.caps.ambient & cap("CAP_SYS_PTRACE")));
	(void)CHECK_STR(x.apparmor, "profile");
	(void)CHECK_STR(x.selinux, "label");
}

TEST(nothing_on_the_command_line_changes_nothing)
{
	const struct plan_exec nothing = { 0 };
	BASE(p, "containerd.json");

	REQUIRE_OK(plan_make_process(NULL, &p, &x, &e), &e);
	REQUIRE_OK(plan_apply_exec(&x, &p, &nothing, &e), &e);
	(void)CHECK_STR(x.args[0], "/app/server");
	(void)CHECK_STR(x.apparmor, "cri-containerd.apparmor.d");
	(void)CHECK(x.user.uid == 1000 && x.no_new_privs);
	(void)CHECK_INT(x.oom_score_adj.v, 994);
}

TEST(mistakes_on_the_command_line_are_told)
{
	static char *const env[] = { S("NAME"), NULL };
	static const struct {
		struct plan_exec x;
		const char *want;
	} rows[] = {
		{ { .cwd = "tmp" }, "cwd: 'tmp' is not an absolute path" },
		{ { .uid = OPT_OF(70000) }, "user: uid: 70000 has no mapping" },
		{ { .env = env }, "env: [2]: 'NAME' has no '='" },
	};
	BASE(p, "userns.json");

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		plan_process_done(&x);
		REQUIRE_OK(plan_make_process(NULL, &p, &x, &e), &e);
		(void)CHECK_INT(plan_apply_exec(&x, &p, &rows[i].x, &e),
				-EINVAL);
		(void)CHECK_STR(e.text, rows[i].want);
	}
}

TEST(an_unknown_capability_is_left_out_and_the_others_are_added)
{
	static char *const caps[] = { S("CAP_FLY"), S("CAP_SYSLOG"), NULL };
	const struct plan_exec more = { .caps = caps };
	unsigned int cap;
	BASE(p, "containerd.json");

	REQUIRE_OK(plan_make_process(NULL, &p, &x, &e), &e);
	REQUIRE_OK(plan_apply_exec(&x, &p, &more, &e), &e);
	REQUIRE(ns_cap_parse("CAP_SYSLOG", &cap) == 0);
	(void)CHECK(x.caps.bounding ==
		    (p.process.caps.bounding | (uint64_t)1 << cap));
}

/* --- what is warned of ------------------------------------------------------
 */

TEST(capabilities_that_cannot_be_had_are_left_out)
{
	BASE(p, "podman.json");

	REQUIRE_OK(
		parse_process("{\"args\":[\"a\"],\"cwd\":\"/\","
			      "\"capabilities\":{"
			      "\"bounding\":[\"CAP_KILL\",\"CAP_FLY\"],"
			      "\"permitted\":[\"CAP_KILL\",\"CAP_CHOWN\"],"
			      "\"effective\":[\"CAP_KILL\",\"CAP_SYS_BOOT\"],"
			      "\"inheritable\":[\"CAP_KILL\",\"CAP_CHOWN\"],"
			      "\"ambient\":[\"CAP_KILL\",\"CAP_CHOWN\"]}}",
			      &p, &x, &e),
		&e);
	(void)CHECK_INT(x.caps.bounding, cap("CAP_KILL"));
	(void)CHECK_INT(x.caps.permitted, cap("CAP_KILL") | cap("CAP_CHOWN"));
	(void)CHECK_INT(x.caps.effective, cap("CAP_KILL"));
	(void)CHECK_INT(x.caps.inheritable, cap("CAP_KILL"));
	(void)CHECK_INT(x.caps.ambient, cap("CAP_KILL"));
}

TEST(unknown_capabilities_are_warned_of_but_not_without_end)
{
	autofree char *text = strdup("{\"args\":[\"a\"],\"cwd\":\"/\","
				     "\"capabilities\":{\"bounding\":[");
	BASE(p, "podman.json");

	for (int i = 0; i < 20; i++) {
		char *more = str_printf("%s\"CAP_X%d\",\"CAP_X0\",", text, i);

		free(text);
		text = more;
	}
	text[strlen(text) - 1] = ' ';
	{
		autofree char *whole = str_printf("%s]}}", text);

		REQUIRE_OK(parse_process(whole, &p, &x, &e), &e);
	}
	(void)CHECK_INT(x.caps.bounding, 0);
}

TEST(of_each_variable_the_last_is_kept)
{
	static const char *const want[] = { "AB=1", "A==", "ABC=", "B=2" };
	BASE(p, "podman.json");

	REQUIRE_OK(parse_process("{\"args\":[\"a\"],\"cwd\":\"/\",\"env\":["
				 "\"A=1\",\"AB=1\",\"A=2\",\"A==\",\"ABC=\","
				 "\"B=1\",\"B=2\"]}",
				 &p, &x, &e),
		   &e);
	REQUIRE(strv_len(x.env) == ARRAY_SIZE(want));
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		(void)CHECK_STR(x.env[i], want[i]);
}

static const struct tap_test tests[] = {
	TAP(what_a_process_file_leaves_out_is_the_containers),
	TAP(what_a_process_file_says_counts),
	TAP(a_process_file_may_be_wrong),
	TAP(the_command_line_goes_on_top_of_the_containers_program),
	TAP(nothing_on_the_command_line_changes_nothing),
	TAP(mistakes_on_the_command_line_are_told),
	TAP(an_unknown_capability_is_left_out_and_the_others_are_added),
	TAP(capabilities_that_cannot_be_had_are_left_out),
	TAP(unknown_capabilities_are_warned_of_but_not_without_end),
	TAP(of_each_variable_the_last_is_kept),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}
