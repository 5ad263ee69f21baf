/* What QEMU's block drivers do besides reading and writing images. */
#include "qmp/argv/block-driver.h"

#include "qmp/argv/port.h"
#include "xmig/text.h"

/* Not here: vvfat, which shows the guest a directory of the host; those that test QEMU, and write
 * logs; those that take a device from the host.
 */
static const char *const drivers[] = {
    "file",         "host_device", "host_cdrom", "raw",      "qcow2",    "qcow",     "qed",
    "vmdk",         "vdi",         "vpc",        "vhdx",     "dmg",      "bochs",    "cloop",
    "parallels",    "luks",        "nbd",        "http",     "https",    "ftp",      "ftps",
    "iscsi",        "rbd",         "ssh",        "gluster",  "nfs",      "sheepdog", "throttle",
    "copy-on-read", "preallocate", "null-co",    "null-aio", "compress", NULL,
};

static const char *const schemes[] = {
    "nbd:",      "nbd+tcp:",      "http:",       "https:",       "ftp:",
    "ftps:",     "iscsi:",        "iscsi+iser:", "rbd:",         "ssh:",
    "sftp:",     "nfs:",          "gluster:",    "gluster+tcp:", "gluster+rdma:",
    "sheepdog:", "sheepdog+tcp:", "null-co:",    "null-aio:",    NULL,
};

static void look_at_driver(void *arg, const char *driver)
{
    const char **unknown = arg;

    if (!word_is_among(driver, drivers))
        *unknown = driver;
}

/* Why some of the others are not. */
static const char *const reasons[][2] = {
    { "quorum", "it keeps several images alike, and xmig would make one of them" },
    { "replication", "it keeps another host's image like its own" },
    { "blkdebug", "it makes errors, to test QEMU" },
    { "blkverify", "it compares two images, to test QEMU" },
    { "blkreplay", "it belongs to a recording" },
    { "blklogwrites", "it keeps a log of all writes in a file of this host" },
    { "vvfat", "it shows the guest a directory of this host" },
    { "nvme", "it takes the device from this host" },
};

const char *block_driver_reason(const char *driver)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (!strcmp(driver, reasons[i][0]))
            return reasons[i][1];
    return NULL;
}

bool block_drivers_check(const struct keyvals *kv, struct error *err)
{
    const char *unknown = NULL, *reason;

    keyvals_each_of(kv, "driver", look_at_driver, &unknown);
    keyvals_each_of(kv, "format", look_at_driver, &unknown);
    if (!unknown)
        return true;
    reason = block_driver_reason(unknown);
    return error_set(err, ERROR_REFUSED,
                     "a VM with a disk of QEMU's block driver '%s' cannot be moved: %s", unknown,
                     reason ? reason : "xmig does not know what it does");
}

bool block_name_check(const char *name, struct error *err)
{
    return word_begins_among(name, schemes) ||
           error_set(err, ERROR_REFUSED,
                     "a VM with an image that is called '%s' cannot be moved: it is neither a file "
                     "nor a disk in a network",
                     name);
}

bool block_name_is_local(const char *name)
{
    size_t colon = strcspn(name, ":");

    return !name[colon] || strcspn(name, "/") < colon;
}

/* ---- in a network ---- */

static const char *const network_drivers[] = { "nbd",   "http",     "https", "ftp",  "ftps",
                                               "iscsi", "rbd",      "ssh",   "sftp", "gluster",
                                               "nfs",   "sheepdog", NULL };

static void look_for_network(void *arg, const char *driver)
{
    if (word_is_among(driver, network_drivers))
        *(bool *)arg = true;
}

/* "nbd://user@host:port/export", "nbd:host:port:exportname=e" */
static void peer_of_name(struct rewriting *r, const char *name)
{
    const char *host = strstr(name, "://");
    AUTO_FREE char *authority = NULL;

    if (!strncmp(name, "null-", 5))
        return;
    if (!strncmp(name, "nbd:unix:", 9)) {
        authority = must(strndup(name + 9, strcspn(name + 9, ":")));
        rewriting_list(r->result->connects, authority);
        return;
    }
    if (!host && !strncmp(name, "nbd:", 4)) {
        size_t len = strcspn(name + 4, ":") + 1;

        authority = must(strndup(name + 4, len + strcspn(name + 4 + len, ":")));
        rewriting_peer_address(r, r->option, authority);
    } else if (!host || host[3] == '/') {
        rewriting_peer_anywhere(r, r->option);
    } else {
        authority = must(strndup(host + 3, strcspn(host + 3, "/?")));
        host = strrchr(authority, '@') ? strrchr(authority, '@') + 1 : authority;
        if (strchr(host, ':'))
            rewriting_peer_address(r, r->option, host);
        else
            rewriting_peer(r, r->option, host, NULL);
    }
}

/* What the driver's keys say, at the node itself or one below another. */
static bool peer_of_keys(struct rewriting *r, const struct keyvals *kv, const char *prefix)
{
    AUTO_FREE char *server = formatted("%sserver.host", prefix);
    AUTO_FREE char *server_port = formatted("%sserver.port", prefix);
    AUTO_FREE char *host = formatted("%shost", prefix);
    AUTO_FREE char *port = formatted("%sport", prefix);
    AUTO_FREE char *url = formatted("%surl", prefix);
    AUTO_FREE char *socket = formatted("%sserver.path", prefix);

    if (keyvals_get(kv, server))
        rewriting_peer(r, r->option, keyvals_get(kv, server), keyvals_get(kv, server_port));
    else if (keyvals_get(kv, host))
        rewriting_peer(r, r->option, keyvals_get(kv, host), keyvals_get(kv, port));
    else if (keyvals_get(kv, url))
        peer_of_name(r, keyvals_get(kv, url));
    else
        return keyvals_get(kv, socket) != NULL;
    return true;
}

void block_peers(struct rewriting *r, const struct keyvals *kv, const char *name)
{
    static const char *const prefixes[] = { "", "file.", "file.file.", NULL };
    bool in_network = false;

    if (name && !block_name_is_local(name)) {
        peer_of_name(r, name);
        return;
    }
    keyvals_each_of(kv, "driver", look_for_network, &in_network);
    keyvals_each_of(kv, "format", look_for_network, &in_network);
    if (!in_network)
        return;
    for (const char *const *prefix = prefixes; *prefix; prefix++)
        if (peer_of_keys(r, kv, *prefix))
            return;
    rewriting_peer_anywhere(r, r->option);
}
