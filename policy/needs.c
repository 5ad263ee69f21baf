/* A list of needs. */
#include "xmig/needs.h"

#include <stdarg.h>

#include "xmig/cleanup.h"
#include "xmig/text.h"

void needs_add(struct needs *needs, enum need_kind kind, const char *what, uint64_t amount,
               const char *of, ...)
{
    struct need *need;
    va_list args;

    needs->items = must(realloc(needs->items, (needs->count + 1) * sizeof(*needs->items)));
    need = &needs->items[needs->count++];
    *need = (struct need){ .kind = kind, .what = must(strdup(what)), .amount = amount };
    va_start(args, of);
    need->of = vformatted(of, args);
    va_end(args);
}

void needs_add_ports(struct needs *needs, enum need_kind kind, const char *address, uint64_t from,
                     uint64_t to, const char *of)
{
    needs_add(needs, kind, address, from, "%s", of);
    needs->items[needs->count - 1].most = to < from ? from : to;
}

bool needs_have(const struct needs *needs, enum need_kind kind, const char *what)
{
    for (size_t i = 0; i < needs->count; i++)
        if (needs->items[i].kind == kind && !strcmp(needs->items[i].what, what))
            return true;
    return false;
}

void needs_done(struct needs *needs)
{
    for (size_t i = 0; i < needs->count; i++) {
        free(needs->items[i].what);
        free(needs->items[i].of);
    }
    free(needs->items);
    *needs = (struct needs){ 0 };
}
