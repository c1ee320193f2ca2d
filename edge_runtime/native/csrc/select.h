// select.h: the bound above which the next best candidates lie, found by all threads of a block. Only for the device.
//
// The keys between two bounds are counted in bins. Bins are taken from the top while there is room for them. If not
// even one can be taken, that bin is divided into bins again. So it takes few rounds, also if many scores are equal.
#pragma once

#include "nms.h"

namespace edge {

constexpr int kLanes = 32;                              // threads of a warp
constexpr int kBinBits = 12, kBins = 1 << kBinBits, kGroup = 64;  // bins, and bins that are also counted together

struct Candidate {
  uint64_t key;
  Box box;
};

struct Bins {
  int single[kBins], group[kBins / kGroup];
};

// The first bin, from the top, for which there is no room; and how many keys lie above it.
struct Crossing {
  int bin, above;
};

// A barrier must follow before the bins are used.
__device__ inline void clear(Bins& bins) {
  for (int k = threadIdx.x; k < kBins; k += blockDim.x) bins.single[k] = 0;
  for (int k = threadIdx.x; k < kBins / kGroup; k += blockDim.x) bins.group[k] = 0;
}

// log2 of the keys in a bin. Scores are seldom above 1: if there are, they share the last bin.
__device__ inline int bin_shift(uint64_t low, uint64_t high) {
  const uint64_t usual = candidate_key(1.0f, 0) + 1;
  const uint64_t top = low < usual && usual < high ? usual : high;
  const int bits = 64 - __clzll((long long)((top - 1 - low) | 1));
  return bits > kBinBits ? bits - kBinBits : 0;
}

// The threads of one warp write where the sum of `counts`, from the last one down, exceeds `room`, if it does.
__device__ inline void cross(const int* counts, int size, int room, Crossing* found) {
  for (int k = threadIdx.x; k < size; k += kLanes) {
    int above = 0;
    EDGE_UNROLL
    for (int other = k + 1; other < size; ++other) above += counts[other];
    if (above <= room && above + counts[k] > room) *found = {k, above};
  }
}

// bin -1: there is room for all.
__device__ inline void cross(const Bins& bins, int room, Crossing* found) {
  __shared__ Crossing group, single;
  if (threadIdx.x == 0) group = {-1, 0};
  __syncwarp();
  cross(bins.group, kBins / kGroup, room, &group);
  __syncwarp();
  if (group.bin >= 0) cross(bins.single + kGroup * group.bin, kGroup, room - group.above, &single);
  __syncwarp();
  if (threadIdx.x == 0) *found = {group.bin < 0 ? -1 : kGroup * group.bin + single.bin, group.above + single.above};
}

__device__ inline void tally(const Candidate* candidates, int count, Bins& bins, uint64_t low, uint64_t high, int shift) {
  for (int k = threadIdx.x; k < count; k += blockDim.x) {
    const uint64_t key = candidates[k].key;
    if (key < low || key >= high) continue;
    const uint64_t number = (key - low) >> shift;
    const int bin = number < kBins ? (int)number : kBins - 1;
    atomicAdd(bins.single + bin, 1);
    atomicAdd(bins.group + bin / kGroup, 1);
  }
}

// Returns the least key of the best candidates with low <= key < high: all if there is room for them. Else it is at
// least one candidate and at most `room`, and exactly as many if `exact`. The bins must be clear; they are used up.
__device__ inline uint64_t cut(const Candidate* candidates, int count, Bins& bins, uint64_t low, uint64_t high,
                               int room, bool exact) {
  __shared__ Crossing at;
  for (int taken = 0;;) {
    const int shift = bin_shift(low, high);
    tally(candidates, count, bins, low, high, shift);
    __syncthreads();
    if (threadIdx.x < kLanes) cross(bins, room - taken, &at);
    __syncthreads();
    if (at.bin < 0) return low;
    taken += at.above;
    low += (uint64_t)at.bin << shift;
    const uint64_t end = low + ((uint64_t)1 << shift);
    if (at.bin < kBins - 1 && end < high) high = end;
    if (exact ? taken == room : taken > 0) return high;
    clear(bins);
    __syncthreads();
  }
}

}  // namespace edge
