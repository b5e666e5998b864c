/* SPDX-License-Identifier: Apache-2.0 */
#include "microvm/gmem.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "microvm/vm_config.h"

/* What a large page and the segments of a kernel image are aligned to. */
#define ALIGNMENT (2ULL << 20)

static uint64_t round_up(uint64_t n, uint64_t unit)
{
	return (n + unit - 1) & ~(unit - 1);
}

static void lay_out(struct gmem *m, char *host, uint64_t bytes)
{
	uint64_t low = MIN_OF(bytes, GMEM_HOLE);

	m->region[0] = (struct gmem_region){ 0, low, host };
	m->n = 1;
	if (bytes > low)
		m->region[m->n++] =
			(struct gmem_region){ GMEM_HIGH, bytes - low,
					      host + low };
}

static int advise(char *host, const struct vm_memory *c, struct err *e)
{
	int huge = c->huge == VM_HUGE_ADVISE ? MADV_HUGEPAGE : MADV_NOHUGEPAGE;

	if (madvise(host, c->bytes, MADV_DONTDUMP) < 0)
		return err_errno(e, "keep guest memory out of core dumps");
	/* A host kernel without transparent huge pages has small ones only,
	 * which is what "never" wants and "advise" puts up with. */
	if (c->huge != VM_HUGE_RESERVE && madvise(host, c->bytes, huge) < 0 &&
	    errno != EINVAL)
		return err_errno(e, "advise huge pages");
	if (c->ksm && madvise(host, c->bytes, MADV_MERGEABLE) < 0)
		return err_errno(e, "let the host merge equal pages (KSM)");
	return 0;
}

int gmem_init(struct gmem *m, const struct vm_memory *c, struct err *e)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	size_t size = c->bytes + 2 * ALIGNMENT;
	uint64_t start;
	void *map, *host;
	int r;

	*m = (struct gmem){ .huge = c->huge == VM_HUGE_RESERVE };
	map = mmap(NULL, size, PROT_NONE, flags, -1, 0);
	if (map == MAP_FAILED)
		return err_errno(e, "reserve %llu bytes for guest memory",
				 (unsigned long long)size);
	m->map = map;
	m->map_size = size;

	/* At least one page stays inaccessible before and behind. */
	start = round_up((uint64_t)(uintptr_t)map + GMEM_PAGE, ALIGNMENT);
	/* Reserved here and now, or it would be a SIGBUS at the first touch of
	 * the page that there is none for. */
	if (m->huge)
		flags = (flags & ~MAP_NORESERVE) | MAP_HUGETLB |
			21 << MAP_HUGE_SHIFT;
	if (c->populate)
		flags |= MAP_POPULATE;
	host = mmap((char *)map + (start - (uint64_t)(uintptr_t)map), c->bytes,
		    PROT_READ | PROT_WRITE, flags | MAP_FIXED, -1, 0);
	if (host == MAP_FAILED) {
		r = err_errno(e, "map %llu bytes of guest memory%s",
			      (unsigned long long)c->bytes,
			      m->huge ? " in huge pages" : "");
		gmem_done(m);
		return r;
	}
	lay_out(m, host, c->bytes);
	r = advise(host, c, e);
	if (r < 0)
		gmem_done(m);
	return r;
}

void gmem_done(struct gmem *m)
{
	if (m->map)
		(void)munmap(m->map, m->map_size);
	*m = (struct gmem){ 0 };
}

void *gmem_at(const struct gmem *m, uint64_t gpa, uint64_t len)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct gmem_region *r = &m->region[i];
		uint64_t off = gpa - r->gpa;

		/* Written so that nothing can wrap around. */
		if (gpa >= r->gpa && off < r->size && len <= r->size - off)
			return r->host + off;
	}
	return NULL;
}

int gmem_read(const struct gmem *m, uint64_t gpa, void *data, size_t len)
{
	const void *p = gmem_at(m, gpa, len);

	if (!p)
		return -EFAULT;
	memcpy(data, p, len);
	return 0;
}

int gmem_write(const struct gmem *m, uint64_t gpa, const void *data, size_t len)
{
	void *p = gmem_at(m, gpa, len);

	if (!p)
		return -EFAULT;
	memcpy(p, data, len);
	return 0;
}

static int copy_piece(char *to, int fd, off_t offset, uint64_t len,
		      struct err *e)
{
	while (len > 0) {
		ssize_t n = TEMP_FAILURE_RETRY(pread(fd, to, len, offset));

		if (n < 0)
			return err_errno(e, "read");
		if (n == 0)
			return err_set(e, -ENODATA, "the file is too short");
		to += n;
		offset += n;
		len -= (uint64_t)n;
	}
	return 0;
}

/* Whole pages; gpa and offset agree about their boundaries. */
static int map_pages(char *to, int fd, off_t offset, uint64_t len,
		     struct err *e)
{
	if (len == 0)
		return 0;
	if (mmap(to, len, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, fd,
		 offset) == MAP_FAILED)
		return err_errno(e, "map into guest memory");
	return 0;
}

int gmem_load(const struct gmem *m, uint64_t gpa, int fd, off_t offset,
	      uint64_t len, struct err *e)
{
	char *to = gmem_at(m, gpa, len);
	uint64_t head, pages;
	int r;

	if (!to)
		return err_set(e, -EFAULT, "%#llx bytes at %#llx are not RAM",
			       (unsigned long long)len,
			       (unsigned long long)gpa);
	head = round_up(gpa, GMEM_PAGE) - gpa;
	if (m->huge || gpa % GMEM_PAGE != (uint64_t)offset % GMEM_PAGE ||
	    len < head + GMEM_PAGE)
		return copy_piece(to, fd, offset, len, e);

	pages = (len - head) & ~(GMEM_PAGE - 1);
	r = copy_piece(to, fd, offset, head, e);
	if (r < 0)
		return r;
	r = map_pages(to + head, fd, offset + (off_t)head, pages, e);
	if (r < 0)
		return r;
	head += pages;
	return copy_piece(to + head, fd, offset + (off_t)head, len - head, e);
}

int gmem_discard(const struct gmem *m, uint64_t gpa, uint64_t len)
{
	char *p = gmem_at(m, gpa, len);

	if (!p || gpa % GMEM_PAGE || len % GMEM_PAGE)
		return -EFAULT;
	if (len > 0 && madvise(p, len, MADV_DONTNEED) < 0)
		return -errno;
	return 0;
}

uint64_t gmem_low_end(const struct gmem *m)
{
	return m->n ? m->region[0].size : 0;
}
