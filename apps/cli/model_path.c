/* SPDX-License-Identifier: MIT
 * Where the default model lies. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

/* Relative to the folder of the executable: installed, in the build tree, in a preset's folder. */
static const char *const beside_program[] = {"../share/tern", "../models", "../../models"};

/* Folder of the executable, without the last slash; false where the system does not tell. */
static bool program_folder(char *folder, size_t size) {
    ssize_t length = readlink("/proc/self/exe", folder, size - 1);
    if (length <= 0)
        return false;
    folder[length] = '\0';
    char *slash = strrchr(folder, '/');
    if (slash == NULL)
        return false;
    *slash = '\0';
    return true;
}

enum { PLACES = 5 };
static char places[PLACES][PATH_MAX + 64];

/* Fills `places`; the first that has the model, or NULL. */
static const char *find_story(int *count) {
    char folder[PATH_MAX];
    *count = 0;
    snprintf(places[(*count)++], sizeof *places, "models/%s", CLI_DEFAULT_MODEL);
    if (program_folder(folder, sizeof folder))
        for (size_t i = 0; i < sizeof beside_program / sizeof *beside_program; i++)
            snprintf(places[(*count)++], sizeof *places, "%s/%s/%s", folder, beside_program[i],
                     CLI_DEFAULT_MODEL);
    snprintf(places[(*count)++], sizeof *places, "%s/%s", TERN_MODEL_DIR, CLI_DEFAULT_MODEL);
    for (int i = 0; i < *count; i++)
        if (access(places[i], R_OK) == 0)
            return places[i];
    return NULL;
}

const char *cli_story_path(void) {
    int count;
    return find_story(&count);
}

const char *cli_model_path(const char *given) {
    if (given != NULL)
        return given;
    const char *named = getenv("TERN_MODEL");
    if (named != NULL && named[0] != '\0')
        return named;
    int count;
    const char *found = find_story(&count);
    if (found != NULL)
        return found;
    cli_fail("no model was given and there is none at");
    for (int i = 0; i < count; i++)
        fprintf(stderr, "  %s\n", places[i]);
    fprintf(stderr, "Name one on the command line or in TERN_MODEL.\n");
    return NULL;
}
