/* SPDX-License-Identifier: Apache-2.0 */
#include "token/share.h"

#include "crypto/shamir.h"

#include <chartseal/secret.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define VERSION 1
#define CHECK_LABEL "chartseal/1 share"
#define HIDING_SIZE 16 /* R */
#define CHECK_SIZE 8
#define TAIL_SIZE (HIDING_SIZE + CHECK_SIZE)
#define HEAD_SIZE (5 + CS_SHARE_ID_SIZE)
#define CHECKSUM_SIZE 4
#define BYTES_MAX (HEAD_SIZE + CS_SHARE_DATA_MAX + CHECKSUM_SIZE)

const char *cs_share_kind_name(cs_share_kind kind)
{
    return kind == CS_SHARE_USER_PIN ? "user-pin"
           : kind == CS_SHARE_SO_PIN ? "so-pin"
                                     : "wrapping-key";
}

/* -- the check inside */

static int inner_check(uint8_t out[CHECK_SIZE], const cs_share *share, const uint8_t *secret,
    size_t pin_bytes, cs_error *error)
{
    cs_buf text = {.guarded = true};
    const uint8_t kind = (uint8_t)share->kind;
    uint8_t mac[CS_HASH_SIZE];
    int rc = cs_buf_append(&text, cs_view_str(CHECK_LABEL), error);

    if (rc == CS_OK)
        rc = cs_buf_append(&text, (cs_view){&kind, 1}, error);
    if (rc == CS_OK)
        rc = cs_buf_append(&text, CS_VIEW_ARRAY(share->id), error);
    if (rc == CS_OK)
        rc = cs_buf_append(&text, (cs_view){secret, pin_bytes}, error);
    if (rc == CS_OK)
        rc = cs_hmac(mac, (cs_view){secret + pin_bytes, HIDING_SIZE}, cs_view_buf(&text), error);
    if (rc == CS_OK)
        memcpy(out, mac, CHECK_SIZE);
    cs_wipe(mac, sizeof mac);
    cs_buf_free(&text);
    return rc;
}

/* -- making */

/* Each share takes part in one of these trials at least. */
static int try_shares(const cs_share *shares, unsigned needed, unsigned count, cs_error *error)
{
    cs_share *some = cs_secret_new(needed * sizeof *some);
    cs_pin first = {0}, pin = {0};
    int rc = some == NULL ? CS_FAIL(error, CS_E_MEMORY, "no guarded memory for shares") : CS_OK;

    for (unsigned from = 0; rc == CS_OK && from < count; from++) {
        for (unsigned i = 0; i < needed; i++)
            some[i] = shares[(from + i) % count];
        rc = cs_share_combine(from == 0 ? &first : &pin, some, needed, error);
        if (rc == CS_OK && from > 0 &&
            !cs_view_equal_secret((cs_view){(const uint8_t *)first.text, first.n},
                (cs_view){(const uint8_t *)pin.text, pin.n}))
            rc = CS_FAIL(error, CS_E_INTERNAL, "two choices of shares give two PINs");
        cs_pin_free(&pin);
    }
    cs_pin_free(&first);
    cs_secret_free(&some);
    return rc;
}

