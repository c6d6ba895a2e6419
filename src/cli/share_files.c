/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/share_files.h"

#include "cli/output.h"
#include "service/files.h"
#include "token/share_terminal.h"

#include <chartseal/secret.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The next of a list with commas into path; false at its end. */
static bool next_of(char path[PATH_MAX], const char **list, bool *fits)
{
    size_t n = strcspn(*list, ",");

    *fits = n > 0 && n < PATH_MAX;
    if (**list == '\0')
        return false;
    if (*fits) {
        memcpy(path, *list, n);
        path[n] = '\0';
    }
    *list += n;
    *list += **list == ',';
    return true;
}

static size_t count_of(const char *list)
{
    size_t n = 1;

    for (; *list != '\0'; list++)
        n += *list == ',';
    return n;
}

/* -- reading -------------------------------------------------------------------------------------
 */

static int read_one(cs_share *out, const char *path, cs_error *error)
{
    cs_buf text = {.guarded = true};
    struct stat status;
    int rc;

    if (stat(path, &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & 077) != 0)
        return CS_FAIL(error, CS_E_PIN_MISSING,
            "share %s is open to others (mode %03o); run chmod 600 on it, and consider who has "
            "read it",
            path, (unsigned)(status.st_mode & 0777));
    rc = cs_file_read(&text, path, CS_SHARE_FILE_MAX, error);
    if (rc == CS_OK) {
        rc = cs_share_parse(out, cs_view_buf(&text), error);
        if (rc != CS_OK)
            rc = cs_error_context(error, "%s", path);
    }
    cs_buf_free(&text);
    return rc;
}

int cs_shares_read(cs_share **out, size_t *n, const char *files, cs_error *error)
{
    size_t count = count_of(files);
    char path[PATH_MAX];
    bool fits;
    int rc = CS_OK;

    *n = 0;
    *out = NULL;
    if (count > CS_SHARE_KIND_LAST * (size_t)CS_SHARES_MAX)
        return CS_FAIL(error, CS_E_USAGE, "%zu files are more shares than there can be", count);
    *out = cs_secret_new(count * sizeof **out);
    if (*out == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for shares; raise RLIMIT_MEMLOCK");
    while (rc == CS_OK && next_of(path, &files, &fits)) {
        rc = fits ? read_one(&(*out)[*n], path, error)
                  : CS_FAIL(error, CS_E_USAGE, "a name between two commas is empty or too long");
        (*n)++;
    }
    return rc;
}

int cs_shares_ask(cs_share *out, size_t needed, cs_share_kind kind, cs_error *error)
{
    char what[80];
    int rc = CS_OK;

    for (size_t i = 0; rc == CS_OK && i < needed; i++) {
        (void)snprintf(what, sizeof what, "%s share of an operator (%zu of %zu)",
            cs_share_kind_name(kind), i + 1, needed);
        rc = cs_share_ask(&out[i], what, error);
    }
    return rc;
}

/* -- writing -------------------------------------------------------------------------------------
 */

/* A void share may be half written, or whole. */
static int check_place(const char *path, const uint8_t *void_id, cs_error *error)
{
    cs_share *there = cs_secret_new(sizeof *there);
    cs_buf text = {.guarded = true};
    int rc = there == NULL ? CS_FAIL(error, CS_E_MEMORY, "no guarded memory for a share")
                           : cs_file_read(&text, path, CS_SHARE_FILE_MAX, error);

    if (rc == CS_OK)
        rc = cs_share_parse(there, cs_view_buf(&text), error);
    if (rc == CS_E_NO_FILE)
        rc = CS_OK;
    else if (rc != CS_E_MEMORY &&
             (rc != CS_OK || void_id == NULL || memcmp(there->id, void_id, sizeof there->id) != 0))
        rc = CS_FAIL(error, CS_E_EXISTS,
            "%s is there, and not of this ceremony; take another directory for shares", path);
    cs_buf_free(&text);
    cs_secret_free(&there);
    return rc;
}

static int write_one(const cs_share *share, const char *token, const char *dir,
    const uint8_t *void_id, cs_error *error)
{
    const char *kind = cs_share_kind_name(share->kind);
    cs_buf text = {.guarded = true};
    char path[PATH_MAX], heading[160];
    int rc;

    if (snprintf(path, sizeof path, "%s/operator-%u.%s", dir, share->number, kind) >=
        (int)sizeof path)
        return CS_FAIL(error, CS_E_USAGE, "%s is too long a path", dir);
    (void)snprintf(heading, sizeof heading,
        "# %s of token %s: share of operator %u of %u, any %u open\n", kind, token, share->number,
        share->count, share->needed);
    rc = check_place(path, void_id, error);
    if (rc == CS_OK)
        rc = cs_buf_append(&text, cs_view_str(heading), error);
    if (rc == CS_OK)
        rc = cs_share_print(&text, share, error);
    if (rc == CS_OK)
        rc = cs_file_write(path, cs_view_buf(&text), 0600, error);
    cs_buf_free(&text);
    return rc;
}

int cs_shares_write(const cs_share *shares, const char *token, const char *dirs,
    const uint8_t *void_id, cs_error *error)
{
    size_t count = count_of(dirs);
    char dir[PATH_MAX] = "";
    bool fits = true;
    int rc = CS_OK;

    if (count != 1 && count != shares[0].count)
        return CS_FAIL(error, CS_E_USAGE,
            "--share-dirs names %zu directories for %u operators; give one, or one for each", count,
            shares[0].count);
    for (unsigned i = 0; rc == CS_OK && i < shares[0].count; i++) {
        if ((i == 0 || count > 1) && (!next_of(dir, &dirs, &fits) || !fits))
            return CS_FAIL(error, CS_E_USAGE, "a name between two commas is empty or too long");
        rc = write_one(&shares[i], token, dir, void_id, error);
    }
    return rc;
}
