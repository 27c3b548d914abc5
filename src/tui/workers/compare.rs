//! Embeds and ranks.

use std::sync::mpsc::Receiver;

use super::Outbox;
use crate::workspace::Workspace;

/// What can be asked.
#[derive(Debug)]
pub enum Question {}

/// What is answered.
#[derive(Debug)]
pub enum Answer {}

/// Answers questions until nobody asks any more.
pub(super) fn work(_workspace: &Workspace, _device: &str, questions: &Receiver<Question>, _outbox: &Outbox) {
    while let Ok(question) = questions.recv() {
        match question {}
    }
}
