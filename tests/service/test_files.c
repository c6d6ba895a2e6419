/* SPDX-License-Identifier: Apache-2.0 */
/* Files whole or not at all: on a full disk, when killed, when abandoned. And the progress line. */
#include "test.h"

#include "service/files.h"
#include "service/progress.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LIMIT 1000000

static char directory[] = "/tmp/test_files.XXXXXX";
static char path[64];

static int set_up(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL)
        return -1;
    (void)snprintf(path, sizeof path, "%s/file", directory);
    return 0;
}

/* The names in the directory besides . and .. */
static unsigned names(bool remove_them)
{
    DIR *dir = opendir(directory);
    const struct dirent *entry;
    unsigned n = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        n++;
        if (remove_them)
            assert_int_equal(unlinkat(dirfd(dir), entry->d_name, 0), 0);
    }
    (void)closedir(dir);
    return n;
}

static int tear_down(void **state)
{
    (void)state;
    (void)names(true);
    return rmdir(directory);
}

static void assert_content(const char *text)
{
    cs_buf got = {0};

    assert_ok(cs_file_read(&got, path, LIMIT, error));
    assert_true(cs_view_equal(cs_view_buf(&got), cs_view_str(text)));
    cs_buf_free(&got);
}

static void test_read_and_write(void **state)
{
    cs_buf got = {0};
    struct stat info;
    cs_error why = {0};

    (void)state;
    assert_int_equal(cs_file_read(&got, path, LIMIT, &why), CS_E_NO_FILE);
    assert_non_null(strstr(why.message, path));
    assert_ok(cs_file_write(path, cs_view_str("old"), 0640, error));
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640);
    assert_content("old");
    assert_ok(cs_file_write(path, cs_view_str("newer"), 0600, error));
    assert_content("newer");
    assert_int_equal(names(false), 1);
    assert_ok(cs_buf_set(&got, cs_view_str("before "), error));
    assert_fails(CS_E_TOO_LARGE, cs_file_read(&got, path, 4, error));
    assert_true(cs_view_equal(cs_view_buf(&got), cs_view_str("before ")));
    assert_ok(cs_file_read(&got, path, 5, error));
    assert_true(cs_view_equal(cs_view_buf(&got), cs_view_str("before newer")));
    assert_fails(CS_E_USAGE, cs_file_read(&got, directory, LIMIT, error));
    assert_fails(CS_E_USAGE, cs_file_read(&got, "/dev/zero", LIMIT, error));
    assert_fails(CS_E_STORAGE, cs_file_write("/nowhere/file", cs_view_str("x"), 0600, error));
    assert_fails(CS_E_STORAGE, cs_file_may_write("/nowhere/file", error));
    assert_ok(cs_file_may_write(path, error));
    assert_content("newer");
    assert_int_equal(names(false), 1);
    assert_ok(cs_file_write(path, (cs_view){0}, 0600, error));
    assert_content("");
    cs_buf_free(&got);
}

/* A limit on the size of files stands in for a full disk: write says EFBIG in place of ENOSPC. */
static void test_disk_full(void **state)
{
    const struct rlimit small = {100000, RLIM_INFINITY};
    struct rlimit old;
    uint8_t *large = calloc(1, LIMIT);

    (void)state;
    assert_non_null(large);
    assert_ok(cs_file_write(path, cs_view_str("old"), 0600, error));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_fails(CS_E_DISK_FULL, cs_file_write(path, (cs_view){large, LIMIT}, 0600, error));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_content("old");
    assert_int_equal(names(false), 1);
    free(large);
}

static void test_sink(void **state)
{
    cs_file_sink *sink = NULL;

    (void)state;
    assert_ok(cs_file_write(path, cs_view_str("old"), 0600, error));
    assert_ok(cs_file_sink_open(&sink, path, 0600, error));
    assert_ok(cs_file_sink_write(sink, cs_view_str("part"), error));
    assert_content("old");
    assert_int_equal(names(false), 2);
    cs_file_sink_abandon(&sink);
    assert_null(sink);
    assert_content("old");
    assert_int_equal(names(false), 1);
    assert_ok(cs_file_sink_open(&sink, path, 0600, error));
    assert_ok(cs_file_sink_write(sink, cs_view_str("part "), error));
    assert_ok(cs_file_sink_write(sink, cs_view_str("and whole"), error));
    assert_ok(cs_file_sink_commit(&sink, error));
    assert_content("part and whole");
    assert_int_equal(names(false), 1);
    cs_file_sink_abandon(&sink);
}

