/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "cgroups/dbus.h"
#include "cgroups/dbus_link.h"
#include "cgroups/gvariant.h"
#include "cgroups/systemd.h"
#include "tests/unit/tap.h"

static uint8_t *copy_of(const struct cg_dbus_out *m)
{
	uint8_t *v = malloc(m->n);

	memcpy(v, m->v, m->n);
	return v;
}

static void begin(struct cg_dbus_out *m, const char *signature)
{
	cg_dbus_call(m, "org.example", "/a/b", "org.example.I", "Do",
		     signature);
}

TEST(what_is_written_is_read_back)
{
	_cleanup_(cg_dbus_out_done) struct cg_dbus_out m = { 0 };
	_cleanup_(cg_dbus_in_done) struct cg_dbus_in in = { 0 };
	const char *text = NULL;
	struct err e = { 0 };
	uint32_t number = 0;
	size_t size = 0;

	begin(&m, "susv");
	cg_dbus_str(&m, "first");
	cg_dbus_u32(&m, 7);
	cg_dbus_str(&m, "");
	cg_dbus_sig(&m, "o");
	cg_dbus_str(&m, "/x");
	REQUIRE_OK(cg_dbus_finish(&m, 42, &e), &e);
	REQUIRE_OK(cg_dbus_size(m.v, &size, &e), &e);
	CHECK_INT(size, m.n);
	REQUIRE_OK(cg_dbus_parse(copy_of(&m), m.n, &in, &e), &e);
	CHECK_INT(in.type, CG_DBUS_CALL);
	CHECK_STR(in.path, "/a/b");
	CHECK_STR(in.interface, "org.example.I");
	CHECK_STR(in.member, "Do");
	CHECK_STR(in.signature, "susv");
	CHECK_INT(cg_dbus_read_u32(&in, &number), -EPROTO);
	CHECK_INT(cg_dbus_read_str(&in, &text), 0);
	CHECK_STR(text, "first");
	CHECK_INT(cg_dbus_read_u32(&in, &number), 0);
	CHECK_INT(number, 7);
	CHECK_INT(cg_dbus_read_str(&in, &text), 0);
	CHECK_STR(text, "");
	CHECK_INT(cg_dbus_read_var_str(&in, &text), 0);
	CHECK_STR(text, "/x");
	CHECK_INT(cg_dbus_read_str(&in, &text), -EPROTO);
}

TEST(arrays_count_from_their_first_element)
{
	_cleanup_(cg_dbus_out_done) struct cg_dbus_out m = { 0 };
	struct cg_dbus_array a;
	struct err e = { 0 };
	uint32_t length;

	/* Elements of 8 bytes: the padding behind the length does not count. */
	for (size_t shift = 0; shift < 8; shift++) {
		begin(&m, "at");
		for (size_t i = 0; i < shift; i++)
			cg_dbus_byte(&m, 1);
		a = cg_dbus_open(&m, 8);
		cg_dbus_u64(&m, 1);
		cg_dbus_u64(&m, 2);
		cg_dbus_close(&m, a);
		REQUIRE_OK(cg_dbus_finish(&m, 1, &e), &e);
		memcpy(&length, m.v + a.length, sizeof(length));
		CHECK_INT(length, 16);
		CHECK_INT(a.start % 8, 0);
		CHECK_INT(a.length % 4, 0);
		cg_dbus_out_done(&m);
	}
}

TEST(a_message_that_grows_too_large_is_an_error)
{
	_cleanup_(cg_dbus_out_done) struct cg_dbus_out m = { 0 };
	static char text[70000];
	struct err e = { 0 };

	memset(text, 'x', sizeof(text) - 1);
	begin(&m, "s");
	for (int i = 0; i < 20; i++)
		cg_dbus_str(&m, text);
	CHECK_INT(cg_dbus_finish(&m, 1, &e), -EMSGSIZE);
}

/* --- hostile bytes --------------------------------------------------------*/

/* Every prefix, and every byte turned into every of some values: refused or
 * read, never beyond the end (the sanitizers watch). */
