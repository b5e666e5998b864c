# SPDX-License-Identifier: Apache-2.0
# awk -f check-files.awk FILE...

function complain(line, what)
{
	printf "%s:%d: %s\n", file, line, what
	bad = 1
}

# What can only be said at a file's end.
function finish(    max)
{
	if (wanted)
		complain(1, "no SPDX-License-Identifier: Apache-2.0 at the top")
	max = excuse || file ~ /^tests\// ? 800 : 500
	if (is_c && n > max)
		complain(n, n " lines (at most " max \
			(max > 500 ? "" : ", 800 with a \"long file: why\"") ")")
}

FNR == 1 {
	if (file != "")
		finish()
	file = FILENAME
	is_c = file ~ /\.[ch]$/
	is_header = file ~ /\.h$/
	wanted = is_c || /^#!/ || file ~ /\.(bash|bats|sh|awk)$/ ||
		file ~ /^man\/.*\.[1-9]$/
	excuse = 0
	begun = 0
}

{ n = FNR }

FNR <= 3 && /SPDX-License-Identifier: Apache-2\.0/ { wanted = 0 }

/[ \t]$/ && file !~ /\.(md|patch)$/ { complain(FNR, "blank at the line's end") }

FNR < 40 && /long file: *[^ ]/ { excuse = 1 }

is_header && FNR == 2 && $0 != "#pragma once" {
	complain(FNR, "a header has #pragma once on its second line")
}

is_header && FNR > 2 && !begun && !/^$/ {
	begun = 1
	if (!/^\/\*/)
		complain(FNR, "a header begins by saying what it is for")
}

END {
	if (file != "")
		finish()
	exit bad
}
