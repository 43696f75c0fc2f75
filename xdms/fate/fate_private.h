/* What the files of this module share: where records stand, and how they are found. */
#ifndef FATE_PRIVATE_H
#define FATE_PRIVATE_H

#include "fate.h"

#define FATE_CLAIM      "fate-of" /* kind of the shared claims: address, blank, time that counts backwards */
#define FATE_DETAIL_MAX 512       /* bytes: a line for people; what peers wrote may be in it */

/* The same text as a key part: what peers choose may be too long for one, or hold what none may hold. */
struct text fate_key_part(struct text text, struct arena *arena);
/* So that they are found by the sender and by the recipient, newest first. */
void fate_add_claims(const struct fate *fate, int64_t when_ms, struct arena *arena, struct commit *commit);

struct text fate_claim_value(struct text address, int64_t when_ms, struct arena *arena);
/* False: damage. */
bool fate_read(struct text record, struct arena *arena, struct fate *fate_out);
bool fate_step_kind_of(struct text name, enum fate_step_kind *kind_out);
struct text fate_cut_detail(struct text detail);

struct fate_list {
    struct fate *fates;
    size_t count, limit;
};

/* fate_entry.c: one recipient, in a record for many */
struct fate_entry {
    struct text recipient, group;
    struct text steps; /* fields */
    struct text whole;
};
/* The next one, from `*cursor` on: false at the end, or at damage. `group`: of those that name none. */
bool fate_entry_next(struct text entries, size_t *cursor, struct text group, struct fate_entry *entry_out);
bool fate_entry_find(const struct fate_fan_out *fan_out, struct text recipient, struct fate_entry *entry_out);
struct fate fate_of_entry(const struct fate_fan_out *fan_out, const struct fate_entry *entry, struct arena *arena);

/* fate_fan_out.c */
bool fate_is_fan_out(const struct document_key *key);
/* Adds what one record says, about all or (if not empty) about messages from or to that address, without reports. */
enum status fate_fan_out_list(const struct documents *documents, const struct document_key *key, struct text address,
                              struct arena *arena, struct fate_list *list);
enum status fate_fan_out_find(const struct documents *documents, struct text message_id, struct text recipient,
                              struct arena *arena, struct fate *fate_out);
/* What takes the address out of that record, or the record away: false, if it is not in it. */
bool fate_fan_out_erasure(const struct documents *documents, const struct document_key *key, struct text address,
                          struct text who, struct arena *arena, struct commit *commit_out);

/* fate_report.c */
bool fate_is_report(struct text record);

#endif
