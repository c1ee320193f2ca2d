// letterbox.h: resize + pad + colour order + normalise + HWC->CHW in one pass, and its fixed-point arithmetic.
//
// Portable, AVX2, AVX-512, NEON, CUDA and numpy (tests/twins/letterbox.py) give the same bits by this one definition:
//   tap       pixel centres, edges clamped (OpenCV's INTER_LINEAR): destination d of n reads source i and i + 1 of s,
//             i + rest / 2n = ((2d + 1) s - n) / 2n
//   vertical  v = 128 a + mulhrs(128 (b - a), w), w = rest / 2n in 15 bits; v in 0..32640, so it fits int16
//   horizontal  sum = v[i] u0 + v[i + 1] u1, u1 = rest / 2n in 14 bits, u0 = 16384 - u1; the sum fits int32
//   output    float(sum) * scale + bias, each step rounded to nearest separately: never a fused multiply-add
// The vertical step comes first, because whole rows can be blended without shuffling.
#pragma once

#include "edge.h"

namespace edge {

constexpr int kOne = 128 * 16384;  // the sum of a source byte of 1
constexpr int kMaxSide = 1 << 26;  // pixels; keeps offsets within 32 bits and taps within 64

struct Tap {
  int index;       // of the first source pixel; the second is min(index + 1, source - 1)
  long long rest;  // distance from it, in 1 / (2 * size) pixels
};

EDGE_HD inline Tap tap(int d, int size, int source) {
  const long long twice = 2LL * size, last = twice * (source - 1);
  long long position = (2LL * d + 1) * source - size;
  position = position < 0 ? 0 : position > last ? last : position;
  return {int(position / twice), position % twice};
}

EDGE_HD inline int vertical_weight(long long rest, int size) {
  const int weight = int((rest * 32768 + size) / (2LL * size));
  return weight < 32767 ? weight : 32767;
}

EDGE_HD inline int horizontal_weight(long long rest, int size) { return int((rest * 16384 + size) / (2LL * size)); }

EDGE_HD inline int blend(int a, int b, int weight) {  // computes what _mm_mulhrs_epi16 and vqrdmulhq_s16 do
  return a * 128 + (((b - a) * 128 * weight + 0x4000) >> 15);
}

EDGE_HD inline int mix(int v0, int v1, int u0, int u1) { return v0 * u0 + v1 * u1; }

EDGE_HD inline float scale_of(float std) { return float(1.0 / (double(std) * kOne)); }
EDGE_HD inline float bias_of(float mean, float std) { return float(-double(mean) / double(std)); }

EDGE_HD inline float normalise(int sum, float scale, float bias) {
#ifdef __CUDA_ARCH__
  return __fadd_rn(__fmul_rn(__int2float_rn(sum), scale), bias);
#else
  return float(sum) * scale + bias;  // -ffp-contract=off
#endif
}

}  // namespace edge

#ifndef __CUDACC__  // the rest is only for the host

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace edge {

struct LetterboxJob {
  const uint8_t* src;  // BGR rows, `step` bytes a pixel
  int src_w, src_h;
  ptrdiff_t src_stride;  // bytes
  float* out;            // (3, out_h, out_w), every element is written
  int out_w, out_h;
  int width, height, pad_x, pad_y;  // where the resized image lies inside out
  uint8_t pad_value;
  bool swap_rb;
  float mean[3], std[3];  // per output channel, pixel units
  int step = 3;           // 3, or 4 if a byte that is not used follows each pixel
};

// Runs one job with the named implementation, "" for the best. Many threads may call it. It allocates if sizes grow.
// Throws std::invalid_argument for an unknown or unsupported name, an empty image, or a placement outside out.
void letterbox(const LetterboxJob& job, const std::string& simd);

// The implementations that this processor can run, best first. The last is always "portable".
std::vector<std::string> letterbox_simd_levels();

// ---- the parts of an implementation ----

struct Plane {  // where one source channel goes
  float* row;
  float scale, bias;
};

// Throws std::invalid_argument for an empty image, or a placement outside out.
void check(const LetterboxJob& job);

// Fills the padding, and sets where the first row of each source channel goes.
void prepare_planes(const LetterboxJob& job, Plane planes[3]);

struct RowKernels {
  const char* name;
  // values[k] = blend(a[k], b[k], weight), count values.
  void (*blend_rows)(const uint8_t* a, const uint8_t* b, int count, int weight, int16_t* values);
  // planes[c].row[x] from values[offsets[x] + c] and values[offsets[x] + step + c], for width pixels. `weights` holds u0
  // and u1 in turn. It may read 8 values from any offset.
  void (*mix_row)(const int16_t* values, const int32_t* offsets, const int16_t* weights, int width, int step,
                  const Plane planes[3]);
};

extern const RowKernels kPortable;
std::vector<RowKernels> simd_kernels();  // those that this processor can run, best first, not the portable one

}  // namespace edge

#endif
