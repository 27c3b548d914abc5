//! Connections: one thread reads, one answers, and whoever waits in between learns that the client is gone.

use std::io::{self, BufReader, ErrorKind, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::http::Http;
use super::server::Server;

pub(super) fn accept(server: &Arc<Server>, listener: &TcpListener) {
    loop {
        let accepted = listener.accept();
        if !server.running.load(SeqCst) {
            return;
        }
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors, most likely.
            thread::sleep(Duration::from_millis(10));
            continue;
        };
        let _ = stream.set_nodelay(true);
        let client = Arc::new(Client { stream, presence: Mutex::default(), changed: Condvar::new() });
        let mut clients = server.clients.lock().unwrap();
        clients.retain(|client| client.strong_count() > 0);
        clients.push(Arc::downgrade(&client));
        let (sender, requests) = channel();
        let (server, reader) = (Arc::clone(server), Arc::clone(&client));
        let _ = spawn(move || {
            let mut stream = BufReader::new(&reader.stream);
            while let Ok(request) = Http::read(&mut stream, |bytes| reader.send(bytes)) {
                if sender.send(request).is_err() {
                    break;
                }
            }
            reader.leave(false);
        });
        let _ = spawn(move || {
            // Also when a script panics.
            let guard = Leaving(client);
            server.serve(&guard.0, &requests);
        });
    }
}

struct Leaving(Arc<Client>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.leave(false);
    }
}

pub(super) fn spawn(work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name("ollama".to_owned()).stack_size(512 << 10).spawn(work)
}

pub(super) struct Client {
    stream: TcpStream,
    pub(super) presence: Mutex<Presence>,
    pub(super) changed: Condvar,
}

#[derive(Default)]
pub(super) struct Presence {
    /// A slot was handed over that the waiting thread has not taken yet.
    pub(super) slot: bool,
    pub(super) gone: bool,
    /// Gone because the server stopped.
    pub(super) cut: bool,
}

impl Client {
    pub(super) fn leave(&self, cut: bool) {
        let mut presence = self.presence.lock().unwrap();
        presence.cut |= cut;
        presence.gone = true;
        drop(presence);
        self.changed.notify_all();
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// Waits so long; an error as soon as the client is gone.
    pub(super) fn rest(&self, time: Duration) -> io::Result<()> {
        let presence = self.presence.lock().unwrap();
        let (presence, _) = self.changed.wait_timeout_while(presence, time, |presence| !presence.gone).unwrap();
        if presence.gone { Err(ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }

    pub(super) fn send(&self, bytes: &[u8]) -> io::Result<()> {
        (&self.stream).write_all(bytes)
    }
}
