//! What a file of a tree shows, and what one write to it does.

use super::attribute::{Attribute, CpuList};
use super::board::Heat;
use super::build::sensors::COOLED;
use super::cpu;
use super::kernel::Kernel;
use super::node::{Ino, Kind};
use super::number;
use crate::twin::sensors::noise;
use rustix::io::Errno;

impl Kernel {
    /// What a file shows.
    pub(super) fn show(&self, ino: Ino) -> Result<Vec<u8>, Errno> {
        let nodes = &self.built.nodes;
        // An ordinary file that was unlinked lives on for who has it open.
        if let Kind::Disk(content) = &nodes.get(ino)?.kind {
            return Ok(content.clone());
        }
        let attribute = match &nodes.here(ino)?.kind {
            Kind::Knob(attribute) => attribute,
            Kind::Disk(_) => return Err(Errno::NOENT),
            Kind::Folder { .. } => return Err(Errno::ISDIR),
            Kind::Link(_) => return Err(Errno::INVAL),
        };
        let (cpu_load, gpu_load) = self.load;
        let text = match attribute {
            Attribute::Fixed(bytes) => return Ok(bytes.clone()),
            Attribute::Kept(kept) => kept.show(),
            Attribute::Cpu(index, file) => self.cpus.show(*index, *file, cpu_load)?,
            Attribute::CpuList(list) => self.cpu_list(*list),
            Attribute::Gpu(file) => self.gpu.show(*file, gpu_load, self.now)?,
            Attribute::Memory(file) => self.memory.show(*file, gpu_load),
            Attribute::EngineCap(index) | Attribute::EngineRate(index) => {
                self.engines.get(*index).ok_or(Errno::NOENT)?.to_string()
            }
            Attribute::Rail(chip, file) => self.rails.show(*chip, *file)?,
            Attribute::Cooling => String::from(if self.hot { COOLED } else { "0" }),
            Attribute::Temperature(zone) => self.temperature(*zone)?.to_string(),
            // A fan at duty 65 was seen at 2140 a minute.
            Attribute::FanSpeed => (self.fan * 2_140 / 65).to_string(),
            Attribute::FanDuty => self.fan.to_string(),
            Attribute::OverCurrent(input) => self
                .rails
                .over_current
                .get(*input)
                .ok_or(Errno::NOENT)?
                .to_string(),
            Attribute::BootId => self.boot_id(),
            Attribute::Control => return Ok(Vec::new()),
            Attribute::Log => {
                let lines = self.log.iter().map(|operation| format!("{operation}\n"));
                return Ok(lines.collect::<String>().into_bytes());
            }
            Attribute::Error if self.error.is_empty() => return Ok(Vec::new()),
            Attribute::Error => self.error.clone(),
        };
        Ok((text + "\n").into_bytes())
    }

    fn cpu_list(&self, list: CpuList) -> String {
        let cores = self.cpus.online.iter().enumerate();
        cpu::list(cores.filter_map(|(core, online)| {
            let wanted = match list {
                CpuList::All => true,
                CpuList::Online => *online,
                CpuList::Offline => !online,
            };
            wanted.then_some(core)
        }))
    }

    fn temperature(&self, zone: usize) -> Result<i32, Errno> {
        match self.board.zones.get(zone).ok_or(Errno::NOENT)?.heat {
            // While cooling is at work the die is past the passive trip point.
            Heat::Die(off) if self.hot => Ok(self.rails.die().max(99_500 + off)),
            Heat::Die(off) => Ok(self.rails.die() + off),
            Heat::Constant(value) => Ok(value),
            Heat::Off => Err(Errno::AGAIN),
        }
    }

    /// An identity that depends on the seed and on how often it was started.
    fn boot_id(&self) -> String {
        let half = |part| (noise(self.options.seed, self.boots, part) * 9e18) as i64;
        let (high, low) = (half(1).cast_unsigned(), half(2).cast_unsigned());
        format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            low >> 52,
            low & 0xffff_ffff_ffff
        )
    }

    /// One write to a file of the kernel.
    pub(super) fn store(&mut self, ino: Ino, text: &[u8]) -> Result<(), Errno> {
        let node = self.built.nodes.here(ino)?;
        if node.perm & 0o222 == 0 {
            return Err(Errno::ACCESS);
        }
        let Kind::Knob(attribute) = node.kind.clone() else {
            return Err(Errno::INVAL);
        };
        let (cpu_load, gpu_load) = self.load;
        match attribute {
            Attribute::Kept(_) => {
                if let Kind::Knob(Attribute::Kept(kept)) = &mut self.built.nodes.get_mut(ino)?.kind {
                    kept.store(text)?;
                }
            }
            Attribute::Cpu(index, file) => self.cpus.store(index, file, text, cpu_load)?,
            Attribute::Gpu(file) => self.gpu.store(file, text, self.now)?,
            Attribute::Memory(file) => self.memory.store(file, text, gpu_load)?,
            Attribute::EngineCap(index) => {
                let asked = number::any_base(text)?;
                let highest = self
                    .board
                    .engines
                    .get(index)
                    .map_or(u64::MAX, |engine| engine.highest);
                *self.engines.get_mut(index).ok_or(Errno::NOENT)? = asked.min(highest);
            }
            Attribute::Rail(chip, file) => self.rails.store(chip, file, text)?,
            Attribute::FanDuty => {
                let duty = number::decimal(text)?;
                self.fan = if duty <= 255 {
                    duty
                } else {
                    return Err(Errno::INVAL);
                };
            }
            _ => return Err(Errno::ACCESS),
        }
        self.settle();
        Ok(())
    }
}
