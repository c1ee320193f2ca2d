// decode.h: the formulas for score and box of one candidate, as in DecodeSpec (model/decode.py); all in float32.
#pragma once

#include "edge.h"

namespace edge {

enum class BoxKind { cxcywh, xyxy, yxyx, anchor_exp, anchor_square, anchor_tanh, distance, prior, prior_yx, prior_offset };
enum class Activation { none, sigmoid, softmax };

struct Box {
  float x1, y1, x2, y2;
};

// Where one quantity lies in a head tensor. Strides count elements within one image. tensor -1: there is none.
struct View {
  int tensor;
  int64_t offset, anchor, cell, channel;
};

struct Level {
  int grid_w, grid_h, num_anchors;
  float stride_x, stride_y, scale_xy;
  int64_t prior;
  const float* anchors;  // (num_anchors, 2): width, height in model pixels
  View box, score, objectness, class_id, count;
};

struct Rule {
  BoxKind kind;
  Activation box_activation, class_activation, objectness_activation;
  int num_classes, first_class, last_classes, bins;
  float cell_offset, box_scale[2], class_power, objectness_power, variance[2], max_exponent;
  const float* priors;  // (P, 4): cx, cy, w, h in model pixels
};

EDGE_HD inline const float* locate(const View& view, const float* tensor, int anchor, int cell) {
  return tensor + view.offset + anchor * view.anchor + cell * view.cell;
}

EDGE_HD inline bool present(const View& view) { return view.tensor >= 0; }

EDGE_HD inline int score_channels(const Rule& rule) {
  return rule.first_class + rule.num_classes + rule.last_classes;
}

// The class of a finished candidate; -1 if the tensor's number is not one of the reported classes.
EDGE_HD inline int finished_class(const Rule& rule, float number) {
  const float id = rintf(number) - (float)rule.first_class;
  return id >= 0.0f && id < (float)rule.num_classes ? (int)id : -1;
}

EDGE_HD inline float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

EDGE_HD inline float activate(Activation activation, float x) {
  return activation == Activation::sigmoid ? sigmoid(x) : x;
}

EDGE_HD inline float power(float x, float exponent) { return exponent == 1.0f ? x : powf(x, exponent); }

// exp(x - top) / sum is the softmax of x.
struct Softmax {
  float top, sum;
};

EDGE_HD inline Softmax softmax(const float* x, int64_t stride, int count) {
  Softmax s = {x[0], 0.0f};
  for (int i = 1; i < count; ++i) s.top = x[i * stride] > s.top ? x[i * stride] : s.top;
  for (int i = 0; i < count; ++i) s.sum += expf(x[i * stride] - s.top);
  return s;
}

// class^class_power * objectness^objectness_power. `objectness` is already raised to its power; 1 if there is none.
EDGE_HD inline float class_score(const Rule& rule, float raw, const Softmax& s, float objectness) {
  const bool soft = rule.class_activation == Activation::softmax;
  const float p = soft ? expf(raw - s.top) / s.sum : activate(rule.class_activation, raw);
  return power(p, rule.class_power) * objectness;
}

EDGE_HD inline float objectness_score(const Rule& rule, float raw) {
  return power(activate(rule.objectness_activation, raw), rule.objectness_power);
}

EDGE_HD inline Box from_centre(float x, float y, float w, float h) {
  return {x - 0.5f * w, y - 0.5f * h, x + 0.5f * w, y + 0.5f * h};
}

// One side of a "distance" box, in cells: the value itself, or the mean bin of its softmax (DFL).
EDGE_HD inline float distance(const float* t, int64_t stride, int bins) {
  if (bins == 1) return *t;
  const Softmax s = softmax(t, stride, bins);
  float mean = 0.0f;
  for (int i = 1; i < bins; ++i) mean += (float)i * expf(t[i * stride] - s.top);
  return mean / s.sum;
}

EDGE_HD inline Box distance_box(const Rule& rule, const Level& level, const float* t, float column, float row) {
  const int64_t channel = level.box.channel, side = rule.bins * channel;
  const float x = (column + rule.cell_offset) * level.stride_x, y = (row + rule.cell_offset) * level.stride_y;
  return {x - distance(t, channel, rule.bins) * level.stride_x,
          y - distance(t + side, channel, rule.bins) * level.stride_y,
          x + distance(t + 2 * side, channel, rule.bins) * level.stride_x,
          y + distance(t + 3 * side, channel, rule.bins) * level.stride_y};
}

EDGE_HD inline float anchor_size(const Rule& rule, float t, float anchor) {
  if (rule.kind == BoxKind::anchor_exp) return anchor * expf(t);
  if (rule.kind == BoxKind::anchor_tanh) return anchor * sigmoid(t);
  const float twice = 2.0f * activate(rule.box_activation, t);
  return anchor * (twice * twice);
}

EDGE_HD inline float anchor_centre(const Rule& rule, const Level& level, float t, float cell, float stride) {
  if (rule.kind == BoxKind::anchor_tanh) return (tanhf(t) + cell) * stride;
  const float k = level.scale_xy;
  return (k * activate(rule.box_activation, t) - 0.5f * (k - 1.0f) + cell) * stride;
}

EDGE_HD inline bool has_priors(BoxKind kind) {
  return kind == BoxKind::prior || kind == BoxKind::prior_yx || kind == BoxKind::prior_offset;
}

EDGE_HD inline float prior_size(const Rule& rule, float t, float prior) {
  const float exponent = t * rule.variance[1];
  return prior * expf(exponent > rule.max_exponent ? rule.max_exponent : exponent);
}

// The box of one candidate in model pixels, not clipped. Bad values in the tensor may give corners that are not finite.
EDGE_HD inline Box decode_box(const Rule& rule, const Level& level, const float* tensor, int anchor, int cell) {
  const float* t = locate(level.box, tensor, anchor, cell);
  const int64_t channel = level.box.channel;
  const float column = (float)(cell % level.grid_w), row = (float)(cell / level.grid_w);
  if (rule.kind == BoxKind::distance) return distance_box(rule, level, t, column, row);

  const bool y_first = rule.kind == BoxKind::yxyx || rule.kind == BoxKind::prior_yx;
  const float t0 = t[y_first * channel], t1 = t[!y_first * channel];
  const float t2 = t[(2 + y_first) * channel], t3 = t[(2 + !y_first) * channel];
  const float scale_x = rule.box_scale[0], scale_y = rule.box_scale[1];
  switch (rule.kind) {
    case BoxKind::cxcywh:
      return from_centre(t0 * scale_x, t1 * scale_y, t2 * scale_x, t3 * scale_y);
    case BoxKind::xyxy:
    case BoxKind::yxyx:
      return {t0 * scale_x, t1 * scale_y, t2 * scale_x, t3 * scale_y};
    case BoxKind::prior:
    case BoxKind::prior_yx: {
      const float* p = rule.priors + 4 * (level.prior + (int64_t)cell * level.num_anchors + anchor);
      return from_centre(t0 * rule.variance[0] * p[2] + p[0], t1 * rule.variance[0] * p[3] + p[1],
                         prior_size(rule, t2, p[2]), prior_size(rule, t3, p[3]));
    }
    case BoxKind::prior_offset: {
      const float* p = rule.priors + 4 * (level.prior + (int64_t)cell * level.num_anchors + anchor);
      return from_centre(t0 * scale_x + p[0], t1 * scale_y + p[1], t2 * scale_x, t3 * scale_y);
    }
    default:
      return from_centre(
          anchor_centre(rule, level, t0, column, level.stride_x), anchor_centre(rule, level, t1, row, level.stride_y),
          anchor_size(rule, t2, level.anchors[2 * anchor]), anchor_size(rule, t3, level.anchors[2 * anchor + 1]));
  }
}

EDGE_HD inline bool finite(float x) { return fabsf(x) <= FLT_MAX; }

EDGE_HD inline bool finite(const Box& b) { return finite(b.x1) && finite(b.y1) && finite(b.x2) && finite(b.y2); }

}  // namespace edge
