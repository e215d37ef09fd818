/* SPDX-License-Identifier: MIT
 * The POSIX side of the OS table: Linux first, other systems where they agree. */
#include "base/os.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/random.h>
#endif

extern char **environ;

#include <tern/base.h>

#if !defined(MAP_NORESERVE)
#define MAP_NORESERVE 0
#endif

static void *os_alloc(size_t bytes) {
    return calloc(1, bytes != 0 ? bytes : 1);
}

static void *os_pages_map(size_t bytes) {
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return pages != MAP_FAILED ? pages : NULL;
}

static void os_pages_unmap(void *pages, size_t bytes) {
    munmap(pages, bytes);
}

/* madvise over the whole pages inside [data, data + bytes); a hint, so failure does not matter. */
static void advise(const void *data, size_t bytes, int advice) {
    uintptr_t page = tern__os_page_size();
    uintptr_t begin = ((uintptr_t)data + page - 1) & ~(page - 1);
    uintptr_t end = ((uintptr_t)data + bytes) & ~(page - 1);
    if (begin < end)
        (void)madvise((void *)begin, end - begin, advice);
}

static void os_pages_huge(void *pages, size_t bytes) {
#if defined(MADV_HUGEPAGE)
    advise(pages, bytes, MADV_HUGEPAGE);
#else
    (void)pages, (void)bytes;
#endif
}

/* Elsewhere than on Linux MADV_DONTNEED need not free anything. */
static void os_pages_drop(void *pages, size_t bytes) {
#if defined(__linux__)
    advise(pages, bytes, MADV_DONTNEED);
#elif defined(MADV_FREE)
    advise(pages, bytes, MADV_FREE);
#else
    (void)pages, (void)bytes;
#endif
}

/* O_NONBLOCK: opening a pipe that nobody writes to must not hang. It means nothing to a file. */
static int os_file_open(const char *path, int *fd) {
    do {
        *fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    } while (*fd < 0 && errno == EINTR);
    return *fd < 0 ? errno : 0;
}

static int os_file_info(int fd, tern__os_file_info *info) {
    struct stat facts;
    if (fstat(fd, &facts) != 0)
        return errno;
    info->is_regular = S_ISREG(facts.st_mode);
    info->is_directory = S_ISDIR(facts.st_mode);
    info->size = info->is_regular && facts.st_size > 0 ? (uint64_t)facts.st_size : 0;
    return 0;
}

static int os_file_map(int fd, size_t bytes, const void **data) {
    void *map = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return errno;
    *data = map;
    return 0;
}

static void os_file_unmap(const void *data, size_t bytes) {
    munmap((void *)(uintptr_t)data, bytes);
}

static void os_file_drop(const void *data, size_t bytes) {
    advise(data, bytes, MADV_DONTNEED);
}

static void os_file_close(int fd) {
    close(fd);
}

static int os_file_create(const char *path, int *fd) {
    do {
        *fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0666);
    } while (*fd < 0 && errno == EINTR);
    return *fd < 0 ? errno : 0;
}

static int os_file_write(int fd, uint64_t offset, const void *data, size_t bytes) {
    const char *at = data;
    while (bytes > 0) {
        ssize_t count = pwrite(fd, at, bytes, (off_t)offset);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return count < 0 ? errno : ENOSPC;
        at += count;
        offset += (uint64_t)count;
        bytes -= (size_t)count;
    }
    return 0;
}

static int os_file_sync(int fd) {
    return fsync(fd) == 0 ? 0 : errno;
}

static int os_file_rename(const char *from, const char *to) {
    return rename(from, to) == 0 ? 0 : errno;
}

static void os_file_remove(const char *path) {
    unlink(path);
}

static int os_directory_create(const char *path) {
    return mkdir(path, 0700) == 0 ? 0 : errno;
}

static uint64_t os_clock_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t os_process_ns(void) {
    struct timespec time;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) != 0)
        return 0;
    return (uint64_t)time.tv_sec * UINT64_C(1000000000) + (uint64_t)time.tv_nsec;
}

/* The processors of the process when it was first asked for them: pinning changes what a thread is
 * told later. */
#if defined(__linux__)
static cpu_set_t first_set;
static pthread_once_t first_set_once = PTHREAD_ONCE_INIT;

