//! A [`Plan`] and a [`Context`] over the shim of C++.

#![allow(unsafe_code)]

use super::{PlanTensor, TensorRtError};
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::ptr::{self, NonNull};
use std::sync::Arc;

/// Most sizes of a tensor, TensorRT's own limit.
const RANK: usize = 8;

/// TensorRT, opened.
struct Runtime(NonNull<c_void>);

// SAFETY: TensorRT documents runtimes as usable from any thread, one at a time; after `Plan::open` it is only
// freed.
unsafe impl Send for Runtime {}
// SAFETY: as above.
unsafe impl Sync for Runtime {}

impl Drop for Runtime {
    fn drop(&mut self) {
        // SAFETY: made by the shim, freed once; the engine held a share and is gone.
        unsafe { shim::fulcrum_trt_runtime_free(self.0.as_ptr()) };
    }
}

struct Engine {
    engine: NonNull<c_void>,
    _runtime: Runtime,
}

// SAFETY: TensorRT documents an engine as usable from several threads.
unsafe impl Send for Engine {}
// SAFETY: as above.
unsafe impl Sync for Engine {}

impl Drop for Engine {
    fn drop(&mut self) {
        // SAFETY: made by the shim, freed once and before its runtime; contexts held a share and are gone.
        unsafe { shim::fulcrum_trt_engine_free(self.engine.as_ptr()) };
    }
}

/// A built plan, loaded. Cheap to clone.
#[derive(Clone)]
pub struct Plan(Arc<Engine>);

impl Plan {
    /// Opens `library` (`libnvinfer.so.10` and its like) and loads the plan in `bytes`.
    pub fn open(library: &Path, bytes: &[u8]) -> Result<Plan, TensorRtError> {
        let create = factory(library)?;
        // SAFETY: the factory is libnvinfer's own; no log is asked for.
        let runtime = unsafe { shim::fulcrum_trt_runtime(create, None, ptr::null_mut()) };
        let runtime = Runtime(NonNull::new(runtime).ok_or(TensorRtError::Runtime)?);
        // SAFETY: the runtime lives, and the bytes are read during the call only.
        let engine =
            unsafe { shim::fulcrum_trt_engine(runtime.0.as_ptr(), bytes.as_ptr().cast(), bytes.len()) };
        let engine = NonNull::new(engine).ok_or(TensorRtError::Plan)?;
        Ok(Plan(Arc::new(Engine {
            engine,
            _runtime: runtime,
        })))
    }

    /// Its inputs and outputs.
    pub fn tensors(&self) -> Vec<PlanTensor> {
        let engine = self.0.engine.as_ptr();
        // SAFETY: the engine lives; a name is its own C string, and `sizes` has room for as many as TensorRT
        // has.
        let tensor = |index| unsafe {
            let name = shim::fulcrum_trt_name(engine, index);
            if name.is_null() {
                return None;
            }
            let (mut sizes, mut element, mut input) = ([0; RANK], 0, 0);
            let rank =
                shim::fulcrum_trt_shape(engine, name, sizes.as_mut_ptr(), &raw mut element, &raw mut input);
            let dims = sizes.into_iter().take(usize::try_from(rank).unwrap_or(0));
            Some(PlanTensor {
                name: CStr::from_ptr(name).to_string_lossy().into_owned(),
                input: input != 0,
                element,
                dims: dims.collect(),
            })
        };
        // SAFETY: the engine lives.
        let count = unsafe { shim::fulcrum_trt_tensors(engine) };
        (0..count).filter_map(tensor).collect()
    }

    /// Bytes of device memory that a [`Context`] works in.
    pub fn device_memory(&self) -> usize {
        // SAFETY: the engine lives.
        let bytes = unsafe { shim::fulcrum_trt_device_memory(self.0.engine.as_ptr()) };
        usize::try_from(bytes).unwrap_or(0)
    }

    /// A context that works in `memory` of the device.
    ///
    /// # Safety
    /// `memory` points to at least [`device_memory`](Plan::device_memory) bytes of the device, aligned to 256, that nobody
    /// else uses as long as the context lives.
    pub unsafe fn context(&self, memory: *mut c_void) -> Result<Context, TensorRtError> {
        let bytes = self.device_memory() as i64;
        // SAFETY: the engine lives; the rest is promised by the caller.
        let context = unsafe { shim::fulcrum_trt_context(self.0.engine.as_ptr(), memory, bytes) };
        let context = NonNull::new(context).ok_or(TensorRtError::Context)?;
        let engine = Arc::clone(&self.0);
        Ok(Context {
            context,
            _engine: engine,
        })
    }
}

/// One inference of a plan, prepared.
pub struct Context {
    context: NonNull<c_void>,
    _engine: Arc<Engine>,
}

// SAFETY: a context is used by one thread at a time, as `&mut self` demands, but not always the same one.
unsafe impl Send for Context {}

