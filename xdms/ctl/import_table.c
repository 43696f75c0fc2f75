/* Sources of an import that are tables: users, or the members of groups. The first row tells which. */
#include <stdlib.h>

#include "csv.h"
#include "import.h"

#define GROUPS_PATH "org.openmobilealliance.groups/users/"

enum column {
    USER_NAME,
    USER_DOMAIN,
    USER_PASSWORD,
    USER_HA1,
    USER_HA1_SHA256,
    USER_HA1_FULL,
    USER_HA1_SHA256_FULL,
    USER_HA1_SHA512,
    USER_HA1_SHA512_FULL,
    USER_DISPLAY_NAME,
    USER_ALIASES,
    USER_ROLES,
    GROUP_URI,
    GROUP_OWNER,
    GROUP_DOCUMENT,
    GROUP_DISPLAY_NAME,
    GROUP_MEMBER,
    GROUP_MEMBER_NAME,
    COLUMN_ERROR, /* of a report: not read */
    COLUMNS
};

/* Some have the names that other servers give them in their databases. */
static const struct {
    const char *name;
    enum column column;
} column_names[] = {
    {"name", USER_NAME},
    {"username", USER_NAME},
    {"domain", USER_DOMAIN},
    {"password", USER_PASSWORD},
    {"ha1", USER_HA1},
    {"ha1-sha256", USER_HA1_SHA256},
    {"ha1-full", USER_HA1_FULL},
    {"ha1b", USER_HA1_FULL},
    {"ha1-sha256-full", USER_HA1_SHA256_FULL},
    {"ha1-sha512-256", USER_HA1_SHA512},
    {"ha1-sha512-256-full", USER_HA1_SHA512_FULL},
    {"display-name", USER_DISPLAY_NAME},
    {"aliases", USER_ALIASES},
    {"roles", USER_ROLES},
    {"group", GROUP_URI},
    {"owner", GROUP_OWNER},
    {"document", GROUP_DOCUMENT},
    {"group-name", GROUP_DISPLAY_NAME},
    {"member", GROUP_MEMBER},
    {"member-name", GROUP_MEMBER_NAME},
    {"error", COLUMN_ERROR},
};

struct table {
    struct ctl *ctl;
    struct import_run *run;
    const char *path;
    struct csv csv;
    enum column columns[CSV_FIELDS_MAX]; /* of each field */
    size_t count;
    bool has[COLUMNS];
};

struct row {
    struct text values[COLUMNS]; /* empty: not given */
    struct text text;            /* as a report has it, without its last column */
    size_t line;
};

static bool read_columns(struct table *table, struct arena *arena);
static bool read_row(struct table *table, struct arena *arena, struct row *row_out, bool *good_out);
/* Words with spaces between them become an array. */
static void add_words(struct text_builder *line, const char *name, struct text words)
{
    struct text rest = text_trim(words), word;
    if (rest.length == 0)
        return;
    builder_add_format(line, ",\"%s\":", name);
    for (char before = '['; rest.length; before = ',') {
        text_cut(rest, ' ', &word, &rest);
        rest = text_trim(rest);
        builder_add_char(line, before);
        import_add_string(line, word);
    }
    builder_add_char(line, ']');
}

static void import_users(struct table *table);
static void import_groups(struct table *table);

enum ctl_exit import_table(struct ctl *ctl, struct import_run *run, const char *path, FILE *file)
{
    struct table table = {.ctl = ctl, .run = run, .path = path, .csv = {.file = file}};
    if (!read_columns(&table, &ctl->arena))
        return CTL_REFUSED;
    if (table.has[GROUP_URI] && table.has[GROUP_MEMBER] && table.has[GROUP_OWNER])
        import_groups(&table);
    else if (table.has[USER_NAME] && (table.has[USER_PASSWORD] || table.has[USER_HA1] || table.has[USER_HA1_SHA256] ||
                                      table.has[USER_DISPLAY_NAME]))
        import_users(&table);
    else
        return ctl_error("%s: the first row must name the columns: name and password (or ha1…) for users, group, owner "
                         "and member for groups",
                         path);
    return CTL_OK;
}

static bool find_column(struct text name, enum column *column_out)
{
    struct text trimmed = text_trim(name);
    for (size_t i = 0; i < sizeof(column_names) / sizeof(column_names[0]); i++)
        if (text_equal_nocase(trimmed, text_of(column_names[i].name))) {
            *column_out = column_names[i].column;
            return true;
        }
    return false;
}

