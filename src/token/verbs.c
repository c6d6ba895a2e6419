/* SPDX-License-Identifier: Apache-2.0 */
/* The five verbs: the use of the key is checked, the work counted, the answer looked at. */
#include "token/backend.h"

/* Per thread, so that a protocol run can say what it cost without a lock. */
static _Thread_local cs_op_counts counts;

cs_op_counts cs_ops_of_thread(void)
{
    return counts;
}

cs_op_counts cs_ops_between(cs_op_counts before, cs_op_counts after)
{
    return (cs_op_counts){
        .sign = after.sign - before.sign,
        .agree = after.agree - before.agree,
        .scalar_mul = after.scalar_mul - before.scalar_mul,
        .issue = after.issue - before.issue,
        .prf = after.prf - before.prf,
        .attest = after.attest - before.attest,
    };
}

void cs_ops_count_attest(void)
{
    counts.attest++;
}

cs_op_counts cs_ops_sum(cs_op_counts a, cs_op_counts b)
{
    return (cs_op_counts){
        .sign = a.sign + b.sign,
        .agree = a.agree + b.agree,
        .scalar_mul = a.scalar_mul + b.scalar_mul,
        .issue = a.issue + b.issue,
        .prf = a.prf + b.prf,
        .attest = a.attest + b.attest,
    };
}

static const char *use_name(cs_use use)
{
    static const char *const names[] = {
        [CS_USE_SIGN] = "sign",
        [CS_USE_AGREE] = "agree",
        [CS_USE_SCALAR] = "scalar_mul",
        [CS_USE_ISSUE] = "issue",
        [CS_USE_PRF] = "prf",
    };

    return use >= CS_USE_SIGN && use <= CS_USE_PRF ? names[use] : "nothing";
}

static int check(const cs_key *key, cs_use wanted, bool able, cs_error *error)
{
    if (key->info.use != wanted)
        return CS_FAIL(error, CS_E_USAGE, "key %s is for %s, not for %s; open the right key",
            key->info.label, use_name(key->info.use), use_name(wanted));
    if (!able)
        return CS_FAIL(error, CS_E_TOKEN_UNSUITABLE, "the token of key %s has no %s",
            key->info.label, use_name(wanted));
    return CS_OK;
}

/* Verified here, whatever the backend: a faulty signature could tell of the private key, and one by
 * another key than the public half beside it is good for nothing. */
int cs_key_sign(cs_key *key, const uint8_t digest[CS_HASH_SIZE],
    uint8_t signature[CS_SIGNATURE_SIZE], cs_error *error)
{
    cs_view public_key = {key->info.public_key, key->info.public_key_size};
    int rc = check(key, CS_USE_SIGN, key->ops->sign != NULL, error);

    if (rc != CS_OK)
        return rc;
    counts.sign++;
    rc = key->ops->sign(key, digest, signature, error);
    if (rc != CS_OK)
        return rc;
    if (cs_ecdsa_verify(public_key, digest, signature, NULL) == CS_OK)
        return CS_OK;
    cs_wipe(signature, CS_SIGNATURE_SIZE);
    return CS_FAIL(error, CS_E_TOKEN,
        "the token's signature with key %s is not by its public key; see that they are a pair",
        key->info.label);
}

int cs_key_agree(cs_key *key, const uint8_t peer[65], uint8_t x[32], cs_error *error)
{
    int rc = check(key, CS_USE_AGREE, key->ops->agree != NULL, error);

    if (rc != CS_OK)
        return rc;
    counts.agree++;
    return key->ops->agree(key, peer, x, error);
}

int cs_key_scalar_mul(cs_key *key, const cs_point *q, cs_point *out, cs_error *error)
{
    int rc = check(key, CS_USE_SCALAR, key->ops->scalar_mul != NULL, error);

    if (rc != CS_OK)
        return rc;
    if (q->suite != key->suite)
        return CS_FAIL(error, CS_E_VERSION, "key %s is of suite %s, the point of %s",
            key->info.label, cs_suite_name(key->suite), cs_suite_name(q->suite));
    counts.scalar_mul++;
    rc = key->ops->scalar_mul(key, q, out, error);
    if (rc != CS_OK)
        return rc;
    if (out->suite != key->suite)
        return CS_FAIL(error, CS_E_TOKEN, "key %s answered in another group", key->info.label);
    cs_point_canonical(out);
    return CS_OK;
}

/* Eq. 4, 7, 10 are checked here, whatever the backend: a token that answers wrongly issues nothing.
 */
int cs_key_issue(cs_key *key, cs_view m, cs_point *r, cs_scalar *s, cs_error *error)
{
    cs_view encoded = {key->info.public_key, key->info.public_key_size};
    cs_point pk, y;
    int rc = check(key, CS_USE_ISSUE, key->ops->issue != NULL, error);

    if (rc != CS_OK)
        return rc;
    rc = cs_point_decode(&pk, key->suite, encoded, error);
    if (rc != CS_OK)
        return rc;
    counts.issue++;
    rc = key->ops->issue(key, m, r, s, error);
    if (rc == CS_OK)
        rc = cs_issue_verify(s, r, &pk, m, &y, error);
    if (rc != CS_OK)
        cs_wipe(s, sizeof *s);
    return rc;
}

int cs_key_prf(cs_key *key, cs_view bytes, uint8_t out[CS_HASH_SIZE], cs_error *error)
{
    int rc = check(key, CS_USE_PRF, key->ops->prf != NULL, error);

    if (rc != CS_OK)
        return rc;
    counts.prf++;
    return key->ops->prf(key, bytes, out, error);
}
