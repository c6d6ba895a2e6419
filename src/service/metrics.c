/* SPDX-License-Identifier: Apache-2.0 */
#include "service/metrics.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The labels of a series, rendered: they are its key. */
#define LABELS_TEXT_MAX 512
#define LINE_MAX_BYTES 1024
#define FAMILIES_MAX 64u

#define TOKEN_OPERATIONS "chartseal_token_operations"
#define DROPPED "chartseal_metrics_dropped"

static const struct {
    double le;
    const char *text; /* as OpenMetrics wants numbers in labels: always with a point */
} buckets[] = {{0.001, "0.001"}, {0.0025, "0.0025"}, {0.005, "0.005"}, {0.01, "0.01"},
    {0.025, "0.025"}, {0.05, "0.05"}, {0.1, "0.1"}, {0.25, "0.25"}, {0.5, "0.5"}, {1, "1.0"},
    {2.5, "2.5"}, {5, "5.0"}, {10, "10.0"}, {30, "30.0"}, {60, "60.0"}};
#define BUCKET_COUNT (sizeof buckets / sizeof buckets[0])

typedef struct series {
    struct series *next;
    double value;    /* of a histogram: the sum */
    uint64_t *below; /* of a histogram: BUCKET_COUNT counts, and one for all */
    char labels[];   /* a="b",c="d" without braces */
} series;

typedef struct family {
    cs_metric_kind kind;
    char *name;
    char *help;
    series *first;
} family;

struct cs_metrics {
    pthread_mutex_t lock;
    family families[FAMILIES_MAX];
    size_t family_count;
    size_t series_count;
};

/* ---- names and labels */

