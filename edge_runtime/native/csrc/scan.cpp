#include "scan.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "loops.h"

namespace edge {

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr Softmax kNoSoftmax = {0.0f, 1.0f};

float largest_of(const float* row, const std::vector<int>& channels) {
  float most = row[channels[0]];
  for (const int c : channels) most = std::max(most, row[c]);
  return most;
}

// A float32 that is certainly below x, but only a little.
float below(double x) { return static_cast<float>(x - 1e-6 * std::abs(x)); }

double logit(double p) { return std::log(p / (1.0 - p)); }

// The raw value up to which the probability is at most p.
float raw_bound(Activation activation, double p) { return below(activation == Activation::none ? p : logit(p)); }

// best[i] = the largest of first[c * stride + i] over the given channels c, which are read in groups of kRows.
// group[i] = the place in the list where the first group with that value begins.
void largest(const float* first, int64_t stride, const std::vector<int>& channels, int count, float* best, int* group) {
  std::fill_n(best, count, -kInf);
  std::array<const float*, kRows> rows;
  for (size_t c = 0; c < channels.size(); c += kRows) {
    for (size_t j = 0; j < kRows; ++j) rows[j] = first + channels[std::min(c + j, channels.size() - 1)] * stride;
    raise(best, group, rows, int(c), count);
  }
}

// The first cells of a level, those that hold a candidate.
int counted(const Level& level, const Tensor* tensors, int image) {
  const int cells = level.grid_w * level.grid_h;
  if (!present(level.count)) return cells;
  const float count = tensors[level.count.tensor].image(image)[level.count.offset];
  return count > 0.0f ? static_cast<int>(std::ceil(std::min(count, float(cells)))) : 0;
}

const float* start(const View& view, const Tensor* tensors, int image, int anchor, int cell) {
  return present(view) ? locate(view, tensors[view.tensor].image(image), anchor, cell) : nullptr;
}

}  // namespace

Scan::Scan(const Rule& rule, const std::vector<Level>& levels)
    : rule_(rule),
      levels_(levels),
      softmax_(rule.class_activation == Activation::softmax),
      channels_(score_channels(rule)),
      background_(softmax_ ? channels_ - rule.num_classes : 0),
      offsets_(rule.num_classes),
      row_(channels_) {
  for (int c = 0; c < static_cast<int>(background_.size()); ++c)
    background_[c] = c < rule.first_class ? c : c + rule.num_classes;
  reported_.reserve(rule.num_classes);
}

void Scan::run(const Tensor* tensors, int image, const Limits& limits, Candidates* found) {
  prepare(limits);
  found_ = found;
  uint32_t index = 0;
  for (const Level& level : levels_) {
    const int cells = counted(level, tensors, image), all = level.grid_w * level.grid_h;
    for (int anchor = 0; anchor < level.num_anchors; ++anchor) {
      for (int first = 0; first < cells; first += kBlock) {
        const auto at = [&](const View& view) { return start(view, tensors, image, anchor, first); };
        const Cells block = {level, at(level.score), at(level.objectness), at(level.class_id),
                             std::min(kBlock, cells - first), index + static_cast<uint32_t>(first) * rule_.num_classes};
        const int hits = gate(block);
        for (int i = 0; i < hits; ++i) visit(block, hits_[i]);
      }
      index += static_cast<uint32_t>(all) * rule_.num_classes;
    }
  }
}

void Scan::prepare(const Limits& limits) {
  limits_ = limits;
  limits_.conf = limits.conf > 0.0f ? limits.conf : 0.0f;  // keys need positive scores
  reported_.clear();
  for (int c = 0; c < rule_.num_classes; ++c) {
    offsets_[c] = limits.class_mask[c] ? 0.0f : -kInf;
    if (limits.class_mask[c]) reported_.push_back(c);
  }
  least_score_ = limits_.conf * (1.0 - 1e-4);
  objectness_bound_ = raw_bound(rule_.objectness_activation, std::pow(least_score_, 1.0 / rule_.objectness_power));
  // A softmax probability is at most sigmoid(its logit - any other logit); classes that are not reported are others.
  const bool hopeless = softmax_ && background_.empty();
  class_bound_ = hopeless ? -kInf : raw_bound(rule_.class_activation, least_class(1.0f));
}

// The least class probability that a candidate needs.
double Scan::least_class(float objectness) const {
  const double p = least_score_ / objectness;
  return rule_.class_power == 1.0f ? p : std::pow(p, 1.0 / rule_.class_power);
}

