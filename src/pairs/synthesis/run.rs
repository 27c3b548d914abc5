//! The whole of a synthesis: what is known, what is asked, what is told meanwhile.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use rayon::prelude::*;

use super::ask::{Asker, Finding, NOTHING, limits};
use super::board::{Board, Endpoint, Step, Work};
use super::connect::{self, Connected};
use super::journal::{Entry, Journal, Known, note};
use super::prompt::Template;
use super::questioner::{Questioner, Templates};
use super::sieve::{Sieve, Sifted, language, may_be_seen};
use super::{Recipe, Synthesized, Without};
use crate::corpus::{self, Passage};
use crate::pairs::filters::is_poor;
use crate::pairs::ollama::Address;
use crate::pairs::{Error, Reason, Result, Row};
use crate::progress::{Clock, Event, Observer};
use crate::settings::{PairsSynthesisSettings, RoundTripBy};
use crate::workspace::short_id;

/// How often the user's wishes are looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How often it is told how far the work is.
const TELL: Duration = Duration::from_millis(500);
/// How often the disk is made to keep what was written, and the endpoints are told of.
const SECOND: Duration = Duration::from_secs(1);
/// The time over which tokens a second are counted.
const PACE: Duration = Duration::from_secs(10);
/// Documents in a language, of a hundred, from which it is one of the corpus; fewer are a mistake of who told it.
const LEAST_SHARE: usize = 2;

/// What questions are to be made of, and how.
pub struct Task<'a> {
    /// All passages of the corpus.
    pub passages: Arc<[Passage]>,
    /// The settings.
    pub settings: &'a PairsSynthesisSettings,
    /// The servers.
    pub addresses: &'a [Address],
    /// Questions of real users, to be shown to the model.
    pub examples: Vec<String>,
    /// The user's own prompt, and where it is.
    pub prompt: Option<(String, String)>,
    /// Where answers are kept.
    pub answers: &'a Path,
    /// The recipe of the version before, and its name.
    pub before: Option<(Recipe, String)>,
    /// Who watches.
    pub observer: &'a dyn Observer,
    /// The time.
    pub clock: &'a dyn Clock,
}

/// Asks a model about every passage that it was not asked about yet. Stopped or killed at any moment, it goes on where it was:
/// every answer is kept before the next request is sent.
pub fn synthesize(task: &Task<'_>) -> Result<Synthesized> {
    let Task { passages, settings, observer, .. } = task;
    let observer = *observer;
    observer.on(Event::phase("read the passages"));
    let wanted = chosen(passages, settings);
    let (poor, wanted): (Vec<usize>, Vec<usize>) = wanted.into_par_iter().partition(|at| is_poor(&passages[*at].text));
    let of_language =
        settings.language.as_deref().map(|name| language(name).ok_or_else(|| Error::UnknownLanguage(name.to_owned())));
    let of_language = of_language.transpose()?;
    let templates = match &task.prompt {
        Some((text, origin)) => Templates::Own(Box::new(Template::parse(text, origin)?)),
        None => Templates::BuiltIn,
    };
    let recipe = Recipe::new(settings, templates.digest(), task.examples.clone());
    let Opened { connected, recipe, known, journal } = open(task, recipe, &wanted)?;

    let languages = if of_language.is_some() { Vec::new() } else { languages(passages) };
    let questioner = Questioner {
        passages: Arc::clone(passages),
        templates,
        language: of_language,
        languages,
        examples: task.examples.clone(),
        settings: PairsSynthesisSettings { model: Some(recipe.model.clone()), ..(*settings).clone() },
    };
    let sieve = Sieve::new(passages, settings, settings.round_trip > 0 && settings.round_trip_by == RoundTripBy::Bm25)?;
    let mut progress = Progress::new(passages, &sieve, poor, observer);
    progress.take_known(&known, &wanted);

    let judged = settings.judge > 0;
    let work: Vec<Work> = wanted.iter().filter_map(|at| work(*at, known.get(&passages[*at].id), settings)).collect();
    let asked = work.len();
    if !known.is_empty() {
        let text = format!(
            "{} of {} passages were asked about before, with the same prompt, model and options; {asked} are left",
            wanted.len() - asked,
            wanted.len()
        );
        observer.on(Event::note(text));
    }
    let endpoints = connected.map(|connected| connected.endpoints).unwrap_or_default();
    let mut tokens = 0;
    let started = task.clock.monotonic();
    if !work.is_empty() {
        observer.on(Event::phase(format!("ask {}", recipe.model)));
        let asker = Arc::new(Asker {
            board: Board::new(work.into(), settings.concurrency),
            endpoints: endpoints.clone(),
            questioner,
            journal,
            limits: limits(settings.load_timeout, settings.silence),
            tries: settings.tries,
            judged,
        });
        let mut watch = Watch {
            task,
            asker: &asker,
            known,
            progress: &mut progress,
            total: wanted.len(),
            patience: patience(settings),
        };
        watch.run()?;
        tokens = asker.endpoints.iter().map(|endpoint| endpoint.tokens.load(Ordering::Relaxed)).sum();
    }
    if !settings.keep_loaded && asked > 0 {
        connect::unload(&endpoints, &recipe, observer);
    }
    let seconds = task.clock.monotonic().saturating_sub(started).as_secs_f64();
    let Progress { sifted, without, .. } = progress;
    Ok(Synthesized {
        passages: Arc::clone(passages),
        sifted: sifted.into_iter().collect(),
        without,
        recipe,
        wanted: wanted.len(),
        asked,
        tokens,
        seconds,
    })
}

