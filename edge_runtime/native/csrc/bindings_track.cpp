// bindings_track.cpp: the tracker for Python; see bindings.h.
#include <memory>

#include "bindings.h"
#include "track.h"

namespace {

struct Tracker {
  explicit Tracker(const edge::TrackRule& rule) : core(rule) {}
  edge::Tracker core;
  std::atomic_flag running = ATOMIC_FLAG_INIT;
};

constexpr const char* kBusy = "another thread runs this tracker";

std::unique_ptr<Tracker> make(float sure, float unsure, double overlap, double low_overlap, double lost_s,
                              int min_hits, bool by_class) {
  demand(finite({sure, unsure, overlap, low_overlap, lost_s}), "a number of the tracker is not finite");
  demand(overlap >= 0 && low_overlap >= 0 && lost_s >= 0 && min_hits >= 1, "a number of the tracker is too small");
  return std::make_unique<Tracker>(edge::TrackRule{sure, unsure, overlap, low_overlap, lost_s, min_hits, by_class});
}

void update(Tracker& tracker, py::handle xyxy, py::handle confidence, py::handle class_id, double time_s,
            py::handle ids) {
  const Alone alone(&tracker.running, kBusy);
  demand(finite({time_s}), "the time is not finite");
  const auto* boxes = reinterpret_cast<const edge::Box*>(data<const float>(xyxy, "xyxy", {-1, 4}));
  const py::ssize_t count = py::reinterpret_borrow<py::array>(xyxy).shape(0);
  const float* scores = data<const float>(confidence, "confidence", {count});
  const int32_t* classes = data<const int32_t>(class_id, "class_id", {count});
  int32_t* out = data<int32_t>(ids, "ids", {count});
  demand(count <= 1 << 24, "there are more than 16 million boxes");
  py::gil_scoped_release release;
  tracker.core.update(boxes, scores, classes, (int)count, time_s, out);
}

py::array_t<double> tracks(Tracker& tracker) {
  const Alone alone(&tracker.running, kBusy);
  const auto& tracks = tracker.core.tracks();
  py::array_t<double> rows({(py::ssize_t)tracks.size(), (py::ssize_t)7});
  double* out = rows.mutable_data();
  for (const edge::Track& track : tracks) {
    const edge::Corners box = track.filter.box();
    for (const double value : {box.x1, box.y1, box.x2, box.y2, (double)track.id, (double)track.class_id, track.seen_s})
      *out++ = value;
  }
  return rows;
}

void end_all(Tracker& tracker) {
  const Alone alone(&tracker.running, kBusy);
  tracker.core.end_all();
}

constexpr py::ssize_t kStateColumns = 25;  // five numbers of each axis, then those of the track

py::tuple state(Tracker& tracker) {
  const Alone alone(&tracker.running, kBusy);
  const auto& tracks = tracker.core.tracks();
  py::array_t<double> rows({(py::ssize_t)tracks.size(), kStateColumns});
  double* out = rows.mutable_data();
  for (const edge::Track& track : tracks) {
    for (const edge::Axis& axis : {track.filter.x, track.filter.y, track.filter.aspect, track.filter.height})
      for (const double value : {axis.at, axis.speed, axis.pp, axis.pv, axis.vv}) *out++ = value;
    for (const double value : {track.seen_s, (double)track.id, (double)track.class_id, (double)track.hits,
                               (double)track.missed})
      *out++ = value;
  }
  return py::make_tuple(rows, tracker.core.time_s(), tracker.core.last_id());
}

int32_t whole(double value) {
  demand(value >= 0 && value <= INT32_MAX && value == (double)(int32_t)value, "a number of a track is not whole");
  return (int32_t)value;
}

void restore(Tracker& tracker, py::handle rows, double time_s, int32_t last_id) {
  const Alone alone(&tracker.running, kBusy);
  const double* in = data<const double>(rows, "rows", {-1, kStateColumns});
  const py::ssize_t count = py::reinterpret_borrow<py::array>(rows).shape(0);
  demand(count <= edge::kMostTracks && last_id >= 0 && finite({time_s}), "the state is not one of a tracker");
  std::vector<edge::Track> tracks((size_t)count);
  for (edge::Track& track : tracks) {
    for (py::ssize_t i = 0; i < kStateColumns; ++i) demand(finite({in[i]}), "a number of a track is not finite");
    for (edge::Axis* axis : {&track.filter.x, &track.filter.y, &track.filter.aspect, &track.filter.height}) {
      *axis = {in[0], in[1], in[2], in[3], in[4]};
      in += 5;
    }
    track.seen_s = in[0];
    track.id = whole(in[1]);
    track.class_id = whole(in[2]);
    track.hits = whole(in[3]);
    track.missed = in[4] != 0;
    in += 5;
    demand(track.id <= last_id, "a track has an id that was not given yet");
  }
  tracker.core.restore(tracks, time_s, last_id);
}

}  // namespace

void bind_track(py::module_& m) {
  py::class_<Tracker>(m, "Tracker")
      .def(py::init(&make))
      .def("update", &update)
      .def("tracks", &tracks)
      .def("state", &state)
      .def("restore", &restore)
      .def("end_all", &end_all);
}
