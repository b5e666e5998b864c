/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiled programs in a folder, by digest of what they were compiled from.
 * A program decides what a container may do: an entry is used only when nobody
 * but root and us can have written it, and when it is whole.
 *
 *	magic	8 bytes, with the format's version
 *	key	64 hexadecimal digits: the entry's own name
 *	n	number of instructions
 *	sum	of the instructions
 *	...	struct sock_filter[n]
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/sha256.h"
#include "base/str.h"
#include "namespaces/seccomp_priv.h"

#define MAGIC	  "moatbpf1"
#define MAX_INSNS 4096
#define KEEP	  128 /* entries of up to 32 KiB */

struct head {
	char magic[8];
	char key[NS_SECCOMP_KEY - 1];
	uint64_t n;
	uint64_t sum;
};

/* FNV-1a: against damage, not against malice. */
static uint64_t sum_of(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t sum = 0xcbf29ce484222325;

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ p[i]) * 0x100000001b3;
	return sum;
}

/* --- the key --------------------------------------------------------------*/

/* Everything goes in with its length, so that no two profiles look alike. */
static void add_number(struct sha256 *h, uint64_t v)
{
	sha256_add(h, &v, sizeof(v));
}

static void add_text(struct sha256 *h, const char *s)
{
	size_t n = s ? strlen(s) : 0;

	add_number(h, s ? n : UINT64_MAX);
	sha256_add(h, s, n);
}

static void add_list(struct sha256 *h, char *const *v)
{
	add_number(h, strv_len(v));
	STRV_FOREACH(s, v)
		add_text(h, *s);
}

static void add_option(struct sha256 *h, const struct opt_u32 *v)
{
	add_number(h, v->set ? v->v : UINT64_MAX);
}

static void add_rule(struct sha256 *h, const struct ns_seccomp_rule *r)
{
	add_list(h, r->names);
	add_text(h, r->action);
	add_option(h, &r->errno_ret);
	add_number(h, r->args.n);
	for (size_t i = 0; i < r->args.n; i++) {
		add_number(h, r->args.v[i].index);
		add_number(h, r->args.v[i].value);
		add_number(h, r->args.v[i].value_two);
		add_text(h, r->args.v[i].op);
	}
}

void ns_seccomp_key(const struct ns_seccomp *s, char ret[NS_SECCOMP_KEY])
{
	uint8_t digest[SHA256_SIZE];
	struct sha256 h;

	sha256_init(&h);
	add_text(&h, MAGIC);
	add_number(&h, ns_seccomp_library());
	add_text(&h, s->default_action);
	add_option(&h, &s->default_errno_ret);
	add_list(&h, s->architectures);
	add_number(&h, s->strict);
	add_number(&h, s->rules.n);
	for (size_t i = 0; i < s->rules.n; i++)
		add_rule(&h, &s->rules.v[i]);
	sha256_end(&h, digest);
	str_hex(digest, sizeof(digest), ret);
}

/* --- the folder -----------------------------------------------------------*/

static bool is_trusted(const struct stat *st)
{
	return (st->st_uid == 0 || st->st_uid == geteuid()) &&
	       !(st->st_mode & (S_IWGRP | S_IWOTH));
}

static bool folder_is_trusted(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && is_trusted(&st);
}

static int open_entry(int cachefd, const char *key, size_t *ret_size)
{
	autoclose int fd = -1;
	struct stat st;

	if (!folder_is_trusted(cachefd))
		return -EPERM;
	fd = openat(cachefd, key,
		    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || !is_trusted(&st))
		return -EPERM;
	if (st.st_size <= (off_t)sizeof(struct head) ||
	    st.st_size > (off_t)(sizeof(struct head) +
				 MAX_INSNS * sizeof(struct sock_filter)))
		return -EINVAL;
	*ret_size = (size_t)st.st_size - sizeof(struct head);
	return steal_fd(&fd);
}

static bool is_whole(const struct head *head, const char *key,
		     const struct sock_filter *v, size_t size)
{
	return memcmp(head->magic, MAGIC, sizeof(head->magic)) == 0 &&
	       memcmp(head->key, key, sizeof(head->key)) == 0 &&
	       head->n * sizeof(*v) == size && head->sum == sum_of(v, size);
}

int ns_seccomp_cache_read(int cachefd, const char *key, struct ns_bpf *ret)
{
	autofree struct sock_filter *v = NULL;
	size_t size = 0;
	autoclose int fd = open_entry(cachefd, key, &size);
	struct head head;

	if (fd < 0) {
		if (fd != -ENOENT)
			log_debug("seccomp cache: '%s' is not used: %s", key,
				  strerrordesc_np(-fd));
		return -ENOENT;
	}
	v = malloc(size);
	if (!v || fd_read_exact(fd, &head, sizeof(head)) < 0 ||
	    fd_read_exact(fd, v, size) < 0 || !is_whole(&head, key, v, size)) {
		log_debug("seccomp cache: '%s' is damaged", key);
		return -ENOENT;
	}
	ret->n = size / sizeof(*v);
	ret->v = steal_ptr(v);
	return 0;
}

static void prune(int cachefd)
{
	/* Keys are hexadecimal: everything in the folder. */
	const struct path_prune p = { .prefix = "", .keep = KEEP };
	struct err e = { 0 };

	if (path_prune(cachefd, &p, &e) < 0)
		log_debug("seccomp cache: %s", err_text(&e));
}

void ns_seccomp_cache_write(int cachefd, const char *key,
			    const struct ns_bpf *bpf)
{
	size_t size = bpf->n * sizeof(*bpf->v);
	autofree char *text = malloc(sizeof(struct head) + size);
	struct head head = { .n = bpf->n, .sum = sum_of(bpf->v, size) };
	struct err e = { 0 };

	if (!text || !folder_is_trusted(cachefd))
		return;
	(void)memcpy(head.magic, MAGIC, sizeof(head.magic));
	(void)memcpy(head.key, key, sizeof(head.key));
	(void)memcpy(text, &head, sizeof(head));
	(void)memcpy(text + sizeof(head), bpf->v, size);
	if (fd_replace_at(cachefd, key, text, sizeof(head) + size, 0600, false,
			  &e) < 0)
		log_debug("seccomp cache: %s", err_text(&e));
	else
		prune(cachefd);
}
