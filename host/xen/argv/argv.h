/* The command line of a device model, rewritten for its twin at the target. Every option is
 * understood, or the move is refused; their order stays, for it decides which device sits in
 * which slot.
 */
#ifndef XMIG_HOST_XEN_ARGV_ARGV_H
#define XMIG_HOST_XEN_ARGV_ARGV_H

#include "xmig/json.h"

/* Stands for the domain's number, which only the target knows. */
#define XEN_ARGV_DOMID "@DOMID@"

struct xen_argv {
    const char *name;     /* the domain's, as it is */
    const char *new_name; /* as it shall be; NULL: the same */
    const char *machine;  /* the versioned type that its machine really has */
    const cJSON *disks;   /* {"source", "image"}: what is opened elsewhere at the target */
    const cJSON *media;   /* {"drive", "image"}: what lies in the CD-ROM drives there */
    const cJSON *bridges; /* {OLD: NEW}: those called otherwise at the target; NULL: none */
    cJSON *needs;         /* files that it only reads, and that must be there; added to */
    cJSON *renamed;       /* values that change: object OLD → NEW; added to */
};

/* What the target's device model is to be started with: an array of strings, which the
 * caller frees. `words` is without the program's own name.
 */
cJSON *xen_argv_rewrite(const cJSON *words, struct xen_argv *vm, struct error *err);

/* The same with a domain's number in its places; the caller frees it. */
cJSON *xen_argv_number(const cJSON *words, unsigned domid);

#endif
