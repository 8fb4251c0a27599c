//! [`SysfsSensors`] are the sensors of a real board, read from its files.

use super::overcurrent::OvercurrentFiles;
use super::rail::Rails;
use super::rails::RailFiles;
use super::sensors::{Overcurrent, Sensors, Throttling};
use super::supplies::Supplies;
use super::sysfs::Root;
use super::thermal::{Cooling, Zones};
use crate::units::Millicelsius;

/// The sensors below a root. Each file is opened at its first reading and stays open.
#[derive(Debug)]
pub struct SysfsSensors {
    rails: RailFiles,
    zones: Zones,
    cooling: Cooling,
    overcurrent: OvercurrentFiles,
}

impl SysfsSensors {
    /// Finds what there is below `root`. A board without any sensor is a board.
    pub fn find(root: &Root) -> SysfsSensors {
        SysfsSensors {
            rails: RailFiles::find(root),
            zones: Zones::find(root),
            cooling: Cooling::find(root),
            overcurrent: OvercurrentFiles::find(root),
        }
    }

    /// What was found and cannot be used, and why; a sentence each.
    pub fn notes(&self) -> &[String] {
        self.rails.notes()
    }

    /// The thermal zones, to be read one by one.
    pub fn zones(&mut self) -> &mut Zones {
        &mut self.zones
    }

    /// The devices that cool by slowing the board down.
    pub fn cooling(&mut self) -> &mut Cooling {
        &mut self.cooling
    }

    /// The over-current counters.
    pub fn overcurrent(&mut self) -> &mut OvercurrentFiles {
        &mut self.overcurrent
    }
}

impl Sensors for SysfsSensors {
    fn supplies(&self) -> &Supplies {
        self.rails.supplies()
    }

    fn rails(&mut self) -> Rails {
        self.rails.read()
    }

    fn rails_of_total(&mut self) -> Rails {
        self.rails.read_total()
    }

    fn temperature(&mut self) -> Option<Millicelsius> {
        self.zones.hottest().map(|(_, heat)| heat)
    }

    fn throttling(&mut self) -> Throttling {
        let mut seen = Throttling::default();
        for counter in self.overcurrent.iter_mut() {
            let read = counter.read();
            seen.unreadable += u16::from(read.is_err());
            let place = Overcurrent::ALL.iter().position(|kind| *kind == counter.kind);
            if let Some(slot) = place.and_then(|place| seen.overcurrent.get_mut(place)) {
                *slot = read.ok();
            }
        }
        for device in self.cooling.iter_mut() {
            match device.read() {
                Ok(state) => seen.cooling += u16::from(state > 0),
                Err(_) => seen.unreadable += 1,
            }
        }
        seen
    }
}
