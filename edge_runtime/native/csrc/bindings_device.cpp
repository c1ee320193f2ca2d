// bindings_device.cpp: the device's loop for Python; see bindings.h.
//
// Short work keeps the GIL: beside a busy Python thread it would come back after the switch interval, which is longer than
// the work. Copying much, allocating and waiting release it.
#include <memory>
#include <tuple>

#include "bindings.h"
#include "slot.h"

namespace {

constexpr int kMostBatch = 1 << 16;

struct Layout : edge::Layout {
  std::vector<std::vector<py::ssize_t>> shapes;
};

std::unique_ptr<Layout> make_layout(const std::vector<int64_t>& words, const std::vector<double>& frame,
                                    const std::vector<std::vector<py::ssize_t>>& shapes, int u, int v) {
  demand(words.size() == edge::kImageWords && frame.size() == edge::kFrameNumbers, "another number of words");
  const int planes = static_cast<int>(shapes.size());
  demand(planes >= 1 && planes <= edge::kMostPlanes && u >= -1 && v >= -1 && u < planes && v < planes, "no such plane");
  auto made = std::make_unique<Layout>();
  std::copy(words.begin(), words.end(), made->words);
  std::copy(frame.begin(), frame.end(), made->frame);
  made->planes = planes, made->u = u, made->v = v, made->shapes = shapes;
  for (int k = 0; k < planes; ++k) {
    demand(shapes[k].size() == 2 || shapes[k].size() == 3, "a plane is not (rows, columns) or (rows, columns, bytes)");
    size_t row = 1;
    for (const py::ssize_t side : shapes[k]) demand(side >= 1 && side <= 1 << 20, "a plane is empty or too large");
    for (size_t d = 1; d < shapes[k].size(); ++d) row *= static_cast<size_t>(shapes[k][d]);
    made->rows[k] = static_cast<size_t>(shapes[k][0]), made->row_bytes[k] = row;
  }
  return made;
}

edge::Plane plane(py::handle object, const std::vector<py::ssize_t>& shape) {
  demand(py::isinstance<py::array>(object), "a plane is no array");
  const auto array = py::reinterpret_borrow<py::array>(object);
  const size_t sides = shape.size();
  demand(array.dtype().num() == py::detail::npy_api::NPY_UBYTE_ && array.ndim() == static_cast<py::ssize_t>(sides) &&
             std::equal(shape.begin(), shape.end(), array.shape()) && array.strides(sides - 1) == 1 &&
             (sides == 2 || array.strides(1) == shape[2]),
         "a plane has another shape, dtype or layout");
  return {static_cast<const uint8_t*>(array.data()), array.strides(0)};
}

py::tuple tuple_of(py::handle object) {
  demand(py::isinstance<py::tuple>(object), "a picture is not (layout, planes)");
  return py::reinterpret_borrow<py::tuple>(object);
}

class Slot {
 public:
  Slot(std::shared_ptr<edge::Gpu> gpu, uintptr_t stream, py::handle words, py::handle frames, bool mapped)
      : words_(py::reinterpret_borrow<py::object>(words)), frames_(py::reinterpret_borrow<py::object>(frames)) {
    int64_t* first = data<int64_t>(words, "words", {-1, edge::kImageWords});
    const py::ssize_t batch = py::reinterpret_borrow<py::array>(words).shape(0);
    demand(batch >= 1 && batch <= kMostBatch && stream != 0, "a batch without pictures, or the default stream");
    double* numbers = data<double>(frames, "frames", {batch, edge::kFrameNumbers});
    sources_.resize(static_cast<size_t>(batch));
    core_ = std::make_unique<edge::Slot>(std::move(gpu), reinterpret_cast<void*>(stream), first, numbers,
                                         static_cast<int>(batch), mapped);
  }

  void set_graph(uintptr_t graph) {
    const Alone alone(&running_, kBusy);
    open().set_graph(reinterpret_cast<void*>(graph));
  }

  // Tuples cannot change, so that their arrays live until the return.
  void enqueue(const py::tuple& pictures) {
    const Alone alone(&running_, kBusy);
    edge::Slot& core = open();
    demand(pictures.size() >= 1 && pictures.size() <= sources_.size(), "another number of pictures");
    for (size_t number = 0; number < pictures.size(); ++number) {
      const auto given = tuple_of(pictures[number]);
      py::detail::make_caster<Layout> held;
      demand(given.size() == 2 && held.load(given[0], false), "a picture is not (layout, planes)");
      const auto& layout = py::detail::cast_op<const Layout&>(held);
      const auto planes = tuple_of(given[1]);
      demand(planes.size() == layout.shapes.size(), "another number of planes");
      sources_[number].layout = &layout;
      for (size_t k = 0; k < planes.size(); ++k) sources_[number].planes[k] = plane(planes[k], layout.shapes[k]);
    }
    const int count = static_cast<int>(pictures.size());
    if (core.brief(sources_.data(), count)) return core.enqueue(sources_.data(), count);
    const py::gil_scoped_release release;
    core.enqueue(sources_.data(), count);
  }

  void started() {
    const Alone alone(&running_, kBusy);
    open().started();
  }

  std::tuple<double, double, double> wait() {
    const Alone alone(&running_, kBusy);
    edge::Slot& core = open();
    edge::Times times;
    if (core.ready()) {
      times = core.wait();
    } else {
      const py::gil_scoped_release release;
      times = core.wait();
    }
    return {times.filled_ms, times.copied_ms, times.ran_ms};
  }

  void close() {
    const Alone alone(&running_, kBusy);
    const py::gil_scoped_release release;
    core_.reset();
  }

 private:
  static constexpr const char* kBusy = "another thread uses this slot";

  edge::Slot& open() {
    if (core_ == nullptr) throw edge::DriverError("the slot is closed");
    return *core_;
  }

  py::object words_, frames_;
  std::vector<edge::Source> sources_;
  std::unique_ptr<edge::Slot> core_;
  std::atomic_flag running_ = ATOMIC_FLAG_INIT;
};

// An array that owns its memory through its base, so that views of it refer to it and not to the memory.
py::array lend(const std::shared_ptr<edge::Gpu>& gpu, const std::vector<py::ssize_t>& shape, bool mapped) {
  size_t bytes = 1;
  for (const py::ssize_t side : shape) {
    demand(side >= 1 && static_cast<size_t>(side) <= (size_t(1) << 40) / bytes, "a side is below 1, or all too large");
    bytes *= static_cast<size_t>(side);
  }
  std::shared_ptr<edge::Pinned> memory;
  {
    const py::gil_scoped_release release;
    memory = std::make_shared<edge::Pinned>(gpu, bytes, mapped);
    gpu->lend(memory);
  }
  return py::array(py::dtype::of<uint8_t>(), shape, memory->host(), py::cast(memory));
}

}  // namespace

void bind_device(py::module_& m) {
  py::class_<edge::Pinned, std::shared_ptr<edge::Pinned>>(m, "Pinned");
  py::class_<edge::Gpu, std::shared_ptr<edge::Gpu>>(m, "Gpu")
      .def(py::init<const std::string&, int>(), py::call_guard<py::gil_scoped_release>())
      .def("lend", &lend);
  py::class_<Layout>(m, "Layout").def(py::init(&make_layout));
  py::class_<Slot>(m, "Slot")
      .def(py::init<std::shared_ptr<edge::Gpu>, uintptr_t, py::handle, py::handle, bool>())
      .def("set_graph", &Slot::set_graph)
      .def("enqueue", &Slot::enqueue)
      .def("started", &Slot::started)
      .def("wait", &Slot::wait)
      .def("close", &Slot::close);
}
