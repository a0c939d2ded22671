// Compiled for AVX-512 F, DQ, BW and VL; chosen at run time where the processor has all of them.
#define FROMLOGITS_TARGET avx512_kernels
#define FROMLOGITS_TARGET_NAME "avx512"
#include "kernels_impl.h"
