/* Small files that are replaced as a whole: a reader, and whoever comes after a crash, sees the old
 * one or the new one.
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

/* What is to become of `path`; NULL: `err` says why. */
FILE *whole_file_begin(const char *path, mode_t mode, struct error *err);

/* Let the file (taken) be `path` from now on, durably. False: nothing of it is left. */
bool whole_file_end(FILE *file, const char *path, struct error *err);

#endif
