//! The pane, told what a worker would tell it.

use serde_json::json;

use super::*;
use crate::tui::message::Msg;
use crate::tui::model::{Model, update};
use crate::tui::overlay::Overlay;
use crate::tui::palette::{Charset, Palette};
use crate::tui::shared::Artifacts;
use crate::tui::testing::{draw, in_16_colours, model, press, text, version};
use crate::tui::workers::corpus::{Answer as Told, Fold, Fragmentation, TokenSpan, WordPieces, WorstWord};
use crate::workspace::{Input, Kind, digest_bytes};

const PASSAGE: &str = "Purge the non-condens·ables through the therm·osi·phon oil cool·er be·fore each re·start of the \
    LP re·ceiver. Close valve 12 and wait un·til the pres·sure has sett·led; do not o·pen the purge drum while the \
    com·press·or runs.";
const TRAINED: &str = "Purge the non-condensables through the thermosiphon oil cooler before each re·start of the LP \
    receiver. Close valve 12 and wait until the pressure has sett·led; do not open the purge drum while the \
    compressor runs.";

/// A text and its tokens, where `·` stands between the pieces of a word.
fn split(marked: &str) -> (String, Split) {
    let (mut text, mut spans, mut words) = (String::new(), Vec::new(), Vec::new());
    for word in marked.split_whitespace() {
        if !text.is_empty() {
            text.push(' ');
        }
        let (start, first) = (text.len(), spans.len());
        for (nth, piece) in word.split('·').enumerate() {
            let from = text.len();
            text.push_str(piece);
            let written = if nth == 0 { piece.to_owned() } else { format!("##{piece}") };
            let id = 1000 + spans.len() as u32 * 37;
            let (range, bytes) = (from..text.len(), piece.as_bytes().to_vec());
            spans.push(TokenSpan { id, piece: written, range, bytes, normalized: nth == 0 && start == 0 });
        }
        words.push(WordPieces { range: start..text.len(), spans: first..spans.len() });
    }
    (text, Split { spans, words })
}

fn document(path: &str, words: usize, passages: usize) -> Document {
    Document {
        id: path.to_owned(),
        path: path.to_owned(),
        title: path.to_owned(),
        format: "markdown".to_owned(),
        encoding: "UTF-8".to_owned(),
        words,
        passages,
        fold: Fold::Train,
    }
}

fn documents() -> Arc<Vec<Document>> {
    Arc::new(vec![
        document("manuals/ammonia-receiver.md", 1204, 9),
        document("manuals/pusk/хладагенты-и-масла.md", 812, 6),
        document("defrost-cycles.txt", 2250, 14),
        document("manuals/appendix/of/the/third/edition/glossary.csv", 640, 4),
        document("startup-checklist.md", 330, 2),
        document("запуск.txt", 90, 1),
    ])
}

/// Counts with these tokens per word, document by document.
fn counts(ratios: &[f64], complete: bool) -> Arc<Counts> {
    let all = documents();
    let count = |(document, ratio): (&Document, &f64)| Fragmentation {
        words: if *ratio > 0.0 { document.words as u64 } else { 0 },
        tokens: (document.words as f64 * ratio) as u64,
    };
    let counted: Vec<Fragmentation> = all.iter().zip(ratios).map(count).collect();
    let sum = |rows: &[Fragmentation]| rows.iter().fold(Fragmentation::default(), |sum, row| sum + *row);
    let worst = |word: &str, pieces: &str, count| WorstWord {
        word: word.to_owned(),
        count,
        pieces: pieces.split('·').map(str::to_owned).collect(),
    };
    Arc::new(Counts {
        train: sum(&counted[..4]),
        unseen: sum(&counted[4..]),
        documents: counted,
        done: if complete { 36 } else { 15 },
        total: 36,
        complete,
        worst: if complete {
            vec![
                worst("thermosiphon", "therm·##osi·##phon", 412),
                worst("хладагента", "х·##л·##а·##д·##а·##г·##е·##н·##т·##а", 64),
                worst("compressor", "com·##press·##or", 270),
            ]
        } else {
            Vec::new()
        },
        frequencies: complete.then(|| (0..6000).map(|id| id % 977).collect()),
        torn: 0,
    })
}

