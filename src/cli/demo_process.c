/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/demo.h"

#include "service/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENTS_MAX 40
#define OUTPUT_MAX (1u << 20)
#define STOP_MS                                                                                    \
    15000 /* a service finishes what is in hand, which is bounded, and seals its audit */
#define LOOK_MS 20

static void log_path(const demo *me, const char *name, const char *suffix, char path[CS_PATH_MAX])
{
    (void)snprintf(path, CS_PATH_MAX, "%s/log/%s.%s", me->dir, name, suffix);
    for (char *c = path + strlen(me->dir); *c != '\0'; c++) {
        if (*c == ' ')
            *c = '-';
    }
}

static int open_output(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
}

/* In the child: it ends with us, takes signals as usual, and becomes the program of argv[0]. */
static void become(pid_t parent, bool aside, const char *out, const char *err, char **argv)
{
    sigset_t none;
    int input = open("/dev/null", O_RDONLY);
    int output = open_output(out);
    int errors = open_output(err);

    (void)sigemptyset(&none);
    if (aside) /* our own programs choose the modes of their files */
        (void)umask(077);
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || getppid() != parent ||
        sigprocmask(SIG_SETMASK, &none, NULL) != 0 || input < 0 || output < 0 || errors < 0 ||
        dup2(input, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
        dup2(errors, STDERR_FILENO) < 0 || (aside && setpgid(0, 0) != 0))
        _exit(CS_CATEGORY_INTERNAL);
    (void)execv(argv[0], argv);
    _exit(CS_CATEGORY_INTERNAL);
}

/* execv takes pointers that are not const, though it changes nothing. */
static int set_arguments(
    char *out[ARGUMENTS_MAX + 2], const char *program, const char *const argv[], cs_error *error)
{
    size_t n = 0;

    while (argv[n] != NULL)
        n++;
    if (n > ARGUMENTS_MAX)
        return CS_FAIL(error, CS_E_INTERNAL, "a command of %zu words is too long", n);
    memcpy(out, &program, sizeof program);
    memcpy(out + 1, argv, (n + 1) * sizeof argv[0]);
    return CS_OK;
}

static int start(demo *me, demo_child *out, const char *name, char *words[ARGUMENTS_MAX + 2],
    bool aside, cs_error *error)
{
    char out_path[CS_PATH_MAX];
    char err_path[CS_PATH_MAX];
    pid_t parent = getpid();

    *out = (demo_child){.fd = -1};
    (void)snprintf(out->name, sizeof out->name, "%s", name);
    log_path(me, name, "out", out_path);
    log_path(me, name, "err", err_path);
    out->pid = fork();
    if (out->pid == 0)
        become(parent, aside, out_path, err_path, words);
    if (out->pid < 0) {
        out->pid = 0;
        return CS_FAIL(error, CS_E_INTERNAL, "no process for %s: %s", name, strerror(errno));
    }
    out->fd = pidfd_open(out->pid, 0);
    if (out->fd < 0) {
        demo_stop(out);
        return CS_FAIL(error, CS_E_INTERNAL, "%s cannot be watched: %s", name, strerror(errno));
    }
    return CS_OK;
}

int demo_start(
    demo *me, demo_child *out, const char *name, const char *const argv[], cs_error *error)
{
    char *words[ARGUMENTS_MAX + 2];
    int rc = set_arguments(words, me->program, argv, error);

    return rc == CS_OK ? start(me, out, name, words, false, error) : rc;
}

int demo_start_aside(demo *me, demo_child *out, const char *name, const char *program,
    const char *const argv[], cs_error *error)
{
    char *words[ARGUMENTS_MAX + 2];
    int rc = set_arguments(words, program, argv, error);

    return rc == CS_OK ? start(me, out, name, words, true, error) : rc;
}

/* Collect the status of a child that has ended, or ends now. */
static void reap(demo_child *child)
{
    while (waitpid(child->pid, &child->status, 0) < 0 && errno == EINTR)
        continue;
    if (child->fd >= 0)
        (void)close(child->fd);
    child->fd = -1;
    child->pid = 0;
    child->ended = true;
}

void demo_stop(demo_child *child)
{
    cs_error ignored;

    if (child->pid <= 0)
        return;
    (void)kill(child->pid, SIGTERM);
    if (child->fd < 0 ||
        cs_wait_fd(child->fd, POLLIN, cs_deadline_in(STOP_MS), -1, &ignored) != CS_OK)
        (void)kill(child->pid, SIGKILL);
    reap(child);
}

/* -- what a child said ---------------------------------------------------------------------------
 */

