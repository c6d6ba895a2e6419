/* SPDX-License-Identifier: Apache-2.0 */
/* Objects: found by template, read attribute by attribute, whatever lengths the token answers. */
#include "p11.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A session that is not logged in is shown no private objects, without any error: what it does not
 * find, may be there all the same. */
static CK_RV check_sight(p11_job *job)
{
    CK_SESSION_INFO info;
    CK_RV rv;

    if ((job->token->info.flags & CKF_LOGIN_REQUIRED) == 0)
        return CKR_OK;
    job->call = "C_GetSessionInfo";
    rv = job->f->C_GetSessionInfo(job->session, &info);
    if (rv != CKR_OK || info.state == CKS_RO_USER_FUNCTIONS || info.state == CKS_RW_USER_FUNCTIONS)
        return rv;
    return CKR_USER_NOT_LOGGED_IN;
}

CK_RV p11_find(p11_job *job, CK_ATTRIBUTE *template, CK_ULONG n, CK_OBJECT_HANDLE *out,
    CK_ULONG most, CK_ULONG *count)
{
    CK_RV rv = P11(job, C_FindObjectsInit, template, n);
    CK_RV final;

    *count = 0;
    if (rv != CKR_OK)
        return rv;
    /* a token may give fewer than it has at a time */
    while (*count < most) {
        CK_ULONG got = 0;

        rv = P11(job, C_FindObjects, out + *count, most - *count, &got);
        if (rv != CKR_OK || got == 0)
            break;
        if (got > most - *count) {
            rv = CKR_GENERAL_ERROR;
            break;
        }
        *count += got;
    }
    final = job->f->C_FindObjectsFinal(job->session);
    if (rv == CKR_OK)
        rv = final;
    /* afterwards, so that a logout during the search is seen too */
    return rv == CKR_OK ? check_sight(job) : rv;
}

CK_RV p11_read(
    p11_job *job, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, void *out, CK_ULONG *n)
{
    CK_ATTRIBUTE attribute = {type, out, *n};
    CK_RV rv = P11(job, C_GetAttributeValue, object, &attribute, 1);

    if (rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_ATTRIBUTE_SENSITIVE ||
        rv == CKR_BUFFER_TOO_SMALL) {
        *n = 0;
        return CKR_OK;
    }
    if (rv != CKR_OK)
        return rv;
    *n = attribute.ulValueLen > *n ? 0 : attribute.ulValueLen;
    return CKR_OK;
}

/* unsaid: what holds when the token does not tell. */
static CK_RV read_flag(
    p11_job *job, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, bool unsaid, bool *out)
{
    CK_BBOOL value = CK_FALSE;
    CK_ULONG n = sizeof value;
    CK_RV rv = p11_read(job, object, type, &value, &n);

    *out = n == sizeof value ? value != CK_FALSE : unsaid;
    return rv;
}

static CK_RV read_ulong(
    p11_job *job, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, CK_ULONG *out)
{
    CK_ULONG n = sizeof *out;
    CK_RV rv;

    *out = CK_UNAVAILABLE_INFORMATION;
    rv = p11_read(job, object, type, out, &n);
    if (n != sizeof *out)
        *out = CK_UNAVAILABLE_INFORMATION;
    return rv;
}

/* What is not said is taken for the worse where it is about reading the key out. Other uses count
 * only when a token says that it permits them: some cards say little. */
static CK_RV read_flags(p11_job *job, CK_OBJECT_HANDLE object, p11_facts *out)
{
    const struct {
        CK_ATTRIBUTE_TYPE type;
        bool unsaid, *value;
    } flags[] = {
        {CKA_SIGN, false, &out->sign},
        {CKA_DERIVE, false, &out->derive},
        {CKA_ENCRYPT, false, &out->encrypt},
        {CKA_DECRYPT, false, &out->decrypt},
        {CKA_WRAP, false, &out->wrap},
        {CKA_UNWRAP, false, &out->unwrap},
        {CKA_PRIVATE, true, &out->private},
        {CKA_SENSITIVE, false, &out->sensitive},
        {CKA_EXTRACTABLE, true, &out->extractable},
        {CKA_LOCAL, false, &out->local},
        {CKA_ALWAYS_SENSITIVE, false, &out->always_sensitive},
        {CKA_NEVER_EXTRACTABLE, false, &out->never_extractable},
        {CKA_ALWAYS_AUTHENTICATE, false, &out->always_authenticate},
        {CKA_WRAP_WITH_TRUSTED, false, &out->wrap_with_trusted},
    };
    CK_RV rv = CKR_OK;

    for (size_t i = 0; rv == CKR_OK && i < sizeof flags / sizeof flags[0]; i++)
        rv = read_flag(job, object, flags[i].type, flags[i].unsaid, flags[i].value);
    return rv;
}