fn patience(settings: &PairsSynthesisSettings) -> Duration {
    Duration::from_secs_f64(settings.patience * 60.0)
}

/// The passages to ask about, in the order in which they are asked about: spread over the corpus, so that a part is a
/// sample of the whole, and a smaller `--limit` is a part of a larger one.
fn chosen(passages: &[Passage], settings: &PairsSynthesisSettings) -> Vec<usize> {
    let seed = settings.seed.to_string();
    let mut order: Vec<(String, usize)> =
        passages.par_iter().enumerate().map(|(at, passage)| (short_id(&[&seed, &passage.id]), at)).collect();
    order.sort_unstable();
    order.truncate(settings.limit.unwrap_or(usize::MAX));
    order.into_iter().map(|(_, at)| at).collect()
}

/// What is to be asked of a passage, if anything is.
fn work(passage: usize, known: Option<&Known>, settings: &PairsSynthesisSettings) -> Option<Work> {
    let step = match known {
        Some(known) if !known.questions.is_empty() => {
            if settings.judge == 0 || known.scores.len() == known.questions.len() {
                return None;
            }
            Step::Judge { questions: known.questions.clone(), wrong: None }
        }
        Some(known) if known.nothing => return None,
        // What was given up may have been the server's bad day.
        _ => Step::Ask { wrong: None, num_predict: settings.num_predict },
    };
    Some(Work { passage, tries: 0, step })
}

/// The language of each passage: one that the corpus has, since a passage of jargon may look like any language.
fn languages(passages: &[Passage]) -> Vec<Option<whatlang::Lang>> {
    let found: Vec<Option<whatlang::Lang>> =
        passages.par_iter().map(|passage| corpus::language_of(&passage.text)).collect();
    let mut counts: HashMap<whatlang::Lang, usize> = HashMap::new();
    for lang in found.iter().flatten() {
        *counts.entry(*lang).or_default() += 1;
    }
    let most = counts.iter().max_by_key(|(lang, count)| (**count, lang.code())).map(|(lang, _)| *lang);
    let is_spoken = |lang: &whatlang::Lang| counts[lang] * 100 >= found.len() * LEAST_SHARE && counts[lang] > 1;
    found.iter().map(|lang| lang.filter(is_spoken).or(most)).collect()
}

/// An open journal, and who can add to it.
struct Opened {
    /// The servers; none where nothing is left to ask.
    connected: Option<Connected>,
    recipe: Recipe,
    known: HashMap<String, Known>,
    journal: Journal,
}

/// Opens the journal of a recipe, completed by what the servers say of the model. Without any server there may be one whose
/// answers are complete.
fn open(task: &Task<'_>, mut recipe: Recipe, wanted: &[usize]) -> Result<Opened> {
    let Task { settings, observer, .. } = task;
    observer.on(Event::phase("look for the model"));
    let connected = match connect::connect(task.addresses, settings, *observer) {
        Ok(connected) => connected,
        Err(error) => {
            let Some(found) = Journal::find_like(task.answers, &recipe) else { return Err(error) };
            let (journal, known) = Journal::open(task.answers, &found)?;
            let complete = wanted.iter().all(|at| {
                let known = known.get(&task.passages[*at].id);
                known.is_some_and(|known| known.failed.is_some()) || work(*at, known, settings).is_none()
            });
            if !complete {
                return Err(error);
            }
            observer.on(Event::note("no Ollama answers, and none is needed: every passage was asked about before"));
            return Ok(Opened { connected: None, recipe: found, known, journal });
        }
    };
    recipe.model.clone_from(&connected.model);
    recipe.model_digest.clone_from(&connected.digest);
    let (journal, known) = Journal::open(task.answers, &recipe)?;
    if let Some((before, name)) = &task.before {
        let changes = recipe.changes(before);
        if !changes.is_empty() {
            let text = format!(
                "other than {name}: {}; what was asked for it stays, and passages are asked about anew for this version",
                changes.join(", ")
            );
            observer.on(Event::note(text));
        }
    }
    Ok(Opened { connected: Some(connected), recipe, known, journal })
}

