//! The workbench ranks as the command line does.

use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use lapidary::tui::message::Msg;
use lapidary::tui::workers::compare::{Answer, Asked, Opening, Question, Ranking};
use lapidary::tui::workers::{Answer as AnyAnswer, Outbox, Question as AnyQuestion, Workers};
use lapidary::workspace::Workspace;

use crate::support::{json, lapidary, sample_workspace};

/// The first ranking by so many systems.
fn ranking(messages: &Receiver<Msg>, systems: usize) -> Ranking {
    loop {
        let message = messages.recv_timeout(Duration::from_secs(120)).expect("the worker went silent");
        if let Msg::Answer(AnyAnswer::Compare(Answer::Ranking(ranking))) = message
            && ranking.systems.len() == systems
        {
            return ranking;
        }
    }
}

#[test]
fn the_workbench_ranks_as_the_command_does() {
    let folder = tempfile::tempdir().unwrap();
    let root = sample_workspace(folder.path());
    let query = "why does the suction pressure climb after a hot gas defrost";
    let compared =
        json(lapidary().args(["compare", query, "--model", "embedded", "--top", "10", "--workspace"]).arg(&root));

    let (sender, messages) = sync_channel(256);
    let workers = Workers::spawn(&Workspace::find(&root).unwrap(), "cpu", &Outbox::new(sender));
    let ask = |question| workers.ask(AnyQuestion::Compare(question));
    ask(Question::Open(Opening { number: 1, models: vec!["embedded".to_owned()], ..Opening::default() }));
    ask(Question::Rank(Asked { number: 1, query: query.to_owned(), ..Asked::default() }));
    let ranking = ranking(&messages, 3);

    let expected = compared["systems"].as_array().unwrap();
    assert_eq!(expected.len(), 2, "the model and BM25");
    for (system, ranked) in expected.iter().zip(&ranking.systems) {
        let hits = ranked.hits.as_ref().unwrap();
        let expected = system["hits"].as_array().unwrap();
        assert_eq!(expected.len(), 10);
        for (expected, hit) in expected.iter().zip(hits) {
            assert_eq!(expected["passage"], ranking.passages[hit.passage].id, "{}", ranked.name);
            assert!((expected["score"].as_f64().unwrap() - f64::from(hit.score)).abs() < 1e-4);
        }
    }
}
