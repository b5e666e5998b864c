/* SPDX-License-Identifier: Apache-2.0 */
#include "microvm/modules.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "microvm/backend.h"

#define TEXT_MAX    (8U << 20)
#define MODULES_MAX 65536
#define NAME_MAX_   64
/* Deeper than any real one (5 or so); recursion follows it. */
#define DEPTH_MAX 64

/* What each need stands for. A module that is optional makes things better. */
static const struct {
	unsigned int need;
	const char *name;
	bool optional;
} wanted[] = {
	/* clang-format off */
	{ VM_NEED_MMIO,    "virtio_mmio",                false },
	{ VM_NEED_PCI,     "virtio_pci",                 false },
	{ VM_NEED_CONSOLE, "virtio_console",             false },
	{ VM_NEED_VSOCK,   "vmw_vsock_virtio_transport", false },
	{ VM_NEED_FS,      "virtiofs",                   false },
	{ VM_NEED_OVERLAY, "overlay",                    false },
	{ VM_NEED_BLK,     "virtio_blk",                 false },
	{ VM_NEED_EROFS,   "crc32c_intel",               true  },
	{ VM_NEED_EROFS,   "erofs",                      false },
	{ VM_NEED_NET,     "virtio_net",                 false },
	{ VM_NEED_RNG,     "virtio_rng",                 true  },
	{ VM_NEED_BALLOON, "virtio_balloon",             true  },
	/* clang-format on */
};

enum module_mark {
	MARK_NEW,
	MARK_OPEN, /* its dependencies are being followed */
	MARK_DONE,
};

struct module {
	char name[NAME_MAX_];
	const char *path; /* into the text */
	size_t path_len;
	const char *deps; /* the rest of its line */
	size_t deps_len;
	bool builtin;
};

struct vm_modules {
	bool all_builtin;
	char *dep, *builtin; /* what the modules point into */
	struct module *v;    /* sorted by name, then built-in ones first */
	size_t n;
};

/* false: no name that could be a module's. */
static bool name_of(const char *path, size_t len, char ret[NAME_MAX_])
{
	const char *slash = memrchr(path, '/', len);
	const char *base = slash ? slash + 1 : path;
	size_t rest = len - (size_t)(base - path);
	const char *ko = memmem(base, rest, ".ko", 3);
	size_t n = ko ? (size_t)(ko - base) : rest;

	if (n == 0 || n >= NAME_MAX_)
		return false;
	for (size_t i = 0; i < n; i++)
		ret[i] = (char)(base[i] == '-' ? '_' : base[i]);
	ret[n] = '\0';
	return true;
}

/* It becomes a file's path: below the folder, whatever the text says. */
static bool path_is_sane(const char *path, size_t len)
{
	return len > 0 && path[0] != '/' && !memmem(path, len, "..", 2) &&
	       !memchr(path, '\\', len);
}

static int add(struct vm_modules *m, const struct module *new, struct err *e)
{
	struct module *v;

	if (m->n == MODULES_MAX)
		return err_set(e, -E2BIG, "more than %d modules", MODULES_MAX);
	/* Powers of two, so that it is asked for seldom. */
	if ((m->n & (m->n - 1)) == 0) {
		v = reallocarray(m->v, m->n ? m->n * 2 : 1, sizeof(*v));
		if (!v)
			return err_nomem(e);
		m->v = v;
	}
	m->v[m->n++] = *new;
	return 0;
}

static int add_line(struct vm_modules *m, const char *line, size_t len,
		    bool builtin, struct err *e)
{
	const char *colon = memchr(line, ':', len);
	size_t path_len = colon ? (size_t)(colon - line) : len;
	struct module new = {
		.path = line,
		.path_len = path_len,
		.deps = colon ? colon + 1 : line + len,
		.deps_len = colon ? len - path_len - 1 : 0,
		.builtin = builtin,
	};

	if (len == 0 || line[0] == '#')
		return 0;
	if ((!colon && !builtin) || !path_is_sane(line, path_len) ||
	    !name_of(line, path_len, new.name))
		return err_set(e, -EBADMSG, "strange line '%.*s'",
			       (int)MIN_OF(len, (size_t)60), line);
	return add(m, &new, e);
}

static int add_lines(struct vm_modules *m, const char *text, bool builtin,
		     struct err *e)
{
	int r = 0;

	while (r == 0 && *text) {
		const char *end = strchrnul(text, '\n');

		r = add_line(m, text, (size_t)(end - text), builtin, e);
		text = *end ? end + 1 : end;
	}
	return r;
}

static int compare(const void *a, const void *b)
{
	const struct module *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : y->builtin - x->builtin;
}

static int parse(struct vm_modules *m, struct err *e)
{
	int r;

	r = add_lines(m, m->dep, false, e);
	if (r < 0)
		return err_wrap(e, r, "modules.dep");
	r = add_lines(m, m->builtin, true, e);
	if (r < 0)
		return err_wrap(e, r, "modules.builtin");
	if (m->n)
		qsort(m->v, m->n, sizeof(*m->v), compare);
	return 0;
}

#define automodules _cleanup_(auto_vm_modules_free)