fn tell(model: &mut Model, answer: Told) -> Vec<Question> {
    questions(update(model, Msg::Answer(Answer::Corpus(answer))))
}

fn questions(effects: Vec<Effect>) -> Vec<Question> {
    let asked = effects.into_iter().filter_map(|effect| match effect {
        Effect::Ask(Asked::Corpus(question)) => Some(question),
        _ => None,
    });
    asked.collect()
}

fn artifacts(tokenizers: &[&str]) -> Artifacts {
    let mut trained = Vec::new();
    for name in tokenizers {
        let mut version = version(Kind::Tokenizer, name, 1_795_435_200_000, json!({ "vocab_size": 16_000 }));
        version.settings = json!({ "documents": "train" });
        trained.push(version);
    }
    Artifacts {
        read: true,
        corpora: vec![version(Kind::Corpus, "corpus@v1", 0, json!({}))],
        tokenizers: trained,
        ..Artifacts::default()
    }
}

fn shown(place: Place, marked: &str, trained: Option<&str>) -> Shown {
    let (text, base) = split(marked);
    let mut splits: Splits = vec![("embedded".to_owned(), Ok(Arc::new(base)))];
    splits.extend(trained.map(|trained| ("cold@v3".to_owned(), Ok(Arc::new(split(trained).1)))));
    Shown {
        corpus: "corpus@v1".to_owned(),
        place,
        heading: vec!["Ammonia receiver".to_owned(), "Purging non-condensables".to_owned()],
        text: text.into(),
        left_out: 0,
        splits,
    }
}

const FIRST: Place = Place { document: 0, nth: 2 };

/// A workbench in which documents are open, and nothing is counted.
fn opened(tokenizers: &[&str]) -> Model {
    let mut model = model();
    update(&mut model, Msg::Artifacts(artifacts(tokenizers)));
    tell(&mut model, Told::Opened { corpus: "corpus@v1".to_owned(), documents: documents() });
    model
}

/// With a passage, counts and words.
fn reading(tokenizers: &[&str]) -> Model {
    let mut model = opened(tokenizers);
    press(&mut model, "]");
    press(&mut model, "]");
    tell(&mut model, Told::Passage(shown(FIRST, PASSAGE, tokenizers.first().map(|_| TRAINED))));
    pane(&mut model).touched = true;
    let corpus = || "corpus@v1".to_owned();
    tell(&mut model, Told::Indexed { corpus: corpus(), passages: 36, complete: true });
    let words = WordTable::of_texts(&vec!["thermosiphon".to_owned(); 412]);
    tell(&mut model, Told::Words { corpus: corpus(), words: Arc::new(words) });
    let base = counts(&[2.31, 5.87, 1.92, 1.74, 1.22, 3.4], true);
    tell(&mut model, Told::Counted { corpus: corpus(), tokenizer: "embedded".to_owned(), counts: base });
    for name in tokenizers {
        let trained = counts(&[1.31, 1.4, 1.2, 1.28, 1.1, 1.35], true);
        tell(&mut model, Told::Counted { corpus: corpus(), tokenizer: (*name).to_owned(), counts: trained });
    }
    model
}

fn pane(model: &mut Model) -> &mut CorpusPane {
    model.corpus_pane()
}

fn walk_to(model: &mut Model, word: &str) {
    let pane = self::pane(model);
    pane.arrival = Some(Arrival::Word(word.to_owned()));
    pane.arrive();
}

