// bindings_pictures.cpp: letterbox and conversion to BGR for Python; see bindings.h.
#include <array>

#include "bindings.h"
#include "letterbox_yuv.h"

namespace {

using Triple = std::array<float, 3>;
using Words = std::array<int32_t, 8>;

constexpr py::ssize_t kMost = 1 << 30;

struct Target {
  py::handle out;
  int width, height, pad_x, pad_y, pad_value;
  bool swap_rb;
  Triple mean, std;
};

edge::LetterboxJob job_of(const Target& t, py::ssize_t src_w, py::ssize_t src_h) {
  float* planes = data<float>(t.out, "out", {3, -1, -1});
  const auto target = py::reinterpret_borrow<py::array>(t.out);
  demand(std::max({src_h, src_w, target.shape(1), target.shape(2)}) <= kMost, "an image too large");
  const int out_h = static_cast<int>(target.shape(1)), out_w = static_cast<int>(target.shape(2));
  demand(std::min(src_w, src_h) > 0, "the image has no pixels");
  demand(std::min(t.width, t.height) >= 1 && std::min(t.pad_x, t.pad_y) >= 0 && t.width <= out_w &&
             t.pad_x <= out_w - t.width && t.height <= out_h && t.pad_y <= out_h - t.height,
         "the placement does not fit into out");
  demand(t.pad_value >= 0 && t.pad_value <= 255, "pad_value is not 0 to 255");
  demand(finite({t.mean[0], t.mean[1], t.mean[2], t.std[0], t.std[1], t.std[2]}) &&
             *std::min_element(t.std.begin(), t.std.end()) > 0,
         "mean and std are not finite, or a std is not above 0");
  return {nullptr, static_cast<int>(src_w), static_cast<int>(src_h), 0, planes, out_w, out_h, t.width, t.height,
          t.pad_x, t.pad_y, static_cast<uint8_t>(t.pad_value), t.swap_rb, {t.mean[0], t.mean[1], t.mean[2]},
          {t.std[0], t.std[1], t.std[2]}};
}

void letterbox(const py::array& image, py::handle out, int width, int height, int pad_x, int pad_y, int pad_value,
               bool swap_rb, Triple mean, Triple std, const std::string& simd) {
  const bool pixels = image.ndim() == 3 && image.shape(2) == 3 && image.strides(2) == 1 && image.strides(1) == 3;
  if (!pixels || !py::array_t<uint8_t>::check_(image)) throw py::value_error("image is not (H, W, 3) uint8 in rows");
  edge::LetterboxJob job =
      job_of({out, width, height, pad_x, pad_y, pad_value, swap_rb, mean, std}, image.shape(1), image.shape(0));
  job.src = static_cast<const uint8_t*>(image.data());
  job.src_stride = image.strides(0);
  py::gil_scoped_release release;
  edge::letterbox(job, simd);
}

// A plane of (rows, columns) elements of so many bytes; a row has no gaps.
const py::array& plane(const std::vector<py::array>& planes, size_t number, py::ssize_t rows, py::ssize_t columns,
                       py::ssize_t bytes) {
  demand(number < planes.size(), "a plane is missing");
  const py::array& p = planes[number];
  const bool flat = p.ndim() == 2 && bytes == 1;
  const bool fits = flat || (p.ndim() == 3 && p.shape(2) == bytes && p.strides(2) == 1);
  demand(fits && p.shape(0) == rows && p.shape(1) == columns && p.strides(1) == bytes &&
             py::array_t<uint8_t>::check_(p),
         "a plane has another shape, dtype or layout");
  return p;
}

edge::Component component(const py::array& p, int first, int step, int shift_x, int shift_y) {
  const py::ssize_t bytes = p.ndim() == 3 ? p.shape(2) : 1;
  return {static_cast<const uint8_t*>(p.data()), p.strides(0), first, step, shift_x, shift_y, bytes * p.shape(1)};
}

edge::YuvPicture picture(const std::string& format, const std::vector<py::array>& planes, py::ssize_t width,
                         py::ssize_t height, const Words& w) {
  demand(std::min(width, height) > 0 && std::max(width, height) <= kMost, "the picture has no pixels, or too many");
  // The vectors calculate with 16 bits; see letterbox_yuv_lanes.h.
  demand(*std::min_element(w.begin(), w.end()) >= 0 && *std::max_element(w.begin(), w.end()) < 1 << 16 &&
             std::max(w[5], w[7]) < 3 << 14 && w[6] < 1 << 14 && edge::product(255, w[1]) - w[5] < 1 << 14 &&
             edge::product(255, w[4]) - w[7] < 1 << 14 && edge::product(255, w[2]) + edge::product(255, w[3]) < 1 << 15,
         "a colour of numbers that are too large");
  const edge::Colour colour = {w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7]};
  const py::ssize_t half_w = (width + 1) / 2, half_h = (height + 1) / 2;
  const auto p = [&](size_t number, py::ssize_t rows, py::ssize_t columns, py::ssize_t bytes) {
    return plane(planes, number, rows, columns, bytes);
  };
  if (format == "yuyv") {
    const py::array all = p(0, height, half_w, 4);
    return {{component(all, 0, 2, 0, 0), component(all, 1, 4, 1, 0), component(all, 3, 4, 1, 0)}, colour};
  }
  const edge::Component luma = component(p(0, height, width, 1), 0, 1, 0, 0);
  if (format == "gray8") return {{luma, luma, luma}, colour};
  if (format == "nv12") {
    const py::array uv = p(1, half_h, half_w, 2);
    return {{luma, component(uv, 0, 2, 1, 1), component(uv, 1, 2, 1, 1)}, colour};
  }
  const int shift = format == "i420";
  if (!shift && format != "yuv422p") throw py::value_error("no pixel format " + format);
  const auto chroma = [&](size_t number) {
    return component(p(number, shift ? half_h : height, half_w, 1), 0, 1, 1, shift);
  };
  return {{luma, chroma(1), chroma(2)}, colour};
}

