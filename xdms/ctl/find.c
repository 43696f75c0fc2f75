/* xdmctl find, user groups and reindex: searches, memberships and the indexes that both use. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "unicode.h"
#include "xml_tree.h"

#define QUERY_MAX 16384 /* SEARCH_QUERY_MAX */

struct asked {
    const char *target;
    struct text query;
    bool as_xml;
};

static enum ctl_exit ask(struct ctl *ctl, const struct asked *asked);

static void add_literal(struct text_builder *query, struct text text)
{
    builder_add_char(query, '"');
    for (size_t i = 0; i < text.length; i++) {
        char byte = text.bytes[i];
        if (byte == '"')
            builder_add(query, TEXT("\"\""));
        else if (byte == '&')
            builder_add(query, TEXT("&amp;"));
        else
            builder_add_char(query, byte);
    }
    builder_add_char(query, '"');
}

/* All words somewhere in the name shown, in any case. */
static struct text words_query(struct ctl *ctl, const char *target, const char *path, int count, char **words)
{
    struct text_builder query;
    builder_init(&query, &ctl->arena);
    builder_add_format(&query, "for $x in collection(\"%s\")%s where ", target, path);
    for (int i = 0; i < count; i++) {
        builder_add_format(&query, "%scontains(lower-case($x/display-name), ", i ? " and " : "");
        add_literal(&query, unicode_lower(&ctl->arena, text_of(words[i])));
        builder_add_char(&query, ')');
    }
    builder_add(&query, TEXT(" return <found>{$x/@uri}{$x/display-name}</found>"));
    return builder_text(&query);
}

static bool read_query(struct ctl *ctl, const char *argument, struct text *query_out)
{
    struct text_builder query;
    char buffer[4096];
    size_t got;
    *query_out = text_of(argument);
    if (strcmp(argument, "-") != 0)
        return true;
    builder_init(&query, &ctl->arena);
    while (query.length <= QUERY_MAX && (got = fread(buffer, 1, sizeof(buffer), stdin)) > 0)
        builder_add(&query, (struct text){buffer, got});
    *query_out = builder_text(&query);
    return !ferror(stdin);
}

enum ctl_exit ctl_find(struct ctl *ctl, int count, char **arguments)
{
    struct asked asked = {0};
    if (ctl_option(&count, &arguments, "--target", &asked.target)) {
        asked.as_xml = true;
        if (count != 1 || !read_query(ctl, arguments[0], &asked.query))
            return CTL_USAGE;
    } else if (count > 1 && strcmp(arguments[0], "people") == 0) {
        asked.target = "org.openmobilealliance.user-profile/users/";
        asked.query = words_query(ctl, asked.target, "/user-profiles/user-profile", count - 1, arguments + 1);
    } else if (count > 1 && strcmp(arguments[0], "groups") == 0) {
        asked.target = "org.openmobilealliance.groups/users/";
        asked.query = words_query(ctl, asked.target, "/group/list-service", count - 1, arguments + 1);
    } else {
        return CTL_USAGE;
    }
    return ask(ctl, &asked);
}

static void print_columns(const char *first, const char *second)
{
    ctl_print(first);
    printf("%*s", (int)(strlen(first) < 39 ? 40 - strlen(first) : 1), "");
    ctl_print(second);
}

static void print_result(struct ctl *ctl, const char *result, bool as_xml)
{
    const struct xml_element *root;
    struct text uri = {0};
    if (as_xml || xml_tree_read(text_of(result), &ctl->arena, &root) != OK) {
        puts(result); /* its control characters are escaped, or were refused by the server long ago */
        return;
    }
    xml_attribute(root, TEXT("uri"), &uri);
    struct text name = root->first_child ? root->first_child->text : TEXT("");
    print_columns(text_cstring(&ctl->arena, uri), text_cstring(&ctl->arena, name));
    putchar('\n');
}