/* A misspelt column must not be lost without a word. */
static bool read_columns(struct table *table, struct arena *arena)
{
    struct csv_record record;
    struct text_builder names;
    builder_init(&names, arena);
    if (csv_next(&table->csv, arena, &record) != CSV_RECORD) {
        ctl_error("%s: is neither a table, nor lines of JSON", table->path);
        return false;
    }
    for (size_t i = 0; i < record.count; i++) {
        enum column column;
        if (!find_column(record.fields[i], &column)) {
            ctl_error("%s: there is no column \"%s\"", table->path,
                      ctl_clean(arena, text_cstring(arena, record.fields[i])));
            return false;
        }
        if (table->has[column]) {
            ctl_error("%s: two columns say the same: \"%s\"", table->path, text_cstring(arena, record.fields[i]));
            return false;
        }
        table->columns[table->count++] = column;
        table->has[column] = true;
        if (column != COLUMN_ERROR)
            csv_add(&names, record.fields[i], names.length == 0);
    }
    import_report_columns(table->run, builder_text(&names));
    return true;
}

/* False at the end. */
static bool read_row(struct table *table, struct arena *arena, struct row *row_out, bool *good_out)
{
    struct csv_record record;
    struct text_builder text;
    long before = ftell(table->csv.file);
    builder_init(&text, arena);
    enum csv_result result = csv_next(&table->csv, arena, &record);
    *row_out = (struct row){.line = table->csv.line};
    *good_out = result == CSV_RECORD && record.count <= table->count;
    import_progress(table->run, before < 0 ? 0 : (size_t)(ftell(table->csv.file) - before));
    if (result == CSV_END)
        return false;
    for (size_t i = 0; i < record.count && i < table->count; i++) {
        *good_out = *good_out && utf8_valid(record.fields[i]);
        if (table->columns[i] == COLUMN_ERROR)
            continue;
        row_out->values[table->columns[i]] = record.fields[i];
        csv_add(&text, record.fields[i], text.length == 0 && i == 0);
    }
    row_out->text = builder_text(&text);
    if (!*good_out) {
        const struct import_item item = {.file = table->path, .line = row_out->line, .row = row_out->text};
        import_refuse(table->run, &item,
                      result == CSV_BROKEN          ? "The quotes of the row do not match, or it is too long."
                      : record.count > table->count ? "The row has more fields than there are columns."
                                                    : "The row is not in UTF-8.");
    }
    return true;
}

/* --- users ---------------------------------------------------------------------------------------------------- */

static void add_member(struct text_builder *line, const char *name, struct text value)
{
    builder_add_format(line, "%c\"%s\":", line->length ? ',' : '{', name);
    import_add_string(line, value);
}

static void import_users(struct table *table)
{
    static const struct {
        enum column column;
        const char *member;
    } members[] = {{USER_PASSWORD, "password"},
                   {USER_HA1, "ha1"},
                   {USER_HA1_SHA256, "ha1Sha256"},
                   {USER_HA1_FULL, "ha1Full"},
                   {USER_HA1_SHA256_FULL, "ha1Sha256Full"},
                   {USER_HA1_SHA512, "ha1Sha512-256"},
                   {USER_HA1_SHA512_FULL, "ha1Sha512-256Full"},
                   {USER_DISPLAY_NAME, "displayName"}};
    struct arena arena;
    struct row row;
    bool good, more = true;
    arena_init(&arena, "row");
    for (; more && read_row(table, &arena, &row, &good); arena_reset(&arena)) {
        struct text_builder line;
        if (!good)
            continue;
        struct text name = text_trim(row.values[USER_NAME]), domain = text_trim(row.values[USER_DOMAIN]);
        if (domain.length)
            name = text_format(&arena, "%.*s@%.*s", TEXT_ARG(name), TEXT_ARG(domain));
        builder_init(&line, &arena);
        add_member(&line, "user", name);
        for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
            if (row.values[members[i].column].length)
                add_member(&line, members[i].member, row.values[members[i].column]);
        add_words(&line, "aliases", row.values[USER_ALIASES]);
        add_words(&line, "roles", row.values[USER_ROLES]);
        builder_add_char(&line, '}');
        const struct import_item item = {
            .kind = IMPORT_USER, .file = table->path, .line = row.line, .json = builder_text(&line), .row = row.text};
        more = import_add(table->run, &item);
    }
    arena_clear(&arena);
}

/* --- groups --------------------------------------------------------------------------------------------------- */

static int by_group(const void *left, const void *right)
{
    const struct row *a = left, *b = right;
    int order = text_compare(a->values[GROUP_URI], b->values[GROUP_URI]);
    return order ? order : (a->line > b->line) - (a->line < b->line);
}

/* "alice" is alice of the group's domain. */
static struct text address(struct text typed, struct text group, struct arena *arena)
{
    struct text before, domain;
    typed = text_trim(typed);
    if (typed.length == 0 || text_find_char(typed, ':') < typed.length)
        return typed;
    if (text_find_char(typed, '@') < typed.length)
        return text_join(arena, TEXT("sip:"), typed);
    text_cut(group, '@', &before, &domain);
    return text_format(arena, "sip:%.*s@%.*s", TEXT_ARG(typed), TEXT_ARG(domain));
}

