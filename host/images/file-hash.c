/* Hashes are computed by both hosts, of all of a file: a sample would prove nothing. */
#include "host/images/file-hash.h"
#include "xmig/units.h"

#include "core/field-rows.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>

enum {
    PIECE = 1024 * 1024,
    HASH_MS = 600000,
    MIB = 1024 * 1024,
    WORTH_A_WORD = 512 /* MiB: about a second */
};

/* The thread may need it for longer than its owner does. */
struct reading {
    uv_work_t request;
    EVP_MD_CTX *digest;
    char *path;
    int fd;
    int failure; /* an errno; 0 */
    atomic_bool abandoned;
    bool over;
    unsigned char result[EVP_MAX_MD_SIZE];
    unsigned length;
};

static void destroy(struct reading *reading)
{
    EVP_MD_CTX_free(reading->digest);
    close(reading->fd);
    free(reading->path);
    free(reading);
}

/* In the thread. */
static void read_all(uv_work_t *request)
{
    struct reading *reading = (struct reading *)request;
    AUTO_FREE char *piece = must(malloc(PIECE));
    ssize_t got = 1;

    while (got > 0 && !atomic_load(&reading->abandoned)) {
        got = read(reading->fd, piece, PIECE);
        if (got > 0)
            EVP_DigestUpdate(reading->digest, piece, (size_t)got);
    }
    if (got < 0)
        reading->failure = errno;
    EVP_DigestFinal_ex(reading->digest, reading->result, &reading->length);
}

static void on_over(uv_work_t *request, int status)
{
    struct reading *reading = (struct reading *)request;

    (void)status;
    reading->over = true;
    if (atomic_load(&reading->abandoned))
        destroy(reading);
}

static bool is_over(void *arg)
{
    const struct reading *reading = arg;

    return reading->over;
}

static struct reading *start(struct loop *loop, const char *path, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct reading *reading;

    if (fd < 0) {
        error_set(err, ERROR_REFUSED, "cannot read '%s': %m", path);
        return NULL;
    }
    reading = must(calloc(1, sizeof(*reading)));
    reading->fd = fd;
    reading->path = must(strdup(path));
    reading->digest = must(EVP_MD_CTX_new());
    EVP_DigestInit_ex(reading->digest, EVP_sha256(), NULL);
    uv_queue_work(loop_uv(loop), &reading->request, read_all, on_over);
    return reading;
}

bool file_hash(struct loop *loop, const char *path, char hash[FILE_HASH_SIZE], struct error *err)
{
    struct reading *reading = start(loop, path, err);
    bool ok;

    if (!reading)
        return false;
    if (!loop_wait(loop, is_over, reading, HASH_MS, err)) {
        atomic_store(&reading->abandoned, true);
        if (err && err->kind == ERROR_TIMEOUT)
            error_set(err, ERROR_REFUSED,
                      "'%s' cannot be read within %d s, to compare it with the other host's: say "
                      "--trust %s if they are the same",
                      path, HASH_MS / 1000, path);
        return false;
    }
    for (unsigned i = 0; i < reading->length && i < (FILE_HASH_SIZE - 1) / 2; i++)
        snprintf(hash + 2 * i, 3, "%02x", reading->result[i]);
    errno = reading->failure;
    ok = !reading->failure || error_set(err, ERROR_REFUSED, "cannot read '%s': %m", path);
    destroy(reading);
    return ok;
}

#define FIELDS_OF struct needed_file
const struct field needed_file_fields[] = {
    TEXT(path),
    NUMBER(size, OPTIONAL),
    CHARS(sha256, OPTIONAL),
    { 0 },
};

/* False: it is neither a file nor a block device, or not there. */
static bool read_size(const char *path, uint64_t *size)
{
    struct stat st;
    off_t end;

    if (stat(path, &st) < 0 || (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)))
        return false;
    *size = (uint64_t)st.st_size;
    if (S_ISBLK(st.st_mode)) {
        AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

        end = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
        if (end < 0)
            return false;
        *size = (uint64_t)end;
    }
    return true;
}

bool file_hash_describe(const struct vm_context *context, const char *path, uint64_t *its_size,
                        char hash[FILE_HASH_SIZE], struct error *err)
{
    uint64_t size;

    *hash = '\0';
    if (json_true(context->options.trust, path) || !read_size(path, &size))
        return true;
    if (size / MIB >= WORTH_A_WORD)
        event_say(&context->events, EVENT_NOTE, NULL,
                  "both hosts read '%s' (%" PRIu64 " MiB), to see that it is the same: --trust %s "
                  "leaves that out",
                  path, size / MIB, path);
    *its_size = size;
    return file_hash(context->loop, path, hash, err);
}

bool file_hash_check(const struct vm_context *context, const char *path, uint64_t there,
                     const char *wanted, struct error *err)
{
    char hash[FILE_HASH_SIZE] = "", at_target[UNITS_TEXT_MAX], at_source[UNITS_TEXT_MAX];
    uint64_t here;

    if (!*wanted || !read_size(path, &here))
        return true;
    if (here != there)
        return error_set(err, ERROR_REFUSED,
                         "the VM needs '%s', and the one at the target is another: it has %s, the "
                         "source's has %s",
                         path, print_unequal(at_target, here, there),
                         print_unequal(at_source, there, here));
    if (!file_hash(context->loop, path, hash, err))
        return false;
    return !strcmp(hash, wanted) ||
           error_set(err, ERROR_REFUSED,
                     "the VM needs '%s', and the one at the target holds something else (sha256 "
                     "%.12s…, at "
                     "the source %.12s…): copy the source's there, or say --trust %s if the VM can "
                     "do with this one",
                     path, hash, wanted, path);
}
