/*
 * relay.c - a bad network between two ports, A and B, for tests: delay, jitter, rate, queue, loss, bursts of
 * it, duplicates, reordering, corruption, blackouts; each direction for itself, all of it scripted over time,
 * and the same again with the same seed. One process, one thread, one loop that sleeps until the next packet
 * comes or is due.
 *
 * It writes one JSON object a line: that it is ready, and where; the counters, at SIGUSR1 and at its end, for
 * which one asks by SIGTERM or SIGINT; and with --commands an answer to each line read.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "link.h"
#include "port.h"
#include "record.h"
#include "script.h"

#define POOL_DEFAULT 65536
#define POOL_MAX     (1 << 20)
#define COMMAND_MAX  512u

static const char usage[] =
        "usage: relay --a PORT --b PORT [OPTION]...\n"
        "  PORT:  udp:ADDRESS:PORT[,ADDRESS:PORT]  own address, and the peer's (without: who sends first)\n"
        "         tap:NAME[,NETNS]                 made unless it is there\n"
        "         unix:FD                          an inherited SEQPACKET or DGRAM socket\n"
        "  --ab, --ba, --both KEY=VALUE            from A to B, back, or both, from the start:\n"
        "         delay_ms jitter_ms keep_order rate queue_bytes queue_packets ecn_bytes ecn_packets\n"
        "         loss burst_p burst_r dup reorder reorder_ms corrupt down (loss and so on in %)\n"
        "         blackout=FROM..TO (s)\n"
        "  --at \"SECONDS ab|ba|both KEY=VALUE...\"  the same later\n"
        "  --script FILE                           lines as of --at\n"
        "  --commands                              reads \"ab|ba|both KEY=VALUE...\" or \"counters\" from\n"
        "                                          stdin, and ends with it\n"
        "  --record FILE                           all that passes, as pcap\n"
        "  --seed N (1)    --pool PACKETS (65536)\n";

struct relay {
        struct port   port[2]; /* A and B                              */
        struct link   link[2]; /* from port[i] to the other            */
        struct knobs *knobs[2];
        struct pool   pool;
        struct script script;
        FILE         *record;
        int64_t       start_ns;
        int           signals;
        bool          commands, over;
        char          line[COMMAND_MAX]; /* of a command, as far as it has come */
        size_t        line_len;
        /* from the command line */
        const char *spec[2], *record_path;
        uint64_t    seed;
        size_t      pool_size;
};

static int64_t now_ns(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* -- what it says ---------------------------------------------------------- */

static void say_ready(const struct relay *r)
{
        printf("{\"ready\": true, \"a\": \"%s\", \"b\": \"%s\"}\n", r->port[0].name, r->port[1].name);
        fflush(stdout);
}

static void say_counters(struct relay *r)
{
        if (r->record != NULL)
                fflush(r->record);
        printf("{\"seconds\": %.6f, \"ab\": ", (double)(now_ns() - r->start_ns) / 1e9);
        link_print(&r->link[0], stdout);
        printf(", \"ba\": ");
        link_print(&r->link[1], stdout);
        printf(", \"strangers\": %" PRIu64 "}\n", r->port[0].strangers + r->port[1].strangers);
        fflush(stdout);
}

/* -- packets --------------------------------------------------------------- */

/* Puts another packet in the place of each that the link gets; when there is none left, what came is lost. */
static void take(struct relay *r, unsigned side, int n, int64_t now)
{
        struct port *p = &r->port[side];
        struct link *l = &r->link[side];

        for (int i = 0; i < n; i++) {
                struct pkt *k = p->in[i], *fresh = pool_get(&r->pool);

                if (fresh == NULL) {
                        l->count[C_CAME]++;
                        l->count[C_CAME_BYTES] += k->len;
                        l->count[C_LOST_POOL]++;
                        continue;
                }
                p->in[i] = fresh;
                k->at_ns = now;
                link_take(l, k);
        }
}

static void receive(struct relay *r, unsigned side)
{
        int     n   = port_receive(&r->port[side]);
        int64_t now = now_ns();

        script_run(&r->script, now - r->start_ns, r->knobs);
        if (n < 0)
                r->over = true;
        take(r, side, n, now);
}

static void count_passed(struct relay *r, struct link *l, struct pkt *const *out, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                l->count[C_PASSED_BYTES] += out[i]->len;
                record_put(r->record, out[i]);
        }
        l->count[C_PASSED] += n;
}

/* All that is due, in the end. */
static void deliver(struct relay *r, unsigned side, int64_t now)
{
        struct link *l = &r->link[side];
        struct pkt  *out[PORT_BATCH];
        size_t       n, sent;

        while ((n = link_give(l, now, out, PORT_BATCH)) > 0) {
                sent = port_send(&r->port[!side], out, n);
                l->count[C_LOST_SEND] += n - sent;
                count_passed(r, l, out, sent);
                for (size_t i = 0; i < n; i++)
                        pool_put(&r->pool, out[i]);
        }
}

