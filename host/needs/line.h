/* What a command line needs of this host, found by what its values look like: for the lines of all
 * QEMUs, whatever their table of options is. An option that nobody has judged so needs nothing
 * unseen.
 */
#ifndef XMIG_HOST_NEEDS_LINE_H
#define XMIG_HOST_NEEDS_LINE_H

#include "host/images/disk-params.h"
#include "qmp/argv/rewriting.h"
#include "xmig/needs.h"

struct needs_line {
    const struct option_table *table;
    const cJSON *words;              /* an array of strings */
    const struct disk_params *disks; /* of the parameters, the last without a name: their images
                                      * are needs already
                                      */
    const char *const *own; /* paths of the hypervisor's own, NULL-terminated; NULL: none */
    struct needs *needs;
    const char *option; /* the one in hand, without dashes */
};

/* Call `take` for each option that has a value. One that is not in the table is a need that nobody
 * knows, and so is all that follows.
 */
void line_each(struct needs_line *line,
               void (*take)(const struct needs_line *line, const struct keyvals *kv));

/* Call `visit` for each text in a value; the key is "" for a bare word. */
void line_visit(const struct needs_line *line, const struct keyvals *kv,
                void (*visit)(const struct needs_line *line, const char *key, const char *text));

/* Add a need of the option in hand, once. */
void line_add(const struct needs_line *line, enum need_kind kind, const char *what);

/* Is the path a moved disk's image? */
bool line_has_disk(const struct needs_line *line, const char *path);

/* Add the files that drives may write to, which are no disks, and those whose format may lead to
 * others. Before line_need_paths().
 */
void line_need_images(struct needs_line *line);

/* Add what the table of options has found: where it listens, and to whom it connects. */
void line_need_ports(const struct needs_line *line, const struct argv_result *found);

/* Add whatever looks like a path: files that are read if they are known to be so, else files that
 * are written to.
 */
void line_need_paths(struct needs_line *line);

/* The same for one text, of the option in hand. */
void line_need_text(const struct needs_line *line, const char *key, const char *text);

#endif
