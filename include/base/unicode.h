/* Letters of all scripts in another case (Unicode chapter 3.13, whatever the language). Texts are valid UTF-8; what
 * comes back is in the arena, or the text itself where nothing changes. */
#ifndef BASE_UNICODE_H
#define BASE_UNICODE_H

#include "text.h"

struct text unicode_lower(struct arena *arena, struct text text);
struct text unicode_upper(struct arena *arena, struct text text);

/* For comparing: what differs in case alone becomes the same. Character by character, so that the fold of a prefix is a
 * prefix of the fold. */
struct text unicode_fold(struct arena *arena, struct text text);

#endif
