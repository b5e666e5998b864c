/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest of anybody's making on a shared folder: the input is requests, each
 * with two bytes of length in front. After each round what the guest has left
 * in the folder is removed.
 */
#include <fcntl.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "microvm/fuse.h"
#include "microvm/virtq.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUESTS  64
#define ROOM	  8192
#define FILE_SIZE (16U << 20) /* a request can ask for exabytes */

struct place {
	char path[64];
	int fd;
};

/* Each input begins with the same folder. */
static int begin(struct place *p)
{
	int fd;

	(void)snprintf(p->path, sizeof(p->path),
		       "/dev/shm/moat-fuzz-fuse-XXXXXX");
	if (!mkdtemp(p->path))
		return -1;
	p->fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->fd < 0 || mkdirat(p->fd, "d", 0755) < 0 ||
	    symlinkat("/", p->fd, "l") < 0)
		return -1;
	fd = openat(p->fd, "f", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	(void)close(fd);
	return fd < 0 ? -1 : 0;
}

static void end(const struct place *p)
{
	(void)close(p->fd);
	(void)!path_remove_tree(AT_FDCWD, p->path, NULL);
}

static void serve(struct fuse *f, const void *request, size_t len, size_t room)
{
	static char in[65536], out[ROOM];
	struct virtq_chain c = { .n_in = 2, .n_out = 2 };

	/* In two pieces, as a guest may do it. */
	memcpy(in, request, len);
	c.seg[0] = (struct iovec){ in, len / 2 };
	c.seg[1] = (struct iovec){ in + len / 2, len - len / 2 };
	c.seg[2] = (struct iovec){ out, room / 2 };
	c.seg[3] = (struct iovec){ out + room / 2, room - room / 2 };
	c.in = c.seg;
	c.out = c.seg + 2;
	(void)!fuse_serve(f, &c);
}

static void say_hello(struct fuse *f)
{
	struct {
		struct fuse_in_header h;
		struct fuse_init_in in;
	} hello = {
		.h = { .len = sizeof(hello), .opcode = FUSE_INIT },
		.in = { .major = 7, .minor = 38, .flags = UINT32_MAX },
	};

	serve(f, &hello, sizeof(hello), ROOM);
}

/* A header's length and user are made right half of the time, or nothing but
 * errors would be tried. */
static size_t fix(char *request, size_t len, uint8_t how)
{
	struct fuse_in_header h;

	if (len < sizeof(h) || how & 1)
		return len;
	memcpy(&h, request, sizeof(h));
	h.len = (uint32_t)len;
	h.uid = geteuid();
	h.gid = getegid();
	h.opcode %= 64;
	h.nodeid %= 8;
	memcpy(request, &h, sizeof(h));
	return len;
}

static void play(struct fuse *f, const uint8_t *data, size_t size)
{
	static char request[65536];

	for (int i = 0; i < REQUESTS && size >= 3; i++) {
		size_t len = (size_t)data[0] | (size_t)(data[1] & 3) << 8;
		uint8_t how = data[2];

		data += 3;
		size -= 3;
		len = MIN_OF(len, size);
		memcpy(request, data, len);
		serve(f, request, fix(request, len, how),
		      how & 2 ? (size_t)how : ROOM);
		data += len;
		size -= len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct rlimit limit = { FILE_SIZE, FILE_SIZE };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct fuse *f = NULL;
	struct place p;

	if (setrlimit(RLIMIT_FSIZE, &limit) < 0 ||
	    sigaction(SIGXFSZ, &ignore, NULL) < 0)
		return 0;

	if (size < 1 || begin(&p) < 0)
		return 0;
	if (fuse_new(p.fd, data[0] & 1, &f, NULL) == 0) {
		say_hello(f);
		play(f, data + 1, size - 1);
		fuse_free(f);
	}
	end(&p);
	return 0;
}