/// What came of it so far.
struct Progress<'a> {
    passages: &'a [Passage],
    sieve: &'a Sieve<'a>,
    observer: &'a dyn Observer,
    sifted: BTreeMap<usize, Vec<Sifted>>,
    without: Vec<Without>,
    kept: u64,
    rejected: BTreeMap<String, u64>,
    failed: u64,
}

impl<'a> Progress<'a> {
    fn new(passages: &'a [Passage], sieve: &'a Sieve<'a>, poor: Vec<usize>, observer: &'a dyn Observer) -> Self {
        let mut rejected = BTreeMap::new();
        if !poor.is_empty() {
            rejected.insert(Reason::PoorPassage.to_string(), poor.len() as u64);
        }
        let without =
            poor.into_iter().map(|at| Without::new(&passages[at], Reason::PoorPassage, String::new())).collect();
        Self { passages, sieve, observer, sifted: BTreeMap::new(), without, kept: 0, rejected, failed: 0 }
    }

    /// Takes over what was answered before.
    fn take_known(&mut self, known: &HashMap<String, Known>, wanted: &[usize]) {
        let answered = wanted.iter().filter_map(|at| Some((*at, known.get(&self.passages[*at].id)?)));
        let answered: Vec<(usize, Known)> =
            answered.filter(|(_, known)| !known.questions.is_empty()).map(|(at, known)| (at, known.clone())).collect();
        for (at, sifted) in self.sieve.all(&answered) {
            self.count(&sifted, true);
            self.sifted.insert(at, sifted);
        }
        for at in wanted.iter().filter(|at| known.get(&self.passages[**at].id).is_some_and(|known| known.nothing)) {
            self.give_up(*at, NOTHING.to_owned());
        }
    }

    /// Takes what is known of a passage now, and tells it.
    fn take(&mut self, at: usize, known: &Known) {
        let sifted = self.sieve.sift(at, known);
        if let Some(before) = self.sifted.remove(&at) {
            self.count(&before, false);
        }
        for one in sifted.iter().filter(|one| may_be_seen(&self.passages[at], one)) {
            self.observer.on(one.row.event(one.reason));
        }
        self.count(&sifted, true);
        self.sifted.insert(at, sifted);
    }

    fn count(&mut self, sifted: &[Sifted], more: bool) {
        let step = |count: &mut u64| *count = if more { *count + 1 } else { count.saturating_sub(1) };
        for one in sifted {
            match one.reason {
                None => step(&mut self.kept),
                Some(reason) => step(self.rejected.entry(reason.to_string()).or_default()),
            }
        }
    }

    fn give_up(&mut self, at: usize, why: String) {
        self.failed += 1;
        let event = Row { positives: vec![self.passages[at].id.clone()], query: why.clone(), ..Row::default() };
        self.observer.on(event.event(Some(Reason::NoAnswer)));
        *self.rejected.entry(Reason::NoAnswer.to_string()).or_default() += 1;
        self.without.push(Without::new(&self.passages[at], Reason::NoAnswer, why));
    }
}

/// Watches the slots: takes what they find, tells it, and hands the user's wishes on.
struct Watch<'a, 'b> {
    task: &'a Task<'b>,
    asker: &'a Arc<Asker>,
    known: HashMap<String, Known>,
    progress: &'a mut Progress<'b>,
    total: usize,
    patience: Duration,
}

impl Watch<'_, '_> {
    fn run(&mut self) -> Result<()> {
        let (sender, found) = channel();
        let asker = Arc::clone(self.asker);
        let slots = std::thread::Builder::new().name("ollama".to_owned()).spawn(move || asker.run(&sender));
        let slots = slots.map_err(|error| Error::Runtime(error.to_string()))?;
        let result = self.follow(&found);
        self.asker.board.stop();
        // The slots drop their requests and end; what they found meanwhile is in the journal.
        let ended = slots.join();
        self.asker.journal.sync()?;
        result?;
        ended.map_err(|_| Error::Runtime("the thread that asks is gone".to_owned()))
    }

