/* SPDX-License-Identifier: Apache-2.0 */
#include "microvm/unpack.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/proc.h"
#include "microvm/lz4.h"

/* Slow machines and emulators included; 60 MB of xz take 0.6 s. */
#define TIMEOUT_MS 120000

static const char *const programs[VM_PACK_N_] = {
	[VM_PACK_GZIP] = "gzip",
	[VM_PACK_XZ] = "xz",
	[VM_PACK_ZSTD] = "zstd",
};

static int copy(const void *data, size_t len, size_t max, void **ret,
		size_t *ret_len, struct err *e)
{
	if (len > max)
		return err_set(e, -EFBIG, "longer than %zu bytes", max);
	*ret = malloc(len + 1);
	if (!*ret)
		return err_nomem(e);
	memcpy(*ret, data, len);
	*ret_len = len;
	return 0;
}

static int unpack_lz4(const void *data, size_t len, size_t max, void **ret,
		      size_t *ret_len, struct err *e)
{
	autofree void *out = malloc(max + 1);
	void *fit;
	int r;

	if (!out)
		return err_nomem(e);
	r = vm_lz4_unpack(data, len, out, max, ret_len, e);
	if (r < 0)
		return r;
	fit = realloc(out, *ret_len + 1);
	*ret = fit ? fit : out;
	out = NULL;
	return 0;
}

/*
 * A file in memory that holds max bytes and not one more, however much a
 * hostile file unpacks to. Untouched parts of it cost nothing.
 */
static int make_bounded(size_t max, struct err *e)
{
	autoclose int fd =
		memfd_create("moat-unpack", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, (off_t)max) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) < 0)
		return err_errno(e, "make memory file");
	return steal_fd(&fd);
}

/* The program has moved the offset that it shares with us. */
static int read_back(int fd, void **ret, size_t *ret_len, struct err *e)
{
	off_t len = lseek(fd, 0, SEEK_CUR);
	autofree char *text = NULL;
	int r;

	if (len < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return err_errno(e, "rewind");
	text = malloc((size_t)len + 1);
	if (!text)
		return err_nomem(e);
	r = fd_read_exact(fd, text, (size_t)len);
	if (r < 0)
		return err_set(e, r, "read memory file");
	*ret = steal_ptr(text);
	*ret_len = (size_t)len;
	return 0;
}

static int unpack_by(const char *program, const void *data, size_t len,
		     size_t max, void **ret, size_t *ret_len, struct err *e)
{
	autoclose int out = make_bounded(max, e);
	char *argv[] = { (char *)program, (char *)"-dc", NULL };
	struct proc_run run = {
		.path = program,
		.argv = argv,
		.input = data,
		.input_len = len,
		.timeout_ms = TIMEOUT_MS,
		.quiet = true,
		.output_fd = out,
	};
	int r;

	if (out < 0)
		return out;
	r = proc_run(&run, e);
	if (r == -ENOENT)
		return err_set(
			e, -ENOENT,
			"compressed with %s, and the program '%s' is not installed",
			program, program);
	if (r < 0)
		return r;
	if (r > 0)
		return err_wrap(e, -EBADMSG, "unpack with %s", program);
	return read_back(out, ret, ret_len, e);
}

int vm_unpack(enum vm_packing packing, const void *data, size_t len, size_t max,
	      void **ret, size_t *ret_len, struct err *e)
{
	if (packing == VM_PACK_NONE)
		return copy(data, len, max, ret, ret_len, e);
	if (packing == VM_PACK_LZ4)
		return unpack_lz4(data, len, max, ret, ret_len, e);
	return unpack_by(programs[packing], data, len, max, ret, ret_len, e);
}
