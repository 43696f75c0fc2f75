/* The frame around the procedures: takes events of the transaction layer and results of the store, and says when to be
 * called again. */
#include "delivery_private.h"
#include "domains_private.h"
#include "events_private.h"
#include "handout_private.h"
#include "kept_private.h"
#include "reports_private.h"
#include "target_private.h"

#define TURNS_MAX                                                                                                      \
    64 /* requests between two looks at the sockets: some milliseconds, in which their buffers do not fill */

#define REFUSALS_MAX (2 * TURNS_MAX) /* between two ticks: each takes a twentieth of what a turn does, or less */

static void take_events(struct conversation *conversation);

/* Who is believed speaks for many. */
static bool is_trusted(void *context, const struct flow *flow)
{
    const struct trust *trust = ((const struct conversation *)context)->settings.trust;
    return trust && trust_believes(trust, (const struct sockaddr *)&flow->peer, NULL, 0);
}

#define REPORT_LIFE_MS 86400000 /* RFC 5438 §8.3 leaves it open: who reports a day later is not waited for */

/* Where nothing is said. */
static void take_standards(struct conversation_settings *settings)
{
    struct registration_limits *registrations = &settings->registrations;
    settings->bytes_max = settings->bytes_max ? settings->bytes_max : CONVERSATION_BYTES_MAX;
    if (settings->datagram_bytes_max == 0)
        settings->datagram_bytes_max = CONVERSATION_DATAGRAM_BYTES_MAX;
    if (settings->peering.locator.transports_count == 0)
        settings->peering.locator = LOCATOR_SETTINGS_STANDARD;
    if (settings->orig_parameter.length == 0)
        settings->orig_parameter = TEXT("orig");
    settings->block_status = settings->block_status ? settings->block_status : 403;
    settings->answer_ms = settings->answer_ms ? settings->answer_ms : CONVERSATION_ANSWER_MS;
    settings->report_life_ms = settings->report_life_ms ? settings->report_life_ms : REPORT_LIFE_MS;
    registrations->expires_s_min = registrations->expires_s_min ? registrations->expires_s_min : 60;
    registrations->expires_s_max = registrations->expires_s_max ? registrations->expires_s_max : 86400;
    registrations->expires_s = registrations->expires_s ? registrations->expires_s : 3600;
    if (registrations->contacts_max == 0 || registrations->contacts_max > CONVERSATION_BINDINGS_MAX)
        registrations->contacts_max = CONVERSATION_BINDINGS_MAX;
}

struct conversation *conversation_new(const struct conversation_settings *settings, const struct documents *documents,
                                      struct digest *digest, struct groups *groups, void (*wake)(void *),
                                      void *wake_context, struct instant now)
{
    struct conversation *conversation = memory_new(sizeof(*conversation));
    conversation->settings = *settings;
    take_standards(&conversation->settings);
    conversation->documents = documents;
    conversation->digest = digest;
    conversation->groups = groups;
    conversation->people = known_users_new(documents);
    struct sip_agent_settings agent = settings->agent;
    agent.is_shared = is_trusted;
    agent.is_shared_context = conversation;
    conversation->agent = sip_agent_new(&agent);
    conversation->locator = locator_new(&conversation->settings.peering.locator);
    conversation->wake = wake;
    conversation->wake_context = wake_context;
    conversation->now = now;
    conversation->contact_changes = 1;
    conversation->sweep_at_ms = now.monotonic_ms + CONVERSATION_SWEEP_MS;
    conversation->completed_end = &conversation->completed;
    conversation->taken_again_end = &conversation->taken_again;
    TAILQ_INIT(&conversation->deliveries);
    TAILQ_INIT(&conversation->relays);
    TAILQ_INIT(&conversation->waiting);
    TAILQ_INIT(&conversation->summaries);
    TAILQ_INIT(&conversation->domains_ready);
    TAILQ_INIT(&conversation->handouts_due);
    TAILQ_INIT(&conversation->handouts_all);
    TAILQ_INIT(&conversation->queries);
    TAILQ_INIT(&conversation->queries_answered);
    TAILQ_INIT(&conversation->collections_due);
    TAILQ_INIT(&conversation->collections_all);
    for (size_t i = 0; i < CONVERSATION_RETRIES; i++)
        TAILQ_INIT(&conversation->retries[i]);
    events_open(conversation);
    pthread_mutex_init(&conversation->lock, NULL);
    device_load_key(conversation);
    publication_load(conversation);
    handout_load(conversation);
    served_load(conversation);
    domain_load(conversation);
    outbound_run(conversation);
    reports_load(conversation);
    core_load(conversation);
    events_load(conversation);
    return conversation;
}

