/* SPDX-License-Identifier: MIT
 * The table of all targets, and the commands that measure their rows again. */
#include <stdio.h>
#include <string.h>

#include "validate/report.h"

static const tern_target targets[] = {
    {"T1a", "F32 matrix products against plain loops",
     "Square products of 512, 1 024 and 2 048 with one thread: the time of the faster of two plain "
     "loops, compiled with hardware FMA and without a vectoriser, over the time of the best "
     "kernel. OpenBLAS and oneDNN take turns with them where they are installed.",
     "15 x (AVX2: 8 x)", "30 x (AVX2: 15 x), and no slower than OpenBLAS and oneDNN",
     TERN_TARGET_SEED, "matmul"},
    {"T1b", "ternary products against F32 products",
     "A product of 512 tokens with ternary weights and int8 activations in the shapes of 2B4T, "
     "quantising included: the time of the F32 product of the same shape, by the best BLAS of this "
     "machine at the same instruction level, over the time of the ternary one.",
     "AMX 10 x, VNNI 3 x, AVX2 2 x", "AMX 20 x, VNNI 4 x, AVX2 3 x", TERN_TARGET_SEED, "kernels"},
    {"T1c", "F32 matrix products on an accelerator",
     "Square products of 1 024 to 4 096 with operands that lie on the accelerator already, each "
     "waited for, the result compared with the processor's before: the time of the plain loops "
     "on this machine's processor over its time, in turns. What has no arithmetic units of its "
     "own, such as MLX's CPU back end, is no accelerator.",
     "15 x", "40 x, and faster than the best kernel of the processor on all threads",
     TERN_TARGET_SEED, "matmul"},
    {"T2", "element-wise operations against plain code",
     "F32, one thread, 2 Ki elements, which fit in the first cache: the time of the same portable "
     "source, compiled with hardware FMA and without a vectoriser, over the time of the best "
     "kernel. At 64 Ki and 16 Mi elements: bytes read and written as a share of the bandwidth of "
     "that working set, which is measured in the same run.",
     "add sub mul max relu 5 x, exp tanh silu gelu sum softmax 5 x, div sqrt 3 x (AVX2: 3; 4; "
     "1.8 x. NEON: 2; 3; 1.5 x)",
     "8 x, 12 x, 4 x (AVX-512); 90 % of the bandwidth for add sub mul max relu sum",
     TERN_TARGET_SEED, "elementwise"},
    {"T3", "the time of a tensor",
     "One tensor is created and released: mixed shapes of 16 B to 1 MiB in batches of 64, over a "
     "live set of 10 000 tensors that are released in random order, by the owning thread and by "
     "N threads with N contexts. Beside it malloc and free of the allocators that are installed.",
     "median < 100 ns",
     "median 20 ns, 99th percentile 100 ns; 60 ns with sites tracked or released by another thread",
     TERN_TARGET_SEED, "memory"},
    {"T4", "calls that copy nothing",
     "The share of all calls and of all bytes that were not copied while a model decodes, reads a "
     "prompt of 512 tokens, and over all operations in all layouts of their operands, with and "
     "without views. Operations whose purpose is to move data are listed apart.",
     "80 % of calls", "95 % of calls, 99 % of bytes; decode 100 %", TERN_TARGET_SEED, "zero-copy"},
    {"T5a", "memory that is committed and not requested",
     "Bytes that the pool has committed less those requested from it, as a share of those "
     "requested, without file mappings: a model of the 2B4T shape after loading and 100 tokens.",
     "10 %", "2 %", TERN_TARGET_SEED, "memory"},
    {"T5b", "books about one tensor",
     "All bytes of bookkeeping for one tensor, whoever keeps them, at ranks 0 to 8.",
     "5 % of a tensor of 4 KiB", "128 B up to rank 4, 256 B at rank 8", TERN_TARGET_SEED, "memory"},
    {"T5c", "fragmentation",
     "Committed over live bytes: their peaks over recorded traces of allocations, and the state "
     "after a million random operations.",
     "1.25 over traces, 2.0 after random operations",
     "1.10 over traces, 1.5 after random operations", TERN_TARGET_SEED, "memory"},
    {"T5d", "leaks",
     "Tensors that are live when everything was destroyed, and the share of leaks planted at every "
     "call that creates something which are reported with the place that made them.",
     "0 live, all found", "0 live, all found", TERN_TARGET_SEED, "memory"},
    {"T5e", "allocations that succeed",
     "The share of allocations that succeed while memory is left, and the share of sizes from 1 B "
     "to 1 TiB, committed lazily, that are served or refused with a typed error.",
     "100 %", "100 %", TERN_TARGET_SEED, "memory"},
    {"K1", "decode, as a share of the read bandwidth",
     "One column times 2560 x 2560, 6912 x 2560 and 2560 x 6912 weights, streamed from a working "
     "set larger than the caches, with one and with all threads: packed bytes a second over the "
     "read bandwidth measured in turns with it.",
     "75 %", "90 %", TERN_TARGET_TERNARY, "kernels"},
    {"K2", "decode, against other programs' kernels",
     "The same work by bitnet.cpp's I2_S and TL2 kernels and by ggml's TQ2_0: their time over "
     "ours, in turns.",
     "1.3 x I2_S, 1.0 x TL2, 1.8 x TQ2_0", "2 x I2_S, 1.4 x TL2, 2.8 x TQ2_0", TERN_TARGET_TERNARY,
     "kernels"},
    {"K3", "1.6 bits a weight against 2",
     "Weights stored five in a byte (with AVX2 24 in five bytes) against four in a byte, streamed, "
     "with all threads: time of the latter over the former.",
     "1.0 x", "1.2 x", TERN_TARGET_TERNARY, "kernels"},
    {"K4", "prefill with AMX",
     "512 tokens, the shapes of K1, one thread: operations a second over the rate of tile products "
     "that are fed from the first cache, four loads to four products, measured in turns.",
     "50 %", "80 %", TERN_TARGET_TERNARY, "kernels"},
    {"K5", "prefill with vector units",
     "The same with AVX-512 VNNI, or dot products and i8mm of NEON, over the peak of that "
     "instruction; with AVX2 and AVX-VNNI the time of bitnet.cpp over ours.",
     "VNNI 50 %; AVX2 1.4 x, AVX-VNNI 1.6 x", "VNNI 80 %; AVX2 1.7 x, AVX-VNNI 2.2 x",
     TERN_TARGET_TERNARY, "kernels"},
    {"K6", "small batches",
     "The time of one pass over the weights, streamed, for 4 and for 8 columns over that for one.",
     "1.3 x for 4, 1.8 x for 8", "1.1 x for 4, 1.25 x for 8", TERN_TARGET_TERNARY, "kernels"},
    {"K7", "the same bits from every variant",
     "Bits in which the results of any kernel variant differ from those of the plain one.", "0",
     "0", TERN_TARGET_TERNARY, "kernels"},
    {"M1a", "generation against llama.cpp",
     "128 tokens with all logits from the F16 head, in the 2B4T shape: tokens a second over those "
     "of llama.cpp with TQ2_0 weights and an F16 table, with the same threads.",
     "1.5 x; without llama.cpp 75 % of the read rate", "1.8 x; 90 %", TERN_TARGET_MODEL, "models"},
    {"M1b", "greedy generation against the best peer",
     "The same with the exact screened head, which finds the largest logit only, against the best "
     "peer with its best format of the head.",
     "1.8 x; without a peer 75 % of the read rate", "2.5 x; 90 %", TERN_TARGET_MODEL, "models"},
    {"M2", "prompts against llama.cpp",
     "A prompt of 512 tokens: tokens a second over those of llama.cpp with TQ2_0 weights and the "
     "same threads.",
     "AMX 8 x, VNNI 3 x, AVX2 1.8 x; without llama.cpp 50 % of the unit's peak",
     "AMX 20 x, VNNI 5 x, AVX2 2.8 x; 80 %", TERN_TARGET_MODEL, "models"},
    {"M3", "resident memory",
     "Resident bytes while generating over what is needed on paper: one packed copy of the weights "
     "and the head with its screen, keys and values, activations.",
     "1.10 x", "1.02 x", TERN_TARGET_MODEL, "models"},
    {"M4", "time to the first token",
     "From the start of the process to the first token after a prompt of 16, with the file in the "
     "page cache; packing is included and shown apart.",
     "1.0 s", "0.5 s", TERN_TARGET_MODEL, "models"},
    {"M5", "accuracy",
     "How far the mean negative log likelihood of the committed model is from that of a float64 "
     "reference.",
     "0.1 %", "0.02 %", TERN_TARGET_MODEL, "models"},
    {"M6", "the same bits everywhere",
     "Differing hashes of all logits of a fixed generation, over threads, instruction levels, "
     "batches and chunks of the prompt, from a committed constant; with the screened head, of the "
     "tokens and their logits.",
     "equal", "equal, with CUDA and over MPI ranks too", TERN_TARGET_MODEL, "models"},
};
enum { TARGETS = sizeof targets / sizeof targets[0] };

