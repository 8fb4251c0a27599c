//! The C ABI: `include/fulcrum.h` is generated from this module alone.
//!
//! Five rules hold for every function and are written once, here and at the top of the header: the object comes first;
//! `const` means it does not change; inputs come before outputs; outputs are written only on success, and the error
//! detail only on failure; closing NULL does nothing. Every pointer is checked. A panic stops at the edge.
//!
//! Functions take raw pointers and check them; what C must promise beside stands in each function's comment, which is
//! also the header's, so there is no separate `# Safety` section.

#![allow(
    rustdoc::broken_intra_doc_links,
    rustdoc::private_intra_doc_links,
    reason = "the comments are written for the header, where [out] is no link"
)]
#![allow(non_camel_case_types, reason = "the names are those of C")]
#![allow(
    clippy::missing_safety_doc,
    reason = "the comments are the header's; see above"
)]

// Each on its own, so that this order, which is the header's, stays.
pub mod version;

pub mod status;

pub mod error;

pub mod config;

pub mod runtime;

pub mod weights;

pub mod stream;

pub mod job;

pub mod checkpoint;

pub mod feed;

pub mod onnx_engine;

pub mod onnx_model;

pub mod onnx_trainer;

pub mod request;

pub mod statistics;

pub mod event;

pub mod board;

pub mod knob;

pub mod preset;

pub mod mode;

pub mod change;

pub mod recovery;

pub mod sampler;

mod answerer;
mod array;
mod changing;
mod fault;
mod gate;
mod handle;
#[cfg(feature = "onnx")]
mod onnx;
#[cfg(not(feature = "onnx"))]
#[path = "onnx_absent.rs"]
mod onnx;
mod opaque;
pub mod sized;
mod text;
mod trainer;
