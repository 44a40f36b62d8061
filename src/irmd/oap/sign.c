#include "oap/sign.h"
