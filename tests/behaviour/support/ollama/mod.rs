//! A server that speaks Ollama's HTTP API over TCP, as well or as badly as a test asks for.
//!
//! No model is behind it: it answers with words of the passage it is shown. Each connection has one thread that reads
//! and one that answers, so a client that hangs up is noticed while its answer is still due. Nothing polls.

#![allow(dead_code, reason = "each test uses the part it needs")]

mod clients;
pub(super) mod http;
mod models;
mod questions;
mod replies;
mod routes;
mod server;
mod slots;

pub(crate) use questions::answer;

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;

use clients::{accept, spawn};
use models::{Model, tagged};
use server::Server;

/// How the server treats one request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// What was asked for.
    Good,
    /// Closes the connection without a byte.
    Refuse,
    /// An error with this message; a text that begins with `{` or `<` is the whole body, as a proxy would send it.
    Status(u16, String),
    /// Some text, then an error under status 200; without streaming, status 500.
    ErrorLine(String),
    /// Closes the connection inside a character of a line.
    CutStream,
    /// The good answer in writes and HTTP chunks that end inside characters; an ASCII line is cut once, anywhere.
    SplitCharacter,
    /// Exactly this content.
    Text(String),
    /// This prose between think tags, then the good answer, all in the content.
    Thinking(String),
    /// Thoughts in their own field, then the good answer.
    ThinkingField,
    /// The good answer in a Markdown fence.
    Fenced,
    /// The good answer between one brace too many.
    DoubleBraces,
    /// A first line, then nothing for so long, then the rest.
    Silence(Duration),
    /// Not even a header for so long, then the good answer.
    SlowLoad(Duration),
    /// Half of the good answer, ended for its length.
    Truncated,
    /// Tokens until the client hangs up; without streaming, nothing until then.
    Endless,
}

/// What a script decides by.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) body: Arc<Value>,
    /// The passage in the last message of the user, or that whole message.
    pub(crate) passage: String,
    /// How many requests this server saw before.
    pub(crate) number: usize,
    /// How often this server saw the passage before.
    pub(crate) attempt: usize,
}

/// A request to answer something, as it went. Loading and unloading are not among them.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) path: String,
    /// Null where the builder was told to forget bodies.
    pub(crate) body: Arc<Value>,
    /// The passage's first 40 characters.
    pub(crate) passage: String,
    /// Tells whole passages apart.
    pub(crate) hash: u64,
    /// When it arrived, before any wait for a slot.
    pub(crate) began: Instant,
    /// Set before the client can read the end of its answer.
    pub(crate) ended: Option<Instant>,
    /// 0 until the answer's end.
    pub(crate) status: u16,
    pub(crate) hung_up: bool,
}

/// How well the slots were used.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Busy {
    pub(crate) slots: usize,
    /// Over all slots.
    pub(crate) total: Duration,
    pub(crate) first: Option<Instant>,
    pub(crate) last: Option<Instant>,
    /// The most slots busy at once.
    pub(crate) peak: usize,
    /// The most requests queued at once.
    pub(crate) most_waiting: usize,
}

impl Busy {
    /// The part of slots times wall time that was busy, from the first request to the last.
    pub(crate) fn share(&self) -> f64 {
        let wall = self.first.zip(self.last).map_or(0.0, |(first, last)| (last - first).as_secs_f64());
        if wall > 0.0 { self.total.as_secs_f64() / (wall * self.slots as f64) } else { 0.0 }
    }
}

/// A server to be; it has only an embedding model so far.
pub(crate) struct Builder {
    server: Server,
}

impl Builder {
    pub(crate) fn model(mut self, name: &str, capabilities: &[&str]) -> Self {
        let capabilities = capabilities.iter().map(ToString::to_string).collect();
        self.server.models.get_mut().unwrap().push(Model { name: tagged(name), capabilities });
        self
    }

    /// Requests answered at once; the others queue. 4 unless told.
    pub(crate) fn slots(mut self, slots: usize) -> Self {
        self.server.slots = slots;
        self
    }

    /// Requests that may queue before the server says that it is busy. 512 unless told.
    pub(crate) fn queue(mut self, queue: usize) -> Self {
        self.server.queue = queue;
        self
    }

    /// How long an answer keeps its slot. No time unless told.
    pub(crate) fn answer_after(mut self, time: Duration) -> Self {
        self.server.answer_after = time;
        self
    }