#[test]
fn it_opens_the_newest_corpus_and_asks_for_what_is_seen() {
    let mut model = model();
    assert_eq!(
        questions(update(&mut model, Msg::Runs(Vec::new()))),
        [Question::Open(None)],
        "before anything is known"
    );
    let asked = tell(&mut model, Told::Opened { corpus: "corpus@v1".to_owned(), documents: documents() });
    let embedded = vec!["embedded".to_owned()];
    assert_eq!(
        asked,
        [
            Question::Show { place: Place::default(), tokenizers: embedded.clone() },
            Question::Count { tokenizers: embedded }
        ]
    );
    // The same corpus, named: nothing new. A tokenizer, a tuned model, another corpus: each brings its questions.
    let mut known = artifacts(&[]);
    assert_eq!(questions(update(&mut model, Msg::Artifacts(known.clone()))), []);
    known.tokenizers = artifacts(&["cold@v3"]).tokenizers;
    let asked = questions(update(&mut model, Msg::Artifacts(known.clone())));
    let both = vec!["embedded".to_owned(), "cold@v3".to_owned()];
    assert_eq!(
        asked,
        [
            Question::Show { place: Place::default(), tokenizers: both },
            Question::Count { tokenizers: vec!["cold@v3".to_owned()] }
        ]
    );
    let mut tuned = version(Kind::Model, "cold@v1", 0, json!({}));
    let sha256 = digest_bytes("");
    tuned.inputs = vec![Input { role: "base".to_owned(), reference: "/m/all-MiniLM-L6-v2".to_owned(), sha256 }];
    known.models = vec![tuned];
    let asked = questions(update(&mut model, Msg::Artifacts(known.clone())));
    assert!(
        matches!(&asked[0], Question::Show { tokenizers, .. } if tokenizers[0] == "/m/all-MiniLM-L6-v2"),
        "{asked:?}"
    );
    known.corpora = vec![version(Kind::Corpus, "corpus@v2", 1, json!({}))];
    let asked = questions(update(&mut model, Msg::Artifacts(known.clone())));
    assert_eq!(asked, [Question::Open(Some("corpus@v2".to_owned()))]);
    assert_eq!(questions(update(&mut model, Msg::Artifacts(known))), [], "once is enough");
}

#[test]
fn the_cursor_walks_across_passages_and_documents() {
    let mut model = opened(&[]);
    tell(&mut model, Told::Passage(shown(Place::default(), "a b·c", None)));
    for expected in [1, 2] {
        assert_eq!(questions(press(&mut model, "right")), []);
        assert_eq!(pane(&mut model).cursor, expected);
    }
    let next = Place { document: 0, nth: 1 };
    assert!(matches!(&questions(press(&mut model, "right"))[..], [Question::Show { place, .. }] if *place == next));
    assert!(text(&draw(&model, 100, 30)).contains("passage 1 of 9"), "the passage stays until the next one is there");
    tell(&mut model, Told::Passage(shown(next, "d e f", None)));
    assert_eq!(pane(&mut model).cursor, 0);
    assert!(
        matches!(&questions(press(&mut model, "left"))[..], [Question::Show { place, .. }] if *place == Place::default())
    );
    tell(&mut model, Told::Passage(shown(Place::default(), "a b·c", None)));
    assert_eq!(pane(&mut model).cursor, 2, "from behind, at the last token");

    // A late answer to what was asked before is no longer wanted.
    tell(&mut model, Told::Passage(shown(next, "d e f", None)));
    assert_eq!(pane(&mut model).shown.as_ref().unwrap().place, Place::default());
    let asked = questions(press(&mut model, "down"));
    assert!(matches!(&asked[..], [Question::Show { place: Place { document: 1, nth: 0 }, .. }]), "{asked:?}");
    let asked = questions(press(&mut model, "["));
    assert!(matches!(&asked[..], [Question::Show { place: Place { document: 0, nth: 8 }, .. }]), "{asked:?}");
    assert_eq!(questions(press(&mut model, "[")).len(), 1);
    assert_eq!(pane(&mut model).list.current(), Some(0));
}

#[test]
fn the_worst_document_comes_first_until_somebody_chooses() {
    let mut model = opened(&[]);
    let tell_counts = |model: &mut Model, complete| {
        let (corpus, tokenizer) = ("corpus@v1".to_owned(), "embedded".to_owned());
        let counts = counts(&[2.31, 5.87, 1.92, 1.74, 1.22, 3.4], complete);
        tell(model, Told::Counted { corpus, tokenizer, counts })
    };
    assert_eq!(tell_counts(&mut model, false), []);
    assert!(text(&draw(&model, 100, 30)).contains("counting 41 %"));
    let asked = tell_counts(&mut model, true);
    assert!(matches!(&asked[..], [Question::Show { place: Place { document: 1, nth: 0 }, .. }]), "{asked:?}");
    press(&mut model, "down");
    assert_eq!(tell_counts(&mut model, true), [], "the user reads another document");
    // By words, by path, by ratio again; the cursor stays on its document.
    let row = pane(&mut model).list.current();
    for place in [5, 5, 1] {
        press(&mut model, "s");
        assert_eq!((pane(&mut model).list.current(), pane(&mut model).list.position()), (row, place));
    }
}

