#include "oap/oap.h"
