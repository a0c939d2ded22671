// The instruction set every machine of the build has.
#define FROMLOGITS_TARGET plain_kernels
#define FROMLOGITS_TARGET_NAME "plain"
#include "kernels_impl.h"
