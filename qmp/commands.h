/* The commands we use, typed. Each waits for QEMU's reply; what a command only sets going
 * is told by events.
 */
#ifndef XMIG_QMP_COMMANDS_H
#define XMIG_QMP_COMMANDS_H

#include "xmig/qmp.h"

struct qmp_status {
    bool running;
    char text[32]; /* "paused", "inmigrate", "postmigrate", … */
};

bool qmp_query_status(struct qmp *q, struct qmp_status *status, struct error *err);

/* The versioned type of its machine ("pc-i440fx-7.2"), which an alias such as "pc" does not
 * tell; the caller frees it.
 */
char *qmp_query_machine(struct qmp *q, struct error *err);
bool qmp_query_version(struct qmp *q, uint64_t *major, uint64_t *minor, struct error *err);

/* Pause the guest. QEMU flushes every disk before it replies, hence the deadline. */
bool qmp_stop(struct qmp *q, uint64_t timeout_ms, struct error *err);
bool qmp_cont(struct qmp *q, struct error *err);

/* QEMU ends; the reply may be lost with it, which is fine. */
bool qmp_quit(struct qmp *q, struct error *err);

/* ---- disks ---- */

/* Every block job, an array that the caller frees. */
cJSON *qmp_query_block_jobs(struct qmp *q, struct error *err);

/* False, refused, if there is one. */
bool qmp_refuse_block_jobs(struct qmp *q, struct error *err);

/* Without force a mirror that is ready sends what is left and then completes. */
bool qmp_block_job_cancel(struct qmp *q, const char *job, bool force, struct error *err);
bool qmp_job_dismiss(struct qmp *q, const char *job, struct error *err);
bool qmp_blockdev_del(struct qmp *q, const char *node, struct error *err);

bool qmp_nbd_server_start(struct qmp *q, const char *socket, unsigned connections,
                          struct error *err);
bool qmp_nbd_server_stop(struct qmp *q, struct error *err);
/* QEMU takes the image's locks here: the image is writable and nobody else's. */
bool qmp_block_export_add(struct qmp *q, const char *id, const char *node, const char *name,
                          struct error *err);

/* ---- migration ---- */

/* Switch each of `names` (NULL-terminated) on. */
bool qmp_set_capabilities(struct qmp *q, const char *const names[], struct error *err);
bool qmp_set_parameters(struct qmp *q, cJSON *parameters, struct error *err); /* taken */

/* To or from the unix socket at `path`. */
bool qmp_migrate(struct qmp *q, const char *path, struct error *err);
bool qmp_migrate_incoming(struct qmp *q, const char *path, struct error *err);
bool qmp_migrate_continue(struct qmp *q, struct error *err);
bool qmp_migrate_cancel(struct qmp *q, struct error *err);

/* What query-migrate says; the caller frees it. */
cJSON *qmp_query_migrate(struct qmp *q, struct error *err);

/* Cut QEMU's migration connection, out of band: works while its main loop is stuck in it. */
bool qmp_yank_migration(struct qmp *q, struct error *err);

#endif
