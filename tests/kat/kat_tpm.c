/* SPDX-License-Identifier: Apache-2.0 */

/* Statements of a TPM, made with tpm2-tools on swtpm: each is taken for what it is, and nothing
 * that was altered is. */

#include "kat.h"

#include <chartseal/group.h>
#include <chartseal/tpm_statement.h>

#include <string.h>

#define AT_ATTRIBUTES 4 /* in a public area */
#define AT_TYPE 4       /* in a statement */

typedef struct vector {
    cs_tpm_kind kind;
    cs_buf area, attest, signature;
    cs_tpm_public key;
} vector;

typedef struct vectors {
    json_t *file;
    uint8_t qualifying[CS_HASH_SIZE];
    cs_buf ak_area;
    cs_tpm_public ak;
    vector keys[3];
} vectors;

static vectors all;

static vector load(const json_t *object, cs_tpm_kind kind)
{
    return (vector){.kind = kind,
        .area = kat_hex(object, "public"),
        .attest = kat_hex(object, "attest"),
        .signature = kat_hex(object, "signature")};
}

static void unload(vector *v)
{
    cs_buf_free(&v->area);
    cs_buf_free(&v->attest);
    cs_buf_free(&v->signature);
}

static int setup(void **state)
{
    static const cs_tpm_kind kinds[] = {CS_TPM_SIGNING, CS_TPM_AGREEING, CS_TPM_PARENT};

    (void)state;
    all.file = kat_load("tpm_statements.json");
    kat_fixed(all.qualifying, sizeof all.qualifying, all.file, "qualifying");
    all.ak_area = kat_hex(json_object_get(all.file, "attesting"), "public");
    assert_ok(cs_tpm_public_read(&all.ak, cs_view_buf(&all.ak_area), CS_TPM_ATTESTING, error));
    for (size_t i = 0; i < 3; i++) {
        vector *v = &all.keys[i];

        *v = load(json_array_get(json_object_get(all.file, "statements"), i), kinds[i]);
        assert_ok(cs_tpm_public_read(&v->key, cs_view_buf(&v->area), v->kind, error));
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++)
        unload(&all.keys[i]);
    cs_buf_free(&all.ak_area);
    json_decref(all.file);
    return 0;
}

static int check(const vector *v, cs_error *error)
{
    return cs_tpm_statement_check(cs_view_buf(&v->attest), cs_view_buf(&v->signature), &all.ak,
        &v->key, all.qualifying, error);
}

static void test_names(void **state)
{
    uint8_t name[CS_TPM_NAME_SIZE];

    (void)state;
    kat_fixed(name, sizeof name, json_object_get(all.file, "attesting"), "name");
    assert_memory_equal(name, all.ak.name, sizeof name);
    for (size_t i = 0; i < 3; i++) {
        const json_t *object = json_array_get(json_object_get(all.file, "statements"), i);

        kat_fixed(name, sizeof name, object, "name");
        assert_memory_equal(name, all.keys[i].key.name, sizeof name);
    }
}

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++)
        assert_ok(check(&all.keys[i], error));
}

/* Whichever bit of a statement or its signature it is. */
static void test_altered_statement(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        cs_buf *parts[] = {&all.keys[i].attest, &all.keys[i].signature};

        for (size_t j = 0; j < 2; j++) {
            for (size_t bit = 0; bit < 8 * parts[j]->n; bit += 3) {
                parts[j]->p[bit / 8] ^= (uint8_t)(1 << bit % 8);
                assert_int_not_equal(check(&all.keys[i], NULL), CS_OK);
                parts[j]->p[bit / 8] ^= (uint8_t)(1 << bit % 8);
            }
            parts[j]->n--;
            assert_fails(CS_E_MALFORMED, check(&all.keys[i], error));
            parts[j]->n++;
        }
        assert_ok(check(&all.keys[i], error));
    }
}

/* An area with any bit altered is refused, or has another name, about which nothing was said. */
static void test_altered_area(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        vector v = all.keys[i];

        for (size_t bit = 0; bit < 8 * v.area.n; bit++) {
            v.area.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
            if (cs_tpm_public_read(&v.key, cs_view_buf(&v.area), v.kind, NULL) == CS_OK)
                assert_fails(CS_E_ATTESTATION, check(&v, error));
            v.area.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        for (size_t n = 0; n < v.area.n; n++)
            assert_fails(
                CS_E_MALFORMED, cs_tpm_public_read(&v.key, (cs_view){v.area.p, n}, v.kind, error));
    }
}

static void test_trailing(void **state)
{
    uint8_t longer[CS_TPM_PUBLIC_MAX + 1] = {0};
    const cs_buf *area = &all.keys[0].area;
    cs_tpm_public out;

    (void)state;
    memcpy(longer, area->p, area->n);
    for (size_t n = area->n + 1; n <= sizeof longer; n++)
        assert_fails(
            CS_E_MALFORMED, cs_tpm_public_read(&out, (cs_view){longer, n}, CS_TPM_SIGNING, error));
}

