# SPDX-License-Identifier: Apache-2.0
#
# awk -v strict=FILE -f tap.awk FILE...: TAP as records, one for each test:
#
#	pass|fail|skip TAB file TAB test TAB reason
#
# The file's name is what follows "/check/" in its path, less ".tap". A plan
# that was not kept is a failure. With strict, a list of known skips, any other
# skip is one too.

function label(path)
{
	sub(/^.*\/check\//, "", path)
	sub(/\.tap$/, "", path)
	return path
}

function record(result, name, reason)
{
	print result "\t" file "\t" name "\t" reason
}

# What a known skip is called: the place left out.
function is_known(name,    key)
{
	key = file
	sub(/^[^\/]*\//, "", key)
	return (key ": " name) in known
}

function finish()
{
	if (planned == "")
		record("fail", "ended without a plan")
	else if (seen < planned)
		record("fail", "ended after " seen " of " planned " tests")
}

BEGIN {
	FS = "\n"
	while (strict && (getline line <strict) > 0)
		if (line !~ /^#/ && split(line, part, /\t+/) > 1)
			known[part[1]] = part[2]
}

FNR == 1 {
	if (file != "")
		finish()
	file = label(FILENAME)
	planned = ""
	seen = 0
}

/^1\.\.[0-9]+/ {
	planned = substr($0, 4) + 0
	if (planned == 0 && match($0, /# *[Ss][Kk][Ii][Pp][^ ]* */))
		skip("all", substr($0, RSTART + RLENGTH))
}

/^(not )?ok( |$)/ {
	seen++
	result = /^ok/ ? "pass" : "fail"
	name = $0
	sub(/^(not )?ok *[0-9]* *(- )?/, "", name)
	if (result == "pass" && match(name, / *# *[Ss][Kk][Ii][Pp] */))
		skip(substr(name, 1, RSTART - 1), substr(name, RSTART + RLENGTH))
	else
		record(result, name)
}

function skip(name, reason)
{
	if (reason == "")
		reason = "no reason given"
	if (strict && !is_known(name))
		record("fail", name, "skipped: " reason)
	else
		record("skip", name, reason)
}

END {
	if (file != "")
		finish()
}
