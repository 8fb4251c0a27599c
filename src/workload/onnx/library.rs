//! The [`Library`]: ONNX Runtime, found and opened once.

#![allow(unsafe_code)]

use super::OnnxError;
use super::bindings::{
    OrtAllocatorType_OrtDeviceAllocator, OrtLoggingLevel_ORT_LOGGING_LEVEL_ERROR,
    OrtMemType_OrtMemTypeDefault,
};
use super::bindings::{OrtApi, OrtApiBase, OrtEnv, OrtLoggingLevel, OrtMemoryInfo, OrtStatus};
use std::ffi::{CStr, CString, c_char, c_void};
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::Arc;

/// Version of the C API that is asked for. The table only grows, so every later library has it.
const API: u32 = 17;

/// Folder that `make onnxruntime` fills, below a build folder.
const MADE: &str = "onnxruntime/libonnxruntime.so.1";

/// ONNX Runtime, opened. Cheap to clone; stays open for the life of the process.
#[derive(Clone)]
pub struct Library(Arc<Opened>);

struct Opened {
    api: &'static OrtApi,
    env: *mut OrtEnv,
    memory: *mut OrtMemoryInfo,
    version: String,
    path: String,
}

// SAFETY: the environment and the memory description are documented as usable from any thread, and nothing changes them.
unsafe impl Send for Opened {}
// SAFETY: as above.
unsafe impl Sync for Opened {}

impl Drop for Opened {
    /// The environment stays, as the library does: ONNX Runtime has one in a process, however often it is asked for.
    fn drop(&mut self) {
        if let (Some(release), false) = (self.api.ReleaseMemoryInfo, self.memory.is_null()) {
            // SAFETY: made by `from_base`, released once; every session and tensor that uses it has a clone of this.
            unsafe { release(self.memory) };
        }
    }
}

impl std::fmt::Debug for Library {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ONNX Runtime {} at {}", self.0.version, self.0.path)
    }
}

/// Calls a function of the API table and turns its status into a result.
macro_rules! call {
    ($library:expr, $doing:expr, $function:ident ( $($argument:expr),* $(,)? )) => {
        match $library.api().$function {
            Some(function) => $library.check($doing, function($($argument),*)),
            None => Err($crate::workload::onnx::OnnxError::Engine {
                doing: $doing.to_string(),
                message: concat!("the library has no ", stringify!($function)).to_string(),
            }),
        }
    };
}
pub(super) use call;

impl Library {
    /// Opens ONNX Runtime: `FULCRUM_ORT_LIB` if set (and nothing else then), else the loader's path, else
    /// `onnxruntime/` beside one of the three folders above the running program, else `target/onnxruntime/`.
    pub fn open() -> Result<Library, OnnxError> {
        let named = std::env::var_os("FULCRUM_ORT_LIB").map(PathBuf::from);
        let mut tried = Vec::new();
        for place in named.map_or_else(places, |path| vec![path]) {
            match base_of(&place) {
                Ok(base) => return Library::from_base(base, &place),
                Err(reason) => tried.push((place.display().to_string(), reason)),
            }
        }
        Err(OnnxError::Missing(tried))
    }

    /// Opens ONNX Runtime at `path` and looks nowhere else. A name without a slash is looked for on the
    /// loader's path.
    pub fn open_at(path: &Path) -> Result<Library, OnnxError> {
        match base_of(path) {
            Ok(base) => Library::from_base(base, path),
            Err(reason) => Err(OnnxError::Missing(vec![(path.display().to_string(), reason)])),
        }
    }

    fn from_base(base: *const OrtApiBase, path: &Path) -> Result<Library, OnnxError> {
        let path = path.display().to_string();
        // SAFETY: the library handed the base out; its two functions may be called any time, and the version string is
        // static.
        let (api, version) = unsafe {
            let version = (*base).GetVersionString.map(|function| function());
            let version = version.map_or_else(String::new, |text| {
                CStr::from_ptr(text).to_string_lossy().into_owned()
            });
            (
                (*base).GetApi.map_or(ptr::null(), |function| function(API)),
                version,
            )
        };
        // SAFETY: a non-null table is static in the library, which is never closed.
        let Some(api) = (unsafe { api.as_ref() }) else {
            return Err(OnnxError::TooOld { path, version });
        };
        let mut opened = Opened {
            api,
            env: ptr::null_mut(),
            memory: ptr::null_mut(),
            version,
            path,
        };
        let library = Unready(api);
        // SAFETY: the out pointers are valid, the name is a C string, the logger is a function that only returns.
        unsafe {
            call!(
                library,
                "make its environment",
                CreateEnvWithCustomLogger(
                    Some(silent),
                    ptr::null_mut(),
                    OrtLoggingLevel_ORT_LOGGING_LEVEL_ERROR,
                    c"fulcrum".as_ptr(),
                    &raw mut opened.env,
                )
            )?;
            call!(
                library,
                "describe CPU memory",
                CreateCpuMemoryInfo(
                    OrtAllocatorType_OrtDeviceAllocator,
                    OrtMemType_OrtMemTypeDefault,
                    &raw mut opened.memory,
                )
            )?;
        }
        Ok(Library(Arc::new(opened)))
    }

