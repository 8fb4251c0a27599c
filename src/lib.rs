//! fulcrum keeps a robot's perception on time while it keeps learning, inside its power budget.
//!
//! Tenets; when two collide, the earlier wins:
//! 1. Leave the board as found. 2. Never miss a deadline silently. 3. No allocation, no lock, no file I/O on the hot
//!    path after start. 4. Simple and readable. 5. Fast.
//!
//! ```text
//!  board     knobs, rails, tables                   read once, checked, converted once
//!    v
//!  power     PowerMode; ModeSpace; Change; Meter
//!    v       run each chosen mode, measure
//!  profile   rows (mode, workload, minibatch) -> (time, power)
//!    v       fit
//!  predict   Estimate
//!    v       problem + estimates -> answer
//!  plan      Plan: mode, minibatch, bound, power, binding constraint
//!    v       bound and admission
//!  schedule  streams, queue, policy, statistics     no_std, no alloc, pure: state + now -> action
//!    v       run one piece
//!  workload  callback | ONNX | feed | gate, swap | checkpoint
//!    v       outcome, event
//!  runtime   the dispatcher thread, the control thread
//!    v
//!  ffi -> include/fulcrum.h -> include/fulcrum.hpp
//! ```
//!
//! Data moves down this list and a module uses only what stands above it; a test reads the sources and says so.
//! `units`, `limits`, `clock`, `bound`, `file` and `trace` are below all of it. `twin` is a simulated board.

#![cfg_attr(not(feature = "std"), no_std)]

// The package also makes a staticlib and a cdylib, and those need somebody's panic handler. On a hosted target that is
// std's; the name `_` keeps std out of reach of the code. A target without an operating system builds the rlib alone.
#[cfg(all(not(feature = "std"), not(target_os = "none")))]
extern crate std as _;

pub mod bound;
pub mod clock;
pub mod limits;
pub mod schedule;
pub mod trace;
pub mod units;

// Of these two the core has the one file that needs no operating system.
#[cfg(not(feature = "std"))]
pub mod board {
    //! The machine: its knobs.
    pub mod knob;
    pub use knob::Knob;
}
#[cfg(not(feature = "std"))]
pub mod power {
    //! Power modes.
    pub mod mode;
    pub use mode::PowerMode;
}

#[cfg(feature = "std")]
pub mod board;
#[cfg(feature = "std")]
pub mod ffi;
#[cfg(feature = "std")]
pub mod file;
#[cfg(feature = "std")]
pub mod plan;
#[cfg(feature = "std")]
pub mod power;
#[cfg(feature = "std")]
pub mod predict;
#[cfg(feature = "std")]
pub mod profile;
#[cfg(feature = "std")]
pub mod runtime;
#[cfg(feature = "std")]
pub mod twin;
#[cfg(feature = "std")]
pub mod workload;
