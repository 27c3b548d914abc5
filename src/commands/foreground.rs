//! A job in the foreground: a bar on a terminal, JSON lines for a program, silence otherwise.

use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::progress::{Clock, Event, Observer};
use crate::runs::LoggedEvent;

use super::output::Format;

/// Draws events on stderr and listens to Ctrl-C.
pub(super) struct Foreground<'a> {
    format: Format,
    bar: Mutex<ProgressBar>,
    scores: Mutex<String>,
    interrupted: Arc<AtomicBool>,
    clock: &'a dyn Clock,
    terminal: bool,
}

impl<'a> Foreground<'a> {
    pub(super) fn new(format: Format, interrupted: Arc<AtomicBool>, clock: &'a dyn Clock) -> Self {
        let terminal = format == Format::Plain && std::io::stderr().is_terminal();
        Self { format, bar: Mutex::new(ProgressBar::hidden()), scores: Mutex::default(), interrupted, clock, terminal }
    }

    /// Takes the bar off the screen.
    pub(super) fn clear(&self) {
        self.bar.lock().unwrap_or_else(std::sync::PoisonError::into_inner).finish_and_clear();
    }

    fn draw(&self, event: &Event) {
        let bar = self.bar.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match event {
            Event::Progress { done, total, unit } => {
                bar.set_length(total.unwrap_or(*done));
                bar.set_position(*done);
                let scores = self.scores.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                bar.set_message(format!("{unit}  {scores}"));
            }
            Event::Scalar { values, .. } => {
                if let Some(loss) = values.0.get("loss") {
                    *self.scores.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = format!("loss {loss:.4}");
                }
            }
            Event::Eval { step, values } => {
                let shown: Vec<String> = values.0.iter().map(|(name, value)| format!("{name} {value:.4}")).collect();
                bar.println(format!("  step {step}: dev {}", shown.join("  ")));
            }
            Event::Note { text } => bar.println(format!("  {text}")),
            Event::Warning { text } => bar.println(format!("  warning: {text}")),
            Event::End { .. } => bar.finish_and_clear(),
            _ => {}
        }
    }

    fn next_phase(&self, name: &str) {
        let mut bar = self.bar.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        bar.finish_and_clear();
        let style = ProgressStyle::with_template("  {prefix:<22} {bar:24} {pos}/{len} {per_sec} eta {eta} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        *bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(4)).with_style(style);
        bar.set_prefix(name.to_owned());
    }
}

impl Observer for Foreground<'_> {
    fn on(&self, event: Event) {
        if self.format == Format::Json {
            let logged = LoggedEvent { v: 1, t: self.clock.unix_ms(), event };
            if let Ok(line) = serde_json::to_string(&logged) {
                let _ = writeln!(std::io::stderr().lock(), "{line}");
            }
        } else if self.terminal {
            if let Event::Phase { name } = &event {
                self.next_phase(name);
            }
            self.draw(&event);
        } else if let Event::Warning { text } = &event {
            let _ = writeln!(std::io::stderr().lock(), "warning: {text}");
        }
    }

    fn stop_requested(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }
}

/// A flag that Ctrl-C and SIGTERM raise; the second one ends the process at once.
pub(super) fn interrupt_flag() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // In this order: a raised flag ends the process, and only then is it raised.
        let _ = signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&flag));
        let _ = signal_hook::flag::register(signal, Arc::clone(&flag));
    }
    flag
}
