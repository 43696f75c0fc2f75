/* Registration information (RFC 3680 §5, "application/reginfo+xml", with the addresses of devices of RFC 5628): reads
 * and writes the document. It must not know who watches whom. */
#ifndef REGINFO_REGINFO_H
#define REGINFO_REGINFO_H

#include "arena.h"
#include "status.h"
#include "text.h"

#define REGINFO_TYPE              "application/reginfo+xml"
#define REGINFO_REGISTRATIONS_MAX 32  /* addresses that are registered together: more than users have */
#define REGINFO_CONTACTS_MAX      256 /* of one address, those that ended among them */

enum reginfo_state { REGINFO_INIT, REGINFO_ACTIVE, REGINFO_TERMINATED };

struct reginfo_contact {
    struct text id, uri;
    bool active;
    struct text event; /* "registered", "refreshed", "expired"… */
    struct text call_id;
    uint64_t cseq;
    uint64_t expires_s;         /* that are left; 0: not said */
    uint64_t registered_s;      /* since when; 0: not said */
    struct text features;       /* other parameters of the Contact, as they stand in one */
    struct text gruu;           /* public address of the device (RFC 5627); empty: none */
    struct text temporary_gruu; /* a temporary one; empty: none, or none of the reader's business */
    uint64_t first_cseq;        /* of the REGISTER from which on those are good */
};

struct reginfo_registration {
    struct text address, id;
    enum reginfo_state state;
    const struct reginfo_contact *contacts;
    size_t contacts_count;
};

struct reginfo {
    uint64_t version;
    bool full; /* what it does not name is not there; else it is as before */
    const struct reginfo_registration *registrations;
    size_t registrations_count;
};

struct text reginfo_write(const struct reginfo *reginfo, struct arena *arena);

/* REFUSED: malformed, not such a document, without what the standard demands, or longer than the limits. */
enum status reginfo_read(struct text document, struct arena *arena, struct reginfo *reginfo_out);

#endif
