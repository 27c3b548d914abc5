use super::*;
use crate::progress::Scalars;

fn take(run: &mut LiveRun, t: u64, event: Event) {
    run.take(LoggedEvent { v: 1, t, event });
}

fn scalar(step: u64, loss: f64) -> Event {
    Event::Scalar { step, values: Scalars::from([("loss", loss)]) }
}

fn start() -> Event {
    Event::Start { job: "tune".into(), settings: serde_json::json!({"epochs": 2.0}), device: "cpu".into() }
}

#[test]
fn the_median_tells_how_long_it_will_take() {
    let mut run = LiveRun::new("r", 0.9);
    take(&mut run, 0, start());
    for step in 1..=10 {
        let slow = if step > 5 { 60_000 } else { 0 };
        take(&mut run, step * 1000 + slow, scalar(step, 1.0));
    }
    take(&mut run, 80_000, Event::progress(10, 100, "steps"));
    assert_eq!(run.median_step(), Some(1.0));
    assert_eq!(run.eta(), Some(90.0));
    assert_eq!(run.epochs(50.0), Some((1.0, 2.0)));
}

#[test]
fn a_resumed_run_goes_on_from_its_checkpoint() {
    let mut run = LiveRun::new("r", 0.0);
    take(&mut run, 0, start());
    for step in 1..=8 {
        take(&mut run, step * 10, scalar(step, step as f64));
    }
    take(&mut run, 60, Event::Checkpoint { step: 5, path: String::new(), best: false });
    take(&mut run, 90, Event::Checkpoint { step: 8, path: String::new(), best: true });
    for (step, score) in [(0, 0.3), (8, 0.5)] {
        take(&mut run, 95, Event::Eval { step, values: Scalars::from([("mrr10", score)]) });
    }
    take(&mut run, 100, start());
    take(&mut run, 110, scalar(6, 60.0));
    assert_eq!(run.latest("loss"), Some(60.0));
    assert_eq!(run.scalars["loss"].len(), 6);
    assert_eq!(run.checkpoints, [(5, false)]);
    assert_eq!(run.resumed, [5]);
    assert_eq!(run.evals["mrr10"].x(), [0.0], "the score of step 8 is to come again");
}

#[test]
fn what_is_kept_is_bounded() {
    let mut run = LiveRun::new("r", 0.0);
    for n in 0..2000 {
        take(&mut run, n, Event::note(n.to_string()));
    }
    assert_eq!(run.messages.len(), KEPT);
    assert_eq!(run.messages.back().unwrap().2, "1999");
}

#[test]
fn a_job_that_tells_its_numbers_is_not_counted_by_what_is_seen_of_it() {
    let tally = |kept, rejected, paused| Event::Tally {
        kept,
        rejected: [("copied".to_owned(), rejected)].into(),
        failed: 0,
        tokens_per_s: 40.0,
        in_flight: 2,
        concurrency: 2,
        paused,
    };
    let mut run = LiveRun::new("r", 0.0);
    take(&mut run, 0, start());
    take(&mut run, 1, Event::phase("ask qwen3:8b"));
    for second in 0..=10 {
        take(&mut run, second * 1000, tally(second * 3, second, false));
        let pair = Event::Pair { passage: "p".into(), query: "q".into(), source: "natural".into(), rejected: None };
        take(&mut run, second * 1000, pair);
    }
    assert_eq!((run.kept, run.rejected["copied"], run.pairs.len()), (30, 10, 11));
    assert_eq!((run.pairs_per_s(), run.model.as_deref()), (Some(4.0), Some("qwen3:8b")));
    // It waits for an hour, and goes on as fast as before: the hour is no part of its pace.
    for second in 11..3600 {
        take(&mut run, second * 1000, tally(30, 10, true));
    }
    assert_eq!(run.pairs_per_s(), None);
    for second in 3600..3605 {
        take(&mut run, second * 1000, tally(30 + (second - 3600) * 3, 10 + (second - 3600), false));
    }
    assert_eq!(run.pairs_per_s(), Some(4.0));
    take(&mut run, 4_000_000, start());
    assert_eq!((run.tally.as_ref(), run.pairs_per_s()), (None, None), "a resumed run tells its numbers anew");
}
