/* Memory: locals that free themselves, steal() to hand one over, and must():
 * out of memory aborts, for the VM is safe at whichever side owns it.
 */
#ifndef XMIG_CLEANUP_H
#define XMIG_CLEANUP_H

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>

/* What malloc() and its kind returned, which is not NULL. */
static inline void *must(void *p)
{
    if (!p)
        abort();
    return p;
}

static inline void cleanup_free(void *p)
{
    free(*(void **)p);
}

static inline void cleanup_close(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static inline void cleanup_json(cJSON **json)
{
    cJSON_Delete(*json);
}

#define AUTO_FREE __attribute__((cleanup(cleanup_free)))
#define AUTO_CLOSE __attribute__((cleanup(cleanup_close)))
#define AUTO_JSON __attribute__((cleanup(cleanup_json)))

/* The pointer in `p`, which is NULL afterwards. */
#define steal(p)                                                                                   \
    __extension__({                                                                                \
        __typeof__(p) stolen_ = (p);                                                               \
        (p) = NULL;                                                                                \
        stolen_;                                                                                   \
    })

static inline int steal_fd(int *fd)
{
    int stolen = *fd;

    *fd = -1;
    return stolen;
}

#endif
