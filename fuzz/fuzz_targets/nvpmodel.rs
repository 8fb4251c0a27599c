//! Any bytes as an nvpmodel.conf: the parser never panics, and what it takes is whole.

#![no_main]

use fulcrum::board::nvpmodel::{Conf, Excerpt};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| match Conf::parse(text) {
    Ok(conf) => {
        assert!(conf.mode(conf.default_id()).is_some());
        for mode in conf.modes() {
            assert!(!mode.rows().is_empty());
            let effect = mode.effect();
            assert!(effect.cpu.is_none_or(|clock| clock.0 > 0));
            let _ = conf.needs_reboot(mode);
        }
        for warning in conf.warnings() {
            assert!(warning.line > 0 && !warning.what.to_string().is_empty());
        }
    }
    Err(error) => {
        assert!(error.at.line > 0 && error.at.column > 0);
        let excerpt = Excerpt { text, at: error.at }.to_string();
        assert!(excerpt.is_ascii() && excerpt.lines().count() == 2);
    }
});
