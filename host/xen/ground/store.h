/* xenstore: what we read, and what we write in one transaction. */
#ifndef XMIG_HOST_XEN_GROUND_STORE_H
#define XMIG_HOST_XEN_GROUND_STORE_H

#include <stdint.h>

#include <xenstore.h>

#include "xmig/json.h"

/* Who may do what with a node besides dom0. */
enum store_access {
    STORE_AS_ABOVE,    /* as the node above it */
    STORE_GUEST_READS, /* dom0's */
    STORE_GUEST_OWNS,
    STORE_DOM0_ONLY,
    STORE_FRONTEND, /* the guest's; dom0 reads */
};

/* A node's value; NULL: there is none. The caller frees it. */
char *store_read(struct xs_handle *xs, const char *path, ...) __attribute__((format(printf, 2, 3)));

/* The same as a number, or `otherwise`. */
long store_number(struct xs_handle *xs, long otherwise, const char *path, ...)
    __attribute__((format(printf, 3, 4)));

/* The names below a node, an array of strings, empty if there are none; the caller frees it. */
cJSON *store_list(struct xs_handle *xs, const char *path, ...)
    __attribute__((format(printf, 2, 3)));

/* The values right below a node, an object; the caller frees it. */
cJSON *store_values(struct xs_handle *xs, const char *path, ...)
    __attribute__((format(printf, 2, 3)));

/* Fine when it is gone. */
bool store_remove(struct xs_handle *xs, struct error *err, const char *path, ...)
    __attribute__((format(printf, 3, 4)));

bool store_write(struct xs_handle *xs, struct error *err, const char *value, const char *path, ...)
    __attribute__((format(printf, 4, 5)));

struct store_item {
    enum store_access access;
    char *path, *value;
};

/* Nodes that come to be all at once. */
struct store_batch {
    uint32_t domid; /* of the guest, for the rights */
    struct store_item *items;
    size_t count;
};

void store_add(struct store_batch *batch, enum store_access access, const char *value,
               const char *path, ...) __attribute__((format(printf, 4, 5)));
void store_add_number(struct store_batch *batch, enum store_access access, long long value,
                      const char *path, ...) __attribute__((format(printf, 4, 5)));

/* Writes them, and frees what the batch holds in any case. */
bool store_commit(struct xs_handle *xs, struct store_batch *batch, struct error *err);

#endif
