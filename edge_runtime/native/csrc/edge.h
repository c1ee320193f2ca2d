// edge.h: what all native files share. Functions marked EDGE_HD compile for the host and, with nvcc, for the device.
#pragma once

#ifdef __CUDACC_RTC__  // NVRTC has no system headers, but it has the functions of <math.h>
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef int int32_t;
typedef unsigned int uint32_t;
typedef long int64_t;
typedef unsigned long uint64_t;
#define FLT_MAX 3.402823466e+38f
#define INFINITY __int_as_float(0x7f800000)
#else
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>
#endif

#ifdef __CUDACC__
#define EDGE_HD __host__ __device__
#define EDGE_UNROLL _Pragma("unroll 8")
#else
#define EDGE_HD
#define EDGE_UNROLL
#endif