int cs_share_make(cs_share *out, cs_share_kind kind, const uint8_t id[CS_SHARE_ID_SIZE],
    size_t pin_bytes, unsigned needed, unsigned count, cs_error *error)
{
    uint8_t *places[CS_SHARES_MAX] = {NULL};
    uint8_t *secret;
    int rc;

    if (needed < 2 || needed > count || count > CS_SHARES_MAX ||
        pin_bytes < CS_SHARE_PIN_BYTES_MIN || pin_bytes > CS_SHARE_PIN_BYTES_MAX)
        return CS_FAIL(error, CS_E_USAGE,
            "a PIN of %zu digits cannot be shared by %u of %u; take 2 to %d people, at least 2 of "
            "them, and %d to %d digits",
            2 * pin_bytes, needed, count, CS_SHARES_MAX, 2 * CS_SHARE_PIN_BYTES_MIN,
            2 * CS_SHARE_PIN_BYTES_MAX);
    secret = cs_secret_new(CS_SHARE_DATA_MAX);
    if (secret == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for a PIN");
    for (unsigned i = 0; i < count; i++) {
        out[i] = (cs_share){.kind = kind,
            .needed = needed,
            .count = count,
            .number = i + 1,
            .size = pin_bytes + TAIL_SIZE};
        memcpy(out[i].id, id, sizeof out[i].id);
        places[i] = out[i].data;
    }
    cs_random(secret, pin_bytes + HIDING_SIZE);
    rc = inner_check(secret + pin_bytes + HIDING_SIZE, out, secret, pin_bytes, error);
    if (rc == CS_OK)
        rc = cs_shamir_split(places, count, needed, secret, pin_bytes + TAIL_SIZE, error);
    cs_secret_free(&secret);
    return rc == CS_OK ? try_shares(out, needed, count, error) : rc;
}

/* -- putting together */

static bool belong_together(const cs_share *a, const cs_share *b)
{
    return a->kind == b->kind && a->needed == b->needed && a->count == b->count &&
           a->size == b->size && memcmp(a->id, b->id, sizeof a->id) == 0;
}

static int check_choice(const cs_share *shares, size_t n, cs_error *error)
{
    if (n == 0)
        return CS_FAIL(error, CS_E_PIN_MISSING, "there is no share; the operators give theirs");
    for (size_t i = 1; i < n; i++) {
        if (!belong_together(&shares[0], &shares[i]))
            return CS_FAIL(error, CS_E_PIN_WRONG,
                "share %u (%s) and share %u (%s) are not of one PIN or key and ceremony; take "
                "those that "
                "are",
                shares[0].number, cs_share_kind_name(shares[0].kind), shares[i].number,
                cs_share_kind_name(shares[i].kind));
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < i; j++) {
            if (shares[i].number == shares[j].number)
                return CS_FAIL(error, CS_E_USAGE,
                    "the share of operator %u is given twice; another operator is needed",
                    shares[i].number);
        }
    }
    if (n < shares[0].needed)
        return CS_FAIL(error, CS_E_PIN_MISSING,
            "%zu of the %u shares of the %s that are needed; ask more operators", n,
            shares[0].needed, cs_share_kind_name(shares[0].kind));
    return CS_OK;
}

/* secret: f(0). Further shares than are needed have to be points of f too. */
static int interpolate(uint8_t *secret, const cs_share *shares, size_t n, cs_error *error)
{
    const uint8_t *data[CS_SHARES_MAX] = {NULL};
    uint8_t x[CS_SHARES_MAX] = {0};
    unsigned needed = shares[0].needed;
    size_t size = shares[0].size;
    int rc;

    for (unsigned i = 0; i < needed; i++) {
        data[i] = shares[i].data;
        x[i] = (uint8_t)shares[i].number;
    }
    for (size_t i = needed; i < n; i++) {
        rc = cs_shamir_interpolate(secret, (uint8_t)shares[i].number, x, data, needed, size, error);
        if (rc != CS_OK)
            return rc;
        if (!cs_view_equal_secret((cs_view){secret, size}, (cs_view){shares[i].data, size}))
            return CS_FAIL(error, CS_E_PIN_WRONG,
                "one of these %zu shares is not what was given out; try fewer to see which", n);
    }
    return cs_shamir_interpolate(secret, 0, x, data, needed, size, error);
}

int cs_share_combine(cs_pin *out, const cs_share *shares, size_t n, cs_error *error)
{
    uint8_t *secret = NULL, check[CHECK_SIZE];
    size_t pin_bytes;
    int rc = check_choice(shares, n, error);

    *out = (cs_pin){0};
    if (rc != CS_OK)
        return rc;
    pin_bytes = shares[0].size - TAIL_SIZE;
    secret = cs_secret_new(CS_SHARE_DATA_MAX);
    out->text = cs_secret_new(CS_PIN_MAX);
    if (secret == NULL || out->text == NULL)
        rc = CS_FAIL(error, CS_E_MEMORY, "no guarded memory for a PIN; raise RLIMIT_MEMLOCK");
    if (rc == CS_OK)
        rc = interpolate(secret, shares, n, error);
    if (rc == CS_OK)
        rc = inner_check(check, &shares[0], secret, pin_bytes, error);
    if (rc == CS_OK && !cs_view_equal_secret(CS_VIEW_ARRAY(check),
                           (cs_view){secret + pin_bytes + HIDING_SIZE, CHECK_SIZE}))
        rc = CS_FAIL(error, CS_E_PIN_WRONG,
            "one of these shares of the %s is not what was given out; try others to see which",
            cs_share_kind_name(shares[0].kind));
    if (rc == CS_OK) {
        cs_hex((cs_view){secret, pin_bytes}, out->text);
        out->n = 2 * pin_bytes;
    } else {
        cs_pin_free(out);
    }
    cs_secret_free(&secret);
    return rc;
}

/* -- as bytes and as text */

static int checksum(uint8_t out[CHECKSUM_SIZE], cs_view bytes, cs_error *error)
{
    uint8_t digest[CS_HASH_SIZE];
    int rc = cs_hash(digest, bytes, error);

    memcpy(out, digest, CHECKSUM_SIZE);
    return rc;
}

