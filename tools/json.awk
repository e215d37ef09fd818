# SPDX-License-Identifier: MIT
# Prints the values of a JSON text one a line, for scripts that look for some of them:
#     rows.3.what<tab>N = 1, streamed
# Keys and places with points between, a tab, the value; strings without quotes and escapes. Expects
# well-formed JSON; says nothing about what is not.
BEGIN {
    RS = ","
    depth = 0
    key[0] = ""
}

# Records end at commas. One inside of a string was none: then the next record belongs to it.
{
    piece = is_open ? piece "," $0 : $0
    quotes = piece
    gsub(/\\\\/, "", quotes)
    gsub(/\\"/, "", quotes)
    is_open = gsub(/"/, "", quotes) % 2
    if (is_open) next
    read_piece(piece)
    if (depth > 0 && is_list[depth]) key[depth]++
}

# Brackets and values between two commas.
function read_piece(text,    mark, length_of, string) {
    while (1) {
        sub(/^[ \t\r\n]+/, "", text)
        if (text == "") return
        mark = substr(text, 1, 1)
        if (mark == "{" || mark == "[") {
            depth++
            is_list[depth] = mark == "["
            key[depth] = is_list[depth] ? 0 : ""
            text = substr(text, 2)
        } else if (mark == "}" || mark == "]") {
            depth--
            text = substr(text, 2)
        } else if (mark == "\"") {
            match(text, /^"([^"\\]|\\.)*"/)
            length_of = RLENGTH
            string = plain(substr(text, 2, length_of - 2))
            text = substr(text, length_of + 1)
            if (match(text, /^[ \t\r\n]*:/)) {
                key[depth] = string
                text = substr(text, RLENGTH + 1)
            } else {
                show(string)
            }
        } else {
            match(text, /^[^]} \t\r\n]+/)
            show(substr(text, 1, RLENGTH))
            text = substr(text, RLENGTH + 1)
        }
    }
}

function show(value,    path, i) {
    path = key[1]
    for (i = 2; i <= depth; i++) path = path "." key[i]
    print path "\t" value
}

# Letters beyond ASCII stay as they are written.
function plain(text,    result, mark) {
    result = ""
    while (match(text, /\\/)) {
        result = result substr(text, 1, RSTART - 1)
        mark = substr(text, RSTART + 1, 1)
        text = substr(text, RSTART + 2)
        if (mark == "u") {
            result = result "\\u"
        } else {
            result = result (mark ~ /[nrtbf]/ ? " " : mark)
        }
    }
    return result text
}
