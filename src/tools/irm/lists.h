/* lists.h - what irmd lists, and choosing from it by name or by shell pattern. */
#ifndef O7S_TOOLS_IRM_LISTS_H
#define O7S_TOOLS_IRM_LISTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include <ouroboros/ipcp.h>

#include "irm/client.h"

/* Whether @s is meant as a pattern ("*", "?", "[a-c]", "\" in front of a letter that is none). */
bool list_is_pattern(const char *s);

/* Whether @pattern is @s or matches it. NULL matches all. */
bool list_match(const char *pattern, const char *s);

/* The IPCP called @name. 0, -EIPCP when there is none, or as irm_list_ipcps(). */
int list_find_ipcp(const char *name, struct ipcp_list_info *ipcp);

/*
 * An array of objects as `irm --json name list` and `irm --json flow list` print it; of flows only @flow_id, unless
 * that is 0. 0 or a negative code.
 */
int list_names(const char *pattern, json_t **rows);
int list_flows(uint64_t flow_id, json_t **rows);

/* The like of anything: asks @req, whose answers @fn adds to the array that it gets as its context. */
int list_fetch(const Irm__Request *req, irm_answer_fn *fn, json_t **rows);

/* One of those rows, of an entry of irmd's. A new reference; NULL: out of memory. */
json_t *list_flow_row(const Irm__FlowEntry *e);

/*
 * Those names that a user means: all that a pattern matches, or just the one, known or not (irmd has its say
 * about that). -ENAME: a pattern that matches none.
 */
int list_meant_names(const char *meant, json_t **rows);

/* Whether the list @key of the object @row has the string @s. */
bool list_row_has(const json_t *row, const char *key, const char *s);

/* The string @key of the object @row. */
const char *list_row_text(const json_t *row, const char *key);

#endif