static int encode(cs_buf *out, const cs_share *share, cs_error *error)
{
    const uint8_t head[] = {VERSION, (uint8_t)share->kind, (uint8_t)share->needed,
        (uint8_t)share->count, (uint8_t)share->number};
    uint8_t sum[CHECKSUM_SIZE];
    int rc = cs_buf_append(out, CS_VIEW_ARRAY(head), error);

    if (rc == CS_OK)
        rc = cs_buf_append(out, CS_VIEW_ARRAY(share->id), error);
    if (rc == CS_OK)
        rc = cs_buf_append(out, (cs_view){share->data, share->size}, error);
    if (rc == CS_OK)
        rc = checksum(sum, cs_view_buf(out), error);
    return rc == CS_OK ? cs_buf_append(out, CS_VIEW_ARRAY(sum), error) : rc;
}

int cs_share_print(cs_buf *out, const cs_share *share, cs_error *error)
{
    cs_buf bytes = {.guarded = true};
    int rc = encode(&bytes, share, error);

    for (size_t i = 0; rc == CS_OK && i < bytes.n; i += 2) {
        char group[6];
        size_t n = bytes.n - i < 2 ? 1 : 2;

        cs_hex((cs_view){bytes.p + i, n}, group);
        group[2 * n] = i + n == bytes.n ? '\n' : ' ';
        rc = cs_buf_append(out, (cs_view){(const uint8_t *)group, 2 * n + 1}, error);
        cs_wipe(group, sizeof group);
    }
    cs_buf_free(&bytes);
    return rc;
}

/* The digits, without comments, blanks and dashes; false when there are too many for a share. */
static bool take_digits(char *out, size_t size, cs_view text)
{
    bool comment = false;
    size_t n = 0;

    for (size_t i = 0; i < text.n; i++) {
        char c = (char)text.p[i];

        if (c == '\n')
            comment = false;
        else if (c == '#')
            comment = true;
        if (comment || isspace((unsigned char)c) || c == '-')
            continue;
        if (n + 1 >= size)
            return false;
        out[n++] = c;
    }
    out[n] = '\0';
    return true;
}

static bool decode(cs_share *out, cs_view bytes)
{
    uint8_t sum[CHECKSUM_SIZE];
    size_t whole = bytes.n;

    if (whole < HEAD_SIZE + CS_SHARE_PIN_BYTES_MIN + TAIL_SIZE + CHECKSUM_SIZE ||
        whole > BYTES_MAX || bytes.p[0] != VERSION)
        return false;
    whole -= CHECKSUM_SIZE;
    if (checksum(sum, (cs_view){bytes.p, whole}, NULL) != CS_OK ||
        memcmp(sum, bytes.p + whole, CHECKSUM_SIZE) != 0)
        return false;
    *out = (cs_share){.kind = (cs_share_kind)bytes.p[1],
        .needed = bytes.p[2],
        .count = bytes.p[3],
        .number = bytes.p[4],
        .size = whole - HEAD_SIZE};
    memcpy(out->id, bytes.p + 5, sizeof out->id);
    memcpy(out->data, bytes.p + HEAD_SIZE, out->size);
    return out->kind >= CS_SHARE_USER_PIN && out->kind <= CS_SHARE_KIND_LAST && out->needed >= 2 &&
           out->needed <= out->count && out->count <= CS_SHARES_MAX && out->number >= 1 &&
           out->number <= out->count;
}

int cs_share_parse(cs_share *out, cs_view text, cs_error *error)
{
    cs_buf bytes = {.guarded = true};
    char *digits = cs_secret_new(2 * BYTES_MAX + 2);
    int rc = CS_OK;

    if (digits == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for a share");
    if (!take_digits(digits, 2 * BYTES_MAX + 2, text) || cs_unhex(&bytes, digits, NULL) != CS_OK ||
        !decode(out, cs_view_buf(&bytes))) {
        cs_wipe(out, sizeof *out);
        rc = CS_FAIL(error, CS_E_MALFORMED,
            "this is no share, or a digit of it is wrong; compare it with the paper, group by "
            "group");
    }
    cs_buf_free(&bytes);
    cs_secret_free(&digits);
    return rc;
}

int cs_share_hash(uint8_t out[CS_HASH_SIZE], const cs_share *share, cs_error *error)
{
    cs_buf bytes = {.guarded = true};
    int rc = encode(&bytes, share, error);

    if (rc == CS_OK)
        rc = cs_hash(out, cs_view_buf(&bytes), error);
    cs_buf_free(&bytes);
    return rc;
}
