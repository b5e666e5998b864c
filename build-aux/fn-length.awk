# SPDX-License-Identifier: Apache-2.0
# awk -f strip.awk -f fn-length.awk FILE...
# Relies on the layout clang-format gives: a function's braces stand alone in
# the first column, and nothing else's do.

BEGIN {
	MAX_LINES = 60
	MAX_PARAMS = 6
	MAX_TABS = 3
}

function complain(line, what)
{
	if (all)
		return
	printf "%s:%d: %s\n", FILENAME, line, what
	bad = 1
}

function trim(s)
{
	gsub(/^[ \t]+|[ \t]+$/, "", s)
	return s
}

FNR == 1 {
	strip_reset()
	inside = 0
	head = ""
	excuse = deep = 0
}

{
	code = strip($0)
	if (note ~ /long: *[^ ]/)
		excuse = 1
	if (note ~ /deep: *[^ ]/)
		deep = 1
}

!inside && code == "{" {
	begin_body()
	next
}

inside && code ~ /^}/ {
	end_body()
	next
}

inside { body_line(code); next }

# Between functions: gather what may be the next one's head.
code ~ /^[ \t]*$/ {
	if (note == "" && $0 ~ /^[ \t]*$/) {
		head = ""
		excuse = deep = 0
	}
	next
}

code ~ /^#/ || code ~ /[;}][ \t]*$/ { head = ""; excuse = deep = 0; next }

{
	if (head == "")
		head_line = FNR
	head = head " " code
}

# Parameters: the last pair of parentheses of the head, cut at its commas.
function count_params(s,    i, c, depth, n, start)
{
	for (i = length(s); i > 0; i--) {
		c = substr(s, i, 1)
		if (c == ")" && depth++ == 0)
			n = 1
		else if (c == "(" && --depth == 0)
			break
		else if (c == "," && depth == 1)
			n++
	}
	# The error to fill and what printf takes are in every second head.
	if (s ~ /struct err \*[a-z]*[ \t]*\)[ \t]*$/ || s ~ /\.\.\.[ \t]*\)[ \t]*$/)
		n--
	return n
}

function name_of(s)
{
	if (!match(s, /[A-Za-z_][A-Za-z0-9_]*\(/))
		return "?"
	return substr(s, RSTART, RLENGTH - 1)
}

function begin_body()
{
	inside = 1
	start = head == "" ? FNR : head_line
	fn = name_of(head)
	n_params = count_params(head)
	if (n_params > MAX_PARAMS)
		complain(start, fn "() has " n_params " parameters (at most " \
			MAX_PARAMS "); make it a struct")
	parens = 0
	braces = 0
	open_end = 0
	statement = ""
	n_switch = 0
	head = ""
}

function end_body(    n)
{
	inside = 0
	n = FNR - start + 1
	if (n > MAX_LINES && !excuse)
		complain(start, fn "() has " n " lines (at most " MAX_LINES ")")
	excuse = deep = 0
	if (all)
		printf "%d %s:%d %s\n", n, FILENAME, start, fn
	if (FILENAME ~ /^tests\//)
		return
	n_fns++
	of_length[n]++
	if (n > longest) {
		longest = n
		longest_at = FILENAME ": " fn
	}
}

# --- nesting: the tabs before a statement, not before its continuation -------
function body_line(code,    text, tabs)
{
	text = trim(code)
	if (text == "" || text ~ /^#/)
		return
	match(code, /^\t*/)
	tabs = RLENGTH
	if (!open_end && text !~ /^}/)
		check_depth(text, tabs)
	statement = open_end ? statement " " text : text
	scan(code)
	open_end = parens > 0 || braces > 0 || !complete(text, statement)
}

function check_depth(text, tabs,    limit)
{
	while (n_switch && tabs <= switch_at[n_switch] &&
	       text !~ /^(case|default)[^A-Za-z0-9_]/)
		n_switch--
	limit = MAX_TABS + (n_switch > 0) + (FILENAME ~ /^tests\//)
	if (tabs > limit && !deep && text !~ /^[A-Za-z_]+:$/)
		complain(FNR, fn "(): nested " tabs " deep (at most " limit ")")
	if (text ~ /^switch /)
		switch_at[++n_switch] = tabs
}

# Keeps count of parentheses and of the braces of initialisers, whose insides
# are no statements.
function scan(code,    c, before, last)
{
	while (match(code, /[][(){}]/)) {
		last = c
		c = substr(code, RSTART, 1)
		before = substr(code, 1, RSTART - 1)
		code = substr(code, RSTART + 1)
		if (c == "(" || c == "[")
			parens++
		else if (c == ")" || c == "]")
			parens--
		else if (c == "}" && braces > 0)
			braces--
		else if (c == "{" && opens_values(before, last))
			braces++
	}
}

# Is it the brace of an initialiser, of a compound literal, or of a statement
# expression?
function opens_values(before, last)
{
	return braces > 0 || parens > 0 || before ~ /(=|,|return)[ \t]*$/ ||
		(before == "" && last == ")")
}

function complete(text, statement)
{
	if (text ~ /[;{}]$/)
		return 1
	if (text ~ /:$/)
		return statement ~ /^(case |default:|[A-Za-z_]+:)/
	if (statement ~ /^(} )?(if|else|for|while|switch|do)([^A-Za-z0-9_]|$)/)
		return text ~ /(\)|else|do)$/
	return statement ~ /^[A-Z_]+\(/ && text ~ /\)$/
}

# --- the numbers ---------------------------------------------------------------
function at_rank(rank,    n, seen)
{
	for (n = 1; n <= longest; n++) {
		seen += of_length[n]
		if (seen >= rank)
			return n
	}
	return 0
}

END {
	if (!all && n_fns)
		printf "functions: %d, lines: median %d, p95 %d, longest %d (%s)\n",
			n_fns, at_rank(n_fns * 0.5), at_rank(n_fns * 0.95),
			longest, longest_at
	exit bad
}
