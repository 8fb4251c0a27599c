//! What the header says about allocation: after the start neither a caller's calls nor the dispatcher's side of a
//! callback allocate.

#![allow(unsafe_code, reason = "an allocator that counts, and calls into the C ABI")]

mod counting;

use core::ffi::c_void;
use core::ptr::{null, null_mut};
use counting::calls;
use fulcrum::ffi::board::{fulcrum_board_close, fulcrum_board_open};
use fulcrum::ffi::error::fulcrum_error_t;
use fulcrum::ffi::event::{fulcrum_event_poll, fulcrum_event_t, fulcrum_events_lost, fulcrum_warning_get};
use fulcrum::ffi::feed::{
    FULCRUM_FEED_BALANCED, fulcrum_feed_close, fulcrum_feed_config_t, fulcrum_feed_draw, fulcrum_feed_open,
    fulcrum_feed_push, fulcrum_feed_statistics, fulcrum_feed_statistics_t,
};
use fulcrum::ffi::request::{
    fulcrum_bound, fulcrum_completion_t, fulcrum_now_ns, fulcrum_poll, fulcrum_request_t, fulcrum_submit,
};
use fulcrum::ffi::runtime::{fulcrum_close, fulcrum_open, fulcrum_runtime_t, fulcrum_start};
use fulcrum::ffi::sampler::{
    fulcrum_sample_t, fulcrum_sampler_blocked, fulcrum_sampler_poll, fulcrum_sampler_reset,
    fulcrum_sampler_start,
};
use fulcrum::ffi::statistics::{fulcrum_stream_statistics, fulcrum_stream_statistics_t};
use fulcrum::ffi::status::{FULCRUM_EMPTY, FULCRUM_OK, fulcrum_status_text};
use fulcrum::ffi::stream::{FULCRUM_SPORADIC, fulcrum_stream_add, fulcrum_stream_t};
use fulcrum::ffi::weights::fulcrum_revert;
use fulcrum::twin::tree::{Options, Tree};
use std::ffi::CString;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// The dispatcher thread's count, as its callback saw it first and last.
#[derive(Default)]
struct Seen {
    first: AtomicU64,
    last: AtomicU64,
    runs: AtomicU64,
}

unsafe extern "C" fn note(user: *mut c_void, _: *const fulcrum_request_t, _: u32, _: *mut u64) -> i32 {
    // SAFETY: `user` is the `Seen` of the test below, which outlives the runtime.
    let seen = unsafe { &*user.cast::<Seen>() };
    if seen.runs.fetch_add(1, SeqCst) == 0 {
        seen.first.store(calls(), SeqCst);
    }
    seen.last.store(calls(), SeqCst);
    0
}

unsafe extern "C" fn take(_: *mut c_void, _: u32, _: u32) {}

#[test]
fn after_the_start_no_call_and_no_callback_allocates() {
    let seen = Seen::default();
    let stream = fulcrum_stream_t {
        size: size_of::<fulcrum_stream_t>() as u32,
        flags: FULCRUM_SPORADIC,
        name: c"camera".as_ptr(),
        period_ns: 1_000_000_000,
        jitter_ns: 0,
        deadline_ns: 1_000_000_000,
        cost_ns: 1_000_000,
        minibatch: 1,
        reserved: 0,
        run: Some(note),
        completed: None,
        user: core::ptr::from_ref(&seen).cast_mut().cast(),
        priority: 0,
        overdue: 0,
        burst: 0,
        piece_count: 0,
        piece_ns: null(),
        run_piece: None,
        apply: Some(take),
        memory_bytes: 0,
    };
    let mut rt: *mut fulcrum_runtime_t = null_mut();
    let mut number = 0;
    // SAFETY: every pointer is what the call asks for, and `seen` outlives the runtime.
    unsafe {
        assert_eq!(fulcrum_open(null(), &mut rt, null_mut()), FULCRUM_OK);
        assert_eq!(
            fulcrum_stream_add(rt, &stream, &mut number, null_mut()),
            FULCRUM_OK
        );
        assert_eq!(fulcrum_start(rt, null_mut()), FULCRUM_OK);
        let mut completion = core::mem::zeroed::<fulcrum_completion_t>();
        let mut statistics = core::mem::zeroed::<fulcrum_stream_statistics_t>();
        statistics.size = size_of::<fulcrum_stream_statistics_t>() as u32;
        let mut error = core::mem::zeroed::<fulcrum_error_t>();
        let (mut event, mut count, mut version) = (fulcrum_event_t::default(), 0, 0);
        let before = calls();
        for token in 0..100 {
            let mut statuses = fulcrum_submit(rt, number, token, fulcrum_now_ns());
            while fulcrum_poll(rt, number, &mut completion) == FULCRUM_EMPTY {
                core::hint::spin_loop();
            }
            while fulcrum_event_poll(rt, &mut event) == FULCRUM_OK {}
            statuses |= fulcrum_bound(rt, number, &mut count);
            statuses |= fulcrum_stream_statistics(rt, number, &mut statistics);
            statuses |= fulcrum_events_lost(rt, &mut count);
            // Refusals are as quiet.
            let _ = (
                fulcrum_submit(rt, 99, token, 0),
                fulcrum_warning_get(rt, 99, &mut error),
                fulcrum_revert(rt, number, &mut version),
            );
            let _ = fulcrum_status_text(statuses);
            assert_eq!(statuses, FULCRUM_OK);
        }
        assert_eq!(calls(), before, "the caller's thread");
        fulcrum_close(rt);
    }
    assert_eq!(seen.runs.load(SeqCst), 100);
    assert_eq!(
        seen.first.load(SeqCst),
        seen.last.load(SeqCst),
        "the dispatcher's thread"
    );
}

