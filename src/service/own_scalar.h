/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_SERVICE_OWN_SCALAR_H
#define CHARTSEAL_SERVICE_OWN_SCALAR_H

/*
 * S_X and its credential change together, though they are in two places.
 *
 * credential.cbor decides: the S_X in use is the one that has its Y. "keys.scalar" of config.json
 * says where that is: the key's URI, or "scalar.sealed" (the file is Y, then S_X as it was sealed).
 * A renewal
 *
 *   1. has the new S_X brought into the token beside the old one, or writes scalar.sealed.new
 *   2. writes config.json, then credential.cbor: from now on the new S_X is the one in use
 *   3. removes the other
 *
 * and may be interrupted at any moment: the S_X in use is there, and found by its Y where
 * "keys.scalar" names the other; what is left over goes with the next registration. A TPM, which
 * has one key of a label, replaces it in step 1: interrupted before the end of step 2, the party is
 * not registered, and registers again.
 */

#include "service/home.h"

/* The value of "keys.scalar" when S_X stays sealed: the file that holds it. */
#define CS_SCALAR_SEALED "scalar.sealed"

/* actor->scalar for actor->credential; it stays NULL where there is no S_X that fits. */
CS_MUST_CHECK int cs_own_scalar_open(cs_actor *actor, cs_error *error);

/* Step 2, with the file of step 1. sealed: as from cs_registering_finish. */
CS_MUST_CHECK int cs_own_scalar_keep(cs_home *home, const cs_credential *credential,
    const cs_key *scalar, cs_view sealed, cs_error *error);

/* Step 3, after a renewal or before the next one; scalar is the S_X in use, y its public point. */
CS_MUST_CHECK int cs_own_scalar_settle(
    const cs_home *home, cs_token *token, cs_key *scalar, const cs_point *y, cs_error *error);

/*
 * A sealed S_X of suite p256 can go into a PIV card, which PKCS#11 does not know: a desk does it,
 * and the token is closed meanwhile. Unseal, before: *s, in guarded memory, is that of Y. Adopt,
 * afterwards: the key of Y is looked for in the token, has to act as S_X, and is noted in
 * "keys.scalar"; then the file goes. Until then S_X is where it was. Both may be done again.
 */
CS_MUST_CHECK int cs_own_scalar_unseal(cs_scalar *s, const cs_actor *actor, cs_error *error);
/* CS_E_KEY_MISSING, CS_E_CREDENTIAL: actor->scalar is the one of before. */
CS_MUST_CHECK int cs_own_scalar_adopt(cs_actor *actor, cs_error *error);

#endif
