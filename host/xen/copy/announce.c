/* Send a frame from each of the guest's network interfaces, so that switches learn where it is now.
 * The device model does so for the interfaces that it emulates, but not for those that the guest
 * has replaced by PV ones, and not every PV driver sends one itself.
 */
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/socket.h>

#include "host/xen/copy/copy.h"

enum {
    REVERSE_REQUEST = 3,
    MAC_SIZE = 6,
    LEAST_SIZE = 60 /* the shortest Ethernet frame */
};

/* A RARP request: it needs only the interface's own address, and nobody answers it. */
struct frame {
    uint8_t to[MAC_SIZE], from[MAC_SIZE];
    uint16_t type, hardware, protocol;
    uint8_t hardware_size, protocol_size;
    uint16_t operation;
    uint8_t sender[MAC_SIZE], sender_address[4], target[MAC_SIZE], target_address[4];
    uint8_t rest[LEAST_SIZE - 42];
} __attribute__((packed));

static bool read_mac(const char *text, uint8_t mac[MAC_SIZE])
{
    return sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2], &mac[3],
                  &mac[4], &mac[5]) == MAC_SIZE;
}

static void say(int fd, const char *bridge, const uint8_t mac[MAC_SIZE])
{
    struct sockaddr_ll to = { .sll_family = AF_PACKET,
                              .sll_ifindex = (int)if_nametoindex(bridge),
                              .sll_halen = MAC_SIZE };
    struct frame frame = { .type = htons(ETHERTYPE_REVARP),
                           .hardware = htons(1),
                           .protocol = htons(ETHERTYPE_IP),
                           .hardware_size = MAC_SIZE,
                           .protocol_size = 4,
                           .operation = htons(REVERSE_REQUEST) };

    memset(frame.to, 0xff, MAC_SIZE);
    memset(to.sll_addr, 0xff, MAC_SIZE);
    memcpy(frame.from, mac, MAC_SIZE);
    memcpy(frame.sender, mac, MAC_SIZE);
    memcpy(frame.target, mac, MAC_SIZE);
    if (to.sll_ifindex > 0)
        (void)sendto(fd, &frame, sizeof(frame), 0, (struct sockaddr *)&to, sizeof(to));
}

void announce_pv(struct xen_copy *vm)
{
    AUTO_JSON cJSON *ids = store_list(vm->xen.xs, "/libxl/%u/device/vif", vm->xen.domid);
    AUTO_CLOSE int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    const cJSON *id;

    if (fd < 0)
        return;
    cJSON_ArrayForEach (id, ids) {
        AUTO_JSON cJSON *keys =
            store_values(vm->xen.xs, "/libxl/%u/device/vif/%s", vm->xen.domid, id->valuestring);
        uint8_t mac[MAC_SIZE];

        if (read_mac(json_string_or(keys, "mac", ""), mac))
            say(fd, json_string_or(keys, "bridge", ""), mac);
    }
}

void announce_emulated(struct xen_copy *vm)
{
    AUTO_JSON cJSON *ids = store_list(vm->xen.xs, "/libxl/%u/device/vif", vm->xen.domid);
    cJSON *arguments;

    if (!ids->child || !vm->xen.q)
        return;
    arguments = must(cJSON_CreateObject());
    json_add_uint(arguments, "initial", 50);
    json_add_uint(arguments, "max", 550);
    json_add_uint(arguments, "rounds", 5);
    json_add_uint(arguments, "step", 100);
    (void)qmp_call(vm->xen.q, "announce-self", arguments, NULL, NULL);
}