CK_RV p11_read_facts(p11_job *job, CK_OBJECT_HANDLE object, p11_facts *out)
{
    uint8_t params[32];
    unsigned char label[CS_LABEL_MAX];
    CK_ULONG n = sizeof label;
    CK_RV rv;

    *out = (p11_facts){0};
    rv = p11_read(job, object, CKA_LABEL, label, &n);
    if (rv != CKR_OK)
        return rv;
    out->label_exact = p11_text(out->label, sizeof out->label, label, n);
    n = sizeof out->id;
    rv = p11_read(job, object, CKA_ID, out->id, &n);
    out->id_size = n;
    if (rv == CKR_OK)
        rv = read_ulong(job, object, CKA_CLASS, &out->class);
    if (rv == CKR_OK)
        rv = read_ulong(job, object, CKA_KEY_TYPE, &out->key_type);
    if (rv == CKR_OK && out->class == CKO_PRIVATE_KEY) {
        n = sizeof params;
        rv = p11_read(job, object, CKA_EC_PARAMS, params, &n);
        out->curve = p11_curve_of((cs_view){params, n});
    }
    return rv == CKR_OK ? read_flags(job, object, out) : rv;
}

/* By CKA_ID where there is one: labels are for people. */
static CK_RV find_public(
    p11_job *job, const p11_facts *facts, CK_OBJECT_HANDLE out[P11_PUBLIC_MAX], CK_ULONG *count)
{
    CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
    uint8_t id[P11_ID_MAX];
    char label[CS_LABEL_MAX + 1];
    CK_ATTRIBUTE template[] = {
        P11_ATTRIBUTE(CKA_CLASS, &class), {CKA_LABEL, label, strlen(facts->label)}};

    if (facts->id_size > 0) {
        memcpy(id, facts->id, facts->id_size);
        template[1] = (CK_ATTRIBUTE){CKA_ID, id, facts->id_size};
    } else {
        (void)snprintf(label, sizeof label, "%s", facts->label);
    }
    return p11_find(job, template, 2, out, P11_PUBLIC_MAX, count);
}

/* An S_X of P-256 has the hash of the compressed point, the other keys that of the raw one. */
static bool is_bound(const p11_facts *facts, cs_view raw)
{
    cs_view id = {facts->id, facts->id_size};
    uint8_t compressed[33], own[P11_OWN_ID_SIZE];

    if (p11_own_id(own, raw, NULL) != CS_OK)
        return false;
    if (cs_view_equal(id, CS_VIEW_ARRAY(own)))
        return true;
    return facts->curve == P11_CURVE_P256 && cs_p256_compress(compressed, raw, NULL) == CS_OK &&
           p11_own_id(own, CS_VIEW_ARRAY(compressed), NULL) == CS_OK &&
           cs_view_equal(id, CS_VIEW_ARRAY(own));
}

static CK_RV read_point(p11_job *job, CK_OBJECT_HANDLE object, const p11_facts *facts,
    uint8_t out[65], size_t *n, bool *bound)
{
    uint8_t point[P11_EC_POINT_MAX];
    CK_ULONG point_size = sizeof point;
    size_t size = facts->curve == P11_CURVE_P256 ? 65 : 32;
    const uint8_t *raw;
    CK_RV rv = p11_read(job, object, CKA_EC_POINT, point, &point_size);

    *n = 0;
    *bound = false;
    if (rv == CKR_OK && p11_point_raw((cs_view){point, point_size}, size, &raw)) {
        memcpy(out, raw, size);
        *n = size;
        *bound = is_bound(facts, (cs_view){out, size});
    }
    return rv;
}

