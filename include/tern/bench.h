/* SPDX-License-Identifier: MIT
 *
 * Measuring: the one harness behind every figure that Tern states about speed.
 *
 * A benchmark is a struct of facts and functions. The harness checks its result first, finds how
 * many calls make a sample long enough to time, then takes samples of its sides in turns (most
 * machines drift more than the sides differ) and reports median, 5th and 95th percentile, and of
 * several sides the ratios of their medians with bootstrap intervals. Between the rounds a loop of
 * known length tells whether the machine became slower: then intervals are wider.
 *
 *     tern_bench_result result;
 *     const tern_bench_case *bench = tern_bench_find("team_run");
 *     if (tern_bench_run(bench, NULL, &result) == TERN_OK)
 *         printf("%g ns\n", result.side[0].median * 1e9);
 */
#ifndef TERN_BENCH_H
#define TERN_BENCH_H

#include <tern/base.h>
#include <tern/model.h>
#include <tern/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tern_bench_options {
    int threads;           /* as in tern_options */
    const char *cpu;       /* kernel level of the first side, as in tern_options */
    int samples;           /* of each side; 0: 21 */
    double sample_seconds; /* least duration of one sample; 0: 0.01 */
} tern_bench_options;

#define TERN_BENCH_SIDES       4
#define TERN_BENCH_MAX_SAMPLES 100000

typedef struct tern_bench_case tern_bench_case;
struct tern_bench_case {
    const char *name;                   /* "ternary_linear" */
    const char *summary;                /* one line: what a call does, with its sizes */
    const char *unit;                   /* of the work that is counted: "B", "mac", "tok", "call" */
    const char *side[TERN_BENCH_SIDES]; /* what the first is compared with behind it; NULL: none */
    const void *parameter;              /* for the functions below */

    /* Makes the state and tells how many units of work one call does. On failure it leaves
     * nothing behind. */
    tern_status (*setup)(const tern_bench_case *self, const tern_bench_options *options,
                         void **state, double *work);
    /* Fails when a side computes something wrong. */
    tern_status (*check)(void *state);
    /* Does the work `calls` times on one side, in a way that no compiler can leave out. */
    tern_status (*run)(void *state, int side, int64_t calls);
    void (*teardown)(void *state);
};

typedef struct tern_bench_side {
    int64_t calls;          /* timed together as one sample */
    double median, p5, p95; /* seconds a call */
    double low, high;       /* of the median, with 95 % confidence */
} tern_bench_side;

typedef struct tern_bench_result {
    int samples;
    int sides;
    double work; /* units in one call */
    tern_bench_side side[TERN_BENCH_SIDES];
    /* Median of the second side over that of the first: above 1 the first is faster. The interval
     * holds 95 % of 2 000 bootstrap medians. 0 when there are not two sides. */
    double ratio, ratio_low, ratio_high;
    /* Of every side behind the first: its median over that of the first, the interval, and the
     * spread of the ratios round by round; [0] is not used. With two sides [1] is the ratio above.
     */
    double ratios[TERN_BENCH_SIDES], ratios_low[TERN_BENCH_SIDES], ratios_high[TERN_BENCH_SIDES];
    double ratios_p5[TERN_BENCH_SIDES], ratios_p95[TERN_BENCH_SIDES];
    /* A side's p5..p95 is wider than a quarter of its median, or a loop of known length that runs
     * between the samples became slower: then the intervals are wider, p5..p95 of the rounds. */
    bool is_noisy;
} tern_bench_result;

/* The registered benchmarks. */
TERN_API int64_t tern_bench_count(void);
TERN_API const tern_bench_case *tern_bench_at(int64_t index);
TERN_API const tern_bench_case *tern_bench_find(const char *name); /* NULL: there is none */

/* Runs a registered benchmark or one of the caller's own. `options` may be NULL. */
TERN_API tern_status tern_bench_run(const tern_bench_case *bench, const tern_bench_options *options,
                                    tern_bench_result *result);

/* -- whole models, counted as llama-bench does -------------------------------------------------*/

typedef struct tern_bench_model_options {
    int64_t prompt_tokens;    /* evaluated at once in an empty cache ("pp512"); 0: leave out */
    int64_t generated_tokens; /* evaluated one by one from an empty cache ("tg128"), logits each
                                 time; 0: leave out */
    int samples;              /* 0: 5, after one warm-up */
    tern_dtype cache_type;    /* as in tern_session_options */
    int64_t best;             /* generation makes so many of the largest logits only, as greedy and
                                 top-k sampling need them; 0: all */
} tern_bench_model_options;

