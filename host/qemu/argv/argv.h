/* The command line of a running QEMU, rewritten for its twin at the target.
 *
 * Every option is understood, or the move is refused: what an option that nobody looked at
 * would do at the target is not guessed.
 */
#ifndef XMIG_HOST_QEMU_ARGV_ARGV_H
#define XMIG_HOST_QEMU_ARGV_ARGV_H

#include "xmig/json.h"

/* A disk that moves. */
struct argv_disk {
    char **paths;       /* real paths: its image, then what lies beneath; NULL-terminated */
    char **said;        /* what QEMU calls each of them; NULL: so */
    const char *target; /* its image at the target */
    const char *format; /* "raw", "qcow2": what its image is in here */
    bool is_chosen;     /* the user has named the target */
    bool stays_full;    /* it is allocated in full, and its target shall be so */
    const char *format_at_target; /* out: what the command line has it opened as; borrowed */
    char *renamed; /* out: what the target is called instead, for its format; NULL: no other. The
                    * caller frees it.
                    */
    bool found;    /* out: the command line opens it */
    bool unmaps;   /* out: what is unmapped is given back, by the drive's word */
    size_t layer;  /* out: which of `paths` it names */
};

struct argv_vm {
    const char *cwd;
    const char *name;        /* as it is */
    const char *new_name;    /* as it shall be; NULL: the same */
    const char *machine;     /* the versioned type that its machine really has */
    const char *accelerator; /* the one in use: "kvm", "tcg" */
    struct argv_disk *disks;
    size_t disk_count;
    const cJSON *media;    /* in the drives that can be opened: machine.h; NULL: as the line says */
    const cJSON *nodes;    /* the names that -blockdev gives */
    const cJSON *bridges;  /* --bridge: object OLD → NEW; NULL */
    const cJSON *forwards; /* of the networks of the user's: usernet.c; NULL: as the line says */
};

/* What the rewritten command line asks of the target. Arrays of strings. */
struct argv_result {
    cJSON *words;          /* without the program's own name */
    cJSON *needs;          /* files and directories that it only reads: they must be there */
    cJSON *outputs;        /* files that it writes: their directories must be there */
    cJSON *sockets;        /* sockets that it listens at: nobody else may */
    cJSON *bridges;        /* that QEMU joins by a helper; as they are called here */
    cJSON *searched;       /* files that QEMU looks for in directories of its own */
    cJSON *audio;          /* drivers for sound */
    cJSON *ports;          /* to listen at: objects, see argv-port.c */
    cJSON *pidfiles;       /* of the outputs */
    cJSON *notes;          /* for the plan */
    bool drops_privileges; /* -runas: it is started by the superuser */
};

/**
 * `words` are those of the running QEMU, an array without the program's own name.
 * argv_result_done() frees what the result holds, also after a failure.
 */
bool argv_rewrite(const cJSON *words, struct argv_vm *vm, struct argv_result *result,
                  struct error *err);
void argv_result_done(struct argv_result *result);

/* What -name says, or NULL. The caller frees it. */
char *argv_name(const cJSON *words);

/* The unix sockets at which it speaks QMP, absolute, ours first; the caller frees it. */
cJSON *argv_qmp_sockets(const cJSON *words, const char *cwd);

/* Is the option there? */
bool argv_has(const cJSON *words, const char *option);

/* The value of the last `option` ("cpu"), borrowed; NULL: it is not there. */
const char *argv_value(const cJSON *words, const char *option);

/* The private monitor with which xmig starts a QEMU. */
#define ARGV_OWN_MONITOR "xmig-monitor"

#endif
