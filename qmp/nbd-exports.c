/* NBD, the client's side, as little of it as there is to say. */
#include "qmp/nbd-exports.h"

#include <endian.h>
#include <fcntl.h>

#include "xmig/cleanup.h"
#include "xmig/nbd.h"
#include "xmig/stream.h"

enum {
    GREETING = 18, /* two magic numbers, and flags */
    EXPORT = 10,   /* size, and flags */
    REPLY = 16,    /* magic number, error, cookie */
    INBOX = 4096,
    HANDSHAKE_MS = 10000,
};

struct connection {
    struct stream *stream; /* NULL: it was left to a lane */
    int fd;                /* of one for a lane; -1: another, or taken */
    size_t asked, answered;
};

struct export
{
    char *name;
    uint64_t size;
    struct connection lane, flush;
};

struct nbd_exports {
    struct loop *loop;
    size_t count;
    struct export each[];
};

static uint64_t get(const uint8_t *bytes, size_t len)
{
    uint64_t big = 0;

    memcpy((uint8_t *)&big + sizeof(big) - len, bytes, len);
    return be64toh(big);
}

static void put(uint8_t *bytes, uint64_t number, size_t len)
{
    uint64_t big = htobe64(number);

    memcpy(bytes, (const uint8_t *)&big + sizeof(big) - len, len);
}

/* All that the client has to say, before it has heard anything: its flags, and the export's name.
 * The answer to the name is the export, or the end.
 */
static bool introduce(struct connection *connection, const char *name, struct error *err)
{
    uint8_t head[20];

    put(head, NBD_FIXED_NEWSTYLE | NBD_NO_ZEROES, 4);
    put(head + 4, NBD_OPTION_MAGIC, 8);
    put(head + 12, NBD_OPTION_EXPORT_NAME, 4);
    put(head + 16, strlen(name), 4);
    return stream_write(connection->stream, head, sizeof(head), err) &&
           stream_write(connection->stream, name, strlen(name), err);
}

static bool connect_one(struct nbd_exports *exports, struct connection *connection,
                        const char *path, const char *name, bool for_lane, struct error *err)
{
    int fd = connect_unix(path, err);

    if (fd < 0)
        return false;
    if (for_lane)
        connection->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    connection->stream = stream_new(exports->loop, fd, fd, INBOX, err);
    return connection->stream && introduce(connection, name, err);
}

static bool has_heard(const struct connection *connection, size_t len)
{
    size_t have;

    (void)stream_peek(connection->stream, &have);
    return have >= len || stream_ended(connection->stream, NULL);
}

static bool all_are_greeted(void *arg)
{
    const struct nbd_exports *exports = arg;

    for (size_t i = 0; i < exports->count; i++)
        if (!has_heard(&exports->each[i].lane, GREETING + EXPORT) ||
            !has_heard(&exports->each[i].flush, GREETING + EXPORT))
            return false;
    return true;
}

static bool check_greeting(const struct export *export, const struct connection *connection,
                           struct error *err)
{
    size_t have;
    const uint8_t *bytes = stream_peek(connection->stream, &have);
    uint64_t size, flags;

    if (have < GREETING + EXPORT)
        return error_set(err, ERROR_PROTOCOL, "QEMU's NBD server has no export '%s'", export->name);
    if (get(bytes, 8) != NBD_MAGIC || get(bytes + 8, 8) != NBD_OPTION_MAGIC ||
        have > GREETING + EXPORT)
        return error_set(err, ERROR_PROTOCOL, "QEMU's NBD server says what is not NBD");
    size = get(bytes + GREETING, 8);
    flags = get(bytes + GREETING + 8, 2);
    stream_consume(connection->stream, GREETING + EXPORT);
    if (size != export->size || (flags & LANE_NBD_FLAGS) != LANE_NBD_FLAGS)
        return error_set(err, ERROR_SYSTEM,
                         "export '%s' of QEMU's NBD server has %llu bytes and the flags %#llx",
                         export->name, (unsigned long long)size, (unsigned long long)flags);
    return true;
}

/* Of a lane's connection nothing may be read here from now on. */
static void leave_to_lane(struct connection *connection)
{
    stream_free(steal(connection->stream));
}

static bool shake_hands(struct nbd_exports *exports, struct error *err)
{
    if (!loop_wait(exports->loop, all_are_greeted, exports, HANDSHAKE_MS, err))
        return error_prefix(err, "QEMU's NBD server");
    for (size_t i = 0; i < exports->count; i++) {
        struct export *export = &exports->each[i];

        if (!check_greeting(export, &export->lane, err) ||
            !check_greeting(export, &export->flush, err))
            return false;
        leave_to_lane(&export->lane);
    }
    return true;
}

