#include "host/system/tap-offloads.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "xmig/cleanup.h"

/* As the kernel calls the features. */
static const char *const feature_names[] = {
    [TAP_USO] = "tx-udp-segmentation",
    [TAP_TUNNELS] = "tx-udp_tnl-segmentation",
};

enum {
    BITS = 32 /* features a block */
};

static bool ask(const char *name, void *command)
{
    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq about = { .ifr_data = command };

    snprintf(about.ifr_name, sizeof(about.ifr_name), "%.15s", name);
    return fd >= 0 && ioctl(fd, SIOCETHTOOL, &about) == 0;
}

/* How many features the kernel knows. */
static uint32_t count_features(const char *name)
{
    AUTO_FREE struct ethtool_sset_info *info = must(calloc(1, sizeof(*info) + sizeof(uint32_t)));

    info->cmd = ETHTOOL_GSSET_INFO;
    info->sset_mask = UINT64_C(1) << ETH_SS_FEATURES;
    return ask(name, info) && info->sset_mask ? info->data[0] : 0;
}

/* The number of a feature, which differs from kernel to kernel; `count`: it does not know it. */
static uint32_t find_feature(const char *name, uint32_t count, const char *feature)
{
    AUTO_FREE struct ethtool_gstrings *strings =
        must(calloc(1, sizeof(*strings) + (size_t)count * ETH_GSTRING_LEN));
    uint32_t i = 0;

    strings->cmd = ETHTOOL_GSTRINGS;
    strings->string_set = ETH_SS_FEATURES;
    strings->len = count;
    if (!ask(name, strings))
        return count;
    while (i < count && strncmp((const char *)strings->data + (size_t)i * ETH_GSTRING_LEN, feature,
                                ETH_GSTRING_LEN) != 0)
        i++;
    return i;
}

bool tap_offloads(const char *name, enum tap_offload what)
{
    uint32_t count = count_features(name);
    uint32_t number = find_feature(name, count, feature_names[what]);
    uint32_t blocks = (count + BITS - 1) / BITS;
    AUTO_FREE struct ethtool_gfeatures *features =
        must(calloc(1, sizeof(*features) + blocks * sizeof(features->features[0])));

    features->cmd = ETHTOOL_GFEATURES;
    features->size = blocks;
    return number < count && ask(name, features) &&
           (features->features[number / BITS].active >> number % BITS & 1);
}
