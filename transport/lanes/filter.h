/* What a lane does with the bytes that go from the source to the target: limit their rate, compress
 * them, decompress them. A filter is two threads between two sockets: bytes that go the other way
 * pass as they are, and an end in one direction leaves the other open.
 */
#ifndef XMIG_TRANSPORT_LANES_FILTER_H
#define XMIG_TRANSPORT_LANES_FILTER_H

#include <stdatomic.h>

#include "transport/lanes/rate.h"
#include "xmig/error.h"

/* The filters of a lane, or of several. */
struct filter;

/* Put a filter before the hypervisor's socket `*fd` (taken), which becomes the filter's other end,
 * and add it to the list. `rate`, and `written`, which grows by what the filter makes, are
 * borrowed. A limit is for what comes from the hypervisor, or with `incoming` for what goes to it.
 */
bool filter_limit(struct filter **filters, int *fd, bool incoming, struct rate *rate,
                  struct error *err);
bool filter_compress(struct filter **filters, int *fd, atomic_uint_fast64_t *written,
                     struct error *err);
bool filter_decompress(struct filter **filters, int *fd, const char *lane, struct error *err);

/* False: what came by a lane was damaged, and which lane that was. */
bool filters_ok(const struct filter *filters, struct error *err);

/* Free all filters, and end what still passes. */
void filters_free(struct filter **filters);

/* Leave `filters` to `heap`: what has come by an ended lane is still to reach the hypervisor. */
void filters_leave(struct filter **filters, struct filter **heap);

#endif
