/* SPDX-License-Identifier: Apache-2.0 */

/* Guest memory, the bus, and kernels that lie about where they belong. */
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "microvm/boot.h"
#include "microvm/bus.h"
#include "microvm/gmem.h"
#include "microvm/vm_config.h"
#include "tests/unit/tap.h"

#define MIB (1ULL << 20)

static const struct {
	const char *what;
	uint64_t gpa, len;
	bool there;
} ranges[] = {
	{ "the first byte", 0, 1, true },
	{ "all of the lower part", 0, GMEM_HOLE, true },
	{ "one byte into the hole", 0, GMEM_HOLE + 1, false },
	{ "the last byte before the hole", GMEM_HOLE - 1, 1, true },
	{ "the hole", GMEM_HOLE, 1, false },
	{ "the last byte of the hole", GMEM_HIGH - 1, 1, false },
	{ "the upper part", GMEM_HIGH, 1024 * MIB, true },
	{ "behind everything", GMEM_HIGH + 1024 * MIB, 1, false },
	{ "across the end", GMEM_HIGH + 1024 * MIB - 1, 2, false },
	{ "a length that wraps around", 4096, UINT64_MAX, false },
	{ "an address that wraps around", UINT64_MAX, 2, false },
	{ "nothing at all, inside", 4096, 0, true },
};

TEST(only_whole_ranges_of_memory_have_an_address)
{
	struct vm_memory m = { .bytes = 4096 * MIB };
	struct err e = { 0 };
	struct gmem mem;

	REQUIRE_OK(gmem_init(&mem, &m, &e), &e);
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		if (!CHECK((gmem_at(&mem, ranges[i].gpa, ranges[i].len) !=
			    NULL) == ranges[i].there))
			tap_note("%s", ranges[i].what);
	CHECK_INT(gmem_low_end(&mem), GMEM_HOLE);
	gmem_done(&mem);
}

TEST(a_file_is_mapped_and_its_ends_are_copied)
{
	autoclose int fd = memfd_create("image", MFD_CLOEXEC);
	struct vm_memory m = { .bytes = 16 * MIB };
	struct err e = { 0 };
	char page[4096];
	struct gmem mem;
	const char *at;

	for (char c = 'a'; c < 'f'; c++) {
		memset(page, c, sizeof(page));
		CHECK_INT(write(fd, page, sizeof(page)), sizeof(page));
	}
	REQUIRE_OK(gmem_init(&mem, &m, &e), &e);
	/* 100 bytes of a, b, c, d whole, 50 bytes of e. */
	CHECK_OK(gmem_load(&mem, 0x3000 - 100, fd, 4096 - 100,
			   100 + 3 * 4096 + 50, &e),
		 &e);
	at = gmem_at(&mem, 0x3000 - 100, 100 + 4 * 4096);
	REQUIRE(at != NULL);
	CHECK_INT(at[0], 'a');
	CHECK_INT(at[100], 'b');
	CHECK_INT(at[100 + 3 * 4096 - 1], 'd');
	CHECK_INT(at[100 + 3 * 4096 + 49], 'e');
	CHECK_INT(at[100 + 3 * 4096 + 50], 0);
	/* What the guest writes stays the guest's. */
	memset(gmem_at(&mem, 0x3000, 4096), 'x', 4096);
	CHECK_INT(pread(fd, page, 1, 4096), 1);
	CHECK_INT(page[0], 'b');
	CHECK_INT(gmem_load(&mem, 16 * MIB - 10, fd, 0, 4096, &e), -EFAULT);
	gmem_done(&mem);
}

static int reads;

static void count_read(void *dev, uint64_t offset, uint8_t *data, uint32_t len)
{
	reads++;
	data[0] = (uint8_t)offset;
}

static const struct bus_ops ops = { .name = "test", .read = count_read };

