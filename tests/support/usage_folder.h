/* A schemas folder that lives as long as one test, with a usage of notes in it. Include after cmocka.h. */
#ifndef SUPPORT_USAGE_FOLDER_H
#define SUPPORT_USAGE_FOLDER_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test_xml.h"
#include "usage.h"

static char folder[32]; /* of the running test */

static inline void file(const char *name, const char *content)
{
    const char *path = text_cstring(&arena, text_format(&arena, "%s/%s", folder, name));
    FILE *stream = fopen(path, "w");
    assert_non_null(stream);
    fputs(content, stream);
    fclose(stream);
}

static inline void subfolder(const char *name)
{
    assert_int_equal(mkdir(text_cstring(&arena, text_format(&arena, "%s/%s", folder, name)), 0700), 0);
}

#define NOTES_XSD                                                                                                      \
    "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' targetNamespace='urn:notes' xmlns='urn:notes' "            \
    "elementFormDefault='qualified'><xs:element name='notes'><xs:complexType><xs:sequence><xs:element name='note' "    \
    "minOccurs='0' maxOccurs='unbounded'><xs:complexType><xs:attribute name='id'/><xs:attribute name='to'/>"           \
    "<xs:attribute name='tag'/></xs:complexType></xs:element></xs:sequence></xs:complexType></xs:element></xs:schema>"

#define NOTES_HEAD "<usage auid='notes' mime='application/notes+xml' namespace='urn:notes' root='notes'>"

/* A folder "notes" with this between <usage> and </usage>. */
static inline void notes(const char *rows)
{
    subfolder("notes");
    file("notes/document.xsd", NOTES_XSD);
    file("notes/manifest.xml", text_cstring(&arena, text_format(&arena, "%s%s</usage>", NOTES_HEAD, rows)));
}

static inline enum status load(struct usage_set **set_out, struct text *error_out)
{
    *set_out = NULL;
    *error_out = (struct text){0};
    return usage_set_load(folder, set_out, &arena, error_out);
}

static inline struct usage_set *loaded(void)
{
    struct usage_set *set;
    struct text error;
    if (load(&set, &error) != OK)
        fail_msg("%.*s", TEXT_ARG(error));
    return set;
}

static inline void load_fails(const char *where, const char *what)
{
    struct usage_set *set;
    struct text error;
    assert_int_equal(load(&set, &error), FAILED);
    assert_int_equal(text_find_char(error, '\n'), error.length);
    const char *line = text_cstring(&arena, error);
    if (!strstr(line, where) || !strstr(line, what))
        fail_msg("error: %s", line);
}

static inline int copy_manifest_schema(void)
{
    FILE *from = fopen("schemas/manifest.xsd", "r");
    FILE *to = fopen(text_cstring(&arena, text_format(&arena, "%s/manifest.xsd", folder)), "w");
    if (!from || !to)
        return -1;
    char piece[4096];
    size_t length;
    while ((length = fread(piece, 1, sizeof(piece), from)) > 0)
        fwrite(piece, 1, length, to);
    fclose(from);
    return fclose(to);
}

static inline int make_folder(void **state)
{
    (void)state;
    memcpy(folder, "/tmp/usage_XXXXXX", sizeof("/tmp/usage_XXXXXX"));
    return mkdtemp(folder) ? copy_manifest_schema() : -1;
}

static inline int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *position)
{
    (void)status;
    (void)kind;
    (void)position;
    return remove(path);
}

static inline int remove_folder(void **state)
{
    (void)state;
    return nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

#endif
