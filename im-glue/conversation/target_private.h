/* Which of his contacts a request for a user goes to. */
#ifndef TARGET_PRIVATE_H
#define TARGET_PRIVATE_H

#include "conversation_private.h"

/* preference.c: may a request go to a contact with these parameters, as its sender prefers (RFC 3841)? */
bool preference_allows(const struct sip_message *message, struct text features, struct arena *arena);

/* target.c */
/* Does this request go to the contact at that index? */
bool target_is(const struct conversation *conversation, const struct served *recipient, size_t index,
               const struct sip_message *request, struct arena *arena);
/* Its Request-URI: of the contact, or, in a core, of the user or the device that the request is for. */
struct text target_address(const struct served *recipient, const struct contact *contact,
                           const struct sip_message *request, struct arena *arena);
/* An older flow of the same device, where that one fails; NULL: none. */
const struct contact *target_other_flow(const struct conversation *conversation, const struct served *recipient,
                                        size_t index, const struct sip_message *request);

/* device.c: temporary addresses of devices (RFC 5627) */
void device_load_key(struct conversation *conversation);
struct text device_temporary(const struct conversation *conversation, const struct contact *contact,
                             struct text address, struct arena *arena);
bool device_resolve(struct request *request); /* false: sent to one that leads nowhere; answered and freed */

#endif
