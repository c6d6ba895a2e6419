/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_CEREMONY_H
#define SERVICE_CEREMONY_H

/*
 * The making of a cloud's or a hospital's token and home by several people, of whom no one is to
 * know its PINs.
 *
 *   begin    what is to be made, by how many; a free slot of the module
 *   shares   the SO PIN and the user PIN, random, are drawn as shares (token/share.h); each
 * operator has his or her two. The PINs themselves are kept nowhere. gather   enough operators give
 * their shares back: only from these do the PINs come that the token gets. So it is shown that the
 * shares are good, before anything depends on them token    the token is initialised with these
 * PINs keys     the role's keys are made in it, and its home (by the caller) opened   closed, the
 * token opens with the PIN of the shares audit    all keys that are in it, and that none can leave
 * it signature  by the new signing key
 *
 * With a backup, by choice (ceremony_backup.c), before the keys: a wrapping key is drawn as shares,
 * too. trial   on a second token, that the module wraps and unwraps such a key at all; backup   the
 * one key that all is lost with (own_keys.h) is made, wrapped once and made to stay, and the file
 * is written; rehearsal   from that file and shares that are given again, it is restored on the
 * second token, compared, and removed. From a backup, instead of a new key: restore.
 *
 * Each is an entry of DIR/ceremony.transcript, on the disk before the next begins. A run that ends
 * early is made again: until all shares are handed out it begins anew, and the shares that were
 * handed out are void; after that it goes on where it stood, as soon as shares are given. A step
 * whose entry is missing is done again, and finds what the earlier try has left: a token without a
 * user PIN, keys by their labels. The home does not open (home.h) before all is done.
 */

#include "service/actor.h"
#include "service/backup_file.h"
#include "service/transcript.h"
#include "token/share.h"

typedef struct cs_ceremony_plan {
    const char *dir;
    cs_home_kind kind;
    const char *id;
    const char *module, *label;                   /* of the new token */
    unsigned needed, count;                       /* operators */
    unsigned pin_digits, so_pin_digits;           /* 0: as many as the token takes, at most 32 */
    const char *backup;                           /* the file; NULL: none */
    const char *rehearse_module, *rehearse_label; /* of the second token; with a backup alone */
    const char *restore; /* the backup that the key comes from; NULL: it is new */
} cs_ceremony_plan;

typedef enum cs_ceremony_step {
    CS_CEREMONY_NEW = 0,
    CS_CEREMONY_SHARES,
    CS_CEREMONY_TOKEN,
    CS_CEREMONY_KEYS,
    CS_CEREMONY_OPENED,
    CS_CEREMONY_AUDIT,
    CS_CEREMONY_SIGNED,
} cs_ceremony_step;

typedef struct cs_ceremony {
    cs_ceremony_plan plan; /* its strings are the caller's */
    cs_transcript *transcript;
    int lock;
    uint8_t id[CS_SHARE_ID_SIZE];
    uint8_t void_id[CS_SHARE_ID_SIZE]; /* of a run that is begun anew; its shares are void */
    bool has_void;
    cs_pin pin, so_pin; /* after cs_ceremony_gather */
    cs_pin wrapping,
        former;      /* likewise, in hex digits: of this ceremony, of the one restored from */
    cs_backup *from; /* plan.restore */
} cs_ceremony;

/* Opens the directory and what was done in it. start_over: shares that were handed out for a token
 * that is not made yet are void, and the ceremony begins anew. CS_E_BUSY: it is being run;
 * CS_E_EXISTS: there is a home, or a ceremony that is over; CS_E_USAGE: the one that was begun
 * there is for something else. */
CS_MUST_CHECK int cs_ceremony_open(
    cs_ceremony **out, const cs_ceremony_plan *plan, bool start_over, cs_error *error);
void cs_ceremony_close(cs_ceremony **ceremony);
cs_ceremony_step cs_ceremony_done(const cs_ceremony *ceremony);

/* The first step: looks for room in the module and draws both PINs as shares, plan.count of each
 * into arrays of guarded memory; and the wrapping key, where there is to be a backup. */
CS_MUST_CHECK int cs_ceremony_begin(
    cs_ceremony *ceremony, cs_share *user, cs_share *so, cs_share *wrapping, cs_error *error);
