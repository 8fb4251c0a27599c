//! An [`Adversary`] is other software of the board that writes the same knobs, so that drift can be tested.
//!
//! Source of what each does: shared/design/jetson.md 2.5 and 4.4.

use super::kernel::Kernel;
use super::preset;
use core::fmt;
use rustix::io::Errno;

/// Other software of the board, and what it does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adversary {
    /// `nvpmodel -m ID`: every row of the mode in the file's order, and a note of it.
    Nvpmodel(u32),
    /// `jetson_clocks`: lowest to highest on CPU and GPU, memory locked at its cap, idle states and rail gate off.
    JetsonClocks,
    /// `jetson_clocks --restore`: what was found, except that the memory lock may stay.
    JetsonClocksRestore {
        /// Whether it leaves `mrq_rate_locked` at 1, as was seen.
        leaves_lock: bool,
    },
    /// Thermal cooling: the CPU and the GPU to at most half their highest clock, or no longer. No request of ours
    /// changes.
    Cooling(bool),
    /// `nvfancontrol`: the fan's duty, 0 to 255.
    Fan(u8),
}

/// Why an adversary did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AdversaryError {
    /// The board has no mode of this id.
    NoSuchMode(u32),
    /// The mode has another mask, and the GPU was used since the boot.
    NeedsReboot(u32),
    /// A write failed where the real program would stop.
    Write(Errno),
}

impl fmt::Display for AdversaryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AdversaryError::NoSuchMode(id) => write!(f, "this board has no mode with the id {id}"),
            AdversaryError::NeedsReboot(id) => {
                write!(
                    f,
                    "mode {id} changes the GPU's mask, and the GPU was used: reboot first"
                )
            }
            AdversaryError::Write(errno) => write!(f, "a write of the other program failed: {errno}"),
        }
    }
}

impl core::error::Error for AdversaryError {}

impl Kernel {
    pub(super) fn act(&mut self, adversary: Adversary) -> Result<(), AdversaryError> {
        match adversary {
            Adversary::Nvpmodel(id) => self.nvpmodel(id),
            Adversary::JetsonClocks => self.jetson_clocks().map_err(AdversaryError::Write),
            Adversary::JetsonClocksRestore { leaves_lock } => self
                .jetson_clocks_restore(leaves_lock)
                .map_err(AdversaryError::Write),
            Adversary::Cooling(on) => {
                self.hot = on;
                let cpu = self.cpus.highest() / 2;
                let gpu = self.gpu.highest() / 2;
                self.cpus.cooling = if on { cpu } else { u32::MAX };
                self.gpu.cooling = if on { gpu } else { u64::MAX };
                Ok(())
            }
            Adversary::Fan(duty) => {
                let path = "sys/devices/platform/pwm-fan/hwmon/hwmon0/pwm1";
                self.store_as("nvfancontrol", path, &duty.to_string())
                    .map_err(AdversaryError::Write)
            }
        }
    }

    fn nvpmodel(&mut self, id: u32) -> Result<(), AdversaryError> {
        let preset = self.board.presets.iter().find(|preset| preset.id == id);
        let preset = *preset.ok_or(AdversaryError::NoSuchMode(id))?;
        if self.needs_reboot(preset.tpc) {
            return Err(AdversaryError::NeedsReboot(id));
        }
        for (path, text) in preset::writes(&self.board, &preset) {
            self.store_as("nvpmodel", &path, &text)
                .map_err(AdversaryError::Write)?;
        }
        let note = format!("pmode:{id:04}{}\n", self.board.fan_mode);
        let status = self.built.status;
        let nodes = &mut self.built.nodes;
        let written = nodes
            .resize(status, 0)
            .and_then(|()| nodes.write_at(status, 0, note.as_bytes()));
        written.map(|_| ()).map_err(AdversaryError::Write)
    }

    fn jetson_clocks(&mut self) -> Result<(), Errno> {
        let mut wanted = Vec::new();
        for (index, policy) in self.cpus.policies.iter().enumerate() {
            if self.cpus.active(index) {
                let (_, max) = self.cpus.limits(policy);
                let path = format!(
                    "sys/devices/system/cpu/cpufreq/policy{}/scaling_min_freq",
                    policy.first
                );
                wanted.push((path, max.to_string()));
            }
        }
        for core in 0..self.cpus.online.len() {
            for state in 0..2 {
                let path = format!("sys/devices/system/cpu/cpu{core}/cpuidle/state{state}/disable");
                wanted.push((path, "1".to_owned()));
            }
        }
        let gpu = self.board.gpu_path;
        wanted.push((format!("{}/railgate_enable", gpu.folder), "0".to_owned()));
        let devfreq = format!("{}/devfreq/{}", gpu.folder, gpu.name);
        let max = self.text(&format!("{devfreq}/max_freq"))?;
        wanted.push((format!("{devfreq}/min_freq"), max));
        let emc = "sys/kernel/debug/bpmp/debug/clk/emc";
        wanted.push((format!("{emc}/mrq_rate_locked"), "1".to_owned()));
        wanted.push((format!("{emc}/rate"), self.memory.cap().to_string()));
        self.found.clear();
        for (path, text) in wanted {
            self.found.push((path.clone(), self.text(&path)?));
            self.store_as("jetson_clocks", &path, &text)?;
        }
        Ok(())
    }

    fn jetson_clocks_restore(&mut self, leaves_lock: bool) -> Result<(), Errno> {
        for (path, text) in core::mem::take(&mut self.found) {
            if !(leaves_lock && path.ends_with("mrq_rate_locked")) {
                self.store_as("jetson_clocks", &path, &text)?;
            }
        }
        Ok(())
    }

    /// What a file shows, without the newline.
    fn text(&self, path: &str) -> Result<String, Errno> {
        let shown = self.show(self.built.nodes.find(path, true)?)?;
        Ok(String::from_utf8_lossy(&shown).trim_end().to_owned())
    }
}
