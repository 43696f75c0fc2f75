/* What a group document says beside its members and rules: which services may use it, when, and how many may be in it
 * (OMA Shared Group XDMS). */
#include "clock.h"
#include "group_private.h"
#include "xml_tree.h"

static struct text content(const struct xml_element *parent, struct text namespace, struct text local)
{
    const struct xml_element *child = xml_child(parent, namespace, local);
    return child ? text_trim(child->text) : TEXT("");
}

static uint64_t number(struct text text, uint64_t if_none)
{
    uint64_t value;
    return text.length && text_to_u64(text, &value) ? value : if_none;
}

static bool is_true(struct text text)
{
    return text_equal(text, TEXT("true")) || text_equal(text, TEXT("1"));
}

/* A feature that must be understood and is not keeps everybody out. */
static bool asks_too_much(const struct xml_element *service)
{
    for (const struct xml_element *child = service->first_child; child; child = child->next) {
        for (const struct xml_attribute *one = child->attributes; one; one = one->next)
            if (text_equal(one->local, TEXT("must-understand")) && is_true(text_trim(one->value)) &&
                !xml_is(child, XDM_EXTENSIONS, TEXT("session-active-policy")) &&
                !xml_is(child, XDM_EXTENSIONS, TEXT("age-restrictions")))
                return true;
    }
    return false;
}

static void read_range(struct group *group, const struct xml_element *range)
{
    struct time_range *one = arena_new(&group->entry.arena, struct time_range);
    const struct xml_element *start = xml_child(range, XDM_EXTENSIONS, TEXT("start-time"));
    const struct xml_element *end = xml_child(range, XDM_EXTENSIONS, TEXT("end-time"));
    one->from_ms = INT64_MIN;
    one->until_ms = INT64_MAX;
    if ((start && !clock_parse_rfc3339(text_trim(start->text), &one->from_ms)) ||
        (end && !clock_parse_rfc3339(text_trim(end->text), &one->until_ms)))
        return; /* a range that cannot be read is no time at all */
    one->next = group->schedule;
    group->schedule = one;
}

static void read_session_policy(struct group *group, const struct xml_element *policy)
{
    const struct xml_element *schedule = xml_child(policy, XDM_EXTENSIONS, TEXT("schedule"));
    group->limits.duration_max = content(policy, XDM_EXTENSIONS, TEXT("max-duration"));
    group->limits.participants_min = number(content(policy, XDM_EXTENSIONS, TEXT("min-participant-count")), 0);
    group->scheduled = schedule && schedule->first_child;
    const struct xml_element *range = schedule ? xml_child(schedule, XDM_EXTENSIONS, TEXT("time-range")) : NULL;
    for (; range; range = xml_next_same(range))
        read_range(group, range);
}

void group_read_limits(struct group *group, const struct xml_element *service)
{
    const struct xml_element *policy = xml_child(service, XDM_EXTENSIONS, TEXT("session-active-policy"));
    group->limits.participants_max = number(content(service, LIST_SERVICE, TEXT("max-participant-count")), UINT64_MAX);
    group->limits.invite_members = is_true(content(service, LIST_SERVICE, TEXT("invite-members")));
    group->supported = xml_child(service, XDM_EXTENSIONS, TEXT("supported-services"));
    group->not_understood = asks_too_much(service);
    if (policy)
        read_session_policy(group, policy);
}

static bool names_enabler(const struct xml_element *service, struct text enabler)
{
    struct text named;
    return enabler.length == 0 ||
           (xml_attribute(service, TEXT("enabler"), &named) && text_equal(text_trim(named), enabler));
}

static bool excepts(const struct xml_element *but, struct text enabler)
{
    const struct xml_element *service = xml_child(but, XDM_EXTENSIONS, TEXT("service"));
    for (; service; service = xml_next_same(service))
        if (enabler.length && names_enabler(service, enabler))
            return true;
    return false;
}

/* Absent lets everything through; present, one service must be the one that asks, and name the medium or none at all.
 */
bool group_supports(const struct group *group, struct text media, struct text service)
{
    struct text kind, part;
    if (!group->supported || !group->supported->first_child)
        return true;
    text_cut(media, '/', &kind, &part);
    for (const struct xml_element *one = group->supported->first_child; one; one = one->next) {
        if (text_equal(one->local, TEXT("all-services-except"))) {
            if (!excepts(one, service))
                return true;
            continue;
        }
        const struct xml_element *named = xml_child(one, XDM_EXTENSIONS, TEXT("group-media"));
        if (names_enabler(one, service) && (!named || kind.length == 0 || xml_child(named, XDM_EXTENSIONS, kind)))
            return true;
    }
    return false;
}

static bool needs_session(struct text kind)
{
    return text_equal(kind, TEXT("session")) || text_equal(kind, TEXT("initiate"));
}

bool group_is_scheduled(const struct group *group, struct text kind, int64_t wall_ms)
{
    if (!group->scheduled || !needs_session(kind))
        return true;
    for (const struct time_range *range = group->schedule; range; range = range->next)
        if (range->from_ms <= wall_ms && wall_ms < range->until_ms)
            return true;
    return false;
}

int64_t group_next_schedule(const struct group *group, int64_t wall_ms)
{
    int64_t next = INT64_MAX;
    for (const struct time_range *range = group->schedule; range; range = range->next) {
        if (range->from_ms > wall_ms && range->from_ms < next)
            next = range->from_ms;
        if (range->until_ms > wall_ms && range->until_ms < next)
            next = range->until_ms;
    }
    return next;
}
