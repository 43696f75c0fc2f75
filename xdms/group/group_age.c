/* How old who asks must be (oxe:age-restrictions). The operator's word for somebody's birthday counts before his own;
 * whose age is not known is not let in. */
#include "clock.h"
#include "group_private.h"
#include "xml_tree.h"

#define PROFILE    TEXT("urn:oma:xml:xdm:user-profile")
#define DAY_MS     86400000
#define DATE_BYTES 10 /* "2008-02-29"; a zone behind it moves no birthday here */

static uint64_t age_of(const struct xml_element *age, struct text name, uint64_t if_none)
{
    struct text value;
    uint64_t years;
    return xml_attribute(age, name, &value) && text_to_u64(text_trim(value), &years) ? years : if_none;
}

void group_read_ages(struct group *group, const struct xml_element *service)
{
    const struct xml_element *ages = xml_child(service, XDM_EXTENSIONS, TEXT("age-restrictions"));
    for (; ages; ages = xml_next_same(ages)) {
        const struct xml_element *age = xml_child(ages, XDM_EXTENSIONS, TEXT("age"));
        for (; age; age = xml_next_same(age)) {
            struct age_range *range = arena_new(&group->entry.arena, struct age_range);
            range->from = age_of(age, TEXT("from"), 0);
            range->until = age_of(age, TEXT("until"), UINT64_MAX);
            range->next = group->ages;
            group->ages = range;
        }
    }
}

/* False: he has none, it cannot be read, or it does not say. */
static bool read_birthday(const struct groups *groups, const char *usage, const char *name, struct text owner,
                          struct arena *arena, struct text *date_out)
{
    const struct document_key key = {text_of(usage), owner, text_of(name)};
    const struct xml_element *root, *profile, *date;
    struct document_place place;
    struct stored stored = {0};
    if (!place_of(groups, &key, &place) || document_read(groups->documents, &place, arena, &stored) != OK ||
        xml_tree_read(stored.bytes, arena, &root) != OK ||
        !(profile = xml_child(root, PROFILE, TEXT("user-profile"))) ||
        !(date = xml_child(profile, PROFILE, TEXT("birth-date"))))
        return false;
    *date_out = text_slice(text_trim(date->text), 0, DATE_BYTES);
    return date_out->length == DATE_BYTES;
}

static bool birthday_of(const struct groups *groups, const struct group_sender *sender, struct arena *arena,
                        struct text *date_out)
{
    for (size_t i = 0; i < sender->identities_count; i++) {
        struct text owner;
        if (document_owner(groups->documents, sender->identities[i], arena, &owner) == OK &&
            (read_birthday(groups, "org.openmobilealliance.locked-user-profile", "locked-user-profile", owner, arena,
                           date_out) ||
             read_birthday(groups, "org.openmobilealliance.user-profile", "user-profile", owner, arena, date_out)))
            return true;
    }
    return false;
}

/* Who is born on the 29th of February is a year older on the 1st of March. */
static bool years_between(struct text birthday, struct text today, uint64_t *years_out)
{
    uint64_t then, now;
    if (!text_to_u64(text_slice(birthday, 0, 4), &then) || !text_to_u64(text_slice(today, 0, 4), &now) || now < then)
        return false;
    bool is_before = text_compare(text_slice(today, 4, DATE_BYTES), text_slice(birthday, 4, DATE_BYTES)) < 0;
    *years_out = now - then;
    if (is_before && *years_out == 0) /* not yet */
        return false;
    *years_out -= is_before;
    return true;
}

bool group_lets_age(const struct groups *groups, const struct group *group, const struct group_sender *sender)
{
    struct arena arena;
    struct text birthday;
    uint64_t years;
    if (!group->ages)
        return true;
    arena_init(&arena, "age");
    bool fits = false, known = birthday_of(groups, sender, &arena, &birthday) &&
                               years_between(birthday, clock_write_rfc3339(&arena, sender->wall_ms), &years);
    for (const struct age_range *range = known ? group->ages : NULL; range; range = range->next)
        fits = fits || (range->from <= years && years <= range->until);
    arena_clear(&arena);
    return fits;
}

int64_t group_next_birthday(const struct group *group, int64_t wall_ms)
{
    return group->ages ? (wall_ms / DAY_MS + 1) * DAY_MS : INT64_MAX;
}
