/* A dialog (RFC 3261 §12): what two peers must both know to send each other requests that belong together. Either side
 * of it; no timers, no usages. */
#ifndef SIP_SIP_DIALOG_H
#define SIP_SIP_DIALOG_H

#include "sip_message.h"

#define SIP_ROUTE_BYTES_MAX 2048 /* of a route set: some twenty proxies; it is kept as long as the dialog */

struct sip_dialog {
    char *call_id;
    char *local, *remote; /* From and To of our requests, with their tags */
    char *local_tag, *remote_tag;
    char *target; /* remote target: Contact of the peer */
    char *route;  /* Route fields, joined by commas; empty: none */
    uint32_t local_cseq, remote_cseq;
};

/* Ours is the side that answers `request` with `response`. REFUSED: its Contact is no address, or its route set is too
 * long; nothing is kept. */
enum status sip_dialog_answer(struct sip_dialog *dialog_out, const struct sip_message *request,
                              const struct sip_message *response);

/* Ours is the side that sends `request`, which leads to a dialog when sip_dialog_confirm takes what the peer says. */
void sip_dialog_ask(struct sip_dialog *dialog_out, const struct sip_message *request);

/* The first request that the peer sends in the dialog tells its tag, target and route set. REFUSED as above. */
enum status sip_dialog_confirm(struct sip_dialog *dialog, const struct sip_message *request);

void sip_dialog_clear(struct sip_dialog *dialog);
size_t sip_dialog_bytes(const struct sip_dialog *dialog); /* of its texts */

/* Is this request of the peer in this dialog? Before it was confirmed, the tag of the peer is not asked. */
bool sip_dialog_holds(const struct sip_dialog *dialog, const struct sip_message *request);

/* Takes the number of a request of the peer, and its Contact as the new target. What to answer where it cannot: 500 if
 * it is older than one that was taken, 400 if its Contact is no address; else 0. */
int sip_dialog_take(struct sip_dialog *dialog, const struct sip_message *request);

/* The next request of ours: Request-URI, Route, From, To, Call-ID, CSeq, Max-Forwards. NULL: the peer gave an address
 * that no request can be sent to. */
struct sip_message *sip_dialog_request(struct sip_dialog *dialog, struct text method);

#endif
