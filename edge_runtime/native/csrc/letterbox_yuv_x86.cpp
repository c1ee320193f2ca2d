// letterbox_yuv_x86.cpp: letterbox_yuv_lanes.h with AVX2 and with AVX-512.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // the AVX-512 headers of GCC 12 cause warnings
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>

#include <algorithm>

#include "letterbox_yuv.h"

namespace edge {
namespace {

// 16 pixels, 48 bytes. Byte k of the result is from channel k % 3, pixel k / 3.
__attribute__((target("avx2"))) inline void interleave(uint8_t* out, __m128i b, __m128i g, __m128i r) {
  const __m128i none = _mm_set1_epi8(-1);
  const __m128i thirds = _mm_setr_epi8(0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1, -1, 5);
  const __m128i later = _mm_setr_epi8(-1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1, 10, -1);
  const __m128i last = _mm_setr_epi8(-1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15, -1, -1);
  // Channel g lies one byte behind b, and r one behind g.
  const __m128i g0 = _mm_alignr_epi8(thirds, none, 15), g1 = _mm_alignr_epi8(later, thirds, 15);
  const __m128i g2 = _mm_alignr_epi8(last, later, 15), r0 = _mm_alignr_epi8(thirds, none, 14);
  const __m128i r1 = _mm_alignr_epi8(later, thirds, 14), r2 = _mm_alignr_epi8(last, later, 14);
  const __m128i masks[3][3] = {{thirds, g0, r0}, {later, g1, r1}, {last, g2, r2}};
  for (int part = 0; part < 3; ++part) {
    const __m128i two = _mm_or_si128(_mm_shuffle_epi8(b, masks[part][0]), _mm_shuffle_epi8(g, masks[part][1]));
    _mm_storeu_si128((__m128i*)(out + 16 * part), _mm_or_si128(two, _mm_shuffle_epi8(r, masks[part][2])));
  }
}

namespace avx2 {
#define EDGE_TARGET __attribute__((target("avx2")))

constexpr int kOutputs = 8;
using Lanes = __m256i;

EDGE_TARGET inline Lanes splat(int number) { return _mm256_set1_epi16(int16_t(number)); }
EDGE_TARGET inline Lanes either(Lanes a, Lanes b) { return _mm256_or_si256(a, b); }
EDGE_TARGET inline Lanes times(Lanes bytes, Lanes factor) { return _mm256_mulhi_epu16(bytes, factor); }
EDGE_TARGET inline Lanes add(Lanes a, Lanes b) { return _mm256_add_epi16(a, b); }
EDGE_TARGET inline Lanes subtract(Lanes a, Lanes b) { return _mm256_sub_epi16(a, b); }
EDGE_TARGET inline Lanes add_most(Lanes a, Lanes b) { return _mm256_adds_epu16(a, b); }
EDGE_TARGET inline Lanes minus(Lanes a, Lanes b) { return _mm256_subs_epu16(a, b); }
EDGE_TARGET inline Lanes whole(Lanes sums) { return _mm256_srli_epi16(sums, 6); }
EDGE_TARGET inline Lanes high(Lanes a) { return _mm256_slli_epi16(a, 7); }

EDGE_TARGET inline Lanes multiply(Lanes difference, Lanes weight) { return _mm256_mulhrs_epi16(difference, weight); }

EDGE_TARGET inline Lanes window(const uint8_t* row, const int32_t* offsets) {
  const __m128i first = _mm_loadu_si128((const __m128i*)(row + offsets[0]));
  return _mm256_inserti128_si256(_mm256_castsi128_si256(first),
                                 _mm_loadu_si128((const __m128i*)(row + offsets[1])), 1);
}

EDGE_TARGET inline Lanes picked(Lanes windows, const uint8_t* masks) {
  return _mm256_shuffle_epi8(windows, _mm256_loadu_si256((const __m256i*)masks));
}

EDGE_TARGET inline void store(float* out, Lanes values, const int16_t* weights, float scale, float bias) {
  const __m256i sums = _mm256_madd_epi16(values, _mm256_loadu_si256((const __m256i*)weights));
  const __m256 scaled = _mm256_mul_ps(_mm256_cvtepi32_ps(sums), _mm256_set1_ps(scale));
  _mm256_storeu_ps(out, _mm256_add_ps(scaled, _mm256_set1_ps(bias)));
}

EDGE_TARGET inline void store_half(float* out, __m128i values, float scale, float bias) {
  const __m256i sums = _mm256_slli_epi32(_mm256_cvtepu16_epi32(values), 14);
  const __m256 scaled = _mm256_mul_ps(_mm256_cvtepi32_ps(sums), _mm256_set1_ps(scale));
  _mm256_storeu_ps(out, _mm256_add_ps(scaled, _mm256_set1_ps(bias)));
}

EDGE_TARGET inline void store_single(float* out, Lanes values, float scale, float bias) {
  store_half(out, _mm256_castsi256_si128(values), scale, bias);
  store_half(out + kOutputs, _mm256_extracti128_si256(values, 1), scale, bias);
}

EDGE_TARGET inline __m128i bytes_of(Lanes a) {
  return _mm_packus_epi16(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
}

EDGE_TARGET inline void store_bgr(uint8_t* out, Lanes b, Lanes g, Lanes r) {
  interleave(out, bytes_of(b), bytes_of(g), bytes_of(r));
}

#include "letterbox_yuv_lanes.h"
#undef EDGE_TARGET
}  // namespace avx2

namespace avx512 {
#define EDGE_TARGET __attribute__((target("avx512f,avx512bw,avx512vl")))

constexpr int kOutputs = 16;
using Lanes = __m512i;

EDGE_TARGET inline Lanes splat(int number) { return _mm512_set1_epi16(int16_t(number)); }
EDGE_TARGET inline Lanes either(Lanes a, Lanes b) { return _mm512_or_si512(a, b); }
EDGE_TARGET inline Lanes times(Lanes bytes, Lanes factor) { return _mm512_mulhi_epu16(bytes, factor); }
EDGE_TARGET inline Lanes add(Lanes a, Lanes b) { return _mm512_add_epi16(a, b); }
EDGE_TARGET inline Lanes subtract(Lanes a, Lanes b) { return _mm512_sub_epi16(a, b); }
EDGE_TARGET inline Lanes add_most(Lanes a, Lanes b) { return _mm512_adds_epu16(a, b); }
EDGE_TARGET inline Lanes minus(Lanes a, Lanes b) { return _mm512_subs_epu16(a, b); }
EDGE_TARGET inline Lanes whole(Lanes sums) { return _mm512_srli_epi16(sums, 6); }
EDGE_TARGET inline Lanes high(Lanes a) { return _mm512_slli_epi16(a, 7); }

EDGE_TARGET inline Lanes multiply(Lanes difference, Lanes weight) { return _mm512_mulhrs_epi16(difference, weight); }

EDGE_TARGET inline __m128i window_at(const uint8_t* bytes) { return _mm_loadu_si128((const __m128i*)bytes); }

EDGE_TARGET inline Lanes window(const uint8_t* row, const int32_t* offsets) {
  __m512i all = _mm512_castsi128_si512(window_at(row + offsets[0]));
  all = _mm512_mask_broadcast_i32x4(all, 0x00f0, window_at(row + offsets[1]));
  all = _mm512_mask_broadcast_i32x4(all, 0x0f00, window_at(row + offsets[2]));
  return _mm512_mask_broadcast_i32x4(all, 0xf000, window_at(row + offsets[3]));
}

EDGE_TARGET inline Lanes picked(Lanes windows, const uint8_t* masks) {
  return _mm512_shuffle_epi8(windows, _mm512_loadu_si512(masks));
}

EDGE_TARGET inline void store(float* out, Lanes values, const int16_t* weights, float scale, float bias) {
  const __m512i sums = _mm512_madd_epi16(values, _mm512_loadu_si512(weights));
  const __m512 scaled = _mm512_mul_ps(_mm512_cvtepi32_ps(sums), _mm512_set1_ps(scale));
  _mm512_storeu_ps(out, _mm512_add_ps(scaled, _mm512_set1_ps(bias)));
}

EDGE_TARGET inline void store_half(float* out, __m256i values, float scale, float bias) {
  const __m512i sums = _mm512_slli_epi32(_mm512_cvtepu16_epi32(values), 14);
  const __m512 scaled = _mm512_mul_ps(_mm512_cvtepi32_ps(sums), _mm512_set1_ps(scale));
  _mm512_storeu_ps(out, _mm512_add_ps(scaled, _mm512_set1_ps(bias)));
}

EDGE_TARGET inline void store_single(float* out, Lanes values, float scale, float bias) {
  store_half(out, _mm512_castsi512_si256(values), scale, bias);
  store_half(out + kOutputs, _mm512_extracti64x4_epi64(values, 1), scale, bias);
}

EDGE_TARGET inline void store_bgr(uint8_t* out, Lanes b, Lanes g, Lanes r) {
  const __m256i bytes[] = {_mm512_cvtepi16_epi8(b), _mm512_cvtepi16_epi8(g), _mm512_cvtepi16_epi8(r)};
  interleave(out, _mm256_castsi256_si128(bytes[0]), _mm256_castsi256_si128(bytes[1]),
             _mm256_castsi256_si128(bytes[2]));
  interleave(out + 48, _mm256_extracti128_si256(bytes[0], 1), _mm256_extracti128_si256(bytes[1], 1),
             _mm256_extracti128_si256(bytes[2], 1));
}

#include "letterbox_yuv_lanes.h"
#undef EDGE_TARGET
}  // namespace avx512

}  // namespace

std::vector<YuvKernel> simd_yuv_kernels() {
  return {{"avx512", avx512::mix, avx512::convert}, {"avx2", avx2::mix, avx2::convert}};
}

}  // namespace edge
