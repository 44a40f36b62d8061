/*
 * script.h - when which knob of which direction gets which value. Everything goes this way: what is set from
 * the start is due at once, and what a test says on the way is due then.
 */
#ifndef O7S_RELAY_SCRIPT_H
#define O7S_RELAY_SCRIPT_H

#include <stdint.h>

#include "knob.h"
#include "port.h"

struct entry;

struct script {
        struct entry *first; /* earliest first */
};

/*
 * @text: "ab", "ba" or "both", then KEY=VALUE words; blackout=FROM..TO (seconds) is down=1 and down=0 at
 * those times. @ns counts from the relay's start. 0, or -1 with a sentence in @why: then nothing was added.
 */
int  script_add(struct script *s, int64_t ns, const char *text, char why[WHY_MAX]);
void script_destroy(struct script *s);

/* Carries out what is due. knobs[0] is of A to B. */
void script_run(struct script *s, int64_t ns, struct knobs *const knobs[2]);

/* When there is something to do next; INT64_MAX: never. */
int64_t script_next_ns(const struct script *s);

/* "SECONDS WHICH KEY=VALUE..." and a file of such lines; "#" begins a remark. As script_add(). */
int script_add_line(struct script *s, const char *line, char why[WHY_MAX]);
int script_add_file(struct script *s, const char *path, char why[WHY_MAX]);

#endif
