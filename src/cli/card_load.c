/* SPDX-License-Identifier: Apache-2.0 */
/*
 * S_D of a registered doctor into the card: out of its seal by 9D, over PC/SC into a retired slot,
 * and then in use through PKCS#11. Home and record meet for it: the first has the sealed S_D, the
 * second the management key.
 *
 *   1  the home's token gives S_D out, once, into guarded memory       (a PIN, one agree)
 *   2  over PC/SC: the key, its certificate, the key history
 *   3  the home's token shows the key of Y; the opening tries it       (a PIN, one scalar_mul)
 *   4  config.json names it, and the sealed file goes
 *
 * Token and PC/SC take turns: a card that one of them resets is lost to the other. Each part looks
 * first at what is done; the sealed file is there until all is.
 */
#include "cli/card_verbs.h"

#include "cli/home_options.h"
#include "cli/output.h"
#include "piv/scalar.h"
#include "service/actor.h"
#include "service/own_keys.h"
#include "service/own_scalar.h"

#include <chartseal/secret.h>

#include <stdio.h>
#include <string.h>

_Static_assert(sizeof((cs_scalar *)NULL)->b == CS_PIV_SCALAR_SIZE, "S_D is what the card takes");

typedef struct load {
    const cs_arguments *arguments;
    cs_desk desk;
    cs_home *home;
    cs_actor *actor;
    cs_scalar *s;    /* guarded; NULL: it is in the card */
    cs_holder owner; /* of sign.csr */
    cs_piv_scalar scalar;
} load;

/* -- before the card is asked */

/* Cards that take an X25519 key are newer than Debian 12's libykpiv, which knows RSA, P-256 and
 * P-384. */
static int check_suite(const cs_home *home, cs_error *error)
{
    if (home->suite != CS_SUITE_P256)
        return CS_FAIL(error, CS_E_TOKEN_UNSUITABLE,
            "S_D of suite %s stays sealed to 9D: a PIV card takes keys of P-256, and an X25519 key "
            "is none; nothing was done",
            cs_suite_name(home->suite));
    return CS_OK;
}

static int open_places(load *l, cs_error *error)
{
    const char *pin_file = cs_arg(l->arguments, "pin-file");
    int rc = cs_desk_holder(&l->owner, l->desk.dir, error);

    if (rc == CS_OK)
        rc = cs_desk_read_run(&l->desk, error);
    if (rc == CS_OK)
        rc = cs_home_open(&l->home, cs_arg(l->arguments, "home"), CS_HOME_DOCTOR, error);
    if (rc == CS_OK)
        rc = check_suite(l->home, error);
    if (rc == CS_OK && pin_file != NULL) {
        l->home->pin.kind = CS_PIN_FILE;
        if (snprintf(l->home->pin.path, sizeof l->home->pin.path, "%s", pin_file) >=
            (int)sizeof l->home->pin.path)
            rc = CS_FAIL(error, CS_E_USAGE, "--pin-file is too long a path");
    }
    return rc;
}

static void close_party(load *l)
{
    cs_actor_free(&l->actor);
    cs_token_shutdown(); /* OpenSC looks at a card once */
}

/* Registered, and with the card of the record. */
static int check_party(const load *l, cs_error *error)
{
    const cs_actor *actor = l->actor;
    int rc = cs_actor_wants_registration(actor, error);

    if (rc == CS_OK && (!cs_own_is_public(actor->sign, l->desk.run->sign_puk) ||
                           !cs_own_is_public(actor->decrypt, l->desk.run->agree_puk)))
        rc = CS_FAIL(error, CS_E_KEY_MISSING,
            "the card of %s is another than the record in %s is of; give home and directory of "
            "one card",
            l->home->dir, l->desk.dir);
    return rc;
}

/* -- the parts */

static int take(load *l, cs_error *error)
{
    const cs_credential *credential;
    int rc = cs_actor_open(&l->actor, l->home, true, error);

    if (rc == CS_OK)
        rc = check_party(l, error);
    if (rc != CS_OK)
        return rc;
    credential = &l->actor->credential;
    memcpy(l->scalar.puk, credential->y.b, CS_PUK_SIZE);
    l->scalar.name = l->owner.name;
    l->scalar.id = l->owner.id[0] == '\0' ? NULL : l->owner.id;
    l->scalar.not_before = credential->not_before;
    l->scalar.not_after = credential->not_after;
    if (cs_key_describe(l->actor->scalar)->custody != CS_CUSTODY_SEALED)
        return CS_OK;
    l->s = cs_secret_new(sizeof *l->s);
    if (l->s == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no guarded memory for S_D; raise RLIMIT_MEMLOCK");
    l->scalar.s = l->s->b;
    return cs_own_scalar_unseal(l->s, l->actor, error);
}

static int bring(load *l, cs_error *error)
{
    int rc = cs_piv_open(&l->desk.card, cs_arg(l->arguments, "reader"), error);

    if (rc == CS_OK)
        rc = cs_piv_load_scalar(
            l->desk.card, l->desk.run, &l->scalar, cs_desk_save, &l->desk, error);
    cs_piv_close(&l->desk.card);
    l->scalar.s = NULL;
    cs_secret_free(&l->s);
    return rc;
}

static int take_up(load *l, cs_error *error)
{
    int rc = cs_actor_open(&l->actor, l->home, true, error);

    if (rc == CS_OK)
        rc = cs_actor_wants_registration(l->actor, error);
    if (rc == CS_OK)
        rc = cs_own_scalar_adopt(l->actor, error);
    if (rc == CS_E_KEY_MISSING)
        return cs_error_context(error,
            "the card has S_D, but OpenSC may show it as it was before; see that its "
            "use_file_caching is off, and run this again");
    return rc;
}

static int report(const load *l, cs_op_counts ops, cs_error *error)
{
    char slot[3];

    (void)snprintf(slot, sizeof slot, "%02X", l->desk.run->scalar_slot);
    if (cs_arg_flag(l->arguments, "json"))
        return cs_print_json(json_pack("{s:b, s:I, s:s, s:s, s:s, s:o}", "ok", 1, "serial",
                                 (json_int_t)l->desk.run->serial, "id", l->home->id, "slot", slot,
                                 "delivery", "imported", "token_ops", cs_ops_json(ops)),
            error);
    cs_say("S_D of %s is in slot %s of the card with serial number %u, imported; it is sealed no "
           "more",
        l->home->id, slot, l->desk.run->serial);
    return CS_OK;
}

int cs_card_load(const cs_arguments *arguments, cs_error *error)
{
    load l = {.arguments = arguments, .desk = {.dir = cs_arg(arguments, "dir")}};
    cs_op_counts before = cs_ops_of_thread();
    int rc = open_places(&l, error);

    if (rc == CS_OK)
        rc = take(&l, error);
    close_party(&l);
    if (rc == CS_OK)
        rc = bring(&l, error);
    if (rc == CS_OK)
        rc = take_up(&l, error);
    close_party(&l);
    if (rc == CS_OK)
        rc = report(&l, cs_ops_between(before, cs_ops_of_thread()), error);
    cs_secret_free(&l.s);
    cs_home_free(&l.home);
    cs_desk_close(&l.desk);
    return rc;
}

const cs_option cs_card_load_options[] = {
    {"dir", "DIR", true, "the card's directory at the desk: its record has the management key"},
    {"home", "DIR", true, "the doctor's home, registered with this card"},
    {"pin-file", "FILE", false, "the card's PIN is the first line; otherwise as the home has it"},
    CS_CARD_READER_OPTION,
    CS_JSON_OPTION,
    CS_OPTIONS_END,
};
