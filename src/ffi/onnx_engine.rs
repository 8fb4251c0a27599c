//! The [ONNX engine](fulcrum_onnx_engine_t): ONNX Runtime, and what a model may use of the machine.
//!
//! Everything here is there in every build, so that the header is one. Where the library was built without the
//! engine, opening it says so.

#![allow(unsafe_code)]

use super::error::{FULCRUM_ERROR_BYTES, fulcrum_error_t};
use super::fault::Fault;
use super::onnx::Engine;
use super::opaque::{self, Named, call};
use super::sized::{self, FULCRUM_NAME_BYTES, Growing};
use super::status::{FULCRUM_EMPTY, FULCRUM_OK, fulcrum_status_t};
use super::text::filled;
use core::ffi::c_char;
use core::ptr::null_mut;

/// An ONNX engine: ONNX Runtime, opened while the program runs, and what a model may use of the machine. Made by
/// fulcrum_onnx_engine_open, freed by fulcrum_onnx_engine_close. A program may have several, one that serves
/// with TensorRT and one that trains with CUDA for example; ONNX Runtime is there once.
pub struct fulcrum_onnx_engine_t(());

/// Execution provider: the processor. It always comes last and never fails.
pub const FULCRUM_PROVIDER_CPU: u32 = 0;
/// Execution provider: CUDA.
pub const FULCRUM_PROVIDER_CUDA: u32 = 1;
/// Execution provider: TensorRT. Not for training: it wants convolution weights to be constants.
pub const FULCRUM_PROVIDER_TENSORRT: u32 = 2;

/// Standing of a provider: it ran a model of one node.
pub const FULCRUM_PROVIDER_ACTIVE: u32 = 0;
/// Standing of a provider: this build of ONNX Runtime does not have it.
pub const FULCRUM_PROVIDER_NOT_BUILT: u32 = 1;
/// Standing of a provider: a library that it needs was not loaded.
pub const FULCRUM_PROVIDER_NOT_LOADED: u32 = 2;
/// Standing of a provider: it refused its options or the device.
pub const FULCRUM_PROVIDER_REFUSED: u32 = 3;

/// Engine flag: idle threads spin between two operators. They answer some microseconds sooner, and take their
/// processor from everything else.
pub const FULCRUM_ONNX_SPIN: u32 = 1;

/// An option of a provider, as ONNX Runtime documents it. Its layout never changes.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fulcrum_option_t {
    /// For example "trt_engine_cache_path", "trt_fp16_enable" or "device_id". Not NULL.
    pub key: *const c_char,
    /// Its value, as a text. Not NULL.
    pub value: *const c_char,
}

/// A provider that is asked for. Its layout never changes.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fulcrum_provider_t {
    /// FULCRUM_PROVIDER_CUDA or FULCRUM_PROVIDER_TENSORRT.
    pub provider: u32,
    /// How many options.
    pub option_count: u32,
    /// The options; NULL if there are none.
    pub options: *const fulcrum_option_t,
}

/// How an engine is made. Zero means default in every field but `size`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fulcrum_onnx_engine_config_t {
    /// sizeof(fulcrum_onnx_engine_config_t); set it before anything else.
    pub size: u32,
    /// Threads of one piece, 1 to 32. Default 1: the dispatcher thread alone.
    pub threads: u32,
    /// File of ONNX Runtime, 1.17 or later. NULL: the environment variable FULCRUM_ORT_LIB if it is set, else the
    /// loader's path (libonnxruntime.so.1), else `onnxruntime/` beside one of the three folders above the
    /// program, else `target/onnxruntime/`.
    pub library: *const c_char,
    /// The providers to try, in the order of preference. NULL: the processor alone.
    pub providers: *const fulcrum_provider_t,
    /// How many providers.
    pub provider_count: u32,
    /// SCHED_FIFO priority of the threads beside the dispatcher, 1 to 99 and below the dispatcher's; 0 asks for
    /// none.
    pub priority: u32,
    /// Processors of these threads, one each, from the beginning again if there are more threads. NULL: wherever
    /// the system puts them.
    pub cpus: *const u32,
    /// How many processors.
    pub cpu_count: u32,
    /// FULCRUM_ONNX_SPIN or 0.
    pub flags: u32,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(
    core::mem::size_of::<fulcrum_onnx_engine_config_t>() == 48,
    "the first release is frozen"
);