/* What a path leads to, by a link beside it. */
static void test_links(void **state)
{
    char link_path[96];
    char inner[96];
    struct stat info;

    (void)state;
    (void)names(true);
    (void)snprintf(inner, sizeof inner, "%s/inner", directory);
    (void)snprintf(link_path, sizeof link_path, "%s/inner/link", directory);
    assert_int_equal(mkdir(inner, 0700), 0);
    assert_ok(cs_file_write(path, cs_view_str("old"), 0600, error));
    assert_int_equal(symlink("../file", link_path), 0);
    assert_ok(cs_file_may_write(link_path, error));
    assert_ok(cs_file_write(link_path, cs_view_str("through the link"), 0600, error));
    assert_int_equal(lstat(link_path, &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    assert_content("through the link");
    assert_int_equal(unlink(path), 0);
    assert_fails(CS_E_USAGE, cs_file_write(link_path, cs_view_str("x"), 0600, error));
    assert_fails(CS_E_USAGE, cs_file_may_write(link_path, error));
    assert_int_equal(lstat(link_path, &info), 0);
    assert_int_equal(unlink(link_path), 0);
    assert_fails(CS_E_USAGE, cs_file_write(inner, cs_view_str("x"), 0600, error));
    assert_int_equal(rmdir(inner), 0);
    assert_int_equal(names(false), 0);
}

/* A pipe is written into and stays a pipe; one that nobody reads does not hold us. */
static void test_pipe(void **state)
{
    struct stat info;
    char got[16] = "";
    int reader;

    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_fails(CS_E_STORAGE, cs_file_write(path, cs_view_str("x"), 0600, error));
    reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(reader >= 0);
    assert_ok(cs_file_may_write(path, error));
    assert_int_equal(read(reader, got, sizeof got), 0); /* no writer yet */
    assert_ok(cs_file_write(path, cs_view_str("into it"), 0600, error));
    assert_int_equal(read(reader, got, sizeof got), 7);
    assert_string_equal(got, "into it");
    (void)close(reader);
    assert_int_equal(lstat(path, &info), 0);
    assert_true(S_ISFIFO(info.st_mode));
    assert_int_equal(names(true), 1);
}

/* A node of our own, like /dev/full. Making and opening one is not allowed everywhere. */
static void test_device(void **state)
{
    struct stat info;
    int fd;

    (void)state;
    if (mknod(path, S_IFCHR | 0600, makedev(1, 7)) != 0)
        skip();
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)close(fd);
        assert_fails(CS_E_DISK_FULL, cs_file_write(path, cs_view_str("x"), 0600, error));
        assert_int_equal(lstat(path, &info), 0);
        assert_true(S_ISCHR(info.st_mode));
    }
    assert_int_equal(names(true), 1);
}

static void write_for_ever(void)
{
    static uint8_t bytes[50000];

    for (uint8_t i = 0;; i ^= 1) {
        memset(bytes, 'a' + i, sizeof bytes);
        if (cs_file_write(path, CS_VIEW_ARRAY(bytes), 0600, NULL) != CS_OK)
            _exit(1);
    }
}

static void test_killed(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 10; round++) {
        const struct timespec moment = {0, 20000000 + 1777777 * (long)round};
        cs_buf got = {0};
        int status = 0;
        pid_t child = fork();

        assert_true(child >= 0);
        if (child == 0)
            write_for_ever();
        (void)nanosleep(&moment, NULL);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        assert_ok(cs_file_read(&got, path, LIMIT, error));
        if (got.n != strlen("part and whole")) { /* it was killed before the first */
            assert_int_equal(got.n, 50000);
            for (size_t i = 1; i < got.n; i++)
                assert_int_equal(got.p[i], got.p[0]);
        }
        cs_buf_free(&got);
    }
    (void)names(true);
}

