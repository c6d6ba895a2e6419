/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "service/metrics.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The whole exposition as a C string; the caller frees. */
static char *rendered(cs_metrics *metrics)
{
    cs_buf out = {0};
    char *text;

    assert_ok(cs_metrics_render(metrics, &out, error));
    text = strndup((const char *)out.p, out.n);
    assert_non_null(text);
    assert_int_equal(strlen(text), out.n);
    cs_buf_free(&out);
    return text;
}

static bool has_line(const char *text, const char *line)
{
    size_t n = strlen(line);

    for (const char *at = text; at != NULL; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, line, n) == 0 && at[n] == '\n')
            return true;
        if (*at == '\0')
            break;
    }
    return false;
}

/* One sample: name, maybe labels in braces, a space, a number. */
static void check_sample(const char *line, const char *family)
{
    const char *at = line + strspn(line, "abcdefghijklmnopqrstuvwxyz_");
    char *end;

    assert_int_equal(strncmp(line, family, strlen(family)), 0);
    if (*at == '{') {
        bool quoted = false;

        for (at++; *at != '\0' && (quoted || *at != '}'); at++) {
            if (*at == '\\')
                at++;
            else if (*at == '"')
                quoted = !quoted;
        }
        assert_false(quoted);
        assert_int_equal(*at++, '}');
    }
    assert_int_equal(*at++, ' ');
    (void)strtod(at, &end);
    assert_true(end > at);
    assert_int_equal(*end, '\0');
}

/* Line by line: TYPE, HELP, samples of that family, and # EOF as the last. Returns the samples. */
static unsigned check_text(const char *text)
{
    char *copy = strdup(text);
    char *rest = NULL;
    char family[128] = "";
    char type[16];
    unsigned samples = 0;
    bool ended = false;

    assert_non_null(copy);
    assert_int_equal(text[strlen(text) - 1], '\n');
    for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        assert_false(ended);
        if (strcmp(line, "# EOF") == 0) {
            ended = true;
        } else if (strncmp(line, "# TYPE ", 7) == 0) {
            assert_int_equal(sscanf(line, "# TYPE %127s %15s", family, type), 2);
        } else if (strncmp(line, "# HELP ", 7) == 0) {
            assert_int_equal(strncmp(line + 7, family, strlen(family)), 0);
        } else {
            check_sample(line, family);
            samples++;
        }
    }
    assert_true(ended);
    free(copy);
    return samples;
}

static void test_text(void **state)
{
    const cs_label labels[] = {{"route", "a \"b\"\\\n}"}, {"status", "200"}};
    const cs_op_counts ops = {.sign = 2, .prf = 1};
    cs_metrics *m = NULL;
    char *text;

    (void)state;
    assert_ok(cs_metrics_new(&m, error));
    assert_ok(cs_metrics_declare(m, CS_METRIC_COUNTER, "asked", "How\noften.", error));
    assert_ok(cs_metrics_declare(m, CS_METRIC_COUNTER, "asked", "Again.", error));
    assert_ok(cs_metrics_declare(m, CS_METRIC_GAUGE, "depth", "How deep.", error));
    assert_ok(cs_metrics_declare(m, CS_METRIC_HISTOGRAM, "took_seconds", "How long.", error));
    cs_metrics_add(m, "asked", labels, 2, 1);
    cs_metrics_add(m, "asked", labels, 2, 2);
    cs_metrics_set(m, "depth", NULL, 0, 5);
    cs_metrics_add(m, "depth", NULL, 0, -1.5);
    cs_metrics_observe(m, "took_seconds", labels + 1, 1, 0.003);
    cs_metrics_observe(m, "took_seconds", labels + 1, 1, 100);
    cs_metrics_add_token_ops(m, "search", ops);
    text = rendered(m);
    (void)check_text(text);
    assert_true(has_line(text, "# TYPE asked counter"));
    assert_true(has_line(text, "# HELP asked How\\noften."));
    assert_true(has_line(text, "asked_total{route=\"a \\\"b\\\"\\\\\\n}\",status=\"200\"} 3"));
    assert_true(has_line(text, "depth 3.5"));
    assert_true(has_line(text, "took_seconds_bucket{status=\"200\",le=\"0.0025\"} 0"));
    assert_true(has_line(text, "took_seconds_bucket{status=\"200\",le=\"0.005\"} 1"));
    assert_true(has_line(text, "took_seconds_bucket{status=\"200\",le=\"60.0\"} 1"));
    assert_true(has_line(text, "took_seconds_bucket{status=\"200\",le=\"+Inf\"} 2"));
    assert_true(has_line(text, "took_seconds_count{status=\"200\"} 2"));
    assert_true(has_line(text, "took_seconds_sum{status=\"200\"} 100.003"));
    assert_true(has_line(
        text, "chartseal_token_operations_total{procedure=\"search\",operation=\"sign\"} 2"));
    assert_null(strstr(text, "agree"));
    assert_true(has_line(text, "chartseal_metrics_dropped_total 0"));
    free(text);
    cs_metrics_free(&m);
}

