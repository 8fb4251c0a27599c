//! A training job on real ONNX Runtime inside a runtime, when its loss is no number any more.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod tiny;

use fulcrum::clock::{Clock, Monotonic};
use fulcrum::runtime::{Builder, Options};
use fulcrum::schedule::{Arrival, JobSpec, Overdue, Pieces, Request, StreamSpec, name};
use fulcrum::units::Nanos;
use fulcrum::workload::gate::Gated;
use fulcrum::workload::onnx::{OnnxInference, OnnxTraining, weight_names};
use fulcrum::workload::{Progress, Training, WorkloadError, swap};
use std::time::Duration;
use tiny::*;

/// Steps over good data; then every pixel is no number.
const GOOD: u32 = 3;

/// The training job, telling its state after each step and each failure.
struct Told {
    work: Gated<OnnxTraining>,
    names: Vec<String>,
    tell: rtrb::Producer<(Result<Progress, WorkloadError>, Vec<u32>)>,
}

impl Training for Told {
    fn pieces(&self) -> u16 {
        self.work.pieces()
    }

    fn run_piece(&mut self, piece: u16) -> Result<Progress, WorkloadError> {
        let result = self.work.run_piece(piece);
        if result != Ok(Progress::Ran) {
            self.tell
                .push((result, bits(self.work.job(), &self.names)))
                .unwrap();
        }
        result
    }
}

#[test]
fn a_loss_that_stays_no_number_parks_the_job_with_its_last_good_weights_and_inference_goes_on_with_them() {
    let names = weight_names("tiny_infer.onnx", INFER).unwrap();
    let (publisher, serving, _) = swap::channel();
    let mut inference = OnnxInference::new(&library(), INFER, inference(1, Some(serving))).unwrap();
    let publish = publish(&mut inference, 4);
    let mut config = training(None, Some(publish));
    let mut fetched = 0;
    config.fetch = Box::new(move |x, y| {
        stripes(x, y);
        fetched += 1;
        if fetched > GOOD {
            x.fill(f32::NAN);
        }
        true
    });
    let work = OnnxTraining::new(&library(), STEP, config).unwrap();
    let (tell, mut told) = rtrb::RingBuffer::new(64);
    let told_names = names.clone();
    let own = work.piece_lengths().to_vec();
    let (fill, eval) = work.gate_lengths();
    let mut work = Gated::new(work, publisher, open_gate(1));
    let pieces = work.lengths(&own, fill, eval).unwrap();

    let mut builder = Builder::new(Options {
        // A machine that others share.
        late: Nanos::from_secs(1),
        start_unfit: true,
        ..Options::default()
    });
    let camera = StreamSpec {
        name: name("camera"),
        arrival: Arrival::Sporadic {
            period: Nanos::from_millis(100),
        },
        deadline: Nanos::from_secs(5),
        minibatch: 1,
        cost: Nanos::from_millis(5),
        pieces: Pieces::new(),
        priority: 0,
        overdue: Overdue::Run,
    };
    let (mut submit, mut completions) = builder.stream(camera, Box::new(inference)).unwrap();
    let job = JobSpec {
        name: name("learner"),
        pieces,
        abort: None,
    };
    let learner = Told {
        work,
        names: told_names,
        tell,
    };
    builder.job(job, Box::new(learner)).unwrap();
    let mut runtime = builder.start().unwrap();

    let give_up = Monotonic.now() + Nanos::from_secs(60);
    while runtime.job(0).unwrap().parked.get() == 0 {
        assert!(Monotonic.now() < give_up, "the job is parked after some failures");
        std::thread::sleep(Duration::from_millis(5));
    }
    let request = Request {
        token: 7,
        release: Monotonic.now(),
    };
    submit.submit(request).unwrap();
    let answer = loop {
        assert!(Monotonic.now() < give_up, "the stream is answered");
        match completions.poll() {
            Some(completion) => break completion.answer.unwrap(),
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    let statistics = runtime.job(0).unwrap();
    assert_eq!(statistics.steps.get(), u64::from(GOOD));
    assert_eq!(statistics.failures.get(), 8);
    runtime.stop();

    // The same steps by hand: what the job's state and the stream's weights have to be.
    let mut by_hand = trainer(None);
    for _ in 0..GOOD {
        step(&mut by_hand);
        let (result, state) = told.pop().unwrap();
        assert!(matches!(result, Ok(Progress::Stepped { .. })), "{result:?}");
        assert_eq!(state, bits(&by_hand, &names));
    }
    let good = bits(&by_hand, &names);
    for _ in 0..8 {
        assert_eq!(
            told.pop().unwrap(),
            (Err(WorkloadError::NotANumber), good.clone())
        );
    }
    assert!(told.pop().is_err(), "a parked job runs no more");
    let mut config = tiny::inference(1, None);
    config.weights = by_hand.weights(&names);
    let mut after = OnnxInference::new(&library(), INFER, config).unwrap();
    assert_eq!(answers(&mut after, &[7]), [answer]);
}
