//! The [`Subject`] of a verb is the board below a root, and the way its values are printed.

use clap::Args;
use fulcrum::board::{Machine, Root};
use std::io::{self, Write};
use std::path::PathBuf;

/// What every verb that looks at a board takes.
#[derive(Args)]
pub(crate) struct Subject {
    /// Folder that the board's files lie under; / is this machine
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
    /// Print JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

impl Subject {
    /// Reads what the board is and offers.
    pub(crate) fn open(&self) -> Result<Machine, String> {
        let root = self.root.display();
        if let Err(error) = std::fs::read_dir(&self.root) {
            return Err(format!(
                "the folder {root} cannot be read: {error}; name another with --root"
            ));
        }
        let found = Machine::detect(Root::new(&self.root));
        found.map_err(|error| format!("{root} is no board: {error} (name it with --root)"))
    }

    /// The option that names this board, to be printed in an example; empty for this machine.
    pub(crate) fn option(&self) -> String {
        if self.root.as_os_str() == "/" {
            String::new()
        } else {
            format!(" --root {}", self.root.display())
        }
    }
}

/// Whether the board is known to be simulated: a mounted twin has a folder that no board has.
pub(crate) fn is_simulated(machine: &Machine) -> bool {
    machine.root().exists(".twin")
}

/// The board's name, and `(simulated)` where that is known.
pub(crate) fn name(machine: &Machine) -> String {
    let simulated = if is_simulated(machine) { " (simulated)" } else { "" };
    format!("{}{simulated}", machine.identity())
}

/// A file of the board with the root before it, as a shell takes it.
pub(crate) fn file(machine: &Machine, path: &str) -> String {
    machine.root().join(path).display().to_string()
}

/// Kilohertz as megahertz with all digits there are: 420.75, 1113.6, 2133.
pub(crate) fn megahertz(khz: u32) -> String {
    format!("{}.{:03}", khz / 1_000, khz % 1_000)
        .trim_end_matches('0')
        .trim_end_matches('.')
        .to_owned()
}

/// Cores as the kernel lists them: `0-3,6`.
pub(crate) fn ranges(cores: &[u8]) -> String {
    let mut runs: Vec<(u8, u8)> = Vec::new();
    for core in cores {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(*core) => *last = *core,
            _ => runs.push((*core, *core)),
        }
    }
    let runs = runs.iter().map(|(first, last)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        }
    });
    runs.collect::<Vec<_>>().join(",")
}

/// Prints to standard output; says whether there is still somebody who reads it.
pub(crate) fn print(text: &str) -> Result<bool, String> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        // Whoever read this has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(format!("the result could not be written: {error}")),
    }
}

/// `value` as one JSON object over several lines.
pub(crate) fn json<T: serde::Serialize>(value: &T) -> Result<String, String> {
    let text = serde_json::to_string_pretty(value);
    text.map(|text| text + "\n")
        .map_err(|error| format!("the result is no JSON: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_listed_as_the_kernel_lists_them() {
        assert_eq!(ranges(&[0, 1, 2, 3, 6]), "0-3,6");
        assert_eq!(ranges(&[255]), "255");
        assert_eq!(ranges(&[]), "");
    }

    #[test]
    fn megahertz_have_all_digits_and_no_more() {
        assert_eq!(
            [420_750, 1_113_600, 2_133_000, 0].map(megahertz),
            ["420.75", "1113.6", "2133", "0"]
        );
    }
}
