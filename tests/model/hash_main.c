/* SPDX-License-Identifier: MIT
 * tern_hash MODEL [--threads N] [--cpu LEVEL] [--chunk N] [--storage BITS]: prints the hash of
 * story_hash.h as 16 hex digits. A program of its own, so that other compilers' and machines'
 * builds can be asked. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "story_hash.h"

int main(int argc, char **argv) {
    tern_options options = {0};
    tern_storage storage = TERN_STORAGE_2_BIT;
    int64_t chunk = 64;
    if (argc < 2 || argc % 2 != 0) {
        fprintf(stderr, "usage: tern_hash MODEL [--threads N] [--cpu LEVEL] [--chunk N] "
                        "[--storage BITS]\n");
        return 2;
    }
    for (int i = 2; i < argc; i += 2) {
        if (strcmp(argv[i], "--threads") == 0)
            options.threads = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--cpu") == 0)
            options.cpu = argv[i + 1];
        else if (strcmp(argv[i], "--chunk") == 0 && atoi(argv[i + 1]) > 0)
            chunk = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--storage") == 0)
            storage = strcmp(argv[i + 1], "1.6") == 0 ? TERN_STORAGE_1_6_BIT : TERN_STORAGE_2_BIT;
        else
            return 2;
    }
    tern_context *context = NULL;
    uint64_t hash = 0;
    tern_status status = tern_context_create(&options, &context);
    if (status == TERN_OK)
        status = story_hash(context, argv[1], storage, chunk, &hash);
    if (status == TERN_OK)
        printf("%016llx\n", (unsigned long long)hash);
    else
        fprintf(stderr, "tern_hash: %s\n", tern_last_error());
    tern_context_destroy(context);
    return status == TERN_OK ? 0 : 1;
}
