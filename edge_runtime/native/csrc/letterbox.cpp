// letterbox.cpp: tables, row loop, padding and the portable kernels. letterbox_{x86,neon}.cpp have the fast kernels.
#include "letterbox.h"

#include <algorithm>
#include <stdexcept>

namespace edge {
namespace {

void blend_rows(const uint8_t* a, const uint8_t* b, int count, int weight, int16_t* values) {
  for (int k = 0; k < count; ++k) values[k] = int16_t(blend(a[k], b[k], weight));
}

void mix_row(const int16_t* values, const int32_t* offsets, const int16_t* weights, int width,
             int step, const Plane planes[3]) {
  for (int x = 0; x < width; ++x) {
    const int16_t* v = values + offsets[x];
    for (int c = 0; c < 3; ++c) {
      const int sum = mix(v[c], v[c + step], weights[2 * x], weights[2 * x + 1]);
      planes[c].row[x] = normalise(sum, planes[c].scale, planes[c].bias);
    }
  }
}

// The tables and the scratch row of one thread. They only grow. The tables are kept while the sizes stay the same.
struct Workspace {
  int source_w = 0, width = 0, pixel = 0, source_h = 0, height = 0;
  std::vector<int32_t> offsets;  // per column: step * index
  std::vector<int16_t> columns;  // per column: u0, u1
  std::vector<int32_t> indices;  // per row
  std::vector<int16_t> rows;     // per row: w
  std::vector<int16_t> values;   // one blended source row

  void fit_columns(int source, int size, int step) {
    if (source == source_w && size == width && step == pixel) return;
    source_w = 0;  // marks the tables as not valid, if an allocation below throws
    offsets.resize(size);
    columns.resize(2 * size_t(size));
    values.resize(step * size_t(source) + 8);  // 8 more: mix_row reads beyond the last pixel, with weight 0
    for (int x = 0; x < size; ++x) {
      const Tap t = tap(x, size, source);
      offsets[x] = step * t.index;
      columns[2 * x + 1] = int16_t(horizontal_weight(t.rest, size));
      columns[2 * x] = int16_t(16384 - columns[2 * x + 1]);
    }
    source_w = source;
    width = size;
    pixel = step;
  }

  void fit_rows(int source, int size) {
    if (source == source_h && size == height) return;
    source_h = 0;
    indices.resize(size);
    rows.resize(size);
    for (int y = 0; y < size; ++y) {
      const Tap t = tap(y, size, source);
      indices[y] = t.index;
      rows[y] = int16_t(vertical_weight(t.rest, size));
    }
    source_h = source;
    height = size;
  }
};

const std::vector<RowKernels>& all_kernels() {
  static const std::vector<RowKernels> kernels = [] {
    std::vector<RowKernels> found = simd_kernels();
    found.push_back(kPortable);
    return found;
  }();
  return kernels;
}

const RowKernels& pick(const std::string& simd) {
  for (const RowKernels& kernels : all_kernels()) {
    if (simd.empty() || simd == kernels.name) return kernels;
  }
  throw std::invalid_argument("this processor has no letterbox named " + simd);
}

inline void prefetch(const uint8_t* bytes, int count) {
  for (int k = 0; k < count; k += 64) __builtin_prefetch(bytes + k);
}

struct RowPair {
  const uint8_t *a, *b;
};

// Blends one pair of rows and prefetches the next. Hardware prefetchers stop at pages: without this, a source outside
// the caches takes up to three times as long. It works in pieces, because a core can wait for only a few cache lines at
// a time. Pieces of 1024 bytes are slower.
void blend_pair(const RowKernels& kernels, RowPair rows, RowPair next, int count, int weight, int16_t* values) {
  constexpr int kPiece = 512;
  for (int k = 0; k < count; k += kPiece) {
    const int piece = std::min(kPiece, count - k);
    prefetch(next.a + k, piece);
    prefetch(next.b + k, piece);
    kernels.blend_rows(rows.a + k, rows.b + k, piece, weight, values + k);
  }
}

void fill_padding(const LetterboxJob& job, float* channel, float value) {
  const size_t out_w = job.out_w;
  const int right = job.pad_x + job.width, below = job.pad_y + job.height;
  std::fill_n(channel, out_w * job.pad_y, value);
  if (job.width < job.out_w) {
    for (int y = job.pad_y; y < below; ++y) {
      std::fill_n(channel + out_w * y, job.pad_x, value);
      std::fill_n(channel + out_w * y + right, job.out_w - right, value);
    }
  }
  std::fill_n(channel + out_w * below, out_w * (job.out_h - below), value);
}

}  // namespace

const RowKernels kPortable = {"portable", blend_rows, mix_row};

#if !defined(__x86_64__) && !defined(__aarch64__)
std::vector<RowKernels> simd_kernels() { return {}; }
#endif

std::vector<std::string> letterbox_simd_levels() {
  std::vector<std::string> names;
  for (const RowKernels& kernels : all_kernels()) names.push_back(kernels.name);
  return names;
}

void check(const LetterboxJob& job) {
  const auto side = [](int size) { return 1 <= size && size <= kMaxSide; };
  if (!side(job.src_w) || !side(job.src_h)) throw std::invalid_argument("image side is not in 1..2^26");
  if (!side(job.width) || !side(job.height)) throw std::invalid_argument("resized side is not in 1..2^26");
  if (job.pad_x < 0 || job.pad_y < 0 || job.pad_x > job.out_w - job.width || job.pad_y > job.out_h - job.height) {
    throw std::invalid_argument("the resized image does not lie inside out");
  }
}

void prepare_planes(const LetterboxJob& job, Plane planes[3]) {
  for (int k = 0; k < 3; ++k) {
    const float scale = scale_of(job.std[k]), bias = bias_of(job.mean[k], job.std[k]);
    float* channel = job.out + size_t(k) * job.out_h * job.out_w;
    fill_padding(job, channel, normalise(job.pad_value * kOne, scale, bias));
    planes[job.swap_rb ? 2 - k : k] = {channel + size_t(job.pad_y) * job.out_w + job.pad_x, scale, bias};
  }
}

void letterbox(const LetterboxJob& job, const std::string& simd) {
  check(job);
  const RowKernels& kernels = pick(simd);
  thread_local Workspace space;
  space.fit_columns(job.src_w, job.width, job.step);
  space.fit_rows(job.src_h, job.height);

  Plane planes[3];  // by source channel
  prepare_planes(job, planes);
  const auto pair = [&](int y) -> RowPair {
    const int row = std::min(y, job.height - 1), index = space.indices[row];
    const int next = space.rows[row] ? std::min(index + 1, job.src_h - 1) : index;  // without a weight it is not read
    return {job.src + index * job.src_stride, job.src + next * job.src_stride};
  };
  for (int y = 0; y < job.height; ++y) {
    blend_pair(kernels, pair(y), pair(y + 1), job.step * job.src_w, space.rows[y], space.values.data());
    kernels.mix_row(space.values.data(), space.offsets.data(), space.columns.data(), job.width, job.step,
                    planes);
    for (Plane& plane : planes) plane.row += job.out_w;
  }
}

}  // namespace edge
