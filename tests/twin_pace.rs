//! Real pieces at the pace of the twin. Wall time is only ever bounded from below: the host is shared.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

use fulcrum::clock::{Clock, Monotonic, thread_time};
use fulcrum::power::Change;
use fulcrum::profile::Kind;
use fulcrum::twin::{Paced, Twin};
use fulcrum::units::Nanos;
use fulcrum::workload::{Inference, Progress, Request, Training, WorkloadError};

/// Uses 2 ms of processor time for each piece; or has nothing to do, or fails.
struct Spinner(Result<Progress, WorkloadError>);

const WORK: Nanos = Nanos::from_millis(2);

fn spin() {
    let end = thread_time() + WORK;
    while thread_time() < end {}
}

impl Training for Spinner {
    fn pieces(&self) -> u16 {
        1
    }

    fn run_piece(&mut self, _piece: u16) -> Result<Progress, WorkloadError> {
        if self.0 != Ok(Progress::Dry) {
            spin();
        }
        self.0
    }
}

impl Inference for Spinner {
    fn run(&mut self, requests: &[Request], answers: &mut [u64]) -> Result<(), WorkloadError> {
        spin();
        for (answer, request) in answers.iter_mut().zip(requests) {
            *answer = request.token + 1;
        }
        Ok(())
    }
}

fn slow_twin() -> Twin {
    let twin = Twin::open("agx-orin", 1).unwrap();
    let mode = twin.space().at(twin.space().len() / 2).unwrap();
    Change::begin(&mut twin.clone())
        .unwrap()
        .apply(mode)
        .unwrap()
        .keep()
        .unwrap();
    twin
}

#[test]
fn a_piece_takes_at_least_its_time_on_the_board_and_is_counted_as_that() {
    let twin = slow_twin();
    let ratio = twin.ratio(&twin.mode(), Kind::Training);
    assert!(ratio > 1_500, "{ratio}");
    let mut paced = Paced::new(Spinner(Ok(Progress::Ran)), twin.clone(), Nanos::MAX);
    let start = Monotonic.now();
    assert_eq!(paced.run_piece(0), Ok(Progress::Ran));
    let took = Monotonic.now() - start;
    assert!(took >= WORK.scaled(ratio), "{took}");
    let busy = twin.busy(Kind::Training);
    assert!(busy >= WORK.scaled(ratio) && busy <= took, "{busy}");
    assert_eq!(twin.busy(Kind::Inference), Nanos::ZERO);
}

#[test]
fn an_inference_answers_as_before_and_is_counted_as_inference() {
    let twin = slow_twin();
    let mut paced = Paced::new(Spinner(Ok(Progress::Ran)), twin.clone(), Nanos::MAX);
    let mut answers = [0];
    paced
        .run(
            &[Request {
                token: 6,
                release: Nanos::ZERO,
            }],
            &mut answers,
        )
        .unwrap();
    assert_eq!(answers, [7]);
    assert!(twin.busy(Kind::Inference) >= WORK.scaled(twin.ratio(&twin.mode(), Kind::Inference)));
    assert_eq!(twin.busy(Kind::Training), Nanos::ZERO);
}

#[test]
fn a_dry_piece_costs_nothing_and_a_failed_one_costs_its_time() {
    let twin = slow_twin();
    let mut paced = Paced::new(Spinner(Ok(Progress::Dry)), twin.clone(), Nanos::MAX);
    assert_eq!(paced.run_piece(0), Ok(Progress::Dry));
    assert_eq!(twin.busy(Kind::Training), Nanos::ZERO);
    paced.get_mut().0 = Err(WorkloadError::Failed(3));
    assert_eq!(paced.run_piece(0), Err(WorkloadError::Failed(3)));
    assert!(twin.busy(Kind::Training) >= WORK);
}