#[test]
fn the_filter_shows_what_it_names() {
    let mut model = reading(&[]);
    press(&mut model, "/");
    let mut asked = Vec::new();
    for key in ["g", "l", "o", "s"] {
        asked = questions(press(&mut model, key));
    }
    assert!(asked.is_empty(), "the first letter had found it");
    assert_eq!(pane(&mut model).list.current(), Some(3));
    press(&mut model, "enter");
    assert_eq!(pane(&mut model).list.len(), 1);
    press(&mut model, "esc");
    assert_eq!(pane(&mut model).list.len(), 6);
}

#[test]
fn a_bad_word_leads_to_its_passage() {
    let mut model = reading(&["cold@v3"]);
    press(&mut model, "w");
    let screen = text(&draw(&model, 120, 40));
    assert!(screen.contains("WORST WORDS 3") && screen.contains("by cost"), "{screen}");
    press(&mut model, "down");
    let asked = questions(press(&mut model, "enter"));
    // 270 times two pieces too many cost less than 64 times nine.
    assert_eq!(asked, [Question::Find { word: "хладагента".to_owned(), after: FIRST }]);
    let place = Place { document: 5, nth: 0 };
    let asked = tell(&mut model, Told::Found { word: "хладагента".to_owned(), place: Some(place) });
    assert!(matches!(&asked[..], [Question::Show { place: found, .. }] if *found == place), "{asked:?}");
    tell(&mut model, Told::Passage(shown(place, "масло и х·ладагента, два", Some("масло и хладагента, два"))));
    assert_eq!(pane(&mut model).cursor, 2);
    press(&mut model, "w");
    assert_eq!(pane(&mut model).list.current(), Some(5));
    let notice = update(&mut model, Msg::Answer(Answer::Corpus(Told::Found { word: "x".to_owned(), place: None })));
    assert!(notice.is_empty() && model.notice.is_some(), "it says that there is none");
}

#[test]
fn one_tokenizer_or_both_keep_the_place() {
    let mut model = reading(&["cold@v3"]);
    walk_to(&mut model, "thermosiphon");
    press(&mut model, "right");
    assert_eq!(pane(&mut model).copied(&crate::tui::testing::model().shared).as_deref(), Some("thermosiphon"));
    let byte = pane(&mut model).byte();
    press(&mut model, "v");
    assert_eq!(pane(&mut model).shown_slots(), ["embedded"]);
    assert_eq!(pane(&mut model).byte(), byte);
    press(&mut model, "v");
    assert_eq!(pane(&mut model).shown_slots(), ["cold@v3"]);
    let pane = self::pane(&mut model);
    let span = &pane.split("cold@v3").unwrap().spans[pane.cursor];
    assert!(span.range.contains(&byte) && span.piece == "thermosiphon");
    press(&mut model, "v");
    assert_eq!(self::pane(&mut model).shown_slots().len(), 2);
}

#[test]
fn another_tokenizer_is_chosen() {
    let mut model = reading(&["cold@v3"]);
    press(&mut model, "t");
    let Some(Overlay::Choice(choice)) = &model.overlay else { panic!("{:?}", model.overlay) };
    assert_eq!(choice.rows.iter().map(|(value, _)| value.as_str()).collect::<Vec<_>>(), ["embedded", "cold@v3"]);
    assert_eq!(choice.selected, 1, "the one that is shown");
    press(&mut model, "up");
    let asked = questions(press(&mut model, "enter"));
    assert!(matches!(&asked[..], [Question::Show { tokenizers, .. }] if tokenizers == &["embedded"]), "{asked:?}");
    // The base alone is left: in its place another.
    let pane = self::pane(&mut model);
    assert_eq!(pane.slots, [Some("embedded".to_owned()), None]);
}

