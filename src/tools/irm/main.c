/*
 * irm - management of the IRM daemon from a command line.
 *
 *     irm OBJECT VERB [ARGUMENT]... [KEYWORD VALUE]...
 *
 * main() finds the verb that is meant in the tables of the cmd_*.c files, sorts the words behind it by the
 * verb's form (args.h) and runs it.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ouroboros/version.h>

#include "irm/cmd.h"
#include "irm/help.h"
#include "irm/match.h"
#include "irm/out.h"

/* May stand anywhere in front of "--". */
struct options {
        bool json, help, version;
};

static int run_version(const struct args *a)
{
        if (!a->json)
                puts("irm " O7S_VERSION);
        return out_done(a, json_pack("{s:s}", "version", O7S_VERSION));
}

static const struct verb version_verbs[] = {
        {.name = "", .help = "Prints the version.", .example = "irm version", .run = run_version},
        {.name = NULL},
};

static const struct object objects[] = {
        {"ipcp", "IPC processes: what carries packets, one for each layer and technology.", ipcp_verbs},
        {"bind", "Who accepts flows for a name.", bind_verbs},
        {"unbind", "Who no longer accepts flows for a name.", unbind_verbs},
        {"name", "Names of services, and the layers where they can be reached.", name_verbs},
        {"flow", "Flows between programs.", flow_verbs},
        {"layer", "Layers that this host is a member of.", layer_verbs},
        {"security", "Credentials and policy: who this host is, and whom it trusts.", security_verbs},
        {"status", "How the daemon is.", status_verbs},
        {"version", "The version of irm.", version_verbs},
        {"help", "'irm help OBJECT VERB' is 'irm OBJECT VERB --help'.", NULL},
        {NULL, NULL, NULL},
};

/* -- wrong usage ----------------------------------------------------------- */

/* Says what is wrong with the words, and where to read about @of ("" or " name create"). */
static int wrong(const char *of, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int wrong(const char *of, const char *fmt, ...)
{
        va_list ap;

        fprintf(stderr, "irm%s: ", of);
        va_start(ap, fmt);
        vfprintf(stderr, fmt, ap);
        va_end(ap);
        fprintf(stderr, "\nTry 'irm%s --help'.\n", of);
        return EXIT_USAGE;
}

static int wrong_word(const char *of, const char *what, const struct match *m)
{
        if (m->other != NULL)
                return wrong(of, "'%s' could be '%s' or '%s'", m->typed, m->word, m->other);
        if (m->typed[0] == '-')
                return wrong(of, "there is no option '%s'", m->typed);
        if (m->near != NULL)
                return wrong(of, "there is no %s '%s': did you mean '%s'?", what, m->typed, m->near);
        return wrong(of, "there is no %s '%s'", what, m->typed);
}

/* -- finding and running a verb -------------------------------------------- */

static int run_verb(const struct object *o, const struct verb *v, char **words, size_t n, bool json)
{
        struct args a = {.json = json};
        int         status, ret = args_parse(&a, &v->form, words, n);
        char        of[64];

        snprintf(of, sizeof(of), " %s%s%s", o->name, v->name[0] != '\0' ? " " : "", v->name);
        if (ret == 0)
                status = v->run(&a);
        else if (a.fault != NULL)
                status = wrong(of, "%s", a.fault);
        else
                status = out_refused(ret, "read the arguments");
        args_fini(&a);
        return status;
}

/* The verb of @o that @word means, or NULL, after saying so. */
static const struct verb *find_verb(const struct object *o, const char *of, const char *word)
{
        struct match m;

        match_init(&m, word);
        for (size_t i = 0; o->verbs[i].name != NULL; i++)
                match_offer(&m, o->verbs[i].name, i);
        if (match_found(&m))
                return &o->verbs[m.index];
        wrong_word(of, "verb", &m);
        return NULL;
}

/* @words begin with the verb, unless the object does without. */
static int run_object(const struct object *o, char **words, size_t n, const struct options *opts)
{
        const struct verb *v     = o->verbs;
        bool               plain = v->name[0] == '\0';
        char               of[64];

        snprintf(of, sizeof(of), " %s", o->name);
        if (!plain && n == 0 && !opts->help)
                return wrong(of, "a verb is missing");
        if (!plain && n > 0)
                v = find_verb(o, of, *words++);
        if (v == NULL)
                return EXIT_USAGE;
        if (!opts->help)
                return run_verb(o, v, words, plain ? n : n - 1, opts->json);
        if (plain || n > 0)
                help_verb(stdout, o, v);
        else
                help_object(stdout, o);
        return EXIT_DONE;
}

static int run(char **words, size_t n, struct options opts)
{
        struct match m;

        if (opts.version)
                return run_version(&(struct args){.json = opts.json});
        if (n == 0) {
                help_all(opts.help ? stdout : stderr, objects);
                return opts.help ? EXIT_DONE : EXIT_USAGE;
        }
        match_init(&m, words[0]);
        for (size_t i = 0; objects[i].name != NULL; i++)
                match_offer(&m, objects[i].name, i);
        if (!match_found(&m))
                return wrong_word("", "object", &m);
        if (objects[m.index].verbs != NULL)
                return run_object(&objects[m.index], words + 1, n - 1, &opts);
        opts.help = true; /* the word help */
        return run(words + 1, n - 1, opts);
}

/* Takes the options out of @words; returns how many are left. */
static size_t take_options(char **words, size_t n, struct options *opts)
{
        const struct {
                const char *word;
                bool       *flag;
        } known[] = {
                {"--json", &opts->json},       {"--help", &opts->help}, {"-h", &opts->help},
                {"--version", &opts->version}, {"-V", &opts->version},
        };
        size_t left = 0;

        for (size_t i = 0; i < n; i++) {
                bool taken = false;

                if (strcmp(words[i], "--") == 0) {
                        memmove(words + left, words + i, (n - i) * sizeof(*words));
                        return left + n - i;
                }
                for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++)
                        if (strcmp(words[i], known[k].word) == 0)
                                *known[k].flag = taken = true;
                if (!taken)
                        words[left++] = words[i];
        }
        return left;
}

int main(int argc, char **argv)
{
        struct options opts   = {0};
        size_t         n      = take_options(argv + 1, argc > 0 ? (size_t)argc - 1 : 0, &opts);
        int            status = run(argv + 1, n, opts);

        if (fflush(stdout) == 0 && !ferror(stdout))
                return status;
        fprintf(stderr, "irm: cannot write the output: %s\n", strerror(errno));
        return EXIT_REFUSED;
}
