/* What a device model's command line makes it start, write and make at the target: checked before,
 * known again after, and removed with it.
 */
#ifndef XMIG_HOST_LINE_FILES_H
#define XMIG_HOST_LINE_FILES_H

#include <sys/types.h>

#include "qmp/argv/rewriting.h"

/* May `user`'s device model start the program? It has its rights: nobody else may change it. */
bool line_program_check(const char *path, uid_t user, struct error *err);

/* The same for all programs of the line, and for the files and sockets that it makes. */
bool line_files_check(const struct argv_result *line, uid_t user, struct error *err);

/* Paths at which files will be made; the caller frees the array. */
cJSON *line_files_to_come(const struct argv_result *line);

/* They have been made: the fact FACT_FILES, with what each is known by. The caller frees it. */
cJSON *line_files_fact(const cJSON *paths);

/* Remove those of the fact (NULL: none), and not what somebody else has put in their place. */
void line_files_remove(const cJSON *fact);

#endif
