/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/demo.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIN_RANDOM 8 /* bytes: 16 hex digits */
#define PASSPHRASE_RANDOM 16
#define RANDOM_MAX 16
#define OPEN_DIRECTORIES 16

/* Where Debian puts SoftHSM's module. */
static const char *const module_places[] = {
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
};

static int find_module(demo *me, cs_error *error)
{
    const char *chosen = getenv("CHARTSEAL_PKCS11_MODULE");

    for (size_t i = 0; chosen == NULL && i < sizeof module_places / sizeof module_places[0]; i++) {
        if (access(module_places[i], R_OK) == 0)
            chosen = module_places[i];
    }
    if (chosen == NULL || access(chosen, R_OK) != 0)
        return CS_FAIL(error, CS_E_TOKEN_ABSENT,
            "SoftHSM's module is not found; install softhsm2, or name a module in "
            "CHARTSEAL_PKCS11_MODULE");
    (void)snprintf(me->module, sizeof me->module, "%s", chosen);
    return CS_OK;
}

static int write_text(const char *path, const char *text, cs_error *error)
{
    return cs_file_write(path, cs_view_str(text), 0600, error);
}

void demo_path(const demo *me, cs_home_kind kind, const char *name, char path[CS_PATH_MAX])
{
    (void)snprintf(path, CS_PATH_MAX, "%s/%s/%s", me->dir, cs_home_kind_name(kind), name);
}

void demo_token_uri(const demo *me, cs_home_kind kind, char uri[CS_URI_MAX])
{
    if (demo_has_tpm(me, kind)) {
        demo_tpm_uri(me, kind, uri);
        return;
    }
    if (demo_has_card(me, kind)) {
        demo_card_uri(me, uri);
        return;
    }
    (void)snprintf(uri, CS_URI_MAX, "pkcs11:token=demo-%s?module-path=%s", cs_home_kind_name(kind),
        me->module);
}

/* A secret of so many random bytes, as hex digits. */
static int write_secret(
    const demo *me, cs_home_kind kind, const char *name, size_t size, cs_error *error)
{
    uint8_t random[RANDOM_MAX];
    char text[2 * RANDOM_MAX + 1];
    char path[CS_PATH_MAX];
    int rc;

    cs_random(random, size);
    cs_hex((cs_view){random, size}, text);
    demo_path(me, kind, name, path);
    rc = write_text(path, text, error);
    cs_wipe(text, sizeof text);
    cs_wipe(random, sizeof random);
    return rc;
}

/* A TPM has no security officer, and the patient's keys in it are under the passphrase; a card's
 * PIN is chosen at the desk. */
static int write_pins(const demo *me, cs_home_kind kind, cs_error *error)
{
    bool tpm = demo_has_tpm(me, kind);
    int rc = CS_OK;

    if (demo_has_card(me, kind))
        return CS_OK;
    if (!tpm || kind != CS_HOME_PATIENT)
        rc = write_secret(me, kind, "pin", PIN_RANDOM, error);
    if (rc == CS_OK && !tpm)
        rc = write_secret(me, kind, "so-pin", PIN_RANDOM, error);
    if (rc == CS_OK && kind == CS_HOME_PATIENT)
        rc = write_secret(me, kind, DEMO_PASSPHRASE, PASSPHRASE_RANDOM, error);
    return rc;
}

static int make_party_places(const demo *me, cs_error *error)
{
    char path[CS_PATH_MAX];
    int rc = CS_OK;

    for (int kind = CS_HOME_AUTHORITY; rc == CS_OK && kind <= (int)demo_last_party(me); kind++) {
        demo_path(me, (cs_home_kind)kind, "", path);
        rc = cs_make_directories(path, error);
        if (rc == CS_OK)
            rc = write_pins(me, (cs_home_kind)kind, error);
    }
    return rc;
}

/* Children find the tokens by the environment. */
static int make_token_store(const demo *me, cs_error *error)
{
    char path[CS_PATH_MAX];
    char text[CS_PATH_MAX + 128];
    int rc;

    (void)snprintf(path, sizeof path, "%s/tokens", me->dir);
    rc = cs_make_directories(path, error);
    (void)snprintf(text, sizeof text,
        "directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n"
        "slots.removable = false\n",
        path);
    (void)snprintf(path, sizeof path, "%s/tokens/softhsm2.conf", me->dir);
    if (rc == CS_OK)
        rc = write_text(path, text, error);
    if (rc == CS_OK && setenv("SOFTHSM2_CONF", path, 1) != 0)
        rc = CS_FAIL(error, CS_E_MEMORY, "no memory for the environment");
    return rc;
}

static int choose_temporary(demo *me, cs_error *error)
{
    const char *base = getenv("TMPDIR");

    (void)snprintf(me->dir, sizeof me->dir, "%s/chartseal-demo-XXXXXX",
        base == NULL || base[0] == '\0' ? "/tmp" : base);
    if (mkdtemp(me->dir) == NULL)
        return CS_FAIL(error, CS_E_STORAGE, "%s cannot be made: %s", me->dir, strerror(errno));
    me->temporary = true;
    return CS_OK;
}

static int choose_state(demo *me, const char *state, cs_error *error)
{
    char *absolute;
    char path[CS_PATH_MAX];
    int rc = cs_make_directories(state, error);

    if (rc != CS_OK)
        return rc;
    absolute = realpath(state, NULL);
    if (absolute == NULL || strlen(absolute) > CS_PATH_MAX / 4)
        rc = CS_FAIL(error, CS_E_USAGE, "--state %s has no usable path", state);
    else
        (void)snprintf(me->dir, sizeof me->dir, "%s", absolute);
    free(absolute);
    (void)snprintf(path, sizeof path, "%s/tokens", me->dir);
    if (rc == CS_OK && access(path, F_OK) == 0)
        rc = CS_FAIL(error, CS_E_EXISTS,
            "%s holds a demo already; remove it, or give another --state", state);
    return rc;
}

int demo_make_places(demo *me, const char *state, cs_error *error)
{
    char path[CS_PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", me->program, sizeof me->program - 1);
    int rc = find_module(me, error);

    if (rc == CS_OK)
        rc = demo_find_simulator(me, error);
    if (rc == CS_OK && n <= 0)
        rc = CS_FAIL(error, CS_E_INTERNAL, "/proc/self/exe cannot be read: is /proc mounted?");
    if (rc == CS_OK)
        rc = state == NULL ? choose_temporary(me, error) : choose_state(me, state, error);
    if (rc != CS_OK)
        return rc;
    (void)snprintf(path, sizeof path, "%s/log", me->dir);
    rc = cs_make_directories(path, error);
    if (rc == CS_OK)
        rc = make_party_places(me, error);
    if (rc == CS_OK)
        rc = make_token_store(me, error);
    return rc;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

void demo_remove_places(const demo *me)
{
    if (me->temporary)
        (void)nftw(me->dir, remove_one, OPEN_DIRECTORIES, FTW_DEPTH | FTW_PHYS);
}
