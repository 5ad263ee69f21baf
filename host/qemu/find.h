/* The QEMU processes of this machine. */
#ifndef XMIG_HOST_QEMU_FIND_H
#define XMIG_HOST_QEMU_FIND_H

#include <stdint.h>
#include <sys/types.h>

#include "xmig/json.h"

struct qemu_process {
    pid_t pid;
    uint64_t start_time;
    cJSON *words;   /* its command line, without the program's own name, and with what the files of
                     * -readconfig say
                     */
    cJSON *configs; /* the paths of these files */
    char *exe;      /* the program's file, or that of the program around it; NULL: not for us */
    char *cwd;
    char *start_dir;      /* where relative paths on its line begin */
    bool start_dir_known; /* nothing is relative, or what is so was found there */
    char *name;           /* what -name says, or NULL */
    uid_t uid;            /* with whose rights it works */
    gid_t gid;
};

/* Read process `pid`, which must be a QEMU. qemu_process_done() frees what it holds. */
bool qemu_process_read(pid_t pid, struct qemu_process *process, struct error *err);
void qemu_process_done(struct qemu_process *process);

/* Is the program called as QEMU's are called, or as one with a wrapper is? */
bool qemu_is_name(const char *program);

/* The program as it is called without its wrapper; the caller frees it. */
char *qemu_program_unwrapped(const char *program);

/* A command line of NUL-terminated words without the first, which is what the program is called;
 * NULL: that is no QEMU. `exe` is its file, NULL if that is not known. The caller frees the words.
 */
cJSON *qemu_words(const char *line, size_t len, const char *exe);

/* A QEMU called `name` that this user may not look at; 0: there is none. */
pid_t qemu_process_of_others(const char *name);

/* Is it another user's that is in the way? Then say what helps. */
bool qemu_advise_sudo(struct error *err);

/* The one QEMU called `name`. False: there is none, or more than one. */
bool qemu_process_find(const char *name, struct qemu_process *process, struct error *err);

/* A QEMU called `name` that is `uid`'s, or the superuser's: others may call theirs as they like. 0:
 * there is none.
 */
pid_t qemu_process_of(const char *name, uid_t uid);

/* Every QEMU that we may look at. `each(arg, process)` borrows it. */
void qemu_process_each(void (*each)(void *arg, const struct qemu_process *process), void *arg);

#endif