static bool is_name(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    static const char all[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";

    return name[0] != '\0' && strchr(letters, name[0]) != NULL && name[strspn(name, all)] == '\0' &&
           strlen(name) < 128;
}

/* Appends text, with the escapes of OpenMetrics, to out at *n; false when there is no room. */
static bool escape(char *out, size_t size, size_t *n, const char *text)
{
    for (; *text != '\0'; text++) {
        char c = (char)(*text == '\n' ? 'n' : *text);

        if (*n + 2 >= size)
            return false;
        if (*text == '\n' || *text == '"' || *text == '\\')
            out[(*n)++] = '\\';
        out[(*n)++] = c;
    }
    out[*n] = '\0';
    return true;
}

static bool labels_text(char out[LABELS_TEXT_MAX], const cs_label *labels, size_t count)
{
    size_t n = 0;

    out[0] = '\0';
    if (count > CS_METRICS_LABELS_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        int added;

        if (!is_name(labels[i].name) || strcmp(labels[i].name, "le") == 0)
            return false;
        added =
            snprintf(out + n, LABELS_TEXT_MAX - n, "%s%s=\"", i == 0 ? "" : ",", labels[i].name);
        if (added < 0 || (size_t)added >= LABELS_TEXT_MAX - n)
            return false;
        n += (size_t)added;
        if (!escape(out, LABELS_TEXT_MAX, &n, labels[i].value) || n + 2 >= LABELS_TEXT_MAX)
            return false;
        out[n++] = '"';
        out[n] = '\0';
    }
    return true;
}

/* ---- the registry */

static family *find_family(cs_metrics *metrics, const char *name)
{
    for (size_t i = 0; i < metrics->family_count; i++) {
        if (strcmp(metrics->families[i].name, name) == 0)
            return &metrics->families[i];
    }
    return NULL;
}

static series *new_series(cs_metrics *metrics, family *f, const char *labels)
{
    size_t n = strlen(labels) + 1;
    series *s;

    if (metrics->series_count >= CS_METRICS_SERIES_MAX)
        return NULL;
    s = calloc(1, sizeof *s + n);
    if (s == NULL)
        return NULL;
    if (f->kind == CS_METRIC_HISTOGRAM) {
        s->below = calloc(BUCKET_COUNT + 1, sizeof *s->below);
        if (s->below == NULL) {
            free(s);
            return NULL;
        }
    }
    memcpy(s->labels, labels, n);
    s->next = f->first;
    f->first = s;
    metrics->series_count++;
    return s;
}

/* The series, made if it is new; NULL if there can be none. */
static series *find_series(cs_metrics *metrics, cs_metric_kind kind, bool also_gauge,
    const char *name, const cs_label *labels, size_t count)
{
    char text[LABELS_TEXT_MAX];
    family *f = find_family(metrics, name);

    if (f == NULL || !(f->kind == kind || (also_gauge && f->kind == CS_METRIC_GAUGE)) ||
        !labels_text(text, labels, count))
        return NULL;
    for (series *s = f->first; s != NULL; s = s->next) {
        if (strcmp(s->labels, text) == 0)
            return s;
    }
    return new_series(metrics, f, text);
}

static void count_dropped(cs_metrics *metrics)
{
    family *f = find_family(metrics, DROPPED);

    if (f != NULL && f->first != NULL)
        f->first->value += 1;
}

int cs_metrics_new(cs_metrics **out, cs_error *error)
{
    cs_metrics *metrics = calloc(1, sizeof *metrics);
    int rc;

    *out = NULL;
    if (metrics == NULL || pthread_mutex_init(&metrics->lock, NULL) != 0) {
        free(metrics);
        return CS_FAIL(error, CS_E_MEMORY, "no memory for the metrics");
    }
    rc = cs_metrics_declare(
        metrics, CS_METRIC_COUNTER, DROPPED, "What the metrics could not count.", error);
    if (rc == CS_OK)
        rc = cs_metrics_declare(metrics, CS_METRIC_COUNTER, TOKEN_OPERATIONS,
            "Private-key operations of the token, by procedure.", error);
    if (rc == CS_OK && new_series(metrics, find_family(metrics, DROPPED), "") == NULL)
        rc = CS_FAIL(error, CS_E_MEMORY, "no memory for the metrics");
    if (rc != CS_OK)
        cs_metrics_free(&metrics);
    *out = metrics;
    return rc;
}

void cs_metrics_free(cs_metrics **metrics)
{
    cs_metrics *m = *metrics;

    if (m == NULL)
        return;
    for (size_t i = 0; i < m->family_count; i++) {
        series *s = m->families[i].first;

        while (s != NULL) {
            series *next = s->next;

            free(s->below);
            free(s);
            s = next;
        }
        free(m->families[i].name);
        free(m->families[i].help);
    }
    (void)pthread_mutex_destroy(&m->lock);
    free(m);
    *metrics = NULL;
}

static int add_family(
    cs_metrics *metrics, cs_metric_kind kind, const char *name, const char *help, cs_error *error)
{
    family *f = &metrics->families[metrics->family_count];
    size_t size = 2 * strlen(help) + 3; /* every character may need its escape */
    size_t n = 0;

    if (metrics->family_count == FAMILIES_MAX)
        return CS_FAIL(error, CS_E_TOO_LARGE, "no more than %u metrics", FAMILIES_MAX);
    if (size > LINE_MAX_BYTES / 2)
        return CS_FAIL(error, CS_E_TOO_LARGE, "the help of the metric %s is too long", name);
    *f = (family){.kind = kind, .name = strdup(name), .help = malloc(size)};
    if (f->name == NULL || f->help == NULL) {
        free(f->name);
        free(f->help);
        return CS_FAIL(error, CS_E_MEMORY, "no memory for the metric %s", name);
    }
    f->help[0] = '\0';
    (void)escape(f->help, size, &n, help);
    metrics->family_count++;
    return CS_OK;
}

int cs_metrics_declare(
    cs_metrics *metrics, cs_metric_kind kind, const char *name, const char *help, cs_error *error)
{
    const family *f;
    int rc = CS_OK;

    if (metrics == NULL)
        return CS_OK;
    if (!is_name(name))
        return CS_FAIL(error, CS_E_USAGE, "'%s' is no name for a metric", name);
    (void)pthread_mutex_lock(&metrics->lock);
    f = find_family(metrics, name);
    if (f == NULL)
        rc = add_family(metrics, kind, name, help, error);
    else if (f->kind != kind)
        rc = CS_FAIL(error, CS_E_USAGE, "the metric %s is declared with two kinds", name);
    (void)pthread_mutex_unlock(&metrics->lock);
    return rc;
}

/* ---- counting */

void cs_metrics_add(
    cs_metrics *metrics, const char *name, const cs_label *labels, size_t count, double by)
{
    series *s;

    if (metrics == NULL)
        return;
    (void)pthread_mutex_lock(&metrics->lock);
    s = find_series(
        metrics, by >= 0 ? CS_METRIC_COUNTER : CS_METRIC_GAUGE, true, name, labels, count);
    if (s != NULL)
        s->value += by;
    else
        count_dropped(metrics);
    (void)pthread_mutex_unlock(&metrics->lock);
}

void cs_metrics_set(
    cs_metrics *metrics, const char *name, const cs_label *labels, size_t count, double value)
{
    series *s;

    if (metrics == NULL)
        return;
    (void)pthread_mutex_lock(&metrics->lock);
    s = find_series(metrics, CS_METRIC_GAUGE, false, name, labels, count);
    if (s != NULL)
        s->value = value;
    else
        count_dropped(metrics);
    (void)pthread_mutex_unlock(&metrics->lock);
}

void cs_metrics_observe(
    cs_metrics *metrics, const char *name, const cs_label *labels, size_t count, double seconds)
{
    series *s;

    if (metrics == NULL)
        return;
    (void)pthread_mutex_lock(&metrics->lock);
    s = find_series(metrics, CS_METRIC_HISTOGRAM, false, name, labels, count);
    if (s != NULL) {
        for (size_t i = 0; i < BUCKET_COUNT; i++)
            s->below[i] += seconds <= buckets[i].le;
        s->below[BUCKET_COUNT]++;
        s->value += seconds;
    } else {
        count_dropped(metrics);
    }
    (void)pthread_mutex_unlock(&metrics->lock);
}

void cs_metrics_add_token_ops(cs_metrics *metrics, const char *procedure, cs_op_counts ops)
{
    const struct {
        const char *name;
        uint64_t count;
    } verbs[] = {{"sign", ops.sign}, {"agree", ops.agree}, {"scalar_mul", ops.scalar_mul},
        {"issue", ops.issue}, {"prf", ops.prf}, {"attest", ops.attest}};

    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        const cs_label labels[] = {{"procedure", procedure}, {"operation", verbs[i].name}};

        if (verbs[i].count > 0)
            cs_metrics_add(metrics, TOKEN_OPERATIONS, labels, 2, (double)verbs[i].count);
    }
}

