# SPDX-License-Identifier: Apache-2.0
# objdump -t OBJECT... | awk -v list="object source..." -f this layers -

function trim(s)
{
	gsub(/^[ \t]+|[ \t]+$/, "", s)
	return s
}

function folder_of(path)
{
	while (sub(/\/[^\/]*$/, "", path))
		if (path in prefixes)
			return path
	return ""
}

function begins_with_one_of(name, list,    n, part, i)
{
	n = split(list, part, " ")
	for (i = 1; i <= n; i++)
		if (index(name, part[i]) == 1)
			return 1
	return 0
}

# A variable the compiler made, or one of a sanitizer.
function made_up(name)
{
	return name ~ /^(__|\.|_\.|completed\.)/ || name ~ /^\*?\.?L?AS?AN/
}

BEGIN {
	n = split(list, part, /[ \n]/)
	for (i = 1; i < n; i += 2)
		source[part[i]] = part[i + 1]
}

FNR == NR {
	sub(/#.*/, "")
	at = index($0, ":")
	if (at && /^%/)
		prefixes[substr($0, 2, at - 2)] = trim(substr($0, at + 1))
	else if (at && /^!/)
		keepers = keepers " " trim(substr($0, at + 1))
	next
}

/file format/ {
	object = $1
	sub(/:$/, "", object)
	src = source[object]
	here = folder_of(src)
	asan = 0
	next
}

# address flags section size name; the flags are seven characters.
/^[0-9a-f]+ / && here != "" {
	global = substr($0, index($0, " ") + 1, 1) ~ /[gu]/
	weak = substr($0, index($0, " ") + 2, 1) == "w"
	split(substr($0, index($0, " ") + 9), field, /[ \t]+/)
	section = field[1]
	name = $NF
	if (name ~ /asan|ubsan/)
		asan = 1
	if (global && section != "*UND*" && name != "main" && !made_up(name) &&
	    !weak && !begins_with_one_of(name, prefixes[here])) {
		printf "%s: %s: external symbols here begin with %s\n", src,
			name, prefixes[here]
		bad = 1
	}
	if (section ~ /^\.t?(data|bss)(\..*)?$/ && section !~ /^\.data\.rel\.ro/ &&
	    $0 ~ / O / && !asan && !made_up(name) &&
	    !begins_with_one_of(src, keepers)) {
		printf "%s: %s: a writable variable; pass a struct instead\n",
			src, name
		bad = 1
	}
}

END { exit bad }
