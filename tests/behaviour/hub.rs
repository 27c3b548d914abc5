//! Bases from the hub: downloaded, gone on with, pinned, and what is said when that fails.

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::{Value, json};

use crate::support::hub::{Asked, COMMIT, Fault, Hub, WEIGHTS, files};
use crate::support::{failure, json as answered, lapidary, sample_workspace};

/// What is asked for at a time.
const PIECE: usize = 8 << 20;

/// A workspace, and a home for models.
struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        sample_workspace(folder.path());
        Self { folder }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("workspace")
    }

    fn models(&self) -> PathBuf {
        self.folder.path().join("hf/hub/models--acme--tiny")
    }

    fn call(&self, hub: &str, arguments: &[&str]) -> Command {
        let mut command = lapidary();
        command.args(arguments).arg("--workspace").arg(self.root());
        for name in ["HF_HUB_CACHE", "HF_TOKEN", "HF_TOKEN_PATH", "HF_HUB_OFFLINE", "http_proxy", "HTTP_PROXY"] {
            command.env_remove(name);
        }
        command.env("HF_HOME", self.folder.path().join("hf")).env("HF_ENDPOINT", hub);
        command
    }

    /// The cheapest command that takes a model.
    fn inspect(&self, hub: &str) -> Command {
        self.call(hub, &["inspect", "--tokenizer", "acme/tiny"])
    }
}

fn manifest(folder: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("manifest.json")).unwrap()).unwrap()
}

/// What a repository holds, by path.
type Files = std::collections::BTreeMap<String, Vec<u8>>;

#[test]
fn a_base_is_downloaded_once_and_pinned() {
    let (home, hub) = (Home::new(), Hub::new());
    answered(&mut home.call(&hub.address(), &["pairs", "structural"]));
    let tune = ["tune", "--base", "acme/tiny", "--max-steps", "1", "--batch", "4", "--max-length", "16"];
    answered(&mut home.call(&hub.address(), &tune));
    let inputs = manifest(&home.root().join("models/tuned/v1"))["inputs"].clone();
    let input = |role: &str| inputs.as_array().unwrap().iter().find(|input| input["role"] == role).unwrap().clone();
    assert_eq!(input("base")["reference"], json!(format!("acme/tiny@{COMMIT}")));
    // The cache is the one that other programs share, in its layout.
    let models = home.models();
    assert_eq!(std::fs::read_to_string(models.join("refs/main")).unwrap(), COMMIT);
    assert!(!models.join("refs").join(COMMIT).exists());
    let weights = models.join("snapshots").join(COMMIT).join(WEIGHTS).canonicalize().unwrap();
    assert_eq!(weights.parent().unwrap(), models.join("blobs").canonicalize().unwrap());
    assert_eq!(input("base weights")["sha256"].as_str(), weights.file_name().unwrap().to_str());
    assert_eq!(std::fs::read(&weights).unwrap(), files()[WEIGHTS]);
    // Only what an encoder is made of.
    for unneeded in ["README.md", "pytorch_model.bin", "onnx", "openvino"] {
        assert!(hub.asked().iter().all(|asked| !asked.path.contains(unneeded)), "{unneeded}");
    }
    // From now on nobody is asked, with a network or without; the base of the tuned model is found by its commit.
    let before = hub.asked().len();
    answered(home.call(&hub.address(), &["evaluate", "--resamples", "100"]).env("HF_HUB_OFFLINE", "1"));
    answered(&mut home.call(&hub.address(), &tune));
    assert_eq!(hub.asked().len(), before);
}

#[test]
fn a_broken_connection_is_gone_on_from() {
    assert!(files()[WEIGHTS].len() > PIECE + PIECE / 8, "the test needs weights of two pieces");
    // The metadata, the first piece, and of the second piece a part.
    let hub = Hub::with(files(), |asked, before| {
        if asked.path.starts_with("/bytes/") && before == 2 { Fault::CutAfter(1000) } else { Fault::None }
    });
    let home = Home::new();
    answered(&mut home.inspect(&hub.address()));
    let pieces: Vec<usize> =
        hub.asked().iter().filter(|asked| asked.path.starts_with("/bytes/")).filter_map(|asked| asked.from).collect();
    assert_eq!(pieces, [0, 0, PIECE, 0, PIECE], "metadata, two pieces; metadata, the rest");
    let weights = home.models().join("snapshots").join(COMMIT).join(WEIGHTS);
    assert_eq!(std::fs::read(weights).unwrap(), files()[WEIGHTS]);
}

