/* oecho - sends a text to a server and prints what returns, or is that server: the simplest use. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ouroboros/version.h>

#include "oecho/oecho.h"

#define EXIT_USAGE 2

static const char help_text[] = "Usage: oecho -n NAME [TEXT]...\n"
                                "       oecho -l\n\n"
                                "Sends TEXT to a server and prints what it sends back.\n\n"
                                "  -n, --name NAME   the server\n"
                                "  -l, --listen      be the server, for any number of clients\n"
                                "      --help, --version\n\n"
                                "Exit status: 0 when an answer came, 1 when none did, 2 wrong usage.\n\n"
                                "Example: oecho -n echo.home Hello\n";

static const struct option long_options[] = {
        {"listen", no_argument, NULL, 'l'},
        {"name", required_argument, NULL, 'n'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
};

static int hint(void)
{
        fputs("Try 'oecho --help'.\n", stderr);
        return EXIT_USAGE;
}

static int wrong(const char *what)
{
        fprintf(stderr, "oecho: %s\n", what);
        return hint();
}

/* The words with a blank between them, to free(); NULL: out of memory. */
static char *join(char *const *words, int n)
{
        size_t len = 1;
        char  *text;

        for (int i = 0; i < n; i++)
                len += strlen(words[i]) + 1;
        text = calloc(1, len);
        for (int i = 0; text != NULL && i < n; i++) {
                strcat(text, i > 0 ? " " : "");
                strcat(text, words[i]);
        }
        return text;
}

static int say(const char *name, char *const *words, int n)
{
        char *text = n > 0 ? join(words, n) : strdup("Client says hi!");
        int   status;

        if (text == NULL) {
                fputs("oecho: out of memory\n", stderr);
                return EXIT_FAILURE;
        }
        status = client_run(name, text);
        free(text);
        return status;
}

int main(int argc, char **argv)
{
        const char *name   = NULL;
        bool        listen = false;
        int         opt;

        while ((opt = getopt_long(argc, argv, "ln:hV", long_options, NULL)) != -1) {
                switch (opt) {
                case 'l': listen = true; break;
                case 'n': name = optarg; break;
                case 'h': return fputs(help_text, stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
                case 'V': return puts("oecho " O7S_VERSION) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
                default: return hint();
                }
        }
        if (listen && (name != NULL || optind < argc))
                return wrong("a server (-l) takes neither a name nor a text");
        if (!listen && name == NULL)
                return wrong("either -n NAME or -l is needed");
        return listen ? server_run() : say(name, argv + optind, argc - optind);
}