impl Context {
    /// Where the tensor `name` lies on the device.
    ///
    /// # Safety
    /// `address` points to device memory as large as the tensor, which lives as long as inferences run.
    pub unsafe fn set_address(&mut self, name: &str, address: *mut c_void) -> Result<(), TensorRtError> {
        let wrong = || TensorRtError::Tensor(name.to_string());
        let text = CString::new(name).map_err(|_| wrong())?;
        // SAFETY: the context lives, the name is a C string; the rest is promised by the caller.
        let set = unsafe { shim::fulcrum_trt_set_address(self.context.as_ptr(), text.as_ptr(), address) };
        if set == 1 { Ok(()) } else { Err(wrong()) }
    }

    /// Fixes the sizes of the input `name` that the plan leaves open.
    pub fn set_shape(&mut self, name: &str, dims: &[i64]) -> Result<(), TensorRtError> {
        let wrong = || TensorRtError::Tensor(name.to_string());
        let text = CString::new(name).map_err(|_| wrong())?;
        if dims.len() > RANK {
            return Err(wrong());
        }
        let (sizes, count) = (dims.as_ptr(), dims.len() as i32);
        // SAFETY: the context lives, the name is a C string, and there are `count` sizes.
        let set = unsafe { shim::fulcrum_trt_set_shape(self.context.as_ptr(), text.as_ptr(), sizes, count) };
        if set == 1 { Ok(()) } else { Err(wrong()) }
    }

    /// Hands one inference to `stream`; returns before it ran. Allocates nothing on our side.
    ///
    /// # Safety
    /// `stream` is a live `cudaStream_t`.
    pub unsafe fn enqueue(&mut self, stream: *mut c_void) -> Result<(), TensorRtError> {
        // SAFETY: the context lives; the stream is promised by the caller.
        let taken = unsafe { shim::fulcrum_trt_enqueue(self.context.as_ptr(), stream) };
        if taken == 1 {
            Ok(())
        } else {
            Err(TensorRtError::Enqueue)
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: made by the shim, freed once and before its engine.
        unsafe { shim::fulcrum_trt_context_free(self.context.as_ptr()) };
    }
}

type Create = unsafe extern "C" fn(*mut c_void, c_int) -> *mut c_void;
type Log = Option<unsafe extern "C" fn(*mut c_void, c_int, *const c_char)>;

/// The only plain function of libnvinfer: what makes a runtime.
fn factory(library: &Path) -> Result<Create, TensorRtError> {
    use std::os::unix::ffi::OsStrExt;
    let wrong = |reason: &str| TensorRtError::Library(format!("{}: {reason}", library.display()));
    let name =
        CString::new(library.as_os_str().as_bytes()).map_err(|_| wrong("the path holds a NUL byte"))?;
    // SAFETY: `name` is a C string. Loading runs the library's initialisers: that is what the caller asked
    // for.
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    if handle.is_null() {
        return Err(wrong(&super::super::library::loader_error()));
    }
    // SAFETY: the handle is open and never closed, the name a C string.
    let symbol = unsafe { libc::dlsym(handle, c"createInferRuntime_INTERNAL".as_ptr()) };
    if symbol.is_null() {
        return Err(wrong("it has no createInferRuntime_INTERNAL"));
    }
    // SAFETY: the symbol of this name has this signature in every TensorRT.
    Ok(unsafe { std::mem::transmute::<*mut c_void, Create>(symbol) })
}

mod shim {
    use super::{Create, Log, c_char, c_void};

    unsafe extern "C" {
        pub(super) fn fulcrum_trt_runtime(create: Create, log: Log, data: *mut c_void) -> *mut c_void;
        pub(super) fn fulcrum_trt_runtime_free(runtime: *mut c_void);
        pub(super) fn fulcrum_trt_engine(
            runtime: *mut c_void,
            bytes: *const c_void,
            length: usize,
        ) -> *mut c_void;
        pub(super) fn fulcrum_trt_engine_free(engine: *mut c_void);
        pub(super) fn fulcrum_trt_tensors(engine: *mut c_void) -> i32;
        pub(super) fn fulcrum_trt_name(engine: *mut c_void, index: i32) -> *const c_char;
        pub(super) fn fulcrum_trt_shape(
            engine: *mut c_void,
            name: *const c_char,
            sizes: *mut i64,
            element: *mut i32,
            input: *mut i32,
        ) -> i32;
        pub(super) fn fulcrum_trt_device_memory(engine: *mut c_void) -> i64;
        pub(super) fn fulcrum_trt_context(
            engine: *mut c_void,
            memory: *mut c_void,
            bytes: i64,
        ) -> *mut c_void;
        pub(super) fn fulcrum_trt_context_free(context: *mut c_void);
        pub(super) fn fulcrum_trt_set_address(
            context: *mut c_void,
            name: *const c_char,
            address: *mut c_void,
        ) -> i32;
        pub(super) fn fulcrum_trt_set_shape(
            context: *mut c_void,
            name: *const c_char,
            sizes: *const i64,
            count: i32,
        ) -> i32;
        pub(super) fn fulcrum_trt_enqueue(context: *mut c_void, stream: *mut c_void) -> i32;
    }
}
