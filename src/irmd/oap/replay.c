#include "oap/replay.h"