int demo_answer(const demo *me, const demo_child *child, json_t **answer, cs_error *error)
{
    char path[CS_PATH_MAX];
    cs_buf text = {0};
    int rc;

    log_path(me, child->name, "out", path);
    rc = cs_file_read(&text, path, OUTPUT_MAX, error);
    if (rc == CS_OK) {
        *answer = json_loadb((const char *)text.p, text.n, 0, NULL);
        if (*answer == NULL)
            rc = CS_FAIL(error, CS_E_INTERNAL, "%s printed no JSON; see %s", child->name, path);
    }
    cs_buf_free(&text);
    return rc;
}

void demo_forget(const demo *me, const demo_child *child)
{
    char path[CS_PATH_MAX];

    log_path(me, child->name, "out", path);
    (void)unlink(path);
    log_path(me, child->name, "err", path);
    (void)unlink(path);
}

/* Where a command without --json says what is wrong. */
void demo_last_words(const demo *me, const demo_child *child, char *out, size_t size)
{
    char path[CS_PATH_MAX];
    cs_buf text = {0};
    size_t end;
    size_t start;

    (void)snprintf(out, size, "it said nothing");
    log_path(me, child->name, "err", path);
    if (cs_file_read(&text, path, OUTPUT_MAX, NULL) == CS_OK) {
        end = text.n;
        while (end > 0 && text.p[end - 1] == '\n')
            end--;
        for (start = end; start > 0 && text.p[start - 1] != '\n'; start--)
            continue;
        if (end > start)
            (void)snprintf(out, size, "%.*s", (int)(end - start), (const char *)text.p + start);
    }
    cs_buf_free(&text);
}

/* The error a child ended with: precisely, if it printed it as JSON, else by its exit status. */
static int raise_failure(const demo *me, const demo_child *child, cs_error *error)
{
    char words[CS_ERROR_MESSAGE_MAX];
    json_t *answer = NULL;
    const char *code = NULL;
    const char *message = NULL;
    int rc;

    if (WIFSIGNALED(child->status))
        return CS_FAIL(error, CS_E_INTERNAL, "%s was ended by signal %d", child->name,
            WTERMSIG(child->status));
    if (demo_answer(me, child, &answer, NULL) == CS_OK) {
        const json_t *detail = json_object_get(answer, "error");

        code = json_string_value(json_object_get(detail, "code"));
        message = json_string_value(json_object_get(detail, "message"));
    }
    if (code != NULL && message != NULL) {
        rc = CS_FAIL(error, (cs_code)cs_code_from_name(code), "%s: %s", child->name, message);
    } else {
        demo_last_words(me, child, words, sizeof words);
        rc = CS_FAIL(
            error, (cs_code)(WEXITSTATUS(child->status) * 100), "%s: %s", child->name, words);
    }
    json_decref(answer);
    return rc;
}

static int outcome(const demo *me, const demo_child *child, cs_error *error)
{
    if (WIFEXITED(child->status) && WEXITSTATUS(child->status) == 0)
        return CS_OK;
    return raise_failure(me, child, error);
}

int demo_end_service(demo *me, demo_child *child, json_t **answer, cs_error *error)
{
    int rc;

    demo_stop(child);
    rc = outcome(me, child, error);
    return rc == CS_OK ? demo_answer(me, child, answer, error) : rc;
}

/* -- waiting -------------------------------------------------------------------------------------
 */

#define SERVICES 3
#define LASTING                                                                                    \
    (SERVICES + DEMO_PARTIES + 1) /* and TPMs, which do not end by themselves either               \
                                   */

static void find_lasting(demo *me, demo_child *out[LASTING])
{
    out[0] = &me->cloud;
    out[1] = &me->hospital;
    out[2] = &me->telecare_cloud;
    for (size_t i = 0; i < LASTING - SERVICES; i++)
        out[SERVICES + i] = &me->tpms[i].child;
}

static bool is_a_service(const demo *me, const demo_child *child)
{
    return child == &me->cloud || child == &me->hospital || child == &me->telecare_cloud;
}

static int raise_end(const demo *me, const demo_child *child, cs_error *error)
{
    char words[CS_ERROR_MESSAGE_MAX];

    if (is_a_service(me, child))
        return raise_failure(me, child, error);
    demo_last_words(me, child, words, sizeof words);
    return CS_FAIL(error, CS_E_TOKEN_ABSENT, "%s has ended: %s", child->name, words);
}

/* One of the children ends (it is reaped), or timeout_ms pass (CS_OK too). A service or TPM that
 * ends, and a signal to stop, are errors. */
