# SPDX-License-Identifier: Apache-2.0
# awk -f analyze.awk FUNCTIONS KNOWN SAID: from what the tools said, takes
# what is known, and shows the rest. A known line that nothing matches any more
# must go, for it would hide the next fault in its place.

FNR == 1 { input++ }

# "lines file:start name", from fn-length -a
input == 1 {
	split($2, at, ":")
	n = ++n_fns[at[1]]
	first[at[1], n] = at[2]
	last[at[1], n] = at[2] + $1 - 1
	name[at[1], n] = $3
	next
}

# "file function check reason"
input == 2 {
	if (/^#/ || /^[ \t]*$/)
		next
	known[$1 " " $2 " " $3] = FNR
	if ($4 == "") {
		printf "build-aux/analyze.known:%d: no reason given\n", FNR
		bad = 1
	}
	next
}

function function_at(file, line,    i)
{
	for (i = 1; i <= n_fns[file]; i++)
		if (line >= first[file, i] && line <= last[file, i])
			return name[file, i]
	return "-"
}

# The statement a report is about.
function statement(file, line,    text, i, s)
{
	for (i = 1; (getline s < file) > 0; i++) {
		if (i >= line)
			text = text s
		if (i >= line && s ~ /;/)
			break
	}
	close(file)
	return text
}

# What cppcheck is always wrong about: "return fd < 0 ? r : fd" leaks no fd, and
# accept4 need not be told where to put the address.
function is_wrong(file, line, check)
{
	if (check == "nullPointer")
		return statement(file, line) ~ /accept4\([^,]*, NULL, NULL/
	if (check != "resourceLeak" && check != "memleak")
		return 0
	return statement(file, line) ~ \
		("^[ \t]*return .*[?].*[^A-Za-z0-9_]" $(NF - 1) "[^A-Za-z0-9_]")
}

{
	split($1, at, ":")
	check = $NF
	gsub(/[][]/, "", check)
	if (is_wrong(at[1], at[2], check))
		next
	key = at[1] " " function_at(at[1], at[2]) " " check
	if (key in known) {
		seen[key] = 1
		n_known++
		next
	}
	print
	print "\tas known: " key
	bad = 1
	n_new++
}

END {
	for (key in known)
		if (!(key in seen) && !partial) {
			printf "build-aux/analyze.known:%d: %s: %s\n", known[key],
				key, "no longer said; take it out"
			bad = 1
		}
	printf "analyze: %d new, %d known\n", n_new, n_known
	exit bad
}
