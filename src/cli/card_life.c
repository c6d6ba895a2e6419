/* SPDX-License-Identifier: Apache-2.0 */
/* What a doctor's card needs while it is in use: change-pin, unblock, renew. */
#include "cli/card_verbs.h"

#include "cli/card_trust.h"
#include "cli/home_options.h"
#include "cli/output.h"
#include "token/pin.h"

#include <chartseal/secret.h>

#include <stdio.h>
#include <string.h>

#define PIN_TEXT 16 /* more than a PIN may have, so that one that is too long is seen */

int cs_card_check_certificates(const cs_arguments *arguments, cs_error *error)
{
    if ((cs_arg(arguments, "sign-certificate") == NULL) !=
        (cs_arg(arguments, "agree-certificate") == NULL))
        return CS_FAIL(
            error, CS_E_USAGE, "give both --sign-certificate and --agree-certificate, or neither");
    if (cs_arg(arguments, "sign-certificate") == NULL &&
        (cs_arg(arguments, "trust") != NULL || cs_arg(arguments, "crl") != NULL))
        return CS_FAIL(error, CS_E_USAGE,
            "--trust and --crl check certificates: give them with --sign-certificate and "
            "--agree-certificate");
    return CS_OK;
}

int cs_card_print_run(const cs_desk *d, cs_error *error)
{
    return cs_print_json(
        json_pack("{s:b, s:I, s:s, s:s}", "ok", 1, "serial", (json_int_t)d->run->serial, "step",
            cs_piv_step_name(d->run->done), "dir", d->dir),
        error);
}

/* -- PINs that are given */

/* From the file of that option, or from a person. */
static int take_pin(char out[PIN_TEXT], const cs_arguments *arguments, const char *option,
    const char *what, cs_error *error)
{
    const char *file = cs_arg(arguments, option);
    cs_pin_source source = {.kind = file == NULL ? CS_PIN_PINENTRY : CS_PIN_FILE};
    cs_pin pin = {0};
    int rc;

    (void)snprintf(source.path, sizeof source.path, "%s", file == NULL ? "" : file);
    rc = cs_pin_get(&pin, &source, what, NULL, error);
    if (rc == CS_OK && (pin.n >= PIN_TEXT || memchr(pin.text, '\0', pin.n) != NULL))
        rc = CS_FAIL(error, CS_E_USAGE, "%s: this is no PIN of a card; it has 6 to 8 digits", what);
    if (rc == CS_OK) {
        memcpy(out, pin.text, pin.n);
        out[pin.n] = '\0';
    }
    cs_pin_free(&pin);
    return rc;
}

static bool same_text(const char *a, const char *b)
{
    return cs_view_equal_secret(cs_view_str(a), cs_view_str(b));
}

