//! A [`Machine`] is a board whose settings are files below a root: any Jetson, or any Linux with what it has.

use super::cpu::{self, CoreSet, Cores};
use super::emc::Emc;
use super::facts::{Cluster, Facts, FactsError, RawFacts};
use super::gpu::{Gpu, kilohertz};
use super::handle::Handle;
use super::sysfs::number;
use super::thermal::slows_down;
use super::{Board, BoardError, Identity, Knob, Root, Setting};
use crate::units::Kilohertz;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// `EmcCeiling` as files say "no ceiling": 0 on JetPack 4 and 5.
const NO_CEILING: u32 = 0;

/// Pauses, ms, in which a core that came on should have shown its clock.
const LATE: [u64; 4] = [0, 2, 10, 40];

/// A board whose settings are files.
#[derive(Debug)]
pub struct Machine {
    root: Root,
    identity: Identity,
    facts: Facts,
    cores: Cores,
    gpu: Option<Gpu>,
    emc: Result<Emc, &'static str>,
    settings: Vec<Setting>,
    files: RefCell<BTreeMap<Setting, Handle>>,
    lock: RefCell<Option<Handle>>,
    /// The cores that were online when they were read or written last; bit 0 is core 0.
    online: Cell<CoreSet>,
    /// The cores that were given a moment to show their clock since they came on, and did not.
    clockless: Cell<CoreSet>,
}

impl Machine {
    /// Reads what the board below `root` is and offers. Writes nothing and needs no root rights; what cannot be read is not
    /// on offer, and [`Machine::absence`] says why.
    pub fn detect(root: Root) -> Result<Machine, FactsError> {
        let identity = Identity::read(&root);
        let cores = Cores::find(&root);
        let gpu = Gpu::find(&root);
        let emc = Emc::find(&root);
        let facts = Facts::check(RawFacts {
            name: identity.to_string(),
            soc: identity.soc.clone().unwrap_or_default(),
            // A mounted twin has a door of its own beside the board's files.
            simulated: root.exists(".twin/control"),
            cores: cores.count,
            hotplug: !cores.hotplug.is_empty(),
            clusters: cores.clusters.clone(),
            gpu: gpu.as_ref().map_or(Vec::new(), |it| it.clocks.clone()),
            emc: emc.as_ref().map_or(Vec::new(), |it| it.clocks.clone()),
        })?;
        let mut settings: Vec<Setting> = cores.hotplug.iter().copied().map(Setting::Online).collect();
        if !cores.clusters.is_empty() {
            let both = |first| [Setting::CpuFloor(first), Setting::CpuCeiling(first)];
            settings.extend(cores.cluster_names().into_iter().flat_map(both));
        }
        if let Some(gpu) = &gpu {
            settings.extend(gpu.control.as_ref().map(|_| Setting::GpuHold));
            settings.extend([Setting::GpuFloor, Setting::GpuCeiling]);
        }
        if let Ok(emc) = &emc {
            settings.extend(emc.rate.as_ref().map(|_| Setting::EmcRate));
            settings.push(Setting::EmcCeiling);
        }
        let machine = Machine {
            identity,
            facts,
            cores,
            gpu,
            emc,
            settings,
            files: RefCell::default(),
            lock: RefCell::default(),
            online: Cell::new(CoreSet::ALL),
            clockless: Cell::new(CoreSet::NONE),
            root,
        };
        let lock = machine.emc.as_ref().ok().and_then(|emc| emc.rate.as_ref());
        machine
            .lock
            .replace(lock.map(|(_, lock)| Handle::new(&machine.root, lock)));
        for setting in &machine.settings {
            if let Some(path) = machine.path(*setting) {
                let file = Handle::to_write(&machine.root, &path);
                machine.files.borrow_mut().insert(*setting, file);
            }
        }
        Ok(machine)
    }

    /// The folder its files lie under.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// Who it is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The file of a setting, below the root; `None` if the board has no such setting.
    pub fn path(&self, setting: Setting) -> Option<String> {
        match setting {
            Setting::Online(core) => Some(cpu::online_path(core)),
            Setting::CpuFloor(first) => Some(format!("{}/scaling_min_freq", cpu::policy_path(first))),
            Setting::CpuCeiling(first) => Some(format!("{}/scaling_max_freq", cpu::policy_path(first))),
            Setting::GpuHold => self.gpu.as_ref()?.control.clone(),
            Setting::GpuFloor => Some(format!("{}/min_freq", self.gpu.as_ref()?.folder)),
            Setting::GpuCeiling => Some(format!("{}/max_freq", self.gpu.as_ref()?.folder)),
            Setting::EmcRate => Some(self.emc.as_ref().ok()?.rate.as_ref()?.0.clone()),
            Setting::EmcCeiling => Some(self.emc.as_ref().ok()?.ceiling.clone()),
        }
    }

