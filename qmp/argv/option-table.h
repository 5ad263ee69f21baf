/* The options of a QEMU's command line, as a table.
 *
 * Each hypervisor has one such table: host/qemu/argv/options.c for a plain QEMU, and
 * host/xen/argv/options.c for the device model that libxl starts. A VM with an option that is in no
 * row is not moved, for nobody has looked at what that option does at another host.
 *
 * To add an option, add one row to the table. The row, by the words of
 * option-rows.h, says what becomes of the option at the target:
 *
 *     VALUE("rtc", rewriting_keep),       about the machine: the target is given the same
 *     FLAG("S", rewriting_drop),          about the start of this process: left out
 *     VALUE("chroot", rewriting_refuse),  a VM with this option cannot be moved
 *     VALUE("kernel", rewrite_input),     a function reads the value, and emits what the target is
 *                                         given in its place
 *     KEYVALS("trace", rewrite_trace),    the value is "key=value,…": a function changes some keys,
 *                                         then the engine emits all of them
 *
 * Such a function lies in the hypervisor's folder, in the file named for its subject; rewriting.h
 * has the calls that it is made of. The tests are test-qemu-argv.c and test-xen-argv.c.
 */
#ifndef XMIG_QMP_ARGV_OPTION_TABLE_H
#define XMIG_QMP_ARGV_OPTION_TABLE_H

#include "qmp/argv/keyvals.h"

struct rewriting;

/* Rewrite one option. `value` is NULL for an option that takes none. False, with `err` set, for
 * ERROR_REFUSED (the VM cannot be moved with this option) or a value that cannot be parsed.
 */
typedef bool option_rewriter(struct rewriting *r, const char *value, struct error *err);
typedef bool option_changer(struct rewriting *r, struct keyvals *kv, struct error *err);

struct option_row {
    const char *name; /* without its dashes */
    bool takes_value;
    option_rewriter *rewrite; /* NULL: by `change` */
    option_changer *change;
};

struct option_table {
    const struct option_row *rows;
    size_t count;
    const char *const *texts; /* options whose values are texts for the guest, or whose files the
                               * rows' functions know all; NULL-terminated
                               */
    const char *bare; /* the option that a word without a dash is short for; NULL: it is refused */
    /* parts of messages */
    const char *owner;  /* "QEMU's": whose option it is */
    const char *mover;  /* "the VM": what is to be moved */
    const char *holder; /* "a VM with": what has such an option */
};

/* One option of a command line, and where the next one begins. All pointers are borrowed. */
struct option_step {
    const cJSON *rest; /* the word that comes next; NULL: the line ends */
    const struct option_row *row;
    const char *name;  /* without dashes; "" for a bare word */
    const char *value; /* NULL: it takes none */
};

/* Take the next option of the line. False at the end of the line; false with `err` set for an
 * option that is not in the table, or lacks its value. With NULL for `err`, to look something up,
 * an option that is not in the table is stepped over:
 *
 *     struct option_step step = { .rest = words->child };
 *
 *     while (option_next(&table, &step, NULL))
 */
bool option_next(const struct option_table *table, struct option_step *step, struct error *err);

/* The row of the option `name`, or NULL. */
const struct option_row *option_find(const struct option_table *table, const char *name);

#endif
