/* What an XCAP URI names (RFC 4825 §6), read from the raw request target: nothing is decoded before the split. */
#ifndef XCAP_XCAP_TARGET_H
#define XCAP_XCAP_TARGET_H

#include "arena.h"
#include "status.h"
#include "text.h"

enum xcap_tree { XCAP_USERS, XCAP_GLOBAL };

/* Values of Allow: of what clients may change, and of what they can only read. */
#define XCAP_ALLOW_ALL    "GET, HEAD, PUT, DELETE, OPTIONS"
#define XCAP_ALLOW_READ   "GET, HEAD, OPTIONS"
#define XCAP_ALLOW_DELETE "GET, HEAD, DELETE, OPTIONS"

/* Key parts are bounded here, so that every key that leaves this file fits the store. */
#define XCAP_TARGET_MAX 65536 /* the whole request target; longer is 414 */
#define XCAP_AUID_MAX   128
#define XCAP_XUI_MAX    512
#define XCAP_NAME_MAX   512 /* document name with its sub-directories */

struct xcap_target {
    bool rooted;      /* it stands under a root; said also of what is refused */
    struct text auid; /* decoded, all of them */
    enum xcap_tree tree;
    struct text xui; /* empty in the global tree; as sent, not canonical */
    struct text
        name;      /* "index", or with sub-directories "byGroupID/7"; empty when the URI stops at the home directory */
    bool has_node; /* there was a "~~" segment */
    struct text node;          /* decoded once; what follows the separator */
    struct text query;         /* decoded once, without '?': the xmlns() bindings */
    struct text document_path; /* raw path up to the separator, for "ancestor" and Location */
};

/* `raw` is the request target (path and query; absolute form is accepted). `roots` are path prefixes such as
 * "/xcap-root/"; the longest that fits wins. REFUSED: 404 (not under a root, tree neither users nor global), 400
 * (broken escape, NUL, invalid UTF-8, empty or dot segments, empty selector), 414. */
enum status xcap_target_parse(struct text raw, const struct text *roots, size_t roots_count, struct arena *arena,
                              struct xcap_target *target_out, struct refusal *refusal);

#endif
