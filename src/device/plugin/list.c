/* SPDX-License-Identifier: MIT
 * The devices of this machine, as people ask for them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/os.h"
#include "base/status.h"
#include "device/plugin/adapter.h"
#include "device/plugin/load.h"

enum { MOST = 32 };

#define COPY_TEXT(to, from) snprintf(to, sizeof(to), "%s", from)

/* "MemTotal:  16383 kB" of /proc/meminfo, in bytes; 0 where nobody tells. */
static uint64_t memory_line(const char *text, const char *name) {
    const char *line = strstr(text, name);
    return line != NULL ? strtoull(line + strlen(name), NULL, 10) * 1024 : 0;
}

static void describe_cpu(tern_device_info *info) {
    char text[2048];
    const char *model = tern__cpu()->model;
    COPY_TEXT(info->model, model[0] != '\0' ? model : "processor");
    info->is_there = info->keeps_bits = true;
    if (tern__os()->file_text("/proc/meminfo", text, sizeof text) == 0) {
        info->memory_bytes = memory_line(text, "MemTotal:");
        info->free_bytes = memory_line(text, "MemAvailable:");
    }
    for (int op = 0; op < TERN__OP_COUNT; op++)
        info->native_ops += tern__op_computes((tern__op)op);
}

static void count_ops(const tern__plugin *plugin, tern_device_info *info) {
    for (int op = 0; op < TERN__OP_COUNT; op++) {
        if (!tern__op_computes((tern__op)op))
            continue;
        tern_place place = tern__plugin_place(plugin, (tern__op)op);
        info->native_ops += place == TERN_PLACE_NATIVE;
        info->fallback_ops += place == TERN_PLACE_FALLBACK;
        info->absent_ops += place == TERN_PLACE_ABSENT;
    }
}

static tern_status describe_plugin(const char *name, tern_device_info *info) {
    const tern__plugin *plugin = NULL;
    tern__plugin_facts facts = {.model = ""};
    tern_status status = tern__plugin_load(name, &plugin, info->path);
    if (status == TERN_E_NOT_FOUND) {
        COPY_TEXT(info->reason, tern_last_error());
        return status;
    }
    if (status == TERN_OK) {
        info->has_memory = plugin->map != NULL;
        count_ops(plugin, info);
        status = plugin->probe(&tern__plugin_host_table, &facts);
    }
    if (status != TERN_OK)
        COPY_TEXT(info->reason, tern_last_error());
    info->is_there = status == TERN_OK;
    COPY_TEXT(info->model, facts.model);
    COPY_TEXT(info->library, facts.library);
    info->is_accelerator = facts.is_accelerator;
    info->keeps_bits = facts.keeps_bits;
    info->memory_bytes = facts.memory_bytes;
    info->free_bytes = facts.free_bytes;
    return TERN_OK;
}

tern_status tern_device_find(const char *name, tern_device_info *info) {
    memset(info, 0, sizeof *info);
    COPY_TEXT(info->name, name);
    if (strcmp(name, "cpu") == 0) {
        describe_cpu(info);
        return TERN_OK;
    }
    return describe_plugin(name, info);
}

int tern_devices(tern_device_info *infos, int capacity) {
    char names[MOST][TERN__PLUGIN_NAME];
    int count = 0, plugins = tern__plugin_names(names, MOST);
    if (capacity > 0)
        tern_device_find("cpu", &infos[0]);
    for (int i = 0; i < plugins; i++)
        if (++count < capacity)
            tern_device_find(names[i], &infos[count]);
    return count + 1;
}
