//! The terminal: taken over on entry, given back on every way out.
//!
//! A frame is gathered in memory and sent in one write, between synchronized-update marks. [`restore`] is idempotent and
//! is what drop, panic, SIGTERM, Ctrl-Z and hang-up all call. Nothing else in the workbench writes to the terminal.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use crossterm::{Command, cursor, queue};
use ratatui::backend::CrosstermBackend;
use ratatui::{Frame, Terminal};

/// Bytes of a frame that are gathered without growing the buffer.
const FRAME: usize = 64 << 10;

/// Whether the terminal is ours.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// Whether the mouse was switched on, and must be switched off on the way out.
static MOUSE: AtomicBool = AtomicBool::new(false);

/// Reports buttons and drags, in SGR coordinates, and not every movement: a hovering hand must not flood a slow link.
struct Mouse(bool);

impl Command for Mouse {
    fn write_ansi(&self, f: &mut impl std::fmt::Write) -> std::fmt::Result {
        f.write_str(if self.0 { "\x1b[?1002h\x1b[?1006h" } else { "\x1b[?1006l\x1b[?1002l" })
    }
}

/// Where ratatui writes a frame: flushing is not sending.
#[derive(Debug, Clone, Default)]
pub struct Gathered(Arc<Mutex<Vec<u8>>>);

impl Gathered {
    /// What was gathered since the last call.
    pub fn take(&self) -> Vec<u8> {
        let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *bytes, Vec::with_capacity(FRAME))
    }
}

impl Write for Gathered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The terminal while the workbench has it.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<Gathered>>,
    gathered: Gathered,
    synchronized: bool,
    /// How long the last send took: the link's own measure.
    pub last_send: Duration,
}

impl Screen {
    /// Takes the terminal over.
    pub fn enter(synchronized: bool) -> io::Result<Self> {
        // With NO_COLOR set crossterm would reset bold and underline; the palette leaves colours out by itself.
        crossterm::style::force_color_output(true);
        let gathered = Gathered::default();
        let terminal = blank(&gathered)?;
        let mut screen = Self { terminal, gathered, synchronized, last_send: Duration::ZERO };
        screen.take()?;
        Ok(screen)
    }

    /// Takes the terminal again, after a stop: everything is drawn anew with the next frame.
    pub fn take(&mut self) -> io::Result<()> {
        enable_raw_mode()?;
        TAKEN.store(true, Ordering::SeqCst);
        queue!(self.gathered, EnterAlternateScreen, cursor::Hide, EnableBracketedPaste)?;
        if MOUSE.load(Ordering::SeqCst) {
            queue!(self.gathered, Mouse(true))?;
        }
        queue!(self.gathered, Clear(ClearType::All))?;
        self.terminal = blank(&self.gathered)?;
        self.send()
    }

    /// Switches the mouse on or off.
    pub fn mouse(&mut self, on: bool) -> io::Result<()> {
        MOUSE.store(on, Ordering::SeqCst);
        queue!(self.gathered, Mouse(on))?;
        self.send()
    }

    /// Sends a sequence of its own, such as a copy to the clipboard.
    pub fn command(&mut self, command: impl Command) -> io::Result<()> {
        queue!(self.gathered, command)?;
        self.send()
    }

    /// Draws a frame and sends what changed. Returns the bytes sent.
    pub fn draw(&mut self, view: impl FnOnce(&mut Frame<'_>)) -> io::Result<usize> {
        self.terminal.draw(view)?;
        let frame = self.gathered.take();
        if self.synchronized {
            queue!(self.gathered, BeginSynchronizedUpdate)?;
            self.gathered.write_all(&frame)?;
            queue!(self.gathered, EndSynchronizedUpdate)?;
        } else {
            self.gathered.write_all(&frame)?;
        }
        let length = frame.len();
        self.send()?;
        Ok(length)
    }

    fn send(&mut self) -> io::Result<()> {
        let bytes = self.gathered.take();
        let begun = Instant::now();
        send(&bytes)?;
        self.last_send = begun.elapsed();
        Ok(())
    }
}

/// A terminal that takes the screen for empty, so that the next frame is drawn whole. ratatui's own way to clear one asks
/// where the cursor is, and waits for an answer that the keys' thread may swallow or a slow link delay.
fn blank(gathered: &Gathered) -> io::Result<Terminal<CrosstermBackend<Gathered>>> {
    Terminal::new(CrosstermBackend::new(gathered.clone()))
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back, if it is ours. Safe to call at any time, from any thread, any number of times.
pub fn restore() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut way_out = Vec::new();
    let _ = queue!(way_out, EndSynchronizedUpdate);
    if MOUSE.load(Ordering::SeqCst) {
        let _ = queue!(way_out, Mouse(false));
    }
    let _ = queue!(way_out, DisableBracketedPaste, cursor::Show, LeaveAlternateScreen);
    // The terminal may be gone: then there is nothing to give back.
    let _ = send(&way_out);
    let _ = disable_raw_mode();
}

/// Writes to the terminal itself, past the buffers of the standard library.
fn send(mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(rustix::stdio::stdout(), bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::AGAIN) => {
                let stdout = rustix::stdio::stdout();
                let mut wait = [rustix::event::PollFd::new(&stdout, rustix::event::PollFlags::OUT)];
                let _ = rustix::event::poll(&mut wait, None);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Makes a panic of the thread that draws give the terminal back before it is told. Threads that work for it report
/// their panics themselves, and must not tear the screen down.
pub fn restore_on_panic() {
    let drawing = std::thread::current().id();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() == drawing {
            restore();
            before(info);
        }
    }));
}

/// Blocks until the terminal behind stdin is gone. crossterm's own reader never notices: it would spin for ever.
pub fn wait_for_hang_up() {
    let stdin = rustix::stdio::stdin();
    loop {
        // No interest at all: hang-up and errors are reported regardless.
        let mut watched = [rustix::event::PollFd::new(&stdin, rustix::event::PollFlags::empty())];
        match rustix::event::poll(&mut watched, None) {
            Ok(_) if !watched[0].revents().is_empty() => return,
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

/// Stops this process and all of its group, as Ctrl-Z does in a shell; returns once it is continued.
pub fn stop_group() {
    restore();
    // SIGTSTP has a handler here; SIGSTOP has none anywhere.
    let _ = rustix::process::kill_current_process_group(rustix::process::Signal::STOP);
}