/* A person types a new PIN twice. */
static int take_new_pin(char out[PIN_TEXT], const cs_arguments *arguments, cs_error *error)
{
    char *twice = NULL;
    int rc = take_pin(out, arguments, "new-pin-file", "the card, the new one", error);

    if (rc != CS_OK || cs_arg(arguments, "new-pin-file") != NULL)
        return rc;
    twice = cs_secret_new(PIN_TEXT);
    if (twice == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for a PIN");
    rc = take_pin(twice, arguments, "new-pin-file", "the card, the new one once more", error);
    if (rc == CS_OK && !same_text(out, twice))
        rc = CS_FAIL(error, CS_E_USAGE, "the new PIN was not the same twice; nothing was done");
    cs_secret_free(&twice);
    return rc;
}

/* -- change-pin */

typedef struct two_pins {
    char before[PIN_TEXT], after[PIN_TEXT];
} two_pins;

static int change_pin(const cs_arguments *arguments, two_pins *pins, cs_error *error)
{
    cs_piv_pin_change change = {.before = pins->before,
        .after = pins->after,
        .again = cs_arg_flag(arguments, "again"),
        .force = cs_arg_flag(arguments, "force")};
    cs_piv *card = NULL;
    int64_t serial;
    int rc = cs_arg_number(&serial, arguments, "serial", 0, 0, UINT32_MAX, error);

    if (rc == CS_OK)
        rc = take_pin(pins->before, arguments, "pin-file", "the card, the old one", error);
    if (rc == CS_OK)
        rc = take_new_pin(pins->after, arguments, error);
    if (rc == CS_OK)
        rc = cs_piv_open(&card, cs_arg(arguments, "reader"), error);
    change.serial = (uint32_t)serial;
    if (rc == CS_OK)
        rc = cs_piv_change_pin(card, &change, error);
    cs_piv_close(&card);
    return rc;
}

int cs_card_change_pin(const cs_arguments *arguments, cs_error *error)
{
    two_pins *pins = cs_secret_new(sizeof *pins);
    int rc;

    if (pins == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for PINs");
    rc = change_pin(arguments, pins, error);
    cs_secret_free(&pins);
    if (rc != CS_OK)
        return rc;
    if (cs_arg_flag(arguments, "json"))
        return cs_print_json(json_pack("{s:b}", "ok", 1), error);
    cs_say("the card has its new PIN");
    return CS_OK;
}

/* -- unblock */

/* Name and identity are those of the request that the card has signed. */
static int open_known(cs_desk *d, cs_holder *holder, const cs_arguments *arguments, cs_error *error)
{
    int rc = cs_desk_holder(holder, d->dir, error);

    d->name = holder->name;
    d->id = holder->id;
    return rc == CS_OK ? cs_desk_open(d, cs_arg(arguments, "reader"), true, error) : rc;
}

int cs_card_unblock(const cs_arguments *arguments, cs_error *error)
{
    cs_desk d = {.dir = cs_arg(arguments, "dir")};
    cs_holder holder = {0};
    int rc = open_known(&d, &holder, arguments, error);

    if (rc == CS_OK)
        rc =
            cs_piv_unblock(d.card, d.run, cs_arg_flag(arguments, "force"), cs_desk_save, &d, error);
    if (rc == CS_OK)
        rc = cs_desk_write_letter(&d, error);
    if (rc == CS_OK && cs_arg_flag(arguments, "json"))
        rc = cs_card_print_run(&d, error);
    else if (rc == CS_OK)
        cs_say("the card with serial number %u has a new PIN; hand it out with %s/pin-letter.txt",
            d.run->serial, d.dir);
    cs_desk_close(&d);
    return rc;
}

/* -- renew */

static int renew_requests(cs_desk *d, const cs_arguments *arguments, cs_error *error)
{
    char *pin = NULL;
    cs_piv_shown shown = {.force = cs_arg_flag(arguments, "force")};
    int rc = CS_OK;

    if (cs_arg(arguments, "pin-file") == NULL && !cs_arg_flag(arguments, "ask-pin"))
        return cs_desk_write_requests(d, NULL, error);
    pin = cs_secret_new(PIN_TEXT);
    if (pin == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for a PIN");
    rc = take_pin(pin, arguments, "pin-file", "the card", error);
    shown.pin = pin;
    if (rc == CS_OK)
        rc = cs_desk_write_requests(d, &shown, error);
    cs_secret_free(&pin);
    return rc;
}

static int finish(cs_desk *d, const cs_arguments *arguments, cs_error *error)
{
    cs_trust *trust = NULL;
    int rc = cs_card_trust(&trust, arguments, error);

    d->trust = trust;
    if (rc == CS_OK)
        rc = cs_desk_finish(d, cs_arg(arguments, "sign-certificate"),
            cs_arg(arguments, "agree-certificate"), error);
    d->trust = NULL;
    cs_trust_free(&trust);
    return rc;
}

static int renew(cs_desk *d, const cs_arguments *arguments, cs_error *error)
{
    bool new_keys = cs_arg_flag(arguments, "new-keys");
    const char *sign = cs_arg(arguments, "sign-certificate");
    int rc = cs_card_check_certificates(arguments, error);

    if (rc == CS_OK && new_keys && sign != NULL)
        rc = CS_FAIL(error, CS_E_USAGE,
            "--new-keys makes the keys that are to be certified; give certificates afterwards");
    if (rc != CS_OK)
        return rc;
    if (sign != NULL)
        return finish(d, arguments, error);
    if (new_keys)
        rc = cs_piv_renew_keys(d->card, d->run, cs_desk_save, d, error);
    return rc == CS_OK ? renew_requests(d, arguments, error) : rc;
}

static void say_renewed(const cs_desk *d, const cs_arguments *arguments)
{
    if (cs_arg(arguments, "sign-certificate") != NULL)
        cs_say("the card with serial number %u has its new certificates; S_D comes anew with "
               "`chartseal doctor register --certificate %s/sign.pem`%s",
            d->run->serial, d->dir,
            d->run->scalar_slot == 0 ? "" : ", and into the card with `chartseal card load`");
    else if (cs_arg_flag(arguments, "new-keys"))
        cs_say("the card with serial number %u has new keys; `chartseal card revoke --dir %s` for "
               "the old ones, then have %s/sign.csr and %s/agree.pub certified",
            d->run->serial, d->dir, d->dir, d->dir);
    else
        cs_say("have %s/sign.csr and %s/agree.pub certified, and give the certificates", d->dir,
            d->dir);
}

int cs_card_renew(const cs_arguments *arguments, cs_error *error)
{
    cs_desk d = {.dir = cs_arg(arguments, "dir")};
    cs_holder holder = {0};
    int rc = cs_arg_text(arguments, "name", CS_HOLDER_TEXT_MAX, error);

    if (rc == CS_OK)
        rc = open_known(&d, &holder, arguments, error);
    if (rc == CS_OK && cs_arg(arguments, "name") != NULL)
        d.name = cs_arg(arguments, "name");
    if (rc == CS_OK)
        rc = renew(&d, arguments, error);
    if (rc == CS_OK && cs_arg_flag(arguments, "json"))
        rc = cs_card_print_run(&d, error);
    else if (rc == CS_OK)
        say_renewed(&d, arguments);
    cs_desk_close(&d);
    return rc;
}

/* -- options */

#define FORCE_OPTION                                                                               \
    {                                                                                              \
        "force", NULL, false, "use the last try: if it is wrong, the card is blocked"              \
    }

const cs_option cs_card_change_pin_options[] = {
    {"serial", "NUMBER", true, "the card's serial number, so that it is no other"},
    {"pin-file", "FILE", false, "the old PIN is the first line; otherwise a person is asked"},
    {"new-pin-file", "FILE", false, "the new PIN, likewise: 6 to 8 digits"},
    {"again", NULL, false, "a run was cut off, and the card may have the new PIN already"},
    FORCE_OPTION,
    CS_CARD_READER_OPTION,
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};

const cs_option cs_card_unblock_options[] = {
    {"dir", "DIR", true, "the card's directory at the desk: its record has the PUK"},
    FORCE_OPTION,
    CS_CARD_READER_OPTION,
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};

const cs_option cs_card_renew_options[] = {
    {"dir", "DIR", true, "the card's directory at the desk"},
    {"name", "NAME", false, "the doctor's, where it is another than before"},
    {"new-keys", NULL, false, "make other keys on the card; the old ones are gone"},
    {"pin-file", "FILE", false, "the PIN, for the request; otherwise that of the PIN letter"},
    {"ask-pin", NULL, false, "the PIN is asked for"},
    CS_CARD_CERTIFICATE_OPTIONS,
    CS_CARD_TRUST_OPTIONS,
    FORCE_OPTION,
    CS_CARD_READER_OPTION,
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};
