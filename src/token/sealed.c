/* SPDX-License-Identifier: Apache-2.0 */
/*
 * S_X for tokens that cannot hold it: HPKE-sealed to the party's own decrypt key, opened through
 * the token for one operation at a time, in guarded memory.
 */
#include "token/backend.h"

#include <chartseal/hpke.h>
#include <chartseal/secret.h>

#include <stdlib.h>
#include <string.h>

#define SEALED_INFO "chartseal/1 S_X"
#define SEALED_SIZE (CS_SCALAR_SIZE + CS_AEAD_TAG_SIZE)
/* Far more than opening SEALED_SIZE bytes asks for, so that the buffer never leaves this room. */
#define GUARDED_ROOM 1024

typedef struct sealed_key {
    cs_key base;
    cs_key *agree;
    cs_point y;
    uint8_t enc[CS_HPKE_ENC_SIZE];
    uint8_t sealed[SEALED_SIZE];
} sealed_key;

static int agree_in_token(void *context, const uint8_t peer[65], uint8_t x[32], cs_error *error)
{
    return cs_key_agree(context, peer, x, error);
}

/* room: GUARDED_ROOM bytes of guarded memory, in which S is left as *s. */
static int open_scalar(sealed_key *key, uint8_t *room, cs_scalar *s, cs_error *error)
{
    const cs_key_info *own = cs_key_describe(key->agree);
    cs_view puk = {own->public_key, own->public_key_size};
    cs_buf plain = {.p = room, .n = 0, .capacity = GUARDED_ROOM};
    int rc;

    rc = cs_hpke_open(&plain, CS_VIEW_ARRAY(key->enc), CS_VIEW_ARRAY(key->sealed), puk,
        cs_view_str(SEALED_INFO), cs_point_view(&key->y), agree_in_token, key->agree, NULL, error);
    if (rc != CS_OK) {
        (void)cs_error_context(error, "the sealed S_X of key %s", own->label);
        return rc;
    }
    return cs_scalar_decode(s, key->base.suite, cs_view_buf(&plain), error);
}

static int sealed_scalar_mul(cs_key *base, const cs_point *q, cs_point *out, cs_error *error)
{
    sealed_key *key = (sealed_key *)base;
    cs_scalar *s = cs_secret_new(sizeof *s);
    uint8_t *room = cs_secret_new(GUARDED_ROOM);
    int rc;

    if (s == NULL || room == NULL)
        rc = CS_FAIL(error, CS_E_MEMORY, "no guarded memory for S_X; raise RLIMIT_MEMLOCK");
    else
        rc = open_scalar(key, room, s, error);
    if (rc == CS_OK)
        rc = cs_point_mul(out, s, q, error);
    cs_secret_free(&room);
    cs_secret_free(&s);
    if (rc == CS_OK)
        cs_point_canonical(out);
    return rc;
}

/* Forward: what is sealed is told by its table. */
static const cs_key_ops sealed_ops;

int cs_key_unseal(cs_scalar *s, cs_key *base, cs_error *error)
{
    sealed_key *key = (sealed_key *)base;
    uint8_t *room;
    cs_point y;
    int rc;

    if (base->ops != &sealed_ops)
        return CS_FAIL(
            error, CS_E_USAGE, "key %s is not sealed: its S_X is in its token", base->info.label);
    room = cs_secret_new(GUARDED_ROOM);
    if (room == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for S_X; raise RLIMIT_MEMLOCK");
    rc = open_scalar(key, room, s, error);
    cs_secret_free(&room);
    if (rc == CS_OK)
        rc = cs_point_base_mul(&y, base->suite, s, error);
    if (rc == CS_OK && !cs_point_equal(&y, &key->y))
        rc = CS_FAIL(error, CS_E_CREDENTIAL,
            "the sealed S_X is another than its credential has; register again");
    if (rc != CS_OK)
        cs_wipe(s, sizeof *s);
    return rc;
}

static void sealed_close(cs_key *base)
{
    free(base);
}

static const cs_key_ops sealed_ops = {
    .scalar_mul = sealed_scalar_mul,
    .close = sealed_close,
};

int cs_key_open_sealed(cs_key **out, cs_key *agree, cs_view enc, cs_view sealed, cs_suite suite,
    const cs_point *y, cs_error *error)
{
    sealed_key *key;
    cs_view public_point;

    *out = NULL;
    if (agree->info.use != CS_USE_AGREE)
        return CS_FAIL(
            error, CS_E_USAGE, "S_X is sealed to a decrypt key; %s is none", agree->info.label);
    if (y->suite != suite)
        return CS_FAIL(error, CS_E_VERSION, "the sealed S_X is of another suite than its public Y");
    if (enc.n != CS_HPKE_ENC_SIZE || sealed.n != SEALED_SIZE)
        return CS_FAIL(
            error, CS_E_MALFORMED, "a sealed S_X has %d + %d bytes", CS_HPKE_ENC_SIZE, SEALED_SIZE);
    key = calloc(1, sizeof *key);
    if (key == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a key");
    key->base.ops = &sealed_ops;
    key->base.suite = suite;
    key->base.info = agree->info;
    key->base.info.use = CS_USE_SCALAR;
    key->base.info.custody = CS_CUSTODY_SEALED;
    key->base.info.local = false; /* the public cloud issued it, and the host has seen it */
    key->base.info.always_sensitive = false;
    key->base.info.never_extractable = false;
    public_point = cs_point_view(y);
    memcpy(key->base.info.public_key, public_point.p, public_point.n);
    key->base.info.public_key_size = public_point.n;
    key->agree = agree;
    key->y = *y;
    memcpy(key->enc, enc.p, enc.n);
    memcpy(key->sealed, sealed.p, sealed.n);
    *out = &key->base;
    return CS_OK;
}
