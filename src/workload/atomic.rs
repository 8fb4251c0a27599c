//! The atomics of the swap. A module of its own, so that a model of it can be compiled over others.

pub(super) use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