static void drop_completed(struct conversation *conversation)
{
    while (conversation->completed) {
        struct work *work = conversation->completed;
        conversation->completed = work->next;
        if (work->request)
            request_free(work->request);
        work_drop(work);
    }
}

void conversation_free(struct conversation *conversation)
{
    if (conversation->records)
        work_drop(conversation->records);
    queue_taken_drop(conversation);
    drop_completed(conversation);
    while (!TAILQ_EMPTY(&conversation->deliveries))
        delivery_free(TAILQ_FIRST(&conversation->deliveries));
    handout_free_all(conversation);
    query_free_all(conversation);
    events_close(conversation);
    reports_free_all(conversation);
    connection_forget_all(conversation);
    served_free_all(conversation);
    domain_free_all(conversation);
    locator_free(conversation->locator);
    known_users_free(conversation->people);
    sender_free_all(conversation);
    sip_agent_free(conversation->agent);
    free(conversation->expiry.swept);
    pthread_mutex_destroy(&conversation->lock);
    free(conversation);
}

void conversation_input(struct conversation *conversation, const struct flow *flow, struct text bytes,
                        struct instant now)
{
    conversation->now = now;
    sip_agent_input(conversation->agent, bytes, flow, now.monotonic_ms);
    take_events(conversation);
}

void conversation_closed(struct conversation *conversation, uint64_t connection, struct instant now)
{
    conversation->now = now;
    connection_closed(conversation, connection);
    sip_agent_closed(conversation->agent, connection, now.monotonic_ms);
    take_events(conversation);
}

void conversation_unreachable(struct conversation *conversation, const struct flow *flow, struct instant now)
{
    conversation->now = now;
    sip_agent_unreachable(conversation->agent, flow, now.monotonic_ms);
    take_events(conversation);
}

bool conversation_is_flooded(const struct conversation *conversation)
{
    return sip_agent_turned_away(conversation->agent) - conversation->turned_away >= REFUSALS_MAX;
}

size_t conversation_room(const struct conversation *conversation)
{
    return sip_agent_room(conversation->agent, conversation->now.monotonic_ms);
}

void conversation_tick(struct conversation *conversation, struct instant now)
{
    conversation->now = now;
    work_run_completed(conversation);
    locator_tick(conversation->locator, now.monotonic_ms);
    sip_agent_tick(conversation->agent, now.monotonic_ms);
    take_events(conversation);
    for (int i = 0; i < TURNS_MAX && sip_agent_turn(conversation->agent, now.monotonic_ms); i++)
        take_events(conversation);
    sender_count_turned_away(conversation);
    delivery_run_deadlines(conversation);
    handout_run_deadlines(conversation);
    queue_run_deadlines(conversation);
    queue_taken_run(conversation);
    queue_run_waiting(conversation);
    reports_run_deadlines(conversation);
    query_run_deadlines(conversation);
    expiry_run(conversation);
    looks_run(conversation);
    summary_run_deadlines(conversation);
    events_run(conversation);
    if (work_deadline(conversation) <= now.monotonic_ms)
        work_submit_records(conversation);
    if (now.monotonic_ms >= conversation->sweep_at_ms) {
        served_sweep(conversation);
        domain_sweep(conversation);
        sender_sweep(conversation);
        recording_sweep(conversation);
        expiry_sweep(conversation);
        if (conversation->handouts_left)
            handout_load(conversation);
        conversation->sweep_at_ms = now.monotonic_ms + CONVERSATION_SWEEP_MS;
    }
    work_run_completed(conversation);
    outbound_run(conversation);
}

