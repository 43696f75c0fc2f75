/* Makes names of syllables, and documents of names. */
#include "search_people.h"

#define GIVEN    1000
#define FAMILIES 27000
#define PLACES   500

static const char *const syllables[] = {"ba",  "den", "ka",  "lo",  "mi",  "ner", "po",  "ra", "sen", "ti",
                                        "vo",  "wil", "zan", "fer", "gu",  "hol", "jen", "ku", "man", "ros",
                                        "ste", "dor", "bel", "cha", "lin", "mar", "nik", "ol", "per", "tur"};
#define SYLLABLES (sizeof(syllables) / sizeof(syllables[0]))

static struct text word(unsigned number, unsigned parts, struct arena *arena)
{
    struct text_builder out;
    builder_init(&out, arena);
    for (unsigned i = 0; i < parts; i++, number /= SYLLABLES)
        builder_add(&out, text_of(syllables[number % SYLLABLES]));
    char *bytes = text_cstring(arena, builder_text(&out));
    bytes[0] = (char)(bytes[0] - 'a' + 'A');
    return text_of(bytes);
}

struct person person_of(unsigned number, struct arena *arena)
{
    uint64_t mixed = number * 0x9E3779B97F4A7C15u;
    return (struct person){word((unsigned)(mixed >> 40) % GIVEN, 3, arena),
                           word((unsigned)(mixed >> 20) % FAMILIES, 3, arena),
                           word((unsigned)(mixed >> 8) % PLACES, 4, arena)};
}

struct text address_of(unsigned number, struct arena *arena)
{
    return text_format(arena, "sip:user%07u@example.com", number);
}

struct text profile_of(unsigned number, struct arena *arena)
{
    struct person who = person_of(number, arena);
    return text_format(
        arena,
        "<user-profiles xmlns=\"urn:oma:xml:xdm:user-profile\"><user-profile uri=\"sip:user%07u@example.com\">"
        "<communication-addresses><comm-addr>tel:+1555%07u</comm-addr></communication-addresses><display-name>%.*s "
        "%.*s</display-name><birth-date>19%02u-0%u-1%u</birth-date><name><given-name>%.*s</given-name><family-name>%.*s"
        "</family-name></name><address><country>Norway</country><locality>%.*s</locality></address>"
        "<freetext>Likes to be written to, and to be found by those who know the name.</freetext></user-profile>"
        "</user-profiles>",
        number, number, TEXT_ARG(who.given), TEXT_ARG(who.family), number % 90 + 10, number % 9 + 1, number % 10,
        TEXT_ARG(who.given), TEXT_ARG(who.family), TEXT_ARG(who.place));
}

struct text group_of(unsigned number, unsigned people, struct arena *arena)
{
    struct text_builder out;
    struct person about = person_of(number, arena);
    uint64_t mixed = number;
    builder_init(&out, arena);
    builder_add_format(&out,
                       "<group xmlns=\"urn:oma:xml:poc:list-service\"><list-service uri=\"sip:group%06u@example.com\">"
                       "<display-name>%.*s %.*s</display-name><list>",
                       number, TEXT_ARG(about.place), TEXT_ARG(about.given));
    for (unsigned i = 0; i < GROUP_MEMBERS; i++) {
        mixed = mixed * 6364136223846793005u + 1442695040888963407u;
        builder_add_format(&out, "<entry uri=\"sip:user%07u@example.com\"/>", (unsigned)(mixed >> 33) % people);
    }
    builder_add(&out,
                TEXT("</list><invite-members>false</invite-members><max-participant-count>50</max-participant-count>"
                     "<searchable xmlns=\"urn:oma:xml:xdm:extensions\">true</searchable></list-service></group>"));
    return builder_text(&out);
}
