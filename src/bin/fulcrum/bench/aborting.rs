//! How long it takes until a training step that runs has ended, once it was told to: ONNX Runtime looks at its flag between
//! two kernels.

use fulcrum::clock::{Clock, Monotonic};
use fulcrum::units::Nanos;
use fulcrum::workload::onnx::OnnxTraining;
use fulcrum::workload::{Training, WorkloadError};
use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// Gives the uncut step up at `times` moments spread over its `length`; from each to the end of the run, sorted. A run that
/// ended before it was told is left out.
pub(super) fn latencies(
    work: &mut OnnxTraining,
    length: Nanos,
    times: u64,
) -> Result<Vec<u64>, Box<dyn Error>> {
    let aborter = work.aborter().ok_or("this step cannot be given up")?;
    let mut latencies = Vec::new();
    for time in 0..times {
        work.run_piece(0)?;
        let told = AtomicU64::new(0);
        let at = Monotonic.now() + Nanos(length.0 * (time + 1) / (times + 2));
        let outcome = std::thread::scope(|scope| {
            scope.spawn(|| {
                Monotonic.sleep_until(at);
                told.store(Monotonic.now().0, SeqCst);
                aborter.abort();
            });
            let outcome = work.run_piece(1);
            (outcome, Monotonic.now())
        });
        match outcome {
            (Err(WorkloadError::Aborted), end) => {
                // Zero if a flag that came too late for the run before ended this one.
                let told = told.load(SeqCst);
                if told > 0 && told < end.0 {
                    latencies.push(end.0 - told);
                }
            }
            (outcome, _) => {
                outcome?;
            }
        }
    }
    latencies.sort_unstable();
    Ok(latencies)
}
