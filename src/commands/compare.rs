//! `lapidary compare`: would my users notice?

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::{Answer, Invocation, Result};
use crate::jobs::{Compared, compare};

/// Characters of a passage in plain output.
const EXCERPT: usize = 72;

pub(super) fn define() -> Command {
    Command::new("compare")
        .about("The top passages for one query, model beside model")
        .arg(Arg::new("query").value_name("QUERY").required(true).help("What a user would ask"))
        .arg(
            Arg::new("model")
                .long("model")
                .value_name("M")
                .action(ArgAction::Append)
                .help("A model to ask, several times if wanted (default: the newest tuned model and its base)"),
        )
        .arg(
            Arg::new("top")
                .long("top")
                .value_name("N")
                .default_value("5")
                .value_parser(clap::value_parser!(u64).range(1..=1000))
                .help("Passages a system"),
        )
}

pub(super) fn run(invocation: &Invocation, matches: &ArgMatches) -> Result<Answer> {
    let workspace = invocation.workspace()?;
    let query = matches.get_one::<String>("query").cloned().unwrap_or_default();
    let models: Vec<String> = matches.get_many::<String>("model").into_iter().flatten().cloned().collect();
    let top = matches.get_one::<u64>("top").copied().unwrap_or(5) as usize;
    let systems = invocation.without_run(&workspace, |context| compare(context, &query, &models, top))?;
    let json = serde_json::json!({ "query": query, "systems": systems });
    Ok(Answer { json, plain: systems.iter().map(plain).collect::<Vec<_>>().join("\n") })
}

fn plain(system: &Compared) -> String {
    let mut text = format!("{}\n", system.name);
    for (rank, hit) in system.hits.iter().enumerate() {
        let excerpt: String = hit.text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(EXCERPT).collect();
        let heading = hit.heading.join(" › ");
        text.push_str(&format!("  {:>2}  {:>7.3}  {heading}\n               {excerpt}…\n", rank + 1, hit.score));
    }
    text
}