int vm_modules_parse(const char *dep, const char *builtin,
		     struct vm_modules **ret, struct err *e)
{
	automodules struct vm_modules *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return err_nomem(e);
	m->dep = strdup(dep);
	m->builtin = strdup(builtin);
	if (!m->dep || !m->builtin)
		return err_nomem(e);
	r = parse(m, e);
	if (r == 0)
		*ret = steal_ptr(m);
	return r;
}

static int read_text(const char *folder, const char *name, char **ret,
		     struct err *e)
{
	autofree char *path = path_join(folder, name);

	if (!path)
		return err_nomem(e);
	return fd_read_file_at(AT_FDCWD, path, TEXT_MAX, ret, NULL, e);
}

int vm_modules_read(const char *folder, struct vm_modules **ret, struct err *e)
{
	automodules struct vm_modules *m = calloc(1, sizeof(*m));
	int r = 0;

	if (!m)
		return err_nomem(e);
	m->all_builtin = !folder;
	if (folder)
		r = read_text(folder, "modules.dep", &m->dep, e);
	if (folder && r == 0)
		r = read_text(folder, "modules.builtin", &m->builtin, e);
	if (folder && r == 0)
		r = parse(m, e);
	if (r < 0)
		return err_wrap(e, r, "modules in '%s'", folder);
	*ret = steal_ptr(m);
	return 0;
}

void vm_modules_free(struct vm_modules *m)
{
	if (!m)
		return;
	free(m->dep);
	free(m->builtin);
	free(m->v);
	free(m);
}

static const struct module *find(const struct vm_modules *m, const char *name)
{
	size_t low = 0, high = m->n;

	/* The first of its name: a built-in one needs no file. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(m->v[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == m->n || strcmp(m->v[low].name, name) != 0)
		return NULL;
	return &m->v[low];
}

bool vm_modules_has(const struct vm_modules *m, const char *name)
{
	return m->all_builtin || find(m, name);
}

bool vm_modules_can(const struct vm_modules *m, unsigned int needs)
{
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		if ((needs & wanted[i].need) && !wanted[i].optional &&
		    !vm_modules_has(m, wanted[i].name))
			return false;
	return true;
}

struct resolver {
	const struct vm_modules *m;
	uint8_t *mark;
	char **list;
	int depth;
};

static int resolve(struct resolver *r, const struct module *mod, struct err *e);

static int resolve_path(struct resolver *r, const struct module *mod,
			const char *path, size_t len, struct err *e)
{
	const struct module *dep = NULL;
	char name[NAME_MAX_];

	if (name_of(path, len, name))
		dep = find(r->m, name);
	if (!dep)
		return err_set(e, -ENOENT, "'%s' needs '%.*s'", mod->name,
			       (int)MIN_OF(len, (size_t)100), path);
	return resolve(r, dep, e);
}

/* The dependencies of one line, by their paths. */
static int resolve_deps(struct resolver *r, const struct module *mod,
			struct err *e)
{
	const char *p = mod->deps, *end = p + mod->deps_len;
	int err = 0;

	while (err == 0 && p < end) {
		const char *blank = memchr(p, ' ', (size_t)(end - p));
		const char *stop = blank ? blank : end;

		if (stop > p)
			err = resolve_path(r, mod, p, (size_t)(stop - p), e);
		p = blank ? blank + 1 : end;
	}
	return err;
}

static int resolve(struct resolver *r, const struct module *mod, struct err *e)
{
	uint8_t *mark = &r->mark[mod - r->m->v];
	int err;

	if (mod->builtin || *mark == MARK_DONE)
		return 0;
	if (*mark == MARK_OPEN || r->depth == DEPTH_MAX)
		return err_set(e, -ELOOP, "'%s' depends on itself", mod->name);

	*mark = MARK_OPEN;
	r->depth++;
	err = resolve_deps(r, mod, e);
	r->depth--;
	if (err < 0)
		return err;
	*mark = MARK_DONE;
	if (strv_addf(&r->list, "%.*s", (int)mod->path_len, mod->path) < 0)
		return err_nomem(e);
	return 0;
}

static int resolve_wanted(struct resolver *r, unsigned int needs, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		const struct module *mod = find(r->m, wanted[i].name);
		int err;

		if (!(needs & wanted[i].need))
			continue;
		if (!mod && wanted[i].optional)
			continue;
		if (!mod)
			return err_set(e, -ENOENT,
				       "the kernel has no module '%s'",
				       wanted[i].name);
		err = resolve(r, mod, e);
		if (err < 0)
			return err;
	}
	return 0;
}

int vm_modules_resolve(const struct vm_modules *m, unsigned int needs,
		       char ***ret, struct err *e)
{
	autofree uint8_t *marks = calloc(m->n + 1, 1);
	struct resolver r = { .m = m, .mark = marks };
	int err = 0;

	/* A list that is empty is one as well. */
	r.list = calloc(1, sizeof(*r.list));
	if (!marks || !r.list)
		err = err_nomem(e);
	if (err == 0 && !m->all_builtin)
		err = resolve_wanted(&r, needs, e);
	if (err < 0) {
		strv_free(r.list);
		return err;
	}
	*ret = r.list;
	return 0;
}