static int watch(
    demo *me, demo_child *const children[], size_t count, int timeout_ms, cs_error *error)
{
    demo_child *lasting[LASTING];
    struct pollfd fds[1 + LASTING + 2] = {{.fd = me->stop_fd, .events = POLLIN}};
    struct pollfd *ends = fds + 1 + LASTING;

    find_lasting(me, lasting);
    for (size_t i = 0; i < LASTING; i++)
        fds[1 + i] =
            (struct pollfd){.fd = lasting[i]->pid > 0 ? lasting[i]->fd : -1, .events = POLLIN};
    for (size_t i = 0; i < count; i++)
        ends[i] =
            (struct pollfd){.fd = children[i]->ended ? -1 : children[i]->fd, .events = POLLIN};
    if (poll(fds, 1 + LASTING + count, timeout_ms) < 0)
        return errno == EINTR ? CS_OK : CS_FAIL(error, CS_E_INTERNAL, "poll: %s", strerror(errno));
    if (fds[0].revents != 0)
        return CS_FAIL(error, CS_E_CANCELLED, "stopped; nothing is left running");
    for (size_t i = 0; i < count; i++) {
        if (ends[i].revents != 0)
            reap(children[i]);
    }
    for (size_t i = 0; i < LASTING; i++) {
        if (fds[1 + i].revents != 0) {
            reap(lasting[i]);
            return raise_end(me, lasting[i], error);
        }
    }
    return CS_OK;
}

static int time_out(const demo_child *child, cs_error *error)
{
    return CS_FAIL(error, CS_E_TIMEOUT, "%s takes too long", child->name);
}

static int left_ms(int64_t deadline)
{
    int64_t left = deadline - cs_monotonic_ms();

    return left < 0 ? 0 : (int)left;
}

int demo_wait(demo *me, demo_child *child, int timeout_ms, json_t **answer, cs_error *error)
{
    demo_child *const children[] = {child};
    int64_t deadline = cs_deadline_in(timeout_ms);
    int rc = CS_OK;

    while (rc == CS_OK && !child->ended) {
        if (left_ms(deadline) == 0)
            rc = time_out(child, error);
        else
            rc = watch(me, children, 1, left_ms(deadline), error);
    }
    demo_stop(child);
    if (rc == CS_OK)
        rc = outcome(me, child, error);
    if (rc == CS_OK && answer != NULL)
        rc = demo_answer(me, child, answer, error);
    if (rc == CS_OK)
        demo_forget(me, child);
    return rc;
}

int demo_wait_both(demo *me, demo_child *a, demo_child *b, int timeout_ms, cs_error *error)
{
    demo_child *const children[] = {a, b};
    int64_t deadline = cs_deadline_in(timeout_ms);
    int rc = CS_OK;

    while (rc == CS_OK && (!a->ended || !b->ended)) {
        if (left_ms(deadline) == 0)
            rc = time_out(a->ended ? b : a, error);
        else
            rc = watch(me, children, 2, left_ms(deadline), error);
        if (rc == CS_OK && a->ended)
            rc = outcome(me, a, error);
        if (rc == CS_OK && b->ended)
            rc = outcome(me, b, error);
    }
    demo_stop(a);
    demo_stop(b);
    return rc;
}

int demo_run(demo *me, const char *name, const char *const argv[], int timeout_ms, json_t **answer,
    cs_error *error)
{
    demo_child child;
    int rc = demo_start(me, &child, name, argv, error);

    return rc == CS_OK ? demo_wait(me, &child, timeout_ms, answer, error) : rc;
}

int demo_wait_port(demo *me, demo_child *child, const char *path, uint16_t *port, cs_error *error)
{
    bool is_service = is_a_service(me, child);
    demo_child *const children[] = {child};
    int64_t deadline = cs_deadline_in(DEMO_STEP_MS);
    int rc = CS_OK;

    for (*port = 0; rc == CS_OK && *port == 0;) {
        cs_buf text = {0};

        if (cs_file_read(&text, path, 16, NULL) == CS_OK &&
            cs_buf_append(&text, (cs_view){(const uint8_t *)"", 1}, NULL) == CS_OK)
            *port = (uint16_t)strtoul((const char *)text.p, NULL, 10);
        cs_buf_free(&text);
        if (*port == 0)
            rc = watch(me, children, is_service ? 0 : 1, LOOK_MS, error);
        if (rc == CS_OK && *port == 0 && child->ended)
            rc = WIFEXITED(child->status) && WEXITSTATUS(child->status) == 0
                     ? CS_FAIL(error, CS_E_INTERNAL, "%s ended too early", child->name)
                     : raise_failure(me, child, error);
        if (rc == CS_OK && *port == 0 && left_ms(deadline) == 0)
            rc = time_out(child, error);
    }
    return rc;
}
