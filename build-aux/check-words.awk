# SPDX-License-Identifier: Apache-2.0
# awk -f strip.awk -f check-words.awk FILE...

# Calls we do without, and what to take instead.
function ban(names, instead,    n, part, i)
{
	n = split(names, part, " ")
	for (i = 1; i <= n; i++)
		banned[part[i]] = instead
}

# Calls that make a descriptor, and the word that must be among the arguments.
function need(names, flag,    n, part, i)
{
	n = split(names, part, " ")
	for (i = 1; i <= n; i++)
		needed[part[i]] = flag
}

BEGIN {
	ban("strcpy strcat stpcpy sprintf vsprintf", "snprintf or base/str.h")
	ban("gets strtok", "base/str.h")
	ban("atoi atol atoll atof", "the parsers of base/str.h")
	ban("system popen", "base/proc.h")
	ban("sleep usleep nanosleep", "wait for the thing itself: base/loop.h")
	ban("signal", "sigaction or signalfd")
	ban("perror", "err_errno()")
	ban("alloca", "the stack is small; malloc")
	ban("rand srand", "getrandom")
	ban("mktemp tmpnam tempnam mkstemp", "mkostemp with O_CLOEXEC")
	ban("exit", "return; only the main files of src/cli end a program")
	ban("dup", "fd_copy() or F_DUPFD_CLOEXEC")
	ban("accept", "accept4 with SOCK_CLOEXEC")
	ban("pipe", "pipe2 with O_CLOEXEC")
	ban("creat", "open with O_CLOEXEC")
	ban("epoll_create", "epoll_create1")
	ban("inotify_init", "inotify_init1")

	need("open openat mkostemp mkostemps posix_openpt pipe2", "O_CLOEXEC")
	need("open_by_handle_at", "O_CLOEXEC")
	need("socket socketpair accept4", "SOCK_CLOEXEC")
	need("epoll_create1", "EPOLL_CLOEXEC")
	need("eventfd", "EFD_CLOEXEC")
	need("signalfd", "SFD_CLOEXEC")
	need("timerfd_create", "TFD_CLOEXEC")
	need("inotify_init1", "IN_CLOEXEC")
	need("memfd_create", "MFD_CLOEXEC")
	need("open_tree", "OPEN_TREE_CLOEXEC")
	need("fsopen", "FSOPEN_CLOEXEC")
	need("fspick", "FSPICK_CLOEXEC")
	need("fsmount", "FSMOUNT_CLOEXEC")
	need("recvmsg", "MSG_CMSG_CLOEXEC")
	need("fopen fdopen freopen fmemopen setmntent", "e in its mode")
	delete needed["fdopen"]
	delete needed["fmemopen"]
}

function complain(i, word, what)
{
	if (allowed(i, word))
		return
	printf "%s:%d: %s: %s\n", file, i, word, what
	bad = 1
}

# The comments of line i and of the lines of comment that end right above it.
function notes_at(i,    text, k)
{
	text = notes[i]
	for (k = i - 1; k > 0 && lines[k] ~ /^[ \t]*$/ && notes[k] != ""; k--)
		text = notes[k] " " text
	return text
}

function allowed(i, word)
{
	return notes_at(i) ~ ("allow " word ": *[^ *]")
}

# A call from its name on, until its parentheses are closed again.
function call_at(i, rest, from,    text, depth, k, c, s)
{
	for (k = i; k <= n_lines && k < i + 20; k++) {
		s = k == i ? rest : from[k]
		while (match(s, /[()]/)) {
			c = substr(s, RSTART, 1)
			text = text substr(s, 1, RSTART)
			s = substr(s, RSTART + 1)
			depth += c == "(" ? 1 : -1
			if (depth == 0) {
				call_end = k
				return text
			}
		}
		text = text s " "
	}
	call_end = k
	return text
}

function check_call(i, name, rest,    text, k)
{
	if (name in banned) {
		if (name == "exit" && file ~ /^(src\/cli\/main[^\/]*\.c|tests\/)/)
			return
		complain(i, name, banned[name])
		return
	}
	# A comment that speaks of inheriting is the reason we ask for.
	if (name == "dup2" || name == "dup3") {
		text = call_at(i, rest, lines)
		if (notes_at(i) == "" && text !~ /O_CLOEXEC/)
			complain(i, name, "a comment must say who inherits it")
		return
	}
	if (!(name in needed))
		return
	text = call_at(i, rest, lines)
	if (needed[name] ~ / /) {
		# What stands in quotes is only in the raw lines.
		for (k = i; k <= call_end; k++)
			text = text " " raw[k]
		if (text ~ /"[rwabx+]*e[rwabx+]*"/)
			return
	} else if (index(text, needed[name])) {
		return
	}
	if (notes_at(i) !~ /close-on-exec|inherit/)
		complain(i, name, "without " needed[name])
}

function check_calls(i,    s, name, before)
{
	s = lines[i]
	if (s ~ /^#/)
		return
	while (match(s, /[A-Za-z_][A-Za-z0-9_]*\(/)) {
		name = substr(s, RSTART, RLENGTH - 1)
		before = RSTART > 1 ? substr(s, RSTART - 1, 1) : ""
		s = substr(s, RSTART + RLENGTH - 1)
		if (before != "." && before != ">")
			check_call(i, name, s)
	}
}

function check_line(i,    s, label)
{
	s = lines[i]
	if (s ~ /F_DUPFD[^_]/)
		complain(i, "F_DUPFD", "F_DUPFD_CLOEXEC")
	if (s ~ /\.flags = [^;]*O_(PATH|RDONLY|WRONLY|RDWR)/ &&
	    call_at(i, "(" s " " lines[i + 1] ")", lines) !~ /O_CLOEXEC/)
		complain(i, "open_how", "without O_CLOEXEC")
	if (match(s, /(^|[^A-Za-z0-9_])goto +[A-Za-z0-9_]+/)) {
		label = substr(s, RSTART, RLENGTH)
		sub(/.*goto +/, "", label)
		if (label != "undo")
			complain(i, "goto", "only to undo effects outside the process")
	}
	if (s ~ /^[ \t]*typedef +(struct|union|enum)/)
		complain(i, "typedef", "structs and enums are called by their names")
	if (s ~ /^{/)
		body = 1
	else if (s ~ /^}/)
		body = 0
	else if (body && s ~ /^[ \t]*#[ \t]*(if|ifdef|ifndef|elif)/ &&
		 file !~ /^tests\//)
		complain(i, "#if", "within a function; make it a file with a twin")
	if (notes[i] ~ /(^|[^A-Za-z0-9_])(XXX|FIXME)([^A-Za-z0-9_]|$)/)
		complain(i, "XXX", "write /* TODO(#issue): ... */")
	if (notes[i] ~ /(^|[^A-Za-z0-9_])TODO([^A-Za-z0-9_]|$)/ &&
	    notes[i] !~ /TODO\(#[0-9]+\): ./)
		complain(i, "TODO", "write /* TODO(#issue): ... */")
}

function check_file(    i)
{
	body = 0
	for (i = 1; i <= n_lines; i++) {
		if (double[i])
			complain(i, "//", "comments are /* */")
		check_line(i)
		check_calls(i)
	}
}

FNR == 1 {
	if (file != "")
		check_file()
	file = FILENAME
	strip_reset()
}

{
	raw[FNR] = $0
	lines[FNR] = strip($0)
	notes[FNR] = note
	double[FNR] = slashes
	n_lines = FNR
}

END {
	if (file != "")
		check_file()
	exit bad
}
