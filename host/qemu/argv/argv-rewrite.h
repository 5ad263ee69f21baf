/* What the rewriters of the various kinds of options share; see argv.c for their table.
 *
 * A rewriter says by rewriting_emit() what the target is given in the option's place, and
 * notes what of the target's file system that option will touch.
 */
#ifndef XMIG_HOST_QEMU_ARGV_ARGV_REWRITE_H
#define XMIG_HOST_QEMU_ARGV_ARGV_REWRITE_H

#include "host/qemu/argv/argv.h"
#include "qmp/argv/keyvals.h"

struct rewriting {
    struct argv_vm *vm;
    struct argv_result *result;
    cJSON *nodes; /* of moved disks: the -blockdev's name → the disk's number */
    bool has_machine;
    bool has_accelerator;
    bool has_name;
    bool has_display;
    bool closed_window;
};

typedef bool argv_rewriter(struct rewriting *r, const char *option, const char *value,
                           struct error *err);

/* argv-disk.c */
argv_rewriter rewrite_drive, rewrite_blockdev, rewrite_hda;
/* argv-chardev.c */
argv_rewriter rewrite_chardev, rewrite_character_device, rewrite_mon, rewrite_vnc, rewrite_spice;
/* argv-device.c */
argv_rewriter rewrite_device, rewrite_object, rewrite_net, rewrite_usbdevice;
/* argv-audio.c */
argv_rewriter rewrite_audio;
/* argv-file.c */
argv_rewriter rewrite_input, rewrite_option_rom, rewrite_inputs_within, rewrite_acpitable,
    rewrite_trace, rewrite_mem_path, rewrite_pidfile, rewrite_log;

/* ---- argv.c: walking along a command line ---- */

struct argv_option;

struct argv_step {
    const struct argv_option *option; /* NULL: a bare word, the first disk's image */
    const char *name;                 /* the option's, without dashes */
    const char *value;                /* NULL: it takes none */
};

/* The option at `*word`, which is moved behind it and its value. */
bool argv_step(const cJSON **word, struct argv_step *step, struct error *err);

/* ---- argv-file.c: what they are made of ---- */

void rewriting_emit(struct rewriting *r, const char *option, const char *value);
void rewriting_emit_keyvals(struct rewriting *r, const char *option, const struct keyvals *kv);
void rewriting_note(struct rewriting *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Each makes the path absolute, notes it, and returns what it is at the target; the caller
 * frees it.
 */
char *rewriting_need(struct rewriting *r, const char *path);    /* it is only read */
char *rewriting_write(struct rewriting *r, const char *path);   /* it is written */
char *rewriting_listen(struct rewriting *r, const char *path);  /* it is a socket we make */
char *rewriting_connect(struct rewriting *r, const char *path); /* it is somebody else's socket */

/* The same for the value of `key`, in place, if there is one. */
void rewriting_need_key(struct rewriting *r, struct keyvals *kv, const char *key);
void rewriting_write_key(struct rewriting *r, struct keyvals *kv, const char *key);

/* ---- argv-port.c: ports to listen at; `what` is the option, for people ---- */

/* One of `port` up to `to` (NULL: only that one). */
void rewriting_port(struct rewriting *r, const char *what, const char *host, const char *port,
                    const char *to);
void rewriting_address(struct rewriting *r, const char *what, const char *address);
void rewriting_vnc_port(struct rewriting *r, const struct keyvals *kv, const char *where);
void rewriting_forwards(struct rewriting *r, const struct keyvals *kv);

/* Does a drive that can be opened hold the block node, and will it at the target? */
bool rewriting_node_stays(const struct rewriting *r, const char *node);

/* A file that QEMU looks for in its own directories when it is not there. */
void rewriting_searched_file(struct rewriting *r, struct keyvals *kv, const char *key);

#endif
