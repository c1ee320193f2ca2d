// packed.h: a decode description as two plain arrays, which Python writes (gpu/packing.py) and every thread reads.
//
// words    kind, box, class and objectness activation, classes, first class, last classes, bins, suppress (0, 1),
//          several classes per box (0, 1), most detections, number of levels, start of the priors in `numbers`,
//          then for each level: grid w, grid h, number of anchors, prior, start of its anchors in `numbers`, first box,
//          and five views of five words
// numbers  conf, iou, cell offset, box scale x, y, class power, objectness power, variance 0, 1, largest exponent,
//          then for each level: stride x, y, scale_xy; then anchors and priors
#pragma once

#include "decode.h"

namespace edge {

constexpr int kRuleWords = 13, kLevelWords = 31, kRuleNumbers = 10, kLevelNumbers = 3;

struct Packed {
  const int64_t* words;
  const float* numbers;

  EDGE_HD bool suppress() const { return words[8] != 0; }
  EDGE_HD bool multi_label() const { return words[9] != 0; }
  EDGE_HD int max_det() const { return (int)words[10]; }
  EDGE_HD int levels() const { return (int)words[11]; }
  EDGE_HD float conf() const { return numbers[0]; }
  EDGE_HD float iou() const { return numbers[1]; }
  EDGE_HD int64_t first_box(int level) const { return words[kRuleWords + kLevelWords * level + 5]; }

  EDGE_HD Rule rule() const {
    const int64_t* w = words;
    const float* n = numbers;
    return {(BoxKind)w[0], (Activation)w[1], (Activation)w[2], (Activation)w[3], (int)w[4], (int)w[5], (int)w[6],
            (int)w[7], n[2], {n[3], n[4]}, n[5], n[6], {n[7], n[8]}, n[9], numbers + w[12]};
  }

  EDGE_HD Level level(int number) const {
    const int64_t* w = words + kRuleWords + kLevelWords * number;
    const float* n = numbers + kRuleNumbers + kLevelNumbers * number;
    return {(int)w[0], (int)w[1], (int)w[2], n[0], n[1], n[2], w[3], numbers + w[4], view(w + 6), view(w + 11),
            view(w + 16), view(w + 21), view(w + 26)};
  }

 private:
  EDGE_HD static View view(const int64_t* w) { return {(int)w[0], w[1], w[2], w[3], w[4]}; }
};

}  // namespace edge
