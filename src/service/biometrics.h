/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_SERVICE_BIOMETRICS_H
#define CHARTSEAL_SERVICE_BIOMETRICS_H

/*
 * The biometric password of a patient's home (biometric.h): enrolled once, before the keys are
 * made, because a token may want an authorisation value from it; given again whenever H(BP) is
 * needed.
 *
 *   biometric.bin   the helper data, sealed under
 *   device.key      32 random bytes
 *   config.json     "biometric" is "template" or "passphrase" once there is an enrolment;
 *                   "pin.from" is "biometric" where the keys' authorisation value comes from it
 *
 * In a TPM the authorisation value of the patient's keys is cs_biometric_authorisation of H(BP). A
 * reading that does not match is refused by the helper data, so the TPM is never asked with a value
 * that is wrong, and no try of its is used up. In a PKCS#11 token the PIN is the token's own.
 *
 * Both files have mode 0600. device.key lies next to what it seals, so it keeps helper data from
 * those who get at a copy of biometric.bin, and not from those who take all of the home.
 */

#include "service/home.h"

#include <chartseal/biometric.h>

/* Something was enrolled here. */
bool cs_home_has_biometric(const cs_home *home);

/* Its keys can be used after cs_home_enrol or cs_home_recover only. */
bool cs_home_wants_biometric(const cs_home *home);

/* Enrols BP and gives H(BP), for guarded memory; sets "biometric", which the caller saves with the
 * rest of config.json. Helper data of an init that did not end is not written over, since keys may
 * have been made under its H(BP): it is taken as it is when bp opens it, else CS_E_EXISTS. Where
 * the home wants BP for its keys, home->authorisation is set, and keys that are in the token before
 * there is helper data are CS_E_EXISTS too: they have another authorisation value. */
CS_MUST_CHECK int cs_home_enrol(
    uint8_t h_bp[CS_HASH_SIZE], cs_home *home, const cs_biometric *bp, cs_error *error);

/* H(BP) of what was enrolled; home->authorisation as above. The errors of cs_biometric_recover;
 * CS_E_NO_FILE if a file is lost. */
CS_MUST_CHECK int cs_home_recover(
    uint8_t h_bp[CS_HASH_SIZE], cs_home *home, const cs_biometric *bp, cs_error *error);

/* A cs_pin_fn: the authorisation value of the home (`context`). CS_E_PIN_MISSING before there is
 * one. */
int cs_home_authorisation(void *context, char *out, size_t *n, cs_error *error);

#endif
