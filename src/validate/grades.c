/* SPDX-License-Identifier: MIT */
#include <tern/validate.h>

const char *tern_grade_name(tern_grade grade) {
    static const char *const names[] = {"",         "same",  "better",  "minor",
                                        "moderate", "major", "critical"};
    return grade >= TERN_GRADE_NONE && grade <= TERN_GRADE_CRITICAL ? names[grade] : "?";
}
