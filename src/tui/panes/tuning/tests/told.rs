//! Runs as their logs would tell them: made up, so that screens stay what they are.

#[allow(clippy::wildcard_imports)] // a part of these tests, parted for reading
use super::*;

pub(super) fn settings(name: &str) -> serde_json::Value {
    json!({"name": name, "epochs": 3.0, "lr": 5e-5, "max_grad_norm": 10.0, "batch": 32})
}

pub(super) fn status(id: &str, name: &str, state: State, created: u64) -> Status {
    Status {
        id: id.into(),
        job: "tune".into(),
        state,
        stalled: false,
        by_heartbeat: false,
        created_unix_ms: created,
        started_unix_ms: Some(created),
        last_event_unix_ms: Some(NOW),
        device: "cuda:0".into(),
        settings: settings(name),
        phase: "train".into(),
        progress: None,
        step_ms: Some(1000.0),
        error: None,
        result: serde_json::Value::Null,
        garbage: 0,
        problem: None,
        loading: false,
    }
}

pub(super) fn noise(step: u64) -> f64 {
    (step.wrapping_mul(2_654_435_761) >> 7 & 0xffff) as f64 / 65_536.0
}

pub(super) fn loss(step: u64, scale: f64) -> f64 {
    2.0 * (-(step as f64) / scale).exp() + 0.35 + 0.25 * noise(step)
}

pub(super) fn scalar(step: u64, total: u64, scale: f64) -> Event {
    let warm = (step as f64 / (total as f64 * 0.1)).min(1.0);
    let values = Scalars::from([
        ("loss", if step == 97 { f64::NAN } else { loss(step, scale) }),
        ("learning_rate", 5e-5 * warm * (1.0 - step as f64 / total as f64).max(0.0)),
        ("gradient_norm", 4.0 + 8.0 * noise(step + 7) * (-(step as f64) / scale).exp() + noise(step)),
        ("pairs_per_s", 30.0 + noise(step) * 2.0),
        ("tokens_per_s", 7_900.0 + noise(step)),
    ]);
    Event::Scalar { step, values }
}

pub(super) fn start(name: &str) -> Event {
    Event::Start { job: "tune".into(), settings: settings(name), device: "cuda:0".into() }
}

/// The events of a run up to a step, as the trainer says them.
pub(super) fn told(
    name: &str,
    steps: std::ops::RangeInclusive<u64>,
    total: u64,
    scale: f64,
    begun: u64,
) -> Vec<LoggedEvent> {
    let mut events = Vec::new();
    let mut t = begun;
    let mut say = |t: u64, event: Event| events.push(LoggedEvent { v: 1, t, event });
    if *steps.start() <= 1 {
        say(t, start(name));
        say(t, Event::phase("tokenize"));
        say(t, Event::Eval { step: 0, values: [("mrr10_bm25", 0.667)].into() });
        say(t, Event::Eval { step: 0, values: [("mrr10", 0.352)].into() });
        say(t, Event::phase("train"));
    }
    let values = [
        ("gpu_percent", 81.0),
        ("gpu_memory_used_mib", 6_350.0),
        ("gpu_memory_total_mib", 143_771.0),
        ("cpu_percent", 104.0),
    ];
    say(t, Event::System { values: values.into() });
    for step in steps {
        t = begun + step * STEP_MS;
        say(t, scalar(step, total, scale));
        say(t, Event::progress(step as usize, total as usize, "steps"));
        if step.is_multiple_of(25) {
            let score = 0.503 - 0.151 * (-(step as f64) / 60.0).exp();
            say(t, Event::phase("dev"));
            say(t, Event::Eval { step, values: [("mrr10", score)].into() });
            if step <= 175 {
                say(t, Event::Checkpoint { step, path: "best".into(), best: true });
            }
            say(t, Event::phase("train"));
        }
        if step.is_multiple_of(50) {
            say(t, Event::Checkpoint { step, path: "c".into(), best: false });
        }
    }
    events
}
