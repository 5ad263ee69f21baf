/* Shared memory without a name. */
#include "transport/lanes/share.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "xmig/cleanup.h"

static struct lane_share *map(int fd)
{
    void *memory = mmap(NULL, sizeof(struct lane_share), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

struct lane_share *lane_share_new(int *fd, struct error *err)
{
    AUTO_CLOSE int memory = memfd_create("xmig-lanes", MFD_CLOEXEC);
    struct lane_share *share = NULL;

    if (memory >= 0 && ftruncate(memory, sizeof(struct lane_share)) == 0)
        share = map(memory);
    if (!share)
        error_set(err, ERROR_SYSTEM, "cannot share memory: %m");
    else
        *fd = steal_fd(&memory);
    return share;
}

struct lane_share *lane_share_open(int fd)
{
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size != sizeof(struct lane_share))
        return NULL;
    return map(fd);
}

void lane_share_free(struct lane_share *share)
{
    if (share)
        munmap(share, sizeof(*share));
}

size_t carrier_portion(const struct carrier *carrier, size_t most)
{
    size_t portion = carrier->share ? rate_portion(&carrier->share->rate) : most;

    return portion < most ? portion : most;
}

struct turn carrier_take(const struct carrier *carrier, size_t size)
{
    if (!carrier->share)
        return (struct turn){ 0 };
    atomic_fetch_add(&carrier->share->carried[carrier->lane], size);
    return rate_now(&carrier->share->rate) ? rate_take(&carrier->share->rate, size)
                                           : (struct turn){ 0 };
}

int carrier_wait_ms(const struct carrier *carrier, const struct turn *turn)
{
    return turn->at_ns ? rate_wait_ms(&carrier->share->rate, turn) : 0;
}
