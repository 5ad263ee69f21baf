/* Is an image at the target the same one as at the source? */
#include "host/images/shared-images.h"

#include "tests/unit/helpers.h"

#define ID "0123456789abcdef"

struct scene {
    char *dir, image[64];
    cJSON *proofs;
    const char *proof;
    struct disk_params disk;
    struct error err;
};

/* An image, offered by the source as `word` has it. */
static struct scene offered(bool word)
{
    struct scene scene = { .dir = make_directory() };
    FILE *file;

    snprintf(scene.image, sizeof(scene.image), "%s/disk", scene.dir);
    file = fopen(scene.image, "we");
    assert_non_null(file);
    fclose(file);
    assert_true(shared_offer(scene.image, ID, word, &scene.disk, &scene.proofs, &scene.err));
    scene.proof = scene.disk.proof;
    return scene;
}

static bool is_proven(struct scene *scene)
{
    scene->disk.image = scene->image;
    return shared_prove(&scene->disk, &scene->err);
}

static void end(struct scene *scene)
{
    if (scene->proof)
        unlink(scene->proof);
    unlink(scene->image);
    remove_empty(scene->dir);
    cJSON_Delete(scene->proofs);
}

static void the_same_file_is_known_by_what_lies_beside_it(void **unused)
{
    struct scene scene = offered(false);
    (void)unused;

    assert_non_null(scene.proof);
    assert_true(is_proven(&scene));
    end(&scene);
}

static void another_file_of_that_name_is_not_the_same(void **unused)
{
    struct scene scene = offered(false);
    FILE *file = fopen(scene.proof, "we"); /* as of another migration, on another host */
    (void)unused;

    assert_non_null(file);
    fputs("another", file);
    fclose(file);
    assert_false(is_proven(&scene));
    assert_int_equal(scene.err.kind, ERROR_REFUSED);
    end(&scene);
}

static void without_proof_it_is_not_the_same(void **unused)
{
    struct scene scene = offered(false);
    (void)unused;

    unlink(scene.proof);
    assert_false(is_proven(&scene));
    end(&scene);
}

static void the_operators_word_needs_no_proof(void **unused)
{
    struct scene scene = offered(true);
    (void)unused;

    assert_null(scene.proof);
    assert_true(is_proven(&scene));
    end(&scene);
}

static void the_operators_word_makes_no_image(void **unused)
{
    struct scene scene = offered(true);
    (void)unused;

    unlink(scene.image);
    assert_false(is_proven(&scene));
    assert_says(scene.err.text, "is not at the target");
    end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_file_is_known_by_what_lies_beside_it),
        cmocka_unit_test(another_file_of_that_name_is_not_the_same),
        cmocka_unit_test(without_proof_it_is_not_the_same),
        cmocka_unit_test(the_operators_word_needs_no_proof),
        cmocka_unit_test(the_operators_word_makes_no_image),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