#[test]
fn the_token_is_shown_and_its_lack_is_told() {
    let hub = Hub::with(files(), |asked, _| {
        if asked.path.starts_with("/api") && asked.token.is_none() { Fault::Status(401) } else { Fault::None }
    });
    let home = Home::new();
    let (code, text) = failure(&mut home.inspect(&hub.address()));
    assert!(code == 1 && text.contains("does not show it to who has no token (401)"), "{text}");
    assert!(text.contains("set HF_TOKEN"), "{text}");
    std::fs::create_dir_all(home.folder.path().join("hf")).unwrap();
    std::fs::write(home.folder.path().join("hf/token"), "from-file\n").unwrap();
    answered(&mut home.inspect(&hub.address()));
    let shown = |hub: &Hub| hub.asked().into_iter().rev().find(|asked| asked.path.starts_with("/api")).unwrap().token;
    assert_eq!(shown(&hub).as_deref(), Some("Bearer from-file"));
    std::fs::remove_dir_all(home.models()).unwrap();
    answered(home.inspect(&hub.address()).env("HF_TOKEN", "from-environment"));
    assert_eq!(shown(&hub).as_deref(), Some("Bearer from-environment"));
}

#[test]
fn what_cannot_be_had_is_told_with_the_ways_out() {
    let (home, hub) = (Home::new(), Hub::new());
    let said = |command: &mut Command| {
        let (code, text) = failure(command);
        assert_eq!(code, 1, "{text}");
        text
    };
    let text = said(&mut home.call(&hub.address(), &["inspect", "--tokenizer", "acme/tiny@v9"]));
    assert!(text.contains("has no such model (404)"), "{text}");
    let ways = ["a folder with config.json", "HF_ENDPOINT", "`embedded`"];
    let offline = said(home.inspect(&hub.address()).env("HF_HUB_OFFLINE", "1"));
    assert!(offline.contains("HF_HUB_OFFLINE is set") && ways.iter().all(|way| offline.contains(way)), "{offline}");
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let gone = said(&mut home.inspect(&format!("http://127.0.0.1:{port}")));
    assert!(gone.contains("cannot be reached") && ways.iter().all(|way| gone.contains(way)), "{gone}");
    assert!(!home.models().exists(), "nothing is left of what failed");
}

#[test]
fn what_cannot_be_used_is_refused_before_its_weights_come() {
    let home = Home::new();
    let refused = |change: &dyn Fn(&mut Files)| {
        let mut files = files();
        change(&mut files);
        let hub = Hub::with(files, |_, _| Fault::None);
        let (_, text) = failure(&mut home.inspect(&hub.address()));
        assert!(hub.asked().iter().all(|asked| !asked.path.starts_with("/bytes/")), "{text}");
        let _ = std::fs::remove_dir_all(home.models());
        text
    };
    let text = refused(&|files| drop(files.remove(WEIGHTS)));
    assert!(text.contains("has no model.safetensors, but pytorch_model.bin"), "{text}");
    let text = refused(&|files| drop(files.remove("tokenizer.json")));
    assert!(text.contains("has no tokenizer.json"), "{text}");
    let text = refused(&|files| {
        let config = String::from_utf8(files["config.json"].clone()).unwrap();
        let mut config: Value = serde_json::from_str(&config).unwrap();
        config["model_type"] = "t5".into();
        files.insert("config.json".into(), config.to_string().into_bytes());
    });
    assert!(text.contains("acme/tiny cannot be used") && text.contains("model_type is \"t5\""), "{text}");
}

#[test]
fn damaged_weights_are_not_kept() {
    let hub =
        Hub::with(
            files(),
            |asked, before| {
                if asked.path.starts_with("/bytes/") && before == 1 { Fault::Garble } else { Fault::None }
            },
        );
    let home = Home::new();
    let (_, text) = failure(&mut home.inspect(&hub.address()));
    assert!(text.contains("model.safetensors of acme/tiny") && text.contains("arrived damaged"), "{text}");
    answered(&mut home.inspect(&hub.address()));
}

#[test]
fn whoever_is_no_hub_is_told_so() {
    let server = Hub::with(
        files(),
        |asked: &Asked, _| {
            if asked.path.contains("/resolve/") { Fault::Status(200) } else { Fault::None }
        },
    );
    let (_, text) = failure(&mut Home::new().inspect(&server.address()));
    assert!(text.contains("does not answer as a Hugging Face hub does") && text.contains("HF_ENDPOINT"), "{text}");
}
