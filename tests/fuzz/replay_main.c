/* Runs a fuzz target over the files of some folders: in ordinary builds the corpus is a test, so that no target rots
 * and each input that once failed stays tried. */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX (1024 * 1024) /* a corpus is kept small; a larger file got in by mistake */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = malloc(INPUT_MAX + 1);
    size_t size = file && bytes ? fread(bytes, 1, INPUT_MAX + 1, file) : 0;
    bool usable = file && bytes && !ferror(file) && size <= INPUT_MAX;
    if (usable) {
        /* Cut to its exact size, so that a sanitizer sees a read behind the end. */
        uint8_t *exact = realloc(bytes, size ? size : 1);
        bytes = exact ? exact : bytes;
        LLVMFuzzerTestOneInput(bytes, size);
    } else {
        fprintf(stderr, "%s: cannot be read, or is larger than %d bytes\n", path, INPUT_MAX);
    }
    free(bytes);
    if (file)
        fclose(file);
    return usable;
}

static bool replay_folder(const char *folder_path, int *count_out)
{
    *count_out = 0;
    struct dirent **entries;
    int entry_count = scandir(folder_path, &entries, NULL, alphasort);
    if (entry_count < 0) {
        fprintf(stderr, "%s: %s\n", folder_path, strerror(errno));
        return false;
    }
    bool usable = true;
    for (int i = 0; i < entry_count; i++) {
        char path[4096];
        int length = snprintf(path, sizeof(path), "%s/%s", folder_path, entries[i]->d_name);
        bool hidden = entries[i]->d_name[0] == '.';
        free(entries[i]);
        if (hidden || !usable)
            continue;
        usable = length < (int)sizeof(path) && replay(path);
        *count_out += usable;
    }
    free(entries);
    return usable;
}

int main(int argument_count, char **arguments)
{
    if (argument_count < 2) {
        fprintf(stderr, "usage: %s FOLDER...\n", arguments[0]);
        return 2;
    }
    for (int i = 1; i < argument_count; i++) {
        int count;
        if (!replay_folder(arguments[i], &count))
            return 1;
        printf("%d inputs from %s\n", count, arguments[i]);
        if (count == 0)
            return 1;
    }
    return 0;
}
