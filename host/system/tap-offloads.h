/* What a tap does for the guest behind it that not every kernel can. QEMU asks the kernel for it
 * when the guest's driver has agreed, and the kernel shows it among the features of the interface.
 */
#ifndef XMIG_HOST_SYSTEM_TAP_OFFLOADS_H
#define XMIG_HOST_SYSTEM_TAP_OFFLOADS_H

#include <stdbool.h>

enum tap_offload {
    TAP_USO,     /* segments UDP; Linux 6.2 */
    TAP_TUNNELS, /* segments what is in UDP tunnels; Linux 6.17 */
};

/* Is it on? Of an interface in this network name space. */
bool tap_offloads(const char *name, enum tap_offload what);

#endif
