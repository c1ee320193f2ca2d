// bindings.h: what the files have in common that Python calls. They refuse arguments that would crash, release the GIL
// and call. No other file uses Python.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace py = pybind11;

void bind_pictures(py::module_& m);
void bind_device(py::module_& m);
void bind_track(py::module_& m);

using Extents = std::initializer_list<py::ssize_t>;  // -1: any size

// Can the object be read (or, without const, written) in place as a C-contiguous array of T?
template <typename T>
bool plain(py::handle object) {
  if (!py::array_t<std::remove_const_t<T>, py::array::c_style>::check_(object)) return false;
  const auto array = py::reinterpret_borrow<py::array>(object);
  return (array.flags() & py::detail::npy_api::NPY_ARRAY_ALIGNED_) && (std::is_const_v<T> || array.writeable());
}

[[noreturn]] inline void refuse(py::handle object, const std::string& name, const std::string& expected) {
  const bool is_array = py::isinstance<py::array>(object);
  const py::str got = is_array ? py::str("{} {}").format(object.attr("shape"), object.attr("dtype"))
                               : py::str(py::type::handle_of(object).attr("__name__"));
  throw py::value_error(name + " is " + std::string(got) + ", expected aligned, C-contiguous " + expected);
}

template <typename T>
T* data(py::handle object, const char* name, const Extents& shape) {
  const auto fits = [](py::ssize_t wanted, py::ssize_t got) { return wanted < 0 || wanted == got; };
  if (plain<T>(object)) {
    const auto array = py::reinterpret_borrow<py::array>(object);
    const py::ssize_t *first = array.shape(), *last = first + array.ndim();
    if (std::equal(shape.begin(), shape.end(), first, last, fits)) return (T*)array.data();
  }
  const py::tuple wanted(py::cast(std::vector<py::ssize_t>(shape)));
  const py::dtype dtype = py::dtype::of<std::remove_const_t<T>>();
  refuse(object, name, py::str("{} {}{}").format(wanted, dtype, std::is_const_v<T> ? "" : ", writable"));
}

inline void demand(bool condition, const char* otherwise) {
  if (!condition) throw py::value_error(otherwise);
}

inline bool finite(std::initializer_list<double> values) {
  return std::all_of(values.begin(), values.end(), [](double value) { return std::isfinite(value); });
}

// Allows one call at a time: all calls of an object share its memory, and they release the GIL.
class Alone {
 public:
  Alone(std::atomic_flag* running, const char* otherwise) : running_(running) {
    if (running_->test_and_set(std::memory_order_acquire)) throw std::runtime_error(otherwise);
  }
  ~Alone() { running_->clear(std::memory_order_release); }
  Alone(const Alone&) = delete;
  Alone& operator=(const Alone&) = delete;

 private:
  std::atomic_flag* running_;
};
