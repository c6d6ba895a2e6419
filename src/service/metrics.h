/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_METRICS_H
#define SERVICE_METRICS_H

/*
 * Numbers about a running service, in the text format of OpenMetrics 1.0.
 *
 * A family has a name, a kind and a sentence of help, and is declared once. A series is a family
 * with values for its labels, and comes into being when it is first counted. Counting never fails
 * and never stops the work that is counted: what cannot be counted (an undeclared family, a name
 * that is none, more than CS_METRICS_SERIES_MAX series, no memory) adds to
 * chartseal_metrics_dropped.
 *
 * Labels hold names out of the program, never identities, keys or content. All calls are
 * thread-safe, and all accept a registry that is NULL and then do nothing.
 */

#include <chartseal/bytes.h>
#include <chartseal/token.h>

/* Labels could multiply; a registry that grows for ever is a leak. */
#define CS_METRICS_SERIES_MAX 2048u
#define CS_METRICS_LABELS_MAX 4u
#define CS_METRICS_CONTENT_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

typedef enum cs_metric_kind {
    CS_METRIC_COUNTER,   /* only grows; its sample has the suffix _total */
    CS_METRIC_GAUGE,     /* is set, or moved up and down */
    CS_METRIC_HISTOGRAM, /* seconds, in fixed buckets from 1 ms to 60 s */
} cs_metric_kind;

typedef struct cs_label {
    const char *name;
    const char *value; /* UTF-8; escaped when rendered */
} cs_label;

typedef struct cs_metrics cs_metrics;

/* Declares chartseal_token_operations and chartseal_metrics_dropped. */
CS_MUST_CHECK int cs_metrics_new(cs_metrics **out, cs_error *error);
void cs_metrics_free(cs_metrics **metrics);

/* The name of a counter goes without _total. Declaring again with the same kind is fine. CS_E_USAGE
 * for a name that is not [a-zA-Z_][a-zA-Z0-9_]* or is declared with another kind. */
CS_MUST_CHECK int cs_metrics_declare(
    cs_metrics *metrics, cs_metric_kind kind, const char *name, const char *help, cs_error *error);

/* Counter: by ≥ 0. Gauge: any. `labels` has `count` entries, always in the same order. */
void cs_metrics_add(
    cs_metrics *metrics, const char *name, const cs_label *labels, size_t count, double by);
void cs_metrics_set(
    cs_metrics *metrics, const char *name, const cs_label *labels, size_t count, double value);
/* One observation for a histogram. */
void cs_metrics_observe(
    cs_metrics *metrics, const char *name, const cs_label *labels, size_t count, double seconds);

/* chartseal_token_operations_total{procedure="…",operation="sign"} and so on; zeros are left out.
 */
void cs_metrics_add_token_ops(cs_metrics *metrics, const char *procedure, cs_op_counts ops);

/* Everything as text, # EOF at its end, appended to out. */
CS_MUST_CHECK int cs_metrics_render(cs_metrics *metrics, cs_buf *out, cs_error *error);

#endif
