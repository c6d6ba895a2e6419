/* SPDX-License-Identifier: Apache-2.0 */
/* What belongs to the process: the tokens opened, for the sake of fork, and the silence of the TSS.
 */
#include "tpm.h"

#include <stdlib.h>

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static tpm_token *tokens;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

/* The TSS writes to stderr unless this variable says otherwise, and reads it at its first message.
 * Before main no other thread can be reading the environment. */
__attribute__((constructor)) static void silence_tss(void)
{
    (void)setenv("TSS2_LOG", "all+NONE", 0);
}

/* The list is whole in the child because its lock is held over the fork. */
static void before_fork(void)
{
    (void)pthread_mutex_lock(&registry_lock);
}

static void after_fork_in_parent(void)
{
    (void)pthread_mutex_unlock(&registry_lock);
}

/* The link is the parent's: it is forgotten, not closed. */
static void after_fork_in_child(void)
{
    for (tpm_token *token = tokens; token != NULL; token = token->next) {
        if (token->busy) { /* another thread may have been half-way through fetching it */
            token->auth = NULL;
            token->auth_size = 0;
        }
        token->link = (tpm_link){.root = ESYS_TR_NONE, .session = ESYS_TR_NONE};
        tpm_hold_init(token);
    }
    tpm_auth_after_fork();
    (void)pthread_mutex_unlock(&registry_lock);
}

static void watch_forks(void)
{
    (void)pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

void tpm_registry_add(tpm_token *token)
{
    (void)pthread_once(&fork_once, watch_forks);
    (void)pthread_mutex_lock(&registry_lock);
    token->next = tokens;
    tokens = token;
    (void)pthread_mutex_unlock(&registry_lock);
}

void tpm_registry_remove(tpm_token *token)
{
    (void)pthread_mutex_lock(&registry_lock);
    for (tpm_token **p = &tokens; *p != NULL; p = &(*p)->next) {
        if (*p == token) {
            *p = token->next;
            break;
        }
    }
    (void)pthread_mutex_unlock(&registry_lock);
}
