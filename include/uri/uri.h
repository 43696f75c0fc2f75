/* SIP, SIPS, TEL, IM and PRES URIs and the name-addr form around them. Reads slices, copies nothing unless it says so.
 */
#ifndef URI_URI_H
#define URI_URI_H

#include "arena.h"
#include "text.h"

#define URI_LENGTH_MAX 1024 /* longer is refused: no real address comes near, and keys are built from it */

struct uri {
    struct text scheme;     /* as written: "sip", "SIPS", "tel" */
    struct text user;       /* raw, without password; for tel the number */
    struct text host;       /* without brackets for IPv6; empty for tel */
    uint16_t port;          /* 0: not given */
    struct text parameters; /* without the leading ';' */
    struct text headers;    /* without the leading '?' */
};

/* False when it is not such a URI, holds control characters, white space, "%00", a broken escape, or is too long. */
bool uri_parse(struct text text, struct uri *uri_out);

/* Value of a URI or header parameter list ("transport=tcp;lr"): names case-insensitive; a flag has an empty value,
 * a quoted value comes without its quotes but with its escapes. */
bool uri_parameter(struct text parameters, struct text name, struct text *value_out);

/* The next of such a list, and what is left of it: its value as it is written, quotes among it. False: there is none,
 * or a quoted string that does not end. */
bool uri_parameter_next(struct text *rest, struct text *name_out, struct text *value_out);

/* The key under which an address of record is stored and compared (RFC 3261 §10.3 step 5): "sip:" for sip, sips, im and
 * pres, host lower-case, user unescaped where needless and case-sensitive, no port, parameters, headers; tel without
 * visual separators, a local number with its phone-context. A "sip:" URI with user=phone stays sip. Empty text when it
 * cannot be read. */
struct text uri_canonical(struct arena *arena, struct text text);

/* The same with its parameters, sorted: for addresses that these tell apart. Two spellings of one URI are one text. */
struct text uri_canonical_whole(struct arena *arena, struct text text);

/* Host of a canonical address; empty for tel. */
struct text uri_domain(struct text canonical);

/* A domain as people write it, perhaps with escapes and letters beyond ASCII, the way hosts are spelled in canonical
 * addresses: percent-decoded, labels by ToASCII (IDNA; UTS #46 without transitional forms), lower case, no final dot
 * (RFC 4745 §7.1.3). Empty when it is no domain. */
struct text uri_host_ascii(struct arena *arena, struct text domain);

/* An address whose host may hold such letters as a URI (RFC 3987 §3.1): host as above, other letters percent-encoded.
 * Plain URIs come back as they are; what cannot be read comes back empty. */
struct text uri_from_iri(struct arena *arena, struct text iri);

/* RFC 3261 §20.10: `"Bob" <sip:bob@x;a=b>;tag=1`, `Bob <sip:bob@x>` or `sip:bob@x;tag=1` (then parameters are the
 * header's). `rest_out` receives what follows a top-level comma, or empty; it may be NULL.
 * The URI is not judged: hand it to uri_parse. Controls anywhere are refused. */
struct name_addr {
    struct text display; /* raw, without quotes */
    struct text uri;
    struct text parameters; /* of the header, without the leading ';' */
};

bool name_addr_parse(struct text text, struct name_addr *address_out, struct text *rest_out);

#endif
