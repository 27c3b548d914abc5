//! Questions in a table: folds that it fixes, passages that it quotes, and a table that is no document.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{failure, json as answered, lapidary};

const HEADER: &str = "fold\tlanguage\tkind\tdocument\tquote\tquestion";
const FROST: &str = "# Coils\n\n## Frost\n\nFrost on the coil keeps the heat of the room from the refrigerant, and the fans turn in vain.\n\n\
     ## Fans\n\nThe fans stop while hot gas melts the frost, and start again once the coil is cold.\n";
const OIL: &str = "# Receivers\n\nOil collects at the bottom of the receiver, from where it is drained into the pot.\n";

/// Documents and a table of questions about them.
struct Library {
    folder: tempfile::TempDir,
}

impl Library {
    fn new(rows: &[&str]) -> Self {
        let library = Self { folder: tempfile::tempdir().unwrap() };
        library.write("coils.md", FROST);
        library.write("vessels/oil.md", OIL);
        for n in 0..8 {
            let text = format!(
                "# Part {n}\n\nPart number {n} of the plant has its own valve, its own gauge and its own sheet {n}.\n"
            );
            library.write(&format!("parts/part-{n}.md"), &text);
        }
        library.write("questions.tsv", &format!("{HEADER}\n{}\n", rows.join("\n")));
        library
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.documents().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn documents(&self) -> PathBuf {
        self.folder.path().join("documents")
    }

    fn table(&self) -> PathBuf {
        self.documents().join("questions.tsv")
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("workspace")
    }

    fn init(&self) -> assert_cmd::Command {
        let mut command = lapidary();
        command.arg("init").arg(self.root()).arg("--corpus").arg(self.documents());
        command
    }

    fn in_workspace(&self, arguments: &[&str]) -> assert_cmd::Command {
        let mut command = lapidary();
        command.args(arguments).arg("--workspace").arg(self.root());
        command
    }
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn folds(corpus: &Path) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    lines(&corpus.join("documents.jsonl")).iter().map(|line| (text(&line["path"]), text(&line["fold"]))).collect()
}

const GOOD: &[&str] = &[
    "test\ten\tparaphrase\tcoils.md\tkeeps the heat of the room\twhy is it warm although the blowers run",
    "test\ten\twords\tcoils.md\thot gas melts the frost\twhen do the fans stop",
    "train\ten\twords\tvessels/oil.md\tfrom where it is  drained\twhere does oil go",
    "dev\ten\twords\tparts/part-3.md\tits own sheet 3\twhich part has sheet three",
];

#[test]
fn questions_fix_the_folds_and_are_imported() {
    let library = Library::new(GOOD);
    let made = answered(library.init().arg("--questions").arg(library.table()));
    assert_eq!((&made["pairs"], &made["pair_counts"]), (&json!("questions@v1"), &json!([1, 1])));
    assert_eq!((&made["questions"], &made["question_count"]), (&json!("questions@v1"), &json!(2)));
    assert_eq!((&made["skipped"], &made["documents"]), (&json!([]), &json!(10)), "the table is no document");
    let folds = folds(&library.root().join("corpus/v1"));
    for (path, fold) in [("coils.md", "test"), ("vessels/oil.md", "train"), ("parts/part-3.md", "dev")] {
        assert!(folds.contains(&(path.to_owned(), fold.to_owned())), "{folds:?}");
    }
    // Each question has the one passage that holds its quote.
    let passages = lines(&library.root().join("corpus/v1/passages.jsonl"));
    let row = &lines(&library.root().join("pairs/questions/v1/train.jsonl"))[0];
    let passage = passages.iter().find(|passage| passage["id"] == row["positives"][0]).unwrap();
    assert!(passage["text"].as_str().unwrap().contains("drained into the pot"), "{passage}");
    assert_eq!((&row["kind"], &row["language"]), (&json!("words"), &json!("en")));
    let asked = lines(&library.root().join("questions/questions/v1/queries.jsonl"));
    assert_eq!(asked[0]["metadata"], json!({ "kind": "paraphrase", "language": "en" }));
    // A refresh reads the table anew.
    library.write("coils.md", &format!("{FROST}\nA line more about the fans.\n"));
    let refreshed = answered(&mut library.in_workspace(&["corpus", "refresh"]));
    assert_eq!((&refreshed["artifact"], &refreshed["questions"]), (&json!("corpus@v2"), &json!("questions@v2")));
}

#[test]
fn looks_at_a_retrieval_set_are_counted() {
    let library = Library::new(GOOD);
    library.init().assert().success();
    let set = library.root().join("set");
    std::fs::create_dir_all(set.join("qrels")).unwrap();
    let passage = |id: &str, text: &str| json!({ "_id": id, "title": "", "text": text }).to_string();
    let passages = [passage("p1", "Oil is drained into the pot."), passage("p2", "Hot gas melts the frost.")];
    std::fs::write(set.join("corpus.jsonl"), passages.join("\n")).unwrap();
    std::fs::write(set.join("qrels/test.tsv"), "query-id\tcorpus-id\tscore\nq1\tp1\t1\n").unwrap();
    let looks = |query: &str| {
        std::fs::write(set.join("queries.jsonl"), json!({ "_id": "q1", "text": query }).to_string()).unwrap();
        let mut evaluate = library.in_workspace(&["evaluate", "--model", "embedded", "--resamples", "100"]);
        answered(evaluate.arg("--beir").arg(&set))["looks"].clone()
    };
    assert_eq!((looks("where does oil go"), looks("where does oil go")), (json!(1), json!(2)));
    assert_eq!(looks("what melts frost"), 1, "another question is another test");
}

#[test]
fn what_a_table_quotes_wrongly_is_named_and_skipped() {
    let rows = [
        GOOD[2],
        "train\ten\twords\tvessels/oil.md\tfrom where it is carried\twhere does oil go then",
        "train\ten\twords\tcoils.md\tthe frost\twhat of the frost",
        "train\ten\twords\tcoils.md\tthe coil\twhat of the coil",
        "train\ten\twords\toil.md\tOil collects\twhere does oil collect",
        "train\ten\twords\tcoils.md\tfans turn in vain. The fans stop\twhy in vain",
        "train\ten\twords\tcoils.md\t\twhy in vain then",
    ];
    let library = Library::new(&rows);
    library.init().assert().success();
    let mut import = library.in_workspace(&["pairs", "import"]);
    let output = import.arg(library.table()).args(["--format", "json"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(made["rejected"]["broken line"], 5, "{made}");
    let rejected = lines(&library.root().join("pairs/imported/v1/rejected.jsonl"));
    let problem = |line: u64| {
        let found = rejected.iter().find(|broken| broken["line"] == line);
        found.unwrap_or_else(|| panic!("{line}: {rejected:?}"))["problem"].as_str().unwrap().to_owned()
    };
    assert!(problem(3).contains("in no passage of vessels/oil.md: quote a few consecutive words"), "{}", problem(3));
    assert!(problem(5).contains("\"the coil\" stands in several passages of coils.md"), "{}", problem(5));
    assert!(problem(6).contains("is \"vessels/oil.md\" meant?"), "{}", problem(6));
    assert!(problem(7).contains("begins in one passage of coils.md and ends in the next"), "{}", problem(7));
    assert!(problem(8).contains("no quote"), "{}", problem(8));
}

#[test]
fn a_table_beside_the_documents_is_not_read_as_one() {
    let library = Library::new(GOOD);
    let output = library.init().args(["--format", "json"]).output().unwrap();
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&made["documents"], &made["skipped"][0]["path"]), (&json!(10), &json!("questions.tsv")));
    assert!(made["skipped"][0]["reason"].as_str().unwrap().contains("--questions"), "{made}");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("asks about these documents: with --questions"), "{told}");
    // Nothing of it can be found.
    let passages = std::fs::read_to_string(library.root().join("corpus/v1/passages.jsonl")).unwrap();
    assert!(!passages.contains("blowers"), "a question is in the corpus");
}

