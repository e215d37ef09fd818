/* SPDX-License-Identifier: MIT
 * tern run: continues a text. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <tern/tern.h>

#include "commands.h"
#include "device.h"

/* The prompt is evaluated in pieces of this many tokens, so that Ctrl-C is heard in between. */
enum { PROMPT_PIECE = 512 };

typedef struct run_values {
    const char *prompt, *file, *cpu, *cache, *storage, *head, *color, *track, *memory_json, *device;
    int64_t tokens, top_k, repeat_last, seed, threads, context;
    double temperature, top_p, min_p, repeat_penalty;
    bool no_special, ignore_eos, quiet, memory_report, stats, explain;
} run_values;

#define FIELD(field) offsetof(run_values, field)
static const cli_option run_options[] = {
    {"prompt", 'p', CLI_TEXT, "TEXT", NULL, NULL,
     "the text to continue; - reads standard input; empty by default", FIELD(prompt)},
    CLI_OPTION_FILE(run_values, file),
    {"tokens", 'n', CLI_INTEGER, "N", "256", "0..16777216", "how many tokens to generate",
     FIELD(tokens)},
    {"temp", 0, CLI_REAL, "T", "0.8", "0..100",
     "temperature: higher is more surprising; 0 always takes the likeliest token",
     FIELD(temperature)},
    {"top-k", 0, CLI_INTEGER, "K", "40", "0..16777216",
     "choose among the K likeliest tokens; 0: among all", FIELD(top_k)},
    {"top-p", 0, CLI_REAL, "P", "0.95", "0..1",
     "choose among the likeliest tokens that have probability P together", FIELD(top_p)},
    {"min-p", 0, CLI_REAL, "P", "0.05", "0..1",
     "drop tokens less likely than P times the likeliest", FIELD(min_p)},
    {"repeat-penalty", 0, CLI_REAL, "R", "1", "0.01..100",
     "above 1: makes the last tokens less likely to come again", FIELD(repeat_penalty)},
    {"repeat-last", 0, CLI_INTEGER, "N", "64", "0..1048576",
     "how many tokens --repeat-penalty looks back", FIELD(repeat_last)},
    {"seed", 0, CLI_INTEGER, "S", NULL, "0..4294967295",
     "seed of the random choice; a new one each time by default", FIELD(seed)},
    {"threads", 't', CLI_INTEGER, "N", NULL, "1..1024", "threads to use; all processors by default",
     FIELD(threads)},
    {"ctx", 'c', CLI_INTEGER, "N", NULL, "1..16777216",
     "most tokens of prompt and text together; the model's by default", FIELD(context)},
    CLI_OPTION_CACHE(run_values, cache),
    CLI_OPTION_STORAGE(run_values, storage),
    CLI_OPTION_HEAD(run_values, head, "auto", "; auto: screened where that pays"),
    CLI_OPTION_CPU(run_values, cpu),
    CLI_OPTION_DEVICE(run_values, device, "auto"),
    {"no-special", 0, CLI_FLAG, NULL, NULL, NULL,
     "take words such as <|eot_id|> in the prompt as plain text", FIELD(no_special)},
    {"ignore-eos", 0, CLI_FLAG, NULL, NULL, NULL, "go on when the model ends its text",
     FIELD(ignore_eos)},
    {"quiet", 'q', CLI_FLAG, NULL, NULL, NULL, "leave out the line of figures", FIELD(quiet)},
    {"color", 0, CLI_CHOICE, "WHEN", "auto", "auto|always|never",
     "colours: auto uses them on a terminal", FIELD(color)},
    {"memory-report", 0, CLI_FLAG, NULL, NULL, NULL,
     "show what the memory is used for in the end, on standard error", FIELD(memory_report)},
    {"memory-json", 0, CLI_FILE, "FILE", NULL, NULL,
     "write the same as JSON into FILE; - is standard output", FIELD(memory_json)},
    {"stats", 0, CLI_FLAG, NULL, NULL, NULL,
     "count operations, and the bytes that were copied, on standard error", FIELD(stats)},
    {"explain", 0, CLI_FLAG, NULL, NULL, NULL,
     "show the device, the kernels, the weights, the head and the cache that are used, and why, on "
     "standard error; in the end, who did which operations",
     FIELD(explain)},
    {"track", 0, CLI_CHOICE, "LEVEL", "counts", "counts|sites|full",
     "how closely memory is watched: sites knows who made what is alive, full finds misuse as well",
     FIELD(track)},
    {0},
};

