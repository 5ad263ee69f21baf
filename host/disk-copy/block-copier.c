/* Each slot reads a piece in libuv's pool of threads, then writes it; all of them do so at once. */
#include "host/disk-copy/block-copier.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "xmig/cleanup.h"

enum {
    SLOTS = 8,
    PIECE = 256 * 1024,
    PART = 64 * 1024, /* what is looked at for zeroes */
    PARTS = PIECE / PART,
    ALIGNMENT = 4096, /* as much as O_DIRECT asks for */
    END_MS = 10000
};

struct slot;

struct part_request {
    struct nbd_request request; /* first: it is cast */
    struct slot *slot;
};

struct slot {
    struct block_copier *copier;
    uint8_t *buffer;
    uint64_t offset;
    size_t length; /* 0: the slot is free */
    bool is_reading;
    uv_fs_t read;
    uv_buf_t where;
    struct part_request parts[PARTS];
    unsigned pending; /* requests that are not done */
};

struct block_copier {
    struct loop *loop;
    int fd;
    struct nbd_writer *writer;
    const struct changed_blocks *marked; /* NULL: nothing is left to begin with */
    bool skip_zeroes;
    uint64_t from;         /* where to look for the next range, */
    uint64_t offset, left; /* and what is left of the present one */
    uint64_t done, done_ms;
    struct part_request flush;
    unsigned flushing;
    struct error error;
    struct slot slots[SLOTS];
};

static void begin_more(struct block_copier *copier);

/* ---- writing ---- */

static bool is_zero(const uint8_t *bytes, size_t length)
{
    return bytes[0] == 0 && !memcmp(bytes, bytes + 1, length - 1);
}

static size_t part_length(const struct slot *slot, size_t at)
{
    return slot->length - at < PART ? slot->length - at : PART;
}

static void slot_is_done(struct slot *slot)
{
    struct block_copier *copier = slot->copier;

    copier->done += slot->length;
    copier->done_ms = loop_now_ms();
    slot->length = 0;
    begin_more(copier);
}

static void on_part_done(struct nbd_request *request, bool ok)
{
    struct slot *slot = ((struct part_request *)request)->slot;

    if (!ok)
        (void)nbd_writer_ok(slot->copier->writer, &slot->copier->error);
    if (--slot->pending == 0)
        slot_is_done(slot);
}

/* Write parts that are adjacent and alike, zero or not, as one. */
static void write_run(struct slot *slot, size_t at, size_t length, bool zero)
{
    struct part_request *part = &slot->parts[at / PART];
    struct nbd_writer *writer = slot->copier->writer;

    if (zero && slot->copier->skip_zeroes)
        return;
    *part = (struct part_request){ .request.done = on_part_done, .slot = slot };
    slot->pending++;
    if (zero)
        nbd_writer_zero(writer, &part->request, length, slot->offset + at);
    else
        nbd_writer_write(writer, &part->request, slot->buffer + at, length, slot->offset + at);
}

static void write_slot(struct slot *slot)
{
    size_t end;

    for (size_t at = 0; at < slot->length; at = end) {
        bool zero = is_zero(slot->buffer + at, part_length(slot, at));

        end = at;
        do
            end += part_length(slot, end);
        while (end < slot->length && is_zero(slot->buffer + end, part_length(slot, end)) == zero);
        write_run(slot, at, end - at, zero);
    }
    if (slot->pending == 0)
        slot_is_done(slot);
}

/* ---- reading ---- */

static void on_read(uv_fs_t *read)
{
    struct slot *slot = read->data;
    struct block_copier *copier = slot->copier;
    ssize_t got = read->result;

    uv_fs_req_cleanup(read);
    slot->is_reading = false;
    if (got < 0 || (size_t)got < slot->length)
        error_set(&copier->error, ERROR_SYSTEM, "reading the disk at byte %llu: %s",
                  (unsigned long long)slot->offset,
                  got < 0 ? uv_strerror((int)got) : "it ends there");
    if (copier->error.kind)
        slot->length = 0;
    else
        write_slot(slot);
}

