//! The exhaustive search over the twin's whole table.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

use fulcrum::board::Board;
use fulcrum::bound::Rule;
use fulcrum::plan::{Amount, Constraint, Job, PlanError, Problem, Stream, evaluate, exhaustive};
use fulcrum::predict::Table;
use fulcrum::profile::Kind;
use fulcrum::twin::{HostTime, Twin};
use fulcrum::units::{Milliwatts, Nanos};
use proptest::prelude::*;
use std::sync::LazyLock;

const SIZES: [u32; 8] = [1, 2, 4, 8, 16, 24, 32, 64];

static TWIN: LazyLock<Twin> = LazyLock::new(|| Twin::by_hand("agx-orin", 1).unwrap());

/// Times as a network of 1 ms and a training step of 25 ms would have them.
static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut top: Vec<HostTime> = SIZES
        .iter()
        .map(|size| HostTime {
            workload: "net".into(),
            kind: Kind::Inference,
            minibatch: *size,
            time: Nanos::from_micros(400 + 600 * u64::from(*size)),
        })
        .collect();
    let time = Nanos::from_millis(25);
    top.push(HostTime {
        workload: "step".into(),
        kind: Kind::Training,
        minibatch: 32,
        time,
    });
    Table::new(TWIN.table(&top).unwrap())
});

const JOB: Job = Job {
    workload: "step",
    minibatch: 32,
    piece: 160,
    overhead: Nanos(50_000),
};

fn problem(power: u32, job: Option<Job<'static>>) -> Problem<'static> {
    Problem {
        stream: Stream {
            workload: "net",
            period: Nanos::period_of_millihertz(30_000),
            jitter: Nanos::from_micros(500),
            minibatches: &SIZES,
        },
        job,
        latency_limit: Nanos::from_millis(33),
        power_limit: Milliwatts(power),
        rule: Rule::Border,
        switch: Nanos::from_micros(200),
        late: Nanos::from_millis(1),
        margin: 100,
    }
}

fn search(problem: &Problem) -> Result<fulcrum::plan::Plan, PlanError> {
    exhaustive(TWIN.facts(), &TABLE, problem)
}

fn any_problem() -> impl Strategy<Value = Problem<'static>> {
    let rule = prop_oneof![Just(Rule::Border), Just(Rule::Reserved), Just(Rule::Queue)];
    let job = prop::option::weighted(0.7, 20_u32..=1_000);
    (7_000_u32..60_000, 2_u64..300, 1_000_u32..200_000, job, rule).prop_map(
        |(power, latency, rate, piece, rule)| {
            let mut problem = problem(power, piece.map(|piece| Job { piece, ..JOB }));
            problem.latency_limit = Nanos::from_millis(latency);
            problem.stream.period = Nanos::period_of_millihertz(rate);
            problem.rule = rule;
            problem
        },
    )
}

/// What is wanted of a plan; the higher the better.
fn merit(problem: &Problem, rate: u32, power: Milliwatts) -> i64 {
    if problem.job.is_some() {
        i64::from(rate)
    } else {
        -i64::from(power.0)
    }
}

#[test]
fn plans_at_some_budgets() {
    for (watts, job) in [
        (15, Some(JOB)),
        (20, Some(JOB)),
        (30, Some(JOB)),
        (40, Some(JOB)),
        (60, Some(JOB)),
        (60, None),
    ] {
        let problem = problem(watts * 1_000, job);
        match search(&problem) {
            Ok(plan) => println!(
                "{watts} W{}: {} minibatch {} bound {} demand {} piece {} training {} mHz power {} \
                 binding {}; ratio {} {}",
                if job.is_some() { "" } else { ", no job" },
                plan.mode,
                plan.minibatch,
                plan.bound,
                plan.demand,
                plan.piece,
                plan.training_rate,
                plan.power,
                plan.binding,
                TWIN.ratio(&plan.mode, Kind::Inference),
                TWIN.ratio(&plan.mode, Kind::Training),
            ),
            Err(error) => println!("{watts} W: {error}"),
        }
    }
}