typedef struct run_state {
    run_values values;
    tern_device_choice device;
    tern_context *context;
    tern_model *model;
    tern_session *session;
    tern_sampler *sampler;
    const tern_tokenizer *tokenizer;
    char *text; /* the prompt */
    size_t text_bytes;
    int32_t *prompt; /* its tokens */
    int64_t prompt_tokens;
    float *logits; /* (V); only the first `best` where not all are needed */
    int32_t *ids;  /* (V): of the best logits */
    int64_t best;  /* how many of the largest logits are made; 0: all */
    int64_t generated;
    FILE *memory_json;                                       /* NULL: not wanted */
    double load_seconds, prompt_seconds, generation_seconds; /* generation without output */
} run_state;

static volatile sig_atomic_t is_interrupted;

static void interrupt(int number) {
    (void)number;
    is_interrupted = 1;
}

/* The first Ctrl-C asks to stop; the handler goes with it, so that the second one ends the
 * program at once. */
static void catch_interrupt(void) {
    struct sigaction action = {.sa_flags = SA_RESETHAND | SA_RESTART};
    action.sa_handler = interrupt;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
}

static int read_prompt(run_state *s) {
    const char *prompt = s->values.prompt, *file = s->values.file;
    if (prompt != NULL && strcmp(prompt, "-") == 0)
        file = "-";
    if (file != NULL) {
        s->text = cli_read_input(file, &s->text_bytes);
        return s->text != NULL ? CLI_OK : CLI_FAILED;
    }
    s->text = strdup(prompt != NULL ? prompt : "");
    s->text_bytes = prompt != NULL ? strlen(prompt) : 0;
    return s->text != NULL ? CLI_OK : cli_fail("out of memory");
}

static tern_tracking tracking_level(const char *word) {
    return strcmp(word, "full") == 0    ? TERN_TRACK_FULL
           : strcmp(word, "sites") == 0 ? TERN_TRACK_SITES
                                        : TERN_TRACK_COUNTS;
}

static void warn_of_memory(void *user, const tern_memory_event *event) {
    (void)user;
    cli_flush();
    fprintf(stderr, "tern: warning: %s\n", event->text);
}

static tern_sampler_options sampler_options(const run_state *s) {
    const run_values *v = &s->values;
    return (tern_sampler_options){.temperature = (float)v->temperature,
                                  .top_k = (int32_t)v->top_k,
                                  .top_p = (float)v->top_p,
                                  .min_p = (float)v->min_p,
                                  .repeat_penalty = (float)v->repeat_penalty,
                                  .repeat_last = (int32_t)v->repeat_last,
                                  .seed = (uint64_t)v->seed};
}

/* A screen is of no use where the sampler needs all logits. */
static tern_head wanted_head(const run_state *s) {
    tern_sampler_options options = sampler_options(s);
    tern_head head = cli_head(s->values.head);
    return head == TERN_HEAD_AUTO && tern_sampler_needs(&options) == 0 ? TERN_HEAD_FULL : head;
}

static int load(run_state *s, const char *path) {
    double start = cli_now();
    tern_options options = {
        .threads = (int)s->values.threads,
        .cpu = s->values.cpu,
        .tracking = tracking_level(s->values.track),
        .on_memory_event = warn_of_memory,
    };
    const char *device = cli_device_name(s->values.device, "auto");
    int opened = cli_open_context(&options, device, &s->device, &s->context);
    if (opened != CLI_OK)
        return opened;
    cli_progress progress = cli_progress_begin();
    tern_model_options model_options = {.progress = cli_progress_update,
                                        .progress_user = &progress,
                                        .storage = cli_storage(s->values.storage),
                                        .head = wanted_head(s)};
    tern_status status = tern_model_load(s->context, path, &model_options, &s->model);
    cli_progress_end(&progress);
    if (status != TERN_OK)
        return cli_fail_library(path);
    s->load_seconds = cli_now() - start;
    s->tokenizer = tern_model_tokenizer(s->model);
    if (s->tokenizer == NULL)
        return cli_fail("%s: the model has no tokenizer", path);
    return CLI_OK;
}

/* Tokens of the prompt; BOS alone when it is empty. */
static int encode(run_state *s) {
    unsigned flags = TERN_ENCODE_BOS | (s->values.no_special ? 0 : TERN_ENCODE_SPECIAL);
    size_t capacity = s->text_bytes + 1, count = 0; /* a token has at least one byte */
    s->prompt = malloc(capacity * sizeof *s->prompt);
    if (s->prompt == NULL)
        return cli_fail("out of memory");
    if (tern_tokenizer_encode(s->tokenizer, s->text, s->text_bytes, flags, s->prompt, capacity,
                              &count) != TERN_OK)
        return cli_fail_library(NULL);
    int32_t bos = tern_tokenizer_bos(s->tokenizer);
    if (count == 0 && bos >= 0)
        s->prompt[count++] = bos;
    s->prompt_tokens = (int64_t)count;
    if (count == 0)
        return cli_fail("the prompt is empty and the model has no token to begin with");
    return CLI_OK;
}

