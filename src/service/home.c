/* SPDX-License-Identifier: Apache-2.0 */
#include "service/home.h"

#include <chartseal/secret.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG_NAME "config.json"
#define LOCK_NAME "in.use"
#define CONFIG_MAX 65536 /* a screen of text */
#define FILE_MODE 0600

static const char *const kind_names[] = {
    [CS_HOME_AUTHORITY] = "authority",
    [CS_HOME_CLOUD] = "cloud",
    [CS_HOME_HOSPITAL] = "hospital",
    [CS_HOME_DOCTOR] = "doctor",
    [CS_HOME_PATIENT] = "patient",
    [CS_HOME_TELECARE] = "telecare",
};

const char *cs_home_kind_name(cs_home_kind kind)
{
    return kind_names[kind];
}

cs_role cs_home_role(cs_home_kind kind)
{
    static const cs_role roles[] = {[CS_HOME_HOSPITAL] = CS_ROLE_HOSPITAL,
        [CS_HOME_DOCTOR] = CS_ROLE_DOCTOR,
        [CS_HOME_PATIENT] = CS_ROLE_PATIENT,
        [CS_HOME_TELECARE] = CS_ROLE_CLOUD};

    return roles[kind];
}

const char *cs_home_group(cs_home_kind kind)
{
    return kind == CS_HOME_TELECARE ? "cloud telecare" : kind_names[kind];
}

static bool kind_from_name(cs_home_kind *out, const char *name)
{
    for (int kind = CS_HOME_AUTHORITY; kind <= CS_HOME_TELECARE; kind++) {
        if (strcmp(kind_names[kind], name) == 0) {
            *out = (cs_home_kind)kind;
            return true;
        }
    }
    return false;
}

/* An identity is put into messages, file names of reports and the labels of keys. */
static int check_id(const char *id, cs_home_kind kind, cs_error *error)
{
    size_t n = strlen(id);

    if (n == 0 || n > CS_ID_MAX)
        return CS_FAIL(error, CS_E_USAGE, "an identity has 1 to %d bytes; '%.*s' has %zu",
            CS_ID_MAX, CS_ID_MAX, id, n);
    if ((kind == CS_HOME_DOCTOR || kind == CS_HOME_HOSPITAL || kind == CS_HOME_TELECARE) &&
        strspn(id, CS_ID_PRINTABLE) != n)
        return CS_FAIL(error, CS_E_USAGE,
            "the identity of a %s goes into its certificate, so it has letters, digits, spaces and "
            "'()+,-./:=? only",
            kind_names[kind]);
    if (!cs_text_is_clean(cs_view_str(id)))
        return CS_FAIL(error, CS_E_USAGE,
            "an identity has no control characters and no marks of direction, and is UTF-8");
    return CS_OK;
}

