#include "irm/cmd.h"

#include <stdio.h>
#include <string.h>

#include <ouroboros/errno.h>

#include "irm/client.h"
#include "irm/lists.h"
#include "irm/out.h"

/* -- show ------------------------------------------------------------------ */

/* The name of the rule for all that have none of their own. */
static char *show_name(const json_t *name)
{
        return strdup(json_string_length(name) > 0 ? json_string_value(name) : "(others)");
}

static char *show_file(const json_t *file)
{
        return strdup(json_string_length(file) > 0 ? json_string_value(file) : "(built in)");
}

static char *show_allow(const json_t *allow)
{
        if (!json_is_array(allow))
                return strdup("everybody");
        return json_array_size(allow) > 0 ? out_list(allow) : strdup("nobody");
}

static const struct column list_columns[] = {
        {"NAME", "name", show_name},
        {"ROLE", "role", NULL},
        {"KEY", "key", NULL},
        {"EXPIRES", "expires", out_date},
        {"ENCRYPTION", "encryption", out_yes},
        {"AUTHENTICATION", "authentication", NULL},
        {"SUITES", "suites", NULL},
        {"RULE", "file", show_file},
        {"SUBJECT", "subject", NULL},
        {"FAULT", "fault", NULL},
        {NULL, NULL, NULL},
};

static const struct column show_columns[] = {
        {"name", "name", show_name},
        {"role", "role", NULL},
        {"key", "key", NULL},
        {"subject", "subject", NULL},
        {"serial", "serial", NULL},
        {"expires", "expires", out_date},
        {"stale", "stale", out_yes},
        {"fault", "fault", NULL},
        {"rule", "file", show_file},
        {"encryption", "encryption", out_yes},
        {"authentication", "authentication", NULL},
        {"suites", "suites", NULL},
        {"allow", "allow", show_allow},
        {"deny", "deny", NULL},
        {"first data", "first_data", NULL},
        {"local", "local", NULL},
        {NULL, NULL, NULL},
};

/* null: there is no such list, and everybody may connect; an empty one lets nobody. */
static json_t *allowed(const Irm__SecurityEntry *e)
{
        return e->has_allow ? out_texts(e->allow, e->n_allow) : json_null();
}

static json_t *credentials(const Irm__SecurityEntry *e)
{
        return json_pack("{s:o, s:s, s:o, s:o, s:o, s:I, s:b, s:o}", "name", out_text(e->name), "role",
                         e->client ? "client" : "server", "key", out_text(e->key), "subject",
                         out_text(e->subject), "serial", out_text(e->serial), "expires",
                         (json_int_t)e->expires, "stale", (int)e->stale, "fault", out_text(e->fault));
}

static json_t *rule(const Irm__SecurityEntry *e)
{
        return json_pack("{s:o, s:b, s:o, s:o, s:o, s:o, s:s, s:s}", "file", out_text(e->file), "encryption",
                         (int)e->encryption, "authentication", out_text(e->authentication), "suites",
                         out_texts(e->suites, e->n_suites), "allow", allowed(e), "deny",
                         out_texts(e->deny, e->n_deny), "first_data", e->hold ? "confirmed" : "now", "local",
                         e->local_as_remote ? "as-remote" : "kernel");
}

static json_t *entry_row(const Irm__SecurityEntry *e)
{
        json_t *row = credentials(e), *r = rule(e);

        if (r == NULL || json_object_update(row, r) < 0) {
                json_decref(row);
                row = NULL;
        }
        json_decref(r);
        return row;
}

static int on_entries(void *rows, const Irm__Reply *reply)
{
        if (reply->body_case != IRM__REPLY__BODY_SECURITY)
                return -EPROTO;
        for (size_t i = 0; i < reply->security->n_entry; i++)
                if (json_array_append_new(rows, entry_row(reply->security->entry[i])) < 0)
                        return -ENOMEM;
        return 0;
}

/* People get what one name has line by line; programs always an array. */
static int print_rows(const struct args *a, json_t *rows)
{
        int status = EXIT_DONE;

        if (a->operand == NULL || a->json)
                return out_rows(a, rows, a->operand == NULL ? list_columns : show_columns);
        for (size_t i = 0; i < json_array_size(rows) && status == EXIT_DONE; i++) {
                if (i > 0)
                        putchar('\n');
                status = out_object(a, json_incref(json_array_get(rows, i)), show_columns);
        }
        json_decref(rows);
        return status;
}

static int run_show(const struct args *a)
{
        Irm__SecurityShow m = IRM__SECURITY_SHOW__INIT;
        json_t           *rows;
        int               ret = a->operand != NULL ? irm_check_name("name", a->operand) : 0;

        if (a->operand != NULL)
                m.name = (char *)a->operand;
        if (ret == 0)
                ret = list_fetch(&IRM_REQUEST(SECURITY_SHOW, security_show, &m), on_entries, &rows);
        if (ret == 0)
                return print_rows(a, rows);
        if (a->operand == NULL)
                return out_refused(ret, "show the credentials");
        return out_refused(ret, "show the credentials of '%s'", a->operand);
}

/* -- check ----------------------------------------------------------------- */

static int append(json_t *object, const char *key, char *const *texts, size_t n)
{
        json_t *more = out_texts(texts, n);
        int     ret  = more != NULL ? json_array_extend(json_object_get(object, key), more) : -1;

        json_decref(more);
        return ret;
}

static int on_faults(void *object, const Irm__Reply *reply)
{
        const Irm__SecurityFaults *f = reply->security_faults;

        if (reply->body_case != IRM__REPLY__BODY_SECURITY_FAULTS)
                return -EPROTO;
        if (append(object, "faults", f->fault, f->n_fault) < 0 ||
            append(object, "notes", f->note, f->n_note) < 0)
                return -ENOMEM;
        return 0;
}

static void print_texts(const char *what, const json_t *texts)
{
        for (size_t i = 0; i < json_array_size(texts); i++)
                printf("%s: %s\n", what, json_string_value(json_array_get(texts, i)));
}

static int run_check(const struct args *a)
{
        Irm__SecurityCheck m      = IRM__SECURITY_CHECK__INIT;
        json_t            *object = json_pack("{s:[], s:[]}", "faults", "notes");
        int                status, ret = object != NULL ? 0 : -ENOMEM;

        if (ret == 0)
                ret = irm_call(&IRM_REQUEST(SECURITY_CHECK, security_check, &m), on_faults, object);
        if (ret < 0) {
                json_decref(object);
                return out_refused(ret, "check the credentials");
        }
        if (!a->json) {
                print_texts("fault", json_object_get(object, "faults"));
                print_texts("note", json_object_get(object, "notes"));
        }
        status = json_array_size(json_object_get(object, "faults")) > 0 ? EXIT_REFUSED : EXIT_DONE;
        ret    = out_done(a, object);
        return ret != EXIT_DONE ? ret : status;
}

const struct verb security_verbs[] = {
        {
                .name    = "show",
                .help    = "Shows credentials, and the rules in force with the files that they come from.",
                .form    = {.operand = {"NAME", NULL, "only this name or principal, in detail", 0}},
                .example = "irm security show ping.home",
                .run     = run_show,
        },
        {
                .name    = "check",
                .help    = "Reads all credentials and rules again and says what is wrong with them; exit "
                           "status 1 when something is.",
                .example = "irm security check",
                .run     = run_check,
        },
        {.name = NULL},
};
