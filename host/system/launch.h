/* Becoming the process of a VM: it inherits nothing of xmig's, can gain no rights, and what it says
 * of itself, for months perhaps, fills no disk.
 */
#ifndef XMIG_HOST_SYSTEM_LAUNCH_H
#define XMIG_HOST_SYSTEM_LAUNCH_H

#include <sys/types.h>

#include "xmig/error.h"

enum {
    LAUNCH_LOG_MAX = 1024 * 1024 /* bytes; of more, the newest half is kept */
};

struct launch {
    mode_t umask;
    bool may_gain_rights; /* it starts a set-user-ID helper */
};

/**
 * Replace this process by the program words[0], looked up in PATH. Standard output and error, if
 * they are one file, are kept by a second process, which ends with the program.
 *
 * @return false, always
 */
bool launch_become(const struct launch *launch, char *const words[], struct error *err);

/* The program has ended: wait, a moment, until its last words are in `log`. */
void launch_await_last_words(int log);

#endif
