/* A binary heap whose entries know their places, so that a moment can be moved or taken out. */
#include "due.h"

#include <stdlib.h>

#include "arena.h"

static void put(struct due_heap *heap, struct due *due, size_t place)
{
    heap->entries[place] = due;
    due->place = place;
}

static void rise(struct due_heap *heap, struct due *due)
{
    size_t place = due->place;
    for (; place > 1 && heap->entries[place / 2]->at_ms > due->at_ms; place /= 2)
        put(heap, heap->entries[place / 2], place);
    put(heap, due, place);
}

static void sink(struct due_heap *heap, struct due *due)
{
    size_t place = due->place, child;
    for (; (child = place * 2) <= heap->count; place = child) {
        if (child < heap->count && heap->entries[child + 1]->at_ms < heap->entries[child]->at_ms)
            child++;
        if (heap->entries[child]->at_ms >= due->at_ms)
            break;
        put(heap, heap->entries[child], place);
    }
    put(heap, due, place);
}

void due_remove(struct due_heap *heap, struct due *due)
{
    if (due->place == 0)
        return;
    struct due *last = heap->entries[heap->count--];
    if (last != due) {
        put(heap, last, due->place);
        rise(heap, last);
        sink(heap, last);
    }
    due->place = 0;
}

void due_set(struct due_heap *heap, struct due *due, int64_t at_ms)
{
    due_remove(heap, due);
    due->at_ms = at_ms;
    if (at_ms == INT64_MAX)
        return;
    if (heap->count + 1 >= heap->capacity) {
        heap->capacity = heap->capacity ? heap->capacity * 2 : 16;
        heap->entries = memory_resize(heap->entries, heap->capacity * sizeof(struct due *));
    }
    put(heap, due, ++heap->count);
    rise(heap, due);
}

struct due *due_first(const struct due_heap *heap)
{
    return heap->count ? heap->entries[1] : NULL;
}

int64_t due_deadline(const struct due_heap *heap)
{
    return heap->count ? heap->entries[1]->at_ms : INT64_MAX;
}

void due_clear(struct due_heap *heap)
{
    free(heap->entries);
    *heap = (struct due_heap){0};
}
