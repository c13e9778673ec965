//! `ingest.drop`: identity and account events of strangers, read and dropped on one core.

use std::hint::black_box;

use indexer::Intake;
use nix::time::{ClockId, clock_gettime};
use serde_json::Value;
use service::config::SourceKind;

use crate::{dice::Dice, load, mix::foreign, report::Measured};

/// The bar: events a second.
const EVENTS: f64 = 500_000.0;
const FRAMES: usize = 100_000;
const ROUNDS: usize = 20;

pub fn measure() -> Measured {
    let mut dice = Dice::new(3);
    let frames: Vec<String> = (0..FRAMES as i64).map(|n| foreign(&mut dice, 1_790_000_000_000_000 + n)).collect();
    let intake = Intake::default();
    let value = rate(&frames, |frame| intake.text(SourceKind::JetstreamV1, frame, 1_790_000_000_000_000).is_none());
    let reference = rate(&frames, |frame| serde_json::from_str::<Value>(frame).is_ok());
    Measured {
        bench: "ingest.drop",
        value,
        unit: "events/s",
        reference: "serde_json",
        reference_value: reference,
        bars: vec![(format!("at least {EVENTS} events/s on one core"), value >= EVENTS)],
        note: format!("decoded, judged, dropped; a second of one core's time; load {}", load()),
    }
}

/// How many frames a second of CPU gets through.
fn rate(frames: &[String], read: impl Fn(&str) -> bool) -> f64 {
    let began = thread_seconds();
    for _ in 0..ROUNDS {
        for frame in frames {
            assert!(black_box(read(black_box(frame))), "a stranger's event was taken: {frame}");
        }
    }
    (frames.len() * ROUNDS) as f64 / (thread_seconds() - began)
}

/// The CPU time of this thread.
fn thread_seconds() -> f64 {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .map_or(f64::NAN, |time| time.tv_sec() as f64 + time.tv_nsec() as f64 / 1e9)
}
