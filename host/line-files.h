/* Programs that a device model starts at the target, and files and sockets that it makes, as its
 * command line says: they are checked before it starts, and the files are removed with it.
 */
#ifndef XMIG_HOST_LINE_FILES_H
#define XMIG_HOST_LINE_FILES_H

#include <sys/types.h>

#include "qmp/argv/rewriting.h"
#include "xmig/policy.h"

/* May `user`'s device model start this program? The program gets the rights of `user`, so nobody
 * else may be able to change it.
 */
bool line_program_check(const char *path, uid_t user, struct error *err);

/* The program that the source has named by `wanted`: at its path there only if the policy (NULL:
 * there is none) names that, else this host's own of that name; where a person has `chosen` a path,
 * only that. NULL: there is none. The caller frees it.
 */
char *line_program_find(const char *wanted, bool chosen, const struct policy *policy);

/* The refusal where there is none. */
bool line_program_missing(const char *wanted, struct error *err);

/* May it start all programs of the line, and make the line's files and sockets? */
bool line_files_check(const struct argv_result *line, uid_t user, struct error *err);

/* Make the line's named pipes that are not there, for `user`. */
bool line_pipes_make(const struct argv_result *line, uid_t user, struct error *err);

/* The paths at which the device model will make files; the caller frees the array. */
cJSON *line_files_to_come(const struct argv_result *line);

/* Once the files have been made: the fact FACT_FILES, with the inode and birth time of each. The
 * caller frees the fact.
 */
cJSON *line_files_fact(const cJSON *paths);

/* Remove the files of the fact (NULL: none), unless another file has taken their place. */
void line_files_remove(const cJSON *fact);

#endif
