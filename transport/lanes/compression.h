/* Passes on all that comes from one socket to another: as it is, compressed, or decompressed.
 * Compressed bytes are one frame of LZ4 (lz4_Frame_format.md), as the lz4 program reads it, without
 * checksums: the transport has better ones.
 *
 * Each function returns when all has been passed on, or when nobody reads it any more. They block,
 * for threads, and so must both sockets.
 */
#ifndef XMIG_TRANSPORT_LANES_COMPRESSION_H
#define XMIG_TRANSPORT_LANES_COMPRESSION_H

#include <stdatomic.h>

#include "transport/lanes/rate.h"
#include "xmig/error.h"

/* NULL: as fast as it goes. */
void pass_plain(int from, int to, struct rate *rate);

/* `*written` grows by what goes to `to`. */
void pass_compressed(int from, int to, atomic_uint_fast64_t *written);

/* Also returns at the end of the frame. False: what came was damaged. An end in the middle is not
 * damage: it is passed on as an end.
 */
bool pass_decompressed(int from, int to, struct error *err);

#endif