TEST(an_access_reaches_its_device_or_none)
{
	struct bus b = { .n = 0 };
	struct err e = { 0 };
	uint8_t v[8];

	reads = 0;
	REQUIRE_OK(bus_add(&b, 0x1000, 0x10, &ops, NULL, &e), &e);
	REQUIRE_OK(bus_add(&b, 0x100, 0x10, &ops, NULL, &e), &e);
	CHECK_INT(bus_add(&b, 0x10f, 1, &ops, NULL, &e), -EEXIST);
	CHECK_INT(bus_add(&b, 0xff0, 0x11, &ops, NULL, &e), -EEXIST);
	CHECK_INT(bus_add(&b, UINT64_MAX, 2, &ops, NULL, &e), -EEXIST);
	bus_read(&b, 0x1004, v, 4);
	CHECK_INT(v[0], 4);
	CHECK_INT(v[1], 0xff);
	bus_read(&b, 0x10e, v, 4); /* across its end */
	CHECK_INT(v[0], 0xff);
	bus_read(&b, 0xff, v, 1);
	bus_read(&b, 0x1010, v, 1);
	CHECK_INT(reads, 1);
	bus_write(&b, 0x100, v, 1); /* it has no write */
}

struct image {
	Elf64_Ehdr h;
	Elf64_Phdr p;
	char code[16];
};

static struct image good_image(void)
{
	return (struct image){
		.h = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3,
				    ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		       .e_type = ET_EXEC,
		       .e_machine = EM_X86_64,
		       .e_entry = 0x200000,
		       .e_phoff = offsetof(struct image, p),
		       .e_phentsize = sizeof(Elf64_Phdr),
		       .e_phnum = 1 },
		.p = { .p_type = PT_LOAD,
		       .p_offset = offsetof(struct image, code),
		       .p_paddr = 0x200000,
		       .p_filesz = 16,
		       .p_memsz = 32 },
	};
}

static int load(const struct image *image, struct err *e)
{
	autoclose int fd = memfd_create("kernel", MFD_CLOEXEC);
	struct vm_memory m = { .bytes = 16 * MIB };
	struct json_u32v initrds = { 0 };
	struct boot_config c = { .kernel_fd = fd, .initrd_fds = &initrds };
	struct boot_entry entry;
	struct gmem mem;
	int r;

	if (write(fd, image, sizeof(*image)) != sizeof(*image) ||
	    gmem_init(&mem, &m, e) < 0)
		return -EIO;
	c.mem = &mem;
	r = boot_load(&c, &entry, e);
	gmem_done(&mem);
	return r;
}

static void many(struct image *i)
{
	i->h.e_phnum = UINT16_MAX;
}

static void far_headers(struct image *i)
{
	i->h.e_phoff = UINT64_MAX - 8;
}

static void behind_file(struct image *i)
{
	i->p.p_offset = sizeof(*i) - 8;
}

static void wraps(struct image *i)
{
	i->p.p_offset = UINT64_MAX - 4;
}

static void no_room(struct image *i)
{
	i->p.p_memsz = 16 * MIB;
}

static void low(struct image *i)
{
	i->p.p_paddr = 0x7000;
}

static void more_than_memory(struct image *i)
{
	i->p.p_memsz = 8;
}

static void no_entry(struct image *i)
{
	i->h.e_entry = 0x300000;
}

static void other_machine(struct image *i)
{
	i->h.e_machine = EM_AARCH64;
}

static void no_elf(struct image *i)
{
	i->h.e_ident[0] = 'x';
}

static const struct {
	void (*spoil)(struct image *i);
	int want;
} spoilt[] = {
	{ many, -EINVAL },
	{ far_headers, -EINVAL },
	{ behind_file, -EINVAL },
	{ wraps, -EINVAL },
	{ no_room, -ENOMEM },
	{ low, -ENOMEM },
	{ more_than_memory, -EINVAL },
	{ no_entry, -EINVAL },
	{ other_machine, -EINVAL },
	{ no_elf, -ENOEXEC },
};

TEST(kernels_that_lie_are_refused_with_a_reason)
{
	struct image good = good_image();
	struct err e = { 0 };

	CHECK_OK(load(&good, &e), &e);
	for (size_t i = 0; i < ARRAY_SIZE(spoilt); i++) {
		struct image bad = good_image();

		e.text[0] = '\0';
		spoilt[i].spoil(&bad);
		if (!CHECK_INT(load(&bad, &e), spoilt[i].want) ||
		    !CHECK(e.text[0]))
			tap_note("image %zu", i);
	}
}

static const struct tap_test tests[] = {
	TAP(only_whole_ranges_of_memory_have_an_address),
	TAP(a_file_is_mapped_and_its_ends_are_copied),
	TAP(an_access_reaches_its_device_or_none),
	TAP(kernels_that_lie_are_refused_with_a_reason),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}
