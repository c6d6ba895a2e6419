/* SPDX-License-Identifier: Apache-2.0 */
#include "token/pin_hold.h"

#include <chartseal/secret.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The clock that goes on while a machine sleeps cannot be waited for: it is looked at so often. */
#define LOOK_MS 30000

struct cs_held_pin {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    cs_pin_hold policy;
    cs_pin pin; /* text NULL: none is held */
    uint8_t owner[CS_PIN_OWNER_MAX];
    size_t owner_size;
    unsigned left;
    int64_t until_ms;
    pthread_t watcher;
    bool watched, leaving;
};

static int64_t clock_ms(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A visit, too, has an end: nobody's PIN stays for days because a patient did not come. */
static unsigned most_uses(const cs_pin_hold *policy)
{
    return policy->kind == CS_PIN_HOLD_VISIT ? CS_PIN_HOLD_USES_MAX : policy->uses;
}

static unsigned most_seconds(const cs_pin_hold *policy)
{
    return policy->kind == CS_PIN_HOLD_VISIT ? CS_PIN_HOLD_SECONDS_MAX : policy->seconds;
}

int cs_pin_hold_check(const cs_pin_hold *policy, cs_error *error)
{
    switch (policy->kind) {
    case CS_PIN_HOLD_EACH:
    case CS_PIN_HOLD_VISIT:
        return CS_OK;
    case CS_PIN_HOLD_COUNTED:
        if (policy->uses >= 1 && policy->uses <= CS_PIN_HOLD_USES_MAX && policy->seconds >= 1 &&
            policy->seconds <= CS_PIN_HOLD_SECONDS_MAX)
            return CS_OK;
        break;
    default:
        break;
    }
    return CS_FAIL(error, CS_E_USAGE,
        "a PIN is held for 1 to %d signatures and for at most %d minutes", CS_PIN_HOLD_USES_MAX,
        CS_PIN_HOLD_SECONDS_MAX / 60);
}

/* Digits alone, four at most. */
static const char *take_number(unsigned *out, const char *text)
{
    const char *begun = text;

    for (*out = 0; *text >= '0' && *text <= '9' && text - begun < 4; text++)
        *out = *out * 10 + (unsigned)(*text - '0');
    return text == begun ? NULL : text;
}

int cs_pin_hold_parse(cs_pin_hold *out, const char *text, const char *where, cs_error *error)
{
    unsigned uses = 0, minutes = 0;
    const char *rest;

    *out = (cs_pin_hold){.kind = CS_PIN_HOLD_EACH};
    if (strcmp(text, "each") == 0)
        return CS_OK;
    out->kind = strcmp(text, "visit") == 0 ? CS_PIN_HOLD_VISIT : CS_PIN_HOLD_COUNTED;
    if (out->kind == CS_PIN_HOLD_VISIT)
        return CS_OK;
    rest = take_number(&uses, text);
    rest = rest != NULL && *rest == '/' ? take_number(&minutes, rest + 1) : NULL;
    if (rest == NULL || *rest != '\0')
        return CS_FAIL(error, CS_E_USAGE,
            "%s is each, visit, or N/T: N signatures within T minutes, such as 8/60", where);
    out->uses = uses;
    out->seconds = minutes * 60;
    return cs_pin_hold_check(out, error) == CS_OK ? CS_OK
                                                  : cs_error_context(error, "%s: %s", where, text);
}

void cs_pin_hold_text(const cs_pin_hold *policy, char *out, size_t size)
{
    out[0] = '\0';
    if (policy->kind == CS_PIN_HOLD_VISIT)
        (void)snprintf(out, size, "; held until this visit is over");
    else if (policy->kind == CS_PIN_HOLD_COUNTED)
        (void)snprintf(out, size, "; held for up to %u signatures within %u minutes", policy->uses,
            (policy->seconds + 59) / 60);
}

/* The lock is held. */
static void wipe(cs_held_pin *held)
{
    cs_pin_free(&held->pin);
    held->left = 0;
    held->owner_size = 0;
}

static void *watch(void *context)
{
    cs_held_pin *held = context;

    (void)pthread_mutex_lock(&held->lock);
    while (!held->leaving) {
        int64_t left_ms = held->until_ms - clock_ms(CLOCK_BOOTTIME), at_ms;
        struct timespec at;

        if (held->pin.text == NULL) {
            (void)pthread_cond_wait(&held->changed, &held->lock);
            continue;
        }
        if (left_ms <= 0) {
            wipe(held);
            continue;
        }
        at_ms = clock_ms(CLOCK_MONOTONIC) + (left_ms < LOOK_MS ? left_ms : LOOK_MS);
        at = (struct timespec){.tv_sec = at_ms / 1000, .tv_nsec = at_ms % 1000 * 1000000};
        (void)pthread_cond_clockwait(&held->changed, &held->lock, CLOCK_MONOTONIC, &at);
    }
    (void)pthread_mutex_unlock(&held->lock);
    return NULL;
}

/* The lock is held. Signals are for the program's own threads. */
static bool start_watching(cs_held_pin *held)
{
    sigset_t all, before;

    if (held->watched)
        return true;
    (void)sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
        return false;
    held->watched = pthread_create(&held->watcher, NULL, watch, held) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return held->watched;
}

int cs_held_pin_new(cs_held_pin **out, const cs_pin_hold *policy, cs_error *error)
{
    cs_held_pin *held;
    int rc = cs_pin_hold_check(policy, error);

    *out = NULL;
    if (rc != CS_OK)
        return rc;
    held = calloc(1, sizeof *held);
    if (held == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory to hold a PIN");
    held->policy = *policy;
    (void)pthread_mutex_init(&held->lock, NULL);
    (void)pthread_cond_init(&held->changed, NULL);
    *out = held;
    return CS_OK;
}

void cs_held_pin_free(cs_held_pin **out)
{
    cs_held_pin *held = *out;

    *out = NULL;
    if (held == NULL)
        return;
    (void)pthread_mutex_lock(&held->lock);
    wipe(held);
    held->leaving = true;
    (void)pthread_cond_signal(&held->changed);
    (void)pthread_mutex_unlock(&held->lock);
    if (held->watched)
        (void)pthread_join(held->watcher, NULL);
    (void)pthread_cond_destroy(&held->changed);
    (void)pthread_mutex_destroy(&held->lock);
    free(held);
}

void cs_held_pin_keep(cs_held_pin *held, const cs_pin *pin, cs_view owner, unsigned used)
{
    (void)pthread_mutex_lock(&held->lock);
    wipe(held);
    if (most_uses(&held->policy) <= used || owner.n > sizeof held->owner || pin->n > CS_PIN_MAX ||
        !start_watching(held))
        goto out;
    held->pin.text = cs_secret_new(CS_PIN_MAX);
    if (held->pin.text == NULL)
        goto out;
    memcpy(held->pin.text, pin->text, pin->n);
    held->pin.n = pin->n;
    memcpy(held->owner, owner.p, owner.n);
    held->owner_size = owner.n;
    held->left = most_uses(&held->policy) - used;
    held->until_ms = clock_ms(CLOCK_BOOTTIME) + (int64_t)most_seconds(&held->policy) * 1000;
    (void)pthread_cond_signal(&held->changed);
out:
    (void)pthread_mutex_unlock(&held->lock);
}

/* The lock is held. */
static bool may_take(const cs_held_pin *held, cs_view owner)
{
    return held->pin.text != NULL && held->left > 0 && clock_ms(CLOCK_BOOTTIME) < held->until_ms &&
           cs_view_equal(owner, (cs_view){held->owner, held->owner_size});
}

bool cs_held_pin_is(cs_held_pin *held, cs_view owner)
{
    bool is;

    (void)pthread_mutex_lock(&held->lock);
    is = may_take(held, owner);
    (void)pthread_mutex_unlock(&held->lock);
    return is;
}

bool cs_held_pin_take(cs_held_pin *held, cs_pin *out, cs_view owner)
{
    bool good;

    *out = (cs_pin){0};
    (void)pthread_mutex_lock(&held->lock);
    if (may_take(held, owner))
        out->text = cs_secret_new(CS_PIN_MAX);
    good = out->text != NULL;
    if (good) {
        memcpy(out->text, held->pin.text, held->pin.n);
        out->n = held->pin.n;
        held->left--;
    }
    if (!good || held->left == 0)
        wipe(held);
    (void)pthread_mutex_unlock(&held->lock);
    return good;
}

void cs_held_pin_forget(cs_held_pin *held)
{
    (void)pthread_mutex_lock(&held->lock);
    wipe(held);
    (void)pthread_mutex_unlock(&held->lock);
}

void cs_held_pin_end_visit(cs_held_pin *held)
{
    if (held->policy.kind == CS_PIN_HOLD_VISIT)
        cs_held_pin_forget(held);
}

void cs_held_pin_before_fork(cs_held_pin *held)
{
    (void)pthread_mutex_lock(&held->lock);
}

/* The child has no watcher, and its condition may be one that the parent's waits for. */
void cs_held_pin_after_fork(cs_held_pin *held, bool child)
{
    if (child) {
        wipe(held);
        held->watched = false;
        (void)pthread_cond_init(&held->changed, NULL);
    }
    (void)pthread_mutex_unlock(&held->lock);
}
