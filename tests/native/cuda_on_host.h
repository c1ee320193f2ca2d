// cuda_on_host.h: as much of CUDA's language as kernels.cu uses, with threads of the host in the place of the device's.
//
// The blocks of a grid run one after the other, the threads of a block all at once where they meet at barriers, so that
// `__shared__` may be a static variable and a missing barrier is a race here as it is there.
#pragma once

#include <pthread.h>

#include <cstdint>
#include <thread>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __shared__ static
#define __launch_bounds__(threads)

struct Dim {
  int x = 1, y = 1;
};

inline thread_local Dim threadIdx, blockIdx;
inline Dim blockDim;
inline int rounds;  // barriers of the whole block so far, of all blocks

constexpr int kWarp = 32, kWarps = 32;
inline pthread_barrier_t barrier, warp_barriers[kWarps];

inline void __syncthreads() {
  if (threadIdx.x == 0) ++rounds;
  pthread_barrier_wait(&barrier);
}
inline void __syncwarp() { pthread_barrier_wait(&warp_barriers[threadIdx.x / kWarp]); }
inline int atomicAdd(int* place, int value) { return __atomic_fetch_add(place, value, __ATOMIC_RELAXED); }
inline uint32_t atomicOr(uint32_t* place, uint32_t bits) {
  return __atomic_fetch_or(place, bits, __ATOMIC_RELAXED);
}
inline int __popc(uint32_t bits) { return __builtin_popcount(bits); }
inline int __clzll(long long bits) { return bits ? __builtin_clzll(bits) : 64; }

// Kernels without barriers: thread after thread.
template <typename Kernel>
void run_apart(Dim grid, int threads, const Kernel& kernel) {
  blockDim = {threads, 1};
  for (int y = 0; y < grid.y; ++y)
    for (int x = 0; x < grid.x; ++x)
      for (int t = 0; t < threads; ++t) {
        blockIdx = {x, y};
        threadIdx = {t, 0};
        kernel();
      }
}

// Kernels with barriers: the threads of a block together, whole warps of them.
template <typename Kernel>
void run_together(Dim grid, int threads, const Kernel& kernel) {
  blockDim = {threads, 1};
  pthread_barrier_init(&barrier, nullptr, threads);
  for (int warp = 0; warp < threads / kWarp; ++warp) pthread_barrier_init(&warp_barriers[warp], nullptr, kWarp);
  for (int x = 0; x < grid.x; ++x) {
    std::vector<std::thread> block;
    for (int t = 0; t < threads; ++t)
      block.emplace_back([&, t] {
        blockIdx = {x, 0};
        threadIdx = {t, 0};
        kernel();
      });
    for (std::thread& thread : block) thread.join();
  }
  for (int warp = 0; warp < threads / kWarp; ++warp) pthread_barrier_destroy(&warp_barriers[warp]);
  pthread_barrier_destroy(&barrier);
}
