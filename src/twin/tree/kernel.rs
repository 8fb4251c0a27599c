//! The [`Kernel`] of a tree: all of its state.

use super::board::Board;
use super::build::{Built, build};
use super::cpu::Cpus;
use super::draw::{Parts, State};
use super::gpu::{Gpu, GpuFile, Mask};
use super::latency;
use super::memory::Memory;
use super::node::{Ino, Kind};
use super::operation::{By, Log, Operation};
use super::preset;
use super::rails::Rails;
use super::{Options, TreeError};
use crate::twin::faults::{Armed, Effect, Touch};
use crate::twin::sensors::noise;
use crate::units::Nanos;
use rustix::io::Errno;

/// What happens to an operation, decided before it is carried out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// How long it waits first.
    pub(crate) wait: Nanos,
    /// What goes wrong, apart from waiting.
    pub(crate) effect: Option<Effect>,
}

/// The state of a simulated board and its kernel.
#[derive(Clone, Debug)]
pub(super) struct Kernel {
    pub(super) board: Board,
    pub(super) options: Options,
    pub(super) built: Built,
    pub(super) cpus: Cpus,
    pub(super) gpu: Gpu,
    pub(super) memory: Memory,
    /// Caps of the engines' clocks, Hz.
    pub(super) engines: Vec<u64>,
    pub(super) rails: Rails,
    pub(super) fan: u64,
    /// Load of CPU and GPU, 0 to 1.
    pub(super) load: (f64, f64),
    /// Whether thermal cooling is at work.
    pub(super) hot: bool,
    pub(super) now: Nanos,
    pub(super) boots: u64,
    /// Writes and reads so far, for the spread of latencies.
    drawn: u64,
    pub(super) log: Log,
    pub(super) armed: Armed,
    /// Nodes that a fault keeps away, and until when.
    withheld: Vec<(Ino, Option<Nanos>)>,
    /// What was wrong with the last command.
    pub(super) error: String,
    /// What `jetson_clocks` found, to put back: path and text.
    pub(super) found: Vec<(String, String)>,
    /// Nodes that came or went since this was last taken.
    pub(super) changed: Vec<Ino>,
}

impl Kernel {
    /// A board that has just started.
    pub(super) fn start(board: Board, options: Options, now: Nanos) -> Result<Kernel, TreeError> {
        let built = build(&board).map_err(TreeError::Built)?;
        let cpus = Cpus::new(board.clusters, &board.cpu, options.hotplug, options.cpu0);
        let mask = |(name, valid): &(&'static str, &'static [u64])| Mask {
            name,
            value: valid.first().copied().unwrap_or_default(),
            valid,
        };
        let gpu = Gpu::new(&board.gpu, board.masks.iter().map(mask).collect());
        let memory = Memory::new(&board.emc, board.emc_cap.1, board.emc_rest);
        let engines = board.engines.iter().map(|engine| engine.highest).collect();
        let rails = Rails::new(board.chips, board.draw, options.seed, now, &Parts::default());
        let mut kernel = Kernel {
            fan: board.fan,
            built,
            cpus,
            gpu,
            memory,
            engines,
            rails,
            load: (0.0, 0.0),
            hot: false,
            now,
            boots: 0,
            drawn: 0,
            log: Log::default(),
            armed: Armed::default(),
            withheld: Vec::new(),
            error: String::new(),
            found: Vec::new(),
            changed: Vec::new(),
            board,
            options,
        };
        kernel.boot();
        Ok(kernel)
    }

    /// What the service of the board's tool does at every start: the mode of its note, or of the first start.
    fn boot(&mut self) {
        let noted = self.noted_preset().unwrap_or(self.board.start_preset);
        let preset = self.board.presets.iter().find(|preset| preset.id == noted);
        let writes = preset
            .map(|preset| preset::writes(&self.board, preset))
            .unwrap_or_default();
        for (path, text) in writes {
            // Rows of clusters that went offline are left out of the table, so every one of these succeeds.
            if let Ok(ino) = self.built.nodes.find(&path, true) {
                let _ = self.store(ino, text.as_bytes());
            }
        }
        // Masks and rails were set before anything used the GPU; it sleeps again.
        self.gpu.sleep();
        let parts = self.parts();
        let (seed, chips) = (self.options.seed, self.board.chips);
        self.rails = Rails::new(chips, self.board.draw, seed, self.now, &parts);
    }

    fn noted_preset(&self) -> Option<u32> {
        let Kind::Disk(note) = &self.built.nodes.get(self.built.status).ok()?.kind else {
            return None;
        };
        let text = core::str::from_utf8(note).ok()?;
        text.split_whitespace()
            .find_map(|word| word.strip_prefix("pmode:"))?
            .parse()
            .ok()
    }

    /// Starts again: everything but `/var/lib`, the armed faults and the log is as after the first start.
    pub(super) fn reboot(&mut self) -> Result<(), TreeError> {
        let mut next = Kernel::start(self.board.clone(), self.options, self.now)?;
        next.built.nodes.keep(&self.built.nodes, self.built.lasting);
        next.boots = self.boots + 1;
        next.drawn = self.drawn;
        next.log = core::mem::take(&mut self.log);
        next.armed = core::mem::take(&mut self.armed);
        let rails = next.rails.clone();
        next.cpus = Cpus::new(
            self.board.clusters,
            &self.board.cpu,
            self.options.hotplug,
            self.options.cpu0,
        );
        next.rails = rails;
        next.boot();
        next.changed = (1..=next.built.nodes.len() as Ino).collect();
        *self = next;
        Ok(())
    }

