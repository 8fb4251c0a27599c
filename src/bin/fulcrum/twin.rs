//! `fulcrum twin`: a simulated Jetson as files.

use clap::{Args, Subcommand, ValueEnum};
use fulcrum::twin::fuse::Mount;
use fulcrum::twin::tree::{Hotplug, Options, Tree};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::error::Error;
use std::path::{Path, PathBuf};

/// A simulated Jetson as files.
///
/// Its nodes behave as the board's kernel does: writes are checked, rounded and clamped, cores go offline with their
/// clocks, sensors refresh every 430 ms. Nothing of it is real.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    act: Act,
}

#[derive(Subcommand)]
enum Act {
    /// Name the boards that can be simulated
    List,
    /// Mount a simulated board on a folder, until Ctrl-C or umount
    #[command(after_help = MOUNT_EXAMPLES)]
    Mount(MountArguments),
    /// Write a simulated board as ordinary files, without rules, where nothing can be mounted
    #[command(after_help = "Examples:
  fulcrum twin plain /tmp/jetson --board orin-nano
  cat /tmp/jetson/proc/device-tree/model")]
    Plain {
        /// An empty or missing folder
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// The simulated board; see `fulcrum twin list`
        #[arg(long)]
        board: String,
    },
}

const MOUNT_EXAMPLES: &str = "Examples:
  mkdir /tmp/jetson; fulcrum twin mount /tmp/jetson --board orin-nano &
  cd /tmp/jetson/sys/devices/system/cpu
  cat cpufreq/policy0/scaling_max_freq; echo 960000 > cpufreq/policy0/scaling_max_freq
  echo 0 > cpu4/online; echo 0 > cpu5/online; ls cpufreq      the second policy is gone
  echo 'load cpu=0.5 gpu=0.8' > /tmp/jetson/.twin/control     work for the sensors to see
  echo 'fault write nth=3 errno=EIO' > /tmp/jetson/.twin/control
  cat /tmp/jetson/.twin/log                                   every write so far
  umount /tmp/jetson";

#[derive(Args)]
struct MountArguments {
    /// The folder, which must exist
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The simulated board; see `fulcrum twin list`
    #[arg(long)]
    board: String,
    /// What becomes of a cluster's clocks when all of its cores are offline
    #[arg(long, value_enum, default_value_t = Variant::Vanish)]
    hotplug: Variant,
    /// Writes take as long as was measured on a board
    #[arg(long)]
    latencies: bool,
    /// Seed of sensor noise, latencies and boot ids
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Variant {
    /// Their folder is gone
    Vanish,
    /// Their folder stays, and refuses writes
    Keep,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    match &arguments.act {
        Act::List => {
            for (name, title) in Tree::boards() {
                println!("{name:<12} {title}");
            }
            Ok(())
        }
        Act::Mount(arguments) => mount(arguments),
        Act::Plain { folder, board } => plain(folder, board),
    }
}

fn mount(arguments: &MountArguments) -> Result<(), Box<dyn Error>> {
    let options = Options {
        seed: arguments.seed,
        hotplug: match arguments.hotplug {
            Variant::Vanish => Hotplug::Vanish,
            Variant::Keep => Hotplug::Keep,
        },
        latencies: arguments.latencies,
        ..Options::default()
    };
    let tree = Tree::open(&arguments.board, options)?;
    let mount = Mount::new(tree, &arguments.folder)?;
    let unmounter = mount.unmounter();
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    // Ends with the program: it waits for a signal that may never come.
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for _ in signals.forever() {
                if !unmounter.unmount() {
                    // A program still has a file open; the mount would live until it is closed, and this program is asked
                    // to end now.
                    std::process::exit(0);
                }
            }
        })?;
    println!(
        "simulated {} at {}; Ctrl-C or `umount {1}` ends it",
        arguments.board,
        mount.folder().display()
    );
    mount.wait()?;
    Ok(())
}

fn plain(folder: &Path, board: &str) -> Result<(), Box<dyn Error>> {
    let tree = Tree::open(board, Options::default())?;
    tree.write_plain(folder)
        .map_err(|error| format!("{} could not be written: {error}", folder.display()))?;
    println!(
        "simulated {board} as ordinary files in {}; their rules are gone",
        folder.display()
    );
    Ok(())
}
