//! A [config](fulcrum_config_t) says how a runtime is made.

#![allow(unsafe_code)]

use super::fault::Fault;
use super::sized::Growing;
use crate::runtime::{Options, Realtime};
use crate::schedule::Policy;
use crate::units::Nanos;

/// The default policy, which is FULCRUM_POLICY_SLACK.
pub const FULCRUM_POLICY_DEFAULT: u32 = 0;
/// First come, first served: what a hardware queue does. For comparison.
pub const FULCRUM_POLICY_FCFS: u32 = 1;
/// The published managed interleaving: a minibatch, then as many whole training steps as fit into the cycle.
pub const FULCRUM_POLICY_FULCRUM: u32 = 2;
/// Earliest deadline first; a training piece runs only where it delays no promised answer.
pub const FULCRUM_POLICY_SLACK: u32 = 3;
/// The ready stream of the highest priority at each piece border, training when none is ready.
pub const FULCRUM_POLICY_PRIORITY: u32 = 4;
/// The ready stream of the earliest deadline at each piece border, training when none is ready.
pub const FULCRUM_POLICY_EDF: u32 = 5;
/// First come, first served, with four pieces of each job in the queue.
pub const FULCRUM_POLICY_IN_FLIGHT: u32 = 6;
/// Training and inference take turns; a turn of training is 4 ms and the piece it is in.
pub const FULCRUM_POLICY_TIME_SLICE: u32 = 7;

/// Config flag: start although admission says no. Bounds are printed and checked all the same.
pub const FULCRUM_START_UNFIT: u32 = 1;
/// Config flag: lock the process's memory, present and future. Refused without the right to: a warning, not an error.
pub const FULCRUM_LOCK_MEMORY: u32 = 2;
/// Config flag: run the dispatcher on processor `cpu` only.
pub const FULCRUM_PIN_CPU: u32 = 4;

/// All flags a config may carry.
const FLAGS: u32 = FULCRUM_START_UNFIT | FULCRUM_LOCK_MEMORY | FULCRUM_PIN_CPU;

/// How a runtime is made. Zero means default in every field but `size`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct fulcrum_config_t {
    /// sizeof(fulcrum_config_t); set it before anything else.
    pub size: u32,
    /// One of FULCRUM_POLICY_*.
    pub policy: u32,
    /// Time from a decision to the first instruction of the work, the wake-up included, ns. Part of every bound.
    /// Default 200000: generous on a system without real-time priorities.
    pub switch_ns: u64,
    /// How far a training piece may overrun its announced length, ns. Part of every bound. Default 500000.
    pub late_ns: u64,
    /// FULCRUM_START_UNFIT, FULCRUM_LOCK_MEMORY, FULCRUM_PIN_CPU, or-ed.
    pub flags: u32,
    /// SCHED_FIFO priority of the dispatcher thread, 1 to 99; 0 asks for none. Refused without the right to: a warning. Training
    /// then leaves as much of each second free as the kernel keeps from real-time threads (kernel.sched_rt_runtime_us, 5 %
    /// by default) and one per cent more, so that the kernel never stops the dispatcher; with -1 it leaves nothing free.
    pub priority: u32,
    /// Processor for FULCRUM_PIN_CPU, counted from 0; else 0.
    pub cpu: u32,
    /// Must be 0.
    pub reserved: u32,
    /// The most bytes that streams and jobs may hold together, by what each of them says of itself: admission
    /// refuses more with FULCRUM_ERR_MEMORY (324). 0: nobody counts.
    pub memory_bytes: u64,
}

const _: () = assert!(
    core::mem::size_of::<fulcrum_config_t>() == 48,
    "the fields fill it, without padding"
);
const _: () = assert!(
    core::mem::offset_of!(fulcrum_config_t, cpu) == 32,
    "the first release is frozen"
);

// SAFETY: repr(C), a u32 first, integers only; the fields' sizes add up to 48, so there is no padding.
unsafe impl Growing for fulcrum_config_t {
    const NAME: &'static str = "fulcrum_config_t";
    const FIRST: u32 = 40;
}

