//! A server that speaks the part of the Hugging Face hub's HTTP that a download needs, as well or as badly as a test asks.
//!
//! It holds one model, `acme/tiny`. As on the hub, small files come at once and the weights from another host.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::ollama::http::Http;

/// The commit that the model is at.
pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
pub(crate) const WEIGHTS: &str = "model.safetensors";

/// What a script does to a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Another status and no content.
    Status(u16),
    /// The connection ends after so many bytes of the body.
    CutAfter(usize),
    /// A byte of the body is another.
    Garble,
}

/// A request, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) path: String,
    /// The first byte that was asked for.
    pub(crate) from: Option<usize>,
    pub(crate) token: Option<String>,
}

type Script = dyn Fn(&Asked, usize) -> Fault + Send + Sync;

/// A running server; its thread ends with the process.
pub(crate) struct Hub {
    port: u16,
    state: Arc<State>,
}

struct State {
    port: u16,
    files: BTreeMap<String, Vec<u8>>,
    script: Box<Script>,
    asked: Mutex<Vec<Asked>>,
}

/// The files of the base that lapidary carries, and some that no encoder needs.
pub(crate) fn files() -> BTreeMap<String, Vec<u8>> {
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/base-encoder");
    let names = [
        "1_Pooling/config.json",
        "config.json",
        "config_sentence_transformers.json",
        WEIGHTS,
        "modules.json",
        "sentence_bert_config.json",
        "tokenizer.json",
    ];
    let mut files: BTreeMap<String, Vec<u8>> =
        names.iter().map(|name| ((*name).to_owned(), std::fs::read(base.join(name)).unwrap())).collect();
    for unneeded in ["README.md", "pytorch_model.bin", "onnx/model.onnx", "openvino/config.json"] {
        files.insert(unneeded.to_owned(), b"nobody needs this".to_vec());
    }
    files
}

impl Hub {
    /// A good one.
    pub(crate) fn new() -> Self {
        Self::with(files(), |_, _| Fault::None)
    }

    /// With these files. The script is shown each request with the number of those of the same path before it.
    pub(crate) fn with(
        files: BTreeMap<String, Vec<u8>>,
        script: impl Fn(&Asked, usize) -> Fault + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State { port, files, script: Box::new(script), asked: Mutex::default() });
        let of_thread = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&of_thread);
                thread::spawn(move || state.serve(&stream));
            }
        });
        Self { port, state }
    }

    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state.asked.lock().unwrap().clone()
    }
}

impl State {
    fn serve(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        while let Ok(request) = Http::read(&mut reader, |bytes| (&mut &*stream).write_all(bytes)) {
            let header =
                |name: &str| request.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
            let range = header("range");
            let bounds = range.as_deref().and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
            let asked = Asked {
                path: request.path.clone(),
                from: bounds.and_then(|(from, _)| from.parse().ok()),
                token: header("authorization"),
            };
            let before = {
                let mut all = self.asked.lock().unwrap();
                all.push(asked.clone());
                all.iter().filter(|other| other.path == asked.path).count() - 1
            };
            let until = bounds.and_then(|(_, until)| until.parse().ok());
            if self.answer(stream, &asked, until, before).is_err() || request.close {
                break;
            }
        }
        let _ = stream.shutdown(std::net::Shutdown::Both);
    }

    fn answer(&self, stream: &TcpStream, asked: &Asked, until: Option<usize>, before: usize) -> io::Result<()> {
        let fault = (self.script)(asked, before);
        if let Fault::Status(status) = fault {
            return send(stream, status, &[], b"");
        }
        if asked.path == "/" {
            return send(stream, 200, &[], b"");
        }
        if let Some(revision) = asked.path.strip_prefix("/api/models/acme/tiny/revision/") {
            if !["main", "v1", COMMIT].contains(&revision) {
                return send(stream, 404, &[], b"");
            }
            let siblings: Vec<_> = self.files.keys().map(|name| json!({ "rfilename": name })).collect();
            return send(stream, 200, &[], json!({ "sha": COMMIT, "siblings": siblings }).to_string().as_bytes());
        }
        if let Some(name) = asked.path.strip_prefix(&format!("/acme/tiny/resolve/{COMMIT}/"))
            && let Some(content) = self.files.get(name)
        {
            let etag =
                Sha256::digest(content).iter().fold(String::new(), |digits, byte| digits + &format!("{byte:02x}"));
            let commit = ("X-Repo-Commit", COMMIT.to_owned());
            if name.ends_with(WEIGHTS) {
                // Another name of this machine is another host.
                let location = format!("http://localhost:{}/bytes/{name}", self.port);
                let headers = [commit, ("X-Linked-Etag", format!("\"{etag}\"")), ("Location", location)];
                return send(stream, 302, &headers, b"");
            }
            return part(stream, content, asked, until, fault, vec![commit, ("ETag", format!("\"{}\"", &etag[..40]))]);
        }
        if let Some(content) = asked.path.strip_prefix("/bytes/").and_then(|name| self.files.get(name)) {
            return part(stream, content, asked, until, fault, Vec::new());
        }
        send(stream, 404, &[], b"")
    }
}

fn part(
    stream: &TcpStream,
    content: &[u8],
    asked: &Asked,
    until: Option<usize>,
    fault: Fault,
    mut headers: Vec<(&str, String)>,
) -> io::Result<()> {
    let from = asked.from.unwrap_or(0);
    let until = until.map_or(content.len(), |last| last + 1).min(content.len());
    headers.push(("Content-Range", format!("bytes {from}-{}/{}", until - 1, content.len())));
    let mut body = content[from..until].to_vec();
    match fault {
        Fault::CutAfter(bytes) if body.len() > bytes => {
            stream_head(stream, 206, &headers, body.len())?;
            (&mut &*stream).write_all(&body[..bytes])?;
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Fault::Garble if body.len() > 1 => body[1] ^= 1,
        _ => {}
    }
    send(stream, 206, &headers, &body)
}

fn send(stream: &TcpStream, status: u16, headers: &[(&str, String)], body: &[u8]) -> io::Result<()> {
    stream_head(stream, status, headers, body.len())?;
    (&mut &*stream).write_all(body)
}

fn stream_head(mut stream: &TcpStream, status: u16, headers: &[(&str, String)], length: usize) -> io::Result<()> {
    let mut head = format!("HTTP/1.1 {status} Whatever\r\nContent-Length: {length}\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n").as_bytes())
}
