/* SPDX-License-Identifier: Apache-2.0 */
#include "service/authority.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define ISSUED_NAME "issued.json"
#define LOCK_NAME "issued.lock"
#define LIST_MAX (16u << 20) /* some hundred thousand certificates; a trial has a few */
#define DAY_MS ((int64_t)86400000)
#define CA_DAYS 3650
/* A certificate is good on a machine whose clock is a little behind ours. */
#define BACKDATE_MS CS_DELTA_T_DEFAULT
#define SIGN "sign"
#define AGREE "agree"
#define SERIAL_HEX (2 * 8 + 1)
#define PUK_HEX (2 * CS_PUK_SIZE + 1)

static int sign_in_token(void *context, const uint8_t digest[CS_HASH_SIZE],
    uint8_t signature[CS_SIGNATURE_SIZE], cs_error *error)
{
    return cs_key_sign(context, digest, signature, error);
}

static cs_view puk_of(const cs_actor *actor)
{
    const cs_key_info *info = cs_key_describe(actor->sign);

    return (cs_view){info->public_key, info->public_key_size};
}

/* -- issued.json: [{"serial", "name", "role", "id", "puk", "usage", "not_after", "revoked_at",
 * "held"}]; no usage: "sign"
 * ----------------- */

typedef struct ledger {
    int lock;
    json_t *entries;
} ledger;

static void ledger_close(ledger *book)
{
    json_decref(book->entries);
    if (book->lock >= 0)
        (void)close(book->lock);
    *book = (ledger){.lock = -1};
}

static int ledger_read(ledger *book, const cs_home *home, cs_error *error)
{
    cs_buf text = {0};
    int rc = cs_home_read(home, ISSUED_NAME, LIST_MAX, &text, error);

    if (rc == CS_E_NO_FILE) {
        book->entries = json_array();
        rc = CS_OK;
    } else if (rc == CS_OK) {
        book->entries = json_loadb((const char *)text.p, text.n, 0, NULL);
    }
    if (rc == CS_OK && !json_is_array(book->entries))
        rc = CS_FAIL(error, CS_E_CORRUPT,
            "%s/" ISSUED_NAME " is no list of certificates; restore it from a backup", home->dir);
    cs_buf_free(&text);
    return rc;
}

static int ledger_open(ledger *book, const cs_home *home, cs_error *error)
{
    char path[CS_PATH_MAX];
    int rc;

    *book = (ledger){.lock = -1};
    cs_home_path(home, LOCK_NAME, path);
    book->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (book->lock < 0 || flock(book->lock, LOCK_EX) != 0)
        rc = CS_FAIL(error, CS_E_STORAGE, "%s cannot be locked: %s", path, strerror(errno));
    else
        rc = ledger_read(book, home, error);
    if (rc != CS_OK)
        ledger_close(book);
    return rc;
}

static int ledger_save(const ledger *book, const cs_home *home, cs_error *error)
{
    char *text = json_dumps(book->entries, JSON_INDENT(2));
    int rc;

    if (text == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for the list of certificates");
    rc = cs_home_write(home, ISSUED_NAME, cs_view_str(text), error);
    free(text);
    return rc;
}

static json_t *ledger_find(const ledger *book, const uint8_t serial[8])
{
    char hex[SERIAL_HEX];
    size_t i;
    json_t *entry;

    cs_hex((cs_view){serial, 8}, hex);
    json_array_foreach(book->entries, i, entry)
    {
        const char *own = json_string_value(json_object_get(entry, "serial"));

        if (own != NULL && strcmp(own, hex) == 0)
            return entry;
    }
    return NULL;
}

static int ledger_add(ledger *book, const cs_issued *issued, cs_error *error)
{
    const cs_holder *holder = &issued->holder;
    char hex[SERIAL_HEX];
    char puk[PUK_HEX];

    cs_hex(CS_VIEW_ARRAY(issued->serial), hex);
    cs_hex(CS_VIEW_ARRAY(holder->puk), puk);
    if (json_array_append_new(
            book->entries, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I}", "serial", hex,
                               "name", holder->name, "role", holder->role, "id", holder->id, "puk",
                               puk, "usage", issued->agrees ? AGREE : SIGN, "not_after",
                               (json_int_t)issued->not_after, "revoked_at", (json_int_t)0)) != 0)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for the list of certificates");
    return CS_OK;
}

