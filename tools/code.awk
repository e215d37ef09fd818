# SPDX-License-Identifier: MIT
# Prints C files as FILE:LINE:CODE without comments and without the inside of literals, so that
# other scripts look at code only. Lines stay lines.
FNR == 1 { in_comment = 0 }
{
    line = $0
    code = ""
    while (line != "") {
        if (in_comment) {
            end = index(line, "*/")
            if (end == 0) break
            line = substr(line, end + 2)
            in_comment = 0
        } else if (match(line, /\/\*|\/\/|"|'/)) {
            code = code substr(line, 1, RSTART - 1)
            mark = substr(line, RSTART, RLENGTH)
            line = substr(line, RSTART + RLENGTH)
            if (mark == "//") break
            if (mark == "/*") {
                in_comment = 1
                continue
            }
            code = code mark mark
            if (match(line, mark == "\"" ? "^([^\"\\\\]|\\\\.)*\"" : "^([^'\\\\]|\\\\.)*'"))
                line = substr(line, RLENGTH + 1)
        } else {
            code = code line
            break
        }
    }
    print FILENAME ":" FNR ":" code
}