void letterbox_pixels(const std::string& format, const std::vector<py::array>& planes, py::ssize_t src_w,
                      py::ssize_t src_h, const Words& colour, py::handle out, int width, int height, int pad_x,
                      int pad_y, int pad_value, bool swap_rb, Triple mean, Triple std, const std::string& simd) {
  edge::LetterboxJob job = job_of({out, width, height, pad_x, pad_y, pad_value, swap_rb, mean, std}, src_w, src_h);
  if (format == "bgr24" || format == "bgrx") {
    job.step = format == "bgr24" ? 3 : 4;
    const py::array& image = plane(planes, 0, src_h, src_w, job.step);
    job.src = static_cast<const uint8_t*>(image.data());
    job.src_stride = image.strides(0);
    py::gil_scoped_release release;
    return edge::letterbox(job, simd);
  }
  const edge::YuvPicture from = picture(format, planes, src_w, src_h, colour);
  py::gil_scoped_release release;
  edge::letterbox_yuv(job, from, simd);
}

void to_bgr(const std::string& format, const std::vector<py::array>& planes, const Words& colour, py::handle out,
            const std::string& simd) {
  uint8_t* pixels = data<uint8_t>(out, "out", {-1, -1, 3});
  const auto target = py::reinterpret_borrow<py::array>(out);
  const edge::YuvPicture from = picture(format, planes, target.shape(1), target.shape(0), colour);
  py::gil_scoped_release release;
  edge::to_bgr(from, static_cast<int>(target.shape(1)), static_cast<int>(target.shape(0)), pixels, simd);
}

}  // namespace

void bind_pictures(py::module_& m) {
  m.def("simd_levels", &edge::letterbox_simd_levels);
  m.def("letterbox", &letterbox);
  m.def("letterbox_pixels", &letterbox_pixels);
  m.def("to_bgr", &to_bgr);
}
