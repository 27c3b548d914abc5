//! Reading a line of the event log in one pass.
//!
//! serde reads a flattened, internally tagged enum by buffering every value twice. A log has a hundred thousand lines
//! and a viewer waits for them, so the lines as lapidary writes them, the kind before what it holds, are read straight
//! into the event. Whatever this does not understand is left to serde: it is a shorter way, never another format.

use std::fmt;

use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::LoggedEvent;
use crate::progress::{Event, Outcome, Scalars};

impl LoggedEvent {
    /// Reads one line of an event log. A kind that this version does not know is [`Event::Unknown`].
    pub fn parse(line: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice::<Lean>(line).map(|lean| lean.0).or_else(|_| serde_json::from_slice(line))
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Start,
    Phase,
    Progress,
    Scalar,
    System,
    Merge,
    Pair,
    Tally,
    Endpoint,
    Eval,
    Checkpoint,
    Ack,
    Note,
    Warning,
    End,
    #[serde(other)]
    Unknown,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Field {
    V,
    T,
    Kind,
    Job,
    Settings,
    Device,
    Name,
    Done,
    Total,
    Unit,
    Step,
    Values,
    Left,
    Right,
    Count,
    Passage,
    Query,
    Source,
    Rejected,
    Path,
    Best,
    Id,
    Text,
    Outcome,
    Error,
    Result,
    #[serde(other)]
    Other,
}

/// Everything that any kind holds; of each line only the fields of its kind are there.
#[derive(Default)]
struct Fields {
    job: Option<String>,
    settings: Option<Value>,
    device: Option<String>,
    name: Option<String>,
    done: Option<u64>,
    total: Option<u64>,
    unit: Option<String>,
    step: Option<u64>,
    values: Option<Scalars>,
    left: Option<String>,
    right: Option<String>,
    count: Option<u64>,
    passage: Option<String>,
    query: Option<String>,
    source: Option<String>,
    rejected: Option<String>,
    path: Option<String>,
    best: Option<bool>,
    id: Option<String>,
    text: Option<String>,
    outcome: Option<Outcome>,
    error: Option<String>,
    result: Option<Value>,
}

impl Fields {
    fn event(self, kind: Kind) -> Option<Event> {
        Some(match kind {
            Kind::Start => Event::Start { job: self.job?, settings: self.settings?, device: self.device? },
            Kind::Phase => Event::Phase { name: self.name? },
            Kind::Progress => Event::Progress { done: self.done?, total: self.total, unit: self.unit? },
            Kind::Scalar => Event::Scalar { step: self.step?, values: self.values? },
            Kind::System => Event::System { values: self.values? },
            Kind::Merge => Event::Merge { done: self.done?, left: self.left?, right: self.right?, count: self.count? },
            Kind::Pair => Event::Pair {
                passage: self.passage?,
                query: self.query?,
                source: self.source?,
                rejected: self.rejected,
            },
            // Rare, and not worth a way of their own: serde reads them.
            Kind::Tally | Kind::Endpoint => return None,
            Kind::Eval => Event::Eval { step: self.step?, values: self.values? },
            Kind::Checkpoint => Event::Checkpoint { step: self.step?, path: self.path?, best: self.best? },
            Kind::Ack => Event::Ack { id: self.id? },
            Kind::Note => Event::Note { text: self.text? },
            Kind::Warning => Event::Warning { text: self.text? },
            Kind::End => Event::End { outcome: self.outcome?, error: self.error, result: self.result? },
            Kind::Unknown => Event::Unknown,
        })
    }
}

struct Lean(LoggedEvent);

impl<'de> Deserialize<'de> for Lean {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = Lean;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an event")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Lean, A::Error> {
                let (mut v, mut t, mut kind, mut fields) = (None, None, None, Fields::default());
                while let Some(field) = map.next_key()? {
                    match field {
                        Field::V => v = Some(map.next_value()?),
                        Field::T => t = Some(map.next_value()?),
                        Field::Kind => kind = Some(map.next_value()?),
                        // What an unknown kind holds may be of any type; before the kind nobody knows.
                        _ if kind == Some(Kind::Unknown) => drop(map.next_value::<IgnoredAny>()?),
                        _ if kind.is_none() => return Err(A::Error::custom("a value before its kind")),
                        Field::Job => fields.job = Some(map.next_value()?),
                        Field::Settings => fields.settings = Some(map.next_value()?),
                        Field::Device => fields.device = Some(map.next_value()?),
                        Field::Name => fields.name = Some(map.next_value()?),
                        Field::Done => fields.done = Some(map.next_value()?),
                        Field::Total => fields.total = map.next_value()?,
                        Field::Unit => fields.unit = Some(map.next_value()?),
                        Field::Step => fields.step = Some(map.next_value()?),
                        Field::Values => fields.values = Some(map.next_value()?),
                        Field::Left => fields.left = Some(map.next_value()?),
                        Field::Right => fields.right = Some(map.next_value()?),
                        Field::Count => fields.count = Some(map.next_value()?),
                        Field::Passage => fields.passage = Some(map.next_value()?),
                        Field::Query => fields.query = Some(map.next_value()?),
                        Field::Source => fields.source = Some(map.next_value()?),
                        Field::Rejected => fields.rejected = map.next_value()?,
                        Field::Path => fields.path = Some(map.next_value()?),
                        Field::Best => fields.best = Some(map.next_value()?),
                        Field::Id => fields.id = Some(map.next_value()?),
                        Field::Text => fields.text = Some(map.next_value()?),
                        Field::Outcome => fields.outcome = Some(map.next_value()?),
                        Field::Error => fields.error = map.next_value()?,
                        Field::Result => fields.result = Some(map.next_value()?),
                        Field::Other => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                let event = kind.and_then(|kind| fields.event(kind)).ok_or_else(|| A::Error::custom("no event"))?;
                let (Some(v), Some(t)) = (v, t) else { return Err(A::Error::custom("no time")) };
                Ok(Lean(LoggedEvent { v, t, event }))
            }
        }
        deserializer.deserialize_map(Visit)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::progress::EndpointState;

    /// One event of every kind, made of a text and a number.
    fn every_kind(text: &str, n: u64, x: f64, maybe: Option<&str>) -> Vec<Event> {
        let text = || text.to_owned();
        let values = || Scalars::from([("loss", x), ("gradient_norm", f64::INFINITY), ("n", n as f64)]);
        let maybe = maybe.map(str::to_owned);
        vec![
            Event::Start { job: text(), settings: json!({ "a": [1, null, text()] }), device: text() },
            Event::phase(text()),
            Event::Progress { done: n, total: Some(n), unit: text() },
            Event::Progress { done: n, total: None, unit: text() },
            Event::Scalar { step: n, values: values() },
            Event::System { values: values() },
            Event::Merge { done: n, left: text(), right: text(), count: n },
            Event::Pair { passage: text(), query: text(), source: text(), rejected: maybe.clone() },
            Event::Eval { step: n, values: values() },
            Event::Checkpoint { step: n, path: text(), best: n.is_multiple_of(2) },
            Event::Ack { id: text() },
            Event::note(text()),
            Event::warning(text()),
            Event::End { outcome: Outcome::Finished, error: maybe.clone(), result: json!({ "artifact": text() }) },
            Event::End { outcome: Outcome::Failed, error: maybe, result: Value::Null },
            Event::End { outcome: Outcome::Stopped, error: None, result: Value::Null },
        ]
    }

    proptest! {
        #[test]
        fn both_ways_of_reading_agree_on_every_kind(
            text in ".*", n: u64, t: u64, x in -1e9..1e9f64, maybe in proptest::option::of(".*"),
        ) {
            for event in every_kind(&text, n, x, maybe.as_deref()) {
                let written = LoggedEvent { v: 1, t, event };
                let line = serde_json::to_vec(&written).unwrap();
                let lean = serde_json::from_slice::<Lean>(&line).unwrap().0;
                let serde: LoggedEvent = serde_json::from_slice(&line).unwrap();
                prop_assert_eq!(&lean, &serde);
                // serde_json may read a number's last bit differently from how it was written.
                let numbers = matches!(written.event, Event::Scalar { .. } | Event::System { .. } | Event::Eval { .. });
                prop_assert!(numbers || lean == written);
            }
        }

        #[test]
        fn no_line_is_read_differently_from_what_serde_reads(line in ".*") {
            let lean = LoggedEvent::parse(line.as_bytes()).ok();
            prop_assert_eq!(lean, serde_json::from_str(&line).ok());
        }
    }

    #[test]
    fn rare_kinds_are_left_to_serde() {
        let tally = Event::Tally {
            kept: 3,
            rejected: [("copied query".to_owned(), 2)].into(),
            failed: 1,
            tokens_per_s: 41.5,
            in_flight: 2,
            concurrency: 2,
            paused: false,
        };
        let endpoint = Event::Endpoint {
            url: "http://a:1".to_owned(),
            state: EndpointState::Resting,
            in_flight: 0,
            answered: 7,
            tokens_per_s: 0.0,
            problem: Some("connection refused".to_owned()),
        };
        for event in [tally, endpoint] {
            let written = LoggedEvent { v: 1, t: 5, event };
            assert_eq!(LoggedEvent::parse(&serde_json::to_vec(&written).unwrap()).unwrap(), written);
        }
    }

    #[test]
    fn what_others_write_is_read_too() {
        let parse = |text: &str| LoggedEvent::parse(text.as_bytes());
        let known = parse(r#"{"name":"a","extra":[1],"kind":"phase","t":3,"v":2}"#).unwrap();
        assert_eq!(known, LoggedEvent { v: 2, t: 3, event: Event::phase("a") });
        let unknown = parse(r#"{"v":1,"t":3,"kind":"hologram","name":{"step":[]},"step":"x"}"#).unwrap();
        assert_eq!(unknown.event, Event::Unknown);
        let spelt = parse("{\"v\":1,\"t\":3,\"kind\":\"\\u0061ck\",\"id\":\"x\"}").unwrap();
        assert_eq!(spelt.event, Event::Ack { id: "x".to_owned() });
        for bad in
            ["", "{}", "[1]", "{\"v\":1}", "{\"v\":1,\"t\":2,\"kind\":\"phase\"}", "{\"v\":1,\"t\":2,\"kind\":7}"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