/* The cache holds what this run can use, not more. */
static int make_session(run_state *s, int64_t *limit) {
    tern_model_info info = tern_model_describe(s->model);
    *limit = s->values.context > 0 ? s->values.context : info.context_length;
    if (*limit > info.context_length)
        return cli_fail("--ctx: the model's context has %lld tokens",
                        (long long)info.context_length);
    if (s->prompt_tokens > *limit)
        return cli_fail("the prompt has %lld tokens, the context holds %lld (see --ctx)",
                        (long long)s->prompt_tokens, (long long)*limit);
    int64_t wanted = s->prompt_tokens + s->values.tokens;
    tern_session_options options = {
        .context_length = wanted < *limit ? wanted : *limit,
        .cache_type = cli_cache_type(s->values.cache),
    };
    if (tern_session_create(s->context, s->model, &options, &s->session) != TERN_OK)
        return cli_fail_library(NULL);
    s->logits = malloc((size_t)info.vocabulary * sizeof *s->logits);
    s->ids = malloc((size_t)info.vocabulary * sizeof *s->ids);
    if (s->logits == NULL || s->ids == NULL)
        return cli_fail("out of memory");
    tern_sampler_options sampler = sampler_options(s);
    if (info.head == TERN_HEAD_SCREENED)
        s->best = tern_sampler_needs(&sampler);
    if (s->best > info.vocabulary)
        s->best = 0;
    return CLI_OK;
}

static int make_sampler(run_state *s) {
    tern_sampler_options options = sampler_options(s);
    int64_t vocabulary = tern_model_describe(s->model).vocabulary;
    if (tern_sampler_create(&options, vocabulary, &s->sampler) != TERN_OK)
        return cli_fail_library(NULL);
    for (int64_t i = 0; i < s->prompt_tokens; i++)
        tern_sampler_accept(s->sampler, s->prompt[i]);
    return CLI_OK;
}

/* Evaluates tokens; of the last one the logits that the sampler needs. */
static tern_status eval_last(run_state *s, const int32_t *tokens, int64_t count) {
    if (s->best > 0)
        return tern_session_eval_best(s->session, tokens, count, s->best, s->ids, s->logits);
    return tern_session_eval(s->session, tokens, count, TERN_LOGITS_LAST, s->logits);
}

static tern_status draw(run_state *s, int32_t *token) {
    if (s->best > 0)
        return tern_sampler_next_best(s->sampler, s->ids, s->logits, s->best, token);
    return tern_sampler_next(s->sampler, s->logits, token);
}

static tern_status eval_prompt(run_state *s) {
    double start = cli_now();
    for (int64_t i = 0; i < s->prompt_tokens && !is_interrupted; i += PROMPT_PIECE) {
        int64_t left = s->prompt_tokens - i;
        tern_status status = left <= PROMPT_PIECE
                                 ? eval_last(s, s->prompt + i, left)
                                 : tern_session_eval(s->session, s->prompt + i, PROMPT_PIECE,
                                                     TERN_LOGITS_NONE, NULL);
        if (status != TERN_OK)
            return status;
    }
    s->prompt_seconds = cli_now() - start;
    return TERN_OK;
}

/* Draws, shows and evaluates one token after another. */
static tern_status generate(run_state *s, cli_stream *stream) {
    int64_t room = tern_session_capacity(s->session) - s->prompt_tokens;
    int64_t count = s->values.tokens < room ? s->values.tokens : room;
    while (s->generated < count && !is_interrupted) {
        double start = cli_now();
        int32_t token;
        tern_status status = draw(s, &token);
        if (status != TERN_OK)
            return status;
        s->generation_seconds += cli_now() - start;
        if (tern_tokenizer_is_end(s->tokenizer, token) && !s->values.ignore_eos)
            return TERN_OK;
        const char *piece;
        size_t bytes;
        status = tern_tokenizer_piece(s->tokenizer, token, false, &piece, &bytes);
        if (status != TERN_OK)
            return status;
        cli_stream_write(stream, piece, bytes);
        if (!cli_flush())
            return TERN_OK; /* cli_finish_output tells why */
        s->generated++;
        if (s->generated == count)
            break;
        start = cli_now();
        status = eval_last(s, &token, 1);
        if (status != TERN_OK)
            return status;
        s->generation_seconds += cli_now() - start;
    }
    return TERN_OK;
}

