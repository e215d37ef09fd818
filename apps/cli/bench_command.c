/* SPDX-License-Identifier: MIT
 * tern bench: how fast models and parts of Tern are on this machine. */
#include <string.h>
#include <unistd.h>

#include <tern/bench.h>

#include "bench_tables.h"
#include "commands.h"
#include "device.h"

typedef struct bench_values {
    const char *shape, *cpu, *cache, *storage, *head, *versus, *only, *device;
    cli_integers threads;
    int64_t prompt_tokens, generated_tokens, repeats;
    bool is_list, is_json, is_quick;
    int rows; /* of JSON, printed so far */
} bench_values;

#define FIELD(field) offsetof(bench_values, field)
static const cli_option bench_options[] = {
    {"shape", 0, CLI_CHOICE, "SHAPE", NULL, "2b4t|0.7b|3b|8b|tiny",
     "measure a random model of this shape, made in memory", FIELD(shape)},
    {"threads", 't', CLI_INTEGERS, "N[,N...]", NULL, "1..1024",
     "threads to use, one measurement for each number; all processors by default", FIELD(threads)},
    {"prompt-tokens", 'p', CLI_INTEGER, "N", "512", "0..1048576",
     "tokens of the prompt; 0 leaves this part out", FIELD(prompt_tokens)},
    {"tokens", 'n', CLI_INTEGER, "N", "128", "0..1048576",
     "tokens generated; 0 leaves this part out", FIELD(generated_tokens)},
    {"repeats", 'r', CLI_INTEGER, "N", NULL, "1..100000",
     "samples of each figure; 5 of a model, 21 of a benchmark, 31 rounds of memory by default",
     FIELD(repeats)},
    {"quick", 0, CLI_FLAG, NULL, NULL, NULL,
     "tables: fewer rounds, smaller cases, a tiny model in place of the 2b4t shape",
     FIELD(is_quick)},
    {"vs", 0, CLI_TEXT, "LIBRARY", NULL, NULL,
     "matmul: the library to compare with: openblas, dnnl or a path; by default both",
     FIELD(versus)},
    {"only", 0, CLI_TEXT, "NAME[,NAME...]", NULL, NULL,
     "tables: rows of these targets (T3,K1); operations: these; kernels: packings too (trits4)",
     FIELD(only)},
    CLI_OPTION_CACHE(bench_values, cache),
    CLI_OPTION_STORAGE(bench_values, storage),
    CLI_OPTION_HEAD(bench_values, head, "full",
                    "; with screened, generation asks for the largest logit only"),
    CLI_OPTION_CPU(bench_values, cpu),
    CLI_OPTION_DEVICE(bench_values, device, "of models cpu, of tables every accelerator"),
    {"list", 0, CLI_FLAG, NULL, NULL, NULL, "list the registered benchmarks", FIELD(is_list)},
    CLI_OPTION_JSON(bench_values, is_json),
    {0},
};

/* -- numbers for people ------------------------------------------------------------------------*/

/* "93.1 us": a time with three digits and a fitting unit. */
static const char *time_text(double seconds, char *buffer, size_t size) {
    static const char *const units[] = {"s", "ms", "us", "ns"};
    int unit = 0;
    while (unit < 3 && seconds < 1) {
        seconds *= 1e3;
        unit++;
    }
    snprintf(buffer, size, "%.*f %s",
             seconds < 10    ? 2
             : seconds < 100 ? 1
                             : 0,
             seconds, units[unit]);
    return buffer;
}

/* "190 Gmac/s" */
static const char *rate_text(double rate, const char *unit, char *buffer, size_t size) {
    static const char *const prefixes[] = {"", "k", "M", "G", "T"};
    int prefix = 0;
    while (prefix < 4 && rate >= 1e3) {
        rate /= 1e3;
        prefix++;
    }
    snprintf(buffer, size, "%.*f %s%s/s",
             rate < 10    ? 2
             : rate < 100 ? 1
                          : 0,
             rate, prefixes[prefix], unit);
    return buffer;
}

static void print_json_value(const char *name, double value) {
    printf(", \"%s\": ", name);
    cli_print_json_number(stdout, value);
}

/* Rows of JSON are printed as they come: each begins with begin_row, and end_rows closes the list,
 * also when a measurement has failed. */
static void begin_row(bench_values *values) {
    printf(values->rows++ > 0 ? ",\n" : "[\n");
}

static void end_rows(const bench_values *values) {
    puts(values->rows > 0 ? "\n]" : "[]");
}

/* -- registered benchmarks ---------------------------------------------------------------------*/

static void print_name(bool is_json, const char *name, const char *unit, const char *summary) {
    if (!is_json) {
        printf("%-16s %s\n", name, summary);
        return;
    }
    printf("\n  {\"name\": \"%s\", \"unit\": \"%s\", \"summary\": ", name, unit);
    cli_print_json_string(stdout, summary, strlen(summary));
    fputc('}', stdout);
}