/* All operators have theirs. */
CS_MUST_CHECK int cs_ceremony_handed_out(cs_ceremony *ceremony, const cs_share *user,
    const cs_share *so, const cs_share *wrapping, cs_error *error);

/* Shares of which kinds are needed from where it stands: until the token is made, and the backup.
 */
bool cs_ceremony_wants(const cs_ceremony *ceremony, cs_share_kind kind);
/* Shares of these kinds in any order: each has to be one that was handed out. Errors as of
 * cs_share_combine; CS_E_PIN_WRONG names the operator whose share is not. */
CS_MUST_CHECK int cs_ceremony_gather(
    cs_ceremony *ceremony, const cs_share *shares, size_t n, cs_error *error);

CS_MUST_CHECK int cs_ceremony_make_token(cs_ceremony *ceremony, cs_error *error);
/* The token's URI, after that. */
const char *cs_ceremony_token_uri(const cs_ceremony *ceremony);
/* A source of the gathered user PIN, good while the ceremony is open. */
cs_pin_source cs_ceremony_pin(cs_ceremony *ceremony);

/* With a backup: the trial, before any key or token that matters is made. CS_E_TOKEN_UNSUITABLE:
 * the module does not wrap such a key. */
CS_MUST_CHECK int cs_ceremony_try(cs_ceremony *ceremony, cs_error *error);
/* Are shares of the wrapping key that plan.restore was written under needed yet? Those are given by
 * cs_ceremony_gather_former. */
bool cs_ceremony_wants_former(const cs_ceremony *ceremony);
CS_MUST_CHECK int cs_ceremony_gather_former(
    cs_ceremony *ceremony, const cs_share *shares, size_t n, cs_error *error);
/* After the token, with a backup or from one: the key that survives, made or restored, is in the
 * token, and in the file. Nothing, where that is done. */
CS_MUST_CHECK int cs_ceremony_make_survivor(cs_ceremony *ceremony, cs_error *error);
/* With shares of the wrapping key, given again. */
bool cs_ceremony_wants_rehearsal(const cs_ceremony *ceremony);
CS_MUST_CHECK int cs_ceremony_rehearse(
    cs_ceremony *ceremony, const cs_share *shares, size_t n, cs_error *error);
/* What the home's config.json is to say of it (own_keys.h). */
CS_MUST_CHECK int cs_ceremony_note_survivor(
    const cs_ceremony *ceremony, json_t *config, cs_error *error);

/* Before the home is made: what an earlier try has left of it goes. */
void cs_ceremony_clear_home(const cs_ceremony *ceremony);
/* The home and its keys are made (config.json with "ceremony": "begun"). */
CS_MUST_CHECK int cs_ceremony_note_keys(
    cs_ceremony *ceremony, const cs_home *home, cs_error *error);
/* The rest, and the home can be used. CS_E_KEY_EXPOSED: a key in the token can leave it. */
CS_MUST_CHECK int cs_ceremony_finish(cs_ceremony *ceremony, cs_home *home, cs_error *error);

/* For the parts of it. */
/* A token of that label is there, with the PINs that were gathered. */
CS_MUST_CHECK int cs_ceremony_initialise(cs_ceremony *ceremony, const char *module,
    const char *label, cs_token_info *out, cs_error *error);
/* The options that open it: the PIN, and the survivor if there is one. */
cs_token_options cs_ceremony_token_options(cs_ceremony *ceremony);
cs_pin_source cs_ceremony_so_pin(cs_ceremony *ceremony);
/* The shares of one kind, put together, and a list of whose they are. */
CS_MUST_CHECK int cs_ceremony_gather_kind(cs_ceremony *ceremony, cs_pin *out, json_t *numbers,
    cs_share_kind kind, const cs_share *shares, size_t n, cs_error *error);
/* The file is not there; or it is this ceremony's own, which it may be after the token. */
CS_MUST_CHECK int cs_ceremony_check_file(const cs_ceremony *ceremony, cs_error *error);
/* A plan with a backup, or from one, that can be. */
CS_MUST_CHECK int cs_ceremony_check_survivor(const cs_ceremony_plan *plan, cs_error *error);

#endif
