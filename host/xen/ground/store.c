/* Read and write xenstore, with paths formatted as by printf. */
#include "host/xen/ground/store.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "xmig/text.h"

#define FORMAT_PATH(name, format)                                                                  \
    va_list args_;                                                                                 \
    va_start(args_, format);                                                                       \
    AUTO_FREE char *name = vformatted(format, args_);                                              \
    va_end(args_)

/* ---- reading ---- */

char *store_read(struct xs_handle *xs, const char *path, ...)
{
    unsigned len;

    FORMAT_PATH(full, path);
    return xs_read(xs, XBT_NULL, full, &len);
}

long store_number(struct xs_handle *xs, long otherwise, const char *path, ...)
{
    unsigned len;

    FORMAT_PATH(full, path);
    AUTO_FREE char *value = xs_read(xs, XBT_NULL, full, &len);

    return value && *value ? strtol(value, NULL, 0) : otherwise;
}

static cJSON *list(struct xs_handle *xs, const char *path)
{
    cJSON *names = must(cJSON_CreateArray());
    unsigned count = 0;
    AUTO_FREE char **entries = xs_directory(xs, XBT_NULL, path, &count);

    for (unsigned i = 0; entries && i < count; i++)
        cJSON_AddItemToArray(names, must(cJSON_CreateString(entries[i])));
    return names;
}

cJSON *store_list(struct xs_handle *xs, const char *path, ...)
{
    FORMAT_PATH(full, path);
    return list(xs, full);
}

cJSON *store_values(struct xs_handle *xs, const char *path, ...)
{
    cJSON *values = must(cJSON_CreateObject());
    const cJSON *name;

    FORMAT_PATH(full, path);
    AUTO_JSON cJSON *names = list(xs, full);

    cJSON_ArrayForEach (name, names) {
        AUTO_FREE char *value = store_read(xs, "%s/%s", full, name->valuestring);

        if (value)
            cJSON_AddStringToObject(values, name->valuestring, value);
    }
    return values;
}

/* ---- writing ---- */

bool store_remove(struct xs_handle *xs, struct error *err, const char *path, ...)
{
    FORMAT_PATH(full, path);
    if (xs_rm(xs, XBT_NULL, full) || errno == ENOENT)
        return true;
    return error_set(err, ERROR_SYSTEM, "cannot remove the xenstore node '%s': %m", full);
}

static bool write_value(struct xs_handle *xs, xs_transaction_t transaction, const char *path,
                        const char *value, struct error *err)
{
    if (xs_write(xs, transaction, path, value, (unsigned)strlen(value)))
        return true;
    return error_set(err, ERROR_SYSTEM, "cannot write the xenstore node '%s': %m", path);
}

bool store_write(struct xs_handle *xs, struct error *err, const char *value, const char *path, ...)
{
    FORMAT_PATH(full, path);
    return write_value(xs, XBT_NULL, full, value, err);
}

static void add(struct store_batch *batch, enum store_access access, const char *value, char *path)
{
    batch->items = must(realloc(batch->items, (batch->count + 1) * sizeof(*batch->items)));
    batch->items[batch->count++] = (struct store_item){ access, path, must(strdup(value)) };
}

void store_add(struct store_batch *batch, enum store_access access, const char *value,
               const char *path, ...)
{
    FORMAT_PATH(full, path);
    add(batch, access, value, steal(full));
}

void store_add_number(struct store_batch *batch, enum store_access access, long long value,
                      const char *path, ...)
{
    char text[24];

    snprintf(text, sizeof(text), "%lld", value);
    FORMAT_PATH(full, path);
    add(batch, access, text, steal(full));
}

static unsigned permissions(enum store_access access, uint32_t domid,
                            struct xs_permissions permission[2])
{
    const struct xs_permissions dom0 = { .id = 0, .perms = XS_PERM_NONE };
    const struct xs_permissions guest = { .id = domid, .perms = XS_PERM_NONE };

    switch (access) {
    case STORE_AS_ABOVE:
        return 0;
    case STORE_GUEST_READS:
        permission[0] = dom0;
        permission[1] = (struct xs_permissions){ .id = domid, .perms = XS_PERM_READ };
        return 2;
    case STORE_GUEST_OWNS:
        permission[0] = guest;
        return 1;
    case STORE_DOM0_ONLY:
        permission[0] = dom0;
        return 1;
    case STORE_FRONTEND:
        permission[0] = guest;
        permission[1] = (struct xs_permissions){ .id = 0, .perms = XS_PERM_READ };
        return 2;
    }
    return 0;
}

static bool write_item(struct xs_handle *xs, xs_transaction_t transaction, uint32_t domid,
                       const struct store_item *item, struct error *err)
{
    struct xs_permissions permission[2];
    unsigned count = permissions(item->access, domid, permission);

    if (!write_value(xs, transaction, item->path, item->value, err))
        return false;
    if (count == 0 || xs_set_permissions(xs, transaction, item->path, permission, count))
        return true;
    return error_set(err, ERROR_SYSTEM, "cannot set the rights of the xenstore node '%s': %m",
                     item->path);
}

/* One attempt. Sets *again if somebody else wrote meanwhile. */
static bool commit_once(struct xs_handle *xs, const struct store_batch *batch, bool *again,
                        struct error *err)
{
    xs_transaction_t transaction = xs_transaction_start(xs);

    *again = false;
    if (!transaction)
        return error_set(err, ERROR_SYSTEM, "cannot begin a xenstore transaction: %m");
    for (size_t i = 0; i < batch->count; i++)
        if (!write_item(xs, transaction, batch->domid, &batch->items[i], err)) {
            (void)xs_transaction_end(xs, transaction, true);
            return false;
        }
    if (xs_transaction_end(xs, transaction, false))
        return true;
    *again = errno == EAGAIN;
    return error_set(err, ERROR_SYSTEM, "cannot end a xenstore transaction: %m");
}

bool store_commit(struct xs_handle *xs, struct store_batch *batch, struct error *err)
{
    bool again;
    bool ok;

    do {
        ok = commit_once(xs, batch, &again, err);
    } while (!ok && again);
    for (size_t i = 0; i < batch->count; i++) {
        free(batch->items[i].path);
        free(batch->items[i].value);
    }
    free(steal(batch->items));
    batch->count = 0;
    return ok;
}
