//! One question to a language model, and its answer as it comes.

use std::time::Duration;

use ollama_rs::generation::chat::ChatMessage;
use ollama_rs::generation::chat::request::ChatMessageRequest;
use ollama_rs::generation::parameters::{FormatType, JsonStructure, KeepAlive, ThinkType, TimeUnit};
use ollama_rs::models::ModelOptions;
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::lines::Lines;
use super::{Address, CONNECT, Trouble, whole};

/// A line longer than this is none of Ollama's.
const LONGEST_LINE: usize = 1 << 20;
/// Bytes that a token may have, on average over an answer.
const BYTES_PER_TOKEN: usize = 32;
/// Pieces that may come beyond the tokens that were allowed: a server may count otherwise.
const SLACK: u64 = 64;

/// Whether a model that can think before it answers should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pairs) enum Thinking {
    /// Nothing is said of it: the model cannot.
    Unsaid,
    /// It should not.
    Off,
    /// It cannot do without, and should keep it short.
    Low,
}

/// What is asked.
#[derive(Debug, Clone)]
pub(in crate::pairs) struct Asking {
    /// The messages: who speaks, and what; `system`, `user`, `assistant`.
    pub(in crate::pairs) messages: Vec<(&'static str, String)>,
    /// The JSON schema of the answer.
    pub(in crate::pairs) schema: Value,
    /// Tokens of prompt and answer.
    pub(in crate::pairs) num_ctx: usize,
    /// Tokens of the answer.
    pub(in crate::pairs) num_predict: usize,
    /// The temperature.
    pub(in crate::pairs) temperature: f64,
    /// The seed.
    pub(in crate::pairs) seed: u64,
    /// Whether to think.
    pub(in crate::pairs) thinking: Thinking,
}

/// How long to wait for what.
#[derive(Debug, Clone, Copy)]
pub(in crate::pairs) struct Limits {
    /// Until the first word.
    pub(in crate::pairs) first: Duration,
    /// Between two.
    pub(in crate::pairs) next: Duration,
}

/// What came.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::pairs) struct Reply {
    /// The answer, without what was only thought.
    pub(in crate::pairs) text: String,
    /// Whether it stopped because it had all its tokens.
    pub(in crate::pairs) truncated: bool,
    /// Tokens of the answer.
    pub(in crate::pairs) tokens: u64,
}

/// Talks to one model on one server. Cheap to clone: connections are shared.
#[derive(Debug, Clone)]
pub(in crate::pairs) struct Chat {
    address: Address,
    client: reqwest::Client,
    ollama: ollama_rs::Ollama,
    model: String,
    keep_alive_minutes: u64,
}

/// What every line of an answer may hold.
#[derive(Debug, Deserialize)]
struct Line {
    #[serde(default)]
    message: Message,
    #[serde(default)]
    done: bool,
    done_reason: Option<String>,
    eval_count: Option<u64>,
    error: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Message {
    #[serde(default)]
    content: String,
    #[serde(default)]
    thinking: Option<String>,
}

impl Chat {
    /// A client for a model of a server.
    pub(in crate::pairs) fn new(address: Address, model: &str, keep_alive_minutes: u64) -> Result<Self, Trouble> {
        let client = client(&address)?;
        let ollama = ollama_rs::Ollama::builder().url(address.url().clone()).reqwest_client(client.clone()).build();
        Ok(Self { address, client, ollama, model: model.to_owned(), keep_alive_minutes })
    }

    /// The server's address.
    pub(in crate::pairs) const fn address(&self) -> &Address {
        &self.address
    }

