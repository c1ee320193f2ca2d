// suppress.h: NMS by the threads of one block, by the order and the rules of nms.h. For the device alone.
//
// Few candidates, as live video has them, are sorted; then 32 at a time are decided together. Where there are more, the
// best of all is sought again for each box that is kept.
#pragma once

#include "nms.h"
#include "packed.h"
#include "undo.h"

namespace edge {

constexpr int kThreads = 1024, kLanes = 32;  // of the block; its reduction is a square of 32
constexpr int kFew = 1024, kChunk = 32;      // candidates that are sorted; that are decided together

struct Candidate {
  uint64_t key;  // 0 once it is kept, suppressed or of no interest
  Box box;
};

// One image: where its candidates are, and where its rows go.
struct Suppression {
  const Packed& packed;
  Candidate* candidates;
  int count, classes;
  const Frame& frame;
  float* rows;

  __device__ int class_of(uint64_t key) const { return (int)(key_index(key) % classes); }
};

__device__ inline uint64_t larger(uint64_t a, uint64_t b) { return a > b ? a : b; }

// Bitonic (Batcher 1968), the largest key first; `size` is a power of two.
__device__ inline void sort(uint64_t* keys, uint16_t* places, int size) {
  for (int run = 2; run <= size; run *= 2)
    for (int apart = run / 2; apart > 0; apart /= 2) {
      for (int k = threadIdx.x; k < size / 2; k += blockDim.x) {
        const int low = 2 * k - (k & (apart - 1)), high = low + apart;
        if ((keys[low] < keys[high]) != ((low & run) == 0)) continue;
        const uint64_t key = keys[low];
        const uint16_t place = places[low];
        keys[low] = keys[high], places[low] = places[high];
        keys[high] = key, places[high] = place;
      }
      __syncthreads();
    }
}

// 32 candidates in their order.
struct Chunk {
  Box box[kChunk];
  int class_id[kChunk];
  uint32_t strikes[kChunk];  // which of those behind it each would suppress
  uint32_t alive, shown;     // which are candidates; which of the kept are in the image
  float row[kChunk][6];
};

__device__ inline bool strikes(const Chunk& chunk, int k, const Box& box, int class_id, float iou) {
  return chunk.class_id[k] == class_id && overlaps(chunk.box[k], area(chunk.box[k]), box, area(box), iou);
}

// Which of a chunk are kept, at most `room`: every thread comes to the same answer.
__device__ inline uint32_t decide(const Suppression& s, const uint64_t* keys, const uint16_t* places, Chunk& chunk,
                                  int room) {
  if (threadIdx.x == 0) chunk.alive = chunk.shown = 0;
  for (int k = threadIdx.x; k < kChunk; k += blockDim.x) {
    chunk.box[k] = s.candidates[places[k]].box;
    chunk.class_id[k] = s.class_of(keys[k]);
    chunk.strikes[k] = 0;
  }
  __syncthreads();
  for (int k = threadIdx.x; k < kChunk; k += blockDim.x)
    if (keys[k] && finite(chunk.box[k])) atomicOr(&chunk.alive, 1u << k);
  for (int pair = threadIdx.x; s.packed.suppress() && pair < kChunk * kChunk; pair += blockDim.x) {
    const int k = pair / kChunk, other = pair % kChunk;
    if (other > k && strikes(chunk, k, chunk.box[other], chunk.class_id[other], s.packed.iou()))
      atomicOr(&chunk.strikes[k], 1u << other);
  }
  __syncthreads();
  uint32_t left = chunk.alive, kept = 0;
  for (int k = 0; k < kChunk && room > 0; ++k) {
    if (!(left >> k & 1)) continue;
    kept |= 1u << k;
    left &= ~chunk.strikes[k];
    --room;
  }
  return kept;
}

// Writes the rows of those that are kept and in the image; how many they are.
__device__ inline int write(const Suppression& s, const uint64_t* keys, Chunk& chunk, uint32_t kept, float* rows) {
  for (int k = threadIdx.x; k < kChunk; k += blockDim.x)
    if (kept >> k & 1 && write_row(chunk.box[k], s.frame, key_score(keys[k]), chunk.class_id[k], chunk.row[k]))
      atomicOr(&chunk.shown, 1u << k);
  __syncthreads();
  const uint32_t shown = chunk.shown;
  for (int k = threadIdx.x; k < kChunk; k += blockDim.x)
    for (int c = 0; shown >> k & 1 && c < 6; ++c) rows[6 * __popc(shown & ((1u << k) - 1)) + c] = chunk.row[k][c];
  return __popc(shown);
}

__device__ inline bool struck(const Chunk& chunk, uint32_t kept, const Box& box, int class_id, float iou) {
  for (int k = 0; k < kChunk; ++k)
    if (kept >> k & 1 && strikes(chunk, k, box, class_id, iou)) return true;
  return false;
}

// At most kFew candidates; how many rows were written.
__device__ inline int suppress_few(const Suppression& s) {
  __shared__ uint64_t keys[kFew];
  __shared__ uint16_t places[kFew];
  __shared__ Chunk chunk;
  int size = kChunk, room = s.packed.max_det(), written = 0;
  while (size < s.count) size *= 2;
  for (int k = threadIdx.x; k < size; k += blockDim.x) {
    keys[k] = k < s.count ? s.candidates[k].key : 0;
    places[k] = (uint16_t)(k < s.count ? k : 0);
  }
  __syncthreads();
  sort(keys, places, size);
  for (int first = 0; first < s.count && room > 0; first += kChunk) {
    const uint32_t kept = decide(s, keys + first, places + first, chunk, room);
    room -= __popc(kept);
    for (int k = threadIdx.x + first + kChunk; s.packed.suppress() && k < s.count; k += blockDim.x)
      if (keys[k] && struck(chunk, kept, s.candidates[places[k]].box, s.class_of(keys[k]), s.packed.iou())) keys[k] = 0;
    written += write(s, keys + first, chunk, kept, s.rows + 6 * written);
    __syncthreads();
  }
  return written;
}

// The largest of all threads' values, for all threads.
__device__ inline uint64_t largest(uint64_t value, uint64_t* shared) {
  shared[threadIdx.x] = value;
  __syncthreads();
  if (threadIdx.x < kLanes) {
    for (int k = threadIdx.x + kLanes; k < blockDim.x; k += kLanes) value = larger(value, shared[k]);
    shared[kThreads + threadIdx.x] = value;
  }
  __syncthreads();
  for (int k = 0; k < kLanes; ++k) value = larger(value, shared[kThreads + k]);
  return value;
}

// How many candidates have at least this key.
__device__ inline int counted(const Candidate* candidates, int count, uint64_t least, int* shared) {
  if (threadIdx.x == 0) *shared = 0;
  __syncthreads();
  int found = 0;
  for (int k = threadIdx.x; k < count; k += blockDim.x) found += candidates[k].key >= least;
  atomicAdd(shared, found);
  __syncthreads();
  found = *shared;
  __syncthreads();
  return found;
}

// Leaves the best kMaxCandidates: finds the key of the last of them, bit by bit.
__device__ inline void limit(Candidate* candidates, int count, int* shared) {
  uint64_t least = 0;
  for (int bit = 63; bit >= 0; --bit) {
    const uint64_t tried = least | (uint64_t)1 << bit;
    if (counted(candidates, count, tried, shared) >= kMaxCandidates) least = tried;
  }
  for (int k = threadIdx.x; k < count; k += blockDim.x)
    if (candidates[k].key < least) candidates[k].key = 0;
  __syncthreads();
}

// Any number of candidates; how many rows were written.
__device__ inline int suppress_many(const Suppression& s) {
  __shared__ uint64_t shared[kThreads + kLanes];
  __shared__ int total;
  __shared__ Box best;
  Candidate* candidates = s.candidates;
  if (threadIdx.x == 0) best = {0.0f, 0.0f, 0.0f, 0.0f};
  if (s.count > kMaxCandidates) limit(candidates, s.count, &total);
  int kept = 0, written = 0;
  bool striking = false;  // whether there is a last one kept that suppresses others
  uint64_t key = 0;
  while (kept < s.packed.max_det()) {
    const Box last = best;
    const float last_area = area(last);
    const int last_class = s.class_of(key);
    uint64_t mine = 0;
    for (int k = threadIdx.x; k < s.count; k += blockDim.x) {
      const Candidate& c = candidates[k];
      if (c.key == 0) continue;
      const bool gone = c.key == key || (striking && s.class_of(c.key) == last_class &&
                                         overlaps(last, last_area, c.box, area(c.box), s.packed.iou()));
      if (gone)
        candidates[k].key = 0;
      else
        mine = larger(mine, c.key);
    }
    key = largest(mine, shared);
    if (key == 0) break;
    for (int k = threadIdx.x; k < s.count; k += blockDim.x)
      if (candidates[k].key == key) best = candidates[k].box;
    __syncthreads();
    striking = s.packed.suppress() && finite(best);
    if (!finite(best)) continue;
    ++kept;
    if (threadIdx.x == 0)
      written += write_row(best, s.frame, key_score(key), s.class_of(key), s.rows + 6 * written);
  }
  return written;
}

}  // namespace edge
