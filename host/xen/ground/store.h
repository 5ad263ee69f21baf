/* Read nodes of xenstore, and write many of them in one transaction. */
#ifndef XMIG_HOST_XEN_GROUND_STORE_H
#define XMIG_HOST_XEN_GROUND_STORE_H

#include <stdint.h>

#include <xenstore.h>

#include "xmig/json.h"

/* The rights of a node, besides dom0's. */
enum store_access {
    STORE_AS_ABOVE,    /* the rights of the node above */
    STORE_GUEST_READS, /* dom0 owns it */
    STORE_GUEST_OWNS,
    STORE_DOM0_ONLY,
    STORE_FRONTEND, /* the guest owns it, dom0 reads it */
};

/* A node's value; NULL: there is none. The caller frees it. */
char *store_read(struct xs_handle *xs, const char *path, ...) __attribute__((format(printf, 2, 3)));

/* A node's value as a number; `otherwise` if there is none. */
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

/* Nodes that are written in one transaction. */
struct store_batch {
    uint32_t domid; /* the guest's number, for the rights */
    struct store_item *items;
    size_t count;
};

void store_add(struct store_batch *batch, enum store_access access, const char *value,
               const char *path, ...) __attribute__((format(printf, 4, 5)));
void store_add_number(struct store_batch *batch, enum store_access access, long long value,
                      const char *path, ...) __attribute__((format(printf, 4, 5)));

/* Write the nodes. What the batch holds is freed in any case. */
bool store_commit(struct xs_handle *xs, struct store_batch *batch, struct error *err);

#endif