/* "5 tokens (812.3 tok/s)"; `timed` of them took `seconds`. */
static const char *tokens_text(int64_t tokens, int64_t timed, double seconds, char *buffer,
                               size_t size) {
    int used = snprintf(buffer, size, "%lld token%s", (long long)tokens, tokens == 1 ? "" : "s");
    if (timed > 0 && seconds > 0)
        snprintf(buffer + used, size - (size_t)used, " (%.1f tok/s)", (double)timed / seconds);
    return buffer;
}

static void print_figures(const run_state *s) {
    char prompt[80], generation[80];
    bool has_color = cli_has_color(stderr, s->values.color);
    tokens_text(s->prompt_tokens, s->prompt_tokens, s->prompt_seconds, prompt, sizeof prompt);
    /* The last token is drawn but not evaluated: it costs almost nothing and does not count. */
    tokens_text(s->generated, s->generated - 1, s->generation_seconds, generation,
                sizeof generation);
    fprintf(stderr, "%sload %.1f ms, prompt %s, generated %s, peak memory %.1f MiB, seed %lld%s\n",
            has_color ? "\033[2m" : "", s->load_seconds * 1e3, prompt, generation,
            (double)tern_peak_memory() / 1048576, (long long)s->values.seed,
            has_color ? "\033[0m" : "");
}

static void echo_prompt(const run_state *s, cli_stream *stream) {
    bool has_color = cli_has_color(stdout, s->values.color);
    if (has_color)
        fputs("\033[1m", stdout);
    cli_stream_write(stream, s->text, s->text_bytes);
    cli_stream_end(stream);
    if (has_color)
        fputs("\033[0m", stdout);
    cli_flush();
}

/* What works, and why it was chosen. */
static void explain(const run_state *s) {
    tern_model_info info = tern_model_describe(s->model);
    tern_kernel_info kernel;
    fprintf(stderr, "device:  %s\nchosen:  %s, %s\nkernels:", tern_context_describe(s->context),
            s->device.name, s->device.reason);
    for (int i = 0; tern_context_kernel(s->context, i, &kernel); i++)
        fprintf(stderr, "%s%s %s", i > 0 ? ", " : " ", kernel.family, kernel.variant);
    const char *reason = info.head_reason;
    if (cli_head(s->values.head) == TERN_HEAD_AUTO && wanted_head(s) == TERN_HEAD_FULL)
        reason = "sampling with these options needs all logits";
    else if (info.head == TERN_HEAD_SCREENED && s->best == 0)
        reason = "asked for, but sampling with these options needs all logits: the screen is idle";
    fprintf(stderr, "\nweights: %s bits a trit (%s)\nhead:    %s (%s)", cli_storage_bits(&info),
            info.storage_reason, tern_head_name(info.head), reason);
    if (s->best > 0)
        fprintf(stderr, ", the best %lld of %lld logits", (long long)s->best,
                (long long)info.vocabulary);
    fprintf(stderr, "\ncache:   %s keys and values, %.1f MiB\n", s->values.cache,
            (double)tern_session_cache_bytes(s->session) / 1048576);
}

static bool is_on_processor(const run_state *s) {
    return strcmp(tern_context_device(s->context), "cpu") == 0;
}

/* Who did what, where the processor is not alone. */
static void explain_places(const run_state *s) {
    if (is_on_processor(s))
        return;
    fprintf(stderr, "%s did: ", s->device.name);
    cli_print_places(stderr, s->context, TERN_PLACE_NATIVE);
    fputs("the processor did for it: ", stderr);
    cli_print_places(stderr, s->context, TERN_PLACE_FALLBACK);
}

static void print_fallbacks(const run_state *s) {
    int64_t calls = cli_fallback_calls(s->context);
    if (calls == 0 || is_on_processor(s))
        return;
    fprintf(stderr, "%lld calls were done by the processor for %s: ", (long long)calls,
            s->device.name);
    cli_print_places(stderr, s->context, TERN_PLACE_FALLBACK);
}

static void write_text(void *file, const char *text, size_t bytes) {
    fwrite(text, 1, bytes, file);
}

