/* What a record for many says of each of its recipients: one after another, each with his steps. */
#include "fate_private.h"
#include "record.h"

#define TO          "to"
#define GROUP       "group"
#define STEP_DIGITS (1 + TEXT_DIGITS_MAX + 1) /* sign, time since it was received, blank */

static void add_step(struct text_builder *entries, int64_t received_ms, const struct fate_step *step)
{
    char value[STEP_DIGITS + FATE_DETAIL_MAX], digits[TEXT_DIGITS_MAX];
    struct text detail = fate_cut_detail(step->detail);
    size_t length = 0;
    int64_t since_ms = step->when_ms - received_ms;
    size_t count = text_write_number(since_ms < 0 ? 0 - (uint64_t)since_ms : (uint64_t)since_ms, digits);
    if (since_ms < 0)
        value[length++] = '-';
    memcpy(value + length, digits + sizeof(digits) - count, count); /* they stand at its end */
    length += count;
    value[length++] = ' ';
    if (detail.length)
        memcpy(value + length, detail.bytes, detail.length);
    record_add(entries, fate_step_name(step->kind), (struct text){value, length + detail.length});
}

static bool goes_without_saying(const struct fate_step *step, int64_t received_ms)
{
    return step->kind == FATE_RECEIVED && step->when_ms == received_ms && step->detail.length == 0;
}

void fate_entry_add(struct text_builder *entries, const struct fate_fan_out *fan_out, const struct fate *fate)
{
    record_add(entries, TO, fate->recipient);
    if (!text_equal(fate->group, fan_out->group))
        record_add(entries, GROUP, fate->group);
    for (size_t i = 0; i < fate->steps_count && i < FATE_STEPS_MAX; i++)
        if (i > 0 || !goes_without_saying(&fate->steps[i], fan_out->received_ms))
            add_step(entries, fan_out->received_ms, &fate->steps[i]);
}

bool fate_entry_next(struct text entries, size_t *cursor, struct text group, struct fate_entry *entry_out)
{
    struct text name, value;
    size_t begin = *cursor, at, next = *cursor;
    if (!record_next(entries, &next, &name, &value) || !text_equal(name, TEXT(TO)))
        return false;
    *entry_out = (struct fate_entry){.recipient = value, .group = group};
    size_t steps = at = next;
    while (record_next(entries, &next, &name, &value) && !text_equal(name, TEXT(TO))) {
        if (text_equal(name, TEXT(GROUP))) {
            entry_out->group = value;
            steps = next;
        }
        at = next;
    }
    entry_out->steps = text_slice(entries, steps, at);
    entry_out->whole = text_slice(entries, begin, at);
    *cursor = at;
    return true;
}

static bool step_read(struct text name, struct text value, int64_t received_ms, struct fate_step *step_out)
{
    struct text number, detail;
    uint64_t since_ms;
    bool before = value.length && value.bytes[0] == '-';
    text_cut(text_slice(value, before, value.length), ' ', &number, &detail);
    if (!fate_step_kind_of(name, &step_out->kind) || !text_to_u64(number, &since_ms))
        return false; /* of a newer program: the other steps are still worth showing */
    step_out->when_ms = before ? received_ms - (int64_t)since_ms : received_ms + (int64_t)since_ms;
    step_out->detail = detail;
    return true;
}

struct fate fate_of_entry(const struct fate_fan_out *fan_out, const struct fate_entry *entry, struct arena *arena)
{
    struct fate_step *steps = arena_array(arena, struct fate_step, FATE_STEPS_MAX + 1);
    struct text name, value;
    size_t cursor = 0, count = 0;
    steps[count++] = (struct fate_step){.kind = FATE_RECEIVED, .when_ms = fan_out->received_ms};
    while (count < FATE_STEPS_MAX && record_next(entry->steps, &cursor, &name, &value))
        count += step_read(name, value, fan_out->received_ms, &steps[count]);
    return (struct fate){
        .message_id = fan_out->message_id,
        .sender = fan_out->sender,
        .recipient = entry->recipient,
        .group = entry->group,
        .call_id = fan_out->call_id,
        .steps = steps,
        .steps_count = count,
    };
}

bool fate_entry_find(const struct fate_fan_out *fan_out, struct text recipient, struct fate_entry *entry_out)
{
    size_t cursor = 0;
    while (fate_entry_next(fan_out->entries, &cursor, fan_out->group, entry_out))
        if (text_equal(entry_out->recipient, recipient))
            return true;
    return false;
}

struct text fate_entries_without(struct text entries, struct text recipient, struct arena *arena)
{
    struct text_builder rest;
    struct fate_entry entry;
    builder_init(&rest, arena);
    for (size_t cursor = 0; fate_entry_next(entries, &cursor, (struct text){0}, &entry);)
        if (!text_equal(entry.recipient, recipient))
            builder_add(&rest, entry.whole);
    return builder_text(&rest);
}