    fn follow(&mut self, found: &Receiver<Finding>) -> Result<()> {
        let clock = self.task.clock;
        let (mut told, mut synced) = (Duration::ZERO, clock.monotonic());
        let mut pace = Pace::new(&self.asker.endpoints);
        self.tell_endpoints(&pace);
        loop {
            let now = clock.monotonic();
            if now.saturating_sub(told) >= TELL || told.is_zero() {
                told = now;
                pace.count(&self.asker.endpoints, now);
                self.tell(&pace);
            }
            if now.saturating_sub(synced) >= SECOND {
                synced = now;
                self.asker.journal.sync()?;
                self.tell_endpoints(&pace);
            }
            if self.task.observer.stop_requested() {
                return Err(Error::Stopped);
            }
            self.asker.board.obey(self.task.observer.pause_requested(), self.task.observer.concurrency_requested());
            self.check_endpoints()?;
            match found.recv_timeout(LOOK) {
                Ok(finding) => {
                    if let Finding::Aside(..) = finding {
                        self.tell_endpoints(&pace);
                    }
                    self.take(finding)?;
                    // Whatever else is there comes with it: looking at the user's wishes costs more than a finding.
                    while let Ok(finding) = found.try_recv() {
                        self.take(finding)?;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        pace.count(&self.asker.endpoints, clock.monotonic());
        self.tell(&pace);
        self.tell_endpoints(&pace);
        if self.asker.board.left() > 0 { Err(self.no_endpoint()) } else { Ok(()) }
    }

    fn take(&mut self, finding: Finding) -> Result<()> {
        match finding {
            Finding::Questions(at, questions) => {
                let known = Known { questions, ..Known::default() };
                // Unjudged questions are not shown as kept before the judge has spoken.
                if !self.asker.judged {
                    self.progress.take(at, &known);
                }
                self.known.insert(self.progress.passages[at].id.clone(), known);
            }
            Finding::Scores(at, scores) => {
                let passage = self.progress.passages[at].id.clone();
                note(
                    &mut self.known,
                    Entry { passage: passage.clone(), outcome: super::journal::Outcome::Scores(scores) },
                );
                if let Some(known) = self.known.get(&passage) {
                    self.progress.take(at, known);
                }
            }
            Finding::Failed(at, why) => self.progress.give_up(at, why),
            Finding::Aside(problem, for_good) => {
                let what = if for_good { "is not asked any more" } else { "is left alone for a while" };
                self.task.observer.on(Event::warning(format!("an endpoint {what}: {problem}")));
            }
            Finding::Broken(error) => return Err(error),
        }
        Ok(())
    }

    fn tell(&self, pace: &Pace) {
        let board = &self.asker.board;
        let observer = self.task.observer;
        observer.on(Event::progress(self.total - board.left().min(self.total), self.total, "passages"));
        observer.on(Event::Tally {
            kept: self.progress.kept,
            rejected: self.progress.rejected.clone(),
            failed: self.progress.failed,
            tokens_per_s: pace.rates.iter().sum(),
            in_flight: self.asker.endpoints.iter().map(|endpoint| endpoint.in_flight()).sum(),
            concurrency: board.concurrency() as u64,
            paused: board.is_paused(),
        });
    }

    fn tell_endpoints(&self, pace: &Pace) {
        for (endpoint, rate) in self.asker.endpoints.iter().zip(&pace.rates) {
            self.task.observer.on(endpoint.event(*rate));
        }
    }

    /// An error where there is nobody left to ask, or nobody has said a word for too long.
    fn check_endpoints(&self) -> Result<()> {
        let endpoints = &self.asker.endpoints;
        let all_gone = endpoints.iter().all(|endpoint| endpoint.is_gone());
        let nobody = endpoints.iter().all(|endpoint| !endpoint.is_of_use());
        if all_gone || (nobody && self.asker.board.silence() > self.patience) {
            return Err(self.no_endpoint());
        }
        Ok(())
    }

    fn no_endpoint(&self) -> Error {
        let problems = self.asker.endpoints.iter().filter_map(|endpoint| endpoint.problem());
        Error::NoEndpoint { left: self.asker.board.left(), problems: problems.collect::<Vec<_>>().join("; ") }
    }
}

/// Tokens a second of each endpoint, over the last seconds.
struct Pace {
    seen: Vec<Vec<(Duration, u64)>>,
    rates: Vec<f64>,
}

impl Pace {
    fn new(endpoints: &[Arc<Endpoint>]) -> Self {
        Self { seen: vec![Vec::new(); endpoints.len()], rates: vec![0.0; endpoints.len()] }
    }

    fn count(&mut self, endpoints: &[Arc<Endpoint>], now: Duration) {
        for ((endpoint, seen), rate) in endpoints.iter().zip(&mut self.seen).zip(&mut self.rates) {
            seen.push((now, endpoint.tokens.load(Ordering::Relaxed)));
            while seen.len() > 2 && now.saturating_sub(seen[1].0) > PACE {
                seen.remove(0);
            }
            let ((from, before), (to, after)) = (seen[0], seen[seen.len() - 1]);
            let seconds = to.saturating_sub(from).as_secs_f64();
            *rate = if seconds > 0.0 { after.saturating_sub(before) as f64 / seconds } else { 0.0 };
        }
    }
}
