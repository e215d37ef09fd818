/* SPDX-License-Identifier: MIT
 *
 * What the CUDA emulation finds that a GPU would not tell: threads that diverge, memory of the
 * device in the host's hands, shared memory that is too small. And of the plug-in on it: it opens
 * and closes without leaks, and stays usable when memory runs out.
 */
#include <dlfcn.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "device/plugin.h"
#include "support.h"

static char words[256];

static tern_status keep_words(tern_status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    return status;
}

static void no_message(tern_log_level level, const char *format, ...) {
    (void)level;
    (void)format;
}

static const tern__plugin_host host = {keep_words, no_message};

/* A symbol of a shared object of the build, or NULL where that was not built. */
static void *find_symbol(const char *file, const char *name) {
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    return library != NULL ? dlsym(library, name) : NULL;
}

typedef int (*fault_fn)(int fault);

static fault_fn find_fault(const char *name) {
    void *symbol = find_symbol(TERN_TEST_PLUGINS "/emulation/emulation_faults.so", name);
    fault_fn function;
    memcpy(&function, &symbol, sizeof function);
    return function;
}

/* Makes the mistake in a child; true when it died, with what it wrote. */
static bool dies(fault_fn make, int fault, char *text, size_t size) {
    int ends[2], how = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        signal(SIGSEGV, SIG_DFL);
        _exit(make(fault) == 0 ? 0 : 3);
    }
    close(ends[1]);
    size_t length = 0;
    for (ssize_t n; (n = read(ends[0], text + length, size - 1 - length)) > 0;)
        length += (size_t)n;
    text[length] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &how, 0), child);
    return WIFSIGNALED(how);
}

static void mistakes_are_found(void **state) {
    (void)state;
    static const char *const expected[] = {
        "has ended", "some are in the barrier", "threads diverge", "", "asynchronous copies", "",
    };
    fault_fn make = find_fault("emulation_fault");
    if (make == NULL)
        test_skip("the emulation is not built");
    assert_int_equal(make(-1), 0);
    for (int i = 0; i < (int)(sizeof expected / sizeof *expected); i++) {
        char text[512];
        if (!dies(make, i, text, sizeof text) || strstr(text, expected[i]) == NULL)
            fail_msg("mistake %d: \"%s\"", i, text);
    }
}

static void errors_are_typed(void **state) {
    (void)state;
    fault_fn refuses = find_fault("emulation_refuses");
    if (refuses == NULL)
        test_skip("the emulation is not built");
    for (int i = 0; i < 5; i++)
        if (!refuses(i))
            fail_msg("%d is not refused", i);
}

static const tern__plugin *find_plugin(void) {
    void *symbol = find_symbol(TERN_TEST_PLUGINS "/tern_cudaemu.so", "tern_plugin");
    const tern__plugin *(*plugin)(void);
    memcpy(&plugin, &symbol, sizeof plugin);
    return plugin != NULL ? plugin() : NULL;
}

static uint64_t free_memory(const tern__plugin *plugin) {
    tern__plugin_facts facts = {.memory_bytes = 0};
    assert_int_equal(plugin->probe(&host, &facts), TERN_OK);
    return facts.free_bytes;
}

/* Bytes go to the device and come back. */
static void round_trip(const tern__plugin *plugin, void *device) {
    char text[] = "there and back", back[sizeof text] = "";
    void *memory = plugin->map(device, 4096);
    assert_non_null(memory);
    assert_int_equal((uintptr_t)memory % 4096, 0);
    assert_int_equal(plugin->copy_in(device, memory, text, sizeof text), TERN_OK);
    assert_int_equal(plugin->copy_out(device, back, memory, sizeof text), TERN_OK);
    assert_string_equal(back, text);
    plugin->unmap(device, memory, 4096);
}

static void opening_leaks_nothing(void **state) {
    (void)state;
    const tern__plugin *plugin = find_plugin();
    if (plugin == NULL)
        test_skip("the emulation is not built");
    uint64_t before = free_memory(plugin);
    for (int i = 0; i < (TEST_IS_SANITIZED ? 1000 : 10000); i++) {
        void *device = NULL;
        assert_int_equal(plugin->open(&host, &device), TERN_OK);
        if (i % 100 == 0)
            round_trip(plugin, device);
        plugin->close(device);
    }
    assert_int_equal(free_memory(plugin), before);
}

static void memory_runs_out(void **state) {
    (void)state;
    enum { PIECE = 16 << 20 };
    const tern__plugin *plugin = find_plugin();
    if (plugin == NULL)
        test_skip("the emulation is not built");
    void *device = NULL, *pieces[256];
    int count = 0;
    assert_int_equal(plugin->open(&host, &device), TERN_OK);
    while (count < 256 && (pieces[count] = plugin->map(device, PIECE)) != NULL)
        count++;
    assert_in_range(count, 1, 255);
    assert_non_null(strstr(words, "no memory left"));
    plugin->unmap(device, pieces[--count], PIECE);
    round_trip(plugin, device);
    while (count > 0)
        plugin->unmap(device, pieces[--count], PIECE);
    plugin->close(device);
}

int main(void) {
    setenv("TERN_EMULATION_MEMORY", "134217728", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_are_found),
        cmocka_unit_test(errors_are_typed),
        cmocka_unit_test(opening_leaks_nothing),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
