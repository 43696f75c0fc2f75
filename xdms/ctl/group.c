/* xdmctl group: group documents by their URI. */
#include <errno.h>
#include <stdio.h>

#include "ctl.h"
#include "xml_scan.h"

#define GROUP_TYPE     "application/vnd.oma.poc.groups+xml"
#define FILE_BYTES_MAX (8u << 20) /* the largest body that a server can be set to take */

static bool read_file(struct ctl *ctl, const char *path, struct text *bytes_out);
static bool group_uri(struct ctl *ctl, struct text bytes, struct text *uri_out);

enum ctl_exit ctl_group_put(struct ctl *ctl, int count, char **arguments)
{
    struct text bytes, uri;
    const char *options[] = {NULL, NULL};
    static const char *const names[] = {"owner", "name"};
    const char *file = NULL;
    while (count) {
        if (ctl_option(&count, &arguments, "--owner", &options[0]) ||
            ctl_option(&count, &arguments, "--name", &options[1]))
            continue;
        if (file)
            return CTL_USAGE;
        file = arguments[0];
        count--;
        arguments++;
    }
    if (!file || (file[0] == '-' && file[1]))
        return CTL_USAGE;
    if (!read_file(ctl, file, &bytes))
        return ctl_error("%s: %s", file, errno == EFBIG ? "too large for a group" : "cannot be read");
    if (!group_uri(ctl, bytes, &uri))
        return ctl_error("%s: no list-service with a uri in it", file);
    struct text_builder path;
    builder_init(&path, &ctl->arena);
    builder_add_format(&path, "groups/%.*s", TEXT_ARG(percent_encode(&ctl->arena, uri, ":@")));
    for (int i = 0; i < 2; i++)
        if (options[i])
            builder_add_format(&path, "%c%s=%.*s", text_find_char(builder_text(&path), '?') == path.length ? '?' : '&',
                               names[i], TEXT_ARG(ctl_segment(ctl, options[i])));
    const struct ctl_request request = {
        .method = "PUT", .path = builder_text(&path), .content_type = GROUP_TYPE, .body = bytes};
    struct ctl_answer answer;
    enum ctl_exit code = ctl_call(ctl, &request, &answer);
    if (code != CTL_OK)
        return code;
    printf("%s ", answer.status == 201 ? "added" : "replaced");
    ctl_print(ctl_string(answer.json, "uri"));
    putchar('\n');
    return CTL_OK;
}

static bool read_file(struct ctl *ctl, const char *path, struct text *bytes_out)
{
    struct text_builder bytes;
    char buffer[16384];
    size_t got;
    builder_init(&bytes, &ctl->arena);
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    if (!file)
        return false;
    while (bytes.length <= FILE_BYTES_MAX && (got = fread(buffer, 1, sizeof(buffer), file)) > 0)
        builder_add(&bytes, (struct text){buffer, got});
    bool good = !ferror(file);
    if (file != stdin)
        fclose(file);
    errno = bytes.length > FILE_BYTES_MAX ? EFBIG : EIO;
    *bytes_out = builder_text(&bytes);
    return good && bytes.length && bytes.length <= FILE_BYTES_MAX;
}

/* Whether the document is any good is the server's question. */
static bool group_uri(struct ctl *ctl, struct text bytes, struct text *uri_out)
{
    struct xml_scanner scanner;
    struct xml_tag tag;
    xml_scan_init(&scanner, bytes);
    while (xml_scan_next(&scanner, &tag)) {
        struct xml_attribute_span attribute;
        size_t cursor = 0;
        if (tag.kind == XML_END || !text_equal(tag.local, TEXT("list-service")))
            continue;
        while (xml_attribute_next(bytes, &tag, &cursor, &attribute))
            if (text_equal(attribute.name, TEXT("uri")))
                return xml_unescape(&ctl->arena, attribute.raw, true, uri_out);
    }
    return false;
}

static struct text group_path(struct ctl *ctl, const char *uri)
{
    return text_format(&ctl->arena, "groups/%.*s", TEXT_ARG(ctl_segment(ctl, uri)));
}

enum ctl_exit ctl_group_show(struct ctl *ctl, int count, char **arguments)
{
    struct ctl_request request = {.method = "GET"};
    struct ctl_answer answer;
    if (count != 1)
        return CTL_USAGE;
    request.path = group_path(ctl, arguments[0]);
    enum ctl_exit code = ctl_call(ctl, &request, &answer);
    if (code == CTL_OK)
        fwrite(answer.body.bytes, 1, answer.body.length, stdout);
    return code;
}

enum ctl_exit ctl_group_del(struct ctl *ctl, int count, char **arguments)
{
    struct ctl_request request = {.method = "DELETE"};
    struct ctl_answer answer;
    if (count != 1)
        return CTL_USAGE;
    request.path = group_path(ctl, arguments[0]);
    return ctl_call(ctl, &request, &answer);
}

static void print_group(const json_t *group)
{
    const char *uri = ctl_string(group, "uri"), *owner = ctl_string(group, "owner");
    ctl_print(uri);
    printf("%*s", (int)(strlen(uri) < 39 ? 40 - strlen(uri) : 1), "");
    ctl_print(owner[0] ? owner : "global");
    printf("%*s", (int)(strlen(owner) < 31 ? 32 - strlen(owner) : 1), "");
    ctl_print(ctl_string(group, "name"));
    putchar('\n');
}

enum ctl_exit ctl_group_list(struct ctl *ctl, int count, char **arguments)
{
    (void)arguments;
    return count ? CTL_USAGE : ctl_each(ctl, "groups", "groups", print_group);
}
