// letterbox_x86.cpp: rows with AVX2 and AVX-512. The last vector of a row overlaps the one before: no masks are needed.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // the AVX-512 header of GCC 12 causes warnings
#include <immintrin.h>

#include <algorithm>

#include "letterbox.h"

#define EDGE_AVX2 __attribute__((target("avx2")))
#define EDGE_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl")))

namespace edge {
namespace {

// Two pixels B0 G0 R0 B1 G1 R1 (with step 4, B0 G0 R0 - B1 G1 R1) become the pairs B0 B1, G0 G1, R0 R1, and a fourth
// that is not used.
EDGE_AVX2 inline __m128i pairs_of(int step) {
  return step == 3 ? _mm_setr_epi8(0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11, 12, 13, 14, 15)
                   : _mm_setr_epi8(0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15);
}

EDGE_AVX2 inline __m128i load_pixels(const int16_t* values) { return _mm_loadu_si128((const __m128i*)values); }

// ---- AVX2: 2 x 16 values per turn (16 took up to 1.8 times as long, depending on the loop's address), 8 pixels ----

EDGE_AVX2 inline __m256i widen(const uint8_t* bytes) {
  return _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i*)bytes));
}

EDGE_AVX2 inline void blend_avx2(const uint8_t* a, const uint8_t* b, __m256i weight, int16_t* values) {
  const __m256i from = widen(a), difference = _mm256_slli_epi16(_mm256_sub_epi16(widen(b), from), 7);
  const __m256i blended = _mm256_add_epi16(_mm256_slli_epi16(from, 7), _mm256_mulhrs_epi16(difference, weight));
  _mm256_storeu_si256((__m256i*)values, blended);
}

EDGE_AVX2 void blend_rows_avx2(const uint8_t* a, const uint8_t* b, int count, int weight, int16_t* values) {
  if (count < 32) return kPortable.blend_rows(a, b, count, weight, values);
  const __m256i w = _mm256_set1_epi16(int16_t(weight));
  for (int next = 0; next < count; next += 32) {
    const int k = std::min(next, count - 32);
    blend_avx2(a + k, b + k, w, values + k);
    blend_avx2(a + k + 16, b + k + 16, w, values + k + 16);
  }
}

EDGE_AVX2 inline __m256i pairs_avx2(const int16_t* values, const int32_t* offsets, __m256i order) {  // of pixels 0 and 4
  const __m256i pixels = _mm256_inserti128_si256(_mm256_castsi128_si256(load_pixels(values + offsets[0])),
                                                 load_pixels(values + offsets[4]), 1);
  return _mm256_shuffle_epi8(pixels, order);
}

EDGE_AVX2 inline void store_avx2(const Plane& plane, int x, __m256i pairs, __m256i weights) {
  const __m256 sum = _mm256_cvtepi32_ps(_mm256_madd_epi16(pairs, weights));
  const __m256 scaled = _mm256_mul_ps(sum, _mm256_set1_ps(plane.scale));
  _mm256_storeu_ps(plane.row + x, _mm256_add_ps(scaled, _mm256_set1_ps(plane.bias)));
}

EDGE_AVX2 void mix_row_avx2(const int16_t* values, const int32_t* offsets, const int16_t* weights, int width,
                            int step, const Plane planes[3]) {
  if (width < 8) return kPortable.mix_row(values, offsets, weights, width, step, planes);
  const __m256i order = _mm256_broadcastsi128_si256(pairs_of(step));
  for (int next = 0; next < width; next += 8) {
    const int x = std::min(next, width - 8);
    const __m256i p0 = pairs_avx2(values, offsets + x, order), p1 = pairs_avx2(values, offsets + x + 1, order);
    const __m256i p2 = pairs_avx2(values, offsets + x + 2, order), p3 = pairs_avx2(values, offsets + x + 3, order);
    const __m256i bg01 = _mm256_unpacklo_epi32(p0, p1), r01 = _mm256_unpackhi_epi32(p0, p1);
    const __m256i bg23 = _mm256_unpacklo_epi32(p2, p3), r23 = _mm256_unpackhi_epi32(p2, p3);
    const __m256i w = _mm256_loadu_si256((const __m256i*)(weights + 2 * x));
    store_avx2(planes[0], x, _mm256_unpacklo_epi64(bg01, bg23), w);
    store_avx2(planes[1], x, _mm256_unpackhi_epi64(bg01, bg23), w);
    store_avx2(planes[2], x, _mm256_unpacklo_epi64(r01, r23), w);
  }
}

