/* What a guest of QEMU's tells its copy: the parameters, as structs. qemu_describe() fills them in;
 * qemu_params_read() is where the target takes them from the peer.
 */
#ifndef XMIG_HOST_QEMU_PARAMS_H
#define XMIG_HOST_QEMU_PARAMS_H

#include "host/images/disk-params.h"
#include "host/images/file-hash.h"
#include "host/system/tap.h"
#include "qmp/argv/port.h"

struct qemu_tap {
    const char *tap;
    const char *bridge;  /* "": the tap is in none */
    const char *script;  /* that QEMU runs; NULL: none */
    const char *by_hand; /* why xmig cannot make such a port; NULL: it can */
    struct tap_state state;
};

/* A drive, as the monitor or the guest may have changed it since QEMU's start. */
struct qemu_drive {
    const char *name, *device, *qdev;
    bool medium;                        /* it is removable, and only read */
    const char *source, *format, *node; /* of a medium; else NULL */
    const cJSON *limits;                /* as block_set_io_throttle takes them; NULL: no medium */
};

/* What lies in a drive at the target. */
struct qemu_medium {
    const char *name, *device, *qdev, *node, *format;
    const char *source; /* at the source; "": the drive is empty */
    const char *image;  /* at the target; "": the drive is to be empty */
    uint64_t size;
    char sha256[FILE_HASH_SIZE]; /* "": it may hold anything */
};

/* The queues of a virtio device that are longer than the command line makes them. */
struct qemu_queue {
    const char *device, *name; /* QEMU's word for its kind; its id, or its path */
    uint64_t length, by_line;
    uint64_t after_reset; /* what QEMU at the source makes of them then */
};

/* The program that emulates the VM's TPM. */
struct qemu_tpm {
    const char *program;
    bool version_2;
    const char *folder;                     /* of its state, at the target */
    const char *socket;                     /* at which QEMU finds it there */
    const char *log, *pidfile;              /* NULL: none */
    const char *flags, *locality, *seccomp; /* its own words; NULL: none */
    uint64_t log_level;
};

struct qemu_machine {
    const char *program, *machine, *accelerator;
    bool program_chosen;   /* --device-model: else it is the source's */
    uint64_t major, minor; /* QEMU's version */
    uint64_t uid;          /* whom it runs as */
    const char *user;      /* his name; NULL: he has none */
    uint64_t umask;
    bool drops_privileges;
    bool unmanaged;     /* a manager there may know a VM of this name */
    const cJSON *words; /* the command line, without the program */
    /* What the line asks of the target: see struct argv_result. */
    const cJSON *outputs, *sockets, *pidfiles, *searched, *audio, *bridges;
    const cJSON *needs;         /* struct needed_file */
    const cJSON *ports;         /* struct qemu_port */
    const cJSON *slots;         /* {"ID": "4.0"} */
    const cJSON *taps;          /* struct qemu_tap */
    const cJSON *drives;        /* struct qemu_drive */
    const cJSON *media;         /* struct qemu_medium */
    const cJSON *queues;        /* struct qemu_queue */
    const cJSON *uso, *tunnels; /* names of the taps and cards that do this */
    const cJSON *throttles;     /* {"GROUP": limits}; NULL: there are none */
    const cJSON *tpms;          /* struct qemu_tpm: one or none */
};

struct qemu_params {
    const char *name;
    uint64_t memory;    /* bytes */
    const cJSON *disks; /* struct disk_params */
    struct qemu_machine qemu;
};

extern const struct field qemu_tap_fields[], qemu_drive_fields[], qemu_medium_fields[],
    qemu_queue_fields[], qemu_fields[], qemu_tpm_fields[];

/* All is borrowed from `json`. */
bool qemu_params_read(const cJSON *json, struct qemu_params *params, struct error *err);

#endif
