/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "namespaces/seccomp_priv.h"
#include "tests/unit/namespaces-world.h"

static const char profile[] =
	"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{"
	"\"names\":[\"mkdir\",\"rmdir\"],\"action\":\"SCMP_ACT_ERRNO\","
	"\"errnoRet\":7,\"args\":[{\"index\":1,\"value\":5,"
	"\"op\":\"SCMP_CMP_EQ\"}]}]}";

static void read_profile(const char *text, struct ns_seccomp *s)
{
	struct err e = { 0 };

	(void)CHECK_OK(
		json_read(text, strlen(text), &ns_seccomp_table, s, "p", &e),
		&e);
}

static void key_of(const char *text, char key[NS_SECCOMP_KEY])
{
	struct ns_seccomp s = { 0 };

	read_profile(text, &s);
	ns_seccomp_key(&s, key);
	json_free(&ns_seccomp_table, &s);
}

TEST(whatever_changes_the_program_changes_its_key)
{
	/* Each differs from the profile above in one thing. */
	static const struct {
		const char *from, *to;
	} edits[] = {
		{ "SCMP_ACT_ALLOW", "SCMP_ACT_LOG" },
		{ "\"mkdir\",\"rmdir\"", "\"mkdirrmdir\"" },
		{ "\"mkdir\",\"rmdir\"", "\"rmdir\",\"mkdir\"" },
		{ "\"mkdir\",\"rmdir\"", "\"mkdi\",\"rrmdir\"" },
		{ "SCMP_ACT_ERRNO", "SCMP_ACT_TRACE" },
		{ "\"errnoRet\":7", "\"errnoRet\":8" },
		{ "\"errnoRet\":7,", "" },
		{ "\"index\":1", "\"index\":2" },
		{ "\"value\":5", "\"value\":6" },
		{ "\"value\":5", "\"value\":5,\"valueTwo\":1" },
		{ "SCMP_CMP_EQ", "SCMP_CMP_NE" },
		{ "\"defaultAction\":",
		  "\"architectures\":[\"SCMP_ARCH_X86\"],\"defaultAction\":" },
		{ "\"defaultAction\":",
		  "\"defaultErrnoRet\":1,\"defaultAction\":" },
	};
	char first[NS_SECCOMP_KEY], key[NS_SECCOMP_KEY], text[1024];

	key_of(profile, first);
	CHECK_INT(strlen(first), NS_SECCOMP_KEY - 1);
	key_of(profile, key);
	CHECK_STR(key, first);
	for (size_t i = 0; i < ARRAY_SIZE(edits); i++) {
		const char *at = strstr(profile, edits[i].from);

		REQUIRE(at);
		(void)snprintf(text, sizeof(text), "%.*s%s%s",
			       (int)(at - profile), profile, edits[i].to,
			       at + strlen(edits[i].from));
		key_of(text, key);
		if (!CHECK(strcmp(key, first) != 0))
			tap_note("'%s' instead of '%s'", edits[i].to,
				 edits[i].from);
	}
}

/* A folder in the world's /tmp, and one entry in it. */
struct cache {
	int fd;
	char key[NS_SECCOMP_KEY], path[PATH_MAX];
	struct ns_seccomp s;
};

static struct cache make_cache(void)
{
	struct cache c = { 0 };
	struct ns_seccomp_program p = { 0 };
	struct err e = { 0 };