/* ---- rendering */

static int put(cs_buf *out, cs_error *error, const char *format, ...) CS_PRINTF(3, 4);

static int put(cs_buf *out, cs_error *error, const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (n < 0 || (size_t)n >= sizeof line)
        return CS_FAIL(error, CS_E_INTERNAL, "a line of the metrics is too long");
    return cs_buf_append(out, (cs_view){(const uint8_t *)line, (size_t)n}, error);
}

static int put_sample(cs_buf *out, const family *f, const series *s, cs_error *error)
{
    const char *suffix = f->kind == CS_METRIC_COUNTER ? "_total" : "";

    if (s->labels[0] == '\0')
        return put(out, error, "%s%s %.15g\n", f->name, suffix, s->value);
    return put(out, error, "%s%s{%s} %.15g\n", f->name, suffix, s->labels, s->value);
}

static int put_histogram(cs_buf *out, const family *f, const series *s, cs_error *error)
{
    const char *comma = s->labels[0] == '\0' ? "" : ",";
    const char *open = s->labels[0] == '\0' ? "" : "{";
    const char *close = s->labels[0] == '\0' ? "" : "}";
    int rc = CS_OK;

    for (size_t i = 0; i <= BUCKET_COUNT && rc == CS_OK; i++)
        rc = put(out, error, "%s_bucket{%s%sle=\"%s\"} %llu\n", f->name, s->labels, comma,
            i == BUCKET_COUNT ? "+Inf" : buckets[i].text, (unsigned long long)s->below[i]);
    if (rc == CS_OK)
        rc = put(out, error, "%s_count%s%s%s %llu\n", f->name, open, s->labels, close,
            (unsigned long long)s->below[BUCKET_COUNT]);
    if (rc == CS_OK)
        rc = put(out, error, "%s_sum%s%s%s %.15g\n", f->name, open, s->labels, close, s->value);
    return rc;
}

static int put_family(cs_buf *out, const family *f, cs_error *error)
{
    static const char *const kinds[] = {
        [CS_METRIC_COUNTER] = "counter",
        [CS_METRIC_GAUGE] = "gauge",
        [CS_METRIC_HISTOGRAM] = "histogram",
    };
    int rc = put(out, error, "# TYPE %s %s\n", f->name, kinds[f->kind]);

    if (rc == CS_OK)
        rc = put(out, error, "# HELP %s %s\n", f->name, f->help);
    for (const series *s = f->first; s != NULL && rc == CS_OK; s = s->next)
        rc = f->kind == CS_METRIC_HISTOGRAM ? put_histogram(out, f, s, error)
                                            : put_sample(out, f, s, error);
    return rc;
}

int cs_metrics_render(cs_metrics *metrics, cs_buf *out, cs_error *error)
{
    int rc = CS_OK;

    if (metrics == NULL)
        return CS_OK;
    (void)pthread_mutex_lock(&metrics->lock);
    for (size_t i = 0; i < metrics->family_count && rc == CS_OK; i++)
        rc = put_family(out, &metrics->families[i], error);
    (void)pthread_mutex_unlock(&metrics->lock);
    if (rc == CS_OK)
        rc = put(out, error, "# EOF\n");
    return rc;
}
