/* The engine that rewrites a QEMU's command line for its twin at the target, and the calls that the
 * functions in a table's rows (option-table.h) are made of. The order of the options stays the
 * same, for their order decides which device sits in which slot.
 */
#ifndef XMIG_QMP_ARGV_REWRITING_H
#define XMIG_QMP_ARGV_REWRITING_H

#include "qmp/argv/option-table.h"

/* The rewritten command line, and the things that must be so at the target for it to work. All are
 * arrays of strings, except `ports` and `peers`.
 */
struct argv_result {
    cJSON *words;          /* without the program's own name */
    cJSON *needs;          /* files and directories that are only read: they must be there */
    cJSON *outputs;        /* files that are written: their directories must be there */
    cJSON *sockets;        /* sockets to listen at: nobody else may */
    cJSON *connects;       /* sockets of somebody else's */
    cJSON *pipes;          /* named pipes: PATH.in and PATH.out, or PATH */
    cJSON *programs;       /* that QEMU starts; they are among the needs, too */
    cJSON *others;         /* files of which nobody knows whether QEMU reads or writes them */
    cJSON *bridges;        /* joined by QEMU's helper; by their names at the source */
    cJSON *searched;       /* files that QEMU looks for in directories of its own */
    cJSON *audio;          /* drivers for sound */
    cJSON *ports;          /* to listen at: struct qemu_port */
    cJSON *peers;          /* to connect to: the same */
    cJSON *pidfiles;       /* of the outputs */
    cJSON *notes;          /* for the plan */
    bool drops_privileges; /* -runas: QEMU is started by the superuser */
};

/* The state of one rewriting. A hypervisor whose functions need to know more has a struct of its
 * own that begins with this one. All pointers are borrowed.
 */
struct rewriting {
    const struct option_table *table;
    const char *cwd;      /* where relative paths begin; NULL: paths stay as they are said */
    const char *name;     /* the VM's, as it is */
    const char *new_name; /* as it shall be; NULL: the same */
    struct argv_result *result;
    cJSON *renamed;     /* object: values that change, OLD → NEW, are added; NULL: nobody asks */
    const char *option; /* the one in hand, without dashes; `change` may put a longer name for it */
    const char *value;  /* its value, or NULL */
};

/* Rewrite all of `words`, an array of strings without the program's own name, into `r->result`. The
 * caller frees the result by argv_result_done(), also after a failure. An `err` that collects
 * refusals gets those of all options, and the last one is returned.
 */
bool rewriting_run(struct rewriting *r, const cJSON *words, struct error *err);
void argv_result_done(struct argv_result *result);

/* Rewrite "-OPTION VALUE" in place of the option in hand. The table must have a row for OPTION. */
bool rewriting_option(struct rewriting *r, const char *option, const char *value,
                      struct error *err);

/* ---- whole rewriters ---- */

/* Give the target the same option; leave the option out; refuse to move the VM. */
option_rewriter rewriting_keep, rewriting_drop, rewriting_refuse;

/* chardev.c: -chardev; -serial and its kind; -s */
option_changer rewriting_chardev;
option_rewriter rewriting_character_device, rewriting_gdb_default;

/* property.c: -set and -global, which must not name a file. */
option_rewriter rewriting_set, rewriting_global;

/* ---- what rewriters are made of ---- */

/* Give the target "-OPTION", and the value unless that is NULL. */
void rewriting_emit(struct rewriting *r, const char *option, const char *value);
void rewriting_emit_keyvals(struct rewriting *r, const char *option, const struct keyvals *kv);

/* Tell the person who plans the move. */
void rewriting_note(struct rewriting *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Add a string to one of the result's arrays, once. */
void rewriting_list(cJSON *array, const char *text);

/* Make a path of the command line absolute, list it in the result, and return the path at the
 * target. The caller frees that.
 */
typedef char *rewriting_path(struct rewriting *r, const char *path);
rewriting_path rewriting_need;    /* a file that is only read */
rewriting_path rewriting_write;   /* a file that is written: renamed with the VM */
rewriting_path rewriting_listen;  /* a socket that QEMU makes: renamed with the VM */
rewriting_path rewriting_connect; /* somebody else's socket */
rewriting_path rewriting_pipe;    /* named pipes, made where there are none: renamed with the VM */
rewriting_path rewriting_execute; /* a program */
rewriting_path rewriting_other;   /* a file of a kind that is not known */

/* Replace the value of `key`, if there is one, by what `becomes` makes of that path. */
void rewriting_path_key(struct rewriting *r, struct keyvals *kv, const char *key,
                        rewriting_path *becomes);

/* Each value that is an absolute path, and in none of the lists, is an `other`. */
void rewriting_other_paths(struct rewriting *r, const struct keyvals *kv);

/* Is `path` in a list of files of the result? */
bool argv_result_lists(const struct argv_result *result, const char *path);

/**
 * The `result` is of words that came from another host, which has rewritten them already: nothing
 * may have changed, and no value be a path of which no function knows what it is for
 * (ERROR_REFUSED). `images` are those that the parameters name, NULL-terminated.
 */
bool arrived_check(const struct option_table *table, const cJSON *words,
                   const struct argv_result *result, const char *const images[], struct error *err);

/* Is `text` one of the words? Does `text` begin with one of the prefixes? Both lists end with NULL;
 * a NULL `text` is never among them.
 */
bool word_is_among(const char *text, const char *const words[]);
bool word_begins_among(const char *text, const char *const prefixes[]);

#endif
