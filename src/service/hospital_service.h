/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_HOSPITAL_SERVICE_H
#define SERVICE_HOSPITAL_SERVICE_H

/*
 * HPC over HTTP:
 *
 *     POST /v1/session    S3 → S4
 *     POST /v1/record     S5 → S6      application/vnd.chartseal.stream, both ways
 *     POST /v1/file       F1 → F2      likewise
 *     GET  /v1/hospital   {"id", "suite"}
 */

#include "service/hospital.h"

/* Serve until options->stop_fd says stop, and publish meanwhile. */
CS_MUST_CHECK int cs_hpc_serve(cs_home *home, const cs_server_options *options, cs_error *error);

#endif
