/* SPDX-License-Identifier: MIT
 * Plug-ins with one thing wrong: TERN_BROKEN is what, and the name of the device. Each is a library
 * of its own. */
#include <string.h>

#include "device/plugin.h"

static tern__plugin plugin;

static bool is(const char *what) {
    return strcmp(TERN_BROKEN, what) == 0;
}

static tern_status probe(const tern__plugin_host *host, tern__plugin_facts *facts) {
    (void)facts;
    if (is("bad_probe"))
        return host->fail(TERN_E_UNSUPPORTED, "libbroken.so.1 not found");
    return TERN_OK;
}

static tern_status open_device(const tern__plugin_host *host, void **device) {
    if (is("bad_open"))
        return host->fail(TERN_E_IO, "the card is on fire");
    *device = &plugin;
    return TERN_OK;
}

static void close_device(void *device) {
    (void)device;
}

static tern_status nothing(void *device) {
    (void)device;
    return TERN_OK;
}

static void *map(void *device, size_t bytes) {
    (void)device, (void)bytes;
    return NULL;
}

static tern_status packed_bytes(void *device, const tern__pack_request *request, size_t *bytes) {
    (void)device, (void)request;
    *bytes = 64;
    return TERN_OK;
}

static void spoil(void) {
    if (is("other_abi"))
        plugin.abi++;
    if (is("other_size"))
        plugin.struct_bytes -= 8;
    if (is("other_count"))
        plugin.op_count++;
    if (is("other_version"))
        plugin.tern = "0.0.9";
    if (is("no_version"))
        plugin.tern = NULL;
    if (is("other_name"))
        plugin.name = "somebody";
    if (is("no_name"))
        plugin.name = NULL;
    if (is("no_probe"))
        plugin.probe = NULL;
    if (is("no_open"))
        plugin.open = NULL;
    if (is("no_close"))
        plugin.close = NULL;
    if (is("no_submit"))
        plugin.submit = NULL;
    if (is("no_wait"))
        plugin.wait = NULL;
    if (is("half_memory"))
        plugin.map = map;
    if (is("half_packing"))
        plugin.packed_bytes = packed_bytes;
}

#if defined(TERN_BROKEN_SYMBOL)
const tern__plugin *tern_plugin_of_another_name(void);
#define tern_plugin tern_plugin_of_another_name
#endif

const tern__plugin *tern_plugin(void) {
    plugin = (tern__plugin){.abi = TERN__PLUGIN_ABI,
                            .struct_bytes = sizeof plugin,
                            .op_count = TERN__OP_COUNT,
                            .name = TERN_BROKEN,
                            .tern = TERN_PLUGIN_VERSION,
                            .probe = probe,
                            .open = open_device,
                            .close = close_device,
                            .submit = nothing,
                            .wait = nothing};
    spoil();
    return is("no_table") ? NULL : &plugin;
}
