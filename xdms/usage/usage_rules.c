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

/* A document and a sub-directory cannot have the same name (RFC 4825 §6.2). */
static bool is_directory(const struct usage *usage, enum xcap_tree tree, struct text name)
{
    for (size_t i = 0; i < usage->documents_count; i++) {
        struct text pattern = usage->documents[i].pattern;
        for (size_t at = 0; usage->documents[i].tree == tree && at < pattern.length; at++) {
            if (pattern.bytes[at] == '/' && pattern_matches(text_slice(pattern, 0, at), name))
                return true;
        }
    }
    return false;
}

const struct usage_document *usage_document(const struct usage *usage, enum xcap_tree tree, struct text name)
{
    if (name.length == 0)
        return NULL;
    for (size_t i = 0; i < usage->documents_count; i++) {
        const struct usage_document *row = &usage->documents[i];
        if (row->tree == tree && pattern_matches(row->pattern, name))
            return is_directory(usage, tree, name) ? NULL : row;
    }
    return NULL;
}

bool usage_allows(const struct usage *usage, enum xcap_tree tree, enum usage_operation operation, enum usage_role role)
{
    return role != USAGE_NOBODY && (usage_loaded(usage)->roles[tree][operation] & 1u << role) != 0;
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
