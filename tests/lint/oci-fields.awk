# SPDX-License-Identifier: Apache-2.0
#
# Prints the members of config.json, one a line, from the tables of
# src/oci/spec*.c: process.user.uid, mounts[].options, linux.timeOffsets.*.secs.

# What stands between a table's braces, or a macro that writes a member.
/^static const struct json_field [a-z0-9_]+_fields\[\] = \{/ {
	fields = $5
	sub(/\[.*/, "", fields)
	text = ""
	next
}
fields != "" && /^\};/ {
	add_members(fields, text)
	fields = ""
}
fields != "" { text = text " " $0; next }

/^(static )?const struct json_table [a-z0-9_]+ =/ {
	match($0, /json_table [a-z0-9_]+/)
	table = substr($0, RSTART + 11, RLENGTH - 11)
}
table != "" && match($0, /, [a-z0-9_]+_fields\)/) {
	fields_of[table] = substr($0, RSTART + 2, RLENGTH - 3)
	table = ""
}

# "#define THROTTLE(member, name)" and on the next lines JSON_VEC(... table)
/^#define [A-Z]+\(member, name\)/ {
	macro = $2
	sub(/\(.*/, "", macro)
}
macro != "" && match($0, /[a-z_]+_table/) {
	table_of_macro[macro] = substr($0, RSTART, RLENGTH)
	macro = ""
}

function add_members(fields, text,    n, i, part, kind, name, sub_table)
{
	n = split(text, part, /\)[ \t]*,[ \t]*/)
	for (i = 1; i <= n; i++) {
		if (!match(part[i], /"[^"]*"/))
			continue
		name = substr(part[i], RSTART + 1, RLENGTH - 2)
		kind = part[i]
		sub(/\(.*/, "", kind)
		gsub(/[^A-Z0-9_]/, "", kind)
		sub_table = ""
		if (match(part[i], /[a-z_]+_table/))
			sub_table = substr(part[i], RSTART, RLENGTH)
		members[fields] = members[fields] kind " " name " " sub_table "\n"
	}
}

function show(table, prefix,    n, i, line, word, path, inner)
{
	n = split(members[fields_of[table]], line, "\n")
	for (i = 1; i < n; i++) {
		split(line[i], word, " ")
		path = prefix word[2]
		inner = word[3] != "" ? word[3] : table_of_macro[word[1]]
		if (inner == "") {
			print path
			continue
		}
		if (word[1] == "JSON_VEC" || word[1] in table_of_macro)
			path = path "[]"
		if (word[1] == "JSON_DICT")
			path = path ".*"
		show(inner, path ".")
	}
}

END { show("spec_table", "") }
