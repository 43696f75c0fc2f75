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

const struct usage_document *usage_document(const struct usage *usage, enum xcap_tree tree, struct text name)
{
    if (name.length == 0)
        return NULL;
    for (size_t i = 0; i < usage->documents_count; i++) {
        const struct usage_document *row = &usage->documents[i];
        if (row->tree == tree && pattern_matches(row->pattern, name))
            return row;
    }
    return NULL;
}

bool usage_allows(const struct usage *usage, enum xcap_tree tree, enum usage_operation operation, enum usage_role role)
{
    enum usage_role needed = usage_loaded(usage)->roles[tree][operation];
    return needed != USAGE_NOBODY && role != USAGE_NOBODY && role >= needed;
}