TEST(damaged_messages_do_no_harm)
{
	_cleanup_(cg_dbus_out_done) struct cg_dbus_out m = { 0 };
	static const uint8_t values[] = { 0, 1, 7, 0x7f, 0x80, 0xff };
	struct err e = { 0 };

	begin(&m, "sov");
	cg_dbus_str(&m, "first");
	cg_dbus_str(&m, "/a");
	cg_dbus_sig(&m, "s");
	cg_dbus_str(&m, "x");
	REQUIRE_OK(cg_dbus_finish(&m, 1, &e), &e);
	for (size_t i = 0; i < m.n * ARRAY_SIZE(values); i++) {
		struct cg_dbus_in in = { 0 };
		uint8_t *v = copy_of(&m);
		const char *text;

		v[i / ARRAY_SIZE(values)] = values[i % ARRAY_SIZE(values)];
		if (cg_dbus_parse(v, m.n, &in, &e) == 0 &&
		    cg_dbus_read_str(&in, &text) == 0 &&
		    cg_dbus_read_str(&in, &text) == 0)
			CHECK(cg_dbus_read_var_str(&in, &text) <= 0);
		cg_dbus_in_done(&in);
	}
	for (size_t n = 0; n < m.n; n++) {
		struct cg_dbus_in in = { 0 };

		CHECK_INT(cg_dbus_parse(copy_of(&m), n, &in, &e), -EPROTO);
	}
}

TEST(sizes_that_lie_are_refused)
{
	uint8_t head[CG_DBUS_HEADER] = { 'l', 2, 0, 1 };
	struct err e = { 0 };
	size_t size;

	CHECK_INT(cg_dbus_size(head, &size, &e), 0);
	memset(head + 4, 0xff, 4);
	CHECK_INT(cg_dbus_size(head, &size, &e), -EPROTO);
	memset(head + 4, 0, 4);
	memset(head + 12, 0xff, 4);
	CHECK_INT(cg_dbus_size(head, &size, &e), -EPROTO);
	memset(head + 12, 0, 4);
	head[0] = 'B';
	CHECK_INT(cg_dbus_size(head, &size, &e), -EPROTO);
	head[0] = 'l';
	head[3] = 2;
	CHECK_INT(cg_dbus_size(head, &size, &e), -EPROTO);
}

/* --- a conversation -------------------------------------------------------*/

#define WAIT_MS 20000

/* Runs in a child. */
typedef void (*peer_fn)(int fd);

static pid_t start_peer(peer_fn peer, int *ret_fd)
{
	int ends[2];
	pid_t pid;

	if (!CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends),
		       0))
		return -1;
	pid = fork();
	if (pid == 0) {
		(void)close(ends[0]);
		peer(ends[1]);
		_exit(0);
	}
	(void)close(ends[1]);
	*ret_fd = ends[0];
	return pid;
}

static void say(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) < 0)
		_exit(1);
}

static void expect(int fd, const char *text, size_t n)
{
	char buf[64] = "";

	if (n > sizeof(buf) || fd_read_exact(fd, buf, n) < 0 ||
	    memcmp(buf, text, n) != 0)
		_exit(1);
}

static void accept_us(int fd)
{
	expect(fd, "\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n", 29);
	say(fd, "DATA\r\nOK 012345");
	say(fd, "6789abcdef\r\n");
}

/* A call from the other side; gives its serial. */
static uint32_t take_call(int fd)
{
	uint8_t head[CG_DBUS_HEADER];
	uint32_t serial;
	uint8_t *rest;
	size_t size;

	if (fd_read_exact(fd, head, sizeof(head)) < 0 ||
	    cg_dbus_size(head, &size, NULL) < 0)
		_exit(1);
	rest = malloc(size);
	if (!rest || fd_read_exact(fd, rest, size - sizeof(head)) < 0)
		_exit(1);
	free(rest);
	memcpy(&serial, head + 8, sizeof(serial));
	return serial;
}

struct reply {
	enum cg_dbus_type type;
	uint32_t to;
	uint8_t field; /* 3: a member's name, 4: an error's */
	const char *name;
	const char *arg;
};

static void answer(int fd, const struct reply *reply)
{
	struct cg_dbus_out m = { 0 };
	struct cg_dbus_array fields;

	cg_dbus_byte(&m, 'l');
	cg_dbus_byte(&m, (uint8_t)reply->type);
	cg_dbus_byte(&m, 0);
	cg_dbus_byte(&m, 1);
	cg_dbus_u32(&m, 0);
	cg_dbus_u32(&m, 0);
	fields = cg_dbus_open(&m, 8);
	cg_dbus_byte(&m, 5);
	cg_dbus_sig(&m, "u");
	cg_dbus_u32(&m, reply->to);
	cg_dbus_align(&m, 8);
	cg_dbus_byte(&m, reply->field);
	cg_dbus_sig(&m, "s");
	cg_dbus_str(&m, reply->name);
	cg_dbus_align(&m, 8);
	cg_dbus_byte(&m, 8);
	cg_dbus_sig(&m, "g");
	cg_dbus_sig(&m, "s");
	cg_dbus_close(&m, fields);
	cg_dbus_align(&m, 8);
	m.body = m.n;
	cg_dbus_str(&m, reply->arg);
	if (cg_dbus_finish(&m, 99, NULL) < 0 || write(fd, m.v, m.n) < 0)
		_exit(1);
	cg_dbus_out_done(&m);
}

