/* oping - measures how long messages take to a server and back; and is that server. */
#include "oping/oping.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ouroboros/version.h>

#include "common/clock.h"
#include "common/qos.h"
#include "common/stop.h"
#include "common/values.h"
#include "oping/message.h"

#define EXIT_USAGE 2
#define SIZE_TOP   (1u << 20) /* no flow takes longer messages */

enum { OPT_POLL = 256, OPT_BUSY };

static const struct option long_options[] = {
        {"listen", no_argument, NULL, 'l'},         {"poll", no_argument, NULL, OPT_POLL},
        {"busy", no_argument, NULL, OPT_BUSY},      {"name", required_argument, NULL, 'n'},
        {"count", required_argument, NULL, 'c'},    {"duration", required_argument, NULL, 'd'},
        {"interval", required_argument, NULL, 'i'}, {"size", required_argument, NULL, 's'},
        {"qos", required_argument, NULL, 'q'},      {"flood", no_argument, NULL, 'f'},
        {"flood-busy", no_argument, NULL, 'F'},     {"quiet", no_argument, NULL, 'Q'},
        {"timestamp", no_argument, NULL, 'D'},      {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},        {NULL, 0, NULL, 0},
};

static const char help_text[] =
        "Usage: oping -n NAME [OPTION]...\n"
        "       oping -l [--poll | --busy] [-Q]\n\n"
        "Sends messages to a server and shows how long they take to come back.\n\n"
        "  -n, --name NAME       the server\n"
        "  -c, --count N         stop after N messages (until interrupted)\n"
        "  -d, --duration TIME   stop after TIME\n"
        "  -i, --interval TIME   between two messages (1s)\n"
        "  -s, --size SIZE       of a message in bytes (64; at least 20)\n"
        "  -q, --qos QOS         one of " QOS_NAMES " (raw)\n"
        "  -f, --flood           send the next message as soon as the last is back\n"
        "  -F, --flood-busy      the same, without ever sleeping\n"
        "  -D, --timestamp       print the time of day in front of each line\n"
        "  -Q, --quiet           print only the summary\n\n"
        "  -l, --listen          be the server\n"
        "      --poll            ask for messages again and again instead of sleeping\n"
        "      --busy            read each flow again and again instead of sleeping\n"
        "  -Q, --quiet           do not tell of flows\n\n"
        "      --help, --version\n\n"
        "TIME is a number and ns, us, ms (without a unit too), s, m or h.\n"
        "Exit status: 0 when something came back, 1 when nothing did, 2 wrong usage.\n\n"
        "Example: oping -n ping.home -c 5 -i 200ms\n";

static int hint(void)
{
        fputs("Try 'oping --help'.\n", stderr);
        return EXIT_USAGE;
}

static int wrong(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static int wrong(const char *fmt, ...)
{
        va_list ap;

        fputs("oping: ", stderr);
        va_start(ap, fmt);
        vfprintf(stderr, fmt, ap);
        va_end(ap);
        fputc('\n', stderr);
        return hint();
}

/* The options that have a value. False: it is none. */
static bool take_value(struct options *o, int opt, const char *value)
{
        uint64_t size;

        switch (opt) {
        case 'n': o->name = value; return value[0] != '\0';
        case 'c': return value_number(value, 1, UINT64_MAX, &o->count);
        case 'd': return value_time(value, &o->duration_ns);
        case 'i': return value_time(value, &o->interval_ns);
        default: break;
        }
        if (!value_number(value, MESSAGE_MIN, SIZE_TOP, &size))
                return false;
        o->size = size;
        return true;
}

static bool take_qos(struct options *o, const char *name)
{
        const struct qos_choice *choice = qos_find(name);

        if (choice != NULL)
                o->qos = choice->spec;
        return choice != NULL;
}

static void take_flag(struct options *o, int opt)
{
        switch (opt) {
        case 'l': o->listen = true; break;
        case OPT_POLL: o->server = SERVER_POLL; break;
        case OPT_BUSY: o->server = SERVER_BUSY; break;
        case 'f': o->client = CLIENT_FLOOD; break;
        case 'F': o->client = CLIENT_SPIN; break;
        case 'Q': o->quiet = true; break;
        default: o->stamps = true; break; /* D */
        }
}

static int run(const struct options *o)
{
        int status, stop_fd = stop_catch();

        if (stop_fd < 0) {
                fprintf(stderr, "oping: cannot catch signals: %s\n", strerror(-stop_fd));
                return EXIT_FAILURE;
        }
        setvbuf(stdout, NULL, _IOLBF, 0);
        status = o->listen ? server_run(o, stop_fd) : client_run(o, stop_fd);
        return ferror(stdout) ? EXIT_FAILURE : status;
}

int main(int argc, char **argv)
{
        struct options o = {.count       = UINT64_MAX,
                            .duration_ns = INT64_MAX,
                            .interval_ns = NS_PER_S,
                            .size        = 64,
                            .qos         = &qos_raw};
        int            opt;

        while ((opt = getopt_long(argc, argv, "ln:c:d:i:s:q:fFQDhV", long_options, NULL)) != -1) {
                if (opt == '?')
                        return hint();
                if (opt == 'h')
                        return fputs(help_text, stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
                if (opt == 'V')
                        return puts("oping " O7S_VERSION) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
                if (opt == 'q') {
                        if (!take_qos(&o, optarg))
                                return wrong("'%s' is no QoS; there are " QOS_NAMES, optarg);
                } else if (optarg == NULL)
                        take_flag(&o, opt);
                else if (!take_value(&o, opt, optarg))
                        return wrong("'%s' cannot be the value of -%c", optarg, opt);
        }
        if (optind < argc)
                return wrong("'%s' is not understood", argv[optind]);
        if (!o.listen && o.name == NULL)
                return wrong("either -n NAME or -l is needed");
        return run(&o);
}
