/* SPDX-License-Identifier: Apache-2.0 */
#include "hand.h"

#include <string.h>

void lay_hand(void *context, const char *name, cs_buf *message, bool *final)
{
    hand *h = context;

    if (strcmp(name, h->name) != 0 || h->done)
        return;
    h->size = message->n;
    h->done = true;
    switch (h->what) {
    case LOOK:
        break;
    case FLIP:
        message->p[h->at] ^= (uint8_t)(1 << (h->at % 8));
        break;
    case CUT:
        assert_ok(cs_buf_resize(message, h->at, error));
        break;
    case APPEND:
        assert_ok(cs_buf_resize(message, message->n + 1, error));
        break;
    case FINAL:
        *final = !*final;
        break;
    case REPLACE:
        assert_ok(cs_buf_set(message, cs_view_buf(h->with), error));
        break;
    case KEEP:
        assert_ok(cs_buf_set(h->with, cs_view_buf(message), error));
        break;
    }
}
