# SPDX-License-Identifier: Apache-2.0
# strip(line): a line of C without comments and without what stands in quotes.
# Sets note to the line's comment text, slashes when it has a // comment.
# Call it for every line of a file in order, strip_reset() before the first.

function strip_reset()
{
	in_note = 0
	in_text = 0
}

# Cuts the rest of a quoted text off s, which starts inside the quotes.
function skip_quoted(s, quote,    end)
{
	if (quote == "\"")
		end = match(s, /^([^"\\]|\\.)*"/)
	else
		end = match(s, /^([^'\\]|\\.)*'/)
	if (end)
		return substr(s, RLENGTH + 1)
	in_text = quote == "\"" && s ~ /\\$/
	return ""
}

function strip(s,    out, at, c)
{
	note = ""
	slashes = 0
	out = ""
	if (in_text) {
		in_text = 0
		s = skip_quoted(s, "\"")
	}
	for (;;) {
		if (in_note) {
			at = index(s, "*/")
			if (!at) {
				note = note s
				return out
			}
			note = note substr(s, 1, at + 1)
			s = substr(s, at + 2)
			in_note = 0
		}
		if (!match(s, /["']|\/[*\/]/))
			return out s
		c = substr(s, RSTART, RLENGTH)
		out = out substr(s, 1, RSTART - 1)
		s = substr(s, RSTART + RLENGTH)
		if (c == "/*") {
			in_note = 1
			note = note c
			out = out " "
		} else if (c == "//") {
			slashes = 1
			note = note s
			return out
		} else {
			out = out c c
			s = skip_quoted(s, c)
		}
	}
}
