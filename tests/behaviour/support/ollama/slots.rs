//! Requests answered at once, and the queue of the others.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Instant;

use super::Busy;
use super::clients::Client;
use super::server::Server;

/// The slots and who waits for one. While somebody waits, every slot is busy.
#[derive(Default)]
pub(super) struct Line {
    busy: usize,
    waiting: VecDeque<Arc<Client>>,
    pub(super) past: Busy,
}

impl Line {
    /// Brings the times up to now; called before `busy` changes.
    pub(super) fn account(&mut self) {
        if let (Some(last), 1..) = (self.past.last, self.busy) {
            let now = Instant::now();
            self.past.total += (now - last) * self.busy as u32;
            self.past.last = Some(now);
        }
    }
}

/// A slot is given back however its request ends.
pub(super) struct Slot<'a>(&'a Server);

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut line = self.0.line.lock().unwrap();
        line.account();
        if let Some(next) = line.waiting.pop_front() {
            next.presence.lock().unwrap().slot = true;
            next.changed.notify_all();
        } else {
            line.busy -= 1;
        }
    }
}

impl Server {
    /// First come, first served; none where too many wait already.
    pub(super) fn slot(&self, client: &Arc<Client>) -> io::Result<Option<Slot<'_>>> {
        let mut line = self.line.lock().unwrap();
        if line.busy < self.slots {
            line.account();
            line.busy += 1;
            line.past.peak = line.past.peak.max(line.busy);
            line.past.last = Some(Instant::now());
            line.past.first = line.past.first.or(line.past.last);
            return Ok(Some(Slot(self)));
        }
        if line.waiting.len() >= self.queue {
            return Ok(None);
        }
        line.waiting.push_back(Arc::clone(client));
        line.past.most_waiting = line.past.most_waiting.max(line.waiting.len());
        drop(line);
        let presence = client.presence.lock().unwrap();
        drop(client.changed.wait_while(presence, |presence| !presence.slot && !presence.gone).unwrap());
        let mut line = self.line.lock().unwrap();
        line.waiting.retain(|other| !Arc::ptr_eq(other, client));
        let mut presence = client.presence.lock().unwrap();
        let (slot, gone) = (std::mem::take(&mut presence.slot).then(|| Slot(self)), presence.gone);
        drop((presence, line));
        if gone { Err(ErrorKind::ConnectionAborted.into()) } else { Ok(slot) }
    }
}
