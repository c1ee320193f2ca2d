// letterbox_yuv_neon.cpp: letterbox_yuv_lanes.h with NEON.
#include <arm_neon.h>

#include <algorithm>

#include "letterbox_yuv.h"

namespace edge {
namespace {

#define EDGE_TARGET

constexpr int kOutputs = 4;
using Lanes = uint16x8_t;

inline Lanes splat(int number) { return vdupq_n_u16(uint16_t(number)); }
inline Lanes either(Lanes a, Lanes b) { return vorrq_u16(a, b); }
inline Lanes add(Lanes a, Lanes b) { return vaddq_u16(a, b); }
inline Lanes subtract(Lanes a, Lanes b) { return vsubq_u16(a, b); }
inline Lanes add_most(Lanes a, Lanes b) { return vqaddq_u16(a, b); }
inline Lanes minus(Lanes a, Lanes b) { return vqsubq_u16(a, b); }
inline Lanes whole(Lanes sums) { return vshrq_n_u16(sums, 6); }
inline Lanes high(Lanes a) { return vshlq_n_u16(a, 7); }

inline Lanes times(Lanes bytes, Lanes factor) {
  const uint32x4_t low = vmull_u16(vget_low_u16(bytes), vget_low_u16(factor)), top = vmull_high_u16(bytes, factor);
  return vuzp2q_u16(vreinterpretq_u16_u32(low), vreinterpretq_u16_u32(top));
}

inline Lanes multiply(Lanes difference, Lanes weight) {
  return vreinterpretq_u16_s16(vqrdmulhq_s16(vreinterpretq_s16_u16(difference), vreinterpretq_s16_u16(weight)));
}

inline uint8x16_t window(const uint8_t* row, const int32_t* offsets) { return vld1q_u8(row + offsets[0]); }

inline Lanes picked(uint8x16_t windows, const uint8_t* masks) {
  return vreinterpretq_u16_u8(vqtbl1q_u8(windows, vld1q_u8(masks)));
}

inline void store(float* out, Lanes values, const int16_t* weights, float scale, float bias) {
  const int16x8_t v = vreinterpretq_s16_u16(values), w = vld1q_s16(weights);
  const int32x4_t low = vmull_s16(vget_low_s16(v), vget_low_s16(w)), top = vmull_high_s16(v, w);
  const float32x4_t scaled = vmulq_n_f32(vcvtq_f32_s32(vpaddq_s32(low, top)), scale);
  vst1q_f32(out, vaddq_f32(scaled, vdupq_n_f32(bias)));
}

inline void store_half(float* out, uint16x4_t values, float scale, float bias) {
  const float32x4_t sums = vcvtq_f32_u32(vshlq_n_u32(vmovl_u16(values), 14));
  vst1q_f32(out, vaddq_f32(vmulq_n_f32(sums, scale), vdupq_n_f32(bias)));
}

inline void store_single(float* out, Lanes values, float scale, float bias) {
  store_half(out, vget_low_u16(values), scale, bias);
  store_half(out + kOutputs, vget_high_u16(values), scale, bias);
}

inline void store_bgr(uint8_t* out, Lanes b, Lanes g, Lanes r) {
  vst3_u8(out, uint8x8x3_t{{vmovn_u16(b), vmovn_u16(g), vmovn_u16(r)}});
}

#include "letterbox_yuv_lanes.h"

}  // namespace

std::vector<YuvKernel> simd_yuv_kernels() { return {{"neon", mix, convert}}; }

}  // namespace edge
