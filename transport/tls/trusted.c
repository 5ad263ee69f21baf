/* The file of trusted keys. */
#include "transport/tls/trusted.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "xmig/cleanup.h"
#include "xmig/text.h"

bool trusted_name_is_fit(const char *name)
{
    size_t len = strlen(name);

    if (len == 0 || len > TRUSTED_NAME_MAX || *name == '-' || *name == '.')
        return false;
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && !strchr(".-_@:", *name))
            return false;
    return true;
}

static bool parse_line(char *line, struct trusted_key *key, struct error *err)
{
    char *rest = NULL;
    const char *fingerprint = strtok_r(line, " \t\r\n", &rest);
    const char *name = strtok_r(NULL, " \t\r\n", &rest);

    *key = (struct trusted_key){ 0 };
    if (!fingerprint_parse(fingerprint, &key->fingerprint, err))
        return false;
    if (!name)
        return true;
    if (!trusted_name_is_fit(name) || strtok_r(NULL, " \t\r\n", &rest))
        return error_set(err, ERROR_REFUSED,
                         "a name has at most %d letters, digits and .-_@: and no space",
                         TRUSTED_NAME_MAX);
    snprintf(key->name, sizeof(key->name), "%s", name);
    return true;
}

static void add(struct trusted *trusted, const struct trusted_key *key)
{
    trusted->keys = must(realloc(trusted->keys, (trusted->count + 1) * sizeof(*trusted->keys)));
    trusted->keys[trusted->count++] = *key;
}

static bool read_lines(struct trusted *trusted, FILE *file, const char *path, struct error *err)
{
    AUTO_FREE char *line = NULL;
    size_t size = 0;

    for (int number = 1; getline(&line, &size, file) > 0; number++) {
        struct trusted_key key;

        if (line[strspn(line, " \t\r\n")] == '\0' || line[strspn(line, " \t")] == '#')
            continue;
        if (!parse_line(line, &key, err))
            return error_prefix(err, "'%s', line %d", path, number);
        add(trusted, &key);
    }
    return true;
}

bool trusted_read(struct trusted *trusted, const char *path, struct error *err)
{
    FILE *file = fopen(path, "re");
    bool ok;

    *trusted = (struct trusted){ 0 };
    if (!file)
        return errno == ENOENT || error_set(err, ERROR_REFUSED, "cannot read '%s': %m", path);
    ok = read_lines(trusted, file, path, err);
    fclose(file);
    return ok;
}

void trusted_done(struct trusted *trusted)
{
    free(trusted->keys);
}

const struct trusted_key *trusted_find(const struct trusted *trusted,
                                       const struct fingerprint *fingerprint)
{
    for (size_t i = 0; i < trusted->count; i++)
        if (fingerprint_is(&trusted->keys[i].fingerprint, fingerprint))
            return &trusted->keys[i];
    return NULL;
}

void trusted_narrow(struct trusted *trusted, const char *host)
{
    size_t named = 0;

    for (size_t i = 0; i < trusted->count; i++)
        named += strcasecmp(trusted->keys[i].name, host) == 0;
    if (named == 0)
        return;
    named = 0;
    for (size_t i = 0; i < trusted->count; i++)
        if (strcasecmp(trusted->keys[i].name, host) == 0)
            trusted->keys[named++] = trusted->keys[i];
    trusted->count = named;
}

/* A reader sees the old file, or the new one. */
static bool write_file(const struct trusted *trusted, const char *path, struct error *err)
{
    AUTO_FREE char *temporary = formatted("%s.new", path);
    FILE *file;
    int fd;

    fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set(err, ERROR_SYSTEM, "cannot write '%s': %m", temporary);
    file = must(fdopen(fd, "w"));
    fputs("# Whom xmig trusts over TLS: see xmig-keys(1). FINGERPRINT [NAME]\n", file);
    for (size_t i = 0; i < trusted->count; i++) {
        char text[FINGERPRINT_TEXT];

        fingerprint_print(&trusted->keys[i].fingerprint, text);
        fprintf(file, "%s%s%s\n", text, *trusted->keys[i].name ? " " : "", trusted->keys[i].name);
    }
    if (fflush(file) || fsync(fd) || fclose(file) || rename(temporary, path))
        return error_set(err, ERROR_SYSTEM, "cannot write '%s': %m", path);
    return true;
}

bool trusted_add(const char *path, const struct trusted_key *key, struct error *err)
{
    struct trusted trusted;
    bool ok = trusted_read(&trusted, path, err);

    if (ok) {
        struct trusted_key *known = (struct trusted_key *)trusted_find(&trusted, &key->fingerprint);

        if (known)
            *known = *key;
        else
            add(&trusted, key);
        ok = write_file(&trusted, path, err);
    }
    trusted_done(&trusted);
    return ok;
}
