#include "oap/message.h"
