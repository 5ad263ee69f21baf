/* Replaces small files as a whole: a reader sees the old file or the new one, also after a crash.
 */
#ifndef XMIG_TRANSPORT_TLS_WHOLE_FILE_H
#define XMIG_TRANSPORT_TLS_WHOLE_FILE_H

#include <stdio.h>
#include <sys/stat.h>

#include "xmig/error.h"

/* Keep other writers out of the directory of `path` until the descriptor is closed. -1: `err` says
 * why.
 */
int whole_file_lock(const char *path, struct error *err);

/* Begin a new version of the file `path`, and return it for writing; NULL: `err` says why. */
FILE *whole_file_begin(const char *path, mode_t mode, struct error *err);

/* Put the written file (taken) in the place of `path`, durably. False: the new version is gone. */
bool whole_file_end(FILE *file, const char *path, struct error *err);

#endif
