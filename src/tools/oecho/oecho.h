/* oecho.h - the two halves of oecho. Both return the exit status. */
#ifndef O7S_TOOLS_OECHO_OECHO_H
#define O7S_TOOLS_OECHO_OECHO_H

/* Sends @text to @name and prints the answer. */
int client_run(const char *name, const char *text);

/* Serves until it is asked to stop. */
int server_run(void);

#endif
