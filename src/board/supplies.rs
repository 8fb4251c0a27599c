//! [`Supplies`] are a board's rails with the rule by which they make up its total power.

use super::rail::{Measured, RAILS, Rail, Rails, Sensor};
use crate::units::{Milliwatts, Nanos};

/// Labels of a rail through which everything flows. Where there is one, it alone is the total.
///
/// `VDD_IN`: TX1, TX2, Xavier NX, Orin NX and Nano; `POM_5V_IN`: Nano; `VIN`: Thor's INA238; `psys`: the whole platform
/// of a PC. Source: shared/design/jetson.md 1.8; Linux, Documentation/power/powercap.
const INPUTS: [&str; 4] = ["VDD_IN", "POM_5V_IN", "VIN", "psys"];

/// Rails that are fed from another measured rail, which has counted them already: (fed, feeding).
///
/// AGX Orin: VDDQ is made from VIN_SYS_5V0. Source: shared/design/jetson.md 1.8.
const FED: [(&str, &str); 1] = [("VDDQ_VDD2_1V8AO", "VIN_SYS_5V0")];

/// How long an INA3221 shows the same conversion as NVIDIA sets it up: 3 channels of 2 x 140 us, 512 samples.
/// Source: shared/design/jetson.md 1.8.
pub const REFRESH: Nanos = Nanos::from_millis(430);

/// The rails of a board and the rule for its total.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Supplies {
    rails: heapless::Vec<Rail, RAILS>,
    counted: heapless::Vec<bool, RAILS>,
    refresh: Nanos,
}

impl Supplies {
    /// These rails; those past [`RAILS`] are left out.
    pub fn new(rails: impl IntoIterator<Item = Rail>) -> Supplies {
        let rails: heapless::Vec<Rail, RAILS> = rails.into_iter().take(RAILS).collect();
        let counted: heapless::Vec<bool, RAILS> = rails.iter().map(|rail| counts(rail, &rails)).collect();
        let total = rails.iter().zip(&counted).filter(|(_, counted)| **counted);
        let slowest = total.map(|(rail, _)| rail.refresh).max();
        Supplies {
            rails,
            counted,
            refresh: slowest.unwrap_or(REFRESH).max(Nanos(1)),
        }
    }

    /// The rails.
    pub fn rails(&self) -> &[Rail] {
        &self.rails
    }

    /// Whether the rail at this index counts in the total.
    pub fn counts(&self, index: usize) -> bool {
        self.counted.get(index).copied().unwrap_or(false)
    }

    /// How long the slowest sensor of the total shows the same conversion; at least a nanosecond.
    pub fn refresh(&self) -> Nanos {
        self.refresh
    }

    /// Whether every rail of the total is an energy counter. Such a total misses nothing between two readings.
    pub fn counts_energy(&self) -> bool {
        let mut total = self
            .rails
            .iter()
            .zip(&self.counted)
            .filter(|(_, counted)| **counted);
        total.all(|(rail, _)| matches!(rail.sensor, Sensor::Energy(_)))
    }

    /// The board's power in one reading; `None` where a rail of the total did not answer, where energy counters make it
    /// up, of which one reading says nothing, and where there is no rail.
    pub fn total(&self, rails: &Rails) -> Option<Milliwatts> {
        let mut total = self.of_total(rails).peekable();
        total.peek()?;
        total.try_fold(Milliwatts(0), |sum, (_, measured)| {
            Some(sum + measured.ok()?.power()?)
        })
    }

    /// One step of the total at the voltages of this reading, as far as the shunts are known: a smaller difference of
    /// two readings is the sensor's, not the board's. Zero where no step is known.
    pub fn resolution(&self, rails: &Rails) -> Milliwatts {
        self.of_total(rails).fold(Milliwatts(0), |sum, (rail, measured)| {
            match (rail.sensor, measured) {
                (Sensor::Current(Some(step)), Ok(Measured::Current { millivolts, .. })) => {
                    sum + Milliwatts::from_millivolts_milliamperes(millivolts, step)
                }
                _ => sum,
            }
        })
    }

