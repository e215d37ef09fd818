# SPDX-License-Identifier: MIT
# Sourced by scripts that are tests: they report as cmocka does, so that one counter serves both.
# begin NAME, then one of pass, fail REASON, skip REASON; the script ends with `finish`.
report_failures=0

begin() {
    report_name=$1
    printf '[ RUN      ] %s\n' "$1"
}
pass() { printf '[       OK ] %s\n' "$report_name"; }
fail() {
    report_failures=$((report_failures + 1))
    printf '%s\n' "$*"
    printf '[  FAILED  ] %s\n' "$report_name"
}
skip() {
    printf 'SKIPPED: %s\n' "$*"
    printf '[  SKIPPED ] %s\n' "$report_name"
}
# settle TEXT: passes when TEXT is empty, else it is the list of what is wrong.
settle() { if [ -z "$1" ]; then pass; else fail "$1"; fi; }
finish() { exit "$((report_failures > 0))"; }