static bool is_held(const json_t *entry)
{
    return json_is_true(json_object_get(entry, "held"));
}

static bool is_revoked(const json_t *entry)
{
    return json_integer_value(json_object_get(entry, "revoked_at")) != 0;
}

static bool member_is(const json_t *entry, const char *name, const char *text)
{
    const char *own = json_string_value(json_object_get(entry, name));

    return own != NULL && strcmp(own, text) == 0;
}

/* An identity has one key at a time for each use: a doctor's name in a consent is this identity. */
static int ledger_check_free(
    const ledger *book, const cs_issued *issued, int64_t now, cs_error *error)
{
    const cs_holder *holder = &issued->holder;
    char puk[PUK_HEX];
    size_t i;
    json_t *entry;

    cs_hex(CS_VIEW_ARRAY(holder->puk), puk);
    json_array_foreach(book->entries, i, entry)
    {
        if (member_is(entry, "role", holder->role) && member_is(entry, "id", holder->id) &&
            !member_is(entry, "puk", puk) && member_is(entry, "usage", AGREE) == issued->agrees &&
            (!is_revoked(entry) || is_held(entry)) &&
            json_integer_value(json_object_get(entry, "not_after")) >= now)
            return CS_FAIL(error, CS_E_TAKEN,
                "another key has certificate %s for %s '%s'; revoke that one first",
                json_string_value(json_object_get(entry, "serial")), holder->role, holder->id);
    }
    return CS_OK;
}

/* -- the CRL -------------------------------------------------------------------------------------
 */

