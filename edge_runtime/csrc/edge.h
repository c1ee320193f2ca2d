// edge.h: what every native file shares. The bodies marked EDGE_HD compile for the host and, under nvcc, for the device.
#pragma once

#ifdef __CUDACC__
#define EDGE_HD __host__ __device__
#else
#define EDGE_HD
#endif
