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
 *   config.json     "biometric" is "template" or "passphrase" once there is an enrolment
 *
 * Both files have mode 0600. device.key lies next to what it seals, so it keeps helper data from
 * those who get at a copy of biometric.bin, and not from those who take all of the home.
 */

#include "service/home.h"

#include <chartseal/biometric.h>

/* Something was enrolled here. */
bool cs_home_has_biometric(const cs_home *home);

/* Enrols BP and gives H(BP), for guarded memory; sets "biometric", which the caller saves with the
 * rest of config.json. Helper data of an init that did not end is not written over, since keys may
 * have been made under its H(BP): it is taken as it is when bp opens it, else CS_E_EXISTS. */
CS_MUST_CHECK int cs_home_enrol(
    uint8_t h_bp[CS_HASH_SIZE], cs_home *home, const cs_biometric *bp, cs_error *error);

/* H(BP) of what was enrolled. The errors of cs_biometric_recover; CS_E_NO_FILE if a file is lost.
 */
CS_MUST_CHECK int cs_home_recover(
    uint8_t h_bp[CS_HASH_SIZE], const cs_home *home, const cs_biometric *bp, cs_error *error);

#endif