// SAFETY: repr(C), a u32 first; the u32 stand in pairs before each pointer, so there is no padding on a 64-bit
// target (asserted above). Zero is valid: NULL pointers.
unsafe impl Growing for fulcrum_onnx_engine_config_t {
    const NAME: &'static str = "fulcrum_onnx_engine_config_t";
    const FIRST: u32 = core::mem::size_of::<fulcrum_onnx_engine_config_t>() as u32;
}

/// What an engine is.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fulcrum_onnx_engine_info_t {
    /// sizeof(fulcrum_onnx_engine_info_t); set it before the call.
    pub size: u32,
    /// Providers that fulcrum_onnx_engine_provider tells of: those asked for, and the processor.
    pub provider_count: u32,
    /// The version that ONNX Runtime gives itself. UTF-8, zero-terminated.
    pub version: [c_char; FULCRUM_NAME_BYTES],
}

const _: () = assert!(
    core::mem::size_of::<fulcrum_onnx_engine_info_t>() == 40,
    "the first release is frozen"
);

// SAFETY: repr(C), a u32 first, integers only; the fields' sizes add up to 40, so there is no padding.
unsafe impl Growing for fulcrum_onnx_engine_info_t {
    const NAME: &'static str = "fulcrum_onnx_engine_info_t";
    const FIRST: u32 = 40;
}

/// What became of a provider that was asked for.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fulcrum_provider_report_t {
    /// sizeof(fulcrum_provider_report_t); set it before the call.
    pub size: u32,
    /// One of FULCRUM_PROVIDER_CPU, FULCRUM_PROVIDER_CUDA and FULCRUM_PROVIDER_TENSORRT.
    pub provider: u32,
    /// FULCRUM_PROVIDER_ACTIVE, or why it is not used: one of FULCRUM_PROVIDER_NOT_BUILT,
    /// FULCRUM_PROVIDER_NOT_LOADED and FULCRUM_PROVIDER_REFUSED.
    pub standing: u32,
    /// 0.
    pub reserved: u32,
    /// One sentence that says so, with ONNX Runtime's own reason. UTF-8, zero-terminated.
    pub text: [c_char; FULCRUM_ERROR_BYTES],
}

const _: () = assert!(
    core::mem::size_of::<fulcrum_provider_report_t>() == 264,
    "the first release is frozen"
);

// SAFETY: repr(C), a u32 first, integers only; the fields' sizes add up to 264, so there is no padding.
unsafe impl Growing for fulcrum_provider_report_t {
    const NAME: &'static str = "fulcrum_provider_report_t";
    const FIRST: u32 = 264;
}

impl Named for fulcrum_onnx_engine_t {
    type Object = Engine;
    /// "fulonnx" and a 1.
    const MAGIC: u64 = u64::from_be_bytes(*b"fulonnx1");
}

/// CONSTRUCTOR fulcrum_onnx_engine_t: opens ONNX Runtime and tries the providers that are asked for with a model of
/// one node. One that does not work is no error: it is left out, and fulcrum_onnx_engine_provider says why.
///
/// | allocates yes | blocks until the library is loaded and each provider was tried | threads any | real-time no |
/// @param config  how it is made; NULL: the default
/// @param[out] out  the engine, to be closed with fulcrum_onnx_engine_close
/// @param[out] error  detail, written only on failure; may be NULL
/// @return FULCRUM_OK, FULCRUM_ERR_NO_ONNX (601), FULCRUM_ERR_ONNX_MISSING (602), FULCRUM_ERR_ONNX_TOO_OLD (603),
///         FULCRUM_ERR_ONNX_REFUSED (604), FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_TOO_NEW (103), FULCRUM_ERR_SIZE (104),
///         FULCRUM_ERR_PATH (107)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_onnx_engine_open(
    config: *const fulcrum_onnx_engine_config_t,
    out: *mut *mut fulcrum_onnx_engine_t,
    error: *mut fulcrum_error_t,
) -> fulcrum_status_t {
    let make = || {
        let config = if config.is_null() {
            None
        } else {
            // SAFETY: not NULL; the caller promises as many bytes as the struct says.
            Some(unsafe { sized::read(config, "config is misaligned") }?)
        };
        // SAFETY: the caller promises what the struct's fields say of their pointers.
        unsafe { Engine::open(config.as_ref()) }
    };
    // SAFETY: the caller promises that both are NULL or writable.
    unsafe { opaque::open(out, error, make) }
}

