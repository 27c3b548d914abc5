//! What is answered under which path; all that asks no model ends here.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::clients::Client;
use super::http::{Http, Wire};
use super::models::{Model, SIZE, digest, tagged};
use super::questions::{passage_in, shown};
use super::replies::speech;
use super::server::{Server, leaves};

impl Server {
    pub(super) fn serve(&self, client: &Arc<Client>, requests: &Receiver<Http>) {
        while let Ok(http) = requests.recv() {
            if !self.answer(client, &http).unwrap_or(false) || http.close {
                return;
            }
        }
    }

    /// Whether the connection stays open; an error where the client is gone.
    fn answer(&self, client: &Arc<Client>, http: &Http) -> io::Result<bool> {
        let all = || self.models.lock().unwrap().clone();
        match (http.method.as_str(), http.path.as_str()) {
            ("GET", "/") => return client.respond(200, &json!("Ollama is running")),
            ("GET", "/api/version") => return client.respond(200, &json!({ "version": "0.31.2" })),
            ("GET", "/api/tags") => {
                return client.respond(200, &json!({ "models": all().iter().map(Model::tag).collect::<Vec<_>>() }));
            }
            ("GET", "/api/ps") => {
                let loaded = self.log.lock().unwrap().loaded.clone();
                let models: Vec<Value> =
                    all().iter().filter(|model| loaded.contains(&model.name)).map(Model::process).collect();
                return client.respond(200, &json!({ "models": models }));
            }
            ("POST", "/api/show" | "/api/pull" | "/api/chat" | "/api/generate") => {}
            _ => return client.respond(404, &json!("404 page not found")),
        }
        let body: Value = match serde_json::from_slice(&http.body) {
            _ if http.body.is_empty() => return client.fail(400, "missing request body"),
            Ok(body) => body,
            Err(error) => return client.fail(400, &error.to_string()),
        };
        // "name" is what older clients send.
        let asked = body["model"].as_str().or(body["name"].as_str()).unwrap_or_default().to_owned();
        if http.path == "/api/pull" {
            return self.pull(client, &asked, body["stream"] != false);
        }
        let model = all().into_iter().find(|model| model.name == tagged(&asked));
        let model = model.ok_or_else(|| (404, format!("model '{asked}' not found")));
        if http.path == "/api/show" {
            return model.map_or_else(
                |(status, error)| client.fail(status, &error),
                |model| client.respond(200, &model.show()),
            );
        }

        let model = model.and_then(|model| model.willing(&asked, &body, &http.path));
        let words = shown(&body);
        if words.is_empty() {
            return match model {
                Ok(model) => self.load(client, &http.path, &asked, &model.name, leaves(&body)),
                Err((status, error)) => client.fail(status, &error),
            };
        }
        let passage = passage_in(words).to_owned();
        let request = self.note(&http.path, body, passage);
        let done = match model {
            Ok(model) => self.generate(client, &request, &asked, &model),
            Err((status, error)) => {
                self.end(&request, status);
                client.fail(status, &error)
            }
        };
        let mut log = self.log.lock().unwrap();
        let seen = &mut log.seen[request.number];
        seen.ended.get_or_insert_with(Instant::now);
        seen.hung_up = done.is_err() && !client.presence.lock().unwrap().cut;
        done
    }

    fn load(&self, client: &Client, path: &str, asked: &str, name: &str, unload: bool) -> io::Result<bool> {
        if unload {
            self.unload(name);
        } else {
            let mut log = self.log.lock().unwrap();
            log.load(name);
            log.loads.push((name.to_owned(), Instant::now()));
        }
        let mut object = speech(path, asked, "", "");
        object["done"] = json!(true);
        object["done_reason"] = json!(if unload { "unload" } else { "load" });
        client.respond(200, &object)
    }

    fn pull(&self, client: &Client, asked: &str, stream: bool) -> io::Result<bool> {
        self.log.lock().unwrap().pulls.push(asked.to_owned());
        let missing = asked == "nosuch" || asked.starts_with("nosuch:");
        let mut lines = vec![json!({ "status": "pulling manifest" })];
        if !missing {
            let digest = digest(&tagged(asked));
            let status = format!("pulling {}", &digest[..12]);
            let layer = json!({ "status": status, "digest": format!("sha256:{digest}"), "total": SIZE });
            lines.resize(7, layer);
            // The first line of a layer has no "completed".
            for (line, part) in lines[2..].iter_mut().zip(1..) {
                line["completed"] = json!(SIZE * part / 5);
            }
            lines.extend(["verifying sha256 digest", "writing manifest"].map(|status| json!({ "status": status })));
        }
        let mut wire = Wire::new(client, None, false);
        for line in lines {
            if stream {
                wire.line(&line)?;
                wire.flush()?;
            }
            client.rest(Duration::from_millis(10))?;
        }
        let (status, last) = if missing {
            (500, json!({ "error": "pull model manifest: file does not exist" }))
        } else {
            let mut models = self.models.lock().unwrap();
            models.retain(|model| model.name != tagged(asked));
            models.push(Model { name: tagged(asked), capabilities: vec!["completion".to_owned()] });
            (200, json!({ "status": "success" }))
        };
        if !stream {
            return client.respond(status, &last);
        }
        wire.line(&last)?;
        wire.close()
    }
}
