/* SPDX-License-Identifier: MIT
 * The devices that tests of devices run on: the plug-ins that the build made, or those that
 * TERN_TEST_DEVICES names, separated by commas. TERN_TEST_PLUGINS and TERN_BUILD_DIR are folders of
 * the build. */
#ifndef TERN_TEST_DEVICE_FIXTURE_H
#define TERN_TEST_DEVICE_FIXTURE_H

#include <tern/device.h>

#include "support.h"

enum { FIXTURE_DEVICES = 16 };

/* Before the first look for plug-ins: those of the tests, the real ones, then those of the folders
 * that the environment names. */
static inline void use_plugins(void) {
    const char *own = getenv("TERN_PLUGIN_PATH");
    char folders[4096];
    snprintf(folders, sizeof folders, "%s:%s%s%s", TERN_TEST_PLUGINS, TERN_BUILD_DIR,
             own != NULL ? ":" : "", own != NULL ? own : "");
    setenv("TERN_PLUGIN_PATH", folders, 1);
}

/* Adds the names of a list with commas. */
static inline int named_devices(const char *list, tern_device_info *infos, int capacity) {
    int count = 0;
    while (*list != '\0' && count < capacity) {
        size_t length = strcspn(list, ",");
        char name[sizeof infos->name];
        snprintf(name, sizeof name, "%.*s", (int)length, list);
        if (tern_device_find(name, &infos[count]) == TERN_OK) {
            count++;
        } else {
            infos[count] = (tern_device_info){.is_there = false};
            snprintf(infos[count].name, sizeof infos->name, "%s", name);
            snprintf(infos[count++].reason, sizeof infos->reason, "%s", tern_last_error());
        }
        list += length + (list[length] == ',');
    }
    return count;
}

/* The devices to test on, all of them usable; those that are not are skipped aloud. */
static inline int test_devices(const char *list, tern_device_info infos[FIXTURE_DEVICES]) {
    tern_device_info all[FIXTURE_DEVICES];
    int count, kept = 0;
    if (list == NULL)
        list = getenv("TERN_TEST_DEVICES");
    if (list != NULL && *list == '\0')
        list = NULL;
    if (list != NULL)
        count = named_devices(list, all, FIXTURE_DEVICES);
    else
        count = tern_devices(all, FIXTURE_DEVICES);
    for (int i = 0; i < count && i < FIXTURE_DEVICES; i++) {
        if (list == NULL && strcmp(all[i].name, "cpu") == 0)
            continue;
        if (all[i].is_there)
            infos[kept++] = all[i];
        else
            printf("SKIPPED: device %s: %s\n", all[i].name, all[i].reason);
    }
    return kept;
}

#endif
