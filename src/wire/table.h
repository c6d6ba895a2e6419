/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_WIRE_TABLE_H
#define CHARTSEAL_WIRE_TABLE_H

/* How the tables of messages are written: one line for each member, in the order on the wire. */

#include "wire/schema.h"

#define LABEL(text) "chartseal/1 " text
#define UINT(type, member, min, max)                                                               \
    {                                                                                              \
#member, CS_FIELD_UINT, offsetof(type, member), min, max                                   \
    }
#define TEXT(type, member, min, max)                                                               \
    {                                                                                              \
#member, CS_FIELD_TEXT, offsetof(type, member), min, max                                   \
    }
#define BYTES(type, member, min, max)                                                              \
    {                                                                                              \
#member, CS_FIELD_BYTES, offsetof(type, member), min, max                                  \
    }
#define LIST(type, member, min, max)                                                               \
    {                                                                                              \
#member, CS_FIELD_LIST, offsetof(type, member), min, max                                   \
    }
/* the name leaves the C prefix cs_ away */
#define SCHEMA(type, label, fields)                                                                \
    {                                                                                              \
        LABEL(label), &#type[3], fields, sizeof(fields) / sizeof((fields)[0]), sizeof(type)        \
    }

#endif