#[test]
fn an_impossible_limit_is_named_with_the_least_that_is_possible() {
    let error = search(&problem(1_000, Some(JOB))).unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("no mode of Jetson AGX Orin (simulated) stays within 1.00 W: the least is "),
        "{text}"
    );
    assert!(text.ends_with("raise the power limit (--power-w)"), "{text}");
    let PlanError::Infeasible(power) = error else {
        panic!("{error}")
    };
    let Amount::Power(least) = power.least else {
        panic!("{power}")
    };
    // The least is honest: with it as the limit the power is no longer what fails.
    let outcome = search(&Problem {
        latency_limit: Nanos::MAX,
        ..problem(least.0, Some(JOB))
    });
    assert!(
        !matches!(&outcome, Err(PlanError::Infeasible(i)) if i.constraint == Constraint::Power && i.within.is_none())
    );

    let hasty = Problem {
        latency_limit: Nanos::from_micros(100),
        ..problem(60_000, Some(JOB))
    };
    let PlanError::Infeasible(latency) = search(&hasty).unwrap_err() else {
        panic!()
    };
    let Amount::Time(least) = latency.least else {
        panic!("{latency}")
    };
    assert_eq!(latency.constraint, Constraint::Latency);
    assert!(
        search(&Problem {
            latency_limit: least,
            ..hasty
        })
        .is_ok()
    );

    let mut flood = problem(60_000, Some(JOB));
    flood.stream.period = Nanos::from_micros(10);
    let PlanError::Infeasible(rate) = search(&flood).unwrap_err() else {
        panic!()
    };
    assert_eq!(rate.constraint, Constraint::Rate);
    assert!(
        rate.to_string()
            .contains("keeps up with a request every 0.010 ms"),
        "{rate}"
    );

    let both = Problem {
        latency_limit: Nanos::from_millis(8),
        ..problem(12_000, Some(JOB))
    };
    let PlanError::Infeasible(both_error) = search(&both).unwrap_err() else {
        panic!()
    };
    assert_eq!(both_error.within, Some(both.latency_limit), "{both_error}");
    let Amount::Power(least) = both_error.least else {
        panic!("{both_error}")
    };
    assert!(
        search(&Problem {
            power_limit: least,
            ..both
        })
        .is_ok()
    );
    assert!(
        search(&Problem {
            power_limit: Milliwatts(least.0 - 1),
            ..both
        })
        .is_err()
    );
}

#[test]
fn a_workload_that_was_not_measured_is_named() {
    let unknown = problem(
        60_000,
        Some(Job {
            workload: "other",
            ..JOB
        }),
    );
    let error = search(&unknown).unwrap_err();
    assert_eq!(
        error,
        PlanError::NotMeasured {
            workload: "other".into(),
            kind: Kind::Training
        }
    );
    assert!(error.to_string().contains("profile it first"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_feasible_candidate_is_better_than_the_plan(
        problem in any_problem(), picks in prop::collection::vec((0_usize..15_312, 0_usize..8), 300),
    ) {
        let plan = search(&problem);
        for (index, size) in picks {
            let (mode, minibatch) = (TWIN.space().at(index).unwrap(), SIZES[size]);
            let inference = TABLE.at(&mode, "net", Kind::Inference, minibatch).unwrap();
            let job = TABLE.at(&mode, "step", Kind::Training, 32);
            let value = evaluate(&problem, minibatch, inference, job).unwrap();
            let feasible = value.keeps_up()
                && value.power <= problem.power_limit
                && value.bound.is_some_and(|bound| bound <= problem.latency_limit);
            if feasible {
                let plan = plan.as_ref().map_err(|error| TestCaseError::fail(error.to_string()))?;
                let (best, this) = (
                    merit(&problem, plan.training_rate, plan.power),
                    merit(&problem, value.training_rate, value.power),
                );
                prop_assert!(this <= best, "{mode} minibatch {minibatch} is better than {plan:?}");
            }
        }
    }

    #[test]
    fn a_plan_is_never_over_a_limit(problem in any_problem()) {
        if let Ok(plan) = search(&problem) {
            prop_assert!(plan.power <= problem.power_limit);
            prop_assert!(plan.bound <= problem.latency_limit);
            prop_assert!(plan.demand <= problem.stream.period.times(u64::from(plan.minibatch)));
            prop_assert_eq!(TWIN.space().at(plan.mode_index), Some(plan.mode));
        }
    }

    #[test]
    fn lifting_the_binding_limit_gives_a_better_plan_and_where_the_board_binds_lifting_gives_none(
        problem in any_problem(),
    ) {
        let Ok(plan) = search(&problem) else { return Ok(()) };
        let after = |lifted: Problem| {
            let better = search(&lifted).unwrap();
            merit(&problem, better.training_rate, better.power) - merit(&problem, plan.training_rate, plan.power)
        };
        let power = after(Problem { power_limit: Milliwatts(u32::MAX), ..problem });
        let latency = after(Problem { latency_limit: Nanos(u64::MAX - 1), ..problem });
        let both = after(Problem {
            power_limit: Milliwatts(u32::MAX), latency_limit: Nanos(u64::MAX - 1), ..problem
        });
        match plan.binding {
            Constraint::Power => prop_assert!(power > 0 && power >= latency),
            Constraint::Latency => prop_assert!(latency > 0 && latency > power),
            Constraint::PowerAndLatency => prop_assert!(power == 0 && latency == 0 && both > 0),
            Constraint::Rate | Constraint::Board => prop_assert!(power == 0 && latency == 0 && both == 0),
        }
    }
}
