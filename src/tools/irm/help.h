/* help.h - what irm says about itself, at each level, from the tables of cmd.h. */
#ifndef O7S_TOOLS_IRM_HELP_H
#define O7S_TOOLS_IRM_HELP_H

#include <stdio.h>

#include "irm/cmd.h"

void help_all(FILE *f, const struct object *objects);
void help_object(FILE *f, const struct object *o);
void help_verb(FILE *f, const struct object *o, const struct verb *v);

#endif