static struct text group_body(const struct row *rows, size_t count, struct text uri, struct arena *arena)
{
    struct text_builder body;
    builder_init(&body, arena);
    builder_add_format(
        &body,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<group xmlns=\"urn:oma:xml:poc:list-service\" xmlns:rl=\"urn:ietf:params:xml:ns:resource-lists\""
        " xmlns:cp=\"urn:ietf:params:xml:ns:common-policy\">\n  <list-service uri=\"%.*s\">\n",
        TEXT_ARG(xml_escape(arena, uri)));
    struct text name = text_trim(rows[0].values[GROUP_DISPLAY_NAME]);
    if (name.length)
        builder_add_format(&body, "    <display-name>%.*s</display-name>\n", TEXT_ARG(xml_escape(arena, name)));
    builder_add(&body, TEXT("    <list>\n"));
    for (size_t i = 0; i < count; i++) {
        struct text member = address(rows[i].values[GROUP_MEMBER], uri, arena);
        if (member.length == 0)
            continue;
        name = text_trim(rows[i].values[GROUP_MEMBER_NAME]);
        builder_add_format(&body, "      <entry uri=\"%.*s\"", TEXT_ARG(xml_escape(arena, member)));
        if (name.length)
            builder_add_format(&body, "><rl:display-name>%.*s</rl:display-name></entry>\n",
                               TEXT_ARG(xml_escape(arena, name)));
        else
            builder_add(&body, TEXT("/>\n"));
    }
    builder_add(&body, TEXT("    </list>\n"
                            "    <cp:ruleset>\n"
                            "      <cp:rule id=\"members\"><cp:conditions><is-list-member/></cp:conditions>\n"
                            "        <cp:actions><join-handling>true</join-handling></cp:actions></cp:rule>\n"
                            "    </cp:ruleset>\n"
                            "  </list-service>\n"
                            "</group>\n"));
    return builder_text(&body);
}

/* The rows of one group, the first of which says whose it is. */
static bool add_group(struct table *table, const struct row *rows, size_t count, struct arena *arena)
{
    static const char keep[] = "!$&'()*+,;=:@";
    struct text uri = text_trim(rows[0].values[GROUP_URI]), scheme, user, host;
    struct text owner = address(rows[0].values[GROUP_OWNER], uri, arena);
    struct text name = text_trim(rows[0].values[GROUP_DOCUMENT]);
    struct text_builder line, text;
    builder_init(&line, arena);
    builder_init(&text, arena);
    for (size_t i = 0; i < count; i++) {
        if (i)
            builder_add_char(&text, '\0');
        builder_add(&text, rows[i].text);
    }
    struct import_item item = {
        .kind = IMPORT_DOCUMENT, .file = table->path, .line = rows[0].line, .row = builder_text(&text)};
    if (owner.length == 0) {
        import_refuse(table->run, &item, "The first row of a group must name its owner.");
        return true;
    }
    text_cut(uri, ':', &scheme, &user);
    text_cut(user, '@', &user, &host);
    if (name.length == 0)
        name = user;
    add_member(&line, "document",
               text_format(arena, GROUPS_PATH "%.*s/%.*s", TEXT_ARG(percent_encode(arena, owner, keep)),
                           TEXT_ARG(percent_encode(arena, name, keep))));
    add_member(&line, "body", group_body(rows, count, uri, arena));
    builder_add_char(&line, '}');
    item.json = builder_text(&line);
    return import_add(table->run, &item);
}

/* The rows of a group need not stand together, so that all are read first. */
static void import_groups(struct table *table)
{
    struct arena arena, one;
    struct row *rows = NULL, row;
    size_t count = 0, room = 0;
    bool good, more = true;
    arena_init(&arena, "rows");
    arena_init(&one, "group");
    while (read_row(table, &arena, &row, &good)) {
        if (!good)
            continue;
        if (count == room) {
            room = room ? 2 * room : 1024;
            rows = memory_resize(rows, sizeof(*rows) * room);
        }
        rows[count++] = row;
    }
    if (count)
        qsort(rows, count, sizeof(*rows), by_group);
    for (size_t begin = 0, end; begin < count && more; begin = end) {
        for (end = begin + 1; end < count && text_equal(rows[end].values[GROUP_URI], rows[begin].values[GROUP_URI]);)
            end++;
        more = add_group(table, rows + begin, end - begin, &one);
        arena_reset(&one);
    }
    free(rows);
    arena_clear(&one);
    arena_clear(&arena);
}
