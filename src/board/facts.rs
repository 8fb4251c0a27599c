//! [`Facts`] are what a board is and offers: its name, cores and frequency tables.

use super::Knob;
use crate::units::Kilohertz;
use core::fmt;

/// CPU cores that share a clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// The cores; at least one. The first one names the cluster.
    pub cores: Vec<u8>,
    /// Clocks on offer, rising; empty where the clock cannot be set.
    pub clocks: Vec<Kilohertz>,
}

impl Cluster {
    /// The core it is named by.
    pub fn first(&self) -> u8 {
        self.cores.first().copied().unwrap_or(0)
    }
}

/// Facts as they were read, before they are checked.
#[derive(Clone, Debug)]
pub struct RawFacts {
    /// The product's name, as `Jetson AGX Orin`.
    pub name: String,
    /// The system on chip, as `tegra234`.
    pub soc: String,
    /// Whether this board is a simulation.
    pub simulated: bool,
    /// CPU cores present, online or not.
    pub cores: u8,
    /// Whether cores can be taken offline.
    pub hotplug: bool,
    /// The CPU clusters whose clock is known. A cluster that is offline may not show itself.
    pub clusters: Vec<Cluster>,
    /// GPU clocks on offer, rising; empty where the board offers none.
    pub gpu: Vec<Kilohertz>,
    /// Memory clocks on offer, rising; empty where the board offers none.
    pub emc: Vec<Kilohertz>,
}

/// Why facts describe no board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FactsError {
    /// There is no CPU core.
    Cores,
    /// The knob's table does not rise at this index.
    NotRising(Knob, usize),
}

impl fmt::Display for FactsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FactsError::Cores => {
                f.write_str("the board shows no CPU core; is its root folder the right one?")
            }
            FactsError::NotRising(knob, index) => {
                write!(
                    f,
                    "the table of knob {knob} does not rise at entry {index}; sort it and drop repeats"
                )
            }
        }
    }
}

impl core::error::Error for FactsError {}

/// What a board is and offers, checked: at least one core, and every table rises.
#[derive(Clone, Debug)]
pub struct Facts {
    raw: RawFacts,
    /// Every clock that one of the clusters offers.
    cpu: Vec<Kilohertz>,
}

impl Facts {
    /// Checks what was read.
    pub fn check(raw: RawFacts) -> Result<Facts, FactsError> {
        if raw.cores == 0 {
            return Err(FactsError::Cores);
        }
        let clusters = raw.clusters.iter().map(|cluster| (Knob::Cpu, &cluster.clocks));
        for (knob, table) in clusters.chain([(Knob::Gpu, &raw.gpu), (Knob::Emc, &raw.emc)]) {
            let pairs = table.iter().zip(table.iter().skip(1));
            if let Some(index) = pairs.into_iter().position(|(low, high)| low >= high) {
                return Err(FactsError::NotRising(knob, index + 1));
            }
        }
        let mut cpu: Vec<Kilohertz> = raw
            .clusters
            .iter()
            .flat_map(|it| it.clocks.iter().copied())
            .collect();
        cpu.sort_unstable();
        cpu.dedup();
        Ok(Facts { raw, cpu })
    }

    /// The product's name, as `Jetson AGX Orin`.
    pub fn name(&self) -> &str {
        &self.raw.name
    }

    /// The system on chip, as `tegra234`.
    pub fn soc(&self) -> &str {
        &self.raw.soc
    }

    /// Whether this board is a simulation.
    pub fn simulated(&self) -> bool {
        self.raw.simulated
    }

    /// CPU cores present; at least 1.
    pub fn cores(&self) -> u8 {
        self.raw.cores
    }

    /// The CPU clusters whose clock is known.
    pub fn clusters(&self) -> &[Cluster] {
        &self.raw.clusters
    }

    /// The values that `knob` can be set to, rising: numbers of cores, or kilohertz. Empty where the board has no such
    /// knob. With CPU clusters of different tables each takes the highest of its own clocks that is not above the value.
    pub fn values(&self, knob: Knob) -> Vec<u32> {
        let clocks = |table: &[Kilohertz]| table.iter().map(|clock| clock.0).collect();
        match knob {
            Knob::Cores if self.raw.hotplug => (1..=u32::from(self.raw.cores)).collect(),
            Knob::Cores => Vec::new(),
            Knob::Cpu => clocks(&self.cpu),
            Knob::Gpu => clocks(&self.raw.gpu),
            Knob::Emc => clocks(&self.raw.emc),
        }
    }

    /// Whether `knob` can be set to `value`.
    pub fn offers(&self, knob: Knob, value: u32) -> bool {
        self.values(knob).binary_search(&value).is_ok()
    }

    /// The highest value of the knob's table that is not above `value`, or its lowest; `value` itself where there is none.
    pub fn nearest(&self, knob: Knob, value: u32) -> u32 {
        let values = self.values(knob);
        let below = values.iter().rev().find(|it| **it <= value);
        below.or(values.first()).copied().unwrap_or(value)
    }
}

impl fmt::Display for Facts {
    /// The name, and `(simulated)` where that is so.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.raw.name)?;
        if self.raw.simulated {
            f.write_str(" (simulated)")
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw() -> RawFacts {
        let cluster = |first: u8, clocks: &[u32]| Cluster {
            cores: vec![first, first + 1],
            clocks: clocks.iter().copied().map(Kilohertz).collect(),
        };
        RawFacts {
            name: "Bench".into(),
            soc: "none".into(),
            simulated: true,
            cores: 4,
            hotplug: true,
            clusters: vec![cluster(0, &[100, 200]), cluster(2, &[100, 300])],
            gpu: vec![Kilohertz(300)],
            emc: vec![],
        }
    }

    #[test]
    fn tables_that_do_not_rise_and_boards_without_a_core_are_refused() {
        assert!(Facts::check(raw()).is_ok());
        let flat = RawFacts {
            gpu: vec![Kilohertz(100), Kilohertz(100)],
            ..raw()
        };
        assert_eq!(
            Facts::check(flat).unwrap_err(),
            FactsError::NotRising(Knob::Gpu, 1)
        );
        assert_eq!(
            Facts::check(RawFacts { cores: 0, ..raw() }).unwrap_err(),
            FactsError::Cores
        );
    }

    #[test]
    fn a_knob_offers_its_table_and_nothing_else_and_one_that_is_absent_nothing() {
        let facts = Facts::check(raw()).unwrap();
        assert_eq!(facts.values(Knob::Cores), [1, 2, 3, 4]);
        assert_eq!(facts.values(Knob::Cpu), [100, 200, 300]);
        assert!(facts.offers(Knob::Cpu, 300) && !facts.offers(Knob::Cpu, 150));
        assert!(facts.values(Knob::Emc).is_empty() && !facts.offers(Knob::Emc, 0));
        let fixed = Facts::check(RawFacts {
            hotplug: false,
            ..raw()
        });
        assert!(fixed.unwrap().values(Knob::Cores).is_empty());
    }
}
