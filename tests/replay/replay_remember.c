/* What a script remembers of an answer, to use it later. */
#include "replay_script.h"

struct text script_remembered(struct world *world, struct text name)
{
    for (size_t i = 0; i < world->remembered_count; i++)
        if (text_equal(world->remembered[i].name, name))
            return world->remembered[i].value;
    world_fail(world, "nothing is remembered as %.*s", TEXT_ARG(name));
    return (struct text){0};
}

/* "remember bob Contact temp-gruu one": that parameter of the header of the message taken last is {one} from here on.
 */
void word_remember(struct world *world, struct text line, struct text block)
{
    struct actor *actor = world_actor(world, script_word(&line));
    const char *header = text_cstring(&world->arena, script_word(&line));
    struct text parameter = script_word(&line), name = script_word(&line), field, value;
    struct name_addr address;
    (void)block;
    if (!actor->taken || !sip_header(actor->taken, header, 0, &world->arena, &field) ||
        !name_addr_parse(field, &address, NULL) || !uri_parameter(address.parameters, parameter, &value) ||
        world->remembered_count == REPLAY_REMEMBERED_MAX)
        return world_fail(world, "no %.*s to remember", TEXT_ARG(parameter));
    world->remembered[world->remembered_count++] = (struct remembered){name, text_copy(&world->arena, value)};
}

void word_differ(struct world *world, struct text line, struct text block)
{
    struct text one = script_word(&line), other = script_word(&line);
    (void)block;
    if (text_equal(script_remembered(world, one), script_remembered(world, other)))
        world_fail(world, "%.*s and %.*s are the same", TEXT_ARG(one), TEXT_ARG(other));
}
