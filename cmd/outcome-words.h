/* The last words of a command: its exit status, where the VM is now, and what to do next. */
#ifndef XMIG_CMD_OUTCOME_WORDS_H
#define XMIG_CMD_OUTCOME_WORDS_H

#include "xmig/outcome.h"
#include "xmig/side.h"

enum place {
    PLACE_UNKNOWN,
    PLACE_SOURCE,
    PLACE_TARGET,
    PLACE_NOWHERE
};

const char *place_name(enum place place);
enum place place_of(enum outcome outcome);

struct ending {
    const char *vm; /* as the user wrote it; NULL: no VM was asked for */
    const char *id; /* NULL: there is no migration */
    struct result result;
    int status; /* the exit status */
    enum place where;
    bool no_vm;            /* the command is not about one VM: say nothing of where it is */
    bool moved;            /* this command has moved it */
    const cJSON *refusals; /* what the checks refuse: {"side", "stage", "text"}; NULL */
    const char *target;    /* the other host's name, for the refusals */
    char text[640];        /* where the VM is, and how it is: for a person */
    char next[512];        /* what to do; "": nothing */
};

/* The host of a DEST, as messages name it. */
const char *target_name(const char *dest);

/* What `send` knows of a move besides its struct result. */
struct sent {
    const char *vm;     /* as the user wrote it */
    const char *name;   /* as the hypervisor calls it; NULL: not known */
    const char *target; /* its name */
    const char *id;
    const char *until;
    bool dry_run;
    bool attached;    /* the VM was found */
    bool has_journal; /* it was begun: xmig recover knows it */
    int signal;       /* the signal that interrupted the move; 0: none */
    const cJSON *refusals;
};

void ending_of_send(struct ending *ending, const struct result *result, const struct sent *sent);

struct recovered {
    const char *vm;
    const char *target; /* its name; NULL at the target itself */
    const char *source; /* at the target: how the source was reached; NULL: not known */
    const char *id;
    enum side side;
    bool given_back; /* receiver: the VM is the source's */
    bool disks_kept; /* receiver: complete disks are here that nobody owns */
};

void ending_of_recover(struct ending *ending, const struct result *result,
                       const struct recovered *recovered);

/* For failures before there is a move. `command` is for "see 'xmig COMMAND --help'". */
void ending_of_usage(struct ending *ending, const char *command, const struct error *err);
void ending_of_failure(struct ending *ending, enum outcome outcome, const struct error *err);

#endif