// ---- AVX-512: 2 x 32 values per turn, 16 pixels ----

EDGE_AVX512 inline __m512i widen32(const uint8_t* bytes) {
  return _mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i*)bytes));
}

EDGE_AVX512 inline void blend_avx512(const uint8_t* a, const uint8_t* b, __m512i weight, int16_t* values) {
  const __m512i from = widen32(a), difference = _mm512_slli_epi16(_mm512_sub_epi16(widen32(b), from), 7);
  const __m512i blended = _mm512_add_epi16(_mm512_slli_epi16(from, 7), _mm512_mulhrs_epi16(difference, weight));
  _mm512_storeu_si512(values, blended);
}

EDGE_AVX512 void blend_rows_avx512(const uint8_t* a, const uint8_t* b, int count, int weight, int16_t* values) {
  if (count < 64) return kPortable.blend_rows(a, b, count, weight, values);
  const __m512i w = _mm512_set1_epi16(int16_t(weight));
  for (int next = 0; next < count; next += 64) {
    const int k = std::min(next, count - 64);
    blend_avx512(a + k, b + k, w, values + k);
    blend_avx512(a + k + 32, b + k + 32, w, values + k + 32);
  }
}

EDGE_AVX512 inline __m512i pairs_avx512(const int16_t* values, const int32_t* offsets,
                                        __m512i order) {  // of pixels 0, 4, 8 and 12
  __m512i pixels = _mm512_castsi128_si512(load_pixels(values + offsets[0]));
  pixels = _mm512_mask_broadcast_i32x4(pixels, 0x00f0, load_pixels(values + offsets[4]));
  pixels = _mm512_mask_broadcast_i32x4(pixels, 0x0f00, load_pixels(values + offsets[8]));
  pixels = _mm512_mask_broadcast_i32x4(pixels, 0xf000, load_pixels(values + offsets[12]));
  return _mm512_shuffle_epi8(pixels, order);
}

EDGE_AVX512 inline void store_avx512(const Plane& plane, int x, __m512i pairs, __m512i weights) {
  const __m512 sum = _mm512_cvtepi32_ps(_mm512_madd_epi16(pairs, weights));
  const __m512 scaled = _mm512_mul_ps(sum, _mm512_set1_ps(plane.scale));
  _mm512_storeu_ps(plane.row + x, _mm512_add_ps(scaled, _mm512_set1_ps(plane.bias)));
}

EDGE_AVX512 void mix_row_avx512(const int16_t* values, const int32_t* offsets, const int16_t* weights, int width,
                                int step, const Plane planes[3]) {
  if (width < 16) return kPortable.mix_row(values, offsets, weights, width, step, planes);
  const __m512i order = _mm512_broadcast_i32x4(pairs_of(step));
  for (int next = 0; next < width; next += 16) {
    const int x = std::min(next, width - 16);
    const __m512i p0 = pairs_avx512(values, offsets + x, order), p1 = pairs_avx512(values, offsets + x + 1, order);
    const __m512i p2 = pairs_avx512(values, offsets + x + 2, order), p3 = pairs_avx512(values, offsets + x + 3, order);
    const __m512i bg01 = _mm512_unpacklo_epi32(p0, p1), r01 = _mm512_unpackhi_epi32(p0, p1);
    const __m512i bg23 = _mm512_unpacklo_epi32(p2, p3), r23 = _mm512_unpackhi_epi32(p2, p3);
    const __m512i w = _mm512_loadu_si512(weights + 2 * x);
    store_avx512(planes[0], x, _mm512_unpacklo_epi64(bg01, bg23), w);
    store_avx512(planes[1], x, _mm512_unpackhi_epi64(bg01, bg23), w);
    store_avx512(planes[2], x, _mm512_unpacklo_epi64(r01, r23), w);
  }
}

}  // namespace

std::vector<RowKernels> simd_kernels() {
  std::vector<RowKernels> found;
  if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) {
    found.push_back({"avx512", blend_rows_avx512, mix_row_avx512});
  }
  if (__builtin_cpu_supports("avx2")) found.push_back({"avx2", blend_rows_avx2, mix_row_avx2});
  return found;
}

}  // namespace edge
