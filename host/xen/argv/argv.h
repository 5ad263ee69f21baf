/* The command line of a device model, rewritten for its twin at the target. The engine is qmp/argv;
 * this folder has the table of the options and the functions of its rows.
 */
#ifndef XMIG_HOST_XEN_ARGV_ARGV_H
#define XMIG_HOST_XEN_ARGV_ARGV_H

#include "host/xen/params.h"
#include "qmp/argv/rewriting.h"

/* Stands for the domain's number, which only the target knows. */
#define XEN_ARGV_DOMID "@DOMID@"

struct xen_argv {
    const char *name;     /* the domain's, as it is */
    const char *new_name; /* as it shall be; NULL: the same */
    const char *machine;  /* the versioned type that its machine really has */
    const cJSON *disks;   /* struct disk_params: what is opened elsewhere at the target */
    const cJSON *media;   /* struct xen_medium: what lies in the CD-ROM drives there */
    bool has_arrived;     /* the words are another host's, which has rewritten them */
    const cJSON *bridges; /* {OLD: NEW}: those called otherwise at the target; NULL: none */
    cJSON *needs;         /* files that are only read, and must be there; added to */
    cJSON *renamed;       /* values that change: object OLD → NEW; added to */
};

/* The words with which the target's device model is to be started: an array of strings, which the
 * caller frees; NULL with `err` set after a refusal. `words` and the result are without the
 * program's own name.
 */
cJSON *xen_argv_rewrite(const cJSON *words, struct xen_argv *vm, struct error *err);

/* Walk the table over words that came from another host, as argv_arrived() does for a QEMU. The
 * result, which argv_result_done() frees, has XEN_ARGV_DOMID where the domain's number is to be.
 */
bool xen_argv_arrived(const cJSON *words, const struct xen_params *params,
                      struct argv_result *result, struct error *err);

/* The same for a part of a line, as libxl's configuration has it after xen_argv_rename(): what is
 * only of the running process may still be there.
 */
bool xen_argv_look(const cJSON *words, const struct xen_params *params, struct argv_result *result,
                   struct error *err);

/* Put the values that `renamed` has in the place of those of `words`, an array or NULL. */
void xen_argv_rename(cJSON *words, const cJSON *renamed);

/* A copy of `words` with the domain's number in its places. The caller frees the copy. */
cJSON *xen_argv_number(const cJSON *words, unsigned domid);

#endif
