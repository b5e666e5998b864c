/* SPDX-License-Identifier: Apache-2.0 */
#include <elf.h>

#include "microvm/image.h"
#include "tests/unit/tap.h"

/* A bzImage of five sectors of set-up code and a payload. */
#define SETUP	(5 * 512)
#define PAYLOAD 64
#define SIZE	(SETUP + 16 + PAYLOAD)

static void put(uint8_t *p, size_t at, uint32_t v, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		p[at + i] = (uint8_t)(v >> (8 * i));
}

static void make_bzimage(uint8_t p[SIZE])
{
	memset(p, 0, SIZE);
	p[0x1f1] = 4;
	memcpy(p + 0x202, "HdrS", 4);
	put(p, 0x206, 0x20f, 2);
	put(p, 0x20e, 0x300, 2);
	memcpy(p + 0x500, "6.1.0-9-cloud-amd64 (root@build) #1 SMP", 40);
	put(p, 0x248, 16, 4);
	put(p, 0x24c, PAYLOAD, 4);
	memcpy(p + SETUP + 16, "\x02\x21\x4c\x18", 4);
	put(p, SETUP + 16 + PAYLOAD - 4, 123456, 4);
}

TEST(a_bzimage_says_where_its_vmlinux_is)
{
	struct vm_image image;
	struct err e = { 0 };
	uint8_t p[SIZE];

	make_bzimage(p);
	REQUIRE_OK(vm_image_parse(p, SIZE, &image, &e), &e);
	CHECK_INT(image.packing, VM_PACK_LZ4);
	CHECK_INT(image.offset, SETUP + 16);
	CHECK_INT(image.len, PAYLOAD - 4);
	CHECK_INT(image.unpacked, 123456);
	CHECK_STR(image.version, "6.1.0-9-cloud-amd64");
}

TEST(gzip_keeps_its_own_length)
{
	struct vm_image image;
	struct err e = { 0 };
	uint8_t p[SIZE];

	make_bzimage(p);
	memcpy(p + SETUP + 16, "\x1f\x8b\x08", 4);
	REQUIRE_OK(vm_image_parse(p, SIZE, &image, &e), &e);
	CHECK_INT(image.packing, VM_PACK_GZIP);
	CHECK_INT(image.len, PAYLOAD);
}

/* One field of the good image changed. */
static const struct {
	const char *name;
	size_t at;
	uint32_t value;
	size_t bytes;
	int want;
} hostile[] = {
	/* clang-format off */
	{ "no magic",			  0x202, 0,	     4, -ENOEXEC },
	{ "an old protocol",		  0x206, 0x207,	     2, -ENOTSUP },
	{ "set-up code beyond the file",  0x1f1, 255,	     1, -EBADMSG },
	{ "payload beyond the file",	  0x248, SIZE,	     4, -EBADMSG },
	{ "offset that wraps around",	  0x248, 0xffffffff, 4, -EBADMSG },
	{ "length beyond the file",	  0x24c, PAYLOAD + 1, 4, -EBADMSG },
	{ "length that wraps around",	  0x24c, 0xffffffff, 4, -EBADMSG },
	{ "no payload",			  0x24c, 0,	     4, -EBADMSG },
	{ "payload of a length alone",	  0x24c, 4,	     4, -EBADMSG },
	{ "an unknown compression",	  SETUP + 16, 0,     4, -ENOTSUP },
	{ "unpacks to 4 GiB",	SETUP + 16 + PAYLOAD - 4, 0xffffffff, 4, -EFBIG },
	/* clang-format on */
};

TEST(hostile_headers_are_refused)
{
	for (size_t i = 0; i < ARRAY_SIZE(hostile); i++) {
		struct vm_image image;
		uint8_t p[SIZE];

		make_bzimage(p);
		put(p, hostile[i].at, hostile[i].value, hostile[i].bytes);
		if (!CHECK_INT(vm_image_parse(p, SIZE, &image, NULL),
			       hostile[i].want))
			tap_note("with %s", hostile[i].name);
	}
}

TEST(short_files_are_refused)
{
	uint8_t whole[SIZE];

	make_bzimage(whole);
	for (size_t len = 0; len < SIZE; len += 7) {
		uint8_t *p = malloc(len + 1);
		struct vm_image image;

		REQUIRE(p);
		memcpy(p, whole, len);
		if (!CHECK(vm_image_parse(p, len, &image, NULL) < 0))
			tap_note("%zu bytes", len);
		free(p);
	}
}

