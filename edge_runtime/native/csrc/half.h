// half.h: float16 as bits, so that neither the host nor NVRTC needs a header for it.
#pragma once

#include "edge.h"

namespace edge {

EDGE_HD inline uint32_t float_bits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

EDGE_HD inline float bits_float(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

// Rounds to nearest, ties to even. A value that is too large becomes infinite, NaN stays NaN.
EDGE_HD inline uint16_t to_half(float value) {
  const uint32_t bits = float_bits(value), sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return (uint16_t)(sign | 0x7e00u);
  if (magnitude >= 0x477ff000u) return (uint16_t)(sign | 0x7c00u);  // 65520 or more
  if (magnitude < 0x38800000u) {  // below 2^-14: steps of 2^-24; adding 0.5 rounds to them
    return (uint16_t)(sign | (float_bits(bits_float(magnitude) + 0.5f) - float_bits(0.5f)));
  }
  const uint32_t odd = magnitude >> 13 & 1u;
  return (uint16_t)(sign | ((magnitude + 0xfffu + odd - 0x38000000u) >> 13));
}

EDGE_HD inline float from_half(uint16_t half) {
  const uint32_t sign = (uint32_t)(half & 0x8000u) << 16, magnitude = half & 0x7fffu;
  if (magnitude >= 0x7c00u) return bits_float(sign | 0x7f800000u | (magnitude & 0x3ffu) << 13);
  if (magnitude < 0x400u) return bits_float(sign | float_bits((float)magnitude * 5.9604644775390625e-8f));  // 2^-24
  return bits_float(sign | ((magnitude << 13) + 0x38000000u));
}

}  // namespace edge