/* 512, 128, 5. */
TERN_API tern_bench_model_options tern_bench_model_options_default(void);

typedef struct tern_bench_model_result {
    /* One call is the whole prompt or the whole generation, `work` its tokens; samples is 0 for
     * what was left out. */
    tern_bench_result prompt, generation;
    size_t cache_bytes;
    uint64_t resident_bytes; /* of the process, after the measurement */
} tern_bench_model_result;

/* Checks first that a batch of tokens and the same tokens one by one give the same bits. */
TERN_API tern_status tern_bench_model(tern_context *context, tern_model *model,
                                      const tern_bench_model_options *options,
                                      tern_bench_model_result *result);

/* -- targets: figures that are judged ----------------------------------------------------------*/

typedef enum tern_bench_verdict {
    TERN_BENCH_PASS = 0,         /* the floor is met */
    TERN_BENCH_FAIL = 1,         /* it is not */
    TERN_BENCH_NOT_MEASURED = 2, /* `detail` says why */
    TERN_BENCH_NO_TARGET = 3,    /* there is no floor: see is_goal_met, where there is a goal */
} tern_bench_verdict;

/* "PASS", "FAIL", "NOT MEASURED", "-"; "?" for an unknown value. Static storage. */
TERN_API const char *tern_bench_verdict_name(tern_bench_verdict verdict);

/* The same work done by something else, in the same run and in turns. */
typedef struct tern_bench_peer {
    const char *name;
    double median, p99; /* in the row's unit; NaN when it was not measured */
    const char *reason; /* why it was not; NULL: it was */
} tern_bench_peer;

/* A figure that has more to show than one number: a distribution, a course over time, classes. */
typedef struct tern_bench_series {
    const char *name;            /* "tern" */
    const char *x_unit, *y_unit; /* "ns", "tensors" */
    int64_t count;
    const double *x, *y;      /* (count) each; x ascends */
    const char *const *label; /* (count): what x stands for; NULL: numbers */
} tern_bench_series;

#define TERN_BENCH_PEERS  4
#define TERN_BENCH_SERIES 8
#define TERN_BENCH_DETAIL 320

/* A row of a table of targets. Numbers that do not exist are NaN. */
typedef struct tern_bench_row {
    const char *id;   /* of the target, "T3" */
    const char *what; /* one line; unique within the target */
    const char *unit; /* "ns", "B", "%", "x", "" for plain numbers */
    int64_t samples;  /* behind the median; 1: a count, which has no spread */
    double median, p5, p95, p99;
    double low, high;             /* of the median, with 95 % confidence; NaN: a count */
    double floor, goal, goal_p99; /* what median (p99) may be at most */
    bool is_least;                /* floor and goal are what the median must be at least */
    bool is_goal_met;             /* every goal there is */
    bool is_ratio;                /* of the times of two sides that took turns */
    bool is_noisy;                /* as in tern_bench_result, or load is not small */
    double load;                  /* processors that other programs kept busy meanwhile; NaN */
    double operations, bytes;     /* a second, of a kernel: its place in a roofline; NaN */
    tern_bench_verdict verdict;
    int peer_count;
    tern_bench_peer peer[TERN_BENCH_PEERS];
    int series_count;
    tern_bench_series series[TERN_BENCH_SERIES]; /* valid as long as the row */
    char detail[TERN_BENCH_DETAIL];              /* "" if there is none */
} tern_bench_row;

/* A library or program that is not found by itself, or another than the one that would be. */
typedef struct tern_bench_peer_path {
    /* Libraries: "openblas", "dnnl", "jemalloc", "mimalloc", "ggml", "bitnet" (both libggml-cpu.so
     * or like it). Programs: "llama-bench"; for it "llama-model", a file of the same shape that it
     * reads when it cannot read `model`, and "llama-model-best", another one for M1b. */
    const char *name;
    const char *path;
} tern_bench_peer_path;

typedef struct tern_bench_table_options {
    int threads;        /* of rows with N threads; 0: all this process may use */
    const char *cpu;    /* as in tern_options */
    int samples;        /* rounds in which the sides take turns; 0: the table's own number */
    bool is_quick;      /* fewer rounds and smaller cases, what is not judged then says so */
    const char *versus; /* matmul: the one library to compare with, "openblas", "dnnl" or a path;
                           NULL: those that are installed */
    const char *only;   /* names with commas between; NULL: all. Names of targets ("K1") of the
                           table; operations: of operations; kernels: of packings too ("trits4",
                           "trits5", "int4", "int8") */
    const char *model;  /* models: a file; NULL: a random model of the 2B4T shape */
    const char *story;  /* models: the story model that comes along; NULL: `model` may be it */
    const char *device; /* rows about devices: of this one only, an accelerator or not; NULL: of
                           every accelerator that is there */
    const tern_bench_peer_path *peers; /* (peer_count) */
    int peer_count;
    bool is_listing;      /* visits the rows with floors and goals, and measures nothing */
    const bool *is_ended; /* set by `visit`: no more rows are measured or visited; NULL: all are */
} tern_bench_table_options;

