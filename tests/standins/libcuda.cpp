// libcuda.cpp: a stand-in for the CUDA driver's library, for the calls that csrc/driver.h makes.
//
// Its memory is the host's, and a graph is a function of the host. A stream works in a thread of its own, or at once.
// Any call can be made to fail or to take long. What a real driver would punish is noted: memory that is given back
// twice or not pinned, calls without a context, handles that are none.
#include "libcuda_machine.h"

extern "C" {

int cuInit(unsigned) { return enter("cuInit", false); }

int cuDeviceGet(int* device, int number) {
  ENTER("cuDeviceGet", false);
  *device = number;
  return number == 0 ? kOk : 101;
}

int cuDevicePrimaryCtxRetain(void** made, int) {
  ENTER("cuDevicePrimaryCtxRetain", false);
  *made = &context;
  const Guard guard;
  ++machine().retained;
  return kOk;
}

int cuDevicePrimaryCtxRelease_v2(int) {
  ENTER("cuDevicePrimaryCtxRelease", false);
  const Guard guard;
  if (--machine().retained < 0) machine().faults.push_back("released more often than retained");
  return kOk;
}

int cuCtxPushCurrent_v2(void* pushed) {
  ENTER("cuCtxPushCurrent", false);
  if (machine().lost) return 709;  // CUDA_ERROR_CONTEXT_IS_DESTROYED
  if (pushed != &context) fault("no such context");
  contexts.push_back(pushed);
  return kOk;
}

int cuCtxPopCurrent_v2(void** popped) {
  ENTER("cuCtxPopCurrent");
  *popped = contexts.back();
  contexts.pop_back();
  return kOk;
}

int cuMemHostAlloc(void** made, size_t bytes, unsigned flags) {
  ENTER("cuMemHostAlloc");
  *made = allocate(flags & 2 ? 'm' : 'h', bytes);
  return kOk;
}

int cuMemHostGetDevicePointer_v2(Address* address, void* host, unsigned) {
  ENTER("cuMemHostGetDevicePointer");
  if (!holds("m", reinterpret_cast<uintptr_t>(host), 1)) fault("not mapped");
  *address = reinterpret_cast<uintptr_t>(host);
  return kOk;
}

int cuMemFreeHost(void* host) {
  ENTER("cuMemFreeHost");
  return release("hm", reinterpret_cast<uintptr_t>(host));
}

int cuMemAlloc_v2(Address* address, size_t bytes) {
  ENTER("cuMemAlloc");
  *address = reinterpret_cast<uintptr_t>(allocate('d', bytes));
  return kOk;
}

int cuMemFree_v2(Address address) {
  ENTER("cuMemFree");
  return release("d", static_cast<uintptr_t>(address));
}

int cuMemcpyHtoDAsync_v2(Address to, const void* from, size_t bytes, void* stream) {
  ENTER("cuMemcpyHtoDAsync");
  return put(stream, [=] {
    if (!holds("d", static_cast<uintptr_t>(to), bytes)) return fault("copied to memory that is not the device's");
    if (!holds("hm", reinterpret_cast<uintptr_t>(from), bytes)) return fault("copied from memory that is not pinned");
    std::memcpy(reinterpret_cast<void*>(to), from, bytes);
  });
}

int cuEventCreate(void** made, unsigned) {
  ENTER("cuEventCreate");
  *made = new Event;
  const Guard guard;
  machine().events.insert(*made);
  return kOk;
}

int cuEventDestroy_v2(void* handle) {
  ENTER("cuEventDestroy");
  Event* event = event_of(handle);
  if (event == nullptr) return kHandle;
  const Guard guard;
  machine().events.erase(handle);
  delete event;
  return kOk;
}

int cuEventRecord(void* handle, void* stream) {
  ENTER("cuEventRecord");
  Event* event = event_of(handle);
  if (event == nullptr) return kHandle;
  int number;
  {
    const std::lock_guard<std::mutex> guard(event->lock);
    number = ++event->recorded;
  }
  return put(stream, [=] {
    const std::lock_guard<std::mutex> guard(event->lock);
    event->happened = number, event->at = Clock::now();
    event->changed.notify_all();
  });
}

int cuEventQuery(void* handle) {
  ENTER("cuEventQuery");
  Event* event = event_of(handle);
  if (event == nullptr) return kHandle;
  const std::lock_guard<std::mutex> guard(event->lock);
  return event->happened == event->recorded ? kOk : kNotReady;
}

int cuEventSynchronize(void* handle) {
  ENTER("cuEventSynchronize");
  Event* event = event_of(handle);
  if (event == nullptr) return kHandle;
  std::unique_lock<std::mutex> guard(event->lock);
  event->changed.wait(guard, [&] { return event->happened == event->recorded; });
  return kOk;
}

int cuEventElapsedTime(float* ms, void* from, void* to) {
  ENTER("cuEventElapsedTime");
  Event *begun = event_of(from), *done = event_of(to);
  if (begun == nullptr || done == nullptr) return kHandle;
  const std::lock_guard<std::mutex> one(begun->lock);
  const std::lock_guard<std::mutex> other(done->lock);
  if (begun->recorded == 0 || done->recorded == 0) return kHandle;
  if (begun->happened != begun->recorded || done->happened != done->recorded) return kNotReady;
  *ms = std::chrono::duration<float, std::milli>(done->at - begun->at).count();
  return kOk;
}

int cuStreamSynchronize(void* handle) {
  ENTER("cuStreamSynchronize");
  bool known;
  {
    const Guard guard;
    known = machine().streams.count(handle) > 0;
  }
  if (!known) return kOk;
  Stream* stream = static_cast<Stream*>(handle);
  std::unique_lock<std::mutex> guard(stream->lock);
  stream->changed.wait(guard, [&] { return stream->waiting.empty() && !stream->busy; });
  return kOk;
}

int cuGraphLaunch(void* handle, void* stream) {
  ENTER("cuGraphLaunch");
  if (machine().launch != nullptr) return machine().launch(handle);
  {
    const Guard guard;
    if (!machine().graphs.count(handle)) {
      machine().faults.push_back("no such graph");
      return kHandle;
    }
  }
  const Graph* graph = static_cast<Graph*>(handle);
  return put(stream, [=] { graph->run(graph->argument); });
}

int cuGetErrorName(int code, const char** name) {
  static const std::map<int, const char*> names = {
      {kInvalid, "CUDA_ERROR_INVALID_VALUE"},   {kNoMemory, "CUDA_ERROR_OUT_OF_MEMORY"},
      {101, "CUDA_ERROR_INVALID_DEVICE"},       {kNoContext, "CUDA_ERROR_INVALID_CONTEXT"},
      {kHandle, "CUDA_ERROR_INVALID_HANDLE"},   {kFailed, "CUDA_ERROR_LAUNCH_FAILED"},
      {709, "CUDA_ERROR_CONTEXT_IS_DESTROYED"},
  };
  const auto found = names.find(code);
  *name = found == names.end() ? nullptr : found->second;
  return found == names.end() ? kInvalid : kOk;
}

}  // extern "C"

#include "libcuda_orders.h"
