#include "oap/creds.h"