int64_t conversation_deadline(const struct conversation *conversation)
{
    int64_t deadline = conversation->sweep_at_ms;
    if (sip_agent_waiting(conversation->agent) > 0)
        return conversation->now.monotonic_ms;
    const int64_t others[] = {
        sip_agent_deadline(conversation->agent), work_deadline(conversation),  delivery_deadline(conversation),
        handout_deadline(conversation),          queue_deadline(conversation), queue_taken_deadline(conversation),
        reports_deadline(conversation),          query_deadline(conversation), events_deadline(conversation),
        expiry_deadline(conversation),           looks_deadline(conversation), summary_deadline(conversation),
        locator_deadline(conversation->locator)};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        deadline = others[i] < deadline ? others[i] : deadline;
    return deadline;
}

bool conversation_output(struct conversation *conversation, struct sip_output *output_out)
{
    return sip_agent_output(conversation->agent, output_out);
}

bool conversation_question(struct conversation *conversation, struct dns_question *question_out)
{
    return locator_question(conversation->locator, question_out);
}

void conversation_answered(struct conversation *conversation, uint64_t number, const struct dns_answer *answer,
                           struct instant now)
{
    conversation->now = now;
    locator_answer(conversation->locator, number, answer, now.monotonic_ms);
    outbound_run(conversation);
}

void conversation_stop(struct conversation *conversation, struct instant now)
{
    conversation->now = now;
    handout_settle_all(conversation);
    queue_taken_stop(conversation);
    work_submit_records(conversation);
}

size_t conversation_pending(const struct conversation *conversation)
{
    return conversation->pending + (conversation->records != NULL);
}

static void take_request(struct conversation *conversation, struct sip_event *event)
{
    struct request *request = request_new(conversation, event);
    struct text method = sip_method(event->message);
    isc_read(request);
    if (isc_is_loop(request))
        return request_answer(request, 482, NULL);
    if (!sender_has_room(request))
        return;
    if (text_equal(method, TEXT("MESSAGE")))
        pager_receive(request);
    else if (text_equal(method, TEXT("REGISTER")))
        registrar_receive(request);
    else if (text_equal(method, TEXT("PUBLISH")))
        publication_receive(request);
    else if (text_equal(method, TEXT("OPTIONS")))
        options_receive(request);
    else if (text_equal(method, TEXT("SUBSCRIBE")))
        events_subscribe(request);
    else if (text_equal(method, TEXT("NOTIFY")))
        events_notify(request);
    else
        request_answer_with(request, 405, NULL, "Allow", TEXT(CONVERSATION_METHODS));
}

static void take_response(struct branch *branch, struct sip_message *response)
{
    if (sip_status(response) >= 200 && branch->query) {
        query_take_response(branch, response);
    } else if (sip_status(response) >= 200 && branch->event) {
        event_take_response(branch, response);
    } else if (sip_status(response) >= 200) {
        outbound_note_answer(branch, response);
        if (!redirect_follow(branch, response))
            delivery_take_response(branch, sip_status(response));
    }
    sip_message_free(response);
}

static void take_failure(struct branch *branch, enum sip_failure failure)
{
    if (branch->query)
        query_take_failure(branch);
    else if (branch->event)
        event_take_failure(branch, failure);
    else
        delivery_take_failure(branch, failure);
}

static void take_events(struct conversation *conversation)
{
    struct sip_event event;
    while (sip_agent_event(conversation->agent, &event)) {
        struct branch *branch = (struct branch *)(uintptr_t)event.cookie;
        switch (event.kind) {
        case SIP_EVENT_REQUEST: take_request(conversation, &event); break;
        case SIP_EVENT_ACK: sip_message_free(event.message); break;
        case SIP_EVENT_RESPONSE: take_response(branch, event.message); break;
        case SIP_EVENT_FAILED: take_failure(branch, event.failure); break;
        }
    }
    outbound_run(conversation);
}