/* What is revoked, an array that the caller frees. */
static int collect_revoked(const ledger *book, cs_revocation **out, size_t *count, cs_error *error)
{
    cs_revocation *list = calloc(json_array_size(book->entries) + 1, sizeof *list);
    cs_buf serial = {0};
    size_t n = 0;
    size_t i;
    json_t *entry;
    int rc = CS_OK;

    if (list == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a revocation list");
    json_array_foreach(book->entries, i, entry)
    {
        const char *hex = json_string_value(json_object_get(entry, "serial"));

        list[n].time_ms = json_integer_value(json_object_get(entry, "revoked_at"));
        list[n].hold = is_held(entry);
        if (!is_revoked(entry))
            continue;
        cs_buf_clear(&serial);
        rc = cs_unhex(&serial, hex == NULL ? "" : hex, error);
        if (rc == CS_OK && serial.n != sizeof list[n].serial)
            rc = CS_FAIL(error, CS_E_CORRUPT, ISSUED_NAME ", entry %zu: bad serial", i + 1);
        if (rc != CS_OK)
            break;
        memcpy(list[n++].serial, serial.p, serial.n);
    }
    cs_buf_free(&serial);
    if (rc != CS_OK)
        free(list);
    else
        *out = list;
    *count = n;
    return rc;
}

static int write_pem(
    const cs_home *home, const char *name, const char *label, cs_view der, cs_error *error)
{
    cs_buf pem = {0};
    int rc = cs_pem_encode(&pem, label, der, error);

    if (rc == CS_OK)
        rc = cs_home_write(home, name, cs_view_buf(&pem), error);
    cs_buf_free(&pem);
    return rc;
}

/* The number of a CRL only has to grow: the time does. */
static int write_crl(
    const cs_home *home, const cs_actor *actor, cs_view ca, const ledger *book, cs_error *error)
{
    int64_t now = cs_clock_ms();
    cs_revocation *revoked = NULL;
    size_t count = 0;
    cs_buf der = {0};
    int rc = collect_revoked(book, &revoked, &count, error);

    if (rc == CS_OK)
        rc = cs_crl_issue(&der, ca, revoked, count, (uint64_t)now, now - BACKDATE_MS,
            now + CS_CRL_DAYS * DAY_MS, sign_in_token, actor->sign, error);
    if (rc == CS_OK)
        rc = write_pem(home, "crl.pem", "X509 CRL", cs_view_buf(&der), error);
    free(revoked);
    cs_buf_free(&der);
    return rc;
}

/* -- what an authority does ----------------------------------------------------------------------
 */

int cs_authority_found(cs_home *home, const cs_actor *actor, cs_error *error)
{
    const cs_subject subject = {.common_name = home->id};
    int64_t now = cs_clock_ms();
    cs_buf der = {0};
    ledger book = {.lock = -1};
    int rc = cs_ca_make(&der, &subject, puk_of(actor), now - BACKDATE_MS, now + CA_DAYS * DAY_MS,
        sign_in_token, actor->sign, error);

    if (rc == CS_OK)
        rc = write_pem(home, "certificate.pem", "CERTIFICATE", cs_view_buf(&der), error);
    if (rc == CS_OK)
        rc = ledger_open(&book, home, error);
    if (rc == CS_OK)
        rc = ledger_save(&book, home, error);
    if (rc == CS_OK)
        rc = write_crl(home, actor, cs_view_buf(&der), &book, error);
    ledger_close(&book);
    cs_buf_free(&der);
    return rc;
}

static void choose_serial(uint8_t serial[8])
{
    cs_random(serial, 8);
    serial[0] = (uint8_t)((serial[0] & 0x3f) | 0x40); /* positive, and always of 8 bytes */
}

/* Whose key it is, the request says; that it is theirs, whoever hands in both. */
static int take_agreement(cs_issued *issued, cs_view pem, cs_error *error)
{
    cs_buf der = {0};
    int rc = cs_pem_decode(&der, "PUBLIC KEY", pem, error);

    if (rc == CS_OK)
        rc = cs_public_key_decode(issued->holder.puk, cs_view_buf(&der), error);
    issued->agrees = true;
    cs_buf_free(&der);
    return rc;
}

static int check_request(cs_view pem, cs_holder *holder, cs_error *error)
{
    cs_buf der = {0};
    int rc = cs_pem_decode(&der, "CERTIFICATE REQUEST", pem, error);

    if (rc == CS_OK)
        rc = cs_request_check(cs_view_buf(&der), holder, error);
    if (rc == CS_OK && (holder->role[0] == '\0' || holder->id[0] == '\0'))
        rc = CS_FAIL(error, CS_E_MALFORMED,
            "the request does not say whose it is: an organizational unit 'doctor', 'hospital' or "
            "'cloud', and the identity as serialNumber");
    cs_buf_free(&der);
    return rc;
}

int cs_authority_issue(cs_home *home, const cs_actor *actor, cs_view request_pem, cs_view agree_pem,
    int64_t days, cs_issued *issued, cs_buf *out, cs_error *error)
{
    const cs_holder *holder = &issued->holder;
    const cs_subject subject = {
        .common_name = holder->name, .role = holder->role, .id = holder->id};
    int64_t now = cs_clock_ms();
    cs_buf der = {0};
    ledger book = {.lock = -1};
    int rc;

    *issued = (cs_issued){.not_after = now + days * DAY_MS};
    choose_serial(issued->serial);
    rc = check_request(request_pem, &issued->holder, error);
    if (rc == CS_OK && agree_pem.n > 0)
        rc = take_agreement(issued, agree_pem, error);
    if (rc == CS_OK)
        rc = ledger_open(&book, home, error);
    if (rc == CS_OK)
        rc = ledger_check_free(&book, issued, now, error);
    if (rc == CS_OK)
        rc = (issued->agrees ? cs_certificate_issue_agreement : cs_certificate_issue)(&der,
            cs_view_buf(&actor->certificate), &subject, CS_VIEW_ARRAY(holder->puk), issued->serial,
            now - BACKDATE_MS, issued->not_after, sign_in_token, actor->sign, error);
    /* In the list before it is out of the house, so that it can be revoked. */
    if (rc == CS_OK)
        rc = ledger_add(&book, issued, error);
    if (rc == CS_OK)
        rc = ledger_save(&book, home, error);
    if (rc == CS_OK)
        rc = cs_pem_encode(out, "CERTIFICATE", cs_view_buf(&der), error);
    ledger_close(&book);
    cs_buf_free(&der);
    return rc;
}

typedef enum mark { MARK_REVOKED, MARK_HELD, MARK_RELEASED } mark;

static int set_revoked(json_t *entry, int64_t at, bool held, cs_error *error)
{
    if (json_object_set_new(entry, "revoked_at", json_integer(at)) != 0 ||
        json_object_set_new(entry, "held", json_boolean(held)) != 0)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for the list of certificates");
    return CS_OK;
}

/* A certificate that is revoked for good stays so. */
static int set_mark(json_t *entry, mark to, cs_error *error)
{
    bool for_good = is_revoked(entry) && !is_held(entry);

    if (for_good || (to == MARK_HELD && is_held(entry)))
        return CS_OK;
    return set_revoked(entry, to == MARK_RELEASED ? 0 : cs_clock_ms(), to == MARK_HELD, error);
}

static int mark_one(
    const ledger *book, const cs_marking *marking, mark to, const char *hex, cs_error *error)
{
    json_t *entry = ledger_find(book, marking->serial), *other;
    const char *puk = json_string_value(json_object_get(entry, "puk"));
    int rc = CS_OK;
    size_t i;

    if (entry == NULL)
        return CS_FAIL(error, CS_E_NOT_FOUND,
            "no certificate with serial %s was issued here; see " ISSUED_NAME, hex);
    if (to == MARK_RELEASED && is_revoked(entry) && !is_held(entry))
        return CS_FAIL(error, CS_E_REVOKED,
            "certificate %s is revoked for good; issue a new one for a new key", hex);
    if (!marking->whole_key || puk == NULL)
        return set_mark(entry, to, error);
    json_array_foreach(book->entries, i, other)
    {
        if (rc == CS_OK && member_is(other, "puk", puk))
            rc = set_mark(other, to, error);
    }
    return rc;
}

static int write_marked(
    cs_home *home, const cs_actor *actor, const cs_marking *marking, mark to, cs_error *error)
{
    char hex[SERIAL_HEX];
    ledger book;
    int rc = ledger_open(&book, home, error);

    if (rc == CS_OK && marking != NULL) {
        cs_hex((cs_view){marking->serial, 8}, hex);
        rc = mark_one(&book, marking, to, hex, error);
        if (rc == CS_OK)
            rc = ledger_save(&book, home, error);
    }
    if (rc == CS_OK)
        rc = write_crl(home, actor, cs_view_buf(&actor->certificate), &book, error);
    ledger_close(&book);
    return rc;
}

int cs_authority_list(cs_home *home, const cs_actor *actor, cs_error *error)
{
    return write_marked(home, actor, NULL, MARK_REVOKED, error);
}

int cs_authority_revoke(
    cs_home *home, const cs_actor *actor, const cs_marking *marking, cs_error *error)
{
    return write_marked(home, actor, marking, MARK_REVOKED, error);
}

int cs_authority_hold(
    cs_home *home, const cs_actor *actor, const cs_marking *marking, cs_error *error)
{
    return write_marked(home, actor, marking, MARK_HELD, error);
}

int cs_authority_release(
    cs_home *home, const cs_actor *actor, const cs_marking *marking, cs_error *error)
{
    return write_marked(home, actor, marking, MARK_RELEASED, error);
}
