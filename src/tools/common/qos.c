#include "common/qos.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static const struct qos_choice choices[] = {
        {"raw", &qos_raw},
        {"raw_no_errors", &qos_raw_no_errors},
        {"best_effort", &qos_best_effort},
        {"video", &qos_video},
        {"voice", &qos_voice},
        {"data", &qos_data},
};

static bool is_same(const char *name, const char *word)
{
        while (*name != '\0' && (*word == *name || (*word == '-' && *name == '_'))) {
                name++;
                word++;
        }
        return *name == *word;
}

const struct qos_choice *qos_find(const char *name)
{
        if (strcmp(name, "best") == 0)
                name = "best_effort";
        for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++)
                if (is_same(choices[i].name, name))
                        return &choices[i];
        return NULL;
}
