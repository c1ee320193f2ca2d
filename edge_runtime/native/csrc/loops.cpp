#include "loops.h"

#include <algorithm>
#include <limits>

#include "nms.h"

// AVX-512 is not faster: these loops wait for memory, and 64-byte loads lose more if rows are not aligned.
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__)
#define EDGE_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define EDGE_CLONES
#endif

namespace edge {

// Eight rows at once, so that `best` is loaded and stored once for all of them.
EDGE_CLONES void raise(float* __restrict best, int32_t* __restrict group, const std::array<const float*, kRows>& rows,
                       int32_t id, int count) {
  const float *a = rows[0], *b = rows[1], *c = rows[2], *d = rows[3];
  const float *e = rows[4], *f = rows[5], *g = rows[6], *h = rows[7];
  for (int i = 0; i < count; ++i) {
    float m = best[i];
    m = a[i] > m ? a[i] : m;
    m = b[i] > m ? b[i] : m;
    m = c[i] > m ? c[i] : m;
    m = d[i] > m ? d[i] : m;
    m = e[i] > m ? e[i] : m;
    m = f[i] > m ? f[i] : m;
    m = g[i] > m ? g[i] : m;
    m = h[i] > m ? h[i] : m;
    group[i] = m > best[i] ? id : group[i];
    best[i] = m;
  }
}

// Hits are rare, so whole groups without a hit are skipped.
EDGE_CLONES static int above_dense(const float* values, int count, float bound, int32_t* hits) {
  constexpr int kGroup = 32;
  int found = 0, i = 0;
  for (; i + kGroup <= count; i += kGroup) {
    const float* group = values + i;
    int any = 0;
    for (int j = 0; j < kGroup; ++j) any |= group[j] > bound;
    if (any)
      for (int j = 0; j < kGroup; ++j) hits[found] = i + j, found += group[j] > bound;
  }
  for (; i < count; ++i) hits[found] = i, found += values[i] > bound;
  return found;
}

int above(const float* values, int64_t stride, int count, float bound, int32_t* hits) {
  if (stride == 1) return above_dense(values, count, bound, hits);
  int found = 0;
  for (int i = 0; i < count; ++i) hits[found] = i, found += values[i * stride] > bound;
  return found;
}

EDGE_CLONES bool any_above(const float* row, const float* offsets, int count, float bound) {
  int any = 0;
  for (int i = 0; i < count; ++i) any |= row[i] + offsets[i] > bound;
  return any != 0;
}

EDGE_CLONES int argmax(const float* row, const float* offsets, int count) {
  constexpr int kWidth = 8;
  constexpr uint32_t kNone = 0xffffffffu;
  float best[kWidth];
  uint32_t which[kWidth];
  for (int j = 0; j < kWidth; ++j) best[j] = -std::numeric_limits<float>::infinity(), which[j] = kNone;
  const int last = count - kWidth;  // the last step overlaps the one before, without effect
  for (int i = 0; last >= 0; i = std::min(i + kWidth, last)) {
#pragma GCC unroll 1  // a loop that is unrolled first is not vectorised
    for (int j = 0; j < kWidth; ++j) {
      const float value = (row + i)[j] + (offsets + i)[j];
      which[j] = value > best[j] ? i + j : which[j];
      best[j] = value > best[j] ? value : best[j];
    }
    if (i == last) break;
  }
  for (int i = 0; last < 0 && i < count; ++i)
    if (row[i] + offsets[i] > best[0]) best[0] = row[i] + offsets[i], which[0] = i;
  float largest = best[0];
  for (int j = 1; j < kWidth; ++j) largest = best[j] > largest ? best[j] : largest;
  uint32_t first = kNone;
  for (int j = 0; j < kWidth; ++j) first = std::min(first, best[j] == largest ? which[j] : kNone);
  return static_cast<int>(first);
}

EDGE_CLONES bool suppressed(const KeptBlock* blocks, int first, const Box& box, float area, float iou) {
  for (int number = first; number >= 0; number = blocks[number].next) {
    const KeptBlock& kept = blocks[number];
    int any = 0;
    for (int j = 0; j < kLanes; ++j) {
      const Box other = {kept.x1[j], kept.y1[j], kept.x2[j], kept.y2[j]};
      any |= overlaps(other, kept.area[j], box, area, iou);
    }
    if (any) return true;
  }
  return false;
}

}  // namespace edge
