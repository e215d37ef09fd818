/* SPDX-License-Identifier: MIT */
#include "base/library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

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
