/* Numbers of the NBD protocol, and what both ends of a lane that
 * begins past NBD's handshake agree on.
 */
#ifndef XMIG_NBD_H
#define XMIG_NBD_H

#include <stdint.h>

/* The feature of a receiver that knows lanes past NBD's handshake, and the first part of their
 * names: in lane "nbd/disk/NAME" each side answers its own hypervisor's handshake, and the stream
 * begins with the first request. The receiver flushes the disks itself.
 */
#define LANE_NBD "nbd"

#define NBD_MAGIC UINT64_C(0x4e42444d41474943)        /* "NBDMAGIC" */
#define NBD_OPTION_MAGIC UINT64_C(0x49484156454f5054) /* "IHAVEOPT" */
#define NBD_OPTION_REPLY_MAGIC UINT64_C(0x3e889045565a9)
#define NBD_REQUEST_MAGIC UINT32_C(0x25609513)
#define NBD_REPLY_MAGIC UINT32_C(0x67446698)

enum {
    NBD_FIXED_NEWSTYLE = 1, /* of the handshake's flags, either side's */
    NBD_NO_ZEROES = 2,

    NBD_OPTION_EXPORT_NAME = 1,
    NBD_OPTION_ABORT = 2,
    NBD_OPTION_INFO = 6,
    NBD_OPTION_GO = 7,

    NBD_INFO_EXPORT = 0,
    NBD_INFO_BLOCK_SIZE = 3,

    NBD_COMMAND_FLUSH = 3,
};

#define NBD_REPLY_ACK UINT32_C(1)
#define NBD_REPLY_INFO UINT32_C(3)
#define NBD_REPLY_UNSUPPORTED UINT32_C(0x80000001)

/* What an export can do: is writable, FUA, TRIM, WRITE_ZEROES. That it can also flush the source's
 * hypervisor is not told: it would wait for a round trip whenever the guest is paused, for one disk
 * after the other.
 */
#define LANE_NBD_FLAGS UINT16_C(0x69)

#endif