static int new_home(cs_home **out, const char *dir, cs_home_kind kind, cs_error *error)
{
    cs_home *home;

    if (strlen(dir) > CS_PATH_MAX - 64)
        return CS_FAIL(error, CS_E_USAGE, "the name of the directory is too long");
    home = calloc(1, sizeof *home);
    if (home == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a home; free some and retry");
    (void)snprintf(home->dir, sizeof home->dir, "%s", dir);
    home->kind = kind;
    *out = home;
    return CS_OK;
}

/* A directory that is there and that others may look into, or worse, was not made by us. */
static int check_private(const char *dir, cs_error *error)
{
    struct stat info;

    if (stat(dir, &info) == 0 && (info.st_mode & 077) != 0)
        return CS_FAIL(error, CS_E_USAGE,
            "%s has mode %03o: others may use what is in it; run `chmod 700 %s`", dir,
            (unsigned)info.st_mode & 0777, dir);
    return CS_OK;
}

int cs_home_check_place(const char *dir, const char *id, cs_home_kind kind, cs_error *error)
{
    int rc = check_id(id, kind, error);

    return rc == CS_OK ? check_private(dir, error) : rc;
}

static int describe(cs_home *home, const char *id, cs_suite suite, cs_error *error)
{
    (void)snprintf(home->id, sizeof home->id, "%s", id);
    home->suite = suite;
    if (json_object_set_new(home->config, "role", json_string(kind_names[home->kind])) != 0 ||
        json_object_set_new(home->config, "id", json_string(id)) != 0 ||
        json_object_set_new(home->config, "suite", json_string(cs_suite_name(suite))) != 0)
        return CS_FAIL(error, CS_E_USAGE, "'%s' is not UTF-8 text", id);
    return CS_OK;
}

int cs_home_create(cs_home **out, const char *dir, cs_home_kind kind, const char *id,
    cs_suite suite, const json_t *config, cs_error *error)
{
    cs_home *home = NULL;
    char path[CS_PATH_MAX];
    int rc = check_id(id, kind, error);

    *out = NULL;
    if (rc == CS_OK)
        rc = new_home(&home, dir, kind, error);
    if (rc == CS_OK)
        rc = cs_make_directories(dir, error);
    if (rc == CS_OK)
        rc = check_private(dir, error);
    if (rc != CS_OK)
        goto out;
    cs_home_path(home, CONFIG_NAME, path);
    if (access(path, F_OK) == 0) {
        rc = CS_FAIL(error, CS_E_EXISTS,
            "%s is there already; use another directory, or remove this one to begin anew", path);
        goto out;
    }
    home->config = config == NULL ? json_object() : json_deep_copy(config);
    if (home->config == NULL) {
        rc = CS_FAIL(error, CS_E_MEMORY, "no memory for %s; free some and retry", path);
        goto out;
    }
    rc = describe(home, id, suite, error);
    if (rc == CS_OK)
        rc = cs_home_save(home, error);
out:
    if (rc != CS_OK)
        cs_home_free(&home);
    *out = home;
    return rc;
}

/* The members every config.json has. */
static int take_config(cs_home *home, cs_view text, cs_error *error)
{
    json_error_t where;
    const char *role;
    const char *id;
    const char *suite;

    home->config = json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES, &where);
    if (home->config == NULL)
        return CS_FAIL(error, CS_E_MALFORMED, "%s/" CONFIG_NAME ", line %d: %s; mend it", home->dir,
            where.line, where.text);
    role = cs_home_text(home, "role");
    id = cs_home_text(home, "id");
    suite = cs_home_text(home, "suite");
    if (role == NULL || id == NULL || suite == NULL || strlen(id) > CS_ID_MAX ||
        !kind_from_name(&home->kind, role))
        return CS_FAIL(error, CS_E_MALFORMED,
            "%s/" CONFIG_NAME " needs a role, an id and a suite; mend it", home->dir);
    (void)snprintf(home->id, sizeof home->id, "%s", id);
    return cs_suite_from_name(&home->suite, suite, error);
}

int cs_home_open_begun(cs_home **out, const char *dir, cs_error *error)
{
    cs_home *home = NULL;
    cs_buf text = {0};
    int rc = new_home(&home, dir, CS_HOME_AUTHORITY, error);

    *out = NULL;
    if (rc == CS_OK)
        rc = cs_home_read(home, CONFIG_NAME, CONFIG_MAX, &text, error);
    if (rc == CS_E_NO_FILE)
        rc = CS_FAIL(error, CS_E_NO_FILE,
            "%s has no " CONFIG_NAME "; make a home with `chartseal PARTY init --dir %s`", dir,
            dir);
    if (rc == CS_OK)
        rc = check_private(dir, error);
    if (rc == CS_OK)
        rc = take_config(home, cs_view_buf(&text), error);
    cs_buf_free(&text);
    if (rc != CS_OK)
        cs_home_free(&home);
    *out = home;
    return rc;
}

int cs_home_open_any(cs_home **out, const char *dir, cs_error *error)
{
    int rc = cs_home_open_begun(out, dir, error);
    const char *ceremony = rc == CS_OK ? cs_home_text(*out, CS_HOME_CEREMONY) : NULL;

    if (ceremony != NULL && strcmp(ceremony, CS_HOME_FINISHED) != 0) {
        rc = CS_FAIL(error, CS_E_USAGE,
            "the ceremony that makes %s has not come to its end; run `chartseal %s ceremony` again",
            dir, kind_names[(*out)->kind]);
        cs_home_free(out);
    }
    return rc;
}

