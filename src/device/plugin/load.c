/* SPDX-License-Identifier: MIT
 * A plug-in is looked at before it is believed: the numbers at the beginning of its table say
 * whether the rest is what this version expects. */
#include "device/plugin/load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/library.h"
#include "base/os.h"
#include "base/status.h"
#include "base/threads.h"
#include "device/plugin/whole.h"

enum { FOLDER = TERN__PLUGIN_PATH, MOST_NAMES = 32, MOST_FOLDERS = 16 };

const tern__plugin_host tern__plugin_host_table = {tern__fail, tern__message};

static const char *const known[] = {"cuda", "mlx"};
enum { KNOWN = sizeof known / sizeof *known };

static bool is_known(const char *name) {
    for (int i = 0; i < KNOWN; i++)
        if (strcmp(name, known[i]) == 0)
            return true;
    return false;
}

/* -- where they are ----------------------------------------------------------------------------*/

typedef struct folders {
    int count;
    char path[MOST_FOLDERS][FOLDER];
} folders;

static void add_folder(folders *f, const char *path, size_t length, const char *below) {
    if (f->count < MOST_FOLDERS && length > 0 &&
        (size_t)snprintf(f->path[f->count], FOLDER, "%.*s%s", (int)length, path, below) < FOLDER)
        f->count++;
}

static void find_folders(folders *f) {
    const char *at = getenv("TERN_PLUGIN_PATH");
    char own[FOLDER];
    f->count = 0;
    for (; at != NULL; at = *at == ':' ? at + 1 : NULL) {
        size_t length = strcspn(at, ":");
        add_folder(f, at, length, "");
        at += length;
    }
    if (getenv("TERN_PLUGIN_PATH") != NULL || !tern__library_folder(own, sizeof own))
        return;
    add_folder(f, own, strlen(own), "");
    add_folder(f, own, strlen(own), "/" TERN_PLUGIN_FOLDER);
    add_folder(f, own, strlen(own), "/tern"); /* beside libtern */
}

static bool is_name(const char *name) {
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    return length > 0 && name[length] == '\0' && length < TERN__PLUGIN_NAME;
}

static int open_error(const char *path) {
    const tern__os_table *os = tern__os();
    int fd, error = os->file_open(path, &fd);
    if (error == 0)
        os->file_close(fd);
    return error;
}

/* The first file that can be read; else one that cannot, or may be in a folder that cannot: to load
 * it fails and tells why. */
static bool find_file(const char *name, char path[TERN__PLUGIN_PATH]) {
    folders f;
    char locked[TERN__PLUGIN_PATH] = "";
    find_folders(&f);
    for (int i = 0; i < f.count; i++) {
        if (snprintf(path, TERN__PLUGIN_PATH, "%s/tern_%s.so", f.path[i], name) >=
            TERN__PLUGIN_PATH)
            continue;
        int error = open_error(path);
        if (error == 0)
            return true;
        if (error == EACCES && locked[0] == '\0')
            memcpy(locked, path, sizeof locked);
    }
    memcpy(path, locked, sizeof locked);
    return locked[0] != '\0';
}

typedef struct name_list {
    char (*names)[TERN__PLUGIN_NAME];
    int count, capacity;
} name_list;

static void add_name(name_list *list, const char *name) {
    for (int i = 0; i < list->count && i < list->capacity; i++)
        if (strcmp(list->names[i], name) == 0)
            return;
    if (list->count < list->capacity)
        snprintf(list->names[list->count], TERN__PLUGIN_NAME, "%s", name);
    list->count++;
}

static void add_file(void *user, const char *file) {
    static const char start[] = "tern_", end[] = ".so";
    char name[TERN__PLUGIN_NAME];
    size_t length = strlen(file), most = sizeof start - 1 + sizeof name;
    if (length <= sizeof start + sizeof end - 2 || length >= most ||
        strncmp(file, start, sizeof start - 1) != 0 ||
        strcmp(file + length - (sizeof end - 1), end) != 0)
        return;
    snprintf(name, sizeof name, "%.*s", (int)(length - sizeof start - sizeof end + 2),
             file + sizeof start - 1);
    if (is_name(name))
        add_name(user, name);
}

static int compare(const void *a, const void *b) {
    return strcmp(a, b);
}