int tern_target_count(void) {
    return TARGETS;
}

const tern_target *tern_target_at(int index) {
    return index >= 0 && index < TARGETS ? &targets[index] : NULL;
}

const tern_target *tern_target_find(const char *id) {
    for (int i = 0; i < TARGETS; i++)
        if (strcmp(targets[i].id, id) == 0)
            return &targets[i];
    return NULL;
}

/* -- commands ----------------------------------------------------------------------------------*/

/* Rows without a target: what `--only` takes is the beginning of what they tell. */
static const struct {
    const char *id, *table;
    const char *ends; /* of the name; NULL: the table has no names */
} others[] = {
    {"DEV", "devices", NULL},
    {"KERN", "kernels", " "},
    {"OPS", "operations", " ,"},
    {"ROOF", "roofline", NULL},
};

static const char *run_fact(const tern_report *report, const char *name) {
    for (int i = 0; i < report->fact_count; i++)
        if (strcmp(report->facts[i].group, "run") == 0 && strcmp(report->facts[i].name, name) == 0)
            return report->facts[i].value;
    return "";
}

/* "tern bench kernels --only K1"; tern bench takes no model and no peers. */
static void name_row(const tern_report *report, const tern_bench_row *row, char *text,
                     size_t size) {
    const tern_target *target = tern_target_find(row->id);
    bool is_of_files = run_fact(report, "model")[0] != '\0' || run_fact(report, "peers")[0] != '\0';
    if (target != NULL && !is_of_files) {
        snprintf(text, size, "tern bench %s --only %s", target->table, target->id);
        return;
    }
    snprintf(text, size, "tern validate --only %s", row->id);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (strcmp(others[i].id, row->id) != 0)
            continue;
        if (others[i].ends == NULL)
            snprintf(text, size, "tern bench %s", others[i].table);
        else
            snprintf(text, size, "tern bench %s --only %.*s", others[i].table,
                     (int)strcspn(row->what, others[i].ends), row->what);
    }
}