/* The last piece of a disk may end anywhere: ask for more than there is. */
static void read_piece(struct block_copier *copier, struct slot *slot, uint64_t offset,
                       size_t length)
{
    size_t asked = (length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;

    slot->offset = offset;
    slot->length = length;
    slot->is_reading = true;
    slot->read.data = slot;
    slot->where = uv_buf_init((char *)slot->buffer, (unsigned)asked);
    if (uv_fs_read(loop_uv(copier->loop), &slot->read, copier->fd, &slot->where, 1, (int64_t)offset,
                   on_read))
        abort();
}

/* Where the next piece is; false: all have been begun. */
static bool find_piece(struct block_copier *copier)
{
    if (copier->error.kind || !copier->marked)
        return false;
    if (copier->left > 0)
        return true;
    if (!changed_blocks_next(copier->marked, copier->from, &copier->offset, &copier->left)) {
        copier->marked = NULL;
        return false;
    }
    copier->from = copier->offset + copier->left;
    return true;
}

static void begin_more(struct block_copier *copier)
{
    for (size_t i = 0; i < SLOTS && find_piece(copier); i++) {
        size_t length = copier->left < PIECE ? (size_t)copier->left : PIECE;

        if (copier->slots[i].length > 0)
            continue;
        read_piece(copier, &copier->slots[i], copier->offset, length);
        copier->offset += length;
        copier->left -= length;
    }
}

/* ---- the public face ---- */

struct block_copier *block_copier_new(struct loop *loop, int fd, struct nbd_writer *writer)
{
    struct block_copier *copier = must(calloc(1, sizeof(*copier)));

    copier->loop = loop;
    copier->fd = fd;
    copier->writer = writer;
    for (size_t i = 0; i < SLOTS; i++) {
        copier->slots[i].copier = copier;
        copier->slots[i].buffer = must(aligned_alloc(ALIGNMENT, PIECE));
    }
    return copier;
}

void block_copier_copy(struct block_copier *copier, const struct changed_blocks *marked,
                       bool skip_zeroes)
{
    copier->marked = marked;
    copier->skip_zeroes = skip_zeroes;
    copier->from = copier->left = 0;
    begin_more(copier);
}

static void on_flushed(struct nbd_request *request, bool ok)
{
    struct block_copier *copier = ((struct part_request *)request)->slot->copier;

    copier->flushing = 0;
    if (!ok)
        (void)nbd_writer_ok(copier->writer, &copier->error);
}

void block_copier_flush(struct block_copier *copier)
{
    copier->flush = (struct part_request){ .request.done = on_flushed, .slot = &copier->slots[0] };
    copier->flushing = 1;
    nbd_writer_flush(copier->writer, &copier->flush.request);
}

bool block_copier_ok(const struct block_copier *copier, struct error *err)
{
    if (copier->error.kind)
        *err = copier->error;
    return !copier->error.kind && nbd_writer_ok(copier->writer, err);
}

bool block_copier_is_idle(void *arg)
{
    struct block_copier *copier = arg;
    struct error err = { 0 };

    if (!block_copier_ok(copier, &err))
        return true;
    for (size_t i = 0; i < SLOTS; i++)
        if (copier->slots[i].length > 0)
            return false;
    return !copier->marked && !copier->flushing;
}

uint64_t block_copier_done(const struct block_copier *copier)
{
    return copier->done;
}

uint64_t block_copier_done_ms(const struct block_copier *copier)
{
    return copier->done_ms;
}

/* ---- its end ---- */

static bool reads_nothing(void *arg)
{
    const struct block_copier *copier = arg;

    for (size_t i = 0; i < SLOTS; i++)
        if (copier->slots[i].is_reading)
            return false;
    return true;
}

/* A device that does not answer keeps what it reads into: that is not freed then. */
void block_copier_free(struct block_copier *copier)
{
    if (!copier)
        return;
    if (!copier->error.kind)
        error_set(&copier->error, ERROR_CANCELLED, "the copying was ended");
    nbd_writer_free(steal(copier->writer));
    if (!loop_wait_anyway(copier->loop, reads_nothing, copier, END_MS))
        return;
    for (size_t i = 0; i < SLOTS; i++)
        free(copier->slots[i].buffer);
    close(copier->fd);
    free(copier);
}
