/* SPDX-License-Identifier: Apache-2.0 */
#include "backends.h"

#include "swtpm.h"

#include <string.h>

#define ROWS_MAX 32

static void (*body)(const backend *b);

static void run_row(void **state)
{
    const backend *const *row = *state;
    const backend *b = *row;

    if (b->set_up != NULL)
        b->set_up();
    body(b);
    if (b->tear_down != NULL)
        b->tear_down();
}

static const char *const kinds[] = {"soft", "softhsm", "tpm", "tpm+softhsm"};
#define KINDS (sizeof kinds / sizeof kinds[0])

/* The rows of that kind, of all tables. */
static size_t find_rows(const backend *rows[ROWS_MAX], backend_kind kind)
{
    const backend *const tables[] = {soft_backends, softhsm_backends, tpm_backends};
    size_t n = 0;

    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        for (const backend *b = tables[i]; b->name != NULL; b++) {
            assert_true(n < ROWS_MAX);
            if (b->kind == kind)
                rows[n++] = b;
        }
    }
    return n;
}

bool backend_has_tpm(const backend *b)
{
    return b->kind == BACKENDS_TPM || b->kind == BACKENDS_TPM_AND_SOFTHSM;
}

backend_kind backends_wanted(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < KINDS; i++) {
        if (strcmp(argv[1], kinds[i]) == 0)
            return (backend_kind)i;
    }
    return BACKENDS_SOFT;
}

int backends_run(backend_kind kind, void (*test)(const backend *b))
{
    const backend *rows[ROWS_MAX];
    struct CMUnitTest tests[ROWS_MAX];
    size_t n = find_rows(rows, kind);

    if ((kind == BACKENDS_TPM || kind == BACKENDS_TPM_AND_SOFTHSM) && !swtpm_available())
        return SKIPPED;
    body = test;
    for (size_t i = 0; i < n; i++)
        tests[i] = (struct CMUnitTest){
            .name = rows[i]->name, .test_func = run_row, .initial_state = &rows[i]};
    return _cmocka_run_group_tests(kinds[kind], tests, n, NULL, NULL);
}

void backend_check_ops(const char *who, cs_op_counts got, cs_op_counts want, cs_custody custody)
{
    if (custody == CS_CUSTODY_SEALED)
        want.agree += want.scalar_mul; /* it is opened each time */
    if (memcmp(&got, &want, sizeof got) != 0)
        fail_msg("%s: %llu sign, %llu agree, %llu scalar_mul, %llu issue, %llu prf", who,
            (unsigned long long)got.sign, (unsigned long long)got.agree,
            (unsigned long long)got.scalar_mul, (unsigned long long)got.issue,
            (unsigned long long)got.prf);
}
