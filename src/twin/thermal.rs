//! Temperature: two nodes, die and heat sink, each a heat capacity behind a thermal resistance.

/// Parameters of the two nodes.
#[derive(Clone, Copy, Debug)]
pub struct Thermal {
    /// Air temperature, C.
    pub ambient: f64,
    /// Resistance from die to heat sink, K/W.
    pub die_to_sink: f64,
    /// Resistance from heat sink to air, K/W.
    pub sink_to_air: f64,
    /// Heat capacity of the die and its lid, J/K.
    pub die_heat: f64,
    /// Heat capacity of the heat sink, J/K.
    pub sink_heat: f64,
}

/// Temperatures of the nodes, C.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Nodes {
    pub(super) die: f64,
    pub(super) sink: f64,
}

impl Thermal {
    /// Where the nodes come to rest at `watts`.
    pub(super) fn at_rest(&self, watts: f64) -> Nodes {
        let sink = self.ambient + watts * self.sink_to_air;
        Nodes {
            die: sink + watts * self.die_to_sink,
            sink,
        }
    }

    /// The nodes after `seconds` at `watts`. Implicit, so that a step of any length ends between now and rest.
    pub(super) fn after(&self, now: Nodes, watts: f64, seconds: f64) -> Nodes {
        let (to_sink, to_air) = (1.0 / self.die_to_sink, 1.0 / self.sink_to_air);
        let (die, sink) = (self.die_heat / seconds, self.sink_heat / seconds);
        // die' and sink' from  die (die' - now) = watts - to_sink (die' - sink')
        //                     sink (sink' - now) = to_sink (die' - sink') - to_air (sink' - ambient)
        let die_known = watts + die * now.die;
        let sink_known = sink * now.sink + to_air * self.ambient;
        let die_sum = die + to_sink;
        let next_sink = (sink_known + to_sink * die_known / die_sum)
            / (sink + to_air + to_sink - to_sink * to_sink / die_sum);
        Nodes {
            die: (die_known + to_sink * next_sink) / die_sum,
            sink: next_sink,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIT: Thermal = Thermal {
        ambient: 25.0,
        die_to_sink: 0.25,
        sink_to_air: 0.4,
        die_heat: 20.0,
        sink_heat: 300.0,
    };

    #[test]
    fn a_constant_power_ends_at_rest_and_never_beyond() {
        let rest = KIT.at_rest(40.0);
        let mut nodes = KIT.at_rest(10.0);
        for _ in 0..10_000 {
            let next = KIT.after(nodes, 40.0, 0.43);
            assert!(next.die >= nodes.die - 1e-9 && next.die <= rest.die + 1e-9);
            nodes = next;
        }
        assert!((nodes.die - rest.die).abs() < 0.01 && (nodes.sink - rest.sink).abs() < 0.01);
    }

    #[test]
    fn the_die_follows_power_sooner_than_the_sink() {
        let now = KIT.at_rest(10.0);
        let soon = KIT.after(now, 40.0, 5.0);
        assert!(soon.die - now.die > 3.0 * (soon.sink - now.sink));
    }
}
