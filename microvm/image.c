/* SPDX-License-Identifier: Apache-2.0 */
#include "microvm/image.h"

#include <ctype.h>
#include <elf.h>
#include <string.h>

#define SECTOR		 512
#define HEADER_END	 0x250
#define PROTOCOL_PAYLOAD 0x208 /* 2.08: payload_offset and payload_length */
#define MAX_SEGMENTS	 64
#define LOAD_END	 (1ULL << 32)

/* Xen's note that names the 32-bit entry. */
#define NOTE_PVH_ENTRY 18U
static const char note_name[] = "Xen";

const char *const vm_packing_names[] = {
	[VM_PACK_NONE] = "none", [VM_PACK_LZ4] = "lz4",
	[VM_PACK_GZIP] = "gzip", [VM_PACK_XZ] = "xz",
	[VM_PACK_ZSTD] = "zstd", [VM_PACK_N_] = NULL,
};

static const struct {
	const char *bytes;
	size_t len;
	enum vm_packing packing;
} magics[] = {
	{ "\x02\x21\x4c\x18", 4, VM_PACK_LZ4 },
	{ "\x1f\x8b\x08", 3, VM_PACK_GZIP },
	{ "\xfd\x37zXZ\0", 6, VM_PACK_XZ },
	{ "\x28\xb5\x2f\xfd", 4, VM_PACK_ZSTD },
};

static uint32_t le(const uint8_t *p, size_t bytes)
{
	uint32_t v = 0;

	while (bytes--)
		v = v << 8 | p[bytes];
	return v;
}

enum vm_packing vm_packing_of(const void *data, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(magics); i++)
		if (len >= magics[i].len &&
		    memcmp(data, magics[i].bytes, magics[i].len) == 0)
			return magics[i].packing;
	return VM_PACK_NONE;
}

/* The version becomes a file's name: nothing else may be in it. */
static void copy_version(const uint8_t *p, size_t len, char ret[VM_VERSION_MAX])
{
	size_t n = 0;

	while (n < len && n < VM_VERSION_MAX - 1 &&
	       (isalnum(p[n]) || (n > 0 && strchr("._+~-", p[n]) && p[n])))
		n++;
	/* A version that goes on in other characters is none. */
	if (n < len && p[n] != ' ' && p[n] != '\0')
		n = 0;
	memcpy(ret, p, n);
	ret[n] = '\0';
}

static int parse_payload(const uint8_t *p, size_t len, size_t setup,
			 struct vm_image *ret, struct err *e)
{
	uint64_t start = setup + (uint64_t)le(p + 0x248, 4);
	size_t n = le(p + 0x24c, 4);

	if (start > len || n > len - start || n < 8)
		return err_set(e, -EBADMSG, "payload outside the file");
	ret->offset = start;
	ret->len = n;
	ret->packing = vm_packing_of(p + start, n);
	if (ret->packing == VM_PACK_NONE)
		return err_set(
			e, -ENOTSUP,
			"compressed in a way that is none of lz4, gzip, xz, zstd");

	ret->unpacked = le(p + start + n - 4, 4);
	if (ret->unpacked > VM_IMAGE_MAX)
		return err_set(e, -EFBIG, "unpacks to %zu bytes",
			       ret->unpacked);
	if (ret->packing != VM_PACK_GZIP)
		ret->len -= 4;
	return 0;
}

static bool is_bzimage(const uint8_t *p, size_t len)
{
	return len >= HEADER_END && memcmp(p + 0x202, "HdrS", 4) == 0;
}

/* 0 stands for 4, since before there was the field. */
static size_t setup_size(const uint8_t *p)
{
	return ((size_t)(p[0x1f1] ? p[0x1f1] : 4) + 1) * SECTOR;
}

bool vm_image_version(const void *head, size_t len, char ret[VM_VERSION_MAX])
{
	const uint8_t *p = head;
	size_t at, end;

	ret[0] = '\0';
	if (!is_bzimage(p, len))
		return false;
	at = (size_t)le(p + 0x20e, 2) + 0x200;
	end = MIN_OF(setup_size(p), len);
	if (at > 0x200 && at < end)
		copy_version(p + at, end - at, ret);
	return ret[0] != '\0';
}

static int parse_bzimage(const uint8_t *p, size_t len, struct vm_image *ret,
			 struct err *e)
{
	size_t setup = setup_size(p);

	if (le(p + 0x206, 2) < PROTOCOL_PAYLOAD)
		return err_set(e, -ENOTSUP, "boot protocol older than 2.08");
	if (setup > len)
		return err_set(e, -EBADMSG, "set-up code outside the file");
	(void)vm_image_version(p, len, ret->version);
	return parse_payload(p, len, setup, ret, e);
}

/* A vmlinux has no field for it, only the banner that dmesg begins with. */
static void find_version(const uint8_t *p, size_t len, struct vm_image *ret)
{
	static const char banner[] = "Linux version ";
	const size_t n = sizeof(banner) - 1;
	const uint8_t *at = p;

	while (!ret->version[0] &&
	       (at = memmem(at, len - (size_t)(at - p), banner, n))) {
		at += n;
		/* "Linux version %s" is there as well. */
		if (at < p + len && isdigit(*at))
			copy_version(at, len - (size_t)(at - p), ret->version);
	}
}

int vm_image_parse(const void *data, size_t len, struct vm_image *ret,
		   struct err *e)
{
	struct vm_image image = { .packing = VM_PACK_NONE };
	const uint8_t *p = data;
	int r;

