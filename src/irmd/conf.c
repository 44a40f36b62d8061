#include "conf.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ouroboros/version.h>

#include "base/str.h"

#define DEFAULT_RUNTIME_DIR "/run/ouroboros"

static const struct {
        const char *name;
        size_t      offset;
} limit_names[] = {
        {"ports-per-process", offsetof(struct limits, ports_per_process)},
        {"ports-per-user", offsetof(struct limits, ports_per_user)},
        {"bytes-per-user", offsetof(struct limits, bytes_per_user)},
        {"connections-per-user", offsetof(struct limits, connections_per_user)},
        {"backlog", offsetof(struct limits, backlog)},
        {"alloc-timeout-ms", offsetof(struct limits, alloc_timeout_ms)},
        {"signed-requests", offsetof(struct limits, signed_requests)},
};

#define N_LIMITS (sizeof(limit_names) / sizeof(limit_names[0]))

static uint64_t *limit_at(struct limits *l, size_t i)
{
        return (uint64_t *)(void *)((char *)l + limit_names[i].offset);
}

static struct limits default_limits(void)
{
        uint64_t ram = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);

        return (struct limits){
                .ports_per_process    = 16384,
                .ports_per_user       = 65536,
                .bytes_per_user       = ram / 2,
                .connections_per_user = 4096,
                .backlog              = 128,
                .alloc_timeout_ms     = 20000,
                .signed_requests      = 1u << 20,
        };
}

static void help(void)
{
        struct limits l = default_limits();

        printf("Usage: irmd [OPTION]...\n"
               "The IRM daemon of Ouroboros: allocates flows between programs and manages what carries "
               "them.\n"
               "Runs in the foreground; SIGTERM or SIGINT stops it in order.\n\n"
               "      --runtime-dir DIR  where the socket irm.sock is made ($OUROBOROS_RUNTIME_DIR, else\n"
               "                         " DEFAULT_RUNTIME_DIR " or $XDG_RUNTIME_DIR/ouroboros)\n"
               "      --config-dir DIR   configuration ($OUROBOROS_CONFIG_DIR, else %s)\n"
               "      --state-dir DIR    what must outlive the daemon, and the audit log "
               "($OUROBOROS_STATE_DIR, else\n"
               "                         %s; for other users $XDG_STATE_HOME/ouroboros)\n"
               "      --ipcp-dir DIR     the ipcpd programs ($OUROBOROS_IPCP_DIR, else %s)\n"
               "      --user USER        who to become when started as root (ouroboros)\n"
               "      --log-level LEVEL  error, warning, info or debug (info)\n"
               "      --stdout           log to standard output instead of standard error\n"
               "      --limit NAME=N     change a limit, see below; may be repeated\n"
               "      --key-log FILE     write the secrets of all encrypted flows there, so that packets can "
               "be\n"
               "                         DECRYPTED: for debugging, never in production\n"
               "      --version          print the version and exit\n"
               "      --help             print this and exit\n\n"
               "Limits (default):\n",
               O7S_CONFIG_DIR, O7S_STATE_DIR, O7S_IPCP_DIR);
        for (size_t i = 0; i < N_LIMITS; i++)
                printf("  %-22s %llu\n", limit_names[i].name, (unsigned long long)*limit_at(&l, i));
        printf("\nExample: irmd --runtime-dir /tmp/o7s --log-level debug\n");
}

static bool set_limit(struct limits *l, const char *arg)
{
        const char        *eq = strchr(arg, '=');
        unsigned long long value;

        for (size_t i = 0; eq != NULL && i < N_LIMITS; i++) {
                if (strlen(limit_names[i].name) != (size_t)(eq - arg) ||
                    strncmp(limit_names[i].name, arg, (size_t)(eq - arg)) != 0)
                        continue;
                if (!str_number(eq + 1, UINT64_MAX, &value))
                        break;
                *limit_at(l, i) = value;
                return true;
        }
        fprintf(stderr, "irmd: '%s' is not NAME=NUMBER with the name of a limit (see --help)\n", arg);
        return false;
}

static bool set_dir(char *dst, const char *value)
{
        if (value[0] != '\0' && str_copy(dst, CONF_DIR_MAX, value))
                return true;
        fprintf(stderr, "irmd: the directory '%.60s…' is too long or empty\n", value);
        return false;
}

/* The environment over the built-in default. */
static bool default_dir(char *dst, const char *variable, const char *fallback)
{
        const char *value = getenv(variable);

        return set_dir(dst, value != NULL && value[0] != '\0' ? value : fallback);
}

