/* SPDX-License-Identifier: Apache-2.0 */
/* The registry: modules loaded by this process, and the tokens opened, for the sake of fork. */
#include "p11.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
    pthread_mutex_t lock; /* of all but the tokens; held while a module is loaded */
    p11_module *modules;
    pthread_mutex_t tokens_lock;
    p11_token *tokens;
    CK_FUNCTION_LIST **configured; /* p11-kit's list; NULL until it is wanted */
    pid_t configured_pid;
} registry = {.lock = PTHREAD_MUTEX_INITIALIZER, .tokens_lock = PTHREAD_MUTEX_INITIALIZER};

static pthread_mutex_t scan_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

/* The list of tokens is whole in the child because its lock is held over the fork. The other lock
 * is not: a module may fork while it is loaded (p11-kit's remote ones do). */
static void before_fork(void)
{
    (void)pthread_mutex_lock(&registry.tokens_lock);
    for (p11_token *token = registry.tokens; token != NULL; token = token->next)
        cs_held_pin_before_fork(token->base.held);
}

static void after_fork_in_parent(void)
{
    for (p11_token *token = registry.tokens; token != NULL; token = token->next)
        cs_held_pin_after_fork(token->base.held, false);
    (void)pthread_mutex_unlock(&registry.tokens_lock);
}

/* Sessions and handles are the parent's: they are forgotten, not closed. */
static void after_fork_in_child(void)
{
    for (p11_token *token = registry.tokens; token != NULL; token = token->next)
        p11_pool_after_fork(token);
    for (p11_module *module = registry.modules; module != NULL; module = module->next)
        (void)pthread_mutex_init(&module->claims_lock, NULL);
    p11_login_after_fork();
    (void)pthread_mutex_init(&registry.lock, NULL);
    (void)pthread_mutex_init(&scan_lock, NULL);
    (void)pthread_mutex_unlock(&registry.tokens_lock);
}

