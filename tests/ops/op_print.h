/* SPDX-License-Identifier: MIT
 * Prints a case of op_cases.h in one line. */
#ifndef TERN_TEST_OP_PRINT_H
#define TERN_TEST_OP_PRINT_H

#include "op_cases.h"

static inline void print_shape(const tern_shape *shape) {
    printf("(");
    for (int i = 0; i < shape->rank; i++)
        printf("%s%lld", i > 0 ? ", " : "", (long long)shape->dims[i]);
    printf(")");
}

static inline void print_case(const op_case *c) {
    printf("case %d, %s:", c->number, c->op);
    for (int i = 0; i < c->input_count; i++) {
        const op_operand *o = &c->inputs[i];
        printf(" %s", o->is_there ? tern_dtype_name(o->dtype) : "nothing");
        print_shape(&o->shape);
        printf(" strides (");
        for (int axis = 0; axis < o->shape.rank; axis++)
            printf("%s%lld", axis > 0 ? ", " : "", (long long)o->strides[axis]);
        printf(")");
    }
    printf("; integers");
    for (int i = 0; i < c->integer_count; i++)
        printf(" %lld", (long long)c->integers[i]);
    printf("; numbers");
    for (int i = 0; i < c->number_count; i++)
        printf(" %.17g", c->numbers[i]);
    printf("%s%s\n", c->text[0] != '\0' ? "; " : "", c->text);
}

#endif