    /// The version the library gives itself, as `1.31.1`.
    pub fn version(&self) -> &str {
        &self.0.version
    }

    /// Where it was found.
    pub fn path(&self) -> &str {
        &self.0.path
    }

    pub(super) fn api(&self) -> &'static OrtApi {
        self.0.api
    }

    pub(super) fn env(&self) -> *const OrtEnv {
        self.0.env
    }

    pub(super) fn memory(&self) -> *const OrtMemoryInfo {
        self.0.memory
    }

    pub(super) fn check(&self, doing: impl ToString, status: *mut OrtStatus) -> Result<(), OnnxError> {
        Unready(self.0.api).check(doing, status)
    }
}

/// The table before there is an environment.
struct Unready(&'static OrtApi);

impl Unready {
    fn api(&self) -> &'static OrtApi {
        self.0
    }

    fn check(&self, doing: impl ToString, status: *mut OrtStatus) -> Result<(), OnnxError> {
        if status.is_null() {
            return Ok(());
        }
        let text = self.0.GetErrorMessage.map(|message| {
            // SAFETY: the status is not null, and its text lives until it is released below.
            unsafe { CStr::from_ptr(message(status)).to_string_lossy().into_owned() }
        });
        if let Some(release) = self.0.ReleaseStatus {
            // SAFETY: the status came from the library, and this is its only release.
            unsafe { release(status) };
        }
        Err(OnnxError::Engine {
            doing: doing.to_string(),
            message: text.unwrap_or_default(),
        })
    }
}

/// The library's own log. What goes wrong comes back as a status too, so nothing is printed on somebody's stderr.
unsafe extern "C" fn silent(
    _: *mut c_void,
    _: OrtLoggingLevel,
    _: *const c_char,
    _: *const c_char,
    _: *const c_char,
    _: *const c_char,
) {
}

fn places() -> Vec<PathBuf> {
    let mut places = vec![
        PathBuf::from("libonnxruntime.so.1"),
        PathBuf::from("libonnxruntime.so"),
    ];
    if let Ok(program) = std::env::current_exe() {
        places.extend(
            program
                .ancestors()
                .skip(1)
                .take(3)
                .map(|folder| folder.join(MADE)),
        );
    }
    places.push(Path::new("target").join(MADE));
    places
}

fn base_of(path: &Path) -> Result<*const OrtApiBase, String> {
    use std::os::unix::ffi::OsStrExt;
    let name =
        CString::new(path.as_os_str().as_bytes()).map_err(|_| "the path holds a NUL byte".to_string())?;
    // SAFETY: `name` is a C string. Loading runs the library's initialisers: that is what the caller asked for.
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    if handle.is_null() {
        return Err(loader_error());
    }
    // SAFETY: the handle is open, the name a C string.
    let symbol = unsafe { libc::dlsym(handle, c"OrtGetApiBase".as_ptr()) };
    if symbol.is_null() {
        return Err("it has no OrtGetApiBase, so it is not ONNX Runtime".to_string());
    }
    // SAFETY: the symbol of this name has this signature in every ONNX Runtime.
    let base =
        unsafe { std::mem::transmute::<*mut c_void, unsafe extern "C" fn() -> *const OrtApiBase>(symbol)() };
    if base.is_null() {
        Err("OrtGetApiBase returned nothing".to_string())
    } else {
        Ok(base)
    }
}

/// What the loader says of its last failure.
pub(super) fn loader_error() -> String {
    // SAFETY: dlerror returns null or a C string that lives until this thread's next loader call.
    unsafe {
        let text = libc::dlerror();
        if text.is_null() {
            String::new()
        } else {
            CStr::from_ptr(text).to_string_lossy().into_owned()
        }
    }
}
