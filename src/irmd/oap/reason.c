#include "oap/reason.h"