    /// Asks, and reads the answer as it is written; `heard` is told of each piece that comes.
    pub(in crate::pairs) async fn ask(
        &self,
        asking: &Asking,
        limits: Limits,
        heard: impl Fn(u64),
    ) -> Result<Reply, Trouble> {
        let url = || self.address.to_string();
        let silent = |during, wait: Duration, setting| Trouble::Silent {
            url: url(),
            seconds: wait.as_secs_f64().round() as u64,
            during,
            setting,
        };
        let mut body = serde_json::to_value(self.request(asking)?).unwrap_or_default();
        body["stream"] = Value::Bool(true);
        let mut deadline = Instant::now() + limits.first;
        let sent = self.client.post(self.address.resource("api/chat")).json(&body).send();
        let sent =
            timeout_at(deadline, sent).await.map_err(|_| silent("before it answered", limits.first, "load-timeout"))?;
        let mut response = sent.map_err(|error| self.unanswered(&error))?;
        if response.status() != StatusCode::OK {
            let status = response.status();
            let text = timeout_at(deadline, response.text()).await;
            return Err(self.refused(status, &text.ok().and_then(Result::ok).unwrap_or_default()));
        }
        let (mut lines, mut reply, mut begun) = (Lines::default(), Reply::default(), false);
        let (most, mut pieces, mut bytes) = (asking.num_predict as u64 * 2 + SLACK, 0_u64, 0_usize);
        loop {
            let line = match lines.next_line() {
                Some(line) => line,
                None => match timeout_at(deadline, response.chunk()).await {
                    Err(_) if begun => return Err(silent("in the middle of an answer", limits.next, "silence")),
                    Err(_) => return Err(silent("before its first word", limits.first, "load-timeout")),
                    Ok(Err(error)) => return Err(Trouble::Cut { url: url(), problem: whole(&error) }),
                    Ok(Ok(Some(chunk))) => {
                        lines.push(&chunk);
                        deadline = Instant::now() + if begun { limits.next } else { limits.first };
                        if lines.waiting() > LONGEST_LINE {
                            let problem = "a line that does not end".to_owned();
                            return Err(Trouble::Foreign { url: url(), problem });
                        }
                        continue;
                    }
                    Ok(Ok(None)) => match lines.rest() {
                        Some(line) => line,
                        None => {
                            return Err(Trouble::Cut { url: url(), problem: "it was closed".to_owned() });
                        }
                    },
                },
            };
            let line: Line = match serde_json::from_slice(&line) {
                Ok(line) => line,
                // Half a line at the end of the stream is a cut stream.
                Err(error) if error.is_eof() => {
                    return Err(Trouble::Cut { url: url(), problem: "half a line was the last".to_owned() });
                }
                Err(error) => {
                    return Err(if begun || pieces > 0 {
                        Trouble::Cut { url: url(), problem: format!("a line is no JSON ({error})") }
                    } else {
                        Trouble::Foreign { url: url(), problem: format!("a line is no JSON ({error})") }
                    });
                }
            };
            if let Some(text) = line.error {
                return Err(Trouble::InStream { url: url(), text });
            }
            pieces += 1;
            bytes += line.message.content.len() + line.message.thinking.as_deref().map_or(0, str::len);
            reply.text.push_str(&line.message.content);
            if line.done {
                reply.truncated = line.done_reason.as_deref() == Some("length");
                reply.tokens = line.eval_count.unwrap_or(pieces);
                heard(reply.tokens.saturating_sub(pieces - 1));
                return Ok(reply);
            }
            heard(1);
            begun = true;
            deadline = Instant::now() + limits.next;
            if pieces > most || bytes > most as usize * BYTES_PER_TOKEN {
                // Dropping the response closes the connection, and the server stops writing.
                return Err(Trouble::Endless { url: url(), tokens: pieces });
            }
        }
    }

    /// Asks for an answer in one piece: for short ones that nobody watches.
    pub(in crate::pairs) async fn ask_at_once(&self, asking: &Asking, limit: Duration) -> Result<Reply, Trouble> {
        let asked = self.ollama.send_chat_messages(self.request(asking)?);
        let Ok(answer) = tokio::time::timeout(limit, asked).await else {
            return Err(Trouble::Silent {
                url: self.address.to_string(),
                seconds: limit.as_secs(),
                during: "before it answered",
                setting: "load-timeout",
            });
        };
        let answer = answer.map_err(|error| self.failed(error))?;
        let tokens = answer.final_data.map_or(0, |data| data.eval_count);
        // ollama-rs does not say why an answer ended; one that has all its tokens was cut off.
        Ok(Reply { text: answer.message.content, truncated: tokens >= asking.num_predict as u64, tokens })
    }

