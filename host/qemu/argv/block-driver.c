/* What QEMU's block drivers do besides reading and writing images. */
#include "host/qemu/argv/rewriters.h"

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

bool block_drivers_check(const struct keyvals *kv, struct error *err)
{
    const char *unknown = NULL;

    keyvals_each_of(kv, "driver", look_at_driver, &unknown);
    keyvals_each_of(kv, "format", look_at_driver, &unknown);
    return !unknown ||
           error_set(err, ERROR_REFUSED,
                     "a VM with a disk of QEMU's block driver '%s' cannot be moved", unknown);
}

bool block_name_check(const char *name, struct error *err)
{
    return word_begins_among(name, schemes) ||
           error_set(err, ERROR_REFUSED,
                     "a VM with an image that is called '%s' cannot be moved: it is neither a file "
                     "nor a disk in a network",
                     name);
}
