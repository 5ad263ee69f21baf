/* xmig clean: delete the images that a finished migration has left and that nobody needs any more,
 * at a person's word. Only files that the journal knows, by their inode.
 */
#include "command.h"

#include <getopt.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "find-id.h"
#include "host/system/image-users.h"
#include "leftovers.h"
#include "option-syntax.h"
#include "directories.h"
#include "report.h"
#include "check-finished.h"
#include "wrap.h"
#include "xmig/cleanup.h"
#include "xmig/units.h"

static const char help_text[] =
    "usage: xmig clean [OPTION...] ID\n"
    "\n"
    "Deletes the disk images that a finished migration has left on this host: at the source\n"
    "the old ones, IMAGE.moved-ID, of a VM that was moved; at the target the complete copies\n"
    "IMAGE.xmig-ID of one that was not. What the VM has written since is not in them, and no\n"
    "other host has them: they are listed first, and deleted when you have typed 'yes'.\n"
    "Other images that lie on one of them (qcow2 backing files) need it: look for these before.\n"
    "ID may be the beginning of one, or the VM's name.\n"
    "\n"
    "  -y, --yes   delete without asking; without it, and without a terminal, only list\n"
    "      --json  for programs: see xmig-json(5)\n"
    "  -h, --help  this text\n";

struct cleaning {
    struct directories directories;
    struct identity identity;
    struct report *report;
    bool help, json, yes;
    char id[17];
    cJSON *found; /* objects {"path", "fact", "side"} */
};

static bool look(struct cleaning *cleaning, struct error *err)
{
    if (!check_finished(cleaning->directories.state_dir, &cleaning->identity, cleaning->id, NULL,
                        err))
        return false;
    leftovers_images(&cleaning->directories, &cleaning->identity, cleaning->id, cleaning->found);
    return true;
}

/* ---- deleting ---- */

static uint64_t size_on_disk(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
}

static void tell(struct cleaning *cleaning, const cJSON *image, bool deleted)
{
    const char *path = json_string_or(image, "path", "");
    char size[UNITS_TEXT_MAX];
    cJSON *body;

    if (!cleaning->json) {
        if (deleted)
            wrap_say(stdout, WRAP_INDENT, "deleted %s", path);
        else
            wrap_say(stdout, WRAP_INDENT, "%10s  %s", print_size(size, size_on_disk(path)), path);
        return;
    }
    body = json_new("id", cleaning->id);
    cJSON_AddStringToObject(body, "side", json_string_or(image, "side", ""));
    cJSON_AddStringToObject(body, "path", path);
    json_add_uint(body, "bytes", size_on_disk(path));
    cJSON_AddBoolToObject(body, "deleted", deleted);
    report_json(cleaning->report, "image", body);
}

static void note_user(void *arg, const struct image_user *other)
{
    if (other->has_image)
        memcpy(arg, other->who, sizeof(other->who));
}

/* The process that has the file open, in words; the caller frees them. NULL: none. */
static char *user_of(const char *path)
{
    char user[sizeof(((struct image_user *)NULL)->who)] = "";
    struct image_identity image;
    struct image_users_search search = { .images = &image, .image_count = 1, .id = "-" };
    struct stat st;

    if (stat(path, &st) < 0)
        return NULL;
    image = image_identity(&st);
    image_users_each(&search, note_user, user);
    return *user ? must(strdup(user)) : NULL;
}

/* Look at the inode again: the user may have taken hours to answer the question. */
static bool delete_image(struct cleaning *cleaning, const cJSON *image, struct error *err)
{
    enum side side =
        !strcmp(json_string_or(image, "side", ""), side_name(SIDE_SEND)) ? SIDE_SEND : SIDE_RECV;
    AUTO_FREE char *path =
        leftovers_name(side, cJSON_GetObjectItemCaseSensitive(image, "fact"), cleaning->id);
    AUTO_FREE char *user = NULL;

    if (!path)
        return error_set(err, ERROR_REFUSED, "'%s' is another file by now, and stays",
                         json_string_or(image, "path", ""));
    user = user_of(path);
    if (user)
        return error_set(err, ERROR_REFUSED, "%s writes to '%s', which stays", user, path);
    if (unlink(path) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot delete '%s': %m", path);
    tell(cleaning, image, true);
    return true;
}

static bool ask(const struct cleaning *cleaning)
{
    char answer[8] = "";

    if (cleaning->yes)
        return true;
    if (!isatty(STDIN_FILENO) || cleaning->json)
        return false;
    fprintf(stderr, "xmig clean: type 'yes' to delete them for good: ");
    return fgets(answer, sizeof(answer), stdin) && !strcmp(answer, "yes\n");
}

static bool clean(struct cleaning *cleaning, struct ending *ending, struct error *err)
{
    const cJSON *image;

    cJSON_ArrayForEach (image, cleaning->found)
        if (!cleaning->yes)
            tell(cleaning, image, false);
    if (!cleaning->found->child || !ask(cleaning)) {
        snprintf(ending->text, sizeof(ending->text), "%s",
                 cleaning->found->child ? "nothing was deleted; --yes deletes them"
                                        : "no image of this migration is left here");
        if (!cleaning->json)
            wrap_say(stderr, WRAP_INDENT, "xmig clean: %s", ending->text);
        return true;
    }
    cJSON_ArrayForEach (image, cleaning->found)
        if (!delete_image(cleaning, image, err))
            return false;
    return true;
}

static int run(struct cleaning *cleaning, const char *word)
{
    struct output_options output = { .json = cleaning->json, .quiet = true };
    struct ending ending = { .status = OUTCOME_DONE, .no_vm = true };
    struct error err = { 0 };
    int status;

    cleaning->report = report_new("xmig clean", &output, stdout, stderr);
    cleaning->found = must(cJSON_CreateArray());
    directories_find(&cleaning->directories);
    if (!identity_read(&cleaning->identity, &err) ||
        !find_id(cleaning->directories.state_dir, &cleaning->identity, word, cleaning->id, &err) ||
        !look(cleaning, &err) || !clean(cleaning, &ending, &err))
        end_unremoved(&ending, &err);
    status = report_end(cleaning->report, &ending);
    cJSON_Delete(cleaning->found);
    report_free(cleaning->report);
    directories_done(&cleaning->directories);
    return status;
}

#define OPTIONS_OF struct cleaning
int command_clean(int argc, char *argv[])
{
    static const struct option_row rows[] = {
        FLAG_OPTION("yes", 'y', yes),
        FLAG_OPTION("json", 0, json),
        FLAG_OPTION("help", 'h', help),
        { 0 },
    };
    struct cleaning cleaning = { 0 };
    struct error err = { 0 };

    if (!take_all(rows, &cleaning, argc, argv, &err))
        return end_with_usage(argc, argv, &err);
    if (cleaning.help)
        return print_help(help_text);
    if (optind + 1 == argc)
        return run(&cleaning, argv[optind]);
    error_set(&err, ERROR_REFUSED, "one ID is needed");
    return end_with_usage(argc, argv, &err);
}
