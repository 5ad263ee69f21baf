/* Runs one fdatasync(2) in a thread of libuv's pool, so that the loop goes on meanwhile. */
#include "host/images/disk-sync.h"

#include <fcntl.h>

#include "xmig/cleanup.h"

/* libuv may still use the struct after its owner has called disk_sync_free(). */
struct disk_sync {
    uv_fs_t request;
    struct loop *loop;
    char *path;
    int fd;
    bool abandoned;
    bool over;
    int status;
};

static void destroy(struct disk_sync *sync)
{
    close(sync->fd);
    free(sync->path);
    free(sync);
}

static void on_synced(uv_fs_t *request)
{
    struct disk_sync *sync = (struct disk_sync *)request;

    sync->over = true;
    sync->status = (int)request->result;
    uv_fs_req_cleanup(request);
    if (sync->abandoned)
        destroy(sync);
}

struct disk_sync *disk_sync_start(struct loop *loop, const char *path, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct disk_sync *sync;

    if (fd < 0) {
        error_set(err, ERROR_SYSTEM, "cannot open '%s': %m", path);
        return NULL;
    }
    sync = must(calloc(1, sizeof(*sync)));
    sync->loop = loop;
    sync->path = must(strdup(path));
    sync->fd = fd;
    uv_fs_fdatasync(loop_uv(loop), &sync->request, fd, on_synced);
    return sync;
}

bool disk_sync_is_over(const struct disk_sync *sync)
{
    return sync->over;
}

static bool is_over(void *arg)
{
    return disk_sync_is_over(arg);
}

bool disk_sync_wait(struct disk_sync *sync, uint64_t timeout_ms, struct error *err)
{
    if (!loop_wait(sync->loop, is_over, sync, timeout_ms, err)) {
        if (err && err->kind == ERROR_TIMEOUT)
            error_prefix(err, "bringing '%s' to the disk", sync->path);
        return false;
    }
    return sync->status == 0 || error_set(err, ERROR_SYSTEM, "cannot bring '%s' to the disk: %s",
                                          sync->path, uv_strerror(sync->status));
}

void disk_sync_free(struct disk_sync *sync)
{
    if (!sync)
        return;
    sync->abandoned = true;
    if (sync->over)
        destroy(sync);
}
