/* Subscriptions as records, so that they survive a restart of the notifier. What is written with a SUBSCRIBE holds
 * until the next one: numbers that grow with each NOTIFY go on from what they can have become meanwhile. */
#include <stdio.h>

#include "notifier_private.h"
#include "record.h"

#define NUMBERS_AHEAD                                                                                                  \
    100 /* NOTIFYs that left sooner than one in a second: repeated ones, and those after a SUBSCRIBE */

static void name_of(uint64_t number, struct arena *arena, struct text *name_out)
{
    *name_out = text_format(arena, "%016llx", (unsigned long long)number);
}

void subscription_write_later(struct notifier *notifier, struct subscription *subscription)
{
    if (!subscription->unwritten)
        TAILQ_INSERT_TAIL(&notifier->to_write, subscription, to_write);
    subscription->unwritten = true;
}

void subscription_never_written(struct notifier *notifier, struct subscription *subscription)
{
    if (subscription->unwritten)
        TAILQ_REMOVE(&notifier->to_write, subscription, to_write);
    subscription->unwritten = false;
    if (!subscription->written)
        return;
    struct unsubscribed *unsubscribed = memory_new(sizeof(*unsubscribed));
    unsubscribed->number = subscription->number;
    unsubscribed->resource = text_keep(text_of(subscription->watched->resource));
    STAILQ_INSERT_TAIL(&notifier->to_remove, unsubscribed, entry);
}

static void drop_first(struct notifier *notifier)
{
    struct unsubscribed *first = STAILQ_FIRST(&notifier->to_remove);
    STAILQ_REMOVE_HEAD(&notifier->to_remove, entry);
    free(first->resource);
    free(first);
}

void notifier_records_free(struct notifier *notifier)
{
    while (!STAILQ_EMPTY(&notifier->to_remove))
        drop_first(notifier);
}

static struct text write_record(const struct subscription *one, struct instant now, struct arena *arena)
{
    const struct sip_dialog *dialog = &one->dialog;
    struct text_builder record;
    builder_init(&record, arena);
    record_add(&record, "package", text_of(one->package->name));
    record_add(&record, "id", text_of(one->id));
    record_add(&record, "resource", text_of(one->watched->resource));
    record_add(&record, "subscriber", text_of(one->subscriber->address));
    record_add_number(&record, "written-ms", now.wall_ms);
    record_add_number(&record, "expires-ms", now.wall_ms + one->expires_ms - now.monotonic_ms);
    record_add_number(&record, "version", one->version);
    record_add(&record, "call-id", text_of(dialog->call_id));
    record_add(&record, "local", text_of(dialog->local));
    record_add(&record, "remote", text_of(dialog->remote));
    record_add(&record, "local-tag", text_of(dialog->local_tag));
    record_add(&record, "remote-tag", text_of(dialog->remote_tag));
    record_add(&record, "target", text_of(dialog->target));
    record_add(&record, "route", text_of(dialog->route));
    record_add_number(&record, "local-cseq", dialog->local_cseq);
    record_add_number(&record, "remote-cseq", dialog->remote_cseq);
    record_add(&record, "source-transport", text_of(flow_kind_name(one->flow.kind)));
    record_add(&record, "source-address", flow_address_text(&one->flow, arena));
    record_add_number(&record, "source-port", flow_port(&one->flow));
    return builder_text(&record);
}

bool notifier_change_next(struct notifier *notifier, struct instant now, struct arena *arena,
                          struct notifier_change *change_out)
{
    struct unsubscribed *unsubscribed = STAILQ_FIRST(&notifier->to_remove);
    struct subscription *one = TAILQ_FIRST(&notifier->to_write);
    *change_out = (struct notifier_change){0};
    if (unsubscribed) {
        change_out->gone = true;
        change_out->resource = text_copy(arena, text_of(unsubscribed->resource));
        name_of(unsubscribed->number, arena, &change_out->name);
        drop_first(notifier);
        return true;
    }
    if (!one)
        return false;
    TAILQ_REMOVE(&notifier->to_write, one, to_write);
    one->unwritten = false;
    one->written = true;
    change_out->resource = text_copy(arena, text_of(one->watched->resource));
    name_of(one->number, arena, &change_out->name);
    change_out->record = write_record(one, now, arena);
    return true;
}

static void read_dialog(struct text record, uint32_t ahead, struct sip_dialog *dialog)
{
    *dialog = (struct sip_dialog){
        .call_id = text_keep(record_text(record, "call-id")),
        .local = text_keep(record_text(record, "local")),
        .remote = text_keep(record_text(record, "remote")),
        .local_tag = text_keep(record_text(record, "local-tag")),
        .remote_tag = text_keep(record_text(record, "remote-tag")),
        .target = text_keep(record_text(record, "target")),
        .route = text_keep(record_text(record, "route")),
        .local_cseq = (uint32_t)record_number(record, "local-cseq", 0) + ahead,
        .remote_cseq = (uint32_t)record_number(record, "remote-cseq", 0),
    };
}

static bool read_flow(struct text record, struct flow *flow, struct arena *arena)
{
    *flow = (struct flow){.kind = FLOW_UDP};
    return flow_kind_parse(record_text(record, "source-transport"), &flow->kind) &&
           flow_set_peer(flow, text_cstring(arena, record_text(record, "source-address")),
                         (uint16_t)record_number(record, "source-port", 0));
}

bool notifier_restore(struct notifier *notifier, struct text record, struct instant now, int64_t at_ms)
{
    const struct notifier_request read = {.package = package_of(notifier, record_text(record, "package")),
                                          .id = record_text(record, "id")};
    struct notifier_watch watch = {.resource = record_text(record, "resource"),
                                   .subscriber = record_text(record, "subscriber")};
    int64_t left_ms = record_number(record, "expires-ms", 0) - now.wall_ms;
    int64_t since_ms = now.wall_ms - record_number(record, "written-ms", now.wall_ms);
    struct sip_dialog dialog;
    struct arena arena;
    uint64_t number;
    arena_init(&arena, "restore");
    bool good = read.package && left_ms > 0 && read_flow(record, &watch.flow, &arena) &&
                text_hex_to_u64(record_text(record, "local-tag"), &number) && !subscription_find(notifier, number);
    arena_clear(&arena);
    if (!good)
        return false;
    uint32_t ahead = NUMBERS_AHEAD + (since_ms > 0 ? (uint32_t)(since_ms / 1000) : 0);
    read_dialog(record, ahead, &dialog);
    struct subscription *one = subscription_add(notifier, &read, &watch, &dialog);
    one->version = (uint32_t)record_number(record, "version", 0) + ahead;
    one->expires_ms = now.monotonic_ms + left_ms;
    one->earliest_ms = at_ms;
    one->changed = one->written = true;
    subscription_plan(notifier, one);
    return true;
}
