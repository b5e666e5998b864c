/* SPDX-License-Identifier: Apache-2.0 */
#include "microvm/lz4.h"

#include <string.h>

#define BLOCK_MAX (8U << 20)
#define MIN_MATCH 4
#define MORE	  15 /* in a nibble: length bytes follow */

/* What is left to read, what is left to fill. */
struct block {
	const uint8_t *in, *in_end;
	uint8_t *start, *out, *out_end;
};

static uint32_t le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

/* The length that begins in a nibble. No block is longer than BLOCK_MAX, so
 * that sums below cannot wrap. */
static int read_length(struct block *b, size_t nibble, size_t *ret)
{
	size_t n = nibble;
	uint8_t more = nibble == MORE ? 255 : 0;

	while (more == 255) {
		if (b->in == b->in_end || n > BLOCK_MAX)
			return -EBADMSG;
		more = *b->in++;
		n += more;
	}
	*ret = n;
	return 0;
}

static int copy_literals(struct block *b, size_t nibble)
{
	size_t n;

	if (read_length(b, nibble, &n) < 0 || n > (size_t)(b->in_end - b->in))
		return -EBADMSG;
	if (n > (size_t)(b->out_end - b->out))
		return -EFBIG;
	memcpy(b->out, b->in, n);
	b->in += n;
	b->out += n;
	return 0;
}

/* A match may overlap what it writes: it repeats a pattern then. */
static void copy_match(struct block *b, size_t offset, size_t n)
{
	const uint8_t *from = b->out - offset;

	if (offset >= n) {
		memcpy(b->out, from, n);
		b->out += n;
		return;
	}
	while (n--)
		*b->out++ = *from++;
}

static int read_match(struct block *b, size_t nibble)
{
	size_t offset, n;

	if (b->in_end - b->in < 2)
		return -EBADMSG;
	offset = (size_t)b->in[0] | (size_t)b->in[1] << 8;
	b->in += 2;
	if (offset == 0 || offset > (size_t)(b->out - b->start))
		return -EBADMSG;
	if (read_length(b, nibble, &n) < 0)
		return -EBADMSG;
	n += MIN_MATCH;
	if (n > (size_t)(b->out_end - b->out))
		return -EFBIG;
	copy_match(b, offset, n);
	return 0;
}

static int unpack_block(struct block *b)
{
	int r = 0;

	while (r == 0 && b->in < b->in_end) {
		uint8_t token = *b->in++;

		r = copy_literals(b, token >> 4);
		/* The last sequence of a block is literals alone. */
		if (r < 0 || b->in == b->in_end)
			break;
		r = read_match(b, token & 15);
	}
	return r;
}

int vm_lz4_unpack(const void *in, size_t len, void *out, size_t cap,
		  size_t *ret_len, struct err *e)
{
	const uint8_t *p = in, *end = p + len;
	uint8_t *o = out, *o_end = o + cap;

	if (len < 4 || le32(p) != VM_LZ4_MAGIC)
		return err_set(e, -EBADMSG, "not a legacy LZ4 stream");

	while (p < end) {
		struct block b = { .start = o, .out = o };
		uint32_t n;
		int r;

		if (end - p < 4)
			return err_set(e, -EBADMSG, "LZ4: ends in a length");
		n = le32(p);
		p += 4;
		/* Frames may be concatenated. */
		if (n == VM_LZ4_MAGIC)
			continue;
		if (n > (size_t)(end - p))
			return err_set(e, -EBADMSG, "LZ4: ends in a block");

		b.in = p;
		b.in_end = p + n;
		b.out_end = o + MIN_OF((size_t)(o_end - o), (size_t)BLOCK_MAX);
		r = unpack_block(&b);
		if (r < 0)
			return err_set(e, r, "LZ4: %s",
				       r == -EFBIG ? "longer than it says"
						   : "damaged block");
		o = b.out;
		p += n;
	}
	*ret_len = (size_t)(o - (uint8_t *)out);
	return 0;
}