static void print_list(bool is_json) {
    if (is_json)
        fputc('[', stdout);
    for (int64_t i = 0; i < tern_bench_count(); i++) {
        const tern_bench_case *bench = tern_bench_at(i);
        print_name(is_json, bench->name, bench->unit, bench->summary);
        if (is_json)
            fputc(',', stdout);
    }
    for (int i = 0; i < tern_bench_table_count(); i++) {
        const tern_bench_table *table = tern_bench_table_at(i);
        print_name(is_json, table->name, "", table->summary);
        if (is_json && i + 1 < tern_bench_table_count())
            fputc(',', stdout);
    }
    if (is_json)
        puts("\n]");
}

static void print_bench(const tern_bench_case *bench, int64_t threads,
                        const tern_bench_result *result) {
    printf("%s: %s", bench->name, bench->summary);
    if (threads > 0)
        printf(", %lld thread%s", (long long)threads, threads > 1 ? "s" : "");
    puts("");
    for (int i = 0; i < result->sides; i++) {
        const tern_bench_side *side = &result->side[i];
        char median[32], p5[32], p95[32], rate[32];
        printf("  %-8s %10s  (%s .. %s)  %s\n", bench->side[i],
               time_text(side->median, median, sizeof median), time_text(side->p5, p5, sizeof p5),
               time_text(side->p95, p95, sizeof p95),
               rate_text(result->work / side->median, bench->unit, rate, sizeof rate));
    }
    if (result->sides == 2)
        printf("  %.2f times as fast (%.2f .. %.2f)\n", result->ratio, result->ratio_low,
               result->ratio_high);
    if (result->is_noisy)
        puts("  noisy: this machine was busy with something else");
}

static void print_bench_json(const tern_bench_case *bench, int64_t threads,
                             const tern_bench_result *result) {
    printf("{\"name\": \"%s\", \"threads\": %lld, \"samples\": %d, \"unit\": \"%s\"", bench->name,
           (long long)threads, result->samples, bench->unit);
    print_json_value("work", result->work);
    printf(", \"sides\": [");
    for (int i = 0; i < result->sides; i++) {
        printf("%s{\"name\": \"%s\", \"calls\": %lld", i > 0 ? ", " : "", bench->side[i],
               (long long)result->side[i].calls);
        print_json_value("median", result->side[i].median);
        print_json_value("p5", result->side[i].p5);
        print_json_value("p95", result->side[i].p95);
        fputc('}', stdout);
    }
    fputc(']', stdout);
    if (result->sides == 2) {
        print_json_value("ratio", result->ratio);
        print_json_value("ratio_low", result->ratio_low);
        print_json_value("ratio_high", result->ratio_high);
    }
    printf(", \"noisy\": %s}", result->is_noisy ? "true" : "false");
}

static int measure_benches(bench_values *values, char *const *names, int count) {
    for (int i = 0; i < count; i++) {
        const tern_bench_case *bench = tern_bench_find(names[i]);
        for (int t = 0; t < values->threads.count; t++) {
            int64_t threads = values->threads.value[t];
            tern_bench_options options = {
                .threads = (int)threads, .cpu = values->cpu, .samples = (int)values->repeats};
            tern_bench_result result;
            if (tern_bench_run(bench, &options, &result) != TERN_OK)
                return cli_fail_library(NULL);
            if (values->is_json) {
                begin_row(values);
                print_bench_json(bench, threads, &result);
            } else {
                print_bench(bench, threads, &result);
            }
            cli_flush();
        }
    }
    return CLI_OK;
}

/* -- models ------------------------------------------------------------------------------------*/

/* "pp512       23.9 tok/s  (23.1 .. 24.2)" */
static void print_rate(const char *label, const tern_bench_result *result) {
    char name[32];
    if (result->samples == 0)
        return;
    snprintf(name, sizeof name, "%s%.0f", label, result->work);
    printf("  %-8s %10.2f tok/s  (%.2f .. %.2f)%s\n", name, result->work / result->side[0].median,
           result->work / result->side[0].p95, result->work / result->side[0].p5,
           result->is_noisy ? "  noisy" : "");
}

static void print_rate_json(const char *label, const tern_bench_result *result) {
    if (result->samples == 0)
        return;
    printf(", \"%s\": {\"tokens\": %.0f, \"samples\": %d", label, result->work, result->samples);
    print_json_value("median", result->work / result->side[0].median);
    print_json_value("p5", result->work / result->side[0].p95);
    print_json_value("p95", result->work / result->side[0].p5);
    printf(", \"noisy\": %s}", result->is_noisy ? "true" : "false");
}