impl fulcrum_config_t {
    /// The options this config stands for.
    pub(super) fn options(&self) -> Result<Options, Fault> {
        let defaults = Options::default();
        if self.flags & !FLAGS != 0 {
            return Err(Fault::TooNew(
                "config.flags has a flag this release of fulcrum does not know",
            ));
        }
        if self.reserved != 0 {
            return Err(Fault::TooNew("config.reserved must be 0"));
        }
        if self.priority > 99 {
            return Err(Fault::Argument("config.priority is outside 0 to 99"));
        }
        let pinned = self.flags & FULCRUM_PIN_CPU != 0;
        if self.cpu != 0 && !pinned {
            return Err(Fault::Argument("config.cpu is set without FULCRUM_PIN_CPU"));
        }
        Ok(Options {
            memory: Some(self.memory_bytes).filter(|bytes| *bytes > 0),
            policy: match self.policy {
                FULCRUM_POLICY_DEFAULT => defaults.policy,
                FULCRUM_POLICY_FCFS => Policy::Fcfs,
                FULCRUM_POLICY_FULCRUM => Policy::Fulcrum,
                FULCRUM_POLICY_SLACK => Policy::Slack,
                FULCRUM_POLICY_PRIORITY => Policy::Priority,
                FULCRUM_POLICY_EDF => Policy::Edf,
                FULCRUM_POLICY_IN_FLIGHT => Policy::IN_FLIGHT,
                FULCRUM_POLICY_TIME_SLICE => Policy::TIME_SLICE,
                _ => {
                    return Err(Fault::TooNew(
                        "config.policy is no policy this release of fulcrum knows",
                    ));
                }
            },
            switch: or_default(self.switch_ns, defaults.switch),
            late: or_default(self.late_ns, defaults.late),
            start_unfit: self.flags & FULCRUM_START_UNFIT != 0,
            realtime: Realtime {
                priority: u8::try_from(self.priority).ok().filter(|priority| *priority > 0),
                cpu: pinned.then_some(self.cpu as usize),
                lock_memory: self.flags & FULCRUM_LOCK_MEMORY != 0,
            },
            log_decisions: false,
        })
    }
}

fn or_default(ns: u64, default: Nanos) -> Nanos {
    if ns == 0 { default } else { Nanos(ns) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZERO: fulcrum_config_t = fulcrum_config_t {
        size: 48,
        policy: 0,
        switch_ns: 0,
        late_ns: 0,
        flags: 0,
        priority: 0,
        cpu: 0,
        reserved: 0,
        memory_bytes: 0,
    };

    #[test]
    fn a_zero_config_is_the_default() {
        assert_eq!(
            format!("{:?}", ZERO.options().unwrap()),
            format!("{:?}", Options::default())
        );
    }

    #[test]
    fn each_field_reaches_its_option() {
        let all = fulcrum_config_t {
            policy: 1,
            switch_ns: 2,
            late_ns: 3,
            flags: 7,
            priority: 4,
            cpu: 5,
            memory_bytes: 6,
            ..ZERO
        };
        let options = all.options().unwrap();
        assert_eq!(
            (options.policy, options.switch, options.late),
            (Policy::Fcfs, Nanos(2), Nanos(3))
        );
        assert_eq!(options.memory, Some(6));
        let realtime = Realtime {
            priority: Some(4),
            cpu: Some(5),
            lock_memory: true,
        };
        assert_eq!((options.start_unfit, options.realtime), (true, realtime));
    }

    #[test]
    fn what_is_unknown_or_out_of_range_is_refused() {
        let wrong = [
            (fulcrum_config_t { policy: 8, ..ZERO }, 103),
            (fulcrum_config_t { flags: 8, ..ZERO }, 103),
            (fulcrum_config_t { reserved: 1, ..ZERO }, 103),
            (
                fulcrum_config_t {
                    priority: 100,
                    ..ZERO
                },
                101,
            ),
            (fulcrum_config_t { cpu: 1, ..ZERO }, 101),
        ];
        for (config, code) in wrong {
            assert_eq!(config.options().unwrap_err().code(), code, "{config:?}");
        }
    }
}
