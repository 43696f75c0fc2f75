/* What is being handed out, by message id: reports come before its trace is on the disk. */
#include "handout_private.h"

static struct handed_id *find(const struct conversation *conversation, struct text message_id)
{
    struct handed_id *found = NULL;
    HASH_FIND(hh, conversation->handed_ids, message_id.bytes, message_id.length, found);
    return found;
}

void handout_enter(struct handout *handout)
{
    struct conversation *conversation = handout->conversation;
    struct text key = handout->record.shared.message_id;
    struct handed_id *id = find(conversation, key);
    if (!id) {
        id = memory_new(sizeof(*id));
        id->key = text_keep(key); /* of no handout: which of them ends first is not known */
        TAILQ_INIT(&id->handouts);
        HASH_ADD_KEYPTR(hh, conversation->handed_ids, id->key, key.length, id);
    }
    handout->id = id;
    TAILQ_INSERT_TAIL(&id->handouts, handout, same);
}

void handout_depart(struct handout *handout)
{
    struct handed_id *id = handout->id;
    TAILQ_REMOVE(&id->handouts, handout, same);
    if (!TAILQ_EMPTY(&id->handouts))
        return;
    HASH_DEL(handout->conversation->handed_ids, id);
    free(id->key);
    free(id);
}

static const struct handout_copy *copy_of(const struct handout *handout, struct text recipient)
{
    for (size_t i = 0; i < handout->count; i++)
        if (text_equal(handout->copies[i].fate.recipient, recipient))
            return &handout->copies[i];
    return NULL;
}

bool handout_fate(const struct conversation *conversation, struct text message_id, struct text recipient,
                  struct fate *fate_out)
{
    const struct handed_id *id = find(conversation, message_id);
    const struct handout *handout = NULL;
    if (!id)
        return false;
    TAILQ_FOREACH_REVERSE(handout, &id->handouts, handed_list, same)
    {
        const struct handout_copy *copy = copy_of(handout, recipient);
        if (!copy)
            continue;
        *fate_out = copy->fate;
        fate_out->steps = &handout->received;
        fate_out->steps_count = 1;
        return true;
    }
    return false;
}

static bool is_handed_out(const struct handed_id *id, struct text recipient)
{
    const struct handout *handout;
    TAILQ_FOREACH(handout, &id->handouts, same)
    {
        if (copy_of(handout, recipient))
            return true;
    }
    return false;
}

size_t handout_recipients(const struct conversation *conversation, struct text message_id, struct fate *others,
                          size_t *others_count)
{
    const struct handed_id *id = find(conversation, message_id);
    const struct handout *handout;
    size_t count = 0, left = 0;
    if (!id)
        return 0;
    TAILQ_FOREACH(handout, &id->handouts, same)
    {
        for (size_t i = 0; i < handout->count; i++)
            count += handout->copies[i].state != COPY_ENDED || handout->copies[i].status < 300;
    }
    for (size_t i = 0; i < *others_count; i++)
        if (!is_handed_out(id, others[i].recipient))
            others[left++] = others[i];
    *others_count = left;
    return count;
}