/* -- signals and commands -------------------------------------------------- */

static void read_signals(struct relay *r)
{
        struct signalfd_siginfo s;

        while (read(r->signals, &s, sizeof(s)) == sizeof(s)) {
                if (s.ssi_signo == SIGUSR1)
                        say_counters(r);
                else
                        r->over = true;
        }
}

static void command(struct relay *r, const char *line)
{
        char    why[WHY_MAX];
        int64_t ns = now_ns() - r->start_ns;

        if (strcmp(line, "counters") == 0) {
                say_counters(r);
                return;
        }
        if (script_add(&r->script, ns, line, why) == 0) {
                script_run(&r->script, ns, r->knobs);
                printf("{\"done\": true}\n");
        } else {
                printf("{\"done\": false}\n");
                fprintf(stderr, "relay: %s\n", why);
        }
        fflush(stdout);
}

static void read_commands(struct relay *r)
{
        ssize_t n = read(STDIN_FILENO, r->line + r->line_len, sizeof(r->line) - 1 - r->line_len);
        char   *end;

        if (n <= 0) {
                r->over = true;
                return;
        }
        r->line_len += (size_t)n;
        r->line[r->line_len] = '\0';
        while ((end = strchr(r->line, '\n')) != NULL) {
                *end++ = '\0';
                command(r, r->line);
                r->line_len -= (size_t)(end - r->line);
                memmove(r->line, end, r->line_len + 1);
        }
        if (r->line_len == sizeof(r->line) - 1) {
                fprintf(stderr, "relay: a command is too long\n");
                r->over = true;
        }
}

/* -- the loop -------------------------------------------------------------- */

static int64_t earlier(int64_t a, int64_t b)
{
        return a < b ? a : b;
}

static int64_t next_ns(const struct relay *r)
{
        int64_t script = script_next_ns(&r->script);
        int64_t next   = earlier(link_next_ns(&r->link[0]), link_next_ns(&r->link[1]));

        return script == INT64_MAX ? next : earlier(next, script + r->start_ns);
}

static void wait_and_read(struct relay *r, int64_t now)
{
        struct pollfd   fds[4] = {{.fd = r->port[0].fd, .events = POLLIN},
                                  {.fd = r->port[1].fd, .events = POLLIN},
                                  {.fd = r->signals, .events = POLLIN},
                                  {.fd = r->commands ? STDIN_FILENO : -1, .events = POLLIN}};
        int64_t         next   = next_ns(r);
        int64_t         wait   = next > now ? next - now : 0;
        struct timespec ts     = {wait / 1000000000, wait % 1000000000};

        if (ppoll(fds, 4, next == INT64_MAX ? NULL : &ts, NULL) <= 0)
                return;
        for (unsigned side = 0; side < 2; side++)
                if (fds[side].revents != 0)
                        receive(r, side);
        if (fds[2].revents != 0)
                read_signals(r);
        if (fds[3].revents != 0)
                read_commands(r);
}

static void run(struct relay *r)
{
        while (!r->over) {
                int64_t now = now_ns();

                script_run(&r->script, now - r->start_ns, r->knobs);
                deliver(r, 0, now);
                deliver(r, 1, now);
                wait_and_read(r, now);
        }
}

/* -- from start to end ----------------------------------------------------- */

_Noreturn static void refuse(const char *what, const char *why)
{
        fprintf(stderr, "relay: %s%s%s\n", what, *what != '\0' ? ": " : "", why);
        exit(2);
}

static uint64_t number(const char *option, const char *text, uint64_t min, uint64_t max)
{
        char    *end;
        uint64_t v;
        char     why[WHY_MAX];

        errno = 0;
        v     = strtoull(text, &end, 10);
        if (errno == 0 && *text >= '0' && *text <= '9' && *end == '\0' && v >= min && v <= max)
                return v;
        snprintf(why, sizeof(why), "\"%.80s\" is not a number from %" PRIu64 " to %" PRIu64, text, min, max);
        refuse(option, why);
}

/* @option is "--" and the direction. */
static void set_from_start(struct relay *r, const char *option, const char *what)
{
        char text[WHY_MAX], why[WHY_MAX];

        if (snprintf(text, sizeof(text), "%s %s", option + 2, what) >= (int)sizeof(text))
                refuse(option, "too long");
        if (script_add(&r->script, 0, text, why) < 0)
                refuse(option, why);
}