#[test]
fn a_text_of_ones_own_splits_as_it_is_typed() {
    let mut model = reading(&["cold@v3"]);
    press(&mut model, "e");
    let asked = questions(press(&mut model, "q"));
    let both = vec!["embedded".to_owned(), "cold@v3".to_owned()];
    assert_eq!(asked, [Question::Scratch { text: "q".to_owned(), tokenizers: both }], "q is a letter here");
    let (text_typed, typed) = split("q·q");
    let splits = vec![("embedded".to_owned(), Ok(Arc::new(typed)))];
    tell(&mut model, Told::Scratch { text: text_typed.into(), splits });
    press(&mut model, "esc");
    let screen = text(&draw(&model, 80, 24));
    assert!(screen.contains("› q") && screen.contains("q·q"), "{screen}");
    press(&mut model, "esc");
    assert!(!text(&draw(&model, 80, 24)).contains("q·q"), "emptied");
}

#[test]
fn what_goes_wrong_is_said_in_its_place() {
    let mut model = reading(&["cold@v3"]);
    let gone = "reading /w/corpus/v1/passages.jsonl: No such file or directory (os error 2); read the documents again \
                with `lapidary corpus refresh`";
    tell(&mut model, Told::Failed { about: About::Passage, text: gone.to_owned() });
    let mut broken = shown(FIRST, PASSAGE, None);
    broken.splits.push(("cold@v3".to_owned(), Err("/w/tokenizers/cold/v3/tokenizer.json: no tokenizer".to_owned())));
    pane(&mut model).shown = Some(broken);
    let text_of_count = "/w/tokenizers/cold/v3/tokenizer.json: no tokenizer".to_owned();
    tell(&mut model, Told::Failed { about: About::Counting("cold@v3".to_owned()), text: text_of_count });
    insta::assert_snapshot!("errors_100x30", text(&draw(&model, 100, 30)));
    tell(&mut model, Told::Passage(shown(FIRST, PASSAGE, Some(TRAINED))));
    assert!(!text(&draw(&model, 100, 30)).contains("No such file"));
}

#[test]
fn a_click_goes_to_what_it_hits() {
    let mut model = reading(&[]);
    draw(&model, 100, 30);
    let shared = crate::tui::testing::model().shared;
    let pane = self::pane(&mut model);
    let asked = questions(pane.click(5, 2, &shared));
    assert!(matches!(&asked[..], [Question::Show { place: Place { document: 5, nth: 0 }, .. }]), "{asked:?}");
    let (slot, area, ..) = pane.drawn.borrow().tokens[0].clone();
    assert_eq!(slot, "embedded");
    pane.click(area.x + 7, area.y - 1, &shared);
    assert_eq!(pane.cursor, 1, "`the` begins at column 6");
}

#[test]
fn nothing_of_a_document_drives_the_terminal() {
    let mut model = opened(&[]);
    let mut evil = documents().to_vec();
    evil[0].path = "a\u{1b}[2Jb.md".to_owned();
    tell(&mut model, Told::Opened { corpus: "corpus@v1".to_owned(), documents: Arc::new(evil) });
    let mut passage = shown(Place::default(), "x·\u{1b}[31m", None);
    passage.heading = vec!["\u{202e}evil".to_owned()];
    tell(&mut model, Told::Passage(passage));
    for (width, height) in [(40, 10), (63, 12), (64, 13), (80, 24), (200, 60)] {
        let buffer = draw(&model, width, height);
        assert!(buffer.content.iter().all(|cell| !cell.symbol().chars().any(|c| c.is_control() || c == '\u{202e}')));
    }
}

