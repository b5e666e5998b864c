/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/json_out.h"
#include "base/str.h"
#include "src/oci/spec.h"
#include "tests/unit/tap.h"

/* --- reading what is good --------------------------------------------------*/

static char *load(const char *name, size_t *ret_len)
{
	const char *source = getenv("MOAT_SOURCE");
	autofree char *path = str_printf("%s/tests/data/config/%s",
					 source ? source : ".", name);
	char *text = NULL;
	struct err e = { 0 };

	(void)CHECK_OK(fd_read_file_at(AT_FDCWD, path, JSON_MAX_SIZE, &text,
				       ret_len, &e),
		       &e);
	return text;
}

/* The file has every key of the tables, in their order: what was read must
 * come out again, character by character. */
TEST(every_key_is_read_and_kept)
{
	autofree char *text = NULL, *in = NULL, *out = NULL;
	struct spec s = { 0 };
	struct err e = { 0 };
	size_t len = 0;

	text = load("every-key.json", &len);
	REQUIRE(text);
	REQUIRE_OK(json_reformat(text, len, false, &in, &e), &e);
	REQUIRE_OK(spec_parse(text, len, "every-key.json", &s, &e), &e);
	(void)CHECK_OK(json_write(&spec_table, &s, false, &out, NULL, &e), &e);
	(void)CHECK_STR(out, in);
	spec_done(&s);
}

static bool is_zero(const void *p, size_t n)
{
	const char *c = p;

	for (size_t i = 0; i < n; i++)
		if (c[i])
			return false;
	return true;
}

static size_t member_size(const struct json_field *f)
{
	return f->type == JSON_T_BOOL ? sizeof(bool) : sizeof(uint32_t);
}

/* Walks into the first entry of each list. */
static void check_filled(const struct json_table *t, const char *obj,
			 const char *path)
{
	for (size_t i = 0; i < t->n_fields; i++) {
		const struct json_field *f = &t->fields[i];
		const char *at = obj + f->offset, *inner = NULL;
		autofree char *name = str_printf("%s: %s", path, f->name);

		if (!CHECK(!is_zero(at, member_size(f)))) {
			tap_note("every-key.json has no %s", name);
			continue;
		}
		if (f->type == JSON_T_OBJ)
			inner = at;
		else if (f->table) /* a pointer, or a list that begins so */
			inner = *(const char *const *)(const void *)at;
		if (inner)
			check_filled(f->table, inner, name);
	}
}

TEST(the_file_of_every_key_has_every_key)
{
	autofree char *text = NULL;
	struct spec s = { 0 };
	struct err e = { 0 };
	size_t len = 0;

	text = load("every-key.json", &len);
	REQUIRE(text);
	REQUIRE_OK(spec_parse(text, len, "every-key.json", &s, &e), &e);
	check_filled(&spec_table, (const char *)&s, "spec");
	spec_done(&s);
}

TEST(what_is_absent_is_not_set)
{
	static const char text[] = "{\"ociVersion\":\"1.0.2\","
				   "\"process\":{\"cwd\":\"/\"},"
				   "\"linux\":{\"resources\":{\"pids\":{}}}}";
	struct spec s = { 0 };
	struct err e = { 0 };

	REQUIRE_OK(spec_parse(text, strlen(text), "x", &s, &e), &e);
	(void)CHECK(!s.root && !s.hooks && !s.vm && !s.hostname);
	(void)CHECK(!s.process->args && !s.process->capabilities);
	(void)CHECK(!s.process->user.umask.set);
	(void)CHECK(!s.os->resources->pids->limit.set);
	(void)CHECK(!s.os->resources->memory && !s.os->seccomp);
	spec_done(&s);
}

TEST(unknown_keys_are_skipped)
{
	static const char text[] =
		"{\"ociVersion\":\"1.9.0\",\"future\":{\"a\":[1,{}]},"
		"\"linux\":{\"new\":null},\"process\":{\"x\":true}}";
	struct spec s = { 0 };
	struct err e = { 0 };

	(void)CHECK_OK(spec_parse(text, strlen(text), "x", &s, &e), &e);
	spec_done(&s);
}

