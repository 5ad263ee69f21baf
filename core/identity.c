/* Who is who: this machine and its boot, and names for migrations. */
#include "xmig/journal.h"

#include <fcntl.h>
#include <stdio.h>

#include "xmig/bytes.h"

static const char hex_digits[] = "0123456789abcdef";

/* The machine id of a machine that has none. */
static const char nobody[] = "00000000000000000000000000000000";

static bool is_hex(const char *text, size_t len)
{
    return strlen(text) == len && strspn(text, hex_digits) == len;
}

static void random_hex(char *text, size_t len)
{
    unsigned char bytes[16];

    if (getentropy(bytes, len / 2))
        abort();
    for (size_t i = 0; i < len; i++)
        text[i] = hex_digits[i % 2 ? bytes[i / 2] & 15 : bytes[i / 2] >> 4];
    text[len] = '\0';
}

/* The file may be missing, be empty or say "uninitialized", as in the image of a machine yet to be
 * born.
 */
bool identity_read_at(struct identity *identity, const char *machine, struct error *err)
{
    static const char boot[] = "/proc/sys/kernel/random/boot_id";

    if (!is_hex(bytes_read_line(AT_FDCWD, machine, identity->machine, sizeof(identity->machine)),
                32))
        snprintf(identity->machine, sizeof(identity->machine), "%s", nobody);
    return *bytes_read_line(AT_FDCWD, boot, identity->boot, sizeof(identity->boot)) ||
           error_set(err, ERROR_SYSTEM, "cannot read '%s'", boot);
}

bool identity_read(struct identity *identity, struct error *err)
{
    return identity_read_at(identity, "/etc/machine-id", err);
}

bool identity_check(const struct identity *identity, struct error *err)
{
    if (strcmp(identity->machine, nobody) != 0)
        return true;
    return error_set(
        err, ERROR_REFUSED,
        "this machine has no id in /etc/machine-id (32 hex digits), by which the other "
        "host would know it again: 'systemd-machine-id-setup' makes one");
}

void journal_new_id(char id[17])
{
    random_hex(id, 16);
}

void journal_new_token(char token[33])
{
    random_hex(token, 32);
}

bool journal_valid_id(const char *id)
{
    return is_hex(id, 16);
}
