//! The physics of the twin against measured data. Run with `-- --nocapture` to see the errors.
//!
//! The data lies outside this repository: in `$FULCRUM_DATA`, or in `../shared/data`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

use fulcrum::profile::{Kind, Profile, Row};
use fulcrum::twin::Twin;
use fulcrum::twin::physics::{Heat, Physics, Shape};
use std::path::{Path, PathBuf};

/// The data folder, or `None` where there is none, which is said.
fn data() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let folder = std::env::var_os("FULCRUM_DATA").map_or_else(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    println!(
        "skipped: no measured data at {}; set FULCRUM_DATA",
        folder.display()
    );
    None
}

/// Mean and largest relative error, percent.
fn errors(pairs: impl Iterator<Item = (f64, f64)>) -> (f64, f64) {
    let errors: Vec<f64> = pairs
        .map(|(model, measured)| (model / measured - 1.0).abs() * 100.0)
        .collect();
    assert!(
        !errors.is_empty(),
        "the data holds none of the rows that were fitted"
    );
    (
        errors.iter().sum::<f64>() / errors.len() as f64,
        errors.iter().fold(0.0, |most, error| error.max(most)),
    )
}

#[test]
fn times_of_the_two_shapes_are_within_the_errors_that_are_written_down() {
    let Some(data) = data() else { return };
    let profile = Profile::read(&data.join("orin-nano-super-latency-lab/profile.csv")).unwrap();
    for (workload, shape, mean_limit, largest_limit) in [
        ("mobilenet", Shape::MOBILENET, 1.05, 3.2),
        ("vit", Shape::VIT, 1.15, 4.6),
    ] {
        let rows: Vec<&Row> = profile
            .rows
            .iter()
            .filter(|row| &**row.workload() == workload)
            .collect();
        let (mean, largest) = errors(
            rows.iter()
                .map(|row| (shape.millis(&row.mode()), row.time().as_millis_f64())),
        );
        println!(
            "time of {workload} over {} modes: mean error {mean:.2} %, largest {largest:.2} %",
            rows.len()
        );
        assert!(mean <= mean_limit && largest <= largest_limit);
    }
}

#[test]
fn power_levels_at_the_top_mode_are_within_the_errors_that_are_written_down() {
    let Some(data) = data() else { return };
    let profile = Profile::read(&data.join("orin-agx-pagoda/profile.csv")).unwrap();
    let twin = Twin::by_hand("agx-orin", 1).unwrap();
    let top = twin.space().top();
    let mut all = Vec::new();
    for (workload, heat) in [("mobnet", Heat::MOBILENET), ("resnet50", Heat::RESNET50)] {
        // The inference term of the physics, with the heat of each of the two networks in turn.
        let physics = Physics {
            inference_heat: heat,
            ..*twin.physics()
        };
        let model = |row: &Row| {
            physics
                .power(&top, &top, &physics.full_use(Kind::Inference, row.minibatch()))
                .total()
        };
        // The README of the data names one bad sample: resnet50 at minibatch 32.
        let good =
            |row: &&Row| &**row.workload() == workload && (workload, row.minibatch()) != ("resnet50", 32);
        for row in profile.rows.iter().filter(good) {
            if let Some(power) = row.power() {
                let (model, measured) = (model(row), power.as_watts_f64());
                println!(
                    "{workload} minibatch {}: {measured:.2} W measured, {model:.2} W here",
                    row.minibatch()
                );
                all.push((model, measured));
            }
        }
    }
    let (mean, largest) = errors(all.into_iter());
    println!("power over both networks: mean error {mean:.2} %, largest {largest:.2} %");
    assert!(mean <= 1.9 && largest <= 3.9);
}
