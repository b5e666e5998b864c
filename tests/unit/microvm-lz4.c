/* SPDX-License-Identifier: Apache-2.0 */
#include "microvm/lz4.h"
#include "tests/unit/tap.h"

#define MAGIC "\x02\x21\x4c\x18"

/* A stream and what comes of it; lengths given, for there are NULs. */
struct stream {
	const char *name;
	const char *in;
	size_t len;
	int want;
	const char *out;
};

/* clang-format off */
#define STREAM(n, s, w, o) { n, s, sizeof(s) - 1, w, o }

static const struct stream good[] = {
	STREAM("nothing but the magic number", MAGIC, 0, ""),
	STREAM("literals", MAGIC "\x04\0\0\0" "\x30" "abc", 0, "abc"),
	STREAM("a match of 4, 3 back",
	       MAGIC "\x08\0\0\0" "\x30" "abc" "\x03\0" "\x10" "z", 0, "abcabcaz"),
	STREAM("a match that overlaps itself",
	       MAGIC "\x07\0\0\0" "\x1f" "a" "\x01\0" "\x01" "\x10" "b", 0,
	       "aaaaaaaaaaaaaaaaaaaaab"),
	STREAM("two blocks",
	       MAGIC "\x02\0\0\0" "\x10" "a" "\x02\0\0\0" "\x10" "b", 0, "ab"),
	STREAM("two frames",
	       MAGIC "\x02\0\0\0" "\x10" "a" MAGIC "\x02\0\0\0" "\x10" "b", 0, "ab"),
	STREAM("an empty block", MAGIC "\0\0\0\0", 0, ""),
	STREAM("fifteen literals and no more",
	       MAGIC "\x11\0\0\0" "\xf0\0" "123456789012345", 0, "123456789012345"),
};

static const struct stream bad[] = {
	STREAM("nothing", "", -EBADMSG, NULL),
	STREAM("another magic number", "\x04\x22\x4d\x18", -EBADMSG, NULL),
	STREAM("half a length", MAGIC "\x04\0", -EBADMSG, NULL),
	STREAM("a block longer than the file", MAGIC "\x05\0\0\0" "\x30" "abc", -EBADMSG, NULL),
	STREAM("a block of 4 GiB", MAGIC "\xff\xff\xff\xff" "\x30" "abc", -EBADMSG, NULL),
	STREAM("more literals than input", MAGIC "\x03\0\0\0" "\x30" "ab", -EBADMSG, NULL),
	STREAM("a literal length that never ends",
	       MAGIC "\x04\0\0\0" "\xf0\xff\xff\xff", -EBADMSG, NULL),
	STREAM("half an offset", MAGIC "\x03\0\0\0" "\x10" "a" "\x01", -EBADMSG, NULL),
	STREAM("offset 0", MAGIC "\x04\0\0\0" "\x10" "a" "\0\0", -EBADMSG, NULL),
	STREAM("an offset before the block",
	       MAGIC "\x02\0\0\0" "\x10" "a" "\x04\0\0\0" "\x10" "b" "\x02\0", -EBADMSG, NULL),
	STREAM("a match length that never ends",
	       MAGIC "\x06\0\0\0" "\x1f" "a" "\x01\0" "\xff\xff", -EBADMSG, NULL),
	STREAM("more literals than room",
	       MAGIC "\x23\0\0\0" "\xf0\x12" "123456789012345678901234567890123", -EFBIG, NULL),
	STREAM("a match longer than the room",
	       MAGIC "\x06\0\0\0" "\x1f" "a" "\x01\0" "\xfe" "\0", -EFBIG, NULL),
};
/* clang-format on */

#define ROOM 32

/* The input has an allocation of its own, so that sanitizers see its end. */
static int unpack(const struct stream *s, char out[ROOM + 1], size_t *len,
		  struct err *e)
{
	char *in = malloc(s->len + 1), *room = malloc(ROOM);
	int r = -ENOMEM;

	if (in && room) {
		memcpy(in, s->in, s->len);
		r = vm_lz4_unpack(in, s->len, room, ROOM, len, e);
		if (r == 0) {
			memcpy(out, room, *len);
			out[*len] = '\0';
		}
	}
	free(in);
	free(room);
	return r;
}

TEST(streams_unpack)
{
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		char out[ROOM + 1] = "";
		struct err e = { 0 };
		size_t len = 99;

		if (!CHECK_OK(unpack(&good[i], out, &len, &e), &e) ||
		    !CHECK_STR(out, good[i].out) ||
		    !CHECK_INT(len, strlen(good[i].out)))
			tap_note("in '%s'", good[i].name);
	}
}

TEST(damaged_and_hostile_streams_are_refused)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char out[ROOM + 1];
		struct err e = { 0 };
		size_t len;

		if (!CHECK_INT(unpack(&bad[i], out, &len, &e), bad[i].want))
			tap_note("in '%s'", bad[i].name);
	}
}

TEST(a_block_is_not_longer_than_8_MiB)
{
	static const char head[] = MAGIC "\x84\x08\x01\0"
					 "\x1f"
					 "a"
					 "\x01\0";
	const size_t n = 0x10884 - 4, cap = 32U << 20;
	char *in = malloc(sizeof(head) - 1 + n), *out = malloc(cap);
	size_t len = 0;

	REQUIRE(in && out);
	/* One match of 67712 * 255 bytes. */
	memcpy(in, head, sizeof(head) - 1);
	memset(in + sizeof(head) - 1, 0xff, n - 1);
	in[sizeof(head) - 1 + n - 1] = 0;
	CHECK(vm_lz4_unpack(in, sizeof(head) - 1 + n, out, cap, &len, NULL) <
	      0);
	free(in);
	free(out);
}

static const struct tap_test tests[] = {
	TAP(streams_unpack),
	TAP(damaged_and_hostile_streams_are_refused),
	TAP(a_block_is_not_longer_than_8_MiB),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}
