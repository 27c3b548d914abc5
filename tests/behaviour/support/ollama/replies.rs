//! The answer of a model, good or as the script spoils it.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::clients::Client;
use super::http::{Wire, cut};
use super::models::{Model, NOW};
use super::questions::{pieces, shown};
use super::server::Server;
use super::{Reply, Request, answer};

impl Server {
    pub(super) fn generate(
        &self,
        client: &Arc<Client>,
        request: &Request,
        asked: &str,
        model: &Model,
    ) -> io::Result<bool> {
        let arrived = Instant::now();
        let reply = (self.script)(request);
        match &reply {
            Reply::Refuse => return Ok(false),
            Reply::Status(status, text) => {
                self.end(request, *status);
                let whole = text.starts_with(['{', '<']);
                return if whole { client.respond(*status, &json!(text)) } else { client.fail(*status, text) };
            }
            _ => {}
        }
        let Some(slot) = self.slot(client)? else {
            self.end(request, 503);
            return client.fail(503, "server busy, please try again.  maximum pending requests exceeded");
        };
        if let Reply::SlowLoad(time) = reply {
            client.rest(time)?;
        }
        let loaded = Instant::now();
        self.log.lock().unwrap().load(&model.name);
        let body = &request.body;
        let thinks = matches!(reply, Reply::ThinkingField) || model.can("thinking") && body["think"] != false;
        let thoughts =
            if thinks { "The passage – read twice – names a few things. I ask about those." } else { "" };
        let good = answer(body);
        let (content, reason) = match &reply {
            Reply::Text(text) => (text.clone(), "stop"),
            Reply::Thinking(prose) => (format!("<think>\n{prose}\n</think>\n\n{good}"), "stop"),
            Reply::Fenced => (format!("```json\n{good}\n```"), "stop"),
            Reply::DoubleBraces => (format!("{{{good}}}"), "stop"),
            Reply::Truncated => (good.chars().take(good.chars().count() / 2).collect(), "length"),
            _ => (good, "stop"),
        };
        let last = |mut object: Value| {
            let (whole, load) = (arrived.elapsed().as_nanos() as u64, (loaded - arrived).as_nanos() as u64);
            let counts = json!({
                "done": true,
                "done_reason": reason,
                "total_duration": whole,
                "load_duration": load,
                "prompt_eval_count": shown(body).len() / 4 + 1,
                "prompt_eval_duration": (whole - load) / 4,
                "eval_count": content.len() / 4 + 1,
                "eval_duration": (whole - load) / 4 * 3,
            });
            object.as_object_mut().unwrap().extend(counts.as_object().unwrap().clone());
            object
        };
        let line = |text: &str, thoughts: &str| speech(&request.path, asked, text, thoughts);
        let torn = matches!(reply, Reply::SplitCharacter);

        if body["stream"] == false {
            match &reply {
                Reply::Silence(time) => client.rest(*time)?,
                Reply::Endless => client.rest(Duration::MAX)?,
                _ => {}
            }
            client.rest(self.answer_after)?;
            if let Reply::ErrorLine(error) = &reply {
                self.settle(slot, request, 500, model);
                return client.fail(500, error);
            }
            self.settle(slot, request, 200, model);
            if matches!(reply, Reply::CutStream) {
                return cut(Wire::new(client, Some(4096), false), &line("The café", ""));
            }
            let text = last(line(&content, thoughts)).to_string();
            let mut wire = Wire::new(client, Some(text.len()), torn);
            wire.put(text.as_bytes())?;
            return wire.close();
        }

        let mut lines: Vec<Value> = pieces(thoughts, 2).map(|piece| line("", piece)).collect();
        lines.extend(pieces(&content, self.chunks).map(|piece| line(piece, "")));
        let pause = self.answer_after / (lines.len() as u32 + 1);
        let half = lines.len().div_ceil(2);
        let mut wire = Wire::new(client, None, torn);
        for (number, object) in lines.iter().enumerate() {
            wire.rest(pause)?;
            wire.line(object)?;
            match &reply {
                Reply::Silence(time) if number == 0 => wire.rest(*time)?,
                Reply::Endless => loop {
                    wire.rest(Duration::from_millis(5))?;
                    wire.line(&line("and then ", ""))?;
                },
                Reply::CutStream if number + 1 == half => {
                    self.settle(slot, request, 200, model);
                    return cut(wire, &line("café", ""));
                }
                Reply::ErrorLine(error) if number + 1 == half => {
                    self.settle(slot, request, 200, model);
                    wire.line(&json!({ "error": error }))?;
                    return wire.close();
                }
                _ => {}
            }
        }
        wire.rest(pause)?;
        self.settle(slot, request, 200, model);
        wire.line(&last(line("", "")))?;
        wire.close()
    }
}

/// One object of an answer.
pub(super) fn speech(path: &str, model: &str, content: &str, thinking: &str) -> Value {
    let mut object = json!({ "model": model, "created_at": NOW, "done": false });
    let (holder, field) = match path {
        "/api/chat" => (&mut object["message"], "content"),
        _ => (&mut object, "response"),
    };
    holder[field] = json!(content);
    if !thinking.is_empty() {
        holder["thinking"] = json!(thinking);
    }
    if path == "/api/chat" {
        holder["role"] = json!("assistant");
    }
    object
}
