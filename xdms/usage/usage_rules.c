/* The two questions that cost nothing: may a document of this name exist, and may this role do that. */
#include "usage_own.h"

/* '*' takes as little as it can and more when what follows does not fit: linear, since only the last '*' is retried. */
static bool pattern_matches(struct text pattern, struct text name)
{
    size_t p = 0, n = 0;
    size_t star = pattern.length, resume = 0;
    while (n < name.length) {
        if (p < pattern.length && pattern.bytes[p] == '*') {
            star = p++;
            resume = n;
        } else if (p < pattern.length && pattern.bytes[p] == name.bytes[n]) {
            p++;
            n++;
        } else if (star < pattern.length && name.bytes[resume] != '/') {
            p = star + 1;
            n = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.length && pattern.bytes[p] == '*')
        p++;
    return p == pattern.length;
}

static bool is_single(struct text pattern)
{
    return text_find_char(pattern, '*') == pattern.length;
}

/* Does this pattern stand for documents below a sub-directory of that name? */
static bool has_directory(struct text pattern, struct text name)
{
    for (size_t at = 0; at < pattern.length; at++)
        if (pattern.bytes[at] == '/' && pattern_matches(text_slice(pattern, 0, at), name))
            return true;
    return false;
}

/* A document and a sub-directory cannot have the same name (RFC 4825 §6.2): what has one name alone wins, then the
 * sub-directory. */
static bool stands_in_the_way(const struct usage_document *other, const struct usage_document *row, struct text name)
{
    if (has_directory(other->pattern, name))
        return is_single(other->pattern) || !is_single(row->pattern);
    struct text pattern = other->pattern;
    return is_single(pattern) && name.length > pattern.length && name.bytes[pattern.length] == '/' &&
           text_starts_with(name, pattern);
}

const struct usage_document *usage_document(const struct usage *usage, enum xcap_tree tree, struct text name)
{
    const struct usage_document *found = NULL;
    if (name.length == 0)
        return NULL;
    for (size_t i = 0; i < usage->documents_count && !found; i++) {
        const struct usage_document *row = &usage->documents[i];
        if (row->tree == tree && pattern_matches(row->pattern, name))
            found = row;
    }
    for (size_t i = 0; i < usage->documents_count && found; i++) {
        const struct usage_document *other = &usage->documents[i];
        if (other->tree == tree && stands_in_the_way(other, found, name))
            return NULL;
    }
    return found;
}

bool usage_allows(const struct usage *usage, enum xcap_tree tree, enum usage_operation operation, enum usage_role role)
{
    return role != USAGE_NOBODY && (usage_loaded(usage)->roles[tree][operation] & 1u << role) != 0;
}

bool usage_permits(const struct usage *usage, enum xcap_tree tree, enum usage_operation operation, unsigned roles)
{
    if (operation != USAGE_READ && roles & USAGE_ROLE_BIT(USAGE_AUDITOR))
        return false;
    return (usage_loaded(usage)->roles[tree][operation] & roles & ~USAGE_ROLE_BIT(USAGE_NOBODY)) != 0;
}

const struct usage_post *usage_post_find(const struct usage *usage, enum xcap_tree tree, struct text mime)
{
    for (size_t i = 0; i < usage->posts_count; i++) {
        const struct usage_post *row = &usage->posts[i];
        if (row->tree == tree && text_equal_nocase(row->mime, mime))
            return row;
    }
    return NULL;
}
