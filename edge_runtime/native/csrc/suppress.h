// suppress.h: NMS by the threads of one block, with the order and the rules of nms.h. Only for the device.
//
// If there are few candidates, as in live video, they are sorted and then decided 32 at a time. If there are more, the
// best of all is searched again for each box that is kept.
#pragma once

#include "nms.h"
#include "undo.h"

namespace edge {

constexpr int kThreads = 1024, kLanes = 32;  // of the block; its reduction is a square of 32
constexpr int kFew = 1024, kChunk = 32;      // most candidates to sort; candidates decided together

struct Candidate {
  uint64_t key;  // 0 when it is kept, suppressed or not needed
  Box box;
};

// One image: its candidates, its rows and its rules. They are copies, so that memory is read only once.
struct Suppression {
  Candidate* candidates;
  int count;
  float* rows;
  Frame frame;
  int classes, max_det;
  bool suppress;
  float iou;

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

// Few candidates, sorted, and what the threads share about 32 of them.
struct Sorted {
  uint64_t key[kFew];
  Box box[kFew];
  uint16_t place[kFew];      // place before sorting; later the numbers of the kept ones
  int class_id[kChunk];      // of the 32
  uint32_t strikes[kChunk];  // which later ones each of the 32 would suppress
  uint32_t alive, kept;      // which are still candidates; which are kept
  uint32_t shown[kFew / 32]; // which of all kept ones are in the image
};

__device__ inline bool strikes(const Suppression& s, const Sorted& all, int first, int k, const Box& box, int class_id) {
  const Box& mine = all.box[first + k];
  return all.class_id[k] == class_id && overlaps(mine, area(mine), box, area(box), s.iou);
}

// Decides which of the 32 from `first` on are kept, at most `room`.
__device__ inline uint32_t decide(const Suppression& s, Sorted& all, int first, int room) {
  if (threadIdx.x == 0) all.alive = 0;
  for (int k = threadIdx.x; k < kChunk; k += blockDim.x) {
    all.class_id[k] = s.class_of(all.key[first + k]);
    all.strikes[k] = 0;
  }
  __syncthreads();
  for (int k = threadIdx.x; k < kChunk; k += blockDim.x)
    if (all.key[first + k] && finite(all.box[first + k])) atomicOr(&all.alive, 1u << k);
  for (int pair = threadIdx.x; s.suppress && pair < kChunk * kChunk; pair += blockDim.x) {
    const int k = pair / kChunk, other = pair % kChunk;
    if (other > k && strikes(s, all, first, k, all.box[first + other], all.class_id[other]))
      atomicOr(&all.strikes[k], 1u << other);
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    uint32_t left = all.alive, kept = 0;
    EDGE_UNROLL
    for (int k = 0; k < kChunk; ++k) {
      const uint32_t struck = all.strikes[k], bit = room > 0 ? left & 1u << k : 0;
      kept |= bit;
      room -= bit != 0;
      if (bit) left &= ~struck;
    }
    all.kept = kept;
  }
  __syncthreads();
  return all.kept;
}

__device__ inline bool struck(const Suppression& s, const Sorted& all, int first, uint32_t kept, int other) {
  const Box box = all.box[other];
  const int class_id = s.class_of(all.key[other]);
  for (int k = 0; k < kChunk; ++k)
    if (kept >> k & 1 && strikes(s, all, first, k, box, class_id)) return true;
  return false;
}

// Writes the rows of the boxes that are kept and in the image, in their order. Returns how many there are.
__device__ inline int write(const Suppression& s, Sorted& all, int kept) {
  for (int word = threadIdx.x; word < kFew / 32; word += blockDim.x) all.shown[word] = 0;
  __syncthreads();
  const auto row = [&](int k, float* to) {
    const uint64_t key = all.key[all.place[k]];
    return write_row(all.box[all.place[k]], s.frame, key_score(key), s.class_of(key), to);
  };
  float unused[6];
  for (int k = threadIdx.x; k < kept; k += blockDim.x)
    if (row(k, unused)) atomicOr(&all.shown[k / 32], 1u << k % 32);
  __syncthreads();
  int before = 0, word = 0;  // rows of the words before
  for (int k = threadIdx.x; k < kept; k += blockDim.x) {
    for (; word < k / 32; ++word) before += __popc(all.shown[word]);
    const uint32_t shown = all.shown[word], bit = 1u << k % 32;
    if (shown & bit) row(k, s.rows + 6 * (before + __popc(shown & (bit - 1))));
  }
  int written = 0;
  for (word = 0; word < kFew / 32; ++word) written += __popc(all.shown[word]);
  return written;
}

// NMS for at most kFew candidates. Returns how many rows were written.
__device__ inline int suppress_few(const Suppression& s) {
  __shared__ Sorted all;
  int size = kChunk, kept = 0;
  while (size < s.count) size *= 2;
  for (int k = threadIdx.x; k < size; k += blockDim.x) {
    all.key[k] = k < s.count ? s.candidates[k].key : 0;
    all.place[k] = (uint16_t)(k < s.count ? k : 0);
  }
  __syncthreads();
  sort(all.key, all.place, size);
  for (int k = threadIdx.x; k < size && s.count; k += blockDim.x) all.box[k] = s.candidates[all.place[k]].box;
  __syncthreads();
  for (int first = 0; first < s.count && kept < s.max_det; first += kChunk) {
    const uint32_t stay = decide(s, all, first, s.max_det - kept);
    for (int k = threadIdx.x; k < kChunk; k += blockDim.x)
      if (stay >> k & 1) all.place[kept + __popc(stay & ((1u << k) - 1))] = (uint16_t)(first + k);
    for (int k = threadIdx.x + first + kChunk; s.suppress && k < s.count; k += blockDim.x)
      if (all.key[k] && struck(s, all, first, stay, k)) all.key[k] = 0;
    kept += __popc(stay);
    __syncthreads();
  }
  return write(s, all, kept);
}

// Returns the largest value of all threads to every thread.
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

// Returns how many candidates have this key or a larger one.
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

// Keeps only the best kMaxCandidates. It finds the key of the last of them, bit by bit.
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

// NMS for any number of candidates. Returns how many rows were written.
__device__ inline int suppress_many(const Suppression& s) {
  __shared__ uint64_t shared[kThreads + kLanes];
  __shared__ int total;
  __shared__ Box best;
  Candidate* candidates = s.candidates;
  if (threadIdx.x == 0) best = {0.0f, 0.0f, 0.0f, 0.0f};
  if (s.count > kMaxCandidates) limit(candidates, s.count, &total);
  int kept = 0, written = 0;
  bool striking = false;  // whether the last kept box may suppress others
  uint64_t key = 0;
  while (kept < s.max_det) {
    const Box last = best;
    const float last_area = area(last);
    const int last_class = s.class_of(key);
    uint64_t mine = 0;
    for (int k = threadIdx.x; k < s.count; k += blockDim.x) {
      const Candidate& c = candidates[k];
      if (c.key == 0) continue;
      const bool gone = c.key == key || (striking && s.class_of(c.key) == last_class &&
                                         overlaps(last, last_area, c.box, area(c.box), s.iou));
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
    striking = s.suppress && finite(best);
    if (!finite(best)) continue;
    ++kept;
    if (threadIdx.x == 0)
      written += write_row(best, s.frame, key_score(key), s.class_of(key), s.rows + 6 * written);
  }
  return written;
}

}  // namespace edge
