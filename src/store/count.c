/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite.h"

#include <string.h>

static const struct {
    const char *table;
    const char *sql;
} counts[] = {
    {"credential", "SELECT count(*) FROM credential"},
    {"index_row", "SELECT count(*) FROM index_row"},
    {"record", "SELECT count(*) FROM record"},
    {"audit", "SELECT count(*) FROM audit"},
    {"outbox", "SELECT count(*) FROM outbox"},
    {"place", "SELECT count(*) FROM place"},
    {"enrolment", "SELECT count(*) FROM enrolment"},
};

int cs_store_count(cs_store *store, const char *table, uint64_t *count, cs_error *error)
{
    int64_t value = 0;
    size_t i;
    int rc;

    for (i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        if (strcmp(counts[i].table, table) != 0)
            continue;
        rc = cs_sql_number(store, &value, error, counts[i].sql, "");
        *count = (uint64_t)value;
        return rc;
    }
    return CS_FAIL(error, CS_E_USAGE, "the store counts no '%s'", table);
}
