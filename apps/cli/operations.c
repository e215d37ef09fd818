/* SPDX-License-Identifier: MIT
 * The table of operations as a page, and what a context has counted of them. */
#include <string.h>

#include <tern/tern.h>

#include "cli.h"

static const char *const class_names[TERN_CLASSES] = {
    [TERN_CLASS_VIEW] = "view",       [TERN_CLASS_IN_PLACE] = "in place",
    [TERN_CLASS_COMPUTE] = "compute", [TERN_CLASS_COPY] = "copy",
    [TERN_CLASS_MOVE] = "move",
};

/* "f32 f16 ...": the names of a set of data types. */
static void print_types(FILE *out, uint64_t dtypes) {
    const char *blank = "";
    for (int i = 0; i < 64; i++)
        if (dtypes >> i & 1) {
            fprintf(out, "%s%s", blank, tern_dtype_name((tern_dtype)i));
            blank = " ";
        }
}

/* A cell of the table, in which a bar is no border. */
static void print_cell(FILE *out, const char *text) {
    for (; *text != '\0'; text++)
        fprintf(out, *text == '|' ? "\\%c" : "%c", *text);
    fputs(" |", out);
}

void cli_print_operations(FILE *out) {
    fputs("# Operations\n\n"
          "Printed by `tern help --ops` from the one table of operations "
          "(src/tensor/op_table.h); a test fails when this copy is stale. Data types are those "
          "that the operands are promoted to. *In place*: `tern_NAME_into` may write over an "
          "operand. Creation, views, packing and quantising are called tern_tensor_NAME; "
          "ternary_linear and quantized_linear are tern_linear with a packed weight; copy has the "
          "form tern_copy alone. Classes are those "
          "of `tern_stats_get` (include/tern/ops.h). In gradients g is "
          "that of the result y.\n\n"
          "| operation | operands | data types | result | shape | class | forms | kernels | "
          "gradient |\n|---|---|---|---|---|---|---|---|---|\n",
          out);
    for (int i = 0; i < tern_op_count(); i++) {
        const tern_op_info *op = tern_op_at(i);
        char operands[16];
        snprintf(operands, sizeof operands, "%d", op->arity);
        fprintf(out, "| %s | %s | ", op->name, op->arity < 0 ? "any" : operands);
        print_types(out, op->dtypes);
        fprintf(out, " | %s | %s | %s | %s | %s | ", op->result, op->shape,
                class_names[op->op_class],
                op->is_in_place ? "fresh, into, in place"
                : op->has_into  ? "fresh, into"
                                : "fresh",
                op->family);
        print_cell(out, op->gradient);
        fputc('\n', out);
    }
}

static void print_row(FILE *out, const char *name, const tern_op_stats *stats) {
    fprintf(out, "  %-18s", name);
    for (int i = 0; i < TERN_CLASSES; i++)
        fprintf(out, " %9lld", (long long)stats->calls[i]);
    int64_t bytes = 0;
    for (int i = 0; i < TERN_CLASSES; i++)
        bytes += stats->bytes[i];
    fprintf(out, " %11.2f %11.2f\n", (double)bytes / 1e6,
            (double)stats->bytes[TERN_CLASS_COPY] / 1e6);
}

void cli_print_stats(FILE *out, const tern_context *context) {
    tern_stats stats;
    tern_stats_get(context, &stats);
    fprintf(out, "operations: calls by class, megabytes read and written, and copied\n  %-18s", "");
    for (int i = 0; i < TERN_CLASSES; i++)
        fprintf(out, " %9s", class_names[i]);
    fprintf(out, " %11s %11s\n", "MB", "copied MB");
    for (int i = 0; i < tern_op_count(); i++) {
        tern_op_stats one;
        int64_t calls = 0;
        tern_stats_op(context, i, &one);
        for (int k = 0; k < TERN_CLASSES; k++)
            calls += one.calls[k];
        if (calls > 0)
            print_row(out, tern_op_at(i)->name, &one);
    }
    print_row(out, "all", &stats.total);
    fprintf(out,
            "zero-copy: %.2f %% of calls (%.2f %% without views), %.3f %% of bytes; "
            "%.2f MB packed inside matrix products\n",
            100 * stats.zero_copy_rate, 100 * stats.zero_copy_no_views,
            100 * stats.zero_copy_byte_rate, (double)stats.packed_bytes / 1e6);
    if (stats.screen_rows > 0)
        fprintf(out, "screened head: %lld tokens, %.1f logits computed for each; all for %lld\n",
                (long long)stats.screen_rows,
                (double)stats.screen_candidates / (double)stats.screen_rows,
                (long long)stats.screen_failures);
}