TEST(a_version_that_could_be_a_path_is_none)
{
	static const char *const versions[] = {
		"../../etc", "a/b", ".hidden", "6.1\n", "", "6.1:x",
	};

	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		struct vm_image image;
		struct err e = { 0 };
		uint8_t p[SIZE];

		make_bzimage(p);
		memset(p + 0x500, 0, 64);
		memcpy(p + 0x500, versions[i], strlen(versions[i]));
		CHECK_OK(vm_image_parse(p, SIZE, &image, &e), &e);
		if (!CHECK_STR(image.version, ""))
			tap_note("in '%s'", versions[i]);
	}
}

TEST(a_version_outside_the_set_up_code_is_none)
{
	char version[VM_VERSION_MAX];
	uint8_t p[SIZE];

	make_bzimage(p);
	put(p, 0x20e, 0xffff, 2);
	CHECK(!vm_image_version(p, SIZE, version));
	CHECK_STR(version, "");
}

/* vmlinux: one segment at 16 MiB and the banner in it. */
struct elf {
	Elf64_Ehdr h;
	Elf64_Phdr s[2];
	char text[128];
};

static void make_elf(struct elf *f)
{
	memset(f, 0, sizeof(*f));
	memcpy(f->h.e_ident, ELFMAG, SELFMAG);
	f->h.e_ident[EI_CLASS] = ELFCLASS64;
	f->h.e_ident[EI_DATA] = ELFDATA2LSB;
	f->h.e_type = ET_EXEC;
	f->h.e_machine = EM_X86_64;
	f->h.e_entry = 0x1000010;
	f->h.e_phoff = offsetof(struct elf, s);
	f->h.e_phentsize = sizeof(Elf64_Phdr);
	f->h.e_phnum = 2;
	f->s[0].p_type = PT_LOAD;
	f->s[0].p_offset = offsetof(struct elf, text);
	f->s[0].p_paddr = 0x1000000;
	f->s[0].p_filesz = sizeof(f->text);
	f->s[0].p_memsz = 1 << 20;
	f->s[1].p_type = PT_NOTE;
	memcpy(f->text, "Linux version %s\0Linux version 6.12.3-amd64 (x)", 48);
}

TEST(a_vmlinux_is_taken_as_it_is)
{
	struct vm_image image;
	struct err e = { 0 };
	struct elf f;

	make_elf(&f);
	REQUIRE_OK(vm_image_parse(&f, sizeof(f), &image, &e), &e);
	CHECK_INT(image.packing, VM_PACK_NONE);
	CHECK_INT(image.unpacked, sizeof(f));
	CHECK_STR(image.version, "6.12.3-amd64");
}

/* A note in the place of the text: "Xen", type 18, an address. */
TEST(an_entry_outside_is_made_good_by_a_note_for_pvh)
{
	static const uint32_t note[] = { 4, 4, 18, 0x6e6558, 0x1000010 };
	struct err e = { 0 };
	struct elf f;

	make_elf(&f);
	f.h.e_entry = 0xffffffff81000000ULL;
	f.h.e_phnum = 2;
	f.s[1].p_type = PT_NOTE;
	f.s[1].p_offset = offsetof(struct elf, text);
	f.s[1].p_filesz = sizeof(note);
	CHECK(vm_elf_check(&f, sizeof(f), NULL) == -ENOEXEC);
	memcpy(f.text, note, sizeof(note));
	CHECK_OK(vm_elf_check(&f, sizeof(f), &e), &e);
	f.s[1].p_filesz--;
	CHECK(vm_elf_check(&f, sizeof(f), NULL) == -ENOEXEC);
	f.s[1].p_filesz = UINT64_MAX;
	CHECK(vm_elf_check(&f, sizeof(f), NULL) == -ENOEXEC);
}

#define BREAK(f) static void f(struct elf *elf)

