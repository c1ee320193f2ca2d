// track.cpp: see track.h.
#include "track.h"

#include <algorithm>
#include <cmath>

namespace edge {

namespace {

double overlap_of(const Corners& a, const Box& b) {
  const double w = std::min(a.x2, (double)b.x2) - std::max(a.x1, (double)b.x1);
  const double h = std::min(a.y2, (double)b.y2) - std::max(a.y1, (double)b.y1);
  if (!(w > 0 && h > 0)) return 0;
  const double inter = w * h;
  const double area = ((double)b.x2 - b.x1) * ((double)b.y2 - b.y1);
  return inter / ((a.x2 - a.x1) * (a.y2 - a.y1) + area - inter);
}

bool usable(const Box& b) {
  return std::isfinite(b.x1) && std::isfinite(b.y1) && std::isfinite(b.x2) && std::isfinite(b.y2) && b.x2 > b.x1 &&
         b.y2 > b.y1;
}

}  // namespace

void Tracker::update(const Box* boxes, const float* confidence, const int32_t* class_id, int n, double time_s,
                     int32_t* ids) {
  boxes_ = boxes;
  class_id_ = class_id;
  std::fill(ids, ids + n, -1);
  advance(time_s);
  sort_boxes(boxes, confidence, n);
  box_of_.assign(tracks_.size(), -1);
  const auto choose = [this](auto wanted) {
    rows_.clear();
    for (size_t i = 0; i < tracks_.size(); ++i)
      if (box_of_[i] < 0 && wanted(tracks_[i])) rows_.push_back((int)i);
  };
  choose([](const Track& t) { return t.id > 0; });
  match(&sure_, rule_.overlap);
  choose([](const Track& t) { return t.id > 0; });
  match(&unsure_, rule_.low_overlap);
  choose([](const Track& t) { return t.id == 0; });
  match(&sure_, rule_.overlap);
  size_t kept = 0;
  for (size_t i = 0; i < tracks_.size(); ++i) {
    Track& track = tracks_[i];
    if (box_of_[i] >= 0)
      hit(&track, boxes[box_of_[i]], class_id[box_of_[i]], &ids[box_of_[i]]);
    else
      track.missed = true;
    if (track.id > 0 || !track.missed) tracks_[kept++] = track;
  }
  tracks_.resize(kept);
  for (const int found : sure_)
    if (tracks_.size() < kMostTracks) begin(boxes[found], class_id[found], &ids[found]);
}

void Tracker::advance(double time_s) {
  if (time_s < time_s_) end_all();
  const double frames = tracks_.empty() ? 0 : (time_s - time_s_) * kFramesPerSecond;
  time_s_ = time_s;
  const auto over = [&](const Track& track) { return time_s - track.seen_s > rule_.lost_s; };
  tracks_.erase(std::remove_if(tracks_.begin(), tracks_.end(), over), tracks_.end());
  corners_.clear();
  for (Track& track : tracks_) {
    if (track.missed) track.filter.height.speed = 0;
    track.filter.predict(frames);
    corners_.push_back(track.filter.box());
  }
}

void Tracker::sort_boxes(const Box* boxes, const float* confidence, int n) {
  sure_.clear();
  unsure_.clear();
  for (int i = 0; i < std::min(n, kMostTracks); ++i)
    if (usable(boxes[i])) {
      if (confidence[i] >= rule_.sure)
        sure_.push_back(i);
      else if (confidence[i] >= rule_.unsure)
        unsure_.push_back(i);
    }
}

// Gives the tracks in rows_ their boxes, and takes those from the list.
void Tracker::match(std::vector<int>* found, double overlap) {
  const int rows = (int)rows_.size(), cols = (int)found->size();
  if (!rows || !cols) return;
  gain_.resize((size_t)rows * cols);
  for (int i = 0; i < rows; ++i)
    for (int j = 0; j < cols; ++j)
      gain_[(size_t)i * cols + j] = gain(corners_[rows_[i]], tracks_[rows_[i]].class_id, (*found)[j], overlap);
  assignment_.solve(gain_, rows, cols);
  for (int i = 0; i < rows; ++i) {
    const int j = assignment_.column_of()[i];
    if (j < 0) continue;
    box_of_[rows_[i]] = (*found)[j];
    (*found)[j] = -1;
  }
  found->erase(std::remove(found->begin(), found->end(), -1), found->end());
}

double Tracker::gain(const Corners& box, int32_t class_id, int found, double overlap) const {
  return rule_.by_class && class_id != class_id_[found] ? 0 : std::max(0.0, overlap_of(box, boxes_[found]) - overlap);
}

void Tracker::begin(const Box& box, int32_t class_id, int32_t* id) {
  tracks_.push_back({{}, 0, 0, 0, 0, false});
  tracks_.back().filter.begin(box);
  hit(&tracks_.back(), box, class_id, id);
}

void Tracker::hit(Track* track, const Box& box, int32_t class_id, int32_t* id) {
  if (track->hits) track->filter.correct(box);
  track->seen_s = time_s_;
  track->class_id = class_id;
  track->missed = false;
  track->hits = std::min(track->hits + 1, rule_.min_hits);
  if (track->id == 0 && track->hits >= rule_.min_hits) track->id = ++last_id_;
  *id = track->id > 0 ? track->id : -1;
}

}  // namespace edge
