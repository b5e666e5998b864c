# SPDX-License-Identifier: Apache-2.0
# awk -f strip.awk -f check-layers.awk layers FILE...

function complain(what)
{
	printf "%s:%d: %s\n", FILENAME, FNR, what
	bad = 1
}

function trim(s)
{
	gsub(/^[ \t]+|[ \t]+$/, "", s)
	return s
}

# The folder of layers a path belongs to, or "".
function folder_of(path)
{
	while (sub(/\/[^\/]*$/, "", path))
		if (path in allowed)
			return path
	return ""
}

function stem(path)
{
	sub(/\.[ch]$/, "", path)
	return path
}

# Does a path match one of the files of a line, "*" within its last part?
function listed(path, list,    n, part, i, re)
{
	n = split(list, part, " ")
	for (i = 1; i <= n; i++) {
		re = part[i]
		gsub(/\./, "[.]", re)
		gsub(/\*/, "[^/]*", re)
		if (path ~ ("^" re "$") || index(path, part[i] "/") == 1)
			return 1
	}
	return 0
}

# --- the contract -----------------------------------------------------------
FNR == NR {
	sub(/#.*/, "")
	at = index($0, ":")
	if (!at)
		next
	key = trim(substr($0, 1, at - 1))
	value = trim(substr($0, at + 1))
	sign = substr(key, 1, 1)
	if (sign == "<")
		fence[substr(key, 2)] = value
	else if (sign == "=")
		public[substr(key, 2)] = " " value " "
	else if (sign !~ /[%!]/)
		allowed[key] = " " value " "
	next
}

# --- the files --------------------------------------------------------------
FNR == 1 {
	strip_reset()
	here = folder_of(FILENAME)
	if (here == "")
		complain("no line in build-aux/layers for this folder")
	group = 0
	n_seen = 0
	depth = 0
	last = ""
	own = ""
	if (FILENAME ~ /\.c$/) {
		compiled[stem(FILENAME)] = 1
		own = stem(FILENAME) ".h"
		if ((getline line < own) < 0)
			own = ""
		close(own)
	}
}

{
	if (index($0, "/*") || in_note || in_text || index($0, "#"))
		code = strip($0)
	else
		next
}

code ~ /^[ \t]*#[ \t]*if/ { depth++ }
code ~ /^[ \t]*#[ \t]*endif/ { depth-- }
code !~ /^[ \t]*#[ \t]*include/ { next }

{
	n_seen++
	match($0, /[<"][^>"]*[>"]/)
	name = substr($0, RSTART + 1, RLENGTH - 2)
	angle = substr($0, RSTART, 1) == "<"
	if (angle)
		check_foreign(name)
	else
		check_project(name)
	if (n_seen == 1)
		check_first(name, angle)
	if (depth == 0 && note == "")
		check_order(name, angle)
}

function check_foreign(name,    head)
{
	if (here == "tests")
		return
	for (head in fence)
		if (index(name, head) == 1 && !listed(FILENAME, fence[head]))
			complain("<" name "> belongs to " fence[head])
}

function check_project(name,    there, rest, line)
{
	if ((getline line < name) < 0) {
		complain("'" name "': no such file; write it from the root")
		return
	}
	close(name)
	there = folder_of(name)
	if (there == "") {
		complain("'" name "' is in no layer")
		return
	}
	edge(stem(FILENAME), stem(name))
	if (there == here || here == "")
		return
	if (index(allowed[here], " " there " ") == 0 &&
	    index(allowed[here], " * ") == 0) {
		complain(here " must not know " there " ('" name "')")
		return
	}
	rest = substr(name, length(there) + 2)
	if (here != "tests" && there in public &&
	    index(public[there], " " rest " ") == 0)
		complain("'" name "' is private to " there)
}

# x.c begins with x.h; x_part.c, which has no header of its own, may begin with
# one of its folder, a test with what it tests.
function check_first(name, angle)
{
	if (own != "" && name != own)
		complain("'" own "' must be the first include")
	else if (own == "" && FILENAME ~ /\.c$/ &&
		 (folder_of(name) == here || (here == "tests" && !angle)))
		own = name
}

# Own header, then <system>, then "project"; each group sorted.
function check_order(name, angle,    now)
{
	now = angle ? 2 : (name == own ? 1 : 3)
	if (now < group)
		complain("'" name "' comes too late: own, <system>, project")
	else if (now == group && name < last)
		complain("'" name "' must stand before '" last "'")
	else if (now == group && name == last)
		complain("'" name "' twice")
	group = now
	last = name
}

# --- cycles of modules: a module is x.c and x.h ------------------------------
# A header alone is no module: who includes it knows what it includes.
function edge(from, to)
{
	if (from == to || (from, to) in edges)
		return
	edges[from, to] = 1
	out[from]++
	into[to] = into[to] from "\n"
	leads[from] = leads[from] to "\n"
	node[from] = 1
	node[to] = 1
}

function pass_through(m,    n, k, from, to, i, j)
{
	node[m] = 0
	n = split(into[m], from, "\n")
	k = split(leads[m], to, "\n")
	for (i = 1; i < n; i++)
		for (j = 1; j < k; j++)
			if (node[from[i]] && node[to[j]])
				edge(from[i], to[j])
	for (i = 1; i < n; i++)
		out[from[i]]--
}

# What leads nowhere is in no cycle; takes such modules away until none is.
function prune(    again, m, n, part, i)
{
	do {
		again = 0
		for (m in node) {
			if (!node[m] || out[m] > 0)
				continue
			node[m] = 0
			again = 1
			n = split(into[m], part, "\n")
			for (i = 1; i < n; i++)
				out[part[i]]--
		}
	} while (again)
}

# Every module that is left leads to one that is left: walk until one is met
# twice.
function show_cycle(m,    text, n, part, i, met)
{
	while (!(m in met)) {
		met[m] = 1
		n = split(leads[m], part, "\n")
		for (i = 1; i < n; i++)
			if (node[part[i]])
				break
		m = part[i]
	}
	text = m
	delete met
	do {
		met[m] = 1
		n = split(leads[m], part, "\n")
		for (i = 1; i < n; i++)
			if (node[part[i]])
				break
		m = part[i]
		text = text " -> " m
	} while (!(m in met))
	print "modules include each other: " text
}

END {
	for (m in node)
		if (!(m in compiled))
			pass_through(m)
	prune()
	for (m in node)
		if (node[m]) {
			show_cycle(m)
			bad = 1
			break
		}
	exit bad
}
