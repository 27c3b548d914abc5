//! What the doctor finds, and what it says to do about it.

use assert_cmd::Command;
use serde_json::Value;

use crate::support::hub::Hub;
use crate::support::{Place, lapidary};

/// A machine without servers: nobody listens on port 9.
fn doctor(command: &mut Command) -> (i32, String) {
    for name in ["HF_TOKEN", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "http_proxy", "HTTP_PROXY", "TMUX", "NO_COLOR"] {
        command.env_remove(name);
    }
    command.env("OLLAMA_HOST", "127.0.0.1:9").env("LANG", "C.UTF-8").env_remove("LC_ALL").env("TERM", "xterm");
    let output = command.output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

fn finding<'a>(told: &'a Value, about: &str) -> &'a Value {
    let groups = told["groups"].as_array().unwrap().iter();
    let mut findings = groups.flat_map(|group| group["findings"].as_array().unwrap());
    findings.find(|finding| finding["about"] == about).unwrap_or_else(|| panic!("{about}: {told}"))
}

#[test]
fn a_workspace_is_looked_over() {
    let (place, hub) = (Place::with_pairs(), Hub::new());
    let told = |command: &mut Command| -> (i32, Value) {
        let (code, text) = doctor(command.args(["--format", "json"]).env("HF_ENDPOINT", hub.address()));
        (code, serde_json::from_str(&text).unwrap())
    };
    let (code, all) = told(&mut place.call(&["doctor"]));
    assert_eq!((code, all["worst"].as_str()), (0, Some("warn")), "{all}");
    for about in ["device", "threads", "memory", "disk", "folder", "corpus", "runs", "hub", "screen", "characters"] {
        assert!(finding(&all, about)["text"].as_str().is_some_and(|text| !text.is_empty()), "{about}");
    }
    assert_eq!(finding(&all, "hub")["mark"], "ok");
    // The embedded base reads both languages of the sample, and spells Greek.
    let language = |all: &Value, name: &str| -> Value {
        let groups = all["groups"].as_array().unwrap();
        let base = groups.iter().find(|group| group["group"] == "base").unwrap();
        let mut findings = base["findings"].as_array().unwrap().iter();
        findings.find(|finding| finding["text"].as_str().unwrap().contains(name)).unwrap().clone()
    };
    for name in ["English", "Russian"] {
        assert_eq!(language(&all, name)["mark"], "ok", "{name}: {all}");
    }
    let documents = place.folder.path().join("greek");
    std::fs::create_dir(&documents).unwrap();
    let text =
        "Η αντλία λαδιού έχει φθαρεί και πρέπει να αντικατασταθεί πριν από την επόμενη εκκίνηση του συμπιεστή.\n";
    std::fs::write(documents.join("antlia.txt"), text.repeat(3)).unwrap();
    let root = place.folder.path().join("greek-workspace");
    crate::support::json(lapidary().arg("init").arg(&root).arg("--corpus").arg(&documents));
    let (_, greek) = told(lapidary().arg("doctor").arg("--workspace").arg(&root));
    let greek = language(&greek, "Greek");
    assert_eq!(greek["mark"], "warn");
    assert!(greek["fix"].as_str().unwrap().contains("intfloat/multilingual-e5-small"), "{greek}");
    let ollama = finding(&all, "Ollama");
    assert!(ollama["mark"] == "warn" && ollama["fix"].as_str().unwrap().contains("ollama serve"), "{ollama}");
    assert!(finding(&all, "questions")["text"].as_str().unwrap().contains("none of them asked by people"));

    // What is broken makes the exit code.
    let config = place.root.join("lapidary.toml");
    let good = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{good}\n[settings.tune]\nepoch = 3\n")).unwrap();
    let (code, all) = told(&mut place.call(&["doctor"]));
    assert_eq!((code, finding(&all, "settings")["mark"].as_str()), (1, Some("bad")), "{all}");
    std::fs::write(&config, "schema = 99\n").unwrap();
    let (code, all) = told(&mut place.call(&["doctor"]));
    assert!(code == 1 && finding(&all, "folder")["text"].as_str().unwrap().contains("schema 99"), "{all}");
}

#[test]
fn it_needs_no_workspace_and_no_network() {
    let folder = tempfile::tempdir().unwrap();
    let here = || {
        let mut command = lapidary();
        command.arg("doctor").current_dir(folder.path()).env("HF_ENDPOINT", "http://127.0.0.1:9");
        command
    };
    let (code, text) = doctor(&mut here());
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("lapidary init DIR --corpus PATH"), "{text}");
    assert!(text.contains("WARN hub") && text.contains("HF_ENDPOINT"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80 || !line.trim().contains(' ')), "{text}");
    let mut offline = here();
    let output = offline.env("HF_HUB_OFFLINE", "1").env("OLLAMA_HOST", "127.0.0.1:9").output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("as HF_HUB_OFFLINE wants"));
    let (code, text) = doctor(here().args(["--workspace", "nowhere"]));
    assert!(code == 1 && text.contains("BAD  folder"), "{text}");
    let (code, text) = doctor(here().args(["--device", "tpu"]));
    assert!(code == 1 && text.contains("BAD  device"), "{text}");
}
