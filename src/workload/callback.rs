//! A workload made of a caller's own functions: the way to plug in any engine.

use super::{Inference, Progress, Request, Training, WorkloadError};

/// An inference stream that calls `0` for each minibatch.
pub struct StreamCallback<F>(pub F);

impl<F> Inference for StreamCallback<F>
where
    F: FnMut(&[Request], &mut [u64]) -> Result<(), WorkloadError> + Send,
{
    fn run(&mut self, requests: &[Request], answers: &mut [u64]) -> Result<(), WorkloadError> {
        (self.0)(requests, answers)
    }
}

/// A training job that calls `run` for each piece of a step of `pieces` pieces.
pub struct JobCallback<F> {
    /// Pieces in one step, at least 1.
    pub pieces: u16,
    /// Runs the piece with this index.
    pub run: F,
}

impl<F> Training for JobCallback<F>
where
    F: FnMut(u16) -> Result<Progress, WorkloadError> + Send,
{
    fn pieces(&self) -> u16 {
        self.pieces
    }

    fn run_piece(&mut self, piece: u16) -> Result<Progress, WorkloadError> {
        (self.run)(piece)
    }
}