    /// Lets time pass up to `now`.
    pub(super) fn tick(&mut self, now: Nanos) {
        if now <= self.now {
            return;
        }
        let parts = self.parts();
        self.now = now;
        self.rails.advance(now, &parts);
        if self
            .withheld
            .iter()
            .any(|(_, until)| until.is_some_and(|until| until <= now))
        {
            let (over, still) = core::mem::take(&mut self.withheld)
                .into_iter()
                .partition(|(_, until)| until.is_some_and(|until| until <= now));
            self.withheld = still;
            for (ino, _) in over {
                self.give_back(ino);
            }
        }
    }

    /// What the parts take now, W.
    fn parts(&self) -> Parts {
        let (cpu_load, gpu_load) = self.load;
        let clock = self
            .cpus
            .policies
            .iter()
            .enumerate()
            .filter(|(index, _)| self.cpus.active(*index));
        let cpu = clock
            .map(|(_, policy)| self.cpus.current(policy, cpu_load))
            .max()
            .unwrap_or_default();
        self.board.draw.parts(&State {
            cores: self.cpus.online.iter().filter(|online| **online).count(),
            all_cores: self.cpus.online.len(),
            cpu: f64::from(cpu) / f64::from(self.cpus.highest().max(1)),
            gpu: self.gpu.current(gpu_load) as f64 / self.gpu.highest().max(1) as f64,
            emc: self.memory.rate(gpu_load) as f64 / self.memory.highest().max(1) as f64,
            cpu_load,
            gpu_load,
        })
    }

    /// Decides what happens to an operation on a node, and counts it.
    pub(super) fn plan(&mut self, touch: Touch, ino: Ino) -> Plan {
        self.drawn += 1;
        let nodes = &self.built.nodes;
        let mut wait = Nanos::ZERO;
        if let (true, Ok(node)) = (self.options.latencies, nodes.get(ino))
            && let Kind::Knob(attribute) = &node.kind
        {
            let chance = noise(self.options.seed, self.drawn, 0);
            wait = match touch {
                Touch::Read => latency::of_show(attribute, chance),
                _ => latency::of_store(attribute, chance),
            };
        }
        match self.armed.strike(touch, || nodes.path(ino)) {
            Some(Effect::Block(time)) => Plan {
                wait: wait + time,
                effect: None,
            },
            effect => Plan { wait, effect },
        }
    }

    /// Brings what is there into step with the state.
    pub(super) fn settle(&mut self) {
        for (index, places) in self.built.policies.clone().iter().enumerate() {
            let shown = self.cpus.shown(index);
            for ino in places {
                self.show_or_hide(*ino, shown);
            }
        }
        self.show_or_hide(self.built.userspace, self.gpu.in_userspace());
    }

    fn show_or_hide(&mut self, ino: Ino, shown: bool) {
        if let Ok(node) = self.built.nodes.get_mut(ino)
            && node.present != shown
        {
            node.present = shown;
            node.epoch += u64::from(!shown);
            self.note_below(ino);
        }
    }

    /// A fault takes a node away, with everything below it.
    pub(super) fn withhold(&mut self, ino: Ino, until: Option<Nanos>) -> Result<(), Errno> {
        let node = self.built.nodes.get_mut(ino)?;
        node.withheld = true;
        node.epoch += 1;
        self.withheld.push((ino, until));
        self.note_below(ino);
        Ok(())
    }

    fn give_back(&mut self, ino: Ino) {
        if let Ok(node) = self.built.nodes.get_mut(ino) {
            node.withheld = false;
        }
        self.note_below(ino);
    }

    /// Notes that a node and all below it came or went.
    fn note_below(&mut self, ino: Ino) {
        self.changed.push(ino);
        if let Ok(Kind::Folder { entries, .. }) = self.built.nodes.get(ino).map(|node| node.kind.clone()) {
            for child in entries.into_values() {
                self.note_below(child);
            }
        }
    }

    /// Disarms all faults and gives back what they keep away.
    pub(super) fn clear_faults(&mut self) {
        self.armed.clear();
        for (ino, _) in core::mem::take(&mut self.withheld) {
            self.give_back(ino);
        }
    }

    /// Sets the load of CPU and GPU. A GPU that works has a context, so its masks are frozen until the next start.
    pub(super) fn set_load(&mut self, cpu: f64, gpu: f64) {
        if self.load.1 > 0.0 {
            self.gpu.used(self.now);
        }
        self.load = (cpu.clamp(0.0, 1.0), gpu.clamp(0.0, 1.0));
        self.gpu.golden |= gpu > 0.0;
    }

    /// A write to a knob by other software of the board: logged, but out of reach of faults.
    pub(super) fn store_as(&mut self, name: &'static str, path: &str, text: &str) -> Result<(), Errno> {
        let ino = self.built.nodes.find(path, true)?;
        let result = self.store(ino, text.as_bytes());
        self.log_write(By::Other(name), ino, text.as_bytes(), result, Nanos::ZERO);
        result
    }

    pub(super) fn log_write(
        &mut self,
        by: By,
        ino: Ino,
        text: &[u8],
        result: Result<(), Errno>,
        took: Nanos,
    ) {
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        self.log.push(Operation {
            by,
            path: self.built.nodes.path(ino),
            text: String::from_utf8_lossy(text).into_owned(),
            result,
            took,
        });
    }

    /// Whether a mask differs from what it can no longer be changed to.
    pub(super) fn needs_reboot(&self, tpc: u64) -> bool {
        self.gpu.golden
            && self
                .gpu
                .show(GpuFile::Mask(0), 0.0, self.now)
                .is_ok_and(|mask| mask != tpc.to_string())
    }
}
