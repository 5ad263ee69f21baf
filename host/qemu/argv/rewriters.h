/* The functions in the rows of QEMU's table (options.c), by the files that they are in. */
#ifndef XMIG_HOST_QEMU_ARGV_REWRITERS_H
#define XMIG_HOST_QEMU_ARGV_REWRITERS_H

#include "host/qemu/argv/argv.h"
#include "qmp/argv/block-driver.h"
#include "qmp/argv/port.h"

struct qemu_rewriting {
    struct rewriting base;
    struct argv_vm *vm;
    const cJSON *words;
    cJSON *nodes; /* of moved disks: the -blockdev's name → the disk's number */
    bool has_machine;
    bool has_accelerator;
    bool has_name;
    bool has_network;
    bool has_display;
    bool closed_window;
};

static inline struct qemu_rewriting *qemu_of(struct rewriting *r)
{
    return (struct qemu_rewriting *)r;
}

/* machine.c */
option_changer rewrite_machine, rewrite_name;
option_rewriter rewrite_accel, rewrite_enable_kvm, rewrite_icount, rewrite_runas, rewrite_run_with;
option_rewriter rewrite_vmid;
/* disk.c, blockdev.c */
option_changer rewrite_drive, rewrite_blockdev;
option_rewriter rewrite_hda;
/* monitor.c */
option_rewriter rewrite_chardev, rewrite_character_device, rewrite_mon;
/* display.c */
option_changer rewrite_vnc, rewrite_spice;
option_rewriter rewrite_display, rewrite_nographic, rewrite_window;
/* device.c, object.c */
option_changer rewrite_device, rewrite_object, rewrite_net;
/* tpm.c */
option_changer rewrite_tpmdev;
option_rewriter rewrite_usbdevice;
/* config.c */
option_rewriter rewrite_readconfig;
/* audio.c */
option_changer rewrite_audio;
/* file.c */
option_changer rewrite_option_rom, rewrite_inputs_within, rewrite_acpitable, rewrite_trace;
option_changer rewrite_boot, rewrite_shared_folder;
option_rewriter rewrite_input, rewrite_mem_path, rewrite_pidfile, rewrite_log;

/* ---- file.c ---- */

/* A path for the guest's memory: a directory (of huge pages) must be there, a file is written. */
rewriting_path rewriting_memory;

/* `key` has a file that QEMU looks for in its own directories, unless the path itself exists. */
void rewriting_searched_key(struct rewriting *r, struct keyvals *kv, const char *key);

/* ---- config.c ---- */

/* The words that a -readconfig file stands for; NULL: it cannot be read. The caller frees them. */
cJSON *config_words(const char *path, struct error *err);

/* ---- tpm.c ---- */

/* Is this character device that of the VM's TPM, whose socket xmig's own swtpm makes? */
bool rewriting_is_of_tpm(const struct qemu_rewriting *q, const struct keyvals *kv);

/* As argv_tpm_socket(). */
char *rewriting_tpm_socket(const struct option_table *table, const cJSON *words);

/* ---- disk.c ---- */

/* As argv_keeps_writes(). */
bool rewriting_keeps_writes(const struct option_table *table, const cJSON *words,
                            struct error *err);

/* The disk that has this image; `*top`: as its top layer, and not as one that lies beneath. QEMU's
 * own word for the image is compared first, for the path may lead to another file by now.
 */
struct argv_disk *rewriting_find_disk(const struct argv_vm *vm, const char *path, bool *top);

/* Is the block node the medium of a drive that can be opened, and will it be so at the target? */
bool rewriting_node_stays(const struct argv_vm *vm, const char *node);

#endif
