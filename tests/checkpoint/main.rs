//! Checkpoints: what a job pays for them, and that a cut of power, a kill or a broken disk never takes more
//! than the one that was being written.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../counting/mod.rs"]
mod counting;
mod crash;
mod cut_disk;
mod files;
mod job;
mod learner;