static void read_first_set(void) {
    if (sched_getaffinity(0, sizeof first_set, &first_set) != 0)
        CPU_ZERO(&first_set);
}

static const cpu_set_t *process_set(void) {
    pthread_once(&first_set_once, read_first_set);
    return CPU_COUNT(&first_set) > 0 ? &first_set : NULL;
}
#endif

static void os_thread_pin(int index) {
#if defined(__linux__)
    const cpu_set_t *set = process_set();
    cpu_set_t one;
    if (set == NULL)
        return;
    if (index < 0) {
        sched_setaffinity(0, sizeof *set, set);
        return;
    }
    int skip = index % CPU_COUNT(set), cpu = 0;
    while (!CPU_ISSET(cpu, set) || skip-- > 0)
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
#else
    (void)index;
#endif
}

static int os_file_text(const char *path, char *text, size_t size) {
    size_t used = 0;
    ssize_t count = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    while (used + 1 < size && (count = read(fd, text + used, size - 1 - used)) > 0)
        used += (size_t)count;
    int error = count < 0 ? errno : 0;
    text[used] = '\0';
    close(fd);
    return error;
}

/* What a new thread is to run; owned by the thread. */
typedef struct thread_start {
    void (*body)(void *);
    void *argument;
} thread_start;

static void *thread_main(void *start_pointer) {
    thread_start start = *(thread_start *)start_pointer;
    free(start_pointer);
    start.body(start.argument);
    return NULL;
}

_Static_assert(sizeof(pthread_t) <= sizeof(uint64_t), "a pthread_t fits into tern__os_thread");

/* Signals that a user of the library handles (an interrupt, a timer) must reach the threads of that
 * user: ours block all but those that report a fault of the thread itself. */
static int os_thread_start(tern__os_thread *thread, void (*body)(void *), void *argument) {
    thread_start *start = malloc(sizeof *start);
    if (start == NULL)
        return ENOMEM;
    *start = (thread_start){body, argument};

    sigset_t blocked, before;
    sigfillset(&blocked);
    const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGPROF};
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        sigdelset(&blocked, faults[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    pthread_t id;
    int error = pthread_create(&id, NULL, thread_main, start);
    pthread_sigmask(SIG_SETMASK, &before, NULL);

    if (error != 0) {
        free(start);
        return error;
    }
    thread->opaque = 0;
    memcpy(&thread->opaque, &id, sizeof id);
    return 0;
}

static void os_thread_join(tern__os_thread thread) {
    pthread_t id;
    memcpy(&id, &thread.opaque, sizeof id);
    pthread_join(id, NULL);
}

static int os_random(void *bytes, size_t count) {
    enum { CALL_BYTES = 256 }; /* a call of this size is never cut short by a signal */
    for (size_t done = 0; done < count;) {
        size_t part = count - done < CALL_BYTES ? count - done : CALL_BYTES;
#if defined(__linux__)
        if (getrandom((char *)bytes + done, part, 0) != (ssize_t)part) {
            if (errno == EINTR)
                continue;
            return errno;
        }
#else
        if (getentropy((char *)bytes + done, part) != 0)
            return errno;
#endif
        done += part;
    }
    return 0;
}

/* Standard input and messages are nowhere, what is printed goes to `to`. */
static int start_program(const char *const argv[], int to, pid_t *id) {
    posix_spawn_file_actions_t files;
    int error = posix_spawn_file_actions_init(&files);
    if (error != 0)
        return error;
    error = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    if (error == 0)
        error = posix_spawn_file_actions_adddup2(&files, to, 1);
    if (error == 0)
        error = posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
    if (error == 0)
        error = posix_spawnp(id, argv[0], &files, NULL, (char *const *)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&files);
    return error;
}

/* Reads to the end, so that the program never waits for room; what does not fit is dropped. */
static int read_all(int fd, char *text, size_t size) {
    char rest[4096];
    size_t used = 0;
    for (;;) {
        bool fits = used + 1 < size;
        ssize_t count = fits ? read(fd, text + used, size - 1 - used) : read(fd, rest, sizeof rest);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0) {
            text[used] = '\0';
            return count < 0 ? errno : 0;
        }
        used += fits ? (size_t)count : 0;
    }
}