	if (len >= SELFMAG && memcmp(p, ELFMAG, SELFMAG) == 0) {
		r = vm_elf_check(data, len, e);
		if (r < 0)
			return r;
		image.len = image.unpacked = len;
		find_version(p, len, &image);
	} else if (is_bzimage(p, len)) {
		r = parse_bzimage(p, len, &image, e);
		if (r < 0)
			return r;
	} else {
		return err_set(e, -ENOEXEC, "neither a vmlinux nor a bzImage");
	}
	*ret = image;
	return 0;
}

static int check_segment(const Elf64_Phdr *s, size_t len, struct err *e)
{
	if (s->p_filesz > s->p_memsz || s->p_offset > len ||
	    s->p_filesz > len - s->p_offset)
		return err_set(e, -ENOEXEC, "segment outside the file");
	if (s->p_paddr >= LOAD_END || s->p_memsz > LOAD_END - s->p_paddr)
		return err_set(e, -ENOEXEC, "segment over 4 GiB");
	return 0;
}

static size_t align4(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

uint64_t vm_elf_pvh(const void *data, size_t len)
{
	const uint8_t *notes = data;
	size_t at = 0;

	while (len - at >= sizeof(Elf64_Nhdr)) {
		const uint8_t *name, *desc;
		uint32_t entry = 0;
		Elf64_Nhdr n;

		memcpy(&n, notes + at, sizeof(n));
		at += sizeof(n);
		if (n.n_namesz > len || n.n_descsz > len ||
		    align4(n.n_namesz) + align4(n.n_descsz) > len - at)
			return 0;
		name = notes + at;
		desc = name + align4(n.n_namesz);
		at += align4(n.n_namesz) + align4(n.n_descsz);
		if (n.n_type != NOTE_PVH_ENTRY || n.n_descsz < sizeof(entry) ||
		    n.n_namesz != sizeof(note_name) ||
		    memcmp(name, note_name, sizeof(note_name)) != 0)
			continue;
		memcpy(&entry, desc, sizeof(entry));
		return entry;
	}
	return 0;
}

/*
 * vmlinux has its entry as a physical address, which lies in a segment. A
 * kernel that has a virtual one there is entered by its note.
 */
static bool leads_into(const Elf64_Ehdr *h, const uint8_t *p, size_t len,
		       const Elf64_Phdr *s)
{
	if (s->p_type == PT_LOAD)
		return h->e_entry - s->p_paddr < s->p_filesz;
	return s->p_type == PT_NOTE && s->p_offset <= len &&
	       s->p_filesz <= len - s->p_offset &&
	       vm_elf_pvh(p + s->p_offset, s->p_filesz) != 0;
}

static int check_segments(const uint8_t *p, size_t len, const Elf64_Ehdr *h,
			  struct err *e)
{
	bool entered = false;

	for (size_t i = 0; i < h->e_phnum; i++) {
		Elf64_Phdr s;
		int r;

		memcpy(&s, p + h->e_phoff + i * sizeof(s), sizeof(s));
		r = s.p_type == PT_LOAD ? check_segment(&s, len, e) : 0;
		if (r < 0)
			return r;
		entered |= leads_into(h, p, len, &s);
	}
	if (!entered)
		return err_set(e, -ENOEXEC, "entry point outside the segments");
	return 0;
}

static bool has_segments(const Elf64_Ehdr *h, size_t len)
{
	return h->e_phentsize == sizeof(Elf64_Phdr) && h->e_phnum > 0 &&
	       h->e_phnum <= MAX_SEGMENTS && h->e_phoff <= len &&
	       h->e_phnum * sizeof(Elf64_Phdr) <= len - h->e_phoff;
}

int vm_elf_check(const void *data, size_t len, struct err *e)
{
	Elf64_Ehdr h;

	if (len < sizeof(h) || memcmp(data, ELFMAG, SELFMAG) != 0)
		return err_set(e, -ENOEXEC, "not an ELF file");
	memcpy(&h, data, sizeof(h));
	if (h.e_ident[EI_CLASS] != ELFCLASS64 ||
	    h.e_ident[EI_DATA] != ELFDATA2LSB || h.e_machine != EM_X86_64 ||
	    h.e_type != ET_EXEC)
		return err_set(e, -ENOEXEC, "not an x86-64 kernel");
	if (!has_segments(&h, len))
		return err_set(e, -ENOEXEC, "program headers outside the file");
	return check_segments(data, len, &h, e);
}

size_t vm_elf_cut(void *data, size_t len)
{
	char *p = data;
	Elf64_Ehdr h;
	size_t end;

	if (len < sizeof(h) || memcmp(p, ELFMAG, SELFMAG) != 0)
		return len;
	memcpy(&h, p, sizeof(h));
	if (h.e_ident[EI_CLASS] != ELFCLASS64 || !has_segments(&h, len))
		return len;
	end = MAX_OF(sizeof(h), h.e_phoff + h.e_phnum * sizeof(Elf64_Phdr));
	for (size_t i = 0; i < h.e_phnum; i++) {
		Elf64_Phdr s;

		memcpy(&s, p + h.e_phoff + i * sizeof(s), sizeof(s));
		if (s.p_offset > len || s.p_filesz > len - s.p_offset)
			return len;
		end = MAX_OF(end, s.p_offset + s.p_filesz);
	}
	h.e_shoff = 0;
	h.e_shnum = 0;
	h.e_shstrndx = SHN_UNDEF;
	memcpy(p, &h, sizeof(h));
	return end;
}
