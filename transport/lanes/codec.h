/* Guest RAM, compressed between libxc and the lane.
 *
 * libxc sends every page whole, also one that was never written to. What goes through the lane
 * is one frame of LZ4 (its lz4_Frame_format.md), as the lz4 program reads it, without
 * checksums: the transport has better ones.
 */
#ifndef XMIG_TRANSPORT_LANES_CODEC_H
#define XMIG_TRANSPORT_LANES_CODEC_H

#include <stdint.h>

#include "xmig/error.h"

struct codec;

/* What is written to `*plain` comes out of the socket `lane` (borrowed), in a thread of its
 * own, compressed. When `lane` breaks, so does `*plain`.
 */
struct codec *codec_compress(int lane, int *plain, struct error *err);

/* Until then it gathers what comes in small pieces, such as libxc's of memory that is not there,
 * for up to 10 ms: every piece wakes up all who are on the way to the target.
 */
void codec_hurry(struct codec *codec);

/* The way back. `*plain` ends where the frame does, and where the lane does. */
struct codec *codec_decompress(int lane, int *plain, struct error *err);

/* How much has come out of a compressing one. */
uint64_t codec_written(struct codec *codec);

/* End `*plain`, and wait until all has come out; what is not decompressed yet is dropped.
 * Blocks: for helper threads.
 *
 * @return false when what came out of the lane was damaged
 */
bool codec_free(struct codec *codec, struct error *err);

#endif