// Lists in hits_ the cells that may hold a candidate.
int Scan::gate(const Cells& cells) {
  const Level& level = cells.level;
  if (cells.objectness)
    return above(cells.objectness, level.objectness.cell, cells.count, objectness_bound_, hits_.data());
  if (cells.class_id) return above(cells.score, level.score.cell, cells.count, class_bound_, hits_.data());
  return level.score.cell == 1 ? gate_planar(cells) : gate_rows(cells);
}

// Channel by channel, for tensors in which the cells of one channel lie side by side.
int Scan::gate_planar(const Cells& cells) {
  const int64_t channel = cells.level.score.channel;
  if (!background_.empty()) largest(cells.score, channel, background_, cells.count, other_.data(), group_.data());
  largest(cells.score + rule_.first_class * channel, channel, reported_, cells.count, best_.data(), group_.data());
  if (!background_.empty())
    for (int i = 0; i < cells.count; ++i) best_[i] -= other_[i];
  return above(best_.data(), 1, cells.count, class_bound_, hits_.data());
}

// One cell after the other.
int Scan::gate_rows(const Cells& cells) {
  int found = 0;
  for (int i = 0; i < cells.count; ++i) {
    const float* row = class_row(cells.level.score, cells.score + i * cells.level.score.cell);
    const float* classes = row + rule_.first_class;
    float bound = class_bound_;
    if (!background_.empty()) bound = below(double(bound) + largest_of(row, background_));
    hits_[found] = i;
    found += any_above(classes, offsets_.data(), rule_.num_classes, bound);
  }
  return found;
}

// The score channels of one cell, side by side.
const float* Scan::class_row(const View& view, const float* first) {
  if (view.channel == 1) return first;
  for (int c = 0; c < channels_; ++c) row_[c] = first[c * view.channel];
  return row_.data();
}

void Scan::visit(const Cells& cells, int i) {
  const View& view = cells.level.score;
  const uint32_t index = cells.index + static_cast<uint32_t>(i) * rule_.num_classes;
  const float* score = cells.score + i * view.cell;
  float objectness = 1.0f;
  if (cells.objectness) {
    objectness = objectness_score(rule_, cells.objectness[i * cells.level.objectness.cell]);
    if (!(objectness > limits_.conf)) return;
  }
  if (cells.class_id)
    offer_finished(cells.class_id[i * cells.level.class_id.cell], *score, objectness, index);
  else if (view.cell == 1 && !cells.objectness && !softmax_ && !limits_.multi_label)
    offer_best(score + rule_.first_class * view.channel, view.channel, i, index);
  else
    offer_classes(class_row(view, score), objectness, index);
}

void Scan::offer_finished(float number, float score, float objectness, uint32_t index) {
  const int id = finished_class(rule_, number);
  if (id >= 0 && limits_.class_mask[id]) offer(score, kNoSoftmax, objectness, index + id);
}

// Runs after gate_planar, which found the largest value and the first group of channels that holds it.
void Scan::offer_best(const float* classes, int64_t stride, int i, uint32_t index) {
  const int* c = reported_.data() + group_[i];
  const int* last = reported_.data() + std::min<size_t>(group_[i] + kRows, reported_.size()) - 1;
  while (c < last && classes[*c * stride] != best_[i]) ++c;
  offer(best_[i], kNoSoftmax, 1.0f, index + *c);
}

void Scan::offer_classes(const float* row, float objectness, uint32_t index) {
  const float* classes = row + rule_.first_class;
  const Softmax soft = softmax_ ? softmax(row, 1, channels_) : kNoSoftmax;
  if (!limits_.multi_label) {
    const int best = argmax(classes, offsets_.data(), rule_.num_classes);
    if (best >= 0) offer(classes[best], soft, objectness, index + best);
    return;
  }
  const double p = least_class(objectness);
  const float bound = softmax_ ? below(soft.top + std::log(p * soft.sum)) : raw_bound(rule_.class_activation, p);
  for (int c = 0; c < rule_.num_classes; ++c)
    if (classes[c] + offsets_[c] > bound) offer(classes[c], soft, objectness, index + c);
}

void Scan::offer(float raw, const Softmax& soft, float objectness, uint32_t index) {
  const float score = class_score(rule_, raw, soft, objectness);
  if (score > limits_.conf && finite(score)) found_->push(score, index);
}

}  // namespace edge
