/* operf - measures what flows to a server carry, and how fast it answers; and is that server. */
#include "operf/operf.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ouroboros/version.h>

#include "common/clock.h"
#include "common/stop.h"
#include "common/values.h"
#include "operf/rate.h"
#include "operf/report.h"

#define EXIT_USAGE   2
#define SIZE_STREAM  1024 /* by default */
#define SIZE_REQUEST 64

enum { OPT_JSON = 256 };

/* As they stand on the command line. */
struct wishes {
        struct options o; /* without rate; size is 0 unless it was said */
        struct rate    rate;
        bool           has_rate, flood;
};

static const struct option long_options[] = {
        {"listen", no_argument, NULL, 'l'},
        {"name", required_argument, NULL, 'n'},
        {"test", required_argument, NULL, 't'},
        {"duration", required_argument, NULL, 'd'},
        {"size", required_argument, NULL, 's'},
        {"rate", required_argument, NULL, 'r'},
        {"flood", no_argument, NULL, 'f'},
        {"qos", required_argument, NULL, 'q'},
        {"json", no_argument, NULL, OPT_JSON},
        {"quiet", no_argument, NULL, 'Q'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
};

static const char help_text[] =
        "Usage: operf -n NAME [-t TEST] [OPTION]...\n"
        "       operf -l [-Q]\n\n"
        "Measures what flows to a server carry, or how fast it answers.\n\n"
        "  -n, --name NAME       the server\n"
        "  -t, --test TEST       uni  messages to the server; what arrives is measured there (this one by "
        "default)\n"
        "                        bi   messages both ways at once\n"
        "                        rr   request and response, one at a time, on one flow\n"
        "                        crr  a flow for each: allocation, request, response, deallocation\n"
        "  -d, --duration TIME   stop after TIME (10s)\n"
        "  -s, --size SIZE       of a message in bytes (uni, bi: 1024, rr, crr: 64; at least 28)\n"
        "  -r, --rate RATE       keep to RATE; rr and crr are then measured from when each was due\n"
        "  -f, --flood           as fast as possible (that is so without -r)\n"
        "  -q, --qos QOS         one of " QOS_NAMES " (raw)\n"
        "      --json            print the result as one JSON object, see operf(1)\n"
        "  -Q, --quiet           no progress on the terminal\n\n"
        "  -l, --listen          be the server, for all tests and any number of clients\n"
        "  -Q, --quiet           do not tell of flows\n\n"
        "      --help, --version\n\n"
        "TIME is a number and ns, us, ms (without a unit too), s, m or h.\n"
        "RATE is a number, with k, M or G if you like, of messages a second; \"10Mbit\" is bits a second.\n"
        "Exit status: 0 when something came back, 1 when nothing did, 2 wrong usage.\n\n"
        "Examples: operf -n perf.home -q data\n"
        "          operf -n perf.home -t rr -r 1000 -d 30s --json\n";

static int hint(void)
{
        fputs("Try 'operf --help'.\n", stderr);
        return EXIT_USAGE;
}

static int wrong(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static int wrong(const char *fmt, ...)
{
        va_list ap;

        fputs("operf: ", stderr);
        va_start(ap, fmt);
        vfprintf(stderr, fmt, ap);
        va_end(ap);
        fputc('\n', stderr);
        return hint();
}

static bool take_test(struct options *o, const char *value)
{
        for (int t = TEST_UNI; t <= TEST_CRR; t++) {
                if (strcmp(report_test_name((enum test)t), value) == 0) {
                        o->test = (enum test)t;
                        return true;
                }
        }
        return false;
}

static bool take_size(struct options *o, const char *value)
{
        uint64_t size;
        bool     ok = value_number(value, MESSAGE_MIN, MESSAGE_MAX, &size);

        if (ok)
                o->size = size;
        return ok;
}

/* The options that have a value. False: it is none. */
static bool take_value(struct wishes *w, int opt, const char *value)
{
        switch (opt) {
        case 'n': w->o.name = value; return value[0] != '\0';
        case 't': return take_test(&w->o, value);
        case 'd': return value_time(value, &w->o.duration_ns) && w->o.duration_ns > 0;
        case 's': return take_size(&w->o, value);
        case 'q': w->o.qos = qos_find(value); return w->o.qos != NULL;
        default: w->has_rate = true; return rate_parse(value, &w->rate); /* r */
        }
}

/* What a value of an option can be. */
static const char *expected(int opt)
{
        switch (opt) {
        case 't': return "one of uni, bi, rr, crr";
        case 'd': return "a time such as 10s";
        case 's': return "a number from 28 to 1048576";
        case 'q': return "one of " QOS_NAMES;
        case 'r': return "a rate such as 1000, 2.5k or 10Mbit";
        default: return "a name";
        }
}

static void take_flag(struct wishes *w, int opt)
{
        switch (opt) {
        case 'l': w->o.listen = true; break;
        case 'f': w->flood = true; break;
        case OPT_JSON: w->o.json = true; break;
        default: w->o.quiet = true; break; /* Q */
        }
}

/* Works out what depends on several options. */
static void settle(struct wishes *w)
{
        const bool streams = w->o.test == TEST_UNI || w->o.test == TEST_BI;

        if (w->o.size == 0)
                w->o.size = streams ? SIZE_STREAM : SIZE_REQUEST;
        if (w->has_rate)
                w->o.rate = rate_of(&w->rate, w->o.size);
}

static int run(struct wishes *w)
{
        int status, stop_fd;

        settle(w);
        stop_fd = stop_catch();
        if (stop_fd < 0) {
                fprintf(stderr, "operf: cannot catch signals: %s\n", strerror(-stop_fd));
                return EXIT_FAILURE;
        }
        setvbuf(stdout, NULL, _IOLBF, 0);
        status = w->o.listen ? server_run(&w->o, stop_fd) : client_run(&w->o, stop_fd);
        return ferror(stdout) ? EXIT_FAILURE : status;
}

int main(int argc, char **argv)
{
        struct wishes w = {.o = {.test = TEST_UNI, .duration_ns = 10 * NS_PER_S, .qos = qos_find("raw")}};
        int           opt;

        while ((opt = getopt_long(argc, argv, "ln:t:d:s:r:fq:QhV", long_options, NULL)) != -1) {
                if (opt == '?')
                        return hint();
                if (opt == 'h')
                        return fputs(help_text, stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
                if (opt == 'V')
                        return puts("operf " O7S_VERSION) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
                if (optarg == NULL)
                        take_flag(&w, opt);
                else if (!take_value(&w, opt, optarg))
                        return wrong("'%s' cannot be the value of -%c: %s", optarg, opt, expected(opt));
        }
        if (optind < argc)
                return wrong("'%s' is not understood", argv[optind]);
        if (!w.o.listen && w.o.name == NULL)
                return wrong("either -n NAME or -l is needed");
        if (w.flood && w.has_rate)
                return wrong("-f and -r contradict each other");
        return run(&w);
}