/* `row` is valid during the call. */
typedef void (*tern_bench_row_fn)(void *user, const tern_bench_row *row);

/* The tables, each a row: the functions are those below. */
typedef struct tern_bench_table {
    const char *name;    /* "memory" */
    const char *summary; /* one line */
    const char *targets; /* ids that its rows may have, commas between: "T3,T5a" */
    tern_status (*run)(const tern_bench_table_options *options, tern_bench_row_fn visit,
                       void *user);
} tern_bench_table;

TERN_API int tern_bench_table_count(void);
TERN_API const tern_bench_table *tern_bench_table_at(int index);          /* NULL beyond */
TERN_API const tern_bench_table *tern_bench_table_find(const char *name); /* NULL: there is none */

/* Targets T3 and T5: time and space of tensors, beside the allocators that are installed. Calls
 * `visit` for each row as soon as it is known. What there is no memory for is a row NOT MEASURED;
 * wrong contents or books are TERN_E_INTERNAL. */
TERN_API tern_status tern_bench_memory(const tern_bench_table_options *options,
                                       tern_bench_row_fn visit, void *user);

/* Target T2: element-wise operations in F32, kernel by kernel, one thread, against the same
 * portable source compiled with hardware FMA and no vectoriser, and as a share of the bandwidth of
 * their working set. */
TERN_API tern_status tern_bench_elementwise(const tern_bench_table_options *options,
                                            tern_bench_row_fn visit, void *user);

/* Target T1a: F32 matrix products, one thread, against the faster of two plain loops and against
 * OpenBLAS and oneDNN where they are installed. T1c: the same on accelerators, against the plain
 * loops and against all threads of the processor. */
TERN_API tern_status tern_bench_matmul(const tern_bench_table_options *options,
                                       tern_bench_row_fn visit, void *user);

/* Target T4: the share of calls and bytes that are not copied, while a random model decodes and
 * reads a prompt, and over all operations in all layouts of their operands. */
TERN_API tern_status tern_bench_zero_copy(const tern_bench_table_options *options,
                                          tern_bench_row_fn visit, void *user);

/* Every operation of tern_op_at, timed as it is called, with the release of its result: on matrices
 * of 32 and 1 024 rows (1 Ki and 1 Mi elements), F32 or the type that the operation is for, one
 * thread; what works element by element or reduces, on transposed operands too. Results are looked
 * at first. Nothing is judged; what this machine has no library or unit for is NOT MEASURED. */
TERN_API tern_status tern_bench_operations(const tern_bench_table_options *options,
                                           tern_bench_row_fn visit, void *user);

/* The limits of this machine, which shares in other tables refer to: the read bandwidth of 1, 2, 4,
 * ... threads with working sets in each cache and in memory, and the rates of multiply-adds in F32
 * and of products of bytes, by instruction. Nothing is judged. */
TERN_API tern_status tern_bench_roofline(const tern_bench_table_options *options,
                                         tern_bench_row_fn visit, void *user);

/* Targets M1 to M6: whole models, as a share of the machine's limits or beside llama-bench, their
 * memory, the time to the first token, and that they compute what they must. */
TERN_API tern_status tern_bench_models(const tern_bench_table_options *options,
                                       tern_bench_row_fn visit, void *user);

/* Targets K1 to K7 and T1b, and every kernel for packed weights by packing and number of
 * columns: rates of packed bytes and of operations (a multiply-add is two), as shares of the
 * machine's limits, which are measured in turns with them. */
TERN_API tern_status tern_bench_kernels(const tern_bench_table_options *options,
                                        tern_bench_row_fn visit, void *user);

/* What devices besides the processor do: their copy bandwidth, F32 matrix products, products with
 * ternary weights in the shapes of 2B4T in microseconds, and a model of that shape. Results are
 * compared with the processor's first; nothing is judged. */
TERN_API tern_status tern_bench_devices(const tern_bench_table_options *options,
                                        tern_bench_row_fn visit, void *user);

/* When an allocator is installed that this process has no room for: what the environment variable
 * GLIBC_TUNABLES must name at the start of a process that has. Else NULL. Static storage. */
TERN_API const char *tern_bench_memory_tunable(void);

#ifdef __cplusplus
}
#endif
#endif
