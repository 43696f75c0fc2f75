/* What the files of this module share: where records stand, and how they are found. */
#ifndef FATE_PRIVATE_H
#define FATE_PRIVATE_H

#include "fate.h"

/* The same text as a key part: what peers choose may be too long for one, or hold what none may hold. */
struct text fate_key_part(struct text text, struct arena *arena);
/* So that they are found by the sender and by the recipient, newest first. */
void fate_add_claims(const struct fate *fate, int64_t when_ms, struct arena *arena, struct commit *commit);

/* fate_report.c */
bool fate_is_report(struct text record);
/* As steps, in the order of time. */
enum status fate_add_reports(const struct documents *documents, struct arena *arena, struct fate *fate);

#endif