static bool default_runtime_dir(char *dst)
{
        char        path[CONF_DIR_MAX];
        const char *xdg = getenv("XDG_RUNTIME_DIR");

        if (geteuid() == 0 || xdg == NULL || xdg[0] == '\0')
                return default_dir(dst, "OUROBOROS_RUNTIME_DIR", DEFAULT_RUNTIME_DIR);
        snprintf(path, sizeof(path), "%s/ouroboros", xdg);
        return default_dir(dst, "OUROBOROS_RUNTIME_DIR", path);
}

/* Of an ordinary user's own instance: as the XDG base directory specification says. */
static bool default_state_dir(char *dst)
{
        char        path[CONF_DIR_MAX];
        const char *xdg  = getenv("XDG_STATE_HOME");
        const char *home = getenv("HOME");

        snprintf(path, sizeof(path), "%s", O7S_STATE_DIR);
        if (geteuid() != 0 && xdg != NULL && xdg[0] == '/')
                snprintf(path, sizeof(path), "%s/ouroboros", xdg);
        else if (geteuid() != 0 && home != NULL && home[0] == '/')
                snprintf(path, sizeof(path), "%s/.local/state/ouroboros", home);
        return default_dir(dst, "OUROBOROS_STATE_DIR", path);
}

static bool defaults(struct conf *c)
{
        *c = (struct conf){
                .log_level = LOG_INFO, .user = "ouroboros", .key_log_fd = -1, .limits = default_limits()};
        return default_runtime_dir(c->runtime_dir) &&
               default_dir(c->config_dir, "OUROBOROS_CONFIG_DIR", O7S_CONFIG_DIR) &&
               default_state_dir(c->state_dir) &&
               default_dir(c->ipcp_dir, "OUROBOROS_IPCP_DIR", O7S_IPCP_DIR);
}

enum {
        OPT_RUNTIME = 256,
        OPT_CONFIG,
        OPT_STATE,
        OPT_IPCP,
        OPT_USER,
        OPT_LEVEL,
        OPT_STDOUT,
        OPT_LIMIT,
        OPT_KEY_LOG,
        OPT_VERSION,
        OPT_HELP
};

static const struct option options[] = {
        {"runtime-dir", required_argument, NULL, OPT_RUNTIME},
        {"config-dir", required_argument, NULL, OPT_CONFIG},
        {"state-dir", required_argument, NULL, OPT_STATE},
        {"ipcp-dir", required_argument, NULL, OPT_IPCP},
        {"user", required_argument, NULL, OPT_USER},
        {"log-level", required_argument, NULL, OPT_LEVEL},
        {"stdout", no_argument, NULL, OPT_STDOUT},
        {"limit", required_argument, NULL, OPT_LIMIT},
        {"key-log", required_argument, NULL, OPT_KEY_LOG},
        {"version", no_argument, NULL, OPT_VERSION},
        {"help", no_argument, NULL, OPT_HELP},
        {NULL, 0, NULL, 0},
};

static bool take_option(struct conf *c, int opt, const char *arg)
{
        switch (opt) {
        case OPT_RUNTIME: return set_dir(c->runtime_dir, arg);
        case OPT_CONFIG: return set_dir(c->config_dir, arg);
        case OPT_STATE: return set_dir(c->state_dir, arg);
        case OPT_IPCP: return set_dir(c->ipcp_dir, arg);
        case OPT_LIMIT: return set_limit(&c->limits, arg);
        case OPT_STDOUT: c->to_stdout = true; return true;
        case OPT_KEY_LOG: c->key_log = arg; return true;
        case OPT_USER:
                if (str_copy(c->user, sizeof(c->user), arg))
                        return true;
                fprintf(stderr, "irmd: the user name is too long\n");
                return false;
        case OPT_LEVEL:
                if (log_level_parse(arg, &c->log_level))
                        return true;
                fprintf(stderr, "irmd: '%s' is no log level: error, warning, info or debug\n", arg);
                return false;
        default: return false; /* getopt has said why */
        }
}

enum conf_result conf_parse(struct conf *c, int argc, char **argv)
{
        int opt;

        if (!defaults(c))
                return CONF_USAGE;
        while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
                if (opt == OPT_HELP) {
                        help();
                        return CONF_DONE;
                }
                if (opt == OPT_VERSION) {
                        printf("irmd (Ouroboros) %s\n", O7S_VERSION);
                        return CONF_DONE;
                }
                if (!take_option(c, opt, optarg))
                        return CONF_USAGE;
        }
        if (optind == argc)
                return CONF_RUN;
        fprintf(stderr, "irmd: unexpected argument '%s' (see --help)\n", argv[optind]);
        return CONF_USAGE;
}
