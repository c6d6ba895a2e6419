/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_TEST_TELECARE_STAGE_H
#define CHARTSEAL_TEST_TELECARE_STAGE_H

/*
 * The setup and teardown of telecare's tests: one cast for all tests of a program, since
 * registration is not what they are about; for each test fresh plays at its start, with a report of
 * one block and a measurement of two.
 */

#include "telecare_play.h"

extern cast c;
extern telecare_play p;
extern telecare_play q; /* another run, at the same cloud */

int open_cast(void **state); /* of a group; suite ed25519 */
int close_cast(void **state);
void forget_revocations(void);
int open_plays(void **state); /* of a test; revocations are forgotten */
int close_plays(void **state);

/* A session as this actor, with T1 and T2 done. */
void call(telecare_line *line, cast_actor *who);

#endif