static void test_directories(void **state)
{
    char deep[96];
    struct stat info;

    (void)state;
    (void)snprintf(deep, sizeof deep, "%s/a/b/", directory);
    assert_ok(cs_make_directories(deep, error));
    assert_ok(cs_make_directories(deep, error));
    assert_int_equal(stat(deep, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    assert_int_equal(rmdir(deep), 0);
    (void)snprintf(deep, sizeof deep, "%s/a", directory);
    assert_int_equal(rmdir(deep), 0);
    assert_ok(cs_file_write(path, cs_view_str("x"), 0600, error));
    (void)snprintf(deep, sizeof deep, "%s/below", path);
    assert_fails(CS_E_STORAGE, cs_make_directories(deep, error));
    assert_fails(CS_E_USAGE, cs_make_directories("", error));
}

static void test_progress(void **state)
{
    cs_progress progress;
    char text[160];
    int fds[2];
    char byte;

    (void)state;
    assert_int_equal(pipe(fds), 0);
    cs_progress_start(&progress, fds[1], "record", 40000000);
    cs_progress_advance(&progress, 10000000);
    cs_progress_text(&progress, 2000, text, sizeof text);
    assert_string_equal(text, "record: 10.0 of 40.0 MB, 25 %, 5.0 MB/s, 0:06 left");
    cs_progress_advance(&progress, 40000000); /* more than was said */
    cs_progress_text(&progress, 0, text, sizeof text);
    assert_non_null(strstr(text, "40.0 of 40.0 MB, 100 %"));
    assert_non_null(strstr(text, "0:00 left"));
    cs_progress_end(&progress);
    (void)close(fds[1]);
    assert_int_equal(read(fds[0], &byte, 1), 0); /* a pipe is no terminal: nothing was shown */
    (void)close(fds[0]);
}

/* A pseudo-terminal hands over in its own time, and in pieces: read until the text has come. */
static size_t read_until(int screen, const char *ending, char *shown, size_t size)
{
    struct pollfd ready = {.fd = screen, .events = POLLIN};
    size_t length = 0;
    ssize_t n;

    while (length + 1 < size) {
        shown[length] = '\0';
        if (length >= strlen(ending) && strcmp(shown + length - strlen(ending), ending) == 0)
            return length;
        assert_int_equal(poll(&ready, 1, 10000), 1);
        n = read(screen, shown + length, size - 1 - length);
        assert_true(n > 0);
        length += (size_t)n;
    }
    fail_msg("the terminal showed more than %zu bytes", size);
    return 0;
}

/* On a terminal: drawn, but not for each of many steps, and taken away at the end. What is too
   small for a bar shows nothing, so the first bytes that come must be the larger one's. */
static void test_progress_on_terminal(void **state)
{
    cs_progress progress;
    char shown[4096];
    unsigned lines = 0;
    int terminal;
    int screen = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);

    (void)state;
    assert_true(screen >= 0);
    assert_int_equal(grantpt(screen), 0);
    assert_int_equal(unlockpt(screen), 0);
    terminal = open(ptsname(screen), O_RDWR | O_NOCTTY);
    assert_true(terminal >= 0);
    cs_progress_start(&progress, terminal, "small", CS_PROGRESS_WORTH_BYTES);
    cs_progress_advance(&progress, 10);
    cs_progress_end(&progress);
    cs_progress_start(&progress, terminal, "record", 2000000);
    for (unsigned i = 0; i < 1000; i++)
        cs_progress_advance(&progress, 2000);
    cs_progress_end(&progress);
    /* the erasing sequence also comes before each line: the last one has nothing after it */
    assert_int_equal(write(terminal, "done", 4), 4);
    (void)read_until(screen, "\r\033[Kdone", shown, sizeof shown);
    assert_null(strstr(shown, "small"));
    for (const char *at = shown; (at = strstr(at, "record: ")) != NULL; at++)
        lines++;
    assert_in_range(lines, 1, 5);
    (void)close(terminal);
    (void)close(screen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_and_write),
        cmocka_unit_test(test_disk_full),
        cmocka_unit_test(test_sink),
        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_pipe),
        cmocka_unit_test(test_device),
        cmocka_unit_test(test_directories),
        cmocka_unit_test(test_progress),
        cmocka_unit_test(test_progress_on_terminal),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
