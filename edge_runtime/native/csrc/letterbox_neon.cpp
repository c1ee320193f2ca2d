// letterbox_neon.cpp: rows with NEON. The last vector of a row overlaps the one before, so no masks are needed.
#include <arm_neon.h>

#include <algorithm>

#include "letterbox.h"

namespace edge {
namespace {

inline int16x8_t blend8(uint8x8_t a, uint8x8_t b, int16_t weight) {
  const int16x8_t difference = vshlq_n_s16(vreinterpretq_s16_u16(vsubl_u8(b, a)), 7);
  return vaddq_s16(vreinterpretq_s16_u16(vshll_n_u8(a, 7)), vqrdmulhq_n_s16(difference, weight));
}

void blend_rows_neon(const uint8_t* a, const uint8_t* b, int count, int weight, int16_t* values) {
  if (count < 16) return kPortable.blend_rows(a, b, count, weight, values);
  for (int next = 0; next < count; next += 16) {
    const int k = std::min(next, count - 16);
    const uint8x16_t from = vld1q_u8(a + k), to = vld1q_u8(b + k);
    vst1q_s16(values + k, blend8(vget_low_u8(from), vget_low_u8(to), int16_t(weight)));
    vst1q_s16(values + k + 8, blend8(vget_high_u8(from), vget_high_u8(to), int16_t(weight)));
  }
}

// The sums B, G, R of one pixel, and a fourth that is not used. `weights` are u0, u1.
inline int32x4_t mix_pixel(const int16_t* values, const int16_t* weights, int step) {
  const int32x4_t sum = vmull_n_s16(vld1_s16(values), weights[0]);
  return vmlal_n_s16(sum, vld1_s16(values + step), weights[1]);
}

inline void store(const Plane& plane, int x, int64x2_t sums) {
  const float32x4_t scaled = vmulq_n_f32(vcvtq_f32_s32(vreinterpretq_s32_s64(sums)), plane.scale);
  vst1q_f32(plane.row + x, vaddq_f32(scaled, vdupq_n_f32(plane.bias)));
}

inline int64x2_t even(int32x4_t a, int32x4_t b) { return vreinterpretq_s64_s32(vtrn1q_s32(a, b)); }
inline int64x2_t odd(int32x4_t a, int32x4_t b) { return vreinterpretq_s64_s32(vtrn2q_s32(a, b)); }

void mix_row_neon(const int16_t* values, const int32_t* offsets, const int16_t* weights, int width,
                  int step, const Plane planes[3]) {
  if (width < 4) return kPortable.mix_row(values, offsets, weights, width, step, planes);
  for (int next = 0; next < width; next += 4) {
    const int x = std::min(next, width - 4);
    const int32x4_t p0 = mix_pixel(values + offsets[x], weights + 2 * x, step);
    const int32x4_t p1 = mix_pixel(values + offsets[x + 1], weights + 2 * x + 2, step);
    const int32x4_t p2 = mix_pixel(values + offsets[x + 2], weights + 2 * x + 4, step);
    const int32x4_t p3 = mix_pixel(values + offsets[x + 3], weights + 2 * x + 6, step);
    const int64x2_t br01 = even(p0, p1), br23 = even(p2, p3);
    store(planes[0], x, vtrn1q_s64(br01, br23));
    store(planes[1], x, vtrn1q_s64(odd(p0, p1), odd(p2, p3)));
    store(planes[2], x, vtrn2q_s64(br01, br23));
  }
}

}  // namespace

std::vector<RowKernels> simd_kernels() { return {{"neon", blend_rows_neon, mix_row_neon}}; }

}  // namespace edge