static int os_program_run(const char *const argv[], char *output, size_t size, int *exit_status) {
    int ends[2], status = 0;
    pid_t id;
    if (pipe(ends) != 0)
        return errno;
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    int error = start_program(argv, ends[1], &id);
    close(ends[1]);
    if (error == 0) {
        error = read_all(ends[0], output, size);
        while (waitpid(id, &status, 0) < 0)
            if (errno != EINTR) {
                error = errno;
                break;
            }
    }
    close(ends[0]);
    *exit_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return error;
}

const tern__os_table tern__os_default = {
    .alloc = os_alloc,
    .free = free,
    .pages_map = os_pages_map,
    .pages_unmap = os_pages_unmap,
    .pages_huge = os_pages_huge,
    .pages_drop = os_pages_drop,
    .file_open = os_file_open,
    .file_info = os_file_info,
    .file_map = os_file_map,
    .file_unmap = os_file_unmap,
    .file_drop = os_file_drop,
    .file_close = os_file_close,
    .file_create = os_file_create,
    .file_write = os_file_write,
    .file_sync = os_file_sync,
    .file_rename = os_file_rename,
    .file_remove = os_file_remove,
    .directory_create = os_directory_create,
    .file_text = os_file_text,
    .clock_ns = os_clock_ns,
    .process_ns = os_process_ns,
    .thread_pin = os_thread_pin,
    .thread_start = os_thread_start,
    .thread_join = os_thread_join,
    .random = os_random,
    .program_run = os_program_run,
};

/* Atomic because idle worker threads read the clock while a test exchanges tables. */
static _Atomic(const tern__os_table *) table_in_force = &tern__os_default;

const tern__os_table *tern__os(void) {
    return atomic_load_explicit(&table_in_force, memory_order_acquire);
}

void tern__os_set(const tern__os_table *table) {
    atomic_store_explicit(&table_in_force, table != NULL ? table : &tern__os_default,
                          memory_order_release);
}

int tern__os_cpu_count(void) {
#if defined(__linux__)
    const cpu_set_t *set = process_set();
    if (set != NULL)
        return CPU_COUNT(set);
#endif
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (int)count : 0;
}

bool tern__os_cpu_allowed(int cpu) {
#if defined(__linux__)
    const cpu_set_t *set = process_set();
    return set == NULL || (cpu >= 0 && cpu < CPU_SETSIZE && CPU_ISSET(cpu, set));
#else
    (void)cpu;
    return true;
#endif
}

size_t tern__os_page_size(void) {
    long bytes = sysconf(_SC_PAGESIZE);
    return bytes > 0 ? (size_t)bytes : 4096;
}

#if defined(__linux__)
/* The start of a file below /proc as text; "" when it cannot be read. */
static void read_proc(const char *path, char *text, size_t size) {
    text[0] = '\0';
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t count = read(fd, text, size - 1);
    text[count > 0 ? count : 0] = '\0';
    close(fd);
}
#endif

uint64_t tern__os_resident_bytes(void) {
    uint64_t pages = 0;
#if defined(__linux__)
    char text[128];
    read_proc("/proc/self/statm", text, sizeof text);
    const char *space = strchr(text, ' '); /* the second number */
    if (space != NULL)
        pages = strtoull(space, NULL, 10);
#endif
    return pages * tern__os_page_size();
}

uint64_t tern__os_peak_bytes(void) {
#if defined(__linux__)
    /* getrusage would also count what a large parent process had before it started this program. */
    char text[2048];
    read_proc("/proc/self/status", text, sizeof text);
    const char *line = strstr(text, "VmHWM:");
    if (line != NULL) {
        uint64_t peak = strtoull(line + 6, NULL, 10) * 1024, now = tern__os_resident_bytes();
        return peak > now ? peak : now; /* the kernel brings the mark up to date with a delay */
    }
#endif
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return 0;
#if defined(__APPLE__)
    return (uint64_t)usage.ru_maxrss;
#else
    return (uint64_t)usage.ru_maxrss * 1024;
#endif
}

uint64_t tern_peak_memory(void) {
    return tern__os_peak_bytes();
}