static bool connect_all(struct nbd_exports *exports, const char *path, struct error *err)
{
    for (size_t i = 0; i < exports->count; i++) {
        struct export *export = &exports->each[i];

        if (!connect_one(exports, &export->lane, path, export->name, true, err) ||
            !connect_one(exports, &export->flush, path, export->name, false, err))
            return false;
    }
    return true;
}

struct nbd_exports *nbd_exports_open(struct loop *loop, const char *path,
                                     const struct nbd_export_wanted *wanted, size_t count,
                                     struct error *err)
{
    struct nbd_exports *exports =
        must(calloc(1, sizeof(*exports) + count * sizeof(exports->each[0])));

    exports->loop = loop;
    exports->count = count;
    for (size_t i = 0; i < count; i++)
        exports->each[i] = (struct export){ .name = must(strdup(wanted[i].name)),
                                            .size = wanted[i].size,
                                            .lane.fd = -1,
                                            .flush.fd = -1 };
    if (connect_all(exports, path, err) && shake_hands(exports, err))
        return exports;
    nbd_exports_free(exports);
    return NULL;
}

int nbd_exports_take(struct nbd_exports *exports, const char *name, struct error *err)
{
    for (size_t i = 0; exports && i < exports->count; i++)
        if (!strcmp(exports->each[i].name, name) && exports->each[i].lane.fd >= 0)
            return steal_fd(&exports->each[i].lane.fd);
    error_set(err, ERROR_REFUSED, "there is no disk '%s' whose lane is not open yet", name);
    return -1;
}

/* ---- flush ---- */

static bool ask_to_flush(struct connection *connection, struct error *err)
{
    uint8_t request[28] = { 0 };

    put(request, NBD_REQUEST_MAGIC, 4);
    put(request + 6, NBD_COMMAND_FLUSH, 2);
    put(request + 8, ++connection->asked, 8);
    return stream_write(connection->stream, request, sizeof(request), err);
}

/* One that was interrupted has left an answer to come. */
static bool take_answers(struct connection *connection, struct error *err)
{
    size_t have;
    const uint8_t *bytes;

    while ((bytes = stream_peek(connection->stream, &have)) && have >= REPLY) {
        uint64_t failure = get(bytes + 4, 4);

        connection->answered++;
        if (get(bytes, 4) != NBD_REPLY_MAGIC)
            return error_set(err, ERROR_PROTOCOL, "QEMU's NBD server says what is not NBD");
        stream_consume(connection->stream, REPLY);
        if (failure)
            return error_set(err, ERROR_SYSTEM, "QEMU cannot flush it: error %llu",
                             (unsigned long long)failure);
    }
    return connection->answered == connection->asked || !stream_ended(connection->stream, err);
}

static bool has_answered(const struct connection *connection)
{
    size_t missing = connection->asked - connection->answered;

    return has_heard(connection, missing * REPLY);
}

static bool all_have_answered(void *arg)
{
    const struct nbd_exports *exports = arg;

    for (size_t i = 0; i < exports->count; i++)
        if (!has_answered(&exports->each[i].flush))
            return false;
    return true;
}

/* Of a wait that was too long, the first disk that is not flushed is the reason. */
static bool name_missing(const struct nbd_exports *exports, struct error *err)
{
    for (size_t i = 0; err && err->kind == ERROR_TIMEOUT && i < exports->count; i++)
        if (!has_answered(&exports->each[i].flush))
            return error_prefix(err, "disk '%s': QEMU has not flushed it", exports->each[i].name);
    return false;
}

bool nbd_exports_flush(struct nbd_exports *exports, uint64_t timeout_ms, struct error *err)
{
    if (!exports)
        return true;
    for (size_t i = 0; i < exports->count; i++)
        if (!ask_to_flush(&exports->each[i].flush, err))
            return error_prefix(err, "disk '%s'", exports->each[i].name);
    if (!loop_wait(exports->loop, all_have_answered, exports, timeout_ms, err))
        return name_missing(exports, err);
    for (size_t i = 0; i < exports->count; i++)
        if (!take_answers(&exports->each[i].flush, err))
            return error_prefix(err, "disk '%s'", exports->each[i].name);
    return true;
}

static void end(struct connection *connection)
{
    stream_free(connection->stream);
    cleanup_close(&connection->fd);
}

void nbd_exports_free(struct nbd_exports *exports)
{
    if (!exports)
        return;
    for (size_t i = 0; i < exports->count; i++) {
        end(&exports->each[i].lane);
        end(&exports->each[i].flush);
        free(exports->each[i].name);
    }
    free(exports);
}
