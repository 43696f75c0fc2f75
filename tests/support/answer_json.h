/* Values of JSON objects in answers. Include after cmocka.h. */
#ifndef ANSWER_JSON_H
#define ANSWER_JSON_H

#include <jansson.h>

#include "service_tests.h"

/* The value at a path of names and indices that dots separate, as "refused.0.line"; NULL if there is none. `json_out`
 * is to be given to json_decref after the last use of it. */
static inline const json_t *answer_json(const struct answer *answer, const char *path, json_t **json_out)
{
    const json_t *at = *json_out = json_loadb(answer->body.bytes, answer->body.length, 0, NULL);
    struct text rest = text_of(path), name;
    uint64_t index;
    for (bool more = true; more && at;) {
        more = text_cut(rest, '.', &name, &rest);
        at = text_to_u64(name, &index) ? json_array_get(at, index)
                                       : json_object_get(at, text_cstring(&fixture->arena, name));
    }
    return at;
}

#endif