    /// The settings of `knob` that are there now, with their files.
    pub fn files(&self, knob: Knob) -> Vec<(Setting, String)> {
        let of_knob = self.settings.iter().filter(|it| it.knob() == knob);
        let present = of_knob.filter_map(|it| Some((*it, self.path(*it)?)));
        present.filter(|(_, path)| self.root.exists(path)).collect()
    }

    /// Why the board does not offer `knob`; `None` if it does.
    pub fn absence(&self, knob: Knob) -> Option<&'static str> {
        if !self.facts.values(knob).is_empty() {
            return None;
        }
        Some(match knob {
            Knob::Cores => "no core but the first can be taken offline: the kernel has no hotplug here",
            Knob::Cpu => {
                "the kernel shows no cpufreq policy: clocks are not its to set, as in a virtual machine"
            }
            Knob::Gpu => {
                "no devfreq folder of a GPU: the board has none, or it was not powered since the boot; run any GPU program once"
            }
            Knob::Emc => self
                .emc
                .as_ref()
                .err()
                .copied()
                .unwrap_or("the table of memory clocks is empty"),
        })
    }

    /// The setting that the file at `path` (below the root, any of its names) is; `None` if it is none of the board's.
    pub fn setting_at(&self, path: &str) -> Option<Setting> {
        if let Some(rest) = path.trim_start_matches('/').strip_prefix(cpu::FOLDER) {
            return self.cpu_setting_at(rest.trim_start_matches('/'));
        }
        let target = self.root.join(path).canonicalize().ok()?;
        let other = self
            .settings
            .iter()
            .filter(|it| !matches!(it.knob(), Knob::Cores | Knob::Cpu));
        other.copied().find(|setting| {
            let own = self
                .path(*setting)
                .and_then(|own| self.root.join(&own).canonicalize().ok());
            own.is_some_and(|own| own == target)
        })
    }

    /// A CPU's files are known by their names: those of a cluster that is offline are not there to be compared.
    fn cpu_setting_at(&self, path: &str) -> Option<Setting> {
        let (head, rest) = path.split_once('/')?;
        let (owner, file) = match head {
            "cpufreq" => {
                let (policy, file) = rest.split_once('/')?;
                (policy.strip_prefix("policy")?.parse().ok()?, file)
            }
            _ => (head.strip_prefix("cpu")?.parse().ok()?, rest),
        };
        if file == "online" {
            return Some(Setting::Online(owner)).filter(|it| self.settings.contains(it));
        }
        let first = self.cores.cluster_of(owner);
        // A core that came on may show that it belongs to another than itself.
        let shown = self.root.value(
            &format!("{}/cpu{owner}/cpufreq/related_cpus", cpu::FOLDER),
            super::sysfs::cpus,
        );
        let first = shown
            .ok()
            .and_then(|cores| cores.first().copied())
            .unwrap_or(first);
        let setting = match file.rsplit('/').next()? {
            "scaling_min_freq" => Setting::CpuFloor(first),
            "scaling_max_freq" => Setting::CpuCeiling(first),
            _ => return None,
        };
        Some(setting).filter(|it| self.settings.contains(it))
    }

    fn is_online(&self, core: u8) -> bool {
        core == 0 || self.online.get().contains(core)
    }

    fn note_online(&self, core: u8, on: bool) {
        self.online.set(self.online.get().with(core, on));
        if !on {
            self.clockless.set(self.clockless.get().with(core, false));
        }
    }

    /// Whether every core of a CPU cluster is offline, so that its clock is nobody's.
    fn is_asleep(&self, first: u8) -> bool {
        let known = self.cores.clusters.iter().find(|it| it.first() == first);
        known.map_or(!self.is_online(first), |it| {
            !it.cores.iter().any(|core| self.is_online(*core))
        })
    }

    /// Whether the clock that `setting` would be is that of a cluster with another name, or of none because its core is off.
    /// A core that has just come on is given a moment to show its clock.
    fn is_anothers(&self, setting: Setting) -> bool {
        let (Setting::CpuFloor(first) | Setting::CpuCeiling(first)) = setting else {
            return false;
        };
        if self.clockless.get().contains(first) {
            return false;
        }
        let shown = format!("{}/cpu{first}/cpufreq", cpu::FOLDER);
        for pause in LATE {
            std::thread::sleep(std::time::Duration::from_millis(pause));
            if !self.is_online(first) || self.root.exists(&shown) {
                let own = self.root.exists(&cpu::policy_path(first));
                return !self.is_online(first) || !own;
            }
        }
        self.clockless.set(self.clockless.get().with(first, true));
        false
    }

    fn read(&self, setting: Setting) -> Result<u64, i32> {
        let mut files = self.files.borrow_mut();
        let file = files.get_mut(&setting).ok_or(BoardError::ABSENT)?;
        file.value(number).map_err(|error| error.errno())
    }

    /// The table of a CPU cluster; of one that appeared since it is read now.
    fn cluster_clocks(&self, first: u8) -> Option<Vec<Kilohertz>> {
        let known = self.cores.clusters.iter().find(|it| it.first() == first).cloned();
        known
            .or_else(|| cpu::cluster(&self.root, first))
            .map(|it: Cluster| it.clocks)
    }
}

