#include "oap/rule.h"
