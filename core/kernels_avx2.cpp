// Compiled with -mavx2 -mfma; chosen at run time where the processor has both.
#define FROMLOGITS_TARGET avx2_kernels
#define FROMLOGITS_TARGET_NAME "avx2"
#include "kernels_impl.h"
