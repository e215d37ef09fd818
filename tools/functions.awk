# SPDX-License-Identifier: MIT
# Reads what code.awk prints and prints LINES FILE:LINE NAME for every function body: what starts
# at column 0, has a parameter list and ends with "}" at column 0.
function reset() { head = ""; start = 0; is_body = 0 }
{
    split($0, part, ":")
    file = part[1]
    line = part[2] + 0
    code = substr($0, length(part[1]) + length(part[2]) + 3)
    sub(/[ \t]+$/, "", code)
    if (file != last_file) reset()
    last_file = file
    if (is_body) {
        if (code ~ /^}/) {
            print line - start + 1, file ":" start, name
            reset()
        }
        next
    }
    if (code == "" || code ~ /^[#}]/ || code ~ /\\$/) {
        reset()
        next
    }
    if (code ~ /^[A-Za-z_]/ && head == "") start = line
    if (!start) next
    head = head code
    if (code ~ /[;}]$/) reset()
    else if (code ~ /\{$/) {
        is_type = head ~ /^(typedef|struct [a-z_]+ \{|enum|union|extern "")/
        if (is_type || head !~ /\(/ || head ~ /=/) reset()
        else {
            name = head
            gsub(/__attribute__ *\(\([^)]*\)*\)\)/, "", name)
            sub(/\(.*/, "", name)
            sub(/.*[ *]/, "", name)
            is_body = 1
        }
    }
}
