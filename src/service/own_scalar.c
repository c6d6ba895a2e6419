/* SPDX-License-Identifier: Apache-2.0 */
#include "service/own_scalar.h"

#include "service/actor.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SEALED_NEW CS_SCALAR_SEALED ".new"

/* -- sealed --------------------------------------------------------------------------------------
 */

/* *out is what the file has if that is for y, and else empty. */
static int read_sealed(
    cs_buf *out, const cs_home *home, const char *name, const cs_point *y, cs_error *error)
{
    cs_view wanted = cs_point_view(y);
    int rc;

    cs_buf_clear(out);
    rc = cs_home_read(home, name, CS_MESSAGE_MAX, out, error);
    if (rc == CS_E_NO_FILE)
        return CS_OK;
    if (rc == CS_OK && (out->n < wanted.n || memcmp(out->p, wanted.p, wanted.n) != 0))
        cs_buf_clear(out);
    return rc;
}

static int open_sealed(cs_actor *actor, cs_error *error)
{
    static const char *const names[] = {CS_SCALAR_SEALED, SEALED_NEW};
    const cs_point *y = &actor->credential.y;
    size_t y_size = cs_point_view(y).n;
    cs_buf file = {0};
    int rc = CS_OK;

    for (size_t i = 0; rc == CS_OK && file.n == 0 && i < sizeof names / sizeof names[0]; i++)
        rc = read_sealed(&file, actor->home, names[i], y, error);
    if (rc == CS_OK && file.n > 0)
        rc = cs_scalar_open_sealed(&actor->scalar, actor->decrypt,
            (cs_view){file.p + y_size, file.n - y_size}, &actor->credential, error);
    cs_buf_free(&file);
    return rc;
}

static int write_sealed(
    const cs_home *home, const char *name, const cs_point *y, cs_view sealed, cs_error *error)
{
    cs_buf file = {0};
    int rc = cs_buf_append(&file, cs_point_view(y), error);

    if (rc == CS_OK)
        rc = cs_buf_append(&file, sealed, error);
    if (rc == CS_OK)
        rc = cs_home_write(home, name, cs_view_buf(&file), error);
    cs_buf_free(&file);
    return rc;
}

static void remove_file(const cs_home *home, const char *name)
{
    char path[CS_PATH_MAX];

    cs_home_path(home, name, path);
    (void)unlink(path); /* usually there is none */
}

/* -- in the token --------------------------------------------------------------------------------
 */

static bool shows(const cs_key_info *info, const cs_point *y)
{
    return cs_view_equal((cs_view){info->public_key, info->public_key_size}, cs_point_view(y));
}

/* Not there, or more than one: an S_X that cannot be told from another is none. */
static int open_if_there(cs_actor *actor, const char *uri, cs_error *error)
{
    int rc = cs_actor_open_key(&actor->scalar, actor, uri, CS_USE_SCALAR, error);

    if (rc == CS_E_KEY_MISSING || rc == CS_E_KEY_AMBIGUOUS)
        return CS_OK;
    if (rc == CS_OK && cs_key_describe(actor->scalar)->public_key_size > 0 &&
        !shows(cs_key_describe(actor->scalar), &actor->credential.y))
        cs_key_close(&actor->scalar);
    return rc;
}

typedef struct search {
    const cs_point *y;
    char label[CS_LABEL_MAX + 1];
    char uri[CS_URI_MAX];
} search;

/* In a retired slot of a PIV card it has the name of the slot, and to OpenSC it is as any other
 * that agrees. Opening it has it show that it is Y's. */
static bool is_in_slot(const cs_key_info *info, const cs_point *y)
{
    uint8_t compressed[CS_PUK_SIZE];

    return y->suite == CS_SUITE_P256 && (info->use == CS_USE_AGREE || info->use == CS_USE_SCALAR) &&
           cs_p256_compress(compressed, (cs_view){info->public_key, info->public_key_size}, NULL) ==
               CS_OK &&
           cs_view_equal(CS_VIEW_ARRAY(compressed), cs_point_view(y));
}

static int match(void *context, const cs_key_info *info)
{
    search *wanted = context;
    bool ours = info->use == CS_USE_SCALAR && strcmp(info->label, wanted->label) == 0 &&
                shows(info, wanted->y);

    if (ours || is_in_slot(info, wanted->y))
        (void)snprintf(wanted->uri, sizeof wanted->uri, "%s", info->uri);
    return 0;
}

