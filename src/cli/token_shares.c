/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PIN of its shares, for the start of a service. It goes into a file, since that is where
 * services take PINs from; into memory, since a disk does not forget (a tmpfs such as /run), or
 * into a pipe to what makes a credential of it. No share and no PIN is an argument, and none is
 * shown.
 */
#include "cli/token_shares.h"

#include "cli/home_options.h"
#include "cli/output.h"
#include "cli/share_files.h"

#include <chartseal/secret.h>

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* The directory that a file will be in, or the pipe itself. */
static int check_memory(const char *path, cs_error *error)
{
    const char *slash = strrchr(path, '/');
    char *directory = slash == NULL ? strdup(".") : strndup(path, (size_t)(slash - path) + 1);
    struct statfs system;
    struct stat status;
    int rc = CS_OK;

    if (directory == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for the name of a directory");
    if (stat(path, &status) == 0 && S_ISFIFO(status.st_mode))
        rc = CS_OK;
    else if (statfs(directory, &system) != 0)
        rc = CS_FAIL(error, CS_E_NO_FILE, "%s cannot be found: %s", directory, strerror(errno));
    else if (system.f_type != TMPFS_MAGIC && system.f_type != RAMFS_MAGIC)
        rc = CS_FAIL(error, CS_E_POLICY,
            "%s is on a disk, which keeps what is deleted; name a file on a tmpfs, such as below "
            "/run, or say --on-disk",
            directory);
    free(directory);
    return rc;
}

static int check_place(const cs_arguments *arguments, cs_error *error)
{
    const char *path = cs_arg(arguments, "out");
    int rc;

    if (cs_is_stdout(path) && isatty(STDOUT_FILENO))
        return CS_FAIL(error, CS_E_POLICY,
            "the PIN is not shown on a terminal: nobody is to know it; give it to a program by a "
            "pipe");
    if (!cs_is_stdout(path) && !cs_arg_flag(arguments, "on-disk")) {
        rc = check_memory(path, error);
        if (rc != CS_OK)
            return rc;
    }
    return cs_check_output(arguments, "out", true, error);
}

/* Typed: the first share says how many are needed. */
static int ask(cs_share **shares, size_t *n, cs_share_kind kind, cs_error *error)
{
    int rc;

    *shares = cs_secret_new(CS_SHARES_MAX * sizeof **shares);
    if (*shares == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for shares; raise RLIMIT_MEMLOCK");
    rc = cs_shares_ask(*shares, 1, kind, error);
    if (rc == CS_OK) {
        *n = (*shares)[0].needed;
        rc = cs_shares_ask(*shares + 1, *n - 1, kind, error);
    }
    return rc;
}

static int write_pin(const cs_pin *pin, const char *path, cs_error *error)
{
    cs_buf line = {.guarded = true};
    int rc = cs_buf_append(&line, (cs_view){(const uint8_t *)pin->text, pin->n}, error);

    if (rc == CS_OK)
        rc = cs_buf_append(&line, cs_view_str("\n"), error);
    if (rc == CS_OK)
        rc = cs_write_output(path, cs_view_buf(&line), 0600, error);
    cs_buf_free(&line);
    return rc;
}

static int report(const cs_share *shares, size_t n, const cs_arguments *arguments, cs_error *error)
{
    const char *path = cs_arg(arguments, "out");
    const char *kind = cs_share_kind_name(shares[0].kind);

    if (cs_arg_flag(arguments, "json"))
        return cs_print_json(json_pack("{s:b, s:s, s:I, s:s}", "ok", 1, "kind", kind, "shares",
                                 (json_int_t)n, "file", path),
            error);
    if (!cs_is_stdout(path))
        cs_say("%zu shares gave the %s; remove %s when the service has it", n, kind, path);
    return CS_OK;
}

int cs_run_combine(const cs_arguments *arguments, cs_error *error)
{
    const char *files = cs_arg(arguments, "shares");
    cs_share_kind kind = cs_arg_flag(arguments, "so-pin") ? CS_SHARE_SO_PIN : CS_SHARE_USER_PIN;
    cs_share *shares = NULL;
    cs_pin pin = {0};
    size_t n = 0;
    int rc = check_place(arguments, error);

    if (rc == CS_OK)
        rc = files != NULL ? cs_shares_read(&shares, &n, files, error)
                           : ask(&shares, &n, kind, error);
    for (size_t i = 0; rc == CS_OK && i < n; i++) {
        if (shares[i].kind != kind)
            rc = CS_FAIL(error, CS_E_USAGE, "a share of the %s is not for the %s%s",
                cs_share_kind_name(shares[i].kind), cs_share_kind_name(kind),
                shares[i].kind == CS_SHARE_SO_PIN ? "; say --so-pin if that is meant" : "");
    }
    if (rc == CS_OK)
        rc = cs_share_combine(&pin, shares, n, error);
    if (rc == CS_OK)
        rc = write_pin(&pin, cs_arg(arguments, "out"), error);
    if (rc == CS_OK)
        rc = report(shares, n, arguments, error);
    cs_pin_free(&pin);
    cs_secret_free(&shares);
    return rc;
}

const cs_option cs_combine_options[] = {
    {"shares", "FILE,...", false, "the shares of enough operators; else they are typed"},
    {"out", "FILE", true, "where the PIN goes (mode 0600): on a tmpfs; - is a pipe"},
    {"on-disk", NULL, false, "FILE may be on a disk"},
    {"so-pin", NULL, false, "the security officer's PIN, not the user's"},
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};
