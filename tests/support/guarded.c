/* SPDX-License-Identifier: Apache-2.0 */
#include "guarded.h"

#include <stddef.h>

long guarded_live;
unsigned guarded_fails;

/* The linker's --wrap makes these names. */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
void *__real_sodium_malloc(size_t n);
void __real_sodium_free(void *p);
void *__wrap_sodium_malloc(size_t n);
void __wrap_sodium_free(void *p);
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

void *__wrap_sodium_malloc(size_t n)
{
    void *p = guarded_fails > 0 && --guarded_fails == 0 ? NULL : __real_sodium_malloc(n);

    guarded_live += p != NULL;
    return p;
}

void __wrap_sodium_free(void *p)
{
    guarded_live -= p != NULL;
    __real_sodium_free(p);
}
