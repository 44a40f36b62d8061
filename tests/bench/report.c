#include "report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"

static const char *lane_name(const struct options *o, enum lane_id id)
{
        switch (id) {
        case LANE_CONTROL: return "control";
        case LANE_BASE: return o->rival->name;
        default: return transport_flow.name;
        }
}

/* Three digits, and thousands and millions as letters. */
static const char *human(char buf[16], double v)
{
        static const char *const suffix[] = {"", "k", "M", "G"};
        int                      s        = 0;

        for (; fabs(v) >= 9999.5 && s < 3; s++)
                v /= 1000;
        snprintf(buf, 16, "%.*f%s", fabs(v) >= 99.95 ? 0 : fabs(v) >= 9.995 ? 1 : 2, v, suffix[s]);
        return buf;
}

static double median(const struct outcome *out, enum lane_id id)
{
        double copy[STATS_MAX];

        if (!out->ran[id])
                return NAN;
        memcpy(copy, out->figure[id], out->n_pairs * sizeof(*copy));
        return stats_quantile(copy, out->n_pairs, 0.5);
}

/* How many times better than the base lane @id did, pair by pair. */
static struct estimate factor(const struct contest *c, const struct outcome *out, enum lane_id id)
{
        double ratio[STATS_MAX];

        if (!out->ran[id] || !out->ran[LANE_BASE])
                return (struct estimate){NAN, NAN, NAN};
        for (unsigned i = 0; i < out->n_pairs; i++) {
                ratio[i] = out->figure[id][i] / out->figure[LANE_BASE][i];
                if (c->smaller_wins)
                        ratio[i] = 1 / ratio[i];
        }
        return stats_estimate(ratio, out->n_pairs);
}

static double percentile(const struct outcome *out, enum lane_id id, double q)
{
        return stats_quantile(out->times[id].v, out->times[id].n, q);
}

static double cpu_us(const struct outcome *out, enum lane_id id)
{
        return out->ops[id] == 0 ? NAN : (double)out->usage[id].cpu_ns / (double)out->ops[id] / NS_PER_US;
}

static double sleeps(const struct outcome *out, enum lane_id id)
{
        return out->ops[id] == 0 ? NAN : (double)out->usage[id].sleeps / (double)out->ops[id];
}

static const char *processor(char *buf, size_t cap)
{
        FILE       *f     = fopen("/proc/cpuinfo", "re");
        const char *model = "unknown";

        while (f != NULL && fgets(buf, (int)cap, f) != NULL) {
                if (strncmp(buf, "model name", 10) == 0 && strchr(buf, ':') != NULL) {
                        buf[strcspn(buf, "\n\"\\")] = '\0';
                        model                       = strchr(buf, ':') + 2;
                        break;
                }
        }
        if (f != NULL)
                fclose(f);
        return model;
}

void report_head(const struct options *o)
{
        struct utsname u = {0};
        char           buf[256];
        const char    *cpu = processor(buf, sizeof(buf));

        uname(&u);
        printf("%ld x %s, %s %s\n\n", sysconf(_SC_NPROCESSORS_ONLN), cpu, u.sysname, u.release);
        printf("%-38s %-15s %-17s times %-19s %-20s %-15s %s\n", "", "", "", o->rival->name, "A/A control",
               "CPU us per op", "sleeps per op");
        printf("%-32s %5s %7s %7s  %-6s %25s %20s %7s %7s %7s %6s\n", "", "cores", o->rival->name, "o7s", "",
               "[95 %]", "[95 %]", o->rival->name, "o7s", o->rival->name, "o7s");
        if (o->json != NULL)
                fprintf(o->json, "{\"bench\":\"machine\",\"cpu\":\"%s\",\"cores\":%ld,\"kernel\":\"%s\"}\n",
                        cpu, sysconf(_SC_NPROCESSORS_ONLN), u.release);
}

/* A factor with its interval, or a dash. */
static void print_factor(struct estimate e)
{
        char m[16], l[16], h[16];

        if (isnan(e.median))
                printf(" %6s %14s", "-", "");
        else
                printf(" %6s [%5s, %5s]", human(m, e.median), human(l, e.low), human(h, e.high));
}

static void print_number(int width, double v)
{
        char buf[16];

        printf(" %*s", width, isnan(v) ? "-" : human(buf, v));
}

