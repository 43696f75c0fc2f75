/* What a REGISTER says beside its contacts (terms.c). */
#ifndef CONVERSATION_TERMS_PRIVATE_H
#define CONVERSATION_TERMS_PRIVATE_H

#include "conversation_private.h"

struct terms {
    struct text path;
    bool flows; /* of RFC 5626 */
    bool gruu;
};

struct device {
    struct text instance;
    uint32_t reg_id;
};

bool terms_read(struct request *request, struct terms *terms_out); /* false: answered and freed */
struct device terms_device(const struct terms *terms, struct text parameters);
/* Of the contact's document: what is registered again under it replaces the one before. */
struct text terms_name(const struct device *device, struct text uri, struct arena *arena);
/* A Contact of the 200. */
struct text terms_contact(const struct conversation *conversation, const struct terms *terms,
                          const struct contact *contact, struct text address, int64_t left_s, struct arena *arena);
void terms_answer(struct request *request, const struct terms *terms, struct sip_message *response);
/* What the client said of itself, whose REGISTER a trusted server has put into its own; empty: nothing. */
struct text terms_embedded_features(struct request *request);
/* Is it a trusted server that registers the user `address` with us? */
bool terms_third_party(struct request *request, struct text address);

#endif
