// kernels.cu: what the device does for a batch: letterbox before the network, candidates and NMS after it.
//
// The grids are the same for all images, because a captured graph never changes. Sizes, places and thresholds are read
// from device memory. tests/native compiles this same file for the host, with threads instead of CUDA's.
#include "candidate.h"
#include "half.h"
#include "pixel.h"
#include "suppress.h"

namespace edge {
namespace {

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

}  // namespace
}  // namespace edge

// Grid (pixels / threads, batch). `n` has one entry per source channel, blue first.
extern "C" __global__ void edge_letterbox32(const edge::Image* images, const edge::Normalisation* n, float* out,
                                            int width, int height, int pad_value, int swap_rb) {
  edge::prepare(images, n, edge::Store32{out}, width, height, pad_value, swap_rb);
}

extern "C" __global__ void edge_letterbox16(const edge::Image* images, const edge::Normalisation* n, uint16_t* out,
                                            int width, int height, int pad_value, int swap_rb) {
  edge::prepare(images, n, edge::Store16{out}, width, height, pad_value, swap_rb);
}

// Grid (count / threads). Converts an output of the network that is float16.
extern "C" __global__ void edge_widen(const uint16_t* halves, float* out, int count) {
  const int k = blockIdx.x * blockDim.x + threadIdx.x;
  if (k < count) out[k] = edge::from_half(halves[k]);
}

// Grid (count / threads). Converts an output of the network that is int32 or int64.
extern "C" __global__ void edge_from_int32(const int32_t* whole, float* out, int count) {
  const int k = blockIdx.x * blockDim.x + threadIdx.x;
  if (k < count) out[k] = (float)whole[k];
}

extern "C" __global__ void edge_from_int64(const int64_t* whole, float* out, int count) {
  const int k = blockIdx.x * blockDim.x + threadIdx.x;
  if (k < count) out[k] = (float)whole[k];
}

// Grid (boxes / threads, batch). `counts` must be zero before. There is room for every box (and class) of an image.
extern "C" __global__ void edge_candidates(edge::Packed packed, const float* const* tensors, const int64_t* strides,
                                           int num_tensors, const uint8_t* mask, int boxes,
                                           edge::Candidate* candidates, int room, int* counts) {
  const int number = blockIdx.x * blockDim.x + threadIdx.x, image = blockIdx.y;
  if (number >= boxes) return;
  constexpr int kMost = 32;
  const float* own[kMost];
  for (int t = 0; t < num_tensors && t < kMost; ++t) own[t] = tensors[t] + strides[t] * image;
  const edge::Rule rule = packed.rule();
  const edge::BoxIndex at = edge::box_index(packed, number);
  const edge::Level level = packed.level(at.level);
  const float conf = packed.conf() > 0.0f ? packed.conf() : 0.0f;
  edge::Candidate* mine = candidates + (int64_t)image * room;
  edge::candidates(rule, level, own, at, conf, packed.multi_label(), mask, [&](float score, int class_id) {
    const uint32_t index = (uint32_t)number * rule.num_classes + class_id;
    const edge::Box box = edge::decode_box(rule, level, own[level.box.tensor], at.anchor, at.cell);
    mine[atomicAdd(counts + image, 1)] = {edge::candidate_key(score, index), box};
  });
}

// Grid (batch), one block each. The order of the candidates in memory does not matter: unique keys decide.
extern "C" __global__ void __launch_bounds__(edge::kThreads)
edge_suppress(edge::Packed packed, edge::Candidate* all, int room, const int* counts, const edge::Frame* frames,
              float* rows, int* found) {
  const int image = blockIdx.x, count = counts[image];
  const edge::Suppression s = {all + (int64_t)image * room, count, rows + (int64_t)image * packed.max_det() * 6,
                               frames[image], packed.rule().num_classes, packed.max_det(), packed.suppress(),
                               packed.conf() > 0.0f ? packed.conf() : 0.0f, packed.iou()};
  const int written = edge::suppress(s);
  if (threadIdx.x == 0) found[image] = written;
}
