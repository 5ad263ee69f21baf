/* A simulated VM's lane: the same code at both ends. */
#include "lane.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>

#include "xmig/cleanup.h"

enum {
    HEADER = 5,
    CHUNK = 65536,
    UNSENT_MAX = 1 << 20,
    PEER_MS = 60000
};

static bool put(struct simulated_lane *lane, enum lane_frame type, const void *data, size_t len,
                struct error *err)
{
    uint8_t header[HEADER] = { (uint8_t)type };
    uint32_t size = htonl((uint32_t)len);

    memcpy(header + 1, &size, sizeof(size));
    return stream_write(lane->stream, header, sizeof(header), err) &&
           stream_write(lane->stream, data, len, err);
}

static bool put_number(struct simulated_lane *lane, enum lane_frame type, uint64_t number,
                       struct error *err)
{
    char text[24];

    return put(lane, type, text, (size_t)snprintf(text, sizeof(text), "%" PRIu64, number), err);
}

/* False: nobody sends such a frame. A number counts, and is acknowledged, once: a peer that does
 * not read has no more answers piled up than that.
 */
static bool take_frame(struct simulated_lane *lane, uint8_t type, const uint8_t *data, size_t len)
{
    char text[24] = "";

    if (type == FRAME_BULK) {
        lane->heard += len;
        return true;
    }
    if (lane->has_final || (type != FRAME_FINAL && type != FRAME_ACK))
        return false;
    memcpy(text, data, len < sizeof(text) ? len : sizeof(text) - 1);
    lane->final = strtoull(text, NULL, 10);
    lane->has_final = true;
    if (type == FRAME_FINAL)
        (void)put_number(lane, FRAME_ACK, lane->final, NULL);
    return true;
}

/* A frame that is too long we would wait for for ever: the stream keeps no more. */
static void on_change(void *arg)
{
    struct simulated_lane *lane = arg;
    size_t have;
    const uint8_t *bytes;

    while ((bytes = stream_peek(lane->stream, &have)) && have >= HEADER) {
        uint32_t len;

        memcpy(&len, bytes + 1, sizeof(len));
        len = ntohl(len);
        if (len > CHUNK) {
            stream_shutdown(lane->stream);
            return;
        }
        if (have - HEADER < len)
            return;
        if (!take_frame(lane, bytes[0], bytes + HEADER, len)) {
            stream_shutdown(lane->stream);
            return;
        }
        stream_consume(lane->stream, HEADER + len);
    }
}

struct simulated_lane *simulated_lane_new(struct loop *loop, int fd, struct error *err)
{
    struct stream *stream = stream_new(loop, fd, fd, 4 * CHUNK, err);
    struct simulated_lane *lane;

    if (!stream)
        return NULL;
    lane = must(calloc(1, sizeof(*lane)));
    lane->loop = loop;
    lane->stream = stream;
    stream_on_change(stream, on_change, lane);
    return lane;
}

void simulated_lane_free(struct simulated_lane *lane)
{
    if (!lane)
        return;
    stream_free(lane->stream);
    free(lane);
}

bool simulated_lane_pump(struct simulated_lane *lane, uint64_t total, struct error *err)
{
    static const uint8_t chunk[CHUNK];

    if (stream_ended(lane->stream, err))
        return error_prefix(err, "the target's end of the lane");
    while (lane->sent < total && stream_unsent(lane->stream) < UNSENT_MAX) {
        uint64_t left = total - lane->sent;
        size_t len = left < CHUNK ? (size_t)left : CHUNK;

        if (!put(lane, FRAME_BULK, chunk, len, err))
            return false;
        lane->sent += len;
    }
    return true;
}

static bool has_final_or_ended(void *arg)
{
    const struct simulated_lane *lane = arg;

    return lane->has_final || stream_ended(lane->stream, NULL);
}

bool simulated_lane_await_final(struct simulated_lane *lane, struct error *err)
{
    if (!loop_wait(lane->loop, has_final_or_ended, lane, PEER_MS, err))
        return false;
    if (!lane->has_final)
        return !stream_ended(lane->stream, err);
    return true;
}

bool simulated_lane_complete(struct simulated_lane *lane, uint64_t total, uint64_t number,
                             struct error *err)
{
    while (lane->sent < total)
        if (!simulated_lane_pump(lane, total, err) || !stream_flush(lane->stream, PEER_MS, err))
            return false;
    if (!put_number(lane, FRAME_FINAL, number, err) || !simulated_lane_await_final(lane, err))
        return false;
    if (lane->final != number)
        return error_set(err, ERROR_PROTOCOL, "the target has %" PRIu64 ", not %" PRIu64,
                         lane->final, number);
    return true;
}

bool simulated_lane_is_final(const struct simulated_lane *lane)
{
    return lane->has_final;
}
