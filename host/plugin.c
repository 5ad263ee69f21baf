/* Loads a hypervisor from its file. */
#include "host/plugin.h"

#include <dlfcn.h>
#include <errno.h>
#include <sys/stat.h>

#include "host/system/private-directory.h"
#include "plugin-stamp.h"

#define TEXT(symbol) TEXT_OF(symbol)
#define TEXT_OF(symbol) #symbol

static bool may_be_trusted(const char *path, const char *package, struct error *err)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return errno == ENOENT
                   ? error_set(err, ERROR_REFUSED,
                               "the package %s is not installed (there is no '%s')", package, path)
                   : error_set(err, ERROR_REFUSED, "cannot look at '%s': %m", path);
    if (st.st_mode & (S_IWGRP | S_IWOTH))
        return error_set(err, ERROR_REFUSED, "others may write to '%s' (mode %04o): chmod go-w it",
                         path, st.st_mode & 07777);
    return private_directory_permits(path, 0, S_IFREG, err);
}

const struct hypervisor *plugin_load(const char *path, const char *package, struct error *err)
{
    const struct plugin *plugin;
    void *handle;

    if (!may_be_trusted(path, package, err))
        return NULL;
    handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    plugin = handle ? dlsym(handle, TEXT(PLUGIN_SYMBOL)) : NULL;
    if (!plugin) {
        error_set(err, ERROR_REFUSED, "cannot load '%s': %s", path, dlerror());
    } else if (strcmp(plugin->stamp, PLUGIN_STAMP) != 0) {
        error_set(
            err, ERROR_REFUSED,
            "'%s' belongs to another build of xmig (%s, and this one is %s): install xmig and "
            "%s of the same version",
            path, plugin->stamp, PLUGIN_STAMP, package);
    } else {
        return plugin->hypervisor; /* it stays loaded */
    }
    if (handle)
        dlclose(handle);
    return NULL;
}