static void print_model(const char *name, const tern_context *context, const tern_model_info *info,
                        const tern_bench_model_result *result) {
    int threads = tern_context_threads(context);
    const char *device = tern_context_device(context);
    bool is_cpu = strcmp(device, "cpu") == 0;
    printf("%s, %s%s%d thread%s: %.1f M parameters, weights %.1f MiB (%s bits a trit), head %s%s\n",
           name, is_cpu ? "" : device, is_cpu ? "" : ", ", threads, threads > 1 ? "s" : "",
           (double)info->parameters / 1e6, (double)info->weight_bytes / 1048576,
           cli_storage_bits(info), tern_head_name(info->head),
           info->head == TERN_HEAD_SCREENED ? " (tg: the largest logit only)" : "");
    print_rate("pp", &result->prompt);
    print_rate("tg", &result->generation);
    printf("  resident %.1f MiB, cache %.1f MiB, loaded in %.2f s\n",
           (double)result->resident_bytes / 1048576, (double)result->cache_bytes / 1048576,
           info->load_seconds);
}

static void print_model_json(const char *name, const tern_context *context,
                             const tern_model_info *info, const tern_bench_model_result *result) {
    printf("{\"model\": ");
    cli_print_json_string(stdout, name, strlen(name));
    printf(", \"device\": \"%s\", \"threads\": %d, \"parameters\": %llu, \"weight_bytes\": %llu, "
           "\"storage\": \"%s\", \"head\": \"%s\"",
           tern_context_device(context), tern_context_threads(context),
           (unsigned long long)info->parameters, (unsigned long long)info->weight_bytes,
           cli_storage_bits(info), tern_head_name(info->head));
    print_rate_json("pp", &result->prompt);
    print_rate_json("tg", &result->generation);
    printf(", \"resident_bytes\": %llu, \"cache_bytes\": %llu",
           (unsigned long long)result->resident_bytes, (unsigned long long)result->cache_bytes);
    print_json_value("load_seconds", info->load_seconds);
    fputc('}', stdout);
}

/* No more tokens than the model's context has: the label of the figure says how many they are. */
static void fit_context(int64_t context_length, tern_bench_model_options *bench) {
    if (bench->prompt_tokens > context_length)
        bench->prompt_tokens = context_length;
    if (bench->generated_tokens > context_length)
        bench->generated_tokens = context_length;
}

/* Loads and measures with one number of threads. */
static int measure_model(bench_values *values, const char *path, int64_t threads) {
    tern_context *context = NULL;
    tern_model *model = NULL;
    tern_bench_model_result result;
    int status = CLI_OK;
    tern_options options = {.threads = (int)threads, .cpu = values->cpu};
    tern_bench_model_options bench = {.prompt_tokens = values->prompt_tokens,
                                      .generated_tokens = values->generated_tokens,
                                      .samples = (int)values->repeats,
                                      .cache_type = cli_cache_type(values->cache)};
    cli_progress progress = cli_progress_begin();
    tern_model_options model_options = {.progress = cli_progress_update,
                                        .progress_user = &progress,
                                        .storage = cli_storage(values->storage),
                                        .head = cli_head(values->head)};
    tern_device_choice device;
    const char *wanted = cli_device_name(values->device, "cpu");
    int opened = cli_open_context(&options, wanted, &device, &context);
    if (opened != CLI_OK)
        return opened;
    tern_status loaded = TERN_OK;
    if (values->shape != NULL)
        loaded = tern_model_random(context, values->shape, 1, &model_options, &model);
    else
        loaded = tern_model_load(context, path, &model_options, &model);
    cli_progress_end(&progress);
    const char *name = values->shape != NULL ? values->shape : path;
    if (loaded == TERN_OK)
        fit_context(tern_model_describe(model).context_length, &bench);
    if (loaded == TERN_OK && tern_model_describe(model).head == TERN_HEAD_SCREENED)
        bench.best = 1;
    if (loaded != TERN_OK || tern_bench_model(context, model, &bench, &result) != TERN_OK) {
        status = cli_fail_library(name);
    } else {
        tern_model_info info = tern_model_describe(model);
        if (values->is_json)
            begin_row(values);
        (values->is_json ? print_model_json : print_model)(name, context, &info, &result);
        cli_flush();
    }
    tern_model_release(model);
    tern_context_destroy(context);
    return status;
}

static int measure_models(bench_values *values, const char *path) {
    int status = CLI_OK;
    for (int t = 0; t < values->threads.count && status == CLI_OK; t++)
        status = measure_model(values, path, values->threads.value[t]);
    return status;
}

/* -- the command -------------------------------------------------------------------------------*/