    /// The rails that count, each with its answer. A reading of another board is as good as no answer.
    pub fn of_total<'a>(
        &'a self,
        rails: &'a Rails,
    ) -> impl Iterator<Item = (&'a Rail, Result<Measured, i32>)> {
        let pairs = self.rails.iter().zip(&self.counted).enumerate();
        pairs
            .filter(|(_, (_, counted))| **counted)
            .map(|(index, (rail, _))| (rail, rails.get(index).copied().unwrap_or(Err(libc::ENODEV))))
    }

    /// The rule for the total, to be printed beside it: `VDD_IN`, or a sum of rails, and what is left out of it.
    pub fn total_rule(&self) -> String {
        let names = |wanted| -> Vec<&str> {
            let rails = self.rails.iter().zip(&self.counted);
            rails
                .filter(|(_, counted)| **counted == wanted)
                .map(|(rail, _)| rail.name.as_str())
                .collect()
        };
        let (counted, others) = (names(true), names(false));
        let verb = if others.len() == 1 { "is" } else { "are" };
        match (counted.is_empty(), others.is_empty()) {
            (true, _) => "none: this board has no power sensor that could be read".to_owned(),
            (false, true) => counted.join(" + "),
            (false, false) => format!(
                "{} ({} {verb} part of {}, not counted again)",
                counted.join(" + "),
                others.join(", "),
                if counted.len() == 1 { "it" } else { "these" },
            ),
        }
    }
}

/// Whether `rail` counts in the total of `all`: the input rail alone where there is one, else every rail that is not
/// fed from another.
fn counts(rail: &Rail, all: &[Rail]) -> bool {
    let there = |name: &str| all.iter().any(|other| other.name == name);
    if let Some(input) = INPUTS.iter().find(|input| there(input)) {
        return rail.name == *input;
    }
    // A powercap zone inside another is part of it. Memory is beside its package, although it is listed below it.
    if let Some((_, zone)) = rail.name.rsplit_once('/') {
        return zone == "dram";
    }
    !FED.iter()
        .any(|(fed, feeding)| rail.name == *fed && there(feeding))
}

#[cfg(test)]
mod tests {
    use super::super::rail::rail_name;
    use super::*;

    fn rule(names: &[&str]) -> String {
        let rail = |name: &&str| Rail {
            name: rail_name(name),
            sensor: Sensor::Current(Some(20)),
            refresh: REFRESH,
        };
        Supplies::new(names.iter().map(rail)).total_rule()
    }

    #[test]
    fn the_total_is_the_input_rail_or_the_sum_without_what_is_fed_from_another() {
        for (names, wanted) in [
            (
                &["VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"][..],
                "VDD_IN (VDD_CPU_GPU_CV, VDD_SOC are part of it, not counted again)",
            ),
            (
                &["VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0", "VDDQ_VDD2_1V8AO"],
                "VDD_GPU_SOC + VDD_CPU_CV + VIN_SYS_5V0 (VDDQ_VDD2_1V8AO is part of these, not counted again)",
            ),
            (
                &["GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"],
                "GPU + CPU + SOC + CV + VDDRQ + SYS5V",
            ),
            (
                &["VDD_GPU", "VDD_CPU_SOC_MSS", "VIN_SYS_5V0", "VIN"],
                "VIN (VDD_GPU, VDD_CPU_SOC_MSS, VIN_SYS_5V0 are part of it, not counted again)",
            ),
            (
                &["package-0", "package-0/core", "package-0/dram", "package-1"],
                "package-0 + package-0/dram + package-1 (package-0/core is part of these, not counted again)",
            ),
            (&[], "none: this board has no power sensor that could be read"),
        ] {
            assert_eq!(rule(names), wanted);
        }
    }

    #[test]
    fn a_rail_that_feeds_nothing_measured_counts() {
        assert_eq!(rule(&["VDDQ_VDD2_1V8AO", "GPU"]), "VDDQ_VDD2_1V8AO + GPU");
    }

    #[test]
    fn the_resolution_is_the_sum_of_the_counted_steps() {
        let rails = ["VDD_GPU_SOC", "VIN_SYS_5V0", "VDDQ_VDD2_1V8AO"].map(|name| Rail {
            name: rail_name(name),
            sensor: Sensor::Current(Some(20)),
            refresh: REFRESH,
        });
        let supplies = Supplies::new(rails);
        let at = |millivolts| {
            Ok(Measured::Current {
                millivolts,
                milliamperes: 100,
            })
        };
        let rails = Rails::from_iter([at(19_600), at(5_000), at(5_000)]);
        assert_eq!(supplies.resolution(&rails), Milliwatts(392 + 100));
        assert_eq!(supplies.total(&rails), Some(Milliwatts(1_960 + 500)));
        assert_eq!(supplies.total(&Rails::from_iter([at(19_600), Err(5)])), None);
    }
}
