/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_PUBLISHER_H
#define SERVICE_PUBLISHER_H

/*
 * HPC's side of its conversation with PC while it runs: what waits in the outbox is published (P1,
 * P2) and dropped when PC has acknowledged it, and the list of revoked credentials is fetched.
 *
 * `hospital import` does one round by itself; `hospital serve` has a thread for it, which looks
 * every two seconds, or when it is woken, and after a failure waits twice as long each time, up to
 * a minute.
 */

#include "service/hospital_outbox.h"
#include "service/server_common.h"

typedef struct cs_publisher cs_publisher;

/* config.json has "cloud_url", where PC answers, and "url", where this service does. outbox NULL:
 * there is nothing to publish, and lists alone are fetched (telecare_cloud.h). */
CS_MUST_CHECK int cs_publisher_new(
    cs_publisher **out, cs_server *server, const cs_outbox *outbox, cs_error *error);
/* Ends the thread, too. */
void cs_publisher_free(cs_publisher **publisher);

/* One round: everything that waits, or up to where PC is found to be away. *left: what could not be
 * published as far as it was tried; the error is the first. */
CS_MUST_CHECK int cs_publisher_flush(
    cs_publisher *publisher, cs_worker *worker, size_t *left, cs_error *error);

CS_MUST_CHECK int cs_publisher_start(cs_publisher *publisher, cs_error *error);
/* There is something new: look at once. NULL is fine. */
void cs_publisher_wake(cs_publisher *publisher);

#endif
