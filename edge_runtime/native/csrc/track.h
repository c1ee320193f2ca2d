// track.h: ByteTrack, which gives the boxes of one source their ids; tests/twins/track.py is the same in numpy.
//
// Zhang et al. 2022, arXiv 2110.06864, algorithm 1. Confirmed tracks are matched with the sure boxes, then those that
// are left with the unsure ones, then tracks without an id with the sure boxes that are left. A sure box without a track
// begins one. Time is that of the frames, not their number. A track has its id from its min_hits-th frame in a row. With
// by_class, only boxes of one class are matched. The authors' code leaves lost tracks out of the second match. But then
// an unsure box of a lost object goes to the object before it, and takes its id (tools/tracking.py has such scenes).
#pragma once

#include <cstdint>
#include <vector>

#include "assign.h"
#include "kalman.h"

namespace edge {

constexpr int kMostTracks = 1000;  // and boxes of a frame: the best of them are tracked

struct TrackRule {
  float sure, unsure;             // least confidence of the two groups
  double overlap, low_overlap;    // a match has more IoU than this
  double lost_s;                  // a track that was not seen for longer ends
  int min_hits;
  bool by_class;
};

struct Track {
  Kalman filter;
  double seen_s;
  int32_t id, class_id, hits;  // id 0: not confirmed
  bool missed;                 // not seen in the frame before
};

class Tracker {
 public:
  explicit Tracker(const TrackRule& rule) : rule_(rule) {}
  // Boxes (n, 4) in pixels, best first. Fills ids (n,): -1 for a box without a confirmed track. Boxes that are not
  // finite or have no area get none. Time that goes back ends all tracks. Ids are never given twice.
  void update(const Box* boxes, const float* confidence, const int32_t* class_id, int n, double time_s, int32_t* ids);
  void end_all() { tracks_.clear(); }
  const std::vector<Track>& tracks() const { return tracks_; }
  double time_s() const { return time_s_; }
  int32_t last_id() const { return last_id_; }
  // Goes on from the state of another tracker with these rules.
  void restore(const std::vector<Track>& tracks, double time_s, int32_t last_id) {
    tracks_ = tracks;
    time_s_ = time_s;
    last_id_ = last_id;
  }

 private:
  void advance(double time_s);
  void sort_boxes(const Box* boxes, const float* confidence, int n);
  void match(std::vector<int>* found, double overlap);
  void begin(const Box& box, int32_t class_id, int32_t* id);
  void hit(Track* track, const Box& box, int32_t class_id, int32_t* id);
  double gain(const Corners& box, int32_t class_id, int found, double overlap) const;

  TrackRule rule_;
  std::vector<Track> tracks_;
  std::vector<Corners> corners_;         // of tracks_, as predicted
  std::vector<int> sure_, unsure_;       // boxes that have no track yet
  std::vector<int> rows_;                // tracks that take part in a match
  std::vector<int> box_of_;              // of tracks_; -1 for none
  std::vector<double> gain_;
  Assignment assignment_;
  const Box* boxes_ = nullptr;           // of this update
  const int32_t* class_id_ = nullptr;
  double time_s_ = 0;
  int32_t last_id_ = 0;
};

}  // namespace edge
