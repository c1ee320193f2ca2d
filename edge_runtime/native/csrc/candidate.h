// candidate.h: decides which candidates one box of the grid gives. scan.cpp does the same for many boxes at once.
#pragma once

#include "nms.h"
#include "packed.h"

namespace edge {

// The position of a box, from its number in walk order.
struct BoxIndex {
  int level, anchor, cell;
};

EDGE_HD inline BoxIndex box_index(const Packed& packed, int64_t box) {
  int level = 0;
  while (level + 1 < packed.levels() && box >= packed.first_box(level + 1)) ++level;
  const int64_t* w = packed.words + kRuleWords + kLevelWords * level;
  const int64_t rest = box - packed.first_box(level), cells = w[0] * w[1];
  return {level, (int)(rest / cells), (int)(rest % cells)};
}

// Calls push(score, class) for each candidate that passes: score finite and above conf, class not masked.
template <typename Push>
EDGE_HD void candidates(const Rule& rule, const Level& level, const float* const* tensors, const BoxIndex& at,
                        float conf, bool multi_label, const uint8_t* mask, const Push& push) {
  if (present(level.count) && !((float)at.cell < tensors[level.count.tensor][level.count.offset])) return;
  float objectness = 1.0f;
  if (present(level.objectness)) {
    objectness = objectness_score(rule, *locate(level.objectness, tensors[level.objectness.tensor], at.anchor, at.cell));
    if (!(objectness > conf)) return;
  }
  const float* row = locate(level.score, tensors[level.score.tensor], at.anchor, at.cell);
  const int64_t channel = level.score.channel;
  const Softmax plain = {0.0f, 1.0f};
  const auto offer = [&](float raw, const Softmax& soft, int class_id) {
    const float score = class_score(rule, raw, soft, objectness);
    if (score > conf && finite(score)) push(score, class_id);
  };
  if (present(level.class_id)) {
    const int id = finished_class(rule, *locate(level.class_id, tensors[level.class_id.tensor], at.anchor, at.cell));
    if (id >= 0 && mask[id]) offer(*row, plain, id);
    return;
  }
  const bool soft = rule.class_activation == Activation::softmax;
  const Softmax sums = soft ? softmax(row, channel, score_channels(rule)) : plain;
  const float* classes = row + rule.first_class * channel;
  if (multi_label) {
    for (int c = 0; c < rule.num_classes; ++c)
      if (mask[c]) offer(classes[c * channel], sums, c);
    return;
  }
  int best = -1;
  float top = -INFINITY;
  EDGE_UNROLL
  for (int c = 0; c < rule.num_classes; ++c) {
    const float raw = classes[c * channel];  // read before the mask is tested, so that several loads run at once
    if (mask[c] && raw > top) top = raw, best = c;
  }
  if (best >= 0) offer(top, sums, best);
}

}  // namespace edge