/* Of all operations, on a line of its own. */
static void print_percentile(const struct contest *c, const struct outcome *out, double q)
{
        char what[32];

        snprintf(what, sizeof(what), "    %.0fth percentile", q * 100);
        printf("%-38s", what);
        print_number(7, percentile(out, LANE_BASE, q));
        print_number(7, percentile(out, LANE_SUBJECT, q));
        printf(" %-6s\n", c->unit);
}

static void print_row(const struct contest *c, const struct options *o, const struct outcome *out)
{
        printf("%-32s %5u", c->title, o->cores);
        print_number(7, median(out, LANE_BASE));
        print_number(7, median(out, LANE_SUBJECT));
        printf(" %-6s", c->unit);
        print_factor(factor(c, out, LANE_SUBJECT));
        print_factor(factor(c, out, LANE_CONTROL));
        print_number(7, cpu_us(out, LANE_BASE));
        print_number(7, cpu_us(out, LANE_SUBJECT));
        print_number(7, sleeps(out, LANE_BASE));
        print_number(6, sleeps(out, LANE_SUBJECT));
        if (out->failed[LANE_SUBJECT] > 0)
                printf("  (%llu failed)", (unsigned long long)out->failed[LANE_SUBJECT]);
        printf("\n");
        if (out->times[LANE_SUBJECT].n > 0)
                print_percentile(c, out, 0.99);
        fflush(stdout);
}

static void json_number(FILE *f, const char *key, double v)
{
        if (isnan(v))
                fprintf(f, ",\"%s\":null", key);
        else
                fprintf(f, ",\"%s\":%.6g", key, v);
}

static void json_factor(FILE *f, const char *key, struct estimate e)
{
        fprintf(f, ",\"%s\":", key);
        if (isnan(e.median))
                fprintf(f, "null");
        else
                fprintf(f, "{\"median\":%.6g,\"low\":%.6g,\"high\":%.6g}", e.median, e.low, e.high);
}

static void json_lane(FILE *f, const struct options *o, const struct outcome *out, enum lane_id id)
{
        fprintf(f, ",\"%s\":{\"ops\":%llu,\"failed\":%llu", lane_name(o, id),
                (unsigned long long)out->ops[id], (unsigned long long)out->failed[id]);
        json_number(f, "median", median(out, id));
        json_number(f, "cpu_us", cpu_us(out, id));
        json_number(f, "sleeps", sleeps(out, id));
        if (out->times[id].n > 0) {
                json_number(f, "p50", percentile(out, id, 0.5));
                json_number(f, "p99", percentile(out, id, 0.99));
        }
        fprintf(f, ",\"slices\":[");
        for (unsigned i = 0; i < out->n_pairs; i++)
                fprintf(f, "%s%.6g", i == 0 ? "" : ",", out->figure[id][i]);
        fprintf(f, "]}");
}

static void json_row(FILE *f, const struct contest *c, const struct options *o, const struct outcome *out)
{
        fprintf(f,
                "{\"bench\":\"%s\",\"title\":\"%s\",\"suite\":\"%s\",\"cores\":%u,\"unit\":\"%s\",\"pairs\":%"
                "u",
                c->bench, c->title, o->suite != NULL ? o->suite : "", o->cores, c->unit, out->n_pairs);
        json_number(f, "slice_ms", (double)o->slice_ns / NS_PER_MS);
        json_factor(f, "factor", factor(c, out, LANE_SUBJECT));
        json_factor(f, "control_factor", factor(c, out, LANE_CONTROL));
        for (int id = 0; id < N_LANES; id++) {
                if (out->ran[id])
                        json_lane(f, o, out, (enum lane_id)id);
        }
        fprintf(f, "}\n");
}

void report_contest(const struct contest *c, const struct options *o, const struct outcome *out)
{
        print_row(c, o, out);
        if (o->json != NULL)
                json_row(o->json, c, o, out);
}

void report_fact(const struct options *o, const char *bench, const char *what, double value, const char *unit)
{
        char buf[16];

        printf("%-46s %7s %s\n", what, human(buf, value), unit);
        fflush(stdout);
        if (o->json != NULL)
                fprintf(o->json, "{\"bench\":\"%s\",\"title\":\"%s\",\"value\":%.6g,\"unit\":\"%s\"}\n",
                        bench, what, value, unit);
}