	world_dir("/tmp/cache");
	c.fd = open("/tmp/cache", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	read_profile(profile, &c.s);
	(void)CHECK_OK(ns_seccomp_compile(&c.s, c.fd, &p, &e), &e);
	ns_seccomp_program_done(&p);
	ns_seccomp_key(&c.s, c.key);
	(void)snprintf(c.path, sizeof(c.path), "/tmp/cache/%s", c.key);
	(void)CHECK(world_has(c.path));
	return c;
}

static int read_entry(const struct cache *c)
{
	struct ns_bpf bpf = { 0 };
	int r = ns_seccomp_cache_read(c->fd, c->key, &bpf);

	free(bpf.v);
	return r;
}

static void check_same(void)
{
	struct cache c = make_cache();
	struct ns_seccomp_program fresh = { 0 }, cached = { 0 };
	int before = world_next_fd();
	struct err e = { 0 };

	CHECK_INT(read_entry(&c), 0);
	REQUIRE_OK(ns_seccomp_compile(&c.s, -1, &fresh, &e), &e);
	REQUIRE_OK(ns_seccomp_compile(&c.s, c.fd, &cached, &e), &e);
	CHECK(fresh.bpf.n == cached.bpf.n &&
	      memcmp(fresh.bpf.v, cached.bpf.v, fresh.bpf.n) == 0);
	CHECK_INT(cached.flags, fresh.flags);
	CHECK_INT(world_next_fd(), before);
	ns_seccomp_program_done(&fresh);
	ns_seccomp_program_done(&cached);
}

TEST(a_cached_program_is_the_compiled_one)
{
	in_world(check_same);
}

static void check_used(void)
{
	struct cache c = make_cache();
	struct sock_filter ret[] = { BPF_STMT(BPF_RET | BPF_K, 0x7fff0000) };
	const struct ns_bpf other = { ret, 1 };
	struct ns_seccomp_program p = { 0 };
	struct err e = { 0 };

	/* So that one sees where it comes from. */
	ns_seccomp_cache_write(c.fd, c.key, &other);
	REQUIRE_OK(ns_seccomp_compile(&c.s, c.fd, &p, &e), &e);
	CHECK_INT(p.bpf.n, sizeof(ret));
	ns_seccomp_program_done(&p);
}

TEST(a_cached_program_is_used)
{
	in_world(check_used);
}

/* One byte at a time, and every length: an entry is whole or is none. */
static void check_damage(void)
{
	struct cache c = make_cache();
	char text[4096], byte;
	ssize_t n;
	int fd;

	fd = open(c.path, O_RDWR | O_CLOEXEC);
	n = read(fd, text, sizeof(text));
	REQUIRE(n > 100);
	for (off_t i = 0; i < n; i++) {
		byte = (char)(text[i] ^ 4);
		CHECK(pwrite(fd, &byte, 1, i) == 1);
		if (!CHECK_INT(read_entry(&c), -ENOENT))
			tap_note("byte %jd", (intmax_t)i);
		CHECK(pwrite(fd, &text[i], 1, i) == 1);
	}
	CHECK_INT(read_entry(&c), 0);
	for (off_t i = n - 1; i >= 0; i--) {
		CHECK(ftruncate(fd, i) == 0);
		if (!CHECK_INT(read_entry(&c), -ENOENT))
			tap_note("length %jd", (intmax_t)i);
	}
	CHECK(ftruncate(fd, 1 << 20) == 0);
	CHECK_INT(read_entry(&c), -ENOENT);
}

TEST(a_damaged_entry_is_none)
{
	in_world(check_damage);
}

static void check_trust(void)
{
	struct cache c = make_cache();

	REQUIRE(chmod(c.path, 0620) == 0);
	CHECK_INT(read_entry(&c), -ENOENT);
	REQUIRE(chmod(c.path, 0602) == 0);
	CHECK_INT(read_entry(&c), -ENOENT);
	REQUIRE(chmod(c.path, 0644) == 0);
	CHECK_INT(read_entry(&c), 0);
	REQUIRE(chmod("/tmp/cache", 0777) == 0);
	CHECK_INT(read_entry(&c), -ENOENT);
	REQUIRE(chmod("/tmp/cache", 0755) == 0);

	REQUIRE(rename(c.path, "/tmp/real") == 0);
	REQUIRE(symlink("/tmp/real", c.path) == 0);
	CHECK_INT(read_entry(&c), -ENOENT);
	REQUIRE(unlink(c.path) == 0 && mkfifo(c.path, 0600) == 0);
	CHECK_INT(read_entry(&c), -ENOENT);
}

TEST(an_entry_that_others_could_have_written_is_none)
{
	in_world(check_trust);
}

static void check_foreign(void)
{
	struct cache c = make_cache();

	REQUIRE(chown(c.path, 1000, 0) == 0);
	CHECK_INT(read_entry(&c), -ENOENT);
	REQUIRE(chown(c.path, 0, 1000) == 0);
	CHECK_INT(read_entry(&c), 0);
	REQUIRE(chown("/tmp/cache", 1000, 0) == 0);
	CHECK_INT(read_entry(&c), -ENOENT);
}

TEST(an_entry_of_somebody_else_is_none)
{
	if (geteuid() != 0)
		SKIP("needs root");
	in_world(check_foreign);
}

static void check_moved(void)
{
	struct cache c = make_cache();
	char other[PATH_MAX];

	/* Another profile's program under this one's name. */
	(void)snprintf(other, sizeof(other), "%s", c.path);
	other[strlen(other) - 1] ^= 1;
	REQUIRE(rename(c.path, other) == 0);
	c.key[NS_SECCOMP_KEY - 2] ^= 1;
	CHECK_INT(read_entry(&c), -ENOENT);
}

TEST(an_entry_under_anothers_name_is_none)
{
	in_world(check_moved);
}

static void fill_up(void)
{
	struct sock_filter insn = { .code = BPF_RET | BPF_K };
	struct ns_bpf bpf = { .v = &insn, .n = 1 };
	char key[NS_SECCOMP_KEY];
	DIR *dir;
	int fd, n = 0;

	(void)CHECK(mkdir("/tmp/cache", 0700) == 0);
	fd = open("/tmp/cache", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 200; i++) {
		(void)snprintf(key, sizeof(key), "%064x", (unsigned int)i);
		ns_seccomp_cache_write(fd, key, &bpf);
		/* Times have the grain of the kernel's ticks; make it none. */
		const struct timespec t[2] = { { .tv_sec = i },
					       { .tv_sec = i } };
		(void)utimensat(fd, key, t, 0);
	}
	dir = fdopendir(fd);
	while (readdir(dir))
		n++;
	(void)CHECK_INT(n - 2, 128);
	/* The last one is there. */
	(void)CHECK(faccessat(fd, key, F_OK, 0) == 0);
	(void)closedir(dir);
}

TEST(a_cache_that_is_full_loses_its_oldest)
{
	in_world(fill_up);
}

static const struct tap_test tests[] = {
	TAP(whatever_changes_the_program_changes_its_key),
	TAP(a_cached_program_is_the_compiled_one),
	TAP(a_cached_program_is_used),
	TAP(a_damaged_entry_is_none),
	TAP(an_entry_that_others_could_have_written_is_none),
	TAP(an_entry_of_somebody_else_is_none),
	TAP(an_entry_under_anothers_name_is_none),
	TAP(a_cache_that_is_full_loses_its_oldest),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}
