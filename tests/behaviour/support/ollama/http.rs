//! HTTP: a request off the wire, and a response onto it, whole, in chunks, torn or cut.

use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::time::Duration;

use serde_json::{Value, json};

use super::clients::Client;

pub(crate) struct Http {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Names in small letters, values as they came.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) close: bool,
}

impl Http {
    /// `go_on` sends what a client waits for before its body.
    pub(crate) fn read(stream: &mut impl BufRead, go_on: impl Fn(&[u8]) -> io::Result<()>) -> io::Result<Self> {
        let first = read_line(stream)?;
        let mut parts = first.split(' ');
        let method = parts.next().unwrap_or_default().to_owned();
        let path = parts.next().and_then(|path| path.split('?').next()).unwrap_or_default().to_owned();
        let (mut length, mut chunked, mut close) = (0, false, false);
        let mut headers = Vec::new();
        loop {
            let line = read_line(stream)?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
            match (name.to_ascii_lowercase().as_str(), value.trim().to_ascii_lowercase().as_str()) {
                ("content-length", value) => length = value.parse().map_err(|_| ErrorKind::InvalidData)?,
                ("transfer-encoding", "chunked") => chunked = true,
                ("connection", "close") => close = true,
                ("expect", "100-continue") => go_on(b"HTTP/1.1 100 Continue\r\n\r\n")?,
                _ => {}
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body)?;
        while chunked {
            let size = u64::from_str_radix(&read_line(stream)?, 16).map_err(|_| ErrorKind::InvalidData)?;
            stream.by_ref().take(size).read_to_end(&mut body)?;
            read_line(stream)?;
            chunked = size > 0;
        }
        Ok(Self { method, path, headers, body, close })
    }
}

fn read_line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    line.truncate(line.trim_end().len());
    Ok(line)
}

impl Client {
    pub(super) fn respond(&self, status: u16, body: &Value) -> io::Result<bool> {
        let text = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
        let mut bytes = head(status, Some(text.len())).into_bytes();
        bytes.extend(text.as_bytes());
        self.send(&bytes).map(|()| true)
    }

    pub(super) fn fail(&self, status: u16, error: &str) -> io::Result<bool> {
        self.respond(status, &json!({ "error": error }))
    }
}

fn head(status: u16, length: Option<usize>) -> String {
    let (kind, framing) = match length {
        Some(length) => ("application/json; charset=utf-8", format!("Content-Length: {length}")),
        None => ("application/x-ndjson", "Transfer-Encoding: chunked".to_owned()),
    };
    let reason = if status == 200 { "OK" } else { "Error" };
    format!("HTTP/1.1 {status} {reason}\r\nContent-Type: {kind}\r\n{framing}\r\n\r\n")
}

/// The body of a response on its way out; held back until somebody waits for it, so a fast answer is one write.
pub(super) struct Wire<'a> {
    client: &'a Client,
    chunked: bool,
    torn: bool,
    held: Vec<u8>,
}

impl<'a> Wire<'a> {
    /// Without a length, in HTTP chunks.
    pub(super) fn new(client: &'a Client, length: Option<usize>, torn: bool) -> Self {
        Self { client, chunked: length.is_none(), torn, held: head(200, length).into_bytes() }
    }

    pub(super) fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        for piece in if self.torn { tear(bytes) } else { vec![bytes] } {
            if self.chunked {
                write!(self.held, "{:x}\r\n", piece.len())?;
            }
            self.held.extend(piece);
            if self.chunked {
                self.held.extend(b"\r\n");
            }
            if self.torn {
                self.rest(Duration::from_millis(2))?;
            }
        }
        Ok(())
    }

    pub(super) fn line(&mut self, value: &Value) -> io::Result<()> {
        self.put(format!("{value}\n").as_bytes())
    }

    pub(super) fn rest(&mut self, time: Duration) -> io::Result<()> {
        if !time.is_zero() {
            self.flush()?;
            self.client.rest(time)?;
        }
        Ok(())
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.client.send(&std::mem::take(&mut self.held))
    }

    pub(super) fn close(mut self) -> io::Result<bool> {
        if self.chunked {
            self.held.extend(b"0\r\n\r\n");
        }
        self.flush().map(|()| true)
    }
}

/// Cuts inside characters, a dozen times at most.
fn tear(bytes: &[u8]) -> Vec<&[u8]> {
    let mut cuts: Vec<usize> = (1..bytes.len()).filter(|&at| bytes[at - 1] >= 0xc0).collect();
    if cuts.is_empty() {
        cuts.push(bytes.len() / 2);
    }
    let mut from = 0;
    let mut pieces = Vec::new();
    for &at in cuts.iter().step_by(cuts.len().div_ceil(12)).chain([&bytes.len()]) {
        pieces.push(&bytes[from..at]);
        from = at;
    }
    pieces
}

/// Promises a whole line and ends after the first byte of its "é".
pub(super) fn cut(mut wire: Wire, line: &Value) -> io::Result<bool> {
    let line = line.to_string();
    if wire.chunked {
        write!(wire.held, "{:x}\r\n", line.len())?;
    }
    let until = line.find('é').map_or(0, |at| at + 1);
    wire.held.extend(&line.as_bytes()[..until]);
    wire.flush().map(|()| false)
}