static int unknown_name(const char *word) {
    const char *names[64];
    int count = 0;
    for (; count < tern_bench_count() && count < 60; count++)
        names[count] = tern_bench_at(count)->name;
    for (int i = 0; i < tern_bench_table_count() && count < 64; i++)
        names[count++] = tern_bench_table_at(i)->name;
    const char *nearest = cli_nearest(word, names, count);
    if (nearest != NULL)
        return cli_fail("'%s' is neither a file nor a benchmark; did you mean '%s'?", word,
                        nearest);
    return cli_fail("'%s' is neither a file nor a benchmark (see tern bench --list)", word);
}

/* The one operand that names a table. */
static const tern_bench_table *find_table(const bench_values *values, char *const *rest,
                                          int count) {
    return values->shape == NULL && count == 1 ? tern_bench_table_find(rest[0]) : NULL;
}

static bool has_device_rows(const tern_bench_table *table) {
    return table->run == tern_bench_matmul || table->run == tern_bench_models ||
           table->run == tern_bench_devices;
}

static int measure_table(const tern_bench_table *table, const bench_values *values, int argc,
                         char **argv) {
    if (values->threads.count > 1)
        return cli_usage_error(&cli_bench, "%s takes one number of threads", table->name);
    if (values->versus != NULL && strcmp(table->name, "matmul") != 0)
        return cli_usage_error(&cli_bench, "--vs is for matmul only");
    if (values->device != NULL && !has_device_rows(table))
        return cli_usage_error(&cli_bench, "--device is for models, matmul and devices");
    tern_bench_table_options options = {.threads = (int)values->threads.value[0],
                                        .cpu = values->cpu,
                                        .device = cli_device_rows(values->device),
                                        .samples = (int)values->repeats,
                                        .is_quick = values->is_quick,
                                        .versus = values->versus,
                                        .only = values->only,
                                        .story = cli_story_path()};
    return cli_bench_show(table, &options, values->is_json, argc, argv);
}

static int bench_run(int argc, char **argv) {
    bench_values values = {.threads = {.count = 1}};
    char **rest;
    int count;
    int status = cli_parse(&cli_bench, argc, argv, &values, &rest, &count);
    if (status != CLI_CONTINUE)
        return status;
    if (values.is_list) {
        print_list(values.is_json);
        return CLI_OK;
    }
    if ((status = cli_check_level(&cli_bench, values.cpu)) != CLI_OK ||
        (status = cli_check_device(&cli_bench, cli_device_name(values.device, NULL))) != CLI_OK)
        return status;
    const tern_bench_table *table = find_table(&values, rest, count);
    if (table != NULL)
        return measure_table(table, &values, argc, argv);
    if (values.is_quick || values.versus != NULL || values.only != NULL)
        return cli_usage_error(&cli_bench, "--quick, --vs and --only are for tables only, one at a "
                                           "time and without --shape");
    int named = 0; /* operands that are benchmarks */
    for (int i = 0; i < count; i++)
        named += tern_bench_find(rest[i]) != NULL;
    if (named > 0 && named == count && values.shape == NULL && values.device != NULL)
        return cli_usage_error(&cli_bench, "--device is for models, matmul and devices");
    if (named > 0 && named == count && values.shape == NULL) {
        status = measure_benches(&values, rest, count);
        if (values.is_json)
            end_rows(&values);
        return status;
    }
    if (count > 1 || (count == 1 && values.shape != NULL))
        return cli_usage_error(
            &cli_bench, "give either one MODEL, or --shape, or names of benchmarks, or one table");
    if (values.prompt_tokens + values.generated_tokens == 0)
        return cli_usage_error(&cli_bench, "--prompt-tokens and --tokens are both 0");
    if (count == 1 && access(rest[0], F_OK) != 0)
        return unknown_name(rest[0]);
    const char *path = NULL;
    if (values.shape == NULL && (path = cli_model_path(count == 1 ? rest[0] : NULL)) == NULL)
        return CLI_FAILED;
    status = measure_models(&values, path);
    if (values.is_json)
        end_rows(&values);
    return status;
}

const cli_command cli_bench = {
    .name = "bench",
    .usage = "[MODEL | NAME...]",
    .summary = "measures a model or a part of Tern",
    .details = "Measures how fast a model processes a prompt (pp512) and generates tokens (tg128), "
               "counted as llama-bench does, or runs registered benchmarks by name. Figures are "
               "medians, with the 5th and 95th percentile in parentheses. The names memory, "
               "elementwise, matmul, zero-copy and kernels print tables of targets, each figure "
               "with what must be reached (floor), the goal, and others that did the same work in "
               "the same run; operations prints how long each operation takes, roofline the limits "
               "of this machine, devices what accelerators do.",
    .operands = CLI_MODEL_OR_BENCH,
    .options = bench_options,
    .run = bench_run,
};
