/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_TEST_GUARDED_H
#define CHARTSEAL_TEST_GUARDED_H

/* Guarded memory is not the allocator's, so no sanitizer sees a secret that is lost there. A
 * program that is linked with --wrap for sodium's two functions counts here, and is refused some.
 */

extern long guarded_live;      /* guarded allocations that are not freed */
extern unsigned guarded_fails; /* the how manieth from now gives nothing; 0: none */

#endif
