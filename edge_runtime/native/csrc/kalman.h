// kalman.h: the Kalman filter of a track, with constant velocity: centre x, centre y, aspect (width / height), height.
//
// Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", 2022, arXiv 2110.06864, with the
// noise of DeepSORT (Wojke et al. 2017, arXiv 1703.07402): deviations are parts of the height. All their matrices keep
// the four quantities apart, so that the filter of eight states is four filters of two, and no matrix is inverted.
//
// Time is in frames of a thirtieth of a second, as the noise was tuned. A step of any length is allowed. The noise of
// n steps of one frame is a sum over j < n, of 1, j and j * j; this is its closed form, for any n. So a step of two
// frames is two steps of one, and a frame that was dropped changes nothing.
#pragma once

#include "decode.h"

namespace edge {

constexpr double kFramesPerSecond = 30.0;

struct Axis {
  double at, speed;    // the state, and per frame
  double pp, pv, vv;   // its covariance

  void begin(double value, double at_deviation, double speed_deviation) {
    *this = {value, 0.0, at_deviation * at_deviation, 0.0, speed_deviation * speed_deviation};
  }
  void predict(double n, double at_deviation, double speed_deviation) {
    const double q = at_deviation * at_deviation, r = speed_deviation * speed_deviation;
    at += n * speed;
    pp += n * (2.0 * pv + n * vv) + n * q + r * (n * (n - 1.0) * (2.0 * n - 1.0) / 6.0);
    pv += n * vv + r * (n * (n - 1.0) / 2.0);
    vv += n * r;
  }
  void correct(double value, double deviation) {
    const double s = pp + deviation * deviation, k = pp / s, l = pv / s, d = value - at;
    at += k * d;
    speed += l * d;
    vv -= l * pv;
    pv -= k * pv;
    pp -= k * pp;
  }
};

struct Corners {
  double x1, y1, x2, y2;
};

struct Kalman {
  Axis x, y, aspect, height;

  void begin(const Box& b) {
    const double w = (double)b.x2 - b.x1, h = (double)b.y2 - b.y1, part = h / 10.0, speed = h / 16.0;
    x.begin(b.x1 + w / 2.0, part, speed);
    y.begin(b.y1 + h / 2.0, part, speed);
    aspect.begin(w / h, 1e-2, 1e-5);
    height.begin(h, part, speed);
  }
  void predict(double n) {
    const double part = height.at / 20.0, speed = height.at / 160.0;
    x.predict(n, part, speed);
    y.predict(n, part, speed);
    aspect.predict(n, 1e-2, 1e-5);
    height.predict(n, part, speed);
  }
  void correct(const Box& b) {
    const double w = (double)b.x2 - b.x1, h = (double)b.y2 - b.y1, part = height.at / 20.0;
    x.correct(b.x1 + w / 2.0, part);
    y.correct(b.y1 + h / 2.0, part);
    aspect.correct(w / h, 1e-1);
    height.correct(h, part);
  }
  Corners box() const {
    const double w = aspect.at * height.at;
    return {x.at - w / 2.0, y.at - height.at / 2.0, x.at + w / 2.0, y.at + height.at / 2.0};
  }
};

}  // namespace edge