/// Errors of a file that is away with its device.
fn is_away(errno: i32) -> bool {
    matches!(errno, libc::ENOENT | libc::ENODEV | libc::ENXIO)
}

impl Board for Machine {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn settings(&self) -> &[Setting] {
        &self.settings
    }

    fn get(&self, setting: Setting) -> Result<Option<u32>, BoardError> {
        let unreadable = |errno| BoardError::Unreadable(setting, errno);
        match setting {
            Setting::CpuFloor(first) | Setting::CpuCeiling(first) if self.is_asleep(first) => {
                return Ok(None);
            }
            Setting::EmcRate => {
                let mut lock = self.lock.borrow_mut();
                let locked = lock.as_mut().map(|lock| lock.value(number));
                // Debug files that cannot be read hide a lock; the ceiling still works.
                if !matches!(locked, Some(Ok(locked)) if locked != 0) {
                    return Ok(None);
                }
            }
            Setting::GpuHold => {
                let control = self.gpu.as_ref().and_then(|it| it.control.as_ref());
                let word = control.and_then(|path| self.root.text(path).ok());
                return Ok(word.map(|word| u32::from(word == "on")));
            }
            _ => {}
        }
        let number = match self.read(setting) {
            Ok(number) => number,
            Err(errno) if is_away(errno) && setting.knob() == Knob::Cpu => {
                if self.is_anothers(setting) {
                    return Ok(None);
                }
                self.read(setting).map_err(unreadable)?
            }
            Err(errno) => return Err(unreadable(errno)),
        };
        Ok(Some(match setting.knob() {
            Knob::Cores => {
                if let Setting::Online(core) = setting {
                    self.note_online(core, number != 0);
                }
                u32::from(number != 0)
            }
            Knob::Cpu => u32::try_from(number).map_err(|_| unreadable(libc::ERANGE))?,
            Knob::Gpu | Knob::Emc => kilohertz(number).0,
        }))
    }

    fn set(&mut self, setting: Setting, value: u32) -> Result<(), BoardError> {
        let text = match setting {
            Setting::GpuHold => String::from(if value == 0 { "auto" } else { "on" }),
            Setting::Online(_) | Setting::CpuFloor(_) | Setting::CpuCeiling(_) => value.to_string(),
            Setting::GpuFloor | Setting::GpuCeiling | Setting::EmcRate | Setting::EmcCeiling => {
                (u64::from(value) * 1_000).to_string()
            }
        };
        let mut files = self.files.borrow_mut();
        let file = files.get_mut(&setting).ok_or(BoardError::ABSENT);
        let written = file.and_then(|file| file.write(&text).map_err(|error| error.errno()));
        written.map_err(|errno| BoardError::Refused(setting, value, errno))?;
        if let Setting::Online(core) = setting {
            self.note_online(core, value != 0);
        }
        Ok(())
    }

    fn nearest(&self, setting: Setting, value: u32) -> u32 {
        match setting {
            Setting::Online(_) | Setting::GpuHold => value,
            Setting::CpuFloor(first) | Setting::CpuCeiling(first) => match self.cluster_clocks(first) {
                Some(clocks) => nearest(&clocks, value),
                None => value,
            },
            Setting::GpuFloor | Setting::GpuCeiling => self.facts.nearest(Knob::Gpu, value),
            Setting::EmcCeiling if value == NO_CEILING => self.facts.nearest(Knob::Emc, u32::MAX),
            Setting::EmcRate | Setting::EmcCeiling => self.facts.nearest(Knob::Emc, value),
        }
    }

    /// Whether a cooling device of the thermal governor is at work.
    fn is_limited(&self) -> bool {
        const FOLDER: &str = "sys/class/thermal";
        let names = self.root.names(FOLDER).unwrap_or_default();
        names
            .iter()
            .filter(|name| name.starts_with("cooling_device"))
            .any(|name| {
                let kind = self
                    .root
                    .text(&format!("{FOLDER}/{name}/type"))
                    .unwrap_or_default();
                let state = self.root.value(&format!("{FOLDER}/{name}/cur_state"), number);
                slows_down(&kind) && state.is_ok_and(|state| state > 0)
            })
    }
}

fn nearest(clocks: &[Kilohertz], value: u32) -> u32 {
    let below = clocks.iter().rev().find(|it| it.0 <= value);
    below.or(clocks.first()).map_or(value, |it| it.0)
}
