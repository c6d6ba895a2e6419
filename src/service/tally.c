/* SPDX-License-Identifier: Apache-2.0 */
#include "service/tally.h"

#include <string.h>

bool cs_tally_add(cs_tally *tally, const char *action, int code, uint64_t count)
{
    size_t i = 0;
    bool counted;

    (void)pthread_mutex_lock(&tally->mutex);
    while (
        i < tally->n && (tally->rows[i].code != code || strcmp(tally->rows[i].action, action) != 0))
        i++;
    counted = i < CS_TALLY_MAX;
    if (counted && i == tally->n)
        tally->rows[tally->n++] = (cs_tally_row){.action = action, .code = code};
    if (counted)
        tally->rows[i].count += count;
    (void)pthread_mutex_unlock(&tally->mutex);
    return counted;
}

size_t cs_tally_take(cs_tally *tally, cs_tally_row rows[CS_TALLY_MAX])
{
    size_t n;

    (void)pthread_mutex_lock(&tally->mutex);
    n = tally->n;
    memcpy(rows, tally->rows, n * sizeof rows[0]);
    tally->n = 0;
    (void)pthread_mutex_unlock(&tally->mutex);
    return n;
}
