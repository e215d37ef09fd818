/* SPDX-License-Identifier: MIT */
#include "base/library.h"

#include <dirent.h>
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__GLIBC__)
#include <link.h>
#endif

tern__library *tern__library_open(const char *name, char *why, size_t why_size) {
    void *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    const char *text = handle == NULL ? dlerror() : NULL;
    snprintf(why, why_size, "%s", handle != NULL ? "" : text != NULL ? text : "cannot be opened");
    return handle;
}

void *tern__library_symbol(tern__library *library, const char *name) {
    return dlsym(library, name);
}

void (*tern__library_function(tern__library *library, const char *name))(void) {
    void *address = name != NULL ? tern__library_symbol(library, name) : NULL;
    void (*function)(void) = NULL;
    if (address != NULL)
        memcpy(&function, &address, sizeof function);
    return function;
}

void tern__library_close(tern__library *library) {
    if (library != NULL)
        dlclose(library);
}

/* The path of the file with this code. The program itself goes by whatever name it was called. */
static bool find_file(char path[PATH_MAX]) {
    Dl_info info;
#if defined(__GLIBC__)
    struct link_map *map = NULL;
    if (dladdr1((const void *)&find_file, &info, (void **)&map, RTLD_DL_LINKMAP) == 0)
        return false;
    if (map != NULL && map->l_name[0] == '\0')
        return realpath("/proc/self/exe", path) != NULL;
#else
    if (dladdr((const void *)&find_file, &info) == 0)
        return false;
#endif
    return realpath(info.dli_fname, path) != NULL;
}

bool tern__library_folder(char *folder, size_t size) {
    char path[PATH_MAX];
    char *end = find_file(path) ? strrchr(path, '/') : NULL;
    if (end == NULL)
        return false;
    *end = '\0';
    return (size_t)snprintf(folder, size, "%s", path) < size;
}

void tern__library_list(const char *folder, void (*visit)(void *user, const char *file),
                        void *user) {
    DIR *directory = opendir(folder);
    struct dirent *entry;
    if (directory == NULL)
        return;
    while ((entry = readdir(directory)) != NULL)
        visit(user, entry->d_name);
    closedir(directory);
}
