/* SPDX-License-Identifier: Apache-2.0 */
#include "microvm/x86/aml.h"

#include <string.h>

/* Opcodes: ACPI 6.4, chapter 20. */
#define OP_ZERO	  0x00
#define OP_NAME	  0x08
#define OP_BYTE	  0x0a
#define OP_DWORD  0x0c
#define OP_STRING 0x0d
#define OP_SCOPE  0x10
#define OP_BUFFER 0x11
#define OP_EXT	  0x5b
#define OP_DEVICE 0x82

/* Resource descriptors: chapter 6.4. */
#define RES_IO	      0x47
#define RES_MEMORY32  0x86
#define RES_INTERRUPT 0x89
#define RES_END	      0x79
#define INT_CONSUMER  0x01
#define INT_EDGE      0x02

void x86_aml_bytes(struct x86_aml *w, const void *data, size_t len)
{
	if (len > w->size - w->len) {
		w->full = true;
		return;
	}
	memcpy(w->data + w->len, data, len);
	w->len += len;
}

void x86_aml_u8(struct x86_aml *w, uint8_t v)
{
	x86_aml_bytes(w, &v, sizeof(v));
}

void x86_aml_u16(struct x86_aml *w, uint16_t v)
{
	x86_aml_bytes(w, &v, sizeof(v));
}

void x86_aml_u32(struct x86_aml *w, uint32_t v)
{
	x86_aml_bytes(w, &v, sizeof(v));
}

void x86_aml_u64(struct x86_aml *w, uint64_t v)
{
	x86_aml_bytes(w, &v, sizeof(v));
}

/* A length that counts itself: 4 bits in the first byte, 8 in the second. */
static size_t open_package(struct x86_aml *w)
{
	size_t at = w->len;

	x86_aml_u16(w, 0);
	return at;
}

void x86_aml_close(struct x86_aml *w, size_t at)
{
	size_t len = w->len - at;

	if (w->full)
		return;
	if (len >= 1U << 12) {
		w->full = true;
		return;
	}
	w->data[at] = (uint8_t)(0x40 | (len & 0xf));
	w->data[at + 1] = (uint8_t)(len >> 4);
}

size_t x86_aml_open(struct x86_aml *w, const char *name, enum x86_aml_kind kind)
{
	size_t at;

	if (kind == X86_AML_DEVICE) {
		x86_aml_u8(w, OP_EXT);
		x86_aml_u8(w, OP_DEVICE);
	} else {
		x86_aml_u8(w, OP_SCOPE);
	}
	at = open_package(w);
	x86_aml_bytes(w, name, 4);
	return at;
}

static void name(struct x86_aml *w, const char *text)
{
	x86_aml_u8(w, OP_NAME);
	x86_aml_bytes(w, text, 4);
}

void x86_aml_name_text(struct x86_aml *w, const char *n, const char *text)
{
	name(w, n);
	x86_aml_u8(w, OP_STRING);
	x86_aml_bytes(w, text, strlen(text) + 1);
}

void x86_aml_name_u32(struct x86_aml *w, const char *n, uint32_t v)
{
	name(w, n);
	x86_aml_u8(w, OP_DWORD);
	x86_aml_u32(w, v);
}

static uint32_t hex(char c)
{
	return (uint32_t)(c >= 'A' ? c - 'A' + 10 : c - '0') & 0xf;
}

/* Three letters of five bits and four digits, big-endian. */
void x86_aml_name_eisa(struct x86_aml *w, const char *n, const char *id)
{
	uint32_t v = 0;

	for (size_t i = 0; i < 3; i++)
		v = v << 5 | ((uint32_t)(id[i] - '@') & 0x1f);
	for (size_t i = 3; i < 7; i++)
		v = v << 4 | hex(id[i]);
	x86_aml_name_u32(w, n, __builtin_bswap32(v));
}

static void put_range(struct x86_aml *w, const struct x86_aml_resources *r)
{
	if (r->io) {
		x86_aml_u8(w, RES_IO);
		x86_aml_u8(w, 1); /* all 16 address lines */
		x86_aml_u16(w, (uint16_t)r->start);
		x86_aml_u16(w, (uint16_t)r->start);
		x86_aml_u8(w, 1); /* alignment */
		x86_aml_u8(w, (uint8_t)r->len);
		return;
	}
	x86_aml_u8(w, RES_MEMORY32);
	x86_aml_u16(w, 9);
	x86_aml_u8(w, 1); /* writable */
	x86_aml_u32(w, r->start);
	x86_aml_u32(w, r->len);
}

void x86_aml_resources(struct x86_aml *w, const struct x86_aml_resources *r)
{
	uint8_t range_len = r->io ? 8 : 12;
	size_t at;

	name(w, "_CRS");
	x86_aml_u8(w, OP_BUFFER);
	at = open_package(w);
	x86_aml_u8(w, OP_BYTE);
	x86_aml_u8(w, (uint8_t)(range_len + 9 + 2));
	put_range(w, r);
	x86_aml_u8(w, RES_INTERRUPT);
	x86_aml_u16(w, 6);
	x86_aml_u8(w, INT_CONSUMER | INT_EDGE);
	x86_aml_u8(w, 1); /* interrupts in this list */
	x86_aml_u32(w, r->gsi);
	x86_aml_u8(w, RES_END);
	x86_aml_u8(w, 0); /* a checksum that is not checked */
	x86_aml_close(w, at);
}