#[test]
fn a_poll_of_the_sampler_allocates_nothing() {
    let folder = std::env::temp_dir().join(format!("fulcrum-allocation-{}", std::process::id()));
    let tree = Tree::open("orin-nano", Options::default());
    assert!(tree.is_ok_and(|tree| tree.write_plain(&folder).is_ok()));
    let root = CString::new(folder.to_str().unwrap_or_default()).unwrap_or_default();
    let mut board = null_mut();
    // SAFETY: every pointer is what the call asks for.
    unsafe {
        assert_eq!(
            fulcrum_board_open(root.as_ptr(), &mut board, null_mut()),
            FULCRUM_OK
        );
        assert_eq!(fulcrum_sampler_start(board, 1_000_000, null_mut()), FULCRUM_OK);
        let mut sample = core::mem::zeroed::<fulcrum_sample_t>();
        sample.size = size_of::<fulcrum_sample_t>() as u32;
        let (mut moment, before) = (0, calls());
        while fulcrum_sampler_poll(board, &mut sample) == FULCRUM_EMPTY {
            assert_eq!(fulcrum_sampler_blocked(board, &mut moment), FULCRUM_OK);
        }
        assert_eq!(fulcrum_sampler_reset(board, &mut moment), FULCRUM_OK);
        assert_eq!(calls(), before);
        assert!(sample.at_ns > 0);
        assert_eq!(fulcrum_board_close(board, null_mut()), FULCRUM_OK);
    }
    assert!(std::fs::remove_dir_all(&folder).is_ok());
}

#[test]
fn neither_pushing_nor_drawing_samples_allocates() {
    // SAFETY: integers alone, for which zero is a value.
    let mut config = unsafe { core::mem::zeroed::<fulcrum_feed_config_t>() };
    config.size = size_of::<fulcrum_feed_config_t>() as u32;
    (config.policy, config.classes) = (FULCRUM_FEED_BALANCED, 3);
    (config.values, config.capacity, config.waiting) = (5, 20, 4);
    let mut feed = null_mut();
    let (mut values, mut labels) = ([0.0; 10], [0; 2]);
    // SAFETY: as above.
    let mut statistics = unsafe { core::mem::zeroed::<fulcrum_feed_statistics_t>() };
    statistics.size = size_of::<fulcrum_feed_statistics_t>() as u32;
    // SAFETY: every pointer is what the call asks for, and the feed is open until the last line.
    unsafe {
        assert_eq!(fulcrum_feed_open(&config, &mut feed, null_mut()), FULCRUM_OK);
        let before = calls();
        for number in 0..100 {
            fulcrum_feed_push(feed, [number as f32; 5].as_ptr(), 5, number % 4);
            if number % 2 == 0 {
                fulcrum_feed_draw(feed, 2, values.as_mut_ptr(), labels.as_mut_ptr());
            }
        }
        assert_eq!(fulcrum_feed_statistics(feed, &mut statistics), FULCRUM_OK);
        assert_eq!(calls() - before, 0);
        assert!(statistics.draws > 40 && statistics.refused > 20);
        fulcrum_feed_close(feed);
    }
}

#[cfg(feature = "onnx")]
mod onnx {
    //! The callbacks of the ONNX engine. ONNX Runtime's own few hundred bytes come from C's allocator.

    use super::counting::calls;
    use core::ffi::c_void;
    use core::mem::zeroed;
    use core::ptr::{null, null_mut};
    use fulcrum::ffi::feed::{
        fulcrum_feed_close, fulcrum_feed_config_t, fulcrum_feed_open, fulcrum_feed_push,
    };
    use fulcrum::ffi::job::fulcrum_job_t;
    use fulcrum::ffi::onnx_engine::{fulcrum_onnx_engine_close, fulcrum_onnx_engine_open};
    use fulcrum::ffi::onnx_model::{
        FULCRUM_ONNX_SWAPS, fulcrum_onnx_model_apply, fulcrum_onnx_model_close, fulcrum_onnx_model_config_t,
        fulcrum_onnx_model_open, fulcrum_onnx_model_run,
    };
    use fulcrum::ffi::onnx_trainer::{
        fulcrum_onnx_trainer_close, fulcrum_onnx_trainer_config_t, fulcrum_onnx_trainer_eval,
        fulcrum_onnx_trainer_fill, fulcrum_onnx_trainer_job, fulcrum_onnx_trainer_open,
        fulcrum_onnx_trainer_run_piece, fulcrum_onnx_trainer_save,
    };
    use fulcrum::ffi::request::fulcrum_request_t;
    use fulcrum::ffi::weights::fulcrum_score_t;

