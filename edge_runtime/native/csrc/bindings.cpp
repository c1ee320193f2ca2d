// bindings.cpp: decoding and statistics for Python; see bindings.h.
#include "bindings.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "decoder.h"
#include "histogram.h"

namespace {

using Pair = std::array<float, 2>;
using LevelTuple = std::tuple<int, int, float, float, int64_t, float, std::vector<Pair>, std::array<int64_t, 25>>;
using Priors = std::optional<py::array_t<float, py::array::c_style | py::array::forcecast>>;

const std::vector<std::string> kKinds = {"cxcywh",      "xyxy",     "yxyx",  "anchor_exp", "anchor_square",
                                         "anchor_tanh", "distance", "prior", "prior_yx",   "prior_offset"};
const std::vector<std::string> kActivations = {"none", "sigmoid", "softmax"};

template <typename Enum>
Enum parse(const std::string& word, const std::vector<std::string>& words) {
  const auto found = std::find(words.begin(), words.end(), word);
  if (found == words.end()) throw py::value_error("a decode description cannot say " + word);
  return static_cast<Enum>(found - words.begin());
}

edge::View view(const int64_t* v) { return {static_cast<int>(v[0]), v[1], v[2], v[3], v[4]}; }

edge::Level level(const LevelTuple& from) {
  const auto& [grid_w, grid_h, stride_x, stride_y, prior, scale_xy, anchors, views] = from;
  return {grid_w, grid_h, static_cast<int>(anchors.size()), stride_x, stride_y, scale_xy, prior, nullptr,
          view(&views[0]), view(&views[5]), view(&views[10]), view(&views[15]), view(&views[20])};
}

struct Decoder {
  explicit Decoder(edge::Description d) : tensors(static_cast<size_t>(d.num_tensors)), core(std::move(d)) {}
  std::vector<edge::Tensor> tensors;  // filled by each call, which then allocates nothing
  edge::Decoder core;
  std::atomic_flag running = ATOMIC_FLAG_INIT;
};

std::unique_ptr<Decoder> make_decoder(const std::string& kind, const std::vector<LevelTuple>& levels, int num_classes,
                                      const std::array<std::string, 3>& act, int first_class, int last_classes,
                                      int bins, float cell_offset, Pair box_scale, Pair powers, const Priors& priors,
                                      Pair variance, float max_exponent, bool nms, int num_tensors) {
  demand(num_tensors >= 1, "a decode description needs a tensor");
  edge::Description d;
  const auto activation = [&](int i) { return parse<edge::Activation>(act[i], kActivations); };
  d.rule = {parse<edge::BoxKind>(kind, kKinds), activation(0), activation(1), activation(2), num_classes, first_class,
            last_classes, bins, cell_offset, {box_scale[0], box_scale[1]}, powers[0], powers[1],
            {variance[0], variance[1]}, max_exponent, nullptr};
  if (priors) d.priors.assign(priors->data(), priors->data() + priors->size());
  for (const LevelTuple& from : levels) {
    d.levels.push_back(level(from));
    d.anchors.push_back(std::get<6>(from));
  }
  d.nms = nms;
  d.num_tensors = num_tensors;
  return std::make_unique<Decoder>(std::move(d));
}

edge::Tensor tensor(py::handle object, size_t number, int64_t required, int batch) {
  if (plain<const float>(object)) {
    const auto array = py::reinterpret_borrow<py::array>(object);
    const py::ssize_t images = array.ndim() ? array.shape(0) : 0, held = images ? array.size() / images : 0;
    if (images >= batch && held >= required) return {static_cast<const float*>(array.data()), held};
  }
  refuse(object, "output " + std::to_string(number),
         "float32 of at least " + std::to_string(batch) + " x " + std::to_string(required) + " values");
}

void run(Decoder& decoder, const py::sequence& tensors, int batch, py::handle frames, float conf, float iou,
         int max_det, bool multi_label, py::handle class_mask, py::handle boxes, py::handle counts) {
  const Alone alone(&decoder.running, "another thread runs this decoder");
  demand(conf >= 0 && conf <= 1 && iou >= 0 && iou <= 1, "conf and iou are not 0 to 1");
  if (tensors.size() != decoder.tensors.size() || batch < 1 || max_det < 1)
    throw py::value_error(py::str("{} tensors, batch {}, max_det {}; the description is of {} tensors")
                              .format(tensors.size(), batch, max_det, decoder.tensors.size()));
  for (size_t i = 0; i < decoder.tensors.size(); ++i)
    decoder.tensors[i] = tensor(tensors[i], i, decoder.core.required()[i], batch);
  const auto* frame = reinterpret_cast<const edge::Frame*>(data<const double>(frames, "frames", {batch, 6}));
  for (const auto* f = frame; f < frame + batch; ++f)  // all zeros: this place of the batch has no image, so no boxes
    demand(finite({f->scale_x, f->scale_y, f->pad_x, f->pad_y, f->image_width, f->image_height}) &&
               std::min({f->scale_x, f->scale_y, f->image_width, f->image_height}) >= 0,
           "frames are not finite, or a scale or size is below 0");
  const auto* mask = data<const uint8_t>(class_mask, "class_mask", {decoder.core.num_classes()});
  float* rows = data<float>(boxes, "boxes", {batch, max_det, 6});
  int32_t* found = data<int32_t>(counts, "counts", {batch});
  py::gil_scoped_release release;
  decoder.core.run(decoder.tensors.data(), batch, frame, {conf, iou, max_det, multi_label, mask}, rows, found);
}

std::tuple<float, float, int64_t> extremes(py::handle values) {
  const float* first = data<const float>(values, "values", {-1});
  const int64_t count = py::reinterpret_borrow<py::array>(values).size();
  demand(count > 0, "values are empty");
  py::gil_scoped_release release;
  const edge::Extremes found = edge::extremes(first, count);
  return {found.low, found.high, found.bad};
}

void histogram(py::handle values, float width, py::handle counts) {
  const float* first = data<const float>(values, "values", {-1});
  int64_t* bins = data<int64_t>(counts, "counts", {-1});
  const int64_t count = py::reinterpret_borrow<py::array>(values).size();
  const int64_t size = py::reinterpret_borrow<py::array>(counts).size(), half = size / 2;
  demand(count > 0, "values are empty");
  demand(size >= 2 && size % 2 == 0 && size <= 1 << 24, "counts are not an even number of bins, 16 million at most");
  demand(finite({width, 1.0f / width}) && width > 0, "width is not above 0");
  int64_t bad;
  {
    py::gil_scoped_release release;
    bad = edge::histogram(first, count, width, half, bins);
  }
  demand(bad == 0, "values are not finite");
}

}  // namespace

PYBIND11_MODULE(_core, m) {
  bind_pictures(m);
  bind_device(m);
  bind_track(m);
  m.def("extremes", &extremes);
  m.def("histogram", &histogram);
  py::class_<Decoder>(m, "Decoder")
      .def(py::init(&make_decoder))
      .def("required", [](const Decoder& decoder) { return decoder.core.required(); })
      .def("run", &run);
}
