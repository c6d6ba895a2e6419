/* SPDX-License-Identifier: Apache-2.0 */
#include "kat.h"

#include <stdio.h>
#include <string.h>

json_t *kat_load(const char *name)
{
    char path[1024];
    json_error_t failure;
    json_t *root;

    (void)snprintf(path, sizeof path, "%s/%s", CS_TEST_VECTORS, name);
    root = json_load_file(path, 0, &failure);
    if (root == NULL)
        fail_msg("%s: %s", path, failure.text);
    return root;
}

const char *kat_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    if (text == NULL)
        fail_msg("a vector without \"%s\"", name);
    return text;
}

cs_buf kat_hex(const json_t *object, const char *name)
{
    cs_buf bytes = {0};

    assert_ok(cs_unhex(&bytes, kat_text(object, name), error));
    return bytes;
}

void kat_fixed(uint8_t *out, size_t n, const json_t *object, const char *name)
{
    cs_buf bytes = kat_hex(object, name);

    assert_int_equal(bytes.n, n);
    memcpy(out, bytes.p, n);
    cs_buf_free(&bytes);
}

bool kat_flag(const json_t *vector, const char *flag)
{
    const json_t *flags = json_object_get(vector, "flags");

    for (size_t i = 0; i < json_array_size(flags); i++) {
        if (strcmp(json_string_value(json_array_get(flags, i)), flag) == 0)
            return true;
    }
    return false;
}

bool kat_valid(const json_t *vector)
{
    return strcmp(kat_text(vector, "result"), "valid") == 0;
}

size_t kat_each(const char *name, kat_fn fn, void *context)
{
    json_t *root = kat_load(name);
    const json_t *groups = json_object_get(root, "testGroups");
    size_t count = 0;

    for (size_t g = 0; g < json_array_size(groups); g++) {
        const json_t *group = json_array_get(groups, g);
        const json_t *vectors = json_object_get(group, "tests");

        for (size_t v = 0; v < json_array_size(vectors); v++) {
            fn(group, json_array_get(vectors, v), context);
            count++;
        }
    }
    json_decref(root);
    return count;
}