/* Anybody may put a public key of that CKA_ID into the token: among several, the one whose hash it
 * is counts. */
CK_RV p11_read_public(p11_job *job, CK_OBJECT_HANDLE object, const p11_facts *facts,
    uint8_t out[65], size_t *n, bool *bound)
{
    CK_OBJECT_HANDLE handles[P11_PUBLIC_MAX];
    CK_ULONG count;
    CK_RV rv = find_public(job, facts, handles, &count);

    *n = 0;
    *bound = false;
    if (rv == CKR_OK && count == 0) {
        /* some tokens have CKA_EC_POINT on the private key itself */
        handles[0] = object;
        count = 1;
    }
    for (CK_ULONG i = 0; rv == CKR_OK && !*bound && i < count; i++)
        rv = read_point(job, handles[i], facts, out, n, bound);
    if (count > 1 && !*bound)
        *n = 0;
    return rv;
}

void p11_destroy(p11_job *job, CK_OBJECT_HANDLE object)
{
    if (object != CK_INVALID_HANDLE)
        (void)job->f->C_DestroyObject(job->session, object);
}

CK_RV p11_find_label(
    p11_job *job, const char *label, CK_OBJECT_HANDLE *out, CK_ULONG most, CK_ULONG *count)
{
    static const CK_OBJECT_CLASS classes[] = {CKO_PRIVATE_KEY, CKO_SECRET_KEY, CKO_PUBLIC_KEY};
    CK_OBJECT_CLASS class;
    char text[CS_LABEL_MAX + 1];
    CK_ATTRIBUTE template[] = {{CKA_LABEL, text, strlen(label)}, P11_ATTRIBUTE(CKA_CLASS, &class)};
    CK_RV rv = CKR_OK;

    *count = 0;
    (void)snprintf(text, sizeof text, "%s", label);
    for (size_t i = 0; rv == CKR_OK && i < sizeof classes / sizeof classes[0]; i++) {
        CK_ULONG got;

        class = classes[i];
        rv = p11_find(job, template, 2, out + *count, most - *count, &got);
        *count += got;
    }
    return rv;
}

/* Is it of that label, and not to be kept? Some tokens find more than they are asked for, and what
 * is destroyed is gone. */
static CK_RV is_to_go(
    p11_job *job, CK_OBJECT_HANDLE object, const char *label, cs_view keep, bool *to_go)
{
    unsigned char text[CS_LABEL_MAX];
    uint8_t id[P11_ID_MAX];
    CK_ULONG text_size = sizeof text, id_size = sizeof id;
    CK_RV rv = p11_read(job, object, CKA_LABEL, text, &text_size);

    *to_go = false;
    if (rv == CKR_OK)
        rv = p11_read(job, object, CKA_ID, id, &id_size);
    if (rv == CKR_OK)
        *to_go = cs_view_equal((cs_view){text, text_size}, cs_view_str(label)) &&
                 (keep.n == 0 || !cs_view_equal((cs_view){id, id_size}, keep));
    return rv;
}

CK_RV p11_remove_label(p11_job *job, const char *label, cs_view keep)
{
    CK_OBJECT_HANDLE *handles = calloc(P11_OBJECTS_MAX, sizeof *handles);
    CK_ULONG count;
    CK_RV rv;

    if (handles == NULL)
        return CKR_HOST_MEMORY;
    rv = p11_find_label(job, label, handles, P11_OBJECTS_MAX, &count);
    for (CK_ULONG i = 0; rv == CKR_OK && i < count; i++) {
        bool to_go;

        rv = is_to_go(job, handles[i], label, keep, &to_go);
        if (rv == CKR_OK && to_go) {
            job->committed = true;
            rv = P11(job, C_DestroyObject, handles[i]);
        }
    }
    if (rv == CKR_OK && count == P11_OBJECTS_MAX)
        job->rc = CS_FAIL(job->error, CS_E_TOO_LARGE,
            "token %s has %d objects of one label or more; not all were looked at, try again",
            job->token->label, P11_OBJECTS_MAX);
    free(handles);
    return rv;
}
