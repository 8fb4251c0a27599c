//! The [`Settings`] of a session: ONNX Runtime's own options object, filled from ours.

#![allow(unsafe_code)]

use super::OnnxError;
use super::bindings::*;
use super::library::{Library, call};
use super::provider::{Asked, Provider};
use super::session::{SessionOptions, c_name};
use super::threads::Pool;
use std::ffi::{CString, c_char};
use std::ptr;
use std::sync::Arc;

/// ONNX Runtime's session options, released on every path.
pub(super) struct Settings {
    library: Library,
    pub(super) options: *mut OrtSessionOptions,
    pub(super) pool: Arc<Pool>,
}

impl Settings {
    pub(super) fn new(library: &Library, options: SessionOptions<'_>) -> Result<Settings, OnnxError> {
        let mut settings = Settings {
            library: library.clone(),
            options: ptr::null_mut(),
            pool: Pool::new(&options.engine.threads)?,
        };
        let level = if options.optimise {
            GraphOptimizationLevel_ORT_ENABLE_ALL
        } else {
            GraphOptimizationLevel_ORT_DISABLE_ALL
        };
        let doing = "set a session's options";
        // SAFETY: the options are made first and released by `drop`; every text is a C string.
        unsafe {
            call!(library, doing, CreateSessionOptions(&raw mut settings.options))?;
            let made = settings.options;
            settings.pool.enter(library, made)?;
            for asked in &options.engine.active {
                append(library, made, asked)?;
            }
            call!(
                library,
                doing,
                SetSessionExecutionMode(made, ExecutionMode_ORT_SEQUENTIAL)
            )?;
            call!(library, doing, SetSessionGraphOptimizationLevel(made, level))?;
            // A step and its cuts are to give the same bits: a device may else sum in an order that changes.
            call!(library, doing, SetDeterministicCompute(made, !options.optimise))?;
            call!(library, doing, EnableCpuMemArena(made))?;
            call!(library, doing, EnableMemPattern(made))?;
            if options.engine.arena.is_some() {
                let (key, value) = (c"session.use_env_allocators", c"1");
                call!(
                    library,
                    doing,
                    AddSessionConfigEntry(made, key.as_ptr(), value.as_ptr())
                )?;
            }
            if let Some(prefix) = options.profile {
                call!(library, doing, EnableProfiling(made, prefix.as_ptr()))?;
            }
        }
        Ok(settings)
    }
}

impl Drop for Settings {
    fn drop(&mut self) {
        if let (Some(release), false) = (self.library.api().ReleaseSessionOptions, self.options.is_null()) {
            // SAFETY: made by `new`, released once.
            unsafe { release(self.options) };
        }
    }
}

/// Has the session run on `asked` before what is appended after it.
///
/// # Safety
/// `options` lives for the call.
unsafe fn append(library: &Library, options: *mut OrtSessionOptions, asked: &Asked) -> Result<(), OnnxError> {
    let doing = format!("use the provider {}", asked.provider);
    let texts = |part: fn(&(String, String)) -> &String| -> Result<Vec<CString>, OnnxError> {
        asked.options.iter().map(|pair| c_name(part(pair))).collect()
    };
    let (keys, values) = (texts(|pair| &pair.0)?, texts(|pair| &pair.1)?);
    let pointers =
        |texts: &[CString]| -> Vec<*const c_char> { texts.iter().map(|text| text.as_ptr()).collect() };
    let (keys, values, count) = (pointers(&keys), pointers(&values), asked.options.len());
    // SAFETY: promised by the caller; the texts live to the end of this function, and the provider's options,
    // which the engine copies, are released on every path.
    unsafe {
        match asked.provider {
            Provider::TensorRt => {
                let mut made = ptr::null_mut();
                call!(library, &doing, CreateTensorRTProviderOptions(&raw mut made))?;
                let (keys, values) = (keys.as_ptr(), values.as_ptr());
                let set = call!(
                    library,
                    &doing,
                    UpdateTensorRTProviderOptions(made, keys, values, count)
                );
                let appended = set.and_then(|()| {
                    call!(
                        library,
                        &doing,
                        SessionOptionsAppendExecutionProvider_TensorRT_V2(options, made)
                    )
                });
                if let Some(release) = library.api().ReleaseTensorRTProviderOptions {
                    release(made);
                }
                appended
            }
            Provider::Cuda => {
                let mut made = ptr::null_mut();
                call!(library, &doing, CreateCUDAProviderOptions(&raw mut made))?;
                let (keys, values) = (keys.as_ptr(), values.as_ptr());
                let set = call!(
                    library,
                    &doing,
                    UpdateCUDAProviderOptions(made, keys, values, count)
                );
                let appended = set.and_then(|()| {
                    call!(
                        library,
                        &doing,
                        SessionOptionsAppendExecutionProvider_CUDA_V2(options, made)
                    )
                });
                if let Some(release) = library.api().ReleaseCUDAProviderOptions {
                    release(made);
                }
                appended
            }
            // Always there.
            Provider::Cpu => Ok(()),
        }
    }
}
