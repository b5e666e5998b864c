/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sha256.h"

#include "base/str.h"
#include "tests/unit/tap.h"

/* The examples of FIPS 180-4, and lengths around the ends of a block. */
static const struct {
	const char *text;
	size_t times;
	const char *digest;
} cases[] = {
	{ "", 1,
	  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
	{ "abc", 1,
	  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
	  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	{ "a", 1000000,
	  "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0" },
	{ "a", 55,
	  "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318" },
	{ "a", 56,
	  "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a" },
	{ "a", 64,
	  "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb" },
};

TEST(digests_are_those_of_the_standard)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t digest[SHA256_SIZE];
		char hex[2 * SHA256_SIZE + 1];
		struct sha256 h;

		sha256_init(&h);
		for (size_t n = 0; n < cases[i].times; n++)
			sha256_add(&h, cases[i].text, strlen(cases[i].text));
		sha256_end(&h, digest);
		str_hex(digest, sizeof(digest), hex);
		if (!CHECK_STR(hex, cases[i].digest))
			tap_note("case %zu", i);
	}
}

TEST(it_does_not_matter_in_which_pieces_it_comes)
{
	uint8_t one[SHA256_SIZE], two[SHA256_SIZE];
	char text[300];
	struct sha256 h;

	(void)memset(text, 'x', sizeof(text));
	sha256_init(&h);
	sha256_add(&h, text, sizeof(text));
	sha256_end(&h, one);
	for (size_t cut = 1; cut < sizeof(text); cut += 13) {
		sha256_init(&h);
		sha256_add(&h, text, cut);
		sha256_add(&h, text + cut, sizeof(text) - cut);
		sha256_end(&h, two);
		CHECK(memcmp(one, two, sizeof(one)) == 0);
	}
}

static const struct tap_test tests[] = {
	TAP(digests_are_those_of_the_standard),
	TAP(it_does_not_matter_in_which_pieces_it_comes),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}
