/* Reads files and folders of schemas/: small, local, our own. It knows nothing of what is in them. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "usage_own.h"

bool usage_file_exists(const char *path)
{
    return access(path, R_OK) == 0;
}

const char *usage_path_join(struct arena *arena, struct text folder, const char *name)
{
    return text_cstring(arena, text_format(arena, "%.*s/%s", TEXT_ARG(folder), name));
}

enum status usage_file_read(const char *path, struct arena *arena, struct text *bytes_out)
{
    FILE *stream = fopen(path, "rb");
    if (!stream)
        return NOT_FOUND;
    struct text_builder content;
    builder_init(&content, arena);
    char piece[16384];
    size_t length;
    while (content.length <= USAGE_FILE_MAX && (length = fread(piece, 1, sizeof(piece), stream)) > 0)
        builder_add(&content, (struct text){piece, length});
    bool good = !ferror(stream) && content.length <= USAGE_FILE_MAX;
    fclose(stream);
    *bytes_out = builder_text(&content);
    return good ? OK : FAILED;
}

static int name_order(const void *a, const void *b)
{
    return text_compare(*(const struct text *)a, *(const struct text *)b);
}

enum status usage_folder_list(const char *path, struct arena *arena, struct text **names_out, size_t *count_out)
{
    DIR *folder = opendir(path);
    if (!folder)
        return NOT_FOUND;
    size_t count = 0;
    while (readdir(folder))
        count++;
    rewinddir(folder);
    struct text *names = arena_array(arena, struct text, count + 1);
    size_t used = 0;
    for (struct dirent *entry = readdir(folder); entry && used < count; entry = readdir(folder)) {
        if (entry->d_name[0] != '.')
            names[used++] = text_copy(arena, text_of(entry->d_name));
    }
    closedir(folder);
    qsort(names, used, sizeof(names[0]), name_order);
    *names_out = names;
    *count_out = used;
    return OK;
}