    const ROW: usize = 64;

    unsafe extern "C" fn input(
        _: *mut c_void,
        _: *const fulcrum_request_t,
        row: *mut f32,
        values: u32,
    ) -> i32 {
        // SAFETY: there are so many values.
        unsafe { core::slice::from_raw_parts_mut(row, values as usize) }.fill(0.5);
        0
    }

    #[test]
    fn once_made_a_model_and_a_trainer_allocate_nothing_on_our_side() {
        // SAFETY: every pointer is what the call asks for; zero is what the structs take for default.
        unsafe {
            let (mut engine, mut model, mut trainer) = (null_mut(), null_mut(), null_mut());
            let mut feed = null_mut();
            let feed_config = fulcrum_feed_config_t {
                size: size_of::<fulcrum_feed_config_t>() as u32,
                values: ROW as u32,
                capacity: 64,
                ..zeroed()
            };
            assert_eq!(fulcrum_feed_open(&feed_config, &mut feed, null_mut()), 0);
            assert_eq!(fulcrum_onnx_engine_open(null(), &mut engine, null_mut()), 0);
            let model_config = fulcrum_onnx_model_config_t {
                size: size_of::<fulcrum_onnx_model_config_t>() as u32,
                model: c"tests/fixtures/tiny_infer.onnx".as_ptr(),
                weights: c"tests/fixtures/tiny_weights.onnx".as_ptr(),
                input: Some(input),
                row: ROW as u32,
                outputs: 3,
                flags: FULCRUM_ONNX_SWAPS,
                ..zeroed()
            };
            let opened = fulcrum_onnx_model_open(engine, &model_config, &mut model, null_mut());
            assert_eq!(opened, 0);
            let trainer_config = fulcrum_onnx_trainer_config_t {
                size: size_of::<fulcrum_onnx_trainer_config_t>() as u32,
                row: ROW as u32,
                step: c"tests/fixtures/tiny_step.onnx".as_ptr(),
                weights: c"tests/fixtures/tiny_weights.onnx".as_ptr(),
                feed,
                lr: 0.01,
                held_out_every: 2,
                held_out: 8,
                ..zeroed()
            };
            let opened = fulcrum_onnx_trainer_open(engine, model, &trainer_config, &mut trainer, null_mut());
            assert_eq!(opened, 0);
            let mut job = fulcrum_job_t {
                size: size_of::<fulcrum_job_t>() as u32,
                ..zeroed()
            };
            assert_eq!(fulcrum_onnx_trainer_job(trainer, &mut job), 0);
            let (mut answer, mut loss) = (0, 0.0);
            let mut score = fulcrum_score_t::default();
            let request = zeroed::<fulcrum_request_t>();
            let mut state = vec![0_u8; 1 << 18];
            let (model_user, user) = (model.cast(), trainer.cast());
            let before = calls();
            for sample in 0..48 {
                assert_eq!(
                    fulcrum_feed_push(feed, [0.1; ROW].as_ptr(), ROW as u32, sample % 3),
                    0
                );
            }
            for round in 0..20 {
                assert_eq!(fulcrum_onnx_model_run(model_user, &request, 1, &mut answer), 0);
                for piece in 0..job.piece_count {
                    let ran = fulcrum_onnx_trainer_run_piece(user, piece, &mut loss);
                    assert_eq!(ran, i32::from(piece + 1 == job.piece_count));
                }
                let (spare, serving) = (1 + round % 2, 2 - round % 2);
                for part in 0..job.fill_count {
                    assert_eq!(fulcrum_onnx_trainer_fill(user, spare, part), 0);
                }
                assert_eq!(fulcrum_onnx_trainer_eval(user, spare, 0, &mut score), 0);
                assert_eq!(fulcrum_onnx_trainer_eval(user, serving, 0, &mut score), 0);
                fulcrum_onnx_model_apply(model_user, spare, round + 1);
                for part in 0..2 {
                    let (room, bytes) = (state.as_mut_ptr().cast(), state.len() as u64);
                    assert!(fulcrum_onnx_trainer_save(user, part, room, bytes) > 0);
                }
                // Refusals are as quiet.
                let _ = (
                    fulcrum_onnx_model_run(model_user, &request, 0, &mut answer),
                    fulcrum_onnx_trainer_run_piece(user, 99, &mut loss),
                    fulcrum_onnx_trainer_fill(user, spare, 0),
                );
            }
            assert_eq!(calls(), before);
            assert!(score.samples > 0 && loss > 0.0);
            fulcrum_onnx_trainer_close(trainer);
            fulcrum_onnx_model_close(model);
            fulcrum_onnx_engine_close(engine);
            fulcrum_feed_close(feed);
        }
    }
}
