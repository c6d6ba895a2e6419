/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CHARTSEAL_TEST_TREE_H
#define CHARTSEAL_TEST_TREE_H

/* Removes a directory with all that is in it. 0, or -1. */
int remove_tree(const char *path);

#endif
