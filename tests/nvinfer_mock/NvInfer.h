// A MOCK, for fulcrum's own plumbing alone. The real header of this name is TensorRT's.
#include "nvinfer_mock.h"