int cs_home_open(cs_home **out, const char *dir, cs_home_kind kind, cs_error *error)
{
    int rc = cs_home_open_any(out, dir, error);

    if (rc == CS_E_NO_FILE)
        return CS_FAIL(error, CS_E_NO_FILE,
            "%s has no " CONFIG_NAME "; make it with `chartseal %s init --dir %s`", dir,
            cs_home_group(kind), dir);
    if (rc == CS_OK && (*out)->kind != kind) {
        rc = CS_FAIL(error, CS_E_USAGE, "%s is the home of a %s, not of a %s; name another --dir",
            dir, kind_names[(*out)->kind], kind_names[kind]);
        cs_home_free(out);
    }
    return rc;
}

void cs_home_free(cs_home **home)
{
    if (*home == NULL)
        return;
    json_decref((*home)->config);
    cs_secret_free(&(*home)->authorisation);
    free(*home);
    *home = NULL;
}

int cs_home_save(const cs_home *home, cs_error *error)
{
    char *text = json_dumps(home->config, JSON_INDENT(2));
    int rc;

    if (text == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for %s/" CONFIG_NAME, home->dir);
    rc = cs_home_write(home, CONFIG_NAME, cs_view_str(text), error);
    free(text);
    return rc;
}

/* The object that holds the last part of the path; NULL if there is none and it is not to be made.
 */
static json_t *parent_of(json_t *object, const char **path, bool make)
{
    const char *dot;

    while (object != NULL && (dot = strchr(*path, '.')) != NULL) {
        size_t n = (size_t)(dot - *path);
        json_t *child = json_object_getn(object, *path, n);

        if (!json_is_object(child)) {
            child = make ? json_object() : NULL;
            if (child == NULL || json_object_setn_new(object, *path, n, child) != 0)
                return NULL;
        }
        object = child;
        *path = dot + 1;
    }
    return object;
}

const char *cs_home_text(const cs_home *home, const char *path)
{
    const json_t *object = parent_of(home->config, &path, false);

    return json_string_value(json_object_get(object, path));
}

int cs_home_set_text(cs_home *home, const char *path, const char *value, cs_error *error)
{
    json_t *object = parent_of(home->config, &path, true);
    const char *present = json_string_value(json_object_get(object, path));

    if (present != NULL && strcmp(present, value) == 0)
        return CS_OK; /* who holds the text from cs_home_text keeps it */
    if (object == NULL || json_object_set_new(object, path, json_string(value)) != 0)
        return CS_FAIL(
            error, CS_E_USAGE, "'%s' cannot be kept in " CONFIG_NAME ": not UTF-8", path);
    return CS_OK;
}

void cs_home_path(const cs_home *home, const char *name, char path[CS_PATH_MAX])
{
    (void)snprintf(path, CS_PATH_MAX, "%s/%s", home->dir, name);
}

int cs_home_read(const cs_home *home, const char *name, size_t limit, cs_buf *out, cs_error *error)
{
    char path[CS_PATH_MAX];

    cs_home_path(home, name, path);
    return cs_file_read(out, path, limit, error);
}

int cs_home_write(const cs_home *home, const char *name, cs_view bytes, cs_error *error)
{
    char path[CS_PATH_MAX];

    cs_home_path(home, name, path);
    return cs_file_write(path, bytes, FILE_MODE, error);
}

int cs_home_lock(int *fd, const cs_home *home, bool alone, cs_error *error)
{
    char path[CS_PATH_MAX];
    int rc = CS_OK;

    cs_home_path(home, LOCK_NAME, path);
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    if (*fd >= 0 && flock(*fd, (alone ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0)
        return CS_OK;
    if (*fd >= 0 && errno == EWOULDBLOCK)
        rc = CS_FAIL(error, CS_E_BUSY,
            alone ? "%s is in use with the present credential; stop the service and imports first"
                  : "%s is being registered; try again when that is done",
            home->dir);
    else
        rc = CS_FAIL(error, CS_E_STORAGE, "%s cannot be locked: %s", path, strerror(errno));
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
    return rc;
}