TEST(parts_of_a_configuration_are_read_alone)
{
	char dir[] = "/tmp/moat-oci-spec-XXXXXX";
	autofree char *process = NULL, *resources = NULL;
	struct spec_process p = { 0 };
	struct spec_resources r = { 0 };
	struct err e = { 0 };

	REQUIRE(mkdtemp(dir));
	process = str_printf("%s/process.json", dir);
	resources = str_printf("%s/resources.json", dir);
	(void)CHECK_OK(fd_replace_at(AT_FDCWD, process, "{\"cwd\":\"/x\"}", 12,
				     0600, false, &e),
		       &e);
	(void)CHECK_OK(fd_replace_at(AT_FDCWD, resources,
				     "{\"pids\":{\"limit\":7}}", 20, 0600,
				     false, &e),
		       &e);
	if (CHECK_OK(spec_process_read(AT_FDCWD, process, &p, &e), &e))
		(void)CHECK_STR(p.cwd, "/x");
	if (CHECK_OK(spec_resources_read(AT_FDCWD, resources, &r, &e), &e))
		(void)CHECK_INT(r.pids->limit.v, 7);
	spec_process_done(&p);
	spec_resources_done(&r);
	(void)unlink(process);
	(void)unlink(resources);
	(void)rmdir(dir);
}

/* --- versions --------------------------------------------------------------*/

static int parse_version(const char *version, struct err *e)
{
	autofree char *text = str_printf("{\"ociVersion\":\"%s\"}", version);
	struct spec s = { 0 };
	int r;

	r = spec_parse(text, strlen(text), "config.json", &s, e);
	if (r == 0)
		spec_done(&s);
	return r;
}

TEST(every_version_1_is_accepted)
{
	static const char *const good[] = {
		"1.0.0",     "1.0.2-dev",   "1.3.0",	     "1.3.1+dev",
		"1.0.0-rc5", "1.10.0-rc.1", "1.99.99+a-b.c",
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct err e = { 0 };

		if (!CHECK_OK(parse_version(good[i], &e), &e))
			tap_note("version '%s'", good[i]);
	}
}

TEST(other_versions_are_refused)
{
	static const char *const bad[] = {
		"",	 "1",	   "1.",     "1.3",    "1.3.",	  "1.3.x",
		"0.9.0", "2.0.0",  "1.x.0",  "1.3.0x", "v1.0.0",  " 1.0.0",
		"1..0",	 "1.-1.0", "11.0.0", "1.0.0 ", "1.0.0.0",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		autofree char *want = str_printf(
			"config.json: ociVersion: '%s' is not a version 1.x of the specification",
			bad[i]);
		struct err e = { 0 };

		(void)CHECK_INT(parse_version(bad[i], &e), -EINVAL);
		(void)CHECK_STR(e.text, want);
	}
}

/* --- reading what is not ---------------------------------------------------*/

TEST(wrong_types_are_named_by_their_place)
{
	/* clang-format off */
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "{}", "config.json: ociVersion: is required" },
		{ "[]", "config.json: expected an object" },
		{ "{\"ociVersion\":1}", "config.json: ociVersion: expected a string" },
		{ "{\"ociVersion\":\"1.0.0\",\"process\":[]}", "config.json: process: expected an object" },
		{ "{\"ociVersion\":\"1.0.0\",\"process\":{\"rlimits\":[{\"type\":\"a\",\"soft\":1,\"hard\":2},{\"type\":\"a\",\"soft\":-1,\"hard\":2}]}}",
		  "config.json: process: rlimits: [1]: soft: expected an unsigned number" },
		{ "{\"ociVersion\":\"1.0.0\",\"process\":{\"rlimits\":[{\"type\":\"a\",\"soft\":1}]}}",
		  "config.json: process: rlimits: [0]: hard: is required" },
		{ "{\"ociVersion\":\"1.0.0\",\"process\":{\"args\":[1]}}", "config.json: process: args: [0]: expected a string" },
		{ "{\"ociVersion\":\"1.0.0\",\"process\":{\"user\":{\"uid\":4294967296}}}",
		  "config.json: process: user: uid: number over 4294967295" },
		{ "{\"ociVersion\":\"1.0.0\",\"linux\":{\"resources\":{\"rdma\":{\"a\":1}}}}",
		  "config.json: linux: resources: rdma: a: expected an object" },
		{ "{\"ociVersion\":\"1.0.0\",\"linux\":{\"timeOffsets\":{\"boottime\":{\"secs\":1.5}}}}",
		  "config.json: linux: timeOffsets: boottime: secs: expected a whole number in digits, not 1.5" },
		{ "{\"ociVersion\":\"1.0.0\",\"linux\":{\"seccomp\":{}}}", "config.json: linux: seccomp: defaultAction: is required" },
		{ "{\"ociVersion\":\"1.0.0\",\"ociVersion\":\"1.0.0\"}", "config.json: duplicate key 'ociVersion'" },
		{ "{\"ociVersion\":\"1.0.0\",\"hostname\":\"a\\u0000b\"}", "config.json: hostname: NUL in a string" },
		{ "{\"ociVersion\":\"1.0.0\",\"mounts\":[{\"destination\":\"/\\u0000\"}]}",
		  "config.json: mounts: [0]: destination: NUL in a string" },
	};
	/* clang-format on */

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct spec s = { 0 };
		struct err e = { 0 };

		(void)CHECK(spec_parse(rows[i].text, strlen(rows[i].text),
				       "config.json", &s, &e) < 0);
		if (!CHECK_STR(e.text, rows[i].want))
			tap_note("in '%s'", rows[i].text);
	}
}

