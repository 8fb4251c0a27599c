//! [`Facts`] are what a board is and offers: its name, cores and frequency tables.

use super::Knob;
use crate::units::Kilohertz;
use core::fmt;

/// Facts as they were read, before they are checked.
#[derive(Clone, Debug)]
pub struct RawFacts {
    /// The product's name, as `Jetson AGX Orin`.
    pub name: String,
    /// The system on chip, as `tegra234`.
    pub soc: String,
    /// Whether this board is a simulation.
    pub simulated: bool,
    /// Cores in each CPU cluster, in the order of their core numbers.
    pub clusters: Vec<u8>,
    /// CPU clocks on offer, rising.
    pub cpu: Vec<Kilohertz>,
    /// GPU clocks on offer, rising.
    pub gpu: Vec<Kilohertz>,
    /// Memory clocks on offer, rising.
    pub emc: Vec<Kilohertz>,
}

/// Why facts describe no board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FactsError {
    /// There is no CPU core, or there are more than 255.
    Cores,
    /// The knob's table is empty.
    Empty(Knob),
    /// The knob's table does not rise at this index.
    NotRising(Knob, usize),
}

impl fmt::Display for FactsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FactsError::Cores => {
                f.write_str("the board has no CPU core, or more than 255; check its cluster list")
            }
            FactsError::Empty(knob) => {
                write!(f, "the table of knob {knob} is empty; give it one value at least")
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

/// What a board is and offers, checked: at least one core, every table rises and none is empty.
#[derive(Clone, Debug)]
pub struct Facts {
    raw: RawFacts,
    cores: u8,
}

impl Facts {
    /// Checks what was read.
    pub fn check(raw: RawFacts) -> Result<Facts, FactsError> {
        let cores = raw
            .clusters
            .iter()
            .map(|cluster| u32::from(*cluster))
            .sum::<u32>();
        let cores = u8::try_from(cores)
            .ok()
            .filter(|cores| *cores > 0)
            .ok_or(FactsError::Cores)?;
        for (knob, table) in [
            (Knob::Cpu, &raw.cpu),
            (Knob::Gpu, &raw.gpu),
            (Knob::Emc, &raw.emc),
        ] {
            if table.is_empty() {
                return Err(FactsError::Empty(knob));
            }
            let pairs = table.iter().zip(table.iter().skip(1));
            if let Some(index) = pairs.into_iter().position(|(low, high)| low >= high) {
                return Err(FactsError::NotRising(knob, index + 1));
            }
        }
        Ok(Facts { raw, cores })
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

    /// CPU cores; at least 1.
    pub fn cores(&self) -> u8 {
        self.cores
    }

    /// Cores in each CPU cluster, in the order of their core numbers.
    pub fn clusters(&self) -> &[u8] {
        &self.raw.clusters
    }

    /// CPU clocks on offer, rising.
    pub fn cpu(&self) -> &[Kilohertz] {
        &self.raw.cpu
    }

    /// GPU clocks on offer, rising.
    pub fn gpu(&self) -> &[Kilohertz] {
        &self.raw.gpu
    }

    /// Memory clocks on offer, rising.
    pub fn emc(&self) -> &[Kilohertz] {
        &self.raw.emc
    }

    /// Whether `knob` can be set to `value`.
    pub fn offers(&self, knob: Knob, value: u32) -> bool {
        let table = match knob {
            Knob::Cores => return (1..=u32::from(self.cores)).contains(&value),
            Knob::Cpu => &self.raw.cpu,
            Knob::Gpu => &self.raw.gpu,
            Knob::Emc => &self.raw.emc,
        };
        table.binary_search(&Kilohertz(value)).is_ok()
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
        RawFacts {
            name: "Bench".into(),
            soc: "none".into(),
            simulated: true,
            clusters: vec![2, 2],
            cpu: vec![Kilohertz(100), Kilohertz(200)],
            gpu: vec![Kilohertz(300)],
            emc: vec![Kilohertz(400)],
        }
    }

    #[test]
    fn tables_that_do_not_rise_or_are_empty_are_refused() {
        assert!(Facts::check(raw()).is_ok());
        let flat = RawFacts {
            cpu: vec![Kilohertz(100), Kilohertz(100)],
            ..raw()
        };
        assert_eq!(
            Facts::check(flat).unwrap_err(),
            FactsError::NotRising(Knob::Cpu, 1)
        );
        let empty = RawFacts {
            gpu: Vec::new(),
            ..raw()
        };
        assert_eq!(Facts::check(empty).unwrap_err(), FactsError::Empty(Knob::Gpu));
        let bare = RawFacts {
            clusters: Vec::new(),
            ..raw()
        };
        assert_eq!(Facts::check(bare).unwrap_err(), FactsError::Cores);
    }

    #[test]
    fn a_knob_offers_its_table_and_nothing_else() {
        let facts = Facts::check(raw()).unwrap();
        assert!(
            facts.offers(Knob::Cores, 4) && !facts.offers(Knob::Cores, 5) && !facts.offers(Knob::Cores, 0)
        );
        assert!(facts.offers(Knob::Cpu, 200) && !facts.offers(Knob::Cpu, 150));
    }
}
