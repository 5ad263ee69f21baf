/* Options for the machine type, the accelerator, the VM's name and the user who runs QEMU. */
#include "host/qemu/argv/rewriters.h"

/* The versioned name ("pc-i440fx-7.2"), for "pc" means another machine in every version of QEMU. */
bool rewrite_machine(struct rewriting *r, struct keyvals *kv, struct error *err)
{
    struct qemu_rewriting *q = qemu_of(r);

    static const char *const files[] = { "kernel", "initrd", "dtb", "shim" };

    if (keyvals_get(kv, "dumpdtb"))
        return rewriting_refuse(r, r->value, err);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        rewriting_path_key(r, kv, files[i], rewriting_need);
    r->option = "machine"; /* for which "M" is short */
    if (keyvals_get_implied(kv, "type")) {
        keyvals_set_implied(kv, "type", q->vm->machine);
        q->has_machine = true;
    }
    if (keyvals_get(kv, "accel")) {
        keyvals_set(kv, "accel", q->vm->accelerator);
        q->has_accelerator = true;
    }
    if (keyvals_get(kv, "firmware"))
        rewriting_searched_key(r, kv, "firmware");
    return true;
}

/* Of several accelerators QEMU took the first that worked; the target must take that one. */
static bool keep_accelerator(struct rewriting *r, const char *which, const char *value,
                             struct error *err)
{
    if (!which || strcmp(which, qemu_of(r)->vm->accelerator) != 0)
        return true;
    qemu_of(r)->has_accelerator = true;
    return rewriting_keep(r, value, err);
}

bool rewrite_accel(struct rewriting *r, const char *value, struct error *err)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };

    return keyvals_parse(value, &kv, err) &&
           keep_accelerator(r, keyvals_get_implied(&kv, "accel"), value, err);
}

bool rewrite_enable_kvm(struct rewriting *r, const char *value, struct error *err)
{
    return keep_accelerator(r, "kvm", value, err);
}

bool rewrite_icount(struct rewriting *r, const char *value, struct error *err)
{
    return strstr(value, "rr=") ? rewriting_refuse(r, value, err) : rewriting_keep(r, value, err);
}

bool rewrite_name(struct rewriting *r, struct keyvals *kv, struct error *err)
{
    (void)err;
    if (r->new_name)
        keyvals_set_implied(kv, "guest", r->new_name);
    qemu_of(r)->has_name = true;
    return true;
}

/* An option of Proxmox's build alone, by which its own programs find the process. */
bool rewrite_vmid(struct rewriting *r, const char *value, struct error *err)
{
    (void)err;
    rewriting_note(r, "without '-id %s', which only Proxmox's QEMU knows", value);
    return true;
}

bool rewrite_runas(struct rewriting *r, const char *value, struct error *err)
{
    r->result->drops_privileges = true;
    return rewriting_keep(r, value, err);
}

bool rewrite_run_with(struct rewriting *r, const char *value, struct error *err)
{
    AUTO_KEYVALS struct keyvals kv = { 0 };

    if (!keyvals_parse(value, &kv, err))
        return false;
    if (keyvals_get(&kv, "chroot"))
        return rewriting_refuse(r, value, err);
    if (keyvals_get(&kv, "user"))
        r->result->drops_privileges = true;
    return rewriting_keep(r, value, err);
}