static void test_what_does_not_count(void **state)
{
    const cs_label bad_name[] = {{"no good", "x"}};
    const cs_label reserved[] = {{"le", "x"}};
    char value[1000];
    const cs_label too_long[] = {{"a", value}};
    cs_metrics *m = NULL;
    char *text;

    (void)state;
    memset(value, 'x', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    assert_ok(cs_metrics_new(&m, error));
    assert_ok(cs_metrics_declare(m, CS_METRIC_COUNTER, "n", "N.", error));
    assert_fails(CS_E_USAGE, cs_metrics_declare(m, CS_METRIC_GAUGE, "n", "N.", error));
    assert_fails(CS_E_USAGE, cs_metrics_declare(m, CS_METRIC_GAUGE, "1n", "N.", error));
    assert_fails(CS_E_USAGE, cs_metrics_declare(m, CS_METRIC_GAUGE, "", "N.", error));
    assert_fails(CS_E_TOO_LARGE, cs_metrics_declare(m, CS_METRIC_GAUGE, "help", value, error));
    cs_metrics_add(m, "unknown", NULL, 0, 1);
    cs_metrics_add(m, "n", NULL, 0, -1);
    cs_metrics_set(m, "n", NULL, 0, 1);
    cs_metrics_observe(m, "n", NULL, 0, 1);
    cs_metrics_add(m, "n", bad_name, 1, 1);
    cs_metrics_add(m, "n", reserved, 1, 1);
    cs_metrics_add(m, "n", too_long, 1, 1);
    text = rendered(m);
    assert_true(has_line(text, "chartseal_metrics_dropped_total 7"));
    assert_int_equal(check_text(text), 1);
    free(text);
    for (unsigned i = 0; i < CS_METRICS_SERIES_MAX + 10; i++) {
        char number[16];
        const cs_label label[] = {{"i", number}};

        (void)snprintf(number, sizeof number, "%u", i);
        cs_metrics_add(m, "n", label, 1, 1);
    }
    text = rendered(m);
    assert_int_equal(check_text(text), CS_METRICS_SERIES_MAX);
    free(text);
    cs_metrics_free(&m);
    cs_metrics_add(NULL, "n", NULL, 0, 1);
}

static void *count(void *context)
{
    for (unsigned i = 0; i < 5000; i++)
        cs_metrics_add(context, "n", NULL, 0, 1);
    return NULL;
}

static void test_threads(void **state)
{
    cs_metrics *m = NULL;
    pthread_t threads[4];
    char *text;

    (void)state;
    assert_ok(cs_metrics_new(&m, error));
    assert_ok(cs_metrics_declare(m, CS_METRIC_COUNTER, "n", "N.", error));
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count, m), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    text = rendered(m);
    assert_true(has_line(text, "n_total 20000"));
    free(text);
    cs_metrics_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_what_does_not_count),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
