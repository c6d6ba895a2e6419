/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 7512. A URI may carry a PIN: no message here or elsewhere repeats one that was given. */
#include "p11.h"

#include <chartseal/secret.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_SCHEME "file:"

/* RFC 7512 has PINs in the query; p11-kit takes them from the path, too, as older drafts had it. */
static bool has_pin_in_path(const char *text)
{
    static const char *const names[] = {"pin-value=", "pin-source="};
    size_t path = strcspn(text, "?");

    for (size_t at = strcspn(text, ":"); at < path; at += 1 + strcspn(text + at + 1, ";")) {
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
            if (strncmp(text + at + 1, names[i], strlen(names[i])) == 0)
                return true;
        }
    }
    return false;
}

/* Slots are not trusted (a token is found by label and serial), and a module by its name is not
 * looked up: what would be ignored is refused. */
static bool has_ignored(P11KitUri *uri)
{
    const CK_SLOT_INFO *slot = p11_kit_uri_get_slot_info(uri);

    return p11_kit_uri_get_slot_id(uri) != (CK_SLOT_ID)-1 || slot->slotDescription[0] != '\0' ||
           slot->manufacturerID[0] != '\0' || p11_kit_uri_get_module_name(uri) != NULL;
}

int p11_uri_parse(P11KitUri **out, const char *text, cs_error *error)
{
    P11KitUri *uri = p11_kit_uri_new();
    int result;

    *out = NULL;
    if (uri == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a URI");
    if (has_pin_in_path(text)) {
        p11_kit_uri_free(uri);
        return CS_FAIL(error, CS_E_USAGE, "pin-value and pin-source stand after '?' in a URI");
    }
    result = p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, uri);
    if (result != P11_KIT_URI_OK || p11_kit_uri_any_unrecognized(uri)) {
        p11_kit_uri_free(uri);
        return CS_FAIL(error, CS_E_USAGE,
            "the pkcs11: URI is not one of RFC 7512 (%s); compare with `token list`",
            result == P11_KIT_URI_OK ? "it has an unknown attribute" : p11_kit_uri_message(result));
    }
    if (has_ignored(uri)) {
        p11_kit_uri_free(uri);
        return CS_FAIL(error, CS_E_USAGE,
            "slot-id, slot-description, slot-manufacturer and module-name in a URI are not "
            "followed; name the token by token= or serial=, the module by module-path=");
    }
    *out = uri;
    return CS_OK;
}

static int take_pin_value(cs_pin *pin, const char *value, cs_error *error)
{
    size_t n = strlen(value);

    if (n == 0 || n > CS_PIN_MAX)
        return CS_FAIL(error, CS_E_USAGE, "the URI's pin-value has not 1 to %d bytes", CS_PIN_MAX);
    pin->text = cs_secret_new(n);
    if (pin->text == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for a PIN; raise RLIMIT_MEMLOCK");
    memcpy(pin->text, value, n);
    pin->n = n;
    return CS_OK;
}

/* "file:/path", "file:///path" (percent signs are undone by p11-kit) or a plain path. */
static int take_pin_source(cs_pin_source *source, const char *text, cs_error *error)
{
    if (strncmp(text, FILE_SCHEME, strlen(FILE_SCHEME)) == 0) {
        text += strlen(FILE_SCHEME);
        if (text[0] == '/' && text[1] == '/')
            text += 2;
    }
    if (text[0] == '|' || text[0] == '\0')
        return CS_FAIL(error, CS_E_USAGE, "pin-source must be a file; commands are not run");
    if (strlen(text) >= sizeof source->path)
        return CS_FAIL(error, CS_E_USAGE, "the path in pin-source is too long");
    source->kind = CS_PIN_FILE;
    (void)snprintf(source->path, sizeof source->path, "%s", text);
    return CS_OK;
}

int p11_uri_pin(const P11KitUri *uri, cs_pin_source *source, cs_pin *pin, cs_error *error)
{
    const char *value = p11_kit_uri_get_pin_value(uri);
    const char *from = p11_kit_uri_get_pin_source(uri);

    if (value != NULL && from != NULL)
        return CS_FAIL(error, CS_E_USAGE, "a URI has pin-value or pin-source, not both");
    if (value != NULL)
        return take_pin_value(pin, value, error);
    if (from != NULL)
        return take_pin_source(source, from, error);
    return CS_OK;
}

/* CKA_ID names a key more closely than its label, which anybody may give to another. A label that
 * was altered to be shown would find nothing. */
static bool set_object(P11KitUri *uri, const p11_facts *key)
{
    CK_OBJECT_CLASS class = key->class;
    uint8_t id[P11_ID_MAX];
    char text[CS_LABEL_MAX + 1];
    CK_ATTRIBUTE attributes[3] = {P11_ATTRIBUTE(CKA_CLASS, &class)};
    size_t n = 1;

    (void)snprintf(text, sizeof text, "%s", key->label);
    memcpy(id, key->id, key->id_size);
    if (key->label_exact && text[0] != '\0')
        attributes[n++] = (CK_ATTRIBUTE){CKA_LABEL, text, strlen(text)};
    if (key->id_size > 0)
        attributes[n++] = (CK_ATTRIBUTE){CKA_ID, id, key->id_size};
    for (size_t i = 0; i < n; i++) {
        if (p11_kit_uri_set_attribute(uri, &attributes[i]) != P11_KIT_URI_OK)
            return false;
    }
    return true;
}

int p11_uri_format(char out[CS_URI_MAX], const char *module_path, const CK_TOKEN_INFO *info,
    const p11_facts *key, cs_error *error)
{
    P11KitUri *uri = p11_kit_uri_new();
    CK_TOKEN_INFO *identity;
    char *text = NULL;
    int rc = CS_OK;

    if (uri == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a URI");
    identity = p11_kit_uri_get_token_info(uri);
    memcpy(identity->label, info->label, sizeof identity->label);
    memcpy(identity->serialNumber, info->serialNumber, sizeof identity->serialNumber);
    if (module_path[0] != '\0') /* p11-kit does not know it of every module */
        p11_kit_uri_set_module_path(uri, module_path);
    if (key != NULL && !set_object(uri, key))
        rc = CS_FAIL(error, CS_E_MEMORY, "no memory for a URI");
    else if (p11_kit_uri_format(uri, P11_KIT_URI_FOR_ANY, &text) != P11_KIT_URI_OK)
        rc = CS_FAIL(error, CS_E_TOKEN, "the token's label or serial fits no URI");
    else if (strlen(text) >= CS_URI_MAX)
        rc = CS_FAIL(error, CS_E_TOO_LARGE, "the URI of key %s is too long; shorten the label",
            key == NULL ? "" : key->label);
    else
        (void)snprintf(out, CS_URI_MAX, "%s", text);
    free(text);
    p11_kit_uri_free(uri);
    return rc;
}
