/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_HTTP_WATCH_H
#define SERVICE_HTTP_WATCH_H

/*
 * Closes connections that take too long over a request. libmicrohttpd closes those that are silent;
 * one that drips a byte now and then is never silent, and would keep its place for ever.
 */

#include <chartseal/error.h>

typedef struct cs_http_watch cs_http_watch;
typedef struct cs_http_watched cs_http_watched;

CS_MUST_CHECK int cs_http_watch_new(cs_http_watch **out, unsigned limit_s, cs_error *error);
void cs_http_watch_free(cs_http_watch **watch);

/* Watch a connection, from now; NULL if there is no memory. */
cs_http_watched *cs_http_watch_add(cs_http_watch *watch, int fd);
/* Before the descriptor is closed. NULL is fine, in these three. */
void cs_http_watch_remove(cs_http_watch *watch, cs_http_watched *watched);
/* Its request is here; its answer is out, and the next request may come. */
void cs_http_watch_pause(cs_http_watch *watch, cs_http_watched *watched);
void cs_http_watch_resume(cs_http_watch *watch, cs_http_watched *watched);

#endif