static int talk_to(peer_fn peer, struct err *e)
{
	_cleanup_(cg_dbus_link_close) struct cg_dbus_link l = CG_DBUS_LINK_INIT;
	_cleanup_(cg_dbus_out_done) struct cg_dbus_out m = { 0 };
	_cleanup_(cg_dbus_in_done) struct cg_dbus_in in = { 0 };
	int fd = -1, r, status = 0;
	pid_t pid = start_peer(peer, &fd);

	r = cg_dbus_link_open(&l, fd, false, WAIT_MS, e);
	if (r == 0) {
		begin(&m, "s");
		cg_dbus_str(&m, "x");
		r = cg_dbus_talk(&l, &m, &in, NULL, NULL, e);
	}
	cg_dbus_link_close(&l);
	(void)waitpid(pid, &status, 0);
	return r;
}

static void good_peer(int fd)
{
	struct reply reply = {
		.type = CG_DBUS_SIGNAL,
		.field = 3,
		.name = "Noise",
		.arg = "hello",
	};
	uint32_t serial;

	accept_us(fd);
	serial = take_call(fd);
	/* A signal, somebody else's answer, then ours. */
	answer(fd, &reply);
	reply.type = CG_DBUS_RETURN;
	reply.to = serial + 7;
	answer(fd, &reply);
	reply.to = serial;
	answer(fd, &reply);
}

static void refusing_peer(int fd)
{
	struct reply reply = {
		.type = CG_DBUS_ERROR,
		.field = 4,
		.name = "org.freedesktop.systemd1.NoSuchUnit",
		.arg = "no such thing",
	};

	accept_us(fd);
	reply.to = take_call(fd);
	answer(fd, &reply);
}

static void rejecting_peer(int fd)
{
	say(fd, "REJECTED EXTERNAL\r\n");
	(void)take_call(fd);
}

static void silent_peer(int fd)
{
	accept_us(fd);
	(void)take_call(fd);
}

static void endless_peer(int fd)
{
	char line[4096];

	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	say(fd, line);
	/* Not gone before we have said our part. */
	(void)take_call(fd);
}

static void huge_peer(int fd)
{
	static const uint8_t head[CG_DBUS_HEADER] = { 'l',  2,	  0,	1,
						      0xff, 0xff, 0xff, 0x7f };

	accept_us(fd);
	(void)take_call(fd);
	if (write(fd, head, sizeof(head)) < 0)
		_exit(1);
}

static void empty_peer(int fd)
{
	static const uint8_t noise[] = "l\2\0\1\10\0\0\0\1\0\0\0\10\0\0\0"
				       "\5\1u\0\377\377\377\377\0\0\0\0";

	accept_us(fd);
	(void)take_call(fd);
	if (write(fd, noise, sizeof(noise) - 1) < 0)
		_exit(1);
}

TEST(peers_are_answered_or_given_up)
{
	/* clang-format off */
	static const struct {
		peer_fn peer;
		int code;
		const char *part;
	} rows[] = {
		{ good_peer,      0,           "" },
		{ refusing_peer,  -ENOENT,     "no such thing" },
		{ rejecting_peer, -EACCES,     "REJECTED" },
		{ silent_peer,    -ECONNRESET, "closed" },
		{ endless_peer,   -EPROTO,     "greeting" },
		{ huge_peer,      -EPROTO,     "too large" },
		{ empty_peer,     -ECONNRESET, "closed" },
	};
	/* clang-format on */

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err e = { 0 };

		if (!CHECK_INT(talk_to(rows[i].peer, &e), rows[i].code) ||
		    !CHECK_HAS(e.text, rows[i].part))
			tap_note("row %zu: %s", i, e.text);
	}
}

TEST(a_peer_that_says_nothing_is_not_waited_for)
{
	struct cg_dbus_link l = CG_DBUS_LINK_INIT;
	struct err e = { 0 };
	int ends[2];

	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
	CHECK_INT(cg_dbus_link_open(&l, ends[0], false, 20, &e), -ETIMEDOUT);
	(void)close(ends[1]);
}

/* --- GVariant text --------------------------------------------------------*/

static struct cg_dbus_out told;

static const char *type_of(const char *text, struct err *e)
{
	cg_dbus_out_done(&told);
	begin(&told, "v");
	told.body = told.n;
	if (cg_gvariant_put(&told, text, e) < 0)
		return NULL;
	return (const char *)told.v + told.body + 1;
}

