/* Call libxl; no other file does. */
#include "host/xen/monitor/rebuild.h"

#include <libxl.h>
#include <libxl_utils.h>
#include <libxl_uuid.h>

#include "xmig/cleanup.h"

struct rebuilder {
    libxl_ctx *libxl;
};

struct rebuilder *rebuilder_new(xentoollog_logger *logger, struct error *err)
{
    struct rebuilder *rebuilder = must(calloc(1, sizeof(*rebuilder)));

    if (libxl_ctx_alloc(&rebuilder->libxl, LIBXL_VERSION, 0, logger) == 0)
        return rebuilder;
    free(rebuilder);
    error_set(err, ERROR_SYSTEM, "cannot use libxl");
    return NULL;
}

void rebuilder_free(struct rebuilder *rebuilder)
{
    if (!rebuilder)
        return;
    libxl_ctx_free(rebuilder->libxl);
    free(rebuilder);
}

bool rebuild_destroy(struct rebuilder *rebuilder, uint32_t domid, struct error *err)
{
    int status = libxl_domain_destroy(rebuilder->libxl, domid, NULL);

    return status == 0 || error_set(err, ERROR_SYSTEM,
                                    "cannot destroy domain %u (libxl's error %d)", domid, status);
}

static bool create(struct rebuilder *rebuilder, libxl_domain_config *config, uint32_t *domid,
                   struct error *err)
{
    int status = libxl_domain_create_new(rebuilder->libxl, config, domid, NULL, NULL);

    if (status != 0)
        return error_set(err, ERROR_SYSTEM, "cannot make the domain anew (libxl's error %d)",
                         status);
    status = libxl_domain_unpause(rebuilder->libxl, *domid, NULL);
    return status == 0 ||
           error_set(err, ERROR_SYSTEM, "cannot unpause the new domain %u (libxl's error %d)",
                     *domid, status);
}

bool rebuild_create(struct rebuilder *rebuilder, const char *json, uint32_t *domid,
                    struct error *err)
{
    libxl_domain_config config;
    bool ok;

    libxl_domain_config_init(&config);
    if (libxl_domain_config_from_json(rebuilder->libxl, &config, json) != 0)
        ok = error_set(err, ERROR_SYSTEM, "libxl does not understand the domain's configuration");
    else
        ok = create(rebuilder, &config, domid, err);
    libxl_domain_config_dispose(&config);
    return ok;
}

bool rebuild_preserve(struct rebuilder *rebuilder, uint32_t domid, const char *name,
                      struct error *err)
{
    libxl_domain_create_info info;
    libxl_uuid uuid;
    int status;

    libxl_domain_create_info_init(&info);
    info.name = must(strdup(name));
    libxl_uuid_generate(&uuid);
    status = libxl_domain_preserve(rebuilder->libxl, domid, &info, name, uuid);
    libxl_domain_create_info_dispose(&info);
    return status == 0 || error_set(err, ERROR_SYSTEM,
                                    "cannot preserve domain %u (libxl's error %d)", domid, status);
}

bool rebuild_dump(struct rebuilder *rebuilder, uint32_t domid, const char *path, struct error *err)
{
    int status = libxl_domain_core_dump(rebuilder->libxl, domid, path, NULL);

    return status == 0 ||
           error_set(err, ERROR_SYSTEM, "cannot dump domain %u to '%s' (libxl's error %d)", domid,
                     path, status);
}
