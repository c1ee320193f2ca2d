// kernels.cu: what the device does for a batch: letterbox before the network, candidates and NMS behind it.
//
// Fixed grids, whatever the images are: a captured graph never changes. Sizes, places and thresholds are read from device
// memory. tests/native compiles this very file for the host, with threads in the place of CUDA's.
#include "candidate.h"
#include "half.h"
#include "pixel.h"
#include "undo.h"

namespace edge {
namespace {

constexpr int kThreads = 1024, kLanes = 32;  // of the block that suppresses; its reduction is a square of 32

struct Store32 {
  float* out;
  EDGE_HD void operator()(int64_t place, float value) const { out[place] = value; }
};

struct Store16 {
  uint16_t* out;
  EDGE_HD void operator()(int64_t place, float value) const { out[place] = to_half(value); }
};

template <typename Store>
__device__ void prepare(const Image* images, const Normalisation* n, const Store& store, int width, int height,
                        int pad_value, int swap_rb) {
  const int number = blockIdx.x * blockDim.x + threadIdx.x, area = width * height;
  if (number >= area) return;
  const int64_t first = (int64_t)blockIdx.y * 3 * area + number;
  pixel(images[blockIdx.y], *n, pad_value, number % width, number / width,
        [&](int c, float value) { store(first + (int64_t)(swap_rb ? 2 - c : c) * area, value); });
}

struct Candidate {
  uint64_t key;  // 0 once it is kept, suppressed or of no interest
  Box box;
};

__device__ inline uint64_t larger(uint64_t a, uint64_t b) { return a > b ? a : b; }

// The largest of all threads' values, for all threads.
__device__ uint64_t largest(uint64_t value, uint64_t* shared) {
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
__device__ int counted(const Candidate* candidates, int count, uint64_t least, int* shared) {
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
__device__ void limit(Candidate* candidates, int count, int* shared) {
  uint64_t least = 0;
  for (int bit = 63; bit >= 0; --bit) {
    const uint64_t tried = least | (uint64_t)1 << bit;
    if (counted(candidates, count, tried, shared) >= kMaxCandidates) least = tried;
  }
  for (int k = threadIdx.x; k < count; k += blockDim.x)
    if (candidates[k].key < least) candidates[k].key = 0;
  __syncthreads();
}

}  // namespace
}  // namespace edge

// Grid (pixels / threads, batch). `n` is per source channel, blue first.
extern "C" __global__ void edge_letterbox32(const edge::Image* images, const edge::Normalisation* n, float* out,
                                            int width, int height, int pad_value, int swap_rb) {
  edge::prepare(images, n, edge::Store32{out}, width, height, pad_value, swap_rb);
}

extern "C" __global__ void edge_letterbox16(const edge::Image* images, const edge::Normalisation* n, uint16_t* out,
                                            int width, int height, int pad_value, int swap_rb) {
  edge::prepare(images, n, edge::Store16{out}, width, height, pad_value, swap_rb);
}

// Grid (count / threads). An output of the network that is float16.
extern "C" __global__ void edge_widen(const uint16_t* halves, float* out, int count) {
  const int k = blockIdx.x * blockDim.x + threadIdx.x;
  if (k < count) out[k] = edge::from_half(halves[k]);
}

// Grid (boxes / threads, batch). `counts` is zero before; room for every box (and class) of an image.
extern "C" __global__ void edge_candidates(edge::Packed packed, const float* const* tensors, const int64_t* strides,
                                           int num_tensors, const uint8_t* mask, int boxes,
                                           edge::Candidate* candidates, int room, int* counts) {
  const int number = blockIdx.x * blockDim.x + threadIdx.x, image = blockIdx.y;
  if (number >= boxes) return;
  constexpr int kMost = 32;
  const float* own[kMost];
  for (int t = 0; t < num_tensors && t < kMost; ++t) own[t] = tensors[t] + strides[t] * image;
  const edge::Rule rule = packed.rule();
  const edge::Place at = edge::place(packed, number);
  const edge::Level level = packed.level(at.level);
  const float conf = packed.conf() > 0.0f ? packed.conf() : 0.0f;
  edge::Candidate* mine = candidates + (int64_t)image * room;
  edge::candidates(rule, level, own, at, conf, packed.multi_label(), mask, [&](float score, int class_id) {
    const uint32_t index = (uint32_t)number * rule.num_classes + class_id;
    const edge::Box box = edge::decode_box(rule, level, own[level.box.tensor], at.anchor, at.cell);
    mine[atomicAdd(counts + image, 1)] = {edge::candidate_key(score, index), box};
  });
}

// Grid (batch), one block each. Which candidate stands where does not matter: keys decide, and no two are equal.
extern "C" __global__ void __launch_bounds__(edge::kThreads)
edge_suppress(edge::Packed packed, edge::Candidate* all, int room, const int* counts, const edge::Frame* frames,
              float* rows, int* found) {
  using namespace edge;
  __shared__ uint64_t shared[kThreads + kLanes];
  __shared__ int total;
  __shared__ Box best;
  const int image = blockIdx.x, count = counts[image], classes = packed.rule().num_classes;
  Candidate* candidates = all + (int64_t)image * room;
  float* row = rows + (int64_t)image * packed.max_det() * 6;
  if (threadIdx.x == 0) best = {0.0f, 0.0f, 0.0f, 0.0f};
  if (count > kMaxCandidates) limit(candidates, count, &total);
  int kept = 0, written = 0;
  bool struck = false;  // whether there is a last one kept that suppresses others
  uint64_t key = 0;
  while (kept < packed.max_det()) {
    const Box last = best;
    const float last_area = area(last);
    const int last_class = (int)(key_index(key) % classes);
    uint64_t mine = 0;
    for (int k = threadIdx.x; k < count; k += blockDim.x) {
      const Candidate& c = candidates[k];
      if (c.key == 0) continue;
      const bool gone = c.key == key || (struck && (int)(key_index(c.key) % classes) == last_class &&
                                         overlaps(last, last_area, c.box, area(c.box), packed.iou()));
      if (gone)
        candidates[k].key = 0;
      else
        mine = larger(mine, c.key);
    }
    key = largest(mine, shared);
    if (key == 0) break;
    for (int k = threadIdx.x; k < count; k += blockDim.x)
      if (candidates[k].key == key) best = candidates[k].box;
    __syncthreads();
    struck = packed.suppress() && finite(best);
    if (!finite(best)) continue;
    ++kept;
    if (threadIdx.x == 0)
      written += write_row(best, frames[image], key_score(key), (int)(key_index(key) % classes), row + 6 * written);
  }
  if (threadIdx.x == 0) found[image] = written;
}