/* Of what was done, and of what is in use at the end of the text: model, session and all. */
static int report_use(run_state *s) {
    if (s->values.explain)
        explain_places(s);
    if (s->values.stats) {
        cli_print_stats(stderr, s->context);
        print_fallbacks(s);
    }
    tern_memory_check(s->context); /* at level full; warn_of_memory tells */
    if (s->values.memory_report &&
        tern_memory_report(s->context, TERN_REPORT_TEXT, write_text, stderr) != TERN_OK)
        return cli_fail_library(NULL);
    if (s->memory_json != NULL &&
        tern_memory_report(s->context, TERN_REPORT_JSON, write_text, s->memory_json) != TERN_OK)
        return cli_fail_library(NULL);
    return CLI_OK;
}

static int open_memory_json(run_state *s) {
    const char *path = s->values.memory_json;
    if (path == NULL)
        return CLI_OK;
    s->memory_json = strcmp(path, "-") == 0 ? stdout : fopen(path, "w");
    return s->memory_json != NULL ? CLI_OK : cli_fail("%s: %s", path, strerror(errno));
}

static int close_memory_json(run_state *s, int status) {
    if (s->memory_json == NULL || s->memory_json == stdout)
        return status;
    bool has_failed = ferror(s->memory_json) != 0;
    if (fclose(s->memory_json) == 0 && !has_failed)
        return status;
    return cli_fail("%s: %s", s->values.memory_json, strerror(errno));
}

/* From the loaded model to the figures. */
static int tell(run_state *s) {
    int64_t limit;
    int status = encode(s);
    if (status == CLI_OK)
        status = make_session(s, &limit);
    if (status == CLI_OK)
        status = make_sampler(s);
    if (status != CLI_OK)
        return status;
    if (s->values.explain)
        explain(s);

    catch_interrupt();
    cli_stream stream = {.out = stdout, .is_terminal = isatty(fileno(stdout)) != 0};
    echo_prompt(s, &stream);
    tern_status told = eval_prompt(s);
    if (told == TERN_OK)
        told = generate(s, &stream);
    if (!is_interrupted)
        cli_stream_end(&stream); /* else what waits is half a character: dropped */
    fputc('\n', stdout);
    bool is_written = cli_flush();
    if (told != TERN_OK)
        return cli_fail_library(NULL); /* on a line of its own, behind the text */
    if (!is_written)
        return CLI_OK;
    if (s->generated < s->values.tokens && s->prompt_tokens + s->generated == limit)
        fprintf(stderr, "tern: the context of %lld tokens is full (see --ctx)\n", (long long)limit);
    if (!s->values.quiet)
        print_figures(s);
    status = report_use(s);
    return status == CLI_OK && is_interrupted ? CLI_INTERRUPTED : status;
}

static int run_run(int argc, char **argv) {
    run_state s = {.values = {.seed = -1}};
    char **rest;
    int count;
    int status = cli_parse(&cli_run, argc, argv, &s.values, &rest, &count);
    if (status != CLI_CONTINUE)
        return status;
    if (count > 1)
        return cli_usage_error(&cli_run, "unexpected argument '%s'; text goes behind -p", rest[1]);
    if (s.values.prompt != NULL && s.values.file != NULL)
        return cli_usage_error(&cli_run, "--prompt and --file exclude each other");
    if ((status = cli_check_level(&cli_run, s.values.cpu)) != CLI_OK ||
        (status = cli_check_device(&cli_run, cli_device_name(s.values.device, "auto"))) != CLI_OK)
        return status;
    uint32_t seed = 1;
    if (s.values.seed < 0 && getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed)
        seed = (uint32_t)(cli_now() * 1e9);
    if (s.values.seed < 0)
        s.values.seed = seed;

    const char *path = cli_model_path(count == 1 ? rest[0] : NULL);
    status = path != NULL ? read_prompt(&s) : CLI_FAILED;
    if (status == CLI_OK)
        status = open_memory_json(&s);
    if (status == CLI_OK)
        status = load(&s, path);
    if (status == CLI_OK)
        status = tell(&s);
    free(s.ids);
    free(s.logits);
    free(s.prompt);
    free(s.text);
    tern_sampler_destroy(s.sampler);
    tern_session_destroy(s.session);
    tern_model_release(s.model);
    tern_context_destroy(s.context);
    return close_memory_json(&s, status);
}

const cli_command cli_run = {
    .name = "run",
    .usage = "[MODEL]",
    .summary = "continues a text",
    .details = "Continues a text with a model and shows it as it comes, then one line of figures "
               "on standard error. Without a prompt the model begins by itself. Without MODEL the "
               "file in TERN_MODEL is used, else the story model that comes with Tern. Ctrl-C "
               "stops the text; a second one quits at once.",
    .operands = CLI_MODEL_FILE,
    .options = run_options,
    .run = run_run,
};