#[test]
fn screens() {
    let utf8 = Palette { charset: Charset::Utf8, ..Palette::PLAINEST };
    let mut model = reading(&["cold@v3"]);
    walk_to(&mut model, "thermosiphon");
    insta::assert_snapshot!("two_80x24", text(&draw(&model, 80, 24)));
    insta::assert_snapshot!("two_120x40", text(&draw(&model, 120, 40)));
    insta::assert_snapshot!("two_80x24_ansi16", in_16_colours(&mut model, 80, 24));
    insta::assert_snapshot!("two_120x40_ansi16", in_16_colours(&mut model, 120, 40));
    model.shared.palette = Palette::PLAINEST;
    let ascii = text(&draw(&model, 80, 24));
    insta::assert_snapshot!("two_80x24_ascii", ascii);
    model.shared.palette = utf8;
    insta::assert_snapshot!("two_48x20", text(&draw(&model, 48, 20)));
    press(&mut model, "w");
    insta::assert_snapshot!("worst_80x24", text(&draw(&model, 80, 24)));
    press(&mut model, "w");
    press(&mut model, "e");
    insta::assert_snapshot!("scratch_empty_80x24", text(&draw(&model, 80, 24)));
    press(&mut model, "x");
    let (typed, base) = split("therm·osi·phon re·ceiver");
    let trained = split("thermosiphon receiver").1;
    let splits = vec![("embedded".to_owned(), Ok(Arc::new(base))), ("cold@v3".to_owned(), Ok(Arc::new(trained)))];
    pane(&mut model).scratch.set("thermosiphon receiver");
    tell(&mut model, Told::Scratch { text: typed.into(), splits });
    insta::assert_snapshot!("scratch_120x40", text(&draw(&model, 120, 40)));

    let mut alone = reading(&[]);
    walk_to(&mut alone, "compressor");
    insta::assert_snapshot!("one_80x24", text(&draw(&alone, 80, 24)));
    insta::assert_snapshot!("one_120x40", text(&draw(&alone, 120, 40)));

    let mut early = opened(&["cold@v3"]);
    insta::assert_snapshot!("opened_80x24", text(&draw(&early, 80, 24)));
    let (text_only, _) = split(PASSAGE);
    let mut plain = shown(Place::default(), PASSAGE, None);
    (plain.text, plain.splits, plain.left_out) = (text_only.into(), Vec::new(), 983_040);
    tell(&mut early, Told::Passage(plain));
    let partial = counts(&[2.31, 5.87, 0.0, 0.0, 0.0, 0.0], false);
    let (corpus, tokenizer) = ("corpus@v1".to_owned(), "embedded".to_owned());
    tell(&mut early, Told::Counted { corpus, tokenizer, counts: partial });
    insta::assert_snapshot!("counting_80x24", text(&draw(&early, 80, 24)));
}

#[test]
fn empty_screens() {
    let mut model = model();
    insta::assert_snapshot!("reading_80x24", text(&draw(&model, 80, 24)));
    update(&mut model, Msg::Artifacts(Artifacts { read: true, ..Artifacts::default() }));
    insta::assert_snapshot!("no_corpus_80x24", text(&draw(&model, 80, 24)));
}

#[test]
fn characters_that_are_cut_are_named_with_their_bytes() {
    let mut model = opened(&[]);
    // `аммиак` whose first letter is in two tokens.
    let text_cut = "аммиак";
    let span = |id, piece: &str, range: std::ops::Range<usize>| TokenSpan {
        id,
        piece: piece.to_owned(),
        bytes: text_cut.as_bytes()[range.clone()].to_vec(),
        range,
        normalized: false,
    };
    let spans = vec![span(208, "Ð", 0..1), span(176, "°", 1..2), span(4711, "Ð¼Ð¼Ð¸Ð°Ðº", 2..12)];
    let words = vec![WordPieces { range: 0..12, spans: 0..3 }];
    let mut passage = shown(Place::default(), "x", None);
    passage.text = text_cut.into();
    passage.splits = vec![("embedded".to_owned(), Ok(Arc::new(Split { spans, words })))];
    tell(&mut model, Told::Passage(passage));
    let screen = text(&draw(&model, 100, 30));
    assert!(screen.contains("cut inside а  d0 · b0"), "{screen}");
    assert!(screen.contains("<d0>·<b0>·ммиак  3 pieces"), "{screen}");
}
