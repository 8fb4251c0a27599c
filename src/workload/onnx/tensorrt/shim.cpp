// The part of TensorRT 10 that fulcrum calls, as plain C functions: TensorRT itself has only C++ classes.
// Compiled by build.rs where NvInfer.h is found, without exceptions and without type information.

#include <NvInfer.h>

#if NV_TENSORRT_MAJOR < 10
#error "TensorRT 10 or later is needed; set TENSORRT_INCLUDE_DIR, or leave out the feature `tensorrt`"
#endif

namespace {

using Log = void (*)(void *data, int severity, const char *text);

class Logger final : public nvinfer1::ILogger {
 public:
  Logger(Log log, void *data) noexcept : log_(log), data_(data) {}
  void log(Severity severity, const char *text) noexcept override {
    if (log_ != nullptr) {
      log_(data_, static_cast<int>(severity), text);
    }
  }

 private:
  Log log_;
  void *data_;
};

// The runtime calls its logger as long as it lives.
struct Runtime {
  Logger logger;
  nvinfer1::IRuntime *runtime;
};

nvinfer1::ICudaEngine *engine_of(void *engine) { return static_cast<nvinfer1::ICudaEngine *>(engine); }

nvinfer1::IExecutionContext *context_of(void *context) {
  return static_cast<nvinfer1::IExecutionContext *>(context);
}

}  // namespace

extern "C" {

// `create` is libnvinfer's createInferRuntime_INTERNAL. Null if it refuses, its version being another one for
// example.
void *fulcrum_trt_runtime(void *(*create)(void *logger, int version), Log log, void *data) {
  auto *made = new Runtime{Logger(log, data), nullptr};
  made->runtime = static_cast<nvinfer1::IRuntime *>(create(&made->logger, NV_TENSORRT_VERSION));
  if (made->runtime == nullptr) {
    delete made;
    return nullptr;
  }
  return made;
}

void fulcrum_trt_runtime_free(void *runtime) {
  auto *made = static_cast<Runtime *>(runtime);
  delete made->runtime;
  delete made;
}

// Null if the bytes are no plan of this very version and device.
void *fulcrum_trt_engine(void *runtime, const void *bytes, size_t length) {
  return static_cast<Runtime *>(runtime)->runtime->deserializeCudaEngine(bytes, length);
}

void fulcrum_trt_engine_free(void *engine) { delete engine_of(engine); }

int32_t fulcrum_trt_tensors(void *engine) { return engine_of(engine)->getNbIOTensors(); }

// The engine's own text, valid as long as the engine.
const char *fulcrum_trt_name(void *engine, int32_t index) { return engine_of(engine)->getIOTensorName(index); }

// Returns the number of sizes, at most 8, or -1 if the engine leaves it open.
int32_t fulcrum_trt_shape(void *engine, const char *name, int64_t *sizes, int32_t *type, int32_t *input) {
  const nvinfer1::Dims dims = engine_of(engine)->getTensorShape(name);
  *type = static_cast<int32_t>(engine_of(engine)->getTensorDataType(name));
  *input = engine_of(engine)->getTensorIOMode(name) == nvinfer1::TensorIOMode::kINPUT ? 1 : 0;
  for (int32_t index = 0; index < dims.nbDims && index < 8; ++index) {
    sizes[index] = dims.d[index];
  }
  return dims.nbDims;
}

int64_t fulcrum_trt_device_memory(void *engine) { return engine_of(engine)->getDeviceMemorySizeV2(); }

// A context that works in the caller's device memory, so that none is taken behind its back.
void *fulcrum_trt_context(void *engine, void *memory, int64_t bytes) {
  const auto strategy = nvinfer1::ExecutionContextAllocationStrategy::kUSER_MANAGED;
  auto *made = engine_of(engine)->createExecutionContext(strategy);
  if (made != nullptr) {
    made->setDeviceMemoryV2(memory, bytes);
  }
  return made;
}

void fulcrum_trt_context_free(void *context) { delete context_of(context); }

int32_t fulcrum_trt_set_address(void *context, const char *name, void *address) {
  return context_of(context)->setTensorAddress(name, address) ? 1 : 0;
}

int32_t fulcrum_trt_set_shape(void *context, const char *name, const int64_t *sizes, int32_t count) {
  nvinfer1::Dims dims{};
  dims.nbDims = count;
  for (int32_t index = 0; index < count && index < 8; ++index) {
    dims.d[index] = sizes[index];
  }
  return context_of(context)->setInputShape(name, dims) ? 1 : 0;
}

// Hands one inference to `stream`, a cudaStream_t, and returns at once.
int32_t fulcrum_trt_enqueue(void *context, void *stream) {
  return context_of(context)->enqueueV3(static_cast<cudaStream_t>(stream)) ? 1 : 0;
}

}  // extern "C"