enum {
        OPT_A = 1,
        OPT_B,
        OPT_AB,
        OPT_BA,
        OPT_BOTH,
        OPT_AT,
        OPT_SCRIPT,
        OPT_COMMANDS,
        OPT_RECORD,
        OPT_SEED,
        OPT_POOL,
        OPT_HELP
};

static const struct option options[] = {
        {"a", required_argument, NULL, OPT_A},
        {"b", required_argument, NULL, OPT_B},
        {"ab", required_argument, NULL, OPT_AB},
        {"ba", required_argument, NULL, OPT_BA},
        {"both", required_argument, NULL, OPT_BOTH},
        {"at", required_argument, NULL, OPT_AT},
        {"script", required_argument, NULL, OPT_SCRIPT},
        {"commands", no_argument, NULL, OPT_COMMANDS},
        {"record", required_argument, NULL, OPT_RECORD},
        {"seed", required_argument, NULL, OPT_SEED},
        {"pool", required_argument, NULL, OPT_POOL},
        {"help", no_argument, NULL, OPT_HELP},
        {NULL, 0, NULL, 0},
};

static void take_option(struct relay *r, int option)
{
        char why[WHY_MAX];

        switch (option) {
        case OPT_A: r->spec[0] = optarg; break;
        case OPT_B: r->spec[1] = optarg; break;
        case OPT_AB: set_from_start(r, "--ab", optarg); break;
        case OPT_BA: set_from_start(r, "--ba", optarg); break;
        case OPT_BOTH: set_from_start(r, "--both", optarg); break;
        case OPT_AT:
                if (script_add_line(&r->script, optarg, why) < 0)
                        refuse("--at", why);
                break;
        case OPT_SCRIPT:
                if (script_add_file(&r->script, optarg, why) < 0)
                        refuse("--script", why);
                break;
        case OPT_COMMANDS: r->commands = true; break;
        case OPT_RECORD: r->record_path = optarg; break;
        case OPT_SEED: r->seed = number("--seed", optarg, 0, UINT64_MAX); break;
        case OPT_POOL: r->pool_size = number("--pool", optarg, 2 * PORT_BATCH + 1, POOL_MAX); break;
        case OPT_HELP: fputs(usage, stdout); exit(0);
        default: fputs(usage, stderr); exit(2);
        }
}

static void read_arguments(struct relay *r, int argc, char *argv[])
{
        int option;

        while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
                take_option(r, option);
        if (optind < argc)
                refuse(argv[optind], "is not an option");
        if (r->spec[0] == NULL || r->spec[1] == NULL)
                refuse("", "both --a and --b are needed");
}

static void prepare_signals(struct relay *r)
{
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGUSR1);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        sigprocmask(SIG_BLOCK, &set, NULL);
        signal(SIGPIPE, SIG_IGN);
        r->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        if (r->signals < 0)
                refuse("signalfd", strerror(errno));
}

static void open_all(struct relay *r)
{
        char why[WHY_MAX];

        if (pool_create(&r->pool, r->pool_size) < 0)
                refuse("--pool", strerror(ENOMEM));
        for (unsigned i = 0; i < 2; i++) {
                if (port_open(&r->port[i], r->spec[i], &r->pool, why) < 0)
                        refuse(i == 0 ? "--a" : "--b", why);
                r->knobs[i] = &r->link[i].knobs;
        }
        for (unsigned i = 0; i < 2; i++)
                if (link_create(&r->link[i], &r->pool, r->port[i].kind == PORT_TAP, 2 * r->seed + i) < 0)
                        refuse("--pool", strerror(ENOMEM));
        if (r->record_path != NULL) {
                r->record = record_open(r->record_path,
                                        r->port[0].kind == PORT_TAP && r->port[1].kind == PORT_TAP);
                if (r->record == NULL)
                        refuse(r->record_path, strerror(errno));
        }
}

/* Whether the record is whole. */
static bool close_all(struct relay *r)
{
        bool whole = r->record == NULL || (ferror(r->record) == 0 && fflush(r->record) == 0);

        for (unsigned i = 0; i < 2; i++) {
                port_close(&r->port[i]);
                link_destroy(&r->link[i]);
        }
        if (r->record != NULL)
                fclose(r->record);
        pool_destroy(&r->pool);
        script_destroy(&r->script);
        close(r->signals);
        return whole;
}

int main(int argc, char *argv[])
{
        static struct relay r = {.seed = 1, .pool_size = POOL_DEFAULT};

        read_arguments(&r, argc, argv);
        prepare_signals(&r);
        open_all(&r);
        (void)prctl(PR_SET_TIMERSLACK, 1UL); /* to wake on time; the default is 50 us late */
        r.start_ns = now_ns();
        say_ready(&r);
        run(&r);
        say_counters(&r);
        if (close_all(&r))
                return 0;
        fprintf(stderr, "relay: the record could not be written in full\n");
        return 1;
}
