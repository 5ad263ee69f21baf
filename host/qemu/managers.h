/* Programs that manage VMs of QEMU's, and what shows that a VM is one of theirs. */
#ifndef XMIG_HOST_QEMU_MANAGERS_H
#define XMIG_HOST_QEMU_MANAGERS_H

#include "host/qemu/find.h"
#include "host/system/process-place.h"

struct manager {
    const char *name;
    bool is_final;           /* no option makes xmig move its VMs */
    const char *consequence; /* of moving a VM behind its back: what it would do */
    /* The command that moves the VM by the manager's own means, around the VM's name there. */
    const char *command, *command_end;
    /* Signs, as patterns of fnmatch(3); NULL-terminated. */
    const char *const *groups;   /* control groups of its VMs */
    const char *const *words;    /* of their command lines */
    const char *const *parents;  /* names of its own processes */
    const char *const *pidfiles; /* … around the VM's name, which show the VM's process */
    /* Files that it has of a VM it knows, around the VM's name; NULL-terminated pairs. */
    const char *const *files;
    bool has_numbers; /* its VMs have numbers (-id), by which its files and commands name them */
};

struct managed {
    const struct manager *manager; /* NULL: none is known */
    char id[128];                  /* what the manager calls the VM */
    char signs[512];               /* for people: all by which the manager was recognised */
};

/* Files are looked for beneath `root`, which is "" but in tests. */
void managers_recognise(const char *root, const struct qemu_process *process,
                        const struct process_place *place, struct managed *managed);

/* Does a manager of this host know a VM of this name, running or not? `path` is the file that
 * shows it. NULL: none does.
 */
const struct manager *managers_know(const char *root, const char *name, char *path, size_t size);

#endif
