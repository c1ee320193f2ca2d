// nms.h: the order of candidates, and the rule by which one suppresses another.
//
// Order: score descending, then walk order (level, anchor, cell, class) ascending. Only the best kMaxCandidates in this
// order are used. NMS is greedy per class, on unclipped float32 boxes in model pixels. A candidate is dropped if it
// overlaps a kept one of its class by inter > iou * (area + area - inter). The operations have this order, without
// fused multiply-add. At most max_det boxes are kept. After that they are mapped into the image, and empty ones are
// dropped.
#pragma once

#include "decode.h"

namespace edge {

constexpr int kMaxCandidates = 30000;

// A candidate is its sort key. Positive floats have the order of their bits, and a smaller index makes a larger key.
EDGE_HD inline uint64_t candidate_key(float score, uint32_t index) {
  uint32_t bits;
  memcpy(&bits, &score, sizeof bits);
  return (uint64_t)bits << 32 | (0xffffffffu - index);
}

EDGE_HD inline float key_score(uint64_t key) {
  const uint32_t bits = (uint32_t)(key >> 32);
  float score;
  memcpy(&score, &bits, sizeof score);
  return score;
}

EDGE_HD inline uint32_t key_index(uint64_t key) { return 0xffffffffu - (uint32_t)key; }

EDGE_HD inline float extent(float low, float high) { return high - low > 0.0f ? high - low : 0.0f; }

EDGE_HD inline float area(const Box& b) { return extent(b.x1, b.x2) * extent(b.y1, b.y2); }

EDGE_HD inline bool overlaps(const Box& a, float area_a, const Box& b, float area_b, float iou) {
  const float inter = extent(a.x1 > b.x1 ? a.x1 : b.x1, a.x2 < b.x2 ? a.x2 : b.x2) *
                      extent(a.y1 > b.y1 ? a.y1 : b.y1, a.y2 < b.y2 ? a.y2 : b.y2);
  return inter > iou * (area_a + area_b - inter);
}

}  // namespace edge
