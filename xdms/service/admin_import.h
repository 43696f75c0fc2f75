/* The parts of admin_import.c. */
#ifndef SERVICE_ADMIN_IMPORT_H
#define SERVICE_ADMIN_IMPORT_H

#include <pthread.h>

#include "service_admin.h"

#define IMPORT_WHO TEXT("admin") /* in change records */

enum import_existing { EXISTING_REFUSED, EXISTING_KEPT, EXISTING_REPLACED };
enum import_phase { PHASE_USERS, PHASE_DOCUMENTS }; /* a document needs its owner */
enum import_outcome { ADDED, REPLACED, UNCHANGED, OUTCOMES };

struct import_line {
    struct import *import;
    size_t number; /* 1… */
    struct text text;
    json_t *json; /* while it is worked on */
    enum import_phase phase;
    bool exists;
    struct commit commit;          /* of a user */
    struct document_change change; /* of a document */
    struct import_line *next_ready;
};

struct import {
    struct admin_call *call;
    enum import_existing existing;
    struct import_line *lines;
    size_t count;
    enum import_phase phase;
    size_t next;        /* line to begin with */
    size_t outstanding; /* lines that wait for the store */
    struct text owner;  /* who was found to be a user last */
    size_t outcomes[OUTCOMES];
    json_t *refused;

    pthread_mutex_t lock;      /* for what follows: the store's thread is there too */
    struct import_line *ready; /* whose wait has ended */
    bool sleeping;             /* the request waits to be resumed */
};

/* How a line ends: each line comes to one of these, once. */
void import_line_end(struct import_line *line, enum import_outcome outcome);
void import_line_refuse(struct import_line *line, int status, struct text sentence, const char *conflict);
void import_line_fail(struct import_line *line, enum status status, const struct refusal *refusal);

/* What it brings exists already: kept or refused, as the request says. */
void import_line_exists(struct import_line *line);

/* The wait for the store has ended. On the store's thread, or inside the call that submits. */
void import_line_ready(void *context);

/* Names of the members that a line may have, NULL behind them. False: the line has another and is refused, since a
 * misspelt member must not be lost without a word. */
bool import_members_known(struct import_line *line, const char *const *names);

/* These begin a line, and go on with it after its wait. */
void import_user_begin(struct import_line *line);
void import_user_resume(struct import_line *line);
void import_document_begin(struct import_line *line);
void import_document_resume(struct import_line *line);

#endif
