/* SPDX-License-Identifier: MIT
 * tern_op_hash [--threads N] [--cpu LEVEL]: prints a line "family hash" for each family of
 * op_hash.h. A program of its own, so that other compilers' and machines' builds can be asked. */
#include <stdio.h>
#include <stdlib.h>

#include "op_hash.h"

int main(int argc, char **argv) {
    tern_options options = {0};
    if (argc % 2 != 1) {
        fprintf(stderr, "usage: tern_op_hash [--threads N] [--cpu LEVEL]\n");
        return 2;
    }
    for (int i = 1; i < argc; i += 2) {
        if (strcmp(argv[i], "--threads") == 0)
            options.threads = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--cpu") == 0)
            options.cpu = argv[i + 1];
        else
            return 2;
    }
    tern_context *context = NULL;
    uint64_t hashes[OP_HASHES];
    tern_status status = tern_context_create(&options, &context);
    if (status == TERN_OK)
        status = op_hashes(context, hashes);
    for (int i = 0; i < OP_HASHES && status == TERN_OK; i++)
        printf("%s %016llx\n", op_hash_names[i], (unsigned long long)hashes[i]);
    if (status != TERN_OK)
        fprintf(stderr, "tern_op_hash: %s\n", tern_last_error());
    tern_context_destroy(context);
    return status == TERN_OK ? 0 : 1;
}
