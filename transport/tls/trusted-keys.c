/* The file of trusted keys. */
#include "transport/tls/trusted-keys.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#include "transport/tls/whole-file.h"
#include "xmig/cleanup.h"

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

static bool is_line(const char *text)
{
    text += strspn(text, " \t\r\n");
    return *text && *text != '#';
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

static bool read_lines(struct trusted *trusted, FILE *file, const char *path, struct error *err)
{
    AUTO_FREE char *line = NULL;
    size_t size = 0;

    for (int number = 1; getline(&line, &size, file) > 0; number++) {
        struct trusted_key key;

        if (!is_line(line))
            continue;
        if (!parse_line(line, &key, err))
            return error_prefix(err, "'%s', line %d", path, number);
        trusted->keys = must(realloc(trusted->keys, (trusted->count + 1) * sizeof(key)));
        trusted->keys[trusted->count++] = key;
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
    ok = read_lines(trusted, file, path, err) &&
         (!ferror(file) || error_set(err, ERROR_REFUSED, "cannot read '%s': %m", path));
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

/* Copy the file with the key's line added or changed. All other lines stay as they are, with their
 * comments.
 */
static void write_lines(FILE *out, FILE *in, const struct trusted_key *key)
{
    AUTO_FREE char *line = NULL;
    char text[FINGERPRINT_TEXT];
    bool done = false;
    ssize_t len;
    size_t size = 0;

    fingerprint_print(&key->fingerprint, text);
    while (in && (len = getline(&line, &size, in)) > 0) {
        AUTO_FREE char *words = must(strdup(line));
        struct trusted_key other;

        if (is_line(line) && parse_line(words, &other, NULL) &&
            fingerprint_is(&other.fingerprint, &key->fingerprint)) {
            fprintf(out, "%s%s%s\n", text, *key->name ? " " : "", key->name);
            done = true;
        } else {
            fprintf(out, "%s%s", line, line[len - 1] == '\n' ? "" : "\n");
        }
    }
    if (!in)
        fputs("# Whom xmig trusts over TLS: see xmig-keys(1). FINGERPRINT [NAME]\n", out);
    if (!done)
        fprintf(out, "%s%s%s\n", text, *key->name ? " " : "", key->name);
}

bool trusted_add(const char *path, const struct trusted_key *key, struct error *err)
{
    AUTO_CLOSE int lock = whole_file_lock(path, err);
    struct trusted trusted = { 0 };
    struct stat st = { .st_mode = 0600 };
    FILE *in, *out = NULL;

    if (lock < 0 || !trusted_read(&trusted, path, err))
        return false;
    trusted_done(&trusted);
    in = fopen(path, "re");
    if (in)
        (void)fstat(fileno(in), &st);
    out = whole_file_begin(path, st.st_mode & 0777, err);
    if (out)
        write_lines(out, in, key);
    if (in)
        fclose(in);
    return out && whole_file_end(out, path, err);
}