TEST(texts_become_typed_values)
{
	/* clang-format off */
	static const struct {
		const char *text, *type;
	} rows[] = {
		{ "true",              "b" },
		{ "false",             "b" },
		{ "5",                 "i" },
		{ "-5",                "i" },
		{ "uint64 5",          "t" },
		{ "byte 0xff",         "y" },
		{ "uint32   0x10",     "u" },
		{ "int64 -9223372036854775808", "x" },
		{ "uint64 18446744073709551615", "t" },
		{ "'text'",            "s" },
		{ "\"it's\"",          "s" },
		{ "['a', 'b']",        "as" },
		{ "[uint64 1]",        "at" },
		{ "@as []",            "as" },
		{ "[('/dev/null', 'rw')]", "a(ss)" },
		{ "[('/dev/sda', uint64 5), ('/b', uint64 6)]", "a(st)" },
		{ "[['a'], ['b']]",    "aas" },
		{ " ( 1 , 'x' ) ",     "(is)" },
		{ "",                  NULL },
		{ "yes",               NULL },
		{ "'open",             NULL },
		{ "[]",                NULL },
		{ "['a', 1]",          NULL },
		{ "['a'",              NULL },
		{ "5 6",               NULL },
		{ "5x",                NULL },
		{ "--5",               NULL },
		{ "byte 256",          NULL },
		{ "byte -1",           NULL },
		{ "2147483648",        NULL },
		{ "uint64 18446744073709551616", NULL },
		{ "[[[[[[[[[[['a']]]]]]]]]]]", NULL },
		{ "@a []",             NULL },
		{ "@() []",            NULL },
		{ "(",                 NULL },
	};
	/* clang-format on */

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err e = { 0 };

		if (!CHECK_STR(type_of(rows[i].text, &e), rows[i].type))
			tap_note("'%s': %s", rows[i].text, e.text);
	}
	cg_dbus_out_done(&told);
}

TEST(an_array_of_structs_is_aligned)
{
	_cleanup_(cg_dbus_out_done) struct cg_dbus_out a = { 0 }, b = { 0 };
	struct cg_dbus_array list;
	struct err e = { 0 };

	begin(&a, "v");
	REQUIRE_OK(cg_gvariant_put(&a, "[('x', uint64 5)]", &e), &e);
	begin(&b, "v");
	cg_dbus_sig(&b, "a(st)");
	list = cg_dbus_open(&b, 8);
	cg_dbus_align(&b, 8);
	cg_dbus_str(&b, "x");
	cg_dbus_u64(&b, 5);
	cg_dbus_close(&b, list);
	REQUIRE(a.n == b.n);
	CHECK_INT(memcmp(a.v, b.v, a.n), 0);
}

/* clang-format off */
TEST(each_systemd_is_told_what_it_knows)
{
	static const struct {
		struct cg_limits limits;
		bool new_scope;
		unsigned int version;
		const char *name;
		bool told;
	} rows[] = {
		{ { .memory_oom_group = { true, true } }, true,  253, "OOMPolicy", true },
		{ { .memory_oom_group = { true, true } }, true,  252, "OOMPolicy", false },
		/* neither a slice, nor one that is there already */
		{ { .memory_oom_group = { true, true } }, false, 253, "OOMPolicy", false },
		{ { .memory_zswap_max = { true, 4096 } }, true,  253, "MemoryZSwapMax", true },
		{ { .memory_zswap_max = { true, 4096 } }, false, 253, "MemoryZSwapMax", true },
		{ { .memory_zswap_max = { true, 4096 } }, false, 252, "MemoryZSwapMax", false },
		{ { .pids_max = { true, 5 } },            false, 0,   "TasksMax", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(cg_dbus_out_done) struct cg_dbus_out m = { 0 };
		struct err e = { 0 };

		begin(&m, "v");
		REQUIRE_OK(cg_systemd_limits(&m, &rows[i].limits,
					     rows[i].new_scope,
					     rows[i].version, &e), &e);
		if (!CHECK_INT(memmem(m.v, m.n, rows[i].name,
				      strlen(rows[i].name)) != NULL,
			       rows[i].told))
			tap_note("row %zu: %s", i, rows[i].name);
	}
}
/* clang-format on */

static const struct tap_test tests[] = {
	TAP(what_is_written_is_read_back),
	TAP(arrays_count_from_their_first_element),
	TAP(a_message_that_grows_too_large_is_an_error),
	TAP(damaged_messages_do_no_harm),
	TAP(sizes_that_lie_are_refused),
	TAP(peers_are_answered_or_given_up),
	TAP(a_peer_that_says_nothing_is_not_waited_for),
	TAP(texts_become_typed_values),
	TAP(an_array_of_structs_is_aligned),
	TAP(each_systemd_is_told_what_it_knows),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}
