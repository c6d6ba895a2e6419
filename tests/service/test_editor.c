/* SPDX-License-Identifier: Apache-2.0 */
/* A text that was typed is either taken, and gone from the disk, or still there. */
#include "test.h"

#include "service/editor.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIMIT 64

static char directory[] = "/tmp/test_editor.XXXXXX";

static int set_up(void **state)
{
    (void)state;
    assert_int_equal(unsetenv("VISUAL"), 0);
    return mkdtemp(directory) == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    return rmdir(directory);
}

/* What is in the directory, and its name. */
static unsigned left(char name[256])
{
    DIR *dir = opendir(directory);
    const struct dirent *entry;
    unsigned n = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        n++;
        (void)snprintf(name, 256, "%s", entry->d_name);
    }
    (void)closedir(dir);
    return n;
}

static int compose(const char *editor, cs_buf *out, cs_error *why)
{
    assert_int_equal(setenv("EDITOR", editor, 1), 0);
    return cs_editor_compose(out, directory, LIMIT, why);
}

static void test_taken(void **state)
{
    cs_buf out = {0};
    char name[256];

    (void)state;
    /* as editors do: a backup, a swap file, a directory of undos; and $1 is the file */
    assert_ok(
        compose("f() { echo text >\"$1\"; cp \"$1\" \"$1~\"; d=$(dirname \"$1\"); "
                "cp \"$1\" \"$d/.diagnosis.swp\"; mkdir \"$d/undo\"; cp \"$1\" \"$d/undo\"; }; f",
            &out, error));
    assert_true(cs_view_equal(cs_view_buf(&out), cs_view_str("text\n")));
    assert_int_equal(left(name), 0);
    cs_buf_free(&out);
}

/* The file that the error names has the text; it and its directory are removed. */
static void check_kept(const cs_error *why, const char *text)
{
    char name[256];
    char inside[512];
    char path[1024];
    char got[256] = "";
    struct stat status;
    FILE *file;

    assert_int_equal(left(name), 1);
    (void)snprintf(inside, sizeof inside, "%s/%s", directory, name);
    assert_int_equal(stat(inside, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    (void)snprintf(path, sizeof path, "%s/diagnosis.txt", inside);
    assert_non_null(strstr(why->message, path));
    file = fopen(path, "re");
    assert_non_null(file);
    assert_true(fread(got, 1, sizeof got - 1, file) > 0);
    (void)fclose(file);
    assert_string_equal(got, text);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(inside), 0);
}

static void test_kept(void **state)
{
    static const char large[] =
        "0123456789012345678901234567890123456789012345678901234567890123456";
    cs_error why = {0};
    cs_buf out = {0};
    char editor[256];
    char name[256];

    (void)state;
    assert_int_equal(compose("f() { echo text >\"$1\"; false; }; f", &out, &why), CS_E_CANCELLED);
    check_kept(&why, "text\n");
    (void)snprintf(editor, sizeof editor, "f() { printf %s >\"$1\"; }; f", large);
    assert_int_equal(compose(editor, &out, &why), CS_E_TOO_LARGE);
    check_kept(&why, large);
    /* nothing was written: nothing is left */
    assert_int_equal(compose("false", &out, &why), CS_E_CANCELLED);
    assert_int_equal(left(name), 0);
    cs_buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_kept),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