BREAK(is_32_bit)
{
	elf->h.e_ident[EI_CLASS] = ELFCLASS32;
}
BREAK(is_for_arm)
{
	elf->h.e_machine = EM_AARCH64;
}
BREAK(is_an_object)
{
	elf->h.e_type = ET_REL;
}
BREAK(has_no_segments)
{
	elf->h.e_phnum = 0;
}
BREAK(has_65535_segments)
{
	elf->h.e_phnum = 65535;
}
BREAK(has_headers_outside)
{
	elf->h.e_phoff = sizeof(*elf);
}
BREAK(has_headers_that_wrap)
{
	elf->h.e_phoff = UINT64_MAX - 8;
}
BREAK(has_a_segment_outside)
{
	elf->s[0].p_filesz = sizeof(*elf);
	elf->s[0].p_memsz = sizeof(*elf);
}
BREAK(has_an_offset_that_wraps)
{
	elf->s[0].p_offset = UINT64_MAX - 4;
}
BREAK(has_more_file_than_memory)
{
	elf->s[0].p_memsz = 1;
}
BREAK(reaches_over_4_GiB)
{
	elf->s[0].p_memsz = 1ULL << 32;
}
BREAK(has_an_address_that_wraps)
{
	elf->s[0].p_paddr = UINT64_MAX - 4;
	elf->h.e_entry = UINT64_MAX - 4;
}
BREAK(enters_outside)
{
	elf->h.e_entry = 0x1000000 + sizeof(elf->text);
}
BREAK(enters_nowhere)
{
	elf->s[0].p_type = PT_NOTE;
}

static const struct {
	const char *name;
	void (*apply)(struct elf *elf);
} breaks[] = {
#define B(f)                                                                   \
	{                                                                      \
#f, f                                                          \
	}
	B(is_32_bit),
	B(is_for_arm),
	B(is_an_object),
	B(has_no_segments),
	B(has_65535_segments),
	B(has_headers_outside),
	B(has_headers_that_wrap),
	B(has_a_segment_outside),
	B(has_an_offset_that_wraps),
	B(has_more_file_than_memory),
	B(reaches_over_4_GiB),
	B(has_an_address_that_wraps),
	B(enters_outside),
	B(enters_nowhere),
};

TEST(an_elf_that_cannot_be_loaded_is_refused)
{
	for (size_t i = 0; i < ARRAY_SIZE(breaks); i++) {
		struct err e = { 0 };
		struct elf f;

		make_elf(&f);
		breaks[i].apply(&f);
		if (!CHECK_INT(vm_elf_check(&f, sizeof(f), &e), -ENOEXEC))
			tap_note("when it %s", breaks[i].name);
	}
}

/* What a linker leaves behind the segments. */
struct elf_with_sections {
	struct elf elf;
	char behind[500];
};

static void make_sections(struct elf_with_sections *f)
{
	make_elf(&f->elf);
	memset(f->behind, 'x', sizeof(f->behind));
	f->elf.h.e_shoff = sizeof(f->elf) + 100;
	f->elf.h.e_shnum = 4;
	f->elf.h.e_shstrndx = 3;
}

TEST(what_segments_do_not_take_is_cut_off)
{
	struct elf_with_sections f;
	struct elf plain;

	make_elf(&plain);
	make_sections(&f);
	CHECK_INT(vm_elf_cut(&f, sizeof(f)), sizeof(plain));
	CHECK(memcmp(&f, &plain, sizeof(plain)) == 0);
	/* The last one counts, wherever it is in the list. */
	make_sections(&f);
	f.elf.s[1].p_offset = sizeof(f.elf);
	f.elf.s[1].p_filesz = 7;
	CHECK_INT(vm_elf_cut(&f, sizeof(f)), sizeof(f.elf) + 7);
}

TEST(what_is_no_sound_elf_stays_whole)
{
	struct elf_with_sections f, before;
	char script[] = "#!/bin/sh\n";

	CHECK_INT(vm_elf_cut(script, sizeof(script)), sizeof(script));
	for (size_t i = 0; i < 3; i++) {
		make_sections(&f);
		if (i == 0)
			f.elf.s[0].p_offset = sizeof(f) + 1;
		else if (i == 1)
			f.elf.s[0].p_filesz = UINT64_MAX;
		else
			f.elf.h.e_phoff = UINT64_MAX - 8;
		before = f;
		CHECK_INT(vm_elf_cut(&f, sizeof(f)), sizeof(f));
		CHECK(memcmp(&f, &before, sizeof(f)) == 0);
	}
}

static const struct tap_test tests[] = {
	TAP(a_bzimage_says_where_its_vmlinux_is),
	TAP(gzip_keeps_its_own_length),
	TAP(hostile_headers_are_refused),
	TAP(short_files_are_refused),
	TAP(a_version_that_could_be_a_path_is_none),
	TAP(a_version_outside_the_set_up_code_is_none),
	TAP(an_entry_outside_is_made_good_by_a_note_for_pvh),
	TAP(a_vmlinux_is_taken_as_it_is),
	TAP(an_elf_that_cannot_be_loaded_is_refused),
	TAP(what_segments_do_not_take_is_cut_off),
	TAP(what_is_no_sound_elf_stays_whole),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}