int tern__plugin_names(char (*names)[TERN__PLUGIN_NAME], int capacity) {
    char found[MOST_NAMES][TERN__PLUGIN_NAME];
    name_list list = {.names = found, .capacity = MOST_NAMES};
    folders f;
    for (int i = 0; i < KNOWN; i++)
        add_name(&list, known[i]);
    find_folders(&f);
    for (int i = 0; i < f.count; i++)
        tern__library_list(f.path[i], add_file, &list);
    int count = list.count < MOST_NAMES ? list.count : MOST_NAMES;
    qsort(found[KNOWN], (size_t)(count - KNOWN), sizeof found[0], compare);
    for (int i = 0; i < count && i < capacity; i++)
        memcpy(names[i], found[i], sizeof found[0]);
    return count;
}

/* -- what they are -----------------------------------------------------------------------------*/

static tern_status refuse(const char *path, const char *why) {
    const char *file = strrchr(path, '/');
    return tern__fail(TERN_E_UNSUPPORTED, "%s %s", file != NULL ? file + 1 : path, why);
}

static tern_status check_numbers(const char *path, const tern__plugin *p) {
    if (p->abi != TERN__PLUGIN_ABI || p->struct_bytes != sizeof *p || p->op_count != TERN__OP_COUNT)
        return refuse(path, "was built for another version of Tern");
    if (p->tern == NULL || strcmp(p->tern, tern_version()) != 0) {
        char why[96];
        snprintf(why, sizeof why, "was built for Tern %.32s, this is %s",
                 p->tern != NULL ? p->tern : "?", tern_version());
        return refuse(path, why);
    }
    return TERN_OK;
}

static tern_status check_functions(const char *path, const char *name, const tern__plugin *p) {
    if (p->name == NULL || strcmp(p->name, name) != 0)
        return refuse(path, "calls its device by another name");
    int memory = (p->map != NULL) + (p->unmap != NULL) + (p->copy_in != NULL) +
                 (p->copy_out != NULL) + (p->copy_within != NULL);
    int packing = (p->packed_bytes != NULL) + (p->pack_weight != NULL);
    if (p->probe == NULL || p->open == NULL || p->close == NULL || p->wait == NULL ||
        p->submit == NULL || (memory != 0 && memory != 5) || packing == 1)
        return refuse(path, "lacks functions that every device must have");
    return TERN_OK;
}

static tern_status read_table(const char *path, const char *name, const tern__plugin **plugin) {
    char why[256];
    if (!tern__file_is_whole(path))
        return refuse(path, "is shorter than its headers say");
    tern__library *library = tern__library_open(path, why, sizeof why);
    if (library == NULL)
        return tern__fail(TERN_E_UNSUPPORTED, "%s", why);
    const tern__plugin *(*entry)(void) =
        (const tern__plugin *(*)(void))tern__library_function(library, "tern_plugin");
    const tern__plugin *found = entry != NULL ? entry() : NULL;
    tern_status status = entry == NULL   ? refuse(path, "is no plug-in of Tern")
                         : found == NULL ? refuse(path, "has no table")
                                         : check_numbers(path, found);
    if (status == TERN_OK)
        status = check_functions(path, name, found);
    if (status != TERN_OK) {
        tern__library_close(library);
        return status;
    }
    *plugin = found;
    return TERN_OK;
}

/* What was loaded stays to the end of the process: libraries of devices do not like to be asked
 * twice. */
typedef struct loaded {
    char path[TERN__PLUGIN_PATH];
    const tern__plugin *plugin;
} loaded;

static tern__lock lock = {PTHREAD_MUTEX_INITIALIZER};
static loaded table[MOST_NAMES];
static int table_count;

static tern_status load_once(const char *path, const char *name, const tern__plugin **plugin) {
    for (int i = 0; i < table_count; i++)
        if (strcmp(table[i].path, path) == 0) {
            *plugin = table[i].plugin;
            return TERN_OK;
        }
    tern_status status = read_table(path, name, plugin);
    if (status == TERN_OK && table_count < MOST_NAMES) {
        snprintf(table[table_count].path, TERN__PLUGIN_PATH, "%s", path);
        table[table_count++].plugin = *plugin;
    }
    return status;
}

tern_status tern__plugin_load(const char *name, const tern__plugin **plugin,
                              char path[TERN__PLUGIN_PATH]) {
    path[0] = '\0';
    if (!is_name(name))
        return tern__fail(TERN_E_NOT_FOUND, "no device has a name like \"%.40s\"", name);
    if (!find_file(name, path))
        return tern__fail(is_known(name) ? TERN_E_UNSUPPORTED : TERN_E_NOT_FOUND,
                          "no plug-in tern_%s.so", name);
    tern__lock_acquire(&lock);
    tern_status status = load_once(path, name, plugin);
    tern__lock_release(&lock);
    return status;
}