/* A listing of the token, which only an interrupted renewal has to pay, and the desk. */
static int open_by_point(cs_actor *actor, cs_error *error)
{
    search wanted = {.y = &actor->credential.y};
    int rc;

    cs_home_key_label(actor->home, "scalar", wanted.label);
    rc = cs_token_list_keys(actor->token, match, &wanted, error);
    return rc == CS_OK && wanted.uri[0] != '\0' ? open_if_there(actor, wanted.uri, error) : rc;
}

/* ------------------------------------------------------------------------------------------------
 */

int cs_own_scalar_open(cs_actor *actor, cs_error *error)
{
    const char *place = cs_home_text(actor->home, "keys.scalar");
    int rc = CS_OK;

    if (place != NULL && strcmp(place, CS_SCALAR_SEALED) != 0)
        rc = open_if_there(actor, place, error);
    if (rc == CS_OK && actor->scalar == NULL)
        rc = open_sealed(actor, error);
    if (rc == CS_OK && actor->scalar == NULL)
        rc = open_by_point(actor, error);
    return rc;
}

int cs_own_scalar_keep(cs_home *home, const cs_credential *credential, const cs_key *scalar,
    cs_view sealed, cs_error *error)
{
    int rc = CS_OK;

    if (sealed.n > 0)
        rc = write_sealed(home, SEALED_NEW, &credential->y, sealed, error);
    if (rc == CS_OK)
        rc = cs_home_set_text(home, "keys.scalar",
            sealed.n > 0 ? CS_SCALAR_SEALED : cs_key_describe(scalar)->uri, error);
    if (rc == CS_OK)
        rc = cs_home_save(home, error);
    if (rc == CS_OK)
        rc = cs_home_write(home, "credential.cbor", cs_credential_view(credential), error);
    return rc;
}

static int settle_sealed(const cs_home *home, const cs_point *y, cs_error *error)
{
    cs_buf file = {0};
    int rc = read_sealed(&file, home, SEALED_NEW, y, error);

    if (rc == CS_OK && file.n > 0)
        rc = cs_home_write(home, CS_SCALAR_SEALED, cs_view_buf(&file), error);
    if (rc == CS_OK)
        remove_file(home, SEALED_NEW);
    cs_buf_free(&file);
    return rc;
}

/* Files first: those are ours. What a token does not let go of stays in its keeping, which is no
 * reason to fail a party that has a good S_X; the next registration tries again. */
int cs_own_scalar_settle(
    const cs_home *home, cs_token *token, cs_key *scalar, const cs_point *y, cs_error *error)
{
    char label[CS_LABEL_MAX + 1];
    int rc = CS_OK;
    int removed;

    if (cs_key_describe(scalar)->custody == CS_CUSTODY_SEALED) {
        rc = settle_sealed(home, y, error);
        cs_home_key_label(home, "scalar", label);
        removed = cs_key_destroy(token, label, NULL);
    } else {
        remove_file(home, CS_SCALAR_SEALED);
        remove_file(home, SEALED_NEW);
        removed = cs_key_remove_others(scalar, NULL);
    }
    (void)removed;
    return rc;
}

/* -- a sealed one into the token, at a desk
 * ----------------------------------------------------------------------
 */

int cs_own_scalar_unseal(cs_scalar *s, const cs_actor *actor, cs_error *error)
{
    int rc = cs_actor_wants_registration(actor, error);

    return rc == CS_OK ? cs_key_unseal(s, actor->scalar, error) : rc;
}

static int note_place(cs_home *home, const cs_key *scalar, cs_error *error)
{
    int rc = cs_home_set_text(home, "keys.scalar", cs_key_describe(scalar)->uri, error);

    return rc == CS_OK ? cs_home_save(home, error) : rc;
}

int cs_own_scalar_adopt(cs_actor *actor, cs_error *error)
{
    cs_key *sealed = actor->scalar;
    int rc;

    actor->scalar = NULL;
    rc = open_by_point(actor, error);
    if (rc == CS_OK && actor->scalar == NULL)
        rc = CS_FAIL(error, CS_E_KEY_MISSING,
            "the token does not show the S_X that was brought into it; it stays sealed");
    if (rc == CS_OK)
        rc = note_place(actor->home, actor->scalar, error);
    if (rc == CS_OK)
        rc = cs_own_scalar_settle(
            actor->home, actor->token, actor->scalar, &actor->credential.y, error);
    if (rc == CS_OK) {
        cs_key_close(&sealed);
    } else {
        cs_key_close(&actor->scalar);
        actor->scalar = sealed;
    }
    actor->party.scalar = actor->scalar;
    return rc;
}
