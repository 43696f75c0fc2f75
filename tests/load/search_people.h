/* People and groups that never were, the same each time: what benches search among. */
#ifndef SEARCH_PEOPLE_H
#define SEARCH_PEOPLE_H

#include "arena.h"
#include "text.h"

#define GROUP_MEMBERS 10 /* of each group, besides its owner */

struct person {
    struct text given, family, place;
};

struct person person_of(unsigned number, struct arena *arena);
struct text address_of(unsigned number, struct arena *arena);
struct text profile_of(unsigned number, struct arena *arena);
/* A group of one of so many people, with others of them in it. */
struct text group_of(unsigned number, unsigned people, struct arena *arena);

#endif