TEST(a_file_that_ends_early_is_refused_wherever_it_ends)
{
	autofree char *text = NULL;
	size_t len = 0;

	text = load("every-key.json", &len);
	REQUIRE(text);
	while (len > 0 && text[len - 1] != '}')
		len--;
	for (size_t n = 0; n < len; n++) {
		struct spec s = { 0 };
		struct err e = { 0 };

		if (!CHECK(spec_parse(text, n, "x", &s, &e) < 0))
			tap_note("cut after %zu bytes", n);
	}
}

TEST(a_file_is_read_from_its_folder)
{
	const char *source = getenv("MOAT_SOURCE");
	autofree char *path =
		str_printf("%s/tests/data/config", source ? source : ".");
	autoclose int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct spec s = { 0 };
	struct err e = { 0 };

	REQUIRE_OK(spec_read(dir, "minimal.json", &s, &e), &e);
	(void)CHECK_STR(s.process->args[0], "/bin/true");
	spec_done(&s);
}

TEST(a_missing_file_is_named)
{
	struct spec s = { 0 };
	struct err e = { 0 };

	(void)CHECK_INT(spec_read(AT_FDCWD, "/nowhere/config.json", &s, &e),
			-ENOENT);
	(void)CHECK_HAS(e.text, "/nowhere/config.json");
}

/* --- writing ---------------------------------------------------------------*/

static int namespaces_of(const struct spec *s, const char *type)
{
	int n = 0;

	for (size_t i = 0; i < s->os->namespaces.n; i++)
		n += str_eq(s->os->namespaces.v[i].type, type);
	return n;
}

TEST(the_default_configuration_is_one)
{
	for (int rootless = 0; rootless <= 1; rootless++) {
		autofree char *text = NULL;
		struct spec s = { 0 };
		struct spec_default d = {
			.rootless = rootless,
			.uid = 1000,
			.gid = 1001,
			.cgroup_namespace = rootless,
		};
		struct err e = { 0 };

		REQUIRE_OK(spec_default(&d, &text, &e), &e);
		REQUIRE_OK(spec_parse(text, strlen(text), "x", &s, &e), &e);
		(void)CHECK_STR(s.version, SPEC_VERSION);
		(void)CHECK_STR(s.process->args[0], "sh");
		(void)CHECK_INT(s.os->uid_mappings.n, rootless);
		if (rootless)
			(void)CHECK_INT(s.os->gid_mappings.v[0].host_id, 1001);
		(void)CHECK_INT(namespaces_of(&s, "cgroup"), rootless);
		for (size_t i = 0; i < s.os->namespaces.n; i++)
			(void)CHECK_INT(
				namespaces_of(&s, s.os->namespaces.v[i].type),
				1);
		spec_done(&s);
	}
}

TEST(by_default_the_network_is_its_own_unless_it_is_said)
{
	for (int i = 0; i < 4; i++) {
		const struct spec_default d = { .rootless = i & 1,
						.host_network = i & 2 };
		autofree char *text = NULL;
		struct spec s = { 0 };
		struct err e = { 0 };

		REQUIRE_OK(spec_default(&d, &text, &e), &e);
		REQUIRE_OK(spec_parse(text, strlen(text), "x", &s, &e), &e);
		(void)CHECK_INT(namespaces_of(&s, "network"), !(i & 2));
		for (size_t m = 0; m < s.mounts.n; m++) {
			if (str_eq(s.mounts.v[m].destination, "/sys"))
				(void)CHECK_STR(s.mounts.v[m].type,
						i & 2 ? "none" : "sysfs");
		}
		spec_done(&s);
	}
}

static const struct tap_test tests[] = {
	TAP(every_key_is_read_and_kept),
	TAP(the_file_of_every_key_has_every_key),
	TAP(what_is_absent_is_not_set),
	TAP(unknown_keys_are_skipped),
	TAP(parts_of_a_configuration_are_read_alone),
	TAP(every_version_1_is_accepted),
	TAP(other_versions_are_refused),
	TAP(wrong_types_are_named_by_their_place),
	TAP(a_file_that_ends_early_is_refused_wherever_it_ends),
	TAP(a_file_is_read_from_its_folder),
	TAP(a_missing_file_is_named),
	TAP(the_default_configuration_is_one),
	TAP(by_default_the_network_is_its_own_unless_it_is_said),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}