static void watch_forks(void)
{
    (void)pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

void p11_scan_begin(void)
{
    (void)pthread_once(&fork_once, watch_forks);
    (void)pthread_mutex_lock(&scan_lock);
}

void p11_scan_end(void)
{
    (void)pthread_mutex_unlock(&scan_lock);
}

void p11_registry_add(p11_token *token)
{
    (void)pthread_once(&fork_once, watch_forks);
    (void)pthread_mutex_lock(&registry.tokens_lock);
    token->next = registry.tokens;
    registry.tokens = token;
    (void)pthread_mutex_unlock(&registry.tokens_lock);
}

void p11_registry_remove(p11_token *token)
{
    (void)pthread_mutex_lock(&registry.tokens_lock);
    for (p11_token **p = &registry.tokens; *p != NULL; p = &(*p)->next) {
        if (*p == token) {
            *p = token->next;
            break;
        }
    }
    (void)pthread_mutex_unlock(&registry.tokens_lock);
}

/* The lock is held. Takes over `functions` only when it succeeds. */
static int enter(p11_module **out, CK_FUNCTION_LIST *functions, const char *path, bool configured,
    cs_error *error)
{
    p11_module *module = calloc(1, sizeof *module);

    if (module == NULL)
        return CS_FAIL(error, CS_E_MEMORY, "no memory for a PKCS#11 module");
    module->functions = functions;
    (void)snprintf(module->path, sizeof module->path, "%s", path);
    module->configured = configured;
    module->pid = getpid();
    (void)pthread_mutex_init(&module->claims_lock, NULL);
    module->next = registry.modules;
    registry.modules = module;
    *out = module;
    return CS_OK;
}

static int load(p11_module **out, const char *path, cs_error *error)
{
    CK_FUNCTION_LIST *functions;
    CK_RV rv;
    int rc;

    if (strlen(path) >= sizeof(*out)->path)
        return CS_FAIL(error, CS_E_USAGE, "the module's path is too long");
    functions = p11_kit_module_load(path, 0);
    if (functions == NULL)
        return CS_FAIL(error, CS_E_TOKEN_ABSENT,
            "PKCS#11 module %s does not load; check the path and that its package is installed",
            path);
    rv = p11_kit_module_initialize(functions);
    if (rv != CKR_OK) {
        p11_kit_module_release(functions);
        return CS_FAIL(error, CS_E_TOKEN,
            "module %s: C_Initialize: %s; check its configuration, and for cards that pcscd runs",
            path, p11_rv_name(rv));
    }
    rc = enter(out, functions, path, false, error);
    if (rc != CS_OK) {
        (void)p11_kit_module_finalize(functions);
        p11_kit_module_release(functions);
    }
    return rc;
}

/* The lock is held. */
static int get_locked(p11_module **out, const char *path, cs_error *error)
{
    for (p11_module *module = registry.modules; module != NULL; module = module->next) {
        if (strcmp(module->path, path) == 0) {
            *out = module;
            return CS_OK;
        }
    }
    return load(out, path, error);
}

int p11_module_get(p11_module **out, const char *path, cs_error *error)
{
    int rc;

    (void)pthread_mutex_lock(&registry.lock);
    rc = get_locked(out, path, error);
    if (rc == CS_OK)
        (*out)->users++;
    (void)pthread_mutex_unlock(&registry.lock);
    if (rc != CS_OK)
        return rc;
    rc = p11_module_revive(*out, error);
    if (rc != CS_OK)
        p11_module_put(*out);
    return rc;
}

void p11_module_hold(p11_module *module)
{
    (void)pthread_mutex_lock(&registry.lock);
    module->users++;
    (void)pthread_mutex_unlock(&registry.lock);
}

/* It stays loaded until the shutdown: loading costs much, and some modules cannot do it twice. */
void p11_module_put(p11_module *module)
{
    (void)pthread_mutex_lock(&registry.lock);
    module->users--;
    (void)pthread_mutex_unlock(&registry.lock);
}

/* A module may be finalised under us, by other code in the process that has it, too. Its
 * initialisation is counted by p11-kit, which has to be told to begin anew. */
static bool has_lost_itself(p11_module *module)
{
    CK_INFO info;

    return module->functions->C_GetInfo(&info) == CKR_CRYPTOKI_NOT_INITIALIZED;
}

int p11_module_revive(p11_module *module, cs_error *error)
{
    bool inherited;
    CK_RV rv = CKR_OK;

    (void)pthread_mutex_lock(&registry.lock);
    inherited = module->pid != getpid();
    if (inherited || has_lost_itself(module)) {
        if (!inherited)
            (void)p11_kit_module_finalize(module->functions);
        rv = p11_kit_module_initialize(module->functions);
        if (rv == CKR_CRYPTOKI_ALREADY_INITIALIZED)
            rv = CKR_OK;
        if (rv == CKR_OK) {
            module->pid = getpid();
            p11_claims_forget(module);
        }
    }
    (void)pthread_mutex_unlock(&registry.lock);
    return rv == CKR_OK ? CS_OK : p11_fail_module(module, "C_Initialize", rv, error);
}

/* The lock is held. */
static int load_configured(cs_error *error)
{
    int rc = CS_OK;

    if (registry.configured != NULL)
        return CS_OK;
    registry.configured = p11_kit_modules_load_and_initialize(0);
    if (registry.configured == NULL)
        return CS_FAIL(error, CS_E_TOKEN_ABSENT,
            "the configured PKCS#11 modules do not load; check `p11-kit list-modules`, or give "
            "module-path in the URI");
    registry.configured_pid = getpid();
    for (size_t i = 0; rc == CS_OK && registry.configured[i] != NULL; i++) {
        char *path = p11_kit_module_get_filename(registry.configured[i]);
        p11_module *module;

        rc = enter(&module, registry.configured[i], path == NULL ? "" : path, true, error);
        free(path);
    }
    return rc;
}

int p11_module_each(const char *path, p11_module_fn fn, void *context, cs_error *error)
{
    p11_module *module;
    int rc;

    if (path != NULL) {
        rc = p11_module_get(&module, path, error);
        if (rc != CS_OK)
            return rc;
        rc = fn(context, module, error);
        p11_module_put(module);
        return rc;
    }
    (void)pthread_mutex_lock(&registry.lock);
    rc = load_configured(error);
    module = registry.modules;
    (void)pthread_mutex_unlock(&registry.lock);
    /* modules are only ever put before the head, and go at the shutdown alone */
    for (; rc == CS_OK && module != NULL; module = module->next) {
        if (!module->configured)
            continue;
        rc = p11_module_revive(module, error);
        if (rc == CS_OK)
            rc = fn(context, module, error);
    }
    return rc;
}

static void forget_configured(void)
{
    if (registry.configured != NULL && registry.configured_pid == getpid())
        p11_kit_modules_finalize_and_release(registry.configured);
    registry.configured = NULL;
}

/* What the parent of a fork loaded, and this process never used, is left alone. */
void cs_pkcs11_shutdown(void)
{
    bool configured_in_use = false;
    p11_module **p;

    (void)pthread_mutex_lock(&registry.lock);
    for (p11_module *module = registry.modules; module != NULL; module = module->next)
        configured_in_use = configured_in_use || (module->configured && module->users > 0);
    for (p = &registry.modules; *p != NULL;) {
        p11_module *module = *p;

        if (module->users > 0 || (module->configured && configured_in_use)) {
            p = &module->next;
            continue;
        }
        *p = module->next;
        if (!module->configured && module->pid == getpid()) {
            (void)p11_kit_module_finalize(module->functions);
            p11_kit_module_release(module->functions);
        }
        p11_claims_forget(module);
        (void)pthread_mutex_destroy(&module->claims_lock);
        free(module);
    }
    if (!configured_in_use)
        forget_configured();
    (void)pthread_mutex_unlock(&registry.lock);
}