/// METHOD fulcrum_onnx_engine_t: tells the version of ONNX Runtime, and of how many providers
/// fulcrum_onnx_engine_provider tells.
///
/// | allocates no | blocks no | threads any | real-time yes |
/// @param engine  an open engine
/// @param[out] out  what it is; its size field is set by the caller
/// @return FULCRUM_OK, FULCRUM_ERR_ARGUMENT (101), FULCRUM_ERR_SIZE (104), FULCRUM_ERR_HANDLE (105),
///         FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_onnx_engine_info(
    engine: *const fulcrum_onnx_engine_t,
    out: *mut fulcrum_onnx_engine_info_t,
) -> fulcrum_status_t {
    let tell = |engine: &Engine| {
        let told = fulcrum_onnx_engine_info_t {
            size: 0,
            provider_count: engine.provider_count(),
            version: filled(engine.version()),
        };
        // SAFETY: the caller promises as many bytes as the struct says.
        unsafe { sized::write(out, &told, "out is NULL") }?;
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle.
    unsafe { call(engine, null_mut(), tell) }
}

/// METHOD fulcrum_onnx_engine_t: tells what became of a provider. They are counted from 0 in the order asked for; the
/// processor is the last.
///
/// | allocates no | blocks no | threads any | real-time no |
/// @param engine  an open engine
/// @param index  which provider
/// @param[out] out  what became of it; its size field is set by the caller
/// @return FULCRUM_OK, FULCRUM_EMPTY (1): there is none of this number; FULCRUM_ERR_ARGUMENT (101),
///         FULCRUM_ERR_SIZE (104), FULCRUM_ERR_HANDLE (105), FULCRUM_ERR_BUG (102)
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_onnx_engine_provider(
    engine: *const fulcrum_onnx_engine_t,
    index: u32,
    out: *mut fulcrum_provider_report_t,
) -> fulcrum_status_t {
    let tell = |engine: &Engine| {
        // SAFETY: the caller promises as many bytes as the struct says.
        unsafe { sized::roomy(out, "out is NULL") }?;
        let Some(told) = engine.provider(index) else {
            return Ok(FULCRUM_EMPTY);
        };
        // SAFETY: as above.
        unsafe { sized::write(out, &told, "out is NULL") }?;
        Ok(FULCRUM_OK)
    };
    // SAFETY: the caller promises an open handle.
    unsafe { call(engine, null_mut(), tell) }
}

/// DESTRUCTOR fulcrum_onnx_engine_t: frees the engine. Models and trainers that were made with it go on; ONNX Runtime
/// stays loaded until the program ends. Closing NULL does nothing. Closing twice, or while another thread uses
/// the handle, is undefined.
///
/// | allocates no | blocks no | threads one, and no other call | real-time no |
/// @param engine  the engine, or NULL
/// @return nothing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fulcrum_onnx_engine_close(engine: *mut fulcrum_onnx_engine_t) {
    // SAFETY: the caller promises NULL or an open handle.
    if unsafe { opaque::checked(engine) }.is_err() {
        return;
    }
    // SAFETY: checked above; the caller promises that nobody else uses it.
    unsafe { opaque::free(engine) };
}

/// The engine behind a handle, for what is made with it.
///
/// # Safety
/// `engine` is NULL, or an open handle that nobody closes as long as the answer is used.
pub(super) unsafe fn engine_of<'a>(engine: *const fulcrum_onnx_engine_t) -> Result<&'a Engine, Fault> {
    // SAFETY: as the caller promises.
    unsafe { opaque::checked(engine) }.map(opaque::Opaque::object)
}
