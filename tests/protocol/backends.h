/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_TEST_BACKENDS_H
#define CHARTSEAL_TEST_BACKENDS_H

/*
 * The kinds of tokens that a visit and telecare run over, and what each can do. A backend is a file
 * with a table of rows; a test has one body for all of them.
 */

#include "cast.h"
#include "soft_token.h"

/* Each is a test of its own: what SoftHSM leaks is told with whole stacks, which takes ten times as
 * long as all else does. */
typedef enum backend_kind {
    BACKENDS_SOFT,
    BACKENDS_SOFTHSM,
    BACKENDS_TPM,
    BACKENDS_TPM_AND_SOFTHSM,
} backend_kind;

typedef struct backend {
    const char *name; /* NULL: the end of a table */
    cast_token_fn make;
    /* Before and after a visit. NULL: nothing to do. */
    void (*set_up)(void);
    void (*tear_down)(void);
    cs_suite suite;
    cs_custody patients, others; /* where S_X ends up */
    backend_kind kind;
} backend;

extern const backend soft_backends[];
extern const backend softhsm_backends[];
extern const backend tpm_backends[];

/* Fresh tokens of each kind, for rows that mix them; all but soft ones between its set_up and
 * tear_down. */
cs_token *make_soft_sealed(const char *name); /* takes S_X in no other way */
cs_token *make_softhsm(const char *name);
void softhsm_set_up(void);
void softhsm_tear_down(void);

bool backend_has_tpm(const backend *b);

/* Which rows the test's argument asks for: softhsm, tpm, tpm+softhsm; without one, the soft ones.
 */
backend_kind backends_wanted(int argc, char **argv);
/* `test` over each row of that kind; for main to return. SKIPPED where swtpm is missing. */
#define SKIPPED 77 /* ctest's SKIP_RETURN_CODE */
int backends_run(backend_kind kind, void (*test)(const backend *b));
/* A party's operations; those of a sealed S_X are one agree more each. */
void backend_check_ops(const char *who, cs_op_counts got, cs_op_counts want, cs_custody custody);

#endif
