#include "irm/help.h"

#include <stdbool.h>
#include <string.h>

/* Between a term and what it means, on lines that list several. */
#define TERM_COLUMNS   24
#define OBJECT_COLUMNS 9

static void term(FILE *f, const char *word, const char *value, const char *help)
{
        int n = fprintf(f, "  %s%s%s", word, value != NULL ? " " : "", value != NULL ? value : "");

        if (n > TERM_COLUMNS) {
                fputc('\n', f);
                n = 0;
        }
        fprintf(f, "%*s%s\n", TERM_COLUMNS + 2 - n, "", help);
}

static void options(FILE *f)
{
        fputs("\nOptions:\n", f);
        term(f, "--json", NULL, "print the result as JSON");
        term(f, "--help", NULL, "print this text");
}

/* An object with its verbs, and what it is. */
static void object(FILE *f, const struct object *o)
{
        fprintf(f, "  %s", o->name);
        if (o->verbs != NULL && o->verbs[0].name[0] != '\0')
                fprintf(f, "%*s", OBJECT_COLUMNS - (int)strlen(o->name), "");
        for (const struct verb *v = o->verbs; v != NULL && v->name != NULL; v++)
                fprintf(f, "%s%s", v == o->verbs ? "" : " ", v->name);
        fprintf(f, "\n  %*s%s\n", OBJECT_COLUMNS, "", o->help);
}

void help_all(FILE *f, const struct object *objects)
{
        fputs("Usage: irm OBJECT VERB [ARGUMENT]... [KEYWORD VALUE]...\n\n"
              "Manages what the IRM daemon of this host has: IPCPs, names, bindings and flows.\n\n"
              "Objects and their verbs:\n",
              f);
        for (const struct object *o = objects; o->name != NULL; o++)
                object(f, o);
        options(f);
        term(f, "--version", NULL, "print the version");
        fputs("\nObjects, verbs and keywords may be shortened while they stay unambiguous: irm n l.\n"
              "'irm OBJECT --help' and 'irm OBJECT VERB --help' say more.\n\n"
              "Exit status: 0 done, 1 refused, 2 wrong usage, 3 the daemon is not reachable.\n\n"
              "Example: irm ipcp bootstrap name local type local layer home\n",
              f);
}

void help_object(FILE *f, const struct object *o)
{
        fprintf(f, "Usage: irm %s VERB [ARGUMENT]... [KEYWORD VALUE]...\n\n%s\n\nVerbs:\n", o->name, o->help);
        for (const struct verb *v = o->verbs; v->name != NULL; v++)
                term(f, v->name, NULL, v->help);
        options(f);
        fprintf(f, "\nExample: %s\n", o->verbs[0].example);
}

/* "name N", in brackets when it may be left out. */
static void usage_key(FILE *f, const struct key *k)
{
        bool needed = (k->opts & KEY_NEEDED) != 0;

        fprintf(f, " %s%s", needed ? "" : "[", k->name);
        if (k->value != NULL)
                fprintf(f, " %s", strchr(k->value, '|') != NULL ? "X" : k->value);
        fprintf(f, "%s%s", needed ? "" : "]", (k->opts & KEY_REPEAT) != 0 ? "..." : "");
}

static void usage(FILE *f, const struct object *o, const struct verb *v)
{
        fprintf(f, "Usage: irm %s", o->name);
        if (v->name[0] != '\0')
                fprintf(f, " %s", v->name);
        if (v->form.operand.name != NULL)
                usage_key(f, &v->form.operand);
        for (const struct key *k = v->form.keys; k != NULL && k->name != NULL; k++)
                usage_key(f, k);
        if (v->form.rest.name != NULL)
                fprintf(f, " [-- %s...]", v->form.rest.name);
        fputc('\n', f);
}

void help_verb(FILE *f, const struct object *o, const struct verb *v)
{
        const struct form *form = &v->form;

        usage(f, o, v);
        fprintf(f, "\n%s\n", v->help);
        if (form->operand.name != NULL || form->keys != NULL)
                fputs("\nArguments:\n", f);
        if (form->operand.name != NULL)
                term(f, form->operand.name, NULL, form->operand.help);
        for (const struct key *k = form->keys; k != NULL && k->name != NULL; k++)
                term(f, k->name, k->value, k->help);
        if (form->rest.name != NULL)
                term(f, "--", form->rest.name, form->rest.help);
        options(f);
        fprintf(f, "\nExample: %s\n", v->example);
}