    /// Lines with text in a streamed answer. 4 unless told.
    pub(crate) fn chunks(mut self, chunks: usize) -> Self {
        self.server.chunks = chunks.max(1);
        self
    }

    pub(crate) fn script(mut self, script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        self.server.script = Box::new(script);
        self
    }

    /// Keeps memory small over a long run.
    pub(crate) fn forget_bodies(mut self) -> Self {
        self.server.keep_bodies = false;
        self
    }

    pub(crate) fn start(mut self) -> Ollama {
        // Below the ports that systems hand out: while the server is stopped no other socket gets its port.
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let listener = (0..12_000).find_map(|_| {
            let port = 20_000 + (std::process::id().wrapping_mul(37) + NEXT.fetch_add(1, SeqCst)) % 12_000;
            TcpListener::bind((Ipv4Addr::LOCALHOST, port as u16)).ok()
        });
        let listener = listener.expect("no free port from 20000 to 31999");
        self.server.port = listener.local_addr().unwrap().port();
        let ollama = Ollama { server: Arc::new(self.server), acceptor: Mutex::new(None) };
        ollama.listen(listener);
        ollama
    }
}

/// A running server; dropping it stops it.
pub(crate) struct Ollama {
    server: Arc<Server>,
    acceptor: Mutex<Option<JoinHandle<()>>>,
}

impl Ollama {
    /// A server with this model and an embedding model.
    pub(crate) fn start(model_name: &str) -> Self {
        Self::builder().model(model_name, &["completion"]).start()
    }

    pub(crate) fn builder() -> Builder {
        let server = Server {
            slots: 4,
            queue: 512,
            answer_after: Duration::ZERO,
            chunks: 4,
            keep_bodies: true,
            script: Box::new(|_| Reply::Good),
            port: 0,
            running: AtomicBool::new(false),
            models: Mutex::default(),
            clients: Mutex::default(),
            line: Mutex::default(),
            log: Mutex::default(),
        };
        Builder { server }.model("nomic-embed-text:latest", &["embedding"])
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port)
    }

    /// The requests for an answer so far, in order.
    pub(crate) fn requests(&self) -> Vec<Seen> {
        self.server.log.lock().unwrap().seen.clone()
    }

    pub(crate) fn busy(&self) -> Busy {
        let mut line = self.server.line.lock().unwrap();
        line.account();
        Busy { slots: self.server.slots, ..line.past }
    }

    /// The models in memory.
    pub(crate) fn loaded(&self) -> Vec<String> {
        self.server.log.lock().unwrap().loaded.clone()
    }

    /// The models that a request without a message loaded, and when.
    pub(crate) fn loads(&self) -> Vec<(String, Instant)> {
        self.server.log.lock().unwrap().loads.clone()
    }

    /// The models that a request told to leave memory, and when.
    pub(crate) fn unloads(&self) -> Vec<(String, Instant)> {
        self.server.log.lock().unwrap().unloads.clone()
    }

    /// The models that were to be pulled.
    pub(crate) fn pulls(&self) -> Vec<String> {
        self.server.log.lock().unwrap().pulls.clone()
    }

    /// Cuts every connection and refuses new ones, as a server that was killed.
    pub(crate) fn stop(&self) {
        let Some(acceptor) = self.acceptor.lock().unwrap().take() else { return };
        self.server.running.store(false, SeqCst);
        // Wakes the thread that waits for a connection.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.server.port));
        let _ = acceptor.join();
        for client in self.server.clients.lock().unwrap().drain(..).filter_map(|client| client.upgrade()) {
            client.leave(true);
        }
        self.server.log.lock().unwrap().loaded.clear();
    }

    /// Comes back on the same port.
    pub(crate) fn restart(&self) {
        if self.acceptor.lock().unwrap().is_some() {
            return;
        }
        let listener = (0..100).find_map(|_| {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.server.port)).ok();
            listener.or_else(|| {
                thread::sleep(Duration::from_millis(50));
                None
            })
        });
        self.listen(listener.expect("the port was taken while the server was stopped"));
    }

    fn listen(&self, listener: TcpListener) {
        self.server.running.store(true, SeqCst);
        let server = Arc::clone(&self.server);
        *self.acceptor.lock().unwrap() = spawn(move || accept(&server, &listener)).ok();
    }
}

impl Drop for Ollama {
    fn drop(&mut self) {
        self.stop();
    }
}
