/* cmd.h - the commands of irm: objects, their verbs, and what a verb is. A file for each object. */
#ifndef O7S_TOOLS_IRM_CMD_H
#define O7S_TOOLS_IRM_CMD_H

#include "irm/args.h"

/* How irm ends. */
enum { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_NO_DAEMON = 3 };

struct verb {
        const char *name; /* NULL ends a table; "": the object does without a verb */
        const char *help;
        struct form form;
        const char *example; /* a command line */

        /* Does it, with arguments that fit the form. Returns how irm ends. */
        int (*run)(const struct args *a);
};

struct object {
        const char        *name;
        const char        *help;
        const struct verb *verbs;
};

extern const struct verb ipcp_verbs[];
extern const struct verb bind_verbs[];
extern const struct verb unbind_verbs[];
extern const struct verb name_verbs[];
extern const struct verb flow_verbs[];
extern const struct verb layer_verbs[];
extern const struct verb security_verbs[];
extern const struct verb status_verbs[];

#endif
