#include "decoder.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <utility>

#include "nms.h"

namespace edge {

namespace {

void demand(bool condition, const std::string& otherwise) {
  if (!condition) throw std::invalid_argument(otherwise);
}

bool finite_all(std::initializer_list<float> values) {
  return std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); });
}

void check(const Rule& rule) {
  demand(finite_all({rule.cell_offset, rule.box_scale[0], rule.box_scale[1], rule.class_power, rule.objectness_power,
                     rule.variance[0], rule.variance[1]}) &&
             !std::isnan(rule.max_exponent),
         "a number of the decode description is not finite");
  demand(rule.num_classes >= 1 && std::min(rule.first_class, rule.last_classes) >= 0, "a decode description needs a class");
  demand(rule.bins >= 1, "bins is below 1");
  demand(std::max({rule.num_classes, rule.first_class, rule.last_classes, rule.bins}) <= 1 << 20,
         "more than a million channels");
  demand(rule.class_power > 0 && rule.objectness_power > 0, "score powers must be above 0");
  demand(rule.box_activation != Activation::softmax && rule.objectness_activation != Activation::softmax,
         "box and objectness activations are none or sigmoid");
}

// Counts in double, which cannot overflow.
double boxes(const Level& level) { return double(level.grid_w) * level.grid_h * level.num_anchors; }

void check(const Level& level, const Description& spec) {
  demand(finite_all({level.stride_x, level.stride_y, level.scale_xy}), "a level with a number that is not finite");
  demand(level.grid_w >= 1 && level.grid_h >= 1 && level.num_anchors >= 1, "a level without candidates");
  demand(!present(level.class_id) || spec.rule.class_activation != Activation::softmax,
         "a class number leaves nothing to a softmax");
  const bool priors = has_priors(spec.rule.kind);
  demand(!priors || (level.prior >= 0 && 4.0 * (double(level.prior) + boxes(level)) <= double(spec.priors.size())),
         "the priors end before the candidates do");
}

// Records how far into its tensor a view reaches.
void reach(const View& view, const Level& level, int channels, std::vector<int64_t>* required) {
  demand(view.tensor >= 0 && view.tensor < int(required->size()), "a view of an output that does not exist");
  demand(std::min({view.offset, view.anchor, view.cell, view.channel}) >= 0, "a view with a negative stride");
  const double last = double(view.offset) + (level.num_anchors - 1.0) * double(view.anchor) +
                      (double(level.grid_w) * level.grid_h - 1.0) * double(view.cell) +
                      (channels - 1.0) * double(view.channel);
  demand(last < 1e15, "a view of more than a tensor can hold");
  int64_t& needed = (*required)[view.tensor];
  needed = std::max(needed, int64_t(last) + 1);
}

void check_finite(const Description& spec) {
  for (const auto& anchors : spec.anchors)
    for (const auto& anchor : anchors) demand(finite_all({anchor[0], anchor[1]}), "an anchor that is not finite");
  for (const float prior : spec.priors) demand(std::isfinite(prior), "a prior that is not finite");
}

std::vector<int64_t> checked(const Description& spec) {
  check(spec.rule);
  check_finite(spec);
  std::vector<int64_t> required(spec.num_tensors);
  for (const Level& level : spec.levels) {
    check(level, spec);
    reach(level.box, level, spec.rule.kind == BoxKind::distance ? 4 * spec.rule.bins : 4, &required);
    reach(level.score, level, present(level.class_id) ? 1 : score_channels(spec.rule), &required);
    if (present(level.objectness)) reach(level.objectness, level, 1, &required);
    if (present(level.class_id)) reach(level.class_id, level, 1, &required);
    if (present(level.count)) reach(level.count, Level{1, 1, 1}, 1, &required);
  }
  return required;
}

int64_t candidates(const Description& spec) {
  double count = 0;
  for (const Level& level : spec.levels) count += boxes(level) * spec.rule.num_classes;
  demand(count > 0, "a decode description needs a level");
  demand(count < 2e9, "more than two billion candidates");
  return int64_t(count);
}

struct Position {
  const Level& level;
  int anchor, cell, class_id;
};

// Turns a number of Scan back into level, anchor, cell and class.
Position position(uint32_t index, const Description& spec) {
  const Level* level = spec.levels.data();
  const uint32_t classes = spec.rule.num_classes;
  for (;; ++level) {
    const uint32_t cells = level->grid_w * level->grid_h, candidates = cells * level->num_anchors * classes;
    if (index < candidates) {
      const uint32_t box = index / classes;
      return {*level, int(box / cells), int(box % cells), int(index % classes)};
    }
    index -= candidates;
  }
}

}  // namespace

Decoder::Decoder(Description description)
    : spec_(std::move(description)),
      required_(checked(spec_)),
      scan_(spec_.rule, spec_.levels),
      candidates_(candidates(spec_)),
      kept_(spec_.rule.num_classes) {
  spec_.rule.priors = spec_.priors.data();
  for (size_t i = 0; i < spec_.levels.size(); ++i) spec_.levels[i].anchors = spec_.anchors[i].data()->data();
}

void Decoder::run(const Tensor* tensors, int batch, const Frame* frames, const Limits& limits, float* boxes,
                  int32_t* counts) {
  for (int image = 0; image < batch; ++image) {
    candidates_.clear();
    scan_.run(tensors, image, limits, &candidates_);
    candidates_.finish();
    counts[image] = select(tensors, image, frames[image], limits, boxes + int64_t(6) * limits.max_det * image);
  }
}

int Decoder::select(const Tensor* tensors, int image, const Frame& frame, const Limits& limits, float* rows) {
  kept_.clear();
  int kept = 0, written = 0;
  uint64_t key;
  while (kept < limits.max_det && candidates_.pop(&key)) {
    const Position at = position(key_index(key), spec_);
    const float* tensor = tensors[at.level.box.tensor].image(image);
    const Box box = decode_box(spec_.rule, at.level, tensor, at.anchor, at.cell);
    if (!finite(box)) continue;
    if (spec_.nms) {
      if (kept_.suppress(box, at.class_id, limits.iou)) continue;
      kept_.add(box, at.class_id);
    }
    ++kept;
    written += write_row(box, frame, key_score(key), at.class_id, rows + 6 * written);
  }
  return written;
}

}  // namespace edge