static enum ctl_exit ask_page(struct ctl *ctl, const struct asked *asked, const char *after, struct ctl_answer *answer)
{
    json_t *body = json_pack("{s:s, s:s%, s:i, s:s*}", "target", asked->target, "query", asked->query.bytes,
                             asked->query.length, "max", 1000, "after", after);
    char *written = body ? json_dumps(body, 0) : NULL;
    json_decref(body);
    if (!written)
        return ctl_error("what is looked for must be UTF-8");
    const struct ctl_request request = {.method = "POST",
                                        .path = TEXT("search"),
                                        .content_type = "application/json",
                                        .body = text_of(written),
                                        .may_take_long = true};
    enum ctl_exit code = ctl_call(ctl, &request, answer);
    free(written);
    return code;
}

/* Page by page to the end, however long that takes: whoever asks can stop it. */
static enum ctl_exit ask(struct ctl *ctl, const struct asked *asked)
{
    char *after = NULL;
    bool indexed = true, more = true;
    long long documents = 0;
    size_t found = 0;
    enum ctl_exit code = CTL_OK;
    while (code == CTL_OK && more) {
        struct ctl_answer answer;
        code = ask_page(ctl, asked, after, &answer);
        if (code != CTL_OK)
            break;
        const json_t *results = json_object_get(answer.json, "results");
        for (size_t i = 0; i < json_array_size(results); i++)
            print_result(ctl, json_string_value(json_array_get(results, i)), asked->as_xml);
        found += json_array_size(results);
        indexed = indexed && json_is_true(json_object_get(answer.json, "indexed"));
        documents += (long long)json_integer_value(json_object_get(answer.json, "documents"));
        free(after);
        after = strdup(ctl_string(answer.json, "next"));
        more = after && after[0];
    }
    free(after);
    if (code == CTL_OK && !indexed)
        fprintf(stderr, "xdmctl: no index helps this query: %lld documents were read\n", documents);
    if (code == CTL_OK && found == 0) {
        fputs("xdmctl: nothing was found\n", stderr);
        code = CTL_NOTHING;
    }
    return code;
}

enum ctl_exit ctl_user_groups(struct ctl *ctl, int count, char **arguments)
{
    struct ctl_answer answer;
    if (count != 1)
        return CTL_USAGE;
    const struct ctl_request request = {
        .method = "GET",
        .path = text_format(&ctl->arena, "users/%.*s/groups", TEXT_ARG(ctl_segment(ctl, arguments[0]))),
        .may_take_long = true};
    enum ctl_exit code = ctl_call(ctl, &request, &answer);
    if (code != CTL_OK)
        return code;
    const json_t *groups = json_object_get(answer.json, "groups");
    for (size_t i = 0; i < json_array_size(groups); i++) {
        const json_t *group = json_array_get(groups, i);
        const char *through = ctl_string(group, "through"), *owner = ctl_string(group, "owner");
        print_columns(ctl_string(group, "uri"), owner[0] ? owner : "global");
        if (through[0]) {
            fputs("  through ", stdout);
            ctl_print(through);
        }
        putchar('\n');
    }
    return json_is_true(json_object_get(answer.json, "complete")) ? CTL_OK
                                                                  : ctl_error("there are more, that are not told");
}

enum ctl_exit ctl_reindex(struct ctl *ctl, int count, char **arguments)
{
    struct ctl_answer answer;
    if (count > 1)
        return CTL_USAGE;
    json_t *body = json_pack("{s:s*}", "usage", count ? arguments[0] : NULL);
    char *written = body ? json_dumps(body, 0) : NULL;
    json_decref(body);
    if (!written)
        return ctl_error("the name of a document service must be UTF-8");
    const struct ctl_request request = {.method = "POST",
                                        .path = TEXT("reindex"),
                                        .content_type = "application/json",
                                        .body = text_of(written),
                                        .may_take_long = true};
    enum ctl_exit code = ctl_call(ctl, &request, &answer);
    free(written);
    if (code == CTL_OK)
        printf("indexes built: %lld documents, %lld entries\n",
               (long long)json_integer_value(json_object_get(answer.json, "documents")),
               (long long)json_integer_value(json_object_get(answer.json, "entries")));
    return code;
}