    fn request(&self, asking: &Asking) -> Result<ChatMessageRequest, Trouble> {
        let message = |(role, text): &(&str, String)| match *role {
            "system" => ChatMessage::system(text.clone()),
            "assistant" => ChatMessage::assistant(text.clone()),
            _ => ChatMessage::user(text.clone()),
        };
        let options = ModelOptions::default()
            .num_ctx(asking.num_ctx as u64)
            .num_predict(i32::try_from(asking.num_predict).unwrap_or(i32::MAX))
            .temperature(asking.temperature as f32)
            .seed((asking.seed & 0x7fff_ffff) as i32);
        let schema: JsonStructure =
            serde_json::from_value(asking.schema.clone()).map_err(|error| Trouble::Foreign {
                url: self.address.to_string(),
                problem: format!("the schema of the answer is none ({error})"),
            })?;
        let request = ChatMessageRequest::new(self.model.clone(), asking.messages.iter().map(message).collect())
            .options(options)
            .format(FormatType::StructuredJson(Box::new(schema)))
            .keep_alive(KeepAlive::Until { time: self.keep_alive_minutes, unit: TimeUnit::Minutes });
        Ok(match asking.thinking {
            Thinking::Unsaid => request,
            Thinking::Off => request.think(ThinkType::False),
            Thinking::Low => request.think(ThinkType::Low),
        })
    }

    /// What a request means that got no answer: nobody is there, or somebody was and is gone.
    pub(super) fn unanswered(&self, error: &reqwest::Error) -> Trouble {
        let (url, problem) = (self.address.to_string(), whole(error));
        if error.is_connect() || error.is_timeout() {
            Trouble::Unreachable { url, problem }
        } else {
            Trouble::Cut { url, problem }
        }
    }

    /// What a status that is not 200 means. The server explains itself in `{"error": "…"}`.
    pub(super) fn refused(&self, status: StatusCode, body: &str) -> Trouble {
        let url = self.address.to_string();
        let explained = serde_json::from_str::<Value>(body).ok();
        let explained = explained.as_ref().and_then(|body| body.get("error")).and_then(Value::as_str);
        let text = explained.unwrap_or(body).trim().chars().take(300).collect::<String>();
        match status {
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => Trouble::Busy { url },
            StatusCode::NOT_FOUND if text.contains("model") => Trouble::NoModel { url, model: self.model.clone() },
            _ => Trouble::Status { url, status: status.as_u16(), text },
        }
    }

    /// What an error of ollama-rs means: it keeps what the server said, but not the status.
    pub(super) fn failed(&self, error: ollama_rs::error::OllamaError) -> Trouble {
        use ollama_rs::error::OllamaError;
        let url = self.address.to_string();
        match error {
            OllamaError::ReqwestError(error) => self.unanswered(&error),
            OllamaError::Other(text) if text.contains("not found") => self.refused(StatusCode::NOT_FOUND, &text),
            OllamaError::Other(text) if text.contains("busy") => self.refused(StatusCode::SERVICE_UNAVAILABLE, &text),
            OllamaError::Other(text) => self.refused(StatusCode::INTERNAL_SERVER_ERROR, &text),
            OllamaError::InternalError(error) => Trouble::InStream { url, text: error.message },
            other => Trouble::Foreign { url, problem: other.to_string() },
        }
    }

    pub(super) const fn parts(&self) -> (&reqwest::Client, &ollama_rs::Ollama) {
        (&self.client, &self.ollama)
    }

    pub(super) fn model(&self) -> &str {
        &self.model
    }
}

/// An HTTP client for one server. Nothing in it waits for ever for a connection; answers have their own limits.
fn client(address: &Address) -> Result<reqwest::Client, Trouble> {
    let builder = reqwest::Client::builder().connect_timeout(CONNECT).tcp_nodelay(true);
    // A proxy for the world is none for this machine.
    let builder = if address.is_here() { builder.no_proxy() } else { builder };
    builder.build().map_err(|error| Trouble::Unreachable { url: address.to_string(), problem: whole(&error) })
}
