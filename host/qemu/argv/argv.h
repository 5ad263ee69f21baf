/* The command line of a running QEMU, rewritten for its twin at the target.
 *
 * The engine is qmp/argv; this folder has the table of QEMU's options and the functions of its
 * rows.
 */
#ifndef XMIG_HOST_QEMU_ARGV_ARGV_H
#define XMIG_HOST_QEMU_ARGV_ARGV_H

#include "host/images/disk-params.h"
#include "qmp/argv/rewriting.h"

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

/* All is borrowed. */
struct argv_vm {
    const char *cwd;
    const char *name;        /* as it is */
    const char *new_name;    /* as it shall be; NULL: the same */
    const char *machine;     /* the versioned type that its machine really has */
    const char *accelerator; /* the one in use: "kvm", "tcg" */
    struct argv_disk *disks;
    size_t disk_count;
    const cJSON *media;    /* struct qemu_medium of the drives that open; NULL: as the line says */
    const cJSON *nodes;    /* the names that -blockdev gives */
    const cJSON *bridges;  /* --bridge: object OLD → NEW; NULL */
    const cJSON *forwards; /* of the networks of the user's: usernet.c; NULL: as the line says */
};

/* The table of QEMU's options. */
extern const struct option_table qemu_options;

/**
 * `words` are those of the running QEMU, an array without the program's own name.
 * argv_result_done() frees what the result holds, also after a failure.
 */
bool argv_rewrite(const cJSON *words, struct argv_vm *vm, struct argv_result *result,
                  struct error *err);

/**
 * Walk the table over words that came from another host, which has done so already: nothing may be
 * left to change, and no value be a path of which no function knows what it is for (ERROR_REFUSED).
 * `disks`: those of the parameters, the last of which has no name; NULL: none. `result` is as of
 * argv_rewrite(): what this line makes QEMU read, write, start, and listen at.
 */
bool argv_arrived(const cJSON *words, const struct disk_params *disks, const char *machine,
                  const char *accelerator, struct argv_result *result, struct error *err);

/* The words with what -readconfig's files say in the place of that option; the caller frees them. A
 * file that cannot be read, or is relative while `cwd` is NULL, stays as it is said. The paths of
 * the others are added to `files`, unless that is NULL.
 */
cJSON *argv_expand(const cJSON *words, const char *cwd, cJSON *files);

/* Does the guest write into its images, and not into temporary files? Else ERROR_REFUSED. */
bool argv_keeps_writes(const cJSON *words, struct error *err);

/* Show the guest only the first `size` bytes of the raw image `path`: change the words of an array
 * that opens it. False: the line has no node that could (ERROR_REFUSED).
 */
bool argv_show_part(cJSON *words, const char *path, uint64_t size, struct error *err);

/* The name that -name gives, or NULL. The caller frees the name. */
char *argv_name(const cJSON *words);

/* Where QEMU speaks QMP: the absolute paths of unix sockets, that of our own monitor first, then
 * "tcp:HOST:PORT". The caller frees the array.
 */
cJSON *argv_qmp_sockets(const cJSON *words, const char *cwd);

/* The socket at which the program listens that is the VM's TPM (-tpmdev emulator), as the line has
 * it; NULL: the VM has none. The caller frees it.
 */
char *argv_tpm_socket(const cJSON *words);

/* Is the option on the line? */
bool argv_has(const cJSON *words, const char *option);

/* The value of the last `option` ("cpu"), borrowed; NULL: the line does not have that option. */
const char *argv_value(const cJSON *words, const char *option);

/* The id of the private monitor with which xmig starts a QEMU. */
#define ARGV_OWN_MONITOR "xmig-monitor"

#endif