#[test]
fn folds_alone_are_fixed_by_any_table() {
    let library = Library::new(&[]);
    let table = library.folder.path().join("folds.csv");
    std::fs::write(&table, "document,fold\ncoils.md,test\nparts/part-0.md,dev\nparts/part-1.md,train\n").unwrap();
    let made = answered(library.init().arg("--folds").arg(&table));
    assert_eq!(made["pairs"], Value::Null);
    let fixed = folds(&library.root().join("corpus/v1"));
    for (path, fold) in [("coils.md", "test"), ("parts/part-0.md", "dev"), ("parts/part-1.md", "train")] {
        assert!(fixed.contains(&(path.to_owned(), fold.to_owned())), "{fixed:?}");
    }
    std::fs::write(&table, "document,fold\ncoil.md,test\n").unwrap();
    let (code, text) = failure(&mut library.in_workspace(&["corpus", "refresh"]));
    assert!(code == 1 && text.contains("folds.csv:2: document \"coil.md\" is not in the corpus"), "{text}");
    std::fs::write(&table, "document,fold\ncoils.md,exam\n").unwrap();
    let (_, text) = failure(&mut library.in_workspace(&["corpus", "refresh"]));
    assert!(text.contains("folds.csv:2: fold \"exam\": must be train, dev or test"), "{text}");
}

#[test]
fn twins_share_the_stricter_fold() {
    let library = Library::new(&[]);
    let text = "# Notes\n\nThe liquid line from the receiver to the valve station must be insulated and sloped, so that no bubble \
                of gas can hide in it and starve the valves when the load is high.\n";
    library.write("one.md", text);
    library.write("two.md", text);
    let table = library.folder.path().join("folds.csv");
    std::fs::write(&table, "document,fold\none.md,train\ntwo.md,test\n").unwrap();
    let output = library.init().arg("--folds").arg(&table).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        told.contains("one.md says almost the same as two.md: it is in the fold test with it, not in train"),
        "{told}"
    );
    let fixed = folds(&library.root().join("corpus/v1"));
    assert_eq!(fixed.iter().filter(|(path, fold)| (path == "one.md" || path == "two.md") && fold == "test").count(), 2);
}
