/* The ports that QEMU forwards to the guest, as its human monitor prints them; no other command
 * tells of them.
 */
#include <stdio.h>

#include "host/qemu/guest/machine.h"
#include "xmig/text.h"

/* "Hub -1 (net0):" → "net0"; the caller frees it. NULL: another line. */
static char *network_of(const char *line)
{
    const char *open = strchr(line, '(');
    const char *close = open ? strchr(open, ')') : NULL;

    if (strncmp(line, "Hub ", 4) != 0 || !close)
        return NULL;
    return must(strndup(open + 1, (size_t)(close - open - 1)));
}

/* "  TCP[HOST_FORWARD]  14  127.0.0.1 2222  10.0.2.15  22  0  0" */
static void add_rule(cJSON *rules, const char *line)
{
    char protocol[4], from[64], to[64];
    unsigned from_port, to_port;
    AUTO_FREE char *rule = NULL;

    if (sscanf(line, " %3[A-Z][HOST_FORWARD] %*d %63s %u %63s %u", protocol, from, &from_port, to,
               &to_port) != 5)
        return;
    rule = formatted("%s:%s:%u-%s:%u", strcmp(protocol, "UDP") ? "tcp" : "udp",
                     strcmp(from, "*") ? from : "", from_port, to, to_port);
    cJSON_AddItemToArray(rules, must(cJSON_CreateString(rule)));
}

cJSON *usernet_forwards(const char *text)
{
    cJSON *networks = must(cJSON_CreateObject());
    AUTO_FREE char *copy = must(strdup(text));
    char *rest = copy;
    cJSON *rules = NULL;
    const char *line;

    while ((line = strsep(&rest, "\r\n"))) {
        AUTO_FREE char *network = network_of(line);

        if (network)
            rules = cJSON_AddArrayToObject(networks, network);
        else if (rules)
            add_rule(rules, line);
    }
    return networks;
}
