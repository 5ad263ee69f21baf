/* What a copy needs of the target host, as a list of its parts: a policy (xmig/policy.h) answers
 * for each. A need is what the parameters ask for, as they arrived; nothing has been made or run.
 */
#ifndef XMIG_NEEDS_H
#define XMIG_NEEDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum need_kind {
    NEED_VM,         /* the VM's name at the target */
    NEED_HYPERVISOR, /* its name; amount 1: its VMs are made up */
    NEED_PROGRAM,    /* the path of a program that is run as the device model */
    NEED_COMMAND,    /* any other program or command that would be run */
    NEED_IMAGE,      /* a disk's image, a file; amount: bytes */
    NEED_DEVICE,     /* a disk's block device; amount: bytes */
    NEED_OVERWRITE,  /* … whose contents may be lost */
    NEED_FILE,       /* another file or socket that the VM makes, or writes to */
    NEED_READ,       /* a file that the VM only reads */
    NEED_USER,       /* the name of whom the device model runs as */
    NEED_MEMORY,     /* amount: bytes */
    NEED_LEASE,      /* amount: milliseconds; 0: for ever */
    NEED_BRIDGE,     /* a network bridge, or a tap: its name */
    NEED_SCRIPT,     /* a network script: its path */
    NEED_LISTENER,   /* an address to listen at, "": all of this host's; amount, most: ports */
    NEED_CONNECTION, /* a host to connect to, "*": whatever this one can reach; ports as above */
    NEED_FAULT,      /* a fault that the sender asks for */
    NEED_UNKNOWN,    /* something of which nobody can say what it does: never permitted */
};

struct need {
    enum need_kind kind;
    char *what;
    char *of; /* what of the VM's it is for, for people: "disk 'vda'"; "" */
    uint64_t amount;
    uint64_t most; /* the last port of a range */
};

struct needs {
    struct need *items;
    size_t count;
};

/* Texts are copied. An `of` is a format: "" where there is nothing to tell. */
void needs_add(struct needs *needs, enum need_kind kind, const char *what, uint64_t amount,
               const char *of, ...) __attribute__((format(printf, 5, 6)));

/* NEED_LISTENER, NEED_CONNECTION: the ports `from` to `to`, at an address or a host's name. */
void needs_add_ports(struct needs *needs, enum need_kind kind, const char *address, uint64_t from,
                     uint64_t to, const char *of);

/* Is there one of this kind and text? */
bool needs_have(const struct needs *needs, enum need_kind kind, const char *what);

void needs_done(struct needs *needs);

#endif