/* Each attribute that the kinds want, and the one that none may have. */
static void test_attributes(void **state)
{
    static const struct {
        uint32_t bit;
        unsigned kinds; /* that are refused when it is turned */
    } turns[] = {
        {0x00000002, 15}, /* fixedTPM */
        {0x00000010, 15}, /* fixedParent */
        {0x00000020, 15}, /* sensitiveDataOrigin */
        {0x00000800, 15}, /* encryptedDuplication */
        {0x00010000, 15}, /* restricted */
        {0x00020000, 14}, /* decrypt: an agreement key and a parent need it, an AK may not */
        {0x00040000, 13}, /* sign */
    };
    cs_buf *areas[] = {&all.keys[0].area, &all.keys[1].area, &all.keys[2].area, &all.ak_area};
    cs_tpm_public out;

    (void)state;
    for (size_t t = 0; t < sizeof turns / sizeof turns[0]; t++) {
        for (size_t i = 0; i < 4; i++) {
            uint8_t *bytes = areas[i]->p + AT_ATTRIBUTES;
            int want = (turns[t].kinds >> i & 1) != 0 ? CS_E_ATTESTATION : CS_OK;

            for (size_t b = 0; b < 4; b++)
                bytes[b] ^= (uint8_t)(turns[t].bit >> (24 - 8 * b));
            assert_int_equal(cs_tpm_public_read(&out, cs_view_buf(areas[i]),
                                 (cs_tpm_kind)(CS_TPM_SIGNING + i), NULL),
                want);
            for (size_t b = 0; b < 4; b++)
                bytes[b] ^= (uint8_t)(turns[t].bit >> (24 - 8 * b));
        }
    }
}

static void test_wrong_kind(void **state)
{
    cs_tpm_public out;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        for (int kind = CS_TPM_SIGNING; kind <= CS_TPM_ATTESTING; kind++) {
            int rc =
                cs_tpm_public_read(&out, cs_view_buf(&all.keys[i].area), (cs_tpm_kind)kind, NULL);

            assert_int_equal(rc, kind == (int)all.keys[i].kind ? CS_OK : CS_E_ATTESTATION);
        }
    }
}

/* By a key that the TPM lets sign anything, by another's, about another key, of another kind. */
static void test_false_witnesses(void **state)
{
    cs_buf area = kat_hex(json_object_get(all.file, "unrestricted"), "public");
    const json_t *other_object = json_object_get(all.file, "other_attesting");
    vector other = load(other_object, CS_TPM_ATTESTING);
    cs_buf quote = kat_hex(json_object_get(all.file, "quote"), "attest");
    cs_tpm_public out;
    vector swapped = all.keys[0];

    (void)state;
    assert_fails(
        CS_E_ATTESTATION, cs_tpm_public_read(&out, cs_view_buf(&area), CS_TPM_ATTESTING, error));
    assert_ok(cs_tpm_public_read(&other.key, cs_view_buf(&other.area), other.kind, error));
    assert_ok(cs_tpm_statement_check(cs_view_buf(&other.attest), cs_view_buf(&other.signature),
        &other.key, &all.keys[0].key, all.qualifying, error));
    assert_fails(CS_E_SIGNATURE,
        cs_tpm_statement_check(cs_view_buf(&other.attest), cs_view_buf(&other.signature), &all.ak,
            &all.keys[0].key, all.qualifying, error));
    swapped.key = all.keys[1].key;
    assert_fails(CS_E_ATTESTATION, check(&swapped, error));
    swapped = all.keys[0];
    swapped.attest = quote;
    assert_fails(CS_E_MALFORMED, check(&swapped, error));
    all.keys[0].attest.p[AT_TYPE + 1] = 0x18; /* TPM_ST_ATTEST_QUOTE */
    assert_fails(CS_E_MALFORMED, check(&all.keys[0], error));
    all.keys[0].attest.p[AT_TYPE + 1] = 0x17;
    cs_buf_free(&quote);
    unload(&other);
    cs_buf_free(&area);
}

/* The TPM says truly that it has the key; and the key can leave. */
static void test_loose(void **state)
{
    vector v = load(json_object_get(all.file, "loose"), CS_TPM_SIGNING);
    cs_tpm_public out;

    (void)state;
    assert_fails(CS_E_ATTESTATION, cs_tpm_public_read(&out, cs_view_buf(&v.area), v.kind, error));
    unload(&v);
}

static void test_other_algorithms(void **state)
{
    static const char *const names[] = {"p384", "rsa"};
    cs_tpm_public out;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        cs_buf area = kat_hex(json_object_get(all.file, names[i]), "public");

        assert_fails(
            CS_E_MALFORMED, cs_tpm_public_read(&out, cs_view_buf(&area), CS_TPM_SIGNING, error));
        cs_buf_free(&area);
    }
}

static void test_qualifying(void **state)
{
    (void)state;
    all.qualifying[0] ^= 1;
    assert_fails(CS_E_ATTESTATION, check(&all.keys[0], error));
    all.qualifying[0] ^= 1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_altered_statement),
        cmocka_unit_test(test_altered_area),
        cmocka_unit_test(test_trailing),
        cmocka_unit_test(test_attributes),
        cmocka_unit_test(test_wrong_kind),
        cmocka_unit_test(test_false_witnesses),
        cmocka_unit_test(test_loose),
        cmocka_unit_test(test_other_algorithms),
        cmocka_unit_test(test_qualifying),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
