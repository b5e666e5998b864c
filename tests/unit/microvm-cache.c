/* SPDX-License-Identifier: Apache-2.0 */
#include "microvm/cache.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "tests/unit/scratch.h"

/* Kept under the name of a version; its identity is its number. */
static int put(const struct scratch *s, const char *kind, unsigned int i)
{
	autofree char *name = str_printf("%s-6.1.%u", kind, i);
	autofree char *id = str_printf("made from %u\n", i);
	struct err e = { 0 };
	int fd = vm_cache_put(s->fd, name, id, "data", 4, &e);

	return CHECK_OK(fd, &e) ? close(fd) : -1;
}

static bool has(const struct scratch *s, const char *kind, unsigned int i)
{
	autofree char *name = str_printf("%s-6.1.%u", kind, i);
	autofree char *id = str_printf("made from %u\n", i);
	struct err e = { 0 };
	int fd = vm_cache_get(s->fd, name, id, &e);

	if (fd < 0)
		return false;
	(void)close(fd);
	return true;
}

static unsigned int count(const struct scratch *s)
{
	autoclosedir DIR *dir = opendir(s->path);
	unsigned int n = 0;

	while (dir && readdir(dir))
		n++;
	return n - 2;
}

TEST(old_kernels_go_and_what_is_used_stays)
{
	_cleanup_(scratch_done) struct scratch s = SCRATCH_INIT;

	REQUIRE(scratch_init(&s));
	(void)put(&s, "initramfs", 0);
	for (unsigned int i = 0; i < 20; i++) {
		(void)put(&s, "vmlinux", i);
		/* As each start of a machine does. */
		(void)CHECK(has(&s, "vmlinux", 0));
	}
	(void)CHECK(has(&s, "vmlinux", 19) && !has(&s, "vmlinux", 1));
	/* The other kind has a bound of its own. */
	(void)CHECK(has(&s, "initramfs", 0));
	(void)CHECK_INT(count(&s), 2 * (4 + 1));
}

static const struct tap_test tests[] = {
	TAP(old_kernels_go_and_what_is_used_stays),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}