/* " --model FILE --peer NAME=PATH": those of the run. */
static void add_files(const tern_report *report, char *text, size_t size) {
    const char *model = run_fact(report, "model"), *peers = run_fact(report, "peers");
    size_t used = strlen(text);
    if (model[0] != '\0')
        snprintf(text + used, size - used, " --model %s", model);
    while (*peers != '\0') {
        const char *end = strstr(peers, ", ");
        size_t length = end != NULL ? (size_t)(end - peers) : strlen(peers);
        used = strlen(text);
        snprintf(text + used, size - used, " --peer %.*s", (int)length, peers);
        peers += length + (end != NULL ? 2 : 0);
    }
}

/* " --device NAME" behind rows that are about devices, where the run named one. */
static void add_device(const tern_report *report, const char *id, char *text, size_t size) {
    static const char *const ids[] = {"DEV", "M6", "T1c"};
    const char *device = run_fact(report, "device");
    size_t used = strlen(text);
    for (size_t i = 0; i < sizeof ids / sizeof *ids && device[0] != '\0'; i++)
        if (strcmp(ids[i], id) == 0)
            snprintf(text + used, size - used, " --device %s", device);
}

void tern_report_command(const tern_report *report, const tern_report_row *row, char *text,
                         size_t size) {
    const char *level = run_fact(report, "level"), *threads = run_fact(report, "threads");
    char name[160];
    name_row(report, &row->row, name, sizeof name);
    snprintf(text, size, "%s%s%s%s%s%s", name,
             strcmp(run_fact(report, "quick"), "yes") == 0 ? " --quick" : "",
             level[0] != '\0' ? " --cpu " : "", level, threads[0] != '\0' ? " --threads " : "",
             threads);
    add_device(report, row->row.id, text, size);
    if (tern_target_find(row->row.id) != NULL)
        add_files(report, text, size);
}
