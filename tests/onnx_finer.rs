//! A step that is cut finer while it trains.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod counting;
mod tiny;

use counting::calls;
use fulcrum::units::Nanos;
use fulcrum::workload::gate::Gated;
use fulcrum::workload::onnx::{OnnxInference, OnnxTraining, weight_names};
use fulcrum::workload::{Inference, Progress, Training, swap};
use tiny::*;

fn with_finer(wanted_piece: Option<Nanos>) -> OnnxTraining {
    let mut config = training(wanted_piece, None);
    config.finer = true;
    OnnxTraining::new(&library(), STEP, config).unwrap()
}

#[test]
fn a_step_cut_finer_halfway_trains_to_the_same_bytes() {
    let names = weight_names("tiny_infer.onnx", INFER).unwrap();
    let length = trainer(None).step_length().0;
    for wanted in [None, Some(Nanos(length / 3))] {
        let (mut whole, mut finer) = (trainer(None), with_finer(wanted));
        let (segments, longest) = (finer.segments(), finer.pieces());
        for _ in 0..3 {
            assert_eq!(step(&mut finer).to_bits(), step(&mut whole).to_bits());
        }
        let pieces = finer.cut_finer().unwrap();
        assert_eq!(pieces.len(), usize::from(finer.pieces()));
        assert_eq!(&pieces[..], finer.piece_lengths());
        assert!(finer.segments() > segments && finer.pieces() > longest);
        for _ in 0..3 {
            assert_eq!(step(&mut finer).to_bits(), step(&mut whole).to_bits());
        }
        assert_eq!(bits(&finer, &names), bits(&whole, &names));
        assert!(finer.cut_finer().is_none(), "there is one finer cut");
        step(&mut finer);
    }
}

#[test]
fn a_step_that_had_begun_when_it_was_cut_finer_starts_again() {
    let names = weight_names("tiny_infer.onnx", INFER).unwrap();
    let length = trainer(None).step_length().0;
    let (mut whole, mut finer) = (trainer(None), with_finer(Some(Nanos(length / 3))));
    for piece in 0..finer.pieces() - 1 {
        assert_eq!(finer.run_piece(piece), Ok(Progress::Ran));
    }
    finer.cut_finer().unwrap();
    assert!(finer.run_piece(1).is_err());
    assert_eq!(step(&mut finer).to_bits(), step(&mut whole).to_bits());
    assert_eq!(bits(&finer, &names), bits(&whole, &names));
}

#[test]
fn without_a_finer_cut_made_ready_there_is_none() {
    assert!(trainer(None).cut_finer().is_none());
}

#[test]
fn cutting_finer_and_running_on_allocates_nothing_in_rust() {
    let mut finer = with_finer(None);
    let before = calls();
    step(&mut finer);
    let pieces = finer.cut_finer();
    step(&mut finer);
    assert_eq!(calls() - before, 0);
    assert!(pieces.is_some());
}

#[test]
fn a_gate_and_a_fetch_in_parts_keep_their_lengths_when_the_step_is_cut_finer() {
    let names = weight_names("tiny_infer.onnx", INFER).unwrap();
    let (publisher, serving, _) = swap::channel();
    let mut inference = OnnxInference::new(&library(), INFER, inference(1, Some(serving))).unwrap();
    let mut config = training(None, Some(publish(&mut inference, 8)));
    config.finer = true;
    let mut work = OnnxTraining::new(&library(), STEP, config).unwrap();
    // Of these the stripes are the same in every part.
    let parts = work.minibatch().div_ceil(CLASSES);
    work.fetch_in_parts(CLASSES).unwrap();
    let (fill, eval) = work.gate_lengths();
    let own = work.piece_lengths().to_vec();
    let mut gated = Gated::new(work, publisher, open_gate(1));
    let mut whole = trainer(None);
    assert!(gated.cut_finer().is_none(), "no lengths of the gate are known");
    let before = gated.lengths(&own, fill, eval).unwrap();
    step(&mut gated);
    // A round that has begun is given up.
    for piece in 0..own.len() as u16 + 1 {
        assert_eq!(gated.run_piece(piece), Ok(Progress::Ran));
    }
    let pieces = gated.cut_finer().unwrap();
    assert_eq!(pieces.len(), usize::from(gated.pieces()));
    assert!(pieces.len() > before.len());
    assert_eq!(pieces[..parts], before[..parts], "the parts of the fetch");
    let of_gate = before.len() - own.len();
    assert_eq!(pieces[pieces.len() - of_gate..], before[own.len()..]);
    step(&mut gated);
    for _ in 0..3 {
        step(&mut whole);
    }
    assert_eq!(bits(gated.job(), &names), bits(&whole, &names));
    answers(&mut inference, &[1]);
    assert_eq!(inference.version(), 2);
}
